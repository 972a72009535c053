"""What a block of code uses: bytes of memory above those before it, and seconds of all processors together."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import threading
from pathlib import Path

_EVERY = 0.005  # Seconds between two looks at the device's memory.


class HostMemory:
    """Peak of the resident memory of this process, as the kernel keeps it.

    Attributes
    ----------
    above
        In bytes, above what was resident before; None where the kernel does not tell.
    """

    above: int | None = None

    def __enter__(self) -> None:
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):  # not glibc
            ctypes.CDLL(None).malloc_trim(0)  # What the warm-up gave back counts as free.
        try:
            Path("/proc/self/clear_refs").write_text("5")  # The peak begins anew, see proc(5).
        except OSError:
            self._before = None
        else:
            self._before = _resident("VmRSS")

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            self.above = max(0, _resident("VmHWM") - self._before)


def _resident(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise OSError(f"the kernel does not tell {name}")


class DeviceMemory:
    """Peak of the memory that is taken on the GPU, by whoever, looked at every 5 ms.

    Attributes
    ----------
    above
        In bytes, above what was in use before; None without a GPU. What CuPy keeps of earlier work was not in use, but
        is taken: where the same work was done before, that is what it took.
    """

    above: int | None = None

    def __init__(self, device: str) -> None:
        self._is_cuda = device == "cuda"

    def __enter__(self) -> None:
        if self._is_cuda:
            import cupy

            self._peak = self._taken()
            self._before = self._peak - int(cupy.get_default_memory_pool().free_bytes())
            self._done = threading.Event()
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        if self._is_cuda:
            self._done.set()
            self._thread.join()
            self.above = max(self._peak, self._taken()) - self._before

    def _watch(self) -> None:
        while not self._done.wait(_EVERY):
            self._peak = max(self._peak, self._taken())

    @staticmethod
    def _taken() -> int:
        import cupy

        free, total = cupy.cuda.runtime.memGetInfo()
        return int(total - free)


class Processors:
    """Seconds of all processors together.

    Attributes
    ----------
    seconds
        User and system time of this process.
    """

    seconds: float = 0.0

    def __enter__(self) -> None:
        self._before = os.times()

    def __exit__(self, *_: object) -> None:
        now = os.times()
        self.seconds = now.user + now.system - self._before.user - self._before.system
