"""What a person has chosen, to and from the address of the page, and the rows that it selects."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from types import MappingProxyType
from typing import Any, Literal, get_args
from urllib.parse import urlencode

import numpy as np
import param

from ..figures import exact, rounded, short
from ..render import Scale
from .paint import paints_from_pairs, paints_to_pairs

How = Literal["new", "add", "subtract", "keep"]
Kind = Literal["box", "lasso", "box2", "lasso2", "where", "within", "find", "all"]
Window = tuple[float, float, float, float]
Pairs = tuple[tuple[str, str], ...]
Limit = tuple[str, float, float]
Classes = Mapping[str, Sequence[str]]

MODES = ("majority", "mix", "purity", "density")
TABS = ("look", "point", "selection", "confusion", "compare", "scores", "run")
SCALES = get_args(Scale)
THEMES = ("", "light", "dark")
LONGEST = 8_000
"""Characters of an address that every server and browser takes; what makes it longer is left out of it."""

NONE: Classes = MappingProxyType({})

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


class Choice(param.Parameterized):  # type: ignore[misc]
    """What one session shows."""

    run = param.String("", doc="Name of the stored run; empty is the person's own file.")
    placed = param.String("", doc="Name of the set of placed points that is shown over the run's map.")
    other = param.String("", doc="The run that it is compared with.")
    colour = param.String("label")
    mode: Any = param.Selector(objects=list(MODES), default="majority")
    scale: Any = param.Selector(objects=list(SCALES), default="linear", doc="Of numbers and times along the ramp.")
    names = param.Boolean(True)
    images = param.Boolean(True, doc="Whether few points in view are drawn as their images.")
    paints = param.Parameter((), doc="(column, class, #rrggbb): colours that a person chose.")
    hidden = param.Parameter((), doc="(column, class) pairs that the legend has switched off.")
    shown = param.Parameter((), doc="(column, class) of an address that hides all other classes of these columns.")
    limits = param.Parameter((), doc="(column, low, high): only points within.")
    steps = param.Parameter((), doc="The selection, step by step.")
    window = param.Parameter(None, doc="x0, x1, y0, y1 of the map, or None for all of it.")
    sort = param.String("", doc="Which points of the selection are shown, see `shown.sorts`.")
    point = param.Integer(-1, doc="Place in the table of the point that is held; -1 is none.")
    tab: Any = param.Selector(objects=list(TABS), default="look")
    theme: Any = param.Selector(objects=list(THEMES), default="")
    tool: Any = param.Selector(objects=["pan", "box", "lasso"], default="pan")
    how: Any = param.Selector(objects=list(get_args(How)), default="new")


def to_query(choice: Choice, classes: Classes = NONE) -> str:
    """The choice as the query of an address, without what is as it would be anyway, and without what is too long.

    Parameters
    ----------
    classes
        All classes of the columns of which some are hidden: where fewer are shown, the address lists those.
    """
    values = _values(choice, classes)[0]
    return "?" + urlencode(values) if values else ""


def left_out(choice: Choice, classes: Classes = NONE) -> tuple[str, ...]:
    """What is too long for the address: `select`, `hide`, `only`, `within` or `paint`."""
    return _values(choice, classes)[1]


def _values(choice: Choice, classes: Classes) -> tuple[dict[str, str], tuple[str, ...]]:
    values: dict[str, str] = {}
    for name in ("run", "placed", "other", "colour", "mode", "scale", "sort", "tab", "theme"):
        if getattr(choice, name) != choice.param[name].default:
            values[name] = getattr(choice, name)
    for name in ("names", "images"):
        if not getattr(choice, name):
            values[name] = "0"
    if choice.point >= 0:
        values["point"] = str(choice.point)
    if choice.window is not None:
        x0, x1, y0, y1 = choice.window
        spans = (x1 - x0, x1 - x0, y1 - y0, y1 - y0)
        values["view"] = ",".join(short(*ends, 7) for ends in zip(choice.window, spans, strict=True))
    hidden, shown = _shorter(choice.hidden, classes)
    long = {
        "select": ";".join(step.to_text() for step in choice.steps),
        "hide": pairs_to_text(hidden),
        "only": pairs_to_text(shown),
        "within": pairs_to_text(limits_to_pairs(choice.limits)),
        "paint": pairs_to_text(paints_to_pairs(choice.paints)),
    }
    lost = []
    for name, text in long.items():
        more = {**values, name: text}
        if text and len(urlencode(more)) <= LONGEST:
            values = more
        elif text:
            lost.append(name)
    return values, tuple(lost)


def drawn(kind: str, numbers: tuple[float, ...]) -> tuple[float, ...]:
    """The numbers of a shape that was drawn by hand, to 1e-5 of its extent: what no eye sees makes an address long."""
    axes = (numbers[:2], numbers[2:]) if kind.startswith("box") else (numbers[::2], numbers[1::2])
    spans = [max(axis) - min(axis) for axis in axes]
    span = min((span for span in spans if span > 0), default=0.0)
    return tuple(rounded(number, span, 6) for number in numbers)


def _shorter(hidden: Pairs, classes: Classes) -> tuple[Pairs, Pairs]:
    """Hidden classes, and those that alone are shown of the columns where these are fewer."""
    pairs: list[tuple[str, str]] = []
    others: list[tuple[str, str]] = []
    for column in dict.fromkeys(column for column, _ in hidden):
        names = {name for c, name in hidden if c == column}
        shown = [name for name in classes.get(column, ()) if name not in names]
        if 0 < len(shown) < len(names):
            others += [(column, name) for name in shown]
        else:
            pairs += [pair for pair in hidden if pair[0] == column]
    return tuple(pairs), tuple(others)


def from_query(query: Mapping[str, str]) -> dict[str, Any]:
    """The values of a `Choice` that an address names; what it holds otherwise is passed over.

    An address may come from anyone: names are only compared with known ones later, never opened.
    """
    values: dict[str, Any] = {
        name: query[name] for name in ("run", "placed", "other", "colour", "sort") if query.get(name)
    }
    for name, known in (("mode", MODES), ("scale", SCALES), ("tab", TABS), ("theme", THEMES)):
        if query.get(name) in known:
            values[name] = query[name]
    values |= {name: False for name in ("names", "images") if query.get(name) == "0"}
    if paints := paints_from_pairs(pairs_from_text(query.get("paint", ""))):
        values["paints"] = paints
    if query.get("hide"):
        values["hidden"] = pairs_from_text(query["hide"])
    if query.get("only"):
        values["shown"] = pairs_from_text(query["only"])
    if query.get("point", "").isdecimal() and len(query["point"]) < 12:
        values["point"] = int(query["point"])
    window = _numbers(query.get("view", ""))
    if len(window) == 4 and window[0] < window[1] and window[2] < window[3]:
        values["window"] = window
    if limits := limits_from_pairs(pairs_from_text(query.get("within", ""))):
        values["limits"] = limits
    steps = tuple(filter(None, map(step_from_text, query.get("select", "")[:LONGEST].split(";"))))
    if steps:
        values["steps"] = steps
    return values


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
    numbers = _numbers(rest)
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
    """Limits from their pairs, those that are none left out."""
    ends = [(column, _numbers(text.replace("~", ","))) for column, text in pairs]
    return tuple((column, *numbers) for column, numbers in ends if len(numbers) == 2)


def _quoted(value: str) -> str:
    for number, sign in enumerate("!,=;"):
        value = value.replace(sign, f"!{number}")
    return value


def _unquoted(value: str) -> str:
    for number, sign in reversed(list(enumerate("!,=;"))):
        value = value.replace(f"!{number}", sign)
    return value


def _numbers(text: str) -> tuple[float, ...]:
    """Numbers from text with commas between; none if one is not finite."""
    try:
        numbers = tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        return ()
    return numbers if all(map(math.isfinite, numbers)) else ()


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
