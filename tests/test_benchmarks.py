"""The benchmark suite on engines whose faults are known, in real processes: see benchmark_engines.py."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_engines import NAP

from benchmarks import cases, inputs, later, results, suite
from benchmarks.cases import Case
from benchmarks.judge import Fault, Judge
from gpu_pipeline import methods
from gpu_pipeline.engines import mesh, threads
from gpu_pipeline.errors import InputError

ROOT = Path(__file__).parents[1]
N = 6_000
PROGRAM = (
    "import sys, json; from pathlib import Path; from benchmarks import suite, cases;"
    "suite.run([cases.Case(**json.loads(sys.argv[1]))], Path(sys.argv[2]), threads=1, table='benchmark_engines')"
)
"""A suite in a process of its own: the case as JSON, and the file of results."""

Measure = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache for the whole file: the references of the judge are made once."""
    patch = pytest.MonkeyPatch()
    patch.setenv("GPU_PIPELINE_CACHE", str(tmp_path_factory.mktemp("cache")))
    patch.setenv("PYTHONPATH", str(ROOT / "tests"))
    yield
    patch.undo()


@pytest.fixture
def results_file(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


@pytest.fixture
def run(results_file: Path) -> Measure:
    """Measure the engines of the tests on one case; what was added."""

    def measured(*engines: str, **options: Any) -> list[dict[str, Any]]:
        said: dict[str, Any] = {"threads": threads(), "table": "benchmark_engines", "say": lambda _: None}
        cut = {name: options.pop(name) for name in ("timeout", "repeats") if name in options}
        return suite.run([case(*engines, **cut)], results_file, **said | options)

    return measured


def case(*engines: str, **options: Any) -> Case:
    return Case("tsne-digits-6000", "tsne", "digits", N, engines, **{"repeats": 1, **options})


def test_a_known_time_is_measured(run: Measure) -> None:
    lines = run("sleeps", repeats=3)
    assert [line["status"] for line in lines] == ["done"] * 3
    for line in lines:
        # Sleeping ends late on a busy computer, never early; and processors rest meanwhile.
        assert NAP <= line["seconds"]["run"] < NAP + 2
        assert line["cpu_seconds"] < NAP / 2
        assert all(value is not None and value >= 0 for value in line["seconds"].values())
        assert line["seconds"]["warm_up"] >= NAP / 10
        assert line["stages"] == {"nap": NAP}
        assert line["memory"]["device"] is None
    assert [line["seed"] for line in lines] == [0, 1, 2]


def test_memory_above_the_input_is_the_peak(run: Measure) -> None:
    taken, slept = run("takes", "sleeps")
    assert 190e6 < taken["memory"]["host"] < 230e6
    assert slept["memory"]["host"] < 20e6


def test_an_honest_map_is_scored(run: Measure) -> None:
    (line,) = run("sleeps")
    scores = line["scores"]
    assert 0.01 < scores["recall_15"] < scores["recall_90"] < 0.5
    assert 0.6 < scores["trustworthiness"] < 0.95
    assert 0.3 < scores["label_accuracy"] < 0.8
    assert scores["kl"] > 2
    assert scores["inertia"] is None
    assert scores["explained_variance"] is None


def test_judged_later_is_judged_the_same(run: Measure, results_file: Path, tmp_path: Path) -> None:
    (at_once,) = run("sleeps")
    results_file.unlink()
    waiting = run("sleeps", "random", unjudged=tmp_path / "kept")
    assert [line["status"] for line in waiting] == ["unjudged"] * 2
    assert run("sleeps", "random", unjudged=tmp_path / "kept") == []  # Measured is measured.
    table, seen = [case("sleeps")], []
    with results_file.open("a") as file:
        file.write('{"schema"')  # torn
    assert later.judge(results_file, tmp_path / "kept", seen.append, table) == 2
    honest, scattered = results.read(results_file).results
    assert seen == [honest, scattered]
    assert (honest["status"], honest["scores"]) == ("done", at_once["scores"])
    assert honest["seconds"].keys() == at_once["seconds"].keys()
    assert scattered["status"] == "failed"
    assert scattered["reason"].startswith("the map knows nothing of the data")
    assert later.judge(results_file, tmp_path / "kept", seen.append, table) == 0


def test_what_cannot_be_judged_later_is_said_and_nothing_lost(run: Measure, results_file: Path, tmp_path: Path) -> None:
    run("sleeps", unjudged=tmp_path)
    before = results_file.read_bytes()
    with pytest.raises(InputError, match="tsne-digits-6000 is not a case of this version as it was measured"):
        later.judge(results_file, tmp_path, print)
    with pytest.raises(InputError, match=r"has no tsne-digits-6000-sleeps-cpu-0\.npz: give the folder of"):
        later.judge(results_file, tmp_path / "elsewhere", print, [case("sleeps")])
    next(tmp_path.glob("*.npz")).write_bytes(b"PK torn")
    with pytest.raises(InputError, match=r"sleeps-cpu-0\.npz is broken .*: copy it again"):
        later.judge(results_file, tmp_path, print, [case("sleeps")])
    assert results_file.read_bytes() == before


def test_what_lies_or_breaks_fails_and_the_rest_goes_on(run: Measure) -> None:
    reasons = {
        "random": "the map knows nothing of the data",
        "nan": "1 of 6,000 rows of the map are not finite",
        "short": "the map should be 6,000 x 2 but is 5,999 x 2",
        "nothing": "the map should be 6,000 x 2 but is nothing",
        "elsewhere": "it works on cuda, not on cpu",
        "raises": "ZeroDivisionError: a bug of its own",
        "aborts": "ended by SIGABRT",
    }
    *broken, honest = run(*reasons, "sleeps")
    for line, (engine, reason) in zip(broken, reasons.items(), strict=True):
        assert (line["engine"], line["status"]) == (engine, "failed")
        assert line["reason"].startswith(reason)
        assert set(line["scores"].values()) == {None}
    assert honest["status"] == "done"


@pytest.mark.slow
def test_one_that_hangs_is_ended(run: Measure) -> None:
    hung, honest = run("hangs", "sleeps", timeout=25.0)
    assert (hung["status"], hung["reason"]) == ("timeout", "not done after 25 s")
    assert hung["seconds"]["warm_up"] > 0  # as far as it came
    assert hung["seconds"]["run"] is None
    assert honest["status"] == "done"


def test_one_that_eats_memory_is_ended(run: Measure) -> None:
    eater, honest = run("eats", "sleeps", most_bytes=2**30, timeout=60.0)
    assert eater["status"] == "failed"
    assert eater["reason"].startswith("out of memory: ")
    assert honest["status"] == "done"


def test_who_refuses_or_is_absent_says_why_once(run: Measure) -> None:
    lines = run("refuses", "absent", "unheard_of", repeats=3)
    assert [(line["engine"], line["status"]) for line in lines] == [
        ("refuses", "refused"),
        ("absent", "unavailable"),
        ("unheard_of", "unavailable"),
    ]
    assert lines[0]["reason"] == "it does not do that"
    assert lines[1]["reason"] == "it is not installed"


def test_a_process_gets_its_threads_and_seed(run: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_MARKS", str(tmp_path / "marks"))
    run("counts", repeats=2, threads=1)
    assert (tmp_path / "marks").read_text() == "0 1 1\n1 1 1\n"


def test_what_is_measured_is_not_measured_again(run: Measure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_MARKS", str(tmp_path / "marks"))
    assert len(run("counts", "refuses")) == 2
    assert run("counts", "refuses") == []
    assert [line["repeat"] for line in run("counts", "refuses", repeats=2)] == [1]
    assert [line["engine"] for line in run("counts", "refuses", again=True)] == ["refuses"]
    assert len((tmp_path / "marks").read_text().splitlines()) == 2


@pytest.mark.slow
def test_a_killed_suite_goes_on(tmp_path: Path, results_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_MARKS", str(tmp_path / "marks"))
    monkeypatch.chdir(tmp_path)
    plan = asdict(case("counts", "slow_once"))
    command = [sys.executable, "-c", PROGRAM, json.dumps(plan), str(results_file)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    killed = subprocess.Popen(command, env=env)
    _wait(lambda: (tmp_path / "hung").exists() and (tmp_path / "hung").read_text() != "")
    child = int((tmp_path / "hung").read_text())
    killed.kill()
    killed.wait()
    _wait(lambda: not _is_alive(child))  # It does not outlive its suite.
    with results_file.open("a") as file:
        file.write('{"schema": 1, "kind": "res')  # as if it had been writing
    subprocess.run(command, env=env, check=True)
    read = results.read(results_file)
    assert read.notes == ()
    assert [(line["engine"], line["status"]) for line in read.results] == [("counts", "done"), ("slow_once", "done")]
    assert len((tmp_path / "marks").read_text().splitlines()) == 1


def test_a_file_is_of_one_machine(run: Measure, results_file: Path) -> None:
    run("refuses")
    before = results_file.read_bytes()
    known = json.loads(before.splitlines()[0])
    known["facts"]["cpu"] = "another (family 26, model 2)"
    results_file.write_text(json.dumps(known) + "\n")
    kept = results_file.read_bytes()
    with pytest.raises(InputError, match=r"another machine \(its cpu another \(family 26, model 2\), here .*--out"):
        run("refuses")
    assert results_file.read_bytes() == kept


def _wait(until: Callable[[], bool]) -> None:
    for _ in range(1200):
        if until():
            return
        time.sleep(0.1)
    pytest.fail("it did not happen in two minutes")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # A process that nobody has waited for yet is there but dead.
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_engines_take_turns() -> None:
    order = [(engine, repeat) for _, engine, repeat in suite.turns([case("a", "b", "c", repeats=3, once=("b",))])]
    assert order == [("a", 0), ("b", 0), ("c", 0), ("c", 1), ("a", 1), ("c", 2), ("a", 2)]


@pytest.mark.slow
def test_the_mesh_engine_in_the_real_table(results_file: Path) -> None:
    small = case("mesh", settings={"iterations": 250})
    (line,) = suite.run([small], results_file, threads=threads(), say=lambda _: None)
    assert line["status"] == "done"
    assert set(line["stages"]) == {"neighbors", "affinities", "optimise"}
    assert sum(line["stages"].values()) == pytest.approx(line["seconds"]["run"], rel=0.1)
    assert line["scores"]["label_accuracy"] > 0.9


def test_clusters_are_judged_by_their_own_means() -> None:
    judge, asked = Judge(case()), Case("k", "kmeans", "digits", N, (), {"n_clusters": 10}, "features")
    X, y = judge.features.astype(np.float64), judge.labels
    scores = judge.score(asked, {"clusters": y})
    inertia = sum(((X[y == label] - X[y == label].mean(axis=0)) ** 2).sum() for label in range(10))
    assert scores["inertia"] == pytest.approx(inertia, rel=1e-9)
    assert (scores["kmeans_accuracy"], scores["ari"], scores["nmi"]) == (1, 1, pytest.approx(1))
    with pytest.raises(Fault, match="the clusters know nothing of the data"):
        judge.score(asked, {"clusters": np.random.default_rng(0).integers(0, 10, N)})
    with pytest.raises(Fault, match="the clusters should be 6,000 but are 5"):
        judge.score(asked, {"clusters": np.zeros(5, int)})


def test_components_are_judged_by_the_variance_that_they_explain() -> None:
    judge, asked = Judge(case()), Case("p", "pca", "digits", N, (), {"n_components": 50})
    share = judge.score(asked, {"scores": judge.features})["explained_variance"]
    pixels = inputs.load("pixels", "digits", N).astype(np.float64)
    exact = np.linalg.eigvalsh(np.cov(pixels.T))
    assert share == pytest.approx(exact[-50:].sum() / exact.sum(), rel=1e-4)
    turned = judge.features @ np.linalg.qr(np.random.default_rng(0).normal(size=(50, 50)))[0]
    assert judge.score(asked, {"scores": turned})["explained_variance"] == pytest.approx(share, rel=1e-6)
    with pytest.raises(Fault, match="the components know nothing"):
        judge.score(asked, {"scores": np.random.default_rng(0).normal(size=(N, 50))})


def test_pictures_are_looked_at() -> None:
    judge, asked = Judge(case()), Case("d", "draw", "blobs", 100, (), {"width": 80, "height": 60})
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3))
    assert set(judge.score(asked, {"picture": noise}).values()) == {None}
    with pytest.raises(Fault, match="60 x 80 pixels was asked for, not 80 x 60 x 3"):
        judge.score(asked, {"picture": noise.swapaxes(0, 1)})
    with pytest.raises(Fault, match="empty"):
        judge.score(asked, {"picture": np.zeros((60, 80, 3))})


def test_inputs_are_the_same_for_all() -> None:
    start, features = (inputs.load(name, "digits", N) for name in ("start", "features"))
    assert features.shape == (N, 50)
    assert start[:, 0].std() == pytest.approx(1e-4, rel=1e-4)
    own = mesh._start(features, methods.TSNE(), 0)
    assert np.abs(np.abs(own) - np.abs(start)).max() < 1e-7
    points, classes = (inputs.load(name, "blobs", 2_500) for name in ("points", "classes"))
    assert (points.shape, points.dtype) == ((2, 2_500), np.float32)
    centres = np.array([points[:, classes == c].mean(axis=1) for c in range(10)])
    assert np.linalg.norm(centres[:, None] - centres, axis=2)[~np.eye(10, dtype=bool)].min() > 0.5
    wide, narrow = (
        len(np.unique(np.floor(inputs.load("points", data, 2_500) * 10), axis=1).T) for data in ("blobs", "narrow")
    )
    assert narrow < 200 < 2_000 < wide


def test_every_case_is_sound() -> None:
    names = [each.name for each in cases.CASES]
    assert len(set(names)) == len(names)
    for each in cases.CASES:
        assert str(each.n) in each.name
        assert json.loads(json.dumps(each.settings_json())) == each.settings_json()
        assert set(each.once) <= set(each.engines)
    for subset in cases.SUBSETS.values():
        assert set(subset) <= set(names)
    assert all(cases.device_of(e) == "cuda" for each in cases.choose("gpu") for e in each.engines)


def test_the_table_knows_every_engine_of_the_cases() -> None:
    from benchmarks.engines import ENGINES

    wanted = {(each.task, engine) for each in cases.CASES for engine in each.engines}
    assert wanted == {(task, engine) for task, known in ENGINES.items() for engine in known}


def test_a_pattern_that_fits_nothing_is_an_error() -> None:
    assert [each.name for each in cases.choose("quick", ["draw-?0000000"])] == ["draw-10000000"]
    with pytest.raises(InputError, match="no case is called 'tnse-\\*'"):
        cases.choose("quick", ["tnse-*"])
    with pytest.raises(InputError, match="no case has the engine 'mash'"):
        cases.choose("quick", engines=["mash"])


def test_scikit_learn_is_not_given_other_phases() -> None:
    from benchmarks.peers import Refused, check_phases

    check_phases(methods.TSNE(iterations=500))
    with pytest.raises(Refused, match="exaggerates for 250 iterations, the case for 125"):
        check_phases(methods.TSNE(iterations=250))


def test_once_is_kept() -> None:
    few = replace(case("a", "b"), repeats=3, once=("b",))
    assert (list(few.seeds("a")), list(few.seeds("b"))) == ([0, 1, 2], [0])


def test_the_command_line_lists_and_refuses(tmp_path: Path) -> None:
    listed = _command("run", "gpu", "--list")
    assert listed.returncode == 0
    assert "tsne-mnist-70000" in listed.stdout
    assert "scikit_learn" not in listed.stdout
    refused = _command("run", "--only", "nothing", "--out", str(tmp_path / "x"))
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "no case is called 'nothing'" in refused.stderr


def _command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True)


def test_sigint_leaves_nothing_behind(tmp_path: Path, results_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARK_MARKS", str(tmp_path / "marks"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    command = [sys.executable, "-c", PROGRAM, json.dumps(asdict(case("slow_once"))), str(results_file)]
    stopped = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _wait(lambda: (tmp_path / "hung").exists() and (tmp_path / "hung").read_text() != "")
    child = int((tmp_path / "hung").read_text())
    stopped.send_signal(signal.SIGINT)
    assert stopped.wait(30) != 0
    assert not _is_alive(child)
    assert results.read(results_file).results == []
