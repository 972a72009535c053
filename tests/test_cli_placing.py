"""The command `place`: what it prints and writes, and one sentence for everything that is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Call

from gpu_pipeline import Recipe, run
from gpu_pipeline.dashboard.placed import open_placed
from gpu_pipeline.dashboard.selecting import Step
from gpu_pipeline.dashboard.stored import open_stored
from gpu_pipeline.datasets import load


def table(path: Path, n: int, seed: int, columns: str = "abcdef") -> Path:
    """Three clouds far apart as a Parquet file with the columns a to f and `kind`."""
    y = np.arange(n) % 3
    X = np.random.default_rng(seed).normal(size=(n, 6)) + 20 * y[:, None]
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(kind=np.array(["x", "y", "z"])[y])
    frame[["kind", *columns]].to_parquet(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run on the table beside it."""
    where = tmp_path_factory.mktemp("clouds")
    data = load(str(table(where / "old.parquet", 120, 0)), label_column="kind")
    run(Recipe(embed={"method": "pca"}, cluster={"n_clusters": 3}), data).save(where / "runs")
    return where


def test_placed_rows_lie_in_the_runs_folder(folder: Path, call: Call) -> None:
    new = table(folder / "new.parquet", 30, 1)
    ended = call("place", "old", new, "--label-column", "kind", "--out", folder / "runs")
    assert (ended.code, ended.err) == (0, "")
    assert "30 rows of new placed on old-pca-scikit-learn-" in ended.out
    assert "label accuracy by the nearest points on the map: 1.000 (the run's own: 1.000)" in ended.out
    assert "far from all that the run knows: " in ended.out
    points = pd.read_parquet(ended.out.rpartition("points: ")[2].strip())
    assert (points["label"] == points["vote"]).all()
    assert Path(ended.out.rpartition("points: ")[2].strip()).parent.parent.parent.parent == folder / "runs"


def test_json_is_one_object(folder: Path, call: Call) -> None:
    new = table(folder / "other.parquet", 30, 2)
    ended = call("place", "old", new, "--sample", "10", "--out", folder / "runs", "--json")
    values = json.loads(ended.out)
    assert Path(values["points"]).is_file()
    assert values["dataset"]["n"] == 10
    assert values["label_accuracy"] is None


def test_columns_are_found_by_their_names(folder: Path, call: Call, tmp_path: Path) -> None:
    plain = table(folder / "plain.parquet", 30, 3)
    turned = table(folder / "turned.parquet", 30, 3, columns="fbdace")
    renamed, parts = folder / "renamed.csv", folder / "parts"
    frame = pd.read_parquet(turned)
    frame.rename(columns={"a": "A"}).to_csv(renamed, index=False)
    parts.mkdir()
    frame.assign(more=np.nan).to_parquet(parts / "0.parquet")
    places = []
    for data, *columns in (
        (plain,),
        (turned,),
        (turned, "--columns", "f,b,d,a,c,e"),
        (parts,),
        (renamed, "--columns", "A,b,c,d,e,f"),
    ):
        ended = call("place", "old", data, *columns, "--out", folder / "runs", "--to", tmp_path / "places.csv")
        assert (ended.code, ended.err) == (0, "")
        places.append(pd.read_csv(tmp_path / "places.csv"))
    for other in places[1:]:
        pd.testing.assert_frame_equal(other, places[0])
    few = table(folder / "few.parquet", 30, 3, columns="abcde")
    ended = call("place", "old", few, "--out", folder / "runs")
    assert ended.code == 2
    assert "unknown column of few.parquet 'f'" in ended.err
    named = call("place", "old", turned, "--columns", "a,b", "--out", folder / "runs")
    assert (named.code, "have 2 columns but the map's have 6" in named.err) == (2, True)


def test_columns_are_kept_with_placed_rows(folder: Path, call: Call) -> None:
    path = folder / "kept.parquet"
    frame = pd.read_parquet(table(path, 100, 4))
    frame.assign(title=[f"thing {i}" for i in range(100)], price=np.linspace(0, 9, 100), far=1).to_parquet(path)
    ended = call("place", "old", path, "--keep", "title,price", "--out", folder / "runs")
    assert (ended.code, ended.err) == (0, "")
    where = Path(ended.out.rpartition("points: ")[2].strip()).parent
    ground = open_stored(folder / "runs", where.parent.parent.name)
    opened = open_placed(ground, where.name)
    assert {"title", "price"} < set(opened.colours())
    assert opened.layer("price").key.kind == "quantity"
    assert np.flatnonzero(opened.matching(Step("new", "find", text="title=thing 40"))).tolist() == [40]
    assert opened.points["price"].tolist() == np.linspace(0, 9, 100).tolist()
    for keep, says in (("far", "points have one of that name"), ("a", "cannot be a feature and be kept")):
        refused = call("place", "old", path, "--keep", keep, "--out", folder / "runs")
        assert (refused.code, says in refused.err) == (2, True)


def test_one_row_and_rows_that_are_all_equal(folder: Path, call: Call) -> None:
    np.save(folder / "same.npy", np.full((4, 6), 20.0))
    for arguments in ((folder / "same.npy",), (folder / "same.npy", "--sample", "1")):
        ended = call("place", "old", *arguments, "--out", folder / "runs")
        assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("old", "wide.npy"), "have 9 columns but the map's have 6"),
        (("old", "nan.npy"), "NaN"),
        (("old", "none.npy"), "there is no file"),
        (("old", "mnits"), "unknown data set 'mnits'"),
        (("young", "wide.npy"), "unknown run 'young'"),
        (("old", "wide.npy", "--to", "points.txt"), "neither CSV nor Parquet"),
        (("old", "wide.npy", "--sample", "many"), "give a number of rows, or all"),
        (("old", "wide.npy", "--label-column", "kind"), "no named columns"),
    ],
)
def test_one_sentence_and_nothing_written(
    folder: Path, call: Call, arguments: tuple[str, ...], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    np.save("wide.npy", np.ones((4, 9)))
    np.save("nan.npy", np.full((4, 6), np.nan))
    before = sorted((folder / "runs").rglob("*"))
    ended = call("place", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.err
    assert ended.err.count("\n") == 1
    assert sorted((folder / "runs").rglob("*")) == before
