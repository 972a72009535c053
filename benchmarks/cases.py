"""What is measured: a literal table. A case is the same work for every engine; its settings belong to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from gpu_pipeline import methods, recipe
from gpu_pipeline.errors import InputError
from gpu_pipeline.methods import Settings

TSNE_ENGINES = ("mesh", "mesh@cuda", "rapids", "cuml", "scikit_learn", "scikit_learn_intelex", "opentsne", "pacmap")
UMAP_ENGINES = ("umap_learn_mesh", "umap_learn", "umap_learn_threads", "rapids")
KMEANS_ENGINES = ("scikit_learn", "scikit_learn_intelex", "faiss", "rapids")
PCA_ENGINES = ("scikit_learn", "scikit_learn_intelex", "rapids", "mesh@cuda")
PIPELINE_ENGINES = ("mesh", "mesh@cuda", "rapids")
DRAW_ENGINES = ("render", "render@cuda", "datashader")

METHODS: dict[str, type[Settings]] = {
    "tsne": methods.TSNE,
    "umap": methods.UMAP,
    "pca": methods.PCA,
    "kmeans": methods.KMeans,
}
"""Task -> its settings; "draw" and "pipeline" have forms of their own."""

INPUTS = {"tsne": "features", "umap": "features", "pca": "pixels", "draw": "points", "pipeline": "pixels"}
"""Task -> the arrays that it begins with, see `inputs`; k-means begins with what its case says."""


@dataclass(frozen=True)
class Case:
    """One piece of work.

    Attributes
    ----------
    name
        What results are filed under: never reuse one for other work.
    task
        "tsne", "umap", "pca", "kmeans", "draw" or "pipeline".
    data, n
        Which rows: "mnist" (a sample without replacement, seed 42), "digits" (the first n, of any number) or
        "blobs" or "narrow" (made-up maps; of the second all points fall into few pixels).
    engines
        Who does it, `name` or `name@device`, in the order of the first repeat; the others rotate.
    settings
        What differs from the defaults of the method's settings.
    on
        The input, if it is not the task's usual one.
    repeats
        Fresh processes for each engine, with the seeds 0, 1, 2.
    once
        Engines that are too slow to be measured more than once.
    timeout
        Seconds from the start of the process to its end.
    """

    name: str
    task: str
    data: str
    n: int
    engines: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    on: str = ""
    repeats: int = 3
    once: tuple[str, ...] = ()
    timeout: float = 600.0

    @property
    def input(self) -> str:
        """Name of the array that the engines begin with."""
        return self.on or INPUTS[self.task]

    def method(self) -> Settings:
        """The settings, checked, with their defaults filled in."""
        if self.task == "pipeline":
            return recipe.make({"preprocess": "none", **self.settings})
        if self.task == "draw":
            return Draw(**self.settings)
        return METHODS[self.task](**self.settings)

    def settings_json(self) -> dict[str, Any]:
        """All settings as plain values, for the results."""
        # Of a recipe that is done on given rows, engine, seed and data are no settings.
        left_out = {"method", "engine", "engines", "seed", "data"}
        values = self.method().model_dump(mode="json", exclude=left_out, exclude_none=True)
        return {"on": self.on, **values} if self.task == "kmeans" else values

    def seeds(self, engine: str) -> range:
        """The seeds, one for each repeat of that engine."""
        return range(1 if engine in self.once else self.repeats)


class Draw(Settings):
    """A picture of all points by class, in pixels."""

    width: int = 800
    height: int = 800


def tsne(n: int, data: str = "mnist", *, engines: tuple[str, ...] = TSNE_ENGINES, **options: Any) -> Case:
    return Case(f"tsne-{data}-{n}", "tsne", data, n, engines, **options)


def tsne_of(iterations: int, n: int, engines: tuple[str, ...], repeats: int) -> Case:
    """One point of a curve of quality against time; that of 1,000 iterations is the plain case."""
    name = f"tsne-mnist-{n}-iterations-{iterations}"
    return Case(name, "tsne", "mnist", n, engines, {"iterations": iterations}, repeats=repeats, timeout=1200)


def kmeans(k: int, starts: int, iterations: int) -> Case:
    settings = {"n_clusters": k, "n_init": starts, "max_iter": iterations, "tol": 0.0}
    return Case(f"kmeans-{k}-mnist-70000", "kmeans", "mnist", 70_000, KMEANS_ENGINES, settings, "features")


SLOW = ("scikit_learn", "opentsne", "pacmap")
CURVE = ("mesh", "mesh@cuda", "rapids", "scikit_learn_intelex", "opentsne")
# One learning rate for both phases, n / 12 in the literature's convention: what all but cuML can be given.
ONE_RATE = {"learning_rate": 20_000 / 48}

CASES = (
    tsne(5_000),
    tsne(10_000, once=("scikit_learn",)),
    tsne(20_000, once=SLOW),
    tsne(40_000, once=SLOW, timeout=1200),
    tsne(70_000, once=SLOW, timeout=2400),
    tsne(200_000, "digits", engines=PIPELINE_ENGINES, repeats=1, timeout=1200),
    tsne(1_000_000, "digits", engines=PIPELINE_ENGINES, repeats=1, timeout=2400),
    *(tsne_of(iterations, 20_000, CURVE, 1) for iterations in (250, 500, 750, 2_000)),
    *(tsne_of(iterations, 70_000, CURVE[:3], 1) for iterations in (250, 500, 750, 2_000)),
    Case("tsne-mnist-20000-one-rate", "tsne", "mnist", 20_000, CURVE, ONE_RATE, repeats=1),
    Case("umap-mnist-5000", "umap", "mnist", 5_000, UMAP_ENGINES),
    Case("umap-mnist-20000", "umap", "mnist", 20_000, UMAP_ENGINES, once=UMAP_ENGINES[:3]),
    Case("umap-mnist-70000", "umap", "mnist", 70_000, UMAP_ENGINES, once=UMAP_ENGINES[:3], timeout=1200),
    Case("pca-mnist-70000", "pca", "mnist", 70_000, PCA_ENGINES),
    kmeans(10, 3, 50),
    kmeans(100, 1, 25),
    kmeans(1_000, 1, 25),
    Case(
        "kmeans-map-mnist-70000", "kmeans", "mnist", 70_000, KMEANS_ENGINES,
        {"n_clusters": 10, "n_init": 3, "max_iter": 50, "tol": 0.0}, "map",
    ),
    *(Case(f"draw-{n}", "draw", "blobs", n, DRAW_ENGINES) for n in (70_000, 1_000_000, 10_000_000, 100_000_000)),
    Case("draw-narrow-10000000", "draw", "narrow", 10_000_000, DRAW_ENGINES),
    Case("pipeline-mnist-5000", "pipeline", "mnist", 5_000, (*PIPELINE_ENGINES, "scikit_learn"), once=SLOW[:1]),
    Case("pipeline-mnist-70000", "pipeline", "mnist", 70_000, PIPELINE_ENGINES),
)  # fmt: skip

QUICK = (
    *("tsne-mnist-5000", "tsne-mnist-20000", "umap-mnist-5000", "pca-mnist-70000", "kmeans-10-mnist-70000"),
    *("draw-70000", "draw-1000000", "draw-10000000", "pipeline-mnist-5000"),
)
"""Names of the cases that show the most for about ten minutes on two cores."""

SUBSETS: dict[str, tuple[str, ...]] = {
    "quick": QUICK,
    "full": tuple(case.name for case in CASES),
    "gpu": tuple(case.name for case in CASES),
}
"""Subset -> names of its cases; "gpu" has the engines on a GPU only."""


def choose(subset: str, patterns: Iterable[str] = (), engines: Iterable[str] = ()) -> list[Case]:
    """Cases of a subset, or of the whole table where patterns are given, with the engines that are wanted.

    Raises
    ------
    InputError
        If a pattern fits no case, or no case has an engine of that name.
    """
    patterns, wanted = tuple(patterns), frozenset(engines)
    for pattern in patterns:
        if not any(fnmatchcase(case.name, pattern) for case in CASES):
            raise InputError(f"no case is called {pattern!r}: `python -m benchmarks run --list` shows the names.")
    for engine in wanted:
        if not any(engine in case.engines for case in CASES):
            raise InputError(f"no case has the engine {engine!r}: `python -m benchmarks run --list` shows the names.")
    chosen = []
    for case in CASES:
        if any(fnmatchcase(case.name, pattern) for pattern in patterns) if patterns else case.name in SUBSETS[subset]:
            chosen.append(_with_engines(case, wanted, subset))
    return [case for case in chosen if case.engines]


def _with_engines(case: Case, wanted: frozenset[str], subset: str) -> Case:
    kept = tuple(
        engine
        for engine in case.engines
        if (not wanted or engine in wanted) and (subset != "gpu" or device_of(engine) == "cuda")
    )
    return replace(case, engines=kept)


def device_of(engine: str) -> str:
    """The device that an engine works on: what its name says after the @, else its only or usual one."""
    name, _, device = engine.partition("@")
    return device or ("cuda" if name in ("rapids", "cuml") else "cpu")
