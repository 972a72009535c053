"""New runs: the form, the jobs that are under way, and the frames of how a map formed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..datasets import DATASETS, load
from ..engines import NAMES
from ..errors import InputError
from ..recipe import Recipe, make
from . import jobs
from .opened import METHODS, Opened, Shelf
from .views import page

FORM = {
    "data": "auto",
    "sample": "5000",
    "method": "tsne",
    "engine": "auto",
    "perplexity": "30",
    "iterations": "1000",
    "n_neighbors": "15",
    "min_dist": "0.1",
    "clusters": "10",
    "seed": "0",
}
LISTED = 6

_labels = Shelf(4)


def form(values: Mapping[str, str]) -> str:
    """The form of a new run."""
    return page(
        "run",
        values={**FORM, **values},
        data=("auto", *DATASETS),
        methods=tuple(METHODS.items()),
        engines=("auto", *NAMES),
    )


def recipe_of(values: Mapping[str, Any]) -> Recipe:
    """The recipe that a filled form means.

    Raises
    ------
    InputError
        If a value cannot be used.
    """
    text = {name: str(values.get(name, default)).strip() for name, default in FORM.items()}
    if text["data"] not in ("auto", *DATASETS):
        raise InputError("choose one of the known data sets; a file of your own is run from the command line.")
    embed: dict[str, Any] = {"method": text["method"]}
    if text["method"] == "tsne":
        embed |= {"perplexity": _number(text, "perplexity"), "iterations": _whole(text, "iterations")}
    elif text["method"] == "umap":
        embed |= {"n_neighbors": _whole(text, "n_neighbors"), "min_dist": _number(text, "min_dist")}
    return make(
        {
            "data": {"name": text["data"], "sample": "all" if text["sample"] == "all" else _whole(text, "sample")},
            "embed": embed,
            "engine": text["engine"],
            "cluster": {"n_clusters": _whole(text, "clusters")},
            "seed": _whole(text, "seed"),
        }
    )


def _number(text: Mapping[str, str], name: str) -> float:
    try:
        return float(text[name])
    except ValueError:
        raise InputError(f"{name.replace('_', ' ')} is {text[name][:40]!r}: give a number.") from None


def _whole(text: Mapping[str, str], name: str) -> int:
    try:
        return int(text[name])
    except ValueError:
        words = " or all" if name == "sample" else ""
        raise InputError(f"{name.replace('_', ' ')} is {text[name][:40]!r}: give a whole number{words}.") from None


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


def listing(store: Path, watch: Watch) -> tuple[str, list[jobs.Status]]:
    """The jobs as they stand, and their states."""
    known = jobs.jobs(store)[:LISTED]
    states = [job.status() for job in known]
    lines = [_line(job, status, watch) for job, status in zip(known, states, strict=True)]
    return page("jobs", jobs=lines), states


def _line(job: jobs.Job, status: jobs.Status, watch: Watch) -> dict[str, Any]:
    data = job.recipe.data
    watched = watch.job == job.id
    line: dict[str, Any] = {
        "id": job.id,
        "title": f"{METHODS[job.recipe.embed.method]} of {data.name}, {data.sample} points, engine {job.recipe.engine}",
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
    }
    if watched and status.frames:
        film = job.film()
        if len(film):
            i = len(film) - 1 if watch.frame is None else min(watch.frame, len(film) - 1)
            kl = film.kl[i]
            line |= {"frame": i, "frames": len(film), "iteration": film.iterations[i]}
            line["kl"] = "" if kl is None else f"{kl:.3f}"
    return line


def _facts(status: jobs.Status) -> str:
    parts = []
    if status.done is not None and status.total is not None:
        parts.append(f"{status.done:,} of {status.total:,}")
    if status.kl is not None:
        parts.append(f"KL {status.kl:.3f}")
    if status.seconds_left is not None:
        parts.append(f"{status.seconds_left:.0f} s left")
    parts.append(f"{status.elapsed:.0f} s so far")
    return " · ".join(parts)


def frame_of(job: jobs.Job, watch: Watch) -> tuple[Any, Opened] | None:
    """The map at the frame watched, with labels where the data have them, and what tells it from others."""
    film = job.film()
    if not len(film):
        return None
    i = len(film) - 1 if watch.frame is None else min(max(watch.frame, 0), len(film) - 1)
    places = film.frame(i)
    points = pd.DataFrame({"x": places[:, 0], "y": places[:, 1]})
    labels = _labels.get((job.recipe.data, job.recipe.seed, job.data_dir), lambda: _labels_of(job))
    if labels is not None and len(film.positions) and film.positions[-1] < len(labels):
        points["label"] = labels[film.positions]
    return (job.id, film.iterations[i]), Opened(f"iteration {film.iterations[i]}", points)


def _labels_of(job: jobs.Job) -> np.ndarray | None:
    data = job.recipe.data
    try:
        return load(data.name, data_dir=job.data_dir, sample=data.sample, seed=job.recipe.seed).y
    except InputError:
        return None
