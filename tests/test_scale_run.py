"""Whole runs by Dask in processes of their own, killed and disturbed: the same bytes as an undisturbed one."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from pyarrow import parquet

from gpu_pipeline import InputError, Run, load, open_run, pipeline, report, scoring, store
from gpu_pipeline.cli.making import _bytes
from gpu_pipeline.dashboard import search
from gpu_pipeline.dashboard.side.point_card import point
from gpu_pipeline.dashboard.stored import open_stored, rows_of
from gpu_pipeline.datasets.making import make_digits
from gpu_pipeline.recipe import Data, make
from gpu_pipeline.scale import memory, picture, source
from gpu_pipeline.scale.cluster import Where
from gpu_pipeline.scale.run import run
from gpu_pipeline.scale.source import open_source

ROWS, PARTITIONS, LANDMARKS = 5_000, 10, 400
LEAST = 30  # Seconds that nothing here should take; a test that waits longer has failed.


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "few.parquet"
    make_digits(folder, ROWS, partition=512)
    return folder


def command(data: Path, out: Path, *more: str) -> list[str]:
    settings = ["--landmarks", str(LANDMARKS), "--perplexity", "10", "--iterations", "250", "--seed", "1"]
    return [sys.executable, "-m", "gpu_pipeline", "run", "--data", str(data), "--out", str(out), *settings, *more]


def started(data: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command(data, out, *more), stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def finished(
    data: Path, out: Path, *more: str, limit: Callable[[], None] | None = None, cwd: Path | None = None
) -> tuple[int, str]:
    done = subprocess.run(command(data, out, *more), capture_output=True, text=True, preexec_fn=limit, cwd=cwd)
    return done.returncode, done.stderr


def work(out: Path) -> Path:
    """The folder of the work that is not finished."""
    (folder,) = out.glob(".scale-*")
    return folder


def receipts(out: Path, step: str) -> list[Path]:
    return list(out.glob(f".scale-*/{step}/part-*.json"))


def wait_for(process: subprocess.Popen[str], condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 4 * LEAST
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Dask's workers: the children that are no helpers of multiprocessing."""
    return [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "spawn_main" in " ".join(child.cmdline())
    ]


def kill_all(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def content(out: Path) -> dict[str, str]:
    """What a run came to, apart from times: SHA-256 of its tables and picture, its scores, most of its record."""
    (where,) = store.list_runs(out)
    files = [*where.glob("points.parquet/*"), where / "map.png", where / "scores.json", where / "recipe.toml"]
    files += [*where.glob("landmarks/points.parquet"), *where.glob("landmarks/*.npy"), *where.glob("landmarks/*/*.npy")]
    found = {str(path.relative_to(where)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    record = json.loads((where / "record.json").read_text())
    for name in ("seconds", "created", "machine"):
        del record[name]
    return {**found, "record": json.dumps(record), "name": where.name}


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, int]:
    """The store of a run by two workers, the memory that it was allowed, and the most that its processes had."""
    out = tmp_path_factory.mktemp("undisturbed")
    found = open_source(Data(name=str(data)))
    allowed = memory.parent_needs(found, LANDMARKS, 50) + 2 * memory.worker_needs(found, LANDMARKS, 50)
    process, most = started(data, out, "--memory", str(allowed), "--workers", "2"), 0
    own = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            together = [own, *own.children(recursive=True)]
            most = max(most, sum(each.memory_info().rss for each in together))
        except psutil.NoSuchProcess:
            pass
        time.sleep(0.05)
    assert process.returncode == 0, process.communicate()[1]
    process.communicate()
    return out, allowed, most


@pytest.fixture(scope="module")
def made(undisturbed: tuple[Path, int, int]) -> Run:
    (where,) = store.list_runs(undisturbed[0])
    return open_run(where)


def test_memory_is_bounded_by_the_flag(undisturbed: tuple[Path, int, int]) -> None:
    _, allowed, most = undisturbed
    assert 0.3 * allowed < most < allowed  # RSS counts shared libraries once for each process


def test_nothing_but_the_run_is_left(undisturbed: tuple[Path, int, int]) -> None:
    assert [path.name for path in undisturbed[0].iterdir()] == [store.list_runs(undisturbed[0])[0].name]


def test_all_rows_have_a_place_and_landmarks_their_own(made: Run, data: Path) -> None:
    points, whole = made.points, load(str(data))
    assert points.columns.tolist() == ["row", "x", "y", "label", "cluster", "neighbor_recall", "misfit"]
    np.testing.assert_array_equal(points["row"], np.arange(ROWS))
    np.testing.assert_array_equal(points["label"], whole.y)
    landmarks = made.landmarks()
    np.testing.assert_array_equal(landmarks.points["row"], load(str(data), sample=LANDMARKS, seed=1).rows)
    np.testing.assert_array_equal(landmarks.embedding, made.embedding[landmarks.points["row"]])
    assert landmarks.record.recipe.data.sample == LANDMARKS
    # The others lie where the landmarks' map puts them, whoever asks.
    some = np.setdiff1d(np.arange(0, ROWS, 37), landmarks.points["row"])
    np.testing.assert_array_equal(made.transform(whole.X[some]), made.embedding[some])


def test_scores_are_those_of_the_judge(made: Run, data: Path) -> None:
    whole, clusters = load(str(data)), made.points["cluster"].to_numpy()
    features = made.reference.features_of(whole.X)
    judged = scoring.score(features, made.embedding, clusters, whole.y, perplexity=10)
    for name, value in judged.values.items():
        if name == "kl":
            assert made.scores.values[name] is None
        else:
            assert made.scores.values[name] == pytest.approx(value, rel=1e-9), name
            assert made.scores.sizes[name] == judged.sizes[name], name
    np.testing.assert_array_equal(made.points["neighbor_recall"], judged.neighbor_recall)
    np.testing.assert_array_equal(made.points["misfit"], judged.misfit)
    assert made.scores.confusion == judged.confusion
    assert judged.values["label_accuracy"] is not None
    assert judged.values["label_accuracy"] > 0.9  # by chance 0.1


@pytest.mark.parametrize("text", [False, True])
def test_rows_may_have_no_label(text: bool, tmp_path: Path) -> None:
    """In one of three partitions all have a label, in one some, and in one none."""
    y = np.arange(1500) % 3
    X = np.random.default_rng(0).normal(size=(1500, 6)) + 9 * np.eye(6)[y]
    missing = np.arange(1500) >= np.where(np.arange(1500) % 7, 500, 1000)
    given = np.array(["a", "b", "c"])[y] if text else y
    (tmp_path / "data").mkdir()
    for i, rows in enumerate((slice(0, 500), slice(500, 1000), slice(1000, 1500))):
        columns = {f"x{j}": X[rows, j] for j in range(6)} | {"kind": pa.array(given[rows], mask=missing[rows])}
        parquet.write_table(pa.table(columns), tmp_path / "data" / f"{i}.parquet")
    recipe = make(
        {
            "data": {"name": str(tmp_path / "data"), "landmarks": 300, "label_column": "kind"},
            "embed": {"method": "pca"},
            "reduce": {"n_components": 4},
            "cluster": {"n_clusters": 3},
        }
    )
    made = open_run(run(recipe, Where(4 * 10**9, 1), tmp_path / "runs"))
    lacking = f"data: {missing.sum()} of 1,500 rows have no label; scores by label are over the others."
    assert made.record.notes[0] == lacking
    points, whole = made.points, load(str(tmp_path / "data"), label_column="kind")
    assert_array_equal(points["label"].isna(), missing)
    assert_array_equal(points["misfit"].isna(), missing)
    assert_array_equal(points["label"][~missing], given[~missing])
    features = made.reference.features_of(whole.X)
    judged = scoring.score(features, made.embedding, points["cluster"].to_numpy(), whole.y)
    assert {**made.scores.values, "kl": judged.values["kl"]} == pytest.approx(judged.values, rel=1e-9)
    assert {**made.scores.sizes, "kl": 1500} == judged.sizes
    assert_array_equal(points["misfit"][~missing], np.ma.getdata(judged.misfit)[~missing])
    assert made.scores.confusion == judged.confusion
    assert made.path is not None
    assert_array_equal(np.asarray(Image.open(made.path / "map.png")), np.asarray(made.draw()))
    assert made.landmarks().points["label"].isna().any()


def test_columns_go_with_the_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one kind in all partitions, of which one lacks some values, and as they are when the run ends."""
    n, half = 600, 300
    rows = np.arange(n)
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(n, 3)), columns=list("abc")).assign(
        title=[f"thing {row}" for row in rows],
        batch=pd.Categorical(np.where(rows < half, "first", "second")),
        stars=pd.array(np.where((rows >= half) & (rows % 7 == 0), None, 2**53 + rows), "Int64"),
        seen=pd.array(np.where((rows >= half) & (rows % 5 == 0), None, rows % 2 == 1), "boolean"),
        day=pd.Timestamp("2024-01-01") + pd.to_timedelta(rows, "D"),
        spent=pd.to_timedelta(rows, "min"),
    )
    keep, place = list(frame)[3:], tmp_path / "data"
    place.mkdir()
    for i, part in enumerate((frame[:half], frame[half:])):
        part.to_parquet(place / f"{i}.parquet")
    data = {"name": str(place), "landmarks": 200, "keep": keep}
    recipe = make({"data": data, "embed": {"method": "pca"}, "reduce": {"n_components": 2}})

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(picture, "draw", stop)
        with pytest.raises(KeyboardInterrupt):
            run(recipe, Where(4 * 10**9, 1), tmp_path / "runs")
    frame.loc[7, "title"] = "another name"
    frame[:half].to_parquet(place / "0.parquet")
    made = open_run(run(recipe, Where(4 * 10**9, 1), tmp_path / "runs"))
    whole = load(str(place), keep=keep).kept
    assert whole is not None
    assert made.points.columns.tolist() == ["row", "x", "y", "cluster", "neighbor_recall", *keep]
    for column in keep:
        assert made.points[column].isna().tolist() == whole[column].isna().tolist()
        assert made.points[column].dropna().tolist() == whole[column].dropna().tolist()
    opened = open_stored(tmp_path / "runs", made.path.name if made.path else "")
    assert opened.layer("batch").key.names == ("first", "second")
    assert opened.layer("day").key.time
    assert opened.layer("spent").key.kind == "quantity"
    assert np.flatnonzero(search.found(opened.points, "another name")).tolist() == [7]


@pytest.mark.parametrize(("how", "dtype"), [("standardize", "float32"), ("unit", "uint8")])
def test_landmarks_and_others_are_prepared_alike(
    how: Any, dtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Placed rows have the place that a run in memory gives them."""
    monkeypatch.setattr(source, "ROWS", 250)
    X = (np.random.default_rng(0).normal(size=(900, 6)) * [1, 2, 5, 10, 20, 50] + 100).astype(dtype)
    np.save(tmp_path / "x.npy", X)
    asked = {"preprocess": how, "embed": {"method": "pca"}, "reduce": {"n_components": 0}}
    by_dask = open_run(
        run(make({**asked, "data": {"name": str(tmp_path / "x.npy"), "landmarks": 900}}), Where(4 * 10**9, 1), tmp_path)
    )
    assert by_dask.record.preprocess == how
    in_memory = pipeline.run(make({**asked, "data": {"name": str(tmp_path / "x.npy")}}))
    np.testing.assert_allclose(by_dask.embedding, in_memory.embedding, atol=1e-4)


def test_labels_that_no_row_has(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"x": np.arange(500.0), "kind": pa.nulls(500, pa.string())}), tmp_path / "t.parquet")
    data = {"name": str(tmp_path / "t.parquet"), "landmarks": 300, "label_column": "kind"}
    with pytest.raises(InputError, match="no row of t has a label: leave the labels out"):
        run(make({"data": data}), Where(4 * 10**9, 1), tmp_path)


def test_k_means_has_converged_on_all_rows(made: Run) -> None:
    facts, points = made.record.facts["cluster"], made.embedding.astype(np.float64)
    assert facts["converged"]
    clusters = made.points["cluster"].to_numpy()
    centers = np.stack([points[clusters == each].mean(axis=0) for each in range(10)])
    away = ((points[:, None] - centers) ** 2).sum(axis=2)
    assert (away.argmin(axis=1) == clusters).mean() > 0.999
    assert facts["inertia"] == pytest.approx(away[np.arange(ROWS), clusters].sum(), rel=1e-3)


def test_the_picture_is_that_of_the_points(made: Run) -> None:
    assert made.path is not None
    np.testing.assert_array_equal(np.asarray(Image.open(made.path / "map.png")), np.asarray(made.draw()))


def test_it_is_a_run_like_others(made: Run) -> None:
    assert made.path is not None
    out, name = made.path.parent, made.path.name
    assert report.row(made.path)["n"] == ROWS
    assert rows_of(out)[0]["fault"] == ""
    assert made.title()[1] == f"5,000 points, {LANDMARKS} landmarks, engine mesh"
    opened = open_stored(out, name)
    assert "The images of a map of landmarks" in opened.why_no_images()
    card = point(opened, 7, held=False)
    assert "Nearest" not in card
    assert opened.layer("misfit").key.counts
    with pytest.raises(InputError, match="keeps no features of all its rows"):
        report.rescore(made)
    with pytest.raises(InputError, match="copy its folder"):
        store.save(made, out)


def test_stopped_then_killed_then_a_worker_killed_and_by_another_number_of_workers(
    data: Path, undisturbed: tuple[Path, int, int], tmp_path: Path
) -> None:
    process = started(data, tmp_path, "--workers", "1")
    wait_for(process, lambda: receipts(tmp_path, "survey"))
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does, to all processes of the terminal
    _, said = process.communicate(timeout=LEAST)
    assert process.returncode == 130
    assert "stopped; the same command goes on from what is kept in" in said

    process = started(data, tmp_path, "--workers", "1")
    wait_for(process, lambda: len(receipts(tmp_path, "placed")) > 1)
    os.killpg(process.pid, signal.SIGSTOP)  # it has the folder still
    code, said = finished(data, tmp_path, "--workers", "1")
    assert code == 2
    assert f"the process {process.pid} makes this very run already" in said
    kill_all(process)
    kept = {path: path.stat().st_mtime_ns for path in receipts(tmp_path, "placed")}
    assert 0 < len(kept) < PARTITIONS
    shown = json.loads((work(tmp_path) / "progress.json").read_text())
    assert shown["step"] == "place"
    assert shown["partitions"] == PARTITIONS
    assert "of 10" in (work(tmp_path) / "progress.html").read_text()

    process = started(data, tmp_path, "--workers", "1")
    wait_for(process, lambda: len(receipts(tmp_path, "placed")) > len(kept))
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "what was done is not done again"
    for worker in workers_of(process):
        worker.kill()
    _, said = process.communicate(timeout=4 * LEAST)
    assert process.returncode == 0, said
    assert "1 worker was lost and replaced" in said
    assert content(tmp_path) == content(undisturbed[0])


def test_a_full_disk_and_then_a_damaged_partition(
    data: Path, undisturbed: tuple[Path, int, int], tmp_path: Path
) -> None:
    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))

    code, said = finished(data, tmp_path, "--workers", "1", limit=no_large_files)
    assert code == 2
    assert "cannot write to" in said
    assert "free some space" in said
    assert len(said.strip().splitlines()) == 2, "where progress is shown, and what went wrong"
    assert not list(work(tmp_path).glob("survey/*part-*"))

    damaged = data / "part-00006.parquet"
    whole = damaged.read_bytes()
    try:
        middle = len(whole) // 3
        damaged.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
        code, said = finished(data, tmp_path, "--workers", "2")
        assert code == 2
        assert f"{damaged}, row group 0 cannot be read" in said
        assert "put a whole copy in its place" in said
        kept = {path: path.stat().st_mtime_ns for path in receipts(tmp_path, "survey")}
        assert 0 < len(kept) < PARTITIONS
    finally:
        damaged.write_bytes(whole)
    code, said = finished(data, tmp_path, "--workers", "2")
    assert code == 0, said
    assert "begins anew" not in said
    assert content(tmp_path) == content(undisturbed[0])


def test_other_data_under_the_same_name_begin_anew(data: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.parquet"
    make_digits(mine, 1_000, seed=1, partition=512)
    process = started(mine, tmp_path / "runs", "--workers", "1")
    wait_for(process, lambda: len(receipts(tmp_path / "runs", "survey")) == 2)
    kill_all(process)
    other = tmp_path / "other.parquet"
    make_digits(other, 1_000, seed=2, partition=512)
    for path in other.iterdir():
        path.replace(mine / path.name)
    process = started(mine, tmp_path / "runs", "--workers", "1")
    wait_for(process, lambda: (work(tmp_path / "runs") / "surveyed.json").is_file())
    kill_all(process)
    with np.load(work(tmp_path / "runs") / "landmark-rows.npz") as kept:
        expected = load(str(mine), sample=LANDMARKS, seed=1)
        np.testing.assert_array_equal(kept["X"], expected.X)


def test_a_cluster_that_exists(data: Path, undisturbed: tuple[Path, int, int], tmp_path: Path) -> None:
    path = os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]))
    place = tmp_path / "scheduler.json"
    options = {"env": {**os.environ, "PYTHONPATH": path}, "start_new_session": True}
    options |= {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    shared = ["--scheduler-file", str(place), "--no-dashboard"]
    scheduler = subprocess.Popen([*dask, "scheduler", *shared, "--port", "0"], **options)  # type: ignore[call-overload]
    worker = subprocess.Popen(  # type: ignore[call-overload]
        [*dask, "worker", *shared, "--nthreads", "1", "--local-directory", str(tmp_path)], **options
    )
    try:
        while not place.is_file() or not place.read_text():
            time.sleep(0.05)
        address = json.loads(place.read_text())["address"]
        code, said = finished(data, Path("runs"), "--scheduler", address, cwd=tmp_path)  # the worker is elsewhere
    finally:
        for process in (worker, scheduler):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert code == 0, said
    assert content(tmp_path / "runs") == content(undisturbed[0])


@pytest.mark.parametrize(
    ("landmarks", "embed", "megabytes", "said"),
    [
        (400, {"perplexity": 10}, 300, "1 worker and this process need .* but --memory is 300.00 MB"),
        (6000, {}, 9000, "6,000 landmarks cannot be drawn from 5,000 rows"),
        (20, {"perplexity": 10}, 9000, "20 rows are too few for perplexity 10"),
        (400, {"method": "umap"}, 9000, "a map by UMAP takes no new rows"),
        (None, {}, 9000, "say how many with --landmarks"),
    ],
)
def test_what_cannot_work_is_refused(
    data: Path, tmp_path: Path, landmarks: int | None, embed: dict[str, Any], megabytes: int, said: str
) -> None:
    recipe = make({"data": {"name": str(data), "landmarks": landmarks}, "embed": embed})
    with pytest.raises(InputError, match=said):
        run(recipe, Where(megabytes * 10**6), tmp_path)
    assert not store.list_runs(tmp_path)


def test_rows_are_drawn_once() -> None:
    with pytest.raises(InputError, match="sample is 100 and landmarks 10"):
        make({"data": {"landmarks": 10, "sample": 100}})


def test_sizes_of_memory() -> None:
    assert [_bytes(text) for text in ("4GB", "512 MiB", "1e9", "2g")] == [4 * 10**9, 2**29, 10**9, 2 * 10**9]
    for text in ("much", "", "4 bananas", "GB"):
        with pytest.raises(InputError, match="give a size like 4GB"):
            _bytes(text)


def test_no_scheduler_answers(data: Path, tmp_path: Path) -> None:
    code, said = finished(data, tmp_path, "--scheduler", "tcp://127.0.0.1:9")
    assert code == 2
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in said


def test_without_dask_the_message_names_the_extra(data: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['dask'] = None; from gpu_pipeline.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, *command(data, tmp_path)[3:]], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'gpu-pipeline[dask]'" in done.stderr


def test_flags_that_need_landmarks(tmp_path: Path) -> None:
    settings = ["run", "--data", "digits", "--sample", "100", "--memory", "1GB", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, "-m", "gpu_pipeline", *settings], capture_output=True, text=True)
    assert done.returncode == 2
    assert "--memory, --workers and --scheduler are for runs with --landmarks" in done.stderr
