"""Sets of new rows in the folder of a run: what is said of them, and that they are whole or not there."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from gpu_pipeline import InputError, Recipe, Run, open_run, run
from gpu_pipeline import placed as sets
from gpu_pipeline.datasets import Dataset
from gpu_pipeline.store import list_runs


def clouds(n: int, seed: int, labels: bool = True, text: bool = False) -> Dataset:
    """Three clouds far apart, every second row of a set twice as long."""
    y = np.arange(n) % 3
    X = np.random.default_rng(seed).normal(size=(n, 6)) + 20 * y[:, None]
    kept = (y.astype(str) if text else y) if labels else None
    return Dataset("Some Clouds", X, kept, np.arange(n) * 2, 2 * n, source="made", notes=("a note",))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Run:
    recipe = Recipe(embed={"method": "pca"}, cluster={"n_clusters": 3}, reduce={"n_components": 4})
    return open_run(run(recipe, clouds(120, 0)).save(tmp_path_factory.mktemp("runs")))


def test_what_is_said_of_placed_rows(stored: Run) -> None:
    new = clouds(30, 1)
    made = sets.place(stored, new)
    points, record = made.points, made.record
    assert list(points) == [
        *("row", "x", "y", "label", "vote", "cluster", "nearest", "nearest_row", "distance", "novelty", "far"),
    ]
    assert_array_equal(points["far"], points["novelty"] > record["far"]["beyond"])
    assert_array_equal(points["row"], new.rows)
    assert_array_equal(points[["x", "y"]], stored.transform(new.X))
    assert_array_equal(points["label"], new.y)
    assert_array_equal(points["vote"], new.y)
    by_label = stored.points.groupby("label")["cluster"].first()
    assert_array_equal(points["cluster"], by_label[new.y])
    assert_array_equal(points["nearest_row"], 2 * points["nearest"])
    near = stored.features[points["nearest"]].astype(np.float64)
    features = stored.reference.features_of(new.X)
    np.testing.assert_allclose(points["distance"], np.linalg.norm(near - features, axis=1), rtol=1e-4)
    assert record["label_accuracy"] == {"placed": 1.0, "reference": stored.scores.values["label_accuracy"]}
    assert record["dataset"]["digest"] == new.digest()
    assert record["reference"] == {"n": 120, "digest": stored.record.dataset["digest"]}
    assert record["far"]["count"] == (points["novelty"] > record["far"]["beyond"]).sum()
    assert set(record["seconds"]) == {"compile", "prepare", "place"}
    assert record["notes"] == ["a note"]


@pytest.mark.parametrize("on", ["map", "features"])
def test_clusters_are_those_of_the_nearest_centre(on: str) -> None:
    recipe = Recipe(embed={"method": "pca"}, cluster={"n_clusters": 3}, cluster_on=on, reduce={"n_components": 0})
    made = run(recipe, clouds(90, 0))
    again = sets.place(made, clouds(90, 0))
    assert_array_equal(again.points["cluster"], made.points["cluster"])


def test_labels_that_are_missing_or_text(stored: Run) -> None:
    unlabelled = sets.place(stored, clouds(9, 1, labels=False))
    assert unlabelled.record["label_accuracy"] is None
    assert "label" not in unlabelled.points
    assert "vote" in unlabelled.points
    as_text = sets.place(stored, clouds(9, 1, text=True))
    assert as_text.record["label_accuracy"]["placed"] == 1
    texts = replace(clouds(9, 1), y=clouds(9, 1).y.astype("U1"))
    objects = replace(texts, y=texts.y.astype(object))
    assert sets.place(stored, objects).record["dataset"]["digest"] == texts.digest()
    with pytest.raises(InputError, match="9 rows but 8 labels"):
        sets.place(stored, replace(clouds(9, 1), y=np.arange(8)))
    blind = run(Recipe(embed={"method": "pca"}), clouds(60, 0, labels=False))
    assert "vote" not in sets.place(blind, clouds(9, 1)).points


@pytest.mark.parametrize("text", [False, True])
def test_rows_without_a_label_have_no_vote_and_are_voted_for(text: bool, tmp_path: Path) -> None:
    recipe = Recipe(embed={"method": "pca"}, cluster={"n_clusters": 3}, reduce={"n_components": 4})
    old, new = clouds(120, 0, text=text), clouds(30, 1, text=text)
    few = replace(old, y=np.ma.masked_array(old.y, np.arange(120) >= 30))
    stored = open_run(run(recipe, few).save(tmp_path))
    made = sets.place(stored, replace(new, y=np.ma.masked_array(new.y, np.arange(30) % 2 == 1)))
    again = sets.open_placed(sets.save(made, stored).path)
    for points in (made.points, again.points):
        assert_array_equal(points["vote"], new.y)
        assert_array_equal(points["label"].isna(), np.arange(30) % 2 == 1)
        assert_array_equal(points["label"][::2], new.y[::2])
    assert made.record["label_accuracy"]["placed"] == 1
    assert made.record["notes"][-1].startswith("Some Clouds: 15 of 30 rows have no label")


def test_one_row_alone_is_placed_as_among_others(stored: Run) -> None:
    new = clouds(30, 1)
    one = Dataset(new.name, new.X[7:8], None, new.rows[7:8], 60)
    expected = sets.place(stored, new).points
    for name in ("x", "y", "cluster", "nearest", "novelty"):
        assert sets.place(stored, one).points[name][0] == expected[name][7]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("far", [1e200, 1e30])
def test_rows_too_far_to_be_placed_are_named(stored: Run, far: float) -> None:
    new = clouds(9, 1)
    X = new.X.astype(np.float64)
    X[3] *= far
    with pytest.raises(InputError, match=r"row 3 .*(far beyond the map's|too far from all)"):
        sets.place(stored, replace(new, X=X))


def test_columns_are_taken_by_name(tmp_path: Path) -> None:
    recipe = Recipe(embed={"method": "pca"}, cluster={"n_clusters": 3})
    made = run(recipe, replace(clouds(90, 0), columns=tuple("abcdef")))
    path = made.save(tmp_path)
    new = replace(clouds(9, 1), columns=tuple("abcdef"))
    expected = sets.place(made, new)
    turned = replace(new, X=np.hstack([np.full((9, 1), 1e6), new.X[:, ::-1]]), columns=tuple("gfedcba"))
    shutil.copytree(path, tmp_path / "whole" / "landmarks")
    of_landmarks = replace(open_run(path), features=None, path=tmp_path / "whole")
    for on in (made, of_landmarks):
        placed = sets.place(on, turned)
        pd.testing.assert_frame_equal(placed.points, expected.points)
        assert placed.record["dataset"] == expected.record["dataset"]
        with pytest.raises(InputError, match="Some Clouds has no column 'c', which the map was made from: give"):
            sets.place(on, replace(new, columns=tuple("abCdef")))
    unnamed = sets.place(made, replace(new, columns=None))
    pd.testing.assert_frame_equal(unnamed.points, expected.points)


def test_a_set_comes_back_as_it_was_and_is_no_run(stored: Run) -> None:
    assert stored.path is not None
    made = sets.save(sets.place(stored, clouds(30, 1)), stored)
    again = sets.save(sets.place(stored, clouds(30, 1)), stored)
    assert made.path is not None
    assert again.path is not None
    assert made.path.parent == stored.path / "placed"
    assert made.path.name.startswith("some-clouds-")
    assert again.path.name == f"{made.path.name}-2"
    assert sets.list_placed(stored.path) == [made.path, again.path]
    assert sorted(path.name for path in made.path.iterdir()) == ["points.parquet", "record.json"]
    back = sets.open_placed(made.path)
    pd.testing.assert_frame_equal(back.points, made.points)
    assert back.record == json.loads(json.dumps(made.record))
    assert list_runs(stored.path.parent) == [stored.path]
    assert sets.list_placed(stored.path.parent) == []


def test_an_opened_run_takes_new_rows_after_it_was_stored_again(stored: Run, tmp_path: Path) -> None:
    assert stored.path is not None
    again = open_run(open_run(stored.path).save(tmp_path))
    new = clouds(30, 1)
    pd.testing.assert_frame_equal(sets.place(again, new).points, sets.place(stored, new).points)


def test_a_damaged_set_is_refused(stored: Run) -> None:
    made = sets.save(sets.place(stored, clouds(30, 2)), stored)
    assert made.path is not None
    (made.path / "points.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="cannot be read"):
        sets.open_placed(made.path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(stored: Run) -> None:
    assert stored.path is not None
    made = sets.place(stored, clouds(30, 3))
    before = sets.list_placed(stored.path)
    stored.path.chmod(0o500)
    try:
        (stored.path / "placed").chmod(0o500)
        with pytest.raises(InputError, match="cannot write to"):
            sets.save(made, stored)
    finally:
        stored.path.chmod(0o700)
        (stored.path / "placed").chmod(0o700)
    assert sets.list_placed(stored.path) == before


def test_what_stops_the_writer_leaves_nothing(stored: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stored.path is not None
    made = sets.place(stored, clouds(30, 4))
    before = sorted((stored.path / "placed").glob("*"))

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_parquet", stop)
    with pytest.raises(KeyboardInterrupt):
        sets.save(made, stored)
    assert sorted((stored.path / "placed").glob("*")) == before
    assert not list((stored.path / "placed").glob(".draft-*"))


def test_a_run_that_is_not_stored_keeps_no_sets() -> None:
    made = run(Recipe(embed={"method": "pca"}), clouds(60, 0))
    with pytest.raises(InputError, match="not stored: save it first"):
        sets.save(sets.place(made, clouds(9, 1)), made)


@pytest.mark.parametrize("name", ["points.csv", "points.PARQUET"])
def test_tables(stored: Run, name: str, tmp_path: Path) -> None:
    new = clouds(30, 1)
    made = sets.place(stored, replace(new, kept=pd.DataFrame({"text": ["a\rb\nc", *"d" * 29]})))
    path = sets.write_table(made, tmp_path / name)
    read = pd.read_csv(path) if name.endswith("csv") else pd.read_parquet(path)
    pd.testing.assert_frame_equal(read, made.points, check_dtype=False)


def test_tables_of_no_known_kind_or_place(stored: Run, tmp_path: Path) -> None:
    for path, sentence in (
        (tmp_path / "points.txt", "neither CSV nor Parquet"),
        (tmp_path / "no" / "a.csv", "no folder"),
    ):
        with pytest.raises(InputError, match=sentence):
            sets.check_table(path)
