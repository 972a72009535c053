"""The project's own t-SNE on the CPU: one scalar field by particle-mesh holds all of the repulsion (see `grid`).

Every stage that takes time is compiled here: neighbours, bandwidths, the symmetric affinities, and an optimisation
that a team of threads carries through many iterations without coming back to Python. The same seed and number of
threads give the same bytes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ... import methods
from ...errors import InputError, Unavailable
from .. import EXACT_COLUMNS, Output, Progress, Report, silent, threads

DEVICE = "cpu"

KL_ROWS = 10_000
"""Rows that the running KL is estimated from."""

FORCE_ROWS = 256
"""Rows that the error of the force is measured on."""

_EVERY = 50  # Iterations between two reports.
_SETTLING = 0.2  # Share of the iterations, the last, for which `Optimization.refine`.

Snapshot = Callable[[], Callable[[], np.ndarray]]
"""Keeps the map as it is now; what it returns gives that map in the order of the rows, on the host."""


class Optimization(Protocol):
    """What `optimize` needs of a map, on the CPU or on a GPU."""

    iterations: int

    def advance(self, count: int, exaggeration: float, learning_rate: float, momentum: float) -> None:
        """Do `count` iterations."""

    def refine(self) -> None:
        """Use the grid of the last iterations from now on."""

    def divergence(self) -> float:
        """KL divergence in nats, estimated."""


def check() -> None:
    """Return if the engine can be used here.

    Raises
    ------
    Unavailable
        If numba or SciPy cannot be imported.
    """
    for library in ("numba", "scipy.ndimage"):
        try:
            importlib.import_module(library)
        except ImportError as error:
            raise Unavailable(f"{library} cannot be imported: {error}") from error


def put(X: np.ndarray) -> np.ndarray:
    """The array as float32, row by row; the same array if it is that already."""
    return np.ascontiguousarray(X, dtype=np.float32)


def get(array: Any) -> Any:
    """The array as it is."""
    return array


def sync() -> None:
    """Nothing to wait for: every function returns when its work is done."""


def compile() -> None:
    """Compile the kernels, or load them from disk, by a run so small that it takes no time."""
    X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    tsne(X, methods.TSNE(perplexity=5, iterations=2), 0, silent)


def tsne(
    X: np.ndarray, settings: methods.TSNE, seed: int, report: Report = silent, *, initial: np.ndarray | None = None
) -> Output:
    """Map of the rows of X, (n, 2) float32, its mean at zero.

    Parameters
    ----------
    X
        Features, (n, columns) float32, at least four thirds of the perplexity rows.
    settings
        What t-SNE is to do.
    seed
        For the clusters of the neighbour search and for a random start.
    report
        Called every 50 iterations with the map so far and its KL divergence, in nats: the Z of the iteration before,
        and the edges of about 10,000 evenly spaced rows for all. An answer of "stop" ends the optimisation.
    initial
        Start, (n, 2), taken as it is; default what the settings say.

    Returns
    -------
    Output
        With the facts `iterations`, `stopped` (why it ended early, or None), `kl` (of the final map, all edges),
        `neighbors_exact`, `neighbor_recall` (on a sample; None where all points were scanned), `grid_nodes`,
        `grid_spacing` and `force_error`: the error of the repulsive force relative to its root mean square, on a
        sample of the final map.

    Raises
    ------
    InputError
        If there are too few rows for the perplexity, or the start has another shape.
    EngineFailed
        If the map grows beyond all bounds.

    References
    ----------
    van der Maaten & Hinton 2008, JMLR 9:2579-2605; Essmann et al. 1995, doi:10.1063/1.470117 (the mesh).
    """
    from . import affinities, cpu, search

    n, team = len(X), threads()
    k = check_rows(n, settings, initial)
    start = _start(X, settings, seed) if initial is None else np.asarray(initial, np.float32)
    found = search.find(np.asarray(X, np.float32), k, seed, team)
    p = affinities.conditional(found.distances, settings.perplexity, team)
    edges = affinities.join(found.indices, p, found.order, team)
    widths = affinities.widths(found.distances, p)
    order, recall = found.order, found.recall
    del found, p  # The largest arrays but the edges.
    optimization = cpu.Map(edges, start[order], team)

    def snapshot() -> Callable[[], np.ndarray]:
        points = optimization.points.copy()
        return lambda: in_rows(points, order)

    stopped = optimize(optimization, settings, n, snapshot, report)
    notes = () if stopped is None else (f"t-SNE stopped after {optimization.iterations} iterations: {stopped}",)
    error = optimization.force_error()
    facts = {
        "iterations": optimization.iterations,
        "stopped": stopped,
        "kl": optimization.divergence(None),
        "neighbors_exact": recall is None,
        "neighbor_recall": recall,
        "grid_nodes": optimization.grid.sides,
        "grid_spacing": optimization.grid.spacing,
        "force_error": error,
    }
    return Output(in_rows(optimization.points, order), facts, notes, {"beta": widths.beta, "level": widths.level})


def neighbors(X: np.ndarray, settings: methods.Neighbors, seed: int, report: Report) -> Output:
    """The exact nearest neighbours of each row of X, (n, columns) float32, but for ties within float32's rounding."""
    from .search import find

    found = find(np.asarray(X, np.float32), settings.n_neighbors, seed, threads(), exact=True)
    by_distance = np.argsort(found.distances, axis=1, kind="stable")
    indices = np.take_along_axis(found.indices, by_distance, axis=1)
    return Output((indices, np.sqrt(np.take_along_axis(found.distances, by_distance, axis=1))))


def check_rows(n: int, settings: methods.TSNE, initial: np.ndarray | None) -> int:
    """Neighbours to take of each of n rows.

    Raises
    ------
    InputError
        If there are too few rows for the perplexity, or the start has another shape.
    """
    k = min(settings.n_neighbors(), n - 1)
    if settings.perplexity > k:
        raise InputError(
            f"perplexity is {settings.perplexity:g} but {n} rows allow at most {max(n - 1, 0)}: "
            "lower it or take more rows."
        )
    if initial is not None and np.shape(initial) != (n, 2):
        raise InputError(
            f"the start has the shape {np.shape(initial)} but the map has {(n, 2)}: give one point for each row."
        )
    return k


def optimize(
    optimization: Optimization, settings: methods.TSNE, n: int, snapshot: Snapshot, report: Report
) -> str | None:
    """Both phases of a map of n points; why they ended early, if they did."""
    factors = settings.early_exaggeration, settings.exaggeration
    momenta, fine = (settings.early_momentum, settings.momentum), False
    now: Progress | None = None
    for count, factor, rate, momentum in zip(
        settings.phases(), factors, settings.learning_rates(n), momenta, strict=True
    ):
        while count > 0:
            if not fine and settings.iterations - optimization.iterations <= settings.iterations * _SETTLING:
                optimization.refine()
                fine = True
            part = min(count, _EVERY)
            optimization.advance(part, factor, rate, momentum)
            count -= part
            last = now
            now = Progress(optimization.iterations, settings.iterations, optimization.divergence(), snapshot())
            if report(now) == "stop" and optimization.iterations < settings.iterations:
                return "the caller asked for it"
            if _is_flat(last, now, settings) and optimization.iterations < settings.iterations:
                return f"KL fell by less than {settings.min_kl_drop:g} of itself in {part} iterations"
    return None


def _is_flat(last: Progress | None, now: Progress, settings: methods.TSNE) -> bool:
    """Whether KL has stopped falling; asked in the late phase only, once its first iterations are over."""
    early, _ = settings.phases()
    if last is None or last.done is None or last.done <= early + _EVERY or last.kl is None or now.kl is None:
        return False
    return settings.min_kl_drop > 0 and last.kl - now.kl < settings.min_kl_drop * now.kl


def _start(X: np.ndarray, settings: methods.TSNE, seed: int) -> np.ndarray:
    """Where the points begin: two principal components or noise, the first with standard deviation 1e-4."""
    noise = np.random.default_rng(seed).normal(scale=1e-4, size=(len(X), 2))
    if settings.initialization == "random":
        return noise.astype(np.float32)
    centered = X - X.mean(axis=0, dtype=np.float64)
    largest, axes = _axes(centered, seed)
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    scale = np.sqrt(largest / len(X))
    if not scale > 0:
        return noise.astype(np.float32)  # All rows are equal.
    start = np.zeros((len(X), 2))
    start[:, : axes.shape[1]] = centered @ axes * (1e-4 / scale)
    if start[:, 1].std() < 1e-10:
        start[:, 1] = noise[:, 1]  # On a line nothing would ever leave the line.
    return start.astype(np.float32)


def _axes(centered: np.ndarray, seed: int) -> tuple[float, np.ndarray]:
    """The greatest sum of squares along an axis, and the first two axes, (columns, 2); of many columns by iteration.

    References
    ----------
    Halko, Martinsson & Tropp 2011, doi:10.1137/090771806.
    """
    if centered.shape[1] > EXACT_COLUMNS:
        from sklearn.utils.extmath import randomized_svd

        _, singular, axes = randomized_svd(centered, 2, n_iter=7, random_state=seed)
        return float(singular[0]) ** 2, axes.T
    values, vectors = np.linalg.eigh(centered.T @ centered)
    return float(values[-1]), vectors[:, :-3:-1]


def in_rows(points: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The map in the order of the rows, its mean at zero."""
    embedding = np.empty_like(points)
    embedding[order] = points - points.mean(axis=0, dtype=np.float64).astype(np.float32)
    return embedding
