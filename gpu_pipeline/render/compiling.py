"""How the loops of this package are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function: without the interpreter's lock, and kept on disk where numba finds a folder to write to.

    None of these functions starts threads of numba's own: its workqueue layer ends the process when two
    threads use it at once, as two sessions of a server do.
    """
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba: "no locator available", no folder can be written; compile in each process then.
        return njit(nogil=True)(function)
