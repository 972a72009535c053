"""Where the workers come from: a Dask cluster of this computer, or one that exists."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, Unavailable
from .workers import ALLOWED_DEATHS, Team

if TYPE_CHECKING:
    from distributed import Client

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
            restore = stack.callback(_environment())
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


def _environment() -> Callable[[], None]:
    """What takes back all that Dask sets for its workers in this process's environment: one thread for BLAS, OpenMP and
    numba, which this process and whatever it starts later would keep to as well."""
    import dask

    names = {*dask.config.get("distributed.nanny.pre-spawn-environ"), "PYTHONHASHSEED"}
    before = {name: os.environ[name] for name in names if name in os.environ}

    def restore() -> None:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)

    return restore


def smallest_limit(client: Client) -> int | None:
    """The least memory that a thread of a cluster's workers has, in bytes; None where none is limited."""
    for _ in range(10):
        info = client.scheduler_info(n_workers=-1)["workers"].values()
        if info:  # now and then it is the list without workers that Dask fetches every two seconds
            break
    limits = [each["memory_limit"] // each["nthreads"] for each in info if each["memory_limit"]]
    return min(limits, default=None)


def _reach(address: str) -> Client:
    from distributed import Client

    try:
        return Client(address, timeout=5)
    except (OSError, TimeoutError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Unavailable(
            f"no Dask scheduler answers at {address} ({reason}): start one with dask scheduler, or leave it out"
        ) from None


def _has_dashboard(client: Client) -> bool:
    return bool(client.scheduler_info()["services"].get("dashboard"))
