"""What goes with the rows of an array and lies in another file: a table with a line for each row, or labels alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InputError, listed
from . import tables
from .columns import Columns, check_columns
from .dataset import Dataset
from .kept import check_once
from .labels import labels


def with_beside(dataset: Dataset, wanted: Columns, path: Path) -> Dataset:
    """The rows of an array with the labels and columns that are in a file beside it.

    Parameters
    ----------
    dataset
        The rows.
    wanted
        Its column of labels, which may be left out if it has but one, and those that go with the points.
    path
        The file: a table with a line for each row of the whole array, in their order, or a `.npy` file of labels.

    Raises
    ------
    InputError
        If it is none of these, has another number of rows, or not these columns.
    """
    if wanted.features is not None:
        raise InputError(f"{dataset.name} is an array whose columns have no names: leave the columns of features out.")
    if not path.is_file():
        raise InputError(f"there is no file {path} to go with {dataset.name}: give another path.")
    known = (*tables.TABLES, ".npy")
    suffix = tables.suffix_of(path.name, known)
    if suffix is None:
        raise InputError(f"{path.name} cannot go with {dataset.name}: give a file in {', '.join(known)}.")
    return _array(dataset, wanted, path) if suffix == ".npy" else _table(dataset, wanted, path, suffix)


def _array(dataset: Dataset, wanted: Columns, path: Path) -> Dataset:
    if wanted.label is not None or wanted.keep:
        raise InputError(f"{path.name} has no named columns, and is taken for the labels: leave the names out.")
    try:
        y = np.lib.format.open_memmap(path, mode="r")
    except ValueError as error:  # also for pickled objects, which are not read
        raise InputError(f"{path.name} is no whole array of labels ({error}): save it again.") from None
    if y.size != len(np.atleast_1d(y)):
        raise InputError(f"{path.name} has the shape {y.shape}: give one label for each row of {dataset.name}.")
    _check_length(dataset, path, y.size)
    return replace(dataset, y=labels(path.name, y.reshape(-1)[dataset.rows], dataset.rows))


def _table(dataset: Dataset, wanted: Columns, path: Path, suffix: str) -> Dataset:
    opened = tables.TABLES[suffix](path)
    names = opened.schema.names
    check_once(path.name, names)
    if wanted.label is None and not wanted.keep:
        if len(names) != 1:
            raise InputError(f"{path.name} has the columns {listed(names)}: name that of the labels, or those to keep.")
        wanted = replace(wanted, label=names[0])
    check_columns(path.name, opened.schema, wanted)
    label = () if wanted.label is None else (wanted.label,)
    table = opened.read(list(dict.fromkeys([*label, *wanted.keep])))
    _check_length(dataset, path, table.num_rows)
    y, kept = tables.labels_and_kept(table.take(dataset.rows), wanted, dataset.rows)
    return replace(dataset, y=dataset.y if y is None else y, kept=kept, notes=(*dataset.notes, *opened.notes))


def _check_length(dataset: Dataset, path: Path, rows: int) -> None:
    if rows != dataset.total:
        raise InputError(
            f"{path.name} has {rows:,} rows but {dataset.name} has {dataset.total:,}: give one for each, in order."
        )
