"""What comes from a URL, a form or an upload, and where it may lead: never out of the store."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ..datasets import DATASETS
from ..datasets.files import SUFFIXES
from ..errors import InputError, unknown_name
from ..store import FILES, list_runs, replace_file

UPLOADS = ".uploads"
LARGEST_UPLOAD = 64 << 20
"""Bytes of one uploaded file at most."""

ALL_UPLOADS = 1 << 30
"""Bytes of all uploaded files of a store at most."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


def run_folder(name: str, store: Path) -> Path:
    """The folder of a stored run, by its whole name.

    Unlike `store.find`, which serves the person at the command line, it takes no path and no beginning of a
    name, and follows no link out of the store.

    Raises
    ------
    InputError
        If the store has no run of that name.
    """
    store = Path(store)
    if _NAME.fullmatch(name):
        where = store / name
        if where.resolve().parent == store.resolve() and (where / FILES["record"]).is_file():
            return where
    known = [where.name for where in list_runs(store)]
    raise unknown_name("run", name[:80], known) if known else InputError(f"{store} holds no runs: make one first.")


def data_name(name: str, store: Path, allowed: Collection[Path] = ()) -> str:
    """A data set's name, or the path of a file that a job may read.

    Parameters
    ----------
    name
        "auto", a known data set, or a path.
    store
        Files that were uploaded to it may be read.
    allowed
        Other files that may be read, such as the one named on the command line.

    Returns
    -------
    str
        The name, or the file's path without links.

    Raises
    ------
    InputError
        If it is neither.
    """
    if name == "auto" or name in DATASETS:
        return name
    try:
        path = Path(name).resolve()
    except (OSError, ValueError):  # too long, or a NUL in it
        path = Path()
    uploads = (Path(store) / UPLOADS).resolve()
    if path.parent == uploads or path in {Path(file).resolve() for file in allowed}:
        return str(path)
    raise InputError(
        f"{name[:80]!r} is neither a known data set ({', '.join(DATASETS)}) nor an uploaded file: choose one of them."
    )


def keep_upload(name: str, content: bytes, store: Path) -> Path:
    """Put an uploaded file into the store, whole or not at all; the same content twice is one file.

    Parameters
    ----------
    name
        As the browser says; only its last part is used, and only letters, digits and dashes of it.
    content
        All of the file.

    Raises
    ------
    InputError
        If its kind is not known, it is empty or too large, or the store is full or cannot be written.
    """
    base = re.split(r"[/\\]", name.lower())[-1]
    suffix = next((suffix for suffix in SUFFIXES if base.endswith(suffix)), None)
    if suffix is None:
        raise InputError(f"a file of that kind cannot be read: upload one in {', '.join(SUFFIXES)}.")
    if not content:
        raise InputError("the uploaded file is empty: choose another.")
    if len(content) > LARGEST_UPLOAD:
        raise InputError(
            f"the file has {len(content) / 2**20:.0f} MiB but uploads may have {LARGEST_UPLOAD >> 20} at most: "
            "put it on the server, and start it with gpu-pipeline run."
        )
    folder = Path(store) / UPLOADS
    stem = re.sub(r"[^a-z0-9_-]+", "-", base[: -len(suffix)]).strip("-")[:40] or "data"
    path = folder / f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}{suffix}"
    if path.is_file():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {folder} ({error.strerror}): choose another place.") from None
    if sum(file.stat().st_size for file in folder.iterdir() if file.is_file()) + len(content) > ALL_UPLOADS:
        raise InputError(f"{folder} holds {ALL_UPLOADS >> 30} GiB of uploads already: delete some.")
    return replace_file(path, lambda draft: draft.write_bytes(content))


def put_json(path: Path, values: Any) -> None:
    """Put plain values in a file that others read at the same time: they see the old ones or the new ones.

    It does not wait for the disk, as `store.replace_file` does: what a job says of itself is outdated in a second.
    """
    draft = path.with_name(f".{os.getpid()}-{path.name}")
    draft.write_text(json.dumps(values, allow_nan=False), encoding="utf-8")
    draft.replace(path)
