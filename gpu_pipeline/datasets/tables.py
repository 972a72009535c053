"""Tables with named columns: CSV, Parquet and Feather, read by pyarrow."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError, unknown_name
from .dataset import Dataset, Pick, decoded, labels
from .kept import check_kinds, check_names, frame_of

if TYPE_CHECKING:
    import pyarrow as pa


LIKELY_LABELS = ("label", "labels", "target", "class", "y")
"""Names of columns that are more likely labels than features."""

INDEX = re.compile(r"|Unnamed: 0(\.\d+)*|__index_level_\d+__")
"""Names under which pandas writes a table's index, in CSV, in CSV that was read and written again, and in Parquet."""


@dataclass(frozen=True)
class Columns:
    """Which columns of a table to read: that of the labels, the features (None: all numbers), and those that go with
    the points."""

    label: str | None = None
    features: tuple[str, ...] | None = None
    keep: tuple[str, ...] = ()


ALL = Columns()
"""Nothing is named."""


class Opened(NamedTuple):
    """A table that is not read yet: its columns, how to read some of them, and what to say about it."""

    schema: pa.Schema
    read: Callable[[list[str]], pa.Table]
    notes: tuple[str, ...] = ()


def read(path: Path, suffix: str, pick: Pick, wanted: Columns) -> Dataset:
    """The chosen rows and columns of a table in a file of that suffix.

    Raises
    ------
    InputError
        If it is not such a file, has no rows, or a column is missing, twice there or not of numbers, or of lists
        that are not equally long.
    """
    opened = TABLES[suffix](path)
    names = opened.schema.names
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path.name} has two columns named {twice!r}: rename one.")
    check_columns(path.name, opened.schema, wanted)
    features, notes = choose_features(path.name, opened.schema, wanted, opened.read)
    label = () if wanted.label is None else (wanted.label,)
    table = opened.read(list(dict.fromkeys([*features, *label, *wanted.keep])))
    total = table.num_rows
    if total == 0:
        raise InputError(f"{path.name} is empty: it has {len(names)} columns but no rows.")
    rows = pick(total)
    if len(rows) < total:
        table = table.take(rows)
    y = None if wanted.label is None else label_column(table, wanted.label, rows)
    said, arrays = (*opened.notes, *notes), is_array(opened.schema.field(features[0]).type)
    X = array_matrix(path.name, table[features[0]], features[0], rows) if arrays else matrix(table, features)
    kept = frame_of(table, wanted.keep) if wanted.keep else None
    return Dataset(path.stem, X, y, rows, total, notes=said, columns=None if arrays else tuple(features), kept=kept)


def check_columns(name: str, schema: pa.Schema, wanted: Columns) -> None:
    """See that a table has the columns that are asked for, and that those which go with the points can.

    Raises
    ------
    InputError
        If not.
    """
    for column in (*(wanted.features or ()), *(() if wanted.label is None else (wanted.label,)), *wanted.keep):
        if column not in schema.names:
            raise unknown_name(f"column of {name}", column, schema.names)
    both = next((column for column in wanted.keep if column in (wanted.features or ())), None)
    if both is not None:
        raise InputError(f"the column {both!r} of {name} cannot be a feature and be kept with the points: choose one.")
    check_names(name, wanted.keep)
    check_kinds(name, schema, wanted.keep)


def _csv(path: Path) -> Opened:
    import pyarrow as pa
    from pyarrow import csv

    def table(**options: Any) -> tuple[pa.Table, list[str]]:
        # Texts of several lines are rare, and allowing for them keeps all but one thread from reading.
        for lines in (False, True):
            try:
                parse = csv.ParseOptions(newlines_in_values=lines)
                whole = csv.read_csv(path, read_options=csv.ReadOptions(**options), parse_options=parse)
                return whole, whole.column_names
            except (pa.ArrowInvalid, UnicodeDecodeError) as error:
                reason = error
        raise _not_a(path, "CSV file", reason)

    first, names = table()
    if not all(_is_number(name) for name in names):
        return Opened(first.schema, first.select)
    if len(names) > 2 and names == [str(i) for i in range(len(names))]:  # As pandas numbers columns without names.
        note = f"{path.name}: the first line, {names[0]} to {names[-1]}, is taken as column names."
        return Opened(first.schema, first.select, (note,))
    unnamed, names = table(autogenerate_column_names=True)
    note = f"{path.name} has no line of column names: they are {names[0]} to {names[-1]}."
    return Opened(unnamed.schema, unnamed.select, (note,))


def _parquet(path: Path) -> Opened:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path, memory_map=True)
    except pa.ArrowInvalid as error:
        raise _not_a(path, "Parquet file", error) from None

    def some(columns: list[str]) -> pa.Table:
        try:
            return file.read(columns)
        except (pa.ArrowInvalid, OSError) as error:
            raise _not_a(path, "Parquet file", error) from None

    return Opened(file.schema_arrow, some)


def _feather(path: Path) -> Opened:
    import pyarrow as pa
    from pyarrow import feather

    try:
        # Columns that are not compressed stay on disk until they are used.
        table = feather.read_table(path, memory_map=True)
    except pa.ArrowInvalid as error:
        raise _not_a(path, "Feather file", error) from None
    return Opened(table.schema, table.select)


def _not_a(path: Path, kind: str, error: Exception) -> InputError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return InputError(f"{path} is not a readable {kind} ({lines[0].rstrip('.')}): save it again.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def choose_features(
    name: str, schema: pa.Schema, wanted: Columns, read: Callable[[list[str]], pa.Table] | None = None
) -> tuple[list[str], tuple[str, ...]]:
    """Names of the columns of features, or of the one of arrays, and what to say about the choice.

    Parameters
    ----------
    name
        Of the table, for sentences.
    schema
        Its columns.
    wanted
        Which of them are asked for.
    read
        Reads some columns, so that an error can show a text that stands where a number is expected.

    Raises
    ------
    InputError
        If a column that is named holds no numbers, or there is none that does.
    """
    if wanted.features is None:
        return _all_features(name, schema, wanted.label, wanted.keep)
    return _named_features(name, schema, wanted, read), ()


def _named_features(
    name: str, schema: pa.Schema, wanted: Columns, read: Callable[[list[str]], pa.Table] | None
) -> list[str]:
    features = list(wanted.features or ())
    if not features:
        raise InputError(f"no column of {name} is chosen: name at least one.")
    if wanted.label in features:
        raise InputError(f"the column {wanted.label!r} of {name} cannot be both label and feature: choose one.")
    arrays = [column for column in features if is_array(schema.field(column).type)]
    if arrays and len(features) > 1:
        raise InputError(f"the column {arrays[0]!r} of {name} holds arrays: name it alone, or columns of numbers.")
    if arrays:
        return features
    for column in features:
        if not _is_numeric(schema.field(column).type):
            values = [] if read is None else read([column])[column].to_pylist()
            example = next((str(value) for value in values if not _is_number(str(value))), "")
            text = isinstance(next((value for value in values if value is not None), None), str)
            such = f"text such as {cut(example)!r}" if text else str(schema.field(column).type)
            raise InputError(
                f"the column {column!r} of {name} holds {such} where numbers are expected: correct it or leave it out."
            )
    return features


def _all_features(
    name: str, schema: pa.Schema, label: str | None, keep: tuple[str, ...]
) -> tuple[list[str], tuple[str, ...]]:
    """Names of the columns of numbers but the label's and those kept, and what to say about them and the others."""
    others = [field for field in schema if field.name not in (label, *keep) and not INDEX.fullmatch(field.name)]
    features = [field.name for field in others if _is_numeric(field.type)]
    arrays = [field.name for field in others if is_array(field.type)]
    if len(arrays) == 1:
        left = [field.name for field in others if field.name != arrays[0]]
        rest = f", and {_listed(left)} left out" if left else ""
        return arrays, (f"{name}: the arrays of the column {arrays[0]!r} are taken as the features{rest}.",)
    if arrays:
        raise InputError(f"{name} has arrays in the columns {_listed(arrays)}: name one of them as the features.")
    if not features:
        raise InputError(f"{name} has no column of numbers for features: its columns are {_listed(schema.names)}.")
    left = [field.name for field in others if not _is_numeric(field.type)]
    notes = [f"{name}: columns without numbers are left out, unless you keep them: {_listed(left)}."] if left else []
    notes += [
        f"{name}: the column {column!r} is left out, being pandas' index by its name; rename it if it is a feature."
        for column in schema.names
        if column not in (label, *keep) and INDEX.fullmatch(column)
    ]
    if label is None:
        notes += [
            f"{name}: the column {column!r} is taken as a feature; name it as the label column if it is one."
            for column in features
            if column.lower() in LIKELY_LABELS
        ]
    return features, tuple(notes)


def _listed(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _is_numeric(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_boolean(kind))


def is_array(kind: pa.DataType) -> bool:
    """Whether values of a type are lists of numbers, as pandas writes a column of arrays."""
    from pyarrow import types

    listed = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(listed and (types.is_integer(kind.value_type) or types.is_floating(kind.value_type)))


def array_matrix(name: str, column: pa.ChunkedArray, said: str, rows: np.ndarray) -> np.ndarray:
    """A column of lists as (rows, length).

    Raises
    ------
    InputError
        If one is missing, or of another length than the first.
    """
    from pyarrow import compute

    lengths = compute.fill_null(compute.list_value_length(column), -1).to_numpy()
    odd = np.flatnonzero((lengths != lengths[0]) | (lengths < 1))
    if len(odd):
        found = lengths[odd[0]]
        what = (
            "no array" if found < 0 else f"{found} numbers where the first has {lengths[0]}" if odd[0] else "no numbers"
        )
        raise InputError(
            f"the column {said!r} of {name} has {what} in row {rows[odd[0]]} (counted from 0): give arrays of equal "
            "length in all rows."
        )
    values = compute.list_flatten(column).to_numpy()
    return np.asarray(values.reshape(len(lengths), -1))


def cut(text: str, most: int = 60) -> str:
    """A text that is not too long for a sentence."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def matrix(table: pa.Table, features: Sequence[str]) -> np.ndarray:
    """The columns side by side, (rows, columns), in the narrowest type that holds them all."""
    from pyarrow import types

    columns = []
    for name in features:
        column = table[name]
        if types.is_decimal(column.type):
            column = column.cast("float64")
        if column.null_count:
            column = column.cast("float32" if types.is_float32(column.type) else "float64")
        columns.append(column)
    dtype = np.result_type(*{column.type.to_pandas_dtype() for column in columns})
    X = np.empty((table.num_rows, len(columns)), dtype=dtype)
    for j, column in enumerate(columns):
        X[:, j] = column.to_numpy()
    return X


def label_column(table: pa.Table, name: str, rows: np.ndarray) -> np.ndarray:
    """Labels of a table's rows, (rows,) int64 or text; `rows` are their indices in the whole data set, for sentences.

    Raises
    ------
    InputError
        If some are missing, they are numbers that are not whole, or text that is not in UTF-8.
    """
    column = table[name]
    if column.null_count:
        first = rows[column.is_null().to_pylist().index(True)]
        raise InputError(
            f"the label column {name!r} lacks {column.null_count} of {len(column)} labels, the first in row {first} "
            "(counted from 0): fill them in or leave those rows out."
        )
    from pyarrow import types

    said = f"the column {name!r}"
    if types.is_integer(column.type) or types.is_floating(column.type) or types.is_boolean(column.type):
        return labels(said, column.to_numpy(), rows)
    values = column.to_pylist()
    if values and isinstance(values[0], bytes):  # As Arrow reads text of a CSV that is not in UTF-8.
        return decoded(said, values, rows)
    return np.array([str(value) for value in values], dtype=np.str_)


TABLES: dict[str, Callable[[Path], Opened]] = {
    ".csv.gz": _csv,
    ".csv": _csv,
    ".parquet": _parquet,
    ".feather": _feather,
}
"""Suffix -> how to open such a table."""
