"""t-SNE on a GPU from features to map: what `mesh.tsne` does on the CPU, with every array on the device."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import methods
from ...errors import EngineFailed
from .. import Output, Report, silent
from . import check_rows, gpu_neighbors, gpu_pca, optimize
from .affinities import widths
from .gpu_device import Device
from .gpu_edges import conditional, join, morton
from .gpu_map import Map
from .grid import LARGEST


def start(device: Device, X: Any, settings: methods.TSNE, seed: int) -> Any:
    """Where the points begin: two principal components or noise, the first with standard deviation 1e-4."""
    xp, n = device.xp, len(X)
    noise = np.random.default_rng(seed).normal(scale=1e-4, size=(n, 2)).astype(np.float32)
    if settings.initialization == "random":
        return device.put(noise)
    found = gpu_pca.components(device, X, 2, seed)
    deviation = np.sqrt(float(device.get(found.variances[0])) * max(n - 1, 1) / n)
    if not deviation > 0:
        return device.put(noise)  # All rows are equal.
    places = xp.zeros((n, 2), np.float32)
    places[:, : min(2, X.shape[1])] = gpu_pca.scores(device, X, found.mean, found.axes * (1e-4 / deviation))
    if float(device.get(places[:, 1].std())) < 1e-10:
        places[:, 1] = device.put(noise[:, 1])  # On a line nothing would ever leave the line.
    return places


def memory(n: int, columns: int, k: int, free: int | None = None) -> int:
    """Bytes of the device's memory that t-SNE of n rows with k neighbours needs at most, beside the rows themselves."""
    rows, width = gpu_neighbors.tile(n, free)
    # Centred rows and their squares, a tile of products, and the neighbours as pairs, then as numbers and distances.
    search = 8 * n * columns + 4 * rows * width + 16 * n * k
    # Neighbours and affinities 16, sorting those without a partner 32, at most 2 n k edges 16, their logarithms 24.
    affinities = 88 * n * k
    # The edges twice, while points are renumbered, and the widest grid with what its influence is made from.
    optimization = 32 * n * k + 60 * (2 * LARGEST) ** 2
    return max(search, affinities, optimization) + 80 * n


def check_memory(n: int, columns: int, k: int, free: int | None) -> None:
    """Compare what is needed with what is free.

    Raises
    ------
    EngineFailed
        If it is not enough, with both numbers.
    """
    need = memory(n, columns, k, free)
    if free is not None and need > free:
        raise EngineFailed(
            f"t-SNE of {n:,} x {columns:,} values with {k:,} neighbours each needs up to {need / 2**30:.1f} GiB on the "
            f"GPU but {free / 2**30:.1f} GiB are free: take fewer rows or a lower perplexity"
        )


def tsne(
    device: Device, X: Any, settings: methods.TSNE, seed: int, report: Report = silent, *, initial: Any = None
) -> Output:
    """Map of the rows of X, (n, columns) float32 on the device; see `mesh.tsne`, whose facts it gives too."""
    n = len(X)
    k = check_rows(n, settings, initial)
    check_memory(n, X.shape[1], k, device.free())
    places = start(device, X, settings, seed) if initial is None else device.put(np.asarray(initial, np.float32))
    order = morton(device, places)
    indices, distances = gpu_neighbors.find(device, X, k)
    p = conditional(device, distances, settings.perplexity)
    found = widths(distances, p, device.xp)
    edges = join(device, indices, p, order)
    del indices, distances, p  # The largest arrays but the edges.
    optimization = Map(device, edges, places[order], order)
    del edges, places
    stopped = optimize(optimization, settings, n, optimization.snapshot, report)
    notes = () if stopped is None else (f"t-SNE stopped after {optimization.iterations} iterations: {stopped}",)
    error = optimization.force_error()
    facts = {
        "iterations": optimization.iterations,
        "stopped": stopped,
        "kl": optimization.divergence(None),
        "neighbors_exact": True,
        "neighbor_recall": None,
        "grid_nodes": optimization.grid.sides,
        "grid_spacing": optimization.grid.spacing,
        "force_error": error,
    }
    return Output(optimization.embedding(), facts, notes, {"beta": found.beta, "level": found.level})
