"""The mesh engine's kernels and transforms on an NVIDIA GPU, by CuPy alone."""

from __future__ import annotations

import functools
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import cupy
import numpy as np
from cupy.cuda import cufft

from .gpu_device import KERNELS, source

T = TypeVar("T")


@functools.cache
def kernels() -> dict[str, Any]:
    """The kernels, compiled for this GPU or taken from CuPy's cache on disk."""
    module = cupy.RawModule(code=source(), options=("--std=c++17",), backend="nvrtc")
    return {name: module.get_function(name) for name in KERNELS}


@contextmanager
def opened() -> Iterator[Cuda]:
    """A device with a stream of its own, which is the current one inside; after an error its memory is given back."""
    device, ended = Cuda(), False
    try:
        with device.stream:
            yield device
            device.stream.synchronize()
        ended = True
    except KeyboardInterrupt as interrupt:
        # An interactive session keeps the last traceback, its frames, and so all arrays.
        traceback.clear_frames(interrupt.__traceback__)
        raise
    finally:
        if not ended:  # CuPy keeps what is free for the next run, which saves it some hundred allocations.
            cupy.fft.config.get_plan_cache().clear()
            cupy.get_default_memory_pool().free_all_blocks()
            cupy.get_default_pinned_memory_pool().free_all_blocks()


@functools.cache
def _stream(thread: int, gpu: int) -> cupy.cuda.Stream:
    """A thread's own, as the default one cannot be captured; one for all runs, as CuPy keeps free memory by stream."""
    return cupy.cuda.Stream(non_blocking=True)


class Cuda:
    """The current GPU, see `gpu_device.Device`."""

    xp = cupy

    def __init__(self) -> None:
        self.stream = _stream(threading.get_ident(), cupy.cuda.Device().id)
        # It waits for the copies that were begun on another one.
        self.stream.wait_event(cupy.cuda.get_current_stream().record())
        self._kernels = kernels()

    def launch(self, kernel: str, items: int, *arguments: Any, shared: int = 0) -> None:
        threads, block = KERNELS[kernel]
        grid = -(-items * threads // block)
        if grid:
            self._kernels[kernel]((grid,), (block,), arguments, shared_mem=shared)

    def transforms(self, padded: Any, spectrum: Any, potential: Any) -> tuple[Callable[[], None], Callable[[], None]]:
        from cupyx.scipy.fft import get_fft_plan

        forward = get_fft_plan(padded, axes=(0, 1), value_type="R2C")
        back = get_fft_plan(spectrum, shape=potential.shape, axes=(0, 1), value_type="C2R")
        # The plans themselves, because cupy.fft takes new memory for every result, which a graph must not.
        return (
            lambda: forward.fft(padded, spectrum, cufft.CUFFT_FORWARD),
            lambda: back.fft(spectrum, potential, cufft.CUFFT_INVERSE),
        )

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        self.stream.begin_capture()
        try:
            try:
                work()
            finally:
                graph = self.stream.end_capture()
        except RuntimeError:
            # A thread that waits for the whole GPU ends the captures of all. Plain launches do the same work.
            return work
        return lambda: graph.launch(self.stream)

    def timed(self, work: Callable[[], T]) -> tuple[T, float]:
        """What the work gives, and the milliseconds until the GPU has done it, by its own events."""
        begun, ended = cupy.cuda.Event(), cupy.cuda.Event()
        begun.record(self.stream)
        result = work()
        ended.record(self.stream)
        ended.synchronize()
        return result, float(cupy.cuda.get_elapsed_time(begun, ended))

    def put(self, array: np.ndarray) -> Any:
        return cupy.asarray(array)

    def get(self, array: Any) -> np.ndarray:
        host: np.ndarray = cupy.asnumpy(array, order="C")
        return host

    def look(self, array: Any) -> Callable[[], np.ndarray]:
        pinned = cupy.cuda.alloc_pinned_memory(array.nbytes)
        host: np.ndarray = np.frombuffer(pinned, array.dtype, array.size).reshape(array.shape)
        array.get(out=host, blocking=False)
        event = self.stream.record()

        def wait() -> np.ndarray:
            event.synchronize()
            return host

        return wait

    def free(self) -> int:
        free, _ = cupy.cuda.runtime.memGetInfo()
        return int(free) + int(cupy.get_default_memory_pool().free_bytes())
