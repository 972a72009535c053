"""The one judge: scores of what the engines made, by the project's own metrics, against references made once a case.

What an engine says of itself is not asked. A map or a clustering that knows no more of the data than chance is a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from gpu_pipeline import metrics
from gpu_pipeline.engines import scikit_learn, silent
from gpu_pipeline.methods import TSNE, KMeans, Settings
from gpu_pipeline.nearness import map_neighbors
from gpu_pipeline.neighbors import NeighborLists, neighbor_lists, neighbors_of
from gpu_pipeline.recipe import Recipe
from gpu_pipeline.scoring import EXACT_ROWS, NEIGHBORS, VOTERS

from . import inputs
from .cases import Case

NAMES = (
    *("kl", "recall_15", "recall_90", "trustworthiness", "label_accuracy", "kmeans_accuracy", "ari", "nmi"),
    *("silhouette", "inertia", "explained_variance"),
)
"""All scores; of each result those that its task does not have are None."""

MANY = 90
"""The larger number of neighbours for recall: those that perplexity 30 uses."""

QUERIES, RANKED = 5_000, 2_000
"""Rows that recall and label accuracy are over, and of them those that trustworthiness and silhouette are over."""


class Fault(ValueError):
    """A result that is none: of another shape, not finite, or no better than chance."""


class Judge:
    """Scores for one sample of a data set; its references are made when they are first needed.

    Parameters
    ----------
    case
        Any case on these rows.
    """

    def __init__(self, case: Case) -> None:
        self.rows = case.data, case.n
        self._affinities: dict[float, Any] = {}

    def score(self, case: Case, arrays: Mapping[str, np.ndarray], *, kl: bool = True) -> dict[str, float | None]:
        """Scores by name, None for those that there are not.

        Parameters
        ----------
        case
            What was asked for.
        arrays
            What was made, by name.
        kl
            Whether the map is one of t-SNE, which tries to lower KL.

        Raises
        ------
        Fault
            With one sentence, if the arrays are not what was asked for.
        """
        scores = _JUDGED[case.task](self, case, arrays)
        if kl and case.task in ("tsne", "pipeline"):
            scores["kl"] = self.kl(arrays["map"], _perplexity(case.method()))
        return {name: scores.get(name) for name in NAMES}

    @cached_property
    def labels(self) -> np.ndarray:
        return inputs.load("labels", *self.rows)

    @cached_property
    def features(self) -> np.ndarray:
        return inputs.load("features", *self.rows)

    @cached_property
    def queries(self) -> np.ndarray:
        n = self.rows[1]
        return np.sort(np.random.default_rng(0).choice(n, min(n, QUERIES), replace=False))

    @cached_property
    def ranked(self) -> np.ndarray:
        """Fewer of the queries, evenly spaced."""
        most = RANKED if len(self.features) <= EXACT_ROWS else RANKED // 4
        return self.queries[:: max(1, len(self.queries) // most)]

    @cached_property
    def near(self) -> NeighborLists:
        """Exact neighbours of all rows, which scikit-learn finds and the cache keeps; beyond 100,000 of the queries."""
        if len(self.features) <= EXACT_ROWS:
            return neighbor_lists(self.features, MANY, engine="scikit_learn")
        return neighbors_of(self.features, self.queries, MANY, engine="scikit_learn")

    def kl(self, embedding: np.ndarray, perplexity: float) -> float | None:
        """KL divergence from the affinities of exact neighbours; None beyond 100,000 rows."""
        if len(embedding) > EXACT_ROWS:
            return None
        if perplexity not in self._affinities:
            k = TSNE(perplexity=perplexity).n_neighbors()
            lists = self.near if k <= MANY else neighbor_lists(self.features, k, engine="scikit_learn")
            self._affinities = {
                perplexity: metrics.joint_probabilities(lists.indices[:, :k], lists.distances[:, :k], perplexity)
            }
        return metrics.kl_divergence(self._affinities[perplexity], embedding)


def _perplexity(settings: Settings) -> float:
    """Of the affinities that the case's maps are judged by."""
    if isinstance(settings, Recipe):
        return settings.judge_perplexity()
    assert isinstance(settings, TSNE)
    return settings.perplexity


def _map(judge: Judge, case: Case, arrays: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    embedding = _checked(arrays, "map", (case.n, 2))
    rows = judge.queries
    lists = judge.near.indices[rows] if len(judge.near.indices) == case.n else judge.near.indices
    on_map = map_neighbors(embedding, MANY, rows)
    recall = float(metrics.neighbor_recall(lists, on_map, NEIGHBORS).mean(dtype=np.float64))
    chance = NEIGHBORS / (case.n - 1)
    if recall < 3 * chance:
        raise Fault(
            f"the map knows nothing of the data: of {NEIGHBORS} neighbours it keeps {recall:.2g}, chance {chance:.2g}"
        )
    scores: dict[str, float | None] = {
        "recall_15": recall,
        "recall_90": float(metrics.neighbor_recall(lists, on_map, MANY).mean(dtype=np.float64)),
        "trustworthiness": metrics.trustworthiness(judge.features, embedding, NEIGHBORS, judge.ranked),
        "label_accuracy": metrics.label_accuracy(judge.labels, on_map, VOTERS, rows),
        "silhouette": metrics.silhouette(embedding, judge.labels, judge.ranked),
    }
    clusters = arrays.get("clusters")
    if clusters is None:
        settings = KMeans(n_clusters=len(np.unique(judge.labels)), n_init=10 if case.n <= EXACT_ROWS else 2)
        clusters = scikit_learn.kmeans(np.asarray(embedding, np.float32), settings, 0, silent).array
    return scores | _agreement(judge.labels, clusters)


def _clusters(judge: Judge, case: Case, arrays: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    clusters = _checked(arrays, "clusters", (case.n,))
    points = inputs.load(case.input, case.data, case.n).astype(np.float64)
    sizes = np.unique(clusters, return_counts=True)[1]
    inertia = _inertia(points, clusters)
    by_chance = ((points - points.mean(axis=0)) ** 2).sum() * (1 - (len(sizes) - 1) / (case.n - 1))
    if inertia > 0.99 * by_chance:
        raise Fault(f"the clusters know nothing of the data: inertia is {inertia:.4g}, by chance {by_chance:.4g}")
    scores = _agreement(judge.labels, clusters)
    if len(sizes) == len(np.unique(judge.labels)):
        scores["silhouette"] = metrics.silhouette(points, clusters, judge.ranked)
    else:
        scores["kmeans_accuracy"] = None  # Classes and clusters cannot be matched one to one.
    return {**scores, "inertia": inertia}


def _inertia(points: np.ndarray, clusters: np.ndarray) -> float:
    """Sum of the squared distances from the means of the clusters, whatever centres the engine had."""
    codes = np.unique(clusters, return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    means = np.add.reduceat(points[order], starts, axis=0) / np.bincount(codes)[:, None]
    return float(((points - means[codes]) ** 2).sum())


def _agreement(labels: np.ndarray, clusters: np.ndarray) -> dict[str, float | None]:
    """How far clusters are the classes."""
    return {
        "kmeans_accuracy": metrics.accuracy(labels, clusters),
        "ari": metrics.ari(labels, clusters),
        "nmi": metrics.nmi(labels, clusters),
    }


def _components(judge: Judge, case: Case, arrays: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    """Share of the data's variance that a linear map of the scores explains: 0 to 1, most for the true components."""
    components = case.settings_json()["n_components"]
    scores = _checked(arrays, "scores", (case.n, components)).astype(np.float64)
    pixels = inputs.load(case.input, case.data, case.n).astype(np.float64)
    pixels -= pixels.mean(axis=0)
    axes = np.linalg.qr(scores - scores.mean(axis=0))[0]
    share = float(((axes.T @ pixels) ** 2).sum() / (pixels**2).sum())
    if share < 3 * components / case.n:
        raise Fault(f"the components know nothing of the data: they explain {share:.2g} of its variance")
    return {"explained_variance": share}


def _picture(judge: Judge, case: Case, arrays: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    """A picture has no score; but it has to be one, of the right size."""
    settings = case.settings_json()
    picture = arrays.get("picture")
    size = settings["height"], settings["width"]
    if picture is None or picture.shape[:2] != size or picture.ndim != 3:
        raise Fault(f"a picture of {size[0]} x {size[1]} pixels was asked for, not {_shape(picture)}")
    if len(np.unique(picture[::8, ::8].reshape(-1, picture.shape[2]), axis=0)) < 3:
        raise Fault("the picture is empty")
    return {}


def _pipeline(judge: Judge, case: Case, arrays: Mapping[str, np.ndarray]) -> dict[str, float | None]:
    _checked(arrays, "clusters", (case.n,))
    return _map(judge, case, arrays)


def _checked(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The array, if it is what was asked for.

    Raises
    ------
    Fault
        If it is missing, of another shape, or not finite.
    """
    array = arrays.get(name)
    if array is None or array.shape != shape:
        raise Fault(f"the {name} should be {_shape(shape)} but {'is' if name == 'map' else 'are'} {_shape(array)}")
    if array.dtype.kind not in "iuf":
        raise Fault(f"the {name} should be numbers but {'is' if name == 'map' else 'are'} of type {array.dtype}")
    if bad := int(np.count_nonzero(~np.isfinite(array.reshape(len(array), -1)).all(axis=1))):
        raise Fault(f"{bad:,} of {len(array):,} rows of the {name} are not finite")
    return array


def _shape(shape: np.ndarray | tuple[int, ...] | None) -> str:
    if shape is None:
        return "nothing"
    return " x ".join(f"{size:,}" for size in (shape.shape if isinstance(shape, np.ndarray) else shape))


_JUDGED: dict[str, Callable[[Judge, Case, Mapping[str, np.ndarray]], dict[str, float | None]]] = {
    "tsne": _map,
    "umap": _map,
    "pca": _components,
    "kmeans": _clusters,
    "draw": _picture,
    "pipeline": _pipeline,
}
