"""How long the parts of the dashboard take that lie between a gesture and its picture, without browser and network.

    python benchmarks/dashboard_parts.py [--points 70000 10000000] [--windows 40]

Made-up maps: ten classes of five blobs each. Windows of all sizes from the whole map to a thousandth of its area, in a
seeded order, 1000 x 800 pixels; the first pictures, which compile, are not counted. One JSON line a size, in
milliseconds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from gpu_pipeline.dashboard.frame import draw_frame
from gpu_pipeline.dashboard.picking import Nearest, inside_polygon
from gpu_pipeline.engines import threads
from gpu_pipeline.render import View, arrange, fit, mark, order, prepare
from gpu_pipeline.timing import seconds

WIDTH, HEIGHT = 1000, 800


def blobs(n: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    label = random.integers(0, 10, n)
    centres = random.normal(0, 10, (50, 2)).astype(np.float32)
    places = centres[label * 5 + random.integers(0, 5, n)] + random.normal(0, 1.5, (n, 2)).astype(np.float32)
    return pd.DataFrame({"x": places[:, 0], "y": places[:, 1], "label": label.astype(np.int16)})


def windows(points: pd.DataFrame, n: int) -> list[View]:
    """Windows around points of the map, so that dense places are looked at more often."""
    random = np.random.default_rng(1)
    whole = fit(points, WIDTH, HEIGHT)
    span = whole.x_range[1] - whole.x_range[0], whole.y_range[1] - whole.y_range[0]
    views = [whole]
    for share in 10 ** random.uniform(-1.5, 0, n - 1):
        x, y = points.iloc[int(random.integers(len(points)))][["x", "y"]]
        half = span[0] * share / 2, span[1] * share / 2
        views.append(View((x - half[0], x + half[0]), (y - half[1], y + half[1]), WIDTH, HEIGHT))
    return views


def timed(action: Callable[[], object]) -> float:
    start = seconds()
    action()
    return 1e3 * (seconds() - start)


def spread_of(samples: list[float]) -> dict[str, float | None]:
    if not samples:
        return {"median": None, "p95": None}
    return {"median": round(float(np.median(samples)), 1), "p95": round(float(np.percentile(samples, 95)), 1)}


def measure(n: int, n_windows: int) -> dict[str, object]:
    points = blobs(n)
    x, y = points["x"].to_numpy(), points["y"].to_numpy()
    once: dict[str, float] = {}
    start = seconds()
    (layer,) = prepare(points, colour="label")
    once["prepare"] = 1e3 * (seconds() - start)
    order(x[:1000], y[:1000])  # compiles
    start = seconds()
    places = order(x, y)
    once["order"] = 1e3 * (seconds() - start)
    arranged = arrange(layer, places)
    angle = np.linspace(0, 2 * np.pi, 400)
    rim = (12 + 3 * np.sin(7 * angle))[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    mask = inside_polygon(x, y, rim)
    once["mark"] = timed(lambda: mark(arranged, mask))
    views = windows(points, n_windows)
    redraw: dict[str, dict[str, float | None]] = {}
    size = 0
    for name, drawn in (("unordered", layer), ("ordered", arranged), ("ordered, selection", mark(arranged, mask))):
        for mode in ("majority", "mix") if name == "ordered" else ("majority",):
            sizes = [len(draw_frame(drawn, view, mode).png) for view in views]  # compiles, too
            draws = [partial(draw_frame, drawn, view, mode) for view in views]
            redraw[f"{name}, {mode}"] = spread_of([timed(draw) for draw in draws])
            size = max(size, *sizes)
    nearest = Nearest(x, y, places)
    nearest.at(0, 0, 1)
    unit = (views[0].x_range[1] - views[0].x_range[0]) / WIDTH
    hovers = [timed(partial(nearest.at, x[i] + unit, y[i], 14 * unit)) for i in range(200)]
    return {
        "points": n,
        "threads": threads(),
        "once_ms": {name: round(value, 1) for name, value in once.items()},
        "redraw_ms": redraw,
        "lasso_400_corners_ms": spread_of([timed(lambda: inside_polygon(x, y, rim)) for _ in range(9)]),
        "nearest_ms": spread_of(hovers),
        "largest_png_bytes": size,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="+", default=[70_000, 10_000_000])
    parser.add_argument("--windows", type=int, default=40)
    asked = parser.parse_args()
    for points in asked.points:
        print(json.dumps(measure(points, asked.windows)), flush=True)
