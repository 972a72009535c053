"""The process of a job: makes the run and writes down how far it is.

An error that nobody foresaw is not caught here: the process ends, its traceback is in `worker.log`, and whoever asks
for the job's status is told.
"""

from __future__ import annotations

import os
import platform
import sys
from collections import deque
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from .. import pipeline, store
from ..engines import Progress
from ..errors import EngineFailed, InputError, Unavailable, Unsupported
from ..steps import Observer
from ..timing import seconds
from .film import Recording
from .jobs import read
from .paths import put_json
from .status import Status

_PACE = 6  # Reports that the estimate of the time left is over.
_POLITE = 5  # The page that a person looks at comes first.


class Recorder(Observer):
    """Writes down what a run does, keeps the frames of its map, and hands a request to stop on.

    Parameters
    ----------
    folder
        The job's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.status = Status()
        self.film = Recording(folder)
        self.stopped_at: tuple[int, int] | None = None
        self._began = seconds()
        self._reports: deque[tuple[float, int]] = deque(maxlen=_PACE)
        self.say()

    def say(self, **changes: Any) -> None:
        """Change the status, and write it down; end here if that was asked for."""
        self.status = replace(self.status, elapsed=seconds() - self._began, **changes)
        put_json(self.folder / "status.json", {**asdict(self.status), "pid": os.getpid(), "node": platform.node()})
        if (self.folder / "cancel").exists():
            sys.exit("cancelled")

    def note(self, sentence: str) -> None:
        self.say(notes=(*self.status.notes, sentence))

    def begin(self, step: str, engine: str | None) -> None:
        self._reports.clear()
        self.say(step=step, engine=engine, done=None, total=None, seconds_left=None, can_stop=False)

    def progress(self, step: str, progress: Progress) -> Literal["stop"] | None:
        done, total = progress.done, progress.total
        if done is not None and progress.embedding is not None:
            self.film.add(done, progress.kl, progress.embedding())
        embedding = step == "embed" and done is not None and total is not None
        changes: dict[str, Any] = {"done": done, "total": total, "frames": len(self.film), "can_stop": embedding}
        if progress.kl is not None:
            changes["kl"] = progress.kl
        self.say(**changes, seconds_left=self._seconds_left(done, total))
        if not embedding or not (self.folder / "stop").exists():
            return None
        if done < total:  # type: ignore[operator]
            self.stopped_at = (done, total)  # type: ignore[assignment]
        return "stop"

    def _seconds_left(self, done: int | None, total: int | None) -> float | None:
        """Time for the rest of the step, at the pace of its last reports."""
        if done is None or total is None:
            return None
        self._reports.append((seconds(), done))
        (first, before), (last, _) = self._reports[0], self._reports[-1]
        return (last - first) / (done - before) * (total - done) if done > before else None


def work(folder: Path) -> None:
    """Make the run of the job in a folder, and store it."""
    recorder = Recorder(folder)
    job = read(folder)
    if job is None:
        recorder.say(state="failed", error=f"{folder / 'job.json'} cannot be read: start the job again.")
        return
    try:
        made = pipeline.run(job.recipe, observer=recorder)
        if recorder.stopped_at is not None:
            made.record.notes.append("stopped by hand after {:,} of {:,} iterations".format(*recorder.stopped_at))
        recorder.begin("store", None)
        where = store.save(made, folder.parent.parent)
    except (InputError, Unavailable, Unsupported, EngineFailed) as error:
        recorder.say(state="failed", error=" ".join(str(error).split()), seconds_left=None, can_stop=False)
        return
    recorder.say(run=where.name)
    try:
        recorder.film.keep(where)
    except InputError as error:
        recorder.note(f"the frames are not kept: {error}")
    recorder.say(state="stopped" if recorder.stopped_at else "done", step=None, engine=None, can_stop=False)


if __name__ == "__main__":
    os.nice(_POLITE)
    work(Path(sys.argv[1]))
