"""Which points a person points at: inside a lasso or a box, or nearest to the cursor."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ..compiling import kernel
from ..engines import threads
from ..errors import InputError
from ..render import Order, order

SLABS = 1024
"""Strips into which a lasso is cut: a point is compared with the edges that cross its own strip only."""

_CHUNK = 1 << 18


def inside_polygon(x: np.ndarray, y: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Which points lie in a polygon, by the even-odd rule, (n,) bool.

    A lasso that crosses itself leaves out what it goes around twice. Its last corner is joined to the
    first. Of points exactly on an edge, those on a left or lower one belong to the polygon; two polygons
    that share an edge never both have a point, or both lack it.

    Parameters
    ----------
    x, y
        (n,) coordinates; those that are not finite are outside.
    vertices
        (v, 2) corners in their order; fewer than three enclose nothing.

    Raises
    ------
    InputError
        If the corners are not (v, 2) finite numbers, or x and y do not have the same length.

    References
    ----------
    Hormann & Agathos 2001, doi:10.1016/S0925-7721(01)00012-8.
    """
    corners = np.asarray(vertices, dtype=np.float64)
    if corners.size == 0:
        corners = corners.reshape(0, 2)
    if corners.ndim != 2 or corners.shape[1] != 2 or not np.isfinite(corners).all():
        raise InputError("the lasso is not a list of finite (x, y) corners: draw it again.")
    x, y = _pair(x, y)
    edges = _edges(corners)
    if len(corners) < 3 or not len(edges):
        return np.zeros(len(x), bool)
    bounds = (*corners.min(axis=0), *corners.max(axis=0))
    starts, listed = _slabs(edges, bounds[1], SLABS / (bounds[3] - bounds[1]))
    inside = np.empty(len(x), bool)

    def work(start: int) -> None:
        part = slice(start, start + _CHUNK)
        _cast(x[part], y[part], edges, bounds, starts, listed, inside[part])

    if len(x) <= _CHUNK:
        work(0)
        return inside
    with ThreadPoolExecutor(threads()) as pool:
        list(pool.map(work, range(0, len(x), _CHUNK)))
    return inside


def inside_box(x: np.ndarray, y: np.ndarray, left: float, right: float, bottom: float, top: float) -> np.ndarray:
    """Which points lie in a box, its edges included, (n,) bool.

    Raises
    ------
    InputError
        If x and y do not have the same length.
    """
    x, y = _pair(x, y)
    inside = x >= left
    inside &= x <= right
    inside &= y >= bottom
    inside &= y <= top
    return np.asarray(inside)


class Nearest:
    """The points of a map, ready to be asked for the one at the cursor.

    Parameters
    ----------
    x, y
        (n,) finite coordinates.
    order
        Of the same points if it is made already; else it is made at the first question.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, order: Order | None = None) -> None:
        self._x, self._y = _pair(x, y)
        self._order = order
        self._lock = threading.Lock()

    def at(self, px: float, py: float, within: float, visible: np.ndarray | None = None) -> int | None:
        """Position of the point nearest to (px, py), or None if there is none within that distance.

        Of points at the same place it is the first. Threads may ask at once.

        Parameters
        ----------
        px, py, within
            In units of the map.
        visible
            (n,) bool, the points that may be found; all if None.
        """
        if not (np.isfinite([px, py]).all() and within >= 0):
            return None
        with self._lock:
            if self._order is None:
                self._order = order(self._x, self._y)
        ordered, best, least = self._order, -1, float(within) ** 2
        mask = _ALL if visible is None else visible
        for piece in ordered.pieces((px - within, px + within), (py - within, py + within)):
            x, y, rows = ordered.x[piece], ordered.y[piece], ordered.rows[piece]
            best, least = _nearest(x, y, rows, float(px), float(py), least, mask, int(best))
        best = int(best)
        return None if best < 0 else best


_ALL = np.empty(0, bool)


def _pair(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of one type, side by side in memory."""
    x, y = (np.asarray(axis) for axis in (x, y))
    if x.ndim != 1 or x.shape != y.shape:
        raise InputError(f"there are {len(x):,} values of x and {len(y):,} of y: give one of each for every point.")
    kind = np.float32 if x.dtype == y.dtype == np.float32 else np.float64
    return np.ascontiguousarray(x, dtype=kind), np.ascontiguousarray(y, dtype=kind)


def _edges(corners: np.ndarray) -> np.ndarray:
    """Edges as (x and y of the lower end, y of the upper end, change of x a unit of y), without level ones."""
    start, end = corners, np.roll(corners, -1, axis=0)
    leaning = start[:, 1] != end[:, 1]
    start, end = start[leaning], end[leaning]
    low = np.where((start[:, 1] < end[:, 1])[:, None], start, end)
    high = np.where((start[:, 1] < end[:, 1])[:, None], end, start)
    with np.errstate(over="ignore", divide="ignore"):
        slope = (high[:, 0] - low[:, 0]) / (high[:, 1] - low[:, 1])
    return np.column_stack([low[:, 0], low[:, 1], high[:, 1], slope])


def _slabs(edges: np.ndarray, bottom: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The edges that cross each strip: where each strip's list starts, and all lists behind each other."""
    first, last = (_slab(edges[:, column], bottom, scale) for column in (1, 2))
    lengths = last - first + 1
    edge = np.repeat(np.arange(len(edges)), lengths)
    slab = np.repeat(first - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    starts = np.searchsorted(np.sort(slab), np.arange(SLABS + 1))
    return starts, edge[np.argsort(slab, kind="stable")]


def _slab(y: np.ndarray, bottom: float, scale: float) -> np.ndarray:
    # The same arithmetic as for a point in _cast: rounding is monotone, so that no strip misses an edge.
    return np.clip((y - bottom) * scale, 0, SLABS - 1).astype(np.int64)


@kernel
def _cast(x, y, edges, bounds, starts, listed, inside):  # type: ignore[no-untyped-def]
    """For each point, whether a ray from it to the right crosses an odd number of edges."""
    left, bottom, right, top = bounds
    scale = (len(starts) - 1) / (top - bottom)
    for i in range(len(x)):
        px, py = np.float64(x[i]), np.float64(y[i])
        odd = False
        if left <= px <= right and bottom <= py <= top:
            slab = int(min(max((py - bottom) * scale, 0), len(starts) - 2))
            for j in range(starts[slab], starts[slab + 1]):
                edge = listed[j]
                # Half open in y, so that a corner on the ray counts once.
                if edges[edge, 1] <= py < edges[edge, 2]:
                    odd ^= px < edges[edge, 0] + (py - edges[edge, 1]) * edges[edge, 3]
        inside[i] = odd


@kernel
def _nearest(x, y, rows, px, py, least, visible, best):  # type: ignore[no-untyped-def]
    """The nearest of some points, if it is nearer than `least`, squared, or as near and an earlier row than `best`."""
    for i in range(len(x)):
        square = (np.float64(x[i]) - px) ** 2 + (np.float64(y[i]) - py) ** 2
        if square > least or (square == least and best >= 0 and rows[i] >= best):
            continue
        if len(visible) == 0 or visible[rows[i]]:
            least, best = square, rows[i]
    return best, least
