"""The cases one after another: engines take turns, every result is a line at once, a killed suite goes on."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gpu_pipeline.errors import InputError
from gpu_pipeline.timing import now

from . import later, results
from .cases import Case, device_of
from .judge import NAMES, Judge
from .measure import measure

Say = Callable[[str], None]

EMPTY: dict[str, Any] = {
    "reason": None,
    "notes": [],
    "seconds": dict.fromkeys(results.SECONDS),
    "stages": {},
    "cpu_seconds": None,
    "memory": {"host": None, "device": None},
    "scores": dict.fromkeys(NAMES),
}
"""What a result holds of which nothing was measured."""


def run(
    cases: Sequence[Case],
    path: Path,
    *,
    threads: int,
    table: str = "benchmarks.engines",
    most_bytes: int | None = None,
    again: bool = False,
    unjudged: Path | None = None,
    say: Say = print,
) -> list[dict[str, Any]]:
    """Measure what is not in the file yet, under this machine's record.

    Parameters
    ----------
    cases
        What to measure.
    path
        JSON lines, to which results are added.
    threads
        Processors for each process.
    table
        Module with the table of engines.
    most_bytes
        Resident memory at which a process is ended; default a share of what is available.
    again
        Also measure again what failed, timed out, was refused or unavailable.
    unjudged
        A folder where what engines make is kept, for `later.judge`; by default it is judged at once.
    say
        Told a line about each result.

    Returns
    -------
    The results that were added.

    Raises
    ------
    InputError
        If the file cannot be read or written, or holds results of another machine.
    """
    known = results.read(path) if path.exists() else results.Results()
    for note in known.notes:
        say(note)
    machine, facts = results.facts()
    for theirs in known.machines.values():
        _check_machine(path, theirs, facts)
    if machine not in known.machines:
        results.append(path, {"kind": "machine", "id": machine, "facts": facts})
    here = [line for line in known.results if (line["machine"], line["threads"]) == (machine, threads)]
    measured = ("done", results.UNJUDGED)
    done = {(line["case"], who(line), line["repeat"]) for line in here if line["status"] in measured}
    # An engine that does not do a case with one seed is not asked to do it with another.
    given_up = {(line["case"], who(line)) for line in here if line["status"] not in measured and not again}
    absent: dict[tuple[str, str], dict[str, Any]] = {}
    added: list[dict[str, Any]] = []
    judge: Judge | None = None
    for case, engine, repeat in turns(cases):
        if (case.name, engine, repeat) in done or (case.name, engine) in given_up:
            continue
        if judge is None or judge.rows != (case.data, case.n):
            judge = Judge(case)
        line = _asked(case, engine, repeat) | {"machine": machine, "threads": threads}
        if (case.task, engine) in absent:
            line |= absent[case.task, engine]
        else:
            line = _measured(line, case, engine, judge, unjudged, threads=threads, table=table, most_bytes=most_bytes)
        if line["status"] == "unavailable":
            absent[case.task, engine] = {name: line[name] for name in ("status", "reason")}
        if line["status"] not in measured:
            given_up.add((case.name, engine))
        results.append(path, line)
        added.append(line)
        say(summary(line))
    return added


def _check_machine(path: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    """A file is of one machine: two that call themselves alike are easily taken for one."""
    there, here = (results.computer(facts, ("cpu", "cores")) for facts in (theirs, ours))
    unlike = [f"its {name} {there[name]}, here {here[name]}" for name in here if there[name] != here[name]]
    if unlike:
        raise InputError(f"{path} holds results of another machine ({'; '.join(unlike)}): give --out another file.")


def _asked(case: Case, engine: str, repeat: int) -> dict[str, Any]:
    """A result before anything is measured."""
    return {
        **{"kind": "result", "case": case.name, "task": case.task, "data": case.data, "n": case.n},
        **{"settings": case.settings_json(), "engine": engine.partition("@")[0], "device": device_of(engine)},
        **{"seed": repeat, "repeat": repeat, **EMPTY, "load_average": os.getloadavg()[0], "at": now()},
    }


def turns(cases: Sequence[Case]) -> Iterator[tuple[Case, str, int]]:
    """Case, engine and repeat in their order: all engines once, then again from another one on."""
    for case in cases:
        for repeat in range(case.repeats):
            first = repeat % len(case.engines)
            for engine in (*case.engines[first:], *case.engines[:first]):
                if repeat in case.seeds(engine):
                    yield case, engine, repeat


def _measured(
    asked: dict[str, Any], case: Case, engine: str, judge: Judge, unjudged: Path | None, **options: Any
) -> dict[str, Any]:
    """One run and its scores, as a result."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        line = asked | measure(case, engine, asked["seed"], folder, **options)
        line["seconds"] = dict.fromkeys(results.SECONDS) | line["seconds"]
        if line["status"] != "done":
            return line
        arrays = {path.stem: np.load(path, allow_pickle=False) for path in folder.glob("*.npy")}
        if unjudged is None:
            return later.scored(judge, case, line, arrays)
        later.keep(unjudged, line, arrays)
        return line | {"status": results.UNJUDGED}


def summary(line: Mapping[str, Any]) -> str:
    """A result in one line."""
    head = f"{line['case']:<34} {who(line):<22} {line['repeat']}  "
    if line["status"] not in ("done", results.UNJUDGED):
        return f"{head}{line['status']}: {line['reason']}"
    parts = [f"{line['seconds']['run']:9.3f} s"]
    for name, unit in (("host", "MB"), ("device", "MB on the GPU")):
        if (size := line["memory"][name]) is not None:
            parts.append(f"{size / 1e6:,.0f} {unit}")
    parts += [f"{name} {value:.4g}" for name, value in line["scores"].items() if value is not None]
    return head + ", ".join(parts + line["notes"])


def who(line: Mapping[str, Any]) -> str:
    """The engine of a result, as the table of cases writes it."""
    name, device = line["engine"], line["device"]
    return name if device_of(name) == device else f"{name}@{device}"
