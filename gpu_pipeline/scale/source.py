"""Data that is read a partition at a time: partitioned Parquet, one Parquet file, or a `.npy` memory map."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..datasets import parts
from ..datasets.columns import Columns, no_names
from ..datasets.kept import frame_of
from ..datasets.labels import joined
from ..errors import InputError
from ..recipe import Data

if TYPE_CHECKING:
    import pandas as pd

ROWS = 65_536
"""Rows of a partition at most, unless one row group of a file has more."""

BYTES = 256 * 2**20
"""Bytes of a partition's rows as float32 at most, with the same exception."""

FILES = 64
"""Files that are read apart, however small: each workers can share, and what changed alone is done anew."""

BLOCK = 4_096
"""Rows that are prepared together; always the same, so that what comes out does not depend on the memory."""


@dataclass(frozen=True)
class Partition:
    """Rows that are read, worked on and written together.

    Attributes
    ----------
    index
        Its number, from 0.
    start, rows
        The first of its rows in the whole data set, and how many.
    name
        Where they lie, for sentences.
    pieces
        Its row groups; none in a `.npy` file.
    """

    index: int
    start: int
    rows: int
    name: str
    pieces: tuple[parts.Piece, ...] = ()

    @property
    def stem(self) -> str:
        """Name of its files, without a suffix."""
        return f"part-{self.index:05d}"

    @property
    def kept(self) -> int:
        """Bytes of the columns that go with its points, about."""
        return sum(piece.kept for piece in self.pieces)


@dataclass(frozen=True)
class Source:
    """Where the rows come from, and what they are.

    Attributes
    ----------
    path
        The folder or file.
    partitions
        All rows, in their order.
    columns, dtype
        Numbers in a row, and their type.
    parquet
        How to read its row groups; None for a `.npy` file.
    name, image_shape, recommended, notes
        As in `Dataset`.
    """

    path: str
    name: str
    partitions: tuple[Partition, ...]
    columns: int
    dtype: str
    parquet: parts.Parts | None
    image_shape: tuple[int, int] | None
    recommended: Literal["none", "deskew"] = "none"
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Rows of all partitions."""
        return sum(partition.rows for partition in self.partitions)

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the columns, if rows are spread over them."""
        return None if self.parquet is None or self.parquet.array else self.parquet.features

    def read(self, partition: Partition) -> tuple[np.ndarray, np.ndarray | None]:
        """Rows as they are stored, (rows, columns), and their labels or None.

        Raises
        ------
        InputError
            If they cannot be read, which names them, or hold a value that is not finite.
        """
        if self.parquet is None:
            rows = slice(partition.start, partition.start + partition.rows)
            X, y = np.asarray(_memory_map(Path(self.path))[rows]).reshape(partition.rows, -1), None
        else:
            read = [self.parquet.read(piece) for piece in partition.pieces]
            X = read[0][0] if len(read) == 1 else np.concatenate([features for features, _ in read])
            labels = [labels for _, labels in read if labels is not None]
            y = joined(labels) if labels else None
        if X.dtype.kind == "f":
            bad = np.flatnonzero(~np.isfinite(X).all(axis=1))
            if len(bad):
                raise InputError(
                    f"{partition.name} has NaN or infinite values in {len(bad):,} rows, the first in row "
                    f"{partition.start + bad[0]} (counted from 0): replace or remove them."
                )
        return X, y

    def kept(self, partition: Partition) -> pd.DataFrame | None:
        """The columns that go with a partition's points, of the same kinds in all; None if none do."""
        import pyarrow as pa

        if self.parquet is None or not self.parquet.keep:
            return None
        return frame_of(
            pa.concat_tables([self.parquet.kept(piece) for piece in partition.pieces]), self.parquet.keep, alike=True
        )

    def fingerprint(self) -> str:
        """Hexadecimal digits that change with the files' names, their rows, or what is read of them."""
        described = (self.path, self.partitions, self.columns, self.dtype, self.image_shape)
        features = None if self.parquet is None else (self.parquet.features, self.parquet.label, self.parquet.keep)
        return hashlib.sha256(repr((described, features)).encode()).hexdigest()

    def states(self) -> dict[str, list[int]]:
        """Of each file the size in bytes and the time of its last change: what differs where its content does.

        Raises
        ------
        InputError
            If one is gone.
        """
        files = {piece.path for partition in self.partitions for piece in partition.pieces} or {self.path}
        try:
            return {name: [(stat := Path(name).stat()).st_size, stat.st_mtime_ns] for name in sorted(files)}
        except OSError as error:
            raise InputError(f"cannot read {error.filename} ({error.strerror}) any more: put it back.") from None

    def in_files(self, files: set[str]) -> list[Partition]:
        """The partitions that lie in some files."""
        if self.path in files:
            return list(self.partitions)
        return [each for each in self.partitions if files & {piece.path for piece in each.pieces}]


def open_source(data: Data) -> Source:
    """What a recipe names, split into partitions; no rows are read yet.

    Raises
    ------
    InputError
        If it is none of the kinds that are read a partition at a time, or cannot be read.
    """
    path = Path(data.name).expanduser().absolute()  # workers may have been started elsewhere
    if data.beside is not None:
        raise InputError(
            f"{data.beside} beside {path.name} is not read a partition at a time: write both as Parquet with a column "
            "of arrays, or leave --landmarks out."
        )
    if path.is_dir() or path.name.lower().endswith(".parquet"):
        if not path.exists():
            raise InputError(f"there is no {path}: give a folder of Parquet files, or one file.")
        source = _from_parquet(path, Columns(data.label_column, data.columns, data.keep or ()))
    elif path.name.lower().endswith(".npy"):
        source = _from_npy(path, data)
    else:
        raise InputError(
            f"{data.name} cannot be read a partition at a time: give a folder of Parquet files, a .parquet or a .npy "
            "file (gpu-pipeline data make digits writes the first), or leave --landmarks out."
        )
    if data.image_shape is not None:
        height, width = data.image_shape
        if height * width != source.columns:
            raise InputError(
                f"{source.name} has {source.columns} columns, which are not images of {height} x {width}: give "
                "another image shape."
            )
        source = replace(source, image_shape=data.image_shape)
    return source


def rows_of_partition(columns: int) -> int:
    """Rows of a partition of rows with so many columns."""
    return max(1, min(ROWS, BYTES // (4 * columns)))


def _from_parquet(path: Path, wanted: Columns) -> Source:
    opened = parts.open_parts(path, wanted)
    groups = _grouped(opened.pieces, rows_of_partition(opened.columns))
    partitions = tuple(
        Partition(i, group[0].start, sum(piece.rows for piece in group), _named(group), tuple(group))
        for i, group in enumerate(groups)
    )
    return Source(
        str(path),
        opened.name,
        partitions,
        opened.columns,
        opened.dtype,
        opened,
        opened.image_shape,
        opened.recommended,
        opened.notes,
    )


def _grouped(pieces: tuple[parts.Piece, ...], most: int) -> list[list[parts.Piece]]:
    """Row groups that are read together, up to so many rows: a large one is not split, for it is read whole.

    Those of one file, and where there are more than `FILES` such groups, those of several.
    """
    groups = _joined([[piece] for piece in pieces], most, across=False)
    total = sum(piece.rows for piece in pieces)
    return groups if len(groups) <= FILES else _joined(groups, min(most, -(-total // FILES)), across=True)


def _joined(groups: list[list[parts.Piece]], most: int, across: bool) -> list[list[parts.Piece]]:
    """Neighbouring groups put together up to so many rows, of one file or `across` files."""
    joined: list[list[parts.Piece]] = []
    held = 0
    for group in groups:
        more = sum(piece.rows for piece in group)
        if joined and held + more <= most and (across or joined[-1][0].path == group[0].path):
            joined[-1] += group
            held += more
        else:
            joined.append(list(group))
            held = more
    return joined


def _named(group: list[parts.Piece]) -> str:
    """Where some row groups lie, in words."""
    first, last = group[0].path, group[-1].path
    return first if first == last else f"{first} to {Path(last).name}"


def _from_npy(path: Path, data: Data) -> Source:
    if data.label_column is not None or data.columns is not None or data.keep is not None:
        raise no_names(path.name)
    if not path.is_file():
        raise InputError(f"there is no file {path}: give another path.")
    array = _memory_map(path)
    if array.ndim not in (2, 3) or array.size == 0 or array.dtype.kind not in "biuf":
        raise InputError(
            f"{path.name} holds {array.dtype} of shape {array.shape}: give numbers of (rows, columns), or images of "
            "(rows, height, width)."
        )
    columns = int(np.prod(array.shape[1:]))
    most = rows_of_partition(columns)
    partitions = tuple(
        Partition(i, start, min(most, len(array) - start), f"{path}, rows from {start}")
        for i, start in enumerate(range(0, len(array), most))
    )
    shape = (array.shape[1], array.shape[2]) if array.ndim == 3 else None
    return Source(str(path), path.name[: -len(".npy")], partitions, columns, array.dtype.str, None, shape)


def _memory_map(path: Path) -> np.ndarray:
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (ValueError, OSError) as error:
        raise parts.damaged(str(path), error) from None
