"""From points to a grid of counts: the window, Datashader's aggregation, and discs where points are few."""

from __future__ import annotations

from dataclasses import dataclass

import datashader
import numpy as np
import pandas as pd

from ..errors import InputError
from .layer import Layer

MARGIN = 0.04
Range = tuple[float, float]


@dataclass(frozen=True)
class View:
    """A window on the map and its size in pixels; one unit is as long on y as on x."""

    x_range: Range
    y_range: Range
    width: int
    height: int


@dataclass(frozen=True)
class Grid:
    """How much of each ink lies in each pixel.

    Attributes
    ----------
    counts
        (height, width, inks); row 0 holds the least y. Whole numbers of points, or ink after `spread`.
    sums
        (height, width), the quantity summed over the measured points, if there is a quantity.
    """

    counts: np.ndarray
    sums: np.ndarray | None = None


def fit(
    frame: pd.DataFrame, width: int, height: int, x_range: Range | None = None, y_range: Range | None = None
) -> View:
    """The window that shows all points with a small margin, or the given one, widened to equal scales.

    Raises
    ------
    InputError
        If a range is not two finite, rising numbers, or the size is not one that can be drawn.
    """
    if not (1 <= width <= 16_384 and 1 <= height <= 16_384):
        raise InputError(f"a picture of {width} x {height} pixels cannot be drawn: choose 1 to 16384 for each.")
    (x0, x1), (y0, y1) = (_range(frame[axis], given) for axis, given in (("x", x_range), ("y", y_range)))
    # A window that was asked for is kept as it is, without a margin.
    wide, high = ((1 if given else 1 + 2 * MARGIN) for given in (x_range, y_range))
    scale = max((x1 - x0) * wide / width, (y1 - y0) * high / height)
    if scale == 0:  # one place only: a window that is wide against the coordinates' rounding error
        scale = max(1.0, abs(x0) * 1e-3, abs(y0) * 1e-3) / min(width, height)
    half_x, half_y = scale * width / 2, scale * height / 2
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return View((x - half_x, x + half_x), (y - half_y, y + half_y), width, height)


def aggregate(layer: Layer, view: View) -> Grid:
    """Count the points in each pixel, ink by ink; those outside the window are left out."""
    inks = len(layer.frame["ink"].cat.categories)
    quantity = layer.key.kind == "quantity"
    if layer.frame.empty:
        empty = np.zeros((view.height, view.width), np.float32)
        return Grid(np.zeros((*empty.shape, inks), np.uint32), empty if quantity else None)
    canvas = datashader.Canvas(view.width, view.height, view.x_range, view.y_range)
    counts = canvas.points(layer.frame, "x", "y", datashader.by("ink", datashader.count())).values
    if not quantity:
        return Grid(counts)
    sums = canvas.points(layer.frame, "x", "y", datashader.sum("value")).values
    return Grid(counts, np.nan_to_num(sums))


def spread(grid: Grid) -> Grid:
    """Draw points as discs where few are in view, so that each can be seen; else the grid as it is.

    The discs would cover a third of the window if none overlapped, with a radius of at most a 300th
    of its side: 2.7 pixels for 5,000 points on 800 x 800, 1 for 70,000, single pixels from 120,000 on.
    """
    height, width, inks = grid.counts.shape
    n = int(grid.counts.sum())
    radius = min(np.sqrt(height * width / (3 * np.pi * max(n, 1))), max(min(height, width) / 300, 1.5))
    reach = int(np.ceil(radius - 0.5))
    if n == 0 or radius < 0.75:
        return grid
    lit = np.flatnonzero(np.einsum("ijk->ij", grid.counts))
    ink = grid.counts.reshape(-1, inks)[lit].astype(np.float32)
    if grid.sums is not None:
        ink = np.column_stack([ink, grid.sums.reshape(-1)[lit].astype(np.float32)])
    stride = width + 2 * reach
    place = (lit // width + reach) * stride + lit % width + reach
    out = np.zeros(((height + 2 * reach) * stride, ink.shape[1]), np.float32)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            covered = min(max(radius + 0.5 - np.hypot(dx, dy), 0.0), 1.0)
            if covered > 0:
                # No place occurs twice in one shift, so that plain addition is enough.
                out[place + dy * stride + dx] += np.float32(covered) * ink
    out = out.reshape(height + 2 * reach, stride, -1)[reach : reach + height, reach : reach + width]
    return Grid(out[..., :inks], None if grid.sums is None else out[..., inks])


def _range(values: pd.Series, given: Range | None) -> Range:
    """The given range, or that of the values."""
    if given is None:
        return (0.0, 0.0) if values.empty else (float(values.min()), float(values.max()))
    low, high = (float(end) for end in given)
    if not (np.isfinite([low, high]).all() and low < high):
        raise InputError(f"the range {low:g} to {high:g} is empty: give two finite numbers, the lower first.")
    return low, high
