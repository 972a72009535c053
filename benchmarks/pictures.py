"""Drawing, and the whole way from pixels to the picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from gpu_pipeline import engines
from gpu_pipeline import pipeline as project
from gpu_pipeline.datasets import Dataset
from gpu_pipeline.recipe import Recipe
from gpu_pipeline.timing import Stopwatch, nothing

from .work import Engine, Job, Made


def render() -> Engine:
    """The project's drawing, stage by stage as `render.draw` has them."""
    return Engine("cpu", lambda X, job: _drawn(lambda: _table(X, job), job))


def render_there() -> Engine:
    """The same with points that lie on a GPU and are counted there; that their classes go there is part of the work.

    Raises
    ------
    Unavailable
        If CuPy cannot be used on this computer.
    """
    module = engines.load("mesh_cuda")

    def run(X: Any, job: Job) -> Made:
        return _drawn(lambda: {"x": X[0], "y": X[1], "label": job.labels}, job, module.sync)

    # The picture is NumPy's already.
    return Engine("cuda", run, module.put, sync=module.sync)


def _drawn(table: Callable[[], Any], job: Job, sync: Callable[[], None] = nothing) -> Made:
    """The picture of a table, whose making belongs to the first stage."""
    from gpu_pipeline.render import aggregate, fit, prepare, shade, spread

    watch, size = Stopwatch(), job.settings.model_dump()
    with watch.measure("prepare", sync):
        (layer,) = prepare(table(), colour="label")
    with watch.measure("aggregate", sync):
        grid = aggregate(layer, fit(layer.frame, size["width"], size["height"]))
    with watch.measure("spread"):
        grid = spread(grid)
    with watch.measure("shade"):
        image = np.asarray(shade(grid, layer.key))
    return Made({"picture": image}, watch.seconds)


def datashader() -> Engine:
    """Datashader alone, as its documentation draws categories: count, shade by class, spread."""
    import datashader as ds
    from datashader import transfer_functions as tf

    def run(X: np.ndarray, job: Job) -> Made:
        watch, size = Stopwatch(), job.settings.model_dump()
        with watch.measure("prepare"):
            table = _table(X, job)
            table["label"] = table["label"].astype("category")
        with watch.measure("aggregate"):
            canvas = ds.Canvas(size["width"], size["height"])
            counts = canvas.points(table, "x", "y", ds.by("label", ds.count()))
        with watch.measure("shade"):
            image = tf.shade(counts)
        with watch.measure("spread"):
            picture = np.asarray(tf.dynspread(image).to_pil())
        return Made({"picture": picture}, watch.seconds)

    return Engine("cpu", run)


def _table(X: np.ndarray, job: Job) -> pd.DataFrame:
    return pd.DataFrame({"x": X[0], "y": X[1], "label": job.labels}, copy=False)


def pipeline(name: str) -> Engine:
    """`pipeline.run` from pixels in memory to the picture; what it takes for its own scores is not part of the run.

    Raises
    ------
    Unavailable
        If the engine cannot be used on this computer.
    """
    module = engines.load(name)

    def run(X: np.ndarray, job: Job) -> Made:
        assert isinstance(job.settings, Recipe)
        recipe = job.settings.model_copy(update={"engine": name, "seed": job.seed})
        done = project.run(recipe, _dataset(X, job.labels))
        seconds = dict(done.record.seconds)
        apart = seconds.pop("score")
        seconds["transfer"] = sum(done.record.transfer.values())
        arrays = {
            "map": done.embedding,
            "clusters": done.points["cluster"].to_numpy(),
            "picture": np.asarray(done.picture()),
        }
        return Made(arrays, {stage: value for stage, value in seconds.items() if value}, apart=apart)

    return Engine("cuda" if module.DEVICE == "gpu" else "cpu", run, sync=module.sync)


def _dataset(X: np.ndarray, labels: np.ndarray | None) -> Dataset:
    n = len(X)
    return Dataset(name="pixels", X=X, y=labels, rows=np.arange(n), total=n, image_shape=(28, 28))
