"""Maps of large high-dimensional data sets: t-SNE, UMAP and k-means on the GPU or without one.

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Dataset": "datasets",
    "InputError": "errors",
    "KMeans": "methods",
    "PCA": "methods",
    "Recipe": "recipe",
    "Run": "record",
    "TSNE": "methods",
    "UMAP": "methods",
    "draw": "render",
    "load": "datasets",
    "open_run": "store",
    "rows": "dashboard.rows",
    "run": "pipeline",
}
__all__ = [
    "PCA",
    "TSNE",
    "UMAP",
    "Dataset",
    "InputError",
    "KMeans",
    "Recipe",
    "Run",
    "draw",
    "load",
    "open_run",
    "rows",
    "run",
]

if TYPE_CHECKING:
    from .dashboard.rows import rows
    from .datasets import Dataset, load
    from .errors import InputError
    from .methods import PCA, TSNE, UMAP, KMeans
    from .pipeline import run
    from .recipe import Recipe
    from .record import Run
    from .render import draw
    from .store import open_run


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
