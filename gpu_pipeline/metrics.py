"""What a map is worth, in numbers: pure functions of arrays, each with its range and chance level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import contingency
from .affinities import joint_probabilities as joint_probabilities
from .affinities import kl_divergence as kl_divergence
from .errors import InputError
from .nearness import map_neighbors, rank_in, slices
from .processors import in_threads


@dataclass(frozen=True)
class Metric:
    """How a figure is to be read.

    Attributes
    ----------
    range
        Least and greatest value.
    chance
        What a map or clustering that knows nothing gets.
    higher_is_better
        False only for divergences.
    description
        What is measured, in one line.
    """

    range: tuple[float, float]
    chance: str
    higher_is_better: bool
    description: str


METRICS: dict[str, Metric] = {
    "accuracy": Metric(
        (0, 1), "about 1 / number of classes", True, "rows whose cluster, matched one to one to a class, is right"
    ),
    "purity": Metric((0, 1), "share of the largest class", True, "rows that have the majority label of their cluster"),
    "ari": Metric((-0.5, 1), "0", True, "adjusted Rand index of clusters and labels"),
    "nmi": Metric(
        (0, 1), "0, slightly more for few rows", True, "normalised mutual information of clusters and labels"
    ),
    "silhouette": Metric(
        (-1, 1), "0 or less", True, "how much nearer points are to their cluster than to the next one"
    ),
    "trustworthiness": Metric((0, 1), "0.5", True, "whether the 15 neighbours on the map are near in the data"),
    "neighbor_recall": Metric(
        (0, 1), "15 / (n - 1)", True, "share of the 15 nearest in the data also nearest on the map"
    ),
    "label_accuracy": Metric(
        (0, 1), "about the share of the largest class", True, "labels guessed from 10 neighbours on the map"
    ),
    "kl": Metric(
        (0, np.inf), "log(n (n - 1)) - entropy of the affinities, or more", False, "what t-SNE minimises, in nats"
    ),
}
"""Name of a score -> how it is to be read."""


def confusion(labels: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many rows of each class are in each cluster.

    Returns
    -------
    classes, ids, counts
        The distinct labels and the distinct clusters, both sorted, and a matrix of counts with one row
        a class and one column a cluster.
    """
    classes, label_codes = np.unique(labels, return_inverse=True)
    ids, cluster_codes = np.unique(clusters, return_inverse=True)
    cells = np.bincount(label_codes * len(ids) + cluster_codes, minlength=len(classes) * len(ids))
    return classes, ids, cells.reshape(len(classes), len(ids))


def accuracy(labels: np.ndarray, clusters: np.ndarray) -> float:
    """Share of rows that are right when clusters are matched one to one to classes as well as possible.

    Rows of a cluster without a class, or of a class without a cluster, are wrong. Range 0 to 1; chance is
    about 1 / max(classes, clusters) where they are equally large.

    References
    ----------
    Kuhn 1955 (the assignment problem), doi:10.1002/nav.3800020109.
    """
    return contingency.accuracy(confusion(labels, clusters)[2])


def purity(labels: np.ndarray, clusters: np.ndarray) -> float:
    """Share of rows that have the majority label of their cluster.

    Range 0 to 1; chance is the share of the largest class, and more with many small clusters: one cluster
    for each row has 1.
    """
    return contingency.purity(confusion(labels, clusters)[2])


def misfits(labels: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Whether each row's label differs from the majority label of its cluster, (n,) bool.

    The mean is 1 - `purity`. Of equally frequent labels the first in sorted order is the majority.
    """
    classes, ids, counts = confusion(labels, clusters)
    majority = classes[counts.argmax(axis=0)]
    return np.asarray(majority[np.searchsorted(ids, clusters)] != np.asarray(labels))


def ari(labels: np.ndarray, clusters: np.ndarray) -> float:
    """Adjusted Rand index: agreement on pairs of rows, 0 by chance, 1 at most, -0.5 at least.

    References
    ----------
    Hubert & Arabie 1985, doi:10.1007/BF01908075.
    """
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(*_codes(labels, clusters)))


def nmi(labels: np.ndarray, clusters: np.ndarray) -> float:
    """Mutual information over the mean of the two entropies: 0 to 1, by chance 0 and slightly more for few rows.

    References
    ----------
    Vinh, Epps & Bailey 2010, JMLR 11:2837-2854.
    """
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(*_codes(labels, clusters)))


def _codes(labels: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as numbers from 0, so that labels of any kind are treated alike."""
    return np.unique(labels, return_inverse=True)[1], np.unique(clusters, return_inverse=True)[1]


def silhouette(points: np.ndarray, clusters: np.ndarray, queries: np.ndarray | None = None) -> float:
    """Mean of `silhouette_samples`: -1 to 1; 0 or slightly less for clusters that have nothing to do with places."""
    return float(silhouette_samples(points, clusters, queries).mean())


def silhouette_samples(points: np.ndarray, clusters: np.ndarray, queries: np.ndarray | None = None) -> np.ndarray:
    """Silhouette coefficients of some points, exact: each is measured against all points.

    Parameters
    ----------
    points
        (n, d) places.
    clusters
        (n,) cluster of each point; at least two clusters.
    queries
        Rows to measure; all if None. Only their coefficients are sampled, not what they are compared with.

    Returns
    -------
    np.ndarray
        (m,) float64 in -1 to 1: (b - a) / max(a, b), where a is the mean distance to the other points of
        the own cluster and b the least mean distance to another cluster; 0 for a point alone in its cluster.

    Raises
    ------
    InputError
        If there is only one cluster.

    References
    ----------
    Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7.
    """
    from scipy.spatial.distance import cdist

    _, codes, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise InputError(
            "the silhouette needs at least two clusters, but all points are in one: ask for more clusters."
        )
    places = np.asarray(points, dtype=np.float64)
    by_cluster = places[np.argsort(codes, kind="stable")]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rows = np.arange(len(places)) if queries is None else np.asarray(queries)
    result = np.empty(len(rows))

    def measure(part: slice) -> None:
        own = codes[rows[part]]
        sums = np.add.reduceat(cdist(places[rows[part]], by_cluster), starts, axis=1)
        result[part] = silhouettes(sums, own, sizes)

    in_threads(measure, slices(len(rows), max(1, 2**20 // len(places))))
    return result


def silhouettes(sums: np.ndarray, own: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Silhouette coefficients from sums of distances, (m,) float64; see `silhouette_samples`.

    Parameters
    ----------
    sums
        (m, clusters) sum of the distances of each query to all points of each cluster.
    own
        (m,) cluster of each query.
    sizes
        (clusters,) points of each cluster, at least 1.
    """
    line = np.arange(len(own))
    a = sums[line, own] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[line, own] = np.inf
    b = means.min(axis=1)
    scale = np.maximum(a, b)
    result = np.zeros(len(own))
    np.divide(b - a, scale, out=result, where=(sizes[own] > 1) & (scale > 0))
    return result


def neighbor_recall(
    lists_X: np.ndarray, lists_Y: np.ndarray, k: int = 15, distances: np.ndarray | None = None
) -> np.ndarray:
    """Share of each point's k nearest neighbours in the data that are among its k nearest on the map.

    Parameters
    ----------
    lists_X, lists_Y
        (n, at least k) neighbours of the same points, nearest first, the point itself left out.
    distances
        Of `lists_X`: neighbours beyond the k-th that are as near as it count like those before it, so that of more
        than k equal rows it does not matter which are listed first.

    Returns
    -------
    np.ndarray
        (n,) float32 in 0 to 1; chance is k / (n - 1) for n points. The score is the mean.
    """
    near = lists_X[:, :k]
    if distances is not None:
        as_near = distances <= distances[:, k - 1 : k]
        reach = int(as_near.sum(axis=1).max(initial=k))
        near = np.where(as_near[:, :reach], lists_X[:, :reach], -1)
    shares = np.empty(len(lists_X), dtype=np.float32)
    for part in slices(len(lists_X), 16_384):
        common = near[part, :, None] == lists_Y[part, None, :k]
        shares[part] = common.any(axis=1).mean(axis=1)
    return shares


def label_accuracy(labels: np.ndarray, lists: np.ndarray, k: int = 10, queries: np.ndarray | None = None) -> float:
    """Share of points whose label is the most frequent one among their k nearest neighbours on the map.

    Of equally frequent labels that of the nearest neighbour counts. Range 0 to 1; chance is at most the
    share of the largest class, 1 / classes where they are equally large.

    Parameters
    ----------
    labels
        (n,) labels of all points.
    lists
        (m, at least k) neighbours on the map, nearest first, the point itself left out.
    queries
        The m rows that `lists` belong to; all if None.
    """
    codes = np.unique(labels, return_inverse=True)[1]
    rows = np.arange(len(codes)) if queries is None else np.asarray(queries)
    return float((vote(codes, lists, k) == codes[rows]).mean())


def vote(labels: np.ndarray, lists: np.ndarray, k: int = 10) -> np.ndarray:
    """The most frequent label among the k nearest neighbours of each point, (m,); of equals that of the nearest."""
    winners = np.empty(len(lists), labels.dtype)
    for part in slices(len(lists), 16_384):
        near = labels[lists[part, :k]]
        votes = (near[:, :, None] == near[:, None, :]).sum(axis=2)
        # argmax takes the first of equals: the nearest.
        winners[part] = near[np.arange(len(near)), votes.argmax(axis=1)]
    return winners


def trustworthiness(X: np.ndarray, embedding: np.ndarray, k: int = 15, queries: np.ndarray | None = None) -> float:
    """Whether points that are near on the map are near in the data.

    Parameters
    ----------
    X, embedding
        (n, d) data and (n, 2) map.
    k
        Neighbours on the map that count, less than n / 2.
    queries
        Rows whose neighbours are looked at; all if None. Their ranks are exact, among all n rows.

    Returns
    -------
    float
        1 - 2 / (m k (2n - 3k - 1)) x sum over m queries and their k neighbours on the map of
        max(0, rank in the data - k). Range 0 to 1; chance 0.5. Equally distant rows share the best rank.

    Raises
    ------
    InputError
        If k is not less than n / 2: then the worst map would not have 0.

    References
    ----------
    Venna & Kaski 2001, doi:10.1007/3-540-44668-0_68.
    """
    n = len(X)
    if not 1 <= k < n / 2:
        raise InputError(f"k is {k} but must be at least 1 and less than half the number of rows, {n:,}: change k.")
    rows = np.arange(n) if queries is None else np.asarray(queries)
    return trust(rank_in(X, rows, map_neighbors(embedding, k, rows)), n)


def trust(ranks: np.ndarray, n: int) -> float:
    """Trustworthiness from the ranks in the data, (m, k), of k neighbours on the map, among n rows."""
    m, k = ranks.shape
    excess = np.maximum(ranks - k, 0).sum(dtype=np.int64)
    return float(1 - 2 * excess / (m * k * (2 * n - 3 * k - 1)))
