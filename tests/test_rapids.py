"""What of the RAPIDS engine can be known without a GPU: its settings, its array algebra, its failures.

Its reasons are tested in test_probe.py, the rest in test_gpu.py.
"""

from __future__ import annotations

import ast
import gc
import importlib
import importlib.util
import inspect
import itertools
import re
import sys
import weakref
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sklearn.cluster import KMeans as ReferenceKMeans
from sklearn.cluster import kmeans_plusplus
from sklearn.datasets import load_digits
from sklearn.manifold._utils import _binary_search_perplexity
from sklearn.neighbors import NearestNeighbors

from gpu_pipeline.engines import Output, first_able, probe, rapids, rapids_settings, silent
from gpu_pipeline.engines.failure import check_memory, guarded
from gpu_pipeline.errors import EngineFailed, Unavailable, Unsupported
from gpu_pipeline.methods import PCA, TSNE, UMAP, KMeans

HERE = importlib.util.find_spec("cuml") is not None
with_rapids = pytest.mark.skipif(not HERE, reason="cuML is not installed: pip install 'gpu-pipeline[cuda13]'")


# Settings


@pytest.mark.parametrize(
    ("settings", "n", "expected"),
    [
        # rates(70,000) = 70,000/12/4 and 70,000/4 in scikit-learn's convention; cuML's is four times that.
        (
            TSNE(),
            70_000,
            {
                "learning_rate": 70_000 / 12,
                "exaggeration_iter": 250,
                "max_iter": 1000,
                "n_neighbors": 91,
                "perplexity": 30.0,
                "early_exaggeration": 12.0,
                "late_exaggeration": 1.0,
                "pre_momentum": 0.5,
                "post_momentum": 0.8,
                "min_grad_norm": 0.0,
                "init": "pca",
                "learning_rate_method": None,
                "method": "fft",
                "random_state": 5,
            },
        ),
        # Auto is at least 50: 4 x 50.
        (TSNE(), 1_000, {"learning_rate": 200.0}),
        (TSNE(learning_rate=100), 70_000, {"learning_rate": 400.0}),
        # No early phase: cuML's second rate, twice what it is given, is in force from the start.
        (TSNE(early_iterations=0, learning_rate=100), 70_000, {"learning_rate": 200.0, "exaggeration_iter": 0}),
        (TSNE(exaggeration=2, iterations=300), 70_000, {"late_exaggeration": 2.0, "exaggeration_iter": 150}),
        # 100 rows have 99 neighbours and themselves.
        (TSNE(perplexity=33.5), 100, {"n_neighbors": 100}),
        (TSNE(perplexity=340), 70_000, {"n_neighbors": 1021}),
    ],
)
def test_tsne_settings(settings: TSNE, n: int, expected: dict[str, Any]) -> None:
    arguments, _ = rapids_settings.tsne(settings, n, seed=5)
    assert {name: arguments[name] for name in expected} == expected


def test_seed_zero_is_not_the_clock() -> None:
    seeds = [rapids_settings.tsne(TSNE(), 1000, seed)[0]["random_state"] for seed in (0, 1, 2**32 - 2)]
    assert 0 not in seeds
    assert len(set(seeds)) == 3
    assert all(0 <= seed < 2**32 for seed in seeds)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (TSNE(perplexity=341), "perplexities up to 340"),
        (TSNE(momentum=0), "momentum above 0"),
        (TSNE(early_momentum=0), "momentum above 0"),
    ],
)
def test_tsne_settings_that_cuml_does_not_have(settings: TSNE, words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        rapids_settings.tsne(settings, 70_000, 0)


def test_notes_say_what_could_not_be_passed_on() -> None:
    grid = "cuML's t-SNE interpolates repulsion on 50 x 50 boxes, however far the map spreads"
    # 48,000/12/4 = 1,000, twice that is 2,000; asked for late is 48,000/4 = 12,000.
    assert rapids_settings.tsne(TSNE(), 48_000, 0)[1] == (
        grid,
        "cuML's second learning rate is twice the first, 2000, not 12000",
    )
    # An exaggeration of 6 in the second phase asks for twice the first rate: nothing to say.
    assert rapids_settings.tsne(TSNE(exaggeration=6), 48_000, 0)[1] == (grid,)
    assert rapids_settings.tsne(TSNE(early_iterations=0), 48_000, 0)[1] == (grid,)
    assert rapids_settings.tsne(TSNE(exaggeration=6, initialization="random"), 48_000, 0)[1] == (
        grid,
        "cuML's random start is uniform within 1e-4, not normal",
    )


def test_other_settings() -> None:
    assert rapids_settings.pca(PCA(n_components=7))["n_components"] == 7
    assert rapids_settings.umap(UMAP(), 10_001, 3)["n_epochs"] == 200
    assert rapids_settings.umap(UMAP(n_epochs=11), 10_001, 3)["n_epochs"] == 11
    # scikit-learn's 1e-4, relative to a mean variance of 0.25.
    assert rapids_settings.kmeans(KMeans(tol=1e-4), 0.25, 3)["tol"] == pytest.approx(2.5e-5)
    # RAFT refuses 0; a tolerance of its own float32 has to be above that too.
    assert 0 < np.float32(rapids_settings.kmeans(KMeans(tol=0.0), 25.0, 3)["tol"]) < 1e-30
    assert rapids_settings.neighbors(90)["n_neighbors"] == 91


def lloyd(X: np.ndarray, start: np.ndarray, tol: float) -> tuple[float, int]:
    """Inertia and passes of k-means from these centres, by cuVS's code and its rules of when to end, in float32."""
    centres, before, limit = start.astype(np.float32), np.float32(np.inf), np.float32(tol)

    def nearest() -> tuple[np.ndarray, np.float32]:
        squares = ((X[:, None] - centres) ** 2).sum(axis=2)
        return squares.argmin(axis=1), squares.min(axis=1).sum(dtype=np.float32)

    for passes in itertools.count(1):
        clusters, inertia = nearest()
        means = np.stack([X[clusters == cluster].mean(axis=0) for cluster in range(len(centres))])
        moved, centres = ((means - centres) ** 2).sum(dtype=np.float32), means
        if moved < limit or (passes > 1 and inertia / before > np.float32(1) - limit):
            return float(nearest()[1]), passes
        before = inertia
    raise AssertionError


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("columns", [2, 64])
@pytest.mark.parametrize("tol", [1e-4, 1e-2])
def test_k_means_ends_where_scikit_learns_does_in_any_unit(scale: float, columns: int, tol: float) -> None:
    X = (load_digits().data[:600, ::-1] @ np.linalg.qr(np.random.default_rng(0).normal(size=(64, columns)))[0]) * scale
    X = (X - X.mean(axis=0)).astype(np.float32)
    start, _ = kmeans_plusplus(X, 10, random_state=0)
    settings, variance = KMeans(tol=tol), float(X.var(axis=0).mean())
    unit = rapids_settings.kmeans_unit(settings, columns, variance)
    given_tol = rapids_settings.kmeans(settings, variance / unit**2, 0)["tol"]
    inertia, passes = lloyd(X / np.float32(unit), start / unit, given_tol)
    theirs = ReferenceKMeans(10, init=start, n_init=1, tol=tol).fit(X)
    # scikit-learn also ends where no row has changed its cluster, and then before a pass that moves nothing.
    assert passes - theirs.n_iter_ in (0, 1)
    assert inertia * unit**2 == pytest.approx(theirs.inertia_, rel=1e-5)


@pytest.mark.parametrize("variance", [0.0, float("inf"), float("nan")])
def test_rows_without_a_variance_stay_in_their_unit(variance: float) -> None:
    assert rapids_settings.kmeans_unit(KMeans(), 2, variance) == 1


def test_the_unit_changes_no_digit() -> None:
    for variance in (1e-30, 3.0, 1e30):
        assert np.frexp(rapids_settings.kmeans_unit(KMeans(n_clusters=7), 50, variance))[0] == 0.5


EVERY = {
    "PCA": rapids_settings.pca(PCA()),
    "TSNE": rapids_settings.tsne(TSNE(), 1000, 0)[0],
    "UMAP": rapids_settings.umap(UMAP(), 1000, 0),
    "KMeans": rapids_settings.kmeans(KMeans(), 1.0, 0),
    "NearestNeighbors": rapids_settings.neighbors(90),
}


def estimators() -> list[ast.Call]:
    """The places in rapids.py where an estimator of cuML is made."""
    tree = ast.parse(Path(rapids.__file__).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func).removeprefix("cuml.") in EVERY]


def test_estimators_are_given_only_the_settings_tested_here() -> None:
    calls = estimators()
    assert {ast.unparse(call.func).removeprefix("cuml.") for call in calls} == set(EVERY)
    assert all(not call.args and [keyword.arg for keyword in call.keywords] == [None] for call in calls)


@with_rapids
@pytest.mark.parametrize("name", EVERY)
def test_signatures(name: str) -> None:
    """Every keyword is one of the real estimator's, which can be made and has taken it."""
    cuml = importlib.import_module("cuml")
    estimator = getattr(cuml, name)
    inspect.signature(estimator).bind(**EVERY[name])
    model = estimator(**EVERY[name])
    parameters = model.get_params()
    assert {key: parameters[key] for key in EVERY[name]} == EVERY[name]


@with_rapids
def test_signatures_of_methods() -> None:
    cuml = importlib.import_module("cuml")
    inspect.signature(cuml.TSNE.fit_transform).bind("self", "X", knn_graph=())
    inspect.signature(cuml.PCA.fit_transform).bind("self", "X")
    inspect.signature(cuml.UMAP.fit_transform).bind("self", "X")
    inspect.signature(cuml.KMeans.fit_predict).bind("self", "X")
    inspect.signature(cuml.neighbors.NearestNeighbors.fit).bind("self", "X")
    inspect.signature(cuml.neighbors.NearestNeighbors.kneighbors).bind("self", "X")


@with_rapids
def test_level_of_messages() -> None:
    logger = importlib.import_module("cuml.internals.logger")
    assert logger._verbose_to_level(rapids_settings.QUIET["verbose"]) == logger.level_enum.error


@with_rapids
def test_numpy_functions_used_on_cupy_arrays_exist_there() -> None:
    cupy = importlib.import_module("cupy")
    tree = ast.parse(Path(rapids_settings.__file__).read_text(encoding="utf-8"))
    used = {ast.unparse(node).removeprefix("np.") for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used = {name for name in used if hasattr(np, name) and callable(getattr(np, name))}
    assert {"abs", "concatenate", "full_like", "sign", "take_along_axis"} <= used
    assert all(hasattr(cupy, name) for name in used)


@with_rapids
def test_classes_of_errors() -> None:
    """What `guarded` catches: out of memory is a MemoryError, the rest RuntimeErrors."""
    for module, name, base in [
        ("cupy.cuda.memory", "OutOfMemoryError", MemoryError),
        ("cupy.cuda.runtime", "CUDARuntimeError", RuntimeError),
        ("cupy.cuda.cufft", "CuFFTError", RuntimeError),
        ("rmm._cuda.gpu", "CUDARuntimeError", RuntimeError),
    ]:
        importlib.import_module("cuml")  # finds the CUDA libraries of the wheels
        assert issubclass(getattr(importlib.import_module(module), name), base)


@with_rapids
def test_real_cuml_that_fails_in_the_middle_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check is passed and the GPU is gone: a real CUDA error under "auto", and under the engine's name."""
    try:
        probe.gpu()
    except Unavailable:
        monkeypatch.setattr(rapids, "check", lambda: None)
    else:
        pytest.skip("this machine has a GPU")
    X = np.random.default_rng(0).normal(size=(20, 3))
    skipped: dict[str, str] = {}

    def work(engine: ModuleType) -> Output:
        output: Output = engine.pca(engine.put(X), PCA(n_components=2), 0, silent)
        return output

    name, output = first_able("pca", "auto", work, skipped.__setitem__)
    assert name == "scikit_learn"
    assert output.array.shape == (20, 2)
    assert list(skipped) == ["rapids"]
    assert skipped["rapids"].startswith("the GPU failed in the copy to the GPU of 20 x 3 values (cudaError")
    with pytest.raises(EngineFailed, match="the GPU failed in the copy to the GPU"):
        first_able("pca", "rapids", work, skipped.__setitem__)


def test_what_certainly_does_not_fit_is_refused_with_the_sizes() -> None:
    # A million rows of 784 float32 are 3.14 GB; 90 neighbours of 12 bytes 1.08 GB.
    assert rapids_settings.memory("pca", (10**6, 784)) == 3_136_000_000
    assert rapids_settings.memory("neighbors", (10**6, 784), 90) == 3_136_000_000 + 2 * 1_080_000_000
    assert rapids_settings.memory("tsne", (10**6, 784), 90) == 3_136_000_000 + 4 * 1_080_000_000
    gib = 2**30
    check_memory("PCA of 3 x 2 values", gib, gib, 80 * gib)
    with pytest.raises(EngineFailed) as error:
        check_memory("PCA of 3 x 2 values", 90 * gib, 3 * gib // 2, 80 * gib)
    assert str(error.value) == (
        "PCA of 3 x 2 values needs at least 90.0 GiB but 1.5 of the GPU's 80.0 GiB are free: take fewer rows or columns"
    )


@pytest.mark.parametrize(("free", "step"), [((1,), "the copy to the GPU"), ((20, 8), "PCA")])
def test_data_larger_than_the_gpu_leave_it_to_the_cpu(
    monkeypatch: pytest.MonkeyPatch, free: tuple[int, ...], step: str
) -> None:
    """A stand-in for CuPy that tells how many MiB are free at each step: little else is reached before the refusal."""
    cupy, cuml = ModuleType("cupy"), ModuleType("cuml")
    left = itertools.cycle(free)
    runtime = SimpleNamespace(memGetInfo=lambda: (next(left) * 2**20, 2**30))
    pool = SimpleNamespace(free_bytes=lambda: 0, free_all_blocks=lambda: None)
    cupy.__dict__.update(
        cuda=SimpleNamespace(runtime=runtime),
        get_default_memory_pool=lambda: pool,
        asarray=np.asarray,
        float32=np.float32,
    )
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "cuml", cuml)
    monkeypatch.setattr(rapids, "check", lambda: None)
    X, skipped = np.random.default_rng(0).normal(size=(60_000, 50)), {}

    def work(engine: ModuleType) -> Output:
        output: Output = engine.pca(engine.put(X), PCA(n_components=2), 0, silent)
        return output

    name, _ = first_able("pca", "auto", work, skipped.__setitem__)
    assert name == "scikit_learn"
    assert re.fullmatch(
        rf"{step} of 60,000 x 50 values needs at least 0\.0 GiB but 0\.0 of the GPU's 1\.0 GiB are free: take .*",
        skipped["rapids"],
    )
    with pytest.raises(EngineFailed, match=f"^rapids: {step} of 60,000 x 50 values needs at least"):
        first_able("pca", "rapids", work, skipped.__setitem__)


# Neighbour lists


def test_drop_self_by_hand() -> None:
    indices = np.array([[0, 1, 2], [0, 1, 2], [4, 3, 1], [3, 2, 1], [0, 1, 2]])
    distances = np.array([[0.0, 1, 2], [0, 0, 2], [0, 0, 3], [0, 5, 6], [0, 0, 0]])
    # Row 0: self first. Row 1: a duplicate before it. Rows 2 and 4: self is missing, the last is left out.
    # Row 3: self first.
    left, far = rapids_settings.drop_self(indices, distances, np.arange(5))
    assert left.tolist() == [[1, 2], [0, 2], [4, 3], [2, 1], [0, 1]]
    assert far.tolist() == [[1, 2], [0, 2], [0, 0], [5, 6], [0, 0]]


@examples(max_examples=60)
@given(st.integers(3, 40), st.integers(1, 12), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_drop_self_among_duplicates(n: int, k: int, values: int, seed: int) -> None:
    """However ties are broken, each list has the k smallest distances to others, and never the point itself."""
    k = min(k, n - 1)
    rng = np.random.default_rng(seed)
    X = rng.integers(0, values, size=(n, 1)).astype(np.float32)
    D = np.abs(X - X.T)
    order = np.lexsort((rng.random((n, n)), D), axis=1)[:, : k + 1]
    left, far = rapids_settings.drop_self(order, np.take_along_axis(D, order, axis=1), np.arange(n))
    assert left.shape == far.shape == (n, k)
    assert not (left == np.arange(n)[:, None]).any()
    assert all(len(set(row)) == k for row in left.tolist())
    np.fill_diagonal(D, np.inf)
    np.testing.assert_array_equal(far, np.sort(D, axis=1)[:, :k])


def affinities(squares: np.ndarray, perplexity: float) -> np.ndarray:
    """cuML's search of each row's precision, in float32: cpp/src/tsne/exact_kernels.cuh, distances.cuh.

    All columns count, the first one too; all distances are divided by the largest first.
    """
    D = (squares / squares.max()).astype(np.float32)
    beta = np.ones(len(D), np.float32)
    low, high = np.full(len(D), -np.inf, np.float32), np.full(len(D), np.inf, np.float32)
    rows = np.arange(len(D))
    P: np.ndarray = np.empty_like(D)
    for _ in range(100):
        if not len(rows):
            break
        E = np.exp(-D[rows] * beta[rows, None])
        total = np.float32(np.finfo(np.float32).eps) + E.sum(axis=1)
        P[rows] = E / total[:, None]
        entropy = np.log(total) + beta[rows] * (D[rows] * P[rows]).sum(axis=1)
        off = entropy - np.float32(np.log(perplexity))
        rows, off = rows[np.abs(off) > 1e-5], off[np.abs(off) > 1e-5]
        up = rows[off > 0]
        low[up] = beta[up]
        beta[up] = np.where(np.isinf(high[up]), beta[up] * 2, (beta[up] + high[up]) / 2)
        down = rows[off <= 0]
        high[down] = beta[down]
        beta[down] = np.where(np.isinf(low[down]), beta[down] / 2, (beta[down] + low[down]) / 2)
    return P


@pytest.mark.parametrize("kind", ["digits", "concentrated", "uneven"])
def test_the_point_itself_has_no_weight(kind: str) -> None:
    """The graph gives cuML's search the affinities of scikit-learn; with the point itself at 0 it does not."""
    rng = np.random.default_rng(0)
    if kind == "digits":
        X = load_digits().data[:1000].astype(np.float32)
    elif kind == "concentrated":  # all neighbours almost equally far: exp(-distance) alone would vanish
        X = rng.normal(size=(500, 4000)).astype(np.float32)
    else:  # densities that differ by a factor of 1e4
        X = (rng.normal(size=(600, 10)) * np.repeat([1e-2, 1.0, 1e2], 200)[:, None]).astype(np.float32)
    distances, indices = NearestNeighbors().fit(X).kneighbors(n_neighbors=90)
    distances = distances.astype(np.float32)
    rows = np.arange(len(X))
    truth = _binary_search_perplexity(distances**2, 30.0, 0)

    graph, squares = rapids_settings.graph_without_self(indices, distances, rows)
    assert graph.dtype == np.int64
    assert squares.dtype == np.float32
    np.testing.assert_array_equal(graph[:, 0], rows)
    np.testing.assert_array_equal(graph[:, 1:], indices)
    P = affinities(squares, 30.0)
    assert P[:, 0].max() < 1e-6
    np.testing.assert_allclose(P.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(P[:, 1:], truth, atol=2e-4)

    naive = affinities(np.concatenate((np.zeros((len(X), 1)), distances**2), axis=1), 30.0)
    assert np.median(naive[:, 0]) > (0.1 if kind == "digits" else 0.01)
    assert np.abs(naive[:, 1:] - truth).max() > 10 * np.abs(P[:, 1:] - truth).max()


def test_graph_of_duplicates_is_finite() -> None:
    indices = np.array([[1, 2], [0, 2], [0, 1]])
    _, squares = rapids_settings.graph_without_self(indices, np.zeros((3, 2), np.float32), np.arange(3))
    # All distances are 0: the point itself is put at 1, so that division by the largest is possible.
    assert squares.tolist() == [[1, 0, 0]] * 3


def test_the_graph_does_not_change_its_input() -> None:
    distances = np.array([[1.0, 2.0], [1.0, 3.0], [2.0, 3.0]], np.float32)
    before = distances.copy()
    rapids_settings.graph_without_self(np.array([[1, 2], [0, 2], [0, 1]]), distances, np.arange(3))
    np.testing.assert_array_equal(distances, before)


def test_signs() -> None:
    components = np.array([[0.1, -0.9, 0.2], [0.8, 0.1, -0.7]])
    assert rapids_settings.signs(components).tolist() == [-1, 1]


# Failures in the middle


class Held:
    """Something whose life can be watched."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape


def test_memory_that_runs_out_becomes_engine_failed_and_is_given_back() -> None:
    watched: list[weakref.ref[Held]] = []

    @guarded("t-SNE")
    def work(X: np.ndarray) -> np.ndarray:
        held = Held()
        watched.append(weakref.ref(held))
        held.cycle = held  # type: ignore[attr-defined]  # as an estimator that refers to itself
        return np.empty(2**50, dtype=np.float64)

    gc.disable()
    try:
        with pytest.raises(EngineFailed) as error:
            work(np.zeros((70, 1000)))
    finally:
        gc.enable()
    assert str(error.value).startswith("memory ran out in t-SNE of 70 x 1,000 values (Unable to allocate 8.00 PiB")
    # Neither the exception nor its frames hold what the work had made.
    assert error.value.__context__ is None
    assert watched[0]() is None


def test_an_interrupt_keeps_nothing_of_what_it_interrupted() -> None:
    watched: list[weakref.ref[Held]] = []

    @guarded("t-SNE")
    def work(X: np.ndarray) -> None:
        held = Held()
        watched.append(weakref.ref(held))
        held.cycle = held  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as interrupt:
        work(np.zeros((70, 1000)))
    assert interrupt.value.__traceback__ is not None
    assert watched[0]() is None


def test_a_gpu_that_fails_becomes_engine_failed() -> None:
    @guarded("the copy to the GPU")
    def work(X: Held) -> None:
        raise RuntimeError("cudaErrorIllegalAddress: an illegal memory access\nmore lines")

    with pytest.raises(EngineFailed) as error:
        work(Held(70_000, 784))
    # Where there is a GPU, how much of it is free follows.
    sentence, _, _ = str(error.value).partition("; ")
    assert sentence == (
        "the GPU failed in the copy to the GPU of 70,000 x 784 values "
        "(cudaErrorIllegalAddress: an illegal memory access)"
    )


def test_a_reason_at_the_end_of_a_long_line_is_not_cut_off() -> None:
    @guarded("k-means")
    def work() -> None:
        raise RuntimeError(f"RAFT failure at file=/{'long/' * 60}kmeans.cuh: invalid parameter (tol<=0)\nmore")

    with pytest.raises(EngineFailed, match=r"^the GPU failed in k-means \(\.\.\..*: invalid parameter \(tol<=0\)\)"):
        work()


def test_memory_that_another_process_holds_has_run_out() -> None:
    @guarded("the copy to the GPU")
    def work() -> None:
        raise RuntimeError("cudaErrorMemoryAllocation: out of memory")  # as CUDA says where not even a context fits

    with pytest.raises(EngineFailed, match=r"^memory ran out in the copy to the GPU \("):
        work()


@pytest.mark.parametrize("passing", [Unsupported("no such setting"), EngineFailed("not finite"), ValueError("a bug")])
def test_other_errors_pass_through(passing: Exception) -> None:
    @guarded("PCA")
    def work() -> None:
        raise passing

    with pytest.raises(type(passing)) as error:
        work()
    assert error.value is passing


def test_what_works_is_not_touched() -> None:
    assert guarded("PCA")(lambda x, y: x + y)(1, y=2) == 3
    assert rapids.put.__name__ == "put"
    assert rapids.tsne.__doc__ == inspect.unwrap(rapids.tsne).__doc__
