"""Who is near whom: neighbours on a map, and the ranks of neighbours in the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .errors import InputError
from .processors import in_threads


def slices(n: int, size: int) -> Iterator[slice]:
    """Consecutive pieces of range(n), so that work in proportion to `size` fits in memory."""
    return (slice(start, start + size) for start in range(0, n, size))


def not_self(indices: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Which of k + 1 neighbours, (m, k + 1), to keep so that each row has k and not itself: a mask.

    Among more than k duplicates a row may be missing from its own list: then the last neighbour goes.
    """
    others: np.ndarray = indices != rows[:, None]
    others[others.all(axis=1), -1] = False
    return others


def map_neighbors(embedding: np.ndarray, k: int, queries: np.ndarray | None = None) -> np.ndarray:
    """The k nearest points on the map, nearest first, (m, k) int32, the point itself left out.

    Raises
    ------
    InputError
        If there are fewer than k other points.
    """
    from scipy.spatial import cKDTree

    n = len(embedding)
    if not 1 <= k < n:
        raise InputError(f"k is {k} but must be at least 1 and less than the number of points, {n:,}: change k.")
    places = np.asarray(embedding, dtype=np.float64)
    rows = np.arange(n) if queries is None else np.asarray(queries)
    _, indices = cKDTree(places).query(places[rows], k + 1, workers=-1)
    others: np.ndarray = indices[not_self(indices, rows)].reshape(len(rows), k).astype(np.int32)
    return others


def nearest_places(embedding: np.ndarray, places: np.ndarray, k: int) -> np.ndarray:
    """The k points of a map nearest to each of some places, (m, 2), nearest first, (m, k) int32; k is at most n."""
    from scipy.spatial import cKDTree

    _, indices = cKDTree(np.asarray(embedding, dtype=np.float64)).query(places, np.arange(1, k + 1), workers=-1)
    return np.asarray(indices, dtype=np.int32)


def rank_in(X: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Rank of each of `others`, (m, k), among all rows of X by distance from `rows`, (m,); the nearest has 1.

    Squared distances come from matrix products of centred rows in double precision. Two are taken as equal
    when they differ by less than the rounding of that product, so that duplicates share a rank.
    """
    centre = X.mean(axis=0, dtype=np.float64)
    Q = X[rows] - centre
    limits = rank_limits(Q, (X[other] - centre for other in others.T))
    ranks = np.ones(limits.shape, dtype=np.int64)
    for columns in slices(len(X), 65_536):
        ranks += _nearer_in_threads(Q, limits, X[columns] - centre, rows - columns.start)
    return ranks


def _nearer_in_threads(Q: np.ndarray, limits: np.ndarray, B: np.ndarray, own: np.ndarray) -> np.ndarray:
    parts = slices(len(Q), 512)
    return np.concatenate(in_threads(lambda part: nearer(Q[part], limits[part], B, own[part]), parts))


def squares_to(Q: Any, others: Iterable[Any], xp: Any = np) -> Any:
    """Squared distances, (m, k), of the rows Q, (m, d), and k others of each, (m, d) at a time: exact for copies.

    In arrays of `xp`, NumPy or CuPy.
    """
    return xp.stack([((other - Q) ** 2).sum(axis=1) for other in others], axis=1)


def rank_limits(Q: Any, others: Iterable[Any], xp: Any = np) -> Any:
    """What `nearer` holds distances against, (m, k), for the rows and others of `squares_to`."""
    return squares_to(Q, others, xp) - product_rounding(Q.shape[1]) * (Q**2).sum(axis=1, keepdims=True)


def nearer(Q: np.ndarray, limits: np.ndarray, B: np.ndarray, own: np.ndarray) -> np.ndarray:
    """How many of some rows are nearer to each query than each of its others, (m, k) int64.

    Parameters
    ----------
    Q, limits
        (m, d) centred queries, float64, and the (m, k) limits of their others from `rank_limits`.
    B
        (n, d) rows, centred as Q is.
    own
        (m,) place of each query among the rows of B, out of range where it is none of them: it is not counted.
    """
    counts = np.zeros(limits.shape, dtype=np.int64)
    squares = product_rounding(Q.shape[1]) * np.einsum("ij,ij->i", B, B)  # without an array of squares in each thread
    for part in slices(len(Q), 64):
        D = (-2 * Q[part]) @ B.T
        D += squares
        here = (own[part] >= 0) & (own[part] < len(B))
        D[here, own[part][here]] = np.inf
        for line, limit, count in zip(D, limits[part], counts[part], strict=True):
            near = line[line < limit.max()]  # Of a good map few.
            count += np.count_nonzero(near[:, None] < limit, axis=0)
    return counts


def product_rounding(d: int) -> float:
    """A factor for squared norms of d columns by which rounding in their products makes none nearer than its equal."""
    return float(1 + (d + 4) * np.finfo(np.float64).eps)
