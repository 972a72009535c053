"""Runs and files that are open: read once and shared by all sessions, which change nothing in them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from PIL import Image

from ..compare import Comparison, compare_maps
from ..errors import InputError, unknown_name
from ..record import Run
from ..render import Key, Layer, Order, arrange, order, prepare
from ..report import row
from ..store import FILES, list_runs, open_run, read_record
from .files import OpenFile
from .images import Images, images_of
from .picking import Nearest, inside_box, inside_polygon
from .state import Step
from .statistics import intruders

T = TypeVar("T")

KEPT_RUNS = 6
"""Runs that stay in memory at once; the one used longest ago goes first."""

KEPT_PARTS = 24
"""Layers, masks and lists that each run keeps beside its points."""

MOST_SOUGHT = 1_000_000
"""Points up to which the neighbours of all are sought on the map: some seconds."""

METHODS = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}
NOT_COLOURS = ("row", "x", "y")


class Shelf:
    """A few values by name, each made once even if two sessions ask at a time; the eldest goes first."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._values: OrderedDict[Any, Any] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, name: Any, make: Callable[[], T]) -> T:
        """The value of that name, made now if there is none."""
        with self._lock:
            if name not in self._values:
                self._values[name] = make()
                while len(self._values) > self._room:
                    self._values.popitem(last=False)
            self._values.move_to_end(name)
            value: T = self._values[name]
            return value


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
    """

    name: str
    points: pd.DataFrame
    run: Run | None = None
    _parts: Shelf = field(default_factory=lambda: Shelf(KEPT_PARTS), repr=False)

    @property
    def n(self) -> int:
        return len(self.points)

    def part(self, name: Any, make: Callable[[], T]) -> T:
        """Something that follows from the points alone, made once."""
        return self._parts.get(name, make)

    def colours(self) -> list[str]:
        """What the map can be coloured by, the usual ones first."""
        usual = ["label", "cluster", "misfit", "neighbor_recall"]
        columns = [str(column) for column in self.points.columns if column not in NOT_COLOURS]
        return [*[c for c in usual if c in columns], *[c for c in columns if c not in usual], "density"]

    def layer(self, colour: str) -> Layer:
        """The points ready to be drawn in a colour.

        Raises
        ------
        InputError
            If there is no such column.
        """
        if colour not in self.colours():
            raise unknown_name("column to colour by", colour, self.colours())
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
        return self.part(("codes", column), lambda: _codes(self.points[column], layer.key)), layer.key

    def place(self) -> np.ndarray:
        """The map, (n, 2)."""
        return self.part("place", lambda: np.ascontiguousarray(self.points[["x", "y"]].to_numpy()))

    def corners(self) -> pd.DataFrame:
        """The least and the largest x and y, as two points."""
        return self.part("corners", lambda: self.points[["x", "y"]].agg(["min", "max"]))

    def matching(self, step: Step) -> np.ndarray:
        """Which points a step of a selection names, (n,) bool.

        Raises
        ------
        InputError
            If it names a column or a class that is not there.
        """
        if step.kind == "where":
            mask = np.ones(self.n, bool)
            for column, name in step.pairs:
                mask &= self.members(column, [name])
            return mask
        x, y = self.place().T
        if step.kind == "box":
            return np.asarray(inside_box(x, y, *step.numbers))
        return np.asarray(inside_polygon(x, y, np.reshape(step.numbers, (-1, 2))))

    def among(self) -> np.ndarray:
        """Class of most neighbours on the map where that is not a point's own, else its own; codes as of "label".

        Raises
        ------
        InputError
            If there are no labels, or too many points to seek their neighbours while a person waits.
        """

        def find() -> np.ndarray:
            codes, key = self.codes("label")
            found = self.strangers()
            among = codes.astype(np.int64)
            places = {name: i for i, name in enumerate(key.names)}
            among[found["position"].to_numpy()] = [places[_name(value)] for value in found["among"]]
            return among

        return self.part("among", find)

    def strangers(self) -> pd.DataFrame:
        """The points that lie among another class; see `statistics.intruders`."""
        if self.n > MOST_SOUGHT:
            raise InputError(
                f"neighbours on the map are sought up to {MOST_SOUGHT:,} points, and there are {self.n:,}."
            )
        return self.part("strangers", lambda: intruders(self.points))

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
            found = {name: images.mean(codes == i) for i, name in enumerate(key.names)}
            return {name: image for name, image in found.items() if image is not None}

        return self.part(("means", column), find)

    def nearest(self) -> Nearest:
        """The points, ready to be asked for the one at the cursor."""
        x, y = self.place().T
        return self.part("nearest", lambda: Nearest(x, y, self._order()))

    def members(self, column: str, names: Sequence[str]) -> np.ndarray:
        """Which points belong to any of some classes, (n,) bool."""
        codes, key = (self.among(), self.codes("label")[1]) if column == "among" else self.codes(column)
        wanted = np.zeros(len(key.names), bool)
        for name in names:
            if name not in key.names:
                raise unknown_name(f"class of {column}", name, key.names)
            wanted[key.names.index(name)] = True
        return np.asarray(wanted[codes])

    def compared(self, other: Opened) -> Comparison:
        """This map and another; see `compare_maps`."""
        if self.run is None or other.run is None:
            raise InputError("a file of points cannot be compared: compare two stored runs.")
        return self.part(("compared", other.name, id(other)), lambda: compare_maps(self.points, other.points))

    def beside(self, other: Opened, comparison: Comparison) -> Opened:
        """The same with a column `displacement`: how far each point lies from its place on the other map."""

        def make() -> Opened:
            moved = pd.Series(comparison.displacement.astype(np.float32), index=comparison.rows)
            column = moved.reindex(self.points["row"]).to_numpy()
            return Opened(self.name, self.points.assign(displacement=column), self.run)

        return self.part(("beside", other.name, id(comparison)), make)

    def places_in(self, other: Opened) -> np.ndarray:
        """Place of each of this map's points in another's table, by the rows of their data; (n,), -1 where absent."""

        def find() -> np.ndarray:
            index = pd.Index(other.points["row"])
            return np.asarray(index.get_indexer(self.points["row"]))

        return self.part(("places", other.name, id(other)), find)


def _codes(values: pd.Series, key: Key) -> np.ndarray:
    """Place of each value's name among a key's; absent values have the last."""
    found, index = pd.factorize(values)
    names = {name: i for i, name in enumerate(key.names)}
    table = [names.get(_name(value), len(names) - 1) for value in index]
    return np.asarray([*table, len(names) - 1], np.int64)[found]


def _name(value: Any) -> str:
    whole = isinstance(value, float | np.floating) and value % 1 == 0
    return str(int(value)) if whole else str(value)


_open = Shelf(KEPT_RUNS)


def open_stored(store: Path, name: str) -> Opened:
    """A stored run, shared by all sessions that look at it.

    Only a name that is in the list of stored runs is ever opened, so that none leads out of the store.

    Raises
    ------
    InputError
        If there is no such run or it cannot be read.
    """
    known = {where.name: where for where in list_runs(store)}
    if name not in known:
        raise unknown_name("run", name[:80], list(known)) if known else InputError("there is no stored run yet.")
    where = known[name]
    changed = (where / FILES["record"]).stat().st_mtime_ns

    def read() -> Opened:
        run = open_run(where, store)
        return Opened(name, run.points, run)

    return _open.get((str(where.resolve()), changed), read)


def open_points(file: OpenFile) -> Opened:
    """A person's own file, shared by all sessions.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    points = file.points()
    return _open.get((str(file.path), file.x, file.y, id(points)), lambda: Opened(file.path.name, points))


def rows_of(store: Path) -> list[dict[str, Any]]:
    """A line about each stored run, the oldest first; a run is read anew only if its record has changed."""
    return [_row(where) for where in list_runs(store)]


_rows = Shelf(1_000)


def _row(where: Path) -> dict[str, Any]:
    times = tuple((where / FILES[name]).stat().st_mtime_ns for name in ("record", "scores"))

    def read() -> dict[str, Any]:
        line = row(where)
        try:
            record = read_record(where)
        except (OSError, ValueError, KeyError, TypeError):
            return {**line, "run": where.name, "title": f"{where.name} (cannot be read)", "hint": ""}
        embed = record.recipe.embed
        setting = {"tsne": "perplexity", "umap": "n_neighbors", "pca": ""}[embed.method]
        hint = f"{setting.replace('_', ' ')} {getattr(embed, setting):g}, " if setting else ""
        title = f"{METHODS[embed.method]} of {record.dataset['name']}"
        return {**line, "title": title, "hint": f"{hint}seed {record.recipe.seed}, {record.engines['embed']}"}

    return _rows.get((str(where.resolve()), times), read)
