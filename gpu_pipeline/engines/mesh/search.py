"""Nearest neighbours of every row among all others.

The points are sorted into clusters (k-means on a sample). Each group of eight queries, neighbours in that order,
scans the clusters nearest to any of them (an inverted file: Jegou, Douze & Schmid 2011, doi:10.1109/TPAMI.2010.57),
or all of them: then it is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .scan import Panels, nearest, pack, search

EXACT = 16_384
"""Rows up to which all points are scanned."""

_CLUSTER = 256  # Points in a cluster, about.
_PROBES = 12  # Clusters that each query asks for; its group scans what any of the eight asks for.
_SAMPLE, _ROUNDS = 20_000, 6  # Points and rounds of k-means.
_CHECKED = 256  # Queries that the recall is measured on.


@dataclass(frozen=True)
class Neighbors:
    """Neighbours of each point, the point itself left out.

    Attributes
    ----------
    indices
        (n, k) int32, in no particular order.
    distances
        Squared Euclidean distances, (n, k) float32.
    order
        Numbers of the points such that neighbours in the data are near in it, (n,) int64.
    recall
        Share of the true neighbours that were found, on a sample of 256 rows; None where all points were scanned.
    """

    indices: np.ndarray
    distances: np.ndarray
    order: np.ndarray
    recall: float | None


def cluster(X: np.ndarray, threads: int, rng: np.random.Generator) -> np.ndarray:
    """Centres of about n / 256 clusters, in a chain from neighbour to neighbour."""
    count = max(1, len(X) // _CLUSTER)
    sample = X if len(X) <= _SAMPLE else X[np.sort(rng.choice(len(X), max(_SAMPLE, 16 * count), replace=False))]
    centers = sample[np.sort(rng.choice(len(sample), count, replace=False))]
    for _ in range(_ROUNDS):
        labels = nearest(sample, centers, 1, threads)[1]
        order = np.argsort(labels, kind="stable")
        present, first, sizes = np.unique(labels[order], return_index=True, return_counts=True)
        centers[present] = np.add.reduceat(sample[order], first, axis=0) / sizes[:, None]
    chain, left = [int(np.argmin(centers[:, 0]))], np.ones(count, bool)
    left[chain[0]] = False
    for _ in range(count - 1):
        distance = ((centers - centers[chain[-1]]) ** 2).sum(axis=1)
        chain.append(int(np.argmin(np.where(left, distance, np.inf))))
        left[chain[-1]] = False
    return centers[chain]


def find(X: np.ndarray, k: int, seed: int, threads: int, exact: bool | None = None) -> Neighbors:
    """The k nearest neighbours of each row of X, (n, columns) float32, in the Euclidean metric.

    All points are scanned if `exact`, or by default up to 16,384 rows.
    """
    n = len(X)
    exact = n <= EXACT if exact is None else exact
    X = np.ascontiguousarray(X - X.mean(axis=0, dtype=np.float64).astype(np.float32))
    centers = cluster(X, threads, np.random.default_rng(seed))
    probes, labels = nearest(X, centers, min(_PROBES, len(centers)), threads)
    away = X - centers[labels]
    order = np.lexsort((np.einsum("ij,ij->i", away, away), labels))  # Each cluster from its centre outwards.
    del away
    panels = pack(X, order, np.bincount(labels, minlength=len(centers)), centers)
    queries, probes = X[order], probes[order]
    found, squares = search(queries, order, probes, exact, panels, X, k, threads)
    short = np.flatnonzero(found[:, 0] < 0)
    if len(short):
        found[short], squares[short] = search(queries[short], order[short], None, True, panels, X, k, threads)
    share = None if exact else _recall(squares, order, panels, X, seed, threads)
    indices, distances = np.empty_like(found), np.empty_like(squares)
    indices[order], distances[order] = found, squares
    return Neighbors(indices, distances, order, share)


def _recall(squares: np.ndarray, order: np.ndarray, panels: Panels, X: np.ndarray, seed: int, threads: int) -> float:
    """Share of the neighbours found, on a sample, that are as near as the true ones; of equally near ones any will do.

    `squares` are their distances, in the order of `order`.
    """
    rows = np.random.default_rng(seed).choice(len(X), min(_CHECKED, len(X)), replace=False)
    names = order[rows]
    true = search(X[names], names, None, True, panels, X, squares.shape[1], threads)[1]
    return float((squares[rows] <= true.max(axis=1, keepdims=True)).mean())
