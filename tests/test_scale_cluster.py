"""Partitions on workers that die: given to others, and given up at the third death."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gpu_pipeline import InputError
from gpu_pipeline.errors import Unavailable
from gpu_pipeline.scale.cluster import Where, team
from gpu_pipeline.scale.source import Partition
from gpu_pipeline.scale.workers import Team

cloudpickle = pytest.importorskip("cloudpickle")

PARTITIONS = [Partition(i, 10 * i, 10, f"file {i}") for i in range(6)]
NOTES: list[str] = []


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    # The workers do not find this module, so that its functions travel as they are.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with team(Where(10**9), 2, 500 * 10**6, tmp_path_factory.mktemp("dask"), NOTES.append) as made:
        yield made


def squared(offset: int, partition: Partition) -> int:
    return offset + partition.index**2


def die_once(folder: str, partition: Partition) -> int:
    mark = Path(folder) / str(partition.index)
    if partition.index == 2 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return partition.index


def die(partition: Partition) -> int:
    if partition.index == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return partition.index


def refuse(partition: Partition) -> int:
    if partition.index == 1:
        raise InputError("the second cannot be read")
    return partition.index


def test_this_process_keeps_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    before = environment()
    with team(Where(10**9), 1, 500 * 10**6, tmp_path, NOTES.append) as made:
        assert environment() == before
        (of_worker,) = made.client.run(environment).values()
        assert (of_worker["OMP_NUM_THREADS"], of_worker["OPENBLAS_NUM_THREADS"]) == ("1", "2")
        made.client.restart()  # Dask sets it anew
    assert environment() == before


def environment() -> dict[str, str]:
    """All but the mark by which Dask gives names to its own processes alone."""
    return {name: value for name, value in os.environ.items() if name != "__DASK_PARENT_PID"}


def test_results_come_in_the_order_of_partitions(workers: Team) -> None:
    told: list[int] = []
    found = workers.each("squares", squared, PARTITIONS, 100, done=lambda partition, _: told.append(partition.index))
    assert found == [100, 101, 104, 109, 116, 125]
    assert sorted(told) == list(range(6))
    assert workers.each("none", squared, [], 100) == []
    assert workers.dashboard.startswith("http://127.0.0.1:")


def test_an_error_is_the_callers(workers: Team) -> None:
    with pytest.raises(InputError, match="the second cannot be read"):
        workers.each("refusals", refuse, PARTITIONS)


def test_a_partition_of_a_dead_worker_is_done_by_another(workers: Team, tmp_path: Path) -> None:
    assert workers.each("deaths", die_once, PARTITIONS, str(tmp_path)) == list(range(6))


def test_a_partition_that_kills_its_workers_is_named(workers: Team) -> None:
    with pytest.raises(InputError, match=r"file 3 \(partition 3\) ended its worker 3 times in the step killing"):
        workers.each("killing", die, PARTITIONS)
    # And the team goes on.
    assert workers.each("after", squared, PARTITIONS, 0) == [0, 1, 4, 9, 16, 25]


def test_a_cluster_that_ended_between_two_steps_is_said_to_be_gone() -> None:
    dask, distributed = (pytest.importorskip(name) for name in ("dask", "distributed"))
    waits = dask.config.set({"distributed.comm.timeouts.connect": "1s"})
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with waits, distributed.LocalCluster(**options) as cluster, distributed.Client(cluster.scheduler_address) as client:
        left = Team(client, 1, "", NOTES.append)
        assert left.each("before", squared, PARTITIONS, 0) == [0, 1, 4, 9, 16, 25]
        cluster.close()
        with pytest.raises(Unavailable, match="the Dask cluster is gone: start the same command"):
            left.each("after", squared, PARTITIONS, 0)
