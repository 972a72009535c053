"""How loops are compiled: the one place that calls numba's compiler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls: without the interpreter's lock, and kept on disk where numba finds a
    folder to write to.

    Only such functions are kept; what they call is compiled into them. None starts threads of numba's own: its
    workqueue layer ends the process when two threads use it at once, as two sessions of a server do.
    """
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba: "no locator available", no folder can be written; compile in each process then.
        return njit(nogil=True)(function)


def part(function: Callable[..., Any]) -> Any:
    """Compile a function that only kernels call: nothing is made for calls from Python.

    Sums may be reordered, so that they are done in registers side by side; nothing else of fast arithmetic is allowed.
    """
    return njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, fastmath={"reassoc", "contract"})(function)
