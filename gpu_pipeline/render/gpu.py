"""The GPU that counts points: the one module of drawing that imports CuPy."""

from __future__ import annotations

import functools
from typing import Any

import cupy
import numpy as np

from .device import BLOCK, KERNELS, source


@functools.cache
def kernels() -> dict[str, Any]:
    """The kernels, compiled for this GPU or taken from CuPy's cache on disk.

    Raises
    ------
    RuntimeError
        If they cannot be compiled, which CuPy says by an exception that is none of CUDA's.
    """
    module = cupy.RawModule(code=source(), options=("--std=c++17",), backend="nvrtc")
    try:
        return {name: module.get_function(name) for name in KERNELS}
    except cupy.cuda.compiler.CompileException as error:
        raise RuntimeError(str(error)) from error


class Cuda:
    """The current GPU and its current stream, see `device.Device`."""

    xp = cupy

    def launch(self, kernel: str, items: int, *arguments: Any) -> None:
        kernels()[kernel]((-(-items // BLOCK),), (BLOCK,), arguments)

    def get(self, array: Any) -> np.ndarray:
        host: np.ndarray = cupy.asnumpy(array)
        return host
