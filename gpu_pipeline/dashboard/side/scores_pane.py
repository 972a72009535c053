"""The scores of a run, how long it took, and how it was made."""

from __future__ import annotations

import shlex

from ...metrics import METRICS
from ..opened import Opened
from ..views import page
from .values import number


def scores(opened: Opened) -> str:
    """The pane of the scores."""
    if opened.run is None:
        return page("scores", scores=[], placed=opened.facts)
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
        ("preprocessing", record.preprocess),
        ("machine", ", ".join(str(v) for k, v in record.machine.items() if k in ("cpu", "gpu", "cores") and v)),
    ]
    command = f"gpu-pipeline run --recipe {shlex.quote(str(opened.run.path))}/recipe.toml"
    return page(
        "scores", scores=lines, steps=steps, notes=notes, facts=facts, command=command, recipe=record.recipe.to_toml()
    )
