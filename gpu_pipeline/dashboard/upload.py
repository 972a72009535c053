"""The field in the page that takes a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import param
from panel.custom import JSComponent

from ..datasets.files import SUFFIXES
from ..errors import InputError
from .background import TESTING, Background
from .piece import HERE
from .uploads import PIECE, Incoming, Kind, kind_of


class Upload(JSComponent):  # type: ignore[misc]
    """Takes a file in pieces that the server asks for; what the browser sends is not to be trusted.

    Parameters
    ----------
    store
        Folder of the stored runs.
    most
        MiB of a file at most.
    background
        Where the file is tried.
    post
        Has something done when the document is free.
    done
        Told where a file lies that can be used, and as what.
    """

    reply = param.Dict({}, doc="offset of the next piece, or none at the end; text; failed; turn.")
    about = param.String()
    accept = param.String(",".join(SUFFIXES))
    piece = param.Integer(PIECE)

    _bundle = HERE / "upload.js"
    _stylesheets = [(HERE / "style.css").read_text(encoding="utf-8")]  # noqa: RUF012

    def __init__(
        self,
        store: Path,
        most: int,
        background: Background,
        post: Callable[[Callable[[], None]], None],
        done: Callable[[Path, Kind], object],
    ) -> None:
        about = f"A file of your own: points, or data to make a map of ({', '.join(SUFFIXES)}; at most {most:,} MiB)"
        super().__init__(about=about)  # type: ignore[no-untyped-call]
        self._store, self._most, self._background, self._post, self._done = store, most, background, post, done
        self._incoming: Incoming | None = None

    def _handle_msg(self, data: Any) -> None:
        self._post(lambda: self._take(data))

    def _take(self, data: Any) -> None:
        try:
            if not isinstance(data, dict):
                return
            if data.get("do") == "begin" and isinstance(data.get("size"), int):
                self._incoming = Incoming(str(data.get("name")), data["size"], self._store, self._most)
            elif data.get("do") == "piece" and isinstance(data.get("piece"), bytes) and self._incoming is not None:
                self._incoming.add(data["piece"])
            else:
                return
            self._go_on(self._incoming)
        except InputError as error:
            self._fail(str(error))

    def _go_on(self, incoming: Incoming) -> None:
        whole = incoming.received == incoming.size
        self._reply(offset=incoming.received, text="Reading it" if whole else "")
        if whole:
            self._incoming = None
            self._background.ask("upload", lambda: incoming.keep(kind_of), self._end, self._fail, TESTING)

    def _end(self, found: tuple[Path, Kind]) -> None:
        path, kind = found
        ready = "It is shown." if kind == "map" else "It is chosen as data below."
        self._reply(text=f"{path.name} is uploaded. {ready}", failed=False)
        self._done(path, kind)

    def _fail(self, sentence: str) -> None:
        self._incoming = None
        self._reply(text=sentence, failed=True)

    def _reply(self, **said: Any) -> None:
        """Answer the browser, which is not told what is the same as before: so no two answers are."""
        self.reply = {**said, "turn": self.reply.get("turn", 0) + 1}
