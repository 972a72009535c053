"""Which of the selected points are shown."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from gpu_pipeline.dashboard import side
from gpu_pipeline.dashboard.opened import Opened
from gpu_pipeline.dashboard.shown import some, sorts


def table(n: int = 200) -> Opened:
    """A price that falls, with equal ones and missing ones, and days."""
    price = np.linspace(10, -10, n).round(1)
    price[::50] = np.nan
    price[7] = np.inf
    days = pd.date_range("2024-01-01", periods=n, freq="D")
    return Opened("table", pd.DataFrame({"x": np.arange(n), "y": 0.0, "price": price, "day": days, "kind": "a"}))


def test_orders_are_by_numbers_and_times() -> None:
    assert sorts(table()) == {
        "": "at random",
        "least:price": "price, least first",
        "largest:price": "price, largest first",
        "least:day": "day, least first",
        "largest:day": "day, largest first",
    }


@pytest.mark.parametrize("most", [1, 30, 1_000])
def test_the_first_by_a_column(most: int) -> None:
    opened = table()
    mask = np.arange(200) % 3 == 0
    known = opened.points[mask & np.isfinite(opened.points["price"])]
    for sort, ascending in (("least:price", True), ("largest:price", False)):
        expected = known.sort_values("price", ascending=ascending, kind="stable").index[:most]
        assert some(opened, mask, most, 0, sort).tolist() == expected.tolist()
    assert some(opened, mask, most, 0, "largest:day").tolist() == np.flatnonzero(mask)[::-1][:most].tolist()


def test_some_at_random() -> None:
    opened, mask = table(), np.arange(200) < 100
    drawn = [some(opened, mask, 30, seed, "").tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] == sorted(drawn[0])
    assert drawn[0] != drawn[2]
    assert len(drawn[0]) == 30
    assert max(drawn[0]) < 100
    assert some(opened, mask, 100, 0, "").tolist() == list(range(100))


def test_the_pane_says_what_points_are_sorted_by() -> None:
    opened = table()
    html = side.selection(opened, np.ones(200, bool), (), (), 0, sort="least:price")
    assert re.findall(r'data-key="listed-1" title="(row 199), (price -10)"', html) == [("row 199", "price -10")]
    assert "Draw others" not in html
    assert '<option value="least:price" selected>' in html
    assert "Draw others" in side.selection(opened, np.ones(200, bool), (), (), 0, sort="least:displacement")
    nothing = side.selection(opened, np.arange(200) == 50, (), (), 0, sort="least:price")
    assert "None of these points has a number in that column" in nothing
    bare = Opened("bare", opened.points[["x", "y", "kind"]])
    assert "data-do=sort" not in side.selection(bare, np.ones(200, bool), (), (), 0)
