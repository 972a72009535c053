"""Judging apart from measuring: a GPU that is paid by the minute need not wait for the judge's processors.

`python -m benchmarks run --unjudged FOLDER` keeps what engines made, and `python -m benchmarks judge FOLDER`, on any
computer, scores it and writes the scores into the results.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from gpu_pipeline.errors import InputError
from gpu_pipeline.timing import Stopwatch

from . import results
from .cases import CASES, Case
from .engines import OTHER_METHODS
from .judge import Fault, Judge


def keep(folder: Path, line: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Put what an engine made where `judge` looks for it.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _path(folder, line).open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; give --unjudged another folder.") from None


def _path(folder: Path, line: Mapping[str, Any]) -> Path:
    return folder / f"{line['case']}-{line['engine']}-{line['device']}-{line['repeat']}.npz"


def scored(judge: Judge, case: Case, line: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """A line of results with its scores; one of something that is no result has failed."""
    watch, found = Stopwatch(), {**line, "status": "done"}
    try:
        with watch.measure("score"):
            found["scores"] = judge.score(case, arrays, kl=line["engine"] not in OTHER_METHODS)
    except Fault as fault:
        found |= {"status": "failed", "reason": str(fault)}
    return found | {"seconds": {**line["seconds"], **watch.seconds}}


def judge(path: Path, folder: Path, say: Callable[[dict[str, Any]], None], cases: Iterable[Case] = CASES) -> int:
    """Score the lines of a file that have no scores yet, and write the file anew.

    Parameters
    ----------
    path
        JSON lines.
    folder
        Where `keep` put the arrays.
    say
        Told each line that was scored.
    cases
        The table of cases.

    Returns
    -------
    How many lines were scored.

    Raises
    ------
    InputError
        If the file cannot be read or written, a case is not in the table as it was measured, or arrays are missing.
    """
    known, table = results.read(path), {case.name: case for case in cases}
    lines = list(known.results)
    waiting = [at for at, line in enumerate(lines) if line["status"] == results.UNJUDGED]
    for at in waiting:
        _check(lines[at], table, folder)
    here: Judge | None = None
    for at in sorted(waiting, key=lambda at: (lines[at]["data"], lines[at]["n"])):
        case = table[lines[at]["case"]]
        if here is None or here.rows != (case.data, case.n):
            here = Judge(case)
        lines[at] = scored(here, case, lines[at], _kept(folder, lines[at]))
        results.write(path, known.machines, lines)
        say(lines[at])
    return len(waiting)


def _check(line: Mapping[str, Any], table: Mapping[str, Case], folder: Path) -> None:
    """See that a line can be judged, before any is."""
    case = table.get(line["case"])
    if case is None or case.settings_json() != line["settings"]:
        raise InputError(f"{line['case']} is not a case of this version as it was measured: use the one it is of.")
    if not _path(folder, line).is_file():
        raise InputError(f"{folder} has no {_path(folder, line).name}: give the folder of `run --unjudged`.")


def _kept(folder: Path, line: Mapping[str, Any]) -> dict[str, np.ndarray]:
    path = _path(folder, line)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, BadZipFile, zlib.error) as error:
        raise InputError(f"{path} is broken ({error}): copy it again from where it was made.") from None
