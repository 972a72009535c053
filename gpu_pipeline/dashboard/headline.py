"""What tells points apart that have no image: the column of text that differs most between them, such as a title."""

from __future__ import annotations

import pandas as pd

from .opened import Opened
from .search import different_texts

ASKED = 10_000
"""Points by which it is told how much a column differs between points."""


def headline(opened: Opened) -> str | None:
    """The column of text that differs between most points; None if none differs between more than half of them."""

    def find() -> str | None:
        some = opened.points.head(ASKED)
        different = different_texts(some)
        best = max(different, key=different.__getitem__, default=None)
        return best if best is not None and different[best] > len(some) / 2 else None

    return opened.part("headline", find)


def told(opened: Opened, place: int) -> str:
    """What the headline says of the point at a place of the table; empty where there is none."""
    column = headline(opened)
    value = None if column is None else opened.points[column].iloc[place]
    return "" if pd.isna(value) else str(value)
