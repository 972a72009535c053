"""Lasso, box and cursor: by hand, against exact arithmetic, and with what a mouse can really draw."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gpu_pipeline.dashboard.picking import Nearest, inside_box, inside_polygon
from gpu_pipeline.errors import InputError
from gpu_pipeline.render import order

SQUARE = [(0, 0), (4, 0), (4, 4), (0, 4)]
Places = list[tuple[int, int]]
corners = st.lists(st.tuples(st.integers(-6, 6), st.integers(-6, 6)), max_size=12)
points = st.lists(st.tuples(st.integers(-7, 7), st.integers(-7, 7)), min_size=1, max_size=40)


def inside(places: Any, polygon: Any) -> list[bool]:
    x, y = np.array(places, float).reshape(-1, 2).T
    return list(inside_polygon(x, y, np.array(polygon, float)).tolist())


def exactly_inside(place: tuple[int, int], polygon: Places) -> bool | None:
    """The even-odd rule in whole numbers and fractions; None on an edge."""
    px, py = place
    odd = False
    for (ax, ay), (bx, by) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        across = (bx - ax) * (py - ay) - (by - ay) * (px - ax)
        if across == 0 and min(ax, bx) <= px <= max(ax, bx) and min(ay, by) <= py <= max(ay, by):
            return None
        if (ay > py) != (by > py) and px < ax + Fraction((bx - ax) * (py - ay), by - ay):
            odd = not odd
    return odd


def test_a_square_open_or_closed_either_way_round() -> None:
    places = [(2, 2), (5, 2), (2, -1), (-1, 2), (3.999, 0.001)]
    for polygon in (SQUARE, [*SQUARE, SQUARE[0]], SQUARE[::-1]):
        assert inside(places, polygon) == [True, False, False, False, True]


def test_what_a_lasso_goes_around_twice_is_left_out() -> None:
    # Two loops: the outer square of side 4, then the inner one of side 2, walked one after the other.
    twice = [(0, 0), (4, 0), (4, 4), (0, 4), (0, 0), (1, 1), (3, 1), (3, 3), (1, 3), (1, 1)]
    assert inside([(0.5, 2), (2, 2), (3.5, 2), (5, 2)], twice) == [True, False, True, False]
    # A bow tie: its two triangles lie left and right of the crossing at (2, 2).
    bow = [(0, 0), (4, 4), (4, 0), (0, 4)]
    assert inside([(0.5, 2), (3.5, 2), (2, 0.5), (2, 3.5)], bow) == [True, True, False, False]


def test_on_the_edge_left_and_lower_belong() -> None:
    assert inside([(0, 2), (4, 2), (2, 0), (2, 4), (0, 0), (4, 4)], SQUARE) == [True, False, True, False, True, False]


@settings(max_examples=300)
@given(points, corners)
def test_any_polygon_agrees_with_exact_arithmetic(places: Places, polygon: Places) -> None:
    expected = [exactly_inside(place, polygon) for place in places] if len(polygon) >= 3 else [False] * len(places)
    found = inside(places, polygon)
    assert [f for f, e in zip(found, expected, strict=True) if e is not None] == [e for e in expected if e is not None]


@settings(max_examples=100)
@given(points, *[st.tuples(st.integers(-6, 6), st.integers(-6, 6))] * 4)
def test_two_halves_share_no_point_and_lose_none(places: Places, a: Any, b: Any, c: Any, d: Any) -> None:
    # The triangles a b c and a c d share the edge a c; together they are the quadrilateral, by the even-odd rule.
    halves = np.array(inside(places, [a, b, c])) ^ np.array(inside(places, [a, c, d]))
    assert halves.tolist() == inside(places, [a, b, c, d])


@settings(max_examples=100)
@given(points, corners, st.integers(1, 30), st.integers(1, 30))
def test_moving_all_moves_nothing(places: Places, polygon: Places, dx: int, dy: int) -> None:
    assume(len(polygon) >= 3)
    free = [place for place in places if exactly_inside(place, polygon) is not None]
    shift = np.array([dx, dy])
    moved = inside(np.array(free).reshape(-1, 2) + shift, np.array(polygon) + shift)
    assert moved == inside(free, polygon)


def test_many_points_and_a_wild_lasso_over_several_threads() -> None:
    # A star around the origin: inside is whatever is nearer than its rim in the same direction.
    random = np.random.default_rng(0)
    x, y = random.uniform(-2, 2, (2, 700_000))
    angle = np.linspace(0, 2 * np.pi, 3000, endpoint=False)
    rim = 1 + 0.5 * np.sin(9 * angle)
    found = inside_polygon(x, y, np.column_stack([rim * np.cos(angle), rim * np.sin(angle)]))
    away, limit = np.hypot(x, y), 1 + 0.5 * np.sin(9 * np.arctan2(y, x))
    clear = np.abs(away - limit) > 0.01
    assert clear.mean() > 0.97
    assert (found == (away < limit))[clear].all()
    single = inside_polygon(x.astype(np.float32), y.astype(np.float32), np.array(SQUARE))
    assert (single == inside_box(x.astype(np.float32), y.astype(np.float32), 0, 4, 0, 4)).all()


def test_sessions_may_pick_at_once() -> None:
    x, y = np.random.default_rng(0).uniform(-2, 2, (2, 600_000))
    one = inside_polygon(x, y, np.array(SQUARE) / 3)
    nearest = Nearest(x, y)
    with ThreadPoolExecutor(8) as pool:
        masks = list(pool.map(lambda _: inside_polygon(x, y, np.array(SQUARE) / 3), range(8)))
        found = list(pool.map(lambda i: nearest.at(x[i], y[i], 0.5), range(200)))
    assert all((mask == one).all() for mask in masks)
    assert found == list(range(200))


@pytest.mark.parametrize("polygon", [[], [(0, 0)], [(0, 0), (1, 1)], [(0, 0), (1, 0), (2, 0)], [(1, 1)] * 5])
def test_a_lasso_around_nothing(polygon: Places) -> None:
    assert inside([(0, 0), (1, 1), (0.5, 0)], polygon) == [False] * 3


def test_points_that_are_nowhere_are_outside() -> None:
    assert inside([(np.nan, 1), (1, np.nan), (np.inf, 1), (1, 1)], SQUARE) == [False, False, False, True]
    assert inside([], SQUARE) == []


@pytest.mark.parametrize(
    "polygon", [[(0, 0), (1, np.nan), (1, 1)], [(0, 0), (np.inf, 1), (1, 1)], [1, 2, 3], [(1, 2, 3)] * 3]
)
def test_corners_that_are_none(polygon: Any) -> None:
    with pytest.raises(InputError, match="not a list of finite"):
        inside([(0, 0)], polygon)


def test_coordinates_that_do_not_fit_together() -> None:
    with pytest.raises(InputError, match="3 values of x and 2 of y"):
        inside_box(np.zeros(3), np.zeros(2), 0, 1, 0, 1)


def test_a_box_has_its_edges() -> None:
    x, y = np.array([0, 1, 2, 3, 1]), np.array([0, 0, 0, 0, 5])
    assert inside_box(x, y, 1, 2, -1, 1).tolist() == [False, True, True, False, False]
    assert inside_box(x.astype(np.float32), y, 2, 1, -1, 1).tolist() == [False] * 5


@settings(max_examples=150)
@given(points, st.floats(-9, 9), st.floats(-9, 9), st.floats(0, 30), st.randoms(use_true_random=False))
def test_the_nearest_point_is_that_of_a_search_of_all(
    places: Places, px: float, py: float, within: float, random: Any
) -> None:
    x, y = np.array(places, float).T
    visible = np.array([random.random() < 0.7 for _ in places])
    squares = np.where(visible, (x - px) ** 2 + (y - py) ** 2, np.inf)
    # argmin gives the first of equals, as `at` does.
    expected = int(squares.argmin()) if squares.min() <= within**2 else None
    assert Nearest(x, y).at(px, py, within, visible) == expected


def test_the_nearest_of_many_with_an_outlier() -> None:
    random = np.random.default_rng(1)
    x, y = random.normal(size=(2, 50_000)).astype(np.float32)
    x[7] = 1e6
    nearest = Nearest(x, y)
    for px, py in random.normal(size=(50, 2)):
        squares = (x.astype(float) - px) ** 2 + (y.astype(float) - py) ** 2
        assert nearest.at(px, py, 1.0) == squares.argmin()
    assert nearest.at(1e6 + 1, 0, 10) == 7
    assert nearest.at(500, 500, 10) is None
    assert nearest.at(np.nan, 0, 10) is None
    assert Nearest(x[:0], y[:0]).at(0, 0, 1) is None


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(0, 20_000), corners=st.integers(3, 30), reach=st.floats(0.01, 30))
def test_an_order_changes_nothing(seed: int, n: int, corners: int, reach: float) -> None:
    random = np.random.default_rng(seed)
    x, y = random.normal(0, 3, (2, n)).astype(np.float32)
    x[: n // 100] *= 1000  # far outliers lie in the outermost cells
    polygon = random.normal(0, reach, (corners, 2))
    polygon[::5, 1] = polygon[0, 1]  # with level edges
    expected = inside_polygon(x, y, polygon)
    assert (inside_polygon(x, y, polygon, order(x, y)) == expected).all()
    assert (inside_polygon(x, y, np.round(polygon), order(x, y)) == inside_polygon(x, y, np.round(polygon))).all()


def test_an_order_of_a_line_of_points() -> None:
    x = np.linspace(0, 1, 50_000)
    assert inside_polygon(x, 0 * x, np.array(SQUARE) / 12, order(x, 0 * x)).sum() == pytest.approx(16_667, abs=1)
