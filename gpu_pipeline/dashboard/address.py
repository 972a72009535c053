"""What a person has chosen, to and from the address of the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from ..figures import short
from .paint import paints_from_pairs, paints_to_pairs
from .selecting import (
    Pairs,
    Step,
    limits_from_pairs,
    limits_to_pairs,
    numbers_of,
    pairs_from_text,
    pairs_to_text,
    step_from_text,
    whole_of,
)
from .state import MODES, SCALES, TABS, THEMES, Choice

Window = tuple[float, ...]
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
    """The values of a `Choice` that an address names; what it holds otherwise is passed over, and told by `unread`.

    An address may come from anyone: names are only compared with known ones later, never opened.
    """
    return _read(query)[0]


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
    return _read(query)[1]


def _read(query: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The values that an address names, and the names of those that cannot be read, or not in whole."""
    values: dict[str, Any] = {
        name: query[name] for name in ("run", "placed", "other", "colour", "sort") if query.get(name)
    }
    values |= {name: False for name in ("names", "images") if query.get(name) == "0"}
    lost = []
    for name, (field, sign, read) in READ.items():
        text = query.get(name, "")
        value = read(text) if text else None
        if value not in (None, ()):
            values[field] = value
        if text and (value is None or (sign and len(value) < len(text.split(sign)))):
            lost.append(name)
    return values, lost


def _one_of(known: Sequence[str]) -> Callable[[str], str | None]:
    return lambda text: text if text in known else None


def _window(text: str) -> Window | None:
    numbers = numbers_of(text)
    if len(numbers) != 4 or numbers[0] >= numbers[1] or numbers[2] >= numbers[3]:
        return None
    return numbers


def _steps(text: str) -> tuple[Step, ...]:
    return tuple(filter(None, map(step_from_text, text[:LONGEST].split(";"))))


READ: Mapping[str, tuple[str, str, Callable[[str], Any]]] = {
    "mode": ("mode", "", _one_of(MODES)),
    "scale": ("scale", "", _one_of(SCALES)),
    "tab": ("tab", "", _one_of(TABS)),
    "theme": ("theme", "", _one_of(THEMES)),
    "point": ("point", "", whole_of),
    "view": ("window", "", _window),
    "select": ("steps", ";", _steps),
    "within": ("limits", ",", lambda text: limits_from_pairs(pairs_from_text(text))),
    "hide": ("hidden", ",", pairs_from_text),
    "only": ("shown", ",", pairs_from_text),
    "paint": ("paints", ",", lambda text: paints_from_pairs(pairs_from_text(text))),
}
"""Name in an address -> the field of a `Choice`, the sign between its parts if it may have several, and its reader:
None, or fewer parts than there are, is what cannot be read."""
