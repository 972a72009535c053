"""A GPU that has too little memory or fails in the middle: `EngineFailed`, and its memory is given back."""

from __future__ import annotations

import functools
import gc
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from ..errors import EngineFailed, Unsupported

_LONGEST = 200  # Letters of what CUDA says.

P = ParamSpec("P")
T = TypeVar("T")


def guarded(what: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate work on the GPU: what CUDA raises becomes `EngineFailed`, and nothing of the work stays there.

    CuPy's and RMM's out-of-memory errors are MemoryErrors; those of CUDA, cuBLAS, cuFFT, NVRTC and
    RAFT are RuntimeErrors. An interrupt passes through, without what it interrupted.

    Parameters
    ----------
    what
        The work, for the sentence: "t-SNE". The size of its first argument is added.
    """

    def decorate(action: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(action)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return action(*args, **kwargs)
            except (EngineFailed, Unsupported):
                raise
            except KeyboardInterrupt as interrupt:
                # An interactive session keeps the last traceback, its frames, and so all arrays.
                traceback.clear_frames(interrupt.__traceback__)
                _release()
                raise
            except (MemoryError, RuntimeError) as error:
                # Of its own failed allocations CUDA makes no MemoryError.
                full = isinstance(error, MemoryError) or "cudaErrorMemoryAllocation" in str(error)
                sentence = f"{'memory ran out' if full else 'the GPU failed'} in {what}{_size(args)}{_text(error)}"
            # Outside the handlers: an exception keeps its frames alive, and they the arrays on the GPU.
            raise EngineFailed(sentence + _release())

        return run

    return decorate


def check_memory(what: str, need: int, free: int, total: int) -> None:
    """Compare what work on the GPU needs with what is free there, before it begins.

    Parameters
    ----------
    what
        The work and its size: "t-SNE of 70,000 x 784 values".
    need
        Bytes that it takes at least, beside what is there already.
    free, total
        Bytes of the GPU that can be had, and all; other processes have the rest.

    Raises
    ------
    EngineFailed
        If it is not enough, with the three numbers.
    """
    if need > free:
        needs, frees, has = (f"{size / 2**30:,.1f}" for size in (need, free, total))
        raise EngineFailed(
            f"{what} needs at least {needs} GiB but {frees} of the GPU's {has} GiB are free: take fewer rows or columns"
        )


def _size(args: tuple[Any, ...]) -> str:
    shape = getattr(args[0], "shape", ()) if args else ()
    return f" of {' x '.join(f'{length:,}' for length in shape)} values" if shape else ""


def _text(error: Exception) -> str:
    line = str(error).strip().partition("\n")[0]
    # RAFT names its file and function before it says what is wrong.
    return f" ({line if len(line) <= _LONGEST else '...' + line[-_LONGEST:]})" if line else ""


def _release() -> str:
    """Give the GPU's memory back; how much is free then, as the end of a sentence."""
    gc.collect()
    cupy = sys.modules.get("cupy")
    # A lost device raises here too.
    with suppress(RuntimeError):
        if cupy is not None:
            cupy.get_default_memory_pool().free_all_blocks()
            free, total = cupy.cuda.runtime.memGetInfo()
            return f"; {free / 2**30:.1f} of the GPU's {total / 2**30:.1f} GiB are free now"
    return ""
