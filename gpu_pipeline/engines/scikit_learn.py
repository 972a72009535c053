"""scikit-learn on the CPU: the reference for t-SNE, and the CPU's PCA, k-means and neighbours."""

from __future__ import annotations

import sys
import warnings

import numpy as np
from sklearn import cluster, decomposition, exceptions, manifold
from sklearn import neighbors as nearest

from .. import methods
from ..errors import Unavailable, Unsupported
from . import EXACT_COLUMNS, Output, Report, threads

DEVICE = "cpu"


def check() -> None:
    """scikit-learn is a base dependency: where this module imports, it works, unless something stands in for it.

    Raises
    ------
    Unavailable
        If cuML's accelerator has replaced its estimators in this process.
    """
    # `import cuml` alone brings the module along, switched off.
    accelerator = sys.modules.get("cuml.accel")
    if accelerator is not None and accelerator.enabled():
        raise Unavailable("cuml.accel has replaced it in this process: unset CUML_ACCEL_ENABLED")


def put(X: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(X, dtype=np.float32)


def get(X: np.ndarray) -> np.ndarray:
    return X


def sync() -> None:
    """Nothing runs on after a call."""


def pca(X: np.ndarray, settings: methods.PCA, seed: int, report: Report) -> Output:
    # Beyond so many columns scikit-learn chooses.
    solver = "covariance_eigh" if X.shape[1] <= min(EXACT_COLUMNS, len(X)) else "auto"
    # The rows less their mean are a copy already.
    model = decomposition.PCA(settings.n_components, copy=False, svd_solver=solver, random_state=seed)
    # In float32 it takes the covariance of rows far from zero for nothing but their mean.
    mean = X.mean(axis=0, dtype=np.float64).astype(np.float32)
    with np.errstate(invalid="ignore"):
        scores = model.fit_transform(X - mean)
    explained = float(np.nan_to_num(model.explained_variance_ratio_.sum()))  # the share of no variance is NaN
    keep = {"mean": mean + model.mean_, "axes": np.ascontiguousarray(model.components_.T)}
    return Output(scores.astype(np.float32, copy=False), {"explained_variance_ratio": explained}, keep=keep)


def tsne(X: np.ndarray, settings: methods.TSNE, seed: int, report: Report) -> Output:
    early_iterations, _ = settings.phases()
    early_rate, late_rate = settings.learning_rates(len(X))
    explored = manifold.TSNE._EXPLORATION_MAX_ITER
    if settings.exaggeration != 1:
        raise Unsupported("scikit-learn's t-SNE has no late exaggeration")
    if settings.iterations < explored:
        raise Unsupported(f"scikit-learn's t-SNE runs at least {explored} iterations")
    if settings.initialization == "pca" and X.shape[1] < 2:
        raise Unsupported("scikit-learn's PCA start needs at least two columns")
    notes = []
    if early_iterations != explored:
        notes.append(f"scikit-learn exaggerates for {explored} iterations, not {early_iterations}")
    if late_rate != early_rate:
        notes.append(f"scikit-learn keeps the first learning rate, {early_rate:g}, in the second phase ({late_rate:g})")
    if (settings.early_momentum, settings.momentum) != (0.5, 0.8):
        notes.append("scikit-learn's momentum is 0.5, then 0.8")
    if settings.min_kl_drop:
        notes.append("scikit-learn runs all iterations, however little KL falls")
    model = manifold.TSNE(
        perplexity=settings.perplexity,
        early_exaggeration=settings.early_exaggeration,
        learning_rate=early_rate,
        max_iter=settings.iterations,
        n_iter_without_progress=settings.iterations,  # every engine runs all its iterations
        min_grad_norm=0.0,
        init=settings.initialization,
        random_state=seed,
        n_jobs=threads(),
    )
    embedding = model.fit_transform(X)
    # n_iter_ is the number of the last iteration, from 0; but that of the end if the first phase is all there is.
    facts = {"iterations": min(int(model.n_iter_) + 1, settings.iterations), "kl": float(model.kl_divergence_)}
    return Output(embedding.astype(np.float32, copy=False), facts, tuple(notes))


def kmeans(X: np.ndarray, settings: methods.KMeans, seed: int, report: Report) -> Output:
    model = cluster.KMeans(
        settings.n_clusters,
        n_init=settings.n_init,
        max_iter=settings.max_iter,
        tol=settings.tol,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # Fewer distinct points than clusters: said in the record instead.
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        clusters = model.fit_predict(X)
    found = len(np.unique(clusters))
    notes = () if found == settings.n_clusters else (f"only {found} of {settings.n_clusters} clusters have points",)
    facts = {"inertia": float(model.inertia_), "iterations": int(model.n_iter_)}
    return Output(clusters.astype(np.int32, copy=False), facts, notes, {"centers": model.cluster_centers_})


def neighbors(X: np.ndarray, settings: methods.Neighbors, seed: int, report: Report) -> Output:
    model = nearest.NearestNeighbors(algorithm="brute", n_jobs=threads()).fit(X)
    # Without a query scikit-learn leaves each point itself out, also among duplicates.
    distances, indices = model.kneighbors(n_neighbors=settings.n_neighbors)
    return Output((indices.astype(np.int32), distances.astype(np.float32)))
