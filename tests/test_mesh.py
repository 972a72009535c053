"""The mesh engine as a whole: its gradient, its maps beside those of other programs, and what it promises."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from gpu_pipeline import methods
from gpu_pipeline.engines import Progress, mesh
from gpu_pipeline.engines.mesh import affinities, cpu, search
from gpu_pipeline.errors import InputError


def blobs(n: int, columns: int = 10, count: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(count, size=n)
    X = rng.normal(scale=3, size=(count, columns))[labels] + rng.normal(size=(n, columns))
    return X.astype(np.float32), labels


def dense_affinities(X: np.ndarray, perplexity: float, k: int) -> np.ndarray:
    """P of the k exact neighbours, in float64, in the order of the rows."""
    n = len(X)
    found = search.find(X, k, 0, 1)
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


def test_gradient_is_the_derivative_of_the_exact_kl() -> None:
    X, _ = blobs(80)
    found = search.find(X, 15, 0, 1)
    order = found.order
    edges = affinities.symmetrize(found.indices, found.distances, 5.0, order, 1)
    P = dense_affinities(X, 5.0, 15)[np.ix_(order, order)]
    Y = (
        np.random.default_rng(1).normal(scale=0.3, size=(80, 2)).astype(np.float32)
    )  # Small: the grid's error is 1e-4 here.
    optimization = cpu.Map(edges, Y, 2)
    before = optimization.points.astype(np.float64)
    rate = 10.0  # Steps far above the rounding of float32.
    optimization.advance(1, 1.0, rate, 0.0)
    step = (optimization.points - before) / -rate
    gradient = step / 0.8  # The gain of a coordinate that did not move before.
    scale = np.abs(gradient).max()
    for i, axis in [(0, 0), (7, 1), (31, 0), (44, 1), (79, 0)]:
        ends = []
        for move in (-1e-5, 1e-5):
            moved = before.copy()
            moved[i, axis] += move
            ends.append(exact_kl(P, moved))
        derivative = (ends[1] - ends[0]) / 2e-5
        assert gradient[i, axis] == pytest.approx(derivative, rel=1e-3, abs=1e-3 * scale)


def test_kl_is_the_exact_one() -> None:
    X, _ = blobs(500)
    seen: list[Progress] = []
    output = mesh.tsne(X, methods.TSNE(perplexity=20, iterations=300), 0, seen.append)
    exact = exact_kl(dense_affinities(X, 20, 60), output.array)
    assert output.facts["kl"] == pytest.approx(exact, rel=2e-3)
    # The last report has the Z of one iteration before and the same edges.
    assert seen[-1].kl == pytest.approx(exact, rel=5e-3)
    assert [progress.done for progress in seen] == [50, 100, 150, 200, 250, 300]
    assert all(progress.total == 300 for progress in seen)
    assert seen[-1].embedding is not None
    np.testing.assert_allclose(seen[-1].embedding(), output.array, atol=1e-5)  # Centred once more at the end.


def test_maps_are_as_good_as_those_of_the_exact_method() -> None:
    from sklearn.manifold import TSNE

    X, _ = blobs(400, count=4)
    P = dense_affinities(X, 15, 45)
    reference = TSNE(perplexity=15, method="exact", init="pca", learning_rate="auto", random_state=0).fit_transform(X)
    output = mesh.tsne(X, methods.TSNE(perplexity=15), 0)
    scattered = np.random.default_rng(0).normal(scale=10, size=(400, 2))
    # Measured: exact 0.75, mesh 0.74; a random map 3.5. Recall: 0.53 and 0.53; by chance 15 / 399 = 0.04.
    assert exact_kl(P, output.array) < exact_kl(P, reference) * 1.05
    assert exact_kl(P, scattered) > 2 * exact_kl(P, reference)
    assert recall(X, output.array) > recall(X, reference) - 0.03
    assert recall(X, scattered) < 0.1


@pytest.mark.mnist
def test_it_stops_when_kl_hardly_falls_and_says_so() -> None:
    X, _ = blobs(400, seed=4)
    whole = mesh.tsne(X, methods.TSNE(perplexity=20, iterations=1000), 0)
    flat = mesh.tsne(X, methods.TSNE(perplexity=20, iterations=1000, min_kl_drop=5e-3), 0)
    assert 350 < flat.facts["iterations"] < 1000 == whole.facts["iterations"]
    assert flat.facts["stopped"] == "KL fell by less than 0.005 of itself in 50 iterations"
    assert flat.notes == (f"t-SNE stopped after {flat.facts['iterations']} iterations: {flat.facts['stopped']}",)
    assert flat.facts["kl"] < 1.05 * whole.facts["kl"]


@pytest.mark.slow
def test_maps_of_digits_are_as_good_as_those_of_opentsne(mnist_dir: Path) -> None:
    openTSNE = pytest.importorskip("openTSNE")
    content = gzip.decompress((mnist_dir / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())
    images = np.frombuffer(content, np.uint8, offset=16).reshape(-1, 784)[:5000]
    X = images / np.float32(255)
    X = X - X.mean(axis=0)
    X = np.ascontiguousarray(X @ np.linalg.eigh(X.T @ X)[1][:, :-51:-1], dtype=np.float32)
    reference = np.asarray(openTSNE.TSNE(perplexity=30, n_jobs=2, random_state=0, neighbors="exact").fit(X))
    output = mesh.tsne(X, methods.TSNE(), 0)
    P = dense_affinities(X, 30, 90)
    assert exact_kl(P, output.array) < exact_kl(P, reference) * 1.01
    assert recall(X, output.array) > recall(X, reference) - 0.01
    scattered = np.random.default_rng(0).normal(scale=30, size=(5000, 2))
    assert exact_kl(P, scattered) > 2 * exact_kl(P, reference)
    assert recall(X, scattered) < 0.02


def test_translation_rotation_and_renumbering_of_the_input_change_nothing() -> None:
    X, _ = blobs(300, columns=5)
    settings = methods.TSNE(perplexity=10, iterations=25, early_exaggeration=1)
    start = np.random.default_rng(2).normal(scale=3, size=(300, 2)).astype(np.float32)
    plain = mesh.tsne(X, settings, 0, initial=start).array
    assert np.abs(plain - start).max() > 1
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))
    numbers = np.random.default_rng(1).permutation(300)
    for changed, order in (
        (X + np.float32(2), np.arange(300)),
        ((X @ turn).astype(np.float32), np.arange(300)),
        (X[numbers], numbers),
    ):
        # Only rounding differs, which 25 iterations make no larger than this.
        output = mesh.tsne(changed, settings, 0, initial=start[order])
        np.testing.assert_allclose(output.array, plain[order], atol=0.01)


def test_the_start_turns_with_the_input() -> None:
    X, _ = blobs(300, columns=5)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))
    plain, turned = (mesh._start(A, methods.TSNE(), 0) for A in (X, X @ turn + 3))
    assert plain[:, 0].std() == pytest.approx(1e-4, rel=1e-4)
    np.testing.assert_allclose(np.abs(turned), np.abs(plain), atol=1e-8)  # The sign of an axis is a convention.


def test_the_start_of_many_columns_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    X, _ = blobs(300, columns=40)
    exact = mesh._start(X, methods.TSNE(), 0)
    monkeypatch.setattr(mesh, "EXACT_COLUMNS", 39)
    found = mesh._start(X, methods.TSNE(), 0)
    assert found[:, 0].std() == pytest.approx(1e-4, rel=1e-4)
    np.testing.assert_allclose(found, exact, atol=1e-7)
    equal = mesh._start(np.ones((50, 40), np.float32), methods.TSNE(), 0)
    assert equal.std() == pytest.approx(1e-4, rel=0.2)  # noise


def test_same_seed_same_bytes() -> None:
    X, _ = blobs(700)
    settings = methods.TSNE(iterations=120, initialization="random")
    first, second = (mesh.tsne(X, settings, 5).array for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert mesh.tsne(X, settings, 6).array.tobytes() != first.tobytes()


def test_two_runs_at_once_are_right() -> None:
    inputs = [blobs(n, seed=n)[0] for n in (600, 900)]
    settings = methods.TSNE(iterations=150)
    alone = [mesh.tsne(X, settings, 0).array.tobytes() for X in inputs]
    for _ in range(3):
        with ThreadPoolExecutor(2) as pool:
            together = list(pool.map(lambda X: mesh.tsne(X, settings, 0).array.tobytes(), inputs))
        assert together == alone


def test_output_is_in_the_order_of_the_rows_and_centred() -> None:
    X, labels = blobs(600, count=3)
    output = mesh.tsne(X, methods.TSNE(iterations=400), 0)
    assert output.array.dtype == np.float32
    assert output.array.shape == (600, 2)
    np.testing.assert_allclose(output.array.mean(axis=0), 0, atol=1e-4)
    # Three blobs well apart: the nearest neighbour on the map has the same label, which chance gives to a third.
    nearest = search.find(output.array, 1, 0, 1).indices.ravel()
    assert np.mean(labels[nearest] == labels) > 0.95
    facts = output.facts
    assert (facts["iterations"], facts["stopped"], facts["neighbors_exact"]) == (400, None, True)
    assert facts["neighbor_recall"] is None
    assert 0 <= facts["force_error"] < 0.06


def test_a_report_may_stop_the_run() -> None:
    X, _ = blobs(200)

    def stop_at_100(progress: Progress) -> str | None:
        return "stop" if progress.done == 100 else None

    output = mesh.tsne(X, methods.TSNE(perplexity=10), 0, stop_at_100)  # type: ignore[arg-type]
    assert (output.facts["iterations"], output.facts["stopped"]) == (100, "the caller asked for it")
    np.testing.assert_array_equal(
        output.array,
        mesh.tsne(X, methods.TSNE(perplexity=10, iterations=100, early_iterations=100), 0).array,
    )


@pytest.mark.parametrize(("n", "perplexity"), [(40, 30.0), (8, 5.0), (4, 2.0)])
def test_the_fewest_rows(n: int, perplexity: float) -> None:
    output = mesh.tsne(blobs(n)[0], methods.TSNE(perplexity=perplexity, iterations=60), 0)
    assert output.array.shape == (n, 2)
    assert np.isfinite(output.array).all()


@pytest.mark.parametrize(("n", "perplexity"), [(30, 31.0), (2, 5.0), (0, 5.0)])
def test_too_few_rows_are_refused_in_a_sentence(n: int, perplexity: float) -> None:
    with pytest.raises(InputError, match=f"perplexity is {perplexity:g} but {n} rows allow at most"):
        mesh.tsne(np.zeros((n, 3), np.float32), methods.TSNE(perplexity=perplexity), 0)


def test_copies_of_points() -> None:
    X = np.repeat(blobs(60)[0], 20, axis=0)
    output = mesh.tsne(X, methods.TSNE(perplexity=10, iterations=300), 0)
    assert np.isfinite(output.array).all()
    groups = output.array.reshape(60, 20, 2)
    assert np.median(np.ptp(groups, axis=1)) < 0.1 * np.ptp(output.array)


@pytest.mark.parametrize("initialization", ["pca", "random"])
def test_all_rows_equal(initialization: str) -> None:
    output = mesh.tsne(
        np.ones((100, 4), np.float32), methods.TSNE(perplexity=5, iterations=60, initialization=initialization), 0
    )
    assert np.isfinite(output.array).all()


def test_one_column_becomes_a_map_of_two() -> None:
    X = np.linspace(0, 1, 300, dtype=np.float32)[:, None]
    output = mesh.tsne(X, methods.TSNE(perplexity=10), 0)
    assert output.array.std(axis=0).min() > 1


def test_clusters_far_apart_stay_within_memory() -> None:
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(60, 3)) + 1e4 * i for i in range(20)]).astype(np.float32)
    output = mesh.tsne(X, methods.TSNE(perplexity=5, iterations=500), 0)
    assert np.isfinite(output.array).all()
    assert max(output.facts["grid_nodes"]) <= 2048


def test_a_start_that_reaches_wide_is_taken_as_it_is() -> None:
    X, _ = blobs(500)
    start = np.random.default_rng(0).normal(scale=500, size=(500, 2)).astype(np.float32)
    output = mesh.tsne(X, methods.TSNE(perplexity=10, iterations=1, learning_rate=1e-9), 0, initial=start)
    np.testing.assert_allclose(output.array, start - start.mean(axis=0), atol=0.01)
    assert output.facts["grid_spacing"] > 0.5
    with pytest.raises(InputError, match=r"the start has the shape \(3, 2\)"):
        mesh.tsne(X, methods.TSNE(perplexity=10), 0, initial=start[:3])


def test_exaggeration_draws_clusters_together() -> None:
    X, labels = blobs(600)
    spans = [
        np.mean(
            [
                mesh.tsne(X, methods.TSNE(exaggeration=factor, iterations=400), 0).array[labels == c].std()
                for c in range(6)
            ]
        )
        for factor in (1, 4)
    ]
    assert spans[1] < 0.7 * spans[0]


WHOLE = """
from gpu_pipeline.engines import mesh
mesh.compile()
from gpu_pipeline.engines.mesh.kernels import iterate as kernel
"""
MAP = """
import hashlib
import numpy as np
from gpu_pipeline import methods
rng = np.random.default_rng(0)
X = (rng.normal(size=(240, 6)) + 20 * (np.arange(240) % 3)[:, None]).astype(np.float32)
print(hashlib.sha256(mesh.tsne(X, methods.TSNE(perplexity=10, iterations=250), 0).array).hexdigest())
"""
SMALL = """
import numpy as np
from gpu_pipeline.engines.mesh.kernels import exact_slopes as kernel
kernel(np.arange(1), np.zeros(4, np.float32), np.empty((1, 2)))
"""
TELL = """
stats = kernel.stats
print(stats.cache_path is not None, sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""


def fresh_process(folder: Path, code: str, **environment: str) -> str:
    """Compile in a new process with the package in that folder: what it prints, and whether `kernel` has a cache, its
    hits and misses."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", code + TELL],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


@pytest.mark.slow
def test_kernels_are_kept_on_disk_and_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    import gpu_pipeline

    shutil.copytree(
        Path(gpu_pipeline.__file__).parent, tmp_path / "gpu_pipeline", ignore=shutil.ignore_patterns("__pycache__")
    )
    compiled, kept = (
        fresh_process(tmp_path, WHOLE + MAP, NUMBA_CACHE_DIR=str(tmp_path / "cache")).split("\n") for _ in "ab"
    )
    assert (compiled[1], kept[1]) == ("True 0 1", "True 1 0")
    assert compiled[0] == kept[0]  # To the last digit: the first run on a computer makes the same map as all others.
    # Files where numba would make its folders stop root as well as anybody else.
    (tmp_path / "file").touch()
    (tmp_path / "gpu_pipeline" / "engines" / "mesh" / "__pycache__").touch()
    places = {name: str(tmp_path / "file") for name in ("HOME", "XDG_CACHE_HOME", "IPYTHONDIR")}
    assert fresh_process(tmp_path, SMALL, **places) == "False 0 1"
