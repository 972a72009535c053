"""One session without its page: what is open, what is selected, and what each action does to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..compare import Comparison
from ..errors import InputError
from ..render import Layer, mark
from . import views
from .files import OpenFile
from .opened import Opened, open_points, open_stored, rows_of
from .state import MODES, TABS, Choice, Pairs, Step, pairs_from_text, selected

MOVED = 0.9
"""Quantile of the displacement from which a point is one of those that moved most."""


class Session:
    """What one person sees.

    Parameters
    ----------
    store
        Folder of the stored runs.
    file
        A person's own file, shown while no run is chosen.
    choice
        What is chosen, from the page's address.

    Attributes
    ----------
    opened, other
        The map, and the one that it is compared with.
    comparison
        How far they agree.
    visible, chosen
        (n,) bool, the points that the filters let through (None: all), and those among them that are
        selected (None: there is no selection).
    error
        What could not be done last, in one sentence.
    """

    def __init__(self, store: Path, file: OpenFile | None, choice: Choice) -> None:
        self.store, self.file, self.choice = store, file, choice
        self.opened: Opened | None = None
        self.other: Opened | None = None
        self.comparison: Comparison | None = None
        self.visible: np.ndarray | None = None
        self.chosen: np.ndarray | None = None
        self.error = ""
        self.seed = 0
        self.pointed = -1
        self._masked: Any = None
        self._marked: dict[str, tuple[Any, Layer]] = {}
        rows = rows_of(store)
        if not choice.run and file is None and rows:
            choice.run = rows[-1]["run"]
        if choice.run or file is not None:
            self.attempt(self.open)
        if self.opened is None and rows and choice.run != rows[-1]["run"]:
            choice.run = rows[-1]["run"]
            self._try_quietly(self.open)

    def attempt(self, action: Callable[[], None]) -> None:
        """Do something and find what is selected then; where it cannot be done, keep the sentence that says why."""
        self.error = ""
        self._try_quietly(action)
        self._try_quietly(self._mask)

    def _try_quietly(self, action: Callable[[], None]) -> None:
        try:
            action()
        except InputError as error:
            self.error = self.error or str(error)

    def open(self) -> None:
        """Open what is chosen."""
        choice = self.choice
        own = self.file if not choice.run else None
        opened = open_stored(self.store, choice.run) if own is None else open_points(own)
        self.opened, self.other, self.comparison = opened, None, None
        if choice.other:
            self._try_quietly(self._beside)
            choice.other = self.other.name if self.other else ""
        if choice.colour not in self.opened.colours():
            choice.colour = self.opened.colours()[0]
        if choice.point >= self.opened.n:
            choice.point = -1
        self.pointed = choice.point

    def _beside(self) -> None:
        """Open the run to compare with."""
        assert self.opened is not None
        other = open_stored(self.store, self.choice.other)
        comparison = self.opened.compared(other)
        self.opened, self.other = self.opened.beside(other, comparison), other.beside(self.opened, comparison)
        self.comparison = comparison

    def _mask(self) -> None:
        """Find the points that the filters let through, and those that are selected among them."""
        choice, opened = self.choice, self.opened
        if opened is None or (id(opened), choice.hidden, choice.limits, choice.steps) == self._masked:
            return
        self.visible = self._unfiltered(opened)
        try:
            self.chosen = selected(choice.steps, opened.n, self.matching)
        except InputError:
            choice.steps, self.chosen = (), None
            raise
        finally:
            self._masked = (id(opened), choice.hidden, choice.limits, choice.steps)
        if self.chosen is not None and self.visible is not None:
            self.chosen = self.chosen & self.visible

    def matching(self, step: Step) -> np.ndarray:
        """Which points a step names, also one that was drawn on the other map."""
        assert self.opened is not None
        if not step.kind.endswith("2"):
            return self.opened.matching(step)
        if self.other is None:
            raise InputError("the selection was drawn on a second map that is not open: select anew.")
        on_other = self.other.matching(Step(step.how, step.kind[:-1], step.numbers))  # type: ignore[arg-type]
        places = self.opened.places_in(self.other)
        return np.asarray((places >= 0) & on_other[places])

    def _unfiltered(self, opened: Opened) -> np.ndarray | None:
        shown: list[np.ndarray] = []
        columns = opened.colours()
        for column in dict.fromkeys(column for column, _ in self.choice.hidden if column in columns):
            if opened.layer(column).key.kind == "classes":
                _, key = opened.codes(column)
                names = [name for c, name in self.choice.hidden if c == column and name in key.names]
                shown.append(~opened.members(column, names))
        for column, low, high in self.choice.limits:
            if column in columns and opened.layer(column).key.kind == "quantity":
                shown.append(opened.points[column].between(low, high).to_numpy())
        return np.logical_and.reduce(shown) if shown else None

    @property
    def lit(self) -> np.ndarray | None:
        """Points to show in colour; None is all."""
        return self.visible if self.chosen is None else self.chosen

    def layer(self, opened: Opened) -> Layer:
        """A map's points with those that are not lit marked, kept until either changes."""
        colour = self.choice.colour if self.choice.colour in opened.colours() else opened.colours()[0]
        which = "other" if opened is self.other else "map"
        state = (id(opened), self._masked, colour)
        if self._marked.get(which, (None,))[0] != state:
            self._marked[which] = (state, mark(opened.arranged(colour), self.lit_on(opened)))
        return self._marked[which][1]

    def lit_on(self, opened: Opened) -> np.ndarray | None:
        """Points of either map to show in colour; None is all."""
        lit = self.lit
        if lit is None or opened is not self.other:
            return lit
        assert self.opened is not None
        places = opened.places_in(self.opened)
        return np.asarray((places >= 0) & lit[places])

    # Actions: each takes what the browser sent, which may be anything.

    def act(self, do: str, value: Any) -> None:
        """An action of the page; what is not one is passed over."""
        answer: Callable[[Any], None] | None = getattr(self, f"do_{do}", None) if do.isidentifier() else None
        if answer is not None:
            self.attempt(lambda: answer(value))

    def do_run(self, value: Any) -> None:
        before = self.choice.run
        self.choice.run = str(value)
        try:
            self.open()
        except InputError:
            self.choice.run = before
            raise
        self.choice.param.update(steps=(), point=-1, window=None)
        self.pointed = -1

    def do_other(self, value: Any) -> None:
        self.choice.other = str(value)
        keep = self.choice.steps
        self.open()
        self.choice.steps = tuple(step for step in keep if not step.kind.endswith("2") or self.other)

    def do_colour(self, value: Any) -> None:
        if self.opened is not None:
            self.opened.layer(str(value))
            self.choice.colour = str(value)

    def do_mode(self, value: Any) -> None:
        if value in MODES:
            self.choice.mode = value

    def do_names(self, value: Any) -> None:
        self.choice.names = bool(value)

    def do_theme(self, value: Any) -> None:
        self.choice.theme = "dark" if value == "dark" else "light"

    def do_tab(self, value: Any) -> None:
        if value in TABS:
            self.choice.tab = value

    def do_how(self, value: Any) -> None:
        if value in ("new", "add", "subtract"):
            self.choice.how = value if self.choice.steps else "new"

    def do_hide(self, value: Any) -> None:
        pair, hidden = (self.choice.colour, str(value)), self.choice.hidden
        self.choice.hidden = tuple(p for p in hidden if p != pair) if pair in hidden else (*hidden, pair)

    def do_only(self, value: Any) -> None:
        if self.opened is not None:
            _, key = self.opened.codes(self.choice.colour)
            others = tuple((self.choice.colour, name) for name in key.names if name != str(value))
            self.choice.hidden = (*self._hidden_elsewhere(), *others)

    def do_all(self, value: Any) -> None:
        self.choice.hidden = self._hidden_elsewhere()

    def _hidden_elsewhere(self) -> Pairs:
        return tuple(pair for pair in self.choice.hidden if pair[0] != self.choice.colour)

    def do_limit(self, value: Any) -> None:
        if self.opened is None or not isinstance(value, dict):
            return
        column = str(value.get("column"))
        if column not in views.numbers(self.opened):
            raise InputError("that column holds no numbers to filter by: choose another.")
        values = self.opened.points[column]
        low = _number(value.get("low"), float(values.min()))
        high = _number(value.get("high"), float(values.max()))
        self.choice.limits = (*(limit for limit in self.choice.limits if limit[0] != column), (column, low, high))

    def do_unlimit(self, value: Any) -> None:
        self.choice.limits = tuple(limit for limit in self.choice.limits if limit[0] != value)

    def do_undo(self, value: Any) -> None:
        self.choice.steps = self.choice.steps[:-1]

    def do_clear(self, value: Any) -> None:
        self.choice.steps, self.choice.how = (), "new"

    def do_cell(self, value: Any) -> None:
        if pairs := pairs_from_text(str(value)):
            self.choice.steps = (Step("new", "where", pairs=pairs),)

    def do_movers(self, value: Any) -> None:
        if self.opened is not None and self.comparison is not None:
            low, high = np.quantile(self.comparison.displacement, [MOVED, 1.0])
            rest = tuple(limit for limit in self.choice.limits if limit[0] != "displacement")
            self.choice.limits = (*rest, ("displacement", float(low), float(high)))

    def do_reseed(self, value: Any) -> None:
        self.seed += 1

    def do_point(self, value: Any) -> None:
        place = int(value) if str(value).isdecimal() else -1
        if self.opened is not None and 0 <= place < self.opened.n:
            self.choice.point = self.pointed = place
            self.choice.tab = "point"

    def do_release(self, value: Any) -> None:
        self.choice.point = -1

    def select(self, kind: str, numbers: tuple[float, ...]) -> None:
        """Take a shape that was drawn on the map."""
        how = self.choice.how if self.choice.steps else "new"
        step = Step(how, kind, numbers)  # type: ignore[arg-type]
        self.choice.steps = (step,) if how == "new" else (*self.choice.steps, step)
        if self.choice.tab in ("look", "point"):
            self.choice.tab = "selection"

    def point_at(self, opened: Opened, x: float, y: float, within: float, pressed: bool) -> bool:
        """Point at the nearest point that is lit, or hold it; whether anything changed."""
        place = opened.nearest().at(x, y, within, self.lit_on(opened))
        if opened is self.other and place is not None and self.opened is not None:
            place = int(opened.places_in(self.opened)[place])
        place = -1 if place is None else place
        before = (self.pointed, self.choice.point)
        if pressed:
            self.choice.point = place
        if self.choice.point < 0 and place >= 0:
            self.pointed = place
        elif self.choice.point >= 0:
            self.pointed = self.choice.point
        return before != (self.pointed, self.choice.point)


def _number(value: Any, otherwise: float) -> float:
    text = str(value or "").strip()
    try:
        number = float(text) if text else otherwise
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise InputError(f"{text[:40]!r} is not a number: give one, or leave the field empty.")
    return number
