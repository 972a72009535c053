"""Numbers as text: exact ones for links and programs, and short ones for reading that still tell neighbours apart."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from . import times

WHOLE = 1e15
"""Below it a number's whole part is written out: it is more often a time or an id than a size."""


def exact(number: float) -> str:
    """The shortest text that gives the number back."""
    return repr(float(number)).removesuffix(".0")


def short(number: float, span: float, digits: int) -> str:
    """A number for reading.

    Parameters
    ----------
    number
        Finite or not.
    span
        How far apart the numbers lie among which it stands.
    digits
        How many of the span are shown.
    """
    size = _magnitude(number)
    if 0 < span < math.inf:
        digits += max(size - _magnitude(span), 0)
    if abs(number) < WHOLE:
        digits = max(digits, size + 1)
    return f"{number:.{min(digits, 17)}g}"


def written(time: bool, number: float, span: float, digits: int) -> str:
    """A number or a time of a quantity's column, for reading; parameters as of `short`."""
    return times.written(number, span) if time else short(number, span, digits)


def rounded(number: float, span: float, digits: int) -> float:
    """A number to so many digits of a span; as it is if the span is nothing."""
    return round(number, digits - 1 - _magnitude(span)) if 0 < span < math.inf else number


def text_of(value: Any) -> str:
    """A value of a table, for reading."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if pd.isna(value):
        return "-"
    if isinstance(value, float | np.floating):
        return short(float(value), abs(float(value)), 4)
    return times.name(value)


def _magnitude(number: float) -> int:
    """Power of ten of a number's first digit."""
    return math.floor(math.log10(abs(number))) if number and math.isfinite(number) else 0
