"""What comes from a URL, a form or an upload, and where it may lead: never out of the store."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ..datasets import DATASETS
from ..errors import InputError, unknown_name
from ..store import FILES, list_runs

UPLOADS = ".uploads"
"""Folder of a store for what people upload."""

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


def put_json(path: Path, values: Any) -> None:
    """Put plain values in a file that others read at the same time: they see the old ones or the new ones.

    It does not wait for the disk, as `store.replace_file` does: what a job says of itself is outdated in a second.
    """
    draft = path.with_name(f".{os.getpid()}-{path.name}")
    draft.write_text(json.dumps(values, allow_nan=False), encoding="utf-8")
    draft.replace(path)
