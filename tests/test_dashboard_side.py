"""Search, filters and matched clusters as a person uses them, in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest
from test_dashboard_page import N, Server, _page, browser, count, page, server, store, tab, wait

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

__all__ = ["browser", "page", "server", "store"]  # fixtures


def search(page: Page, text: str) -> None:
    """Type a search, by the keyboard alone."""
    page.locator(".strip, [role=alert]").first.click()
    page.keyboard.press("/")
    field = page.locator("[data-key=find]")
    page.wait_for_function(
        """() => {
          let node = document.activeElement;
          while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
          return node?.dataset.key === "find"; }"""
    )
    field.fill(text)
    page.keyboard.press("Enter")


def test_search_selects_adds_and_is_shared(page: Page, browser: Browser) -> None:
    search(page, "label=4")
    wait(page, "points selected")
    fours = count(page)
    assert 0 < fours < N
    wait(page, re.compile(rf"{fours} in colour"))
    page.keyboard.press("Tab")
    page.locator("[data-key=how-add]").click()
    page.locator("[data-key=how-add][aria-pressed=true]").wait_for()
    search(page, "label=9")
    wait(page, re.compile(rf"^(?!{fours} )\d+ of {N} points selected"))
    both = count(page)
    assert both > fours
    page.wait_for_function("location.search.split('find').length === 3")
    for again in _page(browser, page.url):
        wait(again, "points selected")
        assert count(again) == both
    page.locator("[data-key=undo]").click()
    wait(page, re.compile(rf"^{fours} of {N}"))


def focused(page: Page) -> str | None:
    """The key of the control that has the focus."""
    return page.evaluate(
        """() => {
          let node = document.activeElement;
          while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
          return node?.dataset.key ?? null; }"""
    )


def test_after_a_search_keys_are_the_maps_again(page: Page) -> None:
    search(page, "label=4")
    wait(page, "points selected")
    field = page.locator("[data-key=find]")
    page.wait_for_function("document.activeElement === document.body")
    page.keyboard.press("l")
    page.locator("[data-key=tool-lasso][aria-pressed=true]").wait_for()
    assert field.input_value() == "label=4"
    search(page, "label=zebra")
    wait(page, "no point has label")
    assert focused(page) == "find"  # There it can be mended.
    page.keyboard.press("Escape")
    assert (focused(page), field.input_value()) == (None, "")
    assert count(page) > 0
    page.keyboard.press("Escape")
    wait(page, "Nothing is selected")


def test_what_is_not_found_is_said_and_changes_nothing(page: Page) -> None:
    search(page, "label=4")
    wait(page, "points selected")
    before = count(page)
    for text, said in (("label=<b>", "no point has label '<b>'"), ("9-3", "run backwards: write 3-9")):
        search(page, text)
        wait(page, said)
        assert count(page) == before


def test_sliders_filter_by_the_keyboard(page: Page, store: Path) -> None:
    """A key that is held down moves a handle faster than the filter is answered: it goes on from where it is."""
    page.wait_for_function("location.search.includes('run=')")
    opened = parse_qs(urlsplit(page.url).query)["run"][0]
    recall = pd.read_parquet(store / opened / "points.parquet")["neighbor_recall"].to_numpy()
    low = page.locator("[data-key=low-neighbor_recall]")
    low.focus()
    passing = page.locator("[data-passing]")
    for _ in range(2):
        for _ in range(30):
            page.keyboard.press("ArrowRight")
        passing.wait_for()
    kept = int(np.count_nonzero(recall >= 0.6 * recall.max()))
    assert 0 < kept < N
    passing.get_by_text(str(kept), exact=True).wait_for()
    wait(page, re.compile(f"^{N} of {N} points in view, {kept} in colour"))
    page.wait_for_function("location.search.includes('within=neighbor_recall')")
    number = page.locator("[data-key=from-neighbor_recall]")
    assert float(number.input_value()) == pytest.approx(0.6 * recall.max(), abs=1e-6)
    # The server has drawn the last of them; two of them may let the same points through.
    page.locator(f"[data-key=low-neighbor_recall][value='{number.input_value()}']").wait_for()
    assert float(low.input_value()) == float(number.input_value())
    # The other handle stops where this one is.
    high = page.locator("[data-key=high-neighbor_recall]")
    high.focus()
    page.keyboard.press("Home")
    passing.get_by_text("0", exact=True).wait_for()
    assert float(high.input_value()) == float(low.input_value())
    page.locator("[data-key=unlimit-neighbor_recall]").click()
    passing.wait_for(state="detached")
    page.wait_for_function("!location.search.includes('within')")
    assert number.input_value() == ""


def test_a_list_goes_on_from_what_the_keys_have_chosen(page: Page) -> None:
    colours = page.locator("[data-key=colour]")
    names = colours.locator("option").evaluate_all("options => options.map((o) => o.value)")
    colours.focus()
    for key in [*["ArrowDown", "ArrowUp"] * 30, *["ArrowDown"] * len(names)]:
        page.keyboard.press(key)
    assert colours.input_value() == names[-1]
    page.wait_for_function(f"location.search.includes('colour={names[-1]}')")
    colours.locator(f"option[value={names[-1]}][selected]").wait_for(state="attached")
    assert colours.input_value() == names[-1]


def test_the_numbers_of_a_filter_can_be_typed(page: Page) -> None:
    to = page.locator("[data-key=to-neighbor_recall]")
    to.fill("0.25")
    page.keyboard.press("Tab")
    page.locator("[data-passing]").wait_for()
    assert float(page.locator("[data-key=high-neighbor_recall]").input_value()) < 0.3
    to = page.locator("[data-key=to-neighbor_recall]")
    to.fill("few")
    page.keyboard.press("Tab")
    wait(page, "'few' is not a number")
    to.fill("")
    page.keyboard.press("Tab")
    page.locator("[data-passing]").wait_for(state="detached")


def drag(page: Page, column: str, share: float) -> None:
    """Drag the upper handle of a column's filter to the left, by a share of the track."""
    area = page.locator(f"[data-key=high-{column}]").bounding_box()
    assert area is not None
    x, y = area["x"] + area["width"] - 8, area["y"] + area["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - share * area["width"], y, steps=8)
    page.mouse.up()


def test_dragging_a_handle_filters(page: Page) -> None:
    drag(page, "neighbor_recall", 1 / 2)
    page.locator("[data-passing]").wait_for()
    assert float(page.locator("[data-key=to-neighbor_recall]").input_value()) > 0


def test_seconds_since_1970_can_be_filtered(browser: Browser, tmp_path: Path) -> None:
    """Numbers whose first digits are all the same: handles and fields tell them apart, and an end stays as it is."""
    n = 2_000
    random = np.random.default_rng(0)
    when = 1_700_000_000 + 10 * np.arange(n)
    pd.DataFrame({"x": random.normal(size=n), "y": random.normal(size=n), "when": when}).to_parquet(
        tmp_path / "times.parquet"
    )
    server = Server(tmp_path / "stderr", "--out", str(tmp_path / "runs"), str(tmp_path / "times.parquet"))
    try:
        for page in _page(browser, server.url):
            passing = page.locator("[data-passing]")
            low, high = (page.locator(f"[data-key={end}-when]") for end in ("from", "to"))
            low.fill("1700005000.5")
            page.keyboard.press("Tab")
            passing.get_by_text("1,499", exact=True).wait_for()
            drag(page, "when", 1 / 4)
            page.wait_for_function("/within=when%3D1700005000.5~17000[0-9]+$/.test(location.search)")
            top = float(high.input_value())
            assert 1_700_014_000 < top < 1_700_016_000
            n = np.count_nonzero((when > 1_700_005_000) & (when <= top))
            page.locator("[data-passing]").get_by_text(f"{n:,}", exact=True).wait_for()
    finally:
        server.close()


def test_a_handle_over_times_says_dates(browser: Browser, tmp_path: Path) -> None:
    days = pd.date_range("2020-01-01", periods=1_001)
    pd.DataFrame({"x": np.arange(1_001.0), "y": 0.0, "when": days}).to_parquet(tmp_path / "days.parquet")
    server = Server(tmp_path / "stderr", "--out", str(tmp_path / "runs"), str(tmp_path / "days.parquet"))
    try:
        for page in _page(browser, server.url):
            drag(page, "when", 1 / 2)
            passing = page.locator("[data-passing]")
            passing.wait_for()
            top = page.locator("[data-key=to-when]").input_value()
            assert re.fullmatch(r"2021-\d\d-\d\d", top)
            # The day that is named is within.
            assert passing.inner_text() == str(np.count_nonzero(days <= top))
    finally:
        server.close()


def test_compared_clusters_are_matched(page: Page) -> None:
    tab(page, "compare")
    page.locator("[data-key=other]").select_option(index=1)
    wait(page, "Clusters are matched")
    page.get_by_text("B's own numbers").click()
    wait(page, re.compile(r"^0 is \d+, 1 is"))
