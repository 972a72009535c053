"""Runs that are being made: each in a process of its own, which outlives the page and the server that began it.

All that is known of a job lies in files, so that every session and every later server sees the same:

    <store>/.jobs/<id>/
        job.json       recipe, when it began
        status.json    how far it is, by the worker
        lock           held by the worker as long as it lives
        stop, cancel   asked for, if they are there
        frames...      the map as it formed (see `film`); they move to the finished run's folder
        worker.log     what the worker's libraries print, and why it broke if it did
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .. import store as runs
from ..errors import InputError
from ..recipe import Recipe, make
from ..timing import now, since
from . import film
from .film import Film
from .paths import data_name, put_json
from .status import Status, held, read_status, values_in, why

JOBS = ".jobs"
MOST_AT_ONCE = 4
"""Jobs of a store that may run at a time."""

MOST_KEPT = 30
"""Ended jobs that a store remembers."""

_WORKER = f"{__name__.rpartition('.')[0]}.worker"


@dataclass(frozen=True)
class Job:
    """A run that is being made, or was.

    Attributes
    ----------
    folder
        Where its files lie; its name is the job's `id`.
    recipe
        What it makes.
    created
        When it began, ISO 8601 in UTC.
    """

    folder: Path
    recipe: Recipe
    created: str

    @property
    def id(self) -> str:
        return self.folder.name

    def status(self) -> Status:
        """How it is now."""
        # In this order: a worker that is gone before its last words are read has written them already.
        alive = held(self.folder)
        said = read_status(self.folder)
        if said.state != "running":
            return said
        if alive:
            return replace(said, elapsed=max(said.elapsed, since(self.created)))
        if (self.folder / "cancel").exists():
            return replace(said, state="stopped", seconds_left=None, frames=0, can_stop=False)
        if said.run is not None:  # the run is whole; only its frames are not
            return replace(said, state="done", seconds_left=None, can_stop=False)
        return replace(said, state="failed", error=why(self.folder, said.step), seconds_left=None, can_stop=False)

    def stop(self) -> None:
        """Ask the optimisation to stop, and keep the map that it has come to as a run.

        It takes effect at the engine's next report; see `Status.can_stop`.
        """
        (self.folder / "stop").touch()

    def cancel(self) -> None:
        """End it at once and keep nothing; a job that has ended stays as it is."""
        if self.status().state != "running":
            return
        (self.folder / "cancel").touch()
        values = values_in(self.folder / "status.json")
        # A worker that has not said its number yet, or works on another computer, sees the file.
        if values.get("node") == platform.node() and held(self.folder):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(values["pid"], signal.SIGKILL)
        film.discard(self.folder)

    def film(self) -> film.Film:
        """The frames so far: their iterations, KL, positions and places."""
        name = read_status(self.folder).run
        kept = film.read(self.folder.parent.parent / name) if name else None
        return kept if kept else film.read(self.folder)

    def frame(self, i: int | None = None) -> tuple[Film, int, np.ndarray] | None:
        """All frames, which of them is meant by i (see `Film.nearest`), and that one's places; None if there are none.

        Raises
        ------
        InputError
            If the frame cannot be read.
        """
        try:
            return self._frame(i)
        except InputError:
            # The worker thinned the frames out, or moved them to the run, between list and look.
            return self._frame(i)

    def _frame(self, i: int | None) -> tuple[Film, int, np.ndarray] | None:
        found = self.film()
        return (found, at := found.nearest(i), found.frame(at)) if len(found) else None

    def forget(self) -> None:
        """Remove an ended job from the list; its run stays.

        Raises
        ------
        InputError
            If it still runs.
        """
        if self.status().state == "running":
            raise InputError("the job still runs: stop it first.")
        shutil.rmtree(self.folder, ignore_errors=True)


def start(recipe: Recipe, store: Path, *, allowed: Collection[Path] = ()) -> Job:
    """Begin to make a run in a process of its own.

    Parameters
    ----------
    recipe
        What to make; its data are a known data set, an uploaded file, or one of `allowed`.
    store
        Where the run is stored when it is done.
    allowed
        Files outside the store that may be read.

    Raises
    ------
    InputError
        If the data may not be read, the store cannot be written, or too many jobs run already.
    """
    store = Path(store).resolve()
    data = recipe.data.model_copy(update={"name": data_name(recipe.data.name, store, allowed)})
    recipe = recipe.model_copy(update={"data": data})
    runs.writable(store)
    known = jobs(store)
    running = [job for job in known if job.status().state == "running"]
    if len(running) >= MOST_AT_ONCE:
        raise InputError(f"{len(running)} jobs run already: wait for one to end, or stop it.")
    for old in [job for job in known if job not in running][MOST_KEPT - 1 :]:
        old.forget()
    created = now()
    stamp = created[:19].replace("-", "").replace(":", "").replace("T", "-")
    folder = store / JOBS / f"{stamp}-{uuid.uuid4().hex[:6]}"
    job = Job(folder, recipe, created)
    try:
        folder.mkdir(parents=True)
        _spawn(job)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError(f"the job cannot be started ({error.strerror or error}): free some space or memory.") from None
    return job


def jobs(store: Path) -> list[Job]:
    """All jobs of a store, the newest first, also those that earlier servers began."""
    folders = runs.stored_in(Path(store).resolve() / JOBS, "job.json")
    return [job for job in map(read, reversed(folders)) if job is not None]


def read(folder: Path) -> Job | None:
    """The job in a folder; None if there is none, or only half of one."""
    values = values_in(folder / "job.json")
    try:
        return Job(folder, make(values["recipe"]), values["created"])
    except (KeyError, TypeError, InputError):
        return None


def _spawn(job: Job) -> None:
    """Start the worker, and have a thread wait for its end, or it would stay in the table of processes.

    The worker inherits a locked file: it is locked until the process is gone, however it goes.
    """
    put_json(job.folder / "job.json", {"recipe": job.recipe.model_dump(exclude_none=True), "created": job.created})
    with (job.folder / "lock").open("wb") as lock, (job.folder / "worker.log").open("wb") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", _WORKER, str(job.folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[lock.fileno()],
            start_new_session=True,  # Ctrl-C at the server's terminal is not meant for it
        )
    threading.Thread(target=process.wait, name=f"wait for {job.id}", daemon=True).start()
