"""Which engine knows which method, and how one is chosen.

An engine is a module with

- `DEVICE`: "cpu" or "gpu";
- `check()`: returns None, or raises `Unavailable` with the reason;
- `put(X)`, `get(X)`, `sync()`: a NumPy array to the engine's own kind of array and back, and a
  barrier after which all work is done;
- on a GPU `arrays()`: the module, like NumPy, whose arrays these are;
- one function for each method that it knows, `method(X, settings, seed, report) -> Output`, which
  may raise `Unsupported` (does not know this setting) or `EngineFailed` (broke in the middle).

`X` and `Output.array` are of the engine's own kind. To add an engine is to write the module and to
name it in `ENGINES`.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal, TypeVar

import numpy as np

from ..errors import EngineFailed, Unavailable, Unsupported, unknown_name
from ..processors import threads as threads

T = TypeVar("T")

ENGINES: dict[str, tuple[str, ...]] = {
    "pca": ("mesh_cuda", "rapids", "scikit_learn"),
    "tsne": ("mesh_cuda", "rapids", "mesh", "scikit_learn"),
    "umap": ("rapids", "umap_learn"),
    "kmeans": ("rapids", "scikit_learn"),
    "neighbors": ("mesh_cuda", "rapids", "mesh", "scikit_learn"),
}
"""Method -> names of the engines that know it, best first by docs/engines.md: "auto" takes the first that can."""

EXACT_COLUMNS = 2_000
"""Columns up to which engines take principal axes from the covariance; its cost grows with their square and cube."""

SLOW_STARTERS = ("rapids",)
"""Engines that take seconds to import, in each process anew: "auto" takes them last for what is done sooner without."""

NAMES = tuple(dict.fromkeys(name for names in ENGINES.values() for name in names))


@dataclass(frozen=True)
class Progress:
    """How far a long step is.

    Attributes
    ----------
    done, total
        Iterations done and planned; None where the engine does not tell.
    kl
        Kullback-Leibler divergence so far, in nats, where it was computed.
    embedding
        A function that gives the map so far, (n, 2) float32 in the order of the rows.
    rows_a_second
        How fast rows are worked on, where that is told.
    """

    done: int | None = None
    total: int | None = None
    kl: float | None = None
    embedding: Callable[[], np.ndarray] | None = None
    rows_a_second: float | None = None


Report = Callable[[Progress], Literal["stop"] | None]
"""Called by an engine every few iterations; an answer of "stop" ends the optimisation."""


@dataclass(frozen=True)
class Output:
    """What an engine made.

    Attributes
    ----------
    array
        The result, of the engine's own kind: (n, n_components) float32 for `pca`, (n, 2) float32 for
        `tsne` and `umap`, (n,) int32 for `kmeans`, and for `neighbors` a pair of (n, k) arrays,
        indices and distances, sorted by distance, the point itself left out.
    facts
        Figures to keep in the record (iterations done, inertia), JSON-serialisable.
    notes
        Sentences on settings that this engine could not take as asked.
    keep
        Arrays of the engine's own kind that help to do the same to other rows, float32: of `pca` the `mean` (columns,)
        and the `axes` (columns, n_components); of `tsne`, unless they have to be found anew, `beta` and `level` (n,),
        see `mesh.affinities.Widths`.
    """

    array: Any
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    keep: Mapping[str, Any] = field(default_factory=dict)


def silent(progress: Progress) -> None:
    """The report of someone who does not want to know."""


def load(name: str) -> ModuleType:
    """The engine module of that name, known to be usable here.

    Raises
    ------
    InputError
        If no engine has that name.
    Unavailable
        If it cannot be used on this computer.
    """
    if name not in NAMES:
        raise unknown_name("engine", name, NAMES)
    module = importlib.import_module(f"{__name__}.{name}")
    module.check()
    return module


def engine_name(module: ModuleType) -> str:
    """The name in `ENGINES` of an engine's module."""
    return module.__name__.rpartition(".")[2]


def candidates(method: str, name: str = "auto", *, light: bool = False) -> tuple[str, ...]:
    """Names of the engines to try for a method, best first.

    Parameters
    ----------
    method
        The method that the engine has to know.
    name
        An engine's name, or "auto" for all that know the method.
    light
        That there is so little to do that engines which are slow to start come last; see `Settings.is_light`.

    Raises
    ------
    InputError
        If no engine has that name.
    Unavailable
        If the named engine does not know the method.
    """
    known = ENGINES[method]
    if name == "auto":
        return tuple(sorted(known, key=SLOW_STARTERS.__contains__)) if light else known
    if name not in NAMES:
        raise unknown_name("engine", name, ("auto", *NAMES))
    if name not in known:
        raise Unavailable(f"the engine {name} does not do {method}: choose {' or '.join(known)}")
    return (name,)


def first_able(
    method: str,
    asked: str,
    action: Callable[[ModuleType], T],
    skip: Callable[[str, str], object],
    *,
    light: bool = False,
) -> tuple[str, T]:
    """Do something with the best engine that can.

    Parameters
    ----------
    method
        The method that the engine has to know.
    asked
        An engine's name, which is used or the call fails; or "auto", which passes over each engine
        that is unavailable, does not know a setting, or breaks.
    action
        Called with the engine's module.
    skip
        Told the name of each engine that was passed over, and why.
    light
        As of `candidates`.

    Returns
    -------
    The engine's name, and what `action` gave.

    Raises
    ------
    InputError
        If no engine has that name.
    Unavailable, Unsupported, EngineFailed
        From the named engine; `Unavailable` if "auto" finds none that can.
    """
    reasons = []
    for name in candidates(method, asked, light=light):
        try:
            return name, action(load(name))
        except (Unavailable, Unsupported, EngineFailed) as reason:
            if asked != "auto":
                raise type(reason)(f"{name}: {reason}") from None
            reasons.append(f"{name}: {reason}")
            skip(name, str(reason))
            broke = isinstance(reason, EngineFailed)
        if broke:  # Outside the handler, whose traceback would keep the engine's arrays alive.
            gc.collect()
    raise Unavailable(f"no engine can do {method} here ({'; '.join(reasons)}).")
