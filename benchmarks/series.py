"""The numbers of each figure, as plain values: the pictures, the page and the check all start from these."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from .spread import not_beaten, slope, some
from .summary import MEASURES, Line, Machine, families, growth, stage_times

Panel = dict[str, Any]

LEAST_SHARE = 0.002
"""Of a stage that is drawn."""

MOST_SIZES = 3
"""Panels in a row; of more sizes the smallest, the largest, and some between."""


def growth_panels(machine: Machine) -> list[Panel]:
    """Time against n for each family of cases: engine -> points of (n, multiple of the unit), and slope."""
    panels = []
    for family, lines in families(machine).items():
        series = {
            name: {"points": points, "slope": slope(*zip(*points, strict=True))}
            for name, points in growth(machine, family).items()
            if len(points) > 1
        }
        if series:
            smallest = min(n for panel in series.values() for n, _ in panel["points"])
            unit = f"{machine.baselines.get(lines[0].task)} at {smallest:,} = 1"
            panels.append({"title": family, "unit": unit, "series": series})
    return panels


def trade_panels(machine: Machine) -> list[Panel]:
    """Speed against quality for each size of t-SNE, and the Pareto front.

    KL is compared among t-SNE alone; recall with every other map of the same rows too.
    """
    panels = []
    cases = _cases(machine)
    for measure in ("kl", "recall_15"):
        for base, lines in cases:
            maps = [line for line in machine.of("umap") if (line.data, line.n) == (base.data, base.n)]
            there = {
                line.name if line.task == "tsne" else f"{line.name}, UMAP": (time, found.median)
                for line in lines + (maps if measure != "kl" else [])
                if (found := line.get(measure)) and (time := _against(line, base)) is not None
            }
            if len(there) > 1:
                front = not_beaten(list(there.values()), MEASURES[measure].lower_is_better)
                panels.append(
                    {
                        **_where(base),
                        "measure": MEASURES[measure].heading,
                        "series": there,
                        "front": [list(there)[i] for i in front],
                    }
                )
    return panels


def progress_panels(machine: Machine) -> list[Panel]:
    """KL against time: engine -> points of (time, KL, iterations), one for each number of iterations tried.

    Of the record under which most was tried.
    """
    panels = []
    for base, _ in _cases(machine, most=None):
        series = max(
            (_tries(lines, base) for lines in machine.runs.values()), key=lambda found: sum(map(len, found.values()))
        )
        if series:
            panels.append({**_where(base), "series": series})
    return panels


def _tries(lines: list[Line], base: Line) -> dict[str, list[tuple[float, float, int]]]:
    """The points of `progress_panels` among the lines of one record."""
    tries: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    for own in (line for line in lines if (line.case, line.name) == (base.case, base.name)):
        for line in lines:
            found, iterations = line.get("kl"), line.settings.get("iterations")
            same = (line.task, line.data, line.n, _without(line)) == (base.task, base.data, base.n, _without(base))
            if same and found and iterations and (time := _against(line, own)) is not None:
                tries[line.name].append((time, found.median, iterations))
    return {name: sorted(points) for name, points in tries.items() if len({p[2] for p in points}) > 1}


def stage_panels(machine: Machine) -> list[Panel]:
    """Engine -> stage -> share of its own time, and the time as a multiple of the baseline's."""
    panels = []
    for base, lines in _cases(machine):
        series = {
            line.name: {"shares": shares, "time": line.time.median if line.time else None}
            for line in lines
            if (shares := _shares(line))
        }
        if series:
            panels.append({**_where(base), "series": series})
    return panels


FIGURES: dict[str, Callable[[Machine], list[Panel]]] = {
    "growth": growth_panels,
    "trade": trade_panels,
    "progress": progress_panels,
    "stages": stage_panels,
}
"""Name -> the panels of a figure; one without panels is not drawn."""


def digest(panels: list[Panel]) -> str:
    """SHA-256 of a figure's numbers, to six figures: what another computer's last bits change is not seen."""

    def rounded(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: rounded(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [rounded(one) for one in value]
        return float(f"{value:.6g}") if isinstance(value, float) else value

    return hashlib.sha256(json.dumps(rounded(panels)).encode()).hexdigest()


def _cases(machine: Machine, most: int | None = MOST_SIZES) -> list[tuple[Line, list[Line]]]:
    """The baseline's line and all lines of t-SNE at its default settings, for each data set and size.

    Of cases on the same rows the one with the shortest name has the defaults.
    """
    names: dict[tuple[str, int], str] = {}
    for line in machine.of("tsne"):
        held = names.setdefault((line.data, line.n), line.case)
        if len(line.case) < len(held):
            names[line.data, line.n] = line.case
    found = []
    for data in dict.fromkeys(data for data, _ in names):
        here = []
        for case in (name for (of, _), name in sorted(names.items(), key=lambda item: item[0][1]) if of == data):
            lines = [line for line in machine.lines if line.case == case and line.samples]
            bases = [x for x in lines if x.device == "cpu" and x.engine == machine.baselines.get("tsne")]
            if bases and len(lines) > 1:
                here.append((bases[0], lines))
        found += here if most is None else some(here, most)
    return found


def _where(base: Line) -> Panel:
    return {"title": f"{base.data}, {base.n:,} points", "unit": f"{base.engine} = 1"}


def _against(line: Line, base: Line) -> float | None:
    """Time as a multiple of the base's: as the tables have it on the same case, from medians on another one.

    None where they were measured under different machine records.
    """
    if line.case == base.case:
        return line.time.median if line.time else None
    if line.seconds is None or base.seconds is None or line.records != base.records:
        return None
    return line.seconds.median / base.seconds.median


def _without(line: Line) -> dict[str, Any]:
    """Settings other than how long."""
    return {name: value for name, value in line.settings.items() if name != "iterations"}


def _shares(line: Line) -> dict[str, float]:
    """Share of each stage in the time of all samples together; what nobody could see is left out."""
    sums: dict[str, float] = defaultdict(float)
    for sample in line.samples:
        for name, value in stage_times(sample).items():
            sums[name] += value
    total = sum(sums.values())
    return {name: value / total for name, value in sums.items() if value >= LEAST_SHARE * total}
