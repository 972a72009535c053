"""How far clusters and labels agree, from their table of counts alone: one row a class, one column a cluster.

For rows that are never in one memory together; of arrays `metrics` has the same scores.
"""

from __future__ import annotations

import numpy as np


def accuracy(counts: np.ndarray) -> float:
    """Share of rows that are right when clusters are matched one to one to classes; see `metrics.accuracy`."""
    from scipy.optimize import linear_sum_assignment

    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / counts.sum())


def purity(counts: np.ndarray) -> float:
    """Share of rows that have the majority label of their cluster; see `metrics.purity`."""
    return float(counts.max(axis=0).sum() / counts.sum())


def bound(counts: np.ndarray) -> float:
    """The most that accuracy and purity could be with as many clusters: the share of as many of the largest classes."""
    classes = np.sort(counts.sum(axis=1))[::-1]
    return float(classes[: counts.shape[1]].sum() / counts.sum())


def ari(counts: np.ndarray) -> float:
    """Adjusted Rand index; see `metrics.ari`. Exact: pairs of ten billion rows do not fit in 64 bits."""
    cells = [int(value) for value in counts.ravel()]
    both = sum(value * (value - 1) for value in cells)
    classes, clusters = (sum(int(value) * (int(value) - 1) for value in counts.sum(axis=axis)) for axis in (1, 0))
    n = sum(cells)
    pairs = n * (n - 1)
    # By n (n - 1) throughout, so that all but the last division is of whole numbers.
    above, below = 2 * (both * pairs - classes * clusters), (classes + clusters) * pairs - 2 * classes * clusters
    return 1.0 if below == 0 else above / below


def nmi(counts: np.ndarray) -> float:
    """Mutual information over the mean of the two entropies; see `metrics.nmi`."""
    shares = counts / counts.sum()
    rows, columns = shares.sum(axis=1, keepdims=True), shares.sum(axis=0, keepdims=True)
    there = shares > 0
    mutual = float((shares[there] * np.log(shares[there] / (rows @ columns)[there])).sum())
    mean = (_entropy(rows) + _entropy(columns)) / 2
    # One class and one cluster agree, as scikit-learn has it.
    return 1.0 if mean == 0 else max(mutual, 0.0) / mean


def _entropy(shares: np.ndarray) -> float:
    there = shares[shares > 0]
    return float(-(there * np.log(there)).sum())
