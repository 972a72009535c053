"""What the GPU pipeline of the mesh engine needs of a device, and the kernels that it launches there.

`gpu.Cuda` is the device. The tests have another, with NumPy's arrays and the same kernels compiled for the host, so
that all of the pipeline but CUDA itself runs where there is no GPU. `python -m gpu_pipeline.engines.mesh.gpu_device`
writes the kernels' source, for nvcc.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

KERNELS = {
    "extent": (1024, 1024),
    "spread": (16, 128),
    "density": (1, 256),
    "convolve": (1, 256),
    "field": (16, 128),
    "step": (16, 128),
    "divergence": (16, 128),
    "exact_slopes": (32, 32),
    "bandwidths": (32, 128),
    "match": (1, 256),
    "fill_own": (1, 256),
    "fill_lonely": (1, 256),
    "renumber": (16, 128),
    "nearest": (32, 32),
    "squares": (8, 128),
}
"""Kernel -> threads that share an item (a row, an edge, a node), and threads of a block."""

_FILES = ("common.cuh", "map.cu", "edges.cu", "neighbors.cu")


def source() -> str:
    """All kernels as one CUDA C++ source, which includes nothing."""
    folder = Path(__file__).parent / "cuda"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in _FILES)


class Device(Protocol):
    """Arrays, kernels and transforms in one place.

    Attributes
    ----------
    xp
        The array module, with NumPy's functions.
    """

    xp: Any

    def launch(self, kernel: str, items: int, *arguments: Any, shared: int = 0) -> None:
        """Start a kernel on that many items; arguments are arrays and NumPy scalars of the kernel's own types.

        `shared` is the dynamic shared memory of a block, in bytes.
        """

    def transforms(self, padded: Any, spectrum: Any, potential: Any) -> tuple[Callable[[], None], Callable[[], None]]:
        """The real transform from `padded` to `spectrum`, and the one back to `potential`, not divided by its size."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """The work as something that can be started again at little cost: a CUDA graph, where one could be recorded."""

    def put(self, array: np.ndarray) -> Any:
        """An array of the host on the device."""

    def get(self, array: Any) -> np.ndarray:
        """A copy of an array on the host."""

    def look(self, array: Any) -> Callable[[], np.ndarray]:
        """Ask for a copy of a small array as it will be when all work so far is done; calling the answer waits."""

    def free(self) -> int | None:
        """Bytes of memory that can still be had; None if that is not known."""


if __name__ == "__main__":
    print(source())
