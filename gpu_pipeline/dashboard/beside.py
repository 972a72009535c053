"""Two maps beside each other: how far they agree, and the same numbers and colours for corresponding clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..compare import Comparison, compare_maps, doubt
from ..errors import InputError
from .mistakes import crossed
from .opened import Opened
from .shelf import Shelf

KEPT_COMPARISONS = 3
"""Comparisons that stay in memory at once, each with two maps of its own; the one used longest ago goes first."""


@dataclass(frozen=True)
class Matched:
    """Clusters of one map under the numbers of another's.

    Attributes
    ----------
    numbers
        Number of each cluster of the second map -> the number that it is shown under: that of its counterpart on the
        first map, or a new one if it has none.
    clusters
        All numbers that either map then has, sorted.
    shared
        Share of the common rows that lie in counterparts, 0 to 1.
    chance
        The same for clusters of these sizes that know nothing of each other.
    """

    numbers: dict[int, int]
    clusters: list[int]
    shared: float
    chance: float


@dataclass(frozen=True, eq=False)
class Beside:
    """Two maps beside each other.

    Attributes
    ----------
    left, right
        The maps, each with a column `displacement`, how far each point lies from its place on the other map, and with
        its points' places in the other's table; the clusters of the right one have the numbers of their counterparts.
    comparison
        How far they agree.
    matched
        How the clusters correspond; None unless both maps have clusters.
    """

    left: Opened
    right: Opened
    comparison: Comparison
    matched: Matched | None


def match_clusters(one: np.ndarray, other: np.ndarray, ids: list[int], other_ids: list[int]) -> Matched:
    """Match clusters one to one, so that as many rows as possible lie in counterparts.

    Parameters
    ----------
    one, other
        (m,) cluster of the same rows on either map.
    ids, other_ids
        All clusters that either map has, sorted.

    References
    ----------
    Kuhn 1955 (the assignment problem), doi:10.1002/nav.3800020109.
    """
    from scipy.optimize import linear_sum_assignment

    codes = np.searchsorted(ids, one), np.searchsorted(other_ids, other)
    table = crossed(*codes, len(ids), len(other_ids))
    pairs = [(i, j) for i, j in zip(*linear_sum_assignment(table, maximize=True), strict=True) if table[i, j]]
    numbers = {other_ids[j]: ids[i] for i, j in pairs}
    free = max(ids, default=-1) + 1
    for cluster in other_ids:
        if cluster not in numbers:
            numbers[cluster] = free
            free += 1
    m = max(len(one), 1)
    rows, columns = table.sum(axis=1) / m, table.sum(axis=0) / m
    shared = sum(table[i, j] for i, j in pairs) / m
    chance = sum(rows[i] * columns[j] for i, j in pairs)
    return Matched(numbers, sorted({*ids, *numbers.values()}), float(shared), float(chance))


_made = Shelf(KEPT_COMPARISONS)


def beside(left: Opened, right: Opened) -> Beside:
    """Two stored runs beside each other, made once for all sessions.

    Raises
    ------
    InputError
        If one is a person's own file, they are of two known data sets, or have too few rows in common.
    """
    if left.run is None or right.run is None:
        raise InputError("a file of points cannot be compared: compare two stored runs.")
    doubt(left.run.record.dataset, right.run.record.dataset)

    def make() -> Beside:
        comparison = compare_maps(left.points, right.points)
        moved = pd.Series(comparison.displacement.astype(np.float32), index=comparison.rows)
        tables = [opened.points.assign(displacement=_at(moved, opened.points)) for opened in (left, right)]
        there = _places(left.points, right.points), _places(right.points, left.points)
        matched = _renumber(tables[0], tables[1], there[0]) if all("cluster" in table for table in tables) else None
        shown = [
            Opened(o.name, table, o.run, there=places)
            for o, table, places in zip((left, right), tables, there, strict=True)
        ]
        return Beside(shown[0], shown[1], comparison, matched)

    return _made.get((left, right), make)


def _places(points: pd.DataFrame, other: pd.DataFrame) -> np.ndarray:
    """Place of each point in another table, by the rows of their data; (n,), -1 where absent."""
    here, there = points["row"].to_numpy(), other["row"].to_numpy()
    # The same rows in the same order are usual, and a table of ten million takes seconds to look up.
    return np.arange(len(here)) if np.array_equal(here, there) else pd.Index(there).get_indexer(here)


def _at(moved: pd.Series, points: pd.DataFrame) -> np.ndarray:
    return np.asarray(moved.reindex(points["row"]).to_numpy())


def _renumber(left: pd.DataFrame, right: pd.DataFrame, places: np.ndarray) -> Matched:
    """Give the right map's clusters the numbers of their counterparts, and both maps the same list of clusters."""
    one, other = left["cluster"].to_numpy(), right["cluster"].to_numpy()
    ids, other_ids = (np.unique(clusters).tolist() for clusters in (one, other))
    common = places >= 0
    matched = match_clusters(one[common], other[places[common]], ids, other_ids)
    # Colours go by the place in the list of classes, so that both maps need the same one.
    numbers = np.array([matched.numbers[cluster] for cluster in other_ids])[np.searchsorted(other_ids, other)]
    left["cluster"] = pd.Categorical(one, categories=matched.clusters)
    right["cluster"] = pd.Categorical(numbers, categories=matched.clusters)
    return matched
