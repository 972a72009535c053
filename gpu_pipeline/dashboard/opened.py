"""A map that is open: its points, and what follows from them, made once and shared by all sessions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from PIL import Image

from .. import times
from ..errors import InputError, unknown_name
from ..figures import written
from ..record import Run
from ..render import Key, Layer, Order, arrange, order, prepare
from .coding import also_called, codes_of
from .images import Images, images_of
from .mean_images import mean_images
from .mistakes import strangers
from .picking import Nearest, inside_box, inside_polygon
from .search import different_texts, found
from .selecting import Limit, Step, limits_from_pairs
from .shelf import Shelf
from .statistics import Moments, moments
from .votes import Votes, vote

T = TypeVar("T")

MOST_SOUGHT = 20_000_000
"""Points up to which the neighbours of all are sought on the map: some twenty seconds."""

KEPT = {"arranged": 8, "ranked": 4, "layer with the ground": 8, "codes": 16, "quantity": 4}
"""How many parts of a kind a map keeps, where all of them would take more than its own columns."""

MOST_KEPT = 1_000
"""The same of every other kind: one for each column, of any table that is looked at."""

ASKED = 20_000
"""Points by which it is told how much a column of text differs between points."""

MOST_TEXTS = 1_000
"""Different texts that a column may always have and yet be a colour."""

NOT_COLOURS = ("row", "x", "y", "nearest_row")


@dataclass(eq=False)
class Opened:
    """A map that is open.

    Attributes
    ----------
    name
        The run's name, or the file's.
    points
        Columns x and y, for a run also `row`, and any others.
    run
        The run; None if it is a person's own file.
    ground
        The map that lies under these points, if they were placed on one.
    facts
        What is known of how they were placed, for reading.
    there
        Place of each point in the table of the map beside it, (n,), -1 where absent; empty if there is none.
    left_out
        Columns of a person's own file that cannot be shown, with what they hold.
    """

    name: str
    points: pd.DataFrame
    run: Run | None = None
    ground: Opened | None = None
    facts: tuple[tuple[str, str], ...] = ()
    there: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64), repr=False)
    left_out: tuple[str, ...] = ()
    _shelves: dict[str, Shelf] = field(default_factory=dict, repr=False)

    @property
    def n(self) -> int:
        return len(self.points)

    def part(self, name: Any, make: Callable[[], T]) -> T:
        """Something that follows from the points alone, made once.

        Parameters
        ----------
        name
            Its kind, or (kind, column): a kind has a shelf of its own, so that many columns never push out the order
            of places, which takes seconds to make.
        """
        return self._shelf(name).get(name, make)

    def has(self, name: Any) -> bool:
        """Whether a part is made already."""
        return self._shelf(name).has(name)

    def _shelf(self, name: Any) -> Shelf:
        kind = name if isinstance(name, str) else name[0]
        # Of two threads that come at once both get the one that was put there first.
        return self._shelves.get(kind) or self._shelves.setdefault(kind, Shelf(KEPT.get(kind, MOST_KEPT)))

    def colours(self) -> tuple[str, ...]:
        """What the map can be coloured by, the usual ones first; not what tells nearly all points apart."""

        def find() -> tuple[str, ...]:
            usual, left_out = ("label", "cluster", "misfit", "neighbor_recall"), {*NOT_COLOURS, *self.telling()}
            columns = [column for column in map(str, self.points.columns) if column not in left_out]
            return (*(c for c in usual if c in columns), *(c for c in columns if c not in usual), "density")

        return self.part("colours", find)

    def telling(self) -> list[str]:
        """Columns of text that differ between nearly all points, such as a title: colours tell nothing of them."""

        def find() -> list[str]:
            some = self.points.iloc[:: max(self.n // ASKED, 1)]
            least = max(MOST_TEXTS, 0.5 * len(some))
            return [name for name, different in different_texts(some).items() if different > least]

        return self.part("telling", find)

    def layer(self, colour: str) -> Layer:
        """The points ready to be drawn in a colour.

        Raises
        ------
        InputError
            If there is no such column.
        """
        if colour in self.telling():
            raise InputError(
                f"{colour!r} is another text at nearly every point, which no colours tell: choose another."
            )
        if colour not in self.colours():
            raise unknown_name("column", colour, self.colours())
        return self.part(("layer", colour), lambda: prepare(self.points, colour=colour)[0])

    def arranged(self, colour: str) -> Layer:
        """The layer in the order of places, which is drawn faster; all layers share the order."""

        def make() -> Layer:
            layer = self.layer(colour)
            return arrange(layer, self._order())

        return self.part(("arranged", colour), make)

    def _order(self) -> Order:
        frame = self.layer("density").frame
        return self.part("order", lambda: order(frame["x"].to_numpy(), frame["y"].to_numpy()))

    def codes(self, column: str) -> tuple[np.ndarray, Key]:
        """Class of each point as its place among the key's names, (n,), and the key.

        Raises
        ------
        InputError
            If the column has no classes.
        """
        layer = self.layer(column)
        if layer.key.kind != "classes":
            raise InputError(f"the column {column!r} has no classes: choose one that has.")
        if len(layer.key.names) <= len(layer.frame["ink"].cat.categories):
            return layer.frame["ink"].cat.codes.to_numpy(), layer.key
        return self.part(("codes", column), lambda: codes_of(self.points[column], layer.key)), layer.key

    def has_classes(self, column: str) -> bool:
        """Whether there is such a column, and it holds classes."""
        return column in self.colours() and self.layer(column).key.kind == "classes"

    def absent(self, column: str) -> int:
        """Code of the points that have no class in a column; -1 if all have one."""
        _, key = self.codes(column)
        return len(key.names) - 1 if key.absent else -1

    def quantity(self, column: str) -> np.ndarray:
        """A column of numbers as floating ones, or of times in seconds, (n,); NaN where there is none."""
        values = self.points[column]
        if times.is_time(values):
            return self.part(("quantity", column), lambda: times.seconds(values))
        if values.dtype in (np.float32, np.float64):
            return values.to_numpy()
        return self.part(("quantity", column), lambda: values.to_numpy(dtype=np.float64, na_value=np.nan))

    def written(self, column: str, value: float, span: float, digits: int) -> str:
        """A value of a column's quantity, for reading; see `figures.short`."""
        return written(times.is_time(self.points[column]), value, span, digits)

    def moments(self, column: str) -> Moments:
        """Mean and standard deviation of a column of numbers over all points."""
        return self.part(("moments", column), lambda: moments(self.quantity(column), np.ones(self.n, bool)))

    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """The map's x and y, (n,) each."""
        return self.points["x"].to_numpy(), self.points["y"].to_numpy()

    def corners(self) -> pd.DataFrame:
        """The least and the largest x and y, as two points, of the map under these points too."""
        both = [self.points] if self.ground is None else [self.points, self.ground.corners()]
        return self.part("corners", lambda: pd.concat([part[["x", "y"]] for part in both]).agg(["min", "max"]))

    def matching(self, step: Step) -> np.ndarray:
        """Which points a step of a selection names, (n,) bool.

        Raises
        ------
        InputError
            If it names a column or a class that is not there, or searches for what is not.
        """
        if step.kind == "where":
            columns = dict.fromkeys(column for column, _ in step.pairs)
            named = {column: [name for c, name in step.pairs if c == column] for column in columns}
            return np.asarray(np.logical_and.reduce([self.members(*each) for each in named.items()]))
        if step.kind == "within":
            return np.asarray(np.logical_and.reduce([self.within(limit) for limit in limits_from_pairs(step.pairs)]))
        if step.kind == "find":
            return found(self.points, step.text)
        if step.kind == "all":
            return np.ones(self.n, bool)
        x, y = self.axes()
        if step.kind == "box":
            return np.asarray(inside_box(x, y, *step.numbers))
        return np.asarray(inside_polygon(x, y, np.reshape(step.numbers, (-1, 2)), self._order()))

    def within(self, limit: Limit) -> np.ndarray:
        """Which points have a number in a column that is within its limits, both included, (n,) bool.

        Raises
        ------
        InputError
            If there is no such column, or it holds no numbers.
        """
        column, low, high = limit
        values = self.points.get(column)
        if values is None or not (pd.api.types.is_numeric_dtype(values) or times.is_time(values)):
            raise InputError(f"there is no column {column[:80]!r} of numbers or times to limit: name another.")
        quantity = self.quantity(column)
        return np.asarray((quantity >= low) & (quantity <= high))

    def votes(self) -> Votes:
        """What the neighbours of each point on the map say about its label; see `vote`.

        Raises
        ------
        InputError
            If there are no labels, or too many points.
        """
        if self.n > MOST_SOUGHT:
            raise InputError(f"neighbours on the map are sought up to {MOST_SOUGHT:,} points, not {self.n:,}.")

        def ask() -> Votes:
            codes, key = self.codes("label")
            return vote(*self.axes(), codes, len(key.names), self.absent("label"))

        return self.part("votes", ask)

    def strangers(self) -> np.ndarray:
        """Positions of the points that lie among another class, the surest first; see `mistakes.strangers`."""
        return self.part("strangers", lambda: strangers(self.codes("label")[0], self.votes()))

    def images(self) -> Images | None:
        """The points' images; None if they have none, or if those cannot be found any more."""
        return self._images()[0]

    def why_no_images(self) -> str:
        """A sentence, if there should be images and are none."""
        return self._images()[1]

    def _images(self) -> tuple[Images | None, str]:
        def find() -> tuple[Images | None, str]:
            try:
                return (None, "") if self.run is None else (images_of(self.run), "")
            except InputError as error:
                return None, str(error)

        return self.part("images", find)

    def means(self, column: str) -> dict[str, Image.Image]:
        """Mean image of each class of a column, if there are images."""

        def find() -> dict[str, Image.Image]:
            images = self.images()
            if images is None:
                return {}
            codes, key = self.codes(column)
            found = mean_images(images.pixels, codes, len(key.names))
            return {name: image for name, image in zip(key.names, found, strict=True) if image is not None}

        return self.part(("means", column), find)

    def nearest(self) -> Nearest:
        """The points, ready to be asked for the one at the cursor."""
        return self.part("nearest", lambda: Nearest(*self.axes(), self._order()))

    def members(self, column: str, names: Sequence[str]) -> np.ndarray:
        """Which points belong to any of some classes, (n,) bool."""
        codes, key = (self.votes().among, self.codes("label")[1]) if column == "among" else self.codes(column)
        wanted = np.zeros(len(key.names), bool)
        # By a table: of thousands of classes thousands may be hidden.
        places = {name: place for place, name in enumerate(key.names)}
        called = also_called(key)
        for name in names:
            place = places.get(name, called.get(name.casefold()))
            if place is None:
                raise unknown_name(f"class of {column}", name, key.names)
            wanted[place] = True
        return np.asarray(wanted[codes])
