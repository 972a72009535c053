"""The index of the reference rows: the exact neighbours, and answers that depend on nothing but the query."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from gpu_pipeline.engines.mesh import index
from gpu_pipeline.engines.mesh.search import EXACT
from gpu_pipeline.errors import InputError


def clouds(n: int, columns: int, seed: int = 0) -> np.ndarray:
    centers, rng = np.random.default_rng(9).normal(scale=3, size=(40, columns)), np.random.default_rng(seed)
    rows: np.ndarray = centers[rng.integers(40, size=n)] + rng.normal(size=(n, columns))
    return rows.astype(np.float32)


@pytest.fixture(scope="module")
def large() -> tuple[np.ndarray, index.Index, np.ndarray]:
    """More rows than are all looked at, with copies among them; their index; rows to ask it for."""
    X = clouds(EXACT + 2_000, 10)
    X[100:140] = X[100]
    queries = np.concatenate([clouds(600, 10, seed=1), X[95:145]])
    return X, index.build(X, 0, 2), queries


def exact(Q: np.ndarray, X: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    squares = cdist(Q.astype(np.float64), X.astype(np.float64), "sqeuclidean")
    order = np.argsort(squares, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(squares, order, axis=1)


@pytest.mark.parametrize("k", [1, 15, 300])
def test_few_rows_are_all_looked_at(k: int) -> None:
    X, Q = clouds(300, 7), clouds(37, 7, seed=1)
    indices, squares = index.build(X, 0, 2).query(Q, k, 2)
    expected, distances = exact(Q, X, k)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(squares, distances, rtol=1e-5)


def test_a_row_does_not_find_itself_by_name() -> None:
    X = clouds(200, 5)
    indices, squares = index.build(X, 0, 1).query(X[:20], 3, 1, names=np.arange(20))
    expected, distances = exact(X[:20], X, 4)
    np.testing.assert_array_equal(indices, expected[:, 1:])
    np.testing.assert_allclose(squares, distances[:, 1:], rtol=1e-5)


def test_of_many_rows_nearly_all_neighbors_are_found(large: tuple[np.ndarray, index.Index, np.ndarray]) -> None:
    X, made, Q = large
    indices, squares = made.query(Q[:600], 15, 2)
    expected, _ = exact(Q[:600], X, 15)
    assert np.mean([len(np.intersect1d(a, b)) / 15 for a, b in zip(indices, expected, strict=True)]) > 0.99
    assert (np.diff(squares, axis=1) >= 0).all()


def test_the_answer_depends_on_the_query_alone(large: tuple[np.ndarray, index.Index, np.ndarray]) -> None:
    _, made, Q = large
    whole = made.query(Q, 20, 1)
    turned = np.random.default_rng(2).permutation(len(Q))
    for order, threads in ((np.arange(len(Q)), 2), (np.arange(len(Q)), 3), (turned, 2)):
        for found, expected in zip(made.query(Q[order], 20, threads), whole, strict=True):
            assert found.tobytes() == expected[order].tobytes()
    for rows in (slice(0, 1), slice(7, 8), slice(3, 12), slice(600, 650)):
        for found, expected in zip(made.query(Q[rows], 20, 2), whole, strict=True):
            assert found.tobytes() == expected[rows].tobytes()


def test_copies_are_found_in_the_order_of_their_numbers(large: tuple[np.ndarray, index.Index, np.ndarray]) -> None:
    X, made, _ = large
    indices, squares = made.query(X[120:121], 10, 1)
    assert (squares == 0).all()
    assert (np.diff(indices[0]) > 0).all()
    assert set(indices[0]) <= set(range(100, 140))


def test_the_index_is_the_same_for_any_number_of_threads(large: tuple[np.ndarray, index.Index, np.ndarray]) -> None:
    X, made, _ = large
    other = index.build(X, 0, 1)
    for name, array in made.arrays().items():
        assert array.tobytes() == getattr(other, name).tobytes()


def test_an_index_comes_back_from_its_arrays(large: tuple[np.ndarray, index.Index, np.ndarray]) -> None:
    X, made, Q = large
    back = index.restore(X - made.center, made.arrays())
    for found, expected in zip(back.query(Q, 5, 1), made.query(Q, 5, 1), strict=True):
        assert found.tobytes() == expected.tobytes()
    assert sum(array.nbytes for array in made.arrays().values()) < X.nbytes / 5
    np.testing.assert_array_equal(back.labels()[made.order], np.repeat(np.arange(len(made.counts)), made.counts))


def test_no_queries_and_queries_beyond_all_bounds() -> None:
    made = index.build(clouds(50, 4), 0, 1)
    assert made.query(np.empty((0, 4), np.float32), 3, 1)[0].shape == (0, 3)
    with pytest.raises(InputError, match="row 1 is too far"):
        made.query(np.array([[0] * 4, [1e30] * 4], np.float32), 3, 1)
