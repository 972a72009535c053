"""What a person does on the page, by name: each action takes what the browser sent, which may be anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from .. import times
from ..errors import InputError
from .filters import histogram, numbers
from .paint import is_colour
from .selecting import How, Step, pairs_from_text, whole_of
from .shown import sorts
from .state import MODES, SCALES, TABS

if TYPE_CHECKING:
    from .opened import Opened
    from .session import Session

MOVED = 0.9
"""Quantile of the displacement from which a point is one of those that moved most."""


def _run(session: Session, value: Any) -> None:
    session.go(run=str(value), placed="")


def _placed(session: Session, value: Any) -> None:
    session.go(placed=str(value))


def _other(session: Session, value: Any) -> None:
    if session.choice.placed:
        raise InputError("placed points cannot be compared: choose none under Placed points first.")
    session.compare(str(value))


def _colour(session: Session, value: Any) -> None:
    if session.opened is not None:
        session.opened.layer(str(value))
        session.paint_by(str(value))


def _mode(session: Session, value: Any) -> None:
    if value in MODES:
        session.choice.mode = value


def _scale(session: Session, value: Any) -> None:
    if value in SCALES:
        session.choice.scale = value


def _names(session: Session, value: Any) -> None:
    session.choice.names = bool(value)


def _images(session: Session, value: Any) -> None:
    session.choice.images = bool(value)


def _theme(session: Session, value: Any) -> None:
    session.choice.theme = "dark" if value == "dark" else "light"


def _tab(session: Session, value: Any) -> None:
    if value in TABS:
        session.choice.tab = value


def _how(session: Session, value: Any) -> None:
    if value in get_args(How):
        session.choice.how = value if session.choice.steps else "new"


def _paint(session: Session, value: Any) -> None:
    """Give a class a colour."""
    if session.opened is None or not isinstance(value, dict) or not is_colour(colour := str(value.get("colour"))):
        return
    column, name = session.choice.colour, str(value.get("name"))
    if name in session.opened.codes(column)[1].names:
        others = tuple(paint for paint in session.choice.paints if paint[:2] != (column, name))
        session.choice.paints = (*others, (column, name, colour))


def _unpaint(session: Session, value: Any) -> None:
    session.choice.paints = tuple(paint for paint in session.choice.paints if paint[0] != session.choice.colour)


def _hide(session: Session, value: Any) -> None:
    pair, hidden = (session.choice.colour, str(value)), session.choice.hidden
    if session.opened is not None and pair[1] in session.opened.codes(pair[0])[1].names:
        session.choice.hidden = tuple(p for p in hidden if p != pair) if pair in hidden else (*hidden, pair)


def _only(session: Session, value: Any) -> None:
    if session.opened is not None:
        _, key = session.opened.codes(session.choice.colour)
        others = tuple((session.choice.colour, name) for name in key.names if name != str(value))
        elsewhere = tuple(pair for pair in session.choice.hidden if pair[0] != session.choice.colour)
        session.choice.hidden = (*elsewhere, *others)


def _all(session: Session, value: Any) -> None:
    session.choice.hidden = ()


def _sought(session: Session, value: Any) -> None:
    if session.opened is not None and value in numbers(session.opened):
        session.sought = value


def _limit(session: Session, value: Any) -> None:
    if session.opened is None or not isinstance(value, dict):
        return
    column = str(value.get("column"))
    if column not in numbers(session.opened):
        raise InputError("that column holds no numbers or times to filter by: choose another.")
    spread = histogram(session.opened, column)
    ends = {"low": spread.low, "high": spread.high}
    before = next((limit[1:] for limit in session.choice.limits if limit[0] == column), tuple(ends.values()))
    # Only what was changed comes: the other end is shown with fewer digits than it has.
    low, high = (
        _end(session.opened, column, end, value[end], ends[end]) if end in value else kept
        for end, kept in zip(ends, before, strict=True)
    )
    if low > high:
        said = " to ".join(
            session.opened.written(column, number, spread.high - spread.low, 6) for number in (low, high)
        )
        raise InputError(f"from {said} is nothing: give the smaller one first.")
    session.sought = column
    _unlimit(session, column)
    # All of it is no filter: points without a value are then in colour again.
    if low > spread.low or high < spread.high:
        session.choice.limits = (*session.choice.limits, (column, low, high))


def _unlimit(session: Session, value: Any) -> None:
    session.choice.limits = tuple(limit for limit in session.choice.limits if limit[0] != value)


def _undo(session: Session, value: Any) -> None:
    session.undo()


def _clear(session: Session, value: Any) -> None:
    session.choose(())
    session.choice.how = "new"


def _cell(session: Session, value: Any) -> None:
    pairs = pairs_from_text(str(value))
    if session.opened is not None and pairs:
        step = Step("new", "where", pairs=pairs)
        session.opened.matching(step)
        session.choose((step,))


def _movers(session: Session, value: Any) -> None:
    if session.opened is not None and session.comparison is not None:
        low, high = np.quantile(session.comparison.displacement, [MOVED, 1.0])
        rest = tuple(limit for limit in session.choice.limits if limit[0] != "displacement")
        session.choice.limits = (*rest, ("displacement", float(low), float(high)))


def _reseed(session: Session, value: Any) -> None:
    session.seed += 1


def _sort(session: Session, value: Any) -> None:
    if session.opened is not None and str(value) in sorts(session.opened):
        session.choice.sort = str(value)


def _everything(session: Session, value: Any) -> None:
    """Select what the filters let through, and still do when they are gone."""
    if session.opened is not None:
        session.take(Step("new", "all"), *session.filters())


def _find(session: Session, value: Any) -> None:
    if session.opened is not None and isinstance(value, dict):
        step = Step(session.how, "find", text=str(value.get("text", "")).strip())
        session.opened.matching(step)
        session.take(step)


def _point(session: Session, value: Any) -> None:
    place = whole_of(str(value))
    if session.opened is not None and place is not None and place < session.opened.n:
        session.choice.point = session.pointed = place
        session.choice.tab = "point"


def _release(session: Session, value: Any) -> None:
    session.choice.point = -1


def _end(opened: Opened, column: str, end: str, value: Any, otherwise: float) -> float:
    """One end of a filter from what was typed: "to 2024-05" is to the end of that month."""
    text = str(value or "").strip()
    if not text or not times.is_time(opened.points[column]):
        return _number(value, otherwise)
    found = times.read(text)
    if found is None:
        raise InputError(f"{text[:40]!r} is not a time: give one such as 2024-05-31 or 2024-05-31 12:30.")
    return found[end == "high"]


def _number(value: Any, otherwise: float) -> float:
    text = str(value or "").strip()
    try:
        number = float(text) if text else otherwise
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise InputError(f"{text[:40]!r} is not a number: give one, or leave the field empty.")
    return number


ACTIONS: dict[str, Callable[[Session, Any], None]] = {
    "run": _run,
    "placed": _placed,
    "other": _other,
    "colour": _colour,
    "mode": _mode,
    "scale": _scale,
    "names": _names,
    "images": _images,
    "everything": _everything,
    "theme": _theme,
    "tab": _tab,
    "how": _how,
    "paint": _paint,
    "unpaint": _unpaint,
    "hide": _hide,
    "only": _only,
    "all": _all,
    "sought": _sought,
    "limit": _limit,
    "unlimit": _unlimit,
    "undo": _undo,
    "clear": _clear,
    "cell": _cell,
    "movers": _movers,
    "find": _find,
    "reseed": _reseed,
    "sort": _sort,
    "point": _point,
    "release": _release,
}
