"""What the comparison says of results that are written here by hand, and what it reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import results
from benchmarks.compare import compare
from benchmarks.suite import EMPTY
from gpu_pipeline.errors import InputError

ROOT = Path(__file__).parents[1]
FACTS: dict[str, Any] = {"cpu": "a processor", "cores": 2, "threads": 2, "memory": 2**34, "gpu": None}


def write(path: Path, samples: list[dict[str, Any]], facts: dict[str, Any] = FACTS) -> Path:
    """A file of one engine's samples: `run` and `kl`, or another status."""
    results.append(path, {"kind": "machine", "id": "m", "facts": facts})
    for repeat, sample in enumerate(samples):
        results.append(path, line(repeat, **sample))
    return path


def line(
    repeat: int, run: float | None = None, kl: float | None = None, status: str = "done", **more: Any
) -> dict[str, Any]:
    return {
        **{"kind": "result", **EMPTY, "machine": "m", "case": "tsne-mnist-5000", "task": "tsne", "data": "mnist"},
        **{"n": 5000, "settings": {}, "engine": "mesh", "device": "cpu", "threads": 2, "seed": repeat},
        **{"repeat": repeat, "status": status, "reason": None if status == "done" else "because", "at": "2026-11-24"},
        **{"seconds": {"run": run}, "scores": {"kl": kl, "recall_15": None}, "load_average": 0.5, **more},
    }


def times(*seconds: float, kl: float = 1.5) -> list[dict[str, Any]]:
    return [{"run": value, "kl": kl} for value in seconds]


@pytest.mark.parametrize(
    ("before", "after", "worse", "better"),
    [
        (times(1.0, 1.1, 1.2), times(1.3, 1.4, 1.5), ["run"], []),
        (times(1.3, 1.4, 1.5), times(1.0, 1.1, 1.2), [], ["run"]),
        (times(1.0, 1.1, 1.2), times(1.15, 1.4, 1.5), [], []),  # the ranges overlap
        (times(1.0, 1.01, 1.02), times(1.03, 1.04, 1.05), [], []),  # apart, but by 3 %
        (times(1.0), times(1.14), [], []),  # one sample each: within three times 5 %
        (times(1.0), times(1.16), ["run"], []),
        (times(1.0, kl=1.5), times(1.0, kl=1.6), ["kl"], []),
        (times(1.0, kl=1.6), times(1.0, kl=1.5), [], ["kl"]),
        (times(1.0, kl=1.5), times(1.0, kl=1.51), [], []),
        (times(1.0), [{"status": "timeout"}], ["status"], []),
        ([{"status": "failed"}], times(1.0), [], ["status"]),
        ([{"status": "failed"}], [{"status": "failed"}], [], []),
    ],
)
def test_differences_beyond_the_spread(
    tmp_path: Path, before: list[dict[str, Any]], after: list[dict[str, Any]], worse: list[str], better: list[str]
) -> None:
    a, b = write(tmp_path / "a", before), write(tmp_path / "b", after)
    found = compare(results.read(a), results.read(b))
    assert [each.figure for each in found if each.worse] == worse
    assert [each.figure for each in found if not each.worse] == better
    ended = _command(a, b)
    assert ended.returncode == (1 if worse else 0)
    assert f"{len(worse)} worse, {len(better)} better" in ended.stdout


def test_the_spread_can_be_given(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a", times(1, 1, 1)), write(tmp_path / "b", times(1.2, 1.2, 1.2))
    assert _command(a, b).returncode == 1
    assert _command(a, b, "--spread", "0.25").returncode == 0


def test_other_machines_are_compared_only_when_told(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a", times(1.0)), write(tmp_path / "b", times(1.0), {**FACTS, "cores": 4})
    refused = _command(a, b)
    assert refused.returncode == 2
    assert "cores 2 and 4" in refused.stderr
    assert _command(a, b, "--any-machine").returncode == 0


def test_only_the_latest_record_counts(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a", times(1.0)), write(tmp_path / "b", times(9.0))
    results.append(b, {"kind": "machine", "id": "later", "facts": FACTS})
    results.append(b, line(0, 1.0, 1.5, machine="later"))
    assert compare(results.read(a), results.read(b)) == []


def test_nothing_in_common_is_an_error(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a", times(1.0)), write(tmp_path / "b", [])
    with pytest.raises(InputError, match="no case and engine in common"):
        compare(results.read(a), results.read(b))


def test_a_torn_last_line_is_left_out_and_cut_off(tmp_path: Path) -> None:
    path = write(tmp_path / "a", times(1.0))
    whole = path.read_text()
    path.write_text(whole + whole[:40])
    read = results.read(path)
    assert len(read.results) == 1
    assert read.notes == ("a: the last line is torn and left out; the suite measures it again.",)
    results.append(path, line(1, 2.0, 1.5))
    assert [each["seconds"]["run"] for each in results.read(path).results] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{torn\n", "is not JSON"),
        ('{"engine": "mesh", "seconds": 3}\n', "it has no schema"),
        ('{"schema": 2, "kind": "result"}\n', "has version 2 of the form, this program reads 1"),
        ('{"schema": 1, "kind": "joke"}\n', "kind is 'joke'"),
        (json.dumps({"schema": 1, **line(0, 1.0, machine="x")}) + "\n", "no line before it describes its machine"),
        (json.dumps({"schema": 1, **line(0, status="odd")}) + "\n", "its status is 'odd'"),
        (json.dumps({"schema": 1, **line(0, n="many")}) + "\n", "its 'n' is 'many'"),
        (json.dumps({"schema": 1, "kind": "result", "machine": "m"}) + "\n", "has no 'case'"),
    ],
)
def test_a_line_in_another_form_is_an_error(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence) as raised:
        results.read(path)
    assert "\n" not in str(raised.value)


def test_a_number_that_is_none_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        results.append(tmp_path / "a", line(0, float("nan")))


def _command(a: Path, b: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", "compare", str(a), str(b), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
