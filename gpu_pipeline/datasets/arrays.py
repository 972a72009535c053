"""Columns whose values are arrays of equal length: a row's features in one column of a table or frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

FIRST = 100
"""Rows that are looked at to see what a column holds that is no feature."""

_WRITTEN = r"^\s*[\[(]\s*[-+.\d][-+.\deE]*[,\s]\s*[-+.\d]"
"""How text begins that is an array or a list as Python prints it."""


def array_column(schema: pa.Schema) -> str | None:
    """Name of the one column whose values are arrays of a length that its type says."""
    found = [field.name for field in schema if row_of(field.type)[0]]
    return found[0] if len(found) == 1 else None


def row_of(kind: pa.DataType) -> tuple[int, str]:
    """Length and type of the arrays of a column; length 0 where the type does not say it, or for any other column."""
    from pyarrow import types

    if types.is_fixed_size_binary(kind) and not types.is_decimal(kind):
        return kind.byte_width, np.dtype(np.uint8).str
    if types.is_fixed_size_list(kind):
        value = kind.value_type
        if types.is_integer(value) or types.is_floating(value):
            return kind.list_size, np.dtype(value.to_pandas_dtype()).str
    return 0, ""


def array_matrix(name: str, column: pa.ChunkedArray, said: str, rows: np.ndarray, length: int = 0) -> np.ndarray:
    """A column of arrays as (rows, length), where it can be a view of the column's own memory.

    Parameters
    ----------
    name, said
        What the column is of, and its name, for sentences.
    column
        FixedSizeBinary, or lists of numbers of any kind.
    rows
        (n,) numbers of its rows in the whole data set.
    length
        Numbers in each, if it is not the first one that says so.

    Raises
    ------
    InputError
        If one is missing, or of another length.
    """
    from pyarrow import compute, types

    binary = types.is_fixed_size_binary(column.type)
    if binary:
        lengths = np.where(column.is_null().to_numpy(), -1, column.type.byte_width)
    else:
        lengths = compute.fill_null(compute.list_value_length(column), -1).to_numpy()
    wanted = length or lengths[0]
    odd = np.flatnonzero((lengths != wanted) | (lengths < 1))
    if len(odd):
        found = lengths[odd[0]]
        other = "no numbers" if found == wanted else f"{found} numbers where the first has {wanted}"
        what = "no array" if found < 0 else other
        raise InputError(
            f"the column {said!r} of {name} has {what} in row {rows[odd[0]]} (counted from 0): give arrays of equal "
            "length in all rows."
        )
    parts = [_bytes(chunk) if binary else chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return (parts[0] if len(parts) == 1 else np.concatenate(parts)).reshape(len(lengths), wanted)


def disguised(column: pa.ChunkedArray) -> str:
    """What a column seems to hold if that is arrays in a form that is not read, and what to do; else nothing."""
    from pyarrow import compute, types

    if types.is_string(column.type) or types.is_large_string(column.type):
        if compute.all(compute.match_substring_regex(column, _WRITTEN), min_count=1).as_py():
            return "looks like arrays written as text: make arrays of them, and save those as Parquet or .npy"
    elif types.is_binary(column.type) or types.is_large_binary(column.type):
        lengths = set(compute.binary_length(column).drop_null().to_pylist())
        if len(lengths) == 1 and (length := lengths.pop()) and length % 4 == 0:
            return (
                "may hold embeddings stored as bytes: decode them first, as np.frombuffer(value, np.float32) does, and "
                "save them as lists or as .npy"
            )
    return ""


def first_rows(path: str | Path, columns: Sequence[str]) -> pa.Table:
    """Some columns of the first rows of a Parquet file, of those it has; none if what reads them all will fail too."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path, memory_map=True) as file:
            batches = file.iter_batches(FIRST, columns=list(columns))
            return next((pa.Table.from_batches([batch]) for batch in batches), pa.table({}))
    except (pa.ArrowException, OSError):
        return pa.table({})


def as_rows(name: str, X: Any) -> np.ndarray:
    """What anyone may have given as rows, as an array; where each row is an array or list, these are put together.

    Parameters
    ----------
    name
        Of the data, for sentences.
    X
        An array, a frame or a column of pandas, or a list.

    Raises
    ------
    InputError
        If there are arrays that are not of one shape, or in one of several columns.
    """
    try:
        table = np.asarray(X)
    except ValueError:  # lists that are not equally long
        table = np.fromiter(X, object, len(X))
    if table.dtype != object or table.ndim not in (1, 2):
        return table
    arrays = [column for column, value in zip(getattr(X, "columns", ()), table[:1].flat, strict=False) if _shape(value)]
    if arrays and table.shape[1] > 1:
        raise InputError(
            f"{name} has arrays in the column {arrays[0]!r} and has other columns: give that one alone, as "
            f"frame[{arrays[0]!r}]."
        )
    column = table[:, 0] if table.shape[1:] == (1,) else table
    return _together(name, column) if column.ndim == 1 and any(map(_shape, column)) else table


def _together(name: str, arrays: np.ndarray) -> np.ndarray:
    """Arrays of one shape, put together."""
    shapes = [_shape(array) for array in arrays]
    usual = next(filter(None, shapes))
    odd = next((i for i, shape in enumerate(shapes) if shape != usual), None)
    if odd is None:
        return np.stack(list(arrays))
    what = f"{_times(shapes[odd])} numbers where others have {_times(usual)}" if shapes[odd] else "no array"
    raise InputError(f"{name} has {what} in row {odd} (counted from 0): give arrays of equal length in all rows.")


def _shape(value: Any) -> tuple[int, ...]:
    """The shape of an array or of lists; none of anything else, and of lists that are not equally long."""
    try:
        return tuple(np.shape(value))
    except ValueError:
        return ()


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _bytes(chunk: pa.FixedSizeBinaryArray) -> np.ndarray:
    """The bytes of a chunk, a view."""
    width = chunk.type.byte_width
    return np.frombuffer(chunk.buffers()[1], np.uint8)[chunk.offset * width :][: len(chunk) * width]
