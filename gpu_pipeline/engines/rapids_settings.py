"""Settings and neighbour lists as cuML wants them: plain values and array algebra, no GPU needed.

Facts about cuML are those of release 26.10, whose Python sources travel in its wheel and whose CUDA
sources lie in github.com/NVIDIA/cuml. The array functions take NumPy and CuPy arrays alike.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import methods
from ..errors import Unsupported

GRAPH_COLUMNS = 1023
"""Neighbours that cuML's t-SNE takes at most, the point itself counted."""

TOLERANCE = float(np.finfo(np.float32).tiny)
"""What cuML's k-means is given for a tolerance of 0, which it refuses; no centre moves less and moves.

It also ends where the inertia rises by rounding, so that even then it may make fewer passes than it was allowed."""

# verbose=False would be level "info", whose warnings go to standard output; 2 is level "error".
QUIET: dict[str, Any] = {"verbose": 2, "output_type": "cupy"}


def pca(settings: methods.PCA) -> dict[str, Any]:
    """What cuML's PCA is given; "full" solves the covariance matrix, it has no randomised solver."""
    return {"n_components": settings.n_components, "svd_solver": "full", **QUIET}


def tsne(settings: methods.TSNE, n: int, seed: int) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What cuML's t-SNE is given for `n` points, and sentences on what it cannot be given.

    Its gradient lacks the paper's factor 4, and its second learning rate is always twice its first.

    Raises
    ------
    Unsupported
        If cuML has no such perplexity or momentum.
    """
    if settings.n_neighbors() >= GRAPH_COLUMNS:
        raise Unsupported(f"cuML's t-SNE takes perplexities up to {(GRAPH_COLUMNS - 1) // 3}")
    if settings.early_momentum == 0 or settings.momentum == 0:
        raise Unsupported("cuML's t-SNE needs a momentum above 0")
    early_iterations, late_iterations = settings.phases()
    early_rate, late_rate = settings.learning_rates(n)
    # Without an early phase the second rate is in force from the start.
    rate = early_rate if early_iterations else late_rate / 2
    notes = ["cuML's t-SNE interpolates repulsion on 50 x 50 boxes, however far the map spreads"]
    if late_iterations and 2 * rate != late_rate:
        notes.append(f"cuML's second learning rate is twice the first, {2 * rate:g}, not {late_rate:g}")
    if settings.min_kl_drop:
        notes.append("cuML runs all iterations, however little KL falls")
    if settings.initialization == "random":
        notes.append("cuML's random start is uniform within 1e-4, not normal")
    arguments = {
        "perplexity": settings.perplexity,
        "n_neighbors": graph_columns(settings, n),
        "early_exaggeration": settings.early_exaggeration,
        "late_exaggeration": settings.exaggeration,
        "exaggeration_iter": early_iterations,
        "max_iter": settings.iterations,
        "learning_rate_method": None,  # "adaptive" would overwrite three settings
        "learning_rate": 4 * rate,
        "pre_momentum": settings.early_momentum,
        "post_momentum": settings.momentum,
        "min_grad_norm": 0.0,  # every engine runs all its iterations
        "init": settings.initialization,
        # "exact" is quadratic, has no late exaggeration and ignores the seed; "barnes_hut" can hang.
        "method": "fft",
        "metric": "euclidean",
        "square_distances": False,  # `graph_without_self` has squared them
        # A random start takes 0 for "by the clock" (cpp/src/tsne/utils.cuh).
        "random_state": seed or 2**32 - 1,
        **QUIET,
    }
    return arguments, tuple(notes)


def graph_columns(settings: methods.TSNE, n: int) -> int:
    """Columns of the neighbour graph for t-SNE: the neighbours, and the point itself."""
    return min(settings.n_neighbors() + 1, n)


def umap(settings: methods.UMAP, n: int, seed: int) -> dict[str, Any]:
    """What cuML's UMAP is given for `n` points; with a seed it always compares all pairs."""
    return {
        "n_neighbors": settings.n_neighbors,
        "n_components": 2,
        "min_dist": settings.min_dist,
        "spread": settings.spread,
        "n_epochs": settings.epochs(n),
        "init": "spectral",
        "build_algo": "brute_force_knn",
        "random_state": seed,
        **QUIET,
    }


def kmeans_unit(settings: methods.KMeans, columns: int, variance: float) -> float:
    """Power of two to divide rows by, so that cuML's k-means ends where scikit-learn's does, in whatever unit they are.

    cuML has one `tol` for two rules (cuVS, cpp/src/cluster/detail/kmeans_common.cuh, check_convergence): a start ends
    when the centres' squared movement is below it, or when a pass lowers the inertia by a smaller share of it.
    scikit-learn has the first rule alone, with `tol` x `variance`, the mean of the columns' variances. That much
    movement of clusters of equal size lowers the inertia by a share of `tol` / (clusters x columns) or more, so that
    where the variance is 1 / (clusters x columns) one number serves both rules. With a `tol` of 1 or more, as it was
    for a variance of 10,000, the second ends every start after its second pass.
    """
    if not 0 < variance < math.inf:
        return 1.0
    return 2.0 ** round(math.log2(variance * settings.n_clusters * columns) / 2)


def kmeans(settings: methods.KMeans, variance: float, seed: int) -> dict[str, Any]:
    """What cuML's k-means is given for rows in the unit of `kmeans_unit`; `variance` is the mean of their columns'."""
    return {
        "n_clusters": settings.n_clusters,
        "n_init": settings.n_init,
        "max_iter": settings.max_iter,
        "tol": max(settings.tol * variance, TOLERANCE),
        "init": "k-means++",  # its default, k-means||, starts from other centres
        "random_state": seed,
        **QUIET,
    }


def neighbors(k: int) -> dict[str, Any]:
    """What cuML's search is given for k neighbours beside the point itself; "brute" is exact."""
    return {"n_neighbors": k + 1, "algorithm": "brute", "metric": "euclidean", **QUIET}


def memory(method: str, shape: tuple[int, int], k: int = 0) -> int:
    """Bytes of the GPU's memory that a method takes at least beside rows of that shape, with `k` neighbours each.

    What is certain to be there at the same time; cuML's own peak is higher, and told by its failure only.
    """
    n, columns = shape
    rows, lists = 4 * n * columns, 12 * n * k  # A copy of the rows; neighbours as int64 and distances.
    # The search drops each point itself from its list. t-SNE's graph is another pair of lists, and symmetric affinities
    # are two entries of 12 bytes or more for each neighbour.
    return {"pca": rows, "kmeans": rows, "umap": rows + lists, "neighbors": rows + 2 * lists, "tsne": rows + 4 * lists}[
        method
    ]


def drop_self(indices: Any, distances: Any, rows: Any) -> tuple[Any, Any]:
    """Neighbour lists without the point itself, in the same order.

    cuML's own removal takes the point itself for the first neighbour unless some distance is exactly
    0, and so leaves it in where round-off has put it behind another. Among many duplicates it may be
    missing; then the farthest is left out.

    Parameters
    ----------
    indices, distances
        (n, k + 1) neighbours, sorted by distance.
    rows
        0 to n - 1, of the same kind of array.

    Returns
    -------
    (n, k) indices and distances.
    """
    drop = indices == rows[:, None]
    drop[:, -1] |= ~drop.any(axis=1)
    keep = ~drop
    return indices[keep].reshape(len(rows), -1), distances[keep].reshape(len(rows), -1)


def graph_without_self(indices: Any, distances: Any, rows: Any) -> tuple[Any, Any]:
    """The neighbour graph for cuML's t-SNE, in which a point's edge to itself weighs nothing.

    cuML wants each point itself in column 0 and counts it as the nearest of its neighbours: at distance 0
    it would have 32 % of all affinity, and the others a perplexity of 58 where 30 was asked (5,000 rows of
    MNIST, 50 components). Here it is in column 0, but far away. The squares are given less each row's
    smallest: affinities are ratios of exponentials, which that leaves alone, and the exponentials' sum
    stays at 1 or more, which cuML's search in float32 needs (it adds 1e-7) and the point itself would
    otherwise have seen to.

    Parameters
    ----------
    indices, distances
        (n, k) neighbours without the point itself, and Euclidean distances.
    rows
        0 to n - 1, of the same kind of array.

    Returns
    -------
    (n, k + 1) indices and squared distances; cuML writes into the second.
    """
    squares = distances**2
    squares -= squares.min(axis=1, keepdims=True)
    # With 3 x perplexity neighbours, precision x largest square is above log 3 in every row, so that ten
    # times the largest leaves the point itself less than exp(-11) of the nearest neighbour's weight.
    far = np.full_like(squares[:, :1], 10 * float(squares.max()) or 1.0)
    graph = np.concatenate((rows[:, None], indices), axis=1).astype(np.int64)
    return graph, np.concatenate((far, squares), axis=1)


def signs(components: Any) -> Any:
    """Sign of each component's largest entry; times it, scores point as scikit-learn's do."""
    largest = np.abs(components).argmax(axis=1)[:, None]
    return np.sign(np.take_along_axis(components, largest, axis=1)[:, 0])
