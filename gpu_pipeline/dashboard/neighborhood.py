"""The nearest of one point, in the data and on the map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..nearness import slices
from ..record import Run


@dataclass(frozen=True, eq=False)
class Neighborhood:
    """The nearest of one point, in the data and on the map.

    Attributes
    ----------
    in_data
        Positions of the nearest in the features that the map was made of, nearest first.
    on_map
        Positions of the nearest on the map, nearest first.
    """

    in_data: np.ndarray
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
        If there is no such point, or the run keeps no features.
    """
    n = len(run.points)
    if run.features is None:
        raise InputError("the map keeps no features of all its rows: look at those of its landmarks.")
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
    return Neighborhood(near, on_map)


def _nearest(squares: np.ndarray, position: int, k: int) -> np.ndarray:
    """Positions of the k least, but for the point itself; of equals the first."""
    squares[position] = np.inf
    k = min(k, len(squares) - 1)
    if k < 1:
        return np.empty(0, np.int64)
    limit = np.partition(squares, k - 1)[k - 1]
    among = np.flatnonzero(squares <= limit)
    return among[np.argsort(squares[among], kind="stable")][:k]
