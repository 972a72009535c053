"""Settings: what "auto" resolves to, and that a value out of range never becomes a setting."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gpu_pipeline.methods import PCA, TSNE, UMAP, KMeans, Neighbors, Settings


@pytest.mark.parametrize(
    ("iterations", "early", "phases"),
    [
        (1000, "auto", (250, 750)),
        (400, "auto", (200, 200)),  # at most half
        (1, "auto", (0, 1)),
        (300, 300, (300, 0)),
        (300, 0, (0, 300)),
    ],
)
def test_phases(iterations: int, early: int | str, phases: tuple[int, int]) -> None:
    assert TSNE(iterations=iterations, early_iterations=early).phases() == phases


def test_learning_rates_follow_the_exaggeration_in_force() -> None:
    # 70,000 / 12 / 4 = 1,458.3 in the first phase and 70,000 / 1 / 4 = 17,500 in the second.
    early, late = TSNE().learning_rates(70_000)
    assert early == pytest.approx(1458.333, abs=1e-3)
    assert late == 17_500
    # 480 / 12 / 4 = 10 is below the floor of 50; 480 / 2 / 4 = 60 is not.
    assert TSNE(exaggeration=2).learning_rates(480) == (50.0, 60.0)
    assert TSNE(learning_rate=200).learning_rates(70_000) == (200.0, 200.0)


def test_umap_epochs_follow_umap_learn() -> None:
    assert [UMAP().epochs(n) for n in (10, 10_000, 10_001)] == [500, 500, 200]
    assert UMAP(n_epochs=7).epochs(10_001) == 7


@pytest.mark.parametrize(("perplexity", "neighbors"), [(30, 90), (2, 6), (1.1, 3), (10.5, 31)])
def test_neighbors_of_a_perplexity(perplexity: float, neighbors: int) -> None:
    assert TSNE(perplexity=perplexity).n_neighbors() == neighbors


@given(iterations=st.integers(1, 10**6), early=st.just("auto") | st.integers(0, 10**6))
def test_phases_never_add_up_to_anything_but_all_iterations(iterations: int, early: int | str) -> None:
    if isinstance(early, int) and early > iterations:
        with pytest.raises(ValidationError, match="raise iterations or lower early_iterations"):
            TSNE(iterations=iterations, early_iterations=early)
    else:
        first, second = TSNE(iterations=iterations, early_iterations=early).phases()
        assert first >= 0
        assert second >= 0
        assert first + second == iterations


@pytest.mark.parametrize(
    ("settings", "name", "bad"),
    [
        (PCA, "n_components", (-1, 1.5, "many")),
        (TSNE, "perplexity", (1, 0, -30, math.nan, math.inf, "high")),
        (TSNE, "early_exaggeration", (0.5, math.nan, math.inf)),
        (TSNE, "exaggeration", (0, math.nan, math.inf)),
        (TSNE, "early_iterations", (-1, "some")),
        (TSNE, "iterations", (0, -5, 2.5)),
        (TSNE, "learning_rate", (0, -1, math.nan, math.inf, "fast")),
        (TSNE, "early_momentum", (-0.1, 1, math.nan)),
        (TSNE, "momentum", (-0.1, 1, math.nan)),
        (TSNE, "initialization", ("spectral", 3)),
        (UMAP, "n_neighbors", (1, -3)),
        (UMAP, "min_dist", (-1, math.nan, math.inf, 1.5)),  # 1.5 is beyond the spread
        (UMAP, "spread", (0, math.nan, math.inf)),
        (UMAP, "n_epochs", (0, "few")),
        (KMeans, "n_clusters", (0, -1, 2.5)),
        (KMeans, "n_init", (0,)),
        (KMeans, "max_iter", (0,)),
        (KMeans, "tol", (-1, math.nan, math.inf)),
        (Neighbors, "n_neighbors", (0, -1)),
    ],
)
def test_values_out_of_range_are_refused(settings: type[Settings], name: str, bad: tuple[object, ...]) -> None:
    for value in bad:
        with pytest.raises(ValidationError, match=name):
            settings(**{name: value})


@pytest.mark.parametrize("settings", [PCA, TSNE, UMAP, KMeans, Neighbors])
def test_settings_are_frozen_and_know_their_names(settings: type[Settings]) -> None:
    made = settings()
    with pytest.raises(ValidationError, match="frozen"):
        made.method = "another"  # type: ignore[attr-defined]
    with pytest.raises(ValidationError, match="perplexty"):
        settings(perplexty=3)  # type: ignore[call-arg]
