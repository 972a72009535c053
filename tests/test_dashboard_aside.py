"""What takes long is done aside: neither a picture nor a page that is opened makes others wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from test_background import Loop, background_of
from test_dashboard_views import store

from gpu_pipeline.dashboard.app import Page
from gpu_pipeline.dashboard.exports import Exports
from gpu_pipeline.dashboard.opened import Opened
from gpu_pipeline.dashboard.stored import open_stored, rows_of
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
