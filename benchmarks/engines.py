"""Who does the work: the project's engines, and the table of all that are compared.

To add a program is to write a function in `peers`, one line in `ENGINES`, and its name where `cases` says who does the
work.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any

from gpu_pipeline import engines, methods
from gpu_pipeline.engines import silent
from gpu_pipeline.methods import Settings
from gpu_pipeline.timing import Stopwatch

from . import peers, pictures
from .work import Engine, Job, Made, Table

OTHER_METHODS = frozenset({"pacmap"})
"""Who makes maps in t-SNE's cases by another method, which does not try to lower KL."""

STAGES = {"search.find": "neighbors", "affinities.conditional": "affinities", "affinities.join": "affinities"}
"""Function of the mesh engine's package -> the stage that it does a part of; what is left is "optimise"."""


def own(name: str, method: str) -> Engine:
    """An engine of the project, as its pipeline uses it.

    Raises
    ------
    Unavailable
        If it cannot be used on this computer.
    """
    module = engines.load(name)

    def run(X: Any, job: Job) -> Made:
        _check(name, job.settings)
        function = getattr(module, method)
        # The others make the same start themselves: two principal components, the first with deviation 1e-4.
        start = {"initial": job.start} if "initial" in inspect.signature(function).parameters else {}
        with _watched(module) as watch, watch.measure("all"):
            output = function(X, job.settings, job.seed, silent, **start)
        results = {"tsne": "map", "umap": "map", "pca": "scores", "kmeans": "clusters"}
        return Made({results[method]: output.array}, _stages(watch.seconds), output.notes)

    return Engine("cuda" if module.DEVICE == "gpu" else "cpu", run, module.put, module.get, module.sync)


def _check(name: str, settings: Settings) -> None:
    """Refuse what would be other work than the case's: the engine itself would only note it.

    Raises
    ------
    Refused
        If scikit-learn would exaggerate longer than the case says.
    """
    if name == "scikit_learn" and isinstance(settings, methods.TSNE):
        peers.check_phases(settings)


@contextmanager
def _watched(module: ModuleType) -> Iterator[Stopwatch]:
    """Time the stages of the mesh engine while the block runs; of the others nothing is known."""
    watch, places = Stopwatch(), []
    for where, stage in STAGES.items() if engines.engine_name(module) == "mesh" else ():
        part, function = where.split(".")
        home = importlib.import_module(f"{module.__name__}.{part}")
        places.append((home, function, getattr(home, function)))
        setattr(home, function, _timed(watch, stage, getattr(home, function)))
    try:
        yield watch
    finally:
        for home, function, original in places:
            setattr(home, function, original)


def _stages(seconds: dict[str, float]) -> dict[str, float]:
    """What the parts took, and the optimisation: all the rest. Nothing where no part is known."""
    parts = {name: seconds[name] for name in dict.fromkeys(STAGES.values()) if name in seconds}
    return {**parts, "optimise": seconds["all"] - sum(parts.values())} if parts else {}


def _timed(watch: Stopwatch, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        with watch.measure(stage):
            return function(*args, **kwargs)

    return run


ENGINES: Table = {
    "tsne": {
        "mesh": partial(own, "mesh", "tsne"),
        "mesh@cuda": partial(own, "mesh_cuda", "tsne"),
        "rapids": partial(own, "rapids", "tsne"),
        "cuml": peers.cuml_tsne,
        "scikit_learn": partial(own, "scikit_learn", "tsne"),
        "scikit_learn_intelex": peers.intelex_tsne,
        "opentsne": peers.opentsne,
        "pacmap": peers.pacmap,
    },
    "umap": {
        "rapids": partial(own, "rapids", "umap"),
        "umap_learn_mesh": partial(own, "umap_learn", "umap"),
        "umap_learn": partial(peers.umap_learn, seeded=True),
        "umap_learn_threads": partial(peers.umap_learn, seeded=False),
    },
    "pca": {
        "mesh@cuda": partial(own, "mesh_cuda", "pca"),
        "rapids": partial(own, "rapids", "pca"),
        "scikit_learn": partial(own, "scikit_learn", "pca"),
        "scikit_learn_intelex": peers.intelex_pca,
    },
    "kmeans": {
        "rapids": partial(own, "rapids", "kmeans"),
        "scikit_learn": partial(own, "scikit_learn", "kmeans"),
        "scikit_learn_intelex": peers.intelex_kmeans,
        "faiss": peers.faiss_kmeans,
    },
    "draw": {"render": pictures.render, "render@cuda": pictures.render_there, "datashader": pictures.datashader},
    "pipeline": {
        "mesh": partial(pictures.pipeline, "mesh"),
        "mesh@cuda": partial(pictures.pipeline, "mesh_cuda"),
        "rapids": partial(pictures.pipeline, "rapids"),
        "scikit_learn": partial(pictures.pipeline, "scikit_learn"),
    },
}
"""Task -> engine, `name` or `name@device` -> what gets it ready."""
