"""Partitioned Parquet: a folder of files, or one file, read a row group at a time.

A row is spread over columns of numbers, as in any table, or lies in one column of arrays of equal length (lists of
numbers, or FixedSizeBinary for bytes, which is how `making` writes images). Columns go by their names in all files, in
types that hold those of all. How many rows there are is read from the footers alone. Checksums of pages are verified
where the files have them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import InputError
from .arrays import array_column, array_matrix, first_rows, row_of
from .columns import Columns, check_columns, choose_features, is_array
from .dataset import Dataset, Pick
from .kept import check_once, frame_of
from .labels import joined
from .made import MADE, check_filled
from .schemas import Common, cast, common
from .tables import label_column, matrix

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet

METADATA = b"gpu_pipeline"
"""Key in a file's metadata: JSON with `label`, `image_shape` and `recommended`."""


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
    casts
        Columns that are of other types in other files -> the type that holds those of all.
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
    casts: Mapping[str, pa.DataType] = field(default_factory=dict)

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
        table = _row_group(piece, (*self.features, *(() if self.label is None else (self.label,))), self.casts)
        rows, first = np.arange(piece.start, piece.start + piece.rows), self.features[0]
        if self.array:
            X = array_matrix(piece.path, table[first], first, rows, self.columns)
        else:
            X = matrix(table, self.features)
        return X, None if self.label is None else label_column(table, self.label, rows)

    def kept(self, piece: Piece) -> pa.Table:
        """The columns of one piece that go with the points; raises an `InputError` if it cannot be read."""
        return _row_group(piece, self.keep, self.casts)


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
        return bool(_files(path)) or (path / MADE).is_file()
    if not path.is_file() or not path.name.lower().endswith(".parquet"):
        return False
    try:
        with _open(path) as file:
            return array_column(file.schema_arrow) is not None
    except (pa.ArrowInvalid, OSError):
        return False  # what is wrong with it is said by who reads it as a table


def _files(folder: Path) -> list[Path]:
    """The Parquet files of a folder, by name; what is hidden is another's, as other readers of Parquet have it too."""
    return sorted(path for path in folder.glob("*.parquet") if path.name[0] not in "._")


def open_parts(path: Path, wanted: Columns) -> Parts:
    """The pieces of a folder or file, from the footers alone.

    Raises
    ------
    InputError
        If a file cannot be read, or the folder is not filled yet; if a column is missing, twice there, not alike in all
        files, or holds no numbers.
    """
    files = _files(path) if path.is_dir() else [path]
    pieces: list[Piece] = []
    schemas: list[tuple[str, pa.Schema]] = []
    for each in files:
        metadata, own = _footer(each)
        check_once(each.name, own.names)
        schemas.append((each.name, own))
        beside = [i for i in range(metadata.num_columns) if metadata.schema.column(i).path in wanted.keep]
        for i in range(metadata.num_row_groups):
            group = metadata.row_group(i)
            if group.num_rows:
                start = pieces[-1].start + pieces[-1].rows if pieces else 0
                kept = sum(group.column(j).total_uncompressed_size for j in beside)
                pieces.append(Piece(str(each), i, start, group.num_rows, kept))
    if path.is_dir():
        check_filled(path, sum(piece.rows for piece in pieces))
    if not pieces:
        below = sorted(file.parent.name for file in path.glob("*/*.parquet"))[:1] if not files else []
        if below:
            raise InputError(
                f"{path.name} has Parquet files only in folders below it, such as {below[0]}, which are not read: give "
                "one of those, or put the files into one folder."
            )
        raise InputError(f"{path.name} is empty: it has no {'rows' if files else 'Parquet files'}.")
    name = path.name[: -len(".parquet")] if path.name.lower().endswith(".parquet") else path.name
    return _described(name, tuple(pieces), common(schemas), wanted)


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


def _row_group(piece: Piece, columns: Sequence[str], casts: Mapping[str, pa.DataType]) -> pa.Table:
    import pyarrow as pa

    try:
        with _open(Path(piece.path)) as file:
            return cast(file.read_row_group(piece.group, list(dict.fromkeys(columns)), use_threads=False), casts)
    except (pa.ArrowException, OSError) as error:
        raise damaged(str(piece), error) from None


def _footer(path: Path) -> tuple[parquet.FileMetaData, pa.Schema]:
    import pyarrow as pa

    try:
        with _open(path) as file:
            return file.metadata, file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise damaged(str(path), error) from None


def _described(name: str, pieces: tuple[Piece, ...], files: Common, wanted: Columns) -> Parts:
    schema = files.schema
    said: dict[str, Any] = json.loads((schema.metadata or {}).get(METADATA, b"{}"))
    label = wanted.label if wanted.label is not None else said.get("label")
    wanted = Columns(label, wanted.features, wanted.keep)
    files.check((*([] if label is None else [label]), *(wanted.features or ()), *wanted.keep))
    check_columns(name, schema, wanted)
    array = array_column(schema)
    notes: tuple[str, ...] = ()
    if array is not None and wanted.features in (None, (array,)):
        chosen, images = [array], said
    else:
        (chosen, notes), images = choose_features(name, schema, wanted, partial(first_rows, pieces[0].path)), {}
    files.check(chosen)
    kinds = [schema.field(column).type for column in chosen]
    size, dtype = row_of(kinds[0])
    if not size:
        size, dtype = _first_array(pieces[0], chosen[0], files) if is_array(kinds[0]) else (len(chosen), _common(kinds))
    shape = images.get("image_shape")
    return Parts(
        name,
        pieces,
        tuple(chosen),
        bool(row_of(kinds[0])[0]) or is_array(kinds[0]),
        label,
        size,
        dtype,
        None if shape is None else (shape[0], shape[1]),
        images.get("recommended", "none"),
        notes,
        wanted.keep,
        files.casts,
    )


def _first_array(piece: Piece, column: str, files: Common) -> tuple[int, str]:
    """Length and type of arrays whose type does not say how long they are: as the first one is, all must be."""
    first = _row_group(piece, [column], files.casts)[column].slice(0, 1)
    if first.null_count or not len(first[0]):
        raise InputError(f"the column {column!r} of {piece.path} has no numbers in its first row: fill it in.")
    return len(first[0]), np.dtype(first.type.value_type.to_pandas_dtype()).str


def _common(kinds: Sequence[pa.DataType]) -> str:
    """The narrowest type that holds the numbers of all columns."""
    types = {np.dtype("f8") if str(kind).startswith("decimal") else kind.to_pandas_dtype() for kind in kinds}
    return str(np.result_type(*types).str)
