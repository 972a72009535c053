"""Columns whose values are arrays of equal length: a row's features in one column of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa


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


def _bytes(chunk: pa.FixedSizeBinaryArray) -> np.ndarray:
    """The bytes of a chunk, a view."""
    width = chunk.type.byte_width
    return np.frombuffer(chunk.buffers()[1], np.uint8)[chunk.offset * width :][: len(chunk) * width]
