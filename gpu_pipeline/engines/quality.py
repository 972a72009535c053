"""The scores that are over pairs of rows, on a GPU: what `metrics` has, by array algebra in float64."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import metrics
from ..affinities import conditional_probabilities
from ..nearness import map_neighbors, product_rounding, rank_limits, slices, squares_to
from .columns import means
from .failure import guarded

_NUMBERS = 2**24
"""Numbers in a working array at most, 128 MiB."""


@guarded("the silhouette")
def silhouette(points: np.ndarray, clusters: np.ndarray, queries: np.ndarray, xp: Any) -> float:
    """`metrics.silhouette` in the arrays of `xp`, CuPy or NumPy."""
    _, codes, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    places = xp.asarray(points[np.argsort(codes, kind="stable")], dtype=np.float64)
    ends = np.cumsum(sizes)
    sums = np.empty((len(queries), len(sizes)))
    for part in slices(len(queries), max(1, _NUMBERS // len(points))):
        away = xp.sqrt(_squares(xp.asarray(points[queries[part]], dtype=np.float64), places))
        of_each = (away[:, end - size : end].sum(axis=1) for size, end in zip(sizes, ends, strict=True))
        sums[part] = _host(xp.stack(list(of_each), axis=1))
    return float(metrics.silhouettes(sums, codes[queries], sizes).mean())


@guarded("trustworthiness")
def trustworthiness(X: Any, embedding: np.ndarray, k: int, queries: np.ndarray, xp: Any) -> float:
    """`metrics.trustworthiness` in the arrays of `xp`, of which X is one; the map is NumPy's."""
    n, columns = X.shape
    centre, rounding = means(xp, X), product_rounding(columns)
    rows, others = xp.asarray(queries), xp.asarray(map_neighbors(embedding, k, queries))
    Q = X[rows] - centre
    limits = rank_limits(Q, (X[other] - centre for other in others.T), xp)
    ranks = xp.ones(limits.shape, dtype=np.int64)
    for _, part, away in _from_others(xp, X, centre, Q, rows, rounding):
        for column, limit in enumerate(limits[part].T):
            ranks[part, column] += xp.count_nonzero(away < limit[:, None], axis=1)
    return metrics.trust(_host(ranks), n)


@guarded("the neighbours of some rows")
def nearest(X: Any, queries: np.ndarray, k: int, xp: Any) -> tuple[np.ndarray, np.ndarray]:
    """`neighbors.neighbors_of` in the arrays of `xp`, of which X is one: indices and distances in NumPy's."""
    centre, rows = means(xp, X), xp.asarray(queries)
    Q = X[rows] - centre
    found, squares = xp.zeros((len(Q), k), np.int64), xp.full((len(Q), k), np.inf)
    for held, part, away in _from_others(xp, X, centre, Q, rows):
        at, near = _least(xp, away, k)
        at, near = xp.concatenate([found[part], at + held.start], axis=1), xp.concatenate([squares[part], near], axis=1)
        found[part], squares[part] = _sorted(xp, at, near, k)
    # Once more from differences, which are exact for copies.
    squares = squares_to(Q, (X[other] - centre for other in found.T), xp)
    found, squares = _sorted(xp, found, squares, k)
    return _host(found).astype(np.int32), np.sqrt(_host(squares)).astype(np.float32)


def _from_others(
    xp: Any, X: Any, centre: Any, Q: Any, rows: Any, rounding: float = 1.0
) -> Iterator[tuple[slice, slice, Any]]:
    """For tiles of some rows of X and some queries, the squared distances less those of the queries from the centre.

    Q are the queries less the centre, of `rows` of X; of itself a query is infinitely far. `rounding` multiplies the
    squares of the rows, see `product_rounding`.
    """
    for held in slices(len(X), max(1, _NUMBERS // max(X.shape[1], 256))):
        B = X[held] - centre
        squares = rounding * (B**2).sum(axis=1)
        for part in slices(len(Q), max(1, _NUMBERS // len(B))):
            away = (-2 * Q[part]) @ B.T
            away += squares
            own = rows[part] - held.start
            here = xp.flatnonzero((own >= 0) & (own < len(B)))
            away[here, own[here]] = np.inf
            yield held, part, away


def _least(xp: Any, values: Any, k: int) -> tuple[Any, Any]:
    """The k least of each line, in order, which are overwritten by infinity: where they were and what, (lines, k)."""
    lines = xp.arange(len(values))
    at, least = xp.empty((len(values), k), np.int64), xp.empty((len(values), k))
    for column in range(k):
        at[:, column] = where = values.argmin(axis=1)
        least[:, column] = values[lines, where]
        values[lines, where] = np.inf
    return at, least


def _sorted(xp: Any, names: Any, values: Any, k: int) -> tuple[Any, Any]:
    """The k least values of each line, in order, and their names."""
    lines, order = xp.arange(len(values))[:, None], xp.argsort(values, axis=1)[:, :k]
    return names[lines, order], values[lines, order]


@guarded("the KL divergence")
def kl(indices: np.ndarray, distances: np.ndarray, embedding: np.ndarray, perplexity: float, xp: Any) -> float:
    """`metrics.kl_divergence` of `metrics.joint_probabilities` in the arrays of `xp`; all given are NumPy's."""
    n, k = indices.shape
    places = xp.asarray(embedding, dtype=np.float64)
    p, attraction = xp.empty((n, k)), 0.0
    for part in slices(n, max(1, _NUMBERS // k)):
        p[part] = conditional_probabilities(xp.asarray(distances[part], dtype=np.float64) ** 2, perplexity, xp)
        near = places[xp.asarray(indices[part])]
        attraction += float((p[part] * xp.log1p(((near - places[part, None]) ** 2).sum(axis=2))).sum())
    joint = _joint(xp, xp.asarray(indices), p)
    entropy = -2 * float((joint * xp.log(joint)).sum())
    return float(attraction / n - entropy + math.log(_normalisation(xp, places)))


def _joint(xp: Any, indices: Any, p: Any) -> Any:
    """Joint probabilities above 0, (p_j|i + p_i|j) / 2n, each pair of points once; where one is not given it is 0."""
    n = len(p)
    rows = xp.arange(n, dtype=np.int64)[:, None]
    pairs = (xp.minimum(rows, indices) * n + xp.maximum(rows, indices)).ravel()
    order = xp.argsort(pairs)
    pairs, joint = pairs[order], p.ravel()[order]
    again = xp.flatnonzero(pairs[1:] == pairs[:-1])
    joint[again] += joint[again + 1]
    joint[again + 1] = 0
    return joint[joint > 0] / (2 * n)


def _normalisation(xp: Any, places: Any) -> float:
    """Sum of 1 / (1 + d^2) over all ordered pairs of different points."""
    return math.fsum(_similarities(xp, places))


def _similarities(xp: Any, places: Any) -> Iterator[float]:
    n = len(places)
    for part in slices(n, max(1, _NUMBERS // n)):
        squares = _squares(places[part], places)
        squares += 1
        similarity = xp.reciprocal(squares, out=squares)
        lines = xp.arange(len(squares))
        similarity[lines, lines + part.start] = 0
        yield float(similarity.sum())


def _squares(a: Any, b: Any) -> Any:
    """Squared distances of points in the plane, (m, n), from differences."""
    along, across = a[:, :1] - b[:, 0], a[:, 1:] - b[:, 1]
    along *= along
    across *= across
    along += across
    return along


def _host(array: Any) -> np.ndarray:
    """The array in NumPy."""
    host: np.ndarray = array if isinstance(array, np.ndarray) else array.get()
    return host
