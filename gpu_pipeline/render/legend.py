"""The legend: what the colours mean and how many points have each, as data and then as ink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from .. import times
from ..figures import short
from .key import Key
from .names import Box
from .palette import DENSITY, MISSING, QUANTITY, QUIET, RULE, TEXT, rgb
from .shading import Mode, shown_key
from .text import clean, cut, cut_apart, font, width

TICK_STEPS = 20
"""Steps of a ramp that its ticks tell apart where they are times."""


@dataclass(frozen=True)
class Row:
    """A class: its name and its counts as they are written, its colour."""

    name: str
    count: str
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class Legend:
    """One legend.

    Attributes
    ----------
    heading
        What the colours show.
    rows
        Classes in their order.
    more
        How many classes found no room.
    ramp
        Colours of a quantity from the least up, (256, 3), if there is one.
    ticks
        (place from 0 to 1, text) along the ramp.
    note
        A line under it.
    """

    heading: str
    rows: tuple[Row, ...] = ()
    more: int = 0
    ramp: np.ndarray | None = None
    ticks: tuple[tuple[float, str], ...] = ()
    note: str = ""

    def height(self, size: int) -> int:
        """Pixels that it takes with letters of that size."""
        lines = 1 + len(self.rows) + bool(self.more) + bool(self.note) + (7 if self.ramp is not None else 0)
        return int(lines * pitch(size))

    def width(self, size: int) -> int:
        """Pixels that it would like to have with letters of that size."""
        texts = [self.heading, self.note, _more(self.more)]
        widths = [width(clean(text), size) for text in texts if text]
        names = [2 * size + width(clean(row.name), size) + _gap(row, size) for row in self.rows]
        ticks = [2 * size + width(text, size) for _, text in self.ticks]
        return max(widths + names + ticks)


def pitch(size: int) -> float:
    """Pixels from one line of a legend to the next."""
    return 1.5 * size


def legend_of(keys: Sequence[Key], most: int, lines: int, mode: Mode | None = None) -> Legend:
    """The legend of maps that share their colours.

    Parameters
    ----------
    keys
        One for each map; counts that differ are written side by side.
    most
        The largest number of points in a pixel, for the legend of a density.
    lines
        Lines that there is room for. Of classes that do not fit the largest are kept.
    mode
        In which they are shown.
    """
    key = shown_key(keys[0], mode)
    heading = key.column.replace("_", " ")
    if key.kind == "density":
        # Where the map is not crowded the ends of the ramp are not reached: no figures at its ends.
        return Legend(heading, ramp=DENSITY, ticks=((0.0, "low"), (1.0, "high")), note=f"at most {most:,} in a pixel")
    if key.kind == "quantity":
        return _of_quantity(key, heading, [k.unmeasured for k in keys], mode)
    counts = np.array([k.counts for k in keys], dtype=np.int64)
    room = max(lines - 1, 1)
    kept = list(range(len(key.names)))
    if len(key.names) > room:
        kept = sorted(np.argsort(-counts.sum(axis=0), kind="stable")[: max(room - 1, 1)].tolist())
    rows = tuple(Row(key.names[i], _count(counts[:, i]), _colour(key.colours[i])) for i in kept)
    return Legend(heading, rows, more=len(key.names) - len(rows))


def paint_legend(image: Image.Image, legend: Legend, box: Box, size: int) -> None:
    """Draw a legend into its box."""
    draw = ImageDraw.Draw(image)
    left, top, right, _ = box
    step = pitch(size)
    y = top + step / 2

    def line(text: str, colour: tuple[int, int, int]) -> None:
        text = cut(text, size, right - left)
        draw.text((left, y), text, colour, font(size, text), anchor="lm")

    line(legend.heading, TEXT)
    y += step
    if legend.ramp is not None:
        _paint_ramp(draw, legend, (left, y, left + 1.2 * size, y + 5.5 * step), size)
        y += 6.5 * step
    rooms = [right - left - 1.4 * size - _gap(row, size) for row in legend.rows]
    for row, name in zip(legend.rows, cut_apart([row.name for row in legend.rows], size, rooms), strict=True):
        radius = 0.36 * size
        middle = left + radius
        draw.ellipse((left, y - radius, middle + radius, y + radius), row.colour)
        draw.text((left + 1.4 * size, y), name, TEXT, font(size, name), anchor="lm")
        draw.text((right, y), row.count, QUIET, font(size, row.count), anchor="rm")
        y += step
    for text in (_more(legend.more), legend.note):
        if text:
            line(text, QUIET)
            y += step


def _paint_ramp(draw: ImageDraw.ImageDraw, legend: Legend, box: Box, size: int) -> None:
    assert legend.ramp is not None
    left, top, right, bottom = box
    rows = range(int(top), int(bottom))
    for row, place in zip(rows, np.linspace(1, 0, len(rows)), strict=True):
        draw.line((left, row, right, row), _colour(legend.ramp[round(place * 255)]))
    draw.rectangle((left, rows[0], right, rows[-1]), outline=RULE)
    for place, text in legend.ticks:
        y = bottom - place * (bottom - top)
        draw.line((right, y, right + 0.3 * size, y), QUIET)
        draw.text((right + 0.6 * size, y), text, TEXT, font(size, text), anchor="lm")


def _of_quantity(key: Key, heading: str, unmeasured: Sequence[int], mode: Mode | None) -> Legend:
    rows = (Row("not measured", _count(np.array(unmeasured)), _colour(rgb([MISSING])[0])),) if any(unmeasured) else ()
    low, high = key.limits
    if low == high:
        return Legend(heading, rows, ramp=QUANTITY, ticks=((0.5, _tick(key, low)),))
    places = (0.0, 0.25, 0.5, 0.75, 1.0)
    ticks = tuple((place, _tick(key, key.value_at(place))) for place in places)
    note = "share of the largest class" if mode == "purity" else "1st to 99th percentile"
    return Legend(heading, rows, ramp=QUANTITY, ticks=ticks, note="by rank, " + note if key.ranked else note)


def _tick(key: Key, value: float) -> str:
    low, high = key.limits
    return times.written(value, high - low, TICK_STEPS) if key.time else short(value, high - low or abs(low), 2)


def _gap(row: Row, size: int) -> int:
    return int(1.2 * size) + width(row.count, size)


def _more(n: int) -> str:
    return f"and {n:,} more" if n else ""


def _count(counts: np.ndarray) -> str:
    different = counts if len(set(counts.tolist())) > 1 else counts[:1]
    return " / ".join(f"{count:,}" for count in different)


def _colour(values: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = (round(float(value)) for value in values)
    return red, green, blue
