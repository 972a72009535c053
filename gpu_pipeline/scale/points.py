"""The table of points, a partition at a time: what a run's `points.parquet` has, in a folder of that name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.labels import as_column, labelled, without
from .kept import keep, kept
from .kmeans import On, nearest, points_of
from .place import labels_of, places_of
from .source import Partition, Source


@dataclass(frozen=True)
class Writing:
    """What goes into the table.

    Attributes
    ----------
    source
        The rows, of which some columns may go with the points.
    placed, folder
        Folders of the placed partitions, and of the table.
    on, centers
        What k-means saw, and where the clusters' centres are.
    classes, majority
        The distinct labels, sorted, and the code of each cluster's majority; None without labels.
    recall
        File with `rows` and their `recall`; all others were not measured.
    nullable
        Whether some row has no label, so that the columns are of one kind in all files.
    """

    source: Source
    placed: str
    folder: str
    on: On
    centers: np.ndarray
    classes: np.ndarray | None
    majority: np.ndarray | None
    recall: str
    nullable: bool = False


def write(asked: Writing, partition: Partition) -> dict[str, Any]:
    """Write one partition of the table."""
    import pandas as pd

    folder = Path(asked.folder)
    if (before := kept(folder, partition.stem)) is not None:
        return before
    labels = None if asked.classes is None else labels_of(asked.placed, partition)
    clusters = nearest(points_of(asked.placed, asked.on, partition), asked.centers)[0]
    places = places_of(asked.placed, partition)
    rows = np.arange(partition.start, partition.start + partition.rows)
    columns: dict[str, Any] = {"row": rows, "x": places[:, 0], "y": places[:, 1]}
    if labels is not None:
        columns["label"] = as_column(labels, asked.nullable)
    columns |= {"cluster": clusters, "neighbor_recall": _recall(asked.recall, partition)}
    if labels is not None and asked.classes is not None and asked.majority is not None:
        others = asked.classes[asked.majority[clusters]] != np.ma.getdata(labels)
        columns["misfit"] = as_column(without(others, ~labelled(labels)), asked.nullable)
    points, beside = pd.DataFrame(columns), asked.source.kept(partition)
    if beside is not None:
        points = points.join(beside)
    return keep(
        folder,
        partition.stem,
        {".parquet": lambda draft: points.to_parquet(draft, index=False, compression="zstd")},
        {"rows": len(points)},
    )


def _recall(file: str, partition: Partition) -> np.ndarray:
    with np.load(file, allow_pickle=False) as arrays:
        rows, recall = arrays["rows"], arrays["recall"]
    values = np.full(partition.rows, np.nan, np.float32)
    first, last = np.searchsorted(rows, [partition.start, partition.start + partition.rows])
    values[rows[first:last] - partition.start] = recall[first:last]
    return values
