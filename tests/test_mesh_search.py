"""The search for the neighbours of all rows: exact where shells of points are passed over, for each query of a team."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from gpu_pipeline.engines.mesh import search
from gpu_pipeline.engines.mesh.scan import pack


def plane(rng: np.random.Generator) -> np.ndarray:
    """Nearly all shells are passed over."""
    return rng.random((4_000, 2))


def clouds(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(3_000, 20)) + 4 * rng.normal(size=(12, 20))[rng.integers(12, size=3_000)]


def noise(rng: np.random.Generator) -> np.ndarray:
    """No shell is passed over."""
    return rng.normal(size=(2_000, 60))


def one_wide_column(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(3_000, 6)) * [1e4, 1, 1, 1, 1, 1]


def far_from_zero(rng: np.random.Generator) -> np.ndarray:
    return rng.random((3_000, 3)) + 3_000


def whole_numbers(rng: np.random.Generator) -> np.ndarray:
    """Most distances occur many times, and most rows have copies."""
    return rng.integers(0, 12, (3_000, 3))


def spheres(rng: np.random.Generator) -> np.ndarray:
    """All points of a cluster are in one thin shell."""
    away = rng.normal(size=(3_000, 4))
    return away / np.linalg.norm(away, axis=1, keepdims=True) + 5 * rng.integers(0, 6, (3_000, 1))


def line(rng: np.random.Generator) -> np.ndarray:
    return rng.random((3_000, 1)) ** 4


def one_far_away(rng: np.random.Generator) -> np.ndarray:
    X = rng.normal(size=(2_000, 5))
    X[7] = 1e5
    return X


DATA = [plane, clouds, noise, one_wide_column, far_from_zero, whole_numbers, spheres, line, one_far_away]


@pytest.mark.parametrize("k", [1, 15, 200])
@pytest.mark.parametrize("data", DATA)
def test_no_neighbour_is_passed_over(data: Callable[[np.random.Generator], np.ndarray], k: int) -> None:
    X = data(np.random.default_rng(0)).astype(np.float32)
    centred = X - X.mean(axis=0, dtype=np.float64).astype(np.float32)
    squares = cdist(centred.astype(np.float64), centred.astype(np.float64), "sqeuclidean")
    np.fill_diagonal(squares, np.inf)
    found = search.find(X, k, 0, 2, exact=True)
    assert found.recall is None
    assert (found.indices != np.arange(len(X))[:, None]).all()
    assert all(len(np.unique(line)) == k for line in found.indices)
    # The distances are those of the rows named, and no others are less, but for float32's rounding of differences.
    rounding = 1e-6 * np.abs(centred).max() ** 2 * 1e-6
    np.testing.assert_allclose(
        found.distances, np.take_along_axis(squares, found.indices.astype(np.int64), axis=1), rtol=1e-5, atol=rounding
    )
    np.testing.assert_allclose(
        np.sort(found.distances, axis=1), np.sort(squares, axis=1)[:, :k], rtol=1e-5, atol=rounding
    )


@pytest.mark.parametrize("data", [plane, clouds, noise])
def test_threads_change_nothing(data: Callable[[np.random.Generator], np.ndarray]) -> None:
    """Nor which rows are in a team with others."""
    X = data(np.random.default_rng(1)).astype(np.float32)
    for exact in (True, False):
        one, three = (search.find(X, 15, 0, threads, exact=exact) for threads in (1, 3))
        np.testing.assert_array_equal(one.distances, three.distances)
        np.testing.assert_array_equal(one.indices, three.indices)


def test_shells_hold_their_points() -> None:
    rng = np.random.default_rng(2)
    X, counts = rng.normal(size=(500, 3)).astype(np.float32), np.array([40, 0, 300, 33, 127])
    order, centers = rng.permutation(500), rng.normal(size=(5, 3)).astype(np.float32)
    panels = pack(X, order, counts, centers)
    clusters = np.repeat(np.arange(5), np.diff(panels.starts) * 16)
    for pair, (least, greatest) in enumerate(panels.shells):
        here = slice(32 * pair, 32 * (pair + 1))
        rows = panels.places[here][panels.places[here] >= 0]
        away = np.linalg.norm(X[rows] - centers[clusters[here.start]], axis=1)
        assert (least, greatest) == pytest.approx((away.min(), away.max()), rel=1e-6)
    assert panels.radii[1] == 0
    assert panels.radii[[0, 2, 3, 4]] == pytest.approx(
        [
            np.linalg.norm(X[rows] - center, axis=1).max()
            for rows, center in zip(
                [order[:40], order[40:340], order[340:373], order[373:]], centers[[0, 2, 3, 4]], strict=True
            )
        ],
        rel=1e-6,
    )
