"""One picture of the map for a window: its pixels as PNG, its names and the facts of the strip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..render import Grid, Layer, Mode, View, aggregate, shade, spread, visible
from ..render.names import place_names
from ..timing import seconds
from .images import Images, encode
from .statistics import InView, in_view

NAME_SIZE = 17

FEW = 120
"""Points in view up to which each is drawn as its own image, if it has one."""

THUMB = 28


@dataclass(frozen=True)
class Frame:
    """A drawn window.

    Attributes
    ----------
    png
        The picture; its first row is the lowest.
    names
        Names of classes with their places in the map's units.
    facts
        What is in view.
    seconds
        Time to draw.
    """

    png: bytes
    names: tuple[tuple[str, float, float], ...]
    facts: InView
    seconds: float


def draw_frame(layer: Layer, view: View, mode: str, *, names: bool = True, images: Images | None = None) -> Frame:
    """Draw a window of a map.

    Parameters
    ----------
    layer
        All points; those that are not selected are marked.
    view
        The window.
    mode
        For classes "majority", "mix", "purity" or "density"; of no meaning for other layers.
    names
        Whether to place the names of classes.
    images
        The points' images, which are drawn where few points are in view.
    """
    start = seconds()
    key = layer.key
    grid = aggregate(layer, view)
    facts = in_view(grid, key)
    shown: Mode | None = mode if key.kind == "classes" else None  # type: ignore[assignment]
    image = shade(spread(grid), key, shown)
    placed = place_names(grid, key, NAME_SIZE, 3) if names and key.column != "misfit" else ()
    if images is not None and 0 < facts.points <= FEW:
        image = _with_images(image, layer, view, images)
    many = _many(grid, key.names, facts.coloured) if placed else ()
    placed = tuple(name for name in placed if any(_is(name.text, known) for known in many))
    png = encode(image.transpose(Image.Transpose.FLIP_TOP_BOTTOM))
    return Frame(png, tuple((name.text, *_in_data(name.middle, view)) for name in placed), facts, seconds() - start)


def _many(grid: Grid, names: tuple[str, ...], total: int) -> list[str]:
    """Names of the classes that make up more than a hundredth of the coloured points: few are in no place."""
    amounts = grid.counts.sum(axis=(0, 1))
    return [name for name, amount in zip(names, amounts, strict=False) if amount > 0.01 * total]


def _is(text: str, name: str) -> bool:
    """Whether a text is a name, which may have been cut."""
    return text == name or (text.endswith("…") and name.startswith(text[:-1]))


def _with_images(image: Image.Image, layer: Layer, view: View, images: Images) -> Image.Image:
    """The points' own images at their places, in the colours of their classes."""
    places = visible(layer, view)
    order = np.arange(len(layer.frame)) if layer.order is None else np.argsort(layer.order.rows, kind="stable")
    (x0, x1), (y0, y1) = view.x_range, view.y_range
    for place in places.tolist():
        point = layer.frame.iloc[int(order[place])]
        ink = int(point["ink"])
        grey = layer.key.kind != "classes" or ink >= min(len(layer.key.colours), layer.inks)
        colour = np.array([70, 74, 84] if grey else layer.key.colours[ink]) * 0.8
        thumb = Image.fromarray(255 - images.pixels[place]).resize((THUMB, THUMB))
        stamp = Image.new("RGB", thumb.size, tuple(int(c) for c in colour))
        left = round((float(point["x"]) - x0) / (x1 - x0) * view.width - THUMB / 2)
        top = round((y1 - float(point["y"])) / (y1 - y0) * view.height - THUMB / 2)
        image.paste(stamp, (left, top), thumb if not grey else thumb.point(lambda value: value // 3))
    return image


def _in_data(pixel: tuple[float, float], view: View) -> tuple[float, float]:
    (x0, x1), (y0, y1) = view.x_range, view.y_range
    return x0 + pixel[0] / view.width * (x1 - x0), y1 - pixel[1] / view.height * (y1 - y0)
