"""How good the map is for single points, and class by class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .filters import numbers
from .opened import Opened

AT_ONCE = 1_000_000
"""Points up to which the votes of their neighbours are asked for while a person waits."""


@dataclass(frozen=True)
class ClassQuality:
    """How good the map is for the points of one label; None where it is not known.

    Attributes
    ----------
    name, points
        The label, and how many points have it.
    accuracy
        Share of them whose label is that of most of their neighbours on the map, see `right`.
    recall
        Their mean neighbour recall.
    misfits
        Share of them whose label is not that of most points in their cluster.
    """

    name: str
    points: int
    accuracy: float | None
    recall: float | None
    misfits: float | None


def right(opened: Opened) -> np.ndarray | None:
    """Whether the label of each point is that of most of its neighbours on the map, (n,) bool; False where it has none.

    Of placed points, of their neighbours among the map's own. None where it is not known: without labels, and with more
    than `AT_ONCE` points until the votes are there.
    """
    if not opened.has_classes("label"):
        return None
    if opened.ground is not None:
        if "vote" not in opened.points:
            return None
        return (opened.points["label"].astype(str) == opened.points["vote"].astype(str)).to_numpy()
    return opened.votes().right if opened.n <= AT_ONCE or opened.has("votes") else None


def misfits(opened: Opened) -> np.ndarray | None:
    """Which points are misfits, (n,) bool, False where it is missing; None where it is not known."""
    column = opened.points.get("misfit")
    if column is None or not pd.api.types.is_bool_dtype(column) or not opened.has_classes("label"):
        return None
    return column.to_numpy(dtype=bool, na_value=False)


def by_class(opened: Opened) -> list[ClassQuality]:
    """How good the map is for each label that points have, the worst first; empty without labels."""
    if not opened.has_classes("label"):
        return []
    codes, key = opened.codes("label")
    recall = opened.quantity("neighbor_recall") if "neighbor_recall" in numbers(opened) else None
    shares = [means(codes, len(key.names), values) for values in (right(opened), recall, misfits(opened))]
    found = [
        ClassQuality(key.names[i], key.counts[i], *(share[i] for share in shares))
        for i in range(len(key.names))
        if key.counts[i] and i != opened.absent("label")
    ]
    return sorted(found, key=lambda one: [-1.0 if value is None else value for value in (one.accuracy, one.recall)])


def means(codes: np.ndarray, classes: int, values: np.ndarray | None) -> list[float | None]:
    """The mean of each class's finite values, by its code; None where there is none.

    Parameters
    ----------
    codes
        (n,) class of each point, below `classes`.
    values
        (n,) bool or floating; None if they are not known.
    """
    if values is None:
        return [None] * classes
    known = np.isfinite(values)
    codes, values = codes[known], values[known]
    amounts = np.bincount(codes, minlength=classes)
    sums = np.bincount(codes, weights=values, minlength=classes)
    return [float(total / amount) if amount else None for total, amount in zip(sums, amounts, strict=True)]
