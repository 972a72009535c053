"""What passes between a case and whoever does its work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpu_pipeline.methods import Settings
from gpu_pipeline.timing import nothing


class Refused(RuntimeError):
    """A program that works but cannot do the case's work as it stands; the message says why."""


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes
    ----------
    settings
        The case's, with nothing left open.
    seed
        Of every random choice.
    labels
        (n,) class of each row, for drawing; None for everyone else.
    start
        (n, 2) float32, where t-SNE begins; None for other tasks.
    """

    settings: Settings
    seed: int = 0
    labels: np.ndarray | None = None
    start: np.ndarray | None = None


@dataclass(frozen=True)
class Made:
    """What came of it.

    Attributes
    ----------
    arrays
        "map" (n, 2), "scores" (n, components), "clusters" (n,) or "picture" (height, width, 3 or 4), of the
        engine's own kind.
    stages
        Seconds of the parts of the run that are known.
    notes
        Settings of the case that the engine could not take, and what it did instead.
    apart
        Seconds within the run that are not part of the work.
    """

    arrays: Mapping[str, Any]
    stages: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    apart: float = 0.0


def same(X: Any) -> Any:
    """The array as it is: of those who work on NumPy arrays."""
    return X


@dataclass(frozen=True)
class Engine:
    """Someone ready to work.

    Attributes
    ----------
    device
        "cpu" or "cuda".
    run
        Does the work.
    put, get, sync
        An array to the engine's own kind and back, and a barrier after which all work is done.
    """

    device: str
    run: Callable[[Any, Job], Made]
    put: Callable[[np.ndarray], Any] = same
    get: Callable[[Any], Any] = same
    sync: Callable[[], None] = nothing


Table = Mapping[str, Mapping[str, Callable[[], Engine]]]
"""Task -> engine -> a function that gets it ready, or raises `Unavailable`."""
