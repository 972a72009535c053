"""Scores over pairs of rows by a GPU: those of `metrics` to rounding, and the processors' where the GPU fails.

The array algebra runs on NumPy everywhere and (`pytest -m gpu`) on CuPy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import usable
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline import engines, metrics, scoring
from gpu_pipeline.engines import load, quality
from gpu_pipeline.errors import EngineFailed
from gpu_pipeline.neighbors import NeighborLists, neighbor_lists
from gpu_pipeline.pairs import Pairs
from gpu_pipeline.scoring import score

K, PERPLEXITY = 15, 5.0


@pytest.fixture(params=["numpy", pytest.param("cupy", marks=pytest.mark.gpu)])
def xp(request: pytest.FixtureRequest) -> ModuleType:
    if request.param == "numpy":
        return np
    arrays: ModuleType = usable("mesh_cuda").arrays()
    return arrays


@pytest.fixture(params=[quality._NUMBERS, 5000])
def few_at_a_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """In parts too: 5,000 numbers are some rows of those here."""
    monkeypatch.setattr(quality, "_NUMBERS", request.param)


def clouds(n: int = 700) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 8)).astype(np.float32)
    return X, (X[:, :2] + 0.3 * rng.normal(size=(n, 2))).astype(np.float32), (X[:, 0] > 0).astype(np.int32) * 3 + 4


def ties() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """On a grid of few places: most distances occur many times, and most points are at the place of another."""
    rng = np.random.default_rng(1)
    X = rng.integers(0, 3, (600, 6)).astype(np.float32)
    return X, X[:, :2].copy(), rng.integers(0, 5, 600).astype(np.int32)


def far_from_zero() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X, Y, clusters = clouds(500)
    return X + 1e4, Y + 1e4, clusters


def one_place() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.ones((80, 3), np.float32), np.ones((80, 2), np.float32), np.arange(80, dtype=np.int32) % 2


def alone() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clusters of one point each, but for a few."""
    X, Y, _ = clouds(200)
    return X, Y, np.maximum(np.arange(200), 20).astype(np.int32)


DATA = [clouds, ties, far_from_zero, one_place, alone]


def nearest(X: np.ndarray, k: int = K) -> NeighborLists:
    return neighbor_lists(X, k, engine="scikit_learn", cache=False)


def agree(xp: ModuleType, X: np.ndarray, Y: np.ndarray, clusters: np.ndarray, rows: np.ndarray) -> None:
    there = xp.asarray(X)
    got, expected = quality.silhouette(Y, clusters, rows, xp), metrics.silhouette(Y, clusters, rows)
    assert got == pytest.approx(expected, abs=1e-12)
    # A sum of whole numbers: of equal ranks the same to the last bit.
    assert quality.trustworthiness(there, Y, K, rows, xp) == metrics.trustworthiness(X, Y, K, rows)
    lists = nearest(X)
    P = metrics.joint_probabilities(lists.indices, lists.distances, PERPLEXITY)
    kl = quality.kl(lists.indices, lists.distances, Y, PERPLEXITY, xp)
    assert kl == pytest.approx(metrics.kl_divergence(P, Y), abs=1e-9)


@pytest.mark.usefixtures("few_at_a_time")
@pytest.mark.parametrize("data", DATA)
def test_each_score_is_that_of_metrics(data: Any, xp: ModuleType) -> None:
    X, Y, clusters = data()
    for rows in (np.arange(len(X)), np.random.default_rng(2).choice(len(X), len(X) // 3, replace=False)):
        agree(xp, X, Y, clusters, rows)


@pytest.mark.usefixtures("few_at_a_time")
@pytest.mark.parametrize("data", DATA)
def test_neighbours_of_some_rows_are_the_nearest(data: Any, xp: ModuleType) -> None:
    X = data()[0]
    rows = np.random.default_rng(2).permutation(len(X))[: len(X) // 3]
    everyone = np.linalg.norm(X[rows, None].astype(np.float64) - X, axis=2)
    everyone[np.arange(len(rows)), rows] = np.inf
    indices, distances = quality.nearest(xp.asarray(X), rows, K, xp)
    assert indices.dtype == np.int32
    assert distances.dtype == np.float32
    assert all(len(set(line)) == K for line in indices)
    np.testing.assert_allclose(distances, np.sort(everyone, axis=1)[:, :K], rtol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(everyone, indices, axis=1), distances, rtol=1e-6)


@settings(max_examples=60)
@given(st.integers(32, 120), st.integers(1, 5), st.integers(1, 6), st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_of_any_rows(n: int, columns: int, values: int, clusters: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.integers(0, values + 1, (n, columns)).astype(np.float32) / 8  # exact, so that ties are ties
    of = np.concatenate([[0, 1], rng.integers(0, clusters, n - 2)]).astype(np.int32)
    agree(np, X, rng.normal(size=(n, 2)).astype(np.float32), of, rng.choice(n, n // 2, replace=False))


def test_coincident_clusters_have_no_silhouette_of_rounding(xp: ModuleType) -> None:
    """Two clusters at one place and one far away: 0 for the two, which sums that carry the far ones would not give."""
    places = np.array([[0.1, 0.7]] * 40 + [[1e6, 1e6 / 3]] * 20, np.float32)
    clusters = np.array([7, 9] * 20 + [8] * 20)
    assert quality.silhouette(places, clusters, np.arange(40), xp) == 0


class Full:
    """A GPU without memory, as its arrays' module shows it; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def asarray(self, *_: Any, **__: Any) -> Any:
        self.asked += 1
        raise MemoryError("out of memory allocating 8 bytes")


@pytest.fixture
def gpu_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Put the engine `made_up` first: neighbours on what calls itself a GPU, with the arrays of a module."""

    def put(arrays: Any) -> None:
        module = ModuleType("gpu_pipeline.engines.made_up")
        module.__dict__.update(DEVICE="gpu", check=lambda: None, put=np.array, get=lambda X: X, sync=lambda: None)
        module.__dict__.update(arrays=lambda: arrays, neighbors=load("scikit_learn").neighbors)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(engines, "NAMES", ("made_up", *engines.NAMES))
        monkeypatch.setitem(engines.ENGINES, "neighbors", ("made_up", "scikit_learn"))

    return put


def test_where_the_gpu_fails_the_processors_go_on_and_say_so(gpu_of: Callable[[Any], None]) -> None:
    """As none that is full can be had at will."""
    full = Full()
    gpu_of(full)
    X, Y, clusters = clouds(300)
    expected = score(X, Y, clusters, clusters, engine="scikit_learn")
    got = score(X, Y, clusters, clusters, engine="made_up")
    assert got.values == expected.values
    assert (got.engine, expected.notes) == ("made_up", ())
    (note,) = got.notes
    assert note.startswith("scores were taken on the CPU: memory ran out in the silhouette of 300 x 2 values (out of")
    assert full.asked == 1  # and not again for each score


def test_of_very_many_rows_too(gpu_of: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "EXACT_ROWS", 500)
    X, Y, clusters = clouds(700)
    expected = score(X, Y, clusters, clusters, engine="scikit_learn", queries=100)
    gpu_of(np)
    got = score(X, Y, clusters, clusters, queries=100)
    assert (got.engine, got.skipped, got.notes) == ("made_up", {}, expected.notes)
    assert got.values == pytest.approx(expected.values)
    gpu_of(Full())
    fallen = score(X, Y, clusters, clusters, queries=100)
    assert fallen.values == expected.values
    assert fallen.engine == "scikit_learn"
    assert fallen.skipped["made_up"].startswith("memory ran out in the neighbours of some rows of 700 x 8 values")
    with pytest.raises(EngineFailed, match="made_up: memory ran out in the neighbours of some rows"):
        score(X, Y, clusters, clusters, engine="made_up", queries=100)


def test_a_cpu_engine_is_asked_for_no_arrays() -> None:
    X, Y, _ = clouds(100)
    said: list[str] = []
    pairs = Pairs(X, Y, "scikit_learn", {}, said.append)
    rows = np.arange(len(X))
    assert pairs.trustworthiness(K, rows) == metrics.trustworthiness(X, Y, K, rows)
    assert said == []


@pytest.mark.gpu
@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("name", ["mesh_cuda", "rapids"])
def test_a_gpu_scores_what_it_made(name: str, few: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    usable(name)
    X, Y, clusters = clouds(2000)
    if few:  # of very many rows, as if there were
        monkeypatch.setattr(scoring, "EXACT_ROWS", 1000)
    expected = score(X, Y, clusters, clusters, engine="scikit_learn")
    got = score(X, Y, clusters, clusters, engine=name)
    assert (got.engine, got.notes) == (name, expected.notes)
    assert got.values == pytest.approx(expected.values, rel=1e-5)  # The lists' distances are in float32.
