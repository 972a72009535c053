"""From a grid of counts to an image: which colour, and how dark.

The colour says what the points are. How many there are is told by lightness, by equal histogram: as
many pixels are drawn at each lightness as at any other, so that nothing fades and nothing saturates,
with seventy points or with ten million.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

from ..errors import InputError
from .grid import Grid
from .layer import Key
from .palette import BACKGROUND, DENSITY, MISSING, QUANTITY, rgb

Mode = Literal["majority", "mix"]
BINS = 4096
PAPER = np.array(BACKGROUND, np.float32)

PALEST = 0.6
"""Opacity of the least dense pixels of a crowded map."""

DARKENING = 0.38
"""How much darker its densest pixels are than the class's own colour."""

CROWDED = 8.0
"""Points in the densest hundredth of the pixels from which a map has its full contrast."""


def shade(grid: Grid, key: Key, mode: Mode | None = None) -> Image.Image:
    """An RGB image of a grid, north up.

    Parameters
    ----------
    grid
        From `aggregate`, or from `spread` after it.
    key
        What the inks mean.
    mode
        For classes only. "majority" (the default): a pixel has the colour of the class with the most
        points in it, of equals the first. "mix": the average of its classes' colours, by their counts;
        two classes may then mix to the colour of a third.

    Raises
    ------
    InputError
        If there is a mode but no classes, or no such mode.
    """
    height, width, inks = grid.counts.shape
    image = np.full((height * width, 3), BACKGROUND, np.uint8)
    counts = grid.counts.reshape(height * width, inks)
    total = np.einsum("ij->i", counts)  # ten times as fast as counts.sum(axis=1)
    lit = np.flatnonzero(total)
    if len(lit):
        total = total[lit].astype(np.float32)
        colour = _colours(grid, key, mode, counts[lit].astype(np.float32), total, lit)
        # The rim of a disc is covered in part; its tone is that of a whole point.
        opacity = np.minimum(total, 1)[:, None]
        image[lit] = np.rint(PAPER * (1 - opacity) + colour * opacity).astype(np.uint8)
    return Image.fromarray(image.reshape(height, width, 3)[::-1])


def levels(total: np.ndarray) -> np.ndarray:
    """Level of each lit pixel, 0 (palest) to 1 (darkest), (n,) float32; 0.5 is the class's own colour.

    The rank of its amount of ink among all lit pixels (histogram equalisation, over bins of the
    logarithm). On a map of lone points ranks mean little: there all levels draw near to 0.5.
    """
    log = np.log2(np.maximum(total, 1))
    top = float(log.max())
    if top == 0:
        return np.full(len(log), 0.5, np.float32)
    bins = np.minimum((log * (BINS / top)).astype(np.int64), BINS - 1)
    # The rims of discs have their point's tone and no vote on the order.
    share = np.bincount(bins[total >= 1], minlength=BINS) / np.count_nonzero(total >= 1)
    cumulative = np.cumsum(share)
    rank = cumulative - share / 2
    densest = (np.searchsorted(cumulative, 0.99) + 1) * top / BINS
    contrast = min(densest / np.log2(CROWDED), 1.0)
    return np.asarray((0.5 + contrast * (rank - 0.5)).astype(np.float32)[bins])


def _colours(
    grid: Grid, key: Key, mode: Mode | None, counts: np.ndarray, total: np.ndarray, lit: np.ndarray
) -> np.ndarray:
    """Colour of each lit pixel where it is covered, (n, 3) float32 in 0..255."""
    if key.kind == "classes":
        return _tone(_class_colours(key, mode or "majority", counts, total), levels(total))
    if mode is not None:
        raise InputError(f"the mode {mode!r} is for classes and {key.column!r} has none: leave the mode out.")
    if key.kind == "density":
        return _along(DENSITY, levels(total))
    assert grid.sums is not None
    measured = counts[:, 0]
    mean = grid.sums.reshape(-1)[lit] / np.where(measured > 0, measured, 1)
    low, high = key.limits
    at = (mean - low) / (high - low) if high > low else np.full(len(mean), 0.5)
    share = (measured / total)[:, None]
    return np.asarray(_along(QUANTITY, at) * share + rgb([MISSING]) * (1 - share))


def _along(ramp: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Colours at places from 0 to 1 on a ramp; those beyond take its ends."""
    return np.asarray(ramp[np.rint(np.clip(at, 0, 1) * (len(ramp) - 1)).astype(np.int64)])


def _class_colours(key: Key, mode: Mode, counts: np.ndarray, total: np.ndarray) -> np.ndarray:
    inks = key.colours[: counts.shape[1]]
    if mode == "mix":
        return np.asarray((counts @ inks) / total[:, None])
    if mode == "majority":
        return np.asarray(inks[counts.argmax(axis=1)])
    raise InputError(f"unknown mode {mode!r}: choose majority or mix.")


def _tone(colour: np.ndarray, level: np.ndarray) -> np.ndarray:
    """The colour paler at low levels, darker at high ones."""
    pale = PALEST + (1 - PALEST) * np.minimum(2 * level, 1)[:, None]
    dark = 1 - DARKENING * np.maximum(2 * level - 1, 0)[:, None]
    return np.asarray((PAPER * (1 - pale) + colour * pale) * dark)
