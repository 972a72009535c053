"""A team of threads that run compiled code at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from typing import Any


def together(threads: int, work: Callable[[int], Any]) -> Any:
    """Do `work(thread)` for every thread number at once, the first here; what that one returns.

    All are started before any begins: they wait for one another, and one that failed to start would be waited for in
    vain.
    """
    if threads == 1:
        return work(0)
    begin = Barrier(threads)

    def follow(thread: int) -> None:
        begin.wait()
        work(thread)

    team: list[Future[None]] = []
    with ThreadPoolExecutor(threads - 1) as pool:
        try:
            team += [pool.submit(follow, thread) for thread in range(1, threads)]
        finally:
            if not team:
                begin.abort()
        begin.wait()
        result = work(0)
    for member in team:
        member.result()
    return result
