"""Figures of a window, a selection and a confusion: answers worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpu_pipeline import Recipe, pipeline
from gpu_pipeline.dashboard.statistics import against_rest, confusion, counts, in_view, intruders, neighbors_of_row
from gpu_pipeline.datasets import Dataset
from gpu_pipeline.errors import InputError
from gpu_pipeline.record import Run
from gpu_pipeline.render import View, aggregate, mark, prepare

FOUR = View((0, 4), (0, 1), 4, 1)
"""Four pixels in a row, each one unit wide."""


@pytest.fixture(scope="module")
def run() -> Run:
    random = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 40)
    X = random.normal(size=(120, 8)) + 5 * np.eye(8)[y]
    dataset = Dataset("three", X.astype(np.float32), y, np.arange(120), 120)
    recipe = Recipe.model_validate({"embed": {"method": "pca", "n_components": 2}, "engine": "scikit_learn"})
    return pipeline.run(recipe, dataset)


def test_what_is_in_view() -> None:
    # Pixels: aaa, ab, b, and nothing; one point more lies outside the window.
    points = pd.DataFrame(
        {"x": [0.5, 0.5, 0.5, 1.5, 1.5, 2.5, 9.0], "y": 0.5, "label": list("aaaabba"), "q": np.arange(7) / 9}
    )
    (layer,) = prepare(points, colour="label")
    facts = in_view(aggregate(layer, FOUR), layer.key)
    assert (facts.points, facts.coloured, facts.most, facts.lit) == (6, 6, 3, 3)
    assert facts.mixed == pytest.approx(1 / 3)
    # Only the a's selected: two lit pixels of one class each, two grey points.
    selected = in_view(aggregate(mark(layer, (points.label == "a").to_numpy()), FOUR), layer.key)
    assert (selected.points, selected.coloured, selected.most, selected.lit) == (6, 4, 3, 2)
    assert selected.mixed == 0
    # Without the b's altogether.
    shown = in_view(aggregate(mark(layer, shown=(points.label == "a").to_numpy()), FOUR), layer.key)
    assert (shown.points, shown.coloured) == (4, 4)
    (layer,) = prepare(points, colour="q")
    assert in_view(aggregate(layer, FOUR), layer.key).mixed is None
    nothing = in_view(aggregate(layer, View((50, 54), (0, 1), 4, 1)), layer.key)
    assert (nothing.points, nothing.most, nothing.lit) == (0, 0, 0)


def test_counts_follow_the_selection() -> None:
    codes, names = np.array([0, 2, 2, 0, 2]), ("a", "b", "<script>alert(1)</script>")
    assert counts(codes, names) == [("a", 2, 2), ("b", 0, 0), ("<script>alert(1)</script>", 3, 3)]
    mask = np.array([True, True, False, False, False])
    assert [inside for _, inside, _ in counts(codes, names, mask)] == [1, 0, 1]
    assert [inside for _, inside, _ in counts(codes, names, ~mask & mask)] == [0, 0, 0]


def test_a_selection_against_the_rest() -> None:
    points = pd.DataFrame(
        {
            "row": np.arange(5),
            "x": np.arange(5) / 7,
            "y": 0.0,
            "label": ["a", "a", "a", "b", "b"],
            "size": [1.5, 2.5, np.nan, 4.0, 6.0],
        }
    )
    mask = np.array([True, True, True, False, False])
    found = {(d.column, d.name): d for d in against_rest(points, mask)}
    assert set(found) == {("label", "a"), ("label", "b"), ("size", None)}
    # All of the selection are a, none of the rest: 1 - 0 over sqrt(0.6 * 0.4).
    a = found["label", "a"]
    assert (a.inside, a.outside, a.difference) == (1.0, 0.0, 1.0)
    assert a.effect == pytest.approx(1 / np.sqrt(0.24))
    assert found["label", "b"].difference == -1.0


def test_a_quantity_is_compared_by_its_mean_over_measured_points() -> None:
    size = np.linspace(0, 1, 100)
    size[0] = np.nan
    points = pd.DataFrame({"x": 0.0, "y": 0.0, "size": size, "none": np.nan, "constant": 0.5})
    mask = np.arange(100) < 50
    found = {d.column: d for d in against_rest(points, mask)}
    # 1 to 49 of 99 inside, mean 25 / 99; 50 to 99 outside, mean 74.5 / 99.
    assert found["size"].inside == pytest.approx(25 / 99)
    assert found["size"].difference == pytest.approx(-49.5 / 99)
    assert found["size"].effect == pytest.approx(-49.5 / np.std(np.arange(1, 100)))
    assert found["none"].inside is found["none"].effect is None
    assert found["constant"].effect == 0
    assert against_rest(points, mask)[0].column == "size"
    everything = {d.column: d for d in against_rest(points, np.ones(100, bool))}
    assert everything["size"].outside is None
    assert everything["size"].difference is None


def test_names_are_not_compared() -> None:
    points = pd.DataFrame({"x": np.zeros(100), "y": 0.0, "file": [f"{i}.png" for i in range(100)]})
    assert against_rest(points, np.arange(100) < 5) == []
    with pytest.raises(InputError, match="over 5 points, not 100"):
        against_rest(points, np.ones(5, bool))


def test_clusters_stand_under_their_classes() -> None:
    # Cluster 7 holds the a's but one, 3 the b's and one a; 5 a few of both and no class is left for it.
    label = ["a"] * 5 + ["b"] * 5 + ["a", "b"]
    cluster = [7, 7, 7, 7, 3] + [3] * 5 + [5, 5]
    found = confusion(pd.DataFrame({"label": label, "cluster": cluster}))
    assert (found.classes, found.clusters, found.owners) == (["a", "b"], [7, 3, 5], [0, 1])
    assert found.counts.tolist() == [[4, 1, 1], [0, 5, 1]]


def test_fewer_clusters_than_classes_and_absent_labels() -> None:
    points = pd.DataFrame({"label": ["a", "b", "c", "c", None, "c"], "cluster": [0, 0, 1, 1, 1, 1]})
    found = confusion(points)
    assert found.counts.sum() == 5
    # c owns cluster 1; a or b owns cluster 0.
    assert [found.classes[owner] for owner in found.owners] in (["a", "c"], ["b", "c"])
    assert [found.counts[owner, j] for j, owner in enumerate(found.owners)] == [1, 3]
    with pytest.raises(InputError, match="no column 'label'"):
        confusion(points[["cluster"]])


def test_who_lies_among_another_class() -> None:
    # Neighbours by hand. Point 0 (a) has b b b a: among b with 3 of 4. Point 1 (a) has a a b b: a tie is no intrusion.
    # Point 2 (b) has a a a a: surest. Point 3 has no label; point 4 (b) has only unlabelled ones.
    points = pd.DataFrame({"x": 0.0, "y": 0.0, "label": ["a", "a", "b", None, "b"]})
    neighbors = np.array([[2, 4, 2, 1], [0, 0, 2, 4], [0, 1, 0, 1], [0, 1, 0, 1], [3, 3, 3, 3]])
    found = intruders(points, neighbors)
    assert found.to_dict("list") == {
        "position": [2, 0],
        "label": ["b", "a"],
        "among": ["a", "b"],
        "share": [1.0, 0.75],
    }


def test_intruders_on_a_map() -> None:
    random = np.random.default_rng(0)
    label = np.repeat([4, 9], 100)
    x = np.where(label == 4, 0, 50) + random.normal(size=200)
    x[[7, 150]] = 50, 0  # a 4 among the 9s, and the other way round
    points = pd.DataFrame({"x": x, "y": random.normal(size=200), "label": label})
    found = intruders(points)
    assert found[["position", "label", "among"]].to_numpy().tolist() == [[7, 4, 9], [150, 9, 4]]
    assert found["share"].tolist() == [1, 1]
    assert len(intruders(points[:1])) == 0
    assert len(intruders(points.assign(label=None))) == 0
    with pytest.raises(InputError, match="no labels"):
        intruders(points[["x", "y"]])


def test_neighbours_in_the_data_and_on_the_map(run: Run) -> None:
    found = neighbors_of_row(run, 17, 8)
    away = np.linalg.norm(np.delete(run.features, 17, 0).astype(float) - run.features[17], axis=1)
    assert found.distances == pytest.approx(np.sort(away)[:8], rel=1e-4)
    assert np.linalg.norm(run.features[found.in_data] - run.features[17], axis=1) == pytest.approx(found.distances)
    on_map = np.linalg.norm(run.embedding - run.embedding[17], axis=1)
    assert found.on_map.tolist() == np.argsort(on_map, kind="stable")[1:9].tolist()
    assert found.common == len(set(found.in_data.tolist()) & set(found.on_map.tolist()))


def test_neighbours_of_twins_and_of_few(run: Run) -> None:
    points = pd.DataFrame({"x": [1.0, 1, 1, 5], "y": 0.0})
    features = np.array([[1.0], [1], [1], [2]], np.float32)
    few = Run(run.record, points, features, run.scores)
    found = neighbors_of_row(few, 1, 8)
    assert found.in_data.tolist() == found.on_map.tolist() == [0, 2, 3]
    assert found.distances.tolist() == [0, 0, 1]
    alone: Any = Run(run.record, points[:1], features[:1], run.scores)
    assert len(neighbors_of_row(alone, 0).in_data) == 0
    for position in (-1, 4):
        with pytest.raises(InputError, match=f"no point {position}"):
            neighbors_of_row(few, position)
