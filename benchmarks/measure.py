"""One run in a fresh process, which is watched: how it ended, and what it left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from gpu_pipeline.timing import seconds

from . import inputs
from .cases import Case, device_of

ROOT = Path(__file__).parents[1]

ALSO = {"tsne": ("start",), "draw": ("classes",), "pipeline": ("labels",)}
"""Task -> arrays that engines are given beside the input."""

THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA", "BLIS")
"""Libraries whose number of threads is set by NAME_NUM_THREADS."""

SHARE = 0.9
"""Of the memory that is available at the start, what a process may take."""

_EVERY = 0.05  # Seconds between two looks at a process.


def measure(
    case: Case,
    engine: str,
    seed: int,
    folder: Path,
    *,
    threads: int,
    table: str = "benchmarks.engines",
    most_bytes: int | None = None,
) -> dict[str, Any]:
    """Start a process for one run and wait for its end.

    Parameters
    ----------
    case, engine, seed
        What to do, and who; `engine` as in the table.
    folder
        Empty; arrays that were made are there afterwards.
    threads
        Processors to use.
    table
        Module that has the table of engines, `ENGINES`.
    most_bytes
        Resident memory at which the process is ended; default `SHARE` of what is available.

    Returns
    -------
    `status`, `reason`, `seconds`, and where it came so far `stages`, `notes`, `cpu_seconds` and `memory`.
    """
    needed = (case.input, *ALSO.get(case.task, ()))
    paths = {name: str(inputs.path_of(name, case.data, case.n)) for name in needed}
    asked = {
        **{"case": asdict(case), "engine": engine, "device": device_of(engine), "seed": seed},
        **{"threads": threads, "table": table, "inputs": paths},
    }
    (folder / "asked.json").write_text(json.dumps(asked))
    most = most_bytes or int(SHARE * psutil.virtual_memory().available)
    with (folder / "said").open("w") as said:
        command = [sys.executable, "-m", "benchmarks.child", str(folder)]
        process = subprocess.Popen(
            command, cwd=ROOT, env=_environment(threads), stdout=said, stderr=said, start_new_session=True
        )
        try:
            cut = _watch(process, case.timeout, most)
        finally:
            _end(process)
    outcome: dict[str, Any] = {"seconds": {}, **_read(folder / "outcome.json")}
    if cut:
        return outcome | cut
    if process.returncode or "status" not in outcome:
        return outcome | {"status": "failed", "reason": _reason(process.returncode, folder / "said")}
    return outcome


def _environment(threads: int) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **{f"{name}_NUM_THREADS": str(threads) for name in THREADS}}


def _watch(process: subprocess.Popen[bytes], timeout: float, most: int) -> dict[str, Any] | None:
    """Wait for the end; what is to be said of a process that must be ended, else None."""
    start, resident = seconds(), psutil.Process(process.pid)
    while True:
        try:
            process.wait(_EVERY)
            return None
        except subprocess.TimeoutExpired:
            pass
        if seconds() - start > timeout:
            return {"status": "timeout", "reason": f"not done after {timeout:g} s"}
        if (taken := resident.memory_info().rss) > most:
            return {
                "status": "failed",
                "reason": f"out of memory: {taken / 2**30:.1f} GiB, of {most / 2**30:.1f} that it may take",
            }


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that still runs, with all that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _reason(code: int, said: Path) -> str:
    """Why a process ended that did not say so itself."""
    lines = said.read_text(errors="replace").strip().splitlines()
    last = lines[-1].strip() if lines else ""
    if code < 0:
        name = signal.Signals(-code).name
        by_kernel = ", as the kernel does where memory runs out" if name == "SIGKILL" else ""
        return f"ended by {name}{by_kernel}" + (f" ({last})" if last else "")
    return last or f"ended with exit code {code} and said nothing"
