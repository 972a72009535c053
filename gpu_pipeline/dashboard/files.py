"""A person's own file of points: a map that some other program made, with whatever columns it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..datasets.kept import check_once, is_shown, series_of
from ..datasets.tables import TABLES, suffix_of
from ..errors import InputError, listed, unknown_name

if TYPE_CHECKING:
    import pyarrow as pa

AXES = (("x", "y"), ("tsne_1", "tsne_2"), ("umap_1", "umap_2"), ("pc_1", "pc_2"), ("dim_1", "dim_2"))
"""Names of the two columns that are taken for places if none are named, in any case of letters, the likeliest first."""

TAKEN = ("", "density", "among")
"""Names that a column of a file cannot have beside those of places: they mean something else on the page."""


@dataclass(frozen=True)
class OpenFile:
    """A file to look at.

    Attributes
    ----------
    path
        Where it lies.
    x, y
        Its columns of places; None for the usual ones, see `AXES`.
    """

    path: Path
    x: str | None = None
    y: str | None = None

    def points(self) -> pd.DataFrame:
        """Its points, see `open_file`: one copy for all who ask, read again only when the file has changed."""
        return self._read()[0]

    def left_out(self) -> tuple[str, ...]:
        """Its columns that are not among the points, each with what it holds."""
        return self._read()[1]

    def _read(self) -> tuple[pd.DataFrame, tuple[str, ...]]:
        try:
            stat = self.path.stat()
        except OSError as error:
            raise InputError(f"cannot read {self.path} ({error.strerror}): give the path of a file.") from None
        return _points(self, (stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=2)
def _points(file: OpenFile, version: tuple[int, int]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    return _open(file.path, file.x, file.y)


def open_file(path: str | Path, x: str | None = None, y: str | None = None) -> pd.DataFrame:
    """The points in a file.

    Parameters
    ----------
    path
        A Parquet, CSV, Feather or Arrow file with two columns of places, or a .npy file with an array (n, 2).
    x, y
        Names of the columns of places; by default the usual ones, see `AXES`.

    Returns
    -------
    pd.DataFrame
        `row` (place in the file from 0, or the file's own column of that name if it tells rows apart), `x`, `y`, and
        all other columns of numbers, text, times, or yes and no; those of lists and the like are left out. One that
        would be named as these three already are, or as in `TAKEN`, has an underscore added.

    Raises
    ------
    InputError
        If the file cannot be read, has no rows, no such columns, or places that are no finite numbers.
    """
    return _open(path, x, y)[0]


def _open(path: str | Path, x: str | None, y: str | None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The points in a file, and the columns that are left out."""
    path = Path(path).expanduser()
    suffix = suffix_of(path.name, (*TABLES, ".npy"))
    if suffix is None:
        raise InputError(f"{path} is of a kind that cannot be shown: give a file in {', '.join((*TABLES, '.npy'))}.")
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty: give a file with points in it.")
        table, left_out = (_array(path, x, y), ()) if suffix == ".npy" else _table(path, suffix, x, y)
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror or error}): give the path of a file.") from None
    if len(table) == 0:
        raise InputError(f"{path.name} has no rows: give a file with points in it.")
    places = table[["x", "y"]].to_numpy()
    bad = np.flatnonzero(~np.isfinite(places).all(axis=1))
    if len(bad):
        raise InputError(
            f"{len(bad):,} of {len(table):,} points of {path.name} have no finite place, the first in row {bad[0]} "
            "(counted from 0): leave these rows out."
        )
    return table, left_out


def _array(path: Path, x: str | None, y: str | None) -> pd.DataFrame:
    if x is not None or y is not None:
        raise InputError(f"{path.name} has no named columns: leave --x and --y out.")
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except ValueError as error:  # also for pickled objects, which are not read
        raise InputError(f"{path} is not a whole NumPy file of numbers ({error}): save it again.") from None
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "fiu":
        raise InputError(
            f"{path.name} holds {array.dtype} of shape {array.shape}: give numbers of shape (n, 2), or make a map of "
            "them with gpu-pipeline run."
        )
    places = {"x": _narrow(array[:, 0]), "y": _narrow(array[:, 1])}
    return pd.DataFrame({"row": np.arange(len(array)), **places})


def _table(path: Path, suffix: str, x: str | None, y: str | None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    opened = TABLES[suffix](path)
    check_once(path.name, opened.schema.names)
    x, y = _axes(path.name, opened.schema, x, y)
    left_out = tuple(f"{f.name} ({_kind(f.type)})" for f in opened.schema if not is_shown(f.type))
    names = [f.name for f in opened.schema if is_shown(f.type)]
    table = opened.read(names)
    columns: dict[str, pd.Series | np.ndarray] = {"row": np.arange(table.num_rows)}
    for axis, name in (("x", x), ("y", y)):
        columns[axis] = _narrow(table[name].to_numpy())
    for name in names:
        if name in (x, y):
            continue
        column = series_of(table[name])
        if name == "row" and _tells_rows_apart(column):
            columns["row"] = column
            continue
        while name in columns or name in TAKEN:
            name += "_"
        columns[name] = column
    return pd.DataFrame(columns), left_out


def _kind(kind: pa.DataType) -> str:
    """What a column holds, without the parts of it."""
    return re.sub(r"[<\[].*", "", str(kind)).replace("_", " ")


def _axes(file: str, schema: pa.Schema, x: str | None, y: str | None) -> tuple[str, str]:
    """Names of the columns of places, known to be there and to hold numbers."""
    from pyarrow import types

    if (x is None) != (y is None):
        raise InputError("only one of --x and --y is given: give both, or none.")
    numbers = [f.name for f in schema if types.is_integer(f.type) or types.is_floating(f.type)]
    if x is None or y is None:
        lower = {name.lower(): name for name in reversed(numbers)} | {name: name for name in numbers}
        found = next((pair for pair in AXES if set(pair) <= lower.keys()), None)
        if found is None:
            raise InputError(
                f"{file} has no columns of numbers named x and y: name two of its columns of numbers "
                f"({listed(numbers) or 'it has none'}) with --x and --y."
            )
        x, y = (lower[name] for name in found)
    for name in (x, y):
        if name not in schema.names:
            raise unknown_name(f"column of {file}", name, schema.names)
        if name not in numbers:
            raise InputError(f"the column {name!r} of {file} holds no numbers: choose another.")
    if x == y:
        raise InputError(f"--x and --y are both {x!r}: choose two columns.")
    return x, y


def _tells_rows_apart(column: pd.Series) -> bool:
    return bool(pd.api.types.is_integer_dtype(column) and not column.hasnans and column.is_unique)


def _narrow(values: np.ndarray) -> np.ndarray:
    """Places as float32 if that is what they are, else float64."""
    return np.ascontiguousarray(values, dtype=np.float32 if values.dtype == np.float32 else np.float64)
