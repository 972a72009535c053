"""The least time that each stage of t-SNE can take on a GPU, from the bytes it moves and the operations it does.

`python -m gpu_pipeline.engines.mesh.roofline` writes the tables of docs/mesh-gpu.md. A stage is counted as if each
array went through the device's memory once, or through the level-two cache where it fits there, and with what its
launches cost.

Williams, Waterman & Patterson 2009, doi:10.1145/1498765.1498785.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """What a GPU can do.

    Attributes
    ----------
    bandwidth, cache_bandwidth
        Bytes a second of its memory and of its level-two cache.
    cache
        Size of that cache, in bytes.
    flops, double_flops
        Operations a second in float32 outside the tensor cores, and in float64.
    launch
        Seconds between two kernels of a graph.
    """

    bandwidth: float
    cache_bandwidth: float
    cache: float
    flops: float
    double_flops: float
    launch: float


H200 = Machine(4.3e12, 5.5e12, 50e6, 50e12, 30e12, 1.5e-6)
"""Attainable rather than printed figures; cache bandwidth and launch are estimates."""

_SPREAD = {5_000: 76.0, 70_000: 200.0, 1_000_000: 400.0}  # Extent of a finished map, by its points.
_MEAN = 0.5  # Share of the finished map's extent that the grid has over a run's iterations, about.


@dataclass(frozen=True)
class Stage:
    """One stage, all of its iterations together.

    Attributes
    ----------
    name
        What it does.
    flops, bytes
        Operations, of either precision, and bytes moved.
    seconds
        The least time.
    """

    name: str
    flops: float
    bytes: float
    seconds: float


def _stage(
    name: str, flops: float, moved: float, *, double: float = 0.0, resident: float = math.inf, launches: int = 1
) -> Stage:
    bandwidth = H200.cache_bandwidth if resident < H200.cache else H200.bandwidth
    busy = max(flops / H200.flops + double / H200.double_flops, moved / bandwidth)
    return Stage(name, flops + double, moved, busy + launches * H200.launch)


def stages(n: int, raw: int, width: int, k: int, iterations: int = 1000) -> list[Stage]:
    """All stages of n rows: `raw` columns as they come, `width` after PCA, k neighbours."""
    nodes = _MEAN * _nodes(n)
    padded = 4 * nodes * nodes
    edges = 1.6 * n * k
    tiles = max(1, math.ceil(n / 8192)) ** 2
    reduction = [
        _stage("covariance", 0, 4 * n * raw, double=2 * n * raw * raw),
        _stage("eigenvectors", 0, 8 * raw * raw, double=9 * raw**3),
        _stage("scores", 0, 4 * n * (raw + width), double=2 * n * raw * width),
    ]
    search = [
        _stage("products", 2.0 * n * n * width, 4.0 * n * n + 4 * n * width, launches=tiles),
        _stage("selection", 12.0 * n * n / 32, 4.0 * n * n + 16 * n * k * math.sqrt(tiles), launches=tiles),
        _stage("distances", 3.0 * n * k * width, 4.0 * n * k * width, resident=4 * n * width),
    ]
    graph = [
        _stage("bandwidths", 0, 8 * n * k, double=8 * 40 * n * k),
        _stage("symmetric graph", n * k * k, 4 * n * k * k + 60 * n * k, resident=8 * n * k, launches=30),
    ]
    charges = 16 * 8 * n + 8 * nodes * nodes + 4 * nodes * nodes
    moving = 8 * edges + 8 * edges + 40 * n + 16 * 4 * n
    optimisation = [
        _stage("charges", 60 * n, charges, resident=8 * nodes * nodes),
        _stage("transforms", 5 * padded * math.log2(padded), 4 * 2 * 4 * padded, resident=12 * padded, launches=5),
        _stage("step", 14 * edges + 200 * n, moving, resident=8 * edges + 60 * n),
    ]
    each = [Stage(s.name, *(iterations * part for part in (s.flops, s.bytes, s.seconds))) for s in optimisation]
    return [_transfer(n, raw), *(reduction if raw > width else ()), *search, *graph, *each]


def seconds(parts: list[Stage]) -> float:
    """Sum over the stages."""
    return sum(part.seconds for part in parts)


def _nodes(n: int) -> float:
    from .grid import spacings

    nearest = min(_SPREAD, key=lambda known: abs(math.log(known / n)))
    return _SPREAD[nearest] * math.sqrt(n / nearest) / spacings(n)[0]


def _transfer(n: int, raw: int) -> Stage:
    moved = 4.0 * n * raw
    return Stage("upload, 50 GB/s", 0, moved, moved / 50e9)


def table(cases: tuple[tuple[int, int, int], ...] = ((5_000, 784, 50), (70_000, 784, 50), (1_000_000, 50, 50))) -> str:
    """Milliseconds, bytes and operations of each stage, as a Markdown table for each (rows, columns, after PCA)."""
    lines = []
    for n, raw, width in cases:
        parts = stages(n, raw, width, 90)
        lines += [f"### {n:,} x {raw}", "", "| stage | GFLOP | GB | ms at least |", "| --- | ---: | ---: | ---: |"]
        for part in [*parts, Stage("all", *(sum(getattr(p, f) for p in parts) for f in ("flops", "bytes", "seconds")))]:
            lines.append(
                f"| {part.name} | {part.flops / 1e9:,.1f} | {part.bytes / 1e9:,.2f} | {1e3 * part.seconds:,.2f} |"
            )
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
