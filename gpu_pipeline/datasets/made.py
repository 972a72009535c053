"""What is said in a folder that `making` fills: which set it will hold, how many rows, and which seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError

MADE = "_made.json"
"""The file that says it. Other readers of Parquet pass over such names."""


class Made(NamedTuple):
    """What a folder will hold: the set, how many rows of it, their seed, and the version of the files' form."""

    set: str
    rows: int
    seed: int
    form: int


def made_of(folder: Path) -> Made | None:
    """What is said in a folder; None if nothing is.

    Raises
    ------
    InputError
        If it cannot be understood.
    """
    path = folder / MADE
    if not path.is_file():
        return None
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Made(str(said["set"]), int(said["rows"]), int(said["seed"]), int(said["form"]))
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"{path} does not say what the folder will hold, as it should: delete it to read the rows that are there, "
            "or the whole folder to make it again."
        ) from None


def check_filled(folder: Path, rows: int) -> None:
    """See that a folder with so many rows has all that it will hold; raises an `InputError` if not."""
    made = made_of(folder)
    if made is not None and rows != made.rows:
        raise InputError(
            f"{folder} has {rows:,} of {made.rows:,} rows: finish it with gpu-pipeline data make {made.set} "
            f"--rows {made.rows} --seed {made.seed} --out {folder}."
        )
