"""Runs on disk: whole or not there at all, whatever happens to the writer."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import time
from dataclasses import replace
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from gpu_pipeline.errors import InputError
from gpu_pipeline.recipe import make
from gpu_pipeline.record import Record, Run
from gpu_pipeline.scoring import Scores
from gpu_pipeline.store import (
    FILES,
    find,
    folder_name,
    list_runs,
    open_run,
    replace_file,
    save,
    stored_in,
    writable,
    write_scores,
)

# Fresh interpreters: forking a process that has threads (pyarrow's) is not safe.
spawn = multiprocessing.get_context("spawn")


def make_run(n: int = 50, labels: bool = True, seed: int = 0) -> Run:
    """A run as the pipeline makes it, out of random numbers; its picture is one grey pixel."""
    rng = np.random.default_rng(seed)
    recall = rng.random(n, dtype=np.float32)
    recall[0] = np.nan
    misfit = rng.random(n) < 0.1 if labels else None
    points = {
        "row": np.sort(rng.choice(10 * n, n, replace=False)),
        **dict(zip("xy", rng.normal(size=(2, n)).astype(np.float32), strict=True)),
        **({"label": rng.integers(0, 10, n)} if labels else {}),
        "cluster": rng.integers(0, 10, n, dtype=np.int32),
        "neighbor_recall": recall,
        **({"misfit": misfit} if labels else {}),
    }
    record = Record(
        recipe=make({"data": {"name": "Some Data", "sample": n}, "seed": seed}),
        dataset={"name": "Some Data", "source": "rng", "n": n, "total": 10 * n, "columns": 7, "digest": "0" * 64},
        preprocess="none",
        engines={"reduce": "scikit_learn", "embed": "scikit_learn", "cluster": "scikit_learn"},
        skipped={"rapids": "no GPU"},
        seconds={"load": 0.1, "embed": 1.5},
        transfer={"embed": 0.0},
        facts={"embed": {"iterations": 1000}},
        notes=["a note"],
        machine={"cpu": "a processor"},
        created="2026-01-01T00:00:00+00:00",
    )
    scores = Scores(
        values={"kl": 1.25, "accuracy": None},
        sizes={"kl": n},
        neighbor_recall=recall,
        misfit=misfit,
        confusion=None,
        engine="scikit_learn",
    )
    features = rng.normal(size=(n, 7)).astype(np.float32)
    return Run(record, pd.DataFrame(points), features, scores, _picture=Image.new("L", (1, 1), 128))


def assert_same(first: Run, second: Run) -> None:
    pd.testing.assert_frame_equal(first.points, second.points)
    for one, other in [(first.features, second.features), (first.embedding, second.embedding)]:
        assert one.dtype == other.dtype == np.float32
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(first.scores.neighbor_recall, second.scores.neighbor_recall)
    assert (first.scores.misfit is None) == (second.scores.misfit is None)
    if first.scores.misfit is not None:
        np.testing.assert_array_equal(first.scores.misfit, second.scores.misfit)
    assert first.scores.to_json() == second.scores.to_json()
    assert first.record == second.record


def assert_whole(folder: Path, expected: Run) -> int:
    """Every run that the store shows is whole; gives how many there are."""
    runs = list_runs(folder)
    for where in runs:
        assert_same(open_run(where), expected)
        with Image.open(where / FILES["picture"]) as picture:
            picture.load()
    return len(runs)


@pytest.mark.parametrize("labels", [True, False])
def test_a_run_comes_back_as_it_was(tmp_path: Path, labels: bool) -> None:
    run = make_run(labels=labels)
    where = save(run, tmp_path / "new" / "runs")
    assert where == run.path
    assert sorted(path.name for path in where.iterdir()) == sorted([*FILES.values(), "recipe.toml", "features.npy"])
    opened = open_run(where)
    assert_same(opened, run)
    assert opened.path == where
    assert opened.points.columns.tolist() == run.points.columns.tolist()


def test_labels_may_be_text(tmp_path: Path) -> None:
    run = make_run(n=3)
    run.points["label"] = np.array(["boot", "t-shirt/top", "été"])
    assert open_run(save(run, tmp_path)).points["label"].tolist() == ["boot", "t-shirt/top", "été"]


def test_the_same_run_twice_is_two_runs(tmp_path: Path) -> None:
    run = make_run()
    name = folder_name(run)
    assert name.startswith("some-data-tsne-scikit-learn-")
    assert [save(run, tmp_path).name for _ in range(3)] == [name, f"{name}-2", f"{name}-3"]
    # A file in the way is not written over.
    (tmp_path / f"{name}-4").write_text("mine")
    assert save(run, tmp_path).name == f"{name}-5"
    assert (tmp_path / f"{name}-4").read_text() == "mine"
    assert assert_whole(tmp_path, run) == 4


def test_another_seed_is_another_name() -> None:
    assert folder_name(make_run(seed=0)) != folder_name(make_run(seed=1))


def _save_together(folder: str, barrier: Barrier) -> None:
    run = make_run()
    for _ in range(5):
        barrier.wait(60)
        save(run, folder)


def test_two_processes_save_at_once(tmp_path: Path) -> None:
    barrier = spawn.Barrier(2)
    writers = [spawn.Process(target=_save_together, args=(str(tmp_path), barrier)) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert assert_whole(tmp_path, make_run()) == 10
    assert len(list(tmp_path.iterdir())) == 10


def _save_and_die_at(folder: str, step: int) -> None:
    """Fork a writer that kills itself before its `step`-th look at the file system."""
    seen = 0

    def kill(event: str, _: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in ("open", "os.mkdir", "os.rename", "os.rmdir", "os.remove", "os.listdir", "os.scandir"):
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)

    run = make_run()
    sys.addaudithook(kill)
    save(run, folder)


def _kill_at_every_step(folder: str) -> None:
    """Save once for each step at which a writer can be killed, until one lives; the exit code says how many died.

    One fresh interpreter forks them all: it has imported what saving needs, but has not started threads.
    """
    import pyarrow.parquet  # noqa: F401

    for step in range(1, 200):
        child = os.fork()
        if not child:
            _save_and_die_at(folder, step)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            os._exit(step - 1 if os.WEXITSTATUS(status) == 0 else 255)
        assert_whole(Path(folder), make_run())


def test_a_writer_killed_at_any_step_leaves_whole_runs_only(tmp_path: Path) -> None:
    process = spawn.Process(target=_kill_at_every_step, args=(str(tmp_path),))
    process.start()
    process.join()
    # Six files, the folders and the rename are more than ten steps; 255 is a writer that broke.
    assert process.exitcode is not None
    assert 10 < process.exitcode < 200
    # The one that lived published its run and swept what the killed ones had left, hidden, behind it.
    assert assert_whole(tmp_path, make_run()) >= 1
    assert not list(tmp_path.glob(".*"))


def _save_for_ever(folder: str, ready: Event) -> None:
    run = make_run(n=20_000)
    save(run, folder)
    ready.set()
    while True:
        shutil.rmtree(save(run, folder))


@pytest.mark.parametrize("delay", [0.0, 0.011, 0.023, 0.037])
def test_a_writer_killed_at_any_moment_leaves_whole_runs_only(tmp_path: Path, delay: float) -> None:
    ready = spawn.Event()
    process = spawn.Process(target=_save_for_ever, args=(str(tmp_path), ready))
    process.start()
    assert ready.wait(60)
    time.sleep(delay)
    process.kill()
    process.join()
    expected = make_run(n=20_000)
    first = folder_name(expected)
    # The second run may be half removed, which is the writer's rmtree and not the store.
    assert_same(open_run(tmp_path / first), expected)
    shutil.rmtree(tmp_path / f"{first}-2", ignore_errors=True)
    assert assert_whole(tmp_path, expected) == 1
    save(make_run(), tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_the_draft_of_a_living_writer_stays(tmp_path: Path) -> None:
    process = spawn.Process(target=_stall, args=(str(tmp_path), ready := spawn.Event()))
    process.start()
    assert ready.wait(60)
    save(make_run(), tmp_path)
    assert len(list(tmp_path.glob(".*"))) == 1
    process.kill()
    process.join()
    save(make_run(), tmp_path)
    assert not list(tmp_path.glob(".*"))


class _Stalled(Image.Image):
    """A picture that is never done."""

    def __init__(self, ready: Event) -> None:
        super().__init__()
        self.ready = ready

    def save(self, *_: Any, **__: Any) -> None:
        self.ready.set()
        time.sleep(600)


def _stall(folder: str, ready: Event) -> None:
    run = make_run()
    run._picture = _Stalled(ready)
    save(run, folder)


def _save_with_little_room(folder: str, room: int) -> None:
    run = make_run(n=20_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    try:
        save(run, folder)
    except InputError:
        sys.exit(2)


@pytest.mark.parametrize("room", [100, 5_000, 100_000])  # the record, the points, the features do not fit
def test_a_full_disk_leaves_nothing(tmp_path: Path, room: int) -> None:
    process = spawn.Process(target=_save_with_little_room, args=(str(tmp_path), room))
    process.start()
    process.join()
    assert process.exitcode == 2
    assert not list(tmp_path.iterdir())


class _Broken(Image.Image):
    """A picture that cannot be saved."""

    def __init__(self, error: type[BaseException]) -> None:
        super().__init__()
        self.error = error

    def save(self, *_: Any, **__: Any) -> None:
        raise self.error("broken")


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError, OSError])
def test_whatever_stops_the_writer_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    run = make_run()
    run._picture = _Broken(error)
    with pytest.raises(InputError if error is OSError else error, match="broken"):
        save(run, tmp_path)
    assert not list(tmp_path.iterdir())
    assert run.path is None


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "runs", Path("/proc/nowhere/runs")):
        with pytest.raises(InputError, match=r"cannot write to .*: free some space or choose another place"):
            save(make_run(), folder)
        with pytest.raises(InputError, match="cannot write to"):
            writable(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_writable_leaves_nothing(tmp_path: Path) -> None:
    writable(tmp_path / "runs")
    assert not list((tmp_path / "runs").iterdir())


def test_find_by_path_name_and_beginning(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no run 'x': .* holds none"):
        find("x", tmp_path / "runs")
    first = save(make_run(seed=0), tmp_path)
    second = save(make_run(seed=1), tmp_path)
    assert find(first) == find(str(first)) == find(first.name, tmp_path) == first
    assert find(second.name[:-1], tmp_path) == find(tmp_path / second.name[:-1]) == second
    with pytest.raises(InputError, match="is the beginning of 2 runs"):
        find("some-data", tmp_path)
    with pytest.raises(InputError, match=f"unknown run 'ome-data-.*': did you mean '{first.name}'"):
        find(first.name[1:], tmp_path)


def test_list_shows_runs_and_nothing_else(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "nowhere") == []
    runs = [save(make_run(seed=seed), tmp_path) for seed in range(3)]
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "empty").mkdir()
    shutil.copytree(runs[0], tmp_path / ".draft-abc-1-elsewhere")
    assert list_runs(tmp_path) == runs


def test_a_run_that_goes_while_all_are_listed_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, gone, taken = (save(make_run(seed=seed), tmp_path) for seed in range(3))
    look = Path.stat

    def stat(path: Path, **options: Any) -> os.stat_result:
        found = look(path, **options)
        if path.name == "record.json":
            if path.parent == gone:
                path.unlink()
            shutil.rmtree(taken, ignore_errors=True)
        return found

    monkeypatch.setattr(Path, "stat", stat)
    list_runs(tmp_path)  # What is looked at just before it goes may be listed once more.
    assert list_runs(tmp_path) == stored_in(tmp_path) == [kept]
    assert stored_in(kept, "") == sorted(
        (path for path in kept.iterdir() if path.is_file()), key=lambda path: (path.stat().st_mtime_ns, path.name)
    )


@pytest.mark.parametrize("name", ["record.json", "scores.json", "points.parquet", "features.npy"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "removed", "other"])
def test_a_damaged_run_is_refused_by_name(tmp_path: Path, name: str, damage: str) -> None:
    where = save(make_run(), tmp_path)
    path = where / name
    content = path.read_bytes()
    path.unlink()
    if damage != "removed":
        path.write_bytes({"truncated": content[: len(content) // 2], "empty": b"", "other": b"[]"}[damage])
    expected = "there is no run" if (name, damage) == ("record.json", "removed") else "cannot be read"
    with pytest.raises(InputError, match=expected):
        open_run(where, tmp_path)


def test_features_are_never_unpickled(tmp_path: Path) -> None:
    where = save(make_run(), tmp_path)
    np.save(where / "features.npy", np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read"):
        open_run(where)


def test_a_record_of_another_form_is_refused(tmp_path: Path) -> None:
    where = save(make_run(), tmp_path)
    path = where / FILES["record"]
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    with pytest.raises(InputError, match="its form is 99, this program reads 1"):
        open_run(where)


def test_scores_are_replaced_whole(tmp_path: Path) -> None:
    run = make_run()
    with pytest.raises(InputError, match="save it first"):
        write_scores(run)
    save(run, tmp_path)
    run.scores.values["kl"] = 0.5
    write_scores(run)
    assert run.path is not None
    assert open_run(run.path).scores.values["kl"] == 0.5
    run.scores.values["kl"] = float("nan")  # is no JSON
    with pytest.raises(ValueError, match="JSON"):
        write_scores(run)
    assert open_run(run.path).scores.values["kl"] == 0.5
    run.scores.values["kl"] = 0.25
    run.points["neighbor_recall"] = np.float32(0.75)
    before = {path: path.read_bytes() for path in run.path.iterdir()}
    for error in (OSError, KeyboardInterrupt):
        run._picture = _Broken(error)
        with pytest.raises(InputError if error is OSError else error, match="broken"):
            write_scores(run)
        assert {path: path.read_bytes() for path in run.path.iterdir()} == before
    run._picture = Image.new("L", (1, 1), 64)
    write_scores(run)
    run.scores = replace(run.scores, neighbor_recall=run.points["neighbor_recall"].to_numpy())
    assert_same(open_run(run.path), run)
    with Image.open(run.path / FILES["picture"]) as picture:
        assert picture.getpixel((0, 0)) == 64


def test_replace_file_refuses_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "nowhere" / "a.png", Path(), Path("/")):
        with pytest.raises(InputError, match="cannot write"):
            replace_file(path, lambda draft: draft.write_text("x"))
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert not list((tmp_path / "folder").iterdir())
