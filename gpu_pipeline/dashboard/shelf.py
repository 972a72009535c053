"""Values that are made once and shared by all who ask for them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass
class _Turn:
    """Whose turn it is to make a value, and how many make it or wait for it."""

    lock: Any = field(default_factory=threading.RLock)
    people: int = 0


class Shelf:
    """A few values by name, each made once even if two sessions ask at a time; the one used longest ago goes first.

    Whoever asks for a value that is being made waits for that one only. What could not be made is not kept: the next
    who asks tries again.

    Parameters
    ----------
    room
        How many are kept.
    size
        Tells how many bytes a value has, where they are bounded too.
    most
        Bytes of all together at most; the last one is kept however many it has.
    """

    def __init__(self, room: int, size: Callable[[Any], int] | None = None, most: int = 0) -> None:
        self._room, self._size, self._most = room, size, most
        self._values: OrderedDict[Any, Any] = OrderedDict()
        self._turns: dict[Any, _Turn] = {}
        self._lock = threading.Lock()

    def get(self, name: Any, make: Callable[[], T]) -> T:
        """The value of that name, made now if there is none."""
        found: list[T] = self._kept(name)
        if not found:
            with self._turn(name):
                # Another may have made it while this one waited.
                found = self._kept(name) or [self._keep(name, make())]
        return found[0]

    def has(self, name: Any) -> bool:
        """Whether there is a value of that name."""
        with self._lock:
            return name in self._values

    def _kept(self, name: Any) -> list[Any]:
        with self._lock:
            if name not in self._values:
                return []
            self._values.move_to_end(name)
            return [self._values[name]]

    def _keep(self, name: Any, value: T) -> T:
        with self._lock:
            self._values[name] = value
            while len(self._values) > 1 and self._is_full():
                self._values.popitem(last=False)
        return value

    def _is_full(self) -> bool:
        if self._size is not None and sum(map(self._size, self._values.values())) > self._most:
            return True
        return len(self._values) > self._room

    @contextmanager
    def _turn(self, name: Any) -> Iterator[None]:
        with self._lock:
            turn = self._turns.setdefault(name, _Turn())
            turn.people += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._lock:
                turn.people -= 1
                if not turn.people:
                    del self._turns[name]
