"""The jobs as a page lists them, and the map of the one that is watched, at the frame that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..pipeline import data_of
from ..record import METHODS
from . import jobs
from .opened import Opened
from .paths import UPLOADS
from .shelf import Shelf
from .status import Status
from .uploads import uploads
from .views import page

LISTED = 6
"""Jobs that the page lists."""

_labels = Shelf(4)


@dataclass
class Watch:
    """A job whose frames are shown.

    Attributes
    ----------
    job
        Its id; empty for none.
    frame
        The frame shown; None follows the newest.
    """

    job: str = ""
    frame: int | None = None


@dataclass(frozen=True)
class Seen:
    """What there is of a job that is watched.

    Attributes
    ----------
    title
        What is made.
    running
        Whether more is to come.
    run
        Name of the stored run, if there is one yet.
    error
        Why there will be none, if the job broke.
    iteration
        Of the frame.
    frame
        The map at the frame, with labels where the data have them; None if there is no frame.
    """

    title: str
    running: bool
    run: str | None
    error: str | None = None
    iteration: int = 0
    frame: Opened | None = None


@dataclass(frozen=True)
class Screen:
    """A frame in place of the stored map.

    Attributes
    ----------
    opened
        The map at the frame.
    title
        One line about it.
    """

    opened: Opened
    title: str


def find(store: Path, name: Any) -> jobs.Job:
    """The job of that id; only a listed one, so that no id leads elsewhere.

    Raises
    ------
    InputError
        If there is none.
    """
    found = next((job for job in jobs.jobs(store) if job.id == name), None)
    if found is None:
        raise InputError("that job is not there any more.")
    return found


def listing(store: Path, watch: Watch) -> str:
    """The uploaded files, and the jobs as they stand."""
    known = jobs.jobs(store)[:LISTED]
    lines = [_line(job, job.status(), watch) for job in known]
    return page("jobs", jobs=lines, files=uploads(store))


def look(store: Path, watch: Watch) -> Seen:
    """What there is to see of a job.

    Raises
    ------
    InputError
        If the job is gone, or the frame cannot be read.
    """
    job = find(store, watch.job)
    status = job.status()
    seen = Seen(_title(job), status.state == "running", status.run, status.error)
    found = job.frame(watch.frame) if status.frames else None
    if found is None:
        return seen
    film, i, places = found
    points = pd.DataFrame({"x": places[:, 0], "y": places[:, 1]})
    labels = _labels.get((job.recipe.data, job.recipe.seed_of_sample()), lambda: _labels_of(job))
    if labels is not None and len(film.positions) and film.positions[-1] < len(labels):
        points["label"] = labels[film.positions]
    name = f"iteration {film.iterations[i]}"
    if len(film.positions) and film.positions[-1] >= len(film.positions):
        name += f", a sample of {len(points):,} points"
    return replace(seen, iteration=film.iterations[i], frame=Opened(name, points))


def _title(job: jobs.Job) -> str:
    data = job.recipe.data
    own = Path(data.name).parent.name == UPLOADS
    name = Path(data.name).name if own else data.name
    return f"{METHODS[job.recipe.embed.method]} of {name}, {data.sample} points, engine {job.recipe.engine}"


def _line(job: jobs.Job, status: Status, watch: Watch) -> dict[str, Any]:
    watched = watch.job == job.id
    line: dict[str, Any] = {
        "id": job.id,
        "title": _title(job),
        "when": job.created[11:16] + " UTC",
        "state": status.state,
        "step": f"{status.step or 'starting'}{f' on {status.engine}' if status.engine else ''}",
        "done": status.done or 0,
        "total": status.total or 0,
        "facts": _facts(status),
        "error": status.error,
        "run": status.run,
        "notes": status.notes,
        "can_stop": status.can_stop,
        "frames": status.frames,
        "outcome": "Finished and stored." if status.run else "Stopped; nothing was kept.",
        "watched": watched,
        "frame": 0,
        "iteration": 0,
        "kl": "",
        "curve": None,
    }
    if watched and status.frames:
        film = job.film()
        if len(film):
            i = film.nearest(watch.frame)
            kl = film.kl[i]
            line |= {"frame": i, "frames": len(film), "iteration": film.iterations[i]}
            line["kl"] = "" if kl is None else f"{kl:.3f}"
            line["curve"] = curve(film.kl, i)
    return line


def curve(kl: Sequence[float | None], at: int) -> dict[str, str] | None:
    """The divergence over the frames, as an SVG path on 100 x 30 with the place of one frame; None for less than two.

    The first tenth is left out of the scale: it falls so steeply there that nothing else could be seen.
    """
    told = [(i, value) for i, value in enumerate(kl) if value is not None]
    if len(told) < 2:
        return None
    later = [value for i, value in told if i >= len(kl) // 10]
    low, high = min(later), max(later)
    across, up = 100 / max(len(kl) - 1, 1), 28 / ((high - low) or 1.0)
    places = [(i * across, 29 - min(max(value - low, 0) * up, 28)) for i, value in told]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    return {"path": path, "at": f"{at * across:.1f}", "low": f"{low:.3f}", "high": f"{high:.3f}"}


def _facts(status: Status) -> str:
    parts = []
    if status.done is not None and status.total is not None:
        parts.append(f"{status.done:,} of {status.total:,}")
    if status.kl is not None:
        parts.append(f"KL {status.kl:.3f}")
    if status.seconds_left is not None:
        parts.append(f"{status.seconds_left:.0f} s left")
    parts.append(f"{status.elapsed:.0f} s so far")
    return " · ".join(parts)


def _labels_of(job: jobs.Job) -> np.ndarray | None:
    try:
        return data_of(job.recipe).y
    except InputError:
        return None
