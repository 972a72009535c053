"""Principal components on a GPU: from the covariance, or by iteration where columns are many."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import EXACT_COLUMNS
from ..columns import means
from .gpu_device import Device

_BLOCK = 2**24  # Values that are centred at a time in float64.
_MORE = 10  # Directions beside those that are asked for: what lies between them and the rest converges faster.
_ROUNDS = 30  # Iterations at most.
_SETTLED = 1e-9  # Relative change of the explained variance at which they end.


class Components(NamedTuple):
    """Principal components.

    Attributes
    ----------
    mean
        Of the columns, (columns,) float64.
    variances
        Along each component, the largest first, (components,) float64.
    axes
        Directions, (columns, components) float64; each one's largest entry is positive.
    total
        Variance of all columns together.
    exact
        Whether they come from the covariance.
    """

    mean: Any
    variances: Any
    axes: Any
    total: float
    exact: bool


def components(device: Device, X: Any, count: int, seed: int) -> Components:
    """The first `count` principal components of X, (n, columns) float32, or as many as there are columns.

    All sums are in float64, over blocks of rows. Beyond `EXACT_COLUMNS` columns a random subspace is multiplied by the
    covariance, which is never formed, until it explains no more: n x columns x (count + 10) operations a round.

    References
    ----------
    Halko, Martinsson & Tropp 2011, doi:10.1137/090771806.
    """
    xp, (n, width) = device.xp, X.shape
    mean = means(xp, X)
    exact = width <= EXACT_COLUMNS or 4 * count > width
    if exact:
        values, vectors = xp.linalg.eigh(_covariance(device, X, mean, None) / max(n - 1, 1))
        values, axes, total = xp.maximum(values[::-1], 0), vectors[:, ::-1], values.sum()
    else:
        values, axes = _iterate(device, X, mean, count, seed)
        total = sum(((X[rows] - mean) ** 2).sum() for rows in _blocks(n, width)) / max(n - 1, 1)
    axes = axes[:, :count]
    signs = xp.sign(axes[xp.abs(axes).argmax(axis=0), xp.arange(axes.shape[1])])
    return Components(mean, values[:count], axes * signs, float(total), exact)


def scores(device: Device, X: Any, mean: Any, axes: Any) -> Any:
    """Rows along some axes, (n, axes) float32."""
    result = device.xp.empty((len(X), axes.shape[1]), np.float32)
    for rows in _blocks(*X.shape):
        result[rows] = (X[rows] - mean) @ axes
    return result


def _iterate(device: Device, X: Any, mean: Any, count: int, seed: int) -> tuple[Any, Any]:
    """Variances and directions of a subspace that the covariance leaves where it is."""
    xp, (n, width) = device.xp, X.shape
    start = np.random.default_rng(seed).normal(size=(width, min(count + _MORE, width)))
    axes, explained = xp.linalg.qr(device.put(start))[0], 0.0
    for _ in range(_ROUNDS):
        products = _covariance(device, X, mean, axes) / max(n - 1, 1)
        # The best that lies in the subspace (Rayleigh and Ritz); the products turn with it.
        values, turn = xp.linalg.eigh(axes.T @ products)
        before, explained = explained, float(device.get(values[-count:].sum()))
        found = axes @ turn
        if explained - before <= _SETTLED * explained:
            break
        axes = xp.linalg.qr(products @ turn)[0]
    return xp.maximum(values[::-1], 0), found[:, ::-1]


def _covariance(device: Device, X: Any, mean: Any, axes: Any) -> Any:
    """Sum over the centred rows of their products with themselves, or that sum times some axes."""
    n, width = X.shape
    total = device.xp.zeros((width, width if axes is None else axes.shape[1]))
    for rows in _blocks(n, width):
        block = X[rows] - mean
        total += block.T @ (block if axes is None else block @ axes)
    return total


def _blocks(n: int, width: int) -> list[slice]:
    """Consecutive rows that are centred together."""
    size = max(_BLOCK // max(width, 1), 1)
    return [slice(top, min(top + size, n)) for top in range(0, n, size)]
