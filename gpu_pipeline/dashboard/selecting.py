"""The steps of a selection: what each names, as text and back, and the points that they select together."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from typing import Literal

import numpy as np

from .. import times
from ..figures import exact, rounded

How = Literal["new", "add", "subtract", "keep"]
Kind = Literal["box", "lasso", "box2", "lasso2", "where", "within", "find", "all"]
Pairs = tuple[tuple[str, str], ...]
Limit = tuple[str, float, float]

_SIGN: dict[str, How] = {"+": "add", "-": "subtract", "&": "keep", "=": "new"}


@dataclass(frozen=True)
class Step:
    """One step of a selection: points inside a shape, of the classes named, within limits, found by a search, or all.

    Attributes
    ----------
    how
        Whether the points replace those selected before, join them or leave them, or only those stay that are in both.
    kind
        "box" (`numbers` are x0, x1, y0, y1), "lasso" (x, y, x, y, ...), the same with a 2 if drawn on
        the other map of a comparison, "where" and "within" (`pairs`), "find" (`text`), or "all".
    pairs
        (column, class): a point must have of each column one of the classes named; or (column, "low~high") within all
        of which it must be.
    text
        What is searched for; see `search.found`.
    """

    how: How
    kind: Kind
    numbers: tuple[float, ...] = ()
    pairs: Pairs = ()
    text: str = ""

    def to_text(self) -> str:
        """Short text; `step_from_text` gives the step back."""
        sign = next(sign for sign, how in _SIGN.items() if how == self.how)
        if self.kind in ("where", "within"):
            return f"{sign}{self.kind}:{pairs_to_text(self.pairs)}"
        if self.kind == "find":
            return f"{sign}find:{_quoted(self.text)}"
        return f"{sign}{self.kind}:{','.join(map(exact, self.numbers))}"


def drawn(kind: str, numbers: tuple[float, ...]) -> tuple[float, ...]:
    """The numbers of a shape that was drawn by hand, to 1e-5 of its extent: what no eye sees makes an address long."""
    axes = (numbers[:2], numbers[2:]) if kind.startswith("box") else (numbers[::2], numbers[1::2])
    spans = [max(axis) - min(axis) for axis in axes]
    span = min((span for span in spans if span > 0), default=0.0)
    return tuple(rounded(number, span, 6) for number in numbers)


def step_from_text(text: str) -> Step | None:
    """A step from its text; None if it is not one."""
    kind, _, rest = text[1:].partition(":")
    how = _SIGN.get(text[:1])
    if how is None:
        return None
    pairs = pairs_from_text(rest)
    if (kind == "where" and pairs) or (kind == "within" and limits_from_pairs(pairs)):
        return Step(how, kind, pairs=pairs)  # type: ignore[arg-type]
    if kind == "all" and not rest:
        return Step(how, "all")
    if kind == "find" and rest:
        return Step(how, "find", text=_unquoted(rest))
    numbers = numbers_of(rest)
    if kind in ("box", "box2") and len(numbers) == 4 and numbers[0] <= numbers[1] and numbers[2] <= numbers[3]:
        return Step(how, kind, numbers)  # type: ignore[arg-type]
    if kind in ("lasso", "lasso2") and len(numbers) >= 6 and len(numbers) % 2 == 0:
        return Step(how, kind, numbers)  # type: ignore[arg-type]
    return None


def pairs_to_text(pairs: Pairs) -> str:
    """`column=value` pairs with commas between; the three signs are doubled up inside values."""
    return ",".join("=".join(map(_quoted, pair)) for pair in pairs)


def pairs_from_text(text: str) -> Pairs:
    """Pairs from their text, those that are none left out."""
    pairs = [tuple(map(_unquoted, part.split("="))) for part in text.split(",")]
    return tuple(pair for pair in pairs if len(pair) == 2 and pair[0])


def limits_to_pairs(limits: Sequence[Limit]) -> Pairs:
    """Limits as (column, "low~high")."""
    return tuple((column, f"{exact(low)}~{exact(high)}") for column, low, high in limits)


def limits_from_pairs(pairs: Pairs) -> tuple[Limit, ...]:
    """Limits from their pairs, those that are none left out; times are in seconds, the last to its end."""
    ends = [(column, numbers_of(text.replace("~", ",")) or _times_of(text)) for column, text in pairs]
    return tuple((column, *numbers) for column, numbers in ends if len(numbers) == 2)


def _times_of(text: str) -> tuple[float, ...]:
    """The first and the last second from two times with a sign between; none if they are none."""
    low, _, high = text.partition("~")
    first, last = times.read(low), times.read(high)
    return (first[0], last[1]) if first and last else ()


def _quoted(value: str) -> str:
    for number, sign in enumerate("!,=;"):
        value = value.replace(sign, f"!{number}")
    return value


def _unquoted(value: str) -> str:
    for number, sign in reversed(list(enumerate("!,=;"))):
        value = value.replace(f"!{number}", sign)
    return value


def numbers_of(text: str) -> tuple[float, ...]:
    """Numbers from text with commas between; none if one is not finite."""
    try:
        numbers = tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        return ()
    return numbers if all(map(math.isfinite, numbers)) else ()


def whole_of(text: str) -> int | None:
    """A whole number from 0 from text; None if it is none, or has more digits than any place has."""
    return int(text) if text.isdecimal() and len(text) < 12 else None


def without_other(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Steps without those that mean something only beside another map, nor what then has nothing to take away from.

    What a filter by displacement let through is not all of the map without it.
    """
    kept = [step for step in steps if not _needs_other(step)]
    if len(kept) < len(steps) and kept[:1] == [Step("new", "all")]:
        return ()
    return tuple(dropwhile(lambda step: step.how in ("subtract", "keep"), kept))


def _needs_other(step: Step) -> bool:
    """Whether a step was drawn on the other map, or asks how far points lie from their places there."""
    columns = [column for column, _ in step.pairs]
    return step.kind.endswith("2") or "displacement" in columns or "displacement" in step.text.lower()


def selected(steps: tuple[Step, ...], n: int, matching: Callable[[Step], np.ndarray]) -> np.ndarray | None:
    """Which of n points the steps select, (n,) bool; None if there is no step.

    Parameters
    ----------
    steps
        One after the other.
    n
        Points.
    matching
        Gives the points that a step names, (n,) bool.
    """
    if not steps:
        return None
    mask = np.zeros(n, bool)
    for step in steps:
        hit = matching(step)
        if step.how == "new":
            mask = hit.copy()
        elif step.how == "add":
            mask |= hit
        elif step.how == "keep":
            mask &= hit
        else:
            mask &= ~hit
    return mask
