"""Every engine of the table through one body: what goes in, what comes out, and how it says that it cannot."""

from __future__ import annotations

import importlib
import json
import tracemalloc
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import usable
from scipy.spatial.distance import cdist
from sklearn.metrics import adjusted_rand_score

from gpu_pipeline import methods
from gpu_pipeline.engines import ENGINES, NAMES, Output, Progress, candidates, first_able, load, silent
from gpu_pipeline.errors import EngineFailed, InputError, Unavailable, Unsupported

N, D = 240, 12

SETTINGS: dict[str, methods.Settings] = {
    "pca": methods.PCA(n_components=5),
    "tsne": methods.TSNE(perplexity=10, iterations=500, early_iterations=250),
    "umap": methods.UMAP(n_neighbors=10, n_epochs=50),
    "kmeans": methods.KMeans(n_clusters=3, n_init=3),
    "neighbors": methods.Neighbors(n_neighbors=7),
}
PAIRS = [(method, name) for method, names in ENGINES.items() for name in names]


def module_of(name: str) -> ModuleType:
    return importlib.import_module(f"gpu_pipeline.engines.{name}")


@pytest.fixture(scope="session")
def clouds() -> tuple[np.ndarray, np.ndarray]:
    """Three clouds, 10 standard deviations apart in each column, that nobody may write to; which row is of which."""
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 3
    X = (rng.normal(size=(N, D)) + 10 * labels[:, None]).astype(np.float32)
    X.setflags(write=False)
    return X, labels


def arrays(engine: ModuleType, output: Output) -> list[np.ndarray]:
    """What an engine made, as NumPy arrays."""
    parts = output.array if isinstance(output.array, tuple) else (output.array,)
    got = [engine.get(part) for part in parts]
    assert all(type(part) is np.ndarray for part in got)
    return got


def work(method: str, engine: ModuleType, X: np.ndarray, seed: int = 0, **changes: Any) -> Output:
    settings = SETTINGS[method].model_copy(update=changes)
    output = getattr(engine, method)(engine.put(X), settings, seed, silent)
    engine.sync()
    assert isinstance(output, Output)
    return output


@pytest.mark.parametrize("name", NAMES)
def test_an_engine_is_a_module_with_these_names(name: str) -> None:
    engine = module_of(name)
    assert engine.DEVICE in ("cpu", "gpu")
    assert all(callable(getattr(engine, part)) for part in ("check", "put", "get", "sync"))
    known = {method for method in ENGINES if callable(getattr(engine, method, None))}
    assert known == {method for method, names in ENGINES.items() if name in names}


@pytest.mark.parametrize("name", NAMES)
def test_arrays_come_back_as_they_were_put(name: str) -> None:
    engine = usable(name)
    whole = np.arange(24).reshape(4, 6)
    for X in (whole.astype(np.float32), whole.astype(np.float64), whole.astype(np.uint8), whole[::2, ::3], whole.T):
        back = engine.get(engine.put(X))
        assert type(back) is np.ndarray
        assert back.dtype == np.float32
        np.testing.assert_array_equal(back, X)


@pytest.mark.parametrize(("method", "name"), PAIRS)
def test_shapes_types_and_an_input_left_alone(method: str, name: str, clouds: tuple[np.ndarray, np.ndarray]) -> None:
    engine = usable(name)
    X, labels = clouds
    before = X.copy()
    output = work(method, engine, X)
    np.testing.assert_array_equal(X, before)
    shapes: dict[str, list[tuple[tuple[int, ...], type]]] = {
        "pca": [((N, 5), np.float32)],
        "tsne": [((N, 2), np.float32)],
        "umap": [((N, 2), np.float32)],
        "kmeans": [((N,), np.int32)],
        "neighbors": [((N, 7), np.int32), ((N, 7), np.float32)],
    }
    got = arrays(engine, output)
    assert [(part.shape, part.dtype.type) for part in got] == shapes[method]
    assert all(np.isfinite(part).all() for part in got)
    json.dumps(dict(output.facts), allow_nan=False)
    assert all(isinstance(note, str) and note for note in output.notes)
    _check_answer(method, X, labels, got)
    if method == "kmeans":
        centers = np.asarray(engine.get(output.keep["centers"]))
        means = [X[got[0] == cluster].mean(axis=0, dtype=np.float64) for cluster in range(3)]
        np.testing.assert_allclose(centers, means, rtol=1e-4, atol=1e-3)


def _check_answer(method: str, X: np.ndarray, labels: np.ndarray, got: list[np.ndarray]) -> None:
    """Three clouds far apart leave no doubt about the answer."""
    if method == "kmeans":
        assert adjusted_rand_score(labels, got[0]) == 1  # by chance 0
    elif method in ("tsne", "umap"):
        distances = np.linalg.norm(got[0][:, None] - got[0][None], axis=2)
        np.fill_diagonal(distances, np.inf)
        assert (labels[distances.argmin(axis=1)] == labels).all()  # by chance a third
    elif method == "pca":
        centred = X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)
        U, S, _ = np.linalg.svd(centred, full_matrices=False)
        expected = U[:, :5] * S[:5]
        expected *= np.sign((expected * got[0]).sum(axis=0))  # a component's sign is free
        np.testing.assert_allclose(got[0], expected, atol=0.02)  # float32; the clouds' own columns vary by 1
    else:
        _check_neighbors(X, *got)


def _check_neighbors(X: np.ndarray, indices: np.ndarray, distances: np.ndarray) -> None:
    exact = np.linalg.norm(X[:, None].astype(np.float64) - X[None], axis=2)
    np.fill_diagonal(exact, np.inf)
    order = np.sort(exact, axis=1)[:, : indices.shape[1]]
    np.testing.assert_allclose(distances, order, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(np.take_along_axis(exact, indices, axis=1), order, rtol=1e-4, atol=1e-3)
    assert not (indices == np.arange(len(X))[:, None]).any()


@pytest.mark.parametrize("name", ENGINES["pca"])
def test_pca_of_columns_far_from_zero(name: str) -> None:
    """As in spectra: each column has a baseline, wide against what the rows differ by."""
    engine, rng = usable(name), np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(60, 3)))[0]
    X = rng.random(60) + 0.003 * (
        rng.normal(size=(20_000, 3)) * [3, 2, 1] @ axes.T + rng.normal(size=(20_000, 60)) / 20
    )
    output = work("pca", engine, X.astype(np.float32), n_components=3)
    cosines = np.abs((engine.get(output.keep["axes"]) * axes).sum(axis=0))
    np.testing.assert_array_less(0.999, cosines)
    assert output.facts["explained_variance_ratio"] == pytest.approx(14 / (14 + 60 / 400), abs=0.005)


@pytest.mark.parametrize("name", ENGINES["pca"])
def test_pca_of_equal_rows_explains_nothing(name: str) -> None:
    engine = usable(name)
    output = work("pca", engine, np.full((50, 7), 0.3, np.float32))
    assert output.facts["explained_variance_ratio"] == pytest.approx(0, abs=1e-6)
    assert np.abs(arrays(engine, output)[0]).max() < 1e-5


@pytest.mark.parametrize("name", ENGINES["pca"])
def test_pca_of_rows_whose_squares_vanish(name: str) -> None:
    """They differ, but float32 has no number for their variance."""
    X = np.zeros((50, 2), np.float32)
    X[:, 1] = np.linspace(0, 1e-30, 50)
    share = work("pca", usable(name), X, n_components=2).facts["explained_variance_ratio"]
    assert share == pytest.approx(0) or share == pytest.approx(1)  # by float32, and by float64


def test_pca_of_more_columns_than_rows_copies_them_once() -> None:
    engine, X = load("scikit_learn"), np.random.default_rng(0).normal(size=(500, 4_000)).astype(np.float32)
    before = X.copy()
    tracemalloc.start()
    engine.pca(X, methods.PCA(n_components=5), 0, silent)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1.5 * X.nbytes
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("name", ENGINES["pca"])
def test_what_pca_keeps_takes_other_rows(name: str, clouds: tuple[np.ndarray, np.ndarray]) -> None:
    engine = usable(name)
    output = work("pca", engine, clouds[0])
    mean, axes = (engine.get(output.keep[part]) for part in ("mean", "axes"))
    assert (mean.shape, axes.shape) == ((D,), (D, 5))
    assert mean.dtype == axes.dtype == np.float32
    scores = (clouds[0].astype(np.float64) - mean) @ axes
    np.testing.assert_allclose(scores, arrays(engine, output)[0], atol=1e-3)


@pytest.mark.parametrize(("method", "name"), PAIRS)
def test_the_same_seed_gives_the_same_bytes(method: str, name: str, clouds: tuple[np.ndarray, np.ndarray]) -> None:
    engine = usable(name)
    if name == "rapids" and method in ("tsne", "umap"):
        pytest.skip("cuML adds up in the order in which threads arrive")
    first, second = (arrays(engine, work(method, engine, clouds[0], seed=3)) for _ in range(2))
    assert [part.tobytes() for part in first] == [part.tobytes() for part in second]


@pytest.mark.parametrize("name", ENGINES["tsne"])
def test_another_seed_is_another_start(name: str, clouds: tuple[np.ndarray, np.ndarray]) -> None:
    engine = usable(name)
    first, second = (
        arrays(engine, work("tsne", engine, clouds[0], seed=seed, initialization="random"))[0] for seed in (0, 1)
    )
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("name", ENGINES["neighbors"])
def test_neighbors_beside_a_much_wider_column_are_right_or_refused(name: str) -> None:
    engine, rng = usable(name), np.random.default_rng(0)
    X = (1e-4 * rng.normal(size=(2_000, 10))).astype(np.float32)
    X[:, 0] = rng.integers(0, 2, len(X))
    try:
        output = work("neighbors", engine, X)
    except Unsupported:
        assert engine.DEVICE == "gpu", "only there are distances taken from products alone"
        return
    exact = cdist(X.astype(np.float64), X.astype(np.float64))
    np.fill_diagonal(exact, np.inf)
    found = np.take_along_axis(exact, arrays(engine, output)[0].astype(np.int64), axis=1)
    np.testing.assert_allclose(found, np.sort(exact)[:, : found.shape[1]], rtol=1e-2)


@pytest.mark.parametrize("name", ENGINES["neighbors"])
def test_duplicates_are_neighbors_and_the_point_itself_is_not(name: str) -> None:
    engine = usable(name)
    # Rows 0 to 9 are one point, rows 10 to 19 another at distance 5: the 7 nearest are among the ten.
    X = np.repeat(np.array([[0, 0], [3, 4]], dtype=np.float32), 10, axis=0)
    indices, distances = arrays(engine, work("neighbors", engine, X))
    assert not (indices == np.arange(20)[:, None]).any()
    assert ((indices < 10) == (np.arange(20) < 10)[:, None]).all()
    assert all(len(set(row)) == 7 for row in indices)
    np.testing.assert_allclose(distances, 0, atol=1e-3)


@pytest.mark.parametrize("name", ENGINES["kmeans"])
def test_fewer_places_than_clusters(name: str) -> None:
    engine = usable(name)
    X = np.repeat(np.array([[0, 0], [3, 4]], dtype=np.float32), 10, axis=0)
    clusters = arrays(engine, work("kmeans", engine, X))[0]
    assert len(set(clusters[:10])) == len(set(clusters[10:])) == 1
    assert clusters[0] != clusters[10]


@pytest.mark.parametrize("name", ENGINES["tsne"])
def test_rows_that_are_there_twice(name: str, clouds: tuple[np.ndarray, np.ndarray]) -> None:
    engine = usable(name)
    X = np.repeat(clouds[0][: N // 2], 2, axis=0)
    assert np.isfinite(arrays(engine, work("tsne", engine, X))[0]).all()


@pytest.mark.parametrize("name", ENGINES["tsne"])
@pytest.mark.parametrize("rows", [30, 20, 11])
def test_few_rows(name: str, rows: int, clouds: tuple[np.ndarray, np.ndarray]) -> None:
    engine = usable(name)
    # With a perplexity of 10 a row has 30 neighbours; 30 rows have one less, and scikit-learn takes 11.
    embedding = arrays(engine, work("tsne", engine, clouds[0][:rows]))[0]
    assert embedding.shape == (rows, 2)
    assert np.isfinite(embedding).all()


@pytest.mark.parametrize("name", ENGINES["tsne"])
def test_a_report_may_end_the_optimisation(name: str, clouds: tuple[np.ndarray, np.ndarray]) -> None:
    engine = usable(name)
    seen: list[Progress] = []

    def stop(progress: Progress) -> str:
        seen.append(progress)
        return "stop"

    settings = SETTINGS["tsne"]
    output = engine.tsne(engine.put(clouds[0]), settings, 0, stop)
    assert arrays(engine, output)[0].shape == (N, 2)
    if not seen:
        pytest.skip(f"{name} does not tell how far it is")
    assert len(seen) == 1
    assert output.facts["iterations"] < settings.iterations
    assert seen[0].done is not None
    assert seen[0].total == settings.iterations


def test_a_setting_that_an_engine_does_not_know() -> None:
    engine = load("scikit_learn")
    X = np.zeros((100, 2), dtype=np.float32)
    for changes in ({"exaggeration": 2.0}, {"iterations": 100, "early_iterations": "auto"}):
        with pytest.raises(Unsupported, match="scikit-learn's t-SNE"):
            work("tsne", engine, X, **changes)


def test_names_that_no_engine_has() -> None:
    with pytest.raises(InputError, match="unknown engine 'rapid': did you mean 'rapids'"):
        load("rapid")
    with pytest.raises(InputError, match="unknown engine 'auot': did you mean 'auto'"):
        candidates("tsne", "auot")
    with pytest.raises(Unavailable, match=r"umap_learn does not do kmeans: choose .*scikit_learn"):
        candidates("kmeans", "umap_learn")
    assert candidates("kmeans", "auto") == ENGINES["kmeans"]
    assert candidates("kmeans", "auto", light=True) == ("scikit_learn", "rapids")
    assert candidates("tsne", "auto", light=True) == ("mesh_cuda", "mesh", "scikit_learn", "rapids")
    assert candidates("kmeans", "rapids", light=True) == ("rapids",)
    assert candidates("kmeans", "scikit_learn") == ("scikit_learn",)


@pytest.mark.parametrize("trouble", [Unavailable, Unsupported, EngineFailed])
def test_auto_passes_over_what_cannot_and_a_named_engine_does_not(trouble: type[RuntimeError]) -> None:
    skipped: dict[str, str] = {}

    def action(engine: ModuleType) -> str:
        if engine.__name__.endswith("rapids"):
            return "done"
        raise trouble("out of order")

    with pytest.raises(trouble, match="out of order"):
        first_able("umap", "umap_learn", action, skipped.__setitem__)
    assert skipped == {}
    name, result = first_able("kmeans", "auto", lambda engine: engine.DEVICE, skipped.__setitem__)
    assert result == load(name).DEVICE
    assert list(skipped) == list(ENGINES["kmeans"][: ENGINES["kmeans"].index(name)])
    skipped.clear()
    if any(module_of(name).DEVICE == "cpu" for name in ENGINES["umap"]):
        try:
            load("rapids")
        except Unavailable:
            with pytest.raises(
                Unavailable, match=r"no engine can do umap here \(rapids: .*; umap_learn: out of order\)"
            ):
                first_able("umap", "auto", action, skipped.__setitem__)
            assert skipped["umap_learn"] == "out of order"


def test_a_bug_is_not_passed_over() -> None:
    def action(engine: ModuleType) -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        first_able("kmeans", "auto", action, lambda name, reason: None)
