"""Neighbours and affinities of the mesh engine against plain NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from gpu_pipeline.engines.mesh import affinities, index, search, shortlist


def squares(X: np.ndarray) -> np.ndarray:
    """Squared distances of all pairs, infinite to oneself."""
    X = X.astype(np.float64)
    result: np.ndarray = ((X[:, None] - X) ** 2).sum(axis=2)
    np.fill_diagonal(result, np.inf)
    return result


def blobs(n: int, columns: int, count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (
        rng.normal(scale=4, size=(count, columns))[rng.integers(count, size=n)] + rng.normal(size=(n, columns))
    ).astype(np.float32)


@settings(max_examples=30)
@given(
    n=st.integers(2, 300),
    columns=st.integers(1, 40),
    share=st.floats(0, 1),
    copies=st.booleans(),
    seed=st.integers(0, 99),
)
def test_exact_neighbors(n: int, columns: int, share: float, copies: bool, seed: int) -> None:
    X = np.random.default_rng(seed).normal(size=(n, columns)).astype(np.float32)
    if copies:
        X[: n // 2] = X[0]
    k = 1 + int(share * (n - 2))
    found = search.find(X, k, seed, 2)
    assert found.recall is None
    assert sorted(found.order) == list(range(n))
    true = squares(X)
    for i in range(n):
        assert len(set(found.indices[i])) == k
        assert i not in found.indices[i]
        # Ties may be taken either way: the distances are the same.
        np.testing.assert_allclose(np.sort(true[i])[:k], np.sort(found.distances[i]), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(true[i, found.indices[i]], found.distances[i], rtol=1e-4, atol=1e-5)


WIDE: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "two values": lambda rng: rng.integers(0, 2, 2_000),
    "one far away": lambda rng: 1_000 * (np.arange(2_000) == 7),
}


@pytest.mark.parametrize("wide", WIDE)
@pytest.mark.parametrize("exact", [True, False])
def test_neighbors_beside_a_column_much_wider_than_the_others(wide: str, exact: bool) -> None:
    rng = np.random.default_rng(0)
    X = (1e-5 * rng.normal(size=(2_000, 10))).astype(np.float32)
    X[:, 0] = WIDE[wide](rng)
    true = squares(X)
    if exact:
        found = search.find(X, 15, 0, 2).indices
    else:
        found, _ = index.build(X, 0, 2).query(X, 15, 2, names=np.arange(2_000))
    # The k-th distance itself, not the names: ties may be taken either way.
    np.testing.assert_allclose(
        np.sort(np.take_along_axis(true, found.astype(np.int64), axis=1)), np.sort(true)[:, :15], rtol=1e-2
    )


def test_clustered_search_finds_nearly_all_and_says_how_many() -> None:
    X = blobs(6000, 20, 30)
    found = search.find(X, 30, 0, 2, exact=False)
    true = search.find(X, 30, 0, 2, exact=True)
    share = np.mean([len(np.intersect1d(a, b)) / 30 for a, b in zip(found.indices, true.indices, strict=True)])
    assert share > 0.97
    assert found.recall == pytest.approx(share, abs=0.01)


def test_of_equally_near_points_any_is_a_neighbor() -> None:
    X = np.random.default_rng(0).integers(0, 3, (4_000, 6)).astype(np.float32)
    found = search.find(X, 30, 0, 2, exact=False)
    true = search.find(X, 30, 0, 2, exact=True)
    share = np.mean(found.distances <= true.distances.max(axis=1, keepdims=True))
    assert found.recall == pytest.approx(share, abs=0.02)
    # Nor are all that are as far as the last one compared again, but for a margin that tells of more than rounding.
    assert shortlist.beyond.py_func(1.0, 1e-4) == 1
    assert shortlist.beyond.py_func(1.0, 0.5) == 1.5


def test_clustered_search_never_comes_back_short() -> None:
    # 2,000 points in one place and a few far away: the clusters nearest to those hold fewer than k points.
    X = np.concatenate([np.zeros((2000, 2)), 1000 + np.random.default_rng(0).normal(size=(40, 2))]).astype(np.float32)
    found = search.find(X, 60, 0, 2, exact=False)
    assert found.indices.min() >= 0
    assert all(len(set(row)) == 60 for row in found.indices)


def test_order_keeps_neighbors_together() -> None:
    X = blobs(4000, 10, 20)
    found = search.find(X, 15, 0, 2)
    place = np.empty(4000, int)
    place[found.order] = np.arange(4000)
    gap = np.abs(place[found.indices] - place[:, None]).mean()
    assert gap < 0.25 * 4000 / 3  # 4000 / 3 is the mean of random numbering.


@pytest.mark.parametrize("perplexity", [2.0, 5.0, 29.5])
def test_every_row_has_the_perplexity(perplexity: float) -> None:
    X = np.concatenate([blobs(150, 5, 3), 1e-3 * blobs(150, 5, 3, seed=1)])  # Two scales at once.
    found = search.find(X, 90, 0, 1)
    p = np.empty_like(found.distances)
    affinities._search_bandwidths(found.distances, perplexity, 0, 300, p)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-5)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    np.testing.assert_allclose(np.exp(-(p * logs).sum(axis=1)), perplexity, rtol=1e-3)


def test_affinities_among_more_copies_than_the_perplexity_are_equal() -> None:
    distances = np.zeros((1, 30), np.float32)
    distances[0, 20:] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    p = np.empty_like(distances)
    affinities._search_bandwidths(distances, 5.0, 0, 1, p)
    np.testing.assert_allclose(p[0], [1 / 20] * 20 + [0] * 10, atol=1e-6)


@pytest.mark.parametrize("threads", [1, 3])
def test_symmetric_affinities_are_the_textbook_ones(threads: int) -> None:
    X = blobs(200, 4, 3)
    found = search.find(X, 30, 0, threads)
    edges = affinities.symmetrize(found.indices, found.distances, 10.0, found.order, threads)
    p = np.empty_like(found.distances)
    affinities._search_bandwidths(found.distances, 10.0, 0, 200, p)
    conditional = np.zeros((200, 200))
    np.put_along_axis(conditional, found.indices, p, axis=1)
    expected = ((conditional + conditional.T) / 400)[np.ix_(found.order, found.order)]
    made = csr_matrix((edges.p, edges.indices.astype(np.int64), edges.indptr), shape=(200, 200)).toarray()
    np.testing.assert_allclose(made, expected, atol=1e-9)
    assert made.sum() == pytest.approx(1, abs=1e-5)
    positive = expected[expected > 0]
    assert edges.negative_entropy == pytest.approx((positive * np.log(positive)).sum(), rel=1e-5)
    assert np.all(edges.indptr % 16 == 0)
    # No edge twice: each row has as many edges with p > 0 as it has partners.
    assert np.count_nonzero(edges.p) == np.count_nonzero(expected.astype(np.float32))
