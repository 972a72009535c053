"""Classes against clusters, and the points that lie among another class: figures, worked out from codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .votes import Votes


@dataclass(frozen=True, eq=False)
class Confusion:
    """Classes against clusters.

    Attributes
    ----------
    classes
        (c,) codes of the labels that points have.
    clusters
        (k,) codes of the clusters, each under the class that it is matched to, so that the diagonal is agreement;
        those without a class come last.
    counts
        (c, k) points.
    owners
        Place among the classes of the class that each matched cluster stands for: 0, 1, 2, ... unless there are
        fewer clusters than classes.
    """

    classes: np.ndarray
    clusters: np.ndarray
    counts: np.ndarray
    owners: list[int]


def crossed(one: np.ndarray, other: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """How many points have each pair of codes, (rows, columns).

    Parameters
    ----------
    one, other
        (n,) codes, below `rows` and `columns`.
    """
    return np.bincount(one.astype(np.int64) * columns + other, minlength=rows * columns).reshape(rows, columns)


def confusion(table: np.ndarray, no_label: int = -1, no_cluster: int = -1) -> Confusion:
    """Match clusters to classes one to one, with the most points on the diagonal.

    Parameters
    ----------
    table
        (labels, clusters) points of each pair of codes, from `crossed`; what has none is left out.
    no_label, no_cluster
        Codes of the points without a label or a cluster, which are left out; -1 if there are none.

    References
    ----------
    Kuhn 1955 (the assignment problem), doi:10.1002/nav.3800020109.
    """
    from scipy.optimize import linear_sum_assignment

    labels, clusters = table.shape
    inside = table * np.outer(np.arange(labels) != no_label, np.arange(clusters) != no_cluster)
    classes, ids = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    inside = inside[np.ix_(classes, ids)]
    owners, matched = linear_sum_assignment(inside, maximize=True)
    order = [*matched.tolist(), *sorted(set(range(len(ids))) - set(matched.tolist()))]
    return Confusion(classes, ids[order], inside[:, order], owners.tolist())


def strangers(codes: np.ndarray, votes: Votes) -> np.ndarray:
    """Positions of the points that lie among another class on the map, the surest first, of equals the first first.

    Parameters
    ----------
    codes
        (n,) class of each point.
    votes
        From `vote` over the same points.
    """
    found = np.flatnonzero(votes.among != codes)
    return found[np.argsort(-votes.share[found], kind="stable")]
