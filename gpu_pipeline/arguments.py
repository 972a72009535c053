"""What is given to a public function as what it takes, or one sentence: Python's own does not name the argument."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .errors import InputError


def whole(value: Any, said: str) -> int:
    """A whole number; `said` is what it is, for the sentence, here and below."""
    try:
        return int(operator.index(value))
    except TypeError:
        raise _unusable(value, said, "a whole number") from None


def path(value: Any, said: str) -> Path:
    """A path."""
    try:
        return Path(value)
    except TypeError:
        raise _unusable(value, said, "a path") from None


def text(value: Any, said: str, expected: str) -> str:
    """A text; `expected` is which, for the sentence."""
    if not isinstance(value, str):
        raise _unusable(value, said, expected)
    return value


def names(value: Any, said: str) -> tuple[str, ...]:
    """One name of a column or several, each once."""
    found = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
    if not all(isinstance(name, str) for name in found):
        raise _unusable(value, said, "the name of a column, or a list of names")
    return tuple(dict.fromkeys(found))


def _unusable(value: Any, said: str, expected: str) -> InputError:
    return InputError(f"{said} is {reprlib.repr(value)}: give {expected}.")
