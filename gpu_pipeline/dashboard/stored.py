"""The stored runs: a line about each, and the runs and files that are open, read once and shared by all sessions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import InputError, unknown_name
from ..record import METHODS, settings_of
from ..store import FILES, list_runs, open_run, read_record
from .files import OpenFile
from .opened import Opened
from .shelf import Shelf

KEPT_RUNS = 6
"""Runs that stay in memory at once; the one used longest ago goes first."""

SHOWN = ("kl", "neighbor_recall", "accuracy")
"""Scores that the list of runs shows."""

_open = Shelf(KEPT_RUNS)


def open_stored(store: Path, name: str) -> Opened:
    """A stored run, shared by all sessions that look at it.

    Only a name that is in the list of stored runs is ever opened, so that none leads out of the store.

    Raises
    ------
    InputError
        If there is no such run or it cannot be read.
    """
    known = {where.name: where for where in list_runs(store)}
    if name not in known:
        raise unknown_name("run", name[:80], list(known)) if known else InputError("there is no stored run yet.")
    where = known[name]

    def read() -> Opened:
        run = open_run(where, store)
        return Opened(name, run.points, run)

    return _open.get((str(where.resolve()), _times(where)), read)


def open_points(file: OpenFile) -> Opened:
    """A person's own file, shared by all sessions.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    points = file.points()

    def make() -> Opened:
        return Opened(file.path.name, points, left_out=file.left_out())

    return _open.get((str(file.path), file.x, file.y, id(points)), make)


def rows_of(store: Path) -> list[dict[str, Any]]:
    """A line about each stored run, the oldest first; a run is read anew only if its files have changed.

    A run that cannot be read, or not in whole, has its line too, with a sentence that says so under `fault`.
    """
    return [_row(where) for where in list_runs(store)]


_rows = Shelf(1_000)


def _row(where: Path) -> dict[str, Any]:
    def read() -> dict[str, Any]:
        line: dict[str, Any] = {"run": where.name, "title": where.name, "hint": "", "created": "", "n": None}
        line |= {**dict.fromkeys(SHOWN), "fault": ""}
        try:
            record = read_record(where)
            line |= {
                "title": f"{METHODS[record.recipe.embed.method]} of {record.dataset['name']}",
                "hint": f"{settings_of(record.recipe)}, {record.engines['embed']}",
                "created": record.created[:16].replace("T", " "),
                "n": record.dataset["n"],
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {**line, "fault": "Its record cannot be read: make the run again."}
        try:
            values = json.loads((where / FILES["scores"]).read_text(encoding="utf-8"))["values"]
            return line | {name: values[name] for name in SHOWN}
        except (OSError, ValueError, KeyError, TypeError):
            return {**line, "fault": "Its scores are missing or cannot be read: make the run again from its recipe."}

    return _rows.get((str(where.resolve()), _times(where)), read)


def _times(where: Path) -> tuple[int, ...]:
    """When a run was made, and when it was scored last; 0 of a file that is not there."""
    times = []
    for name in ("record", "scores"):
        try:
            times.append((where / FILES[name]).stat().st_mtime_ns)
        except OSError:
            times.append(0)
    return tuple(times)
