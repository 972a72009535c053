"""One HTML file that says everything about a run, or about two: pictures inside, nothing fetched, no script."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from . import __version__
from .errors import InputError
from .metrics import METRICS
from .order import in_order
from .record import made_from
from .report import compare
from .store import replace_file

if TYPE_CHECKING:
    from PIL import Image

    from .record import Run

MOST_CLASSES, MOST_CLUSTERS = 40, 40
"""A larger confusion is not written out: its largest cells are still named."""

_PICTURES = {
    "cluster": "Clusters of k-means.",
    "misfit": "Misfits: points whose label is not their cluster's majority.",
    "neighbor_recall": "Neighbour recall: the share of a point's 15 nearest in the data that are also nearest here.",
    "density": "Density: every pixel by how many points it holds, in equal steps.",
}
_LARGE, _SMALL = (1100, 960), (760, 660)


def write(runs: Sequence[Run], to: str | Path) -> Path:
    """Write the report of one run, or of two with their comparison, whole or not at all.

    Parameters
    ----------
    runs
        One run or two.
    to
        The file to write.

    Raises
    ------
    InputError
        If the runs are of different known data sets or have too few rows in common, or the file cannot be written.
    """
    to = Path(to)
    if not to.parent.is_dir():
        raise InputError(f"there is no folder {to.parent}: give the path of a file in one that is there.")
    text = html(runs)
    return replace_file(to, lambda draft: draft.write_text(text, encoding="utf-8"))


def html(runs: Sequence[Run]) -> str:
    """The report as text. Whatever the data say in names and labels stays text and becomes no markup."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    described = [_described(run) for run in runs]
    comparison = _compared(*runs) if len(runs) == 2 else None
    title = " and ".join(dict.fromkeys(one["title"] for one in described))
    return environment.get_template("page.html").render(
        title=title, runs=described, comparison=comparison, version=__version__
    )


def _described(run: Run) -> dict[str, Any]:
    record = run.record
    title, subtitle = run.title()
    there = [name for name in _PICTURES if name == "density" or name in run.points]
    if "label" not in run.points:
        there.remove("cluster")  # the large picture has it already
    return {
        "name": run.path.name if run.path else "a run that is not stored",
        "title": title,
        "subtitle": subtitle,
        "created": record.created[:16].replace("T", " "),
        "map": _picture(run.draw("label", width=_LARGE[0], height=_LARGE[1])),
        "coloured": "label" if "label" in run.points else "cluster",
        "pictures": [
            {"is": _PICTURES[name], "png": _picture(run.draw(name, width=_SMALL[0], height=_SMALL[1]))}
            for name in there
        ],
        "scores": [_score(run, name) for name in run.scores.values],
        "confusion": _confusion(run),
        "steps": _steps(run),
        "seconds": _text(sum(record.seconds.values())),
        "skipped": record.skipped,
        "notes": record.notes,
        "facts": _facts(run),
        "versions": record.machine.get("versions", {}),
        "recipe": record.recipe.to_toml(),
    }


def _picture(image: Image.Image) -> dict[str, Any]:
    """A picture as a data URI, with its size, so that the page does not jump while it is read."""
    buffer = io.BytesIO()
    image.save(buffer, format="png", optimize=True)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return {"uri": f"data:image/png;base64,{text}", "width": image.width, "height": image.height}


def _score(run: Run, name: str) -> dict[str, Any]:
    metric = METRICS[name]
    value = run.scores.values[name]
    low, high = metric.range
    bounded = value is not None and math.isfinite(low) and math.isfinite(high)
    return {
        "name": name.replace("_", " "),
        "value": _text(value),
        # Where on its range the value lies, in per cent, for the bar.
        "at": round(100 * (value - low) / (high - low), 1) if bounded else None,  # type: ignore[operator]
        "range": f"{low:g} to {high:g}" if math.isfinite(high) else f"{low:g} upwards",
        "better": "higher is better" if metric.higher_is_better else "lower is better",
        "chance": metric.chance,
        "size": _text(run.scores.sizes.get(name)),
        "is": metric.description,
    }


def _confusion(run: Run) -> dict[str, Any] | None:
    """Counts with the clusters put in the order of the classes they match, and the largest cells off the match."""
    from scipy.optimize import linear_sum_assignment

    confusion = run.scores.confusion
    if confusion is None:
        return None
    counts = np.array(confusion["counts"])
    classes, clusters = [str(name) for name in confusion["classes"]], [str(name) for name in confusion["clusters"]]
    worst = _worst(counts, classes, clusters)  # in the order of the scores, whose first of equals is the majority
    listed = in_order(classes)
    classes, counts = [classes[i] for i in listed], counts[listed]
    matched_rows, matched = linear_sum_assignment(counts, maximize=True)
    rest = [j for j in range(len(clusters)) if j not in set(matched.tolist())]
    order = [*matched[np.argsort(matched_rows)].tolist(), *sorted(rest, key=lambda j: int(counts[:, j].argmax()))]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = [
        {
            "name": classes[i],
            "total": _text(int(counts[i].sum())),
            "cells": [{"n": _text(int(counts[i, j])), "share": round(float(shares[i, j]), 3)} for j in order],
        }
        for i in range(len(classes))
    ]
    small = len(classes) <= MOST_CLASSES and len(clusters) <= MOST_CLUSTERS
    return {
        "clusters": [clusters[j] for j in order],
        "rows": rows if small else [],
        "worst": worst,
        "shape": (len(classes), len(clusters)),
    }


def _worst(counts: np.ndarray, classes: list[str], clusters: list[str]) -> list[dict[str, str]]:
    """The five largest groups of rows that lie in a cluster of another class."""
    majority = counts.argmax(axis=0)
    off = counts.copy()
    off[majority, np.arange(len(clusters))] = 0
    found = []
    for flat in np.argsort(off, axis=None, kind="stable")[::-1][:5]:
        i, j = np.unravel_index(flat, off.shape)
        if off[i, j]:
            found.append(
                {
                    "n": _text(int(off[i, j])),
                    "of": _text(int(counts[i].sum())),
                    "label": classes[i],
                    "cluster": clusters[j],
                    "mostly": classes[majority[j]],
                }
            )
    return found


def _steps(run: Run) -> list[dict[str, str]]:
    record = run.record
    return [
        {
            "step": step,
            "engine": record.engines.get(step, ""),
            "seconds": _text(spent),
            "transfer": _text(record.transfer.get(step)) if step in record.transfer else "",
        }
        for step, spent in record.seconds.items()
    ]


def _facts(run: Run) -> dict[str, str]:
    """Where the data came from and on what computer it was done; what is not known is left out."""
    record, data = run.record, run.record.dataset
    machine = {name: value for name, value in record.machine.items() if not isinstance(value, dict | list)}
    facts = {
        "data": data["name"],
        "source": data["source"],
        "rows": f"{data['n']:,} of {data['total']:,}",
        "columns": f"{data['columns']:,}",
        "made from, and judged by": made_from(record),
        "digest of the data (SHA-256)": data["digest"],
        **{name.replace("_", " "): value for name, value in machine.items()},
    }
    if machine.get("memory"):
        facts["memory"] = f"{machine['memory'] / 2**30:.0f} GiB"
    gpu = record.machine.get("gpu")
    if isinstance(gpu, dict) and "name" in gpu:
        facts["gpu"] = gpu["name"]
    return {name: str(value) for name, value in facts.items() if value not in (None, "")}


def _compared(left: Run, right: Run) -> dict[str, Any]:
    figures, picture = compare(left, right)
    unsure = figures["not_comparable"]
    scores = [
        _pair(name.replace("_", " "), a, b, None if name in unsure else METRICS[name].higher_is_better)
        for name, (a, b) in figures["scores"].items()
    ]
    return {
        "picture": _picture(picture),
        "notes": figures["notes"],
        "rows": f"{figures['rows']:,}",
        "median": _text(figures["displacement_median"]),
        "rms": _text(figures["displacement_rms"]),
        "common": _text(figures["common_neighbors"]),
        "chance": f"{figures['common_neighbors_chance']:.4f}",
        "scores": scores,
        "seconds": [_pair(step, a, b, False) for step, (a, b) in figures["seconds"].items()],
    }


def _pair(name: str, a: float | None, b: float | None, higher_is_better: bool | None) -> dict[str, str]:
    """A line of the comparison; `better` is the side that is, as it is shown, and empty if none is.

    Where it is not known whether higher is better, the two cannot be compared.
    """
    difference = better = ""
    if a is not None and b is not None and higher_is_better is not None:
        difference = f"{b - a:+.3f}".replace("-", "\N{MINUS SIGN}")
        if _text(a) != _text(b):
            better = "B" if (b > a) == higher_is_better else "A"
    return {"name": name, "A": _text(a), "B": _text(b), "difference": difference, "better": better}


def _text(value: float | int | None) -> str:
    if value is None:
        return "\N{EN DASH}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".replace("-", "\N{MINUS SIGN}")
