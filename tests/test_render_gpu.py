"""Drawing from the device: counts to the last point those of Datashader on the CPU.

Each test of `device` runs on this computer, with NumPy's arrays and the kernel compiled by a C++ compiler, and
(`pytest -m gpu`) on a real GPU.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import library, missing, usable
from cuda_host import Kernels, Program, compiler, nvcc, signatures, spills
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpu_pipeline.errors import EngineFailed, InputError, Unavailable
from gpu_pipeline.render import (
    DeviceLayer,
    Grid,
    View,
    aggregate,
    device_table,
    draw,
    fit,
    mark,
    picture,
    prepare,
    ranked,
    shade,
    spread,
)
from gpu_pipeline.render import device as there

PROGRAM = Program(there.source(), there.KERNELS)


class Host:
    """This computer as a device, see `gpu_pipeline.render.device.Device`."""

    xp: ModuleType = np

    def __init__(self, backwards: bool = False) -> None:
        self._kernels = Kernels(PROGRAM, backwards)

    def launch(self, kernel: str, items: int, *arguments: Any) -> None:
        self._kernels.launch(kernel, items, 1, arguments)

    def get(self, array: np.ndarray) -> np.ndarray:
        return np.array(array)


def host(backwards: bool = False) -> Host:
    if compiler() is None:
        missing("no C++ compiler (g++ or clang++)")
    return Host(backwards)


def gpu() -> Any:
    usable("mesh_cuda")
    from gpu_pipeline.render.gpu import Cuda

    return Cuda()


@pytest.fixture(params=["host", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> Any:
    return host() if request.param == "host" else gpu()


def columns(device: Any, points: pd.DataFrame) -> dict[str, Any]:
    """Columns of NumPy's numbers as arrays on the device, the others as they are."""
    numbers = [
        name for name in points if isinstance(points[name].dtype, np.dtype) and points[name].dtype.kind in "biuf"
    ]
    return {str(name): points[name] for name in points} | {
        str(name): device.xp.asarray(points[name].to_numpy()) for name in numbers
    }


def assert_same(grid: Grid, expected: Grid) -> None:
    np.testing.assert_array_equal(grid.counts, expected.counts)
    assert grid.counts.dtype == np.uint32
    for part, reference in ((grid.rest, expected.rest), (grid.sums, expected.sums)):
        assert (part is None) == (reference is None)
        if part is not None and reference is not None:
            np.testing.assert_allclose(part, reference, rtol=1e-14, atol=1e-300)


def table(n: int, dtype: type = np.float32, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 7, n)
    x, y = (rng.normal(scale=3, size=(2, n)) + 20 * np.array([np.cos(label), np.sin(label)])).astype(dtype)
    quality = np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)).astype(np.float32)
    when = pd.Timestamp("2024-05-01") + pd.to_timedelta(np.where(rng.random(n) < 0.1, np.nan, rng.random(n)), unit="h")
    columns = {"x": x, "y": y, "label": label, "quality": quality, "misfit": label == 3, "when": when}
    return pd.DataFrame({**columns, "took": when - when.min()})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("colour", ["label", "quality", "misfit", "when", "took", "density"])
def test_counts_sums_and_key_are_those_of_the_cpu(device: Any, colour: str, dtype: type) -> None:
    points = table(20_000, dtype)
    (layer,), there_ = prepare(points, colour=colour), device_table.prepare(device, columns(device, points), colour)
    for name in ("column", "kind", "names", "counts", "unmeasured", "time"):
        assert getattr(there_.key, name) == getattr(layer.key, name), name
    np.testing.assert_array_equal(there_.key.colours, layer.key.colours)
    assert there_.key.limits == pytest.approx(layer.key.limits, rel=1e-6)
    for window in ({}, {"x_range": (-3, 9), "y_range": (15, 16)}, {"x_range": (100, 101)}):
        view = fit(there_.frame, 300, 200, **window)
        assert view == fit(layer.frame, 300, 200, **window)
        assert_same(aggregate(there_, view), aggregate(layer, view))
    view = fit(layer.frame, 300, 200)
    pairs = [(layer, there_)] + ([(ranked(layer), ranked(there_))] if layer.key.kind == "quantity" else [])
    for pair in pairs:
        pixels = [np.asarray(shade(spread(aggregate(each, view)), each.key)) for each in pair]
        assert np.abs(pixels[0].astype(int) - pixels[1]).max() <= 1


@pytest.mark.parametrize("colour", ["label", "quality"])
def test_marked_points_are_those_of_the_cpu(device: Any, colour: str) -> None:
    points = table(3000)
    (layer,), there_ = prepare(points, colour=colour), device_table.prepare(device, columns(device, points), colour)
    selected, shown = (np.random.default_rng(seed).random(3000) < 0.6 for seed in (1, 2))
    before = device.get(there_.frame["ink"])
    for masks in ((selected, None), (None, shown), (selected, shown), (np.zeros(3000, bool), shown)):
        view = fit(layer.frame, 90, 80)
        marked = mark(there_, *(None if mask is None else device.xp.asarray(mask) for mask in masks))
        assert_same(aggregate(marked, view), aggregate(mark(layer, *masks), view))
    np.testing.assert_array_equal(device.get(there_.frame["ink"]), before)
    assert mark(there_) is there_
    with pytest.raises(InputError, match="mask is of 3 points and the map has 3,000"):
        mark(there_, selected[:3])


def on_edges(low: float, high: float, pixels: int, dtype: type) -> np.ndarray:
    """Coordinates on the edges of a window's pixels, and the numbers beside them."""
    edges = (low + (high - low) / pixels * np.arange(pixels + 1)).astype(dtype)
    return np.concatenate([edges, *(np.nextafter(edges, dtype(end)) for end in (-np.inf, np.inf))])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0.0, 1.0),
        (-1 / 3, 2 / 3),
        (-0.1, 0.2),
        (1e6, 1e6 + 7),  # deep: a pixel is near float32's spacing
        (123456.789, 123456.7890001),  # and near float64's
        (-1e30, 3e30),
        (-1e-30, 1e-31),
    ],
)
@pytest.mark.parametrize("pixels", [(1, 1), (7, 800), (333, 97)])
def test_points_on_edges_fall_to_the_same_side(
    device: Any, low: float, high: float, pixels: tuple[int, int], dtype: type
) -> None:
    x, y = (on_edges(low, high, size, dtype) for size in pixels)
    rng = np.random.default_rng(0)
    points = pd.DataFrame({"x": rng.choice(x, 5000), "y": rng.choice(y, 5000)})
    points = pd.concat([points, pd.DataFrame({"x": [low, high, low, high], "y": [low, high, high, low]}).astype(dtype)])
    (layer,) = prepare(points, colour="density")
    view = View((low, high), (low, high), *pixels)
    grid = aggregate(device_table.prepare(device, columns(device, points), "density"), view)
    assert_same(grid, aggregate(layer, view))
    assert grid.counts.sum() > 100 or dtype == np.float32  # which may have no number between two borders


@settings(max_examples=150)
@given(
    st.sampled_from([np.float32, np.float64]),
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20),
    st.floats(-1e6, 1e6),
    st.floats(-9, 6),
    st.integers(1, 900),
)
@example(np.float64, [1.0], 1.0, -9.0, 900)
def test_any_window_counts_the_same(dtype: Any, at: list[float], low: float, size: float, pixels: int) -> None:
    high = low + 10.0**size
    if not low < high:
        return
    x = np.array([*at, low, high, (low + high) / 2, *on_edges(low, high, pixels, dtype)[:50]]).astype(dtype)
    points = pd.DataFrame({"x": x, "y": x[::-1]})
    (layer,), view = prepare(points, colour="density"), View((low, high), (low, high), pixels, pixels)
    assert_same(
        aggregate(device_table.prepare(host(), columns(Host(), points), "density"), view), aggregate(layer, view)
    )


def test_a_window_narrower_than_rounding_writes_nowhere_else() -> None:
    """Datashader itself would write outside its grid; here every point in the window is counted somewhere."""
    at = 1e15
    ends = (at, np.nextafter(at, np.inf))
    layer = device_table.prepare(host(), {"x": np.array(ends), "y": np.array([0.0, 1.0])}, "density")
    for height in (1, 1000):
        counts = aggregate(layer, View(ends, (0.0, np.nextafter(0.0, 1.0)), 16_384, height)).counts
        assert counts.sum() == 1
    assert aggregate(layer, View(ends, (0.0, 1.0), 16_384, 3)).counts.sum() == 2


@pytest.mark.parametrize(
    "label",
    [
        np.array([2, 0, 2, 1], np.uint8),
        np.array([-5, 2**40, 7, 7]),
        np.array([2.0, 0, np.nan, 2]),
        np.array([np.nan] * 4),
        np.array([True, False, True, True]),
        np.array(["b", "a", None, "b"], dtype=object),
        pd.Categorical(["lo", "hi", None, "hi"], categories=["lo", "hi", "none"]),
        pd.array([1, None, 2, 1], dtype="Int64"),
        pd.array([3, 1, 2, 1], dtype="Int64"),
        pd.array([True, None, False, True], dtype="boolean"),
    ],
    ids=lambda label: str(label.dtype),
)
def test_labels_of_any_kind_are_the_cpus_classes(device: Any, label: Any) -> None:
    points = pd.DataFrame({"x": [0.0, 1, 2, 3], "y": 0.0, "label": label})
    (layer,) = prepare(points, colour="label")
    made = device_table.prepare(device, columns(device, points), "label")
    assert (made.key.names, made.key.counts, made.key.kind) == (layer.key.names, layer.key.counts, layer.key.kind)
    np.testing.assert_array_equal(made.key.colours, layer.key.colours)
    view = View((-0.5, 3.5), (-0.5, 0.5), 4, 1)
    assert_same(aggregate(made, view), aggregate(layer, view))


def test_a_nullable_column_is_a_quantity(device: Any) -> None:
    points = table(300)
    points["quality"] = points["quality"].astype("Float32")
    (layer,), made = prepare(points, colour="quality"), device_table.prepare(device, columns(device, points), "quality")
    assert made.key.kind == layer.key.kind == "quantity"
    assert made.key.unmeasured == layer.key.unmeasured > 0
    view = fit(layer.frame, 20, 20)
    assert_same(aggregate(made, view), aggregate(layer, view))


@pytest.mark.parametrize("kind", [np.int64, np.float64])
def test_large_numbers_that_lie_close_together_are_those_of_the_cpu(device: Any, kind: type) -> None:
    points = pd.DataFrame({"x": np.arange(1_000.0), "y": 0.0, "when": 1_700_000_000_000 + 60 * np.arange(1_000)})
    points["when"] = points["when"].astype(kind)
    (layer,), made = prepare(points, colour="when"), device_table.prepare(device, columns(device, points), "when")
    assert (made.key.base, made.key.limits) == (layer.key.base, layer.key.limits)
    assert made.key.base > 0
    view = fit(layer.frame, 1_000, 20)
    assert_same(aggregate(made, view), aggregate(layer, view))


def test_more_classes_than_inks_share_them(device: Any) -> None:
    label = np.arange(1000) % 300
    points = pd.DataFrame({"x": np.cos(label), "y": np.sin(label), "cluster": label, "size": label, "part": label % 9})
    for colour, kind in (("cluster", "classes"), ("size", "quantity"), ("part", "classes")):
        (layer,), made = prepare(points, colour=colour), device_table.prepare(device, columns(device, points), colour)
        assert made.key.kind == layer.key.kind == kind
        assert (made.key.names, made.key.counts) == (layer.key.names, layer.key.counts)
        view = fit(layer.frame, 100, 100)
        assert_same(aggregate(made, view), aggregate(layer, view))


def test_sums_are_exact_whatever_their_size(device: Any) -> None:
    for values in ([1e30, 1.0, 2.0, -3.0], [3e38] * 4, [1e-40, 2e-40, 0, -1e-40], [0.0] * 4, [-1.0, -2, -4, 0.5]):
        points = pd.DataFrame({"x": [0.0, 1, 1, 1], "y": 0.0, "quality": np.array(values, np.float32)})
        view, (layer,) = View((-0.5, 1.5), (-0.5, 0.5), 2, 1), prepare(points, colour="quality")
        made, expected = (
            aggregate(each, view).sums
            for each in (device_table.prepare(device, columns(device, points), "quality"), layer)
        )
        assert made is not None
        assert expected is not None
        np.testing.assert_allclose(made, expected, rtol=1e-15, atol=float(np.abs(values).max()) * 2.0**-100)


def test_the_order_of_blocks_changes_no_byte() -> None:
    points = table(4000)
    made = [device_table.prepare(host(backwards), columns(Host(), points), "quality") for backwards in (False, True)]
    grids = [aggregate(each, fit(each.frame, 30, 30)) for each in made]
    assert grids[0].sums is not None
    assert grids[1].sums is not None
    assert grids[0].sums.tobytes() == grids[1].sums.tobytes()


@pytest.mark.parametrize("colour", ["label", "density", "quality"])
@pytest.mark.parametrize("n", [0, 1])
def test_no_points_and_one(device: Any, colour: str, n: int) -> None:
    points = table(1)[:n]
    (layer,), made = prepare(points, colour=colour), device_table.prepare(device, columns(device, points), colour)
    view = fit(layer.frame, 20, 20)
    assert fit(made.frame, 20, 20) == view
    assert_same(aggregate(made, view), aggregate(layer, view))
    assert (made.key.names, len(made)) == (layer.key.names, n)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: {**p, "x": np.where(np.arange(20) == 7, np.nan, p["x"])}, "1 of 20 values of x .* point 7"),
        (lambda p: {**p, "y": np.full(20, -np.inf)}, "20 of 20 values of y"),
        (lambda p: {**p, "y": np.array(["far"] * 20)}, "does not hold numbers"),
        (lambda p: {**p, "y": p["y"][:3]}, "20 values of x and 3 of y"),
        (lambda p: {"x": p["x"], "label": p["label"]}, "no column 'y'"),
        (lambda p: {"x": p["x"], "y": p["y"], "labels": p["label"]}, "did you mean 'labels'"),
    ],
)
def test_points_that_cannot_be_drawn(change: Callable[[dict[str, Any]], dict[str, Any]], words: str) -> None:
    with pytest.raises(InputError, match=words):
        device_table.prepare(
            host(), change({name: table(20)[name].to_numpy() for name in ("x", "y", "label")}), "label"
        )


def test_memory_that_runs_out_is_said_with_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    made = device_table.prepare(host(), columns(Host(), table(70)), "label")
    view = fit(made.frame, 20, 20)

    def run_out(self: Host, *_: Any) -> None:
        raise MemoryError("Out of memory allocating 512 bytes")

    monkeypatch.setattr(Host, "launch", run_out)
    with pytest.raises(EngineFailed, match=r"^memory ran out in counting points of 70 x 2 values \(Out of memory all"):
        aggregate(made, view)


def test_arrays_by_name_are_drawn_as_a_table_is() -> None:
    points = table(300)
    arrays = {name: points[name].to_numpy() for name in points}
    np.testing.assert_array_equal(np.asarray(draw(arrays, "label")), np.asarray(draw(points, "label")))


def test_draw_and_picture_take_points_from_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    points = table(300)
    monkeypatch.setattr(device_table, "device_of", lambda table: host() if isinstance(table, dict) else None)
    for colour in ("label", "quality"):
        assert isinstance(prepare(columns(Host(), points), colour=colour)[0], DeviceLayer)
        for made in (
            lambda p, c=colour: draw(p, c),
            lambda p, c=colour: picture(p, c, title="t", width=500, height=400),
        ):
            pixels = [np.asarray(made(each)).astype(int) for each in (points, columns(Host(), points))]
            assert np.abs(pixels[0] - pixels[1]).max() <= 1
    with pytest.raises(InputError, match="drawn one at a time"):
        prepare({"x": 1}, {"x": 1}, colour="density")


def test_the_benchmark_draws_from_the_device_or_says_why_not() -> None:
    from benchmarks.cases import Draw
    from benchmarks.pictures import render, render_there
    from benchmarks.work import Job

    try:
        engine = render_there()
    except Unavailable as reason:
        assert str(reason)  # noqa: PT017
        return
    X, job = table(1000)[["x", "y"]].to_numpy().T.copy(), Job(Draw(), labels=np.arange(1000, dtype=np.int8) % 10)
    made, expected = engine.run(engine.put(X), job), render().run(X, job)
    np.testing.assert_array_equal(made.arrays["picture"], expected.arrays["picture"])
    assert made.stages.keys() == expected.stages.keys()


def test_driver_and_kernels_name_the_same() -> None:
    assert set(signatures(there.source())) == set(there.KERNELS)


@pytest.mark.parametrize("architecture", ["75", "80", "90", "100", "120"])
def test_kernels_compile_for_gpus_without_spills_or_fused_pixels(architecture: str, tmp_path: Path) -> None:
    """Where CUDA's compiler is installed. Products and sums of a coordinate must not become one instruction."""
    if shutil.which("nvcc") is None:
        pytest.skip("nvcc is not installed")
    assert set(spills(PROGRAM, architecture, tmp_path)) == {("0", "0", "0")}
    ptx = tmp_path / "kernels.ptx"
    subprocess.run([*nvcc(architecture), "-ptx", str(tmp_path / "kernels.cu"), "-o", str(ptx)], check=True)
    text = ptx.read_text()
    assert len(re.findall(r"\.entry count_", text)) == len(there.KERNELS)
    assert "mul.rn.f64" in text
    assert "add.rn.f64" in text
    assert "fma." not in text
    assert ".ftz" not in text


@pytest.mark.gpu
@pytest.mark.slow
def test_a_hundred_million_points_are_counted_as_by_the_cpu() -> None:
    device, n = gpu(), 100_000_000
    rng = np.random.default_rng(0)
    points = pd.DataFrame(
        {"x": rng.random(n, np.float32), "y": rng.random(n, np.float32), "label": rng.integers(0, 10, n, np.int8)}
    )
    (layer,), made = prepare(points, colour="label"), device_table.prepare(device, columns(device, points), "label")
    view = fit(layer.frame, 800, 800)
    assert_same(aggregate(made, view), aggregate(layer, view))


@pytest.mark.gpu
@pytest.mark.parametrize("colour", ["label", "name", "quality", "count", "share", "known", "when", "took"])
def test_frames_of_cudf_are_drawn_as_those_of_pandas(colour: str) -> None:
    gpu()
    cudf = library("cudf")
    points = table(5000)
    points["name"] = pd.Categorical(points["label"].map(lambda label: f"class {label}"))
    points["count"] = points["label"].where(points["label"] > 2).astype("Int64")
    points["share"] = points["quality"].astype("Float64")
    points["y"] = points["y"].astype("Float64")
    points["known"] = (points["label"] > 2).astype("boolean").mask(points["label"] == 5)
    frame = cudf.from_pandas(points)
    (layer,), (made,) = prepare(points, colour=colour), prepare(frame, colour=colour)
    assert isinstance(made, DeviceLayer)
    view = fit(layer.frame, 200, 200)
    assert_same(aggregate(made, view), aggregate(layer, view))


@pytest.mark.gpu
def test_arrays_of_cupy_are_drawn_on_the_gpu() -> None:
    device, points = gpu(), table(5000)
    (made,) = prepare(columns(device, points), colour="label")
    assert isinstance(made, DeviceLayer)
    np.testing.assert_array_equal(np.asarray(draw(columns(device, points))), np.asarray(draw(points)))
