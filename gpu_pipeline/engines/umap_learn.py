"""umap-learn: UMAP on the CPU, by its authors, from the neighbours that `mesh` finds.

Its own search (pynndescent) is compiled anew in every process, which takes longer than all the rest of UMAP up to tens
of thousands of rows.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .. import methods
from ..errors import Unavailable
from . import Output, Report, silent, threads

DEVICE = "cpu"


def check() -> None:
    import importlib.util

    if importlib.util.find_spec("umap") is None:
        raise Unavailable("umap-learn is not installed: pip install umap-learn")


def put(X: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(X, dtype=np.float32)


def get(X: np.ndarray) -> np.ndarray:
    return X


def sync() -> None:
    """Nothing runs on after a call."""


def compile() -> None:
    """Compile its loops by a run so small that it takes no time."""
    X = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    umap(X, methods.UMAP(n_epochs=2), 0, silent)


def umap(X: np.ndarray, settings: methods.UMAP, seed: int, report: Report) -> Output:
    from .mesh.search import find

    found = find(np.asarray(X, np.float32), settings.n_neighbors - 1, seed, threads())
    epochs = settings.epochs(len(X))
    with warnings.catch_warnings():
        # That without an index of its own it places no new rows.
        warnings.simplefilter("ignore", UserWarning)
        model = _umap()(
            n_neighbors=settings.n_neighbors,
            min_dist=settings.min_dist,
            spread=settings.spread,
            n_epochs=epochs,
            random_state=seed,
            n_jobs=1,  # with a seed umap-learn runs on one thread, and warns unless told so
            precomputed_knn=(*_with_itself(found.indices, found.distances), None),
            force_approximation_algorithm=True,  # or it takes no neighbours of fewer than 4,096 rows
        )
        embedding = model.fit_transform(X)
    facts = {"epochs": epochs} | ({} if found.recall is None else {"neighbor_recall": found.recall})
    return Output(embedding.astype(np.float32, copy=False), facts)


def _with_itself(indices: np.ndarray, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours as umap-learn counts them: each point is its own first one; by distance, (n, k) each."""
    n = len(indices)
    order = np.argsort(squares, axis=1, kind="stable")
    beside = np.take_along_axis(indices, order, axis=1), np.sqrt(np.take_along_axis(squares, order, axis=1))
    own = np.arange(n, dtype=np.int32)[:, None], np.zeros((n, 1), np.float32)
    return np.hstack([own[0], beside[0]]), np.hstack([own[1], beside[1]])


def _umap() -> Any:
    with warnings.catch_warnings():
        # On import it warns that Tensorflow, which only its parametric variant needs, is missing.
        warnings.simplefilter("ignore", ImportWarning)
        from umap import UMAP
    return UMAP
