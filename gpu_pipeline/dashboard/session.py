"""One session without its page: what is open, what is selected, and what each action does to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..compare import Comparison
from ..errors import InputError
from ..render import Layer, mark
from .actions import ACTIONS
from .address import left_out, to_query
from .beside import Matched, beside
from .files import OpenFile
from .filters import numbers
from .ground import layer_over, lit_over
from .opened import Opened
from .paint import painted
from .placed import open_placed
from .selecting import How, Pairs, Step, drawn, limits_to_pairs, selected, without_other
from .state import Choice
from .stored import open_points, open_stored, rows_of
from .uploads import uploaded

KEPT = 50
"""Selections from before that `undo` can bring back."""


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
    comparison, matched
        How far they agree, and how their clusters correspond.
    visible, chosen
        (n,) bool, the points that the filters let through (None: all), and those among them that are
        selected (None: there is no selection).
    earlier
        The selections from before, step by step, the last one last.
    sought
        The column whose filter is open.
    error
        What could not be done last, in one sentence.
    """

    def __init__(self, store: Path, file: OpenFile | None, choice: Choice) -> None:
        self.store, self.file, self.choice = store, file, choice
        self.opened: Opened | None = None
        self.other: Opened | None = None
        self.comparison: Comparison | None = None
        self.matched: Matched | None = None
        self.earlier: list[tuple[Step, ...]] = []
        self.sought = ""
        self._colour_before = ""
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
            self._try(self.open)
        if self.opened is None and choice.placed:
            self._try(lambda: self.go(placed=""))
        newest = [row["run"] for row in rows[-1:]]
        for run in [*([] if file is None else [""]), *newest]:
            if self.opened is None and choice.run != run:
                self._try(partial(self.go, run=run, placed=""))
        self._hide_others()
        self._try(self._mask)

    def attempt(self, action: Callable[[], None]) -> None:
        """Do something and find what is selected then; where it cannot be done, keep the sentence that says why."""
        self.error = ""
        self._try(action)
        self._try(self._mask)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except InputError as error:
            self.error = self.error or str(error)

    def open(self) -> None:
        """Open what is chosen; alone, and with a sentence that says why, where it cannot be compared."""
        alone = self._alone()
        try:
            self._show(alone, "" if self.choice.placed else self.choice.other)
        except InputError as error:
            self.error = self.error or str(error)
            self._show(alone, "")

    def go(self, **changes: str) -> None:
        """Open something else, where nothing of what was selected means anything.

        Parameters
        ----------
        changes
            What of the choice is another: `run`, `placed`, or both.
        """
        choice = self.choice
        before = {name: getattr(choice, name) for name in changes}
        choice.param.update(**changes)
        try:
            self.open()
        except InputError:
            choice.param.update(**before)
            raise
        choice.param.update(steps=(), point=-1, window=None)
        self.part()
        self.earlier, self.pointed = [], -1

    def compare(self, name: str) -> None:
        """Show another run beside this one, or none; what meant something beside the one before goes with it."""
        before = self.choice.other
        self._show(self._alone(), name)
        if self.choice.other != before:
            self.part()

    def part(self) -> None:
        """Drop what was drawn on the other map, and limits to how far points lie from their places there."""
        choice = self.choice
        choice.steps = without_other(choice.steps)
        self.earlier = [without_other(steps) for steps in self.earlier]
        choice.limits = tuple(limit for limit in choice.limits if limit[0] != "displacement")

    def _alone(self) -> Opened:
        choice = self.choice
        own = self.file if not choice.run else uploaded(self.store, choice.run)
        opened = open_stored(self.store, choice.run) if own is None else open_points(own)
        return open_placed(opened, choice.placed) if choice.placed else opened

    def _show(self, alone: Opened, name: str) -> None:
        """Show a map, and beside it that of another run; nothing stands beside itself."""
        choice = self.choice
        if name in ("", alone.name):
            self.opened, self.other, self.comparison, self.matched = alone, None, None, None
        else:
            both = beside(alone, open_stored(self.store, name))
            self.opened, self.other = both.left, both.right
            self.comparison, self.matched = both.comparison, both.matched
        choice.other = "" if self.other is None else name
        if choice.colour not in self.opened.colours():
            choice.colour = self.opened.colours()[0]
        if choice.point >= self.opened.n:
            choice.point = -1
        self.pointed = choice.point

    def _mask(self) -> None:
        """Find the points that the filters let through, and those that are selected among them."""
        choice, opened = self.choice, self.opened
        if opened is None or (opened, choice.hidden, choice.limits, choice.steps) == self._masked:
            return
        self.visible = self._unfiltered(opened)
        try:
            self.chosen = selected(choice.steps, opened.n, self.matching)
        except InputError:
            choice.steps, self.chosen = (), None
            raise
        finally:
            self._masked = (opened, choice.hidden, choice.limits, choice.steps)
        if self.chosen is not None and self.visible is not None:
            self.chosen = self.chosen & self.visible

    def matching(self, step: Step) -> np.ndarray:
        """Which points a step names, also one that was drawn on the other map."""
        assert self.opened is not None
        if not step.kind.endswith("2"):
            return self.opened.matching(step)
        if self.other is None:
            raise InputError("the selection was drawn on a second map that is not open: select anew.")
        on_other = self.other.matching(replace(step, kind=step.kind[:-1]))  # type: ignore[arg-type]
        places = self.opened.there
        return np.asarray((places >= 0) & on_other[places])

    def _unfiltered(self, opened: Opened) -> np.ndarray | None:
        shown: list[np.ndarray] = []
        for column, names in self._classes(self.choice.hidden).items():
            hidden = {name for c, name in self.choice.hidden if c == column}
            shown.append(np.array([name not in hidden for name in names])[opened.codes(column)[0]])
        for column, low, high in self.choice.limits:
            if column in numbers(opened):
                shown.append(opened.within((column, low, high)))
        return np.logical_and.reduce(shown) if shown else None

    def filters(self) -> tuple[Step, ...]:
        """The filters as steps of a selection, which leave of it what they let through."""
        opened, choice = self.opened, self.choice
        if opened is None:
            return ()
        limits = [limit for limit in choice.limits if limit[0] in numbers(opened)]
        steps = [Step("keep", "within", pairs=limits_to_pairs([limit])) for limit in limits]
        for column, names in self._classes(choice.hidden).items():
            hidden = {name for c, name in choice.hidden if c == column}
            shown, gone = ([(column, n) for n in names if (n in hidden) is which] for which in (False, True))
            if 0 < len(shown) <= len(gone):
                steps.append(Step("keep", "where", pairs=tuple(shown)))
            elif gone:
                steps.append(Step("subtract", "where", pairs=tuple(gone)))
        return tuple(steps)

    def _classes(self, pairs: Pairs) -> dict[str, Sequence[str]]:
        """All classes of those columns in pairs that have classes."""
        opened = self.opened
        columns = () if opened is None else dict.fromkeys(column for column, _ in pairs)
        return {c: opened.codes(c)[1].names for c in columns if opened and opened.has_classes(c)}

    def _hide_others(self) -> None:
        """Hide what an address leaves out that lists what is shown."""
        choice = self.choice
        for column, names in self._classes(choice.shown).items():
            shown = {name for c, name in choice.shown if c == column}
            if not shown.isdisjoint(names):
                choice.hidden = (*choice.hidden, *((column, name) for name in names if name not in shown))
        choice.shown = ()

    def query(self) -> str:
        """The query of the page's address."""
        return to_query(self.choice, self._classes(self.choice.hidden))

    def left_out(self) -> tuple[str, ...]:
        """What of the choice is too long for the address."""
        return left_out(self.choice, self._classes(self.choice.hidden))

    @property
    def lit(self) -> np.ndarray | None:
        """Points to show in colour; None is all."""
        return self.visible if self.chosen is None else self.chosen

    def layer(self, opened: Opened) -> Layer:
        """A map's points with those that are not lit marked, kept until either changes."""
        which, look = "other" if opened is self.other else "map", self.look(opened)
        if self._marked.get(which, (None,))[0] != look:
            over = layer_over(opened, self.colour_of(opened), self.choice.scale)
            layer = mark(over, lit_over(opened, self.lit_on(opened)))
            self._marked[which] = (look, replace(layer, key=painted(layer.key, self.choice.paints)))
        return self._marked[which][1]

    def look(self, opened: Opened) -> tuple[Any, ...]:
        """What a map's layer follows from: as long as it is the same, so is the layer."""
        return opened, self._masked, self.colour_of(opened), self.choice.scale, self.choice.paints

    def colour_of(self, opened: Opened) -> str:
        """What a map is coloured by."""
        return self.choice.colour if self.choice.colour in opened.colours() else opened.colours()[0]

    @property
    def colour_before(self) -> str:
        """What the map was coloured by before it was by displacement."""
        colours = () if self.opened is None else self.opened.colours()
        return next(c for c in (self._colour_before, *colours) if c in colours and c != "displacement")

    def paint_by(self, colour: str) -> None:
        """Colour the map by something else."""
        self._colour_before, self.choice.colour = self.choice.colour, colour

    def lit_on(self, opened: Opened) -> np.ndarray | None:
        """Points of either map to show in colour; None is all."""
        lit = self.lit
        if lit is None or opened is not self.other:
            return lit
        assert self.opened is not None
        places = opened.there
        return np.asarray((places >= 0) & lit[places])

    def act(self, do: str, value: Any) -> None:
        """An action of the page, with what the browser sent, which may be anything; what is none is passed over."""
        action = ACTIONS.get(do)
        if action is not None:
            self.attempt(lambda: action(self, value))

    def choose(self, steps: tuple[Step, ...]) -> None:
        """Make these steps the selection, and keep that from before."""
        if steps != self.choice.steps:
            self.earlier = [*self.earlier, self.choice.steps][-KEPT:]
            self.choice.steps = steps

    def undo(self) -> None:
        """Bring the selection from before back; of one that came with the address take the last step away."""
        steps = self.choice.steps
        while self.earlier and self.choice.steps == steps:
            self.choice.steps = self.earlier.pop()
        if self.choice.steps == steps:
            self.choice.steps = steps[:-1]

    @property
    def undoable(self) -> bool:
        """Whether there is anything to undo."""
        return bool(self.earlier or self.choice.steps)

    def take(self, *steps: Step) -> None:
        """Take steps of the selection; those that begin anew replace it."""
        self.choose(steps if steps[0].how == "new" else (*self.choice.steps, *steps))
        if self.choice.tab in ("look", "point"):
            self.choice.tab = "selection"

    def select(self, kind: str, numbers: tuple[float, ...]) -> None:
        """Take a shape that was drawn on the map."""
        self.take(Step(self.how, kind, drawn(kind, numbers)))  # type: ignore[arg-type]

    @property
    def how(self) -> How:
        """What the next step does; the first one can only begin a selection."""
        return self.choice.how if self.choice.steps else "new"  # type: ignore[no-any-return]

    def point_at(self, opened: Opened, x: float, y: float, within: float, pressed: bool) -> bool:
        """Point at the nearest point that is lit, or hold it; whether anything changed."""
        place = opened.nearest().at(x, y, within, self.lit_on(opened))
        if opened is self.other and place is not None and self.opened is not None:
            place = int(opened.there[place])
        place = -1 if place is None else place
        before = (self.pointed, self.choice.point)
        if pressed:
            self.choice.point = place
        if self.choice.point < 0 and place >= 0:
            self.pointed = place
        elif self.choice.point >= 0:
            self.pointed = self.choice.point
        return before != (self.pointed, self.choice.point)
