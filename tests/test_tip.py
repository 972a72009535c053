"""What is said at a point that is pointed at, and where it is drawn."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from gpu_pipeline.dashboard.images import Images
from gpu_pipeline.dashboard.opened import Opened
from gpu_pipeline.dashboard.tip import GAP, WIDEST, Tip, beside, tip

POINTS = pd.DataFrame(
    {
        "x": [0.0, 1.0, 1.0, 2.0, 9.0],
        "y": [0.0, 0.0, 1.0, 0.0, 9.0],
        "label": ["4", "9", "9", "<b>", "4"],
        "neighbor_recall": [0.123, np.nan, 0.5, 0.25, 1.0],
    }
)


@pytest.fixture
def opened() -> Opened:
    return Opened("map", POINTS)


def test_a_class_and_what_lies_around(opened: Opened) -> None:
    assert tip(opened, 0, "label", 1.5, None).text == "label 4\n3 points here: 2 of 9, 1 of 4"
    lit = np.array([True, False, True, True, True])
    assert tip(opened, 0, "label", 1.5, lit).text == "label 4\n2 points here: 1 of 4, 1 of 9"
    assert tip(opened, 4, "label", 1.5, None).text == "label 4"


def test_a_point_without_a_class() -> None:
    points = Opened("map", POINTS.assign(label=[None, "9", "9", "4", None]))
    assert tip(points, 0, "label", 1.5, None).text == "no label\n3 points here: 2 of 9, 1 with no label"
    assert tip(points, 0, "label", 0.5, None).text == "no label"


def test_a_number_and_one_that_is_not_there(opened: Opened) -> None:
    assert tip(opened, 0, "neighbor_recall", 1.0, None).text == "neighbor recall 0.123\n2 points here"
    assert tip(opened, 1, "neighbor_recall", 0.5, None).text == "neighbor recall not measured"
    assert tip(opened, 0, "density", 0.5, None) == Tip("")


def test_what_tells_points_apart_is_said_too() -> None:
    titles = [f"On the {word} of embeddings, and what a reader of maps should know of it" for word in "abcde"]
    points = Opened("map", POINTS.assign(title=titles, kind=["one", "one", "two", "two", "two"]))
    said = tip(points, 4, "label", 1.5, None).text.split("\n")
    assert said[0] == "label 4"
    assert " ".join(said[1:]) == titles[4]
    assert max(map(len, said)) <= WIDEST
    assert tip(points, 4, "title", 1.5, None).text.count("On the e of") == 1
    assert "one" not in tip(points, 0, "label", 0.5, None).text
    some = Opened("map", POINTS.assign(title=[*titles[:4], None]))
    assert tip(some, 4, "label", 1.5, None).text == "label 4"


def test_no_line_is_wider_than_a_map_in_a_narrow_window() -> None:
    names = [f"a long name of a class that goes on and on, {i}" for i in range(9)]
    points = Opened("map", pd.DataFrame({"x": np.arange(9.0), "y": 0.0, "label": names}))
    text = tip(points, 8, "label", 9, None).text
    assert text.startswith("label a long name")
    assert "9 points here:" in text
    assert all(len(line) <= WIDEST for line in text.split("\n"))
    drawn = beside((8.0, 0.0), Tip(text), (0.0, 9.0, -4.0, 4.0), 9 / 380)
    assert 180 / 380 * 9 < drawn["x"][0] < 9 - 168 / 380 * 9


def test_many_classes_are_not_all_named() -> None:
    points = pd.DataFrame({"x": np.zeros(9), "y": np.zeros(9), "label": list("aaabbccde")})
    assert tip(Opened("map", points), 0, "label", 1.0, None).text == (
        "label a\n9 points here: 3 of a, 2 of b, 2 of c, 2 other classes"
    )


def test_names_are_cut_and_turn_nothing_around() -> None:
    """Letters that run from right to left take the numbers behind them along, unless they are isolated."""
    shalom, alam = "\u05e9\u05dc\u05d5\u05dd", "\u0639\u0627\u0644\u0645"
    names = [shalom, shalom, alam, "two\nlines " * 30]
    found = tip(Opened("map", pd.DataFrame({"x": [0.0] * 4, "y": 0.0, "label": names})), 3, "label", 1.0, None).text
    first, *others = found.split("\n")
    second = " ".join(others)
    assert first == "label two lines two lines two lines two lines…"
    assert second.startswith(f"4 points here: 2 of \u2068{shalom}\u2069, 1 of ")
    assert f"1 of \u2068{alam}\u2069" in second


def test_the_image_is_there_once_it_is_loaded(opened: Opened) -> None:
    assert tip(opened, 0, "label", 0.0, None).png == b""
    pixels = np.full((5, 28, 20), 255, np.uint8)
    pixels[0, 3, 4] = 0
    opened.part("images", lambda: (Images(pixels), ""))
    said = tip(opened, 0, "label", 0.0, None)
    image = Image.open(io.BytesIO(said.png))
    assert image.size == said.size == (2 * 20 + 2, 2 * 28 + 2)
    assert image.getpixel((1 + 2 * 4, 1 + 2 * 3)) == 0
    assert image.getpixel((1 + 2 * 3, 1 + 2 * 3)) == 255


def test_large_images_become_small(opened: Opened) -> None:
    opened.part("images", lambda: (Images(np.zeros((5, 300, 600), np.uint8)), ""))
    assert tip(opened, 0, "label", 0.0, None).size == (114, 58)


def test_it_is_above_its_point_or_below_and_never_across_an_edge() -> None:
    window, unit = (0.0, 80.0, 0.0, 60.0), 0.1  # 800 x 600 pixels
    said = Tip("label 4", b"x", (58, 58))
    middle = beside((40.0, 30.0), said, window, unit)
    assert middle["x"] == [40.0]
    assert middle["image_y"][0] == pytest.approx(30 + unit * (GAP + 29))
    assert middle["text_y"][0] > middle["image_y"][0] + 29 * unit
    top = beside((40.0, 59.0), said, window, unit)
    assert top["text_y"][0] < top["image_y"][0] < 59
    for x in (0.0, 80.0):
        place = beside((x, 30.0), said, window, unit)["x"][0]
        assert 2.9 <= place <= 77.1
