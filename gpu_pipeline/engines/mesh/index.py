"""An index of some rows, made once, that is asked for the nearest of them to rows which are not among them.

An inverted file as in `search`, but a query is compared with the clusters that it asks for itself and with no others,
always in the same order: the nearest, then the rest by number. So its answer depends on the query alone, to the last
byte, whatever rows come with it and however many threads there are. Work goes cluster by cluster, with all queries that
ask for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...compiling import kernel, part
from ...errors import InputError
from .scan import Panels, nearest, pack, search, shift
from .search import EXACT, cluster
from .shortlist import LIMIT, beyond, finish, keep, tighten
from .simd import LANES
from .team import together
from .tiles import PANELS, QUERIES, products

PROBES = 12
"""Clusters of some 256 rows that a query asks for."""

KEPT = ("center", "order", "counts", "centers")
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
    panels
        The rows as `scan` wants them.
    """

    X: np.ndarray
    center: np.ndarray
    order: np.ndarray
    counts: np.ndarray
    centers: np.ndarray
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
            found = self._by_cluster(Q, names, k, threads)
        lost = (found[0][:, 0] < 0) | ~np.isfinite(found[1]).all(axis=1)
        if lost.any():
            row = int(np.argmax(lost))
            raise InputError(f"row {row} is too far from all reference rows to compare distances: check its values.")
        bounds = np.arange(threads + 1) * len(Q) // threads
        together(threads, lambda thread: _sort(bounds[thread], bounds[thread + 1], *found))
        return found

    def _by_cluster(self, Q: np.ndarray, names: np.ndarray, k: int, threads: int) -> tuple[np.ndarray, np.ndarray]:
        """The nearest among the clusters that each query asks for; among all rows if those are fewer than k."""
        probes, home = nearest(Q, self.centers, min(PROBES, len(self.centers)), threads)
        probes = np.concatenate([home[:, None], np.where(probes == home[:, None], -1, probes)], axis=1)
        indices, distances = np.empty((len(Q), k), np.int32), np.empty((len(Q), k), np.float32)
        bounds = np.arange(threads + 1) * len(Q) // threads

        def work(thread: int) -> None:
            rows = slice(bounds[thread], bounds[thread + 1])
            _scan_clusters(Q[rows], names[rows], probes[rows], self.panels, self.X, indices[rows], distances[rows])

        together(threads, work)
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
    return Index(rows, center, order, counts, centers, pack(rows, order, counts, centers))


def restore(rows: np.ndarray, arrays: Mapping[str, np.ndarray]) -> Index:
    """An index from its rows less their `center`, float32, and what `Index.arrays` gave."""
    rows = np.ascontiguousarray(rows)
    return Index(rows, panels=pack(rows, *(arrays[name] for name in ("order", "counts", "centers"))), **arrays)


@part
def _askers(probes, first, last, clusters):  # type: ignore[no-untyped-def]
    """Queries by the cluster that they ask for in columns `first` to `last` of `probes`: starts, and numbers."""
    starts = np.zeros(clusters + 1, np.int64)
    for column in range(first, last):
        for q in range(probes.shape[0]):
            if probes[q, column] >= 0:
                starts[probes[q, column] + 1] += 1
    for c in range(clusters):
        starts[c + 1] += starts[c]
    cursors, askers = starts[:-1].copy(), np.empty(starts[-1], np.int64)
    for column in range(first, last):
        for q in range(probes.shape[0]):
            c = probes[q, column]
            if c >= 0:
                askers[cursors[c]] = q
                cursors[c] += 1
    return starts, askers


@kernel
def _scan_clusters(queries, names, probes, panels, X, indices, squares):  # type: ignore[no-untyped-def]
    """Neighbours of some queries among the clusters in their rows of `probes`, of which the first is scanned first.

    A row of `indices` begins with -1 if it found fewer than are wanted.
    """
    values, norms, places, starts, centers, radii, _ = panels
    n, columns, k, width = queries.shape[0], X.shape[1], indices.shape[1], PANELS * LANES
    room = 2 * k + 2 * width
    best, ids = np.empty((n, room), np.float32), np.empty((n, room), np.int32)
    sizes, limits, margins = np.zeros(n, np.int64), np.full(n, LIMIT), np.zeros(n, np.float32)
    flat, keys = np.zeros(QUERIES * columns, np.float32), np.empty(QUERIES * width, np.float32)
    halves, wide = np.zeros(QUERIES, np.float32), np.empty(QUERIES, np.float32)
    for first, last in ((0, 1), (1, probes.shape[1])):
        bounds, askers = _askers(probes, first, last, starts.shape[0] - 1)
        for c in range(starts.shape[0] - 1):
            for begin in range(bounds[c], bounds[c + 1], QUERIES):
                count = min(QUERIES, bounds[c + 1] - begin)
                for q in range(count):
                    halves[q], wide[q] = shift(queries[askers[begin + q]], centers[c], radii[c], flat, q)
                for panel in range(starts[c], starts[c + 1], PANELS):
                    for q in range(QUERIES):
                        for lane in range(width):
                            keys[q * width + lane] = norms[panel * LANES + lane]
                    products(flat, 0, values, panel * columns * LANES, columns, keys, 0)
                    for q in range(count):
                        i = askers[begin + q]
                        limit = min(beyond(limits[i], wide[q]), LIMIT)
                        size = keep(keys, places, panel, q, names[i], limit, halves[q], best[i], ids[i], sizes[i])
                        if size > sizes[i]:
                            sizes[i], margins[i] = size, max(margins[i], wide[q])
                        if size > room - width:
                            sizes[i], limits[i], margins[i] = tighten(
                                best[i], ids[i], size, k, margins[i], queries[i], X
                            )
    for i in range(n):
        finish(best[i], ids[i], sizes[i], k, margins[i], queries[i], X, indices[i], squares[i])


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
