"""Figures of a window and of a selection: answers worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gpu_pipeline.dashboard.statistics import Moments, counts, in_view, moments, of_class, of_quantity, spread
from gpu_pipeline.errors import InputError
from gpu_pipeline.render import View, aggregate, mark, prepare

FOUR = View((0, 4), (0, 1), 4, 1)
"""Four pixels in a row, each one unit wide."""


def test_what_is_in_view() -> None:
    # Pixels: aaa, ab, b, and nothing; one point more lies outside the window.
    points = pd.DataFrame(
        {"x": [0.5, 0.5, 0.5, 1.5, 1.5, 2.5, 9.0], "y": 0.5, "label": list("aaaabba"), "q": np.arange(7) / 9}
    )
    (layer,) = prepare(points, colour="label")
    facts = in_view(aggregate(layer, FOUR), layer.key)
    assert (facts.points, facts.coloured, facts.most, facts.lit) == (6, 6, 3, 3)
    assert facts.mixed == pytest.approx(1 / 3)
    # Only the a's selected: two lit pixels of one class each, two grey points.
    selected = in_view(aggregate(mark(layer, (points.label == "a").to_numpy()), FOUR), layer.key)
    assert (selected.points, selected.coloured, selected.most, selected.lit) == (6, 4, 3, 2)
    assert selected.mixed == 0
    # Without the b's altogether.
    shown = in_view(aggregate(mark(layer, shown=(points.label == "a").to_numpy()), FOUR), layer.key)
    assert (shown.points, shown.coloured) == (4, 4)
    (layer,) = prepare(points, colour="q")
    assert in_view(aggregate(layer, FOUR), layer.key).mixed is None
    nothing = in_view(aggregate(layer, View((50, 54), (0, 1), 4, 1)), layer.key)
    assert (nothing.points, nothing.most, nothing.lit) == (0, 0, 0)


def test_counts_follow_the_selection() -> None:
    codes = np.array([0, 2, 2, 0, 2], np.int8)
    mask = np.array([True, True, False, False, False])
    assert counts(codes, 3, mask).tolist() == [1, 0, 1]
    assert counts(codes, 4, ~mask).tolist() == [1, 0, 2, 0]
    assert counts(codes, 3, ~mask & mask).tolist() == [0, 0, 0]
    with pytest.raises(InputError, match="over 2 points, not 5"):
        counts(codes, 3, mask[:2])


def test_a_class_against_the_rest() -> None:
    # All three of the selection are a, none of the two others: 1 - 0 over sqrt(0.6 * 0.4).
    found = of_class("label", "a", inside=3, selected=3, total=3, n=5)
    assert (found.inside, found.outside) == (1.0, 0.0)
    assert found.effect == pytest.approx(1 / np.sqrt(0.24))
    other = of_class("label", "b", inside=0, selected=3, total=2, n=5)
    assert (other.inside, other.outside) == (0.0, 1.0)
    # Nothing selected, or all: there is no share to speak of.
    assert of_class("label", "a", 0, 0, 3, 5).inside is None
    assert of_class("label", "a", 3, 5, 3, 5).outside is None
    assert of_class("label", "a", 3, 5, 3, 5).effect is None


def test_a_quantity_against_the_rest() -> None:
    size = np.linspace(0, 1, 100)
    size[0] = np.nan
    mask, all_of_them = np.arange(100) < 50, np.ones(100, bool)
    found = of_quantity("size", moments(size, all_of_them), moments(size, mask))
    # 1 to 49 of 99 inside, mean 25 / 99; 50 to 99 outside, mean 74.5 / 99.
    assert found.inside == pytest.approx(25 / 99)
    assert found.outside == pytest.approx(74.5 / 99)
    assert found.effect == pytest.approx(-49.5 / np.std(np.arange(1, 100)))
    everything = of_quantity("size", moments(size, all_of_them), moments(size, all_of_them))
    assert everything.outside is everything.effect is None
    nothing = moments(np.full(100, np.nan), mask)
    assert nothing == Moments(0, None, None)
    assert of_quantity("none", nothing, nothing).inside is None
    constant = moments(np.full(100, 0.5), all_of_them)
    assert of_quantity("constant", constant, moments(np.full(100, 0.5), mask)).effect == 0


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_values_far_from_zero_keep_their_deviation(kind: type) -> None:
    values = (1_000_000 + np.arange(1000) % 8).astype(kind)
    found = moments(values, np.ones(1000, bool))
    assert found.mean == pytest.approx(1_000_003.5, abs=1e-6)
    assert found.deviation == pytest.approx(np.std(np.arange(8)), rel=1e-6)


def test_how_values_are_spread() -> None:
    found = spread(np.array([0.0, 0.1, 0.5, 0.99, 1.0, np.nan, np.inf, 0.5]), 4)
    assert (found.low, found.high, found.counts) == (0.0, 1.0, (2, 0, 2, 2))
    assert spread(np.array([np.nan, np.nan]), 2).counts == (0, 0)
    assert spread(np.array([3.0, 3.0]), 2) == spread(np.array([3.0, 3.0, np.nan]), 2)
    assert sum(spread(np.array([-1e308, 0.0, 1e308]), 3).counts) == 3


def test_a_histogram_is_that_of_numpy() -> None:
    values = np.random.default_rng(0).normal(size=5000)
    found = spread(values, 30)
    assert (found.low, found.high) == (values.min(), values.max())
    assert np.abs(np.array(found.counts) - np.histogram(values, 30)[0]).sum() <= 2
