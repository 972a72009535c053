"""From neighbours to symmetric affinities: the bandwidth of each point, and P in the order in which the map is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...compiling import kernel
from .simd import LANES
from .team import together

_ROUNDS = 100  # Steps of the bandwidth search at most; Newton's need four to eight.


@dataclass(frozen=True)
class Edges:
    """Symmetric affinities in compressed rows, each a multiple of 16 long, filled up with the row's own number at p =
    0.

    Attributes
    ----------
    indptr
        Start of each row, (n + 1,) int64.
    indices
        Neighbours, uint32: the negative-index test of a signed type costs half of the time.
    p
        Affinities, float32; their sum is 1.
    negative_entropy
        Sum of p log p, in nats.
    """

    indptr: np.ndarray
    indices: np.ndarray
    p: np.ndarray
    negative_entropy: float


@kernel
def _search_bandwidths(distances, perplexity, start, stop, p):  # type: ignore[no-untyped-def]
    """Conditional affinities of rows `start` to `stop`: exp(-beta d) with the entropy log(perplexity), for squared
    distances d.

    Newton's method on log beta inside a bracket; the distances are taken less the least one, so that nothing
    underflows.
    """
    k = distances.shape[1]
    wanted = np.log(perplexity)
    for i in range(start, stop):
        least, mean = np.float64(np.inf), 0.0
        for j in range(k):
            least = min(least, np.float64(distances[i, j]))
            mean += distances[i, j]
        low, high = -np.inf, np.inf
        x = -np.log(max(mean / k - least, 1e-30))
        beta, s = 0.0, float(k)
        for _ in range(_ROUNDS):
            beta, s, sd, sdd = np.exp(x), 0.0, 0.0, 0.0
            for j in range(k):
                d = np.float64(distances[i, j]) - least
                e = np.exp(-beta * d)
                s += e
                sd += e * d
                sdd += e * d * d
            gap = np.log(s) + beta * sd / s - wanted
            if abs(gap) < 1e-6:
                break
            if gap > 0:
                low = x
            else:
                high = x
            slope = beta * beta * (sdd / s - (sd / s) ** 2)
            x += min(max(gap / max(slope, 1e-12), -2.0), 2.0)
            if x <= low or x >= high:
                x = (low + high) / 2 if high < np.inf and low > -np.inf else (low + 2 if high == np.inf else high - 2)
            if high - low < 1e-12 or abs(x) > 80:
                break
        for j in range(k):
            p[i, j] = np.exp(-beta * (np.float64(distances[i, j]) - least)) / s


@dataclass(frozen=True)
class Widths:
    """How far each row's affinity reaches: log p_i|j = level_j - beta_j d^2, with the squared distance d^2 of i and j.

    Attributes
    ----------
    beta, level
        (n,) float32, of NumPy or on a GPU.
    """

    beta: Any
    level: Any


@kernel
def _match(indices, p, start, stop, back):  # type: ignore[no-untyped-def]
    """For the edges i to j of some rows: the affinity of j to i, or -1 if i is no neighbour of j."""
    k = indices.shape[1]
    for i in range(start, stop):
        for a in range(k):
            j, found = indices[i, a], -1
            for b in range(k):
                if indices[j, b] == i:
                    found = b
            back[i, a] = p[j, found] if found >= 0 else np.float32(-1)


@kernel
def _count(indices, back, place, start, stop, sizes):  # type: ignore[no-untyped-def]
    """Edges of the rows `start` to `stop` of the symmetric matrix, in the map's order."""
    n, k = indices.shape
    for i in range(n):
        if start <= place[i] < stop:
            sizes[place[i]] += k
        for a in range(k):
            if back[i, a] < 0 and start <= place[indices[i, a]] < stop:
                sizes[place[indices[i, a]]] += 1


@kernel
def _fill(indices, p, back, place, order, scale, start, stop, cursors, columns, values):  # type: ignore[no-untyped-def]
    """Write the edges of the rows `start` to `stop`, in the map's order, in which all points are looked at."""
    k = indices.shape[1]
    for i in order:
        row = np.int64(place[i])
        for a in range(k):
            column = np.int64(place[indices[i, a]])
            if start <= row < stop:
                o = cursors[row]
                cursors[row] = o + 1
                columns[o] = column
                values[o] = (p[i, a] + max(back[i, a], np.float32(0))) * scale
            if back[i, a] < 0 and start <= column < stop:
                o = cursors[column]
                cursors[column] = o + 1
                columns[o] = row
                values[o] = p[i, a] * scale


def symmetrize(indices: np.ndarray, distances: np.ndarray, perplexity: float, order: np.ndarray, threads: int) -> Edges:
    """Affinities of t-SNE, p_ij = (p_j|i + p_i|j) / 2n, renumbered so that row i is point `order[i]`.

    Parameters
    ----------
    indices, distances
        Neighbours of each point and their squared distances, (n, k).
    perplexity
        Effective number of neighbours, less than k.
    """
    return join(indices, conditional(distances, perplexity, threads), order, threads)


def conditional(distances: np.ndarray, perplexity: float, threads: int) -> np.ndarray:
    """Affinities p_j|i of each row to its neighbours at these squared distances, (n, k) float32; a row's sum is 1."""
    p = np.empty(distances.shape, np.float32)
    bounds = np.arange(threads + 1) * len(p) // threads
    together(threads, lambda t: _search_bandwidths(distances, float(perplexity), bounds[t], bounds[t + 1], p))
    return p


def widths(distances: Any, p: Any, xp: Any = np) -> Widths:
    """The bandwidths that gave the affinities p, (n, k), at these squared distances, in arrays of `xp`."""
    rows = xp.arange(len(p))
    near = distances.argmin(axis=1)
    far = xp.where(p > 1e-30, distances, -1).argmax(axis=1)  # Beyond, the logarithm has no digits.
    step = distances[rows, far].astype(np.float64) - distances[rows, near]
    first = xp.log(p[rows, near].astype(np.float64))
    fall = first - xp.log(p[rows, far].astype(np.float64))
    beta = xp.where(step > 0, xp.maximum(fall, 0) / xp.where(step > 0, step, 1), 0)
    return Widths(beta.astype(np.float32), (first + beta * distances[rows, near]).astype(np.float32))


def join(indices: np.ndarray, p: np.ndarray, order: np.ndarray, threads: int) -> Edges:
    """The symmetric affinities of conditional ones, (n, k) both; see `symmetrize`."""
    n, k = indices.shape
    back = np.empty((n, k), np.float32)
    bounds = np.arange(threads + 1) * n // threads
    together(threads, lambda t: _match(indices, p, bounds[t], bounds[t + 1], back))
    place = np.empty(n, np.uint32)
    place[order] = np.arange(n, dtype=np.uint32)
    sizes = np.zeros(n, np.int64)
    together(threads, lambda t: _count(indices, back, place, bounds[t], bounds[t + 1], sizes))
    indptr = np.concatenate([[0], np.cumsum(-(-sizes // LANES) * LANES)])
    columns = np.repeat(np.arange(n, dtype=np.uint32), np.diff(indptr))
    values = np.zeros(indptr[-1], np.float32)
    cursors, scale = indptr[:-1].copy(), np.float32(0.5 / n)
    together(
        threads,
        lambda t: _fill(indices, p, back, place, order, scale, bounds[t], bounds[t + 1], cursors, columns, values),
    )
    positive = values[values > 0]
    return Edges(indptr, columns, values, float((positive * np.log(positive)).sum(dtype=np.float64)))
