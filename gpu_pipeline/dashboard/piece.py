"""A part of the page: HTML that the server renders, and what a person does with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

HERE = Path(__file__).parent

Answer = Callable[[str, Any, Callable[[], None]], object]
"""Given an action's name and value, and what to call when it is done."""


class Piece(JSComponent):  # type: ignore[misc]
    """HTML with actions.

    The HTML comes from `views`, which escapes every value. An element with `data-do` is an action; its
    name and value are given to `answer`, and are as untrusted as anything that a browser sends.
    Actions that are numbered wait for each other in the browser: `answered` has the last that is done.
    """

    html = param.String()
    answered = param.Integer(0)
    refused = param.Integer(0, doc="Grows where lists may show what was not done.")
    found = param.Integer(0, doc="Grows where a search has found something.")
    keys = param.List([], doc="Keys of the keyboard that are actions; for the header only, as are the next.")
    fetch = param.String("", doc="Address of a file that the browser is to fetch.")
    query = param.String("", doc="Query of the page's address, with its question mark; empty for as it came.")
    theme = param.String("", doc="light, dark, or empty for what the browser prefers.")

    # As it is: what is in `_esm` Panel has the browser look through for TypeScript, once for each part.
    _bundle = HERE / "piece.js"
    _stylesheets = [(HERE / "style.css").read_text(encoding="utf-8")]  # noqa: RUF012

    def __init__(self, answer: Answer, **params: Any) -> None:
        super().__init__(**params)  # type: ignore[no-untyped-call]
        self._answer = answer

    def _handle_msg(self, data: Any) -> None:
        if isinstance(data, dict) and isinstance(data.get("do"), str):
            self._answer(data["do"], data.get("value"), partial(self._done, data.get("number")))

    def _done(self, number: Any) -> None:
        if isinstance(number, int):
            self.answered = number

    def put(self, html: str) -> None:
        """Replace what is shown, if it differs."""
        if html != self.html:
            self.html = html
