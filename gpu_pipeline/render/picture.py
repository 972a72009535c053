"""Maps as pictures: the bare map, the finished picture, two maps side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import pandas as pd
from PIL import Image

from ..errors import InputError, unknown_name
from .device import DeviceLayer
from .grid import Range, aggregate, fit, spread
from .layer import Layer, Table, prepare, ranked
from .layout import paint, plan
from .shading import Mode, shade

Scale = Literal["linear", "rank"]


def draw(
    points: Table,
    colour: str | None = None,
    *,
    x_range: Range | None = None,
    y_range: Range | None = None,
    width: int = 800,
    height: int = 800,
    mode: Mode | None = None,
    scale: Scale = "linear",
) -> Image.Image:
    """The bare map, without any text.

    Parameters
    ----------
    points
        Columns x and y, finite, and the column to colour by: a frame of pandas, or arrays by name. Where x is CuPy's,
        or the frame cuDF's, points are counted on the GPU and only the counts leave it.
    colour
        Name of a column, or "density": see `prepare` for which are classes and which are quantities. If left out, the
        column label or cluster, or the density where there is neither.
    x_range, y_range
        The window; all points with a small margin if not given. It is widened until one unit is as
        long on both axes.
    width, height
        In pixels.
    mode
        For classes "majority" (the default), "mix", "purity" or "density", see `shade`.
    scale
        Of numbers and times: "linear", or "rank" where a few large ones would make all others look alike, see `ranked`.

    Raises
    ------
    InputError
        If a column is missing, a coordinate is not finite, or a range, the size or the mode cannot be used.
    EngineFailed
        If points are on a GPU, which fails or has too little memory.
    """
    if colour is None:
        columns = points if isinstance(points, Mapping) else getattr(points, "columns", ())
        colour = next((column for column in ("label", "cluster") if column in columns), "density")
    (layer,) = _scaled(prepare(points, colour=colour), scale)
    return shade(spread(aggregate(layer, fit(layer.frame, width, height, x_range, y_range))), layer.key, mode)


def picture(
    points: Table,
    colour: str = "label",
    *,
    title: str,
    subtitle: str = "",
    width: int = 1100,
    height: int = 960,
    mode: Mode | None = None,
    scale: Scale = "linear",
    names: bool = True,
) -> Image.Image:
    """The map with its title, the classes' names at their places, and a legend with counts.

    Parameters
    ----------
    points, colour, mode, scale
        As in `draw`.
    title, subtitle
        What it is; its figures (n, engine, KL). A line that is too long is cut.
    width, height
        Of the whole picture in pixels, at least 320 x 240.
    names
        Whether to write the names on the map.

    Raises
    ------
    InputError
        As in `draw`.
    """
    layers = _scaled(prepare(points, colour=colour), scale)
    return paint(plan(layers, title=title, subtitle=subtitle, width=width, height=height, names=names, mode=mode))


def compare_picture(
    left: pd.DataFrame,
    right: pd.DataFrame,
    colour: str = "label",
    *,
    titles: tuple[str, str],
    subtitles: tuple[str, str] = ("", ""),
    title: str = "",
    displacement: np.ndarray | None = None,
    width: int | None = None,
    height: int = 860,
    mode: Mode | None = None,
    scale: Scale = "linear",
) -> Image.Image:
    """Two maps side by side in the same colours, and how far each point moved between them.

    Parameters
    ----------
    left, right, colour, mode, scale
        As in `draw`. Each map has its own scale.
    titles, subtitles
        Of the two maps.
    title
        Of the whole.
    displacement
        One for each row of `left`, in any unit, NaN where not known; drawn on the left map as a third panel.
    width, height
        Of the whole picture in pixels; the width follows the number of panels if not given.

    Raises
    ------
    InputError
        As in `draw`, or if there is not one displacement for each point.
    """
    layers = _scaled(prepare(left, right, colour=colour), scale)
    if displacement is not None:
        if len(displacement) != len(left):
            raise InputError(
                f"there are {len(displacement):,} displacements for {len(left):,} points: give one for each point."
            )
        layers += prepare(left[["x", "y"]].assign(displacement=displacement), colour="displacement")
        titles, subtitles = (*titles, "Displacement"), (*subtitles, "drawn on the left map")  # type: ignore[assignment]
    layout = plan(
        layers,
        title=title,
        heads=list(zip(titles, subtitles, strict=True)),
        width=width or 240 + 700 * len(layers),
        height=height,
        mode=mode,
    )
    return paint(layout)


def _scaled(layers: Sequence[Layer | DeviceLayer], scale: Scale) -> list[Layer | DeviceLayer]:
    if scale not in get_args(Scale):
        raise unknown_name("scale", str(scale), get_args(Scale))
    return [ranked(layer) for layer in layers] if scale == "rank" else list(layers)
