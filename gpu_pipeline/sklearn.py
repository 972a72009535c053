"""scikit-learn estimators over the same engines, for use in a `Pipeline` or a grid search."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from . import methods
from .engines import Output, first_able, silent
from .errors import InputError
from .placing import Reference
from .placing.parts import less
from .recipe import make

VANISHING = 1e-15
"""Values up to which the squares of differences lose digits in float32."""


class TSNE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """t-distributed stochastic neighbour embedding in two dimensions, on the best engine at hand.

    Parameters
    ----------
    perplexity, early_exaggeration, exaggeration, iterations, learning_rate, initialization
        As in `gpu_pipeline.TSNE`.
    engine
        "auto", or the name of an engine.
    random_state
        Seed of the random choices.

    Attributes
    ----------
    embedding_
        (n, 2) float32.
    engine_
        Name of the engine that was used.
    skipped_
        Engine -> why it was passed over.
    n_iter_
        Iterations that were run.
    kl_divergence_
        Kullback-Leibler divergence of the map as the engine computes it; None by `rapids`, whose figure is over the
        edges of its graph alone. `gpu_pipeline.scoring.score` computes it alike for every engine.
    reference_
        What new rows are placed by, a `gpu_pipeline.placing.Reference`; `reference_.place` tells more than `transform`.
    """

    def __init__(
        self,
        perplexity: float = 30.0,
        *,
        early_exaggeration: float = 12.0,
        exaggeration: float = 1.0,
        iterations: int = 1000,
        learning_rate: float | Literal["auto"] = "auto",
        initialization: Literal["pca", "random"] = "pca",
        engine: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.perplexity = perplexity
        self.early_exaggeration = early_exaggeration
        self.exaggeration = exaggeration
        self.iterations = iterations
        self.learning_rate = learning_rate
        self.initialization = initialization
        self.engine = engine
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def fit(self, X: Any, y: Any = None) -> TSNE:
        """Embed the rows of `X`, (n, d); `y` is not used.

        Raises
        ------
        ValueError
            If `X` cannot be used, or has no more rows than the perplexity.
        """
        X = validate_data(self, X, ensure_min_samples=2, ensure_min_features=2)
        names = ("perplexity", "early_exaggeration", "exaggeration", "iterations", "learning_rate", "initialization")
        settings = _settings("embed", {name: getattr(self, name) for name in names})
        assert isinstance(settings, methods.TSNE)
        if settings.perplexity >= len(X):
            raise InputError(
                f"perplexity is {settings.perplexity:g} but must be less than n_samples, {len(X)}: lower it."
            )
        X, offset = _centred(X)
        _check_reach(X, X.shape[1])
        output, seed = _apply(self, "tsne", X, settings)
        self.embedding_ = output.array
        built = Reference.build(X, output.array, settings, kept=output.keep, seed=seed)
        self.reference_ = replace(built, offset=offset)
        self._n_features_out = output.array.shape[1]
        self.n_iter_ = output.facts["iterations"]
        self.kl_divergence_ = None if self.engine_ == "rapids" else output.facts["kl"]
        return self

    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Embed the rows of `X`, (n, d), and give the map, (n, 2) float32; `y` is not used."""
        embedding: np.ndarray = self.fit(X).embedding_
        return embedding

    def transform(self, X: Any) -> np.ndarray:
        """Places of new rows, (m, d), on the map that `fit` made, (m, 2) float32; rows of the fit keep their places.

        Raises
        ------
        ValueError
            If `X` cannot be used, or has another number of columns.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        return self.reference_.place(X).embedding


class KMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """k-means on the best engine at hand. Rows have no weights.

    Parameters
    ----------
    n_clusters, n_init, max_iter, tol
        As in `gpu_pipeline.KMeans`.
    engine
        "auto", or the name of an engine.
    random_state
        Seed of the starts.

    Attributes
    ----------
    cluster_centers_
        (n_clusters, d), of the type of the rows if that is floating, else float64.
    labels_
        (n,) int32.
    inertia_
        Sum of squared distances to the centres.
    n_iter_
        Lloyd iterations of the best start.
    engine_
        Name of the engine that was used.
    skipped_
        Engine -> why it was passed over.
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        n_init: int = 10,
        max_iter: int = 300,
        tol: float = 1e-4,
        engine: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.engine = engine
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> KMeans:
        """Cluster the rows of `X`, (n, d); `y` is not used.

        Raises
        ------
        ValueError
            If `X` cannot be used, or has fewer rows than there are clusters.
        """
        X = validate_data(self, X)
        names = ("n_clusters", "n_init", "max_iter", "tol")
        settings = _settings("cluster", {name: getattr(self, name) for name in names})
        if self.n_clusters > len(X):
            raise InputError(f"n_clusters is {self.n_clusters} but n_samples is {len(X)}: lower it.")
        rows, offset = _centred(X)
        _check_reach(rows, rows.size)
        output, _ = _apply(self, "kmeans", rows, settings)
        centers = output.keep["centers"] if offset is None else output.keep["centers"] + offset
        self.cluster_centers_ = centers.astype(X.dtype if X.dtype.kind == "f" else np.float64)
        self._n_features_out = self.n_clusters
        self.labels_ = output.array
        self.inertia_ = output.facts["inertia"]
        self.n_iter_ = output.facts["iterations"]
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Number of the cluster whose centre is nearest to each row of `X`, (m, d): (m,) int32.

        Raises
        ------
        ValueError
            If `X` cannot be used, or has another number of columns.
        """
        return np.asarray(self._distances(X).argmin(axis=1), np.int32)

    def transform(self, X: Any) -> np.ndarray:
        """Distances of the rows of `X`, (m, d), from the centres, (m, n_clusters), of the type of the centres.

        Raises
        ------
        ValueError
            As `predict`.
        """
        return self._distances(X).astype(self.cluster_centers_.dtype)

    def score(self, X: Any, y: Any = None) -> float:
        """Less the sum of squared distances of the rows of `X`, (m, d), to their nearest centres; `y` is not used.

        Raises
        ------
        ValueError
            As `predict`.
        """
        return -float((self._distances(X).min(axis=1) ** 2).sum())

    def _distances(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        # Around their mean, for scikit-learn's |x|^2 + |y|^2 - 2xy loses digits far from zero.
        middle = self.cluster_centers_.mean(axis=0, dtype=np.float64)
        distances: np.ndarray = euclidean_distances(X - middle, self.cluster_centers_ - middle)
        return distances


def _settings(step: str, values: dict[str, Any]) -> methods.Settings:
    """The settings of a recipe's step; what is wrong is named as the estimator's parameter."""
    try:
        settings: methods.Settings = getattr(make({step: values}), step)
    except InputError as error:
        raise InputError(str(error).replace(f"{step}.", "", 1)) from None
    return settings


def _check_reach(X: np.ndarray, terms: int) -> None:
    """Raise InputError if sums of so many squared differences of values do not fit float32, or vanish in it."""
    reach = float(np.abs(X).max())
    if not (VANISHING < reach < np.sqrt(np.finfo(np.float32).max / terms) / 2 or reach == 0):
        raise InputError(f"values reach {reach:.3g}, whose squares do not fit float32: scale them.")


def _centred(X: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Rows in float32, and what was taken from them so that it tells them apart: their mean, if they came wider."""
    if X.dtype == np.float32 or X.dtype.itemsize <= 2:
        return X.astype(np.float32, copy=False), None
    offset = X.mean(axis=0, dtype=np.float64)
    return less(X, offset), offset


def _apply(estimator: Any, method: str, X: np.ndarray, settings: methods.Settings) -> tuple[Output, int]:
    """Let the best engine do it; the result, in NumPy arrays, and the seed that was used."""
    state = estimator.random_state
    source = check_random_state(state)  # refuses what is no seed
    seed = int(state) if isinstance(state, Integral) else int(source.randint(2**31))
    estimator.skipped_ = {}

    def attempt(engine: Any) -> Output:
        output: Output = getattr(engine, method)(engine.put(X), settings, seed, silent)
        kept = {name: engine.get(array) for name, array in output.keep.items()}
        return replace(output, array=engine.get(output.array), keep=kept)

    skip, light = estimator.skipped_.setdefault, settings.is_light(*X.shape)
    estimator.engine_, output = first_able(method, estimator.engine, attempt, skip, light=light)
    return output, seed
