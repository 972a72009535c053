"""The one place where engines are chained and timed: a recipe goes in, a run comes out."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import datasets, sizes
from .datasets import Dataset
from .datasets.labels import as_column
from .doubts import doubts
from .engines import candidates, engine_name, load
from .errors import EngineFailed, InputError, Unavailable
from .machine import facts
from .methods import PCA, UMAP
from .placing import Axes, Reference, features_of
from .preprocess import Preparation, fit, preprocess
from .recipe import Recipe
from .record import Record, Run
from .scoring import score
from .steps import Held, Journal, Observer, engine_step
from .timing import nothing, now


def run(
    recipe: Recipe | None = None,
    dataset: Dataset | None = None,
    *,
    data_dir: str | Path | None = None,
    observer: Observer | None = None,
) -> Run:
    """Do everything that a recipe says: load, preprocess, reduce, embed, cluster, score, draw.

    Parameters
    ----------
    recipe
        What to compute; all defaults if left out.
    dataset
        Rows to take instead of those that `recipe.data` names; they are checked as those are.
    data_dir
        Where known data sets are looked for first.
    observer
        Told about progress.

    Returns
    -------
    A run with NumPy arrays, not yet stored; see `Run.save`.

    Raises
    ------
    InputError
        If the data or the settings cannot be used.
    Unavailable, Unsupported, EngineFailed
        If an engine that the recipe names cannot be used, does not know a setting, or broke.
    """
    recipe = recipe or Recipe()
    if not isinstance(recipe, Recipe):
        raise InputError(f"run takes a Recipe, not {type(recipe).__name__}: give one such as Recipe(data='mnist').")
    if recipe.data.landmarks is not None:
        raise InputError("landmarks are taken by gpu_pipeline.scale.run, or on the command line: leave them out here.")
    journal = Journal(observer or Observer())
    compiled = _compile_ahead(recipe)
    loaded = journal.step("load", lambda: data_of(recipe, data_dir) if dataset is None else datasets.checked(dataset))
    sizes.check(recipe, loaded)
    for sentence in loaded.notes:
        journal.note(sentence)
    how = loaded.recommended if recipe.preprocess == "auto" else recipe.preprocess
    prepared, X = journal.step("preprocess", lambda: _prepare(loaded, how))
    features = _reduce(recipe, Held(X), journal)
    journal.step("compile", compiled.result)
    return _map(recipe, loaded, prepared, features, journal)


def run_reduced(
    recipe: Recipe,
    dataset: Dataset,
    prepared: Preparation,
    reduction: Axes | None,
    *,
    observer: Observer | None = None,
) -> Run:
    """The same for rows whose preparation and reduction are known, from more rows than these.

    Parameters
    ----------
    recipe, dataset, observer
        As in `run`.
    prepared, reduction
        How the rows become features; no reduction if all columns are kept.
    """
    journal = Journal(observer or Observer())
    compiled = _compile_ahead(recipe)
    sizes.check(recipe, dataset)
    features = journal.step("reduce", lambda: features_of(dataset.X, prepared, reduction))
    journal.step("compile", compiled.result)
    kept = {} if reduction is None else {"mean": reduction.mean, "axes": reduction.axes}
    return _map(recipe, dataset, prepared, Held(features, kept=kept), journal)


def _map(recipe: Recipe, dataset: Dataset, prepared: Preparation, features: Held, journal: Journal) -> Run:
    """From features on: embed, cluster, score, draw."""
    for sentence in doubts(dataset.X, prepared):
        journal.note(sentence)
    embedded = engine_step("embed", recipe.embed, features, recipe, journal)
    clustered = embedded if recipe.cluster_on == "map" else features
    clusters = engine_step("cluster", recipe.cluster, clustered, recipe, journal)
    with journal.transfer.measure("keep"):
        on_host = (features.host(), embedded.host(), clusters.host())
    reference = journal.step("keep", lambda: _keep(recipe, prepared, on_host, features.kept, embedded.kept))
    made = _finish(recipe, dataset, prepared.how, features, embedded, on_host, journal)
    return replace(made, _reference=reference)


def _compile_ahead(recipe: Recipe) -> Future[None]:
    """Begin to compile what the embedding will need, so that it happens while the data are loaded and reduced.

    The step "compile" is what is left to wait for then; after a computer's first run, nothing.
    """

    def compile_kernels() -> None:
        method = recipe.method("embed")
        for name in candidates(method, recipe.engine_of("embed")):
            with suppress(Unavailable, EngineFailed):  # said by the step itself
                getattr(load(name), "compile", nothing)()
                return

    compiler = ThreadPoolExecutor(1, "compile")
    future = compiler.submit(compile_kernels)
    compiler.shutdown(wait=False)
    return future


def data_of(recipe: Recipe, data_dir: str | Path | None = None) -> Dataset:
    """The data set that a recipe names; raises what `datasets.load` raises."""
    data = recipe.data
    return datasets.load(
        data.name,
        data_dir=data_dir,
        sample=data.sample,
        seed=recipe.seed_of_sample(),
        label_column=data.label_column,
        columns=data.columns,
        keep=data.keep,
        beside=data.beside,
        image_shape=data.image_shape,
    )


def _prepare(dataset: Dataset, how: str) -> tuple[Preparation, np.ndarray]:
    prepared = fit(dataset.X, how, dataset.image_shape, dataset.columns)
    return prepared, preprocess(dataset.X, prepared)


def _reduce(recipe: Recipe, X: Held, journal: Journal) -> Held:
    """PCA, unless all columns are to be kept or there are no more of them than components."""
    n, columns = X.array.shape
    asked = recipe.reduce.n_components
    if asked == 0 or asked >= columns:
        journal.step("reduce", lambda: None)
        return X
    return engine_step("reduce", PCA(n_components=min(asked, n)), X, recipe, journal)


def _keep(
    recipe: Recipe,
    prepared: Preparation,
    on_host: tuple[np.ndarray, ...],
    reduction: Mapping[str, np.ndarray],
    kept: Mapping[str, np.ndarray],
) -> Reference | None:
    """What new rows will be placed by; None for a map by UMAP, whose model cannot be kept."""
    settings, (features, embedding, _) = recipe.embed, on_host
    if isinstance(settings, UMAP):
        return None
    return Reference.build(
        features,
        embedding,
        settings,
        preparation=prepared,
        reduction=Axes(**reduction) if reduction else None,
        kept=kept,
        seed=recipe.seed,
    )


def _finish(
    recipe: Recipe,
    dataset: Dataset,
    how: str,
    held: Held,
    embedded: Held,
    on_host: tuple[np.ndarray, ...],
    journal: Journal,
) -> Run:
    """Score, draw and write down; `held` are the features."""
    features, embedding, clusters = on_host
    scores = journal.step(
        "score",
        lambda: score(
            features,
            embedding,
            clusters,
            dataset.y,
            perplexity=recipe.judge_perplexity(),
            engine=recipe.engine_of("score"),
            seed=recipe.seed,
            report=lambda progress: journal.observer.progress("score", progress),
            held={} if held.engine is None else {engine_name(held.engine): held.array},
        ),
    )
    journal.engines["score"] = scores.engine
    for name, reason in scores.skipped.items():
        journal.skip(name, reason)
    for sentence in scores.notes:
        journal.note(sentence)
    columns: dict[str, Any] = {"row": dataset.rows, "x": embedding[:, 0], "y": embedding[:, 1]}
    if dataset.y is not None:
        columns["label"] = as_column(dataset.y)
    columns |= {"cluster": clusters, **scores.columns(dataset.rows)}
    if dataset.kept is not None:
        columns |= {str(name): values for name, values in dataset.kept.items()}
    record = Record(
        recipe=recipe,
        dataset={
            "name": dataset.name,
            "source": dataset.source,
            "n": len(dataset.X),
            "total": dataset.total,
            "columns": dataset.X.shape[1],
            "image_shape": dataset.image_shape and list(dataset.image_shape),
            "digest": dataset.digest(),
        },
        preprocess=how,
        engines=journal.engines,
        skipped=journal.skipped,
        seconds=journal.work.seconds,
        transfer=journal.transfer.seconds,
        facts=journal.facts,
        notes=journal.notes,
        machine=facts(),
        created=now(),
    )
    result = Run(record, pd.DataFrame(columns), features, scores)
    journal.step("draw", lambda: _draw(result, embedded, journal))
    return result


def _draw(run: Run, embedded: Held, journal: Journal) -> None:
    """Make the run's picture; where a GPU holds the map its points are counted there, unless it fails."""
    from .render.text import boxes

    try:
        run.picture(embedded.on_gpu())
    except EngineFailed as reason:
        journal.note(f"the picture was drawn on the CPU: {reason}")
        run.picture()
    if "label" in run.points and (sentence := boxes(map(str, run.points["label"].dropna().unique()))):
        journal.note(sentence)
