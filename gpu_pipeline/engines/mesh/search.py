"""Nearest neighbours on the CPU: products of eight queries with thirty-two points in registers, and a selection that
looks only at what is nearer than the worst neighbour so far.

The points are sorted into clusters (k-means on a sample). Each group of eight queries, neighbours in that order,
scans the clusters nearest to any of them (an inverted file: Jegou, Douze & Schmid 2011, doi:10.1109/TPAMI.2010.57),
or all of them: then it is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...compiling import kernel, part
from .simd import LANES, PANELS, QUERIES, below, products
from .team import together

_EXACT = 16_384  # Rows up to which all points are scanned.
_CLUSTER = 256  # Points in a cluster, about.
_PROBES = 12  # Clusters that each query asks for; its group scans what any of the eight asks for.
_SAMPLE, _ROUNDS = 20_000, 6  # Points and rounds of k-means.
_CHECKED = 256  # Queries that the recall is measured on.
_EMPTY, _LIMIT = np.float32(3.3e38), np.float32(3e38)  # Not infinite: LLVM is told that nothing is.


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


@dataclass(frozen=True)
class _Panels:
    """Points in panels of 16, column by column; each cluster begins with a new pair of panels.

    `keys` is half the squared norm of each place, huge where the place is empty; `places` the row of the point there;
    `starts` the first panel of each cluster.
    """

    values: np.ndarray
    keys: np.ndarray
    places: np.ndarray
    starts: np.ndarray


def _pack(X: np.ndarray, order: np.ndarray, counts: np.ndarray) -> _Panels:
    step = LANES * PANELS
    sizes = -(-counts // step) * step
    starts = np.concatenate([[0], np.cumsum(sizes)])
    places = np.full(starts[-1], -1, np.int32)
    first = np.cumsum(counts) - counts
    places[np.arange(len(order)) - np.repeat(first, counts) + np.repeat(starts[:-1], counts)] = order
    values = np.where(places[:, None] >= 0, X[places], 0)
    keys = np.where(places >= 0, np.einsum("ij,ij->i", values, values) / 2, _EMPTY).astype(np.float32)
    panels = np.ascontiguousarray(values.reshape(-1, LANES, X.shape[1]).transpose(0, 2, 1)).ravel()
    return _Panels(panels, keys, places, (starts // LANES).astype(np.int64))


@part
def _select(keys, ids, size, k):  # type: ignore[no-untyped-def]
    """Bring the k least of `size` keys to the front; the greatest of them."""
    low, high = 0, size - 1
    while low < high:
        pivot = keys[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while keys[i] < pivot:
                i += 1
            while keys[j] > pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                ids[i], ids[j] = ids[j], ids[i]
                i += 1
                j -= 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            break
    worst = keys[0]
    for i in range(1, k):
        worst = max(worst, keys[i])
    return worst


@part
def _ask(probes, every, first, group, stamps, wanted):  # type: ignore[no-untyped-def]
    """Write the clusters that any of eight queries asks for, each once, nearest first, then all others; how many."""
    count = 0
    for rank in range(probes.shape[1]):
        for q in range(QUERIES):
            c = probes[first + q, rank]
            if stamps[c] != group:
                stamps[c] = group
                wanted[count] = c
                count += 1
    if every:
        for c in range(len(wanted)):
            if stamps[c] != group:
                wanted[count] = c
                count += 1
    return count


@part
def _keep(keys, places, panel, q, name, limit, best, ids, size):  # type: ignore[no-untyped-def]
    """Add to a query's list what is below its limit among the 32 points of two panels; the new length."""
    for half in range(PANELS):
        o = (q * PANELS + half) * LANES
        found, lane = below(keys, o, limit), 0
        while found != 0:
            place = places[(panel + half) * LANES + lane]
            if found & 1 and place != name:
                best[size], ids[size] = keys[o + lane], place
                size += 1
            found >>= 1
            lane += 1
    return size


@part
def _square(a, b):  # type: ignore[no-untyped-def]
    """Squared distance of two rows, from their differences: exact for copies, unlike the keys."""
    total = np.float32(0)
    for column in range(a.shape[0]):
        total += (a[column] - b[column]) * (a[column] - b[column])
    return total


@kernel
def _scan(start, stop, queries, names, probes, every, panels, norms, places, starts, X, indices, distances):  # type: ignore[no-untyped-def]
    """Neighbours of the query groups from `start` to `stop`.

    `queries` are rows in groups of eight, `names` the row of X that each one is (which it must not find; -1 for
    none), `probes` the clusters that each asks for, which are scanned first, and alone unless
    `every`. Results are in the order of the queries.
    """
    columns, k, flat, clusters = X.shape[1], indices.shape[1], queries.ravel(), starts.shape[0] - 1
    room = 2 * k + 2 * PANELS * LANES
    best, ids = np.empty((QUERIES, room), np.float32), np.empty((QUERIES, room), np.int32)
    sizes, limits = np.zeros(QUERIES, np.int64), np.empty(QUERIES, np.float32)
    keys, wanted = np.empty(QUERIES * PANELS * LANES, np.float32), np.empty(clusters, np.int64)
    stamps = np.full(clusters, -1)
    for group in range(start, stop):
        first = group * QUERIES
        sizes[:] = 0
        limits[:] = _LIMIT
        for number in range(_ask(probes, every, first, group, stamps, wanted)):
            c = wanted[number]
            for panel in range(starts[c], starts[c + 1], PANELS):
                for q in range(QUERIES):
                    for lane in range(PANELS * LANES):
                        keys[q * PANELS * LANES + lane] = norms[panel * LANES + lane]
                products(flat, first * columns, panels, panel * columns * LANES, columns, keys, 0)
                for q in range(QUERIES):
                    sizes[q] = _keep(keys, places, panel, q, names[first + q], limits[q], best[q], ids[q], sizes[q])
                    if sizes[q] > room - PANELS * LANES:
                        limits[q] = _select(best[q], ids[q], sizes[q], k)
                        sizes[q] = k
        for q in range(min(QUERIES, indices.shape[0] - first)):
            if sizes[q] < k:
                indices[first + q, 0] = -1
                continue
            _select(best[q], ids[q], sizes[q], k)
            for r in range(k):
                j = ids[q, r]
                indices[first + q, r], distances[first + q, r] = j, _square(queries[first + q], X[j])


def _search(
    queries: np.ndarray,
    names: np.ndarray,
    probes: np.ndarray | None,
    every: bool,
    panels: _Panels,
    X: np.ndarray,
    k: int,
    threads: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Indices and squared distances of the k nearest of X to each query among the clusters that `_ask` has of them.

    A row starts with -1 if fewer than k points were scanned.
    """
    if probes is None:
        probes = np.empty((len(queries), 0), np.int32)
    n, extra = len(queries), -len(queries) % QUERIES
    indices, distances = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    queries = np.concatenate([queries, np.repeat(queries[-1:], extra, axis=0)]) if extra else queries
    names = np.concatenate([names, np.full(extra, -1)]).astype(np.int32)
    probes = np.concatenate([probes, np.repeat(probes[-1:], extra, axis=0)]) if extra else probes
    groups = len(queries) // QUERIES

    def work(thread: int) -> None:
        start, stop = thread * groups // threads, (thread + 1) * groups // threads
        _scan(
            start,
            stop,
            queries,
            names,
            probes,
            every,
            panels.values,
            panels.keys,
            panels.places,
            panels.starts,
            X,
            indices,
            distances,
        )

    together(threads, work)
    return indices, distances


def _nearest(X: np.ndarray, centers: np.ndarray, k: int, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest centres of each row, in no particular order, and the nearest of them."""
    whole = _pack(centers, np.arange(len(centers)), np.array([len(centers)]))
    found, squares = _search(X, np.full(len(X), -1), None, True, whole, centers, k, threads)
    return found, found[np.arange(len(X)), squares.argmin(axis=1)]


def _cluster(X: np.ndarray, threads: int, rng: np.random.Generator) -> np.ndarray:
    """Centres of about n / 256 clusters, in a chain from neighbour to neighbour."""
    count = max(1, len(X) // _CLUSTER)
    sample = X if len(X) <= _SAMPLE else X[np.sort(rng.choice(len(X), max(_SAMPLE, 16 * count), replace=False))]
    centers = sample[np.sort(rng.choice(len(sample), count, replace=False))]
    for _ in range(_ROUNDS):
        labels = _nearest(sample, centers, 1, threads)[1]
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
    exact = n <= _EXACT if exact is None else exact
    X = np.ascontiguousarray(X - X.mean(axis=0, dtype=np.float64).astype(np.float32))
    centers = _cluster(X, threads, np.random.default_rng(seed))
    probes, labels = _nearest(X, centers, min(_PROBES, len(centers)), threads)
    order = np.argsort(labels, kind="stable")
    panels = _pack(X, order, np.bincount(labels, minlength=len(centers)))
    queries, probes = X[order], probes[order]
    found, squares = _search(queries, order, probes, exact, panels, X, k, threads)
    short = np.flatnonzero(found[:, 0] < 0)
    if len(short):
        found[short], squares[short] = _search(queries[short], order[short], None, True, panels, X, k, threads)
    share = None if exact else _recall(found, order, panels, X, seed, threads)
    indices, distances = np.empty_like(found), np.empty_like(squares)
    indices[order], distances[order] = found, squares
    return Neighbors(indices, distances, order, share)


def _recall(found: np.ndarray, order: np.ndarray, panels: _Panels, X: np.ndarray, seed: int, threads: int) -> float:
    """Share of the true neighbours that were found, on a sample; `found` is in the order of `order`."""
    k = found.shape[1]
    rows = np.random.default_rng(seed).choice(len(X), min(_CHECKED, len(X)), replace=False)
    names = order[rows]
    true = _search(X[names], names, None, True, panels, X, k, threads)[0]
    hits = sum(len(np.intersect1d(a, b)) for a, b in zip(true, found[rows], strict=True))
    return float(hits / (k * len(rows)))
