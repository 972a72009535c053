"""What changes on a page goes to the browser by Bokeh alone: what Panel sends itself may be left lying."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bokeh.document import Document
from bokeh.document.events import ModelChangedEvent
from bokeh.models import Div
from test_dashboard_page import Server, _page, browser, drag, store, tab, tool, wait

from gpu_pipeline.dashboard.sending import together

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["browser", "store"]  # fixtures

WATCHED = """
import sys
import panel.io.document as document

def told(write):
    def tell(doc, connections, events):
        print("sent past Bokeh:", [(event.model, event.attr) for event in events], file=sys.stderr)
        write(doc, connections, events)
    return tell

document.write_events = told(document.write_events)
document.schedule_write_events = told(document.schedule_write_events)
sys.argv[0] = "gpu-pipeline"
from gpu_pipeline.cli import main
main()
"""


def test_changes_are_sent_at_the_end_once_each_and_also_after_a_fault() -> None:
    document, shown = Document(), Div()
    document.add_root(shown)
    sent: list[str] = []
    document.on_change(lambda event: sent.append(event.new) if isinstance(event, ModelChangedEvent) else None)

    def change(*texts: str) -> None:
        with together(document):  # within another: that one sends
            for text in texts:
                shown.text = text
        assert sent == before

    before: list[str] = []
    together(document)(change)("one", "two")
    assert sent == ["two"]
    before = ["two"]

    def fail() -> None:
        change("three")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        together(document)(fail)()
    assert sent == ["two", "three"]
    assert document.callbacks.hold_value is None


def test_panel_sends_nothing_itself(browser: Browser, store: Path, tmp_path: Path) -> None:
    server = Server(tmp_path / "stderr", "--out", str(store), python=("-c", WATCHED))
    for page in _page(browser, server.url):
        page.locator("[data-key=to-neighbor_recall]").fill("0.5")
        page.keyboard.press("Tab")
        page.locator("[data-passing]").wait_for()
        page.locator("[data-key=unlimit-neighbor_recall]").click()
        page.locator("[data-passing]").wait_for(state="detached")
        page.locator("[data-do=mode]").select_option("purity")
        wait(page, "share of the pixel's largest class")
        page.keyboard.press("+")
        tool(page, "l", "lasso")
        drag(page, [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)])
        wait(page, re.compile("points selected"))
        for name in ("confusion", "compare", "scores", "run"):
            tab(page, name)
        page.wait_for_function("location.search.includes('tab=run')")
    assert server.close() == ""
