"""What a reference is made of beside arrays, and what placing gives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError


@dataclass(frozen=True)
class Axes:
    """A projection: rows less `mean` (columns,), times `axes` (columns, components), float32."""

    mean: np.ndarray
    axes: np.ndarray


@dataclass(frozen=True)
class Placed:
    """New rows on the map.

    Attributes
    ----------
    embedding
        Their places, (m, 2) float32.
    neighbors
        The reference rows nearest to each in the features, nearest first, (m, at most 15) int32: positions in the
        reference's own order.
    distances
        Their distances in the features, (m, at most 15) float32.
    novelty
        How far each row is from what the reference knows, (m,) float32: its mean distance to those neighbours, over
        the mean of such a mean for reference rows near there. About 1 is usual.
    far
        `novelty` beyond which a row is called far: 1 % of the reference's own rows are.
    """

    embedding: np.ndarray
    neighbors: np.ndarray
    distances: np.ndarray
    novelty: np.ndarray
    far: float


def less(X: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Rows less an offset, which is taken in float64, as float32.

    Raises
    ------
    InputError
        If one does not fit there.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        rows: np.ndarray = np.subtract(X, offset, out=np.empty(X.shape, np.float32), dtype=float, casting="unsafe")
    if not np.isfinite(rows).all():
        raise InputError(f"values reach {np.abs(X).max():.3g}, which is too large for float32: scale them.")
    return rows
