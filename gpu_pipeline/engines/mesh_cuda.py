"""The project's own t-SNE on an NVIDIA GPU, by CuPy alone: one algorithm with `mesh`, every array on the device.

The same seed gives the same bytes on the same GPU.
"""

from __future__ import annotations

import functools
import importlib.util
from importlib import metadata
from typing import Any

import numpy as np

from .. import methods
from ..errors import Unavailable
from . import Output, Report, probe, silent, tried
from .failure import guarded
from .mesh import gpu_neighbors, gpu_pca, gpu_tsne
from .rapids import NEEDS, arrays, get, sync

__all__ = ["DEVICE", "arrays", "check", "compile", "get", "neighbors", "pca", "put", "sync", "try_out", "tsne"]

DEVICE = "gpu"

TRY_SECONDS = 120.0
"""Default for trying the kernels out: NVRTC compiles them once for each GPU."""


def check() -> None:
    """Find out, once a process, whether the kernels work here; without a driver that takes no time.

    Raises
    ------
    Unavailable
        If there is no driver, GPU or CuPy, or if they do not work together.
    """
    probe.require(_obstacle)


@functools.cache
def _obstacle() -> str | None:
    """Why the engine cannot be used; exceptions are not cached, sentences are."""
    try:
        gpu = probe.gpu()
        check_versions(gpu)
        tried.check(__name__, gpu, probe.timeout(TRY_SECONDS), "the mesh engine on the GPU")
    except Unavailable as reason:
        return str(reason)
    return None


def check_versions(gpu: probe.Gpu) -> None:
    """Hold the driver and the GPU against what CuPy's wheel needs.

    Raises
    ------
    Unavailable
        If CuPy is not installed, or is newer than driver or GPU.
    """
    newest = next((build for build, (cuda, _) in NEEDS.items() if gpu.cuda >= cuda), min(NEEDS))
    if importlib.util.find_spec("cupy") is None:
        raise Unavailable(f"CuPy is not installed: pip install 'cupy-cuda{newest}x[ctk]'")
    installed = {str(item.name).lower() for item in metadata.distributions()}
    for build, (cuda, capability) in NEEDS.items():
        if f"cupy-cuda{build}x" in installed and (gpu.cuda < cuda or gpu.capability < capability):
            raise Unavailable(
                f"cupy-cuda{build}x needs a driver for CUDA {cuda // 1000}.{cuda % 1000 // 10} and compute capability "
                f"{capability[0]}.{capability[1]}, but {gpu.name} has {gpu.capability[0]}.{gpu.capability[1]} and its "
                f"driver supports CUDA {gpu.cuda // 1000}.{gpu.cuda % 1000 // 10}: update the driver or change the GPU"
            )


def try_out() -> str:
    """Do a little of what the engine does; called in a process of its own, which a broken stack may crash.

    Returns
    -------
    CuPy's version.

    Raises
    ------
    EngineFailed
        If the GPU did not do it.
    """
    import cupy

    X = put(np.random.default_rng(0).normal(size=(200, 8)))
    tsne(X, methods.TSNE(perplexity=10, iterations=20), 0, silent)
    sync()
    return str(cupy.__version__)


@guarded("the copy to the GPU")
def put(X: np.ndarray) -> Any:
    """A NumPy array on the GPU, as float32."""
    import cupy

    return cupy.asarray(X, dtype=cupy.float32, order="C")


@guarded("the compilation")
def compile() -> None:
    """Compile the kernels for this GPU, or load them from CuPy's cache on disk."""
    from .mesh import gpu

    gpu.kernels()


@guarded("PCA")
def pca(X: Any, settings: methods.PCA, seed: int, report: Report) -> Output:
    """Principal components by the covariance, which is summed in float64; by iteration where columns are many."""
    from .mesh import gpu

    with gpu.opened() as device:
        found = gpu_pca.components(device, X, settings.n_components, seed)
        notes = () if found.exact else (f"of {X.shape[1]:,} columns principal components are found by iteration",)
        ratio = float(found.variances.sum()) / found.total if found.total > 0 else 0.0
        scores = gpu_pca.scores(device, X, found.mean, found.axes)
        keep = {"mean": found.mean.astype(np.float32), "axes": found.axes.astype(np.float32)}
        return Output(scores, {"explained_variance_ratio": ratio}, notes, keep)


@guarded("t-SNE")
def tsne(
    X: Any, settings: methods.TSNE, seed: int, report: Report = silent, *, initial: np.ndarray | None = None
) -> Output:
    """As `mesh.tsne`, on the GPU."""
    from .mesh import gpu

    with gpu.opened() as device:
        return gpu_tsne.tsne(device, X, settings, seed, report, initial=initial)


@guarded("the search of neighbours")
def neighbors(X: Any, settings: methods.Neighbors, seed: int, report: Report) -> Output:
    """The exact nearest neighbours of each row, but for ties within float32's rounding."""
    from .mesh import gpu

    with gpu.opened() as device:
        return Output(gpu_neighbors.sorted_by_distance(device, *gpu_neighbors.find(device, X, settings.n_neighbors)))
