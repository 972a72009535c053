"""What stands beside the map, as values for the templates: the point, the selection, mistakes, scores, comparison."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..compare import Comparison
from ..metrics import METRICS
from ..record import Run
from .opened import MOST_SOUGHT, Opened
from .state import Pairs, Step, pairs_to_text
from .statistics import NEIGHBORS, Confusion, against_rest, confusion, counts, neighbors_of_row
from .views import colour_of, hexadecimal, image_uri, page, png_uri

BARS = 12
SHEET = 100
STATISTICS = 14
INTRUDERS = 60
WORST = 8
LISTED = 8

MOST_CELLS = 40
"""Labels or clusters beyond which a heat map is no picture any more."""

MOST_NUMBERS = 600_000_000
"""Numbers in the features up to which all are searched for a point's neighbours: some 200 ms."""


def point(opened: Opened, place: int, held: bool) -> str:
    """The card of a point: its image and values, its neighbours in the data beside those on the map."""
    if not 0 <= place < opened.n:
        return page("point", card=None, held=False)
    line = opened.points.iloc[place]
    card = {
        "row": _row(opened, place),
        "image": _thumbs(opened, [place], 4)[0],
        "values": [(str(name).replace("_", " "), _text(line[name])) for name in opened.points.columns],
        "lists": _neighbors(opened, opened.run, place),
        "note": opened.why_no_images(),
    }
    return page("point", card=card, held=held)


def _neighbors(opened: Opened, run: Run | None, place: int) -> list[dict[str, Any]]:
    if run is None or run.features.size > MOST_NUMBERS:
        return []
    found = neighbors_of_row(run, place, LISTED)
    in_data = _listed(opened, found.in_data, set(found.on_map.tolist()))
    on_map = _listed(opened, found.on_map, set(found.in_data.tolist()))
    note = f"{found.common} of {len(found.in_data)} are near both in the data and on the map: they are framed."
    return [
        {"title": "Nearest in the data", "items": in_data, "note": ""},
        {"title": "Nearest on the map", "items": on_map, "note": note},
    ]


def _listed(opened: Opened, places: np.ndarray, others: set[int]) -> list[dict[str, Any]]:
    label = opened.points.get("label")
    return [
        {
            "place": place,
            "row": _row(opened, place),
            "label": None if label is None else _text(label.iloc[place]),
            "both": place in others,
            "image": image,
        }
        for place, image in zip(places.tolist(), _thumbs(opened, places.tolist(), 1), strict=True)
    ]


def _thumbs(opened: Opened, places: Sequence[int], scale: int) -> list[str]:
    """Addresses of some points' images; empty ones where there are none."""
    images = opened.images()
    return [""] * len(places) if images is None else [png_uri(images.png(place, scale)) for place in places]


def selection(opened: Opened, mask: np.ndarray | None, steps: Sequence[Step], filtered: bool, seed: int) -> str:
    """What is selected: counts, images, statistics against the rest, and how to have it elsewhere."""
    if mask is None:
        return page("selection", n=None)
    n = int(mask.sum())
    return page(
        "selection",
        n=n,
        total=opened.n,
        filtered=filtered,
        tables=[_bars(opened, column, mask) for column in ("label", "cluster") if column in opened.points],
        sheet=_sheet(opened, mask, seed) if n else None,
        statistics=_statistics(opened, mask) if 0 < n < opened.n else [],
        code=_code(opened, steps) if n and not filtered else None,
    )


def _bars(opened: Opened, column: str, mask: np.ndarray) -> dict[str, Any]:
    codes, key = opened.codes(column)
    found = [(i, *line) for i, line in enumerate(counts(codes, key.names, mask)) if line[1]]
    found.sort(key=lambda line: -line[2])
    bars = [
        {"name": name, "inside": inside, "all": total, "width": 100 * inside / found[0][2], "colour": colour_of(key, i)}
        for i, name, inside, total in found[:BARS]
    ]
    return {"title": f"{column.capitalize()}s", "bars": bars, "more": max(len(found) - BARS, 0)}


def _sheet(opened: Opened, mask: np.ndarray, seed: int) -> dict[str, Any] | None:
    images = opened.images()
    if images is None:
        return None
    places = np.flatnonzero(mask)
    if len(places) > SHEET:
        places = np.sort(np.random.default_rng(seed).choice(places, SHEET, replace=False))
    return {"image": image_uri(images.sheet(places, columns=10)), "shown": len(places), "columns": min(len(places), 10)}


def _statistics(opened: Opened, mask: np.ndarray) -> list[dict[str, str]]:
    lines = []
    for found in against_rest(opened.points, mask)[:STATISTICS]:
        form = "{:.3g}" if found.name is None else "{:.1%}"
        inside, outside = ("-" if value is None else form.format(value) for value in (found.inside, found.outside))
        name = found.column.replace("_", " ") + ("" if found.name is None else f" {found.name}")
        effect = "-" if found.effect is None else f"{found.effect:+.2f} sd"
        lines.append({"name": name, "inside": inside, "outside": outside, "effect": effect})
    return lines


def _code(opened: Opened, steps: Sequence[Step]) -> dict[str, str]:
    """The selection as a program: what Python and a shell need to find the same rows."""
    if opened.run is None or opened.run.path is None:
        return {}
    lines = [
        "from gpu_pipeline.dashboard.opened import open_stored",
        "from gpu_pipeline.dashboard.state import selected, step_from_text",
        "",
        f'opened = open_stored("{opened.run.path.parent}", "{opened.name}")',
        f"steps = tuple(map(step_from_text, {[step.to_text() for step in steps]!r}))",
        "rows = opened.points[selected(steps, opened.n, opened.matching)]",
    ]
    python = "\n".join(lines)
    return {"python": python, "shell": f"python -c {shlex.quote(python + chr(10) + 'print(rows.to_csv(index=False))')}"}


def mistakes(opened: Opened, chosen: Pairs) -> str:
    """Labels against clusters, the pairs confused most, and the points among another class."""
    missing = [name for name in ("label", "cluster") if name not in opened.points]
    if missing:
        reason = f"The points have no {' and no '.join(missing)}s: there is nothing to be mistaken about."
        return page("confusion", heat=None, reason=reason)
    table = opened.part("confusion", lambda: confusion(opened.points))
    if max(table.counts.shape) > MOST_CELLS:
        rows, columns = table.counts.shape
        reason = f"{rows:,} labels and {columns:,} clusters are too many for a heat map of at most {MOST_CELLS} each."
        return page("confusion", heat=None, reason=reason)
    names = [_text(name) for name in table.classes]
    means = opened.means("cluster")
    columns = [
        {
            "cluster": _text(name),
            "title": names[table.owners[j]] if j < len(table.owners) else "-",
            "image": image_uri(means[_text(name)]) if _text(name) in means else "",
        }
        for j, name in enumerate(table.clusters)
    ]
    heat = {"columns": columns, "lines": _heat_lines(table, names, columns, chosen), "images": bool(means)}
    return page("confusion", heat=heat, worst=_worst(opened), intruders=_intruders(opened, chosen))


def _heat_lines(
    table: Confusion, names: Sequence[str], columns: Sequence[Mapping[str, str]], chosen: Pairs
) -> list[dict[str, Any]]:
    """Cells of the heat map, shaded by the square root of their share of the label, so that few are seen too."""
    totals = np.maximum(table.counts.sum(axis=1), 1)
    lines = []
    for i, label in enumerate(names):
        cells = []
        for j, column in enumerate(columns):
            share = float(np.sqrt(table.counts[i, j] / totals[i]))
            right = j < len(table.owners) and table.owners[j] == i
            pairs = (("label", label), ("cluster", column["cluster"]))
            cells.append(
                {
                    **column,
                    "count": int(table.counts[i, j]),
                    "text": _short(int(table.counts[i, j])),
                    "background": _tint((26, 95, 180) if right else (176, 28, 0), share),
                    "ink": "#ffffff" if share > 0.75 else "#17191f",
                    "value": pairs_to_text(pairs),
                    "chosen": chosen == pairs,
                }
            )
        lines.append({"label": label, "cells": cells})
    return lines


def _worst(opened: Opened) -> list[dict[str, Any]]:
    """Pairs of a label and the class among which its points lie, those with the most points first."""
    if opened.n > MOST_SOUGHT:
        return []
    labels, key = opened.codes("label")
    m = len(key.names)
    pairs = np.bincount(labels.astype(np.int64) * m + opened.among(), minlength=m * m).reshape(m, m)
    totals = pairs.sum(axis=1)
    np.fill_diagonal(pairs, 0)
    order = [divmod(int(i), m) for i in np.argsort(-pairs, axis=None, kind="stable")[:WORST]]
    return [
        {
            "label": key.names[label],
            "among": key.names[other],
            "count": int(pairs[label, other]),
            "share": 100 * pairs[label, other] / totals[label],
            "value": pairs_to_text((("label", key.names[label]), ("among", key.names[other]))),
        }
        for label, other in order
        if pairs[label, other]
    ]


def _intruders(opened: Opened, chosen: Pairs) -> dict[str, Any] | None:
    """The points among another class, of the chosen cell or of all, the surest first."""
    if opened.n > MOST_SOUGHT:
        return None
    found = opened.strangers()
    title = "Points among another class"
    if chosen:
        mask = np.ones(opened.n, bool)
        for column, name in chosen:
            mask &= opened.members(column, [name])
        found = found[mask[found["position"].to_numpy()]]
        title += " in this cell" if ("cluster" in dict(chosen)) else f": {dict(chosen)['label']} among {chosen[-1][1]}"
    listed = found.iloc[:INTRUDERS]
    places = listed["position"].tolist()
    items = [
        {
            "place": place,
            "row": _row(opened, place),
            "label": _text(label),
            "among": _text(among),
            "share": f"{share:.0%}",
            "image": image,
        }
        for place, label, among, share, image in zip(
            places, listed["label"], listed["among"], listed["share"], _thumbs(opened, places, 1), strict=True
        )
    ]
    return {"title": title, "k": NEIGHBORS, "items": items, "total": len(found)}


def scores(opened: Opened) -> str:
    """The figures of a run and its origin."""
    if opened.run is None:
        return page("scores", scores=[])
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


def compare(
    opened: Opened,
    other: Opened | None,
    comparison: Comparison | None,
    rows: Sequence[Mapping[str, Any]],
    displaced: bool,
) -> str:
    """Two runs: scores and seconds beside each other, and how far the maps agree."""
    from .views import run_rows

    listed = [row for row in run_rows(rows) if row["run"] != opened.name]
    if other is None or comparison is None or opened.run is None or other.run is None:
        return page("compare", runs=listed, other="", summary=None)
    a, b = opened.run, other.run
    lines = [
        _pair(name.replace("_", " "), a.scores.values[name], b.scores.values.get(name)) for name in a.scores.values
    ]
    lines += [
        _pair(f"seconds: {step}", a.record.seconds[step], b.record.seconds.get(step)) for step in a.record.seconds
    ]
    found = comparison.summary
    summary = {
        "rows": int(found["rows"]),
        "only_a": int(found["only_reference"]),
        "only_b": int(found["only_other"]),
        "median": f"{found['displacement_median']:.3f}",
        "rms": f"{found['displacement_rms']:.3f}",
        "common": f"{found['common_neighbors']:.3f}",
        "chance": f"{found['common_neighbors_chance']:.4f}",
    }
    return page("compare", runs=listed, other=other.name, summary=summary, displaced=displaced, lines=lines)


def number(value: float | None) -> str:
    """A figure for reading; a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"


def _pair(name: str, a: float | None, b: float | None) -> dict[str, str]:
    difference = "-" if a is None or b is None else f"{b - a:+.3f}"
    return {"name": name, "a": number(a), "b": number(b), "difference": difference}


def _row(opened: Opened, place: int) -> int:
    return int(opened.points["row"].iloc[place]) if "row" in opened.points else place


def _text(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return "-" if np.isnan(value) else str(int(value)) if float(value).is_integer() else f"{value:.4g}"
    return str(value)


def _short(count: int) -> str:
    return f"{count / 1000:.0f}k" if count >= 10_000 else str(count) if count else ""


def _tint(colour: tuple[int, int, int], share: float) -> str:
    return hexadecimal(np.array([255 - (255 - c) * min(share, 1) for c in colour]))
