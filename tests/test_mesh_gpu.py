"""The mesh engine's GPU pipeline as a whole, from features to map: its maps beside the CPU engine's, and its promises.

Each test of `device` runs twice: on this computer, with NumPy's arrays and the kernels compiled by a C++ compiler, and
(`pytest -m gpu`) on a real GPU. With GPU_PIPELINE_REQUIRE_GPU=1 a GPU that cannot be used is a failure.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from conftest import missing, usable
from cuda_host import compiler
from mesh_host import Host
from scipy.spatial.distance import cdist
from sklearn import decomposition
from sklearn.datasets import load_digits

from gpu_pipeline import datasets, methods
from gpu_pipeline.engines import Progress, candidates, load, mesh, mesh_cuda, probe, silent
from gpu_pipeline.engines.mesh import affinities, gpu_neighbors, gpu_pca, gpu_profile, gpu_tsne, roofline, search
from gpu_pipeline.engines.mesh.gpu_device import KERNELS, Device
from gpu_pipeline.errors import EngineFailed, InputError, Unavailable


@pytest.fixture(params=["host", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> Iterator[Device]:
    if request.param == "host":
        if compiler() is None:
            missing("no C++ compiler (g++ or clang++)")
        yield Host()
        return
    usable("mesh_cuda")
    from gpu_pipeline.engines.mesh import gpu

    with gpu.opened() as opened:
        yield opened


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return (load_digits().data / 16).astype(np.float32)


def blobs(n: int, columns: int = 10, count: int = 6, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (
        rng.normal(scale=3, size=(count, columns))[rng.integers(count, size=n)] + rng.normal(size=(n, columns))
    ).astype(np.float32)


def affinity(X: np.ndarray, perplexity: float) -> np.ndarray:
    """P of the exact neighbours, (n, n), by the CPU engine."""
    n = len(X)
    found = search.find(X, min(int(3 * perplexity), n - 1), 0, 1)
    edges = affinities.symmetrize(found.indices, found.distances, perplexity, np.arange(n), 1)
    P = np.zeros((n, n))
    for i in range(n):
        part = slice(edges.indptr[i], edges.indptr[i + 1])
        np.add.at(P[i], edges.indices[part].astype(int), edges.p[part])
    return P


def exact_kl(P: np.ndarray, Y: np.ndarray) -> float:
    w = 1 / (1 + cdist(Y, Y, "sqeuclidean"))
    np.fill_diagonal(w, 0)
    positive = P > 0
    return float((P[positive] * np.log(P[positive] * w.sum() / w[positive])).sum())


def recall(X: np.ndarray, Y: np.ndarray, k: int = 15) -> float:
    """Mean share of the k nearest neighbours that are kept; 1 is all, k / (n - 1) chance."""
    lists = [search.find(np.asarray(A, np.float32), k, 0, 2, exact=True).indices for A in (X, Y)]
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(*lists, strict=True)]))


def embed(device: Device, X: np.ndarray, settings: methods.TSNE, seed: int = 0, report: Any = silent) -> np.ndarray:
    return device.get(gpu_tsne.tsne(device, device.put(X), settings, seed, report).array)


@pytest.mark.slow
def test_the_map_of_digits_is_as_good_as_the_cpu_engines(device: Device, digits: np.ndarray) -> None:
    seen: list[Progress] = []
    output = gpu_tsne.tsne(device, device.put(digits), methods.TSNE(), 0, seen.append)
    reference = mesh.tsne(digits, methods.TSNE(), 0)
    P, embedding = affinity(digits, 30), device.get(output.array)
    kl, expected = exact_kl(P, embedding), exact_kl(P, reference.array)
    # Measured on the host: KL 0.736 and 0.738, recall 0.59 for both. The two differ by rounding alone, which a thousand
    # iterations make into another map of the same quality.
    assert kl < 1.02 * expected
    assert recall(digits, embedding) > recall(digits, reference.array) - 0.01
    scattered = np.random.default_rng(0).normal(scale=30, size=embedding.shape)
    assert exact_kl(P, scattered) > 2 * expected
    assert output.facts["kl"] == pytest.approx(kl, rel=2e-3)
    assert output.facts.keys() == reference.facts.keys()
    assert output.facts["force_error"] < 0.01
    assert [progress.done for progress in seen] == list(range(50, 1001, 50))
    assert [progress.kl for progress in seen[8:]] == sorted((progress.kl for progress in seen[8:]), reverse=True)


def test_a_small_map_is_as_good_as_the_cpu_engines(device: Device) -> None:
    X, settings = blobs(400, count=4), methods.TSNE(perplexity=15, iterations=500)
    output = gpu_tsne.tsne(device, device.put(X), settings, 0)
    reference = mesh.tsne(X, settings, 0)
    P, embedding = affinity(X, 15), device.get(output.array)
    assert exact_kl(P, embedding) < 1.03 * exact_kl(P, reference.array)
    assert recall(X, embedding) > recall(X, reference.array) - 0.03
    assert output.facts["kl"] == pytest.approx(exact_kl(P, embedding), rel=2e-3)
    np.testing.assert_allclose(embedding.mean(axis=0), 0, atol=1e-4)
    assert output.keep.keys() == reference.keep.keys()
    for name, kept in output.keep.items():
        np.testing.assert_allclose(device.get(kept), reference.keep[name], rtol=1e-3, atol=1e-3)


def test_same_seed_same_bytes(device: Device) -> None:
    settings = methods.TSNE(iterations=120, initialization="random")
    first, second = (embed(device, blobs(500), settings, 5) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert embed(device, blobs(500), settings, 6).tobytes() != first.tobytes()


def test_reports_and_a_stop(device: Device) -> None:
    X, seen = blobs(300), []

    def stop_at_100(progress: Progress) -> str | None:
        seen.append(progress)
        return "stop" if progress.done == 100 else None

    output = gpu_tsne.tsne(device, device.put(X), methods.TSNE(perplexity=10), 0, stop_at_100)  # type: ignore[arg-type]
    assert (output.facts["iterations"], output.facts["stopped"]) == (100, "the caller asked for it")
    assert output.notes == ("t-SNE stopped after 100 iterations: the caller asked for it",)
    whole = embed(device, X, methods.TSNE(perplexity=10, iterations=100, early_iterations=100))
    # The finer grid of the last fifth is the only difference: the optimisation that was stopped had not come so far.
    assert recall(device.get(output.array), whole) > 0.5
    first, last = (progress.embedding() for progress in seen if progress.embedding is not None)
    assert type(first) is np.ndarray
    np.testing.assert_allclose(last, device.get(output.array), atol=1e-5)
    assert np.ptp(first) != np.ptp(last)  # A frame is what it was when it was reported.


def test_it_goes_on_from_a_given_start(device: Device) -> None:
    X = blobs(300)
    start = np.random.default_rng(0).normal(scale=20, size=(300, 2)).astype(np.float32)
    settings = methods.TSNE(perplexity=10, iterations=1, learning_rate=1e-9)
    output = gpu_tsne.tsne(device, device.put(X), settings, 0, initial=start)
    np.testing.assert_allclose(device.get(output.array), start - start.mean(axis=0), atol=0.01)
    with pytest.raises(InputError, match=r"the start has the shape \(3, 2\)"):
        gpu_tsne.tsne(device, device.put(X), settings, 0, initial=start[:3])


@pytest.mark.parametrize(("n", "perplexity"), [(40, 30.0), (8, 5.0), (4, 2.0)])
def test_the_fewest_rows(device: Device, n: int, perplexity: float) -> None:
    embedding = embed(device, blobs(n), methods.TSNE(perplexity=perplexity, iterations=60))
    assert embedding.shape == (n, 2)
    assert np.isfinite(embedding).all()


@pytest.mark.parametrize(("n", "perplexity"), [(30, 31.0), (2, 5.0), (0, 5.0)])
def test_too_few_rows_are_refused_in_a_sentence(device: Device, n: int, perplexity: float) -> None:
    with pytest.raises(InputError, match=f"perplexity is {perplexity:g} but {n} rows allow at most"):
        embed(device, np.zeros((n, 3), np.float32), methods.TSNE(perplexity=perplexity))


@pytest.mark.parametrize("X", [np.ones((100, 4)), np.repeat(blobs(30), 20, axis=0), np.linspace(0, 1, 200)[:, None]])
def test_copies_equal_rows_and_one_column(device: Device, X: np.ndarray) -> None:
    output = gpu_tsne.tsne(device, device.put(X.astype(np.float32)), methods.TSNE(perplexity=8, iterations=100), 0)
    embedding = device.get(output.array)
    assert np.isfinite(embedding).all()
    assert embedding.std(axis=0).min() > 0
    assert np.isfinite(output.facts["kl"])  # some affinities are 0


def test_neighbors_nearest_first(device: Device) -> None:
    X = blobs(500) + np.float32(100)
    indices, distances = gpu_neighbors.sorted_by_distance(device, *gpu_neighbors.find(device, device.put(X), 12))
    true = cdist(X.astype(np.float64), X)
    np.fill_diagonal(true, np.inf)
    np.testing.assert_allclose(device.get(distances), np.sort(true, axis=1)[:, :12], rtol=1e-4)
    assert np.mean(device.get(indices) == np.argsort(true, axis=1)[:, :12]) > 0.999


def test_scores_on_principal_axes(device: Device, digits: np.ndarray) -> None:
    X = device.put(digits)
    found = gpu_pca.components(device, X, 10, 0)
    model = decomposition.PCA(10, svd_solver="full").fit(digits.astype(np.float64))
    expected = model.transform(digits) * np.sign(
        model.components_[np.arange(10), np.abs(model.components_).argmax(axis=1)]
    )
    np.testing.assert_allclose(device.get(gpu_pca.scores(device, X, found.mean, found.axes)), expected, atol=1e-4)


def test_components_of_many_columns(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """By iteration: those of the singular values, whatever the seed and the blocks; noise as well as can be."""
    monkeypatch.setattr(gpu_pca, "EXACT_COLUMNS", 100)
    monkeypatch.setattr(gpu_pca, "_BLOCK", 70 * 300)
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(250, 40)) * 10 * 0.8 ** np.arange(40) @ rng.normal(size=(40, 300)) + 5).astype(np.float32)
    singular = np.linalg.svd(X - X.mean(axis=0, dtype=np.float64), full_matrices=False)
    for seed in (0, 1):
        found = gpu_pca.components(device, device.put(X), 12, seed)
        axes = device.get(found.axes)
        assert not found.exact
        np.testing.assert_allclose(device.get(found.variances), singular.S[:12] ** 2 / 249, rtol=1e-6)
        np.testing.assert_allclose(np.abs(axes), np.abs(singular.Vh[:12].T), atol=1e-4)
        assert found.total == pytest.approx((singular.S**2).sum() / 249, rel=1e-9)
        assert (axes[np.abs(axes).argmax(axis=0), np.arange(12)] > 0).all()
    noise = rng.normal(size=(400, 300)).astype(np.float32)
    best = (np.linalg.svd(noise - noise.mean(axis=0), compute_uv=False)[:5] ** 2).sum()
    got = device.get(gpu_pca.components(device, device.put(noise), 5, 0).variances).sum() * 399
    assert 0.99 * best < got <= best * (1 + 1e-6)
    assert gpu_pca.components(device, device.put(noise), 80, 0).exact
    same = gpu_pca.components(device, device.put(np.ones((20, 300), np.float32)), 2, 0)
    assert (device.get(same.variances) == 0).all()


def test_every_kernel_is_used() -> None:
    if compiler() is None:
        missing("no C++ compiler (g++ or clang++)")
    host = Host()
    embed(host, blobs(200), methods.TSNE(perplexity=5, iterations=300))
    assert set(host.launches) == set(KERNELS)


def test_too_little_memory_is_refused_with_both_numbers_and_less_takes_smaller_tiles() -> None:
    if compiler() is None:
        missing("no C++ compiler (g++ or clang++)")
    X, settings = blobs(700), methods.TSNE(perplexity=10, iterations=20)
    with pytest.raises(
        EngineFailed, match=r"t-SNE of 700 x 10 values with 30 neighbours each needs up to 0\.9 GiB on the"
    ):
        embed(Host(memory=2**24), X, settings)
    with pytest.raises(EngineFailed, match=r"needs up to 7\.5 GiB on the GPU but 6\.0 GiB are free: take fewer rows"):
        gpu_tsne.check_memory(10**6, 50, 90, 6 * 2**30)
    gpu_tsne.check_memory(10**6, 50, 90, 141 * 10**9)
    gpu_tsne.check_memory(70_000, 784, 90, 2 * 2**30)
    assert gpu_tsne.memory(2 * 10**6, 50, 90) == pytest.approx(2 * gpu_tsne.memory(10**6, 50, 90), rel=0.05)


def test_memory_is_bounded_by_what_was_said() -> None:
    """What NumPy takes at most while the pipeline runs is less than the estimate."""
    import tracemalloc

    if compiler() is None:
        missing("no C++ compiler (g++ or clang++)")
    X = blobs(3000, 40)
    tracemalloc.start()
    embed(Host(), X, methods.TSNE(iterations=20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < gpu_tsne.memory(3000, 40, 90)


def test_auto_takes_it_first() -> None:
    for method in ("pca", "tsne", "neighbors"):
        assert candidates(method)[0] == "mesh_cuda"
        assert candidates(method, "mesh_cuda") == ("mesh_cuda",)


def test_what_is_missing_is_said_in_a_sentence() -> None:
    gpu = probe.Gpu("NVIDIA Example", 2**34, (9, 0), 13000, "580.1", 1)
    if importlib.util.find_spec("cupy") is None:
        with pytest.raises(Unavailable, match=r"^CuPy is not installed: pip install 'cupy-cuda13x\[ctk\]'$"):
            mesh_cuda.check_versions(gpu)
        older = probe.Gpu("NVIDIA Example", 2**34, (7, 0), 12040, "550.1", 1)
        with pytest.raises(Unavailable, match=r"^CuPy is not installed: pip install 'cupy-cuda12x\[ctk\]'$"):
            mesh_cuda.check_versions(older)
    try:
        probe.gpu()
    except Unavailable as reason:
        with pytest.raises(Unavailable, match=str(reason).replace("(", r"\(").replace(")", r"\)")):
            load("mesh_cuda")


def test_a_wheel_that_is_too_new_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wheel:
        name = "cupy-cuda13x"

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr("importlib.metadata.distributions", lambda: [Wheel()])
    with pytest.raises(Unavailable, match=r"needs a driver for CUDA 13\.0 .* its driver supports CUDA 12\.4: update"):
        mesh_cuda.check_versions(probe.Gpu("NVIDIA Example", 2**34, (9, 0), 12040, "550.1", 1))
    with pytest.raises(Unavailable, match=r"compute capability 7\.5, but NVIDIA Example has 7\.0"):
        mesh_cuda.check_versions(probe.Gpu("NVIDIA Example", 2**34, (7, 0), 13000, "580.1", 1))
    mesh_cuda.check_versions(probe.Gpu("NVIDIA Example", 2**34, (9, 0), 13000, "580.1", 1))


def test_roofline_adds_up() -> None:
    stages = roofline.stages(70_000, 784, 50, 90)
    assert roofline.seconds(stages) == pytest.approx(sum(stage.seconds for stage in stages))
    assert 0.02 < roofline.seconds(stages) < 0.3  # The target is 0.3 s: it must be above the limit.
    search_ = next(stage for stage in stages if stage.name == "products")
    assert search_.flops == 2 * 70_000**2 * 50
    assert all(stage.seconds >= stage.bytes / roofline.H200.cache_bandwidth for stage in stages)


def test_the_tables_of_the_page_are_those_of_the_roofline() -> None:
    page = Path(__file__).parents[1] / "docs" / "mesh-gpu.md"
    assert roofline.table() in page.read_text(encoding="utf-8")


def test_profile_times_every_stage(device: Any) -> None:
    times = gpu_profile.profile(device, blobs(400, 60), methods.TSNE(iterations=60))
    assert set(gpu_profile._LIMITS) < set(times)
    assert all(took > 0 for took in times.values())
    text = gpu_profile.table(times, roofline.stages(400, 60, 50, 90))
    assert len(text.splitlines()) == 2 + len(times)


def test_profile_of_more_rows_than_the_data_set_has(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.digits, "TOTAL", 50)
    heading, _, *lines = gpu_profile.section(device, 300, methods.TSNE(iterations=20)).splitlines()
    assert heading == "### 300 x 784"
    assert {line.split(" | ")[0] for line in lines[2:]} > {f"| {name}" for name in gpu_profile._LIMITS}


@pytest.mark.gpu
def test_a_graph_gives_the_bytes_of_plain_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    usable("mesh_cuda")
    from gpu_pipeline.engines.mesh import gpu

    settings, maps = methods.TSNE(iterations=200), []
    for record in (gpu.Cuda.record, lambda self, work: work):
        monkeypatch.setattr(gpu.Cuda, "record", record)
        with gpu.opened() as opened:
            maps.append(embed(opened, blobs(1000), settings))
    assert maps[0].tobytes() == maps[1].tobytes()


@pytest.mark.gpu
def test_what_another_thread_does_to_the_gpu_changes_no_result() -> None:
    usable("mesh_cuda")
    import cupy

    from gpu_pipeline.engines.mesh import gpu

    def wait() -> None:
        with contextlib.suppress(cupy.cuda.runtime.CUDARuntimeError):  # It may not, while a graph is recorded.
            cupy.cuda.Device().synchronize()

    def add() -> None:
        cupy.add(array, 1, out=array)

    def add_while_another_waits() -> None:
        add()
        other = Thread(target=wait)
        other.start()
        other.join()

    with gpu.opened() as opened:
        array = cupy.zeros(3)
        add()
        graph = opened.record(add)
        assert graph is not add
        graph()
        opened.record(add_while_another_waits)()
        assert array.tolist() == [3, 3, 3]


@pytest.fixture
def pool() -> Iterator[Any]:
    """CuPy's own pool of memory, empty; cuML, once it is imported, would have RMM take its place."""
    usable("mesh_cuda")
    import cupy

    own = cupy.get_default_memory_pool()
    own.free_all_blocks()
    with cupy.cuda.using_allocator(own.malloc):
        yield own
    own.free_all_blocks()


@pytest.mark.gpu
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupt_and_an_error_free_everything(error: type[BaseException], pool: Any) -> None:
    cuda = usable("mesh_cuda")
    X = cuda.put(blobs(20_000, 50))
    cuda.tsne(X, methods.TSNE(iterations=20), 0, silent)
    cuda.sync()
    before = pool.total_bytes()
    assert before >= X.nbytes

    def fail(progress: Progress) -> None:
        raise error("enough")

    with pytest.raises(error, match="enough"):
        cuda.tsne(X, methods.TSNE(iterations=200), 0, fail)
    cuda.sync()
    pool.free_all_blocks()
    assert pool.total_bytes() <= before


@pytest.mark.gpu
def test_memory_on_the_gpu_is_bounded_by_what_was_said(pool: Any) -> None:
    cuda = usable("mesh_cuda")
    X = cuda.put(blobs(100_000, 50))
    before = pool.total_bytes()
    cuda.tsne(X, methods.TSNE(iterations=100), 0, silent)
    assert 0 < pool.total_bytes() - before < gpu_tsne.memory(100_000, 50, 90)


@pytest.mark.gpu
def test_two_runs_at_once_are_right() -> None:
    from concurrent.futures import ThreadPoolExecutor

    cuda, settings = usable("mesh_cuda"), methods.TSNE(iterations=150)

    def run(X: np.ndarray) -> bytes:
        embedding: np.ndarray = cuda.get(cuda.tsne(cuda.put(X), settings, 0, silent).array)
        return embedding.tobytes()

    inputs = [blobs(n, seed=n) for n in (3000, 5000)]
    alone = [run(X) for X in inputs]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, inputs)) == alone


@pytest.mark.gpu
def test_data_far_larger_than_the_gpu_is_refused_with_both_numbers() -> None:
    cuda = usable("mesh_cuda")
    import cupy

    X = cupy.broadcast_to(cupy.zeros((1, 50), np.float32), (200_000_000, 50))
    with pytest.raises(EngineFailed, match=r"needs up to .* GiB on the GPU but .* GiB are free"):
        cuda.tsne(X, methods.TSNE(), 0, silent)
