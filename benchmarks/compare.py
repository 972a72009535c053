"""What got slower or worse between two results files, beyond the spread of the samples.

Time: of each case, engine and device the samples of both are taken; it is slower where every sample of B is above
every sample of A, and the median is above A's by more than a share of it (`spread`; three times as much where either
has fewer than three samples, whose range says little). Quality: the same with each score's own direction, and a
tolerance of a hundredth of A's median. An engine that did a case in A and does not in B is worse.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gpu_pipeline.errors import InputError

from .results import Results, computer, latest

SPREAD = 0.05
"""Share of the median below which a difference of time is none."""

QUALITY = 0.01
"""The same for scores."""

FEW = 3
"""Samples below which a range says little."""

LOWER_IS_BETTER = frozenset({"kl", "inertia"})

SAME = ("cpu", "cores", "threads", "memory")
"""Facts that two machines have to share for their times to be compared; and the GPU's name."""


@dataclass(frozen=True)
class Difference:
    """Something that is worse, or better, in B.

    Attributes
    ----------
    case, engine, device, figure
        Where: `figure` is "run", "status" or a score.
    worse
        Whether B is worse.
    sentence
        What changed, in words.
    """

    case: str
    engine: str
    device: str
    figure: str
    worse: bool
    sentence: str


def compare(a: Results, b: Results, *, spread: float = SPREAD, any_machine: bool = False) -> list[Difference]:
    """Differences beyond the spread, the worse ones first.

    Parameters
    ----------
    a, b
        Before and after; of each case and engine the samples under the latest machine record.
    spread
        Share of A's median below which a difference of time is none.
    any_machine
        Compare although the machines differ.

    Raises
    ------
    InputError
        If the machines differ, or there is no case that both have.
    """
    before, after = latest(a.results), latest(b.results)
    both = [key for key in before if key in after]
    if not both:
        raise InputError("the two files have no case and engine in common: compare files of the same cases.")
    if not any_machine:
        _check_machines([_machine(a, before[key]) for key in both], [_machine(b, after[key]) for key in both])
    found = [difference for key in both for difference in _differences(key, before[key], after[key], spread)]
    return sorted(found, key=lambda difference: not difference.worse)


def _machine(source: Results, lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return computer(source.machines[lines[0]["machine"]], SAME)


def _check_machines(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> None:
    for a, b in zip(before, after, strict=True):
        if unlike := [f"{name} {a[name]} and {b[name]}" for name in a if a[name] != b[name]]:
            raise InputError(
                f"the results are of different machines ({'; '.join(unlike)}): "
                "measure both on one, or give --any-machine."
            )


def _differences(
    key: tuple[str, str, str], a: list[dict[str, Any]], b: list[dict[str, Any]], spread: float
) -> Iterator[Difference]:
    done_a, done_b = ([line for line in lines if line["status"] == "done"] for lines in (a, b))
    if done_a and not done_b:
        yield Difference(*key, "status", True, f"was done, is {b[-1]['status']}: {b[-1]['reason']}")
    if done_b and not done_a:
        yield Difference(*key, "status", False, f"was {a[-1]['status']}, is done")
    if not (done_a and done_b):
        return
    scarce = 3 if min(len(done_a), len(done_b)) < FEW else 1
    seconds_a, seconds_b = ([line["seconds"]["run"] for line in lines] for lines in (done_a, done_b))
    if verdict := _verdict(seconds_a, seconds_b, spread * scarce, lower_is_better=True):
        yield Difference(*key, "run", verdict < 0, _sentence("run", seconds_a, seconds_b, " s"))
    for name in done_a[0]["scores"]:
        scores_a, scores_b = (_scores(lines, name) for lines in (done_a, done_b))
        if not (scores_a and scores_b):
            continue
        if verdict := _verdict(scores_a, scores_b, QUALITY, lower_is_better=name in LOWER_IS_BETTER):
            yield Difference(*key, name, verdict < 0, _sentence(name, scores_a, scores_b))


def _scores(lines: list[dict[str, Any]], name: str) -> list[float]:
    """The samples of a score that were measured."""
    return [value for line in lines if (value := line["scores"].get(name)) is not None]


def _verdict(a: list[float], b: list[float], tolerance: float, *, lower_is_better: bool) -> int:
    """-1 if B is worse, 1 if it is better, 0 if the samples do not tell them apart."""
    move = statistics.median(b) - statistics.median(a)
    apart = min(b) > max(a) or max(b) < min(a)
    if not apart or abs(move) <= tolerance * abs(statistics.median(a)):
        return 0
    return 1 if (move < 0) == lower_is_better else -1


def _sentence(name: str, a: list[float], b: list[float], unit: str = "") -> str:
    before, after = statistics.median(a), statistics.median(b)
    share = f" ({after / before - 1:+.0%})" if before else ""
    ranges = " to ".join(f"{min(values):.4g}-{max(values):.4g}" for values in (a, b))
    return f"{name} {before:.4g}{unit} -> {after:.4g}{unit}{share}; samples {ranges}"
