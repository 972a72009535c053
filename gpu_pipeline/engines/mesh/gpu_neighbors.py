"""Exact nearest neighbours on a GPU: tiles of scalar products, and a kernel that keeps the k least of each row."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import Unsupported
from ..columns import means
from ..rounding import check_neighbors
from .gpu_device import Device

TILE = 2**26
"""Scalar products in a tile at most, 256 MiB of float32."""

_COLUMNS = 8192  # Points in a tile at most; the more rows a tile has, the more of the GPU its selection fills.
_CANDIDATES = 128  # Candidates beside the k best, at least, before they are sorted.
_SHARED = 48 * 2**10  # Bytes of shared memory that every GPU gives a block without being asked.


def tile(n: int, free: int | None) -> tuple[int, int]:
    """Rows and columns of a tile of products for n points, smaller where memory is short."""
    size = TILE if free is None else max(min(TILE, free // 16), 2**16)
    columns = min(n, _COLUMNS)
    return max(min(n, size // columns), 1), columns


def room(k: int) -> int:
    """Pairs that the selection of k neighbours has place for, a power of two.

    Raises
    ------
    Unsupported
        If they do not fit into a block's shared memory.
    """
    size = 1 << (k + _CANDIDATES - 1).bit_length()
    if size * 8 > _SHARED:
        raise Unsupported(f"{k:,} neighbours are more than the selection on the GPU has room for, which is 3,968")
    return size


def find(device: Device, X: Any, k: int) -> tuple[Any, Any]:
    """The k nearest neighbours of each row of X, (n, columns) float32, the row itself left out.

    Returns
    -------
    Indices, (n, k) int32, and squared Euclidean distances, (n, k) float32, in the order of the keys that were
    compared: that of the distances but for float32's rounding.

    Raises
    ------
    Unsupported
        If there is no room for so many neighbours, or float32 hides which they are.
    """
    xp, (n, width) = device.xp, X.shape
    X = xp.ascontiguousarray(X - means(xp, X).astype(np.float32))
    best = _best(device, X, k)
    indices, distances = xp.empty((n, k), np.int32), xp.empty((n, k), np.float32)
    device.launch("squares", n * k, np.int64(n * k), np.int32(k), np.int32(width), X, best, indices, distances)
    check_neighbors(xp, X, indices)
    return indices, distances


def _best(device: Device, X: Any, k: int) -> Any:
    """Pairs of key and number of each row's neighbours, (n, k) uint64, from tiles of products."""
    xp, n = device.xp, len(X)
    halves = (X * X).sum(axis=1) / np.float32(2)
    # Zeros: a row that found too few must not name places outside the data.
    best, sizes = xp.zeros((n, k), np.uint64), xp.zeros(n, np.int32)
    rows, columns = tile(n, device.free())
    products, space = xp.empty(rows * columns, np.float32), room(k)
    for top in range(0, n, rows):
        part = X[top : top + rows]
        for left in range(0, n, columns):
            others = X[left : left + columns]
            out = products[: len(part) * len(others)].reshape(len(part), len(others))
            xp.matmul(part, others.T, out=out)
            device.launch(
                "nearest",
                len(part),
                *(np.int32(size) for size in (len(part), len(others), k, space)),
                *(np.int64(first) for first in (top, left)),
                out,
                halves[left : left + columns],
                best[top : top + rows],
                sizes[top : top + rows],
                shared=space * 8,
            )
    return best


def sorted_by_distance(device: Device, indices: Any, distances: Any) -> tuple[Any, Any]:
    """Neighbours with the nearest first, and their distances themselves for the squares."""
    xp = device.xp
    by_distance = xp.argsort(distances, axis=1, kind="stable")
    return xp.take_along_axis(indices, by_distance, axis=1), xp.sqrt(xp.take_along_axis(distances, by_distance, axis=1))
