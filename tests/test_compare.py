"""Two maps on top of each other, by hand and by what must not change anything."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.compare import FEWEST_ROWS, align, compare_maps, doubt
from gpu_pipeline.errors import InputError


def points(places: np.ndarray, rows: np.ndarray | None = None) -> pd.DataFrame:
    rows = np.arange(len(places)) if rows is None else rows
    return pd.DataFrame({"row": rows, "x": places[:, 0], "y": places[:, 1]})


def moved(places: np.ndarray, angle: float, mirror: bool, scale: float, shift: float) -> np.ndarray:
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    result: np.ndarray = (places * [-1 if mirror else 1, 1]) @ turn * scale + shift
    return result


def test_align_by_hand() -> None:
    # A square, and the same doubled, turned by 90 degrees and shifted.
    square = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    other = np.array([[-2, 2], [-2, -2], [2, -2], [2, 2]]) + 10
    assert align(square, other) == pytest.approx(square)


def test_align_scales_for_the_least_squares() -> None:
    # Corners at radius 1; the other map's x is stretched to 3. Without turning, the scale s minimises
    # 2 (1 - 3s)^2 + 2 (1 - s)^2: s = (3 + 1) / (9 + 1) = 0.4.
    cross = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    assert align(cross, cross * [3, 1]) == pytest.approx(cross * [1.2, 0.4])


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(0, 6.3), st.booleans(), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_a_map_that_was_only_moved_agrees(seed: int, angle: float, mirror: bool, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(40, 2))
    order = rng.permutation(40)
    comparison = compare_maps(points(places), points(moved(places, angle, mirror, scale, shift)[order], order))
    assert comparison.aligned == pytest.approx(places, abs=1e-8)
    assert comparison.displacement == pytest.approx(0, abs=1e-8)
    assert comparison.summary["common_neighbors"] == 1
    assert comparison.summary["displacement_rms"] == pytest.approx(0, abs=1e-8)


def test_displacement_is_in_units_of_the_rms_radius() -> None:
    # The cross of above ten times over: RMS radius 10; differences 0.2 and 0.6 of it.
    cross = np.tile(np.array([[1, 0], [0, 1], [-1, 0], [0, -1]]), (10, 1)) * 10
    comparison = compare_maps(points(cross), points(cross * [3, 1]))
    assert comparison.displacement[:4] == pytest.approx([0.2, 0.6, 0.2, 0.6])
    assert comparison.summary["displacement_rms"] == pytest.approx(math.sqrt((0.04 + 0.36) / 2))
    assert comparison.summary["displacement_median"] == pytest.approx(0.4)


def test_unrelated_maps_agree_by_chance_only() -> None:
    rng = np.random.default_rng(0)
    comparison = compare_maps(points(rng.normal(size=(3000, 2))), points(rng.normal(size=(3000, 2))))
    assert comparison.summary["displacement_rms"] == pytest.approx(1, abs=0.01)
    assert comparison.summary["common_neighbors_chance"] == pytest.approx(15 / 2999)
    assert comparison.summary["common_neighbors"] == pytest.approx(15 / 2999, abs=0.002)


def test_only_common_rows_are_compared() -> None:
    places = np.random.default_rng(1).normal(size=(100, 2)).astype(np.float32)
    first, second = points(places[:80]), points(places[20:][::-1], np.arange(20, 100)[::-1])
    comparison = compare_maps(first, second)
    assert comparison.rows.tolist() == list(range(20, 80))
    assert comparison.aligned == pytest.approx(places[20:80])
    summary = comparison.summary
    assert (summary["rows"], summary["only_reference"], summary["only_other"]) == (60, 20, 20)
    assert comparison.displacement.shape == (60,)


def test_common_neighbours_by_hand() -> None:
    # Pairs on a line, far apart: with 10 rows k = (10 - 1) // 2 = 4. The other map swaps rows 0 and 9 in place.
    line = np.stack([np.arange(10.0) ** 1.5, np.zeros(10)], axis=1)
    swapped = line[[9, *range(1, 9), 0]]
    found = compare_maps(points(line), points(swapped)).summary
    assert found["common_neighbors_chance"] == 4 / 9
    # 0 had 1, 2, 3, 4 and has 8, 7, 6, 5, and 9 the other way round; 1, 2 and 3 had 0 and have 9 for it, 7 and 8 the
    # other way round; 4, 5 and 6 have neither.
    assert found["common_neighbors"] == pytest.approx((2 * 0 + 5 * 3 / 4 + 3 * 1) / 10)


def test_maps_without_enough_common_rows() -> None:
    places = np.random.default_rng(2).normal(size=(50, 2))
    with pytest.raises(InputError, match=r"0 rows in common but at least 10 are needed: compare runs on the same data"):
        compare_maps(points(places), points(places, np.arange(50, 100)))
    shared = FEWEST_ROWS - 1
    with pytest.raises(InputError, match=f"{shared} rows in common"):
        compare_maps(points(places), points(places, np.arange(50 - shared, 100 - shared)))


def test_maps_that_cannot_be_aligned() -> None:
    places = np.random.default_rng(3).normal(size=(20, 2))
    for pair in ((places, np.full((20, 2), 0.1)), (np.full((20, 2), 0.1), places)):
        with pytest.raises(InputError, match="at one place"):
            align(*pair)
    with pytest.raises(InputError, match="shapes"):
        align(places, places[:19])


def data(name: str, total: int = 100, digest: str = "a") -> dict[str, object]:
    return {"name": name, "total": total, "digest": digest}


def test_data_that_may_be_others_are_doubted() -> None:
    assert doubt(data("x"), data("x", digest="b")) is None  # two samples
    assert doubt(data("x"), data("y")) is None  # a file that was renamed
    for other in (data("y", digest="b"), data("x", 1000, digest="b"), data("mnist", digest="b")):
        said = doubt(data("x"), other)
        assert said is not None
        assert said.startswith(f"A is of x with 100 rows and B of {other['name']} with {other['total']:,} rows: ")
    with pytest.raises(InputError, match="mnist and fashion-mnist have no row in common: compare runs on the same"):
        doubt(data("mnist", 70_000), data("fashion-mnist", 70_000, digest="b"))
