"""An index of some rows, made once, that is asked for the nearest of them to rows which are not among them.

An inverted file as in `search`, but each query is shown the clusters nearest to the centre that it is nearest to, the
nearest first, and queries of one centre go together. So its answer depends on the query alone, to the last byte,
whatever other rows are asked for with it and by however many threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...compiling import kernel
from ...errors import InputError
from .scan import Panels, nearest, pack, search
from .search import EXACT, cluster
from .simd import QUERIES
from .team import together

SHOWN = 24
"""Clusters of some 256 rows that a query is shown."""

KEPT = ("center", "order", "counts", "centers", "shown")
"""The arrays that are kept beside the rows."""


@dataclass(frozen=True)
class Index:
    """Rows by clusters.

    Attributes
    ----------
    X
        The rows less `center`, (n, columns) float32.
    center
        Their mean, (columns,) float32.
    order
        Numbers of the rows, cluster by cluster, (n,) int32.
    counts
        Rows of each cluster, (clusters,) int32.
    centers
        Centre of each cluster less `center`, (clusters, columns) float32.
    shown
        The clusters nearest to each centre, itself first, (clusters, at most `SHOWN`) int32.
    panels
        The rows as `scan` wants them.
    """

    X: np.ndarray
    center: np.ndarray
    order: np.ndarray
    counts: np.ndarray
    centers: np.ndarray
    shown: np.ndarray
    panels: Panels

    def arrays(self) -> dict[str, np.ndarray]:
        """What is to be kept beside the rows, for `restore`."""
        return {name: getattr(self, name) for name in KEPT}

    def labels(self) -> np.ndarray:
        """Number of the cluster of each row, (n,) int64."""
        labels = np.empty(len(self.order), np.int64)
        labels[self.order] = np.repeat(np.arange(len(self.counts)), self.counts)
        return labels

    def query(
        self, Q: np.ndarray, k: int, threads: int, names: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest rows to each row of Q, the nearest first: numbers (m, k) int32, squared distances float32.

        Exact up to 16,384 rows, and but for ties within float32's rounding.

        Parameters
        ----------
        Q
            (m, columns) float32.
        k
            At most the number of rows, less one with names.
        threads
            Size of the team.
        names
            The row that each query is, which it does not find, (m,); -1 for none.

        Raises
        ------
        InputError
            If a row is so far away that its distances are beyond float32.
        """
        if len(Q) == 0:
            return np.empty((0, k), np.int32), np.empty((0, k), np.float32)
        names = np.full(len(Q), -1) if names is None else names
        Q = np.ascontiguousarray(Q - self.center)
        if len(self.X) <= EXACT:
            found = search(Q, names, None, True, self.panels, self.X, k, threads)
        else:
            found = self._by_home(Q, names, k, threads)
        if (found[0][:, 0] < 0).any():
            row = int(np.argmax(found[0][:, 0] < 0))
            raise InputError(f"row {row} is too far from all reference rows to compare distances: check its values.")
        bounds = np.arange(threads + 1) * len(Q) // threads
        together(threads, lambda thread: _sort(bounds[thread], bounds[thread + 1], *found))
        return found

    def _by_home(self, Q: np.ndarray, names: np.ndarray, k: int, threads: int) -> tuple[np.ndarray, np.ndarray]:
        """Ask in groups of eight queries of one nearest centre, filled up with copies of one of them."""
        home = nearest(Q, self.centers, 1, threads)[1]
        counts = np.bincount(home, minlength=len(self.counts))
        padded = -(-counts // QUERIES) * QUERIES
        rank = np.arange(len(Q)) - np.repeat(np.cumsum(counts) - counts, counts)
        order = np.argsort(home, kind="stable")
        slots = rank + np.repeat(np.cumsum(padded) - padded, counts)
        chosen = np.repeat(order[np.cumsum(counts)[counts > 0] - 1], padded[counts > 0])
        chosen[slots] = order
        shown = self.shown[home[chosen]]
        found, squares = search(Q[chosen], names[chosen], shown, False, self.panels, self.X, k, threads)
        indices, distances = np.empty((len(Q), k), np.int32), np.empty((len(Q), k), np.float32)
        indices[order], distances[order] = found[slots], squares[slots]
        short = np.flatnonzero(indices[:, 0] < 0)
        if len(short):
            indices[short], distances[short] = search(
                Q[short], names[short], None, True, self.panels, self.X, k, threads
            )
        return indices, distances


def build(X: np.ndarray, seed: int, threads: int) -> Index:
    """An index of the rows of X, (n, columns) float32; the same for any number of threads."""
    center = X.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows = np.ascontiguousarray(X - center)
    centers = cluster(rows, threads, np.random.default_rng(seed))
    labels = nearest(rows, centers, 1, threads)[1]
    order = np.argsort(labels, kind="stable").astype(np.int32)
    counts = np.bincount(labels, minlength=len(centers)).astype(np.int32)
    nobody, whole = np.full(len(centers), -1), pack(centers, np.arange(len(centers)), np.array([len(centers)]))
    shown, squares = search(centers, nobody, None, True, whole, centers, min(SHOWN, len(centers)), threads)
    _sort(0, len(centers), shown, squares)
    return Index(rows, center, order, counts, centers, shown, pack(rows, order, counts))


def restore(rows: np.ndarray, arrays: Mapping[str, np.ndarray]) -> Index:
    """An index from its rows less their `center`, float32, and what `Index.arrays` gave."""
    rows = np.ascontiguousarray(rows)
    return Index(rows, panels=pack(rows, arrays["order"], arrays["counts"]), **arrays)


@kernel
def _sort(start, stop, indices, squares):  # type: ignore[no-untyped-def]
    """Sort the neighbours of some rows by distance, those of one distance by number."""
    for i in range(start, stop):
        for a in range(1, indices.shape[1]):
            square, j, b = squares[i, a], indices[i, a], a
            while b > 0 and (squares[i, b - 1] > square or (squares[i, b - 1] == square and indices[i, b - 1] > j)):
                squares[i, b], indices[i, b] = squares[i, b - 1], indices[i, b - 1]
                b -= 1
            squares[i, b], indices[i, b] = square, j
