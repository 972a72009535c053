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
from .affinities import Edges, Widths, conditional
from .cpu import Map
from .kernels import _read
from .simd import LANES, load, splat, total
from .team import together

STEPS = 100
"""Steps of a point at most."""

TOLERANCE = 1e-3
"""A point has come to rest when it moves less than this, in units of the map."""

_RANKS = (-1, 0, 3, 8)  # Neighbours that a point starts at; -1 is their mean.
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


def affinities(indices: np.ndarray, squares: np.ndarray, perplexity: float, widths: Widths, threads: int) -> np.ndarray:
    """Affinities of new rows to their neighbours, (m, k) float32: half of what they have for the neighbours, whose sum
    is 1, and half of what the neighbours would have for them."""
    p = conditional(squares, perplexity, threads)
    bounds = np.arange(threads + 1) * len(p) // threads
    together(threads, lambda t: _add_back(bounds[t], bounds[t + 1], indices, squares, widths.beta, widths.level, p))
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


@kernel
def _add_back(start, stop, indices, squares, beta, level, p):  # type: ignore[no-untyped-def]
    """Make p_j|i of some rows (p_j|i + p_i|j) / 2, where row i is one more of those that share j's affinity."""
    for i in range(start, stop):
        for a in range(indices.shape[1]):
            j = indices[i, a]
            share = np.exp(-min(level[j] - beta[j] * squares[i, a], np.float32(60)))
            p[i, a] = (p[i, a] + _ONE / (_ONE + share)) * _HALF


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
def _push(potential, shape, geometry, x, y):  # type: ignore[no-untyped-def]
    """The energy of the repulsion at a place, and half its slopes; beyond the grid what they are at its rim."""
    nodes, strength = np.float32(geometry[2]), np.float32(geometry[3])
    u = min(max((x - np.float32(geometry[0])) * nodes, _ONE), np.float32(shape[0] - 3))
    v = min(max((y - np.float32(geometry[1])) * nodes, _ONE), np.float32(shape[1] - 3))
    s, slope_x, slope_y = _read(potential, shape[2], u, v, (_ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO))
    half = _HALF * strength * nodes
    return strength * s, half * slope_x, half * slope_y


@part
def _energy(xs, ys, p, potential, shape, geometry, x, y):  # type: ignore[no-untyped-def]
    """What a point at (x, y) has to lower."""
    strain = _push(potential, shape, geometry, x, y)[0]
    for k in range(xs.shape[0]):
        dx, dy = xs[k] - x, ys[k] - y
        strain += p[k] * np.log(_ONE + dx * dx + dy * dy)
    return strain


@part
def _fall(xs, ys, p, potential, shape, geometry, steps, tolerance, x, y):  # type: ignore[no-untyped-def]
    """Where a point that starts at (x, y) comes to rest.

    A step is lengthened while the steps agree and halved when they do not.
    """
    before_x, before_y, gain = _ZERO, _ZERO, _ONE
    for _ in range(steps):
        pull_x, pull_y, curvature = _pull(xs, ys, p, x, y)
        _, push_x, push_y = _push(potential, shape, geometry, x, y)
        step_x, step_y = (pull_x - push_x) / max(curvature, _LEAST), (pull_y - push_y) / max(curvature, _LEAST)
        if step_x * before_x + step_y * before_y < 0:
            gain *= _CUT
        else:
            gain = min(gain * _GROWTH, _MOST_GAIN)
        before_x, before_y = step_x, step_y
        length = gain * np.sqrt(step_x * step_x + step_y * step_y)
        part = gain * min(_ONE, _LONGEST / max(length, _LEAST))
        x, y = x + part * step_x, y + part * step_y
        if length < tolerance:
            break
    return x, y


@kernel
def _settle(start, stop, indices, p, points, potential, shape, geometry, steps, tolerance, placed):  # type: ignore[no-untyped-def]
    """Move the points `start` to `stop` to rest: from the mean of their neighbours and from the nearest, the fourth and
    the ninth of them, of which the end with the least energy counts.

    Neighbours on two islands have their mean in the sea between. `shape` holds the nodes along x and y and the stride,
    `geometry` the origin, the nodes per unit and n / (e Z).
    """
    k = indices.shape[1]
    room = -(-k // LANES) * LANES
    xs, ys, pull = np.zeros(room, np.float32), np.zeros(room, np.float32), np.zeros(room, np.float32)
    for i in range(start, stop):
        x, y, weight = _ZERO, _ZERO, _ZERO
        for a in range(k):
            j = indices[i, a]
            xs[a], ys[a], pull[a] = points[j, 0], points[j, 1], p[i, a]
            x, y, weight = x + pull[a] * xs[a], y + pull[a] * ys[a], weight + pull[a]
        x, y = x / weight, y / weight
        least = np.float32(np.inf)
        for rank in _RANKS:
            if rank >= k:
                break
            if rank >= 0:
                x, y = xs[rank], ys[rank]
            x, y = _fall(xs, ys, pull, potential, shape, geometry, steps, tolerance, x, y)
            energy = _energy(xs, ys, pull, potential, shape, geometry, x, y)
            if energy < least:
                placed[i, 0], placed[i, 1], least = x, y, energy
