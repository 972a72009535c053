"""Filters by columns of numbers: which there are, and what the page shows of them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from gpu_pipeline.dashboard import views
from gpu_pipeline.dashboard.filters import BINS, histogram, numbers, sliders
from gpu_pipeline.dashboard.opened import Opened
from gpu_pipeline.dashboard.state import Choice


def opened() -> Opened:
    random = np.random.default_rng(0)
    return Opened(
        "m",
        pd.DataFrame(
            {
                "row": np.arange(1000),
                "x": random.normal(size=1000),
                "y": 0.0,
                "label": random.integers(0, 9, 1000),
                "size": np.r_[np.nan, np.linspace(2, 4, 999)],
                "year": np.arange(1000),
                "same": np.full(1000, 0.5),
                "none": np.full(1000, np.nan),
            }
        ),
    )


def test_what_can_be_filtered() -> None:
    # Labels are classes, and so are whole numbers of few different values.
    assert numbers(opened()) == ["size", "year", "same", "none"]
    assert sliders(Opened("m", opened().points[["x", "y", "label"]]), (), "") == []


def test_the_histogram_is_over_what_is_measured() -> None:
    found = histogram(opened(), "size")
    assert (found.low, found.high, sum(found.counts)) == (2.0, 4.0, 999)
    assert sum(histogram(opened(), "none").counts) == 0


def test_what_is_set_is_shown_and_the_open_one_last() -> None:
    found = sliders(opened(), (("year", 0.0, 499.5),), "size")
    assert [slider["column"] for slider in found] == ["year", "size"]
    year, size = found
    assert (year["set"], year["from"], year["to"]) == (True, "", "499.5")
    assert (size["set"], size["from"], size["to"]) == (False, "", "")
    # Half of the bars are within.
    assert year["bars"].count("M") == BINS / 2
    assert size["bars"] == size["rest"]
    # A filter is open where its column is not there any more.
    assert [slider["column"] for slider in sliders(opened(), (), "gone")] == [numbers(opened())[0]]


def test_limits_beyond_the_data_leave_the_handles_at_the_ends() -> None:
    (slider,) = sliders(opened(), (("size", -10.0, 3.0),), "size")
    assert (slider["low"], slider["high"], slider["from"], slider["to"]) == (2.0, 3.0, "", "3")
    (slider,) = sliders(opened(), (("size", 3.9, 4.0),), "size")
    assert slider["over"]


def test_a_column_without_spread_is_drawn_too() -> None:
    (slider,) = sliders(opened(), (), "same")
    assert (slider["least"], slider["most"], slider["bars"].count("M")) == (0.5, 0.5, 1)
    (slider,) = sliders(opened(), (), "none")
    assert slider["bars"] == ""


def test_each_handle_and_number_has_its_label_and_tooltip() -> None:
    html = views.look(Choice(), opened(), [], "", None, sought="size")
    fields = re.findall(r"<input [^>]*data-end[^>]*>", html)
    assert len(fields) == 4
    assert all("title=" in field for field in fields)
    assert all("aria-label=" in field for field in fields if "range" in field)


def test_large_numbers_are_told_apart() -> None:
    when = Opened("m", opened().points[["x", "y"]].assign(when=1_700_000_000 + 20 * np.arange(1000)))
    (slider,) = sliders(when, (("when", 1_700_005_000.0, 1_700_010_123.5),), "when")
    assert (slider["from"], slider["to"]) == ("1700005000", "1700010123.5")
    assert slider["ends"] == ("1700000000", "1700019980")
    ticks = re.findall("<small>(1700[0-9]+)</small>", views.look(Choice(colour="when"), when, [], "", None))
    assert len(set(ticks)) == 3
