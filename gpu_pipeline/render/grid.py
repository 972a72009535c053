"""From points to a grid of counts: the window, Datashader's aggregation, and discs where points are few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .. import arguments
from ..errors import InputError
from . import device
from .counting import scatter, survey
from .device import DeviceLayer
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


class Seen(NamedTuple):
    """The pixels of a grid that have ink.

    Attributes
    ----------
    lit
        (m,) their positions in the flat image, ascending.
    total, top, most, kinds
        (m,) the ink of each; the ink with the most, of equals the first; how much of that one; how many inks.
    amounts
        (inks,) how much there is of each ink.
    """

    lit: np.ndarray
    total: np.ndarray
    top: np.ndarray
    most: np.ndarray
    kinds: np.ndarray
    amounts: np.ndarray


@dataclass(frozen=True)
class Grid:
    """How much of each ink lies in each pixel.

    Attributes
    ----------
    counts
        (height, width, inks); row 0 holds the least y. Whole numbers of points, or ink after `spread`.
    sums
        (height, width), the quantity summed over the measured points, if there is a quantity.
    rest
        (height, width), the points that are not selected, if some are.
    """

    counts: np.ndarray
    sums: np.ndarray | None = None
    rest: np.ndarray | None = None

    @cached_property
    def seen(self) -> Seen:
        """The pixels that have ink, but for the points that are not selected; found once."""
        return Seen(*survey(self.counts))


def fit(
    frame: pd.DataFrame | Mapping[str, Any],
    width: int,
    height: int,
    x_range: Range | None = None,
    y_range: Range | None = None,
) -> View:
    """The window that shows all points with a small margin, or the given one, widened to equal scales.

    Raises
    ------
    InputError
        If a range is not two finite, rising numbers, or the size is not one that can be drawn.
    """
    width, height = arguments.whole(width, "the width"), arguments.whole(height, "the height")
    if not (1 <= width <= 16_384 and 1 <= height <= 16_384):
        raise InputError(f"a picture of {width} x {height} pixels cannot be drawn: choose 1 to 16384 for each.")
    (x0, x1), (y0, y1) = (_range(frame[axis], given) for axis, given in (("x", x_range), ("y", y_range)))
    # A window that was asked for is kept as it is, without a margin.
    wide, high = ((1 if given is not None else 1 + 2 * MARGIN) for given in (x_range, y_range))
    scale = max((x1 - x0) * wide / width, (y1 - y0) * high / height)
    if scale == 0:  # one place only: a window that is wide against the coordinates' rounding error
        scale = max(1.0, abs(x0) * 1e-3, abs(y0) * 1e-3) / min(width, height)
    half_x, half_y = scale * width / 2, scale * height / 2
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return View((x - half_x, x + half_x), (y - half_y, y + half_y), width, height)


def aggregate(layer: Layer | DeviceLayer, view: View) -> Grid:
    """Count the points in each pixel, ink by ink; those outside the window are left out.

    Points on a GPU are counted there, in the same pixels.

    Raises
    ------
    EngineFailed
        If points are on a GPU, which fails or has too little memory.
    """
    counts, sums = device.count(layer, view) if isinstance(layer, DeviceLayer) else _count(layer, view)
    rest = counts[..., layer.inks] if layer.marked else None
    return Grid(counts[..., : layer.inks], sums, rest)


def _count(layer: Layer, view: View) -> tuple[np.ndarray, np.ndarray | None]:
    """Points by pixel and ink, and sums of the quantity, if that is what is drawn."""
    frame = _near(layer, view)
    quantity = layer.key.kind == "quantity"
    shape = (view.height, view.width)
    if frame.empty:
        counts = np.zeros((*shape, len(frame["ink"].cat.categories)), np.uint32)
        return counts, np.zeros(shape, np.float32) if quantity else None
    import datashader

    canvas = datashader.Canvas(view.width, view.height, view.x_range, view.y_range)
    counts = canvas.points(frame, "x", "y", datashader.by("ink", datashader.count())).values
    if not quantity:
        return counts, None
    if layer.marked:
        frame = frame[frame["ink"].cat.codes.to_numpy() < layer.inks]
    if frame.empty:
        return counts, np.zeros(shape, np.float32)
    return counts, np.nan_to_num(canvas.points(frame, "x", "y", datashader.sum("value")).values)


def spread(grid: Grid) -> Grid:
    """Draw points as discs where few are in view, so that each can be seen; else the grid as it is.

    The discs would cover a third of the window if none overlapped, with a radius of at most a 300th
    of its side: 2.7 pixels for 5,000 points on 800 x 800, 1 for 70,000, single pixels from 120,000 on. Of those that
    are in colour among grey ones the number of these counts alone, so that a few of them are seen among many.
    """
    n = int(grid.seen.amounts.sum())
    all_points = n if grid.rest is None else n + int(grid.rest.sum())
    own, others = (_disc(points, grid.counts.shape) for points in (n, all_points))
    if own is None or not all_points:
        return grid
    return Grid(scatter(grid.counts, grid.seen.lit, *own), _discs(grid.sums, own), _discs(grid.rest, others))


def _disc(n: int, shape: tuple[int, ...]) -> tuple[np.ndarray, int] | None:
    """The share of each pixel that one of n points covers, and how far it reaches; None for a single pixel."""
    height, width, *_ = shape
    radius = min(np.sqrt(height * width / (3 * np.pi * max(n, 1))), max(min(height, width) / 300, 1.5))
    if radius < 0.75:
        return None
    reach = int(np.ceil(radius - 0.5))
    away = np.arange(-reach, reach + 1)
    return np.clip(radius + 0.5 - np.hypot(away[:, None], away), 0, 1).astype(np.float32), reach


def _discs(amount: np.ndarray | None, disc: tuple[np.ndarray, int] | None) -> np.ndarray | None:
    if amount is None or disc is None:
        return amount
    return np.asarray(scatter(amount[..., None], np.flatnonzero(amount), *disc)[..., 0])


def visible(layer: Layer, view: View) -> np.ndarray:
    """Positions in the table of the points in the window, ascending, without those that `mark` left out."""
    found = places(layer, view)
    return found if layer.order is None else np.sort(layer.order.rows[found])


def places(layer: Layer, view: View) -> np.ndarray:
    """Places in the layer's own frame of the points in the window, without those that `mark` left out."""
    (x0, x1), (y0, y1) = view.x_range, view.y_range
    x, y = layer.frame["x"].to_numpy(), layer.frame["y"].to_numpy()
    codes = layer.frame["ink"].cat.codes.to_numpy()
    pieces = [slice(0, len(x))] if layer.order is None else layer.order.pieces(view.x_range, view.y_range)
    found = [np.empty(0, np.int64)]
    for piece in pieces:
        here = (x[piece] >= x0) & (x[piece] <= x1) & (y[piece] >= y0) & (y[piece] <= y1)
        if layer.marked:
            here &= codes[piece] <= layer.inks
        found.append(np.flatnonzero(here) + piece.start)
    return np.concatenate(found)


def _near(layer: Layer, view: View) -> pd.DataFrame:
    """The points in the window, with others around it; all where they are most of them anyway."""
    frame = layer.frame
    if layer.order is None or frame.empty:
        return frame
    pieces = layer.order.pieces(view.x_range, view.y_range)
    if sum(piece.stop - piece.start for piece in pieces) > 0.7 * len(frame):
        return frame
    columns: dict[str, np.ndarray | pd.Categorical] = {}
    for name in map(str, frame):
        values = frame[name].cat.codes.to_numpy() if name == "ink" else frame[name].to_numpy()
        part = np.concatenate([values[:0], *(values[piece] for piece in pieces)])
        categories = frame["ink"].cat.categories
        columns[name] = pd.Categorical.from_codes(part, categories=categories) if name == "ink" else part
    return pd.DataFrame(columns, copy=False)


def _range(values: Any, given: Range | None) -> Range:
    """The given range, or that of the values."""
    if given is None:
        return (0.0, 0.0) if not len(values) else (float(values.min()), float(values.max()))
    try:
        low, high = (float(end) for end in given)
    except (TypeError, ValueError):
        raise InputError(f"the range is {given!r}: give two finite numbers, the lower first.") from None
    if not (np.isfinite([low, high]).all() and low < high):
        raise InputError(f"the range {low:g} to {high:g} is empty: give two finite numbers, the lower first.")
    return low, high
