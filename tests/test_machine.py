"""Facts of the computer: plain values, true where they can be checked another way, and quickly made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpu_pipeline import __version__, machine
from gpu_pipeline.engines import probe


def git(folder: Path, *arguments: str) -> str:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    me = ("-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", str(folder), *me, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_facts_survive_json() -> None:
    facts = machine.facts()
    assert json.loads(json.dumps(facts)) == facts


def test_facts_are_true() -> None:
    facts = machine.facts()
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["package"] == __version__
    assert facts["versions"]["numpy"] == np.__version__
    assert "cudf" not in facts["versions"] or "cuml" in facts["versions"]
    assert 1 <= facts["threads"] <= (os.cpu_count() or 1)
    assert facts["memory"] == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    # A GPU, or the reason why not; never both.
    assert (facts["gpu"] is None) != (facts["gpu_reason"] is None)


def test_vectors_are_those_that_numpy_found() -> None:
    from numpy._core._multiarray_umath import __cpu_features__ as known

    names = {"avx512f": "AVX512F", "avx2": "AVX2", "avx": "AVX", "asimd": "ASIMD"}
    widest = next((name for name in machine.VECTORS if known.get(names[name])), None)
    if not Path("/proc/cpuinfo").exists():
        pytest.skip("not Linux")
    assert machine.facts()["vectors"] == widest


def test_facts_name_nobody() -> None:
    """A record may be published: it names neither the computer nor its user."""
    import getpass
    import socket

    text = json.dumps({**machine.facts(), "environment": {}})
    assert str(Path.home()) not in text
    for name in (socket.gethostname(), getpass.getuser()):
        assert f'"{name}"' not in text


def test_switches_that_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in machine.SWITCHES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert machine.facts()["environment"] == {"OMP_NUM_THREADS": "3"}


def test_a_gpu_is_written_as_plain_values(monkeypatch: pytest.MonkeyPatch) -> None:
    found = probe.Gpu("NVIDIA H200", 150_000_000_000, (9, 0), 13000, None, 1)
    monkeypatch.setattr(probe, "gpu", lambda: found)
    facts = machine.facts()
    assert facts["gpu_reason"] is None
    assert json.loads(json.dumps(facts["gpu"])) == {
        "name": "NVIDIA H200",
        "memory": 150_000_000_000,
        "capability": [9, 0],
        "cuda": 13000,
        "driver": None,
        "count": 1,
    }


def test_commit_of_a_checkout(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    assert machine.commit(tmp_path) is None  # no commit yet
    git(tmp_path, "commit", "-q", "-m", "first")
    git(tmp_path, "tag", "v1")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert machine.commit(tmp_path) == head
    (tmp_path / "file").write_text("2")
    assert machine.commit(tmp_path) == f"{head}-dirty"


def test_a_package_below_somebody_elses_checkout_has_no_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "theirs")
    site = tmp_path / "venv" / "site-packages"
    site.mkdir(parents=True)
    assert machine.commit(site) is None


def test_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "-q")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.commit(tmp_path) is None


def test_a_misspelt_timeout_does_not_lose_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts are asked for at the end of a run."""
    from gpu_pipeline.errors import InputError

    def fail() -> probe.Gpu:
        raise InputError("GPU_PIPELINE_GPU_TIMEOUT is 'soon': give a positive number of seconds, or unset it.")

    monkeypatch.setattr(probe, "gpu", fail)
    assert "soon" in machine.facts()["gpu_reason"]
