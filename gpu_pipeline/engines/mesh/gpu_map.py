"""The optimisation on a GPU: a map, its grid and its affinities, moved by iterations that the host only queues.

One iteration is five launches: the integer charges as floats, a transform, the product with the kernel's spectrum, a
transform back, and then everything that concerns one point. Z, the count of iterations and whether a point has left
the grid stay on the device: a step that finds the limit reached or a point gone does nothing, so the host can queue
ten iterations at a time and look at the ten before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import EngineFailed
from . import FORCE_ROWS, KL_ROWS, in_rows
from .gpu_device import Device
from .gpu_edges import Edges, extent, morton, renumbered
from .gpu_grid import influence, roomy
from .grid import Grid, fit, spacings

_QUEUED = 10  # Iterations in a graph.
_RENUMBER = 250  # Iterations after which the points are put in the order of the map.
_DONE, _LIMIT, _LEFT = range(3)  # Places in `progress`, as in cuda/map.cu.


class Map:
    """A map under optimisation.

    Parameters
    ----------
    device
        Where it is.
    edges
        Symmetric affinities.
    points
        Start, (n, 2) float32 on the device, in the order of the edges' rows.
    order
        Row of the data that each point is, (n,) int32 on the device.
    """

    def __init__(self, device: Device, edges: Edges, points: Any, order: Any) -> None:
        xp, n = device.xp, len(points)
        self._device, self._n, self.edges, self.order, self.iterations = device, n, edges, order, 0
        self._maps = [points.astype(np.float32), xp.zeros((n, 2), np.float32)]
        self._turn = 0  # Which of the two holds the map.
        self._velocity, self._gains = xp.zeros((n, 2), np.float32), xp.ones((n, 2), np.float32)
        # What the kernels read, here and there: `constants` and `scales` of cuda/map.cu.
        self._constants, self._scales = np.zeros(13, np.float32), np.zeros(3)
        # Sums of S are integers on the device: as many bits after the point as n^2 leaves of 62.
        self._scales[2] = 2.0 ** (62 - 2 * int(n).bit_length())
        self._there = xp.zeros(13, np.float32), xp.zeros(3)
        self._progress = xp.zeros(6, np.uint64)
        self._z = xp.ones(1)
        self._laid: Grid | None = None
        self._round: Callable[[], None] | None = None
        self._renumber_at = _RENUMBER
        self._finest, self._settling = spacings(n)
        self.field()

    @property
    def points(self) -> Any:
        """The map, (n, 2) float32 on the device."""
        return self._maps[self._turn]

    @property
    def grid(self) -> Grid:
        """The grid under the map."""
        assert self._laid is not None
        return self._laid

    def advance(self, count: int, exaggeration: float, learning_rate: float, momentum: float) -> None:
        """Do `count` iterations."""
        if self.iterations >= self._renumber_at:
            self._renumber()
            self._renumber_at += _RENUMBER
        self._constants[10:] = 4 * exaggeration, learning_rate, momentum
        while count > 0:
            self._prepare()
            self._progress[:] = self._device.put(np.array([self._turn, self._turn + count, 0, 0, 0, 0], np.uint64))
            done = self._run(count)
            if done == 0:
                raise EngineFailed("the map cannot be held by a grid: lower the learning rate")
            self._turn = (self._turn + done) % 2
            count, self.iterations = count - done, self.iterations + done

    def refine(self) -> None:
        """Use the grid of the last iterations from now on: a finer one, unless the map is dense."""
        if self._settling < self._finest:
            self._finest, self._laid = self._settling, None

    def field(self) -> Any:
        """S at each point less its own 1, and the slopes of S along x and y, (n, 3) float64 on the device."""
        xp, n, (mx, my) = self._device.xp, self._n, self._prepare()
        self._convolve()
        result = xp.empty((n, 3), np.float32)
        self._device.launch(
            "field", n, *self._sizes(n, mx, my, 2 * my), self.points, self._potential, self._there[0], result
        )
        result = result.astype(np.float64)
        result[:, 0] += self.grid.offset * (n - 1)
        self._z[0] = xp.maximum(result[:, 0].sum(), self._scales[1] * n * (n - 1))
        return result

    def divergence(self, rows: int | None = KL_ROWS) -> float:
        """Kullback-Leibler divergence of the map's similarities from P, in nats, with the Z at hand.

        The edges of about `rows` evenly spaced rows stand for all, or all are taken.
        """
        xp, n, edges = self._device.xp, self._n, self.edges
        stride = 1 if rows is None else max(1, n // rows)
        taken = -(-n // stride)
        sums = xp.empty((taken, 2))
        self._device.launch(
            "divergence", taken, *self._sizes(taken, stride), edges.indptr, edges.pairs, self.points, sums
        )
        weighted, weight, z = self._device.get(xp.concatenate([sums.sum(axis=0), self._z]))
        return float(edges.negative_entropy + weighted / weight + np.log(z))

    def force_error(self) -> float:
        """Error of the repulsive force, relative to its root mean square, on evenly spaced rows against exact sums."""
        field, device = self.field(), self._device
        rows = np.unique(np.linspace(0, self._n - 1, FORCE_ROWS).astype(np.int64))
        exact = device.xp.empty((len(rows), 2))
        there = device.put(rows)
        device.launch("exact_slopes", len(rows), *self._sizes(len(rows), self._n), there, self.points, exact)
        slopes, exact = device.get(field[there, 1:]), device.get(exact)
        scale = np.sqrt((exact**2).mean())
        return float(np.sqrt(((slopes - exact) ** 2).mean()) / scale) if scale > 0 else 0.0

    def embedding(self) -> Any:
        """The map in the order of the rows, its mean at zero, on the device."""
        result = self._device.xp.empty_like(self.points)
        result[self.order] = self.points - extent(self._device, self.points)[0].astype(np.float32)
        return result

    def snapshot(self) -> Callable[[], np.ndarray]:
        """Keep the map as it is now; the answer copies it to the host, in the order of the rows."""
        points, order = self.points.copy(), self.order
        return lambda: in_rows(self._device.get(points), self._device.get(order))

    def parts(self) -> dict[str, Callable[[], None]]:
        """An iteration, and its parts but for `step`, which alone repeats otherwise; to be timed in this order.

        Afterwards the map is of no use.
        """
        self._prepare()
        self._progress[:] = self._device.put(np.array([self._turn, 2**62, 0, 0, 0, 0], np.uint64))
        return {
            "all": self._iterate,
            "charges": self._load,
            "forward": self._forward,
            "convolve": self._filter,
            "back": self._back,
        }

    def _renumber(self) -> None:
        """Put the points in the order of the map, so that neighbours lie close in memory."""
        order = morton(self._device, self.points)
        self.edges, self.order = renumbered(self._device, self.edges, order), self.order[order]
        for array in (self.points, self._velocity, self._gains):
            array[:] = array[order]
        self._round = None  # Its graph has the old edges.

    def _prepare(self) -> tuple[int, int]:
        """Move the map's mean to zero, see that a grid is under it, and spread the charges; the grid's sides."""
        points = self.points
        found = extent(self._device, points).astype(np.float32)
        points -= found[0]
        mean, low, high = self._device.get(found)
        low, high = low - mean, high - mean
        if not np.isfinite(high - low).all():
            raise EngineFailed("the map grew beyond all bounds: lower the learning rate")
        if self._laid is None or not self._laid.holds(low, high):
            self._lay(roomy(fit(low, high, self._finest)))
        self._there[0][:] = self._device.put(self._constants)
        self._there[1][:] = self._device.put(self._scales)
        self._charges[:] = 0
        self._device.launch(
            "spread", self._n, *self._sizes(self._n, *self.grid.sides), points, self._there[0], self._charges
        )
        return self.grid.sides

    def _run(self, count: int) -> int:
        """Queue iterations; how many were done, less than `count` where a point left the grid."""
        if self._round is None:
            self._iterate()  # Once without a graph: CUDA loads some of its code only when it is first needed.
            self._round = self._device.record(self._iterations)
        looks: list[Callable[[], np.ndarray]] = []
        for _ in range(-(-count // _QUEUED)):
            self._round()
            looks.append(self._device.look(self._progress))
            # A tiny map leaves its grid every few iterations; later it is not worth waiting for the last ones.
            behind = 0 if self.grid.offset else 1
            if len(looks) > behind and looks[-1 - behind]()[_LEFT]:
                break
        return int(looks[-1]()[_DONE]) - self._turn

    def _iterations(self) -> None:
        for _ in range(_QUEUED):
            self._iterate()

    def _iterate(self) -> None:
        """One iteration, as launches alone."""
        self._convolve()
        self._step()

    def _step(self) -> None:
        """Move every point, and spread its charge for the next iteration."""
        n, (mx, my), edges = self._n, self.grid.sides, self.edges
        state = *self._maps, self._velocity, self._gains, self._potential, self._charges
        self._device.launch(
            "step",
            n,
            *self._sizes(n, mx, my, 2 * my),
            edges.indptr,
            edges.pairs,
            *state,
            *self._there,
            self._progress,
            self._z,
        )

    def _convolve(self) -> None:
        """From the charges to the potential; the charges are empty afterwards."""
        self._load()
        self._forward()
        self._filter()
        self._back()

    def _load(self) -> None:
        mx, my = self.grid.sides
        self._device.launch("density", mx * my, *self._sizes(mx, my, 2 * my), self._charges, self._padded)

    def _filter(self) -> None:
        size = self._spectrum.size
        self._device.launch("convolve", size, np.int64(size), self._influence, self._spectrum)

    def _lay(self, new: Grid) -> None:
        """Put a new grid under the map; its arrays stay where they are if its sides do."""
        xp, (mx, my) = self._device.xp, new.sides
        if self._laid is None or self._laid.sides != new.sides:
            self._round = None
            self._charges, self._padded = xp.zeros((mx, my), np.uint64), xp.zeros((2 * mx, 2 * my), np.float32)
            self._spectrum = xp.empty((2 * mx, my + 1), np.complex64)
            self._potential = xp.empty((2 * mx, 2 * my), np.float32)
            self._influence = xp.empty((2 * mx, my + 1), np.float32)
            self._forward, self._back = self._device.transforms(self._padded, self._spectrum, self._potential)
        self._laid = new
        self._influence[:] = influence(xp, new)
        least = 1 / (1 + (mx * new.spacing) ** 2 + (my * new.spacing) ** 2)
        self._constants[:10] = *new.origin, 1 / new.spacing, *new.own
        self._scales[:2] = new.offset, least

    @staticmethod
    def _sizes(*sizes: int) -> tuple[np.int32, ...]:
        return tuple(np.int32(size) for size in sizes)
