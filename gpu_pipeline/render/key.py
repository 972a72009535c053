"""What the colours of a map mean: which columns hold classes and which a quantity, their names, order and colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from .. import times
from ..order import in_order
from .palette import ALARM, CALM, MISSING, class_colours, rgb

MOST_INKS = 64
"""Inks that a grid counts apart: beyond, classes share colours, or 300 classes would fill 800 MB."""

SHARES = np.arange(1, 100) / 100
"""Shares of the points that lie below a quantity's quantiles: they are its percentiles."""

STEPS = 1_000
"""Values of 32 bits between the ends of a ramp; where there are fewer, its colours would have steps."""

CLASS_COLUMNS = ("label", "cluster", "misfit", "vote")
MISFIT_NAMES = {False: "as its cluster", True: "misfit"}


@dataclass(frozen=True)
class Key:
    """What the colours of a map mean.

    Attributes
    ----------
    column
        The column that is drawn, or "density".
    kind
        Whether it is a class, a quantity, or nothing but the number of points.
    names, counts
        The classes in their order, and how many of all points each has.
    colours
        One for each class, (n, 3) float32 in 0..255.
    quantiles
        Values of the quantity between which lie equally many points, ascending: its 1st to 99th percentile, of which
        the first and the last are at the two ends of the ramp.
    unmeasured
        Points without a value of the quantity.
    base
        What is taken off the values that are drawn: as 32 bits large ones that lie close together would be the same.
    absent
        Whether the last class is that of the points without a value.
    time
        Whether the quantity is a time, as `times.seconds` has it.
    ranked
        Whether what is drawn are ranks of the values among the quantiles, 0 to 1, and not the values.
    """

    column: str
    kind: Literal["classes", "quantity", "density"]
    names: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    colours: np.ndarray = field(default_factory=lambda: class_colours(0))
    quantiles: tuple[float, ...] = (0.0, 1.0)
    unmeasured: int = 0
    base: float = 0.0
    absent: bool = False
    time: bool = False
    ranked: bool = False

    @property
    def limits(self) -> tuple[float, float]:
        """The quantity's values at the two ends of the ramp."""
        return self.quantiles[0], self.quantiles[-1]

    @property
    def ink_colours(self) -> np.ndarray:
        """Colours of the inks, which are the first classes', but the last one that of the absent values, (n, 3)."""
        if self.absent and len(self.names) > MOST_INKS:
            return np.concatenate([self.colours[: MOST_INKS - 1], self.colours[-1:]])
        return self.colours[:MOST_INKS]

    def value_at(self, place: float) -> float:
        """The value at a place on the ramp, 0 to 1."""
        if self.ranked:
            known, at = self.ranks()
            return float(np.interp(place, at, known))
        low, high = self.limits
        return low + place * (high - low)

    def ranks(self) -> tuple[np.ndarray, np.ndarray]:
        """The quantiles, each once, and their places by rank, 0 to 1, of equal ones the middle."""
        known, first, times = np.unique(self.quantiles, return_index=True, return_counts=True)
        return known, (first + (times - 1) / 2) / (len(self.quantiles) - 1)


class Classes(NamedTuple):
    """Names of classes in their order, their colours as in `Key`, and whether the last is of the absent values."""

    names: tuple[str, ...]
    colours: np.ndarray
    absent: bool


def is_quantity(values: pd.Series, colour: str) -> bool:
    """Whether a column of that name holds a quantity, or else classes."""
    time = times.is_time(values)
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if not numeric and not time:
        return False
    if time or pd.api.types.is_integer_dtype(values):
        return colour not in CLASS_COLUMNS and values.nunique() > MOST_INKS
    # Whole numbers become floating where one is missing: they are still classes in a class column.
    return colour not in CLASS_COLUMNS or bool((values.dropna() % 1 != 0).any())


def quantiles_of(measured: Any, xp: Any = np) -> tuple[float, ...]:
    """The quantiles of a quantity at `SHARES`, from all its finite values, of the array module `xp`."""
    if not len(measured):
        return 0.0, 1.0
    at = SHARES * (len(measured) - 1)
    below = at.astype(np.int64)
    part = at - below
    # Sorting takes less time than to select a few.
    ordered = xp.sort(measured)
    low, high = (np.array(ordered[xp.asarray(i)].tolist()) for i in (below, np.minimum(below + 1, len(measured) - 1)))
    return tuple(((1 - part) * low + part * high).tolist())


def on_ramp(as_type: Callable[[type], Any], short: bool, xp: Any = np) -> tuple[Any, tuple[float, ...], float]:
    """A quantity as float32 less a base, its quantiles, and the base: 0 unless it is needed.

    Parameters
    ----------
    as_type
        Gives the values in a floating type, as arrays of the module `xp`.
    short
        Whether they are of 32 bits, and so have no more digits than are drawn.
    """
    numbers = as_type(np.float32)
    finite = xp.isfinite(numbers)
    quantiles = quantiles_of(numbers[finite], xp)
    low, high = quantiles[0], quantiles[-1]
    if short or high - low >= STEPS * np.spacing(np.float32(max(-low, high))):
        return numbers, quantiles, 0.0
    exact = as_type(np.float64)
    quantiles = quantiles_of(exact[finite], xp)
    low, high = quantiles[0], quantiles[-1]
    return ((exact - low).astype(np.float32), quantiles, low) if high > low else (numbers, quantiles, 0.0)


def classes_of(values: pd.Series, column: str) -> tuple[np.ndarray, Classes]:
    """Code of each value's class, and the classes; the absent values come last, in grey."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes, found = values.cat.codes.to_numpy(), list(values.cat.categories)
        order = list(range(len(found)))
    else:
        codes, index = pd.factorize(values)
        found = list(index)
        order = _order(found)
    if column == "misfit":
        order.reverse()  # misfits first: a pixel with as many of both is shown as theirs
    rank = np.empty(len(found) + 1, np.int64)
    rank[order] = np.arange(len(found))
    rank[-1] = len(found)  # where factorize found no value, its code is -1
    names = [MISFIT_NAMES[bool(found[i])] if column == "misfit" else name_of(found[i]) for i in order]
    absent = bool((codes < 0).any())
    if column == "misfit":
        colours = rgb([ALARM if found[i] else CALM for i in order])
    else:
        colours = class_colours(len(found), absent)
    if absent:
        names.append("no label" if column == "misfit" else f"no {column}")
        colours = np.concatenate([colours, rgb([MISSING])])
    return rank[codes], Classes(tuple(names), colours, absent)


def _order(found: Sequence[Any]) -> list[int]:
    """Positions of values in the order in which classes are listed: numbers by value, all else by its name."""
    if all(isinstance(value, (bool, int, float, np.number, np.bool_)) for value in found):
        return sorted(range(len(found)), key=found.__getitem__)
    return in_order(map(str, found))


def name_of(value: Any) -> str:
    """The name of the class that a value stands for."""
    return str(int(value)) if isinstance(value, (float, np.floating)) and value % 1 == 0 else times.name(value)


def class_key(column: str, classes: Classes, counts: np.ndarray) -> tuple[Key, np.ndarray]:
    """The key to classes, and the ink of each, (n,) int8.

    Beyond `MOST_INKS` classes share inks, and with them colours; the absent values share theirs with none.
    """
    names, n = classes.names, len(classes.names)
    inks = np.arange(n)
    if n > MOST_INKS:
        inks %= MOST_INKS - classes.absent
    colours = classes.colours[inks]
    if classes.absent:
        inks[-1], colours[-1] = min(n, MOST_INKS) - 1, classes.colours[-1]
    return Key(column, "classes", names, tuple(counts.tolist()), colours, absent=classes.absent), inks.astype(np.int8)
