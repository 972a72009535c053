"""The dashboard when it begins with nothing, when a job fails, on a fine screen, and by the keyboard alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from test_dashboard_page import (
    N,
    Server,
    _page,
    box,
    browser,
    count,
    fill,
    job,
    page,
    server,
    store,
    strip,
    tab,
    tool,
    wait,
    whole,
)

from gpu_pipeline.dashboard import jobs

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

__all__ = ["browser", "page", "server", "store"]  # fixtures

SOURCES = """(name) => [...Bokeh.documents[0]._all_models.values()].flatMap((model) => {
  const has = model.data instanceof Map ? model.data.has(name) : model.data && name in model.data;
  return has ? [model.data instanceof Map ? model.data.get(name) : model.data[name]] : [];
})"""
"""The columns of that name in all sources of the page."""


def test_with_nothing_it_makes_a_map_which_outlives_the_page(browser: Browser, tmp_path: Path) -> None:
    server = Server(tmp_path / "stderr", "--out", str(tmp_path / "runs"))
    try:
        for first in _page(browser, server.url, ready=".note"):  # That there is no map yet.
            job(first, "t-SNE of digits, 5000 points").wait_for()
        # The page is closed; the map is made all the same, and not a second time for whoever comes next.
        for again in _page(browser, server.url):
            again.set_default_timeout(300_000)
            wait(again, re.compile("5,000 of 5,000 points in view"))
            again.wait_for_function("document.title.includes('t-SNE of digits: 5,000 of')")
        assert len(jobs.jobs(tmp_path / "runs")) == 1
    finally:
        for made in jobs.jobs(tmp_path / "runs"):
            made.cancel()
        said = server.close()
    assert not re.search("error|traceback|warning", said, re.IGNORECASE), said


def test_a_job_that_fails_says_why_and_the_map_stays(page: Page) -> None:
    whole(page)
    fill(page, sample="50", perplexity="49.5")
    page.locator("[data-key=start]").click()
    failed = job(page, "50 points")
    failed.and_(page.locator("[data-state=failed]")).wait_for()
    assert "perplexity" in failed.inner_text()
    whole(page)
    failed.get_by_role("button", name="Dismiss").click()
    page.locator("[data-state]").filter(has_text="50 points").wait_for(state="detached")


def test_a_fine_screen_has_its_own_pixels(browser: Browser, server: Server) -> None:
    for fine in _page(browser, server.url, device_scale_factor=2):
        whole(fine)
        _, _, width, height = box(fine)
        fine.wait_for_function(
            f"([w, h]) => ({SOURCES})('image').some(([image]) => image && image.length > 3.9 * w * h)",
            arg=[width, height],
        )


def test_keys_move_and_zoom(page: Page) -> None:
    whole(page)
    ends = "[Bokeh.documents[0]._all_models.values()].flatMap((m) => [...m]).find((m) => m.type === 'Range1d').start"
    start = page.evaluate(ends)
    page.keyboard.press("i")
    page.wait_for_function("location.search.includes('view=')")
    inside = page.evaluate(ends)
    assert inside > start
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(f"before => {ends} < before", arg=inside)
    page.keyboard.press("r")
    page.wait_for_function("!location.search.includes('view=')")
    page.get_by_role("button", name="Keys").click()
    page.get_by_text("zoom to the selection").wait_for()
    page.keyboard.press("Escape")
    page.get_by_text("zoom to the selection").wait_for(state="hidden")


def test_a_point_says_at_its_place_what_it_is(page: Page) -> None:
    whole(page)
    x, y, width, height = box(page)
    for i in range(30):
        page.mouse.move(x + width * (0.3 + 0.012 * i), y + height * 0.5)
        page.wait_for_timeout(200)
        if page.evaluate(f"({SOURCES})('text_y')[0].length"):
            break
    page.wait_for_function(f"/^label \\d/.test(({SOURCES})('text').flat().find((t) => t?.startsWith?.('label')))")
    # Its image comes once the card has had the images loaded.
    page.wait_for_function(f"({SOURCES})('url').flat().some((url) => url.startsWith('data:image/png'))")


def test_what_a_filter_lets_through_is_selected_and_fetched(page: Page, tmp_path: Path) -> None:
    whole(page)
    to = page.locator("[data-key=to-neighbor_recall]")
    to.fill("0.25")
    page.keyboard.press("Tab")
    page.locator("[data-passing]").wait_for()
    page.locator("[data-key=everything]").click()
    wait(page, "points selected")
    n = count(page)
    assert 0 < n < N
    with page.expect_download() as download:
        page.locator("[data-key=export-parquet]").click()
    assert download.value.suggested_filename == "selection.parquet"
    download.value.save_as(tmp_path / "rows.parquet")
    rows = pd.read_parquet(tmp_path / "rows.parquet")
    assert len(rows) == n
    assert rows["neighbor_recall"].max() <= 0.25
    # What was fetched is gone.
    assert page.request.get(download.value.url).status == 404
    assert re.search("within:neighbor_recall", page.locator("pre").first.inner_text())


def test_a_shape_keeps_what_is_in_both(page: Page) -> None:
    whole(page)
    tool(page, "b", "box")
    x, y, width, height = box(page)

    def draw(left: float, right: float) -> None:
        page.mouse.move(x + left * width, y + 0.02 * height)
        page.mouse.down()
        page.mouse.move(x + right * width, y + 0.98 * height, steps=6)
        page.mouse.up()

    draw(0.01, 0.6)
    wait(page, "points selected")
    left = count(page)
    page.keyboard.press("&")
    page.locator("[data-key=how-keep][aria-pressed=true]").wait_for()
    draw(0.4, 0.99)
    page.wait_for_function("location.search.split('box').length === 3")
    wait(page, re.compile(rf"^(?!{left} )\d+ of {N} points selected"))
    assert count(page) < left


def test_images_can_be_switched_off(page: Page) -> None:
    whole(page)
    page.locator("[data-key=images]").uncheck()
    page.wait_for_function("location.search.includes('images=0')")
    x, y, width, height = box(page)
    page.mouse.move(x + width / 2, y + height / 2)
    for _ in range(12):
        page.mouse.wheel(0, -300)
    wait(page, re.compile(rf"^\d{{1,2}} of {N} points in view"))
    assert "points in view" in strip(page)
    tab(page, "selection")
    wait(page, "Nothing is selected")


FAINT = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const up = (node) => node.parentElement ?? node.getRootNode().host;
  const paper = (node) => {
    for (; node; node = up(node)) {
      const [r, g, b, a = 1] = parse(getComputedStyle(node).backgroundColor);
      if (a > 0.99) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const all = (root) => [...root.querySelectorAll("*")].flatMap((n) => [n, ...(n.shadowRoot ? all(n.shadowRoot) : [])]);
  const found = [];
  for (const node of all(document)) {
    const text = [...node.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join("");
    if (!text || !node.checkVisibility?.({ opacityProperty: true, visibilityProperty: true })) continue;
    if (/^(SCRIPT|STYLE|OPTION)$/.test(node.tagName) || node.disabled) continue;
    const ink = parse(getComputedStyle(node).color).slice(0, 3);
    const [one, other] = [light(ink), light(paper(node))].sort((a, b) => b - a);
    const contrast = (one + 0.05) / (other + 0.05);
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)} ${node.tagName}.${node.className}: ${text.slice(0, 40)}`);
  }
  return found;
}"""
"""Text in the page whose contrast with what it stands on is below 4.5 (WCAG 2.1, AA)."""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_can_be_read(browser: Browser, server: Server, theme: str) -> None:
    for look in _page(browser, server.url, color_scheme=theme):
        whole(look)
        look.locator(".legend li").nth(9).wait_for()
        assert look.evaluate(FAINT) == []
        look.locator("[data-key=hide-4]").click()
        wait(look, re.compile("in colour"))
        for name, said in (
            ("selection", "Nothing is selected"),
            ("confusion", "Labels in clusters"),
            ("compare", "another run"),
            ("scores", "trustworthiness"),
        ):
            tab(look, name)
            wait(look, said)
            assert look.evaluate(FAINT) == [], name
        fill(look, sample="many")
        look.locator("[data-key=start]").click()
        wait(look, "give a whole number or all")
        assert look.evaluate(FAINT) == []
        look.locator("[name=sample]").fill("40")
        look.locator("[data-key=start]").click()
        failed = job(look, "40 points")
        failed.and_(look.locator("[data-state=failed]")).wait_for()
        assert look.evaluate(FAINT) == []
        failed.get_by_role("button", name="Dismiss").click()
        look.locator("[data-state]").filter(has_text="40 points").wait_for(state="detached")
