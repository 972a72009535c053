"""Placed points: rows that were placed on the map of a stored run, as points over it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import placed
from ..datasets import DATASETS, load
from ..errors import InputError, unknown_name
from .images import Images, images_in
from .opened import Opened
from .shelf import Shelf

_open = Shelf(4)
_counted = Shelf(1024)  # The list is made at every redraw.


def sets_of(run: Path | None) -> dict[str, int | None]:
    """Names of the sets on the map of the run in a folder, the newest first, and their rows; None if unreadable."""
    return {} if run is None else {path.name: _rows(path) for path in reversed(placed.list_placed(run))}


def _rows(path: Path) -> int | None:
    record = path / placed.FILES["record"]

    def read() -> int:
        return int(json.loads(record.read_text(encoding="utf-8"))["dataset"]["n"])

    try:
        return _counted.get((str(record.resolve()), record.stat().st_mtime_ns), read)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def open_placed(ground: Opened, name: str) -> Opened:
    """A set of placed points over its map, shared by all sessions.

    Only a name that is in the list of the run's sets is ever opened, so that none leads out of the store.

    Raises
    ------
    InputError
        If there is no such set, or it cannot be read.
    """
    folder = None if ground.run is None else ground.run.path
    known = {path.name: path for path in placed.list_placed(folder)} if folder is not None else {}
    if name not in known:
        reason = InputError("no points were placed on this map: place some by gpu-pipeline place.")
        raise unknown_name("set of placed points", name[:80], list(known)) if known else reason
    changed = (known[name] / placed.FILES["record"]).stat().st_mtime_ns
    return _open.get((str(known[name].resolve()), changed, id(ground)), lambda: _over(ground, known[name]))


def _over(ground: Opened, path: Path) -> Opened:
    found = placed.open_placed(path)
    points = found.points.drop(columns="nearest")
    points["far"] = np.where(points["novelty"] > found.record["far"]["beyond"], "yes", "no")
    over = Opened(path.name, points, None, ground, tuple(_facts(found.record)))
    over.part("images", lambda: _images(found.record, points["row"].to_numpy(), ground))
    return over


def _facts(record: dict[str, Any]) -> list[tuple[str, str]]:
    data, far, accuracy = record["dataset"], record["far"], record["label_accuracy"]
    facts = [
        ("data", f"{data['name']}, {data['n']:,} of {data['total']:,} rows"),
        ("on the map of", f"{record['reference']['n']:,} rows"),
        ("far from all of them", f"{far['count']:,} ({far['share']:.1%}), by novelty above {far['beyond']:.2f}"),
    ]
    if accuracy is not None:
        own = "" if accuracy["reference"] is None else f"; of the map's own points {accuracy['reference']:.1%}"
        facts.append(("label accuracy", f"{accuracy['placed']:.1%}{own}"))
    facts.append(("seconds", ", ".join(f"{step} {spent:.2f}" for step, spent in record["seconds"].items())))
    return [*facts, ("made", record["created"]), *(("note", note) for note in record["notes"])]


def _images(record: dict[str, Any], rows: np.ndarray, ground: Opened) -> tuple[Images | None, str]:
    """The images of the placed rows, if the map's rows are images; if they cannot be had, a sentence that says why."""
    assert ground.run is not None
    shape, data = ground.run.record.dataset.get("image_shape"), record["dataset"]
    if shape is None:
        return None, ""
    asked = data.get("asked")
    if asked is None and data["name"] not in DATASETS:
        return None, "Where these rows were read is not in their record, so that their images cannot be shown."
    known = asked or {"name": data["name"]}
    try:
        found = load(**known, image_shape=tuple(shape), varies=False)
        if asked is None:  # All rows of a known data set have been read.
            found = replace(found, X=found.X[rows], y=None if found.y is None else found.y[rows], rows=rows)
        return images_in(found, data["digest"], f"{known['name']} is no longer what was placed"), ""
    except InputError as error:
        return None, str(error)
