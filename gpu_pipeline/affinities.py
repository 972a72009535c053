"""The judge's side of t-SNE: the affinities of the data, and how far a map is from them.

One judge for every engine: the same affinities from exact neighbours, and the exact sum over all
pairs of the map, in double precision.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .nearness import slices
from .processors import in_threads

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_ROWS = 4096
_STEPS = 200
_TOLERANCE = 1e-9


def joint_probabilities(indices: np.ndarray, distances: np.ndarray, perplexity: float) -> csr_matrix:
    """Symmetric affinities of neighbour lists: Gaussian kernels, each as wide as the perplexity asks.

    Parameters
    ----------
    indices, distances
        (n, k) neighbours of each point and their distances, the point itself left out.
    perplexity
        Effective number of neighbours: exp of the entropy of each row, to 1e-9 in the entropy.
        Where it cannot be had, the nearest that can: with perplexity >= k all k neighbours weigh the
        same, and with more equally nearest neighbours than `perplexity`, those and no others do.

    Returns
    -------
    csr_matrix
        (n, n) float64, symmetric, sum 1: (p_ij + p_ji) / 2n.

    References
    ----------
    van der Maaten & Hinton 2008, JMLR 9:2579-2605, section 2.
    """
    from scipy.sparse import csr_matrix

    n, k = indices.shape
    conditional = np.empty((n, k))

    def search(rows: slice) -> None:
        conditional[rows] = conditional_probabilities(distances[rows].astype(np.float64) ** 2, perplexity)

    in_threads(search, slices(n, _ROWS))
    one_way = csr_matrix((conditional.ravel(), indices.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))
    P = (one_way + one_way.T).tocsr()
    P.data /= P.data.sum()
    return P


def conditional_probabilities(squared: Any, perplexity: float, xp: Any = np) -> Any:
    """Rows of exp(-beta d^2), normalised, with beta such that each row has the entropy log(perplexity).

    In arrays of `xp`, NumPy or CuPy: (n, k) float64.
    """
    shifted = squared - squared.min(axis=1, keepdims=True)
    ties = xp.count_nonzero(shifted == 0, axis=1)
    target = math.log(perplexity)
    uniform = xp.full(len(shifted), perplexity >= shifted.shape[1])
    nearest = ~uniform & (xp.log(ties) >= target)
    p = xp.where(shifted == 0, 1.0 / ties[:, None], 0.0)
    p[uniform] = 1.0 / shifted.shape[1]
    search = xp.flatnonzero(~uniform & ~nearest)
    p[search] = _search(shifted[search], target, xp)
    return p


def _search(shifted: Any, target: float, xp: Any) -> Any:
    """The rows' kernels by Newton's method on log(beta), kept inside a bracket that halves when it must.

    The entropy falls from log(k) to the logarithm of the number of nearest neighbours as beta grows,
    its slope in log(beta) is -beta^2 var(d^2), and `target` lies between the two.
    """
    p = xp.empty_like(shifted)
    left = xp.arange(len(shifted))
    D = shifted / shifted.mean(axis=1, keepdims=True)
    log_beta = xp.zeros(len(D))
    low, high = xp.full(len(D), -np.inf), xp.full(len(D), np.inf)
    for _ in range(_STEPS):
        beta = xp.exp(log_beta)
        weight = xp.exp(-beta[:, None] * D)
        total = weight.sum(axis=1)
        weight /= total[:, None]
        mean = (weight * D).sum(axis=1)
        excess = xp.log(total) + beta * mean - target
        p[left] = weight
        going = xp.abs(excess) > _TOLERANCE
        if not going.any():
            break
        low = xp.where(excess > 0, log_beta, low)
        high = xp.where(excess > 0, high, log_beta)
        slope = beta**2 * ((weight * (D - mean[:, None]) ** 2).sum(axis=1))
        # Where the entropy is flat Newton's step is endless: one of 4 widens the bracket instead.
        step = xp.clip(excess / xp.maximum(slope, 1e-300), -4.0, 4.0)
        tried = log_beta + step
        inside = (tried > low) & (tried < high)
        log_beta = xp.where(inside, tried, (low + high) / 2)
        left, D, log_beta, low, high = left[going], D[going], log_beta[going], low[going], high[going]
    return p


def kl_divergence(P: csr_matrix, embedding: np.ndarray) -> float:
    """Kullback-Leibler divergence of a map's Student-t similarities from the affinities of the data.

    Parameters
    ----------
    P
        (n, n) affinities, symmetric, sum 1, as `joint_probabilities` makes them.
    embedding
        (n, 2) map.

    Returns
    -------
    float
        In nats, from 0 (the map has exactly these affinities) upwards; lower is better. Chance: a map
        that knows nothing, with all points at one place, has log(n (n - 1)) - entropy(P); a random map
        that is spread out has that or more. Values compare only for the same data and perplexity.

    Notes
    -----
    The normalisation is the exact sum over all n (n - 1) pairs: 70,000 points take seconds.

    References
    ----------
    van der Maaten & Hinton 2008, JMLR 9:2579-2605, equations 2 and 4.
    """
    from .normalisation import normalisation  # Imports a compiler, which most commands can do without.

    Y = np.asarray(embedding, dtype=np.float64)
    pairs = P.tocoo()

    def term(rows: slice) -> float:
        known = pairs.data[rows] > 0
        p, i, j = pairs.data[rows][known], pairs.row[rows][known], pairs.col[rows][known]
        attraction = np.log1p(((Y[i] - Y[j]) ** 2).sum(axis=1))
        return float((p * (np.log(p) + attraction)).sum())

    terms = in_threads(term, slices(P.nnz, 2**18))
    return math.fsum(terms) + float(P.sum()) * math.log(normalisation(Y))
