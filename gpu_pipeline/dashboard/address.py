"""What a person has chosen, to and from the address of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from ..figures import short
from .paint import paints_from_pairs, paints_to_pairs
from .selecting import (
    Pairs,
    limits_from_pairs,
    limits_to_pairs,
    numbers_of,
    pairs_from_text,
    pairs_to_text,
    step_from_text,
)
from .state import MODES, SCALES, TABS, THEMES, Choice

Classes = Mapping[str, Sequence[str]]

LONGEST = 8_000
"""Characters of an address that every server and browser takes; what makes it longer is left out of it."""

NONE: Classes = MappingProxyType({})


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

    An address may come from anyone: names are only compared with known ones later, never opened. `unread` tells what is
    passed over.
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
    window = numbers_of(query.get("view", ""))
    if len(window) == 4 and window[0] < window[1] and window[2] < window[3]:
        values["window"] = window
    if limits := limits_from_pairs(pairs_from_text(query.get("within", ""))):
        values["limits"] = limits
    steps = tuple(filter(None, map(step_from_text, query.get("select", "")[:LONGEST].split(";"))))
    if steps:
        values["steps"] = steps
    return values


def in_vain(query: Mapping[str, str], choice: Choice) -> str:
    """A sentence on what of an address the choice that was made of it does not follow; empty if it follows all."""
    lost = unread(query)
    if query.get("colour", choice.colour) != choice.colour:
        lost.append("colour")
    return (
        f"What this address says of {' and '.join(lost)} cannot be followed: the rest of it is shown." if lost else ""
    )


def unread(query: Mapping[str, str]) -> list[str]:
    """The names in an address whose texts, or parts of them, mean nothing to `from_query`."""
    values = from_query(query)
    single = {"mode": "mode", "scale": "scale", "tab": "tab", "theme": "theme", "point": "point", "view": "window"}
    several = {"select": ";", "within": ",", "hide": ",", "only": ",", "paint": ","}
    fields = {"select": "steps", "within": "limits", "hide": "hidden", "only": "shown", "paint": "paints"}
    lost = [name for name, field in single.items() if query.get(name) and field not in values]
    for name, sign in several.items():
        if query.get(name) and len(values.get(fields[name], ())) < len(query[name].split(sign)):
            lost.append(name)
    return lost
