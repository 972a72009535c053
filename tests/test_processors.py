"""How many threads are started: by what a process is bound to, and by what time its container is given."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpu_pipeline import processors


def test_a_limit_of_version_2_holds_for_groups_below_it(tmp_path: Path) -> None:
    inner = tmp_path / "pods" / "mine"
    inner.mkdir(parents=True)
    (inner / "cpu.max").write_text("max 100000\n")
    assert processors.quota(tmp_path, "/pods/mine") == math.inf
    (tmp_path / "pods" / "cpu.max").write_text("250000 100000\n")
    assert processors.quota(tmp_path, "/pods/mine") == 2.5
    (inner / "cpu.max").write_text("150000 100000\n")
    assert processors.quota(tmp_path, "/pods/mine") == 1.5
    assert processors.quota(tmp_path, "/") == math.inf


def test_a_limit_of_version_1(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    assert processors.quota(tmp_path, "/") == math.inf
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("400000\n")
    assert processors.quota(tmp_path, "/") == 4


def test_no_control_groups_are_no_limit(tmp_path: Path) -> None:
    assert processors.quota(tmp_path / "none", "/a/b") == math.inf


def test_threads_are_whole_and_at_least_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "GROUPS", tmp_path)
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert processors.threads() == 1


def test_a_process_bound_to_one_processor_has_one_thread() -> None:
    one = min(os.sched_getaffinity(0))
    code = f"import os; os.sched_setaffinity(0, {{{one}}}); from gpu_pipeline.engines import threads; print(threads())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"
