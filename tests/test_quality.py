"""How good the map is class by class: answers worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gpu_pipeline.dashboard import side
from gpu_pipeline.dashboard.opened import Opened
from gpu_pipeline.dashboard.quality import by_class, means, misfits, right


def table() -> pd.DataFrame:
    """Twelve a's and twelve b's far apart, of which one b lies among the a's; one point has no label."""
    x = np.concatenate([np.arange(12), 1_000 + np.arange(11), [5.5], [500]])
    label = [*["a"] * 12, *["b"] * 12, None]
    recall = np.concatenate([np.full(12, 0.5), np.full(11, 0.25), [np.nan], [0.1]])
    misfit = pd.array([*[False] * 11, True, *[False] * 11, True, None], dtype="boolean")
    return pd.DataFrame({"x": x, "y": 0.0, "label": label, "neighbor_recall": recall, "misfit": misfit})


def test_the_worst_class_comes_first() -> None:
    b, a = by_class(Opened("table", table()))
    assert (b.name, b.points, a.name, a.points) == ("b", 12, "a", 12)
    assert (b.accuracy, a.accuracy) == (pytest.approx(11 / 12), 1)
    assert (b.recall, a.recall) == (0.25, 0.5)
    assert (b.misfits, a.misfits) == (pytest.approx(1 / 12), pytest.approx(1 / 12))


def test_what_is_not_known_is_none() -> None:
    points = table()
    without = Opened("bare", points[["x", "y", "label"]])
    assert [(one.recall, one.misfits) for one in by_class(without)] == [(None, None)] * 2
    unlabelled = Opened("none", points[["x", "y", "neighbor_recall"]])
    assert (by_class(unlabelled), right(unlabelled), misfits(unlabelled)) == ([], None, None)
    assert means(np.array([0, 0, 2]), 3, np.array([1.0, np.nan, np.inf])) == [1.0, None, None]
    assert means(np.array([0, 1]), 2, None) == [None, None]


def test_the_pane_lists_the_classes_of_a_file_too() -> None:
    html = side.scores(Opened("table", table()))
    assert "no scores" in html
    assert html.index('data-value="label=b"') < html.index('data-value="label=a"')
    assert "91.7%" in html
    many = pd.DataFrame({"x": np.arange(120.0), "y": 0.0, "label": [f"c{i % 60:02}" for i in range(120)]})
    assert "and 20 more, which are better" in side.scores(Opened("many", many))
    assert "Class by class" not in side.scores(Opened("bare", many[["x", "y"]]))


def test_names_are_text() -> None:
    points = table().assign(label="<b>&")
    assert "<b>&" not in side.scores(Opened("table", points))


def test_votes_are_classes_as_labels_are_however_many() -> None:
    label = np.arange(300) % 100
    opened = Opened("m", pd.DataFrame({"x": np.arange(300.0), "y": 0.0, "label": label, "vote": label, "size": label}))
    assert [opened.layer(column).key.kind for column in ("label", "vote", "size")] == ["classes", "classes", "quantity"]
