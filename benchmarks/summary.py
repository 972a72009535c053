"""What the samples say: medians with spreads, ratios within one run, growth with n, and who is not beaten.

A *line* is what one engine did on one case: all its samples and all its refusals. Lines are put together per
*machine*, which is one results file and one kind of computer in it. Seconds of a processor are never shown. They are
divided by those of the baseline's sample of the same case, seed and repeat, taken under the same machine record: those
two ran after one another, so that whatever the machine did otherwise hurt both.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gpu_pipeline.errors import unknown_name

from .results import computer, latest
from .spread import Spread, spread

TASKS = {
    "tsne": "t-SNE",
    "umap": "UMAP",
    "pca": "PCA",
    "kmeans": "k-means",
    "draw": "Drawing",
    "pipeline": "From pixels to picture",
}
"""Tasks in the order of the report."""

BASELINES = ("mesh", "render", "scikit_learn", "umap_learn")
"""Whose time is 1: the first of these with samples on a CPU in any case of the task, else the first engine that has."""


REST = "not told apart"
"""What a run did outside of the stages that are known."""

OWN = ("mesh", "render")
"""This project's engines."""


@dataclass(frozen=True)
class Measure:
    """A figure of a sample: where it stands in a result, and how it is written."""

    heading: str
    where: tuple[str, str]
    digits: int
    lower_is_better: bool
    unit: float = 1.0


MEASURES = {
    "kl": Measure("KL", ("scores", "kl"), 3, True),
    "recall_15": Measure("recall@15", ("scores", "recall_15"), 3, False),
    "recall_90": Measure("recall@90", ("scores", "recall_90"), 3, False),
    "trustworthiness": Measure("trustworthiness", ("scores", "trustworthiness"), 4, False),
    "label_accuracy": Measure("label accuracy", ("scores", "label_accuracy"), 3, False),
    "kmeans_accuracy": Measure("k-means accuracy", ("scores", "kmeans_accuracy"), 3, False),
    "ari": Measure("ARI", ("scores", "ari"), 3, False),
    "nmi": Measure("NMI", ("scores", "nmi"), 3, False),
    "silhouette": Measure("silhouette", ("scores", "silhouette"), 3, False),
    "inertia": Measure("inertia, best = 1", ("scores", "inertia"), 4, True),
    "explained_variance": Measure("explained variance", ("scores", "explained_variance"), 4, False),
    "host": Measure("MB above input", ("memory", "host"), 0, True, 1e6),
    "device": Measure("MB on the GPU", ("memory", "device"), 0, True, 1e6),
}
"""Name, as markers in the documents have it -> measure."""


def waited(sample: dict[str, Any]) -> float | None:
    """Seconds from the input in the host's memory to the answer there, all compiled; None if not measured.

    An engine without a device of its own transfers nothing: there null is no part of the sum.
    """
    seconds = sample["seconds"]
    if seconds.get("run") is None:
        return None
    return float(sum(seconds.get(part) or 0 for part in ("transfer", "run", "fetch")))


@dataclass(frozen=True)
class Line:
    """All that one engine did on one case of one machine."""

    machine: str
    task: str
    case: str
    data: str
    n: int
    settings: dict[str, Any]
    engine: str
    device: str
    threads: int | None
    samples: list[dict[str, Any]] = field(default_factory=list)
    troubles: Counter[tuple[str, str]] = field(default_factory=Counter)
    times: list[float | None] = field(default_factory=list)
    """Of each sample, as a multiple of the time of the baseline's that belongs to it."""
    processors: list[float | None] = field(default_factory=list)
    """The same of processor time."""
    best_inertia: float | None = None
    """The lowest of the case, on this machine."""

    @property
    def name(self) -> str:
        return self.engine if self.device == "cpu" else f"{self.engine}@{self.device}"

    @property
    def family(self) -> str:
        """The case without its size: what is the same in all sizes."""
        return re.sub(rf"-{self.n}(?=-|$)", "", self.case, count=1)

    @property
    def time(self) -> Spread | None:
        return spread(self.times)

    @property
    def processor(self) -> Spread | None:
        return spread(self.processors)

    @property
    def seconds(self) -> Spread | None:
        return spread(waited(sample) for sample in self.samples)

    @property
    def records(self) -> set[str]:
        """Ids of the machine records of its samples: seconds under different ones cannot be compared."""
        return {sample["machine"] for sample in self.samples}

    def value(self, sample: dict[str, Any], measure: str) -> float | None:
        """A measure of `MEASURES` of one sample, in its unit; inertia as a multiple of the lowest of the case."""
        group, key = MEASURES[measure].where
        found = (sample.get(group) or {}).get(key)
        unit = self.best_inertia if measure == "inertia" else MEASURES[measure].unit
        return float(found) / unit if found is not None and unit else None

    def get(self, measure: str) -> Spread | None:
        return spread(self.value(sample, measure) for sample in self.samples)


@dataclass(frozen=True)
class Machine:
    """A results file and one kind of computer in it, with every record of it, by id."""

    name: str
    records: dict[str, dict[str, Any]]
    lines: list[Line]
    """Of each case and engine what was measured last."""
    runs: dict[str, list[Line]]
    """All that was measured under each record: only there can seconds of different cases be compared, for a shared
    processor is another one an hour later."""
    baselines: dict[str, str]
    """Task -> the engine whose time is 1."""

    @property
    def facts(self) -> dict[str, Any]:
        """The latest record."""
        return list(self.records.values())[-1]

    def of(self, task: str) -> list[Line]:
        return [line for line in self.lines if line.task == task]


def machines(name: str, records: dict[str, dict[str, Any]], results: Sequence[dict[str, Any]]) -> list[Machine]:
    """The machines of one results file that have results, in the order of their first record; numbered if several.

    Raises
    ------
    InputError
        If a result is of a task that is not known.
    """
    for result in results:
        if result["task"] not in TASKS:
            raise unknown_name("task", result["task"], TASKS)
    measured = {result["machine"] for result in results}
    kinds: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for key, facts in records.items():
        if key in measured:
            kinds[json.dumps(computer(facts, ("cpu", "threads")))][key] = facts
    found = []
    for i, there in enumerate(kinds.values()):
        own = name if len(kinds) == 1 else f"{name}-{i + 1}"
        here = [one for one in results if one["machine"] in there]
        bases = _baselines(here)
        now = [one for group in latest(here).values() for one in group]
        runs = {key: _lines(own, [one for one in here if one["machine"] == key], bases) for key in there}
        found.append(Machine(own, there, _lines(own, now, bases), runs, bases))
    return found


def _lines(machine: str, results: list[dict[str, Any]], bases: dict[str, str]) -> list[Line]:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    clocks, lowest = {}, {}
    # What failed and was done when it was tried again is done: the last result of a repeat is the one that holds.
    for one in {(*_together(one), one["engine"], one["device"]): one for one in results}.values():
        groups[one["case"], one["engine"], one["device"], one["threads"]].append(one)
        if not _is_done(one):
            continue
        if one["device"] == "cpu" and one["engine"] == bases.get(one["task"]):
            clocks[_together(one)] = one
        inertia = (one.get("scores") or {}).get("inertia")
        if inertia is not None:
            lowest[one["case"]] = min(inertia, lowest.get(one["case"], math.inf))
    lines = [_line(machine, group, clocks, lowest) for group in groups.values()]
    tasks, seen = list(TASKS), list(dict.fromkeys(line.family for line in lines))
    return sorted(lines, key=lambda line: (tasks.index(line.task), seen.index(line.family), line.n))


def _baselines(results: list[dict[str, Any]]) -> dict[str, str]:
    """Whose time is 1, for each task; a task that no engine has done on a CPU has none."""
    there: dict[str, list[str]] = defaultdict(list)
    for one in results:
        if _is_done(one) and one["device"] == "cpu":
            there[one["task"]].append(one["engine"])
    return {task: next((name for name in BASELINES if name in names), names[0]) for task, names in there.items()}


def _is_done(result: dict[str, Any]) -> bool:
    return bool(result["status"] == "done")


def _together(result: dict[str, Any]) -> tuple[Any, ...]:
    """What a sample has in common with that of the baseline that it is divided by."""
    return tuple(result[key] for key in ("machine", "case", "threads", "seed", "repeat"))


def _line(
    machine: str, group: list[dict[str, Any]], clocks: dict[tuple[Any, ...], dict[str, Any]], lowest: dict[str, float]
) -> Line:
    first, samples = group[0], [one for one in group if _is_done(one)]
    troubles = Counter((one["status"], one["reason"] or "no reason given") for one in group if not _is_done(one))

    def over(clock: Callable[[dict[str, Any]], float | None]) -> list[float | None]:
        pairs = [(clock(one), clock(clocks[key]) if (key := _together(one)) in clocks else None) for one in samples]
        return [a / b if a is not None and b else None for a, b in pairs]

    return Line(
        machine,
        *(first[key] for key in ("task", "case", "data", "n", "settings", "engine", "device", "threads")),
        samples=samples,
        troubles=troubles,
        times=over(waited),
        processors=over(lambda one: one["cpu_seconds"]),
        best_inertia=lowest.get(first["case"]),
    )


def stage_times(sample: dict[str, Any]) -> dict[str, float]:
    """Seconds of each stage, in their order, and `REST`; on a GPU the way there and back among them."""
    seconds = sample["seconds"]
    there, back = ((seconds.get(way) if sample["device"] != "cpu" else None) for way in ("transfer", "fetch"))
    inside = {name: value for name, value in (sample.get("stages") or {}).items() if value is not None}
    rest = None if seconds.get("run") is None else max(seconds["run"] - sum(inside.values()), 0.0)
    parts = {"transfer": there, **inside, REST: rest, "fetch": back}
    return {name: float(value) for name, value in parts.items() if value}


def families(machine: Machine) -> dict[str, list[Line]]:
    """Cases that differ in size alone, in the order of the tasks."""
    found: dict[str, list[Line]] = {}
    for line in machine.lines:
        found.setdefault(line.family, []).append(line)
    return found


def growth(machine: Machine, family: str) -> dict[str, list[tuple[int, float]]]:
    """Engine -> (n, median time) of one family, where the baseline's time at its smallest n is 1.

    Of the record under which the baseline was measured at most sizes, of equals the latest.
    """
    runs = [[line for line in lines if line.family == family and line.seconds] for lines in machine.runs.values()]

    def own(run: list[Line]) -> list[Spread]:
        return [line.seconds for line in run if line.seconds and line.name == machine.baselines.get(line.task)]

    run = max(reversed(runs), key=lambda run: len(own(run)), default=[])
    bases = own(run)
    found: dict[str, list[tuple[int, float]]] = {}
    for line in run if bases else ():
        if line.seconds:
            found.setdefault(line.name, []).append((line.n, line.seconds.median / bases[0].median))
    return found
