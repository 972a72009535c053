"""The only place where clocks are read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime


def now() -> str:
    """This moment, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def since(moment: str) -> float:
    """Seconds from a moment that `now` gave, in whatever process, to this one; never less than 0."""
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())


def seconds() -> float:
    """A clock that only runs forward, in seconds from an arbitrary start."""
    return time.perf_counter()


def nothing() -> None:
    """The barrier of work that is done when its call returns."""


@dataclass
class Stopwatch:
    """Seconds by name; a name that is measured twice is added up."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, name: str, sync: Callable[[], None] = nothing) -> Iterator[None]:
        """Add the time of the block to `name`, with `sync` as a barrier on both sides."""
        sync()
        start = seconds()
        try:
            yield
            sync()
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds() - start
