"""Partitions given to workers one for each thread, until all are done or one is given up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import InputError, Unavailable
from ..timing import seconds
from .source import Partition

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")

ALLOWED_DEATHS = 2
"""Workers that may die of one partition before it is given up: the third death ends the run."""

_LOOK = 0.5  # Seconds after which it is looked whether workers were lost.


@dataclass
class Team:
    """The workers of a run.

    Attributes
    ----------
    client
        Dask's own.
    threads
        Partitions that are worked on at once.
    dashboard
        Address of Dask's dashboard; empty if it has none.
    note
        Told what befell workers.
    calls
        How often `each` was called: a part of the names of what is under way.
    """

    client: Client
    threads: int
    dashboard: str
    note: Callable[[str], object]
    calls: int = 0

    def each(
        self,
        step: str,
        work: Callable[..., T],
        partitions: Sequence[Partition],
        *arguments: Any,
        done: Callable[[Partition, T], object] = lambda partition, result: None,
    ) -> list[T]:
        """`work(*arguments, partition)` for all partitions on the workers; the results in the partitions' order.

        No more are under way than there are threads, so that a worker that dies takes one partition with it,
        which is given to another.

        Parameters
        ----------
        step
            For names that Dask's dashboard shows.
        work
            A function of a module; called in the workers.
        arguments
            What it is given first; small, for every call carries it.
        done
            Told each partition when it is done, in any order.

        Raises
        ------
        InputError
            The first that `work` raises; or if a partition's worker died `ALLOWED_DEATHS` times and once more.
        Unavailable
            If the cluster is gone.
        """
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        self.calls += 1
        waiting, results = iter(partitions), dict[int, T]()
        under_way: dict[Future[Any], Partition] = {}
        seen, looked = self._workers(), seconds()
        try:
            while True:
                for partition in islice(waiting, self.threads - len(under_way)):
                    key = f"{step}-{self.calls}-{partition.index}"
                    under_way[self.client.submit(work, *arguments, partition, key=key, pure=False)] = partition
                if not under_way:
                    return [results[partition.index] for partition in partitions]
                for future in _finished(list(under_way)):
                    partition = under_way.pop(future)
                    results[partition.index] = future.result()
                    done(partition, results[partition.index])
                if seconds() - looked > _LOOK:
                    seen, looked = self._lost(seen), seconds()
        except KilledWorker as error:
            partition = next(each for each in partitions if str(error.task).endswith(f"-{self.calls}-{each.index}"))
            raise _given_up(f"{partition.name} (partition {partition.index})", step) from None
        except FutureCancelledError:
            raise _GONE from None
        finally:
            self.client.cancel(list(under_way))

    def draw(self, step: str, action: Callable[[], T]) -> T:
        """Something that Dask spreads over the workers by itself.

        Raises
        ------
        InputError
            If workers died of it `ALLOWED_DEATHS` times and once more.
        Unavailable
            If the cluster is gone.
        """
        from distributed import KilledWorker
        from distributed.client import FutureCancelledError

        try:
            return action()
        except KilledWorker:
            raise _given_up("a part of it", step) from None
        except FutureCancelledError:
            raise _GONE from None

    def _workers(self) -> set[str]:
        try:
            return set(self.client.nthreads())  # asked anew, where `scheduler_info` may answer from what it keeps
        except (OSError, AttributeError):  # a client that has lost its scheduler has None in its place
            raise _GONE from None

    def _lost(self, seen: set[str]) -> set[str]:
        """Say how many workers went; those that there are now."""
        now = self._workers()
        if lost := len(seen - now):
            self.note(f"{lost} worker{'s were' if lost > 1 else ' was'} lost and replaced; its partition is done again")
        return now


_GONE = Unavailable("the Dask cluster is gone: start the same command, which goes on where it was")


def _given_up(what: str, step: str) -> InputError:
    return InputError(
        f"{what} ended its worker {ALLOWED_DEATHS + 1} times in the step {step}, most likely for want of memory: raise "
        "--memory or lower --workers, and start the same command, which goes on where it was."
    )


def _finished(futures: list[Future[Any]]) -> list[Future[Any]]:
    """Those of some futures that are done, none after a moment of waiting; in the order given."""
    from distributed import wait

    try:
        done = wait(futures, timeout=_LOOK, return_when="FIRST_COMPLETED").done
    except TimeoutError:
        return []
    return [future for future in futures if future in done]
