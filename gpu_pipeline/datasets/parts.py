"""Partitioned Parquet: a folder of files, or one file, read a row group at a time.

A row is spread over columns of numbers, as in any table, or lies in one column of arrays of equal length
(FixedSizeList of numbers, or FixedSizeBinary for bytes), which is how `making` writes images. How many rows
there are is read from the footers alone. Checksums of pages are verified where the files have them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import InputError
from .columns import Columns, check_columns, choose_features, is_array
from .dataset import Dataset, Pick
from .kept import frame_of
from .labels import joined
from .tables import label_column, matrix

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet

METADATA = b"gpu_pipeline"
"""Key in a file's metadata: JSON with `label`, `image_shape` and `recommended`."""

MADE = "_made.json"
"""File in a folder that `making` fills: what it will hold. Other readers of Parquet pass over such names."""


@dataclass(frozen=True)
class Piece:
    """One row group: its file, its number there, the first of its rows in the whole data set, and how many; and the
    bytes of the columns that go with the points, as the file has them before it compresses them."""

    path: str
    group: int
    start: int
    rows: int
    kept: int = 0

    def __str__(self) -> str:
        return f"{self.path}, row group {self.group}"


@dataclass(frozen=True)
class Parts:
    """Partitioned Parquet that is not read yet.

    Attributes
    ----------
    name
        The folder's or file's name without its suffix.
    pieces
        The row groups, in the order of the files' names.
    features
        Names of the columns of numbers, or of the one column of arrays.
    array
        Whether it is one of arrays.
    label
        The column of labels, or None.
    columns, dtype
        Numbers in a row, and their type.
    image_shape, recommended
        As in `Dataset`.
    notes
        Sentences to show and to keep.
    keep
        Columns that go with the points.
    """

    name: str
    pieces: tuple[Piece, ...]
    features: tuple[str, ...]
    array: bool
    label: str | None
    columns: int
    dtype: str
    image_shape: tuple[int, int] | None = None
    recommended: Literal["none", "deskew"] = "none"
    notes: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Rows of all pieces."""
        return sum(piece.rows for piece in self.pieces)

    def read(self, piece: Piece) -> tuple[np.ndarray, np.ndarray | None]:
        """Features (rows, columns) and labels of one piece; a column of arrays is not copied.

        Raises
        ------
        InputError
            If it cannot be read, which names the file, lacks arrays, or labels are neither whole numbers nor text.
        """
        table = _table(piece, (*self.features, *(() if self.label is None else (self.label,))))
        X = _arrays(table[self.features[0]], self) if self.array else matrix(table, self.features)
        rows = np.arange(piece.start, piece.start + piece.rows)
        return X, None if self.label is None else label_column(table, self.label, rows)

    def kept(self, piece: Piece) -> pa.Table:
        """The columns of one piece that go with the points; raises an `InputError` if it cannot be read."""
        return _table(piece, self.keep)


def damaged(what: str, error: Exception) -> InputError:
    """The sentence for a part that cannot be read."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return InputError(
        f"{what} cannot be read ({lines[0].rstrip('.')}): put a whole copy in its place, or delete the file and make "
        "it again, and start the same command."
    )


def is_partitioned(path: Path) -> bool:
    """Whether a path is a folder of Parquet, or a Parquet file with a column of arrays."""
    import pyarrow as pa

    if path.is_dir():
        return any(path.glob("*.parquet")) or (path / MADE).is_file()
    if not path.is_file() or not path.name.lower().endswith(".parquet"):
        return False
    try:
        with _open(path) as file:
            return _array_column(file.schema_arrow) is not None
    except (pa.ArrowInvalid, OSError):
        return False  # what is wrong with it is said by who reads it as a table


def open_parts(path: Path, wanted: Columns) -> Parts:
    """The pieces of a folder or file, from the footers alone.

    Raises
    ------
    InputError
        If a file cannot be read, has other columns than the first, or the folder is not filled yet; if a column
        is missing or holds no numbers.
    """
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    pieces: list[Piece] = []
    schema: pa.Schema | None = None
    for each in files:
        metadata, own = _footer(each)
        if schema is not None and not own.equals(schema):
            raise InputError(f"{each} has other columns than {files[0].name}: give files of the same kind.")
        schema = own if schema is None else schema
        beside = [i for i in range(metadata.num_columns) if metadata.schema.column(i).path in wanted.keep]
        for i in range(metadata.num_row_groups):
            group = metadata.row_group(i)
            if group.num_rows:
                start = pieces[-1].start + pieces[-1].rows if pieces else 0
                kept = sum(group.column(j).total_uncompressed_size for j in beside)
                pieces.append(Piece(str(each), i, start, group.num_rows, kept))
    if path.is_dir():
        _check_filled(path, sum(piece.rows for piece in pieces))
    if schema is None or not pieces:
        raise InputError(f"{path.name} is empty: it has no rows.")
    name = path.name[: -len(".parquet")] if path.name.lower().endswith(".parquet") else path.name
    return _described(name, tuple(pieces), schema, wanted)


def read(path: Path, pick: Pick, wanted: Columns) -> Dataset:
    """The chosen rows, a piece at a time, so that no more than them and one piece are in memory."""
    import pyarrow as pa

    parts = open_parts(path, wanted)
    rows = pick(parts.total)
    ends = np.searchsorted(rows, [piece.start for piece in parts.pieces] + [parts.total])
    X, labels, kept, at = np.empty((len(rows), parts.columns), dtype=parts.dtype), [], [], 0
    for piece, first, last in zip(parts.pieces, ends[:-1], ends[1:], strict=True):
        if first < last:
            features, y = parts.read(piece)
            chosen = rows[first:last] - piece.start
            if features.dtype != X.dtype:  # a missing number made it floating: `check` will say where
                X = X.astype(np.result_type(X, features))
            X[first:last] = features[chosen]
            labels += [] if y is None else [y[chosen]]
            kept += [parts.kept(piece).take(chosen)] if wanted.keep else []
            at = last
    assert at == len(rows)
    y = joined(labels) if labels else None
    return Dataset(
        parts.name,
        X,
        y,
        rows,
        parts.total,
        parts.image_shape,
        parts.recommended,
        path.name,
        parts.notes,
        None if parts.array else parts.features,
        frame_of(pa.concat_tables(kept), wanted.keep) if wanted.keep else None,
    )


def _open(path: Path) -> parquet.ParquetFile:
    from pyarrow import parquet

    return parquet.ParquetFile(path, page_checksum_verification=True)


def _table(piece: Piece, columns: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    try:
        with _open(Path(piece.path)) as file:
            return file.read_row_group(piece.group, list(dict.fromkeys(columns)), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise damaged(str(piece), error) from None


def _footer(path: Path) -> tuple[parquet.FileMetaData, pa.Schema]:
    import pyarrow as pa

    try:
        with _open(path) as file:
            return file.metadata, file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise damaged(str(path), error) from None


def _check_filled(path: Path, rows: int) -> None:
    if not (path / MADE).is_file():
        return
    made = json.loads((path / MADE).read_text(encoding="utf-8"))
    if rows != made["rows"]:
        raise InputError(
            f"{path} has {rows:,} of {made['rows']:,} rows: finish it with gpu-pipeline data make {made['set']} "
            f"--rows {made['rows']} --seed {made['seed']} --out {path}."
        )


def _described(name: str, pieces: tuple[Piece, ...], schema: pa.Schema, wanted: Columns) -> Parts:
    said: dict[str, Any] = json.loads((schema.metadata or {}).get(METADATA, b"{}"))
    label = wanted.label if wanted.label is not None else said.get("label")
    wanted = Columns(label, wanted.features, wanted.keep)
    check_columns(name, schema, wanted)
    array = _array_column(schema)
    if array is not None and wanted.features in (None, (array,)):
        kind = schema.field(array).type
        size, dtype = _row_of(kind)
        shape = said.get("image_shape")
        return Parts(
            name,
            pieces,
            (array,),
            True,
            label,
            size,
            dtype,
            None if shape is None else (shape[0], shape[1]),
            said.get("recommended", "none"),
            keep=wanted.keep,
        )
    features, notes = choose_features(name, schema, wanted)
    types = [schema.field(column).type for column in features]
    if is_array(types[0]):
        raise InputError(
            f"the column {features[0]!r} of {name} holds lists of any length, which are not read in parts: save it as "
            f"FixedSizeList, as in pa.list_(pa.float32(), 768), or give one file without --landmarks."
        )
    common = np.result_type(*{np.dtype("f8") if str(t).startswith("decimal") else t.to_pandas_dtype() for t in types})
    return Parts(name, pieces, tuple(features), False, label, len(features), common.str, notes=notes, keep=wanted.keep)


def _array_column(schema: pa.Schema) -> str | None:
    """Name of the one column whose values are arrays of bytes or numbers of equal length."""
    found = [field.name for field in schema if _row_of(field.type)[0]]
    return found[0] if len(found) == 1 else None


def _row_of(kind: pa.DataType) -> tuple[int, str]:
    """Length and type of the arrays of a column; length 0 for any other column."""
    from pyarrow import types

    if types.is_fixed_size_binary(kind) and not types.is_decimal(kind):
        return kind.byte_width, np.dtype(np.uint8).str
    if types.is_fixed_size_list(kind):
        value = kind.value_type
        if types.is_integer(value) or types.is_floating(value):
            return kind.list_size, np.dtype(value.to_pandas_dtype()).str
    return 0, ""


def _arrays(column: pa.ChunkedArray, parts: Parts) -> np.ndarray:
    """A column of arrays as (rows, length), a view of its own memory."""
    from pyarrow import types

    if column.null_count:
        raise InputError(
            f"the column {parts.features[0]!r} of {parts.name} lacks {column.null_count} values: fill them in."
        )
    whole = column.combine_chunks()
    shape = (len(whole), parts.columns)
    if types.is_fixed_size_binary(whole.type):
        bytes_ = np.frombuffer(whole.buffers()[1], np.uint8)
        return bytes_[whole.offset * parts.columns :][: shape[0] * shape[1]].reshape(shape)
    return np.asarray(whole.flatten().to_numpy(zero_copy_only=False)).reshape(shape)
