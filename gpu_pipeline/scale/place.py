"""All rows on the landmarks' map, a partition at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.tables import label_column
from ..placing import Reference
from ..store import open_run
from .kept import keep, kept, save_array
from .source import BLOCK, Partition, Source


@dataclass(frozen=True)
class Placing:
    """How rows are placed.

    Attributes
    ----------
    source
        The rows.
    folder
        Where parts go: places and labels as Parquet, features as `.npy`.
    landmarks
        Folder of the landmarks' own run. They keep their places.
    """

    source: Source
    folder: str
    landmarks: str


def place(asked: Placing, partition: Partition) -> dict[str, Any]:
    """Place one partition: `rows`, `far` (rows unlike any landmark), and `low`, `high` (corners of their places)."""
    folder = Path(asked.folder)
    if (before := kept(folder, partition.stem)) is not None:
        return before
    X, y = asked.source.read(partition)
    reference, rows, places = _landmarks(asked.landmarks)
    features = np.concatenate([reference.features_of(X[at : at + BLOCK], threads=1) for at in range(0, len(X), BLOCK)])
    del X
    placed = reference.place_features(features, threads=1)
    embedding, far = placed.embedding.copy(), placed.novelty > placed.far
    first, last = np.searchsorted(rows, [partition.start, partition.start + partition.rows])
    own = rows[first:last] - partition.start
    embedding[own], far[own] = places[first:last], False
    remember = {
        **{"rows": len(embedding), "far": int(np.count_nonzero(far))},
        **{"low": embedding.min(axis=0).tolist(), "high": embedding.max(axis=0).tolist()},
    }
    files = {
        ".npy": lambda draft: save_array(draft, features),
        ".parquet": lambda draft: _write(draft, partition, embedding, y),
    }
    return keep(folder, partition.stem, files, remember)


def features_of(folder: str | Path, partition: Partition) -> np.ndarray:
    """Features of a partition that is placed, (rows, components) float32, memory-mapped."""
    return np.asarray(np.load(Path(folder) / f"{partition.stem}.npy", mmap_mode="r", allow_pickle=False))


def places_of(folder: str | Path, partition: Partition) -> np.ndarray:
    """Places of a partition on the map, (rows, 2) float32."""
    from pyarrow import parquet

    table = parquet.read_table(Path(folder) / f"{partition.stem}.parquet", columns=["x", "y"])
    return np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1)


def labels_of(folder: str | Path, partition: Partition) -> np.ndarray:
    """Labels of a partition, (rows,) int64 or text; masked where a row has none."""
    from pyarrow import parquet

    return label_column(parquet.read_table(Path(folder) / f"{partition.stem}.parquet", columns=["label"]), "label")


@lru_cache(maxsize=1)
def _landmarks(folder: str) -> tuple[Reference, np.ndarray, np.ndarray]:
    """What the map keeps for new rows, and the landmarks' rows and places; read once a process."""
    run = open_run(folder)
    return run.reference, run.points["row"].to_numpy(), run.embedding


def _write(path: Path, partition: Partition, embedding: np.ndarray, y: np.ndarray | None) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    rows = np.arange(partition.start, partition.start + partition.rows)
    columns = {"row": rows, "x": embedding[:, 0], "y": embedding[:, 1]}
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    if y is not None:
        table = table.append_column("label", pa.array(np.ma.getdata(y), mask=np.ma.getmaskarray(y)))
    parquet.write_table(table, path)
