"""What a data set is, and what is asked of every one before anything is computed from it."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from .. import arguments
from ..errors import InputError
from .arrays import as_rows
from .kept import checked_frame
from .labels import as_array, labelled, labels, lack

if TYPE_CHECKING:
    import pandas as pd

Pick = Callable[[int], np.ndarray]
"""Gives, for the number of rows of a whole data set, the indices of those to use, ascending."""

_BLOCK = 1 << 24
"""Bytes that are looked at together, so that a memory-mapped array is never wholly read."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows to make a map of.

    Attributes
    ----------
    name
        Its name in the table of data sets, or the file's without its suffix.
    X
        (n, d) numbers as they are stored, not scaled; may be memory-mapped. Of a frame of pandas, which is taken too,
        or of lists, an array is kept; so it is of a column or list of arrays of equal length, one for each row.
    y
        (n,) labels, integers or strings, or None; a masked array where rows have none. Of what is given, None, NaN and
        NA are missing too.
    rows
        (n,) int64: index of each row in the whole data set, ascending; of all rows if left out.
    total
        Rows of the whole data set, those of X if left out.
    image_shape
        Height and width, if each row is an image, row by row.
    recommended
        The preprocessing that suits it.
    source
        What was read, for the record.
    notes
        Sentences to show and to keep.
    columns
        Names of the columns of X, if the rows are of a table.
    kept
        (n, ...) a frame of pandas: columns that are no features and go with the points.
    """

    name: str
    X: np.ndarray
    y: np.ndarray | None = None
    rows: np.ndarray = None  # type: ignore[assignment]
    total: int = None  # type: ignore[assignment]
    image_shape: tuple[int, int] | None = None
    recommended: Literal["none", "deskew"] = "none"
    source: str = ""
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] | None = None
    kept: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.X, np.ndarray):
            if hasattr(self.X, "toarray"):
                raise InputError(f"{self.name} is a sparse matrix: give a dense array, X.toarray().")
            X, names = as_rows(self.name, self.X), getattr(self.X, "columns", None)
            if self.columns is None and names is not None and X.shape[1:] == (len(names),):
                object.__setattr__(self, "columns", tuple(map(str, names)))
            object.__setattr__(self, "X", X)
        elif isinstance(self.X, np.ma.MaskedArray):
            if masked := int(np.count_nonzero(np.ma.getmaskarray(self.X))):
                raise InputError(
                    f"{self.name} has {masked:,} masked values among its features: replace or remove them."
                )
            object.__setattr__(self, "X", self.X.data)
        elif self.X.dtype == object:
            object.__setattr__(self, "X", as_rows(self.name, self.X))
        n = len(self.X) if self.X.ndim else 0
        rows = np.arange(n, dtype=np.int64) if self.rows is None else np.asarray(self.rows)
        object.__setattr__(self, "rows", rows)
        if self.total is None:
            object.__setattr__(self, "total", n)

    def unlabelled(self) -> tuple[str, ...]:
        """What to say if rows have no label where others do."""
        return () if self.y is None else lack(self.name, int(np.count_nonzero(~labelled(self.y))), len(self.y))

    def digest(self) -> str:
        """SHA-256, in hexadecimal, of the content of `X`, `y` and `rows`, with their shapes and types."""
        sha = hashlib.sha256()
        for name, array in (("X", self.X), ("y", self.y), ("rows", self.rows)):
            if array is None:
                sha.update(f"{name} none;".encode())
                continue
            sha.update(f"{name} {array.dtype.str} {array.shape};".encode())
            for block in blocks(array):
                sha.update(np.ascontiguousarray(array[block]).data)
            if np.ma.is_masked(array):
                sha.update(np.packbits(np.ma.getmaskarray(array)).data)
        return sha.hexdigest()


def blocks(X: np.ndarray) -> Iterator[slice]:
    """Slices of rows, of some 16 MB each, that together cover an array."""
    row_bytes = X.dtype.itemsize * int(np.prod(X.shape[1:]))
    step = max(1, _BLOCK // max(1, row_bytes))
    for start in range(0, len(X), step):
        yield slice(start, min(start + step, len(X)))


def pick_rows(total: int, sample: int | Literal["all"], seed: int) -> np.ndarray:
    """Indices of `sample` rows out of `total`, drawn without replacement, ascending; int64.

    Ascending, because a memory-mapped file is read from front to back; all rows in their own order
    are therefore the sample of as many rows as there are.

    Raises
    ------
    InputError
        If the sample is below 1 or beyond `total`, or the seed is negative.
    """
    if sample == "all":
        return np.arange(total, dtype=np.int64)
    try:
        size = operator.index(sample)
    except TypeError:
        size = 0
    if not 1 <= size <= total:
        raise InputError(f"a sample of {sample!r} cannot be drawn: give 'all' or a whole number from 1 to {total}.")
    if arguments.whole(seed, "the seed") < 0:
        raise InputError(f"the seed is {seed}: it must be 0 or more.")
    return np.sort(np.random.default_rng(seed).choice(total, size, replace=False).astype(np.int64))


def take(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """`array[rows]`, but the array itself (still memory-mapped, not copied) where `rows` are all of them."""
    return array if len(rows) == len(array) else array[rows]


def check(dataset: Dataset, *, varies: bool = True) -> None:
    """See that a map can be made of a data set; reads it once, in blocks.

    Parameters
    ----------
    dataset
        The data set.
    varies
        Ask for a column that varies; not of rows that are placed on a map that is there.

    Raises
    ------
    InputError
        If X is not two-dimensional, is empty, does not hold numbers, has NaN or infinite values or
        no column that varies, or if labels, rows or image shape do not fit it.
    """
    X, name = dataset.X, dataset.name
    if X.ndim != 2:
        raise InputError(
            f"{name} has {X.ndim} dimension{'s' * (X.ndim != 1)}: expected a table of (rows, columns), or images of "
            "(rows, height, width)."
        )
    if X.size == 0:
        raise InputError(f"{name} is empty, {X.shape[0]} rows of {X.shape[1]} columns: give data with both.")
    if X.dtype.kind not in "biuf":
        what = "text" if X.dtype.kind in "SUT" else f"values of type {X.dtype}"
        raise InputError(f"{name} holds {what} where numbers are expected: give integers or floating-point numbers.")
    if dataset.rows.shape != (len(X),):
        raise InputError(f"{name} has {len(X)} rows but {dataset.rows.size} row indices: give one for each.")
    if dataset.rows.dtype.kind not in "iu":
        raise InputError(f"the row indices of {name} are of type {dataset.rows.dtype}: give whole numbers.")
    if dataset.columns is not None and len(dataset.columns) != X.shape[1]:
        raise InputError(
            f"{name} has {X.shape[1]} columns but {len(dataset.columns)} names of columns: give one for each."
        )
    if dataset.image_shape is not None:
        _check_image_shape(name, dataset.image_shape, X.shape[1])
    _check_labels(dataset)
    _check_values(dataset, varies)


def _check_image_shape(name: str, shape: tuple[int, int], columns: int) -> None:
    try:
        height, width = map(operator.index, shape)
    except (TypeError, ValueError):
        raise InputError(
            f"the image shape of {name} is {shape!r}: give height and width as two whole numbers, such as (28, 28)."
        ) from None
    if min(height, width) < 1 or height * width != columns:
        raise InputError(
            f"{name} has {columns} columns, which are not images of {height} x {width}: give another image shape."
        )


def checked(dataset: Dataset, *, varies: bool = True) -> Dataset:
    """A data set that anyone may have made, with its labels as whole numbers or text; raises what `check` raises."""
    if not isinstance(dataset, Dataset):
        raise InputError(
            f"rows come as a Dataset, not as {type(dataset).__name__}: give Dataset('a name', X), or with labels "
            "Dataset('a name', X, y)."
        )
    arguments.text(dataset.name, "the name of a data set", "a text")
    arguments.whole(dataset.total, f"the total of {dataset.name}")
    check(replace(dataset, y=None), varies=varies)
    if dataset.kept is not None:
        dataset = replace(dataset, kept=checked_frame(dataset.name, dataset.kept, len(dataset.X)))
    if dataset.y is None:
        return dataset
    y = as_array(dataset.y)
    if y.shape == (len(dataset.X),):
        y = labels(dataset.name, y, dataset.rows)
    dataset = replace(dataset, y=y)
    _check_labels(dataset)
    return replace(dataset, notes=tuple(dict.fromkeys((*dataset.notes, *dataset.unlabelled()))))


def _check_labels(dataset: Dataset) -> None:
    y, n = dataset.y, len(dataset.X)
    if y is None:
        return
    if y.ndim != 1 or len(y) != n:
        shape = " x ".join(str(size) for size in y.shape)
        raise InputError(f"{dataset.name} has {n} rows but {shape} labels: give one label for each row.")
    if y.dtype.kind not in "iuU":
        raise InputError(f"the labels of {dataset.name} are of type {y.dtype}: give whole numbers or text.")
    if not labelled(y).any():
        raise InputError(f"none of the {n:,} rows of {dataset.name} has a label: leave the labels out.")


def _check_values(dataset: Dataset, varies: bool) -> None:
    X, bad, first = dataset.X, 0, ""
    low = high = X[0]
    for block in blocks(X):
        part = X[block]
        if X.dtype.kind == "f":
            wrong = ~np.isfinite(part)
            if wrong.any():
                if bad == 0:
                    at = int(np.argmax(wrong.any(axis=1)))
                    first = f"row {dataset.rows[block.start + at]} (counted from 0)"
                    if dataset.columns is not None:
                        first += f", column {dataset.columns[int(np.argmax(wrong[at]))]!r}"
                bad += int(wrong.sum())
        low, high = np.minimum(low, part.min(axis=0)), np.maximum(high, part.max(axis=0))
    if bad:
        instead = "" if dataset.columns is None else ", or keep that column with the points if it is no feature"
        raise InputError(
            f"{dataset.name} has {bad} NaN or infinite value{'s' * (bad != 1)}, the first in {first}: replace or "
            f"remove them{instead}."
        )
    if varies and not (low < high).any():
        raise InputError(f"no column of {dataset.name} varies over its {len(X)} rows: give rows that differ.")
