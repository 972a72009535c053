"""A page that is opened: what takes long of it is done aside first, so that nobody else's page waits for it.

What it finds is kept by `Opened` and `stored`; the page is made of it in a moment then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bokeh.application.handlers import Handler

from .address import from_query
from .files import OpenFile
from .ground import layer_over
from .opened import Opened
from .session import Session
from .state import Choice


class Opening(Handler):
    """Has Bokeh wait with a new page, and with that page alone, until what its address names is open.

    Parameters
    ----------
    store
        Folder of the stored runs.
    file
        A person's own file of points, or None.
    pool
        Threads that do it.
    """

    def __init__(self, store: Path, file: OpenFile | None, pool: ThreadPoolExecutor) -> None:
        super().__init__()
        self._store, self._file, self._pool = store, file, pool

    def modify_document(self, doc: Any) -> None:
        """The page itself is another's."""

    async def on_session_created(self, session_context: Any) -> None:
        query = query_of(session_context.request.arguments)
        await asyncio.get_running_loop().run_in_executor(self._pool, _open, self._store, self._file, query)


def _open(store: Path, file: OpenFile | None, query: dict[str, str]) -> None:
    session = Session(store, file, Choice(**from_query(query)))  # type: ignore[no-untyped-call]
    ready(session.choice.colour, session.choice.scale, session.opened, session.other)


def ready(colour: str, scale: str, *maps: Opened | None) -> None:
    """Make what the first picture of each map needs; one that has no such column is coloured by its first."""
    for opened in filter(None, maps):
        column = colour if colour in opened.colours() else opened.colours()[0]
        opened.arranged(column)
        layer_over(opened, column, scale)
        opened.corners()


def query_of(arguments: Mapping[str, list[bytes]]) -> dict[str, str]:
    """The query of a page's address: of each name the first value."""
    return {name: values[0].decode("utf-8", "replace") for name, values in arguments.items() if values}
