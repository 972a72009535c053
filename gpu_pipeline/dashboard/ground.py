"""Points over a map that lies under them in grey: placed points over the map on which they were placed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from ..render import Layer, View, arrange, order, places, ranked
from .images import Images
from .opened import Opened
from .statistics import InView


def layer_over(opened: Opened, colour: str, scale: str = "linear") -> Layer:
    """The points in a colour together with those of the map under them, ready to be drawn.

    The latter come after the former; they have an ink too, but `mark` with what `lit_over` gives makes them grey.

    Parameters
    ----------
    scale
        "rank" shows a quantity by rank; of no meaning for classes.
    """
    if scale == "rank" and opened.layer(colour).key.kind == "quantity":
        return opened.part(("ranked", colour), lambda: ranked(layer_over(opened, colour)))
    ground = opened.ground
    if ground is None:
        return opened.arranged(colour)

    def make() -> Layer:
        layer = opened.layer(colour)
        axes = [np.concatenate([own, under]) for own, under in zip(opened.axes(), ground.axes(), strict=True)]
        columns = {"x": axes[0], "y": axes[1], "ink": _over(layer.frame["ink"], ground.n)}
        if "value" in layer.frame:
            columns["value"] = np.concatenate([layer.frame["value"], np.zeros(ground.n, np.float32)])
        whole = replace(layer, frame=pd.DataFrame(columns, copy=False))
        return arrange(whole, opened.part("order with the ground", lambda: order(*axes)))

    return opened.part(("layer with the ground", colour), make)


def _over(ink: pd.Series, n: int) -> pd.Categorical:
    own = ink.cat.codes.to_numpy()
    codes = np.concatenate([own, np.zeros(n, own.dtype)])
    return pd.Categorical.from_codes(codes, categories=ink.cat.categories)


def lit_over(opened: Opened, lit: np.ndarray | None) -> np.ndarray | None:
    """Which of the points of `layer_over` are in colour: of the map under them none is."""
    if opened.ground is None:
        return lit
    own = np.ones(opened.n, bool) if lit is None else lit
    return np.concatenate([own, np.zeros(opened.ground.n, bool)])


def facts_over(opened: Opened, colour: str, view: View, facts: InView) -> InView:
    """The facts of a window in which the points of the map under them are not counted with the others."""
    if opened.ground is None:
        return facts
    own = len(places(opened.arranged(colour), view))
    return replace(facts, points=own, under=facts.points - own)


def has_images(opened: Opened) -> bool:
    """Whether `images_over` has loaded what it needs, which may take a minute."""
    return opened.has("images") and (opened.ground is None or opened.ground.has("images"))


def images_over(opened: Opened) -> Images | None:
    """The images of the points of `layer_over`; None if either have none."""
    own = opened.images()
    if opened.ground is None or own is None:
        return own if opened.ground is None else None
    under = opened.ground.images()
    if under is None or under.pixels.shape[1:] != own.pixels.shape[1:]:
        return None
    return opened.part("images with the ground", lambda: Images(np.concatenate([own.pixels, under.pixels])))
