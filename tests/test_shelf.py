"""The shelf of shared values: made once, waited for by name, and never kept where the making failed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gpu_pipeline.dashboard.shelf import Shelf

PATIENCE = 30


def test_a_slow_value_holds_up_nobody_who_wants_another() -> None:
    shelf, begun, go_on = Shelf(4), threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert go_on.wait(PATIENCE)
        return "slow"

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(shelf.get, "slow", slow)
        assert begun.wait(PATIENCE)
        # With one lock for all this would wait for ever, for only then is the slow one allowed to end.
        assert shelf.get("quick", lambda: "quick") == "quick"
        go_on.set()
        assert waiting.result(PATIENCE) == "slow"


def test_many_who_ask_at_once_have_it_made_once() -> None:
    shelf, made, all_here = Shelf(4), [], threading.Barrier(8)

    def make() -> object:
        made.append(threading.get_ident())
        return object()

    def ask() -> object:
        all_here.wait(PATIENCE)
        return shelf.get("one", make)

    with ThreadPoolExecutor(8) as pool:
        found = {id(asked.result(PATIENCE)) for asked in [pool.submit(ask) for _ in range(8)]}
    assert len(found) == len(made) == 1


def test_what_failed_is_made_anew_by_whoever_waited() -> None:
    shelf, begun, go_on = Shelf(4), threading.Event(), threading.Event()

    def fail() -> str:
        begun.set()
        assert go_on.wait(PATIENCE)
        raise OSError("the disk is away")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shelf.get, "it", fail)
        assert begun.wait(PATIENCE)
        second = pool.submit(shelf.get, "it", lambda: "made")
        go_on.set()
        with pytest.raises(OSError, match="away"):
            first.result(PATIENCE)
        assert second.result(PATIENCE) == "made"
    assert shelf.get("it", lambda: "again") == "made"
    assert not shelf._turns


def test_a_value_may_be_made_of_others() -> None:
    shelf = Shelf(4)
    assert shelf.get("a", lambda: shelf.get("b", lambda: 1) + 1) == 2
    assert shelf.get("b", lambda: 5) == 1


def test_the_one_used_longest_ago_goes_first() -> None:
    shelf = Shelf(2)
    for name in "ab":
        shelf.get(name, lambda: "first")
    shelf.get("a", lambda: "second")
    shelf.get("c", lambda: "first")
    assert [shelf.get(name, lambda: "second") for name in "ca"] == ["first", "first"]
    assert shelf.get("b", lambda: "second") == "second"


def test_what_is_kept_may_be_bounded_by_its_size_too() -> None:
    shelf = Shelf(9, len, 10)
    for name, value in (("a", "12345"), ("b", "12345"), ("a", "")):
        shelf.get(name, lambda value=value: value)  # type: ignore[misc]
    assert shelf.has("a")
    assert shelf.has("b")
    shelf.get("c", lambda: "1")
    assert [shelf.has(name) for name in "abc"] == [True, False, True]
    shelf.get("large", lambda: "1" * 99)
    assert [shelf.has(name) for name in ("a", "c", "large")] == [False, False, True]
