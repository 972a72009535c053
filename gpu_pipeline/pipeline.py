"""The one place where engines are chained and timed: a recipe goes in, a run comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar

import numpy as np
import pandas as pd

from . import datasets
from .datasets import Dataset
from .datasets.labels import as_column
from .engines import SLOW_STARTERS, Output, Progress, candidates, engine_name, first_able, load
from .errors import EngineFailed, InputError, Unavailable
from .machine import facts
from .methods import PCA, TSNE, UMAP, Settings
from .placing import Axes, Preparation, Reference, features_of
from .preprocess import limits_of, preprocess
from .recipe import Recipe
from .record import Record, Run
from .scoring import score
from .timing import Stopwatch, nothing, now

T = TypeVar("T")


class Observer:
    """Told what a run is doing; this one does not care. Derive from it to show progress."""

    def note(self, sentence: str) -> None:
        """Something that a reader of the result should know."""

    def begin(self, step: str, engine: str | None) -> None:
        """A step begins, on an engine or on none."""

    def progress(self, step: str, progress: Progress) -> Literal["stop"] | None:
        """A step goes on; an answer of "stop" ends an optimisation early."""
        return None

    def end(self, step: str, seconds: float) -> None:
        """A step is done."""


@dataclass
class _Held:
    """An array, the engine that holds it (None: the host's memory), and what that kept for other rows, on the host."""

    array: Any
    engine: ModuleType | None = None
    kept: Mapping[str, np.ndarray] = field(default_factory=dict)

    def host(self) -> np.ndarray:
        return np.asarray(self.array if self.engine is None else self.engine.get(self.array))

    def on(self, engine: ModuleType) -> Any:
        """The array as `engine` takes it; it stays where it is if one with arrays of its kind made it."""
        same = self.engine is not None and self.engine.get is engine.get
        return self.array if same else engine.put(self.host())

    def on_gpu(self) -> Any:
        """The array, if a GPU holds it."""
        return None if self.engine is None or self.engine.DEVICE != "gpu" else self.array


@dataclass
class _Journal:
    """What a run has done so far."""

    observer: Observer
    work: Stopwatch = field(default_factory=Stopwatch)
    transfer: Stopwatch = field(default_factory=Stopwatch)
    engines: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)
            self.observer.note(sentence)

    def skip(self, engine: str, reason: str) -> None:
        if engine not in self.skipped:
            self.skipped[engine] = reason
            self.observer.note(f"{engine} passed over: {reason}")

    def step(self, name: str, action: Callable[[], T]) -> T:
        """An action that no engine does, timed."""
        self.observer.begin(name, None)
        with self.work.measure(name):
            result = action()
        self.observer.end(name, self.work.seconds[name])
        return result


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
    journal = _Journal(observer or Observer())
    compiled = _compile_ahead(recipe)
    loaded = journal.step("load", lambda: data_of(recipe, data_dir) if dataset is None else datasets.checked(dataset))
    check(recipe, loaded)
    for sentence in loaded.notes:
        journal.note(sentence)
    how = loaded.recommended if recipe.preprocess == "auto" else recipe.preprocess
    prepared = Preparation(how, loaded.X.shape[1], limits_of(loaded.X), loaded.image_shape, loaded.columns)
    X = journal.step("preprocess", lambda: preprocess(loaded.X, how, prepared.image_shape, prepared.limits))
    features = _reduce(recipe, _Held(X), journal)
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
    journal = _Journal(observer or Observer())
    compiled = _compile_ahead(recipe)
    check(recipe, dataset)
    features = journal.step("reduce", lambda: features_of(dataset.X, prepared, reduction))
    journal.step("compile", compiled.result)
    kept = {} if reduction is None else {"mean": reduction.mean, "axes": reduction.axes}
    return _map(recipe, dataset, prepared, _Held(features, kept=kept), journal)


def _map(recipe: Recipe, dataset: Dataset, prepared: Preparation, features: _Held, journal: _Journal) -> Run:
    """From features on: embed, cluster, score, draw."""
    embedded = _engine_step("embed", recipe.embed, features, recipe, journal)
    clustered = embedded if recipe.cluster_on == "map" else features
    clusters = _engine_step("cluster", recipe.cluster, clustered, recipe, journal)
    with journal.transfer.measure("keep"):
        on_host = (features.host(), embedded.host(), clusters.host())
    reference = journal.step("keep", lambda: _keep(recipe, prepared, on_host, features.kept, embedded.kept))
    made = _finish(recipe, dataset, prepared.how, features, embedded, on_host, journal)
    return replace(made, _reference=reference)


def check(recipe: Recipe, dataset: Dataset) -> None:
    """Hold the settings against the data, before anything is computed.

    Raises
    ------
    InputError
        If a setting asks for more than there are rows or columns.
    """
    check_sizes(recipe, dataset.name, (dataset.X.shape[0], dataset.X.shape[1]), dataset.image_shape)


def check_sizes(recipe: Recipe, name: str, shape: tuple[int, int], image_shape: tuple[int, int] | None) -> None:
    """The same, of rows that are not read yet: `shape` is how many are embedded, and their columns."""
    n, columns = shape
    embed = recipe.embed
    if n < 3:
        raise InputError(f"{name} has {n} rows, which are too few for a map: take 3 or more.")
    if isinstance(embed, PCA) and columns < 2:
        raise InputError(f"{name} has one column, but a map by PCA needs two: use --method tsne or umap.")
    if isinstance(embed, PCA) and recipe.reduce.n_components == 1:
        raise InputError("a map by PCA needs two components, but reduce leaves one: use --pca 2 or more, or --pca 0.")
    if isinstance(embed, TSNE) and n < 3 * embed.perplexity:
        raise InputError(
            f"{n:,} rows are too few for perplexity {embed.perplexity:g}, which needs at least "
            f"{int(np.ceil(3 * embed.perplexity)):,}: take more rows or --perplexity {max(n // 3, 2)} or less."
        )
    if isinstance(embed, UMAP) and embed.n_neighbors >= n:
        raise InputError(
            f"n_neighbors is {embed.n_neighbors} but there are only {n:,} rows: lower it or take more rows."
        )
    if recipe.cluster.n_clusters > n:
        raise InputError(
            f"n_clusters is {recipe.cluster.n_clusters} but there are only {n:,} rows: lower it or take more rows."
        )
    if recipe.preprocess == "deskew" and image_shape is None:
        raise InputError(f"deskew needs images, but {name} has no image shape: give it one or use preprocess none.")


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


def data_of(recipe: Recipe, data_dir: str | Path | None) -> Dataset:
    """The data set that a recipe names; raises what `datasets.load` raises."""
    data = recipe.data
    return datasets.load(
        data.name,
        data_dir=data_dir,
        sample=data.sample,
        seed=recipe.seed,
        label_column=data.label_column,
        columns=data.columns,
        keep=data.keep,
        image_shape=data.image_shape,
    )


def _reduce(recipe: Recipe, X: _Held, journal: _Journal) -> _Held:
    """PCA, unless all columns are to be kept or there are no more of them than components."""
    n, columns = X.array.shape
    asked = recipe.reduce.n_components
    if asked == 0 or asked >= columns:
        journal.step("reduce", lambda: None)
        return X
    return _engine_step("reduce", PCA(n_components=min(asked, n)), X, recipe, journal)


def _engine_step(step: str, settings: Settings, X: _Held, recipe: Recipe, journal: _Journal) -> _Held:
    """Let the best engine that can do a step do it, moving the array there if it is elsewhere."""
    method = recipe.method(step)

    def attempt(engine: ModuleType) -> Output:
        journal.observer.begin(step, engine_name(engine))
        with journal.transfer.measure(step, engine.sync):
            array = X.on(engine)
        with journal.work.measure(step, engine.sync):
            output: Output = getattr(engine, method)(
                array, settings, recipe.seed, lambda progress: journal.observer.progress(step, progress)
            )
        journal.observer.end(step, journal.work.seconds[step])
        kept = {name: np.asarray(engine.get(array)) for name, array in output.keep.items()}
        return replace(output, array=_Held(output.array, engine, kept))

    started = X.engine is not None and engine_name(X.engine) in SLOW_STARTERS
    light = settings.is_light(*X.array.shape) and not started
    name, output = first_able(method, recipe.engine_of(step), attempt, journal.skip, light=light)
    journal.engines[step] = name
    journal.facts[step] = dict(output.facts)
    for sentence in output.notes:
        journal.note(sentence)
    held: _Held = output.array
    return held


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
    held: _Held,
    embedded: _Held,
    on_host: tuple[np.ndarray, ...],
    journal: _Journal,
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
    columns |= {"cluster": clusters, "neighbor_recall": scores.neighbor_recall}
    if scores.misfit is not None:
        columns["misfit"] = as_column(scores.misfit)
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


def _draw(run: Run, embedded: _Held, journal: _Journal) -> None:
    """Make the run's picture; where a GPU holds the map its points are counted there, unless it fails."""
    try:
        run.picture(embedded.on_gpu())
    except EngineFailed as reason:
        journal.note(f"the picture was drawn on the CPU: {reason}")
        run.picture()
