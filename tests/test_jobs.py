"""Jobs: made in processes of their own, seen by everybody, and never lost without a word."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_uploads import keep_upload

from gpu_pipeline.dashboard import film, jobs, watching, worker
from gpu_pipeline.dashboard.app import Page
from gpu_pipeline.dashboard.exports import Exports
from gpu_pipeline.dashboard.files import OpenFile
from gpu_pipeline.dashboard.jobs import Job, start
from gpu_pipeline.dashboard.paths import put_json
from gpu_pipeline.dashboard.status import Status, read_status, values_in
from gpu_pipeline.datasets.dataset import pick_rows
from gpu_pipeline.engines import NAMES, Progress
from gpu_pipeline.errors import InputError
from gpu_pipeline.recipe import Recipe, make
from gpu_pipeline.store import list_runs, open_run

ENDLESS = 100_000_000
mesh = pytest.mark.skipif("mesh" not in NAMES, reason="only the mesh engine tells its iterations")


def blobs(n: int = 120) -> bytes:
    """Three clouds far apart as the content of a .npy file."""
    import io

    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 6)) + 20 * (np.arange(n) % 3)[:, None]
    buffer = io.BytesIO()
    np.save(buffer, X.astype(np.float32))
    return buffer.getvalue()


def recipe(store: Path, n: int = 120, **changes: Any) -> Recipe:
    """PCA of the clouds, uploaded to the store; quick."""
    path = keep_upload("clouds.npy", blobs(n), store)
    return make({"data": str(path), "embed": {"method": "pca"}, "cluster": {"n_clusters": 3}, **changes})


def endless(store: Path, n: int = 3000) -> Recipe:
    return recipe(store, n, embed={"method": "tsne", "perplexity": 10, "iterations": ENDLESS}, engine="mesh")


def wait(job: Job, until: Callable[[Status], bool] = lambda status: status.state != "running") -> Status:
    """The first status that fits; no limit of time but that of the test run."""
    while not until(status := job.status()):
        assert status.state == "running", status
        time.sleep(0.02)
    return status


def process(job: Job) -> int:
    """Number of a job's process."""
    while "pid" not in (values := values_in(job.folder / "status.json")):
        time.sleep(0.01)
    return int(values["pid"])


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """A folder for runs; what still runs at the end of the test is ended."""
    yield tmp_path / "runs"
    for job in jobs.jobs(tmp_path / "runs"):
        job.cancel()


def test_a_job_makes_a_run_that_outlives_it(store: Path) -> None:
    job = start(recipe(store), store)
    status = wait(job)
    assert (status.state, status.error, status.step) == ("done", None, None)
    assert status.run == list_runs(store)[0].name
    assert status.elapsed > 0
    run = open_run(status.run, store)
    assert len(run.points) == 120
    assert run.record.recipe == job.recipe
    job.forget()
    assert jobs.jobs(store) == []
    assert len(list_runs(store)) == 1


def test_two_jobs_at_once_and_a_third_that_cannot_succeed(store: Path) -> None:
    made = [start(recipe(store, seed=seed), store) for seed in (0, 1)]
    # 4 clusters more than there are rows: only the worker, which has the data, can tell.
    bad = start(recipe(store, cluster={"n_clusters": 124}), store)
    assert [wait(job).state for job in made] == ["done", "done"]
    status = wait(bad)
    assert status.state == "failed"
    assert status.error == "n_clusters is 124 but there are only 120 rows: lower it or take more rows."
    assert status.run is None
    assert len(list_runs(store)) == 2
    assert [job.id for job in jobs.jobs(store)] == [bad.id, made[1].id, made[0].id]


def test_the_server_may_go(store: Path) -> None:
    """A process that starts a job and ends at once: the job goes on, and others see it."""
    program = (
        "import sys; from pathlib import Path; from gpu_pipeline.dashboard import jobs;"
        "from gpu_pipeline.recipe import make;"
        "jobs.start(make({'data': sys.argv[2], 'embed': {'method': 'pca'}}), Path(sys.argv[1]))"
    )
    data = recipe(store).data.name
    subprocess.run([sys.executable, "-c", program, str(store), data], check=True)
    (job,) = jobs.jobs(store)
    assert wait(job).state == "done"


def test_a_killed_worker_is_seen_and_leaves_nothing(store: Path) -> None:
    job = start(recipe(store), store)
    os.kill(process(job), signal.SIGKILL)
    status = wait(job)
    assert status.state == "failed"
    assert "was killed" in str(status.error)
    assert list_runs(store) == []
    # Another is not disturbed, and takes away what the killed one left behind.
    assert wait(start(recipe(store), store)).state == "done"
    assert [path.name for path in store.glob(".draft-*")] == []


def test_an_unforeseen_error_is_named(tmp_path: Path) -> None:
    job = Job(tmp_path, make({}), "2026-01-01T00:00:00+00:00")
    (job.folder / "worker.log").write_text("Traceback (most recent call last):\n  File x\nKeyError: 'odd'\n")
    status = job.status()
    assert status.state == "failed"
    assert "the job broke (KeyError: 'odd')" in str(status.error)
    (job.folder / "worker.log").write_text("Fatal Python error: Segmentation fault\n\nStack:\n")
    assert "Segmentation fault" in str(job.status().error)


def test_a_worker_without_a_job_says_so(tmp_path: Path) -> None:
    worker.work(tmp_path)
    assert read_status(tmp_path).state == "failed"


def test_cancel_keeps_nothing(store: Path) -> None:
    job = start(recipe(store), store)
    job.cancel()
    assert wait(job).state == "stopped"
    assert job.status().run is None
    assert list_runs(store) == []
    ended = start(recipe(store), store)
    wait(ended)
    ended.cancel()  # too late: it stays as it is
    assert ended.status().state == "done"
    assert len(ended.film()) == 0


def test_a_job_that_runs_is_not_forgotten_and_there_are_not_too_many(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(jobs, "MOST_KEPT", 1)
    job = start(recipe(store), store)
    with pytest.raises(InputError, match="still runs"):
        job.forget()
    with pytest.raises(InputError, match="1 jobs run already"):
        start(recipe(store), store)
    job.cancel()
    wait(job)
    later = start(recipe(store), store)
    assert [known.id for known in jobs.jobs(store)] == [later.id]


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        start(make({"data": "digits"}), tmp_path / "file")


def test_files_outside_the_store_are_not_read(store: Path, tmp_path: Path) -> None:
    other = tmp_path / "secret.npy"
    other.write_bytes(blobs())
    with pytest.raises(InputError, match="neither a known data set"):
        start(make({"data": str(other), "embed": {"method": "pca"}}), store)
    assert jobs.jobs(store) == []
    job = start(make({"data": str(other), "embed": {"method": "pca"}}), store, allowed=[other])
    assert wait(job).state == "done"


def test_half_a_job_is_no_job(store: Path) -> None:
    assert jobs.jobs(store) == []
    (store / jobs.JOBS / "half").mkdir(parents=True)
    (store / jobs.JOBS / "torn").mkdir()
    (store / jobs.JOBS / "torn" / "job.json").write_text('{"recipe": {"data"')
    (store / jobs.JOBS / "odd").mkdir()
    put_json(store / jobs.JOBS / "odd" / "job.json", {"recipe": {"nonsense": 1}, "created": "x"})
    assert jobs.jobs(store) == []


def test_a_job_that_is_forgotten_while_all_are_listed(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "other"):
        (store / jobs.JOBS / name).mkdir(parents=True)
        put_json(store / jobs.JOBS / name / "job.json", {"recipe": {"data": "digits"}, "created": "x"})
    read = jobs.read

    def read_and_forget(folder: Path) -> Job | None:
        job = read(folder)
        shutil.rmtree(folder)
        return job

    monkeypatch.setattr(jobs, "read", read_and_forget)
    assert {job.id for job in jobs.jobs(store)} == {"one", "other"}
    assert jobs.jobs(store) == []


@mesh
def test_the_map_can_be_watched_and_kept_in_the_middle(store: Path) -> None:
    job = start(endless(store), store)
    status = wait(job, lambda status: status.frames >= 3)
    assert (status.step, status.engine, status.total, status.can_stop) == ("embed", "mesh", ENDLESS, True)
    assert status.kl is not None
    assert status.kl > 0
    assert status.seconds_left is not None
    assert status.seconds_left > 0
    for i in (None, 0):
        found = job.frame(i)
        assert found is not None
        assert (found[2].shape, found[2].dtype) == ((3000, 2), np.float32)
        assert np.isfinite(found[2]).all()
    job.stop()
    status = wait(job)
    assert status.state == "stopped"
    run = open_run(str(status.run), store)
    done = run.record.facts["embed"]["iterations"]
    assert 150 <= done < ENDLESS
    assert f"stopped by hand after {done:,} of {ENDLESS:,} iterations" in run.record.notes
    # Scrubbing back: the frames lie with the run, and the last of them is its map or shortly before.
    kept = film.read(store / str(status.run))
    assert 2 <= len(kept) <= film.MOST_FRAMES
    np.testing.assert_array_equal(kept.positions, np.arange(3000))
    first = job.frame(0)
    assert first is not None
    np.testing.assert_array_equal(first[2], kept.frame(0))
    if kept.iterations[-1] == done:
        # The engine centres the map once more after its last report.
        np.testing.assert_allclose(kept.frame(-1), run.embedding, atol=1e-4)
    assert not (job.folder / film.FRAMES).exists()


@mesh
def test_a_kill_in_the_middle_of_the_optimisation(store: Path) -> None:
    job = start(endless(store), store)
    wait(job, lambda status: status.frames >= 1)
    os.kill(process(job), signal.SIGKILL)
    status = wait(job)
    assert status.state == "failed"
    assert "killed in the step embed" in str(status.error)
    assert list_runs(store) == []
    assert len(job.film()) >= 1  # what it came to can still be looked at


def record(folder: Path, iterations: list[int], n: int = 5) -> film.Recording:
    """Frames in which every coordinate is the iteration."""
    recording = film.Recording(folder)
    for iteration in iterations:
        recording.add(iteration, 1 / iteration, np.full((n, 2), iteration, np.float64))
    return recording


def test_frames_are_thinned_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film, "MOST_FRAMES", 4)
    record(tmp_path, [1, 2, 3, 4])
    assert film.read(tmp_path).iterations == (1, 2, 3, 4)
    film.discard(tmp_path)
    # The fifth makes five: 1, 3, 5 stay, and from then on every second: 7, 9. That makes five again: 1, 5, 9, then 13.
    recording = record(tmp_path, list(range(1, 15)))
    found = film.read(tmp_path)
    assert found.iterations == (1, 5, 9, 13)
    assert len(recording) == 4
    assert sorted(path.name for path in (tmp_path / film.FRAMES).iterdir()) == [
        f"{iteration:07d}.npy" for iteration in (1, 5, 9, 13)
    ]
    assert found.kl == (1, 1 / 5, 1 / 9, 1 / 13)
    assert found.frame(2).tolist() == [[9, 9]] * 5
    run = tmp_path / "run"
    run.mkdir()
    recording.keep(run)
    kept = film.read(run)
    assert kept.iterations == (1, 5, 9, 13)
    assert kept.frame(-1).tolist() == [[13, 13]] * 5
    assert len(film.read(tmp_path)) == 0
    for i in (4, -5):
        with pytest.raises(InputError, match="there is no frame"):
            kept.frame(i)


@pytest.mark.parametrize("thinned", [True, False])
def test_a_frame_that_goes_while_it_is_looked_at(thinned: bool, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker drops it, or moves all frames to the run, after the list of them was read."""
    monkeypatch.setattr(film, "MOST_FRAMES", 4)
    folder, run = store / jobs.JOBS / "one", store / "run"
    folder.mkdir(parents=True)
    run.mkdir()
    put_json(folder / "job.json", {"recipe": {"data": "none.npy"}, "created": "x"})
    put_json(folder / "status.json", {"state": "done", "frames": 4, "run": "run"})
    recording, read = record(folder, [1, 2, 3, 4]), film.read
    todo = [lambda: recording.add(5, None, np.full((5, 2), 5.0)) if thinned else recording.keep(run)]

    def slow(where: Path) -> film.Film:
        found = read(where)
        if len(found) and todo:
            todo.pop()()
        return found

    monkeypatch.setattr(film, "read", slow)
    seen = watching.look(store, watching.Watch("one", 3))
    last = 5 if thinned else 4
    assert seen.iteration == last
    assert seen.frame is not None
    assert seen.frame.points["x"].tolist() == [last] * 5


def test_a_frame_of_rows_of_which_some_have_no_label(store: Path) -> None:
    folder = store / jobs.JOBS / "one"
    folder.mkdir(parents=True)
    (store / "t.csv").write_text("a,kind\n1,x\n2,\n3,y\n4,y\n5,\n")
    data = {"name": str(store / "t.csv"), "label_column": "kind"}
    put_json(folder / "job.json", {"recipe": {"data": data}, "created": "x"})
    put_json(folder / "status.json", {"state": "running", "frames": 2})
    record(folder, [1, 2])
    frame = watching.look(store, watching.Watch("one", 1)).frame
    assert frame is not None
    assert frame.layer("label").key.names == ("x", "y", "no label")
    assert frame.codes("label")[0].tolist() == [0, 2, 1, 1, 2]


def test_a_job_that_is_gone_is_said_but_not_to_who_took_it_off_the_list(store: Path) -> None:
    for name in ("one", "two"):
        (store / jobs.JOBS / name).mkdir(parents=True)
        put_json(store / jobs.JOBS / name / "job.json", {"recipe": {"data": "digits"}, "created": "x"})
        put_json(store / jobs.JOBS / name / "status.json", {"state": "done", "frames": 1})
    page = Page(store, points_in(store), ThreadPoolExecutor(1), Exports(), 0)
    for name in ("one", "two"):
        page.following.watch = watching.Watch(name)
        if name == "one":
            page.do("forget", "one")
        else:
            jobs.jobs(store)[0].forget()
        page.following.poll()
        assert page.following.watch == watching.Watch()
        assert page.session.error == ("" if name == "one" else "that job is not there any more.")


def test_a_watched_job_that_breaks_says_why(store: Path) -> None:
    folder = store / jobs.JOBS / "one"
    folder.mkdir(parents=True)
    put_json(folder / "job.json", {"recipe": {"data": "digits"}, "created": "x"})
    put_json(folder / "status.json", {"state": "failed", "error": "memory ran out.", "frames": 4})
    record(folder, [1, 2, 3, 4])
    page = Page(store, points_in(store), ThreadPoolExecutor(1), Exports(), 0)
    frame, why = watching.look(store, watching.Watch("one", 0)).frame, "memory ran out."
    assert frame is not None
    # Under Run its list says it, where it was not seen as it formed.
    for tab, screen, said in (("run", None, ""), ("run", watching.Screen(frame, ""), why), ("scores", None, why)):
        page.session.error, page.choice.tab = "", tab
        page.following.watch, page.following.screen = watching.Watch("one"), screen
        page.following.poll()
        assert page.following.watch == watching.Watch()
        assert page.session.error == said
        assert (why in page.layout.strip.html) == bool(said)


def test_a_job_that_ends_does_not_take_the_run_that_is_being_opened(store: Path) -> None:
    page = Page(store, points_in(store), ThreadPoolExecutor(1), Exports(), 0)
    asked: list[str] = []
    page.background._newest["open"] = object()
    page.do = lambda do, value: asked.append(value)  # type: ignore[method-assign, assignment]
    page.following._see(watching.Seen("", False, "made"))
    assert not asked
    page.background.forget("open")
    page.following._see(watching.Seen("", False, "made"))
    assert asked == ["made"]


def points_in(store: Path) -> OpenFile:
    """An own file of points."""
    keep_upload("a.csv", b"x,y\n1,2\n3,4\n", store)
    return OpenFile(next((store / ".uploads").iterdir()))


def test_frames_of_many_points_are_a_sample(tmp_path: Path) -> None:
    n = film.MOST_POINTS + 5000
    embedding = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
    film.Recording(tmp_path).add(50, None, embedding)
    found = film.read(tmp_path)
    assert found.kl == (None,)
    np.testing.assert_array_equal(found.positions, pick_rows(n, film.MOST_POINTS, seed=0))
    np.testing.assert_array_equal(found.frame(0), embedding[found.positions])


def test_a_divergence_that_is_no_number_is_not_told(tmp_path: Path) -> None:
    film.Recording(tmp_path).add(50, float("nan"), np.zeros((3, 2)))
    assert film.read(tmp_path).kl == (None,)


def test_frames_that_are_damaged(tmp_path: Path) -> None:
    recording = record(tmp_path, [1, 2])
    run = tmp_path / "run"
    run.mkdir()
    recording.keep(run)
    (run / film.STACK).write_bytes((run / film.STACK).read_bytes()[:140])
    with pytest.raises(InputError, match="cannot be read"):
        film.read(run).frame(1)
    (run / film.INDEX).write_text("{")
    assert len(film.read(run)) == 0


def test_time_left_is_by_the_pace_of_the_last_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = worker.Recorder(tmp_path)
    moments = iter([10.0, 12.0, 13.0])
    monkeypatch.setattr(recorder, "say", lambda **changes: seen.append(changes.get("seconds_left")))
    monkeypatch.setattr(worker, "seconds", lambda: next(moments))
    seen: list[float | None] = []
    for done in (100, 200, 250):
        recorder.progress("embed", Progress(done, 400))
    # Unknown at first; then 100 iterations in 2 s, 200 to go; then 150 in 3 s, 150 to go.
    assert seen == [None, pytest.approx(4), pytest.approx(3)]


def test_a_stop_after_the_last_iteration_is_none(tmp_path: Path) -> None:
    recorder = worker.Recorder(tmp_path)
    (tmp_path / "stop").touch()
    assert recorder.progress("score", Progress(1, 6)) is None
    assert recorder.progress("embed", Progress(50, 50)) == "stop"
    assert recorder.stopped_at is None
    assert recorder.progress("embed", Progress(49, 50)) == "stop"
    assert recorder.stopped_at == (49, 50)


def test_a_request_to_cancel_is_seen_from_afar(tmp_path: Path) -> None:
    """The worker on another computer cannot be killed from here: it looks for the file itself."""
    recorder = worker.Recorder(tmp_path)
    (tmp_path / "cancel").touch()
    with pytest.raises(SystemExit):
        recorder.note("anything")


def test_a_status_of_a_later_version_is_read(tmp_path: Path) -> None:
    put_json(tmp_path / "status.json", {"state": "done", "run": "a", "mood": "good"})
    assert read_status(tmp_path) == replace(Status(), state="done", run="a")
