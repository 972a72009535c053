"""Is there a usable NVIDIA GPU? Asked so that a broken driver cannot take the program with it.

Here only the driver's library is opened. Whatever calls into it runs in a process of its own, which
may crash or hang: a driver that does is a reason not to use the GPU, and no more than that.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..errors import EngineFailed, InputError, Unavailable

DRIVER = "libcuda.so.1"

TIMEOUT_VARIABLE = "GPU_PIPELINE_GPU_TIMEOUT"
"""Environment variable: seconds after which a process that tries the GPU is given up."""

DRIVER_SECONDS = 30.0
"""Default for asking the driver; starting eight GPUs without persistence takes about ten."""

_CUDA_ERRORS = {
    34: f"{DRIVER} is the toolkit's stub, not a driver",
    46: "the GPU is busy or unavailable",
    100: "no GPU is visible to the driver",
    101: "no GPU is visible to the driver",
    802: "the GPU system is not ready",
    803: "driver and kernel module differ; restart the computer",
    804: "the GPU does not support this driver's forward compatibility",
    999: "unknown error",
}


_TRYING = threading.Lock()


@dataclass(frozen=True)
class Gpu:
    """The first visible GPU.

    Attributes
    ----------
    name
        As the driver calls it.
    memory
        In bytes.
    capability
        Compute capability, major and minor.
    cuda
        Newest CUDA that the driver supports, as the driver says it: 13000 is 13.0.
    driver
        The driver's own version, or None where it does not tell.
    count
        Visible GPUs; only the first is used.
    """

    name: str
    memory: int
    capability: tuple[int, int]
    cuda: int
    driver: str | None
    count: int


def require(obstacle: Callable[[], str | None]) -> None:
    """Raise what `obstacle` finds to be in an engine's way, which tries it once a process.

    Engines are tried one at a time: a GPU may take one process only, and is busy for a second. Who asks meanwhile waits
    for the answer.

    Raises
    ------
    Unavailable
        With the reason, if there is one.
    """
    with _TRYING:
        reason = obstacle()
    if reason:
        raise Unavailable(reason)


def gpu() -> Gpu:
    """The GPU, asked for once a process.

    Raises
    ------
    Unavailable
        If there is none that can be used, with the reason.
    """
    found = _gpu()
    if isinstance(found, str):
        raise Unavailable(found)
    return found


@functools.cache
def _gpu() -> Gpu | str:
    """The GPU or why there is none; exceptions are not cached, sentences are."""
    if not sys.platform.startswith("linux"):
        return f"the engines on a GPU need Linux (this is {sys.platform})"
    try:
        # It stays loaded, which is harmless: nothing in it has been called.
        ctypes.CDLL(DRIVER)
    except OSError as error:
        if "No such file" in str(error):
            return f"no NVIDIA driver ({DRIVER} not found)"
        return f"the NVIDIA driver cannot be loaded ({error})"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and not _names_a_gpu(visible):
        return f"the GPU is hidden by CUDA_VISIBLE_DEVICES={visible!r}"
    try:
        answer = in_child(__name__, "ask_driver", timeout(DRIVER_SECONDS), "the NVIDIA driver")
    except Unavailable as reason:
        return f"{reason} (CUDA_VISIBLE_DEVICES={visible!r})" if visible is not None else str(reason)
    return Gpu(**{**answer, "capability": tuple(answer["capability"])})


def _names_a_gpu(visible: str) -> bool:
    """Whether the first entry can be a GPU; CUDA ignores it and all that follow if not."""
    first = visible.split(",")[0].strip()
    return first.isdigit() or first.startswith(("GPU-", "MIG-"))


def timeout(default: float) -> float:
    """Seconds to wait for a process that tries the GPU.

    Raises
    ------
    InputError
        If the environment variable is not a positive number.
    """
    text = os.environ.get(TIMEOUT_VARIABLE)
    if text is None:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise InputError(f"{TIMEOUT_VARIABLE} is {text!r}: give a positive number of seconds, or unset it.")
    return seconds


def ask_driver() -> dict[str, Any]:
    """Facts of the first GPU, as in `Gpu`; called in a process of its own.

    Raises
    ------
    Unavailable
        If the driver fails or shows no GPU.
    """
    cuda = ctypes.CDLL(DRIVER)

    def call(name: str, *arguments: Any) -> None:
        if code := getattr(cuda, name)(*arguments):
            raise Unavailable(f"{_CUDA_ERRORS.get(code, 'it failed')} ({name} gave CUDA error {code})")

    call("cuInit", 0)
    version, count, device, major, minor = (ctypes.c_int() for _ in range(5))
    memory, name = ctypes.c_size_t(), ctypes.create_string_buffer(256)
    call("cuDriverGetVersion", ctypes.byref(version))
    call("cuDeviceGetCount", ctypes.byref(count))
    if count.value < 1:
        raise Unavailable("no GPU is visible to the driver")
    call("cuDeviceGet", ctypes.byref(device), 0)
    call("cuDeviceGetName", name, len(name), device)
    call("cuDeviceTotalMem_v2", ctypes.byref(memory), device)
    # 75 and 76: CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR.
    call("cuDeviceGetAttribute", ctypes.byref(major), 75, device)
    call("cuDeviceGetAttribute", ctypes.byref(minor), 76, device)
    return {
        "name": name.value.decode(errors="replace"),
        "memory": memory.value,
        "capability": (major.value, minor.value),
        "cuda": version.value,
        "driver": _driver_version(),
        "count": count.value,
    }


def _driver_version() -> str | None:
    """Version of the driver, from its management library."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    version = ctypes.create_string_buffer(80)
    if nvml.nvmlInit_v2() or nvml.nvmlSystemGetDriverVersion(version, len(version)):
        return None
    return version.value.decode(errors="replace")


def in_child(module: str, function: str, seconds: float, what: str) -> Any:
    """Call a function without arguments in a process of its own and return its answer.

    Parameters
    ----------
    module, function
        Where the function is; what it returns must be JSON-serialisable.
    seconds
        After which the process is killed.
    what
        What is being tried, for the sentences: "the NVIDIA driver".

    Raises
    ------
    Unavailable
        If the function raised, or if its process crashed or did not end in time.
    """
    program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import answer; answer({module!r}, {function!r})"
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(f"no process could be started to try {what} ({error})") from None
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{what} did not answer within {seconds:g} s") from None
    finally:
        _end(process)
    if process.returncode < 0:
        raise Unavailable(f"{what} crashed ({signal.Signals(-process.returncode).name})")
    if process.returncode:
        last = (err.strip().splitlines() or [f"exit code {process.returncode}"])[-1]
        raise Unavailable(f"{what} failed: {last}")
    reply = json.loads(out)
    if "reason" in reply:
        raise Unavailable(f"{what} cannot be used: {reply['reason']}")
    return reply["value"]


def answer(module: str, function: str) -> None:
    """The other side of `in_child`: call the function and print its answer as JSON."""
    # Libraries print to standard output, from C++ too: only the answer may go there.
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)
        try:
            reply = {"value": getattr(importlib.import_module(module), function)()}
        except (Unavailable, EngineFailed) as reason:
            reply = {"reason": str(reason)}
        json.dump(reply, out)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill what is left of a process and of those that it started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        # A process that hangs inside the kernel's driver cannot be killed: leave it behind.
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=5)
