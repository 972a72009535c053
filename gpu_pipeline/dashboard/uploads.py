"""Files that people upload: bounded, kept under safe names in the store's own folder, and tried before they are used.

What a stranger's file does to the libraries that read it is tried in a process of its own, whose memory is bounded: a
few kilobytes of Parquet or gzip can be made to fill any memory, and a torn file may bring a reader down.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeVar, get_args

from ..datasets import load
from ..datasets.files import SUFFIXES
from ..datasets.tables import TABLES, incomplete, names_of, suffix_of
from ..drafts import draft, flush
from ..errors import InputError, unknown_name
from ..store import stored_in
from .files import OpenFile, open_file
from .paths import UPLOADS

LARGEST_UPLOAD = 256
"""MiB of one uploaded file at most, if nothing else is said."""

OF_ALL = 4
"""A store keeps so many times that of all uploaded files together."""

PIECE = 1 << 20
"""Bytes of a file that a browser sends at a time."""

MOST_MEMORY = 8 << 30
"""Bytes of memory that a file may take while it is read."""

PATIENCE = 300
"""Seconds after which a file that is still being read is given up."""

MOST_OFFERED = 500
"""Names of columns that are offered to choose from."""

MARK = "upload/"
"""How the name of an uploaded file begins where those of runs stand: theirs have no slash."""

Kind = Literal["map", "data"]
T = TypeVar("T")


class Incoming:
    """An uploaded file while it comes in, piece by piece.

    Until it is whole it has no name on the disk, so that nothing is left of one that is broken off, however that comes.

    Parameters
    ----------
    name
        As the browser says; only its last part is used, and only letters, digits and dashes of it.
    size
        Bytes, as the browser says; it may not send more.
    store
        Folder of the stored runs.
    most
        MiB that a file may have.

    Raises
    ------
    InputError
        If its kind is not known, it is empty or too large, or the store is full or cannot be written.
    """

    def __init__(self, name: str, size: int, store: Path, most: int = LARGEST_UPLOAD) -> None:
        base = re.split(r"[/\\]", name.lower())[-1]
        suffix = suffix_of(base, SUFFIXES)
        if suffix is None:
            raise InputError(f"a file of that kind cannot be read: upload one in {', '.join(SUFFIXES)}.")
        if size <= 0:
            raise InputError("the uploaded file is empty: choose another.")
        if size > most << 20:
            raise InputError(
                f"the file has {size / 2**20:,.1f} MiB but uploads may have {most:,} at most: put it on the server and "
                "use gpu-pipeline run or gpu-pipeline dashboard FILE, or start the dashboard with more --max-upload."
            )
        self.size, self.received = size, 0
        self._suffix, self._store, self._most = suffix, Path(store), most
        self._stem = re.sub(r"[^a-z0-9_-]+", "-", base[: -len(suffix)]).strip("-")[:40] or "data"
        self._hash = hashlib.sha256()
        self._folder = self._store / UPLOADS
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._check_room()
            self._draft = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115, it stays open between pieces
            weakref.finalize(self, self._draft.close)
        except OSError as error:
            raise self._cannot_write(error) from None

    def add(self, piece: bytes) -> None:
        """The next piece.

        Raises
        ------
        InputError
            If there are more bytes than were announced, or the disk is full.
        """
        self.received += len(piece)
        if self.received > self.size:
            raise InputError("more bytes came than the file was said to have: upload it again.")
        self._hash.update(piece)
        try:
            self._draft.write(piece)
        except OSError as error:
            raise self._cannot_write(error) from None

    def keep(self, test: Callable[[Path], T]) -> tuple[Path, T]:
        """Put the whole file into its place if it stands a test; the same content twice is one file.

        Until then it lies in a hidden folder, where nobody can open it.

        Parameters
        ----------
        test
            Given where the file lies; its `InputError` keeps the file out.

        Returns
        -------
        tuple
            Where the file is, and what the test gave.

        Raises
        ------
        InputError
            If it is not whole or fails the test, or the store is full or cannot be written.
        """
        if self.received != self.size:
            raise InputError(f"only {self.received:,} of {self.size:,} bytes came: upload the file again.")
        path = self._folder / f"{self._stem}-{self._hash.hexdigest()[:12]}{self._suffix}"
        with self._draft as content:
            if path.is_file():
                return path, test(path)
            self._check_room()
            with draft(self._folder) as hidden:
                tried = hidden / path.name
                content.seek(0)
                with tried.open("wb") as file:
                    shutil.copyfileobj(content, file, PIECE)
                found = test(tried)
                flush(tried)
                return tried.replace(path), found

    def _check_room(self) -> None:
        held = sum(path.stat().st_size for path in self._folder.iterdir() if path.is_file())
        if held + self.size > OF_ALL * self._most << 20:
            raise InputError(
                f"the uploaded files fill the {OF_ALL * self._most:,} MiB that there are for them: remove some."
            )

    def _cannot_write(self, error: OSError) -> InputError:
        return InputError(f"cannot write to {self._folder} ({error.strerror or error}): free some space.")


def uploads(store: Path) -> list[str]:
    """Names of the uploaded files, the newest first."""
    names = [path.name for path in stored_in(Path(store) / UPLOADS, "")]
    return [name for name in reversed(names) if name.endswith(SUFFIXES)]


def columns(store: Path) -> list[str]:
    """Names of the columns of the uploaded tables, each once, those of the newest first."""
    folder = Path(store) / UPLOADS
    paths = [path for path in (folder / name for name in uploads(store)) if not path.is_symlink()]
    return [*dict.fromkeys(name for path in paths for name in _columns(path))][:MOST_OFFERED]


@lru_cache(maxsize=256)  # The name of a file tells its content.
def _columns(path: Path) -> list[str]:
    suffix = suffix_of(path.name, TABLES)
    return [] if suffix is None else names_of(path, suffix)[:MOST_OFFERED]


def upload_path(store: Path, name: str) -> Path:
    """Where an uploaded file lies, by its name with `MARK` before it.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    known = uploads(store)
    plain = name.removeprefix(MARK)
    path = Path(store) / UPLOADS / plain
    if plain in known and path.is_file() and not path.is_symlink():
        return path
    raise unknown_name("uploaded file", plain[:80], known) if known else InputError("no file is uploaded any more.")


def uploaded(store: Path, name: str) -> OpenFile | None:
    """The uploaded file that a name of a run means; None if it means a run.

    Raises
    ------
    InputError
        If it means a file that is not there.
    """
    return OpenFile(upload_path(store, name)) if name.startswith(MARK) else None


def kind_of(path: Path) -> Kind:
    """What a file can be used as, found out by reading it in a process of its own.

    Returns
    -------
    "map" if it has points with places, which can be shown; "data" if a map can be made of it.

    Raises
    ------
    InputError
        If it is neither, or takes too much memory or time.
    """
    command = [sys.executable, "-m", __name__, str(path), str(MOST_MEMORY)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise InputError(f"{path.name} was read for {PATIENCE} s without an end: give a smaller file.") from None
    said = ended.stdout.strip()
    if ended.returncode == 0 and said in get_args(Kind):
        return said  # type: ignore[return-value]
    if ended.returncode == 2:
        raise InputError(json.loads(said))
    raise InputError(
        f"{path.name} cannot be read: it is damaged, or takes more than {MOST_MEMORY / 2**30:.0f} GiB of memory."
    )


def _try(path: Path) -> Kind:
    """Read a file in every way, which raises what is wrong with it."""
    try:
        open_file(path)
    except InputError:
        _load(path)
        return "data"
    return "map"


def _load(path: Path) -> None:
    """Read a file as data, if need be with the columns kept apart that are incomplete."""
    try:
        load(str(path))
    except InputError:
        suffix = suffix_of(path.name, TABLES)
        with suppress(InputError):
            if suffix is not None and (kept := incomplete(TABLES[suffix](path))):
                load(str(path), keep=kept)
                return
        raise


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    code = 1
    try:
        print(_try(Path(sys.argv[1])))
        code = 0
    except InputError as reason:
        print(json.dumps(str(reason).replace(f"{Path(sys.argv[1]).parent}/", "")))
        code = 2
    finally:
        sys.stdout.flush()
        os._exit(code)  # Where memory ran out, what Arrow does on a usual exit may wait for its tasks for ever.
