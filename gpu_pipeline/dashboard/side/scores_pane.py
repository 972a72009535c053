"""The scores of a run, how long it took, and how it was made."""

from __future__ import annotations

import shlex
from typing import Any

from ...metrics import METRICS
from ...record import made_from
from ...render.text import cut_apart
from ...scoring import VOTERS
from ..opened import Opened
from ..quality import by_class
from ..selecting import pairs_to_text
from ..views import page
from .values import number

MOST_CLASSES = 40
"""Classes that are listed, the worst ones."""

MEASURED = {
    "accuracy": f"Points whose label most of their {VOTERS} nearest on the map have",
    "recall": "Mean share of the nearest in the data that are also nearest on the map",
    "misfits": "Points whose label is not that of most points in their cluster",
}
"""What is said of each class."""

NAME_ROOM = 180
"""Pixels of a class's name before its line, in two rows."""


def scores(opened: Opened) -> str:
    """The pane of the scores."""
    classes = _classes(opened)
    if opened.run is None:
        return page("scores", scores=[], placed=opened.facts, classes=classes)
    record = opened.run.record
    lines = [
        {
            "name": name.replace("_", " "),
            "about": f"over {opened.run.scores.sizes[name]:,} points"
            if name in opened.run.scores.sizes
            else "not measured",
            "value": number(value),
            "range": METRICS[name].range,
            "chance": METRICS[name].chance,
        }
        for name, value in opened.run.scores.values.items()
    ]
    steps = [
        {"step": step, "engine": record.engines.get(step, ""), "seconds": f"{spent:.2f}"}
        for step, spent in record.seconds.items()
    ]
    notes = [f"{engine} passed over: {reason}" for engine, reason in record.skipped.items()] + list(record.notes)
    facts = [
        ("made", record.created),
        ("data", f"{record.dataset['name']}, {record.dataset['n']:,} of {record.dataset['total']:,} rows"),
        ("content", f"SHA-256 {record.dataset['digest'][:16]}…"),
        ("made from, and judged by", made_from(record)),
        ("machine", ", ".join(str(v) for k, v in record.machine.items() if k in ("cpu", "gpu", "cores") and v)),
    ]
    command = f"gpu-pipeline run --recipe {shlex.quote(str(opened.run.path))}/recipe.toml"
    return page(
        "scores",
        classes=classes,
        scores=lines,
        steps=steps,
        notes=notes,
        facts=facts,
        command=command,
        recipe=record.recipe.to_toml(),
    )


def _classes(opened: Opened) -> dict[str, Any]:
    """How good the map is class by class."""
    found = by_class(opened)
    names = [one.name for one in found[:MOST_CLASSES]]
    lines = [
        {
            "name": one.name,
            "short": short,
            "points": f"{one.points:,}",
            "accuracy": _percent(one.accuracy),
            "recall": number(one.recall),
            "misfits": _percent(one.misfits),
            "value": pairs_to_text((("label", one.name),)),
        }
        for one, short in zip(found, cut_apart(names, 12, [NAME_ROOM] * len(names)), strict=False)
    ]
    measured = {name: about for name, about in MEASURED.items() if any(getattr(one, name) is not None for one in found)}
    return {"lines": lines, "more": len(found) - len(lines), "measured": measured}


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
