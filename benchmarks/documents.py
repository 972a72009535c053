"""Blocks and single figures in the Markdown of README.md and docs/, which the results fill in.

A block stands between the comments `benchmark:NAME` and `/benchmark`, a figure in a sentence between `b:NAME` and `/b`.
The name of a figure is CASE/ENGINE/FIGURE: the median, as the tables write it, on the first machine that has it
(MACHINE:CASE/ENGINE/FIGURE on that one). CASE without its size gives the range over all sizes; ENGINE may be `best`,
which gives the engine; FIGURE is `time`, `processor`, `seconds` (of a GPU only), `slope` (without a size), `samples`
or a measure of `summary.MEASURES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from gpu_pipeline.errors import InputError, unknown_name

from .cells import NOT_MEASURED, markdown, number, ratio
from .spread import slope
from .summary import MEASURES, Line, Machine, growth

BLOCK = re.compile(r"(<!-- benchmark:([\w-]+) -->\n).*?(<!-- /benchmark -->)", re.DOTALL)
FIGURE = re.compile(r"(<!--b:([^>]*?)-->)[^<]*(<!--/b-->)")
_MARKS = re.compile(r"<!--\s*/?(?:benchmark|b)\b[^>]*-->")

FIGURES = ("time", "processor", "seconds", "slope", "samples", *MEASURES)


def filled(text: str, blocks: Mapping[str, Callable[[], str]], machines: Sequence[Machine]) -> str:
    """The document with every block and figure as the results have it.

    Raises
    ------
    InputError
        If a name is not known, or a comment has no partner.
    """
    if len(_MARKS.findall(text)) != 2 * (len(BLOCK.findall(text)) + len(FIGURE.findall(text))):
        raise InputError("a benchmark comment is misspelt or has no partner: write each pair as in docs/benchmarks.md.")

    def block(found: re.Match[str]) -> str:
        if found[2] not in blocks:
            raise unknown_name("block", found[2], blocks)
        return f"{found[1]}{blocks[found[2]]()}\n{found[3]}"

    def one(found: re.Match[str]) -> str:
        return f"{found[1]}{markdown(figure(machines, found[2]))}{found[3]}"

    return FIGURE.sub(one, BLOCK.sub(block, text))


def figure(machines: Sequence[Machine], name: str) -> str:
    """A figure by its name; a dash if it was not measured.

    Raises
    ------
    InputError
        If the name has another form, or names a machine, case, engine or figure that the results do not have.
    """
    where, _, rest = name.rpartition(":")
    parts = rest.split("/")
    if len(parts) != 3:
        raise InputError(f"{name!r} names no figure: write CASE/ENGINE/FIGURE.")
    case, engine, wanted = parts
    if wanted not in FIGURES:
        raise unknown_name("figure", wanted, FIGURES)
    if where and where not in {machine.name for machine in machines}:
        raise unknown_name("machine", where, [machine.name for machine in machines])
    here = [machine for machine in machines if where in ("", machine.name)]
    cases = {known for machine in here for line in machine.lines for known in (line.case, line.family)}
    if case not in cases:
        raise unknown_name("case", case, sorted(cases)) if cases else InputError(f"{name!r}: there are no results.")
    there = [(machine, [x for x in machine.lines if case in (x.case, x.family)]) for machine in here]
    if engine == "best":
        texts = (_best(machine, lines, case, wanted) for machine, lines in there)
        return next((text for text in texts if text), NOT_MEASURED)
    engines = sorted({line.name for machine in here for line in machine.lines})
    if engine not in engines:
        raise unknown_name("engine", engine, engines)
    texts = (_of(machine, [x for x in lines if x.name == engine], case, wanted) for machine, lines in there)
    return next((text for text in texts if text), NOT_MEASURED)


def _of(machine: Machine, lines: Sequence[Line], case: str, wanted: str) -> str:
    """A figure of one engine on one machine; empty if it is not there."""
    if wanted == "slope":
        exponent = _slopes(machine, case).get(lines[0].name) if lines else None
        return "" if exponent is None else number(exponent, 2)
    values = [value for line in lines if (value := _median(line, wanted)) is not None]
    texts = [_written(value, wanted) for value in ((min(values), max(values)) if values else ())]
    return " to ".join(dict.fromkeys(texts))


def _slopes(machine: Machine, family: str) -> dict[str, float]:
    """Engine -> slope, of those with several sizes."""
    points = growth(machine, family)
    slopes = {name: slope(*zip(*there, strict=True)) for name, there in points.items()}
    return {name: exponent for name, exponent in slopes.items() if exponent is not None}


def _median(line: Line, wanted: str) -> float | None:
    if wanted == "samples":
        return float(len(line.samples))
    if wanted == "seconds" and line.device == "cpu":
        raise InputError(f"seconds of {line.engine} on a processor are not shown: take time, which is a ratio.")
    if wanted in MEASURES:
        found = line.get(wanted)
    else:
        found = {"time": line.time, "processor": line.processor, "seconds": line.seconds}[wanted]
    return found.median if found else None


def _written(value: float, wanted: str) -> str:
    if wanted in ("time", "processor"):
        return ratio(value)
    if wanted in MEASURES:
        return number(value, MEASURES[wanted].digits)
    return f"{value:.3g}"


def _best(machine: Machine, lines: Sequence[Line], case: str, wanted: str) -> str:
    """The engine with the best median in every size, or those that have it in one; empty if nobody was measured."""
    if wanted == "slope":
        sizes = [_slopes(machine, case)]
    else:
        sizes = []
        for one in dict.fromkeys(line.case for line in lines):
            found = {line.name: _median(line, wanted) for line in lines if line.case == one}
            sizes.append({name: value for name, value in found.items() if value is not None})
    pick = min if wanted not in MEASURES or MEASURES[wanted].lower_is_better else max
    return " or ".join(dict.fromkeys(pick(values, key=values.__getitem__) for values in sizes if values))
