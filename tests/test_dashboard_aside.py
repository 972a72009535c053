"""What takes long is done aside: neither a picture nor a page that is opened makes others wait."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_background import Loop, background_of
from test_dashboard_server import served
from test_dashboard_views import store

from gpu_pipeline.dashboard.app import Page
from gpu_pipeline.dashboard.beside import _made, beside
from gpu_pipeline.dashboard.exports import Exports
from gpu_pipeline.dashboard.opened import Opened
from gpu_pipeline.dashboard.opening import Opening
from gpu_pipeline.dashboard.panes import beforehand
from gpu_pipeline.dashboard.session import Session
from gpu_pipeline.dashboard.state import Choice
from gpu_pipeline.dashboard.stored import open_stored, rows_of
from gpu_pipeline.errors import InputError
from gpu_pipeline.render import fit

__all__ = ["store"]  # a fixture


class Busy(ThreadPoolExecutor):
    """A thread that does nothing before it may."""

    def __init__(self) -> None:
        super().__init__(1)
        self.may = threading.Event()
        self.submit(self.may.wait, 60)


@pytest.fixture
def pool() -> Iterator[Busy]:
    with Busy() as pool:
        yield pool
        pool.may.set()


def test_a_picture_does_not_wait_for_its_images(store: Path, pool: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = open_stored(store, rows_of(store)[-1]["run"])
    opened, loop = Opened("new", stored.points, stored.run), Loop()
    page = Page(store, None, pool, Exports(), 0)
    page.session.opened, page.background = opened, background_of(loop, pool)
    anew: list[bool] = []
    monkeypatch.setattr(page.maps.panes[0], "refresh", lambda: anew.append(True))
    view = fit(opened.points[opened.points["row"] == opened.points["row"][0]], 300, 300)

    def draw() -> bytes:
        frame = page.maps.draw(0, view, 1.0)
        assert frame is not None
        assert 0 < frame.facts.points < 20
        return frame.png

    first = draw()
    assert draw() == first
    assert not opened.has("images")
    assert not anew
    pool.may.set()
    loop.tick()
    assert anew == [True]
    assert draw() != first
    assert loop.told.empty()


def test_the_legend_does_not_wait_for_what_others_open(store: Path, pool: Busy) -> None:
    loop = Loop()
    page = Page(store, None, pool, Exports(), 0)
    page.background, others = background_of(loop, pool), pool.submit(str)
    page.do("hide", "4")
    loop.tick()
    assert not others.done()
    assert 'data-value="4" aria-pressed="false"' in page.layout.look.html


def test_a_page_that_is_opened_makes_nobody_wait(store: Path, pool: Busy) -> None:
    one, other = (row["run"] for row in rows_of(store))
    query = {"run": one, "other": other, "colour": "cluster", "select": "=where:label=4,among=9"}
    request = SimpleNamespace(arguments={name: [text.encode()] for name, text in query.items()})

    async def open_page() -> None:
        wait = asyncio.create_task(Opening(store, None, pool).on_session_created(SimpleNamespace(request=request)))
        await asyncio.sleep(0.1)
        assert not wait.done()
        pool.may.set()
        await wait

    loop = asyncio.new_event_loop()
    loop.run_until_complete(open_page())
    loop.close()
    alone = open_stored(store, one)
    assert _made.has((alone, open_stored(store, other)))
    both = beside(alone, open_stored(store, other))
    assert both.left.has("votes")
    for opened in (both.left, both.right):
        assert opened.has(("arranged", "cluster"))


def test_others_are_answered_while_a_run_is_read(store: Path, tmp_path: Path) -> None:
    """Its features come from a pipe, which nobody has written to yet."""
    shutil.copytree(store, tmp_path / "runs")
    run = next(path for path in (tmp_path / "runs").iterdir() if path.name == rows_of(store)[0]["run"])
    features, whole, pipe = run / "features.npy", tmp_path / "features.npy", tmp_path / "pipe"
    features.rename(whole)
    os.mkfifo(pipe)
    os.link(pipe, features)
    with served(tmp_path / "runs") as running, ThreadPoolExecutor(1) as person:
        page = person.submit(running.get, f"/?run={run.name}")
        while True:
            with contextlib.suppress(OSError):  # Nobody reads it yet.
                end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
                break
            assert not page.done()
        try:
            assert running.get("/liveness")[0] == 200
            assert not page.done()
        finally:
            whole.replace(features)
            os.close(end)
        assert page.result()[0] == 200


def test_what_an_action_needs_is_there_before_it(store: Path) -> None:
    one, other = (row["run"] for row in rows_of(store))
    session = Session(store, None, Choice(run=one, colour="misfit"))

    def prepare(do: str, value: str) -> None:
        work = beforehand(session, do, value)
        assert work is not None
        work()

    prepare("other", other)
    both = beside(open_stored(store, one), open_stored(store, other))
    assert both.left.has(("arranged", "misfit"))
    assert both.right.has(("arranged", "misfit"))
    session.act("other", other)
    prepare("colour", "displacement")
    assert both.right.has(("arranged", "displacement"))
    prepare("run", other)
    assert open_stored(store, other).has(("arranged", "misfit"))
    prepare("other", "")
    assert open_stored(store, one).has(("arranged", "misfit"))
    with pytest.raises(InputError):
        prepare("other", "none")
