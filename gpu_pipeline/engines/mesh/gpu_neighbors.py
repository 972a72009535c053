"""Exact nearest neighbours on a GPU: tiles of scalar products, and a kernel that keeps the k least of each row; or, for
many rows, both in one kernel that writes no product.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import Unsupported
from ..columns import means
from ..rounding import check_neighbors
from .gpu_device import Device

TILE = 2**26
"""Scalar products in a tile at most, 256 MiB of float32."""

ONE_PASS_ROWS = 2**17
"""Rows from which products and selection are one kernel: its blocks of 128 rows then fill a large GPU several times."""

ONE_PASS_NEIGHBORS = 228
"""Neighbours that this kernel has room for."""

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


def find(device: Device, X: Any, k: int, one_pass: bool | None = None) -> tuple[Any, Any]:
    """The k nearest neighbours of each row of X, (n, columns) float32, the row itself left out.

    Parameters
    ----------
    one_pass
        Whether products and selection are one kernel, for at most `ONE_PASS_NEIGHBORS`; None leaves it to the number
        of rows. The neighbours are the same but for ties within float32's rounding of the products.

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
    halves = (X * X).sum(axis=1) / np.float32(2)
    # Zeros: rows whose squares overflow have no neighbours, and must not name places outside the data.
    best = xp.zeros((n, k), np.uint64)
    if one_pass and k > ONE_PASS_NEIGHBORS:
        raise Unsupported(f"{k:,} neighbours are more than one pass has room for, which is {ONE_PASS_NEIGHBORS}")
    if one_pass or (one_pass is None and n >= ONE_PASS_ROWS and k <= ONE_PASS_NEIGHBORS):
        # An item is what 16 threads share, eight rows.
        device.launch("closest", -(-n // 8), *(np.int32(size) for size in (n, width, k)), X, halves, best)
    else:
        _tiles(device, X, halves, best)
    indices, distances = xp.empty((n, k), np.int32), xp.empty((n, k), np.float32)
    device.launch("squares", n * k, np.int64(n * k), np.int32(k), np.int32(width), X, best, indices, distances)
    check_neighbors(xp, X, indices)
    return indices, distances


def _tiles(device: Device, X: Any, halves: Any, best: Any) -> None:
    """Fill the rows' best pairs from tiles of products."""
    xp, (n, k) = device.xp, best.shape
    sizes = xp.zeros(n, np.int32)
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


def sorted_by_distance(device: Device, indices: Any, distances: Any) -> tuple[Any, Any]:
    """Neighbours with the nearest first, and their distances themselves for the squares."""
    xp = device.xp
    by_distance = xp.argsort(distances, axis=1, kind="stable")
    return xp.take_along_axis(indices, by_distance, axis=1), xp.sqrt(xp.take_along_axis(distances, by_distance, axis=1))
