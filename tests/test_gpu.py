"""What only a GPU can show. `pytest -m gpu` on a machine with an NVIDIA GPU and RAPIDS.

With GPU_PIPELINE_REQUIRE_GPU=1 a GPU that cannot be used is a failure, otherwise each test is skipped with
the reason. docs/gpu-unverified.md says which claim each test verifies.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import Call, library, no_gpu, usable
from sklearn import decomposition
from sklearn.cluster import KMeans as ReferenceKMeans
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from gpu_pipeline.engines import load, probe, rapids, rapids_settings, silent
from gpu_pipeline.engines.failure import guarded
from gpu_pipeline.errors import EngineFailed, Unavailable
from gpu_pipeline.methods import PCA, TSNE, UMAP, KMeans, Neighbors

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def engine() -> ModuleType:
    return usable("rapids")


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    data = load_digits()
    return (data.data / 16).astype(np.float32), data.target


@pytest.fixture(autouse=True)
def gpu() -> Iterator[probe.Gpu]:
    """The GPU; a test that breaks it shows itself here and not in the next one."""
    try:
        found = probe.gpu()
    except Unavailable as reason:
        no_gpu(str(reason))
    cupy = library("cupy")
    yield found
    cupy.cuda.Device().synchronize()


def exact(X: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    distances, indices = NearestNeighbors(algorithm="brute").fit(X.astype(np.float64)).kneighbors(n_neighbors=k)
    return indices, distances


def label_accuracy(embedding: np.ndarray, y: np.ndarray) -> float:
    return float(cross_val_score(KNeighborsClassifier(10), embedding, y, cv=5).mean())


def divergence(X: np.ndarray, embedding: np.ndarray, perplexity: float = 30.0) -> float:
    """KL divergence in nats over all pairs, in float64; the point itself has no affinity."""
    from scipy.spatial.distance import pdist, squareform
    from sklearn.manifold._t_sne import _joint_probabilities_nn

    graph = NearestNeighbors().fit(X).kneighbors_graph(n_neighbors=int(3 * perplexity), mode="distance")
    graph.data **= 2
    P = _joint_probabilities_nn(graph, perplexity, 0).tocoo()
    q = squareform(1 / (1 + pdist(embedding.astype(np.float64), "sqeuclidean")))
    return float((P.data * np.log(P.data / (q / q.sum())[P.row, P.col])).sum())


def test_the_driver_tells_about_the_gpu(gpu: probe.Gpu) -> None:
    cupy = library("cupy")
    properties = cupy.cuda.runtime.getDeviceProperties(0)
    assert gpu.name == properties["name"].decode()
    assert gpu.capability == (properties["major"], properties["minor"])
    assert abs(gpu.memory - properties["totalGlobalMem"]) < 2**30
    assert gpu.cuda == cupy.cuda.runtime.driverGetVersion()
    assert gpu.driver


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_there_and_back(engine: ModuleType, dtype: type) -> None:
    X: np.ndarray = np.arange(12).reshape(3, 4).astype(dtype)
    back = engine.get(engine.put(X))
    assert back.dtype == np.float32
    assert back.flags.c_contiguous
    np.testing.assert_array_equal(back, X)


def test_array_algebra_gives_the_same_on_the_gpu() -> None:
    """`rapids_settings` is tested on NumPy; here on CuPy."""
    cupy = library("cupy")
    rng = np.random.default_rng(0)
    rows = np.arange(50)
    indices = rng.permuted(np.tile(rows, (50, 1)), axis=1)[:, :8]
    distances = np.sort(rng.random((50, 8)).astype(np.float32), axis=1)
    there = [cupy.asarray(part) for part in (indices, distances, rows)]
    for function in (rapids_settings.drop_self, rapids_settings.graph_without_self):
        for here, gpu in zip(function(indices, distances, rows), function(*there), strict=True):
            assert isinstance(gpu, cupy.ndarray)
            assert gpu.dtype == here.dtype
            np.testing.assert_array_equal(cupy.asnumpy(gpu), here)
    components = rng.normal(size=(5, 9)).astype(np.float32)
    np.testing.assert_array_equal(
        cupy.asnumpy(rapids_settings.signs(cupy.asarray(components))), rapids_settings.signs(components)
    )


def test_pca(engine: ModuleType, digits: tuple[np.ndarray, np.ndarray]) -> None:
    X, _ = digits
    output = engine.pca(engine.put(X), PCA(n_components=10), 0, silent)
    model = decomposition.PCA(10, svd_solver="full")
    expected = model.fit_transform(X.astype(np.float64))
    got = engine.get(output.array)
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    # Signs too: both make the largest entry of each component positive.
    np.testing.assert_allclose(got, expected, atol=1e-3)
    assert output.facts["explained_variance_ratio"] == pytest.approx(model.explained_variance_ratio_.sum(), abs=1e-4)


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_neighbors(engine: ModuleType, digits: tuple[np.ndarray, np.ndarray], offset: float) -> None:
    X, _ = digits
    output = engine.neighbors(engine.put(X + np.float32(offset)), Neighbors(n_neighbors=15), 0, silent)
    indices, distances = engine.get(output.array)
    assert indices.dtype == np.int32
    assert distances.dtype == np.float32
    _, far = exact(X, 15)
    assert not (indices == np.arange(len(X))[:, None]).any()
    assert all(len(set(row)) == 15 for row in indices.tolist())
    # Pixels are sixteenths: in 4 % of the rows the 16th neighbour is as near as the 15th, and either may be found.
    found = np.linalg.norm(X[indices].astype(np.float64) - X[:, None], axis=2)
    # At 1e3 float32 has steps of 6e-5 in each of 64 columns.
    for got in (found, distances):
        np.testing.assert_allclose(got, far, rtol=1e-3 if offset == 0 else 1e-2, atol=1e-3)
    assert (np.diff(distances, axis=1) >= 0).all()


def test_neighbors_among_duplicates(engine: ModuleType) -> None:
    X = np.repeat(np.random.default_rng(0).random((40, 6)), 20, axis=0)
    indices, distances = engine.get(engine.neighbors(engine.put(X), Neighbors(n_neighbors=30), 0, silent).array)
    assert not (indices == np.arange(len(X))[:, None]).any()
    assert all(len(set(row)) == 30 for row in indices.tolist())
    # 19 duplicates of each row come first.
    assert (distances[:, :19] < 1e-3).all()
    assert (distances[:, 19:] > 1e-3).all()


def test_kmeans(engine: ModuleType, digits: tuple[np.ndarray, np.ndarray]) -> None:
    X, _ = digits
    output = engine.kmeans(engine.put(X + 100), KMeans(n_clusters=10), 0, silent)
    clusters = engine.get(output.array)
    reference = ReferenceKMeans(10, n_init=10, random_state=0).fit(X)
    assert clusters.dtype == np.int32
    assert set(clusters) == set(range(10))
    centres = np.stack([X[clusters == c].mean(axis=0) for c in range(10)])
    inertia = float(((X - centres[clusters]) ** 2).sum())
    assert inertia < 1.02 * reference.inertia_
    assert output.facts["inertia"] == pytest.approx(inertia, rel=1e-2)
    assert adjusted_rand_score(clusters, reference.labels_) > 0.7


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_kmeans_ends_where_it_should_in_any_unit(
    scale: float, engine: ModuleType, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    X, _ = digits
    settings = KMeans(n_clusters=10)
    facts = engine.kmeans(engine.put(X * np.float32(scale)), settings, 0, silent).facts
    expected = engine.kmeans(engine.put(X), settings, 0, silent).facts
    reference = ReferenceKMeans(10, n_init=10, random_state=0).fit(X)
    assert facts["inertia"] / scale**2 == pytest.approx(expected["inertia"], rel=1e-3)
    assert facts["inertia"] / scale**2 < 1.002 * reference.inertia_
    assert facts["iterations"] > 3


def test_kmeans_of_a_fixed_number_of_iterations(engine: ModuleType, digits: tuple[np.ndarray, np.ndarray]) -> None:
    settings = KMeans(n_clusters=10, n_init=1, max_iter=3, tol=0.0)
    assert engine.kmeans(engine.put(digits[0]), settings, 0, silent).facts["iterations"] == 3


def test_tsne(engine: ModuleType, digits: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = digits
    output = engine.tsne(engine.put(X), TSNE(), 0, silent)
    embedding = engine.get(output.array)
    assert embedding.shape == (len(X), 2)
    assert embedding.dtype == np.float32
    assert embedding.flags.c_contiguous
    assert output.facts == {"iterations": 1000}
    shuffled = embedding[np.random.default_rng(0).permutation(len(X))]
    assert trustworthiness(X, shuffled, n_neighbors=15) < 0.6  # what chance gives
    assert trustworthiness(X, embedding, n_neighbors=15) > 0.97
    assert label_accuracy(embedding, y) > 0.95


def test_tsne_is_as_good_as_scikit_learns(engine: ModuleType, digits: tuple[np.ndarray, np.ndarray]) -> None:
    X, _ = digits
    cpu = load("scikit_learn")
    ours = divergence(X, engine.get(engine.tsne(engine.put(X), TSNE(), 0, silent).array))
    theirs = divergence(X, cpu.tsne(X, TSNE(), 0, silent).array)
    assert ours < 1.1 * theirs


def test_the_point_itself_costs_quality(engine: ModuleType, digits: tuple[np.ndarray, np.ndarray]) -> None:
    """Without `graph_without_self` the same settings end at a larger divergence from scikit-learn's affinities."""
    cuml = library("cuml")
    X, _ = digits
    arguments, _ = rapids_settings.tsne(TSNE(), len(X), 0)
    naive = cuml.TSNE(**{**arguments, "square_distances": True}).fit_transform(engine.put(X))
    ours = engine.tsne(engine.put(X), TSNE(), 0, silent).array
    assert divergence(X, engine.get(ours)) < divergence(X, engine.get(naive))


@pytest.mark.parametrize("initialization", ["pca", "random"])
def test_same_seed_same_bytes(engine: ModuleType, digits: tuple[np.ndarray, np.ndarray], initialization: Any) -> None:
    X, _ = digits
    settings = TSNE(iterations=300, initialization=initialization)
    first, again = (engine.get(engine.tsne(engine.put(X), settings, 0, silent).array) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    if initialization == "random":
        other = engine.get(engine.tsne(engine.put(X), settings, 1, silent).array)
        assert first.tobytes() != other.tobytes()


@pytest.mark.parametrize(
    "settings",
    [
        TSNE(early_iterations=0, iterations=100),
        TSNE(exaggeration=4, iterations=300),
        TSNE(perplexity=340, iterations=20),
        TSNE(perplexity=2, iterations=300),
        TSNE(iterations=1),
    ],
)
def test_settings_at_the_edges(engine: ModuleType, digits: tuple[np.ndarray, np.ndarray], settings: TSNE) -> None:
    X, _ = digits
    output = engine.tsne(engine.put(X), settings, 0, silent)
    assert np.isfinite(engine.get(output.array)).all()
    assert output.facts == {"iterations": settings.iterations}


def test_late_exaggeration_draws_clusters_together(engine: ModuleType, digits: tuple[np.ndarray, np.ndarray]) -> None:
    X, _ = digits
    spans = [
        np.ptp(engine.get(engine.tsne(engine.put(X), TSNE(exaggeration=factor), 0, silent).array), axis=0).max()
        for factor in (1, 4)
    ]
    assert spans[1] < 0.7 * spans[0]


def test_tsne_of_duplicates(engine: ModuleType) -> None:
    X: np.ndarray = np.repeat(np.random.default_rng(0).random((10, 5)), 40, axis=0)
    embedding = engine.get(engine.tsne(engine.put(X), TSNE(perplexity=10), 0, silent).array)
    assert np.isfinite(embedding).all()


def test_umap(engine: ModuleType, digits: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = digits
    first, again = (engine.get(engine.umap(engine.put(X), UMAP(), 0, silent).array) for _ in range(2))
    assert first.shape == (len(X), 2)
    assert trustworthiness(X, first, n_neighbors=15) > 0.95
    assert label_accuracy(first, y) > 0.95
    np.testing.assert_array_equal(first, again)


def test_memory_that_runs_out(engine: ModuleType) -> None:
    """More than the GPU has: CuPy through RMM raises a MemoryError; afterwards all is free again."""
    cupy = library("cupy")
    engine.sync()
    before = cupy.cuda.runtime.memGetInfo()[0]

    @guarded("a test")
    def hoard(X: Any) -> None:
        kept = [cupy.zeros(2**28, dtype=cupy.float32) for _ in range(10_000)]  # 1 GiB each
        raise AssertionError(len(kept))

    with pytest.raises(EngineFailed, match=r"memory ran out in a test of 2 x 2 values .* GiB are free now"):
        hoard(engine.put(np.ones((2, 2))))
    assert cupy.cuda.runtime.memGetInfo()[0] > before - 2**30
    test_there_and_back(engine, np.float32)


def test_k_means_that_does_not_fit(engine: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array that leaves no room for the copy that centring makes: refused, and without that out of memory."""
    cupy = library("cupy")
    free = cupy.cuda.runtime.memGetInfo()[0]
    X = cupy.zeros((int(free * 0.6) // 256, 64), dtype=cupy.float32)
    with pytest.raises(EngineFailed, match=r"k-means of .* values needs at least .* GiB but .* are free: take fewer"):
        engine.kmeans(X, KMeans(), 0, silent)
    monkeypatch.setattr(rapids, "_check_memory", lambda *_: None)
    with pytest.raises(EngineFailed, match="memory ran out in k-means of "):
        engine.kmeans(X, KMeans(), 0, silent)
    del X
    test_there_and_back(engine, np.float32)


def test_what_is_far_larger_than_the_gpu_is_refused_with_the_sizes(engine: ModuleType) -> None:
    cupy = library("cupy")
    X = cupy.broadcast_to(cupy.zeros((1, 50), cupy.float32), (2_000_000_000, 50))
    for step, settings in (
        ("pca", PCA(n_components=2)),
        ("tsne", TSNE()),
        ("umap", UMAP()),
        ("neighbors", Neighbors()),
    ):
        with pytest.raises(EngineFailed, match=r" of 2,000,000,000 x 50 values needs at least .* GiB are free"):
            getattr(engine, step)(X, settings, 0, silent)


def test_what_is_said_to_be_needed_at_least_is_needed(
    engine: ModuleType, digits: tuple[np.ndarray, np.ndarray]
) -> None:
    """The estimate must never refuse what would fit: what RMM hands out at most is no less."""
    rmm, statistics = library("rmm"), library("rmm.statistics")
    X = engine.put(np.tile(digits[0], (20, 1)) + np.random.default_rng(0).normal(size=(20 * len(digits[0]), 64)))
    steps = (
        ("pca", PCA(n_components=2)),
        ("kmeans", KMeans()),
        ("neighbors", Neighbors()),
        ("tsne", TSNE(iterations=20)),
    )
    before = rmm.mr.get_current_device_resource()
    statistics.enable_statistics()
    try:
        for step, settings in steps:
            with statistics.statistics():
                getattr(engine, step)(X, settings, 0, silent)
                peak = statistics.get_statistics().peak_bytes
            k = 91 if step in ("neighbors", "tsne") else 0
            assert peak > 0.9 * rapids_settings.memory(step, X.shape, k), step
    finally:
        rmm.mr.set_current_device_resource(before)


def test_a_lost_gpu_is_engine_failed(engine: ModuleType) -> None:
    """An illegal access ends a process's use of the GPU: run in one of its own, whose next step still ends well."""
    program = """
import cupy, numpy as np
from gpu_pipeline.engines import rapids
from gpu_pipeline.engines.failure import guarded
from gpu_pipeline.errors import EngineFailed
kernel = cupy.RawKernel('extern "C" __global__ void spoil(float* p) { p[0] = 1.0f; }', "spoil")
@guarded("a test")
def spoil():
    kernel((1,), (1,), (np.uint64(8),))
    cupy.cuda.Device().synchronize()
for work in (spoil, lambda: rapids.put(np.ones((2, 2))), rapids.sync):
    try:
        work()
    except EngineFailed as reason:
        print(reason)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stdout + done.stderr
    assert lines[0].startswith("the GPU failed in a test (cudaErrorIllegalAddress")


def test_cuml_prints_nothing(
    engine: ModuleType, digits: tuple[np.ndarray, np.ndarray], capfd: pytest.CaptureFixture[str]
) -> None:
    """`--json` promises one object on standard output; cuML's warnings come from C++."""
    X, _ = digits
    engine.tsne(engine.put(X), TSNE(perplexity=2, iterations=10), 0, silent)
    engine.umap(engine.put(X), UMAP(n_epochs=5), 0, silent)
    engine.kmeans(engine.put(X), KMeans(max_iter=1, n_init=1), 0, silent)
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err == ""


def test_from_another_thread(engine: ModuleType, digits: tuple[np.ndarray, np.ndarray]) -> None:
    """cuML's handle and its output type are of the thread; the dashboard runs jobs in threads."""
    from concurrent.futures import ThreadPoolExecutor

    X, _ = digits
    settings = TSNE(iterations=50)
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(lambda: engine.get(engine.tsne(engine.put(X), settings, 0, silent).array)) for _ in "ab"]
    first, second = (job.result() for job in jobs)
    assert first.tobytes() == second.tobytes()


def test_the_try_out_works(engine: ModuleType) -> None:
    assert rapids.try_out()


def test_hidden_gpu() -> None:
    program = (
        "from gpu_pipeline.engines import load\n"
        "from gpu_pipeline.errors import Unavailable\n"
        "try:\n    load('rapids')\nexcept Unavailable as reason:\n    print(reason)"
    )
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=120)
    assert "the GPU is hidden by CUDA_VISIBLE_DEVICES='-1'" in done.stdout


def test_a_whole_run(engine: ModuleType) -> None:
    """From rows to a scored map, every step on the GPU that can be."""
    from gpu_pipeline import run
    from gpu_pipeline.recipe import make

    result = run(make({"data": {"name": "digits", "sample": 2000}, "engine": "rapids"}))
    assert set(result.record.engines.values()) == {"rapids"}
    assert result.record.skipped == {}
    assert not any("drawn on the CPU" in note for note in result.record.notes)
    accuracy = result.scores.values["label_accuracy"]
    assert accuracy is not None
    assert accuracy > 0.9
    assert result.record.machine["gpu"]["name"]


HOG = """
import sys
from cupy.cuda import runtime
size = 2**32
while size >= 2**20:
    try:
        runtime.malloc(size)
    except runtime.CUDARuntimeError:
        size //= 2
print(runtime.memGetInfo()[0], flush=True)
sys.stdin.read()
"""
"""Takes all memory of the GPU to the last mebibytes, and holds it until its input ends."""


def test_auto_goes_on_where_another_process_holds_the_memory(tmp_path: Path) -> None:
    """Its own process has nothing on the GPU yet, and no room for as much as a beginning."""
    from gpu_pipeline import open_run

    usable("mesh_cuda")
    pipe = subprocess.PIPE
    asked = ["--data", "digits", "--sample", "1000", "--iterations", "250", "--out", str(tmp_path)]
    with subprocess.Popen([sys.executable, "-c", HOG], stdin=pipe, stdout=pipe, text=True) as hog:
        assert hog.stdout is not None
        assert int(hog.stdout.readline()) < 2**28
        command = [sys.executable, "-m", "gpu_pipeline", "run", *asked]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert hog.poll() is None
        hog.communicate()
    assert done.returncode == 0, done.stderr
    (made,) = tmp_path.iterdir()
    record = open_run(made).record
    assert record.engines["embed"] in ("mesh", "scikit_learn")
    assert "mesh_cuda" in record.skipped, record


def test_landmarks_are_embedded_on_the_gpu(tmp_path: Path, call: Call) -> None:
    """By the process that was called, while those of Dask place the other rows."""
    from gpu_pipeline import open_run
    from gpu_pipeline.datasets.making import make_digits

    usable("mesh_cuda")
    make_digits(tmp_path / "few.parquet", 3000, partition=512)
    out = tmp_path / "runs"
    ended = call("run", "--data", tmp_path / "few.parquet", "--out", out, "--landmarks", 1000, "--iterations", 250)
    assert ended.code == 0, ended
    (made,) = out.iterdir()
    run = open_run(made)
    assert (run.record.engines["embed"], len(run.embedding)) == ("mesh_cuda", 3000)
    assert run.landmarks().record.engines["embed"] == "mesh_cuda"


def test_auto_takes_the_gpu(engine: ModuleType) -> None:
    from gpu_pipeline import run
    from gpu_pipeline.recipe import make

    result = run(make({"data": {"name": "digits", "sample": 500}, "embed": {"iterations": 250}}))
    assert result.record.engines["embed"] == "mesh_cuda"
    assert result.record.skipped == {}
    assert not any("drawn on the CPU" in note for note in result.record.notes)
