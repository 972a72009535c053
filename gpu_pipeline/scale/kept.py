"""The folder of work that is not finished: what is in it is whole, and is trusted only after a look.

runs/.scale-<hash>/
    lock                    held while a process works here
    seconds.json            seconds of each step so far
    progress.html           for people, progress.json for programs
    <step>/part-00042.*     what a partition came to
    <step>/part-00042.json  its receipt, written last: SHA-256 of each file, and what to remember
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..store import replace_file

Write = Callable[[Path], object]

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


def keep(folder: Path, stem: str, files: Mapping[str, Write], remember: Mapping[str, Any]) -> dict[str, Any]:
    """Write files whole, and then a receipt for them.

    Parameters
    ----------
    folder
        Where; it is made.
    stem
        Beginning of the files' names.
    files
        Suffix -> what writes the file of that suffix at a path.
    remember
        Plain values to keep in the receipt.

    Returns
    -------
    `remember`, as JSON gives it back.

    Raises
    ------
    InputError
        If the disk is full or the folder cannot be written; no half file is left.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {folder} ({error.strerror}): free some space or choose another.") from None
    digests = {}
    for suffix, write in files.items():
        path = folder / f"{stem}{suffix}"
        replace_file(path, write)
        digests[path.name] = _digest(path)
    receipt = json.dumps({"files": digests, "remember": dict(remember)}, allow_nan=False)
    replace_file(folder / f"{stem}.json", lambda draft: draft.write_text(receipt, encoding="utf-8"))
    remembered: dict[str, Any] = json.loads(receipt)["remember"]
    return remembered


def save_array(path: Path, array: np.ndarray) -> None:
    """Write an array as `.npy` under just that name."""
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def kept(folder: Path, stem: str) -> dict[str, Any] | None:
    """What was remembered with files that are there and whole; None if they are not."""
    try:
        receipt = json.loads((folder / f"{stem}.json").read_text(encoding="utf-8"))
        for name, digest in receipt["files"].items():
            if _digest(folder / name) != digest:
                return None
        remembered: dict[str, Any] = receipt["remember"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return remembered


def drop(folder: Path) -> None:
    """Remove a step's folder."""
    shutil.rmtree(folder, ignore_errors=True)


def end(folder: Path) -> None:
    """Remove the whole folder, the lock last: who comes meanwhile is told that the run is being made."""
    for path in folder.iterdir():
        if path.is_dir():
            drop(path)
        elif path.name != "lock":
            path.unlink(missing_ok=True)
    drop(folder)


def clear(folder: Path) -> None:
    """Remove all that is kept, but not the lock nor Dask's own files."""
    for path in folder.iterdir():
        if path.is_dir() and path.name != "dask":
            drop(path)
        elif path.is_file() and path.name != "lock":
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; another that wants it is told.

    Raises
    ------
    InputError
        If another process works in it, it cannot be written, or a file could not be read or written within.
    """
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context((folder / "lock").open("a+"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise InputError(
                    f"the process {file.read().strip()} makes this very run already, in {folder}: wait for it, or "
                    "end it and start the same command."
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            _sweep(folder)
        except OSError as error:
            raise _unwritable(folder, error) from None
        try:
            yield
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise _unwritable(folder, error) from None
            if error.filename is None:
                raise
            raise InputError(
                f"{error.filename} cannot be read or written ({error.strerror}): see to that and start the same "
                "command, which goes on where it was."
            ) from None


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"cannot write to {folder} ({error.strerror or error}): free some space and start the same command, which "
        "goes on where it was."
    )


def _sweep(folder: Path) -> None:
    """Remove drafts of processes that were killed."""
    for draft in (*folder.glob(".*-*"), *folder.glob("*/.*-*")):
        if draft.is_file():
            draft.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file; an empty one if there is none, or no whole one."""
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Put an object in a file, whole."""
    text = json.dumps(dict(values), indent=1, allow_nan=False) + "\n"
    replace_file(path, lambda draft: draft.write_text(text, encoding="utf-8"))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
