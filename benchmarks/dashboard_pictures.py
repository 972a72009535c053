"""The pictures of docs/dashboard.md, and the figures that it quotes, as a person gets them: by clicking in a browser.

    python benchmarks/dashboard_pictures.py [--chromium PATH]

Makes three maps of MNIST (a minute on two cores), opens the dashboard on them, writes docs/images/dashboard-*.png and
prints the figures. Those of the map of all digits differ a little from one kind of processor to another.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from dashboard import FLAGS, serving
from PIL import Image
from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SCREEN = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    chromium = parser.parse_args().chromium
    with tempfile.TemporaryDirectory() as folder:
        make(folder, "--sample", "5000", "--method", "umap")
        few = make(folder, "--sample", "3000")
        command("place", few, "mnist", "--sample", "1000", "--seed", "5", "--out", folder)
        whole = make(folder)
        with serving("--out", folder) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            for name, act in ACTS.items():
                page = browser.new_page(viewport=PHONE if name == "phone" else SCREEN)
                page.goto(f"{url}?run={few if name == 'placed' else whole}")
                page.get_by_text(re.compile("points in view")).first.wait_for()
                act(page)
                page.wait_for_timeout(3000)  # the last picture is drawn, and the side has followed
                shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
                # The usual way spends its colours on greys where the page is mostly grey, and legends lose theirs.
                few_colours = shot.quantize(method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
                few_colours.save(IMAGES / f"dashboard-{name}.png", optimize=True)
                page.close()
            browser.close()


def command(*arguments: str) -> str:
    """`gpu-pipeline`, and what it printed."""
    line = [sys.executable, "-m", "gpu_pipeline", *arguments]
    return subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True).stdout


def make(folder: str, *options: str) -> str:
    """A map of MNIST in that folder; its name."""
    return Path(json.loads(command("run", "--data", "mnist", *options, "--out", folder, "--json"))["run"]).name


def tab(page: Page, name: str) -> None:
    page.locator(f".tab-{name}").click()
    page.locator(f".tab-{name}[aria-current=true]").wait_for()


def point_at(page: Page, x: float, y: float) -> None:
    """Rest at a place, in parts of the map's width and height."""
    box = page.locator(".bk-Plot").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=5)


def point(page: Page) -> None:
    point_at(page, 0.36, 0.45)


def mistakes(page: Page) -> None:
    tab(page, "confusion")
    for line in (1, 2):
        entry = page.locator("li").filter(has=page.locator(f"[data-key=worst-{line}]"))
        entry.wait_for(timeout=60_000)
        print("confused most:", entry.inner_text().replace("\n", " "))
    page.locator("[data-key=worst-1]").click()


def recall(page: Page) -> None:
    page.locator("[data-key=colour]").select_option("neighbor_recall")
    page.locator("[data-key=to-neighbor_recall]").fill("0.1")
    page.keyboard.press("Tab")
    print("few neighbours kept:", page.locator("[data-passing]").inner_text())


def compare(page: Page) -> None:
    tab(page, "compare")
    page.locator("[data-key=other]").select_option(index=2)
    page.locator("[data-key=moved]").click()


def cluster(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("cluster=7")
    page.keyboard.press("Enter")
    page.get_by_text("points selected").wait_for()
    bars = page.locator(".bars").first
    print("cluster 7:", re.sub(r"\s+", " ", bars.inner_text()))


def export(page: Page) -> None:
    tab(page, "confusion")
    cell = page.get_by_role("button", name=re.compile("of label 4 in cluster .*, which stands for 9"))
    print("a cell:", cell.get_attribute("title"))
    cell.click()
    tab(page, "selection")


def placed(page: Page) -> None:
    page.locator("[data-key=placed]").select_option(index=1)
    page.get_by_text("placed points in view").wait_for()
    point_at(page, 0.4, 0.5)


def forming(page: Page) -> None:
    tab(page, "run")
    page.locator("[name=data]").select_option("mnist")
    page.locator("[name=sample]").fill("all")
    page.locator("[data-key=start]").click()
    page.get_by_text(re.compile(r"The map shows iteration [3-6]\d\d")).wait_for(timeout=120_000)


ACTS: dict[str, Callable[[Page], None]] = {
    "map": point,
    "mistakes": mistakes,
    "recall": recall,
    "compare": compare,
    "cluster": cluster,
    "export": export,
    "placed": placed,
    "phone": lambda page: None,
    "run": forming,
}
"""Name of a picture -> what is done before it is taken."""

if __name__ == "__main__":
    main()
