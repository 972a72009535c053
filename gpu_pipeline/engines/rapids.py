"""RAPIDS on an NVIDIA GPU: PCA, t-SNE, UMAP, k-means and neighbours by cuML, on CuPy arrays.

cuML says nothing while it works and cannot be stopped, so `report` is never called.
"""

from __future__ import annotations

import functools
import importlib.util
from importlib import metadata
from types import ModuleType
from typing import Any

import numpy as np

from .. import methods
from ..errors import EngineFailed, Unavailable, Unsupported
from . import Output, Report, probe, rapids_settings, silent, tried
from .columns import means
from .failure import check_memory, guarded
from .rounding import check_neighbors

DEVICE = "gpu"

TRY_SECONDS = 180.0
"""Default for trying the libraries out: a first import from a cold disk, then kernels to compile."""

NEEDS = {13: (13000, (7, 5)), 12: (12020, (7, 0))}
"""CUDA of the wheels -> the driver's CUDA (13000 is 13.0) and the compute capability they need."""


def check() -> None:
    """Find out, once a process, whether cuML works here; without a driver that takes no time.

    Raises
    ------
    Unavailable
        If there is no driver, GPU or RAPIDS, or if they do not work together.
    """
    probe.require(_obstacle)


@functools.cache
def _obstacle() -> str | None:
    """Why cuML cannot be used; exceptions are not cached, sentences are."""
    try:
        gpu = probe.gpu()
        check_versions(gpu)
        tried.check(__name__, gpu, probe.timeout(TRY_SECONDS), "RAPIDS")
    except Unavailable as reason:
        return str(reason)
    return None


def check_versions(gpu: probe.Gpu) -> None:
    """Hold the driver and the GPU against what the installed wheels need.

    Raises
    ------
    Unavailable
        If RAPIDS is not installed, twice installed, or newer than driver or GPU.
    """
    extra = "cuda13" if gpu.cuda >= NEEDS[13][0] else "cuda12"
    if any(importlib.util.find_spec(name) is None for name in ("cuml", "cupy")):
        raise Unavailable(f"RAPIDS is not installed: pip install 'gpu-pipeline[{extra}]'")
    installed = {str(item.name).lower() for item in metadata.distributions()}
    # conda's packages do not say their CUDA in their names: trying them out has to tell.
    builds = [build for build in NEEDS if {f"cuml-cu{build}", f"cupy-cuda{build}x"} & installed]
    if len(builds) > 1:
        raise Unavailable(
            "RAPIDS is installed for CUDA 12 and for CUDA 13, which exclude each other: "
            f"install 'gpu-pipeline[{extra}]' in a new environment"
        )
    for build in builds:
        cuda, capability = NEEDS[build]
        if gpu.cuda < cuda:
            other = f" or install 'gpu-pipeline[{extra}]' in a new environment" if build == 13 else ""
            raise Unavailable(
                f"driver supports CUDA {_dotted(gpu.cuda)} but these wheels need {_dotted(cuda)}: "
                f"update the driver{other}"
            )
        if gpu.capability < capability:
            has, needs = (".".join(map(str, pair)) for pair in (gpu.capability, capability))
            raise Unavailable(f"{gpu.name} has compute capability {has} but these wheels need {needs}")


def _dotted(cuda: int) -> str:
    return f"{cuda // 1000}.{cuda % 1000 // 10}"


def try_out() -> str:
    """Do a little of what the engine does; called in a process of its own, which a broken stack may crash.

    Returns
    -------
    cuML's version.

    Raises
    ------
    EngineFailed
        If the GPU did not do it.
    """
    import cuml

    X = put(np.random.default_rng(0).normal(size=(200, 8)))
    tsne(X, methods.TSNE(perplexity=10, iterations=10), 0, silent)
    kmeans(X, methods.KMeans(n_clusters=2, n_init=1), 0, silent)
    sync()
    return str(cuml.__version__)


def arrays() -> ModuleType:
    """CuPy, whose arrays these are."""
    import cupy

    module: ModuleType = cupy
    return module


@guarded("the copy to the GPU")
def put(X: np.ndarray) -> Any:
    """A NumPy array on the GPU, as float32."""
    import cuml  # noqa: F401  (first: it lets CuPy take its memory from RMM, so that there is one pool)
    import cupy

    _check_memory("the copy to the GPU", X, 4 * np.size(X))
    return cupy.asarray(X, dtype=cupy.float32, order="C")


@guarded("the copy from the GPU")
def get(X: Any) -> Any:
    """An array from the GPU as NumPy; of a pair, both."""
    import cupy

    return tuple(get(part) for part in X) if isinstance(X, tuple) else cupy.asnumpy(X, order="C")


@guarded("waiting for the GPU")
def sync() -> None:
    """Wait until the GPU is done."""
    import cupy

    # Not for all of it, which would end what another thread records as a graph.
    cupy.cuda.get_current_stream().synchronize()


@guarded("PCA")
def pca(X: Any, settings: methods.PCA, seed: int, report: Report) -> Output:
    import cuml

    _check_columns(X)
    _check_memory("PCA", X, rapids_settings.memory("pca", X.shape))
    mean, model = _mean(X), cuml.PCA(**rapids_settings.pca(settings))
    # cuML takes what its mean of equal rows is rounded by for their variance; of none it gives the share as NaN.
    scores, signs = model.fit_transform(X - mean), rapids_settings.signs(model.components_)
    explained = float(np.nan_to_num(float(model.explained_variance_ratio_.sum()))) if scores.any() else 0.0
    keep = {"mean": mean + model.mean_, "axes": model.components_.T * signs}
    return Output(_finite(scores * signs), {"explained_variance_ratio": explained}, keep=keep)


@guarded("t-SNE")
def tsne(X: Any, settings: methods.TSNE, seed: int, report: Report) -> Output:
    import cuml

    _check_columns(X)
    arguments, notes = rapids_settings.tsne(settings, len(X), seed)
    _check_memory("t-SNE", X, rapids_settings.memory("tsne", X.shape, arguments["n_neighbors"]))
    indices, distances = _search(X, arguments["n_neighbors"] - 1)
    graph = rapids_settings.graph_without_self(indices, distances, _rows(X))
    model = cuml.TSNE(**arguments)
    embedding = model.fit_transform(X, knn_graph=graph)
    return Output(_finite(embedding), {"iterations": int(model.n_iter_)}, notes)


@guarded("UMAP")
def umap(X: Any, settings: methods.UMAP, seed: int, report: Report) -> Output:
    import cuml

    arguments = rapids_settings.umap(settings, len(X), seed)
    _check_memory("UMAP", X, rapids_settings.memory("umap", X.shape, settings.n_neighbors))
    embedding = cuml.UMAP(**arguments).fit_transform(X)
    notes = () if len(X) < 4096 else ("cuML's UMAP compares all pairs of rows, umap-learn approximates its neighbours",)
    return Output(_finite(embedding), {"epochs": arguments["n_epochs"]}, notes)


@guarded("k-means")
def kmeans(X: Any, settings: methods.KMeans, seed: int, report: Report) -> Output:
    import cuml
    import cupy

    _check_memory("k-means", X, rapids_settings.memory("kmeans", X.shape))
    mean = _mean(X)
    X = X - mean  # As `_centred`, and for the variances.
    variance = float(X.var(axis=0).mean())
    unit = rapids_settings.kmeans_unit(settings, X.shape[1], variance)
    X /= unit
    model = cuml.KMeans(**rapids_settings.kmeans(settings, variance / unit**2, seed))
    clusters = model.fit_predict(X).astype(cupy.int32)
    found = int(cupy.unique(clusters).size)
    notes = () if found == settings.n_clusters else (f"only {found} of {settings.n_clusters} clusters have points",)
    facts = {"inertia": float(model.inertia_) * unit**2, "iterations": int(model.n_iter_)}
    centers = cupy.asarray(model.cluster_centers_) * cupy.float32(unit) + mean
    return Output(clusters, facts, notes, {"centers": centers})


@guarded("the search of neighbours")
def neighbors(X: Any, settings: methods.Neighbors, seed: int, report: Report) -> Output:
    _check_memory("the search of neighbours", X, rapids_settings.memory("neighbors", X.shape, settings.n_neighbors))
    indices, distances = _search(X, settings.n_neighbors)
    return Output((indices.astype(np.int32), distances))


def _search(X: Any, k: int) -> tuple[Any, Any]:
    """Indices and distances of the k nearest neighbours, the point itself left out."""
    import cupy
    from cuml.neighbors import NearestNeighbors

    X = _centred(X)
    distances, indices = NearestNeighbors(**rapids_settings.neighbors(k)).fit(X).kneighbors(X)
    indices, distances = rapids_settings.drop_self(indices, distances, _rows(X))
    check_neighbors(cupy, X, indices)
    return indices, distances


def _centred(X: Any) -> Any:
    """The rows around their mean: cuML's |x|^2 + |y|^2 - 2xy in float32 loses digits far from the origin."""
    return X - _mean(X)


def _mean(X: Any) -> Any:
    import cupy

    return means(cupy, X).astype(X.dtype)


def _rows(X: Any) -> Any:
    import cupy

    return cupy.arange(len(X))


def _check_memory(what: str, X: Any, need: int) -> None:
    """Refuse what certainly does not fit, with the sizes, before cuML begins."""
    import cupy

    free, total = cupy.cuda.runtime.memGetInfo()
    rows, columns = X.shape
    free += cupy.get_default_memory_pool().free_bytes()  # What CuPy keeps for its next arrays.
    check_memory(f"{what} of {rows:,} x {columns:,} values", need, free, total)


def _check_columns(X: Any) -> None:
    if X.shape[1] < 2:
        raise Unsupported("cuML's PCA and t-SNE need at least two columns")


def _finite(array: Any) -> Any:
    """The array as float32, row by row.

    Raises
    ------
    EngineFailed
        If not all of it is finite.
    """
    import cupy

    if wrong := int((~cupy.isfinite(array)).any(axis=1).sum()):
        raise EngineFailed(f"cuML's result has {wrong:,} rows that are not finite")
    return array.astype(cupy.float32, order="C", copy=False)
