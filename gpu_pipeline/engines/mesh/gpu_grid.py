"""The grid of the CPU engine as a GPU uses it: few different sizes, and the kernel's spectrum on a padded grid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .grid import LARGEST, Grid

_SIDES = sorted(side for a in range(5, 12) for side in (2**a, 2**a * 3 // 2) if 48 <= side <= LARGEST)


def roomy(grid: Grid) -> Grid:
    """The grid with each side a power of two or one and a half of one: plans and graphs for a dozen sizes do then."""
    sides = tuple(next(size for size in _SIDES if size >= side) for side in grid.sides)
    x, y = (at - (new - old) / 2 * grid.spacing for at, new, old in zip(grid.origin, sides, grid.sides, strict=True))
    return replace(grid, sides=sides, origin=(x, y))


def influence(xp: Any, grid: Grid) -> Any:
    """Factors of the density's transform on a grid padded to twice its sides, (2 mx, my + 1) float32.

    The kernel's transform over that of both smoothings, which is (4 + 2 cos 2 pi f) / 6 along each axis, and over the
    nodes, because the transform back is not.
    """
    lengths = [2 * side for side in grid.sides]
    x, y = (xp.minimum(xp.arange(m), m - xp.arange(m)) * grid.spacing for m in lengths)
    square = x[:, None] ** 2 + y**2
    spectrum = xp.fft.rfft2((-square if grid.offset else 1.0) / (1 + square)).real
    bx, by = ((2 + xp.cos(2 * np.pi / m * xp.arange(m))) / 3 for m in lengths)
    smooth = bx[:, None] * by[: lengths[1] // 2 + 1]
    return (spectrum / (smooth * smooth * (lengths[0] * lengths[1]))).astype(np.float32)
