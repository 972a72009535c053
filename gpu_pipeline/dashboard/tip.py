"""What is said right at a point that is pointed at: its image, its class, and what else lies under the cursor."""

from __future__ import annotations

import base64
import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from ..figures import text_of
from ..render.text import clean, isolated
from .headline import headline, told
from .images import encode
from .opened import Opened

SIDE = 56
"""Pixels of an image's longer side, or nearly so: images are enlarged by whole numbers."""

NAMED = 3
"""Classes under the cursor that are counted by name."""

LONGEST = 40
"""Letters of a name that are said."""

WIDEST = 56
"""Letters of a line, which fit on the map of a small window."""

GAP = 15
"""Pixels between a point and what is said at it."""

LETTER, LINE = 7, 17
"""Width of a letter at most, on average, and height of a line, in pixels."""

SAID = ("x", "text", "text_y", "url", "image_y", "w", "h")
"""Columns of what is drawn of a tip."""

FRAME = 118
"""Grey of the line around an image."""


@dataclass(frozen=True)
class Tip:
    """What is said at a point.

    Attributes
    ----------
    text
        A line or more.
    png
        Its image in a frame; empty if it has none, or they are not loaded yet.
    size
        The image's width and height in pixels of the page.
    """

    text: str
    png: bytes = b""
    size: tuple[int, int] = (0, 0)


def tip(opened: Opened, place: int, colour: str, within: float, lit: np.ndarray | None) -> Tip:
    """What is said at the point at a place of the table.

    Parameters
    ----------
    colour
        The column that the map is coloured by: its value is named.
    within
        Distance in the map's units up to which other points are counted.
    lit
        (n,) bool, the points that are in colour; all if None.
    """
    x, y = (float(values[place]) for values in opened.axes())
    near = opened.nearest().around(x, y, within, lit)
    lines = [_value(opened, colour, place)]
    if colour != headline(opened):
        lines.append(_name(told(opened, place), 2 * LONGEST))
    if len(near) > 1:
        lines.append(_counted(opened, colour, near))
    text = "\n".join(wrapped for line in lines for wrapped in textwrap.wrap(line, WIDEST))
    # Images may take a second to load, and whoever asks here must not wait: the card has them loaded aside.
    images = opened.images() if opened.has("images") else None
    if images is None:
        return Tip(text)
    framed = ImageOps.expand(_of_size(Image.fromarray(np.ascontiguousarray(images.pixels[place]))), 1, FRAME)
    return Tip(text, encode(framed), framed.size)


def _of_size(image: Image.Image) -> Image.Image:
    scale = max(round(SIDE / max(image.size)), 1)
    image = image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
    image.thumbnail((2 * SIDE, 2 * SIDE))
    return image


def _value(opened: Opened, colour: str, place: int) -> str:
    if colour not in opened.points:
        return ""
    key, called = opened.layer(colour).key, colour.replace("_", " ")
    if key.kind == "classes":
        code = int(opened.codes(colour)[0][place])
        name = _name(key.names[code])
        return name if code == opened.absent(colour) else f"{called} {name}"
    value = opened.points[colour].iloc[place]
    there = not pd.isna(value) and (key.time or np.isfinite(value))
    return f"{called} {text_of(value) if there else 'not measured'}"


def _name(name: str, longest: int = LONGEST) -> str:
    """A class's name in its line: without line ends, not too long, and not turning the order of what follows."""
    line = clean(name)
    return isolated(line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…")


def _counted(opened: Opened, colour: str, near: np.ndarray) -> str:
    """How many points lie there, and of which classes."""
    total = f"{len(near):,} points here"
    if opened.layer(colour).key.kind != "classes":
        return total
    codes, key = opened.codes(colour)
    found, amounts = np.unique(codes[near], return_counts=True)
    order = np.argsort(-amounts, kind="stable")
    joint = ["with" if code == opened.absent(colour) else "of" for code in found]
    parts = [f"{amounts[i]:,} {joint[i]} {_name(key.names[found[i]])}" for i in order[:NAMED]]
    more = len(order) - NAMED
    if more > 0:
        parts.append(f"{more} other classes" if more > 1 else "another class")
    return f"{total}: {', '.join(parts)}"


def beside(
    place: tuple[float, float], said: Tip, window: tuple[float, float, float, float], unit: float
) -> dict[str, list[Any]]:
    """Where a tip is drawn: above its point, or below where above is no room, and not across the map's edges.

    Parameters
    ----------
    place
        The point's x and y.
    window
        x0, x1, y0, y1 of the map.
    unit
        Length of a pixel in the map's units.

    Returns
    -------
    dict
        The columns of `SAID`; places are those of middles.
    """
    x0, x1, _, y1 = window
    lines = said.text.split("\n")
    half = unit * (max(LETTER * max(map(len, lines)), said.size[0]) / 2 + 8)
    high = LINE * len(lines) + 8
    side = 1 if (y1 - place[1]) / unit > GAP + said.size[1] + high else -1
    return {
        "x": [max(min(place[0], x1 - half), x0 + half)],
        "text": [said.text],
        "text_y": [place[1] + side * unit * (GAP + said.size[1] + high / 2)],
        "url": ["data:image/png;base64," + base64.b64encode(said.png).decode() if said.png else ""],
        "image_y": [place[1] + side * unit * (GAP + said.size[1] / 2)],
        "w": [said.size[0]],
        "h": [said.size[1]],
    }
