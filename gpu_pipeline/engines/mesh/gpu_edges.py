"""From neighbours to symmetric affinities on a GPU, and their rows in another order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .gpu_device import Device


@dataclass(frozen=True)
class Edges:
    """Symmetric affinities in compressed rows, on the device.

    Attributes
    ----------
    indptr
        Start of each row, (n + 1,) int64.
    pairs
        Column and the bytes of the affinity of each edge, (edges, 2) uint32: one load of eight bytes. The affinities'
        sum is 1.
    negative_entropy
        Sum of p log p, in nats.
    """

    indptr: Any
    pairs: Any
    negative_entropy: float


def symmetrize(device: Device, indices: Any, distances: Any, perplexity: float, order: Any) -> Edges:
    """Affinities of t-SNE, p_ij = (p_j|i + p_i|j) / 2n, renumbered so that row i is point `order[i]`.

    Parameters
    ----------
    indices, distances
        Neighbours of each point and their squared distances, (n, k) int32 and float32.
    perplexity
        Effective number of neighbours, less than k.
    order
        Points in the order of the rows, (n,) int32.
    """
    return join(device, indices, conditional(device, distances, perplexity), order)


def conditional(device: Device, distances: Any, perplexity: float) -> Any:
    """Affinities p_j|i of each point's neighbours, (n, k) float32, at these squared distances."""
    n, k = distances.shape
    p = device.xp.empty((n, k), np.float32)
    device.launch("bandwidths", n, np.int32(n), np.int32(k), np.float64(perplexity), distances, p)
    return p


def join(device: Device, indices: Any, p: Any, order: Any) -> Edges:
    """The symmetric affinities of conditional ones, (n, k) both; see `symmetrize`."""
    xp, (n, k) = device.xp, indices.shape
    back = xp.empty((n, k), np.float32)
    count, width, scale = np.int32(n), np.int32(k), np.float32(0.5 / n)
    alone = xp.zeros(n, np.int32)
    device.launch("match", n * k, count, width, indices, p, back, alone)
    place = inverse(device, order)
    alone = alone[order]
    first = xp.cumsum(alone, dtype=np.int64) - alone
    indptr = xp.zeros(n + 1, np.int64)
    xp.cumsum(alone + width, dtype=np.int64, out=indptr[1:])
    items = xp.flatnonzero(back.ravel() < 0)
    items = items[xp.argsort(place[indices.ravel()[items]], kind="stable")].astype(np.int64)
    pairs = xp.empty((n * k + len(items), 2), np.uint32)
    device.launch("fill_own", n * k, count, width, scale, indices, p, back, place, indptr, pairs)
    device.launch(
        "fill_lonely", len(items), np.int64(len(items)), width, scale, items, indices, p, place, first, indptr, pairs
    )
    values = pairs.view(np.float32)[:, 1]
    # The least number that CuPy's kernels do not take for zero, whose logarithm times zero would be no number.
    logs = xp.log(xp.maximum(values, np.finfo(np.float32).tiny))
    return Edges(indptr, pairs, float(device.get((values * logs).sum(dtype=np.float64))))


def renumbered(device: Device, edges: Edges, order: Any) -> Edges:
    """The same affinities with old row `order[i]`, int32, as row i."""
    sizes, indptr = edges.indptr[1:] - edges.indptr[:-1], device.xp.zeros_like(edges.indptr)
    device.xp.cumsum(sizes[order], out=indptr[1:])
    pairs, n = device.xp.empty_like(edges.pairs), len(order)
    place = inverse(device, order)
    device.launch("renumber", n, np.int32(n), order, place, edges.indptr, edges.pairs, indptr, pairs)
    return Edges(indptr, pairs, edges.negative_entropy)


def inverse(device: Device, order: Any) -> Any:
    """Where each element of a permutation, (n,) int32, stands in it."""
    place = device.xp.empty_like(order)
    place[order] = device.xp.arange(len(order), dtype=np.int32)
    return place


def extent(device: Device, points: Any) -> Any:
    """Mean, least and greatest of some points, (n, 2) float32, along both axes: (3, 2) float64 on the device.

    One launch for all: CuPy reduces along the rows of so narrow an array by one block as well, one launch each.
    """
    result = device.xp.empty((3, 2))
    device.launch("extent", 1, np.int32(len(points)), points, result)
    return result


def morton(device: Device, points: Any) -> Any:
    """Points, (n, 2), along Morton's curve over their bounding square, (n,) int32: what is near in it is near on a map.

    Morton 1966, IBM technical report; 16 bits along each axis.
    """
    xp = device.xp
    _, low, high = extent(device, points).astype(np.float32)
    span = xp.maximum((high - low).max(), np.float32(1e-30))
    bits = ((points - low) / span * np.float32(65535)).astype(np.uint32)
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        bits = (bits | bits << np.uint32(shift)) & np.uint32(mask)
    return xp.argsort(bits[:, 0] | bits[:, 1] << np.uint32(1), kind="stable").astype(np.int32)
