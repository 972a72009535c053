"""What is in view, and how a selection differs from the rest: figures, worked out from arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..compiling import kernel
from ..errors import InputError
from ..render import Grid, Key


@dataclass(frozen=True)
class InView:
    """What a window shows.

    Attributes
    ----------
    points
        Points in the window, none left out but those that a filter hides.
    coloured
        Those among them that are not grey.
    most
        Coloured points in the fullest pixel.
    lit
        Pixels that have a coloured point.
    mixed
        Share of the lit pixels with points of more than one class, 0 to 1; None without classes or lit pixels.
    under
        Points in the window of a map that lies under these; None if there is none.
    """

    points: int
    coloured: int
    most: int
    lit: int
    mixed: float | None
    under: int | None = None


def in_view(grid: Grid, key: Key) -> InView:
    """The facts of a window.

    Parameters
    ----------
    grid
        From `render.aggregate`, before `spread`, whose discs are no longer points.
    key
        What its inks mean. Classes that share an ink count as one.
    """
    seen, lit = grid.seen, len(grid.seen.lit)
    coloured = int(seen.total.sum(dtype=np.float64))
    rest = 0 if grid.rest is None else int(grid.rest.sum(dtype=np.int64))
    mixed = np.count_nonzero(seen.kinds > 1) / lit if lit and key.kind == "classes" else None
    return InView(coloured + rest, coloured, int(seen.total.max(initial=0)), lit, mixed)


def counts(codes: np.ndarray, classes: int, mask: np.ndarray) -> np.ndarray:
    """How many of the selected points each class has, (classes,).

    Parameters
    ----------
    codes
        (n,) class of each point, below `classes`.
    mask
        (n,) bool, the selection.

    Raises
    ------
    InputError
        If the mask is not over the points.
    """
    _check(len(codes), mask)
    inside = np.zeros(classes, np.int64)
    _count(codes, mask, inside)
    return inside


@dataclass(frozen=True)
class Moments:
    """Sums over the measured values of some points.

    Attributes
    ----------
    n
        Values that are finite.
    mean, deviation
        Their mean and standard deviation; None where there is no value.
    """

    n: int
    mean: float | None
    deviation: float | None

    def without(self, part: Moments) -> float | None:
        """The mean of those that are not among a part of them; None where there are none."""
        if self.mean is None or self.n == part.n:
            return None
        return (self.n * self.mean - part.n * (part.mean or 0.0)) / (self.n - part.n)


def moments(values: np.ndarray, mask: np.ndarray) -> Moments:
    """Mean and standard deviation of the selected values that are finite.

    Parameters
    ----------
    values
        (n,) floating.
    mask
        (n,) bool, the selection.

    Raises
    ------
    InputError
        If the mask is not over the values.
    """
    _check(len(values), mask)
    n, mean, squares = _moments(values, mask)
    return Moments(n, mean, float(np.sqrt(squares / n))) if n else Moments(0, None, None)


@dataclass(frozen=True)
class Difference:
    """How the selection differs from the rest in one column, or in one class of a column.

    Attributes
    ----------
    column
        The column.
    name
        The class; None for a quantity.
    inside, outside
        For a quantity the mean, for a class the share, 0 to 1; None where there is nothing to measure.
    effect
        inside - outside over the standard deviation of all points: for a class that of being of it or not.
        0 by chance; 0.2 is called small and 0.8 large (Cohen 1988). None where one of the two is.
    """

    column: str
    name: str | None
    inside: float | None
    outside: float | None
    effect: float | None


def of_quantity(column: str, everything: Moments, selected: Moments) -> Difference:
    """The mean of the selection against that of the rest.

    Parameters
    ----------
    everything, selected
        Of all points, and of the selected ones among them.
    """
    return _difference(column, None, selected.mean, everything.without(selected), everything.deviation or 0.0)


def of_class(column: str, name: str, inside: int, selected: int, total: int, n: int) -> Difference:
    """The share of a class in the selection against that in the rest.

    Parameters
    ----------
    inside, selected
        Points of the class in the selection, and points of any class there.
    total, n
        The same of all points.
    """
    shares = [part / whole if whole else None for part, whole in ((inside, selected), (total - inside, n - selected))]
    of_all = total / n if n else 0.0
    return _difference(column, name, shares[0], shares[1], float(np.sqrt(of_all * (1 - of_all))))


def _difference(
    column: str, name: str | None, inside: float | None, outside: float | None, deviation: float
) -> Difference:
    if inside is None or outside is None:
        return Difference(column, name, inside, outside, None)
    return Difference(column, name, inside, outside, (inside - outside) / deviation if deviation else 0.0)


@dataclass(frozen=True)
class Histogram:
    """How the measured values of a column are spread.

    Attributes
    ----------
    low, high
        The least and the largest value that is finite; 0 where there is none.
    counts
        Points in each of as many equally wide bins.
    """

    low: float
    high: float
    counts: tuple[int, ...]


def spread(values: np.ndarray, bins: int) -> Histogram:
    """A histogram of the values that are finite.

    Parameters
    ----------
    values
        (n,) floating.
    bins
        How many.
    """
    counts = np.zeros(bins, np.int64)
    low, high = _spread(values, counts)
    return Histogram(low, high, tuple(counts.tolist()))


def _check(n: int, mask: np.ndarray) -> None:
    if len(mask) != n:
        raise InputError(f"the selection is over {len(mask):,} points, not {n:,}: start a new one.")


@kernel
def _count(codes, mask, inside):  # type: ignore[no-untyped-def]
    for i in range(len(codes)):
        inside[codes[i]] += mask[i]


@kernel
def _moments(values, mask):  # type: ignore[no-untyped-def]
    """Number, mean and squared deviations, by way of the first value: sums of values far from zero lose digits."""
    n, total, squares, first = 0, 0.0, 0.0, 0.0
    for i in range(len(values)):
        if mask[i] and np.isfinite(values[i]):
            if n == 0:
                first = float(values[i])
            away = values[i] - first
            n += 1
            total += away
            squares += away * away
    return n, first + total / max(n, 1), max(squares - total * total / max(n, 1), 0.0)


@kernel
def _spread(values, counts):  # type: ignore[no-untyped-def]
    low, high = np.inf, -np.inf
    for i in range(len(values)):
        if np.isfinite(values[i]):
            low, high = min(low, float(values[i])), max(high, float(values[i]))
    if low > high:
        return 0.0, 0.0
    # Half of each first, for their difference may be more than a number can hold.
    span = 0.5 * high - 0.5 * low
    for i in range(len(values)):
        if np.isfinite(values[i]):
            share = (0.5 * values[i] - 0.5 * low) / span if span > 0 else 0.0
            counts[min(int(share * len(counts)), len(counts) - 1)] += 1
    return low, high
