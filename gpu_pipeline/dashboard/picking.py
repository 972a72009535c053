"""Which points a person points at: inside a lasso or a box, or nearest to the cursor."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from ..compiling import kernel
from ..errors import InputError
from ..processors import in_threads
from ..render import Order, order

SLABS = 1024
"""Strips into which a lasso is cut: a point is compared with the edges that cross its own strip only."""

_CHUNK = 1 << 18


def inside_polygon(x: np.ndarray, y: np.ndarray, vertices: np.ndarray, order: Order | None = None) -> np.ndarray:
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
    order
        Of the same points if it is made already: then only those in cells near the rim are looked at one by one.

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
    inside = np.zeros(len(x), bool)
    if order is None:
        shares = range(0, len(x), _CHUNK)
    else:
        cells = _cells(order, corners, (edges, bounds, starts, listed))
        shares = range(order.side)

    def work(share: int) -> None:
        if order is None:
            part = slice(share, share + _CHUNK)
            _cast(x[part], y[part], edges, bounds, starts, listed, inside[part])
        else:
            _cast_row(share, cells, order.starts, order.rows, order.x, order.y, edges, bounds, starts, listed, inside)

    if len(x) <= _CHUNK:
        for share in shares:
            work(share)
        return inside
    in_threads(work, shares)
    return inside


def _cells(order: Order, corners: np.ndarray, rays: tuple[Any, ...]) -> np.ndarray:
    """Whether the points of each cell of an order are all outside (0), all inside (1), or may be either (2), int8.

    Cells next to one that the rim crosses count as crossed, for rounding; so do the outermost, which have no end.
    """
    side, scale = order.side, np.array(order.scale)
    grid = (corners - order.corner) * scale
    cells = np.zeros((side, side), np.int8)
    if not scale.all() or side < 3:
        return cells + np.int8(2)
    middle = np.arange(side) + 0.5
    inside = np.empty(side * side, bool)
    x, y = np.meshgrid(middle / scale[0] + order.corner[0], middle / scale[1] + order.corner[1])
    _cast(x.ravel(), y.ravel(), *rays, inside)
    cells[inside.reshape(side, side)] = 1
    cells[[0, -1]] = cells[:, [0, -1]] = 2
    _cross(grid, cells)
    return cells


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
        ordered, best, least = self._ordered(), -1, float(within) ** 2
        mask = _ALL if visible is None else visible
        for piece in ordered.pieces((px - within, px + within), (py - within, py + within)):
            x, y, rows = ordered.x[piece], ordered.y[piece], ordered.rows[piece]
            best, least = _nearest(x, y, rows, float(px), float(py), least, mask, int(best))
        best = int(best)
        return None if best < 0 else best

    def around(self, px: float, py: float, within: float, visible: np.ndarray | None = None) -> np.ndarray:
        """Positions of all points within a distance of (px, py); in no order. Arguments as of `at`."""
        found = [np.empty(0, np.int64)]
        ordered = self._ordered()
        for piece in ordered.pieces((px - within, px + within), (py - within, py + within)):
            near = np.hypot(ordered.x[piece] - px, ordered.y[piece] - py) <= within
            rows = ordered.rows[piece][near]
            found.append(rows if visible is None else rows[visible[rows]])
        return np.concatenate(found)

    def _ordered(self) -> Order:
        with self._lock:
            if self._order is None:
                self._order = order(self._x, self._y)
            return self._order


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
def _cross(corners, cells):  # type: ignore[no-untyped-def]
    """Mark the cells along the edges of a polygon, and those next to them, by 2; corners in units of cells."""
    side = len(cells)
    for i in range(len(corners)):
        ax, ay = corners[i - 1, 0], corners[i - 1, 1]
        bx, by = corners[i, 0], corners[i, 1]
        if ay > by:
            ax, ay, bx, by = bx, by, ax, ay
        first = max(int(max(ay, -1.0)) - 1, 0)
        last = min(int(min(max(by, -1.0), side + 1.0)) + 1, side - 1)
        for row in range(first, last + 1):
            # The part of the edge in this row and the one on each side of it.
            low, high = max(ay, row - 1.0), min(by, row + 2.0)
            if low > high:
                continue
            if by > ay:
                one, other = ax + (bx - ax) * ((low - ay) / (by - ay)), ax + (bx - ax) * ((high - ay) / (by - ay))
            else:
                one, other = ax, bx
            left = int(min(max(min(one, other) - 1.0, 0.0), side - 1.0))
            right = int(min(max(max(one, other) + 1.0, 0.0), side - 1.0))
            cells[row, left : right + 1] = 2


@kernel
def _cast_row(row, cells, begins, rows, x, y, edges, bounds, starts, listed, inside):  # type: ignore[no-untyped-def]
    """`_cast` for a row of cells, of which those that lie wholly inside or outside take a look each."""
    side = len(cells)
    for column in range(side):
        begin, end = begins[row * side + column], begins[row * side + column + 1]
        if cells[row, column] == 2:
            found = np.empty(end - begin, np.bool_)
            _cast(x[begin:end], y[begin:end], edges, bounds, starts, listed, found)
            for i in range(begin, end):
                inside[rows[i]] = found[i - begin]
        elif cells[row, column] == 1:
            for i in range(begin, end):
                inside[rows[i]] = True


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
