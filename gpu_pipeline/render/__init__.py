"""Maps as pictures.

`draw` gives the bare map, `picture` and `compare_picture` the finished ones. Drawing is a chain of pure
stages: `prepare` (all points, once), then for each window `fit`, `aggregate`, `spread`, `shade`. Whoever
draws the same points many times puts `arrange` (once) and `mark` (at each selection) between the two.
"""

from .device import DeviceLayer
from .grid import Grid, View, aggregate, fit, places, spread, visible
from .key import Key
from .layer import Layer, Table, arrange, mark, prepare, ranked
from .layout import Layout, paint, plan
from .order import Order, order
from .picture import Scale, compare_picture, draw, picture
from .shading import Mode, levels, shade, shown_key

__all__ = [
    "DeviceLayer",
    "Grid",
    "Key",
    "Layer",
    "Layout",
    "Mode",
    "Order",
    "Scale",
    "Table",
    "View",
    "aggregate",
    "arrange",
    "compare_picture",
    "draw",
    "fit",
    "levels",
    "mark",
    "order",
    "paint",
    "picture",
    "places",
    "plan",
    "prepare",
    "ranked",
    "shade",
    "shown_key",
    "spread",
    "visible",
]
