"""Work that takes longer than a moment: done in a thread, so that nobody else's page waits for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar, cast

from tornado.ioloop import IOLoop

from ..errors import InputError
from .sending import together

T = TypeVar("T")
Name = str | tuple[Any, ...]

BROKE = "something broke on the server, and its log says what: try it again, or go on with something else."
"""What is said of a fault that nobody foresaw."""

SHOWING = ThreadPoolExecutor(2, thread_name_prefix="showing")
"""Threads that fill the left side: it takes a moment, and is not to wait for what takes long of other pages."""

TESTING = ThreadPoolExecutor(2, thread_name_prefix="testing")
"""Threads that test uploaded files: minutes each, for which nothing else is to wait."""

WRITING = ThreadPoolExecutor(2, thread_name_prefix="writing")
"""Threads that write files to fetch, for which no page is to wait."""


class Background:
    """What one page has done aside.

    The work must change nothing of the page: it is given what it needs, and gives back what is shown then.

    Parameters
    ----------
    document
        The page's. None does everything at once, as a page without a server needs it.
    pool
        Threads that all pages share.
    """

    def __init__(self, document: Any, pool: ThreadPoolExecutor) -> None:
        self._document, self._pool = document, pool
        self._loop: Any = IOLoop.current(instance=document is not None)
        self._newest: dict[Name, object] = {}
        self._held: list[Callable[[], None]] | None = None

    def ask(
        self,
        name: Name,
        work: Callable[[], T],
        then: Callable[[T], object],
        failed: Callable[[str], object],
        pool: ThreadPoolExecutor | None = None,
    ) -> None:
        """Have work done, and `then` told its result when the document is free.

        Parameters
        ----------
        name
            Its kind, or (kind, which one). Of several works of one name only the newest is answered, and one that has
            not begun is not done at all.
        work
            Done in a thread.
        then
            Given what the work returned.
        failed
            Given the sentence of an `InputError`; `BROKE` for any other fault, which goes on to the loop's log.
        pool
            Threads that do it; those that all pages share if None.
        """
        wish = self._newest[name] = object()

        def do() -> T | None:
            return work() if self._newest.get(name) is wish else None

        def answer(result: Callable[[], T | None]) -> None:
            if self._newest.get(name) is not wish:
                return
            del self._newest[name]
            sentence = BROKE
            try:
                then(cast(T, result()))
                sentence = ""
            except InputError as error:
                sentence = str(error)
            finally:
                if sentence:
                    failed(sentence)

        if self._document is None:
            answer(work)
        else:
            (pool or self._pool).submit(do).add_done_callback(
                lambda future: self._loop.add_callback(partial(self._deliver, partial(answer, future.result)))
            )

    def waits(self, name: Name) -> bool:
        """Whether a work of that name, or any of that kind, is not answered yet."""
        return any(name == known or (isinstance(known, tuple) and name == known[0]) for known in self._newest)

    def forget(self, name: Name) -> None:
        """Take a wish back."""
        self._newest.pop(name, None)

    def hold(self) -> None:
        """Keep all answers until `release`.

        Panel loses what changes between the page's first copy of the document and its being loaded.
        """
        self._held = []

    def keeps(self, answer: Callable[[], None]) -> bool:
        """Whether answers are kept, and then keep this one with them, once."""
        if self._held is None:
            return False
        if answer not in self._held:
            self._held.append(answer)
        return True

    def release(self) -> None:
        """Give the answers that were kept, and from now on each at once; any thread may call it."""
        self._loop.add_callback(self._release)

    def _deliver(self, answer: Callable[[], None]) -> None:
        """Answer when the page is there and its document free; it may be closed by now."""
        if self._held is not None:
            self._held.append(answer)
        elif self._document.session_context is not None:
            self._document.add_next_tick_callback(together(self._document)(answer))

    def _release(self) -> None:
        held, self._held = self._held or [], None
        for answer in held:
            self._deliver(answer)
