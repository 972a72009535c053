"""How loops are compiled: the one place that calls numba's compiler."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls: without the interpreter's lock, and kept on disk where numba finds a
    folder to write to.

    Only such functions are kept; what they call is compiled into them, so that they are compiled anew when it changes.
    None starts threads of numba's own: its workqueue layer ends the process when two threads use it at once, as two
    sessions of a server do.
    """
    compiled = njit(nogil=True)(function)
    with contextlib.suppress(RuntimeError):  # numba: "no locator available", no folder can be written.
        compiled._cache = _Cache(function)
    return compiled


_INSIDE = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "fastmath": {"reassoc", "contract"}}


def part(function: Callable[..., Any]) -> Any:
    """Compile a function into the kernels that call it: nothing is made for calls from Python.

    Sums may be reordered, so that they are done in registers side by side; nothing else of fast arithmetic is allowed.
    Were it called, the call would lead to the copy of whichever kernel was loaded first, which may do sums in another
    order: then a kernel that was just compiled and the same from the disk would not agree to the last digit.
    """
    return njit(forceinline=True, **_INSIDE)(function)


def routine(function: Callable[..., Any]) -> Any:
    """The same, but called: for a function that is too large to be in each kernel, and has no sums in loops."""
    # Said, as numba hands the option down from who calls.
    return njit(forceinline=False, **_INSIDE)(function)


class _Cache(FunctionCache):  # type: ignore[misc]
    """numba's own, which looks for changes only in the file that the function is in."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp = tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in sources(function.__code__.co_filename))
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, stamp)


@cache
def sources(file: str) -> list[Path]:
    """Files whose code may be compiled into the functions of one: itself, this one, and what it imports, and so on, as
    far as that has compiled code."""
    found = [Path(file), Path(__file__)]
    for path in found:
        for dots, name in re.findall(r"^from (\.+)([\w.]+) import", path.read_text("utf-8"), re.MULTILINE):
            near = path.parents[len(dots) - 1].joinpath(*name.split(".")).with_suffix(".py")
            if near not in found and near.is_file() and re.search(r"\b(numba|compiling)\b", near.read_text("utf-8")):
                found.append(near)  # and the loop comes to it
    return found
