"""Work done aside: nobody waits for it, and of several wishes the newest is answered."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from bokeh.document import Document

from gpu_pipeline.dashboard.background import BROKE, Background
from gpu_pipeline.errors import InputError


class Loop(Document):
    """A document of a page, and the loop of the server that has it."""

    session_context: object = "open"  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.told: queue.Queue[Callable[[], None]] = queue.Queue()

    def add_callback(self, action: Callable[[], None]) -> None:
        self.told.put(action)

    def add_next_tick_callback(self, action: Callable[[], None]) -> None:  # type: ignore[override]
        action()

    def tick(self) -> None:
        self.told.get(timeout=60)()


def background_of(loop: Loop, pool: ThreadPoolExecutor) -> Background:
    background = Background(None, pool)
    background._document = background._loop = loop
    return background


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_the_newest_wish_is_answered_and_nobody_waits(pool: ThreadPoolExecutor) -> None:
    loop, may_end, done, told = Loop(), threading.Event(), [], []
    background = background_of(loop, pool)

    def slow(name: str) -> Callable[[], str]:
        def work() -> str:
            done.append(name)
            assert may_end.wait(60)
            return name

        return work

    for name in ("first", "second", "third"):
        background.ask("pane", slow(name), told.append, told.append)
    background.ask("other", slow("other"), told.append, told.append)
    assert background.waits("pane")
    assert told == []
    may_end.set()
    for _ in range(4):
        loop.tick()
    # The second had not begun when the third was wished, so that it was never done.
    assert done in (["first", "third", "other"], ["third", "other"])
    assert told == ["third", "other"]
    assert not background.waits("pane")


def test_a_sentence_is_told_and_a_wish_can_be_taken_back(pool: ThreadPoolExecutor) -> None:
    loop, told, failed = Loop(), [], []
    background = background_of(loop, pool)

    def work() -> str:
        raise InputError("there is none.")

    background.ask("pane", work, told.append, failed.append)
    loop.tick()
    assert (told, failed) == ([], ["there is none."])
    background.ask("pane", work, told.append, failed.append)
    background.forget("pane")
    loop.tick()
    assert (told, failed) == ([], ["there is none."])


@pytest.mark.parametrize("aside", [True, False])
def test_an_unforeseen_error_is_told_and_comes_out_in_the_loop(pool: ThreadPoolExecutor, aside: bool) -> None:
    loop, failed = Loop(), []
    background = background_of(loop, pool) if aside else Background(None, pool)

    def ask(work: Callable[[], object], then: Callable[[object], object]) -> None:
        background.ask("pane", work, then, failed.append)
        if aside:
            loop.tick()

    for work, then in ((lambda: 1 // 0, print), (lambda: 0, lambda n: 1 // n)):
        with pytest.raises(ZeroDivisionError):
            ask(work, then)
        assert not background.waits("pane")
    assert failed == [BROKE, BROKE]


def test_what_is_refused_at_the_end_is_told_too() -> None:
    def refuse(result: object) -> None:
        raise InputError(f"{result} is too many.")

    failed: list[str] = []
    Background(None, None).ask("pane", lambda: 7, refuse, failed.append)  # type: ignore[arg-type]
    assert failed == ["7 is too many."]


def test_a_work_waits_by_its_name_and_by_its_kind(pool: ThreadPoolExecutor) -> None:
    background = background_of(Loop(), pool)
    for name in (("export", "csv"), "open a file"):
        background.ask(name, str, str, str)
    assert all(map(background.waits, ["export", ("export", "csv"), "open a file"]))
    assert not any(map(background.waits, [("export", "parquet"), "csv", "open", "e"]))


def test_without_a_document_it_is_done_at_once() -> None:
    told: list[object] = []
    background = Background(None, None)  # type: ignore[arg-type]
    background.ask("pane", lambda: 7, told.append, told.append)
    assert told == [7]


def test_a_page_that_was_closed_is_told_nothing(pool: ThreadPoolExecutor) -> None:
    loop, told = Loop(), []
    background_of(loop, pool).ask("pane", lambda: 7, told.append, told.append)
    loop.session_context = None
    loop.tick()
    assert told == []
