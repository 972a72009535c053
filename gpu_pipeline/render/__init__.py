"""Maps as pictures.

`draw` gives the bare map, `picture` and `compare_picture` the finished ones. Drawing is a chain of pure
stages: `prepare` (all points, once), then for each window `fit`, `aggregate`, `spread`, `shade`.
"""

from .grid import Grid, View, aggregate, fit, spread
from .layer import Key, Layer, prepare
from .picture import Layout, compare_picture, draw, paint, picture, plan
from .shading import levels, shade

__all__ = [
    "Grid",
    "Key",
    "Layer",
    "Layout",
    "View",
    "aggregate",
    "compare_picture",
    "draw",
    "fit",
    "levels",
    "paint",
    "picture",
    "plan",
    "prepare",
    "shade",
    "spread",
]
