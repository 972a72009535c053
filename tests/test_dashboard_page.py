"""The dashboard as a person uses it: a real browser against a real server, whose logs must stay clean."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from conftest import missing

from gpu_pipeline.dashboard import jobs
from gpu_pipeline.datasets import load
from gpu_pipeline.methods import PCA
from gpu_pipeline.pipeline import run
from gpu_pipeline.recipe import Data, Recipe

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCRIPT = "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'>"
N = 600


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs on the same 600 digits: by PCA, of which the newer sees columns that were reduced."""
    folder = tmp_path_factory.mktemp("runs")
    dataset = load("digits", sample=N)
    for columns in (0, 3):
        reduce, embed = PCA(n_components=columns), PCA(n_components=2)
        recipe = Recipe(data=Data(name="digits", sample=N), reduce=reduce, embed=embed, engine="scikit_learn")
        run(recipe, dataset).save(folder)
    return folder


class Server:
    """`gpu-pipeline dashboard` in a process of its own."""

    def __init__(self, log: Path, *arguments: str, python: tuple[str, ...] = ("-m", "gpu_pipeline")) -> None:
        self.log = log
        command = [sys.executable, *python, "dashboard", "--port", "0", "--no-show", *arguments]
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=os.environ)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, (line, log.read_text())
        self.url = found[0]

    def close(self) -> str:
        assert self.process.stdout is not None
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()
        return LEFT.sub("", self.log.read_text())


LEFT = re.compile(
    r"WARNING:bokeh.server.views.ws:Failed sending message as connection was closed\n"
    r"|Task exception was never retrieved\nfuture: .*WebSocketClosedError.*\n(?:.*\n)*?"
    r"tornado.websocket.WebSocketClosedError\n"
    r"|(?:ERROR:bokeh.server.protocol_handler:error handling message|Uncaught exception GET /ws).*\n"
    r"(?:(?!ERROR|Uncaught).*\n)+?\s+assert self._session is not None\n(?:\s*[\^~]+\n)?AssertionError\n"
)
"""What Bokeh and Tornado say when a browser is closed while a message is on its way."""


@pytest.fixture(scope="module")
def server(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("log") / "stderr", "--out", str(store))
    yield server
    for job in jobs.jobs(store):
        job.cancel()
    said = server.close()
    assert not re.search("error|traceback|warning", said, re.IGNORECASE), said


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("playwright is not installed: pip install playwright")
    if shutil.which(CHROMIUM) is None:
        missing(f"there is no {CHROMIUM}: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    yield from _page(browser, server.url)


def _page(browser: Browser, url: str, ready: str = ".strip, [role=alert]", **options: Any) -> Iterator[Page]:
    """A page whose console stays free of errors, once something is there."""
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
    page = context.new_page()
    page.set_default_timeout(60_000)
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(url)
    page.locator(ready).first.wait_for()
    yield page
    context.close()
    assert not faults


def strip(page: Page) -> str:
    return page.locator(".strip").inner_text()


def wait(page: Page, text: str | re.Pattern[str]) -> Locator:
    found = page.get_by_text(text).first
    found.wait_for()
    return found


def tab(page: Page, name: str) -> None:
    page.locator(f".tab-{name}").click()
    page.locator(f".tab-{name}[aria-current=true]").wait_for()


def box(page: Page, which: int = 0) -> tuple[float, float, float, float]:
    area = page.locator(".bk-Plot").nth(which).bounding_box()
    assert area is not None
    return area["x"], area["y"], area["width"], area["height"]


def drag(page: Page, corners: list[tuple[float, float]], which: int = 0) -> None:
    """Drag along corners in parts of the map's width and height."""
    x, y, width, height = box(page, which)
    places = [(x + a * width, y + b * height) for a, b in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def tool(page: Page, key: str, name: str) -> None:
    page.keyboard.press(key)
    page.locator(f"[data-key=tool-{name}][aria-pressed=true]").wait_for()


def count(page: Page) -> int:
    return int(page.locator("[data-count]").inner_text().replace(",", ""))


def listed(page: Page) -> int:
    """Runs in the list, once it is there: the strip may be there before it."""
    runs = page.locator(".runs button")
    runs.first.wait_for()
    return runs.count()


def whole(page: Page) -> None:
    """Wait until all points are in view."""
    wait(page, re.compile(rf"{N} of {N} points in view"))


INKED = """() => {
  const find = (root) => [...root.querySelectorAll("*")].flatMap((n) =>
    [...(n.tagName === "CANVAS" ? [n] : []), ...(n.shadowRoot ? find(n.shadowRoot) : [])]);
  const canvas = find(document)[0];
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {willReadFrequently: true});
  copy.drawImage(canvas, 0, 0);
  const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;
  let inked = 0;
  for (let i = 0; i < data.length; i += 4)
    if (data[i + 3] && data[i] + data[i + 1] + data[i + 2] < 700) inked++;
  return inked;
}"""
"""Pixels of the map that are not paper."""


def test_opens_on_the_newest_run(page: Page) -> None:
    page.wait_for_function("document.title.startsWith('gpu_pipeline: PCA of digits')")
    whole(page)
    page.wait_for_function(f"({INKED})() > 2_000", polling=200)
    assert listed(page) == 2
    page.locator(".legend li").nth(9).wait_for()


def test_zooms_and_comes_back(page: Page) -> None:
    x, y, width, height = box(page)
    page.mouse.move(x + width / 2, y + height / 2)
    for _ in range(4):
        page.mouse.wheel(0, -300)
    page.wait_for_function("location.search.includes('view=')")
    assert not strip(page).startswith(f"{N} of")
    page.keyboard.press("r")
    whole(page)


def test_no_picture_is_of_a_window_that_nobody_looks_at(page: Page) -> None:
    """The ends of a window change together: with some of them alone a picture would have another shape than the map."""
    whole(page)
    page.evaluate(
        """() => {
          [window.sent, window.since] = [[], performance.now()];
          for (const model of Bokeh.documents[0]._all_models.values())
            if (model.data && "png" in model.data)
              model.properties.data.change.connect(() => {
                since = performance.now();
                if (model.data.png[0]) sent.push(model.data.dw[0] / model.data.dh[0]);
              });
        }"""
    )
    page.wait_for_function("performance.now() - since > 1500")  # Until all of the page has its size.
    page.evaluate("sent.length = 0")
    for sent, key in enumerate(("ArrowRight", "i", "ArrowUp", "o", "ArrowLeft", "r"), 1):
        page.keyboard.press(key)
        page.wait_for_function(f"sent.length >= {sent}")
    for name in ("scores", "compare", "run"):
        tab(page, name)
    _, _, width, height = box(page)
    shapes = page.evaluate("sent")
    assert shapes == pytest.approx([width / height] * len(shapes), rel=1e-2)
    assert len(shapes) <= 8, "none is drawn anew because another tab is shown"


def test_few_points_are_shown_as_images_without_a_fault(page: Page) -> None:
    x, y, width, height = box(page)
    page.mouse.move(x + width / 2, y + height / 2)
    for _ in range(12):
        page.mouse.wheel(0, -300)
    page.wait_for_function("location.search.includes('view=')")
    wait(page, re.compile(rf"^\d{{1,2}} of {N} points in view"))


def test_colours_and_modes(page: Page) -> None:
    choices = {"mode": ("mix", "purity", "density"), "colour": ("cluster", "misfit", "neighbor_recall", "density")}
    for key, values in choices.items():
        for value in values:
            page.locator(f"[data-key={key}]").select_option(value)
            page.wait_for_function(f"location.search.includes('{key}={value}')")
            # The server has drawn the list anew: what it has said before cannot be mixed up with the next choice.
            page.locator(f"[data-key={key}] option[value={value}][selected]").wait_for(state="attached")
    page.locator(".ramp").wait_for()


def test_an_address_that_cannot_be_followed_is_told(page: Page) -> None:
    page.goto(page.url.split("?")[0] + "?mode=top&colour=nothing&tab=scores")
    wait(page, "What this address says of mode and colour cannot be followed: the rest of it is shown.")
    page.get_by_text("How good the map is").wait_for()


def test_numbers_are_coloured_by_rank(page: Page) -> None:
    page.locator("[data-key=colour]").select_option("neighbor_recall")
    page.locator("[data-key=scale]").select_option("rank")
    page.get_by_text("equal lengths hold equally many points").wait_for()
    page.wait_for_function("location.search.includes('scale=rank')")
    page.reload()
    page.get_by_text("equal lengths hold equally many points").wait_for()
    page.locator("[data-key=colour]").select_option("label")
    page.locator("[data-key=mode]").wait_for()


def test_legend_filters_and_counts_follow(page: Page) -> None:
    page.locator("[data-key=hide-4]").click()
    wait(page, re.compile("in colour"))
    shown = int(re.search(r"([\d,]+) in colour", strip(page))[1])  # type: ignore[index]
    assert 0 < shown < N
    page.locator("[data-do=all]").click()
    page.locator("[data-do=all]").wait_for(state="detached")
    tool(page, "b", "box")
    drag(page, [(0.01, 0.01), (0.5, 0.99)])
    wait(page, "points selected")
    # The legend is drawn apart from what is beside the map.
    page.locator(".legend .n", has_text="/").first.wait_for()
    parts = [re.fullmatch(r"(\d+) / (\d+)", text) for text in page.locator(".legend .n").all_inner_texts()]
    assert sum(int(part[1]) for part in parts if part) == count(page)
    assert sum(int(part[2]) for part in parts if part) == N


def test_box_lasso_add_subtract_undo(page: Page) -> None:
    page.get_by_role("button", name="Box").click()
    page.locator("[data-key=tool-box][aria-pressed=true]").wait_for()
    drag(page, [(0.01, 0.01), (0.5, 0.99)])
    wait(page, "points selected")
    half = count(page)
    assert 0 < half < N
    page.keyboard.press("+")
    tool(page, "l", "lasso")
    drag(page, [(0.49, 0.01), (0.99, 0.01), (0.99, 0.99), (0.49, 0.99), (0.49, 0.02)])
    page.wait_for_function("location.search.includes('lasso')")
    wait(page, re.compile(rf"^{N} of {N} points selected"))
    page.keyboard.press("-")
    page.locator("[data-key=how-subtract][aria-pressed=true]").wait_for()
    drag(page, [(0.01, 0.01), (0.5, 0.01), (0.5, 0.99), (0.01, 0.99), (0.01, 0.02)])
    page.wait_for_function("location.search.split('lasso').length === 3")
    page.locator("[data-count]", has_text=re.compile(rf"^(?!{N}$)")).wait_for()
    assert count(page) < N - half + 10
    page.keyboard.press("z")
    wait(page, f"{N} of {N}")
    page.keyboard.press("Escape")
    wait(page, "Nothing is selected")


def test_selection_shows_images_statistics_and_exports(page: Page, tmp_path: Path) -> None:
    tool(page, "b", "box")
    drag(page, [(0.01, 0.01), (0.6, 0.6)])
    wait(page, "Against the rest")
    first = page.locator("img.sheet").get_attribute("src")
    page.get_by_role("button", name="Draw others").click()
    page.locator(f"img.sheet:not([src='{first}'])").wait_for()
    for kind, read in (("CSV", pd.read_csv), ("Parquet", pd.read_parquet)):
        with page.expect_download() as download:
            page.get_by_text(f"Export {kind}").click()
        target = tmp_path / f"rows.{kind}"
        download.value.save_as(target)
        assert len(read(target)) == count(page)


def test_pointing_rings_and_shows_neighbours(page: Page) -> None:
    x, y, width, height = box(page)
    for i in range(30):
        page.mouse.move(x + width * (0.3 + 0.012 * i), y + height * 0.5)
        page.wait_for_timeout(300)
        if page.get_by_text("Nearest in the data").count():
            break
    wait(page, "Nearest on the map")
    card = page.locator(".card")
    assert card.locator("img").count() == 1
    page.wait_for_timeout(1_000)  # To Bokeh what a browser still busy with the card sees 300 ms apart is no click.
    page.mouse.down()
    page.mouse.up()
    wait(page, "Held:")
    row = card.locator("dd").first.inner_text()
    page.mouse.move(x + 5, y + 5)
    page.wait_for_timeout(400)
    assert card.locator("dd").first.inner_text() == row
    page.keyboard.press("h")
    wait(page, "to hold this point")


def test_mistakes_select_on_the_map(page: Page) -> None:
    tab(page, "confusion")
    cell = page.locator(".heat button:not([disabled])").first
    title = cell.get_attribute("title") or ""
    cell.click()
    page.wait_for_function("location.search.includes('where')")
    wait(page, re.compile(rf"{title.split(' ')[0]} in colour"))
    show = page.get_by_role("button", name="Show", exact=True)
    if show.count():
        show.first.click()
        page.wait_for_function("location.search.includes('among')")
        page.locator(".thumbs button").first.click()
        wait(page, "Held:")


def test_compares_two_runs_with_one_selection(page: Page, browser: Browser) -> None:
    tab(page, "compare")
    page.locator("[data-key=other]").select_option(index=1)
    wait(page, "rows in common")
    page.locator(".bk-Plot").nth(1).wait_for()
    page.locator("[data-key=moved]").click()
    page.wait_for_function("location.search.includes('colour=displacement')")
    tool(page, "b", "box")
    drag(page, [(0.02, 0.02), (0.5, 0.98)], which=1)
    page.wait_for_function("location.search.includes('box2')")
    tab(page, "selection")
    assert 0 < count(page) < N
    page.wait_for_function("location.search.includes('tab=selection')")
    for again in _page(browser, page.url):
        wait(again, "points selected")
        assert count(again) == count(page)
        assert box(again, 1)[2] > 200


def test_scores_and_origin(page: Page) -> None:
    tab(page, "scores")
    wait(page, "trustworthiness")
    wait(page, "gpu-pipeline run --recipe")


def test_a_link_opens_the_same_view(page: Page, browser: Browser) -> None:
    tool(page, "b", "box")
    drag(page, [(0.1, 0.1), (0.6, 0.7)])
    wait(page, "points selected")
    page.locator("[data-key=colour]").select_option("cluster")
    page.wait_for_function("location.search.includes('colour=cluster')")
    for again in _page(browser, page.url):
        wait(again, "points selected")
        assert count(again) == count(page)
        assert again.locator("[data-key=colour]").input_value() == "cluster"


def test_sessions_are_apart(page: Page, browser: Browser, server: Server) -> None:
    for other in _page(browser, server.url):
        page.locator("[data-key=colour]").select_option("cluster")
        page.wait_for_function("location.search.includes('colour=cluster')")
        assert other.locator("[data-key=colour]").input_value() == "label"


def test_theme_and_a_narrow_screen(browser: Browser, server: Server) -> None:
    for page in _page(browser, server.url, viewport={"width": 390, "height": 844}, color_scheme="dark"):
        paper = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(paper) == "rgb(23, 25, 31)"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.get_by_role("button", name="Light/dark").click()
        page.wait_for_function(f"{paper} === 'rgb(255, 255, 255)'")
        tab(page, "scores")
        wait(page, "trustworthiness")


def fill(page: Page, **values: str) -> None:
    """Fill the form of a new run."""
    tab(page, "run")
    page.locator("[name=data]").select_option("digits")
    for name, value in values.items():
        page.locator(f"[name={name}]").fill(value)


def job(page: Page, title: str) -> Locator:
    """The entry of the newest job with that title."""
    return page.locator("[data-state]").filter(has_text=title).first


def test_makes_a_run_and_watches_it_form(page: Page) -> None:
    fill(page, sample="many")
    page.locator("[data-key=start]").click()
    # Typed while the answer is under way: it is not wiped out by it.
    page.locator("[name=iterations]").fill("500")
    wait(page, "give a whole number or all")
    page.wait_for_timeout(500)
    assert page.locator("[name=sample]").input_value() == "many"
    assert page.locator("[name=iterations]").input_value() == "500"
    page.locator("[name=sample]").fill("400")
    page.locator("[data-key=start]").click()
    made = job(page, "400 points")
    made.and_(page.locator("[data-state=done]")).wait_for()
    wait(page, re.compile("400 of 400 points in view"))
    made.get_by_role("button", name="Watch again").click()
    wait(page, re.compile("frame 1 of"))
    # Title, legend and strip are those of the frame.
    wait(page, re.compile("a frame and not the stored map"))
    wait(page, re.compile("The map shows iteration"))
    assert sum(int(text) for text in page.locator(".legend .n").all_inner_texts()) == 400
    page.locator("[data-key=frame]").fill("1")
    wait(page, re.compile("frame 2 of"))
    page.locator("[data-key=unwatch]").click()
    page.get_by_text("a frame and not the stored map").wait_for(state="detached")
    wait(page, re.compile("400 of 400 points in view"))
    made.get_by_role("button", name="Dismiss").click()
    page.locator("[data-state]").filter(has_text="400 points").wait_for(state="detached")


ENDLESS = "100000000"


def test_stop_and_keep_stores_the_map_as_it_is(page: Page) -> None:
    fill(page, sample="350", iterations=ENDLESS)
    page.locator("[data-key=start]").click()
    running = job(page, "350 points")
    # The frames of a run that is not stored yet stand in place of the map.
    wait(page, re.compile("350 of 350 points in view"))
    wait(page, re.compile("a frame and not the stored map"))
    running.get_by_role("button", name="Stop and keep").click()
    running.and_(page.locator("[data-state=stopped]")).wait_for()
    wait(page, re.compile("Finished and stored"))
    wait(page, re.compile("stopped after .* iterations"))
    page.wait_for_function("document.title.includes('t-SNE of digits: 350 of')")
    page.wait_for_function("location.search.includes('run=digits-tsne-mesh')")
    job(page, "350 points").get_by_role("button", name="Dismiss").click()
    page.locator("[data-state]").filter(has_text="350 points").wait_for(state="detached")


def test_cancel_keeps_nothing(page: Page) -> None:
    runs = listed(page)
    title = page.locator(".what").inner_text()
    fill(page, sample="360", iterations=ENDLESS)
    page.locator("[data-key=start]").click()
    running = job(page, "360 points")
    wait(page, re.compile("360 of 360 points in view"))
    running.get_by_role("button", name="Cancel").click()
    running.and_(page.locator("[data-state=stopped]")).wait_for()
    wait(page, "Stopped; nothing was kept.")
    # Back to the map that was there before.
    page.wait_for_function("title => document.title === `gpu_pipeline: ${title}`", arg=title)
    assert listed(page) == runs
    running.get_by_role("button", name="Dismiss").click()
    page.locator("[data-state]").filter(has_text="360 points").wait_for(state="detached")


def test_a_button_that_is_redrawn_under_the_finger_is_still_pressed(page: Page) -> None:
    fill(page, sample="370", iterations=ENDLESS)
    page.locator("[data-key=start]").click()
    running = job(page, "370 points")
    running.get_by_role("button", name="Cancel").hover()
    page.mouse.down()
    page.wait_for_timeout(2_000)  # the list is drawn anew more than once a second, for it says how long the job took
    page.mouse.up()
    running.and_(page.locator("[data-state=stopped]")).wait_for()


def pinch(page: Page, x: float, y: float) -> None:
    """Two fingers that part around a place."""
    hand = page.context.new_cdp_session(page)
    for step in range(12):
        points = [{"x": x + side * (20 + 8 * step), "y": y, "id": i} for i, side in enumerate((-1, 1))]
        hand.send("Input.dispatchTouchEvent", {"type": "touchMove" if step else "touchStart", "touchPoints": points})
    hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_fingers_tap_and_pinch(browser: Browser, server: Server) -> None:
    from playwright.sync_api import TimeoutError as PlaywrightTimeout

    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    for page in _page(browser, server.url, **phone):
        wait(page, re.compile("points in view"))
        x, y, width, height = box(page)
        for i in range(12):
            page.touchscreen.tap(x + width * (0.3 + 0.03 * i), y + height * 0.5)
            # A tap on nothing lets go again: the next has to wait for what this one came to.
            with suppress(PlaywrightTimeout):
                page.wait_for_function("location.search.includes('point=')", timeout=3000)
                break
        wait(page, "Held:")
        pinch(page, x + width / 2, y + height / 2)
        page.wait_for_function("location.search.includes('view=')")
        shown = re.match(r"([\d,]+) of ([\d,]+)", strip(page))
        assert shown
        assert shown[1] != shown[2]


def upload(page: Page, path: Path) -> None:
    tab(page, "run")
    page.locator("[name=upload]").set_input_files(path)


def test_uploads_a_map_and_data(page: Page, browser: Browser, tmp_path: Path) -> None:
    places = pd.DataFrame({"x": range(50), "y": range(50), "kind": [SCRIPT, "b"] * 25})
    places.to_csv(tmp_path / "My <b>points.csv", index=False)
    upload(page, tmp_path / "My <b>points.csv")
    wait(page, re.compile("my-b-points-.* is uploaded. It is shown."))
    wait(page, re.compile("50 of 50 points in view"))
    page.wait_for_function("location.search.includes('run=upload')")
    for again in _page(browser, page.url):
        wait(again, re.compile("50 of 50 points in view"))
        assert again.evaluate("window.hacked") is None
    np.save(tmp_path / "clouds.npy", np.random.default_rng(0).normal(size=(200, 6)) + 9 * (np.arange(200) % 3)[:, None])
    page.locator("[name=data]").select_option("digits")
    upload(page, tmp_path / "clouds.npy")
    wait(page, re.compile("It is chosen as data below."))
    page.locator("[name=data] option[value^='upload/clouds-'][selected]").wait_for(state="attached")
    clouds = page.locator("[name=data]").input_value()
    assert clouds.startswith("upload/clouds-")
    # Uploaded again, it is chosen again.
    page.locator("[name=data]").select_option("digits")
    page.locator("[name=iterations]").fill("300")
    upload(page, tmp_path / "clouds.npy")
    page.locator(f"[name=data] option[value='{clouds}']:checked").wait_for(state="attached")
    assert page.locator("[name=iterations]").input_value() == "300"
    page.locator("[name=method]").select_option("pca")
    page.locator("[name=sample]").fill("all")
    page.locator("[data-key=start]").click()
    job(page, "PCA of clouds-").and_(page.locator("[data-state=done]")).wait_for()
    wait(page, re.compile("200 of 200 points in view"))
    for name in ("my-b-points", "clouds"):
        page.locator(f"[data-key^=remove-{name}]").click()
        page.locator(f"[data-key^=remove-{name}]").wait_for(state="detached")


def test_uploads_that_are_refused(browser: Browser, store: Path, tmp_path: Path) -> None:
    server = Server(tmp_path / "stderr", "--out", str(store), "--max-upload", "1")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1" + bytes(range(256)) * 100)
    (tmp_path / "large.npy").write_bytes(bytes(3 << 20))
    (tmp_path / "program.exe").write_bytes(b"x")
    try:
        for page in _page(browser, server.url):
            for name, says in (
                ("large.npy", "the file has 3.0 MiB but uploads may have 1 at most"),
                ("torn.parquet", "is not a readable Parquet file"),
                ("program.exe", "a file of that kind cannot be read"),
            ):
                upload(page, tmp_path / name)
                wait(page, re.compile(re.escape(says)))
            assert "points in view" in strip(page)
    finally:
        said = server.close()
    assert not re.search("error|traceback|warning", said, re.IGNORECASE), said
    assert not list((store / ".uploads").iterdir())


def test_no_address_and_no_label_does_harm(browser: Browser, store: Path, tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    labels = [SCRIPT, '"><b>', "{{7*7}}"] * 10
    x = list(range(30))
    pd.DataFrame({"x": x, "y": x[::-1], "label": labels, f"{SCRIPT}": [i / 7 for i in x]}).to_csv(path, index=False)
    server = Server(tmp_path / "stderr", "--out", str(store), str(path))
    try:
        for query in ("", "?run=../../etc/passwd&select=%3Dwhere:label%3D<script>&colour=<script>&view=1,2,3,nan"):
            for page in _page(browser, server.url + query):
                if not query:
                    page.locator(".legend .name").filter(has_text="window.hacked").wait_for()
                    tool(page, "b", "box")
                    drag(page, [(0.01, 0.01), (0.99, 0.99)])
                    wait(page, "30 of 30")
                page.wait_for_timeout(300)
                assert page.evaluate("window.hacked") is None
    finally:
        said = server.close()
    assert not re.search("error|traceback|warning", said, re.IGNORECASE), said
