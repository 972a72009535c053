"""Where everything is on a finished picture: maps with their names, title, figures and legends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw

from .. import arguments
from ..errors import InputError
from .device import DeviceLayer
from .grid import Grid, View, aggregate, fit, spread
from .layer import Layer
from .legend import Legend, legend_of, paint_legend, pitch
from .names import Box, Name, name_size, place_names
from .palette import BACKGROUND, QUIET, RULE, TEXT
from .shading import Mode, check_mode, shade, shown_key
from .text import cut, font

LEAST_WIDTH, LEAST_HEIGHT = 320, 240

Count = Callable[[Any, View], Grid]
"""Counts the points of a layer in a window."""


@dataclass(frozen=True)
class Line:
    """A line of text: as written, top left corner, size and colour."""

    text: str
    x: float
    y: float
    size: int
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class Panel:
    """A map on the picture: points, the box that they fill, their counts by pixel, the names in the box, the mode."""

    layer: Layer | DeviceLayer
    box: Box
    grid: Grid
    names: tuple[Name, ...]
    mode: Mode | None = None


@dataclass(frozen=True)
class Layout:
    """Everything that is on a picture and where; `paint` makes the picture."""

    width: int
    height: int
    panels: tuple[Panel, ...]
    lines: tuple[Line, ...]
    legends: tuple[tuple[Legend, Box], ...]
    name_size: int
    halo: int
    legend_size: int


def plan(
    layers: Sequence[Layer | DeviceLayer],
    *,
    title: str,
    subtitle: str = "",
    heads: Sequence[tuple[str, str]] = (),
    width: int,
    height: int,
    names: bool = True,
    mode: Mode | None = None,
    count: Count = aggregate,
) -> Layout:
    """Lay out a picture: one panel for each layer, and a legend for each column that is drawn.

    Parameters
    ----------
    layers
        From one or more calls of `prepare`; neighbours that show the same column share a legend.
    title, subtitle
        Above all panels.
    heads
        Title and subtitle of each panel.
    width, height
        In pixels.
    names
        Whether classes are named on the map.
    mode
        Of the panels that show what the first one does.
    count
        Counts the points of a layer in a window; another where a layer's frame has only the corners of its points.
    """
    width, height = arguments.whole(width, "the width"), arguments.whole(height, "the height")
    if not (LEAST_WIDTH <= width <= 16_384 and LEAST_HEIGHT <= height <= 16_384):
        raise InputError(
            f"a picture of {width} x {height} pixels has no room for its texts: choose {LEAST_WIDTH} x {LEAST_HEIGHT} "
            "to 16384 x 16384."
        )
    check_mode(layers[0].key, mode)
    unit = min(max(min(width, height) / 900, 0.6), 6.0)
    pad, small, halo = 24 * unit, round(17 * unit), round(4 * unit)
    letters = name_size((layer.key for layer in layers), unit)
    lines, top = _stack(((title, round(29 * unit), TEXT), (subtitle, small, QUIET)), pad, pad, width - 2 * pad)
    lines_room = int((height - top - pad) / pitch(small))
    keys = list(dict.fromkeys(layer.key.column for layer in layers))
    shared = [[layer.key for layer in layers if layer.key.column == column] for column in keys]
    largest = max(len(layer) for layer in layers)
    modes = [mode, *[None] * (len(keys) - 1)]
    legends = [legend_of(group, largest, lines_room // len(keys), m) for group, m in zip(shared, modes, strict=True)]
    legend_width = min(max(legend.width(small) for legend in legends), 0.3 * width)
    room = (width - 2 * pad - len(layers) * pad - legend_width) / len(layers)
    panels, bottom = [], height - pad
    for i, layer in enumerate(layers):
        x, y = pad + i * (room + pad), top
        if heads:
            head, figures = heads[i]
            more, y = _stack(((head, round(22 * unit), TEXT), (figures, small, QUIET)), x, top, room)
            lines += more
        shown = mode if layer.key.column == keys[0] else None
        panels.append(_panel(layer, (x, y, x + room, bottom), names, shown, letters, halo, count))
    if shown_key(layers[0].key, mode).kind == "density":
        most = max(int(panel.grid.seen.total.max(initial=0)) for panel in panels[: len(shared[0])])
        legends[0] = legend_of(shared[0], most, lines_room // len(keys), mode)
    boxes, y = [], panels[0].box[1]
    for legend in legends:
        left = width - pad - legend_width
        boxes.append((legend, (left, y, left + min(legend.width(small), legend_width), y + legend.height(small))))
        y += legend.height(small) + pitch(small)
    return Layout(width, height, tuple(panels), tuple(lines), tuple(boxes), letters, halo, small)


def paint(layout: Layout) -> Image.Image:
    """The picture of a layout."""
    image = Image.new("RGB", (layout.width, layout.height), BACKGROUND)
    pen = ImageDraw.Draw(image)
    for panel in layout.panels:
        left, top, right, bottom = (round(edge) for edge in panel.box)
        image.paste(shade(spread(panel.grid), panel.layer.key, panel.mode), (left, top))
        pen.rectangle((left, top, right, bottom), outline=RULE)
        if not len(panel.layer):
            middle = ((left + right) / 2, (top + bottom) / 2)
            pen.text(middle, "no points", QUIET, font(layout.name_size, "no points"), anchor="mm")
        for name in panel.names:
            x, y = name.middle
            # The font has no bold: a thin outline makes a digit bold, but would join the letters of a word.
            bold = layout.halo // 4 if len(name.text) <= 2 else 0
            for stroke, ink in ((layout.halo, BACKGROUND), (bold, TEXT)):
                face = font(layout.name_size, name.text)
                pen.text((left + x, top + y), name.text, ink, face, anchor="mm", stroke_width=stroke, stroke_fill=ink)
    for line in layout.lines:
        pen.text((line.x, line.y), line.text, line.colour, font(line.size, line.text), anchor="la")
    for legend, box in layout.legends:
        paint_legend(image, legend, box, layout.legend_size)
    return image


def _stack(
    texts: Sequence[tuple[str, int, tuple[int, int, int]]], x: float, y: float, room: float
) -> tuple[list[Line], float]:
    """Lines of text below each other, those without text left out; and where the next thing may start."""
    lines = []
    for text, size, colour in texts:
        if written := cut(text, size, room):
            lines.append(Line(written, x, y, size, colour))
            y += 1.4 * size
    return lines, y + (0.5 * lines[-1].size if lines else 0)


def _panel(
    layer: Layer | DeviceLayer, box: Box, names: bool, mode: Mode | None, size: int, halo: int, count: Count
) -> Panel:
    left, top, right, bottom = (round(edge) for edge in box)
    grid = count(layer, fit(layer.frame, right - left, bottom - top))
    # "misfit" written on the map would hide what it points to.
    named = names and layer.key.column != "misfit"
    return Panel(layer, box, grid, place_names(grid, layer.key, size, halo) if named else (), mode)
