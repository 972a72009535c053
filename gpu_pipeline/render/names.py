"""Where on the map a class's name is written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .counting import blocks
from .grid import Grid
from .key import Key
from .text import cut_apart, width

BLOCKS = 40
"""Blocks along the shorter side of a map in which a class's densest place is sought."""

FAINT = 0.25
"""A place with less than this share of the best place's score is no place for the name."""

HIDDEN = 0.3
"""Share of any class's points that a name may cover before it moves above or below them, if it can."""

FINE = 4
"""Side of the blocks, in pixels, by which it is told what a name covers."""

FEW = 0.001
"""Share of all points that a name may cover of any class, which may have few."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels from the top left corner."""


@dataclass(frozen=True)
class Name:
    """A class's name on the map: its text, the box that it fills, its middle in (x, y), and its ink."""

    text: str
    box: Box
    ink: int

    @property
    def middle(self) -> tuple[float, float]:
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2


def name_size(keys: Iterable[Key], unit: float) -> int:
    """Size of the names' letters in pixels, on a picture of that unit: words take more room than numbers."""
    words = any(len(name) > 3 for key in keys for name in key.names)
    return round((20 if words else 28) * unit)


def place_names(grid: Grid, key: Key, size: int, halo: int) -> tuple[Name, ...]:
    """Names of the classes that are in view, each where its class is dense and no other is.

    The largest class chooses first. A name that would cover another moves to its class's next best place. One that
    would cover much of a class, its own or another, stands above or below its place, where it covers least; if that
    is still too much, it moves to the next best place too. If there is none, it is left to the legend. Classes that
    share an ink have no names, nor have the points without a class, which may be anywhere.

    Parameters
    ----------
    grid
        Whole counts, before `spread`.
    key
        What the inks mean.
    size, halo
        Of the letters and of the light rim around them, in pixels.
    """
    height, map_width, inks = grid.counts.shape
    if key.kind != "classes" or len(key.names) > inks:
        return ()
    block = max(min(height, map_width) // BLOCKS, 1)
    whole = blocks(grid.counts, grid.seen.lit, block)
    fine = blocks(grid.counts, grid.seen.lit, FINE)
    sizes = whole.sum(axis=(0, 1))
    most, amount = np.maximum(HIDDEN * sizes, FEW * sizes.sum()), _smooth(whole)
    if key.absent:
        most[len(key.names) - 1] = np.inf
    texts = cut_apart(key.names, size, [0.3 * map_width] * len(key.names))
    total = np.maximum(amount.sum(axis=-1), 1)
    placed: list[Name] = []
    for ink in np.argsort(-amount.sum(axis=(0, 1)), kind="stable")[: len(key.names)]:
        if key.absent and ink == len(key.names) - 1:
            continue
        text = texts[ink]
        half_x, half_y = width(text, size) / 2 + halo, 0.6 * size + halo
        if not text or half_x * 2 > map_width or half_y * 2 > height:
            continue
        score = amount[..., ink] ** 2 / total
        for spot in np.argsort(-score, axis=None, kind="stable"):
            if score.flat[spot] <= FAINT * score.max():
                break
            row, column = divmod(int(spot), score.shape[1])
            x = min(max((column + 0.5) * block, half_x), map_width - half_x)
            y = min(max(height - (row + 0.5) * block, half_y), height - half_y)
            box = (x - half_x, y - half_y, x + half_x, y + half_y)
            taken = [other.box for other in placed]
            if any(overlap(box, other) for other in taken):
                continue
            if (moved := _uncovering(box, height, fine, most, taken)) is not None:
                placed.append(Name(text, moved, int(ink)))
                break
    return tuple(placed)


def _uncovering(box: Box, height: int, fine: np.ndarray, most: np.ndarray, taken: Sequence[Box]) -> Box | None:
    """A box moved up or down until it covers no more than `most` of any ink, (inks,), or as little as it can.

    `fine` are (rows, columns, inks) in blocks of the map, the lowest first. None if it covers more than twice as much
    wherever it is.
    """
    left, top, right, bottom = box
    step = (bottom - top) / 2
    best, least = None, 2.0
    for shift in sorted(range(-6, 7), key=lambda shift: (abs(shift), shift)):
        moved = (left, top + shift * step, right, bottom + shift * step)
        if moved[1] < 0 or moved[3] > height or any(overlap(moved, other) for other in taken):
            continue
        rows = slice(int((height - moved[3]) / FINE), math.ceil((height - moved[1]) / FINE))
        columns = slice(int(left / FINE), math.ceil(right / FINE))
        covered = float((fine[rows, columns].sum(axis=(0, 1)) / most).max())
        if covered < least:
            best, least = moved, covered
        if covered <= 1:
            break
    return best


def overlap(one: Box, other: Box) -> bool:
    """Whether two boxes have pixels in common."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _smooth(amount: np.ndarray) -> np.ndarray:
    """Each block with those up to six away: the middle of a cluster, not a speck of it.

    The weights 1 4 6 4 1, first on neighbouring blocks and then on every second one, both ways.
    """
    for step, axis in ((1, 0), (1, 1), (2, 0), (2, 1)):
        n = amount.shape[axis]
        wide = np.pad(amount, [(2 * step, 2 * step) if a == axis else (0, 0) for a in range(3)])
        shifted = [np.take(wide, range(shift * step, shift * step + n), axis) for shift in range(5)]
        one, two, three, four, five = shifted
        amount = (one + five + 4 * (two + four) + 6 * three) / np.float32(16)
    return amount
