"""Colours on white: ten that colour-blind readers can tell apart, many that they cannot, and ramps."""

from __future__ import annotations

import colorcet
import numpy as np

BACKGROUND = (255, 255, 255)
TEXT = (38, 40, 46)
QUIET = (104, 108, 118)
RULE = (222, 224, 229)

TEN = (
    "#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd",
)  # fmt: skip
"""Petroff 2021 (arXiv:2107.02270), made for a light background and for ten classes.

Pairwise distance in CIE Lab: at least 17 to normal sight and to simulated protanopia, deuteranopia and
tritanopia (Machado, Oliveira & Fernandes 2009, severity 1); the eight of Okabe & Ito reach 16.
"""

BESIDE_GREY = (
    "#3f90da", "#ffa90e", "#bd1f01", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#4b000f", "#001e4b", "#5a00ff",
)  # fmt: skip
"""The same where many points are grey, with three others instead of those that look grey or, to some, are it."""

MANY = tuple(colorcet.palette["glasbey_bw_minc_20_maxl_70"])
"""256 colours, none lighter than L = 70. They are *not* safe for the colour-blind."""

MISSING = "#c9ccd3"
CALM, ALARM = "#b4b9c4", "#bd1f01"
"""The points that are as expected, and those that are not."""


def rgb(colours: tuple[str, ...] | list[str]) -> np.ndarray:
    """Hexadecimal colours as (n, 3) float32 in 0..255."""
    values = [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours]
    return np.array(values, dtype=np.float32).reshape(-1, 3)


def class_colours(n: int, beside_grey: bool = False) -> np.ndarray:
    """One colour for each of `n` classes, (n, 3) float32 in 0..255; none near `MISSING` where that is beside them.

    Up to ten classes they are safe for the colour-blind; beyond 256 they recur.
    """
    table = rgb(list(MANY if n > len(TEN) else BESIDE_GREY if beside_grey else TEN))
    return table[np.arange(n) % len(table)]


def _ramp(name: str, low: float, high: float) -> np.ndarray:
    """256 colours from a part of a colorcet map, (256, 3) float32 in 0..255."""
    table = rgb(colorcet.palette[name])
    at = np.linspace(low, high, 256) * (len(table) - 1)
    return np.stack([np.interp(at, np.arange(len(table)), channel) for channel in table.T], axis=1).astype(np.float32)


QUANTITY = _ramp("CET_L20", 0.0, 0.92)
"""Dark to yellow by lightness, uniform to the eye (Kovesi 2015, arXiv:1509.03700), short of the palest part."""

DENSITY = _ramp("kbc", 0.9, 0.05)
"""Pale to dark blue."""
