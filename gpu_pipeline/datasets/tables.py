"""Tables with named columns: CSV, Parquet, Feather and Arrow, read by pyarrow."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError
from .arrays import FIRST, array_matrix, first_rows
from .columns import Columns, Read, check_columns, choose_features, is_array, is_number, is_numeric
from .dataset import Dataset, Pick
from .kept import check_once, frame_of
from .labels import decoded, labels, without

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_ARROW_FILE = b"ARROW1"


class Opened(NamedTuple):
    """A table that is not read yet: its columns, how to read some of them, and the first rows of some, and what to say
    about it."""

    schema: pa.Schema
    read: Read
    first: Read
    notes: tuple[str, ...] = ()


def suffix_of(name: str, known: Iterable[str]) -> str | None:
    """The suffix of a file's name, in any case of letters, of those that are known; None if it has none of them."""
    return next((suffix for suffix in known if name.lower().endswith(suffix)), None)


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
    check_once(path.name, names)
    check_columns(path.name, opened.schema, wanted)
    features, notes = choose_features(path.name, opened.schema, wanted, opened.first, opened.read)
    label = () if wanted.label is None else (wanted.label,)
    table = opened.read(list(dict.fromkeys([*features, *label, *wanted.keep])))
    total = table.num_rows
    if total == 0:
        raise InputError(f"{path.name} is empty: it has {len(names)} columns but no rows.")
    rows = pick(total)
    if len(rows) < total:
        table = table.take(rows)
    y, kept = labels_and_kept(table, wanted, rows)
    said, arrays = (*opened.notes, *notes), is_array(opened.schema.field(features[0]).type)
    X = array_matrix(path.name, table[features[0]], features[0], rows) if arrays else matrix(table, features)
    return Dataset(path.stem, X, y, rows, total, notes=said, columns=None if arrays else tuple(features), kept=kept)


def labels_and_kept(
    table: pa.Table, wanted: Columns, rows: np.ndarray
) -> tuple[np.ndarray | None, pd.DataFrame | None]:
    """The labels and the columns that go with the points, of rows with these indices; None of what is not asked for."""
    y = None if wanted.label is None else label_column(table, wanted.label, rows)
    return y, frame_of(table, wanted.keep) if wanted.keep else None


def names_of(path: Path, suffix: str) -> list[str]:
    """Names of a table's columns, from its first line or its schema alone; none where those cannot be read."""
    try:
        if not suffix.startswith(".csv"):
            return list(TABLES[suffix](path).schema.names)
        names = next(csv.reader([_first_line(path).decode("utf-8-sig", "replace")]), [])
        return [] if all(map(is_number, names)) else names
    except (InputError, OSError, EOFError, ValueError, zlib.error, csv.Error):
        return []


def _csv(path: Path) -> Opened:
    import pyarrow as pa
    from pyarrow import csv as reader

    _check_commas(path)

    def table(**options: Any) -> tuple[pa.Table, list[str]]:
        # Texts of several lines are rare, and allowing for them keeps all but one thread from reading.
        for lines in (False, True):
            try:
                parse = reader.ParseOptions(newlines_in_values=lines)
                whole = reader.read_csv(path, read_options=reader.ReadOptions(**options), parse_options=parse)
                return whole, whole.column_names
            except (pa.ArrowInvalid, UnicodeDecodeError) as error:
                reason = error
        raise _not_a(path, "CSV file", reason)

    first, names = table()
    if not all(is_number(name) for name in names):
        return _of_csv(first)
    if len(names) > 2 and names == [str(i) for i in range(len(names))]:  # As pandas numbers columns without names.
        note = f"{path.name}: the first line, {names[0]} to {names[-1]}, is taken as column names."
        return _of_csv(first, note)
    unnamed, names = table(autogenerate_column_names=True)
    note = f"{path.name} has no line of column names: they are {names[0]} to {names[-1]}."
    return _of_csv(unnamed, note)


def _of_csv(table: pa.Table, *notes: str) -> Opened:
    def some(columns: list[str], rows: int | None = None) -> pa.Table:
        return _absent(table.select(columns).slice(0, rows))

    return Opened(table.schema, some, partial(some, rows=FIRST), notes)


def _absent(table: pa.Table) -> pa.Table:
    """A table in which text of no letters is absent, as an empty cell of a CSV file is."""
    import pyarrow as pa
    from pyarrow import compute, types

    for i, field in enumerate(table.schema):
        if types.is_string(field.type):
            column = table.column(i)
            filled = compute.if_else(compute.equal(column, ""), pa.scalar(None, field.type), column)
            table = table.set_column(i, field, filled)
    return table


def _check_commas(path: Path) -> None:
    """See that a first line which has other separators has commas too; what reads no text is told by the reader."""
    try:
        first = _first_line(path)
    except (OSError, EOFError, zlib.error):
        return
    for separator, said in ((b";", "semicolons"), (b"\t", "tabs")):
        if separator in first and b"," not in first:
            raise InputError(
                f"{path.name} has {said} between its columns where commas are expected: save it with commas, and with "
                "points in decimal numbers."
            )


def _first_line(path: Path) -> bytes:
    with (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rb") as file:
        line: bytes = file.readline(1 << 20)
    return line


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

    return Opened(file.schema_arrow, some, partial(first_rows, path))


def _feather(path: Path) -> Opened:
    import pyarrow as pa
    from pyarrow import feather

    try:
        # Columns that are not compressed stay on disk until they are used.
        table = feather.read_table(path, memory_map=True)
    except pa.ArrowInvalid as error:
        raise _not_a(path, "Feather file", error) from None
    return Opened(table.schema, table.select, table.slice(0, FIRST).select)


def _arrow(path: Path) -> Opened:
    """A file or a stream of Arrow's: what is cached or sent is a stream, which does not begin with the file's mark."""
    import pyarrow as pa
    from pyarrow import ipc

    source = pa.memory_map(str(path))
    try:
        stream = source.read(len(_ARROW_FILE)) != _ARROW_FILE
        source.seek(0)
        table = (ipc.open_stream if stream else ipc.open_file)(source).read_all()
    except (pa.ArrowException, OSError) as error:
        raise _not_a(path, "Arrow file", error) from None
    return Opened(table.schema, table.select, table.slice(0, FIRST).select)


def _not_a(path: Path, kind: str, error: Exception) -> InputError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return InputError(f"{path} is not a readable {kind} ({lines[0].rstrip('.')}): save it again.")


def matrix(table: pa.Table, features: Sequence[str]) -> np.ndarray:
    """The columns side by side, (rows, columns), in the narrowest type that holds them all; what is missing is NaN."""
    from pyarrow import types

    columns = []
    for name in features:
        column = table[name]
        if types.is_decimal(column.type):
            column = column.cast("float64")
        if column.null_count:
            # Not "safe": beyond 2**53 whole numbers are rounded, and it is the missing one that is told.
            column = column.cast("float32" if types.is_float32(column.type) else "float64", safe=False)
        columns.append(column)
    dtype = np.result_type(*{column.type.to_pandas_dtype() for column in columns})
    X = np.empty((table.num_rows, len(columns)), dtype=dtype)
    for j, column in enumerate(columns):
        X[:, j] = column.to_numpy()
    return X


def incomplete(opened: Opened) -> list[str]:
    """The columns whose numbers are not all there: they cannot be features, but can be kept with the points."""
    names = [field.name for field in opened.schema if is_numeric(field.type)]
    table = opened.read(names)
    return [name for name in names if not np.isfinite(matrix(table, [name])).all()]


def label_column(table: pa.Table, name: str, rows: np.ndarray | None = None) -> np.ndarray:
    """Labels of a table's rows, (rows,) int64 or text; `rows` are their indices in the whole data set, for sentences.

    Raises
    ------
    InputError
        If they are numbers that are not whole, or text that is not in UTF-8.
    """
    import pyarrow as pa
    from pyarrow import types

    column, said = table[name], f"the column {name!r}"
    missing = column.is_null().to_numpy()
    if types.is_floating(column.type) or types.is_null(column.type):
        return labels(said, column.cast("float64").to_numpy(), rows)
    if types.is_integer(column.type) or types.is_boolean(column.type):
        filled = column.fill_null(pa.scalar(0).cast(column.type))
        return labels(said, np.ma.masked_array(filled.to_numpy(), missing), rows)
    values = column.to_pylist()
    if any(isinstance(value, bytes) for value in values):  # As Arrow reads text of a CSV that is not in UTF-8.
        return without(decoded(said, [value or b"" for value in values], rows), missing)
    return without(np.array(["" if value is None else str(value) for value in values], dtype=np.str_), missing)


TABLES: dict[str, Callable[[Path], Opened]] = {
    ".csv.gz": _csv,
    ".csv": _csv,
    ".parquet": _parquet,
    ".feather": _feather,
    ".arrow": _arrow,
}
"""Suffix -> how to open such a table."""
