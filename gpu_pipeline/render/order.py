"""Points in the order of their places, so that a window's points lie together in memory.

Counting ten million points that lie in any order is bound by memory: each falls into another part of
the grid. In the order of a coarse grid of cells it is five times as fast, and a window that shows a
part of the map touches only the cells under it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..compiling import kernel

MOST_CELLS = 256
"""Cells along each side at most, so that a cell's number fits in 16 bits."""

POINTS_A_CELL = 64


@dataclass(frozen=True, eq=False)
class Order:
    """The points of a map by cell, row by row of cells; made once a map and shared by all its colours.

    Attributes
    ----------
    rows
        (n,) int32, position of each point in the table that was given.
    x, y
        (n,) coordinates in this order.
    starts
        (side * side + 1,) where each cell's points begin.
    side
        Cells along each side.
    corner, scale
        Least x and y of the inner cells, and cells a unit; points beyond lie in the outermost cells.
    """

    rows: np.ndarray
    x: np.ndarray
    y: np.ndarray
    starts: np.ndarray
    side: int
    corner: tuple[float, float]
    scale: tuple[float, float]

    def pieces(self, x_range: tuple[float, float], y_range: tuple[float, float]) -> list[slice]:
        """Slices that together have every point of a window, and some around it."""
        left, right = (self._cell(x, 0) for x in x_range)
        bottom, top = (self._cell(y, 1) for y in y_range)
        if left == 0 and right == self.side - 1:
            spans = [(self.starts[bottom * self.side], self.starts[(top + 1) * self.side])]
        else:
            rows = range(bottom * self.side, (top + 1) * self.side, self.side)
            spans = [(self.starts[row + left], self.starts[row + right + 1]) for row in rows]
        return [slice(int(start), int(stop)) for start, stop in spans if start < stop]

    def _cell(self, value: float, axis: int) -> int:
        # Rounding is monotone, so that a point between two edges is never in a cell outside theirs.
        place = (float(value) - self.corner[axis]) * self.scale[axis]
        return int(min(max(place, 0), self.side - 1))


def order(x: np.ndarray, y: np.ndarray) -> Order:
    """Order points by place; a stable sort by cell, in linear time.

    Parameters
    ----------
    x, y
        (n,) finite coordinates, n below 2**31.
    """
    n = len(x)
    side = int(min(max(np.sqrt(n / POINTS_A_CELL), 1), MOST_CELLS))
    corner, scale = zip(*(_extent(values, side) for values in (x, y)), strict=True)
    rows, starts = _sort(np.ascontiguousarray(x), np.ascontiguousarray(y), corner, scale, side)
    return Order(rows, x[rows], y[rows], starts, side, corner, scale)


def _extent(values: np.ndarray, side: int) -> tuple[float, float]:
    """Where the inner cells begin, and cells a unit: a far outlier must not leave all others in one cell."""
    if not len(values):
        return 0.0, 0.0
    low, high = np.percentile(values[:: max(len(values) // 50_000, 1)].astype(np.float64), [0.5, 99.5])
    margin = 0.1 * (high - low)
    low, high = low - margin, high + margin
    with np.errstate(over="ignore", divide="ignore"):
        scale = np.float64(side) / np.float64(high - low)
    return float(low), float(scale) if np.isfinite(scale) else 0.0


@kernel
def _sort(x, y, corner, scale, side):  # type: ignore[no-untyped-def]
    """Positions of the points by cell, and where each cell begins."""
    n = len(x)
    cells = np.empty(n, np.uint16)
    starts = np.zeros(side * side + 1, np.int64)
    for i in range(n):
        column = int(min(max((np.float64(x[i]) - corner[0]) * scale[0], 0), side - 1))
        row = int(min(max((np.float64(y[i]) - corner[1]) * scale[1], 0), side - 1))
        cell = row * side + column
        cells[i] = cell
        starts[cell + 1] += 1
    for cell in range(side * side):
        starts[cell + 1] += starts[cell]
    at = starts[:-1].copy()
    rows = np.empty(n, np.int32)
    for i in range(n):
        rows[at[cells[i]]] = i
        at[cells[i]] += 1
    return rows, starts
