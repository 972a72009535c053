"""Filters by columns of numbers or times: which there are, how their values are spread, and how the page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import times
from ..render.key import is_quantity
from .opened import NOT_COLOURS, Opened
from .selecting import Limit
from .statistics import Histogram, spread

BINS = 60

HEIGHT = 30


def numbers(opened: Opened) -> list[str]:
    """Columns that hold a quantity, in their order."""

    def find() -> list[str]:
        columns = [str(column) for column in opened.points.columns if column not in NOT_COLOURS]
        return [column for column in columns if is_quantity(opened.points[column], column)]

    return opened.part("numbers", find)


def histogram(opened: Opened, column: str) -> Histogram:
    """How the values of a column are spread over all points."""
    return opened.part(("histogram", column), lambda: spread(opened.quantity(column), BINS))


def sliders(opened: Opened, limits: Sequence[Limit], sought: str) -> list[dict[str, Any]]:
    """What the page shows of each filter that is set, and of the one that is open.

    Parameters
    ----------
    limits
        The filters: column, least and largest value.
    sought
        The column whose filter is open; the first one if it is not there.
    """
    columns = numbers(opened)
    if not columns:
        return []
    shown = {column: (low, high) for column, low, high in limits if column in columns}
    open_one = sought if sought in columns else columns[0]
    return [_slider(opened, column, shown.get(column)) for column in dict.fromkeys([*shown, open_one])]


def _slider(opened: Opened, column: str, limit: tuple[float, float] | None) -> dict[str, Any]:
    whole = histogram(opened, column)
    low, high = limit or (whole.low, whole.high)
    width, time = whole.high - whole.low, times.is_time(opened.points[column])

    def text(number: float, digits: int) -> str:
        return opened.written(column, number, width, digits)

    def end(number: float, last: bool) -> str:
        return times.shortest(number, last) if time else text(number, 6)

    inside = [whole.low + (i + 0.5) / BINS * width for i in range(BINS)]
    return {
        "column": column,
        "time": time,
        "name": column.replace("_", " "),
        "least": whole.low,
        "most": whole.high,
        # Where both handles are at the right end, the left one has to be on top.
        "over": low > whole.low + 0.5 * width,
        "low": min(max(low, whole.low), whole.high),
        "high": min(max(high, whole.low), whole.high),
        "set": limit is not None,
        "from": end(low, False) if limit and low > whole.low else "",
        "to": end(high, True) if limit and high < whole.high else "",
        "bars": _bars(whole.counts, [low <= value <= high for value in inside] if limit else None),
        "rest": _bars(whole.counts),
        "ends": (text(whole.low, 4), text(whole.high, 4)),
    }


def _bars(counts: Sequence[int], drawn: Sequence[bool] | None = None) -> str:
    """Bars as an SVG path, one unit wide and as high as the root of their share, so that few are seen too."""
    tallest = max(counts, default=0) or 1
    heights = [HEIGHT * (count / tallest) ** 0.5 for count in counts]
    return "".join(
        f"M{i} {HEIGHT}v-{height:.1f}h1V{HEIGHT}z"
        for i, height in enumerate(heights)
        if height and (drawn is None or drawn[i])
    )
