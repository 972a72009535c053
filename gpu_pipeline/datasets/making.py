"""The deformed digits as partitioned Parquet, any number of rows, written by several processes.

    big.parquet/
        _made.json           which set, how many rows, which seed
        part-00000.parquet   65,536 rows: `image`, 784 bytes, and `label`
        part-00001.parquet   ...

A row's bytes follow from its index and the seed, and a partition's from its rows; hence the files are the same
whatever the number of processes. A partition is written under another name and renamed, so that a folder is
filled further when the same command is started again.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from . import digits
from .made import MADE, Made, made_of
from .parts import METADATA

ROWS = 128 * digits.CHUNK
"""Rows of a partition, 51 MB of images: whole chunks, so that no random stream is drawn twice."""

FORM = 1
"""Version of the files' form."""

_DRAFT = ".draft"


def make_digits(
    folder: Path,
    rows: int,
    *,
    seed: int = 0,
    processes: int = 1,
    partition: int = ROWS,
    report: Callable[[int, int], object] = lambda done, total: None,
) -> int:
    """Fill a folder with deformed digits; partitions that are there and right stay as they are.

    Parameters
    ----------
    folder
        Where the partitions go, by habit named `*.parquet`.
    rows, seed
        How many rows, and the seed of their deformations; see `digits.rows`.
    processes
        How many write at once, 1 or more.
    partition
        Rows of each file.
    report
        Called with the rows that are there and all of them.

    Returns
    -------
    How many partitions were written.

    Raises
    ------
    InputError
        If a number cannot be used, the folder holds something else, or it cannot be written.
    """
    if rows < 1 or seed < 0 or processes < 1 or partition < 1:
        raise InputError(
            f"{rows} rows of seed {seed} by {processes} processes cannot be made: give 1 row and 1 process or more, "
            "and a seed of 0 or more."
        )
    parts = [(folder / f"part-{i:05d}.parquet", start) for i, start in enumerate(range(0, rows, partition))]
    _claim(folder, rows, seed, {path.name for path, _ in parts})
    sizes = {path: min(partition, rows - start) for path, start in parts}
    open_ = [(path, start) for path, start in parts if not _is_right(path, start, sizes[path], seed)]
    done = rows - sum(sizes[path] for path, _ in open_)
    report(done, rows)
    # "spawn", because a fork of a process with threads may stop for ever.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, max(len(open_), 1)), mp_context=context) as pool:
        futures = {pool.submit(_write, path, start, sizes[path], seed): path for path, start in open_}
        try:
            for future in as_completed(futures):
                future.result()
                done += sizes[futures[future]]
                report(done, rows)
        except (OSError, BrokenProcessPool) as error:
            reason = getattr(error, "strerror", None) or "a process that wrote was ended"
            raise InputError(
                f"cannot write to {folder} ({reason}): free some space or memory and start the same command, which "
                "goes on where it was."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)
    return len(open_)


def _claim(folder: Path, rows: int, seed: int, names: set[str]) -> None:
    """Say in the folder what it will hold, and see that it holds nothing else."""
    made = json.dumps(Made("digits", rows, seed, FORM)._asdict())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        present = {path.name for path in folder.iterdir() if not path.name.startswith(_DRAFT)}
        others = present - names - {MADE}
        if others:
            raise InputError(
                f"{folder} holds {len(others)} other files, such as {min(others)}: name a folder that is empty or new."
            )
        before = made_of(folder)
        if before is not None and (before.seed, before.form) != (seed, FORM):
            raise InputError(f"{folder} holds digits of seed {before.seed}: name another folder or that seed.")
        if before is None and present:
            raise InputError(f"{folder} holds Parquet that this command did not write: name another folder.")
        for draft in folder.glob(f"{_DRAFT}*"):
            draft.unlink(missing_ok=True)
        _replace(folder / MADE, lambda draft: draft.write_text(f"{made}\n", encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot write to {folder} ({error.strerror}): choose another place.") from None


def _is_right(path: Path, start: int, rows: int, seed: int) -> bool:
    """Whether a partition is there whole, with those rows of that seed."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        metadata = parquet.read_metadata(path)
    except (pa.ArrowException, OSError):
        return False
    said = json.loads((metadata.metadata or {}).get(METADATA, b"{}"))
    return bool(metadata.num_rows == rows and said == _said(start, seed))


def _said(start: int, seed: int) -> dict[str, Any]:
    return {
        **{"form": FORM, "set": "digits", "seed": seed, "start": start},
        **{"label": "label", "image_shape": [digits.SIZE, digits.SIZE], "recommended": "deskew"},
    }


def _write(path: Path, start: int, rows: int, seed: int) -> None:
    """One partition, whole or not at all."""
    import pyarrow as pa
    from pyarrow import parquet

    X = np.empty((rows, digits.SIZE**2), np.uint8)
    y = np.empty(rows, np.int64)
    at = 0
    for images, labels in digits.generate(rows, seed, start):
        X[at : at + len(images)], y[at : at + len(images)] = images, labels
        at += len(images)
    image = pa.FixedSizeBinaryArray.from_buffers(pa.binary(X.shape[1]), rows, [None, pa.py_buffer(X)])
    schema = pa.schema([("image", image.type), ("label", pa.int64())], {METADATA: json.dumps(_said(start, seed))})
    table = pa.Table.from_arrays([image, pa.array(y)], schema=schema)

    def write(draft: Path) -> None:
        parquet.write_table(
            table, draft, row_group_size=rows, compression="zstd", use_dictionary=["label"], write_page_checksum=True
        )

    _replace(path, write)


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    draft = path.with_name(f"{_DRAFT}-{os.getpid()}-{path.name}")
    try:
        write(draft)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
