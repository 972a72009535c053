"""The order in which names are listed: by the numbers in them, so that "topic 10" comes after "topic 2"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_WHOLE = re.compile(r"(\d+)")


def in_order(names: Iterable[str]) -> list[int]:
    """Positions of names in their order: by value if all are numbers, or else as text in which whole numbers count.

    Names that are otherwise equal, such as "2" and "02", are ordered as text.
    """
    found = list(names)
    key: Callable[[str], Any] = float if all(_NUMBER.fullmatch(name) for name in found) else _by_parts
    return sorted(range(len(found)), key=lambda i: (key(found[i]), found[i]))


def _by_parts(name: str) -> list[tuple[int, str]]:
    """Text and whole numbers by turns, text first; a number without leading zeros is larger the longer it is."""
    parts = _WHOLE.split(name)
    parts[1::2] = [part.lstrip("0") for part in parts[1::2]]
    return [(len(part) if i % 2 else 0, part) for i, part in enumerate(parts)]
