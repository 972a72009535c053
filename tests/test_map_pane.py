"""The window of a map, which page and server both may change."""

from __future__ import annotations

import pytest
from bokeh.document import Document

from gpu_pipeline.dashboard.frame import Frame
from gpu_pipeline.dashboard.map_pane import MapPane
from gpu_pipeline.dashboard.statistics import InView
from gpu_pipeline.dashboard.tip import Tip
from gpu_pipeline.render import View


def whole(width: int, height: int) -> View:
    return View((0.0, width / 100), (0.0, height / 100), width, height)


@pytest.fixture
def pane() -> MapPane:
    """A map in a page, without a browser."""

    def draw(view: View, ratio: float) -> Frame:
        return Frame(b"", (), InView(0, 0, 0, 0, None, None), 0.0)

    made = MapPane(draw, lambda *_: None, lambda *_: None, lambda *_: None, whole)
    Document().add_root(made.plot)
    return made


def ask(pane: MapPane, window: tuple[float, float, float, float], went: int) -> None:
    """What the page does where its window has moved, having gone where the server told it last."""
    names = ("x0", "x1", "y0", "y1", "ratio", "turn", "went")
    pane.asked.data = {name: [value] for name, value in zip(names, (*window, 1.0, went, went), strict=True)}


def went(pane: MapPane) -> int:
    return int(pane.go.data["turn"][0])


def test_the_whole_map_stays_whole_while_a_page_finds_its_size(pane: MapPane) -> None:
    pane._resized(width=600, height=400)
    # Asked before the page heard of its first window.
    ask(pane, (0.0, 1.0, 0.0, 1.0), 0)
    pane._resized(width=900)
    assert pane.window() == (0.0, 9.0, 0.0, 4.0)
    assert pane.shows_all()


def test_a_page_that_is_on_its_way_is_told_that_its_question_was_heard(pane: MapPane) -> None:
    pane._resized(width=600, height=400)
    before = pane.wire.data["turn"]
    ask(pane, (0.0, 1.0, 0.0, 1.0), 0)
    assert pane.wire.data["turn"] != before
    assert pane.wire.data["png"] == [None]


def test_nothing_is_said_at_a_point_that_is_out_of_view(pane: MapPane) -> None:
    pane._resized(width=600, height=400)
    ask(pane, (1.0, 2.5, 1.0, 2.0), went(pane))
    pane.ring((2.0, 1.5), Tip("here"))
    assert pane.tips.data["text"] == ["here"]
    pane.ring((2.6, 1.5), Tip("here"))
    assert pane.tips.data["text"] == []
    assert pane.rings.data["x"] == [2.6]
    pane.ring(None, None)
    assert pane.rings.data["x"] == []


def test_a_window_of_the_page_is_kept_in_scale_by_a_resize(pane: MapPane) -> None:
    pane._resized(width=600, height=400)
    ask(pane, (1.0, 2.5, 1.0, 2.0), went(pane))
    assert pane.window() == (1.0, 2.5, 1.0, 2.0)
    pane._resized(width=900)
    assert pane.window() == pytest.approx((0.625, 2.875, 1.0, 2.0))
