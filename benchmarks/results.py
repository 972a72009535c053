"""Results as JSON lines: their form, reading, writing.

A line is a machine (`kind` "machine": `id`, `facts`) or a result (`kind` "result"), which names its machine. README.md
says what each field means. A number that was not measured is null.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from gpu_pipeline import machine
from gpu_pipeline.errors import InputError

SCHEMA = 1

UNJUDGED = "unjudged"
"""Status of what was measured and has no scores yet, see `later`."""

STATUSES = ("done", UNJUDGED, "refused", "unavailable", "failed", "timeout")

SECONDS = ("load", "transfer", "warm_up", "run", "fetch", "score")

FIELDS: dict[str, type | tuple[type, ...]] = {
    "machine": str,
    "case": str,
    "task": str,
    "data": str,
    "n": int,
    "settings": dict,
    "engine": str,
    "device": str,
    "threads": int,
    "seed": int,
    "repeat": int,
    "status": str,
    "reason": (str, type(None)),
    "notes": list,
    "seconds": dict,
    "stages": dict,
    "cpu_seconds": (int, float, type(None)),
    "memory": dict,
    "scores": dict,
    "load_average": (int, float, type(None)),
    "at": str,
}
"""Field of a result -> its type."""

PEERS = ("openTSNE", "pacmap", "scikit-learn-intelex", "faiss-cpu", "faiss-gpu-cu12", "pynndescent", "threadpoolctl")
"""Distributions that only the benchmark needs, whose versions are kept too."""


@dataclass(frozen=True)
class Results:
    """What a file holds.

    Attributes
    ----------
    machines
        Id -> facts.
    results
        The results, in the order in which they were measured.
    notes
        Sentences on lines that were left out.
    """

    machines: dict[str, dict[str, Any]] = field(default_factory=dict)
    results: list[dict[str, Any]] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def read(path: Path) -> Results:
    """The machines and results of a file; a torn last line, of a suite that was killed, is left out.

    Raises
    ------
    InputError
        If the file cannot be read, a line is not in this form, or it has another version of the form.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except OSError as error:
        raise InputError(f"cannot read the results {path}: {error.strerror}; give a file of JSON lines.") from None
    machines: dict[str, dict[str, Any]] = {}
    results, notes = [], []
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines) and not line.endswith("\n"):
                notes.append(f"{path.name}: the last line is torn and left out; the suite measures it again.")
                continue
            raise InputError(f"{path.name}, line {number} is not JSON ({error}): remove it.") from None
        if fault := _fault(values, machines):
            raise InputError(f"{path.name}, line {number}: {fault}")
        if values["kind"] == "machine":
            machines[values["id"]] = values["facts"]
        else:
            results.append(values)
    return Results(machines, results, tuple(notes))


def _fault(values: Any, machines: Mapping[str, Any]) -> str | None:
    """What is wrong with a line, as a sentence; None if nothing is."""
    if not isinstance(values, dict) or "schema" not in values:
        return "it has no schema: it is not a result of this suite, or older than its form; remove it."
    if values["schema"] != SCHEMA:
        return f"it has version {values['schema']} of the form, this program reads {SCHEMA}: use the program it is of."
    if values.get("kind") == "machine":
        good = isinstance(values.get("id"), str) and isinstance(values.get("facts"), dict)
        return None if good else "a machine needs an id and its facts: remove it."
    if values.get("kind") != "result":
        return f"its kind is {values.get('kind')!r}, not machine or result: remove it."
    for name, kind in FIELDS.items():
        if name not in values:
            return f"the result has no {name!r}: remove it and measure again."
        if not isinstance(values[name], kind):
            return f"its {name!r} is {values[name]!r}, which is of the wrong type: remove it and measure again."
    if values["status"] not in STATUSES:
        return f"its status is {values['status']!r}, not one of {', '.join(STATUSES)}: remove it and measure again."
    if values["machine"] not in machines:
        return f"no line before it describes its machine, {values['machine']!r}: put that line back."
    return None


def append(path: Path, line: Mapping[str, Any]) -> None:
    """Add a line, on disk when this returns; a torn last line is taken away first.

    Raises
    ------
    InputError
        If the line is not in this form, or the file cannot be written.
    """
    text = json.dumps({"schema": SCHEMA, **line}, allow_nan=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            _mend(file)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"cannot write the results {path}: {error.strerror}; give --out another file.") from None


def write(path: Path, machines: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> None:
    """Put machines, id -> facts, and results in the place of what a file holds, whole or not at all.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    heads = [{"schema": SCHEMA, "kind": "machine", "id": name, "facts": facts} for name, facts in machines.items()]
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(
            "".join(json.dumps(line, allow_nan=False) + "\n" for line in (*heads, *lines)), encoding="utf-8"
        )
        draft.replace(path)
    except OSError as error:
        raise InputError(f"cannot write the results {path}: {error.strerror}; free some space.") from None
    finally:
        draft.unlink(missing_ok=True)


def _mend(file: Any) -> None:
    """Cut off what follows the last end of a line."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    whole = file.read().rfind(b"\n") + 1
    if whole < size:
        file.truncate(whole)
    file.seek(0, os.SEEK_END)


def latest(results: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """(case, engine, device) -> its results, of those under the machine record that measured it last."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for result in results:
        here = found.setdefault((result["case"], result["engine"], result["device"]), [])
        if here and here[0]["machine"] != result["machine"]:
            here.clear()
        here.append(dict(result))
    return found


def computer(facts: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Some of a computer's facts, and the name of its GPU: what tells it from others."""
    return {**{name: facts.get(name) for name in names}, "gpu": (facts.get("gpu") or {}).get("name")}


def facts() -> tuple[str, dict[str, Any]]:
    """This computer and its libraries, and the id of that record."""
    here = machine.facts()
    peers = {}
    for name in PEERS:
        try:
            peers[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    here |= {"peers": peers, "commit": _commit(here["commit"])}
    text = json.dumps(here, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8], here


def _commit(commit: str | None) -> str | None:
    """The commit, "-dirty" only where something other than results has changed: a run writes those itself."""
    if commit is None or not commit.endswith("-dirty"):
        return commit
    root = Path(__file__).parents[1]
    command = [
        "git",
        "-C",
        str(root),
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        ".",
        ":!benchmarks/results",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    clean = done.returncode == 0 and not done.stdout.strip()
    return commit.removesuffix("-dirty") if clean else commit
