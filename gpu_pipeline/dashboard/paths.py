"""What comes from a URL, a form or an upload, and where it may lead: never out of the store."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ..datasets import DATASETS
from ..errors import InputError

UPLOADS = ".uploads"
"""Folder of a store for what people upload."""


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
