"""umap-learn: UMAP on the CPU, by its authors."""

from __future__ import annotations

import warnings

import numpy as np

from .. import methods
from ..errors import Unavailable
from . import Output, Report

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


def umap(X: np.ndarray, settings: methods.UMAP, seed: int, report: Report) -> Output:
    with warnings.catch_warnings():
        # On import it warns that Tensorflow, which only its parametric variant needs, is missing.
        warnings.simplefilter("ignore", ImportWarning)
        from umap import UMAP
    epochs = settings.epochs(len(X))
    model = UMAP(
        n_neighbors=settings.n_neighbors,
        min_dist=settings.min_dist,
        spread=settings.spread,
        n_epochs=epochs,
        random_state=seed,
        n_jobs=1,  # with a seed umap-learn runs on one thread, and warns unless told so
    )
    embedding = model.fit_transform(X)
    return Output(embedding.astype(np.float32, copy=False), {"epochs": epochs})
