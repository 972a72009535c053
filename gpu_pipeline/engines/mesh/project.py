"""Rows on fixed axes, each row alone: a matrix product whose bytes do not depend on which rows come together."""

from __future__ import annotations

import numpy as np

from ...compiling import kernel
from .team import together


def project(X: np.ndarray, mean: np.ndarray, axes: np.ndarray, threads: int) -> np.ndarray:
    """(X - mean) axes, (m, components) float32, for float32 X (m, columns), mean (columns,), axes (columns,
    components)."""
    scores = np.empty((len(X), axes.shape[1]), np.float32)
    bounds = np.arange(threads + 1) * len(X) // threads
    X, mean, axes = (np.ascontiguousarray(array, dtype=np.float32) for array in (X, mean, axes))
    together(threads, lambda thread: _project(X, mean, axes, bounds[thread], bounds[thread + 1], scores))
    return scores


@kernel
def _project(X, mean, axes, start, stop, scores):  # type: ignore[no-untyped-def]
    columns, size = axes.shape
    line = np.empty(size, np.float32)
    for i in range(start, stop):
        line[:] = 0
        for column in range(columns):
            value = X[i, column] - mean[column]
            for a in range(size):
                line[a] += value * axes[column, a]
        scores[i] = line
