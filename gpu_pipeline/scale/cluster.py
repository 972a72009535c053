"""Workers: a Dask cluster of this computer or one that exists, and partitions given to it one for each thread."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psutil

from ..errors import InputError, Unavailable
from ..timing import seconds
from .source import Partition

if TYPE_CHECKING:
    from distributed import Client, Future

T = TypeVar("T")

ALLOWED_DEATHS = 2
"""Workers that may die of one partition before it is given up: the third death ends the run."""

SETTINGS = {
    "distributed.scheduler.allowed-failures": ALLOWED_DEATHS,
    # A worker holds one partition, which cannot be spilled or waited away: it fits, or its worker is replaced.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.nanny.pre-spawn-environ.NUMBA_NUM_THREADS": 1,
    # What befalls a worker is said by `Team`, in one sentence.
    "logging": {"version": 1, "disable_existing_loggers": False, "loggers": {"distributed": {"level": "CRITICAL"}}},
    "distributed.admin.log-format": "%(message)s",
    "distributed.comm.timeouts.connect": "60s",
}

_LOOK = 0.5  # Seconds after which it is looked whether workers were lost.


@dataclass(frozen=True)
class Where:
    """Where a run is done; it changes nothing of what comes out.

    Attributes
    ----------
    memory
        Bytes that all its processes together may have; with a scheduler, those of this process.
    workers
        Processes of the local cluster; None for one a processor, or as many as the memory allows.
    scheduler
        Address of a cluster that exists, whose workers see the same folders; None for a local one.
    """

    memory: int
    workers: int | None = None
    scheduler: str | None = None


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


def check_installed() -> None:
    """See that Dask is there.

    Raises
    ------
    InputError
        If it is not, with the command that installs it.
    """
    try:
        importlib.import_module("dask.dataframe")
        importlib.import_module("distributed")
    except ImportError:
        raise InputError(
            "--landmarks needs Dask, which is not installed: pip install 'gpu-pipeline[dask]', or take --sample."
        ) from None


@contextlib.contextmanager
def team(where: Where, workers: int, limit: int, scratch: Path, note: Callable[[str], object]) -> Iterator[Team]:
    """Workers for the time of the block: of a local cluster, or of the one at `where.scheduler`.

    Parameters
    ----------
    where
        Which cluster.
    workers, limit
        Processes of a local cluster, each of one thread, and bytes that each may have.
    scratch
        A folder for Dask's own files.
    note
        Told what befalls workers.

    Raises
    ------
    Unavailable
        If the scheduler cannot be reached or has no workers, or local ones do not start.
    """
    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set({**SETTINGS, "temporary-directory": str(scratch)}), contextlib.ExitStack() as stack:
        if where.scheduler is None:
            restore = stack.enter_context(_own_environment())
            try:
                cluster = stack.enter_context(
                    LocalCluster(
                        n_workers=workers,
                        threads_per_worker=1,
                        memory_limit=limit,
                        dashboard_address="127.0.0.1:0",
                        local_directory=str(scratch),
                        silence_logs=logging.CRITICAL,
                    )
                )
                client = stack.enter_context(Client(cluster))
                restore()
            except (TimeoutError, RuntimeError) as error:
                raise Unavailable(
                    f"{workers} workers could not be started ({error}): close other programs or lower --workers, and "
                    "start the same command, which goes on where it was"
                ) from None
        else:
            client = stack.enter_context(_reach(where.scheduler))
        threads = sum(client.nthreads().values())
        if not threads:
            raise Unavailable(f"the scheduler at {where.scheduler} has no workers: start some with dask worker")
        yield Team(client, threads, client.dashboard_link if _has_dashboard(client) else "", note)


@contextlib.contextmanager
def _own_environment() -> Iterator[Callable[[], None]]:
    """Take back what Dask sets for its workers in this process's environment, at the end and whenever it is asked to:
    one thread for BLAS, OpenMP and numba, which this process and whatever it starts later would keep to as well."""
    import dask

    names = {*dask.config.get("distributed.nanny.pre-spawn-environ"), "PYTHONHASHSEED"}
    before = {name: os.environ[name] for name in names if name in os.environ}

    def restore() -> None:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)

    try:
        yield restore
    finally:
        restore()


def smallest_limit(client: Client) -> int | None:
    """The least memory that a thread of a cluster's workers has, in bytes; None where none is limited."""
    for _ in range(10):
        info = client.scheduler_info(n_workers=-1)["workers"].values()
        if info:  # now and then it is the list without workers that Dask fetches every two seconds
            break
    limits = [each["memory_limit"] // each["nthreads"] for each in info if each["memory_limit"]]
    return min(limits, default=None)


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(psutil.Process().memory_info().rss)


def _reach(address: str) -> Client:
    from distributed import Client

    try:
        return Client(address, timeout=5)
    except (OSError, TimeoutError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Unavailable(
            f"no Dask scheduler answers at {address} ({reason}): start one with dask scheduler, or leave it out"
        ) from None


def _finished(futures: list[Future[Any]]) -> list[Future[Any]]:
    """Those of some futures that are done, none after a moment of waiting; in the order given."""
    from distributed import wait

    try:
        done = wait(futures, timeout=_LOOK, return_when="FIRST_COMPLETED").done
    except TimeoutError:
        return []
    return [future for future in futures if future in done]


def _has_dashboard(client: Client) -> bool:
    return bool(client.scheduler_info()["services"].get("dashboard"))
