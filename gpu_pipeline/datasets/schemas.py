"""The columns that several Parquet files have in common, by their names, and the types that hold those of all files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .columns import is_array, is_numeric

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Common:
    """What files have in common.

    Attributes
    ----------
    schema
        The columns of all files, in the order of the first and with its metadata.
    casts
        Columns that are not of one type -> the type that holds those of all files.
    apart
        Columns that are not in every file, or of types that nothing holds together -> a sentence on where they differ.
        In the schema they are numbers, or arrays of them, if they are in any file.
    """

    schema: pa.Schema
    casts: Mapping[str, pa.DataType] = field(default_factory=dict)
    apart: Mapping[str, str] = field(default_factory=dict)

    def check(self, asked: Iterable[str]) -> None:
        """Raise an `InputError` if a column that is asked for is not common to all files."""
        for name in asked:
            if name in self.apart:
                raise InputError(f"{self.apart[name]}: write the files alike, or name other columns.")


def cast(table: pa.Table, casts: Mapping[str, pa.DataType]) -> pa.Table:
    """A table with some of its columns in other types."""
    for i, name in enumerate(table.column_names):
        if name in casts:
            # Not "safe": beyond 2**53 whole numbers are rounded where another file has floating ones.
            table = table.set_column(i, name, table[name].cast(casts[name], safe=False))
    return table


def common(files: Sequence[tuple[str, pa.Schema]]) -> Common:
    """What files have in common, of each its name and its schema; at least one."""
    import pyarrow as pa

    schema = files[0][1]
    if all(own.equals(schema) for _, own in files[1:]):
        return Common(schema)
    fields, casts, apart = [], {}, {}
    columns = [(file, dict(zip(own.names, own.types, strict=True))) for file, own in files]
    for name in dict.fromkeys(name for _, own in columns for name in own):
        types: dict[pa.DataType, str] = {}
        for file, own in columns:
            if name in own:
                types.setdefault(own[name], file)
        lacks = next((file for file, own in columns if name not in own), None)
        together = _together(list(types))
        if lacks is not None:
            apart[name] = f"the column {name!r} is in {next(iter(types.values()))} but not in {lacks}"
        elif together is None:
            (one, its), (other, others), *_ = types.items()
            apart[name] = f"the column {name!r} is of type {one} in {its} and {other} in {others}"
        elif len(types) > 1:
            casts[name] = together
        shown = max(types, key=lambda kind: is_numeric(kind) or is_array(kind)) if together is None else together
        fields.append(pa.field(name, shown))
    return Common(pa.schema(fields, metadata=schema.metadata), casts, apart)


def _together(types: Sequence[pa.DataType]) -> pa.DataType | None:
    """A type that holds the values of all of them; None if there is none."""
    import pyarrow as pa
    from pyarrow import types as kinds

    if len(types) == 1:
        return types[0]
    plain = {kind.value_type if kinds.is_dictionary(kind) else kind for kind in types} - {pa.null()}
    if len(plain) <= 1:
        return next(iter(plain), pa.null())
    if all(kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind) for kind in plain):
        return pa.large_string()
    if all(kinds.is_integer(kind) or kinds.is_floating(kind) for kind in plain):
        return pa.from_numpy_dtype(np.result_type(*(kind.to_pandas_dtype() for kind in plain)))
    if all(kinds.is_timestamp(kind) for kind in plain) and len({kind.tz for kind in plain}) == 1:
        return max(plain, key=lambda kind: ("s", "ms", "us", "ns").index(kind.unit))
    return None
