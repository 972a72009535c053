"""Points that lie on a GPU, counted there, so that only the grid of counts comes back.

`grid` does the same for points in the computer's memory; `tests/test_render_gpu.py` holds the two against each other,
with the kernel compiled for the processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..engines.failure import guarded
from ..errors import InputError
from .key import Key

BLOCK = 256
"""Threads of a block."""

KERNELS = ("count_float", "count_double")


class Device(Protocol):
    """Arrays and kernels in one place; `gpu.Cuda` is the GPU.

    Attributes
    ----------
    xp
        The array module, with NumPy's functions.
    """

    xp: Any

    def launch(self, kernel: str, items: int, *arguments: Any) -> None:
        """Start a kernel on that many points; arguments are arrays and NumPy scalars of the kernel's own types."""

    def get(self, array: Any) -> np.ndarray:
        """A copy of an array on the host."""


@dataclass(frozen=True, eq=False)
class DeviceLayer:
    """Points on a GPU made ready for aggregation, see `layer.Layer`.

    Attributes
    ----------
    device
        Where they are.
    frame
        Its arrays: x and y, both float32 or both float64; "ink", int8; for a quantity "value", float32, less the
        key's base, 0 where unmeasured.
    key
        What the inks mean.
    inks
        Inks that the key has a meaning for.
    marked
        Whether there are two more: the points that are not selected, and those that are not shown.
    """

    device: Device
    frame: Mapping[str, Any]
    key: Key
    inks: int
    marked: bool = False

    def __len__(self) -> int:
        return int(self.frame["x"].size)

    @property
    def shape(self) -> tuple[int, int]:
        """Points and coordinates, for the sentence of what did not fit."""
        return len(self), 2


def source() -> str:
    """The kernels as one CUDA C++ source, which includes nothing."""
    return (Path(__file__).parent / "cuda" / "count.cu").read_text(encoding="utf-8")


@guarded("marking points")
def mark(layer: DeviceLayer, selected: Any = None, shown: Any = None) -> DeviceLayer:
    """As `layer.mark`; the masks may lie on either side."""
    codes, xp = layer.frame["ink"].copy(), layer.device.xp
    for mask, ink in ((selected, layer.inks), (shown, layer.inks + 1)):
        if mask is not None:
            if len(mask) != len(codes):
                raise InputError(
                    f"the mask is of {len(mask):,} points and the map has {len(codes):,}: give one for each."
                )
            codes[~xp.asarray(mask)] = ink
    return replace(layer, frame={**layer.frame, "ink": codes}, marked=True)


@guarded("counting points")
def count(layer: DeviceLayer, view: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Points by pixel and ink, (height, width, inks) uint32, and sums of the quantity, (height, width) float64.

    The pixel of a point is Datashader's to the last one. Sums are exact to 2**-52 of the largest value times the
    number of points, or better.

    Raises
    ------
    EngineFailed
        If the GPU fails or has too little memory.
    """
    device, xp, frame, n = layer.device, layer.device.xp, layer.frame, len(layer)
    quantity = layer.key.kind == "quantity"
    inks, shape = layer.inks + 2 * layer.marked, (view.height, view.width)
    counts = xp.zeros((*shape, inks), np.uint32)
    values = frame["value"] if quantity else xp.zeros(1, np.float32)
    sums = xp.zeros((*shape, 2) if quantity else 2, np.uint64)
    # Integers of 62 bits hold the sum of n values below 2**bits, which the scale makes of the largest.
    bits = 62 - n.bit_length()
    largest = max(float(values.max()), -float(values.min())) if n and quantity else 0.0
    scale = float(np.ldexp(1.0, bits - int(np.frexp(largest)[1])))
    if n:
        window = (*_along(view.x_range, view.width, 0), *_along(view.y_range, view.height, 1))
        device.launch(
            "count_float" if frame["x"].dtype == np.float32 else "count_double",
            n,
            np.int64(n),
            *(np.int32(size) for size in (view.width, view.height, inks, layer.inks if quantity else 0)),
            *(np.float64(value) for value in (*window, scale, 2.0**bits)),
            *(frame[name] for name in ("x", "y", "ink")),
            *(values, counts, sums),
        )
    if not quantity:
        return device.get(counts), None
    parts = device.get(sums).view(np.int64).astype(np.float64)
    return device.get(counts), (parts[..., 0] + parts[..., 1] / 2.0**bits) / scale


def _along(ends: tuple[float, float], pixels: int, axis: int) -> tuple[float, float, float, float]:
    """The ends of a window along one axis, and Datashader's own factor and shift from coordinates to pixels."""
    import datashader

    canvas = datashader.Canvas()
    scale, shift = (canvas.x_axis, canvas.y_axis)[axis].compute_scale_and_translate(ends, pixels)
    return (*ends, scale, shift)
