"""The processors that there are for this process, and work for all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")

GROUPS = Path("/sys/fs/cgroup")


def threads() -> int:
    """Processors that this process may use all the time: those that it is bound to, or fewer where its container is
    given less of their time, as by `docker run --cpus 2`.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min(bound, quota(GROUPS, _own_group()))))


def in_threads(work: Callable[[S], T], items: Iterable[S], most: int | None = None) -> list[T]:
    """Do the work for each item, a processor an item, and give the results in order; raises what a thread raised.

    For calls that let go of the interpreter's lock, as NumPy and SciPy do with large arrays. `most` is how many threads
    there are, by default one for each processor.
    """
    with ThreadPoolExecutor(most or threads()) as pool:
        return list(pool.map(work, items))


def quota(groups: Path, own: str) -> float:
    """Processors' worth of time that a control group and those above it leave, infinity if they set no limit.

    Parameters
    ----------
    groups
        Where control groups are mounted, as version 2 has them, or version 1 with its folder `cpu`.
    own
        The group's path below that; in a container's own namespace "/".
    """
    found = [float("inf")]
    for folder in (groups / own.lstrip("/"), *(groups / own.lstrip("/")).parents):
        if not folder.is_relative_to(groups):
            break
        with suppress(OSError, ValueError):  # "max 100000" without a limit
            most, period = (folder / "cpu.max").read_text().split()
            found.append(int(most) / int(period))
    with suppress(OSError, ValueError):
        most, period = ((groups / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        if int(most) > 0:  # -1 without a limit
            found.append(int(most) / int(period))
    return min(found)


def _own_group() -> str:
    """Path of this process's group of version 2."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            if line.startswith("0::"):
                return line[3:]
    return "/"
