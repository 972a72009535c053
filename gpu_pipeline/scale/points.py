"""The table of points, a partition at a time: what a run's `points.parquet` has, in a folder of that name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .kept import keep, kept
from .kmeans import On, nearest, points_of
from .source import Partition


@dataclass(frozen=True)
class Writing:
    """What goes into the table.

    Attributes
    ----------
    placed, folder
        Folders of the placed partitions, and of the table.
    on, centers
        What k-means saw, and where the clusters' centres are.
    classes, majority
        The distinct labels, sorted, and the code of each cluster's majority; None without labels.
    recall
        File with `rows` and their `recall`; all others were not measured.
    """

    placed: str
    folder: str
    on: On
    centers: np.ndarray
    classes: np.ndarray | None
    majority: np.ndarray | None
    recall: str


def write(asked: Writing, partition: Partition) -> dict[str, Any]:
    """Write one partition of the table."""
    import pyarrow as pa
    from pyarrow import parquet

    folder = Path(asked.folder)
    if (before := kept(folder, partition.stem)) is not None:
        return before
    table = parquet.read_table(Path(asked.placed) / f"{partition.stem}.parquet")
    clusters = nearest(points_of(asked.placed, asked.on, partition), asked.centers)[0]
    table = table.append_column("cluster", pa.array(clusters))
    table = table.append_column("neighbor_recall", pa.array(_recall(asked.recall, partition)))
    if asked.classes is not None and asked.majority is not None:
        labels = table["label"].to_numpy()
        table = table.append_column("misfit", pa.array(asked.classes[asked.majority[clusters]] != labels))
    return keep(
        folder,
        partition.stem,
        {".parquet": lambda draft: parquet.write_table(table, draft, compression="zstd")},
        {"rows": table.num_rows},
    )


def _recall(file: str, partition: Partition) -> np.ndarray:
    with np.load(file, allow_pickle=False) as arrays:
        rows, recall = arrays["rows"], arrays["recall"]
    values = np.full(partition.rows, np.nan, np.float32)
    first, last = np.searchsorted(rows, [partition.start, partition.start + partition.rows])
    values[rows[first:last] - partition.start] = recall[first:last]
    return values
