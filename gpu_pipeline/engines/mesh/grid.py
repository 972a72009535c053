"""The grid that carries the repulsive field of a map: how fine, how large, and the kernel on it.

The field S(y) = sum_j 1 / (1 + |y - y_j|^2) holds all of the repulsion of t-SNE: Z = sum_i S(y_i) - n, and
sum_j w_ij^2 (y_i - y_j) = -1/2 grad S(y_i). Charges are spread on the grid with cubic B-splines, convolved with a
kernel, and the field and its analytic gradient are read with the same splines: the smooth particle-mesh method of
Essmann et al. 1995 (doi:10.1063/1.470117) with the kernel of t-SNE. Spreading and reading smooth once each, which the
kernel on the grid undoes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import scipy.fft
import scipy.ndimage

from .fft import radices, twiddles
from .simd import LANES

SPARSE, FEW, DENSE = 2_500, 10_000, 30_000
"""Points up to which a map counts as sparse and as one of few points, and from which as dense."""

LARGEST = 2048
"""Nodes along a side at most; a wider map gets a coarser grid."""

_SMALLEST = 48
_BORDER = 4  # A spline reaches one node below its point and two above; one more for rounding.
_SLACK = 1.08  # Room for the map to grow before the next grid is made.
_MARGIN = 16  # The prefilter forgets its boundary by 0.27 a node, to below float32 in this many.


def _ladder() -> list[int]:
    """Products of 2, 3 and 5 that are multiples of four, from the smallest to the largest side."""
    sizes = {2**a * 3**b * 5**c for a in range(12) for b in range(7) for c in range(5)}
    return sorted(size for size in sizes if _SMALLEST <= size <= LARGEST and size % 4 == 0)


_SIZES = _ladder()


def _padded(size: int) -> int:
    return -(-size // LANES) * LANES


@dataclass
class Grid:
    """Nodes, and everything that the convolution on them needs, made when first asked for.

    Attributes
    ----------
    sides
        Nodes along x and y.
    spacing
        Distance of two nodes, in units of the map.
    origin
        Place of the first node.
    offset
        1 if the kernel is 1 / (1 + r^2) - 1, which keeps the digits of a map much smaller than the kernel; else 0.
    """

    sides: tuple[int, int]
    spacing: float
    origin: tuple[float, float]
    offset: float

    @cached_property
    def own(self) -> np.ndarray:
        """What a point sees of itself on this grid: four coefficients of the field (1 less the offset, but for the
        grid's error) and three of the slope (0 but for the same), see `_own`."""
        near = _kernel((_MARGIN, _MARGIN), self.spacing, self.offset)[:4, :4]
        own: np.ndarray = _own_of_units() @ near.ravel()
        return own

    @cached_property
    def spectrum(self) -> np.ndarray:
        """The kernel's transform on the CPU, see `_spectrum`."""
        kernel = _kernel(self.sides, self.spacing, self.offset)
        return _spectrum(kernel, np.complex128 if self.offset else np.complex64)

    @cached_property
    def tables(self) -> tuple[np.ndarray, ...]:
        """Weights, roots of unity and radices of the transforms on the CPU along x, then along y."""
        mx, my = self.sides
        return (
            _weights(np.pi / (2 * mx), mx),
            twiddles(mx),
            radices(mx),
            _weights(np.pi / my, my),
            twiddles(my),
            radices(my),
        )

    @property
    def padded(self) -> tuple[int, int]:
        """Rows and columns of the arrays in memory: the sides, rounded up to whole tiles."""
        return _padded(self.sides[0]), _padded(self.sides[1])

    def holds(self, low: np.ndarray, high: np.ndarray) -> bool:
        """Whether a map with these corners lies on the grid, borders kept."""
        last = np.array(self.origin) + (np.array(self.sides) - 3) * self.spacing
        return bool(np.all(low >= np.array(self.origin) + self.spacing) and np.all(high <= last))


def spacings(n: int) -> tuple[float, float]:
    """Distance of two nodes for most iterations of a map of n points, and for the last ones, which settle it.

    The error of the force, 3, 1 and 0.2 % at 0.5, 0.35 and 0.25, costs a map of few points some per cent of KL; a dense
    map averages it out. Of some thousand points the transforms take most of the time, and a coarser grid costs less KL
    than other programs do: 0.65 and 0.4 give 5,000 digits a KL of 1.513, 0.5 and 0.35 give 1.502.
    """
    if n <= SPARSE:
        return 0.35, 0.25
    if n <= FEW:
        return 0.65, 0.4
    return (0.5, 0.35) if n < DENSE else (0.6, 0.5)


def fit(low: np.ndarray, high: np.ndarray, finest: float) -> Grid:
    """A grid for a map with these corners, with room to grow.

    Parameters
    ----------
    low, high
        Least and greatest coordinates, (2,).
    finest
        Spacing of a map that is neither so small that it can be finer nor too large for it.
    """
    extent = np.maximum(high - low, 1e-30).astype(float)
    wanted = extent * _SLACK / finest + 2 * _BORDER
    if wanted.max() <= _SMALLEST:
        # A small map: as fine as the smallest grid allows, half as wide again as the map so that it lasts.
        spacing = min(1.5 * float(extent.max()) / (_SMALLEST - 2 * _BORDER), finest)
        sides = (_SMALLEST, _SMALLEST)
    else:
        spacing = max(finest, float(extent.max()) * _SLACK / (LARGEST - 2 * _BORDER))
        wanted = extent * _SLACK / spacing + 2 * _BORDER
        mx, my = (next((size for size in _SIZES if size >= side), LARGEST) for side in wanted)
        sides = (mx, my)
    middle = (low + high) / 2
    origin = middle - (np.array(sides) - 1) / 2 * spacing
    return Grid(sides, spacing, (float(origin[0]), float(origin[1])), float(max(sides) * spacing < 4))


def _weights(angle: float, n: int) -> np.ndarray:
    """Cosine and sine of 0, angle, 2 angle, ..., flat float32."""
    turns = angle * np.arange(n)
    return np.stack([np.cos(turns), np.sin(turns)], axis=1).ravel().astype(np.float32)


def _kernel(sides: tuple[int, int], spacing: float, offset: float) -> np.ndarray:
    """Kernel at whole distances of nodes along x and y, both smoothings undone, float64.

    A spline filter is the inverse of the smoothing; it is exact here because the kernel is even.
    """
    x, y = ((np.arange(side + _MARGIN) * spacing) ** 2 for side in sides)
    square = x[:, None] + y
    kernel = (-square if offset else 1.0) / (1 + square)
    for axis in (0, 0, 1, 1):
        kernel = scipy.ndimage.spline_filter1d(kernel, 3, axis=axis, mode="mirror")
    return kernel[: sides[0], : sides[1]]


def _own(near: np.ndarray) -> np.ndarray:
    """What a lone point reads of its own charge, from the kernel at distances of 0 to 3 nodes.

    At (s, t) nodes from the middle of a cell, a + b (s^2 + t^2) + c (s^4 + t^4) + d s^2 t^2 is the field and
    s (s^2 - 1/4) (e + f s^2 + g t^2) its slope along x per node; along y the same with s and t exchanged. To take it
    away is to make Z right to a few parts in 10^5 and to halve the error of the force where points are few; see
    Ballenegger, Cerda & Holm 2012, doi:10.1021/ct2001792, on such terms.
    """
    middle = (np.arange(16) + 0.5) / 16
    s, t = (place.ravel() for place in np.meshgrid(middle, middle, indexing="ij"))
    lag = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    a, slope, b = splines(s), splines(s, slope=True), splines(t)
    pairs = np.einsum("nl,no,kmlo->nkm", b, b, near[lag][:, :, lag])
    field, along = (np.einsum("nk,nm,nkm->n", first, a, pairs) for first in (a, slope))
    s, t = s - 0.5, t - 0.5
    even = np.stack([np.ones_like(s), s**2 + t**2, s**4 + t**4, s**2 * t**2], axis=1)
    odd = (s * (s**2 - 0.25))[:, None] * np.stack([np.ones_like(s), s**2, t**2], axis=1)
    return np.concatenate([np.linalg.lstsq(even, field, rcond=None)[0], np.linalg.lstsq(odd, along, rcond=None)[0]])


@cache
def _own_of_units() -> np.ndarray:
    """`_own` as a matrix, (7, 16): it is linear, and its fits take longer than all else of a small grid."""
    return np.stack([_own(unit.reshape(4, 4)) for unit in np.eye(16)], axis=1)


def splines(t: np.ndarray, slope: bool = False) -> np.ndarray:
    """Weights, or their slopes, of the four nodes around places at t in [0, 1) between the second and third, (...,
    4)."""
    a = 1 - t
    if slope:
        return np.stack([-a * a, 3 * t * t - 4 * t, 1 + 2 * t - 3 * t * t, t * t], axis=-1) / 2
    return np.stack([a**3, 3 * t**3 - 6 * t**2 + 4, 3 * a**3 - 6 * a**2 + 4, t**3], axis=-1) / 6


def _spectrum(kernel: np.ndarray, precision: type[np.complexfloating]) -> np.ndarray:
    """The kernel's transform as `fft.filter_y` reads it, flat float32, divided by what the transforms multiply.

    For each tile of 16 frequencies along x and each frequency along y: real and imaginary parts of the even, then the
    odd kind.
    """
    mx, my = kernel.shape
    q = kernel.astype(np.complex128)
    q[1:] -= 1j * kernel[:0:-1]
    q *= np.exp(0.5j * np.pi * np.arange(mx) / mx)[:, None]
    mirrored = np.zeros_like(q)
    mirrored[:, 1:] = q[:, :0:-1]
    even = scipy.fft.fft2((q + mirrored).astype(precision))
    turns = np.exp(-1j * np.pi * np.arange(my) / my)
    odd = scipy.fft.fft2(((q - mirrored) * turns).astype(precision))
    parts = np.zeros((_padded(mx), my, 4), np.float32)
    for place, part in enumerate((even.real, even.imag, odd.real, odd.imag)):
        np.multiply(part, 1 / (2 * mx * my), out=parts[:mx, :, place], casting="same_kind")
    return np.ascontiguousarray(parts.reshape(-1, LANES, my, 4).transpose(0, 2, 3, 1)).ravel()
