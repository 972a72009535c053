"""One step of a run: which engine does it, where its arrays lie, what it took, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, Literal, TypeVar

import numpy as np

from .engines import SLOW_STARTERS, Output, Progress, engine_name, first_able
from .methods import Settings
from .recipe import Recipe
from .timing import Stopwatch

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
class Held:
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
class Journal:
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


FOR_NEW_ROWS = ("reduce", "embed")
"""Steps of which a run keeps what new rows need: of others it is left where it is."""


def engine_step(step: str, settings: Settings, X: Held, recipe: Recipe, journal: Journal) -> Held:
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
        asked = output.keep if step in FOR_NEW_ROWS else {}
        kept = {name: np.asarray(engine.get(array)) for name, array in asked.items()}
        return replace(output, array=Held(output.array, engine, kept))

    started = X.engine is not None and engine_name(X.engine) in SLOW_STARTERS
    light = settings.is_light(*X.array.shape) and not started
    name, output = first_able(method, recipe.engine_of(step), attempt, journal.skip, light=light)
    journal.engines[step] = name
    journal.facts[step] = dict(output.facts)
    for sentence in output.notes:
        journal.note(sentence)
    held: Held = output.array
    return held
