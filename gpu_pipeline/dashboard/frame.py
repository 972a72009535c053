"""One picture of the map for a window: its pixels as PNG, its names and the facts of the strip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..render import Layer, Mode, View, aggregate, shade, spread
from ..render.grid import places
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


def draw_frame(
    layer: Layer, view: View, mode: str, *, names: bool = True, images: Images | None = None, ratio: float = 1.0
) -> Frame:
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
    ratio
        Pixels of the picture to a pixel of the page, by which names and images are larger.
    """
    start = seconds()
    key = layer.key
    grid = aggregate(layer, view)
    facts = in_view(grid, key)
    shown: Mode | None = mode if key.kind == "classes" else None  # type: ignore[assignment]
    image = shade(spread(grid), key, shown)
    if images is not None and 0 < facts.points <= FEW:
        image = _with_images(image, layer, view, images, round(THUMB * ratio))
    placed = place_names(grid, key, round(NAME_SIZE * ratio), round(3 * ratio)) if names else ()
    # A few points of a class lie in no place of their own.
    many = np.flatnonzero(grid.seen.amounts > 0.01 * facts.coloured)
    kept = [name for name in placed if key.column != "misfit" and name.ink in many]
    png = encode(image.transpose(Image.Transpose.FLIP_TOP_BOTTOM))
    return Frame(png, tuple((name.text, *_in_data(name.middle, view)) for name in kept), facts, seconds() - start)


def _with_images(image: Image.Image, layer: Layer, view: View, images: Images, size: int) -> Image.Image:
    """The points' own images at their places, in the colours of their classes."""
    at = places(layer, view)
    rows = at if layer.order is None else layer.order.rows[at]
    (x0, x1), (y0, y1) = view.x_range, view.y_range
    for i in np.argsort(rows):
        point = layer.frame.iloc[int(at[i])]
        ink = int(point["ink"])
        grey = layer.key.kind != "classes" or ink >= min(len(layer.key.colours), layer.inks)
        colour = np.array([70, 74, 84] if grey else layer.key.colours[ink]) * 0.8
        thumb = Image.fromarray(255 - images.pixels[rows[i]]).resize((size, size))
        stamp = Image.new("RGB", thumb.size, tuple(int(c) for c in colour))
        left = round((float(point["x"]) - x0) / (x1 - x0) * view.width - size / 2)
        top = round((y1 - float(point["y"])) / (y1 - y0) * view.height - size / 2)
        image.paste(stamp, (left, top), thumb if not grey else thumb.point(lambda value: value // 3))
    return image


def _in_data(pixel: tuple[float, float], view: View) -> tuple[float, float]:
    (x0, x1), (y0, y1) = view.x_range, view.y_range
    return x0 + pixel[0] / view.width * (x1 - x0), y1 - pixel[1] / view.height * (y1 - y0)
