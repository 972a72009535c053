"""What a job's worker writes down of itself, and what can be told of one that is gone."""

from __future__ import annotations

import fcntl
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class Status:
    """How a job is.

    Attributes
    ----------
    state
        "stopped" is also a job that was ended without keeping anything: then `run` is None.
    step, engine
        What it does, and with which engine; None before it has begun, and of steps that no engine does.
    done, total
        Iterations (or stages) of the step; None where the engine does not tell.
    kl
        Kullback-Leibler divergence so far, in nats.
    seconds_left
        Until the end of the step, by its pace so far; None where there is none.
    elapsed
        Seconds since the job began.
    error
        Why it failed, in one sentence.
    run
        Name of the stored run.
    frames
        Frames of the optimisation that can be had from `Job.frame`.
    can_stop
        Whether `Job.stop` would keep a map: the engine reports its iterations.
    notes
        Sentences that a reader of the result should know.
    """

    state: Literal["running", "done", "failed", "stopped"] = "running"
    step: str | None = None
    engine: str | None = None
    done: int | None = None
    total: int | None = None
    kl: float | None = None
    seconds_left: float | None = None
    elapsed: float = 0.0
    error: str | None = None
    run: str | None = None
    frames: int = 0
    can_stop: bool = False
    notes: tuple[str, ...] = ()


def read_status(folder: Path) -> Status:
    """What the worker last said."""
    values = values_in(folder / "status.json")
    known = {item.name for item in fields(Status)}
    said = {name: value for name, value in values.items() if name in known}
    return Status(**{**said, "notes": tuple(said.get("notes", ()))})


def held(folder: Path) -> bool:
    """Whether a job's worker lives. Unlike its number, a lock tells it from a process that came later."""
    try:
        with (folder / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def why(folder: Path, step: str | None) -> str:
    """Why a worker went without a word."""
    try:
        lines = (folder / "worker.log").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    at = f" in the step {step}" if step else ""
    fatal = next((line for line in lines if line.startswith("Fatal Python error:")), None)
    if fatal is None and any(line.startswith("Traceback (most recent call last)") for line in lines):
        fatal = lines[-1]
    if fatal is not None:
        return f"the job broke{at} ({fatal[:200].rstrip('.')}): {folder / 'worker.log'} says where."
    return f"the job's process was killed{at}: memory may have run out, or somebody ended it; start it again."


def values_in(path: Path) -> dict[str, Any]:
    """The values in a file; none if it is not there or not whole."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
