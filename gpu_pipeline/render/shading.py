"""From a grid of counts to an image: which colour, and how dark.

The colour says what the points are. How many there are is told by lightness, by equal histogram: as
many pixels are drawn at each lightness as at any other, so that nothing fades and nothing saturates,
with seventy points or with ten million.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from PIL import Image

from ..errors import InputError, unknown_name
from .counting import blend, histogram, largest_share, lay, scatter, tone
from .grid import Grid
from .key import Key
from .palette import BACKGROUND, DENSITY, MISSING, QUANTITY, rgb

Mode = Literal["majority", "mix", "purity", "density"]
BINS = 4096
PAPER = np.array(BACKGROUND, np.float32)

PALEST = 0.6
"""Opacity of the least dense pixels of a crowded map."""

DARKENING = 0.38
"""How much darker its densest pixels are than the class's own colour."""

PURITY = (0.5, 1.0)
"""Shares of the majority class at the two ends of the ramp; below half it has the end's colour."""

NEAR = 3
"""Pixels to each side over which purity is taken: most pixels of a map have one point, which is always pure."""

CROWDED = 8.0
"""Points in the densest hundredth of the pixels from which a map has its full contrast."""


def shade(grid: Grid, key: Key, mode: Mode | None = None) -> Image.Image:
    """An RGB image of a grid, north up; the points that are not selected in grey, under the others.

    Parameters
    ----------
    grid
        From `aggregate`, or from `spread` after it.
    key
        What the inks mean.
    mode
        For classes only, but for "density". "majority" (the default): a pixel has the colour of the class
        with the most points in it, of equals the first. "mix": the average of its classes' colours, by
        their counts; two classes may then mix to the colour of a third. "purity": the share of the
        majority class in the points of the pixel and of those up to `NEAR` away, 1 where one class is
        alone. "density": how many points, whatever they are.

    Raises
    ------
    InputError
        If there is a mode but no classes, or no such mode.
    """
    check_mode(key, mode)
    height, width, _ = grid.counts.shape
    row = np.tile(np.array(BACKGROUND, np.uint8), width)  # a row at once, for NumPy fills three bytes at a time slowly
    image = np.tile(row, height).reshape(-1, 3)
    if grid.rest is not None:
        amount = grid.rest.reshape(-1)
        lit = np.flatnonzero(amount)
        if len(lit):
            total = amount[lit].astype(np.float32)
            grey = rgb([MISSING]).repeat(len(lit), axis=0)
            lay(image, lit, _tone(grey, levels(total)), total)
    seen = grid.seen
    if len(seen.lit):
        # The rim of a disc is covered in part; its tone is that of a whole point.
        lay(image, seen.lit, _colours(grid, key, mode), seen.total)
    return Image.fromarray(image.reshape(height, width, 3)[::-1])


def check_mode(key: Key, mode: Mode | None) -> None:
    """Raise InputError if a key cannot be shown in a mode."""
    if mode not in (None, *get_args(Mode)):
        raise unknown_name("mode", str(mode), get_args(Mode))
    if mode not in (None, "density") and key.kind != "classes":
        raise InputError(f"the mode {mode!r} is for classes and {key.column!r} has none: leave the mode out.")


def shown_key(key: Key, mode: Mode | None = None) -> Key:
    """The key to what a mode shows: that of a quantity for "purity", of "density" for that, else the key itself."""
    if mode == "density":
        return Key("density", "density")
    if mode == "purity" and key.kind == "classes":
        return Key("purity", "quantity", quantiles=PURITY)
    return key


def levels(total: np.ndarray) -> np.ndarray:
    """Level of each lit pixel, 0 (palest) to 1 (darkest), (n,) float32; 0.5 is the class's own colour.

    The rank of its amount of ink among all lit pixels (histogram equalisation, over bins of the
    logarithm). On a map of lone points ranks mean little: there all levels draw near to 0.5.
    """
    # The rims of discs have their point's tone and no vote on the order.
    bins, votes, top = histogram(total, BINS)
    if top == 0:
        return np.full(len(total), 0.5, np.float32)
    share = votes / votes.sum()
    cumulative = np.cumsum(share)
    rank = cumulative - share / 2
    densest = (np.searchsorted(cumulative, 0.99) + 1) * top / BINS
    contrast = min(densest / np.log2(CROWDED), 1.0)
    return np.asarray((0.5 + contrast * (rank - 0.5)).astype(np.float32)[bins])


def _colours(grid: Grid, key: Key, mode: Mode | None) -> np.ndarray:
    """Colour of each lit pixel where it is covered, (n, 3) float32 in 0..255."""
    lit, total, top, *_ = grid.seen
    if mode == "density" or key.kind == "density":
        return _along(DENSITY, levels(total))
    if mode == "purity":
        low, high = PURITY
        near = scatter(grid.counts, lit, np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.float32), NEAR)
        share = (largest_share(near, lit) - low) / (high - low)
        return _along(QUANTITY, share)
    if mode == "mix":
        return _tone(blend(grid.counts, lit, key.ink_colours), levels(total))
    if key.kind == "classes":
        return _tone(key.ink_colours.take(top, axis=0), levels(total))
    assert grid.sums is not None
    measured = grid.counts[..., 0].reshape(-1)[lit]
    mean = grid.sums.reshape(-1)[lit] / np.where(measured > 0, measured, 1)
    low, high = (0.0, 1.0) if key.ranked else (limit - key.base for limit in key.limits)
    at = (mean - low) / (high - low) if high > low else np.full(len(mean), 0.5)
    share = (measured / total)[:, None]
    return np.asarray(_along(QUANTITY, at) * share + rgb([MISSING]) * (1 - share))


def _along(ramp: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Colours at places from 0 to 1 on a ramp; those beyond take its ends."""
    return np.asarray(ramp[np.rint(np.clip(at, 0, 1) * (len(ramp) - 1)).astype(np.int64)])


def _tone(colour: np.ndarray, level: np.ndarray) -> np.ndarray:
    """The colour paler at low levels, darker at high ones."""
    return np.asarray(tone(colour, level, PAPER, np.float32(PALEST), np.float32(DARKENING)))
