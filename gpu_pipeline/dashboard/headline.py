"""What tells points apart that have no image: the longest text that differs between them, such as a title."""

from __future__ import annotations

import pandas as pd

from .opened import Opened
from .search import different_texts

ASKED = 10_000
"""Points by which it is told how much a column differs between points."""


READ = 1_000
"""Points by which it is told how long the texts of a column are."""


def headline(opened: Opened) -> str | None:
    """The column of the longest texts of those that differ between more than half of the points; None if none does.

    One of names without blanks, such as ids, is taken only if there is no other.
    """

    def find() -> str | None:
        some = opened.points.head(ASKED)
        apart = [column for column, different in different_texts(some).items() if different > len(some) / 2]
        texts = {column: _reads(some[column].head(READ)) for column in apart}
        return max(texts, key=texts.__getitem__, default=None)

    return opened.part("headline", find)


def _reads(values: pd.Series) -> tuple[bool, float]:
    """Whether most texts of a column are more than a name without blanks, and their mean length."""
    texts = values.dropna().astype("str")
    return bool((~texts.str.fullmatch("[!-~]*")).mean() > 0.5), float(texts.str.len().sum() / max(len(texts), 1))


def told(opened: Opened, place: int) -> str:
    """What the headline says of the point at a place of the table; empty where there is none."""
    column = headline(opened)
    value = None if column is None else opened.points[column].iloc[place]
    return "" if pd.isna(value) else str(value)
