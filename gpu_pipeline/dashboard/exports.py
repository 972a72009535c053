"""Files that a page offers: written aside, fetched once over HTTP in pieces, and gone.

Through the page's own connection ten million rows would be one message, and nothing else would get through meanwhile.
"""

from __future__ import annotations

import secrets
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from tornado.web import HTTPError, RequestHandler

from ..errors import InputError

MOST_WAITING = 16
"""Files that wait to be fetched; the oldest goes first."""

PIECE = 1 << 20
"""Bytes that are sent at a time."""

PLACE = "export"
"""Where they are fetched, beside the page."""


@dataclass(frozen=True)
class Export:
    """A file to be fetched: its name for the person, and its bytes, which have no name on the disk."""

    name: str
    file: IO[bytes]


class Exports:
    """The files that wait to be fetched. Only who was told a file's token can fetch it; threads may ask at once."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, Export] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, name: str, write: Callable[[IO[bytes]], object]) -> str:
        """Write a file, and give the address at which it can be fetched once, relative to the page.

        Raises
        ------
        InputError
            If the disk is full.
        """
        file = tempfile.TemporaryFile()  # noqa: SIM115, it stays open until it is fetched
        try:
            write(file)
        except OSError as error:
            file.close()
            raise InputError(f"the file cannot be written ({error.strerror or error}): free some space.") from None
        token, export = secrets.token_urlsafe(24), Export(name, file)
        weakref.finalize(export, file.close)
        with self._lock:
            self._waiting[token] = export
            while len(self._waiting) > MOST_WAITING:
                self._waiting.popitem(last=False)
        return f"{PLACE}/{token}"

    def take(self, token: str) -> Export | None:
        """The file of a token, which is then no longer kept; None if there is none."""
        with self._lock:
            return self._waiting.pop(token, None)


class ExportHandler(RequestHandler):
    """Answers where a file is fetched."""

    def initialize(self, exports: Exports) -> None:
        self.exports = exports

    async def get(self, token: str) -> None:
        export = self.exports.take(token)
        if export is None:
            raise HTTPError(404)
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("Content-Disposition", f'attachment; filename="{export.name}"')
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        with export.file as file:
            self.set_header("Content-Length", file.seek(0, 2))
            file.seek(0)
            while piece := file.read(PIECE):
                self.write(piece)
                await self.flush()
