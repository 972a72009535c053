"""A GPU that fails in the middle: its exceptions become `EngineFailed`, and its memory is given back."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from ..errors import EngineFailed, Unsupported

P = ParamSpec("P")
T = TypeVar("T")


def guarded(what: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate work on the GPU: what CUDA raises becomes `EngineFailed`, and nothing of the work stays there.

    CuPy's and RMM's out-of-memory errors are MemoryErrors; those of CUDA, cuBLAS, cuFFT, NVRTC and
    RAFT are RuntimeErrors.

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
            except MemoryError as error:
                sentence = f"memory ran out in {what}{_size(args)}{_text(error)}"
            except RuntimeError as error:
                sentence = f"the GPU failed in {what}{_size(args)}{_text(error)}"
            # Outside the handlers: an exception keeps its frames alive, and they the arrays on the GPU.
            raise EngineFailed(sentence + _release())

        return run

    return decorate


def _size(args: tuple[Any, ...]) -> str:
    shape = getattr(args[0], "shape", ()) if args else ()
    return f" of {' x '.join(f'{length:,}' for length in shape)} values" if shape else ""


def _text(error: Exception) -> str:
    text = str(error).strip()
    return f" ({text.splitlines()[0][:200]})" if text else ""


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
