"""Where the time of t-SNE goes on a GPU, beside the least that it could take.

`python -m gpu_pipeline.engines.mesh.gpu_profile ROWS [ROWS ...]` times each stage by CUDA's events on the first rows
of `digits`, the second of two runs, and writes a Markdown table.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np

from ... import methods
from ...datasets import digits
from .. import silent
from . import gpu_neighbors, gpu_pca, gpu_tsne, optimize, roofline
from .gpu_device import Device
from .gpu_edges import morton, symmetrize
from .gpu_map import Map

T = TypeVar("T")

_COMPONENTS = 50
_REPEATS = 100  # Launches of one part of an iteration that are timed together.

_LIMITS = {
    "upload": ("upload, 50 GB/s",),
    "PCA": ("covariance", "eigenvectors", "scores"),
    "neighbours": ("products", "selection", "distances"),
    "affinities": ("bandwidths", "symmetric graph"),
    "optimisation": ("charges", "transforms", "step"),
}
"""Stage that is timed -> stages of `roofline`."""


class Timing(Device, Protocol):
    """A device that can tell how long its work takes."""

    def timed(self, work: Callable[[], T]) -> tuple[T, float]:
        """What the work gives, and the milliseconds until the device has done it."""


def profile(device: Timing, images: np.ndarray, settings: methods.TSNE) -> dict[str, float]:
    """Milliseconds of each stage from rows on the host to a map there, and of each part of an iteration."""
    times: dict[str, float] = {}

    def timed(name: str, work: Callable[[], T]) -> T:
        result, times[name] = device.timed(work)
        return result

    def reduced() -> Any:
        found = gpu_pca.components(device, raw, _COMPONENTS, 0)
        return gpu_pca.scores(device, raw, found.mean, found.axes)

    raw = timed("upload", lambda: device.put(images))
    X = timed("PCA", reduced)
    places = timed("start", lambda: gpu_tsne.start(device, X, settings, 0))
    order = morton(device, places)
    indices, distances = timed("neighbours", lambda: gpu_neighbors.find(device, X, settings.n_neighbors()))
    edges = timed("affinities", lambda: symmetrize(device, indices, distances, settings.perplexity, order))
    optimization = timed("first grid and Z", lambda: Map(device, edges, places[order], order))
    timed("optimisation", lambda: optimize(optimization, settings, len(X), optimization.snapshot, silent))
    timed("download", lambda: device.get(optimization.embedding()))
    for name, part in optimization.parts().items():
        times[f"{name}, one iteration"] = device.timed(partial(_repeat, part))[1] / _REPEATS
    return times


def _repeat(part: Callable[[], None]) -> None:
    for _ in range(_REPEATS):
        part()


def table(times: dict[str, float], limits: list[roofline.Stage]) -> str:
    """The times beside the least times, as a Markdown table."""
    least = {stage.name: 1e3 * stage.seconds for stage in limits}
    lines = ["| stage | ms | ms at least |", "| --- | ---: | ---: |"]
    for name, took in times.items():
        known = _LIMITS.get(name)
        lines.append(
            f"| {name} | {took:.3f} | {'' if known is None else f'{sum(map(least.__getitem__, known)):.3f}'} |"
        )
    return "\n".join(lines)


def section(device: Timing, n: int, settings: methods.TSNE) -> str:
    """The profile of t-SNE of the first n rows of digits, of which there are as many as are asked for."""
    images = digits.rows(np.arange(n))[0].astype(np.float32)
    profile(device, images, methods.TSNE(iterations=100))  # Compiles, loads and warms up.
    times = profile(device, images, settings)
    limits = roofline.stages(n, images.shape[1], _COMPONENTS, settings.n_neighbors(), settings.iterations)
    return f"### {n:,} x {images.shape[1]}\n\n{table(times, limits)}\n"


def main(rows: list[int]) -> None:
    """Profile t-SNE of as many rows of digits, on the GPU."""
    from . import gpu

    for n in rows:
        with gpu.opened() as device:
            print(section(device, n, methods.TSNE()))


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or [5_000, 70_000])
