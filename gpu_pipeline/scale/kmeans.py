"""k-means on all rows: Lloyd's passes over the partitions from the landmarks' centres, with sums in a fixed order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..methods import KMeans
from .kept import read_json, write_json
from .place import features_of, places_of
from .source import BLOCK, Partition
from .workers import Team

On = Literal["map", "features"]


@dataclass(frozen=True)
class Sums:
    """What a partition gives to the next centres: per cluster rows and sums, and squares of all rows by column."""

    counts: np.ndarray
    sums: np.ndarray
    squares: np.ndarray
    inertia: float


@dataclass(frozen=True)
class Centers:
    """Where k-means ended.

    Attributes
    ----------
    places
        (k, d) float64.
    passes
        Passes over all rows.
    inertia
        Sum of squared distances to the nearest centre before the last move.
    converged
        Whether the centres moved less than `tol` says; else all passes that are allowed were made.
    """

    places: np.ndarray
    passes: int
    inertia: float
    converged: bool


def start(points: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Means of the landmarks of each cluster that has any, (k, d) float64."""
    return np.stack([points[clusters == each].mean(axis=0, dtype=np.float64) for each in np.unique(clusters)])


def nearest(points: np.ndarray, centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centre of each point, of equals the first, (n,) int32, and its squared distance, (n,) float64."""
    from scipy.spatial.distance import cdist

    squares = cdist(points.astype(np.float64), centers, "sqeuclidean")
    clusters = squares.argmin(axis=1)
    return clusters.astype(np.int32), squares[np.arange(len(points)), clusters]


def points_of(folder: str, on: On, partition: Partition) -> np.ndarray:
    """What k-means sees of a partition, (rows, d) float32."""
    return places_of(folder, partition) if on == "map" else features_of(folder, partition)


def lloyd(folder: str, on: On, centers: np.ndarray, partition: Partition) -> Sums:
    """One partition's part of a pass."""
    points, k = points_of(folder, on, partition), len(centers)
    counts, sums = np.zeros(k, np.int64), np.zeros(centers.shape)
    squares, inertia = np.zeros(centers.shape[1]), 0.0
    for at in range(0, len(points), BLOCK):
        block = points[at : at + BLOCK].astype(np.float64)
        clusters, away = nearest(block, centers)
        counts += np.bincount(clusters, minlength=k)
        sums += np.stack([np.bincount(clusters, column, minlength=k) for column in block.T], axis=1)
        squares += (block**2).sum(axis=0)
        inertia += float(away.sum())
    return Sums(counts, sums, squares, inertia)


def converge(
    team: Team,
    partitions: tuple[Partition, ...],
    folder: str,
    on: On,
    settings: KMeans,
    first: np.ndarray,
    state: Path,
    done: Callable[[Partition, Any], object],
) -> Centers:
    """Pass over all rows until the centres stand still; goes on from the last pass that `state` has.

    A cluster that loses all its rows keeps its centre.

    Parameters
    ----------
    team, partitions, folder, on
        Who works, on which rows, where they are placed, and what is seen of them.
    settings
        `max_iter` and `tol` as `methods.KMeans` has them; the number of clusters is that of `first`.
    first
        Centres to begin with, (k, d).
    state
        A file for the centres after each pass.
    done
        Told each partition of each pass.
    """
    before = read_json(state)
    now = Centers(np.asarray(before.get("centers", first), np.float64), before.get("passes", 0), 0.0, False)
    if before:
        now = Centers(now.places, now.passes, before["inertia"], before["converged"])
    while not now.converged and now.passes < settings.max_iter:
        parts = team.each("k-means", lloyd, partitions, folder, on, now.places, done=done)
        counts, sums = parts[0].counts, parts[0].sums
        squares, inertia = parts[0].squares, parts[0].inertia
        for part in parts[1:]:
            counts, sums = counts + part.counts, sums + part.sums
            squares, inertia = squares + part.squares, inertia + part.inertia
        n = counts.sum()
        variance = float((squares / n - (sums.sum(axis=0) / n) ** 2).mean())
        moved = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], now.places)
        still = float(((moved - now.places) ** 2).sum()) <= settings.tol * variance
        now = Centers(moved, now.passes + 1, inertia, still)
        write_json(state, {"centers": moved.tolist(), "passes": now.passes, "inertia": inertia, "converged": still})
    return now
