"""How many workers a bound on memory allows, and how much each may have."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich import filesize

from ..engines import threads
from ..errors import InputError
from .cluster import Where
from .source import BLOCK, Source

MIB = 2**20

PARENT, WORKER = 450 * MIB, 380 * MIB
"""Resident bytes of this process and of a worker with their libraries, and before any rows."""

LANDMARK = 6_000
"""Bytes that a landmark takes while it is embedded, beside its row and its features."""

DRAWING = 300 * MIB
"""Bytes that a worker takes to draw: rows, a few grids of pixels, and the compiled loop."""

KEPT = 4
"""Copies of the columns that go with the points that a worker has at its most: read, as a frame, and written."""

PLACED = 40
"""Bytes on the disk that a placed row takes in its two tables."""


@dataclass(frozen=True)
class Share:
    """What the bound on memory is shared out to: a number of workers, and the bytes that each may have."""

    workers: int
    limit: int


def share(where: Where, source: Source, landmarks: int, components: int) -> Share:
    """Share out the memory.

    Parameters
    ----------
    where
        The bound, and the workers that are asked for.
    source
        The rows.
    landmarks, components
        How many rows are embedded, and columns of their features.

    Raises
    ------
    InputError
        If it is not enough, with what would be.
    """
    mine, each = parent_needs(source, landmarks, components), worker_needs(source, landmarks, components)
    if where.scheduler is not None:
        if mine > where.memory:
            raise InputError(
                f"this process needs {_gb(mine)} for {landmarks:,} landmarks, but --memory is {_gb(where.memory)}: "
                "raise it or take fewer landmarks."
            )
        return Share(0, each)
    fitting = (where.memory - mine) // each
    workers = where.workers or max(1, min(threads(), fitting, len(source.partitions)))
    if fitting < workers:
        raise InputError(
            f"{workers} worker{'s' * (workers != 1)} and this process need {_gb(mine + workers * each)} together "
            f"({_gb(each)} and {_gb(mine)}), but --memory is {_gb(where.memory)}: raise it, or take fewer workers, "
            "fewer landmarks or smaller row groups."
        )
    return Share(workers, (where.memory - mine) // workers)


def parent_needs(source: Source, landmarks: int, components: int) -> int:
    """Bytes of this process at its most, about: while it embeds the landmarks."""
    d, item = source.columns, np.dtype(source.dtype).itemsize
    rows = landmarks * (2 * d * item + 16 * components + LANDMARK)
    return PARENT + rows + 24 * BLOCK * d + (32 * d * d if components < d else 0)


def worker_needs(source: Source, landmarks: int, components: int) -> int:
    """Bytes of a worker at its most, about: while it prepares and places its largest partition, draws, or writes the
    columns that go with the points."""
    d, item = source.columns, np.dtype(source.dtype).itemsize
    rows = max(partition.rows for partition in source.partitions)
    partition = rows * (5 * d * item // 2 + 12 * components + 100)
    placing = partition + 24 * BLOCK * d + 24 * d * d + landmarks * (8 * components + 100)
    return WORKER + max(placing, DRAWING, max(KEPT * each.kept + 100 * each.rows for each in source.partitions))


def check_disk(folder: Path, source: Source, components: int) -> None:
    """See that what is written fits, before it is.

    Raises
    ------
    InputError
        If it does not, with both numbers.
    """
    d = source.columns
    needed = source.total * (4 * components + PLACED) + sum(partition.kept for partition in source.partitions)
    if components < d:
        needed = max(needed, len(source.partitions) * 8 * d * d)
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(folder).free
    if needed - there > free:
        raise InputError(
            f"{source.total:,} rows take {_gb(needed - there)} more in {folder} while they are worked on, but only "
            f"{_gb(free)} are free: free some, or store elsewhere with --out."
        )


def _gb(size: int) -> str:
    return filesize.decimal(size, precision=2)
