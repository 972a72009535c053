"""What names, windows and screens of all kinds do to the page: figures stay where they can be read."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from test_dashboard_page import Server, _page, box, browser, count, tab, wait

from gpu_pipeline.datasets import Dataset
from gpu_pipeline.methods import PCA, KMeans
from gpu_pipeline.pipeline import run
from gpu_pipeline.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, CDPSession

__all__ = ["browser"]  # fixtures

NAMES = ("x" * 300, "a name that does not end where one would think that it ends " * 4, "\u05e9\u05dc\u05d5\u05dd")
N = 150


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A map whose classes have long names; before it two of many classes."""
    folder, random = tmp_path_factory.mktemp("long"), np.random.default_rng(0)
    sets = []
    for many in (12, 30):
        kinds = np.arange(20 * many) % many
        X = random.normal(size=(len(kinds), 4)) + 50 * kinds[:, None]
        sets.append(Dataset(f"{many} kinds", X, np.array([f"topic {kind + 1}" for kind in kinds])))
    labels = np.repeat(NAMES, (90, 45, 15))
    sets.append(Dataset("long", random.normal(size=(N, 4)) + 3 * (labels == NAMES[0])[:, None], labels))
    for dataset in sets:
        clusters = KMeans(n_clusters=len(np.unique(dataset.y)))
        run(Recipe(embed=PCA(n_components=2), cluster=clusters, engine="scikit_learn"), dataset).save(folder / "runs")
    server = Server(folder / "stderr", "--out", str(folder / "runs"))
    yield server
    server.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_long_names_leave_room_for_their_figures(browser: Browser, server: Server, width: int) -> None:
    query = "?tab=selection&select=%3Dwithin:x%3D-9~3"
    for page in _page(browser, server.url + query, viewport={"width": width, "height": 900}):
        wait(page, "points selected")
        bars = page.locator(".bars").first.locator(".bar")
        long, short = (bars.nth(i).bounding_box() for i in (0, 2))
        assert long is not None
        assert short is not None
        assert long["width"] > 2 * short["width"] > 10
        for pane, figure in (("selection", "td.n"), ("confusion", ".heat button")):
            tab(page, pane)
            page.locator(figure).last.wait_for()
            found = page.locator(figure).evaluate_all("(all) => all.map((n) => n.getBoundingClientRect().right)")
            assert len(found) >= 9
            assert max(found) <= width


@pytest.mark.parametrize("many", [12, 30])
def test_many_classes_have_a_table_that_fits_or_keeps_its_lines_names(
    browser: Browser, server: Server, many: int
) -> None:
    sides = "(all) => all.map((n) => n.getBoundingClientRect()).map((box) => [box.left, box.right])"
    for page in _page(browser, server.url + "?tab=confusion", viewport={"width": 1440, "height": 900}):
        page.get_by_text(f"PCA of {many} kinds").first.click()
        page.locator(f"[data-key^='cell-topic {many}-']").first.wait_for()
        names = page.locator(".heat tr:first-child .brief").all_inner_texts()
        assert names == [f"topic {kind}" for kind in range(1, many + 1)]
        page.locator(".wide").first.evaluate("(wide) => { wide.scrollLeft = 1e6 }")
        ((left, right),) = page.locator(".wide").first.evaluate_all(sides)
        cells, lines = (page.locator(f".heat tr:nth-child(n+2) {cell}").evaluate_all(sides) for cell in ("td", "th"))
        assert max(end for _, end in cells) <= right
        assert all(abs(start - left) <= 2 for start, _ in lines)  # the space between cells
        assert (min(start for start, _ in cells) < left) == (many > 12)


def test_a_tab_stays_in_view_on_a_phone(browser: Browser, server: Server) -> None:
    for page in _page(browser, server.url, viewport={"width": 390, "height": 844}):
        tab(page, "run")
        place = page.locator(".tab-run").bounding_box()
        assert place is not None
        assert 0 <= place["x"] <= 390 - place["width"]


def test_what_is_chosen_is_seen_in_forced_colours(browser: Browser, server: Server) -> None:
    query = "?tab=selection&select=%3Dwithin:x%3D-9~3"
    for page in _page(browser, server.url + query, forced_colors="active"):
        wait(page, "points selected")
        shades = page.locator(".bars .bar, [data-key=tool-pan], [data-key=tool-box]").evaluate_all(
            "(all) => all.map((n) => getComputedStyle(n).backgroundColor)"
        )
        pan, box, *bars = shades
        assert pan != box
        assert len(set(bars)) > 1


def _touch(
    browser: CDPSession, map_box: tuple[float, float, float, float], kind: str, *places: tuple[float, float]
) -> None:
    """Fingers at places in parts of the map's width and height."""
    x, y, width, height = map_box
    points = [{"x": x + a * width, "y": y + b * height, "id": i} for i, (a, b) in enumerate(places)]
    browser.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_a_finger_draws_a_lasso_and_two_zoom(browser: Browser, server: Server) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    for page in _page(browser, server.url, **phone):
        wait(page, re.compile(f"{N} of {N} points in view"))
        put = partial(_touch, page.context.new_cdp_session(page), box(page))
        page.locator("[data-key=tool-lasso]").tap()
        page.locator("[data-key=tool-lasso][aria-pressed=true]").wait_for()
        put("touchStart", (0.02, 0.02))
        for place in ((0.5, 0.03), (0.5, 0.5), (0.5, 0.97), (0.02, 0.97), (0.02, 0.5)):
            put("touchMove", place)
        put("touchEnd")
        wait(page, "points selected")
        assert 0 < count(page) < N
        page.wait_for_function("decodeURIComponent(location.search).includes('lasso')")  # it follows the selection
        assert page.evaluate("scrollY") == 0
        put("touchStart", (0.4, 0.5), (0.6, 0.5))
        for step in range(1, 9):
            put("touchMove", (0.4 - 0.03 * step, 0.5), (0.6 + 0.03 * step, 0.5))
        put("touchEnd")
        wait(page, re.compile(rf"^(?!{N} )\d+ of {N} points in view"))
        assert page.evaluate("visualViewport.scale") == 1
