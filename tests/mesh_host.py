"""The mesh engine's GPU pipeline without a GPU: NumPy's arrays, and the CUDA kernels compiled for the host.

See `gpu_pipeline.engines.mesh.gpu_device.Device`, whose functions this has. `python tests/mesh_host.py ROWS [ROWS ...]`
maps as many rows of MNIST this way and by the CPU engine, and writes the table of docs/mesh-gpu.md.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from cuda_host import Kernels, Program

from gpu_pipeline.engines.mesh.gpu_device import KERNELS, source

MESH = Program(source(), tuple(KERNELS))


class Host:
    """A device that is this computer.

    Parameters
    ----------
    lockstep
        Run the threads of a block as on a GPU, in lockstep and with the warp's shuffles; else one thread does the work
        of all that share an item.
    backwards
        Run blocks, and between two barriers the threads of a block, in the other order. A result that depends on it
        would be another in every run of a GPU.
    memory
        Bytes that it says are free.
    """

    xp: ModuleType = np

    def __init__(self, lockstep: bool = False, memory: int | None = None, backwards: bool = False) -> None:
        self._kernels, self._lockstep, self._memory = Kernels(MESH, backwards), lockstep, memory
        self.launches: Counter[str] = Counter()

    def launch(self, kernel: str, items: int, *arguments: Any, shared: int = 0) -> None:
        self.launches[kernel] += 1
        threads, block = KERNELS[kernel]
        if not self._lockstep or threads == 1:  # Threads that share nothing need no lockstep.
            threads = block = 1
        assert shared <= 8 << 13
        self._kernels.launch(kernel, -(-items * threads // block), block, arguments)

    def transforms(self, padded: Any, spectrum: Any, potential: Any) -> tuple[Callable[[], None], Callable[[], None]]:
        def forward() -> None:
            spectrum[:] = np.fft.rfft2(padded)

        def back() -> None:
            potential[:] = np.fft.irfft2(spectrum, s=potential.shape, norm="forward")

        return forward, back

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        return work

    def timed(self, work: Callable[[], Any]) -> tuple[Any, float]:
        begun = time.perf_counter()
        return work(), 1e3 * (time.perf_counter() - begun)

    def put(self, array: np.ndarray) -> np.ndarray:
        return array

    def get(self, array: Any) -> np.ndarray:
        return np.array(array)

    def look(self, array: Any) -> Callable[[], np.ndarray]:
        copy = np.array(array)
        return lambda: copy

    def free(self) -> int | None:
        return self._memory


def compare(n: int) -> str:
    """KL and recall of the 15 nearest neighbours of both maps of n rows of MNIST, as a line of a table."""
    from gpu_pipeline import datasets, methods
    from gpu_pipeline.engines import mesh
    from gpu_pipeline.engines.mesh import gpu_pca, gpu_tsne, search

    images, device = datasets.load("mnist", sample=n).X.astype(np.float32), Host()
    found = gpu_pca.components(device, images, 50, 0)
    X = gpu_pca.scores(device, images, found.mean, found.axes)
    near, line = search.find(X, 15, 0, 2, exact=True).indices, f"| {n:,} |"
    for output in (mesh.tsne(X, methods.TSNE(), 0), gpu_tsne.tsne(device, X, methods.TSNE(), 0)):
        found = search.find(output.array, 15, 0, 2, exact=True).indices
        recall = np.mean([len(np.intersect1d(a, b)) / 15 for a, b in zip(near, found, strict=True)])
        line += f" {output.facts['kl']:.3f} | {recall:.3f} |"
    return line


if __name__ == "__main__":
    print("| rows of MNIST | KL, `mesh` | recall@15, `mesh` | KL, `mesh_cuda` | recall@15, `mesh_cuda` |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for text in sys.argv[1:]:
        print(compare(int(text)), flush=True)
