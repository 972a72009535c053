"""What the summaries say, as tables: every task, growth, where others win, what was not done, and the machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .cells import NOT_MEASURED, Table, gpu_seconds, measured, number, plain, ratio, within
from .spread import slope, some, spread
from .summary import MEASURES, OWN, Line, Machine, families, growth

SHORT = ("kl", "recall_15", "label_accuracy", "host", "device")
"""What stands beside every speed-up in the README."""


def task_tables(machines: Sequence[Machine], task: str) -> list[Table]:
    """Each family of cases on each machine: every figure that any engine has, with its spread."""
    found = []
    for machine in machines:
        lines = machine.of(task)
        for family in dict.fromkeys(line.family for line in lines):
            there = [line for line in lines if line.family == family and _shown(line)]
            if there:
                caption = f"{family} on {machine.name}{_settings(there)}"
                found.append(_table(caption, there, machine.baselines.get(task), tuple(MEASURES), True))
    return found


def short_tables(machines: Sequence[Machine]) -> list[Table]:
    """t-SNE of MNIST in three sizes: medians of time, the scores beside it, memory.

    Of the machines without a GPU, and of those with one, that on which most of it was measured.
    """
    found: dict[bool, Table] = {}
    for machine in machines:
        lines = [line for line in machine.of("tsne") if line.data == "mnist" and _shown(line)]
        if lines:
            family = min({line.family for line in lines}, key=lambda name: (len(name), name))
            sizes = some(sorted({line.n for line in lines if line.family == family}), 3)
            there = [line for line in lines if line.family == family and line.n in sizes]
            caption = f"On {machine.name}, {described(machine)}:"
            table = _table(caption, there, machine.baselines.get("tsne"), SHORT, False)
            with_gpu = bool(machine.facts.get("gpu"))
            if with_gpu not in found or len(table.rows) > len(found[with_gpu].rows):
                found[with_gpu] = table
    return list(found.values())


def _shown(line: Line) -> bool:
    """Whether a line has a row: an engine that is not installed is named under what was not done, and nowhere else."""
    return bool(line.samples) or any(status != "unavailable" for status, _ in line.troubles)


def _settings(lines: Sequence[Line]) -> str:
    """What all sizes have in common."""
    common = [item for item in lines[0].settings.items() if all(item in line.settings.items() for line in lines)]
    return f": {', '.join(f'{name} = {value}' for name, value in common)}" if common else ""


def _table(caption: str, lines: Sequence[Line], one: str | None, measures: Sequence[str], whole: bool) -> Table:
    """`one`: the engine whose time is 1, if there is any; unless `whole`, medians alone."""
    columns = {"points": [f"{line.n:,}" for line in lines], "engine": [line.name for line in lines]}
    unit = f", {one} = 1" if one else ""
    columns[f"time{unit}"] = [_time(line) for line in lines]
    if whole:
        columns[f"processor time{unit}"] = [within(line.processor, ratio) for line in lines]
    columns["seconds"] = [gpu_seconds(line) for line in lines]
    for name in ("transfer", "warm_up") if whole else ():
        columns[f"seconds of {name.replace('_', '-')}"] = [_gpu_part(line, name) for line in lines]
    columns |= {MEASURES[name].heading: [measured(line, name) for line in lines] for name in measures}
    columns["samples"] = [str(len(line.samples)) for line in lines]
    kept = {name: cells for name, cells in columns.items() if set(cells) != {NOT_MEASURED}}
    rows = list(zip(*kept.values(), strict=True))
    return Table(caption, list(kept), rows if whole else [[_median(cell) for cell in row] for row in rows])


def _median(cell: str) -> str:
    return cell.partition(" (")[0]


def _gpu_part(line: Line, part: str) -> str:
    values = [sample["seconds"].get(part) for sample in line.samples] if line.device != "cpu" else []
    return within(spread(values), lambda value: f"{value:.3g}")


def _time(line: Line) -> str:
    """The ratio, or how every try ended."""
    if line.samples:
        return within(line.time, ratio)
    return ", ".join(dict.fromkeys(status for status, _ in line.troubles))


def described(machine: Machine) -> str:
    """A machine in one phrase."""
    facts = machine.facts
    gpu = (facts.get("gpu") or {}).get("name")
    processor = f"{facts.get('threads')} threads of {facts.get('cpu') or 'an unknown processor'}"
    return f"{gpu} and {processor}" if gpu else processor


def not_done(machines: Sequence[Machine]) -> list[Table]:
    """Everything that was asked and not done, with its reason."""
    found: dict[tuple[str, ...], list[str]] = {}
    for machine in machines:
        for line in machine.lines:
            for (status, reason), times in line.troubles.items():
                found.setdefault((line.name, status, plain(reason), machine.name), []).extend([line.case] * times)
    return _listed(found, ("engine", "ended", "reason", "machine", "times", "cases"))


def notes(machines: Sequence[Machine]) -> list[Table]:
    """What engines said of settings that they could not take."""
    found: dict[tuple[str, ...], list[str]] = {}
    for machine in machines:
        for line in machine.lines:
            for note in dict.fromkeys(note for sample in line.samples for note in sample.get("notes") or ()):
                found.setdefault((line.name, plain(note), machine.name), []).append(line.case)
    return _listed(found, ("engine", "note", "machine", "times", "cases"))


def _listed(found: dict[tuple[str, ...], list[str]], headings: Sequence[str]) -> list[Table]:
    """The same words on several cases are one row."""
    rows = [(*words, str(len(cases)), _cases(cases)) for words, cases in found.items()]
    return [Table("", headings, rows, range(len(headings)))] if rows else []


def _cases(cases: Sequence[str]) -> str:
    names = list(dict.fromkeys(cases))
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def machine_table(machines: Sequence[Machine]) -> list[Table]:
    """Where and with what it was measured; one column a machine."""
    facts = {
        machine.name: {
            "processor": machine.facts.get("cpu"),
            "vector instructions": machine.facts.get("vectors"),
            "threads": machine.facts.get("threads"),
            "memory": _gib(machine.facts.get("memory")),
            "GPU": (machine.facts.get("gpu") or {}).get("name") or machine.facts.get("gpu_reason"),
            "system": str(machine.facts.get("os") or "").partition(", ")[0] or None,
            "Python": machine.facts.get("python"),
            **(machine.facts.get("versions") or {}),
            **(machine.facts.get("peers") or {}),
            "commits": ", ".join(dict.fromkeys(_commit(one) for one in machine.records.values())),
            "measured": _days(machine),
            "load average": _load(machine),
        }
        for machine in machines
    }
    names = list(dict.fromkeys(name for one in facts.values() for name in one))
    rows = [[name, *(plain(one.get(name) or NOT_MEASURED) for one in facts.values())] for name in names]
    return [Table("", ("", *facts), rows, range(len(facts) + 1))] if facts else []


def _gib(size: int | None) -> str | None:
    return None if size is None else f"{size / 2**30:.0f} GiB"


def _commit(facts: dict[str, Any]) -> str:
    commit, _, dirty = str(facts.get("commit") or "unknown").partition("-")
    return f"{commit[:12]} with changes" if dirty else commit[:12]


def _days(machine: Machine) -> str | None:
    days = sorted({str(one["at"])[:10] for line in machine.lines for one in line.samples if one.get("at")})
    return None if not days else days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _load(machine: Machine) -> str:
    return within(
        spread(one.get("load_average") for line in machine.lines for one in line.samples), lambda x: f"{x:.1f}"
    )


def growth_table(machines: Sequence[Machine]) -> list[Table]:
    """The power of n that each engine's time follows."""
    rows = []
    for machine in machines:
        for family in families(machine):
            for name, points in growth(machine, family).items():
                exponent = slope(*zip(*points, strict=True))
                if exponent is not None:
                    sizes = ", ".join(f"{n:,}" for n, _ in points)
                    rows.append((machine.name, family, name, sizes, number(exponent, 2)))
    return [Table("", ("machine", "cases", "engine", "points", "slope"), rows, range(4))] if rows else []


def beaten(machines: Sequence[Machine]) -> list[Table]:
    """Where another engine is better than this project's own on the same device, by more than both spreads."""
    rows = []
    for machine in machines:
        for own in (line for line in machine.lines if line.engine in OWN and line.samples):
            for other in machine.lines:
                if (other.case, other.device) == (own.case, own.device) and other.engine not in OWN:
                    samples = f"{len(other.samples)} and {len(own.samples)}"
                    rows += [(machine.name, own.case, *row, samples) for row in _better(own, other)]
    headings = ("machine", "case", "in", "engine", "its", "this project's", "samples")
    return [Table("", headings, rows, range(4))] if rows else []


def _better(own: Line, other: Line) -> list[tuple[str, ...]]:
    """Measure, engine and both figures where `other` is better and the two do not overlap, as they are written."""
    found = []
    if own.time and other.time and other.time.high < own.time.low:
        found.append(("time", other.name, within(other.time, ratio), within(own.time, ratio)))
    for name, measure in MEASURES.items():
        mine, its = own.get(name), other.get(name)
        if mine and its and (its.high < mine.low if measure.lower_is_better else its.low > mine.high):
            found.append((measure.heading, other.name, measured(other, name), measured(own, name)))
    return [row for row in found if row[2] != row[3]]
