"""How long a person waits: gestures in a real browser against a real server, until the new picture is on the screen.

    python benchmarks/dashboard.py [--points 70000 10000000] [--gestures 30] [--out FILE.jsonl]

Made-up maps of ten classes, opened as a person's own file, and shown at 1440 x 900. Browser and server share the
computer's processors. One JSON line a size, times in milliseconds:

    start           from starting the command until it can be opened, reading the file included (seconds)
    first, again    from opening the address until the first picture, the first time and for the next person
    zoom            from the turn of the wheel to the picture, over `gestures` turns in and out
    lasso           from letting go of a lasso around half of the map to the picture with the rest in grey
    ring, card      from the pointer's arrival to the ring around the nearest point, and to what the side says of it;
                    `near`, how often one was near
    largest         the largest message from the server, in bytes
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from dashboard_parts import blobs, spread_of
from playwright.sync_api import Browser, Page, TimeoutError, WebSocket, sync_playwright

from gpu_pipeline.machine import facts
from gpu_pipeline.timing import now, seconds

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

WATCH = """() => {
  window.seen = {image: [], rings: [], cards: []};
  const note = (kind) => requestAnimationFrame(() => requestAnimationFrame(() => seen[kind].push(performance.now())));
  const models = [...Bokeh.documents[0]._all_models.values()];
  for (const model of models) {
    const names = model.data instanceof Map ? [...model.data.keys()] : Object.keys(model.data ?? {});
    const kind = names.includes("image") ? "image" : names.includes("size") ? "rings" : null;
    if (kind) model.properties.data.change.connect(() => note(kind));
    if ("html" in model.properties && "keys" in model.properties)
      model.properties.html.change.connect(() => note("cards"));
  }
  for (const name of ["wheel", "pointerup", "pointermove"])
    window.addEventListener(name, () => { window.begun = performance.now(); }, {capture: true});
}"""
"""Note when a picture, a ring or a part of the page has changed and two frames have passed, and when the gesture was
made."""

READY = """() => [...(window.Bokeh?.documents?.[0]?._all_models?.values() ?? [])].some((model) => {
  const image = model.data instanceof Map ? model.data.get("image") : model.data?.image;
  return image && image[0] && image[0].length > 1000;
})"""
"""Whether the first picture is there."""


class Session:
    """One person's page."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.largest = 0
        self.page: Page = browser.new_page(viewport={"width": 1440, "height": 900})
        self.page.on("websocket", self._listen)
        start = seconds()
        self.page.goto(url)
        self.page.wait_for_function(READY, polling=20, timeout=120_000)
        self.first = 1e3 * (seconds() - start)
        self.page.wait_for_timeout(1500)
        self.page.evaluate(WATCH)
        box = self.page.locator(".bk-Plot").first.bounding_box()
        assert box is not None
        self.box = box

    def _listen(self, socket: WebSocket) -> None:
        def received(content: str | bytes) -> None:
            self.largest = max(self.largest, len(content))

        socket.on("framereceived", received)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A place on the screen, for shares of the map's width and height."""
        return self.box["x"] + x * self.box["width"], self.box["y"] + y * self.box["height"]

    def wait(self, kind: str, longest: float = 60_000) -> float:
        """Milliseconds from the last gesture to the last change of the picture or of the ring that follows from it."""
        self.page.wait_for_function(f"seen.{kind}.some((t) => t > begun)", polling=10, timeout=longest)
        self.page.wait_for_timeout(250)
        return float(self.page.evaluate(f"Math.max(...seen.{kind}) - begun"))

    def zoom(self, turns: int) -> list[float]:
        random, samples = np.random.default_rng(0), []
        for turn in range(turns):
            self.page.mouse.move(*self.at(*random.uniform(0.3, 0.7, 2)))
            self.page.wait_for_timeout(300)
            self.page.mouse.wheel(0, -240 if turn % 6 < 3 else 240)
            samples.append(self.wait("image"))
        return samples

    def hover(self, places: int) -> tuple[list[float], list[float]]:
        """To the ring and to the card; where no point is near there is neither, and no sample."""
        random, rings, cards = np.random.default_rng(1), [], []
        self.page.keyboard.press("r")
        self.page.wait_for_timeout(1500)
        for _ in range(places):
            self.page.mouse.move(*self.at(*random.uniform(0.3, 0.7, 2)))
            try:
                rings.append(self.wait("rings", 2_000))
                cards.append(self.wait("cards", 2_000))
            except TimeoutError:
                continue
        return rings, cards

    def lasso(self) -> list[float]:
        samples = []
        for shift in (0.0, 0.02, 0.04):
            self.page.keyboard.press("l")
            self.page.wait_for_timeout(700)
            angles = np.linspace(0, 2 * np.pi, 40)
            corners = [self.at(0.5 + shift + 0.25 * np.cos(a), 0.5 + 0.3 * np.sin(a)) for a in angles]
            self.page.mouse.move(*corners[0])
            self.page.mouse.down()
            for corner in corners[1:]:
                self.page.mouse.move(*corner)
            self.page.mouse.up()
            samples.append(self.wait("image"))
        return samples


@contextmanager
def serving(*arguments: str) -> Iterator[str]:
    """`gpu-pipeline dashboard` in a process of its own, once it can be opened, and where it is."""
    command = [sys.executable, "-m", "gpu_pipeline", "dashboard", *arguments, "--port", "0", "--no-show"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found, "the dashboard did not start"
            yield found[0]
        finally:
            server.terminate()


def measure(n: int, gestures: int, chromium: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        blobs(n).to_parquet(Path(folder) / "points.parquet")
        start = seconds()
        with serving(f"{folder}/points.parquet", "--out", f"{folder}/runs") as url:
            started = seconds() - start
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
                return {"points": n, "start": round(started, 1), **_gestures(browser, url, gestures)}


def _gestures(browser: Browser, url: str, gestures: int) -> dict[str, Any]:
    one = Session(browser, url)
    one.page.close()
    two = Session(browser, url)
    two.zoom(3)
    zoom = spread_of(two.zoom(gestures))
    rings, cards = two.hover(gestures)
    lasso = spread_of(two.lasso())
    largest = max(one.largest, two.largest)
    browser.close()
    return {
        "first": round(one.first),
        "again": round(two.first),
        "zoom": zoom,
        "lasso": lasso,
        "ring": spread_of(rings),
        "card": spread_of(cards),
        "near": len(cards),
        "largest": largest,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[70_000, 10_000_000])
    parser.add_argument("--gestures", type=int, default=30)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--out", type=Path, help="file to which the lines are written too, replaced if it exists")
    chosen = parser.parse_args()
    known = {name: value for name, value in facts().items() if name in ("cpu", "cores", "threads", "memory", "commit")}
    lines = []
    for n in chosen.points:
        load = os.getloadavg()[0]
        lines.append(json.dumps({**measure(n, chosen.gestures, chosen.chromium), "at": now(), "load": load, **known}))
        print(lines[-1], flush=True)
    if chosen.out:
        chosen.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
