"""The estimators: scikit-learn's own checks, and a life inside its pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, make_blobs
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from gpu_pipeline import methods
from gpu_pipeline.errors import InputError, Unavailable
from gpu_pipeline.placing import Reference
from gpu_pipeline.sklearn import TSNE, KMeans


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other make fits of a few rows slow where others compute, too."""
    with threadpool_limits(1):
        yield


@parametrize_with_checks([TSNE(perplexity=2, iterations=250), KMeans(n_clusters=3, n_init=2)])  # type: ignore[untyped-decorator]
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize(
    ("estimator", "settings"), [(TSNE(), methods.TSNE()), (KMeans(n_clusters=10), methods.KMeans())]
)
def test_defaults_are_those_of_the_settings(estimator: Any, settings: methods.Settings) -> None:
    parameters = estimator.get_params()
    for name in settings.model_dump().keys() & parameters.keys():
        assert parameters[name] == getattr(settings, name), name


def test_a_pipeline_of_pca_and_tsne() -> None:
    X, y = load_digits(n_class=4, return_X_y=True)
    X, y = X[:200], y[:200]
    pipeline = make_pipeline(PCA(10, random_state=0), TSNE(perplexity=15, iterations=300, random_state=0))
    embedding = pipeline.fit_transform(X)
    assert embedding.shape == (200, 2)
    assert embedding.dtype == np.float32
    assert list(pipeline[-1].get_feature_names_out()) == ["tsne0", "tsne1"]
    clusters = KMeans(n_clusters=4, random_state=0).fit_predict(embedding)
    assert adjusted_rand_score(y, clusters) > 0.7  # by chance 0
    np.testing.assert_array_equal(clone(pipeline).fit_transform(X), embedding)


def test_new_rows_on_the_map_of_the_fit() -> None:
    X, y = load_digits(n_class=4, return_X_y=True)
    pipeline = make_pipeline(PCA(10, random_state=0), TSNE(perplexity=15, iterations=500, random_state=0))
    embedding = pipeline.fit_transform(X[:400])
    np.testing.assert_allclose(pipeline.transform(X[:400]), embedding)
    placed = pipeline.transform(X[400:])
    assert placed.dtype == np.float32
    distances = np.linalg.norm(placed[:, None] - embedding, axis=2)
    assert (y[:400][distances.argmin(axis=1)] == y[400:]).mean() > 0.95  # Measured: 0.978; by chance a quarter.
    with pytest.raises(ValueError, match="is expecting 64 features"):
        pipeline.transform(X[:, :5])


def test_kmeans_finds_clouds_and_says_how() -> None:
    X, y = make_blobs(150, centers=3, cluster_std=0.1, random_state=0)
    model = KMeans(n_clusters=3, random_state=0).fit(X)
    assert adjusted_rand_score(y, model.labels_) == 1
    assert model.labels_.dtype == np.int32
    centres = np.stack([X[model.labels_ == cluster].mean(axis=0) for cluster in range(3)])
    assert model.inertia_ == pytest.approx(((X - centres[model.labels_]) ** 2).sum(), rel=1e-4)
    assert model.n_iter_ >= 1
    assert model.engine_ in ("rapids", "scikit_learn")
    assert model.engine_ not in model.skipped_


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64])
def test_kmeans_knows_its_centres_and_new_rows(kind: Any) -> None:
    X, _ = make_blobs(150, centers=3, cluster_std=5, random_state=0)
    rows = (100 * X + 10**6).astype(kind)
    model = KMeans(n_clusters=3, random_state=0).fit(rows)
    centres = np.stack([rows[model.labels_ == cluster].mean(axis=0, dtype=np.float64) for cluster in range(3)])
    assert model.cluster_centers_.dtype == (np.float32 if kind == np.float32 else np.float64)
    np.testing.assert_allclose(model.cluster_centers_, centres, rtol=0, atol=1)
    np.testing.assert_array_equal(model.predict(rows), model.labels_)
    distances = np.linalg.norm(rows[:, None].astype(np.float64) - centres, axis=2)
    np.testing.assert_allclose(model.transform(rows), distances, rtol=0.01, atol=1)
    assert -model.score(rows) == pytest.approx(model.inertia_, rel=1e-3)
    assert -model.score(rows[:7]) == pytest.approx((distances[:7].min(axis=1) ** 2).sum(), rel=1e-2)
    with pytest.raises(ValueError, match="is expecting 2 features"):
        model.predict(rows[:, :1])


def test_kmeans_in_a_grid_search() -> None:
    X, _ = make_blobs(90, centers=3, cluster_std=0.1, random_state=0)
    search = GridSearchCV(KMeans(random_state=0), {"n_clusters": [2, 3]}, cv=2).fit(X)
    assert search.best_params_ == {"n_clusters": 3}


def test_tsne_tells_its_divergence() -> None:
    X = load_digits(n_class=4, return_X_y=True)[0][:300]
    ours, reference = (
        TSNE(perplexity=15, engine=engine, random_state=0).fit(X).kl_divergence_ for engine in ("mesh", "scikit_learn")
    )
    assert ours == pytest.approx(reference, rel=0.1)


def test_parameters_can_be_read_set_and_cloned() -> None:
    model = TSNE(perplexity=7, engine="scikit_learn")
    assert model.get_params()["perplexity"] == 7
    twin = clone(model).set_params(perplexity=9)
    assert (model.perplexity, twin.perplexity, twin.engine) == (7, 9, "scikit_learn")


@pytest.mark.parametrize("seed", [5, np.int64(5), np.uint8(5)])
def test_seeds_of_all_kinds_of_integers_are_one_seed(seed: Any) -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    expected = KMeans(n_clusters=7, n_init=1, random_state=5).fit(X).labels_
    np.testing.assert_array_equal(KMeans(n_clusters=7, n_init=1, random_state=seed).fit(X).labels_, expected)


def test_random_states_and_none() -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    first, second = (
        KMeans(n_clusters=7, n_init=1, random_state=np.random.RandomState(3)).fit(X).labels_ for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert len(KMeans(n_clusters=7).fit(X).labels_) == 60


@pytest.mark.parametrize(
    ("estimator", "sentence"),
    [
        (TSNE(perplexity=60), "perplexity is 60 but must be less than n_samples, 60"),
        (TSNE(perplexity="60"), "perplexity is 60 but must be less than n_samples, 60"),
        (TSNE(perplexity=0.5), "^perplexity is 0.5: input should be greater than 1"),
        (TSNE(perplexity=5, iterations=0), "^iterations is 0: input should be greater than or equal to 1"),
        (TSNE(perplexity=5, random_state=-1), "Seed must be between 0 and"),
        (KMeans(n_clusters=61), "n_clusters is 61 but n_samples is 60"),
        (KMeans(n_clusters=0), "^n_clusters is 0: input should be greater than or equal to 1"),
        (KMeans(engine="scikit"), "unknown engine 'scikit': did you mean 'scikit_learn'"),
    ],
)
def test_parameters_that_cannot_be_used(estimator: Any, sentence: str) -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    with pytest.raises(ValueError, match=sentence) as caught:
        estimator.fit(X)
    assert "\n" not in str(caught.value)
    assert not hasattr(estimator, "labels_")


def test_a_named_engine_is_used_or_the_fit_fails() -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    model = TSNE(perplexity=5, iterations=250, engine="scikit_learn", random_state=0).fit(X)
    assert (model.engine_, model.skipped_) == ("scikit_learn", {})
    with pytest.raises((Unavailable, InputError), match="umap_learn does not do tsne"):
        TSNE(engine="umap_learn", perplexity=5).fit(X)


@pytest.mark.parametrize("wide", [np.float64, np.int64])
def test_rows_far_from_zero_are_told_apart(wide: Any) -> None:
    X, y = load_digits(n_class=4, return_X_y=True)
    near, y = X[:300].astype(wide), y[:300]
    far = near + (np.arange(64) % 7 * 10**12).astype(wide)  # each column elsewhere
    inertia = KMeans(4, random_state=0).fit(near).inertia_
    assert KMeans(4, random_state=0).fit(far).inertia_ == pytest.approx(inertia, rel=1e-3)
    model = TSNE(perplexity=15, iterations=300, random_state=0)
    embedding = model.fit_transform(far)
    assert KNeighborsClassifier(5).fit(embedding, y).score(embedding, y) > 0.95  # By chance a quarter.
    np.testing.assert_array_equal(model.transform(far), embedding)
    np.testing.assert_array_equal(model.reference_.place(far[:9]).embedding, embedding[:9])


def test_an_offset_is_stored_with_the_reference(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal([0, 1e9, -1e12], size=(60, 3))
    reference = TSNE(perplexity=5, iterations=250, random_state=0).fit(X).reference_
    reference.save(tmp_path)
    np.testing.assert_array_equal(Reference.load(tmp_path).place(X).embedding, reference.embedding)


@pytest.mark.parametrize("estimator", [TSNE(perplexity=5), KMeans(3)])
def test_values_beyond_float32(estimator: Any) -> None:
    with pytest.raises(InputError, match=r"values reach .*e\+200, which is too large for float32: scale them"):
        estimator.fit(np.random.default_rng(0).normal(size=(60, 3)) * 1e200)


@pytest.mark.parametrize("estimator", [TSNE(perplexity=5, iterations=300, random_state=0), KMeans(3, random_state=0)])
def test_values_whose_squares_are_beyond_float32(estimator: Any) -> None:
    X = make_blobs(90, 4, centers=3, random_state=0)[0]
    for factor in (1e19, 1e-19):
        with pytest.raises(InputError, match=r"values reach .*, whose squares do not fit float32: scale them"):
            estimator.fit(X * factor)
    for factor in (2.0**50, 2.0**-45):
        fitted = clone(estimator).fit(X * factor)
        if isinstance(fitted, KMeans):
            np.testing.assert_array_equal(fitted.labels_, clone(estimator).fit(X).labels_)
            assert np.isfinite(fitted.inertia_)
        else:
            assert trustworthiness(X, fitted.embedding_) > 0.9
