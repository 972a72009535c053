"""Which of many points are nearest to a query: products of eight queries with thirty-two points in registers, and a
`shortlist` of each that looks only at what may be nearer than the worst neighbour so far.

Keys come from the rows less the centre of the points' cluster, so that little is lost where one column is much wider
than the others, or one point far from all.

A query is shown what any of the eight asks for, in an order that depends on all of them; `index` has no such groups.
Two panels at a time are points between two distances from their cluster's centre: they are passed over where, by the
triangle inequality, all are further from each of the eight than its worst neighbour so far.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...compiling import kernel, part
from .shortlist import LIMIT, beyond, finish, keep, margin_of, tighten
from .simd import LANES
from .team import together
from .tiles import PANELS, QUERIES, below, products

_EMPTY = np.float32(3.3e38)  # Beyond `LIMIT`.

TEAM = 16
"""Groups of queries that look at a cluster one after the other, while its points are in the processor's cache."""


class Panels(NamedTuple):
    """Points in panels of 16, column by column; each cluster begins with a new pair of panels.

    `values` are less the `centers` of the clusters; `keys` is half the squared norm of each, huge where a place is
    empty; `places` the row of the point there; `starts` the first panel of each cluster; `radii` the greatest norm;
    `shells` the least and the greatest of each pair of panels.
    """

    values: np.ndarray
    keys: np.ndarray
    places: np.ndarray
    starts: np.ndarray
    centers: np.ndarray
    radii: np.ndarray
    shells: np.ndarray


def pack(X: np.ndarray, order: np.ndarray, counts: np.ndarray, centers: np.ndarray) -> Panels:
    """The rows `order` of X, of which each cluster has the next `counts`, in panels."""
    step = LANES * PANELS
    sizes = -(-counts // step) * step
    starts = np.concatenate([[0], np.cumsum(sizes)])
    places = np.full(starts[-1], -1, np.int32)
    first = np.cumsum(counts) - counts
    places[np.arange(len(order)) - np.repeat(first, counts) + np.repeat(starts[:-1], counts)] = order
    values = np.where(places[:, None] >= 0, X[places] - np.repeat(centers, sizes, axis=0), 0)
    halves = np.einsum("ij,ij->i", values, values) / 2
    keys = np.where(places >= 0, halves, _EMPTY).astype(np.float32)
    panels = np.ascontiguousarray(values.reshape(-1, LANES, X.shape[1]).transpose(0, 2, 1)).ravel()
    ends = keys.reshape(-1, step).min(axis=1), halves.reshape(-1, step).max(axis=1)
    shells = np.sqrt(2 * np.stack(ends, axis=1))
    radii = np.zeros(len(counts), np.float32)
    radii[counts > 0] = np.maximum.reduceat(shells[:, 1], starts[:-1][counts > 0] // step)
    return Panels(panels, keys, places, (starts // LANES).astype(np.int64), centers, radii, shells)


@part
def _ask(probes, every, base, groups, stamps, todo):  # type: ignore[no-untyped-def]
    """Write which group of a team looks at which cluster, in that order; how many entries.

    Each group looks first at what any of its eight queries asks for, nearest first; then all look at all others, one
    cluster after the other, so that its points are fetched once for the whole team.
    """
    count = 0
    for g in range(groups):
        for rank in range(probes.shape[1]):
            for q in range(QUERIES):
                c = probes[(base + g) * QUERIES + q, rank]
                if stamps[g, c] != base:
                    stamps[g, c] = base
                    todo[count, 0], todo[count, 1] = g, c
                    count += 1
    if every:
        for c in range(stamps.shape[1]):
            for g in range(groups):
                if stamps[g, c] != base:
                    todo[count, 0], todo[count, 1] = g, c
                    count += 1
    return count


@part
def shift(query, center, radius, flat, q):  # type: ignore[no-untyped-def]
    """Write a query less the centre of a cluster as row q of a flat array; half its squared norm, and the margin of the
    keys of that cluster's points."""
    columns, total = query.shape[0], np.float32(0)
    row = flat[q * columns : (q + 1) * columns]  # so that LLVM sees that the loop can be done in registers
    for column in range(columns):
        value = query[column] - center[column]
        row[column] = value
        total += value * value
    reach = np.sqrt(total) + radius
    return total / 2, margin_of(columns, reach * reach / 2)


@part
def _span(half, limit, margin, q, span):  # type: ignore[no-untyped-def]
    """Write between which distances from the centre of a cluster points may be that are below a query's limit: the
    least, and 16 places on the greatest, negative.

    By the triangle inequality half the square of what is missing is below it. The margin, which both distances have and
    these roots, is counted three times.
    """
    away = np.sqrt(np.float32(2) * half)
    reach = np.float32(1.4142137) * np.sqrt(min(beyond(limit, margin), LIMIT) + np.float32(3) * margin)
    span[q], span[LANES + q] = away - reach, -(away + reach)


@kernel
def _scan(start, stop, queries, names, probes, every, panels, X, indices, distances):  # type: ignore[no-untyped-def]
    """Neighbours of the query groups from `start` to `stop`.

    `queries` are rows in groups of eight, `names` the row of X that each one is (which it must not find; -1 for
    none), `probes` the clusters that each asks for, which are scanned first, and alone unless
    `every`. Results are in the order of the queries.
    """
    values, norms, places, starts, centers, radii, shells = panels
    columns, k, clusters, width = X.shape[1], indices.shape[1], starts.shape[0] - 1, PANELS * LANES
    room, rows = 2 * k + 2 * width, TEAM * QUERIES
    best, ids = np.empty((rows, room), np.float32), np.empty((rows, room), np.int32)
    sizes, limits, margins = np.zeros(rows, np.int64), np.empty(rows, np.float32), np.empty(rows, np.float32)
    flat, keys = np.empty(QUERIES * columns, np.float32), np.empty(QUERIES * width, np.float32)
    halves, wide = np.empty(QUERIES, np.float32), np.empty(QUERIES, np.float32)
    span = np.full(2 * LANES, LIMIT)
    stamps, todo = np.full((TEAM, clusters), -1), np.empty((TEAM * clusters, 2), np.int64)
    for base in range(start, stop, TEAM):
        sizes[:] = 0
        limits[:] = LIMIT
        margins[:] = 0
        for number in range(_ask(probes, every, base, min(TEAM, stop - base), stamps, todo)):
            g, c = todo[number, 0], todo[number, 1]
            first, own = (base + g) * QUERIES, g * QUERIES
            for q in range(QUERIES):
                halves[q], wide[q] = shift(queries[first + q], centers[c], radii[c], flat, q)
                _span(halves[q], limits[own + q], wide[q], q, span)
            for panel in range(starts[c], starts[c + 1], PANELS):
                least, greatest = shells[panel // PANELS, 0], shells[panel // PANELS, 1]
                if below(span, 0, greatest) & below(span, LANES, -least) == 0:
                    continue
                for q in range(QUERIES):
                    for lane in range(width):
                        keys[q * width + lane] = norms[panel * LANES + lane]
                products(flat, 0, values, panel * columns * LANES, columns, keys, 0)
                for q in range(QUERIES):
                    i = own + q
                    limit = min(beyond(limits[i], wide[q]), LIMIT)
                    size = keep(keys, places, panel, q, names[first + q], limit, halves[q], best[i], ids[i], sizes[i])
                    if size > sizes[i]:
                        sizes[i], margins[i] = size, max(margins[i], wide[q])
                    if size > room - width:
                        sizes[i], limits[i], margins[i] = tighten(
                            best[i], ids[i], size, k, margins[i], queries[first + q], X
                        )
                        _span(halves[q], limits[i], wide[q], q, span)
        for row in range(base * QUERIES, min((base + TEAM) * QUERIES, stop * QUERIES, indices.shape[0])):
            i = row - base * QUERIES
            finish(best[i], ids[i], sizes[i], k, margins[i], queries[row], X, indices[row], distances[row])


def search(
    queries: np.ndarray,
    names: np.ndarray,
    probes: np.ndarray | None,
    every: bool,
    panels: Panels,
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
        _scan(start, stop, queries, names, probes, every, panels, X, indices, distances)

    together(threads, work)
    return indices, distances


def nearest(X: np.ndarray, centers: np.ndarray, k: int, threads: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest centres of each row, in no particular order, and the nearest of them."""
    whole = pack(centers, np.arange(len(centers)), np.array([len(centers)]), np.zeros_like(centers[:1]))
    found, squares = search(X, np.full(len(X), -1), None, True, whole, centers, k, threads)
    return found, found[np.arange(len(X)), squares.argmin(axis=1)]
