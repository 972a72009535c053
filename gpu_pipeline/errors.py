"""What can go wrong, as four kinds: each is caught in one place.

`InputError` is for the person (the command line prints its sentence and exits with 2); the other
three are an engine's ways to say that it cannot do what was asked (`pipeline` catches them).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class InputError(ValueError):
    """Input or settings that cannot be used.

    The message is one sentence: what was wrong, what was expected, what to do.
    """


class Unavailable(RuntimeError):
    """An engine that cannot be used on this computer; the message says why."""


class Unsupported(RuntimeError):
    """An engine that works but does not know this method or setting; the message says which."""


class EngineFailed(RuntimeError):
    """An engine that failed in the middle of its work (memory ran out, device lost)."""


MOST_NAMES = 30
"""Names of a table that a sentence lists at most: one with a column for each gene has thousands."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not in a table, with the nearest that is.

    Parameters
    ----------
    kind
        What is named, for the sentence: "engine", "data set".
    name
        The name as given.
    known
        The names of the table.
    """
    known = list(known)
    near = get_close_matches(name, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of {listed(known, MOST_NAMES)}."
    return InputError(f"unknown {kind} {name!r}: {hint}")


def listed(names: Sequence[str], most: int = 8) -> str:
    """The first names of a table in one line: quoted are those that would break it or not be seen."""
    shown = [name if name.strip() and name.isprintable() else repr(name) for name in names[:most]]
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "")
