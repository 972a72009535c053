"""Which of the selected points are shown: some drawn at random, or the first by a column of numbers."""

from __future__ import annotations

import numpy as np

from .filters import numbers
from .opened import Opened

ENDS = {"least": "least first", "largest": "largest first"}
"""Ends of a column to begin with."""


def sorts(opened: Opened) -> dict[str, str]:
    """Every order in which selected points can be shown, and how it is called; the empty one is at random."""
    by_column = {
        f"{end}:{column}": f"{column.replace('_', ' ')}, {text}"
        for column in numbers(opened)
        for end, text in ENDS.items()
    }
    return {"": "at random", **by_column}


def some(opened: Opened, mask: np.ndarray, most: int, seed: int, sort: str) -> np.ndarray:
    """Places in the table of at most so many selected points.

    Parameters
    ----------
    mask
        (n,) bool.
    seed
        Of those that are drawn at random, which are in the order of the table.
    sort
        One of `sorts`: points without a number in that column are left out, of equal ones the first come first.
    """
    places = np.flatnonzero(mask)
    end, _, column = sort.partition(":")
    if not column:
        return (
            places if len(places) <= most else np.sort(np.random.default_rng(seed).choice(places, most, replace=False))
        )
    values = opened.quantity(column)[places]
    places, values = places[np.isfinite(values)], values[np.isfinite(values)]
    values = -values if end == "largest" else values
    if len(values) > most:
        # Of millions only those up to the last one that is shown are sorted.
        near = np.flatnonzero(values <= np.partition(values, most - 1)[most - 1])
        places, values = places[near], values[near]
    return np.asarray(places[np.argsort(values, kind="stable")[:most]])
