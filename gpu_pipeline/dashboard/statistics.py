"""What is in view, what is selected, what is confused: figures, worked out from arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .. import metrics
from ..errors import InputError
from ..nearness import map_neighbors, slices
from ..record import Run
from ..render import Grid, Key
from ..render.counting import survey
from ..render.layer import is_quantity

NEIGHBORS = 15
"""Neighbours on the map that say among which class a point lies."""

MOST_CLASSES = 64
"""Classes of a column beyond which it is taken for names rather than classes, and not compared."""

NOT_COMPARED = ("row", "x", "y")


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
    """

    points: int
    coloured: int
    most: int
    lit: int
    mixed: float | None


def in_view(grid: Grid, key: Key) -> InView:
    """The facts of a window.

    Parameters
    ----------
    grid
        From `render.aggregate`, before `spread`, whose discs are no longer points.
    key
        What its inks mean. Classes that share an ink count as one.
    """
    total, _, _, kinds = survey(grid.counts)
    coloured, lit = int(total.sum(dtype=np.float64)), int(np.count_nonzero(total))
    rest = 0 if grid.rest is None else int(grid.rest.sum(dtype=np.int64))
    mixed = np.count_nonzero(kinds > 1) / lit if lit and key.kind == "classes" else None
    return InView(coloured + rest, coloured, int(total.max(initial=0)), lit, mixed)


def counts(codes: np.ndarray, names: Sequence[str], mask: np.ndarray | None = None) -> list[tuple[str, int, int]]:
    """How many points of each class are selected, and how many there are: (name, inside, total) in their order.

    Parameters
    ----------
    codes
        (n,) place of each point's class among the names.
    names
        The classes.
    mask
        (n,) bool, the selection; without one all are inside.
    """
    total = np.bincount(codes, minlength=len(names)).tolist()
    inside = total if mask is None else np.bincount(codes[mask], minlength=len(names)).tolist()
    return list(zip(names, inside, total, strict=True))


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
    difference
        inside - outside.
    effect
        The difference over the standard deviation of all points: for a class that of being of it or not.
        0 by chance; 0.2 is called small and 0.8 large (Cohen 1988).
    """

    column: str
    name: str | None
    inside: float | None
    outside: float | None
    difference: float | None
    effect: float | None


def against_rest(points: pd.DataFrame, mask: np.ndarray) -> list[Difference]:
    """The selection against the rest, column by column, the largest effects first.

    Columns with more than `MOST_CLASSES` classes are left out, and so are absent values and the places.

    Parameters
    ----------
    points
        The map's table.
    mask
        (n,) bool.

    Raises
    ------
    InputError
        If the mask is not over the points.
    """
    _check(points, mask)
    found: list[Difference] = []
    for column in points.columns:
        values = points[column]
        if column in NOT_COMPARED:
            continue
        if is_quantity(values, column):
            number = values.to_numpy(dtype=np.float64, na_value=np.nan)
            found.append(_difference(str(column), None, number, mask))
            continue
        codes, classes = pd.factorize(values, sort=False)
        if len(classes) > MOST_CLASSES:
            continue
        present = codes >= 0
        inside, outside = (np.bincount(codes[present & part], minlength=len(classes)) for part in (mask, ~mask))
        for i, name in enumerate(classes):
            found.append(_share(str(column), str(name), inside[i], inside.sum(), outside[i], outside.sum()))
    return sorted(found, key=lambda d: -abs(d.effect or 0.0))


def _difference(column: str, name: str | None, values: np.ndarray, mask: np.ndarray) -> Difference:
    measured = np.isfinite(values)
    inside, outside = (values[measured & part] for part in (mask, ~mask))
    means = [float(part.mean()) if len(part) else None for part in (inside, outside)]
    return _entry(column, name, means[0], means[1], float(values[measured].std()) if measured.any() else 0.0)


def _share(column: str, name: str, inside: int, all_inside: int, outside: int, all_outside: int) -> Difference:
    shares = [float(part / whole) if whole else None for part, whole in ((inside, all_inside), (outside, all_outside))]
    of_all = (inside + outside) / (all_inside + all_outside)
    return _entry(column, name, shares[0], shares[1], float(np.sqrt(of_all * (1 - of_all))))


def _entry(column: str, name: str | None, inside: float | None, outside: float | None, deviation: float) -> Difference:
    if inside is None or outside is None:
        return Difference(column, name, inside, outside, None, None)
    difference = inside - outside
    return Difference(column, name, inside, outside, difference, difference / deviation if deviation else 0.0)


@dataclass(frozen=True, eq=False)
class Confusion:
    """Classes against clusters.

    Attributes
    ----------
    classes
        The labels, sorted.
    clusters
        The clusters' own ids, each under the class that it is matched to, so that the diagonal is agreement;
        those without a class come last.
    counts
        (classes, clusters) points.
    owners
        Place among the classes of the class that each matched cluster stands for: 0, 1, 2, ... unless there are
        fewer clusters than classes.
    """

    classes: list[Any]
    clusters: list[Any]
    counts: np.ndarray
    owners: list[int]


def confusion(points: pd.DataFrame, clusters: str = "cluster") -> Confusion:
    """How many points of each class are in each cluster, with clusters matched to classes one to one.

    The matching is the one with the most points on the diagonal (Kuhn 1955, doi:10.1002/nav.3800020109).
    Points without a label or a cluster are left out.

    Raises
    ------
    InputError
        If there is no column of labels or of clusters.
    """
    from scipy.optimize import linear_sum_assignment

    for column in ("label", clusters):
        if column not in points.columns:
            raise InputError(f"the points have no column {column!r}, so that labels and clusters cannot be compared.")
    both = points[["label", clusters]].dropna()
    label = both["label"].to_numpy()
    label = label.astype(str) if label.dtype == object else label
    classes, ids, table = metrics.confusion(label, both[clusters].to_numpy())
    owners, matched = linear_sum_assignment(table, maximize=True)
    order = [*matched.tolist(), *sorted(set(range(len(ids))) - set(matched.tolist()))]
    return Confusion(classes.tolist(), ids[order].tolist(), table[:, order], owners.tolist())


def intruders(points: pd.DataFrame, neighbors: np.ndarray | None = None) -> pd.DataFrame:
    """The points that lie among another class on the map, the surest first.

    A point is one if some other class has more of its neighbours on the map than its own class.

    Parameters
    ----------
    points
        Columns x, y and label; points without a label have no class and are not asked for theirs.
    neighbors
        (n, k) positions of each point's neighbours on the map; the 15 nearest are sought if not given.

    Returns
    -------
    pd.DataFrame
        `position` in the table, `label`, `among` (the class with the most neighbours, of equals the first),
        `share` of the neighbours that are of it, 0 to 1; of equally sure ones the first come first.

    Raises
    ------
    InputError
        If there are no labels.
    """
    if "label" not in points.columns:
        raise InputError("the points have no labels, so that none can lie among another class.")
    codes, classes = pd.factorize(points["label"], sort=True)
    n = len(points)
    if n < 2 or not len(classes):
        return _intruders(points, np.empty(0, np.int64), np.empty(0, object), np.empty(0))
    if neighbors is None:
        neighbors = map_neighbors(points[["x", "y"]].to_numpy(), min(NEIGHBORS, n - 1))
    k, m = neighbors.shape[1], len(classes) + 1
    top, share = np.empty(n, np.int64), np.empty(n)
    own = np.empty(n)
    for part in slices(n, 65_536):
        near = codes[neighbors[part]]
        line = np.arange(len(near))
        # The absent class, -1, gets the last column, which nobody is among.
        cells = line[:, None] * m + np.where(near < 0, m - 1, near)
        votes = np.bincount(cells.ravel(), minlength=len(near) * m).reshape(-1, m)[:, :-1]
        top[part], share[part] = votes.argmax(axis=1), votes.max(axis=1) / k
        own[part] = votes[line, np.maximum(codes[part], 0)] / k
    found = np.flatnonzero((codes >= 0) & (share > own))
    found = found[np.argsort(-share[found], kind="stable")]
    return _intruders(points, found, np.asarray(classes)[top[found]], share[found])


def _intruders(points: pd.DataFrame, found: np.ndarray, among: np.ndarray, share: np.ndarray) -> pd.DataFrame:
    label = points["label"].to_numpy()[found]
    return pd.DataFrame({"position": found, "label": label, "among": among, "share": share})


@dataclass(frozen=True, eq=False)
class Neighborhood:
    """The nearest of one point, in the data and on the map.

    Attributes
    ----------
    in_data, distances
        Positions of the nearest in the features that the map was made of, and how far they are; nearest first.
    on_map
        Positions of the nearest on the map, nearest first.
    """

    in_data: np.ndarray
    distances: np.ndarray
    on_map: np.ndarray

    @property
    def common(self) -> int:
        """How many are among both."""
        return len(np.intersect1d(self.in_data, self.on_map))


def neighbors_of_row(run: Run, position: int, k: int = 8) -> Neighborhood:
    """The k nearest of one point, by comparing it with all others; fewer if there are fewer.

    Raises
    ------
    InputError
        If there is no such point.
    """
    n = len(run.points)
    if not 0 <= position < n:
        raise InputError(f"there is no point {position}: give one from 0 to {n - 1}.")
    here = np.asarray(run.features[position], dtype=np.float32)
    squares = np.empty(n, np.float32)
    for part in slices(n, 16_384):  # pieces that stay in the cache
        away = run.features[part] - here
        squares[part] = np.einsum("ij,ij->i", away, away)
    near = _nearest(squares, position, k)
    x, y = (run.points[axis].to_numpy() for axis in ("x", "y"))
    on_map = _nearest((x - x[position]) ** 2 + (y - y[position]) ** 2, position, k)
    return Neighborhood(near, np.sqrt(squares[near]), on_map)


def _nearest(squares: np.ndarray, position: int, k: int) -> np.ndarray:
    """Positions of the k least, but for the point itself; of equals the first."""
    squares[position] = np.inf
    k = min(k, len(squares) - 1)
    if k < 1:
        return np.empty(0, np.int64)
    limit = np.partition(squares, k - 1)[k - 1]
    among = np.flatnonzero(squares <= limit)
    return among[np.argsort(squares[among], kind="stable")][:k]


def _check(points: pd.DataFrame, mask: np.ndarray) -> None:
    if len(mask) != len(points):
        raise InputError(f"the selection is over {len(mask):,} points, not {len(points):,}: start a new one.")
