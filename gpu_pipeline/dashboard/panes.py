"""What takes longer than a moment: filling a pane, and getting ready what an action needs.

Each function gives work to be done in a thread, made of values that nobody changes meanwhile; None where there is none.
What the work finds is kept by `Opened` and `stored`, so that whoever asks next has it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import InputError
from . import side, views
from .beside import beside
from .opened import Opened
from .opening import ready
from .placed import open_placed
from .selecting import pairs_from_text
from .session import Session
from .state import SCALES, Choice
from .stored import open_points, open_stored, rows_of
from .uploads import uploaded
from .watching import Screen

Work = Callable[[], str]


def look(session: Session, screen: Screen | None) -> Work:
    """The left side: runs, colour, legend, filters; of the frame where one is shown."""
    choice, opened, store = frozen(session.choice), session.opened, session.store
    chosen, visible, sought = session.chosen, session.visible, session.sought
    file = "" if session.file is None else session.file.path.name
    watched = None if screen is None else screen.opened
    lost = set(session.left_out()) - {"select"}
    return lambda: views.look(choice, opened, rows_of(store), file, chosen, visible, sought, watched, lost=bool(lost))


def beside_the_map(session: Session) -> Work:
    """The pane of the chosen tab; not that of new runs."""
    opened, choice, tab = session.opened, frozen(session.choice), session.choice.tab
    if opened is None:
        return lambda: views.message("There is no map yet.", hint="Make one under Run.")
    if tab == "selection":
        chosen, filters, seed = session.chosen, session.filters(), session.seed
        lost = "select" in session.left_out()
        return lambda: side.selection(
            opened, chosen, choice.steps, filters, seed, choice.paints, sort=choice.sort, lost=lost
        )
    if tab == "confusion":
        cells = [step.pairs for step in choice.steps[-1:] if (step.how, step.kind) == ("new", "where")]
        return partial(side.mistakes, opened, cells[0] if cells else ())
    if tab == "compare":
        other, comparison, matched, store = session.other, session.comparison, session.matched, session.store
        back = session.colour_before if choice.colour == "displacement" else ""
        return lambda: side.compare(opened, other, comparison, rows_of(store), back, matched)
    if tab == "scores":
        return partial(side.scores, opened)
    return partial(side.point, opened, session.pointed, choice.point >= 0)


def beforehand(session: Session, do: str, value: Any) -> Callable[[], object] | None:
    """What an action and the first picture after it need that is not made yet perhaps."""
    opened, other, store, text = session.opened, session.other, session.store, str(value)
    choice = frozen(session.choice)
    if do == "run":
        own = uploaded(store, text) if text else session.file

        def open_run() -> None:
            alone = open_stored(store, text) if own is None else open_points(own)
            ready(choice.colour, choice.scale, alone)
            with suppress(InputError):  # Where it cannot be compared, the action says so.
                _ready_beside(store, alone, choice)

        return open_run
    if do == "placed" and opened is not None:
        ground = opened.ground or opened
        return lambda: ready(choice.colour, choice.scale, open_placed(ground, text) if text else ground)
    if do == "other" and opened is not None and opened.run is not None:
        choice.other = text
        return lambda: _ready_beside(store, open_stored(store, choice.run), choice)
    if do == "colour" and opened is not None and text in opened.colours():
        return partial(ready, text, choice.scale, opened, other)
    if do == "scale" and opened is not None and text in SCALES:
        return partial(ready, choice.colour, text, opened, other)
    if do == "cell" and opened is not None and "among" in dict(pairs_from_text(text)):
        return opened.votes
    return None


def _ready_beside(store: Path, alone: Opened, choice: Choice) -> None:
    if choice.other in ("", alone.name):
        return ready(choice.colour, choice.scale, alone)
    both = beside(alone, open_stored(store, choice.other))
    return ready(choice.colour, choice.scale, both.left, both.right)


def frozen(choice: Choice) -> Choice:
    """A choice as it is now."""
    values = {name: value for name, value in choice.param.values().items() if name != "name"}
    return Choice(**values)  # type: ignore[no-untyped-call]
