"""The CUDA kernels of the mesh engine, compiled for this processor: their arithmetic against exact sums, against plain
NumPy and against the CPU engine.

`plain` runs one thread for all lanes that share a row; `lockstep` runs the threads of a block as a GPU does, with its
barriers, shuffles and ballots.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import missing
from cuda_host import compiler, signatures, spills
from mesh_host import MESH, Host
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist

from gpu_pipeline.engines import columns
from gpu_pipeline.engines.mesh import affinities, cpu, gpu_edges, gpu_neighbors, gpu_pca, gpu_tsne
from gpu_pipeline.engines.mesh.gpu_device import KERNELS, source
from gpu_pipeline.engines.mesh.gpu_edges import Edges
from gpu_pipeline.engines.mesh.gpu_map import Map
from gpu_pipeline.errors import EngineFailed, Unsupported
from gpu_pipeline.methods import TSNE


@pytest.fixture(params=["plain", "lockstep"])
def device(request: pytest.FixtureRequest) -> Host:
    if compiler() is None:
        missing("no C++ compiler (g++ or clang++)")
    return Host(lockstep=request.param == "lockstep")


def cloud(n: int, columns: int = 8, count: int = 5, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (
        rng.normal(scale=3, size=(count, columns))[rng.integers(count, size=n)] + rng.normal(size=(n, columns))
    ).astype(np.float32)


def unbound(n: int) -> Edges:
    """No affinities at all."""
    return Edges(np.zeros(n + 1, np.int64), np.zeros((1, 2), np.uint32), 0.0)


def numbers(n: int) -> np.ndarray:
    return np.arange(n, dtype=np.int32)


def dense(edges: Edges) -> np.ndarray:
    n = len(edges.indptr) - 1
    values = (edges.pairs.view(np.float32)[:, 1], edges.pairs[:, 0].astype(np.int64), edges.indptr)
    result: np.ndarray = csr_matrix(values, shape=(n, n)).toarray()
    return result


def graph(device: Host, X: np.ndarray, perplexity: float, order: np.ndarray | None = None) -> Edges:
    indices, distances = gpu_neighbors.find(device, X, int(3 * perplexity))
    return gpu_edges.symmetrize(device, indices, distances, perplexity, numbers(len(X)) if order is None else order)


def exact(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """S at the points, their own 1 left out, and its slopes."""
    difference = points[:, None].astype(np.float64) - points
    w = 1 / (1 + (difference**2).sum(axis=2))
    return w.sum(axis=1) - 1, -2 * (difference * w[..., None] ** 2).sum(axis=1)


def exact_kl(P: np.ndarray, Y: np.ndarray) -> float:
    w = 1 / (1 + cdist(Y, Y, "sqeuclidean"))
    np.fill_diagonal(w, 0)
    positive = P > 0
    return float((P[positive] * np.log(P[positive] * w.sum() / w[positive])).sum())


def test_driver_and_kernels_name_the_same() -> None:
    assert set(signatures(source())) == set(KERNELS)
    for lanes, block in KERNELS.values():
        assert block % max(lanes, 32) == 0
        assert lanes in (block, 1, 8, 16, 32)  # A row is done by a block, or by lanes of one warp.


# The spans of a start, of early exaggeration, of a map of few points and of a wide one; errors of the force are those
# of the grid's spacing.
@pytest.mark.parametrize(
    ("n", "span", "error", "z_error"),
    [(300, 1e-4, 2e-3, 1e-6), (300, 1.0, 2e-3, 1e-6), (700, 12.0, 0.01, 1e-4), (700, 60.0, 0.03, 1e-3)],
)
def test_field_and_z_are_the_exact_sums(device: Host, n: int, span: float, error: float, z_error: float) -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-span / 2, span / 2, (n, 2)).astype(np.float32)
    optimization = Map(device, unbound(n), points, numbers(n))
    field = optimization.field()
    S, slopes = exact(optimization.points)
    np.testing.assert_allclose(field[:, 0], S, rtol=0.01, atol=1e-5)
    assert np.sqrt(((field[:, 1:] - slopes) ** 2).mean()) < error * np.sqrt((slopes**2).mean())
    assert optimization._z[0] == pytest.approx(S.sum(), rel=z_error)
    assert optimization.force_error() == pytest.approx(
        np.sqrt(((field[:, 1:] - slopes) ** 2).mean() / (slopes**2).mean()), rel=0.3
    )


def test_charges_are_integers_that_add_up(device: Host) -> None:
    points = np.random.default_rng(0).normal(scale=5, size=(400, 2)).astype(np.float32)
    optimization = Map(device, unbound(400), points, numbers(400))
    optimization._prepare()
    # Each of 16 weights of a point is cut to 32 bits and has float32's rounding.
    assert optimization._charges.dtype == np.uint64
    assert optimization._charges.sum() / 2.0**32 == pytest.approx(400, rel=1e-6)


def test_gradient_is_the_derivative_of_the_exact_kl(device: Host) -> None:
    edges = graph(device, cloud(80), 5.0)
    P = dense(edges)
    Y = np.random.default_rng(1).normal(scale=0.3, size=(80, 2)).astype(np.float32)  # Small: the grid's error is 1e-4.
    optimization = Map(device, edges, Y, numbers(80))
    before, rate = optimization.points.astype(np.float64), 10.0  # Steps far above the rounding of float32.
    optimization.advance(1, 1.0, rate, 0.0)
    gradient = (optimization.points - before) / -rate / 0.8  # The gain of a coordinate that did not move before.
    scale = np.abs(gradient).max()
    for i, axis in [(0, 0), (7, 1), (31, 0), (44, 1), (79, 0)]:
        ends = []
        for move in (-1e-5, 1e-5):
            moved = before.copy()
            moved[i, axis] += move
            ends.append(exact_kl(P, moved))
        assert gradient[i, axis] == pytest.approx((ends[1] - ends[0]) / 2e-5, rel=1e-3, abs=1e-3 * scale)


def test_a_few_steps_are_those_of_the_cpu_engine(device: Host) -> None:
    X = cloud(500)
    edges = graph(device, X, 10.0)
    start = np.random.default_rng(2).normal(scale=3, size=(500, 2)).astype(np.float32)
    values = edges.pairs.view(np.float32)[:, 1].copy()
    # The CPU's rows are multiples of 16 long, filled up with p = 0.
    sizes = -(-np.diff(edges.indptr) // 16) * 16
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    columns, p = np.repeat(np.arange(500, dtype=np.uint32), sizes), np.zeros(indptr[-1], np.float32)
    for row in range(500):
        here = slice(edges.indptr[row], edges.indptr[row + 1])
        there = slice(indptr[row], indptr[row] + here.stop - here.start)
        columns[there], p[there] = edges.pairs[here, 0], values[here]
    reference = cpu.Map(affinities.Edges(indptr, columns, p, edges.negative_entropy), start, 1)
    optimization = Map(device, edges, start, numbers(500))
    assert optimization._z[0] == pytest.approx(reference.z, rel=1e-6)
    for phase in ((3, 12.0, 50.0, 0.5), (4, 1.0, 50.0, 0.8)):
        for each in (reference, optimization):
            each.advance(*phase)
        np.testing.assert_allclose(optimization.points, reference.points, atol=2e-3)
        assert np.abs(optimization.points - start).max() > 0.5
        assert optimization.divergence() == pytest.approx(reference.divergence(), rel=1e-4)
    assert optimization.iterations == 7
    optimization.field()  # Z of this map; the steps have that of the map before.
    assert optimization.divergence(None) == pytest.approx(exact_kl(dense(edges), optimization.points), rel=5e-3)


def test_a_point_that_leaves_the_grid_costs_no_iteration(device: Host) -> None:
    """With steps so long that grids are left all the time, exactly what was asked for is done."""
    edges = graph(device, cloud(200), 5.0)
    optimization = Map(device, edges, 1e-3 * cloud(200, 2), numbers(200))
    grids = set()
    for count in (1, 24, 7, 50):
        before = optimization.iterations
        optimization.advance(count, 4.0, 2000.0, 0.8)
        grids.add(optimization.grid.spacing)
        assert optimization.iterations == before + count
    assert len(grids) > 1
    # Idle steps were queued behind those that left.
    assert device.launches["step"] > optimization.iterations
    low, high = optimization.points.min(axis=0), optimization.points.max(axis=0)
    assert np.isfinite(high - low).all()


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_a_map_without_bounds_is_refused(device: Host) -> None:
    optimization = Map(device, unbound(50), cloud(50, 2), numbers(50))
    optimization.points[3] = np.inf
    with pytest.raises(EngineFailed, match="grew beyond all bounds"):
        optimization.advance(1, 1.0, 1.0, 0.0)


def test_the_order_of_blocks_and_threads_changes_no_byte() -> None:
    if compiler() is None:
        missing("no C++ compiler (g++ or clang++)")
    results = []
    for backwards in (False, True):
        device = Host(lockstep=True, backwards=backwards)
        edges = graph(device, cloud(150), 5.0)
        optimization = Map(device, edges, 1e-2 * cloud(150, 2), numbers(150))
        optimization.advance(30, 12.0, 50.0, 0.5)
        optimization._renumber()
        optimization.advance(10, 1.0, 50.0, 0.8)
        assert np.ptp(optimization.points) > 1
        results.append((optimization.embedding().tobytes(), optimization.divergence(), optimization.force_error()))
    assert results[0] == results[1]


@pytest.mark.parametrize("perplexity", [2.0, 5.0, 29.5])
def test_bandwidths_are_those_of_the_cpu_engine(device: Host, perplexity: float) -> None:
    X = np.concatenate([cloud(100), 1e-3 * cloud(100, seed=1)])  # Two scales at once.
    distances = np.sort(cdist(X, X, "sqeuclidean"), axis=1)[:, 1:91].astype(np.float32)
    distances[0] = 0  # More copies than the perplexity.
    p, expected = np.empty_like(distances), np.empty_like(distances)
    device.launch("bandwidths", 200, np.int32(200), np.int32(90), np.float64(perplexity), distances, p)
    affinities._search_bandwidths(distances, perplexity, 0, 200, expected)
    np.testing.assert_allclose(p, expected, rtol=2e-5, atol=1e-12)
    logs = np.log(p, out=np.zeros_like(p), where=p > 0)
    np.testing.assert_allclose(np.exp(-(p * logs).sum(axis=1))[1:], perplexity, rtol=1e-3)


def test_neighbors_that_rounding_hides_are_refused(device: Host) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2_000, 10)).astype(np.float32)
    X[:, 0] = rng.integers(0, 2, len(X))
    X[:, 1:] *= np.float32(1e-4)
    with pytest.raises(Unsupported, match=r"float32 hides the neighbours of .* of the rows"):
        gpu_neighbors.find(device, X, 15)
    X[:, 1:] *= np.float32(100)
    gpu_neighbors.find(device, X, 15)
    gpu_neighbors.find(device, np.repeat(X[:20], 100, axis=0), 15)  # copies hide nothing


def test_symmetric_affinities_are_the_textbook_ones(device: Host) -> None:
    X = cloud(200)
    indices, distances = gpu_neighbors.find(device, X, 30)
    order = np.random.default_rng(0).permutation(200).astype(np.int32)
    edges = gpu_edges.symmetrize(device, indices, distances, 10.0, order)
    p = np.empty_like(distances)
    affinities._search_bandwidths(distances, 10.0, 0, 200, p)
    conditional = np.zeros((200, 200))
    np.put_along_axis(conditional, indices.astype(np.int64), p, axis=1)
    expected = ((conditional + conditional.T) / 400)[np.ix_(order, order)]
    np.testing.assert_allclose(dense(edges), expected, atol=1e-9)
    positive = expected[expected > 0]
    assert edges.negative_entropy == pytest.approx((positive * np.log(positive)).sum(), rel=1e-5)
    # No edge twice.
    assert len(edges.pairs) == np.count_nonzero((conditional + conditional.T) > 0)


def test_renumbering_moves_rows_and_columns(device: Host) -> None:
    edges = graph(device, cloud(150), 5.0)
    order = np.random.default_rng(0).permutation(150).astype(np.int32)
    moved = gpu_edges.renumbered(device, edges, order)
    np.testing.assert_array_equal(dense(moved), dense(edges)[np.ix_(order, order)])
    optimization = Map(device, edges, cloud(150, 2), numbers(150))
    before, kl = optimization.embedding(), optimization.divergence(None)
    optimization._renumber()
    np.testing.assert_allclose(optimization.embedding(), before, atol=1e-6)
    assert optimization.divergence(None) == pytest.approx(kl, rel=1e-9)
    assert not np.array_equal(optimization.order, numbers(150))


@pytest.mark.parametrize("n", [1, 2, 1023, 1024, 5000])
def test_extent_is_mean_least_and_greatest(device: Host, n: int) -> None:
    points = (np.random.default_rng(0).normal(size=(n, 2)) * [1, 1e6] + [-50, 3]).astype(np.float32)
    expected = [points.mean(axis=0, dtype=np.float64), points.min(axis=0), points.max(axis=0)]
    np.testing.assert_allclose(gpu_edges.extent(device, points), expected, rtol=1e-14)
    points[n // 2, 1] = np.nan
    assert np.isfinite(gpu_edges.extent(device, points)[0]).tolist() == [True, False]


@pytest.mark.parametrize(("n", "width"), [(1, 3), (255, 1), (256, 2), (1000, 50)])
def test_means_of_columns(n: int, width: int) -> None:
    X = (1000 + np.random.default_rng(0).normal(size=(n, width))).astype(np.float32)
    np.testing.assert_allclose(columns.means(np, X), X.mean(axis=0, dtype=np.float64), rtol=1e-15)
    assert columns.means(np, X).dtype == np.float64


def test_mortons_curve_by_hand(device: Host) -> None:
    # The four quarters in the order of a Z from (0, 0); the second quarter has a Z of its own.
    points = np.array([[3, 3], [0, 0], [0, 3], [3, 0], [2, 0], [2, 1]], np.float32)
    assert gpu_edges.morton(device, points).tolist() == [1, 4, 3, 5, 2, 0]
    assert sorted(gpu_edges.morton(device, np.zeros((4, 2), np.float32))) == [0, 1, 2, 3]


@pytest.mark.parametrize(("n", "columns", "k"), [(2, 1, 1), (40, 3, 39), (333, 20, 90), (300, 5, 200)])
def test_exact_neighbors(device: Host, n: int, columns: int, k: int) -> None:
    X = cloud(n, columns)
    X[: n // 3] = X[0]  # Copies: many equal distances.
    indices, distances = gpu_neighbors.find(device, X, k)
    true = cdist(X, X, "sqeuclidean")
    np.fill_diagonal(true, np.inf)
    assert indices.dtype == np.int32
    for i in range(n):
        assert len(set(indices[i])) == k
        assert i not in indices[i]
        np.testing.assert_allclose(np.sort(true[i])[:k], np.sort(distances[i]), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(true[i, indices[i]], distances[i], rtol=1e-4, atol=1e-5)


def test_neighbors_do_not_depend_on_the_tiles(device: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whole numbers, whose products have no rounding: the tiles alone differ.
    X = np.random.default_rng(0).integers(0, 9, (400, 6)).astype(np.float32)
    X -= X.mean(axis=0).round()
    X = np.concatenate([X, -X])
    whole = gpu_neighbors.find(device, X, 25)
    assert device.launches["nearest"] == 1
    monkeypatch.setattr(gpu_neighbors, "tile", lambda n, free: (70, 90))
    tiled = gpu_neighbors.find(device, X, 25)
    assert device.launches["nearest"] == 1 + 12 * 9
    for first, second in zip(whole, tiled, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_neighbors_name_no_place_outside_the_data_where_squares_overflow(device: Host) -> None:
    indices, _ = gpu_neighbors.find(device, cloud(40, 3) * np.float32(1e25), 5)
    assert indices.min() >= 0
    assert indices.max() < 40


def test_room_and_tiles() -> None:
    assert [gpu_neighbors.room(k) for k in (1, 90, 128, 129, 3968)] == [256, 256, 256, 512, 4096]
    with pytest.raises(Unsupported, match="3,969 neighbours are more than"):
        gpu_neighbors.room(3969)
    assert gpu_neighbors.tile(70_000, None) == (8192, 8192)
    assert gpu_neighbors.tile(5000, None) == (5000, 5000)
    rows, columns = gpu_neighbors.tile(70_000, 2**28)
    assert 4 * rows * columns <= 2**28 / 4


def test_principal_axes_are_those_of_the_singular_values(device: Host) -> None:
    X = (cloud(300, 6) * [5, 4, 3, 2, 1, 0.5]).astype(np.float32) + np.float32(50)
    mean, variances, axes, total, exact = gpu_pca.components(device, X, 6, 0)
    assert exact
    centred = X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)
    singular = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(variances, singular.S**2 / 299, rtol=1e-6)
    assert total == pytest.approx(variances.sum())
    np.testing.assert_allclose(np.abs(axes.T), np.abs(singular.Vh), atol=1e-6)
    assert (axes[np.abs(axes).argmax(axis=0), np.arange(6)] > 0).all()
    np.testing.assert_allclose(gpu_pca.scores(device, X, mean, axes[:, :2]), centred @ axes[:, :2], atol=1e-4)


def test_the_start_is_that_of_the_cpu_engine(device: Host) -> None:
    from gpu_pipeline.engines import mesh

    line = np.linspace(0, 1, 50, dtype=np.float32)[:, None]
    for X in (cloud(300), line, np.repeat(line, 3, axis=1), np.ones((50, 3), np.float32)):
        for initialization in ("pca", "random"):
            settings = TSNE(initialization=initialization)
            got, expected = gpu_tsne.start(device, X, settings, 3), mesh._start(X, settings, 3)
            assert got.dtype == np.float32
            np.testing.assert_allclose(got, expected, atol=1e-9)


@pytest.mark.parametrize("architecture", ["75", "80", "90", "100", "120"])
def test_kernels_compile_for_gpus_without_spills(architecture: str, tmp_path: Path) -> None:
    """Where CUDA's compiler is installed; it needs no GPU."""
    if shutil.which("nvcc") is None:
        pytest.skip("nvcc is not installed")
    spilled = spills(MESH, architecture, tmp_path)
    assert len(spilled) >= len(KERNELS)
    assert set(spilled) == {("0", "0", "0")}
