"""What is kept of compiled loops, and when it is forgotten."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from gpu_pipeline.compiling import sources
from gpu_pipeline.engines.mesh import kernels

PART = """
from gpu_pipeline.compiling import part

@part
def step(x):
    return x + 1
"""

KERNEL = """
from gpu_pipeline.compiling import kernel

from .inner import step

@kernel
def twice(x):
    return step(step(x))
"""

RUN = "from loops.outer import twice; print(twice(1), sum(twice.stats.cache_hits.values()))"


def in_a_new_process(folder: Path) -> str:
    paths = os.pathsep.join(path for path in (str(folder), os.environ.get("PYTHONPATH")) if path)
    answer = subprocess.run(
        [sys.executable, "-c", RUN],
        env=os.environ
        | {"PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def test_a_loop_is_compiled_anew_when_what_it_calls_has_changed(tmp_path: Path) -> None:
    loops = tmp_path / "loops"
    loops.mkdir()
    (loops / "inner.py").write_text(PART)
    (loops / "outer.py").write_text(KERNEL)
    assert in_a_new_process(tmp_path) == "3 0"
    assert in_a_new_process(tmp_path) == "3 1"
    (loops / "inner.py").write_text(PART.replace("x + 1", "x + 5"))
    assert in_a_new_process(tmp_path) == "11 0"
    assert in_a_new_process(tmp_path) == "11 1"


def test_what_a_loop_is_made_of_is_found_and_nothing_else() -> None:
    names = {path.name for path in sources(kernels.__file__)}
    assert {"kernels.py", "compiling.py", "fft.py", "simd.py"} == names
