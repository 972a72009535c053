"""The exact normalisation of a map's similarities, over all pairs: the judge's Z."""

from __future__ import annotations

import math

import numpy as np

from .compiling import kernel, part
from .processors import in_threads

_BAND = 128  # Points whose pairs are added up by one thread.


def normalisation(Y: np.ndarray) -> float:
    """Sum of 1 / (1 + d^2) over all ordered pairs of different points, (n, 2) float64, differences taken directly."""
    x, y = np.ascontiguousarray(Y[:, 0]), np.ascontiguousarray(Y[:, 1])
    return 2.0 * math.fsum(in_threads(lambda start: _band(x, y, start, start + _BAND), range(0, len(Y), _BAND)))


@kernel
def _band(x, y, start, stop):  # type: ignore[no-untyped-def]
    """The pairs of the points `start` to `stop` with those behind them."""
    total = 0.0
    for i in range(start, min(stop, len(x))):
        total += _similarities(x[i], y[i], x[i + 1 :], y[i + 1 :])
    return total


@part
def _similarities(along, across, x, y):  # type: ignore[no-untyped-def]
    """Sum of 1 / (1 + d^2), 1/a + 1/b by one division: it is the slowest of all that is done here."""
    total, half = 0.0, len(x) // 2
    for j in range(half):
        a = 1.0 + (x[j] - along) ** 2 + (y[j] - across) ** 2
        b = 1.0 + (x[half + j] - along) ** 2 + (y[half + j] - across) ** 2
        total += (a + b) / (a * b)
    if len(x) % 2:
        total += 1.0 / (1.0 + (x[-1] - along) ** 2 + (y[-1] - across) ** 2)
    return total
