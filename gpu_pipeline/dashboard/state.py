"""What a person has chosen."""

from __future__ import annotations

from typing import Any, get_args

import param

from ..render import Mode, Scale
from .selecting import How

MODES, SCALES = get_args(Mode), get_args(Scale)
TABS = ("look", "point", "selection", "confusion", "compare", "scores", "run")
THEMES = ("", "light", "dark")


class Choice(param.Parameterized):  # type: ignore[misc]
    """What one session shows."""

    run = param.String("", doc="Name of the stored run; empty is the person's own file.")
    placed = param.String("", doc="Name of the set of placed points that is shown over the run's map.")
    other = param.String("", doc="The run that it is compared with.")
    colour = param.String("label")
    mode: Any = param.Selector(objects=list(MODES), default="majority")
    scale: Any = param.Selector(objects=list(SCALES), default="linear", doc="Of numbers and times along the ramp.")
    names = param.Boolean(True)
    images = param.Boolean(True, doc="Whether few points in view are drawn as their images.")
    paints = param.Parameter((), doc="(column, class, #rrggbb): colours that a person chose.")
    hidden = param.Parameter((), doc="(column, class) pairs that the legend has switched off.")
    shown = param.Parameter((), doc="(column, class) of an address that hides all other classes of these columns.")
    limits = param.Parameter((), doc="(column, low, high): only points within.")
    steps = param.Parameter((), doc="The selection, step by step.")
    window = param.Parameter(None, doc="x0, x1, y0, y1 of the map, or None for all of it.")
    sort = param.String("", doc="Which points of the selection are shown, see `shown.sorts`.")
    point = param.Integer(-1, doc="Place in the table of the point that is held; -1 is none.")
    tab: Any = param.Selector(objects=list(TABS), default="look")
    theme: Any = param.Selector(objects=list(THEMES), default="")
    tool: Any = param.Selector(objects=["pan", "box", "lasso"], default="pan")
    how: Any = param.Selector(objects=list(get_args(How)), default="new")
