"""The optimisation on the CPU: a map, its grid and its affinities, moved by a team of threads."""

from __future__ import annotations

import numpy as np

from ...errors import EngineFailed
from . import FORCE_ROWS, KL_ROWS, kernels
from .affinities import Edges
from .grid import Grid, fit, spacings
from .simd import LANES
from .team import together

_NO_FIELD = np.empty(0, np.float32)
_EDGES_OF_A_POINT = 48  # What a point costs beside its edges, in edges.


class Map:
    """A map under optimisation.

    Parameters
    ----------
    edges
        Symmetric affinities.
    points
        Start, (n, 2) float32, in the order of the edges' rows.
    threads
        Size of the team.
    """

    def __init__(self, edges: Edges, points: np.ndarray, threads: int) -> None:
        n = len(points)
        self.edges, self.threads, self.iterations = edges, threads, 0
        size = 2 * -(-n // kernels.BLOCK) * kernels.BLOCK
        self._maps = [np.zeros(size, np.float32), np.zeros(size, np.float32)]
        self._n, self._velocity, self._gains = n, np.zeros(size, np.float32), np.ones(size, np.float32)
        self.points[:] = points
        cost = edges.indptr + _EDGES_OF_A_POINT * np.arange(n + 1)
        shares = np.searchsorted(cost, cost[-1] * np.arange(threads + 1) / threads)
        self._rows = (shares // kernels.BLOCK * kernels.BLOCK).astype(np.int64)
        self._rows[-1] = n
        self._sync = np.zeros(2 * kernels.LINE, np.int64)
        self._schedule = np.zeros(4)
        self._laid: Grid | None = None
        self._finest, self._settling = spacings(n)
        self._center()
        self.field()

    @property
    def points(self) -> np.ndarray:
        """The map, (n, 2) float32, a view."""
        return self._maps[0][: 2 * self._n].reshape(-1, 2)

    @property
    def grid(self) -> Grid:
        """The grid under the map."""
        assert self._laid is not None
        return self._laid

    @property
    def potential(self) -> np.ndarray:
        """S less the grid's offset on the nodes, as the last `field` or iteration left it, flat; a view."""
        return self._mesh[2]

    @property
    def z(self) -> float:
        """Z of the last iteration but one, or of the last `field`."""
        return float(self._schedule[3])

    def advance(self, count: int, exaggeration: float, learning_rate: float, momentum: float) -> None:
        """Do `count` iterations."""
        self._schedule[:3] = exaggeration, learning_rate, momentum
        while count > 0:
            self._center()
            done = self._run(count, _NO_FIELD)
            if done % 2:
                self._maps.reverse()
            count, self.iterations = count - done, self.iterations + done

    def refine(self) -> None:
        """Use the grid of the last iterations from now on: a finer one, unless the map is dense."""
        if self._settling < self._finest:
            self._finest, self._laid = self._settling, None

    def field(self) -> np.ndarray:
        """S at each point less its own 1, and the slopes of S along x and y, (n, 3) float64."""
        self._center()
        field = np.empty(3 * len(self.points), np.float32)
        self._run(0, field)
        result, n = field.reshape(-1, 3).astype(np.float64), len(self.points)
        offset, least = self._geometry[3:5]
        result[:, 0] += offset * (n - 1)
        self._schedule[3] = max(result[:, 0].sum(), least * n * (n - 1))
        return result

    def divergence(self, rows: int | None = KL_ROWS) -> float:
        """Kullback-Leibler divergence of the map's similarities from P, in nats, with the Z at hand.

        The edges of about `rows` evenly spaced rows stand for all, or all are taken.
        """
        n, edges = len(self.points), self.edges
        step = 1 if rows is None else max(1, n // rows)
        sums, points = np.zeros((self.threads, 2)), self._maps[0]
        bounds = [-(-int(row) // step) * step for row in self._rows]
        together(
            self.threads,
            lambda thread: kernels.spread_out(
                bounds[thread],
                min(bounds[thread + 1], n),
                step,
                points,
                edges.indptr,
                edges.indices,
                edges.p,
                sums[thread],
            ),
        )
        weighted, weight = sums.sum(axis=0)
        return float(edges.negative_entropy + weighted / weight + np.log(self.z))

    def force_error(self) -> float:
        """Error of the repulsive force, relative to its root mean square, on evenly spaced rows against exact sums."""
        field = self.field()
        rows = np.unique(np.linspace(0, self._n - 1, FORCE_ROWS).astype(np.int64))
        exact = np.empty((len(rows), 2))
        kernels.exact_slopes(rows, self._maps[0][: 2 * self._n], exact)
        scale = np.sqrt((exact**2).mean())
        return float(np.sqrt(((field[rows, 1:] - exact) ** 2).mean()) / scale) if scale > 0 else 0.0

    def _center(self) -> None:
        """Move the map's mean to zero, and see that a grid is under it with no charges on it."""
        points = self.points
        points -= points.mean(axis=0, dtype=np.float64).astype(np.float32)
        low, high = points.min(axis=0), points.max(axis=0)
        if not np.isfinite(high - low).all():
            raise EngineFailed("the map grew beyond all bounds: lower the learning rate")
        if self._laid is None or not self._laid.holds(low, high):
            self._lay(fit(low, high, self._finest))
        self._mesh[0][:] = 0

    def _run(self, count: int, field: np.ndarray) -> int:
        """Start the team; the number of iterations that it did."""
        edges, (old, new) = (self.edges.indptr, self.edges.indices, self.edges.p), self._maps
        sums, team = np.zeros(2 * kernels.LINE * self.threads), (self.threads, self._sync, count, self._rows)
        maps = (old, old.view(np.float64), new, new.view(np.float64))
        state = (edges, self._velocity, self._gains, self._mesh, self._shape, self._geometry, self._schedule)
        done: int = together(self.threads, lambda thread: kernels.iterate(thread, *team, *maps, *state, sums, field))
        return done

    def _lay(self, new: Grid) -> None:
        """Put a new grid under the map."""
        (mx, my), (sx, sy) = new.sides, new.padded
        self._laid = new
        self._shape = np.array([mx, my, sx, sy], np.int64)
        least = 1 / (1 + (mx * new.spacing) ** 2 + (my * new.spacing) ** 2)
        self._geometry = np.array([*new.origin, 1 / new.spacing, new.offset, least, *new.own])
        charges = np.zeros(self.threads * mx * sy, np.float32)
        frequencies, potential = np.zeros(2 * sx * sy, np.float32), np.zeros(mx * sy, np.float32)
        scratch = np.zeros((self.threads, 6 * LANES * max(sx, sy)), np.float32)
        self._mesh = (charges, frequencies, potential, scratch, new.spectrum, *new.tables)
