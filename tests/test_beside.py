"""Two maps beside each other: clusters that correspond have one number and one colour."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gpu_pipeline import Recipe, pipeline
from gpu_pipeline.dashboard.beside import KEPT_COMPARISONS, beside, match_clusters
from gpu_pipeline.dashboard.opened import Opened
from gpu_pipeline.dashboard.side.compare_pane import compare
from gpu_pipeline.datasets import Dataset
from gpu_pipeline.errors import InputError
from gpu_pipeline.record import Run


@pytest.fixture(scope="module")
def run() -> Run:
    random = np.random.default_rng(0)
    X = random.normal(size=(60, 4)).astype(np.float32)
    recipe = Recipe.model_validate({"embed": {"method": "pca", "n_components": 2}, "engine": "scikit_learn"})
    return pipeline.run(recipe, Dataset("noise", X, np.repeat([0, 1, 2], 20), np.arange(60), 60))


def with_clusters(run: Run, clusters: list[int], rows: np.ndarray) -> Opened:
    random = np.random.default_rng(len(rows))
    points = pd.DataFrame({"row": rows, "x": random.normal(size=len(rows)), "y": random.normal(size=len(rows))})
    return Opened("map", points.assign(cluster=clusters), run)


def test_counterparts_are_those_with_the_most_rows_in_common() -> None:
    # Cluster 0 here is 2 there but for one row; 1 is 0; 2 shares one row with 1.
    one = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
    other = np.array([2, 2, 2, 0, 0, 0, 0, 1, 0, 0])
    matched = match_clusters(one, other, [0, 1, 2], [0, 1, 2])
    assert matched.numbers == {2: 0, 0: 1, 1: 2}
    assert matched.clusters == [0, 1, 2]
    assert matched.shared == pytest.approx(0.7)
    # By chance 0.4 * 0.3 + 0.3 * 0.6 + 0.3 * 0.1.
    assert matched.chance == pytest.approx(0.33)


def test_a_cluster_without_counterpart_gets_a_new_number() -> None:
    matched = match_clusters(np.array([0, 0, 4, 4]), np.array([9, 9, 3, 5]), [0, 4], [3, 5, 7, 9])
    assert matched.numbers[9] == 0
    assert sorted(matched.numbers.values()) == [0, 4, 5, 6]
    assert matched.clusters == [0, 4, 5, 6]
    # 7 shares no row: it must not be given the number of a cluster that it has nothing to do with.
    alone = match_clusters(np.array([0, 1]), np.array([3, 3]), [0, 1], [3, 7])
    assert alone.numbers[7] == 2


@pytest.mark.parametrize(("left", "right"), [(3, 5), (5, 3), (12, 4)])
def test_counterparts_have_one_colour(run: Run, left: int, right: int) -> None:
    random = np.random.default_rng(1)
    rows = np.arange(60)
    clusters = random.permutation(60) % left
    # The same clusters under other numbers, the last ones joined or the first parted.
    shifted = (clusters * 7 + 3) % right
    shown = beside(with_clusters(run, clusters.tolist(), rows), with_clusters(run, shifted.tolist(), rows[::-1].copy()))
    colours = []
    for opened in (shown.left, shown.right):
        codes, key = opened.codes("cluster")
        colours.append({name: key.colours[i].tolist() for i, name in enumerate(key.names)})
        assert [key.names[code] for code in codes] == opened.points["cluster"].astype(str).tolist()
    assert colours[0] == colours[1]
    assert shown.left.points["cluster"].astype(int).tolist() == clusters.tolist()
    assert shown.matched is not None
    renamed = [shown.matched.numbers[number] for number in shifted.tolist()]
    assert shown.right.points["cluster"].tolist() == renamed


def test_maps_that_differ_by_their_numbers_only_look_the_same(run: Run) -> None:
    rows = np.arange(40)
    one = with_clusters(run, (rows % 4).tolist(), rows)
    other = with_clusters(run, (3 - rows % 4).tolist(), rows)
    shown = beside(one, other)
    assert shown.matched is not None
    assert shown.matched.shared == 1
    assert shown.right.points["cluster"].tolist() == shown.left.points["cluster"].tolist()
    assert other.points["cluster"].tolist() == (3 - rows % 4).tolist()
    assert beside(one, other) is shown


def test_points_know_their_places_on_the_other_map(run: Run) -> None:
    one = with_clusters(run, [0] * 20, np.arange(20))
    other = with_clusters(run, [0] * 15, np.arange(24, 9, -1))
    shown = beside(one, other)
    assert shown.left.there.tolist() == [-1] * 10 + list(range(14, 4, -1))
    assert shown.right.there.tolist() == [-1] * 5 + list(range(19, 9, -1))
    same = beside(one, with_clusters(run, [0] * 20, np.arange(20)))
    assert same.left.there.tolist() == same.right.there.tolist() == list(range(20))


def test_few_comparisons_stay_in_memory(run: Run) -> None:
    """Each holds two maps, their order and what was drawn of them: gigabytes at ten million points."""
    rows = np.arange(20)
    one = with_clusters(run, [0] * 20, rows)
    others = [with_clusters(run, [0] * 20, rows) for _ in range(KEPT_COMPARISONS + 2)]
    alive = [weakref.ref(beside(one, other)) for other in others]
    known = [weakref.ref(other) for other in others]
    assert beside(one, others[-1]) is alive[-1]()
    del others
    gc.collect()
    assert [found() is not None for found in alive] == [False] * 2 + [True] * KEPT_COMPARISONS
    assert [found() is not None for found in known] == [False] * 2 + [True] * KEPT_COMPARISONS


def test_without_clusters_or_run(run: Run) -> None:
    rows = np.arange(20)
    one = with_clusters(run, [0] * 20, rows)
    bare = Opened("bare", one.points.drop(columns="cluster"), run)
    assert beside(one, bare).matched is None
    with pytest.raises(InputError, match="cannot be compared"):
        beside(one, Opened("file", one.points))


def test_runs_on_other_data_are_refused_or_doubted(run: Run) -> None:
    def of(name: str, total: int) -> Opened:
        record = replace(run.record, dataset={**run.record.dataset, "name": name, "total": total, "digest": name})
        return replace(with_clusters(run, [0] * 20, np.arange(20)), run=replace(run, record=record))

    with pytest.raises(InputError, match="mnist and fashion-mnist have no row in common"):
        beside(of("mnist", 70_000), of("fashion-mnist", 70_000))
    shown = beside(of("mine", 60), of("yours", 60))
    pane = compare(shown.left, shown.right, shown.comparison, [], "")
    assert "A is of mine with 60 rows and B of yours with 60 rows" in pane
    same = beside(of("mine", 60), of("mine", 60))
    assert "A is of" not in compare(same.left, same.right, same.comparison, [], "")
