"""Statistics of a few samples: median and range, the power of n that times follow, the Pareto front."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Spread:
    """Median of `n` numbers, with the least and the greatest."""

    median: float
    low: float
    high: float
    n: int


def spread(values: Iterable[float | None]) -> Spread | None:
    """Of the numbers that were measured; None if none was."""
    known = [float(value) for value in values if value is not None and math.isfinite(value)]
    return Spread(statistics.median(known), min(known), max(known), len(known)) if known else None


def slope(n: Sequence[float], seconds: Sequence[float]) -> float | None:
    """Exponent of the power of n that fits best, by least squares of logarithms; None below two sizes."""
    if len(set(n)) < 2:
        return None
    return float(np.polyfit(np.log(n), np.log(seconds), 1)[0])


def not_beaten(points: Sequence[tuple[float, float]], lower_is_better: bool) -> list[int]:
    """The Pareto front of (time, quality): indices, by time, of those that none beats or equals in both.

    Of several equal points the first is kept.
    """
    sign = 1 if lower_is_better else -1
    front: list[int] = []
    for i in sorted(range(len(points)), key=lambda i: (points[i][0], sign * points[i][1], i)):
        if not front or sign * points[i][1] < sign * points[front[-1]][1]:
            front.append(i)
    return front


def some(items: Sequence[Any], most: int) -> list[Any]:
    """All items, or `most` of them evenly: the first, the last, and some between."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]
