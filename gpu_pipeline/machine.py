"""Facts of this computer and its libraries, for the record and for `doctor`; all plain values."""

from __future__ import annotations

import dataclasses
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from .engines import probe, threads
from .errors import InputError, Unavailable

LIBRARIES = (
    "cudf",
    "cudf-cu12",
    "cudf-cu13",
    "cuml",
    "cuml-cu12",
    "cuml-cu13",
    "cupy",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "datashader",
    "holoviews",
    "numba",
    "numpy",
    "pandas",
    "panel",
    "pyarrow",
    "pydantic",
    "scikit-learn",
    "scipy",
    "umap-learn",
)
"""Distributions whose versions decide what a run computes; RAPIDS has other names on PyPI than on conda."""

SWITCHES = (
    "CUDA_VISIBLE_DEVICES",
    "CUML_ACCEL_ENABLED",
    probe.TIMEOUT_VARIABLE,
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
)
"""Environment variables that change what runs where."""

VECTORS = ("avx512f", "avx2", "avx", "asimd")
"""Instructions on vectors, the widest first, as Linux names them."""


def facts() -> dict[str, Any]:
    """This computer, as JSON-serialisable values; None for what cannot be told.

    Returns
    -------
    `os`, `architecture`, `cpu` (model), `vectors` (widest of `VECTORS`), `cores` (physical), `threads` (that
    this process may use), `memory` (bytes), `python`, `gpu` (as `engines.probe.Gpu`, or None), `gpu_reason` (why there
    is none), `versions` (distribution -> version), `package` (this one's version), `commit` (of its checkout,
    "-dirty" after changes), `environment` (variables that are set and change what runs where).
    """
    import psutil

    gpu, reason = _gpu()
    cpu, vectors = _processor()
    return {
        "os": _system(),
        "architecture": platform.machine(),
        "cpu": cpu,
        "vectors": vectors,
        "cores": psutil.cpu_count(logical=False),
        "threads": threads(),
        "memory": psutil.virtual_memory().total,
        "python": platform.python_version(),
        "gpu": gpu,
        "gpu_reason": reason,
        "versions": versions(),
        "package": _package(),
        "commit": commit(Path(__file__).parents[1]),
        "environment": {name: os.environ[name] for name in SWITCHES if name in os.environ},
    }


def versions() -> dict[str, str]:
    """Version of each library of `LIBRARIES` that is installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit(root: Path) -> str | None:
    """Commit of the checkout whose top is `root`, "-dirty" added after changes; None if it is none.

    A package installed below somebody else's checkout does not report that one's commit.
    """
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _gpu() -> tuple[dict[str, Any] | None, str | None]:
    try:
        gpu = probe.gpu()
    except (InputError, Unavailable) as reason:
        # Facts are asked for at the end of a run: a misspelt time-out must not lose it.
        return None, str(reason)
    return {**dataclasses.asdict(gpu), "capability": list(gpu.capability)}, None


def _package() -> str:
    from . import __version__

    return __version__


def _system() -> str:
    """Kernel, and the Linux distribution where it says its name."""
    kernel = f"{platform.system()} {platform.release()}"
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {kernel}"
    except (OSError, KeyError):
        return kernel


def _processor() -> tuple[str | None, str | None]:
    """Model of the processor, and the widest of `VECTORS` that it has.

    A virtual machine may name no more than its maker, so that family and model are told with it.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []  # not Linux
    parts = [line.partition(":") for line in lines]
    said = {name.strip().lower(): value.strip() for name, _, value in reversed(parts)}  # of the first processor
    model = said.get("model name") or platform.processor() or None
    if model and "cpu family" in said and "model" in said:
        model += f" (family {said['cpu family']}, model {said['model']})"
    has = (said.get("flags") or said.get("features") or "").split()
    return model, next((name for name in VECTORS if name in has), None)
