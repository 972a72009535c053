"""What worked on this GPU a while ago is not tried again by every command, which takes seconds.

A try that went well is remembered until the computer starts anew, for a day at most, and only for the same driver, GPU,
libraries and code. What failed is never remembered.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from ..timing import now, since
from . import probe

LASTS = 24 * 3600.0
"""Seconds for which a try is remembered."""

SOURCES = (".py", ".cu", ".cuh")


def check(module: str, gpu: probe.Gpu, seconds: float, what: str) -> None:
    """See that a module's `try_out` works in a process of its own, unless it did so already.

    Parameters
    ----------
    module
        Name of the module.
    gpu
        The GPU that it is tried on.
    seconds, what
        As of `probe.in_child`.

    Raises
    ------
    Unavailable
        If it does not work, with the reason.
    """
    mark = _folder() / _sign(module, gpu)
    if _young(mark):
        return
    probe.in_child(module, "try_out", seconds, what)
    with suppress(OSError):  # A cache that cannot be written costs the time of another try, no more.
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(now())


def forget() -> None:
    """Try again what worked."""
    shutil.rmtree(_folder(), ignore_errors=True)


def _folder() -> Path:
    from ..datasets import cache_dir

    return cache_dir() / "tried"


def _young(mark: Path) -> bool:
    try:
        return since(mark.read_text()) < LASTS
    except (OSError, ValueError):
        return False


def _sign(module: str, gpu: probe.Gpu) -> str:
    """A name for all that may decide whether it works: another one after every change."""
    here, started = Path(__file__).parent, Path("/proc/sys/kernel/random/boot_id")
    environment = {name: value for name, value in os.environ.items() if name.startswith(("CUDA", "CUPY", "LD_", "RMM"))}
    decides = {
        "module": module,
        "gpu": dataclasses.asdict(gpu),
        "started": started.read_text() if started.exists() else "",
        "environment": environment,
        "python": [sys.version, *sys.path],
        "installed": sorted(name for folder in sys.path for name in _listed(folder)),
        "code": sorted((str(path), path.stat().st_mtime_ns) for path in here.rglob("*.*") if path.suffix in SOURCES),
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:32]


def _listed(folder: str) -> list[str]:
    """Names and versions of what is installed in a folder."""
    try:
        return [name for name in os.listdir(folder) if name.endswith(("-info", ".egg-link"))]
    except OSError:
        return []
