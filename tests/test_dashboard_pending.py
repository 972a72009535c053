"""What is asked of a page while something else is not ready yet: each is done, in the end as it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_background import Loop, background_of, pool
from test_dashboard_choices import N, store

from gpu_pipeline.dashboard.actions import ACTIONS
from gpu_pipeline.dashboard.app import Page
from gpu_pipeline.dashboard.background import BROKE, Background
from gpu_pipeline.dashboard.exports import Exports
from gpu_pipeline.dashboard.upload import Upload

__all__ = ["pool", "store"]  # fixtures


class Asked:
    """A page whose work aside begins when all that a person does is done."""

    def __init__(self, store: Path, pool: ThreadPoolExecutor) -> None:
        self.loop, self.pool, self.begin = Loop(), pool, threading.Event()
        self.page = Page(store, None, pool, Exports(), 0)
        self.page.do("run", "a")
        self.page.background = background_of(self.loop, pool)
        pool.submit(self.begin.wait, 60)

    def do(self, *actions: tuple[str, object]) -> None:
        for action in actions:
            self.page.do(*action)
        self.begin.set()
        while self.page.background._newest:
            self.loop.tick()

    @property
    def shown(self) -> tuple[str, str, str]:
        choice = self.page.choice
        return choice.run, choice.other, choice.colour


@pytest.fixture
def asked(store: Path, pool: ThreadPoolExecutor) -> Iterator[Asked]:
    made = Asked(store, pool)
    yield made
    made.begin.set()


@pytest.mark.parametrize(
    ("actions", "shown"),
    [
        ([("run", "b"), ("colour", "cluster")], ("b", "", "cluster")),
        ([("other", "b"), ("colour", "cluster")], ("a", "b", "cluster")),
        ([("colour", "cluster"), ("run", "b")], ("b", "", "cluster")),
        # Of what opens something else the newest is done.
        ([("run", "b"), ("run", "c")], ("c", "", "label")),
        ([("run", "b"), ("other", "c")], ("a", "c", "label")),
        ([("other", "b"), ("run", "c")], ("c", "", "label")),
        ([("other", "b"), ("other", "")], ("a", "", "label")),
        ([("colour", "cluster"), ("colour", "misfit")], ("a", "", "misfit")),
    ],
)
def test_one_wish_does_not_cancel_another(asked: Asked, actions: list[tuple[str, object]], shown: object) -> None:
    asked.do(*actions)
    assert (asked.shown, asked.page.session.error) == (shown, "")


def test_a_cell_of_one_map_is_not_selected_on_the_next(asked: Asked) -> None:
    asked.do(("run", "b"), ("cell", "label=0,among=1"))
    assert (asked.page.choice.run, asked.page.choice.steps, asked.page.session.error) == ("b", (), "")
    asked.do(("cell", "label=0,among=1"))
    assert len(asked.page.choice.steps) == 1


@pytest.mark.parametrize("then", [("find", {"text": "label=2"}), ("everything", ""), ("box", (-1e9, 1e9, -1e9, 1e9))])
def test_a_cell_does_not_replace_what_was_selected_after_it(asked: Asked, then: tuple[str, Any]) -> None:
    asked.page.do("cell", "label=0,among=1")
    if then[0] == "box":
        asked.page.maps._shape(0, *then)
        asked.do()
    else:
        asked.do(then)
    assert [step.kind for step in asked.page.choice.steps] == [{"everything": "all"}.get(then[0], then[0])]


def test_each_file_is_offered_once(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one of a selection that was replaced while the file waited to be written."""
    monkeypatch.setattr("gpu_pipeline.dashboard.app.WRITING", asked.pool)
    offered: list[str] = []
    asked.page.layout.header.param.watch(lambda event: offered.append(event.new), "fetch")
    csv, parquet = ("export", "csv"), ("export", "parquet")
    asked.do(csv, parquet, csv, ("find", {"text": "label=2"}), csv, csv)
    written = []
    for address in offered:
        export = asked.page._exports.take(address.removeprefix("export/"))
        assert export is not None
        export.file.seek(0)
        read = pd.read_csv if export.name.endswith("csv") else pd.read_parquet
        written.append((export.name, len(read(export.file))))
    assert written == [("selection.csv", N), ("selection.parquet", N), ("selection.csv", 20)]
    assert not asked.page._exports._waiting


def test_no_file_waits_for_uploads_under_test(asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tested = threading.Event()
    monkeypatch.setattr("gpu_pipeline.dashboard.upload.kind_of", lambda path: tested.wait() and "data")
    for content in (b"1", b"2"):
        background = background_of(Loop(), asked.pool)
        field = Upload(tmp_path, 1, background, lambda action: action(), lambda path, kind: None)
        field._handle_msg({"do": "begin", "name": "a.csv", "size": 1})
        field._handle_msg({"do": "piece", "piece": content})
    try:
        asked.do(("export", "csv"))
        assert asked.page.layout.header.fetch
    finally:
        tested.set()


def test_a_fault_that_nobody_foresaw_is_said(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Callable[[], str]:
        return lambda: str(1 // 0)

    monkeypatch.setattr("gpu_pipeline.dashboard.panes.beforehand", broken)
    with pytest.raises(ZeroDivisionError):
        asked.do(("run", "b"))
    assert BROKE in asked.page.layout.strip.html
    # A pane that cannot be filled says so itself, and asks for nothing anew.
    monkeypatch.setattr("gpu_pipeline.dashboard.panes.look", broken)
    asked.page.background = Background(None, asked.pool)
    with pytest.raises(ZeroDivisionError):
        asked.page.refresh()
    assert BROKE in asked.page.layout.look.html


@pytest.mark.parametrize("do", ["names", "home"])
def test_a_fault_in_what_is_done_at_once_is_said(asked: Asked, monkeypatch: pytest.MonkeyPatch, do: str) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(ACTIONS, "names", broken)
    monkeypatch.setitem(asked.page._own, "home", broken)
    done: list[bool] = []
    with pytest.raises(ZeroDivisionError):
        asked.page.act(do, "", lambda: done.append(True))
    assert BROKE in asked.page.layout.strip.html
    assert done


@pytest.mark.parametrize("action", [("other", "d"), ("run", "none such"), ("colour", "nothing")])
def test_a_list_shows_again_what_is_chosen_when_another_is_refused(asked: Asked, action: tuple[str, str]) -> None:
    before = asked.page.layout.look.refused
    asked.do(action)
    assert asked.page.session.error
    assert asked.page.layout.look.refused > before
