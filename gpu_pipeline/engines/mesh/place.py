"""New points on a map that stays as it is: each alone between its nearest reference points and the map's field.

A point at y has the energy e sum_j p_j log(1 + |y - y_j|^2) + n / Z S(y), t-SNE's own for one point among n when all
others are held (exaggeration e): its affinities p to the reference rows pull it, and the potential of the map's grid
pushes it. The pull is majorised by a parabola in each step, so there is no learning rate: the step is the force over
the parabola's curvature, sum_j p_j / (1 + |y - y_j|^2). Poličar, Stražar & Zupan 2021
(doi:10.1007/s10994-021-06043-1) place new points by gradient descent on such an energy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...compiling import kernel, part
from .affinities import Edges, _search_bandwidths
from .cpu import Map
from .kernels import _read
from .simd import LANES, load, splat, total
from .team import together

STEPS = 100
"""Steps of a point at most."""

TOLERANCE = 1e-3
"""A point has come to rest when it moves less than this, in units of the map."""

_LONGEST = np.float32(2)  # A step at most; the repulsion is known only near by.
_GROWTH, _CUT, _MOST_GAIN = np.float32(1.2), np.float32(0.5), np.float32(2)
_ZERO, _ONE, _HALF, _LEAST = np.float32(0), np.float32(1), np.float32(0.5), np.float32(1e-30)


@dataclass(frozen=True)
class Field:
    """The repulsion of a map that stays as it is.

    Attributes
    ----------
    potential
        On the nodes, flat float32, rows of `stride`; cubic B-splines between them give the map's S.
    sides
        Nodes along x and y.
    stride
        Elements between two rows of the potential.
    origin
        Place of the first node.
    spacing
        Distance of two nodes, in units of the map.
    offset
        What is to be added to what is read, to have S.
    repulsion
        n / Z, with Z over all pairs of the map.
    """

    potential: np.ndarray
    sides: tuple[int, int]
    stride: int
    origin: tuple[float, float]
    spacing: float
    offset: float
    repulsion: float


def field_of(embedding: np.ndarray) -> Field:
    """The field of a map, (n, 2) float32; by one thread, so that its bytes are always the same."""
    n = len(embedding)
    free = Edges(np.zeros(n + 1, np.int64), np.empty(0, np.uint32), np.empty(0, np.float32), 0.0)
    laid = Map(free, embedding, 1)
    laid.refine()
    laid.field()
    grid = laid.grid
    shift = (embedding.astype(np.float64) - laid.points).mean(axis=0)
    origin = (float(grid.origin[0] + shift[0]), float(grid.origin[1] + shift[1]))
    potential = laid.potential.copy()
    return Field(potential, grid.sides, grid.padded[1], origin, grid.spacing, grid.offset * n, n / laid.z)


def affinities(squares: np.ndarray, perplexity: float, threads: int) -> np.ndarray:
    """Affinities of each row to its neighbours at these squared distances, (m, k) float32; their sum is 1."""
    p = np.empty(squares.shape, np.float32)
    bounds = np.arange(threads + 1) * len(squares) // threads
    together(threads, lambda t: _search_bandwidths(squares, float(perplexity), bounds[t], bounds[t + 1], p))
    return p


def settle(
    field: Field, embedding: np.ndarray, indices: np.ndarray, p: np.ndarray, exaggeration: float, threads: int
) -> np.ndarray:
    """Places of new points, (m, 2) float32, from the numbers and affinities of their neighbours, (m, k)."""
    placed = np.empty((len(indices), 2), np.float32)
    shape = np.array([*field.sides, field.stride], np.int64)
    geometry = np.array([*field.origin, 1 / field.spacing, field.repulsion / exaggeration], np.float64)
    bounds = np.arange(threads + 1) * len(indices) // threads
    together(
        threads,
        lambda t: _settle(
            bounds[t], bounds[t + 1], indices, p, embedding, field.potential, shape, geometry, STEPS, TOLERANCE, placed
        ),
    )
    return placed


@part
def _pull(xs, ys, p, x, y):  # type: ignore[no-untyped-def]
    """Sums of p w (y_j - y), along x and y, and of p w."""
    one, vx, vy = splat(_ONE), splat(x), splat(y)
    sx, sy, sw = splat(_ZERO), splat(_ZERO), splat(_ZERO)
    for k in range(0, xs.shape[0], LANES):
        dx, dy = load(xs, k) - vx, load(ys, k) - vy
        w = load(p, k) / (one + dx * dx + dy * dy)
        sx, sy, sw = sx + w * dx, sy + w * dy, sw + w
    return total(sx), total(sy), total(sw)


@part
def _strain(xs, ys, p, x, y):  # type: ignore[no-untyped-def]
    """Sum of p log(1 + |y - y_j|^2)."""
    strain = _ZERO
    for k in range(xs.shape[0]):
        dx, dy = xs[k] - x, ys[k] - y
        strain += p[k] * np.log(_ONE + dx * dx + dy * dy)
    return strain


@kernel
def _settle(start, stop, indices, p, points, potential, shape, geometry, steps, tolerance, placed):  # type: ignore[no-untyped-def]
    """Move the points `start` to `stop` to rest.

    `shape` holds the nodes along x and y and the stride, `geometry` the origin, the nodes per unit and n / (e Z).
    """
    k = indices.shape[1]
    room = -(-k // LANES) * LANES
    xs, ys, weights = np.zeros(room, np.float32), np.zeros(room, np.float32), np.zeros(room, np.float32)
    x0, y0, nodes = np.float32(geometry[0]), np.float32(geometry[1]), np.float32(geometry[2])
    last_u, last_v = np.float32(shape[0] - 3), np.float32(shape[1] - 3)
    push = np.float32(geometry[3] * geometry[2] / 2)
    repulsion = np.float32(geometry[3])
    alone = (_ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO)
    for i in range(start, stop):
        mean_x, mean_y = _ZERO, _ZERO
        for a in range(k):
            j = indices[i, a]
            xs[a], ys[a], weights[a] = points[j, 0], points[j, 1], p[i, a]
            mean_x += p[i, a] * points[j, 0]
            mean_y += p[i, a] * points[j, 1]
        # Neighbours on two islands have their mean in the sea between.
        x, y, least = mean_x, mean_y, np.float32(np.inf)
        for candidate in range(2):
            at_x, at_y = (mean_x, mean_y) if candidate == 0 else (xs[0], ys[0])
            u = min(max((at_x - x0) * nodes, _ONE), last_u)
            v = min(max((at_y - y0) * nodes, _ONE), last_v)
            energy = _strain(xs, ys, weights, at_x, at_y)
            energy += repulsion * _read(potential, shape[2], u, v, alone)[0]
            if energy < least:
                x, y, least = at_x, at_y, energy
        before_x, before_y, gain = _ZERO, _ZERO, _ONE
        for _ in range(steps):
            pull_x, pull_y, curvature = _pull(xs, ys, weights, x, y)
            u = min(max((x - x0) * nodes, _ONE), last_u)
            v = min(max((y - y0) * nodes, _ONE), last_v)
            _, slope_x, slope_y = _read(potential, shape[2], u, v, alone)
            step_x = (pull_x - push * slope_x) / max(curvature, _LEAST)
            step_y = (pull_y - push * slope_y) / max(curvature, _LEAST)
            if step_x * before_x + step_y * before_y < 0:
                gain *= _CUT
            else:
                gain = min(gain * _GROWTH, _MOST_GAIN)
            before_x, before_y = step_x, step_y
            step_x, step_y = gain * step_x, gain * step_y
            length = np.sqrt(step_x * step_x + step_y * step_y)
            if length > _LONGEST:
                step_x, step_y = step_x * (_LONGEST / length), step_y * (_LONGEST / length)
            x, y = x + step_x, y + step_y
            if length < tolerance:
                break
        placed[i, 0], placed[i, 1] = x, y
