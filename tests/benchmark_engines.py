"""Engines that the benchmark's own tests drive in real processes: one that is honest, and others that are not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from benchmarks.work import Engine, Job, Made, Refused
from gpu_pipeline.errors import Unavailable

NAP = 0.5
"""Seconds for which `sleeps` sleeps, once the rows are all there."""


def _is_warm_up(X: np.ndarray) -> bool:
    return len(X) < 6_000


def _first_two(X: np.ndarray) -> np.ndarray:
    """An honest map: two principal components."""
    return np.ascontiguousarray(X[:, :2])


def _sleeps(X: np.ndarray, job: Job) -> Made:
    time.sleep(NAP / 10 if _is_warm_up(X) else NAP)
    return Made({"map": _first_two(X)}, {"nap": NAP})


def _random(X: np.ndarray, job: Job) -> Made:
    return Made({"map": np.random.default_rng(job.seed).normal(size=(len(X), 2))})


def _nan(X: np.ndarray, job: Job) -> Made:
    embedding = _first_two(X).copy()
    embedding[7] = np.nan
    return Made({"map": embedding})


def _short(X: np.ndarray, job: Job) -> Made:
    return Made({"map": _first_two(X)[:-1]})


def _nothing(X: np.ndarray, job: Job) -> Made:
    return Made({})


def _aborts(X: np.ndarray, job: Job) -> Made:
    if not _is_warm_up(X):
        os.abort()
    return Made({"map": _first_two(X)})


def _raises(X: np.ndarray, job: Job) -> Made:
    raise ZeroDivisionError("a bug of its own")


def _hangs(X: np.ndarray, job: Job) -> Made:
    while not _is_warm_up(X):
        time.sleep(1)
    return Made({"map": _first_two(X)})


def _eats(X: np.ndarray, job: Job) -> Made:
    eaten = []
    while not _is_warm_up(X):
        eaten.append(np.ones(2**22))  # 32 MiB, touched
        time.sleep(0.01)
    return Made({"map": _first_two(X)})


def _takes(X: np.ndarray, job: Job) -> Made:
    """Takes 200 MB and gives them back."""
    taken = np.ones(25_000_000)
    del taken
    return Made({"map": _first_two(X)})


def _refuses(X: np.ndarray, job: Job) -> Made:
    raise Refused("it does not do that")


def _absent() -> Engine:
    raise Unavailable("it is not installed")


def _counts(X: np.ndarray, job: Job) -> Made:
    """Leaves a mark each time that it is run on all rows."""
    if not _is_warm_up(X):
        with Path(os.environ["BENCHMARK_MARKS"]).open("a") as file:
            file.write(f"{job.seed} {len(os.sched_getaffinity(0))} {os.environ['OMP_NUM_THREADS']}\n")
    return Made({"map": _first_two(X)})


def _slow_once(X: np.ndarray, job: Job) -> Made:
    """Hangs until its mark is there, so that the suite can be killed in the middle."""
    mark = Path(os.environ["BENCHMARK_MARKS"]).with_name("hung")
    if not _is_warm_up(X) and not mark.exists():
        mark.write_text(str(os.getpid()))
        time.sleep(600)
    return Made({"map": _first_two(X)})


ENGINES = {
    "tsne": {
        "sleeps": lambda: Engine("cpu", _sleeps),
        "random": lambda: Engine("cpu", _random),
        "nan": lambda: Engine("cpu", _nan),
        "short": lambda: Engine("cpu", _short),
        "nothing": lambda: Engine("cpu", _nothing),
        "aborts": lambda: Engine("cpu", _aborts),
        "raises": lambda: Engine("cpu", _raises),
        "hangs": lambda: Engine("cpu", _hangs),
        "eats": lambda: Engine("cpu", _eats),
        "takes": lambda: Engine("cpu", _takes),
        "refuses": lambda: Engine("cpu", _refuses),
        "absent": _absent,
        "counts": lambda: Engine("cpu", _counts),
        "slow_once": lambda: Engine("cpu", _slow_once),
        "elsewhere": lambda: Engine("cuda", _sleeps),
    }
}
