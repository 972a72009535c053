"""The mesh engine's GPU pipeline without a GPU: NumPy's arrays, and the CUDA kernels compiled for the host.

See `gpu_pipeline.engines.mesh.gpu_device.Device`, whose functions this has. `python tests/mesh_host.py ROWS [ROWS ...]`
maps as many rows of MNIST this way and by the CPU engine, and writes the table of docs/mesh-gpu.md.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from gpu_pipeline.engines.mesh.gpu_device import KERNELS, source

TYPES = {
    "int": np.int32,
    "long long": np.int64,
    "u64": np.uint64,
    "float": np.float32,
    "double": np.float64,
    "float2": np.float32,
    "Edge": np.uint32,
}
"""C types of the kernels' parameters -> the array types to give for them."""


def signatures() -> dict[str, list[tuple[str, bool]]]:
    """Kernel -> type of each parameter, and whether it is a pointer."""
    found = {}
    for name, parameters in re.findall(r"__global__ void (\w+)\(([^)]*)\)", source()):
        parts = [re.sub(r"const |__restrict__ ", "", part).strip() for part in parameters.split(",")]
        found[name] = [(part.rpartition(" ")[0].rstrip("* "), "*" in part) for part in parts]
    return found


def compiler() -> str | None:
    return shutil.which("g++") or shutil.which("clang++")


@functools.cache
def library() -> Path:
    """The kernels compiled for this processor, once for each state of their source."""
    header = (Path(__file__).parent / "cuda_host.hpp").read_bytes()
    digest = hashlib.sha256(header + source().encode()).hexdigest()[:16]
    kept = Path(tempfile.gettempdir()) / f"gpu-pipeline-kernels-{os.getuid()}-{digest}.so"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            build(Path(folder)).replace(kept)
    return kept


def build(folder: Path) -> Path:
    """Compile the kernels for this processor."""
    launchers = "\n".join(f"LAUNCHER({name})" for name in KERNELS)
    text = (Path(__file__).parent / "cuda_host.hpp").read_text(encoding="utf-8")
    program, library = folder / "kernels.cpp", folder / "kernels.so"
    program.write_text(f"{text}\n{source()}\n{launchers}\n", encoding="utf-8")
    command = [
        str(compiler()),
        "-std=c++17",
        "-O2",
        "-Wall",
        "-Werror",
        "-Wno-unknown-pragmas",
        "-shared",
        "-fPIC",
        "-fvisibility=hidden",
    ]
    ended = subprocess.run([*command, str(program), "-o", str(library)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return library


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
        self._library, self._lockstep, self._memory = ctypes.CDLL(str(library())), lockstep, memory
        self._signatures, self._backwards = signatures(), backwards
        self.launches: Counter[str] = Counter()

    def launch(self, kernel: str, items: int, *arguments: Any, shared: int = 0) -> None:
        self.launches[kernel] += 1
        threads, block = KERNELS[kernel]
        if not self._lockstep or threads == 1:  # Threads that share nothing need no lockstep.
            threads = block = 1
        assert shared <= 8 << 13
        values = []
        for (kind, pointer), argument in zip(self._signatures[kernel], arguments, strict=True):
            assert isinstance(argument, np.ndarray) == pointer, (kernel, kind)
            wanted = np.complex64 if kind == "float2" and argument.dtype.kind == "c" else TYPES[kind]
            assert argument.dtype == wanted, (kernel, kind)
            if pointer:
                assert argument.flags.c_contiguous, (kernel, kind)
                values.append(ctypes.c_void_p(argument.ctypes.data))
            else:
                values.append(np.ctypeslib.as_ctypes_type(argument.dtype)(argument.item()))
        self._library.run_backwards(int(self._backwards))
        pointers = (ctypes.c_void_p * len(values))(*(ctypes.addressof(value) for value in values))
        getattr(self._library, f"launch_{kernel}")(-(-items * threads // block), block, pointers)

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
    from gpu_pipeline.engines.mesh import gpu_tsne, search

    images, device = datasets.load("mnist", sample=n).X.astype(np.float32), Host()
    mean, _, axes = gpu_tsne.principal_axes(device, images)
    X = gpu_tsne.scores(device, images, mean, axes[:, :50])
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
