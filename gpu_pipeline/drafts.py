"""Folders that are written whole or not at all: in a draft beside their place, renamed when all is on the disk.

A draft whose writer has gone (killed, disk full) is removed by the next one to write there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from .errors import InputError

_DRAFT = ".draft-"


def flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def draft(folder: Path) -> Iterator[Path]:
    """A folder to write in, gone at the end unless it was renamed."""
    path = folder / f"{_DRAFT}{uuid.uuid4().hex[:8]}-{os.getpid()}-{platform.node()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        path.mkdir()
        yield path
    except OSError as error:
        raise cannot_write(folder, error) from None
    finally:
        shutil.rmtree(path, ignore_errors=True)


def cannot_write(path: Path, error: OSError) -> InputError:
    """The error of a place that nothing can be written to."""
    reason = error.strerror or error
    return InputError(f"cannot write to {path} ({reason}): free some space or choose another place.")


def publish(path: Path, folder: Path, name: str) -> Path:
    """Rename a draft to the first free name in `folder`; where it is now."""
    flush(path)
    number = 1
    while True:
        target = folder / (name if number == 1 else f"{name}-{number}")
        try:
            # On POSIX the rename of a folder onto one that has files in it fails, so two writers cannot collide.
            path.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            number += 1
            continue
        flush(folder)
        return target


def _sweep(folder: Path) -> None:
    """Remove the drafts of this computer's writers that have gone."""
    for left in folder.glob(f"{_DRAFT}*-{platform.node()}"):
        _, process, *_ = left.name.removeprefix(_DRAFT).split("-")
        if process.isdigit() and not _alive(int(process)):
            shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
