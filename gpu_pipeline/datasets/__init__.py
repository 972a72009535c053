"""Data sets: a table of known ones, and a person's own files.

To add one is to write a function `(pick, data_dir) -> Dataset` and to name it in `DATASETS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from .. import arguments
from ..errors import InputError, unknown_name
from . import digits, fetch, files, tables
from .columns import ALL, Columns, no_names
from .dataset import Dataset, Pick, check, checked, pick_rows
from .fetch import Location, cache_dir, locate
from .labels import labelled

__all__ = ["DATASETS", "Dataset", "Location", "cache_dir", "check", "checked", "is_table", "load", "locate"]

DATASETS: dict[str, Callable[[Pick, str | Path | None], Dataset]] = {
    "mnist": partial(fetch.load, "mnist"),
    "fashion-mnist": partial(fetch.load, "fashion-mnist"),
    "kuzushiji-mnist": partial(fetch.load, "kuzushiji-mnist"),
    "digits": digits.load,
}
"""Name -> loader of the chosen rows; "auto" is the first of them, or `digits` where it is not to be had."""


_LOOKED_AT = 10_000
"""Labels that are looked at, to see whether nearly all differ."""

_DIFFER = 0.9
"""Share of different ones above which labels do, of at least 20."""


def load(
    name: str | Path = "auto",
    *,
    data_dir: str | Path | None = None,
    sample: int | Literal["all"] = "all",
    seed: int = 0,
    label_column: str | None = None,
    columns: str | Sequence[str] | None = None,
    keep: str | Sequence[str] | None = None,
    beside: str | Path | None = None,
    image_shape: tuple[int, int] | None = None,
    varies: bool = True,
) -> Dataset:
    """A data set, checked.

    Parameters
    ----------
    name
        A name in `DATASETS`, the path of a file (see `files`), or "auto": MNIST if it is at hand or can
        be downloaded, else `digits`, which a note then says.
    data_dir
        The first folder to search for data sets, before `GPU_PIPELINE_DATA` and the cache.
    sample
        Rows to draw without replacement, or "all". They stay in the order of the data set.
    seed
        Of the sample.
    label_column, columns
        In a table: the column of labels, and the columns of features (if None, all that hold numbers but
        an index that pandas wrote).
    keep
        In a table: columns that are no features and go with the points, to colour and filter a map by. Durations
        become seconds.
    beside
        With an array (`.npy`, `.npz`): the table where the labels and the columns to keep are, a line for each of its
        rows, or a `.npy` file of labels.
    image_shape
        Height and width, if each row of a file is an image.
    varies
        Ask for a column that varies, see `check`.

    Raises
    ------
    InputError
        If the data set is not known, cannot be found, read or downloaded, has a wrong checksum, or
        does not pass `check`.
    """
    if not isinstance(name, str | Path):
        raise InputError(
            f"a data set is loaded by its name or path, not {type(name).__name__}: Dataset('a name', X) holds "
            "arrays and frames."
        )
    wanted = Columns(
        None if label_column is None else arguments.text(label_column, "the label column", "the name of a column"),
        None if columns is None else arguments.names(columns, "what is named as columns"),
        arguments.names(keep or (), "what is named to keep"),
        None if beside is None else arguments.path(beside, "the table beside the array").expanduser(),
    )
    name = str(name)
    pick = partial(pick_rows, sample=sample, seed=seed)
    if data_dir is not None and not arguments.path(data_dir, "the data directory").expanduser().is_dir():
        raise InputError(f"there is no folder {data_dir}: give the data directory's path.")
    notes: tuple[str, ...] = ()
    if name == "auto":
        name, notes = _default(data_dir)
    if name in DATASETS:
        if wanted != ALL:
            raise no_names(name)
        dataset = DATASETS[name](pick, data_dir)
    elif files.is_path(name):
        dataset = files.read(Path(name).expanduser(), pick, wanted)
    else:
        raise unknown_name("data set", name, ("auto", *DATASETS))
    if image_shape is not None:
        dataset = replace(dataset, image_shape=image_shape)
    check(dataset, varies=varies)
    doubts = _differ(dataset) if varies else ()
    return replace(dataset, notes=(*notes, *dataset.notes, *dataset.unlabelled(), *doubts))


def is_table(name: str) -> bool:
    """Whether a name is that of a file, or a folder of files, whose columns have names."""
    if name in ("auto", *DATASETS):
        return False
    return name.lower().endswith(tuple(tables.TABLES)) or Path(name).expanduser().is_dir()


def _differ(dataset: Dataset) -> tuple[str, ...]:
    """What to say where nearly all labels differ, as those do that are an id."""
    if dataset.y is None:
        return ()
    rows = np.flatnonzero(labelled(dataset.y))
    some = dataset.y[rows[:: -(-len(rows) // _LOOKED_AT)]].tolist()
    different = len(set(some))
    if len(some) < 20 or different <= _DIFFER * len(some):
        return ()
    return (
        f"{dataset.name}: nearly every row has a label of its own ({different:,} different ones in {len(some):,} "
        "rows), so that colours and scores by label say nothing: name a column of classes as the labels, and keep an "
        "id with the points instead.",
    )


def _default(data_dir: str | Path | None) -> tuple[str, tuple[str, ...]]:
    try:
        fetch.obtain("mnist", data_dir)
    except InputError:
        note = "MNIST is not on this computer and cannot be downloaded: using digits, the embedded data set."
        return "digits", (note,)
    return "mnist", ()
