"""Outlines with fewer corners."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gpu_pipeline.dashboard.outline import simplified
from gpu_pipeline.dashboard.picking import inside_polygon


def test_corners_on_a_line_go_and_others_stay() -> None:
    corners = np.array([[0, 0], [1, 0.01], [2, 0], [2, 1], [2.01, 2], [0, 2], [0, 1]], float)
    assert simplified(corners, 0.02).tolist() == [[0, 0], [2, 0], [2.01, 2], [0, 2], [0, 1]]
    assert simplified(corners, 0.0).tolist() == corners.tolist()


def test_a_circle_needs_as_many_corners_as_its_sagitta_asks_for() -> None:
    angles = np.linspace(0, 2 * np.pi, 1000)
    circle = 200 * np.column_stack([np.cos(angles), np.sin(angles)])
    m = len(simplified(circle, 0.5))
    # A chord that leaves the arc by 0.5 spans 2 * acos(1 - 0.5 / 200) of it.
    fewest = np.pi / np.arccos(1 - 0.5 / 200)
    assert fewest <= m <= 2 * fewest + 2


@pytest.mark.parametrize("corners", [np.zeros((1, 2)), np.zeros((2, 2)), np.ones((9, 2))])
def test_places_that_are_all_one(corners: np.ndarray) -> None:
    assert len(simplified(corners, 0.5)) == min(len(corners), 2)


@given(arrays(float, st.tuples(st.integers(1, 40), st.just(2)), elements=st.floats(-100, 100)), st.floats(0.01, 10))
def test_no_corner_is_farther_than_the_tolerance(corners: np.ndarray, tolerance: float) -> None:
    kept = simplified(corners, tolerance)
    assert (kept[0] == corners[0]).all()
    assert (kept[-1] == corners[-1]).all()
    starts, along = kept[:-1], np.diff(kept, axis=0)
    for corner in corners:
        if len(kept) < 2:
            return
        squares = np.maximum((along**2).sum(axis=1), 1e-300)
        share = np.clip(((corner - starts) * along).sum(axis=1) / squares, 0, 1)
        assert np.hypot(*(corner - starts - share[:, None] * along).T).min() <= tolerance + 1e-9


def test_the_points_inside_stay_the_same_but_for_the_rim() -> None:
    random = np.random.default_rng(0)
    x, y = random.uniform(-250, 250, (2, 20_000))
    angles = np.linspace(0, 2 * np.pi, 400)
    circle = 200 * np.column_stack([np.cos(angles), np.sin(angles)])
    before, after = (inside_polygon(x, y, corners) for corners in (circle, simplified(circle, 0.5)))
    assert (np.abs(np.hypot(x, y)[before != after] - 200) < 1.0).all()
