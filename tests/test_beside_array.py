"""Labels and columns that lie beside an array, in a table or in another array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Call

from gpu_pipeline import InputError, load, open_run
from gpu_pipeline.recipe import Data, make

N = 90


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """X.npy, and beside it a table of which one row lacks a label, labels alone, and others that do not fit."""
    random = np.random.default_rng(0)
    np.save(tmp_path / "X.npy", random.normal(size=(N, 4)).astype(np.float32) + 9 * (np.arange(N) % 3)[:, None])
    np.savez(tmp_path / "both.npz", X=random.normal(size=(N, 4)), y=np.zeros(N, int))
    table = pd.DataFrame(
        {"kind": list("abc") * 30, "title": [f"thing {i}" for i in range(N)], "price": np.arange(N) / 7}
    )
    table.loc[7, "kind"] = None
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    table[["kind"]].to_csv(tmp_path / "kind.csv", index=False)
    table[:-1].to_csv(tmp_path / "short.csv", index=False)
    np.save(tmp_path / "y.npy", np.arange(N) % 3)
    np.save(tmp_path / "column.npy", (np.arange(N) % 3)[:, None])
    np.save(tmp_path / "wide.npy", np.zeros((N, 2)))
    (tmp_path / "broken.npy").write_bytes(b"x")
    (tmp_path / "y.txt").write_text("a\n" * N)
    return tmp_path


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
@pytest.mark.parametrize("sample", ["all", 40])
def test_a_table_beside_an_array(folder: Path, name: str, sample: Any) -> None:
    found = load(
        folder / "X.npy", beside=folder / name, label_column="kind", keep=["title", "price"], sample=sample, seed=1
    )
    expected = [None if row == 7 else "abc"[row % 3] for row in found.rows]
    assert found.y is not None
    assert np.ma.masked_array(found.y).tolist() == expected
    assert found.kept is not None
    assert found.kept["title"].tolist() == [f"thing {row}" for row in found.rows]
    np.testing.assert_allclose(found.kept["price"], found.rows / 7)
    np.testing.assert_array_equal(found.X, np.load(folder / "X.npy")[found.rows])
    assert (found.name, len(found.X)) == ("X", N if sample == "all" else 40)


@pytest.mark.parametrize("name", ["y.npy", "column.npy"])
def test_labels_in_an_array(folder: Path, name: str) -> None:
    found = load(folder / "X.npy", beside=folder / name, sample=30)
    assert found.y is not None
    assert found.y.tolist() == (found.rows % 3).tolist()


def test_the_only_column_is_that_of_the_labels_and_comes_before_an_archives_own(folder: Path) -> None:
    found = load(folder / "both.npz", beside=folder / "kind.csv")
    assert found.y is not None
    assert found.y[:3].tolist() == ["a", "b", "c"]
    kept = load(folder / "both.npz", beside=folder / "t.csv", keep=["price"])
    assert kept.y is not None
    assert kept.y.tolist() == [0] * N


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("X.npy", {"beside": "short.csv", "label_column": "kind"}, "short.csv has 89 rows but X has 90: give one"),
        ("X.npy", {"beside": "t.csv"}, "has the columns kind, title, price: name that of the labels, or those to keep"),
        ("X.npy", {"beside": "t.csv", "label_column": "kid"}, "did you mean 'kind'"),
        ("X.npy", {"beside": "t.csv", "columns": ["price"]}, "leave the columns of features out"),
        ("X.npy", {"beside": "no.csv", "label_column": "kind"}, "there is no file .*no.csv to go with X"),
        ("X.npy", {"beside": "y.txt"}, "y.txt cannot go with X: give a file in "),
        ("X.npy", {"beside": "y.npy", "label_column": "kind"}, "is taken for the labels: leave the names out"),
        ("X.npy", {"beside": "wide.npy"}, r"wide.npy has the shape \(90, 2\): give one label for each row of X"),
        ("X.npy", {"beside": "broken.npy"}, "no whole array of labels"),
        ("t.csv", {"beside": "y.npy"}, "t.csv is a table, which has labels and other columns itself"),
        ("X.npy", {"label_column": "kind"}, "or give the table that has them by --beside TABLE"),
    ],
)
def test_what_cannot_go_with_it(folder: Path, name: str, options: dict[str, Any], sentence: str) -> None:
    if "beside" in options:
        options = {**options, "beside": folder / options["beside"]}
    with pytest.raises(InputError, match=sentence):
        load(folder / name, **options)


def test_from_the_command_line_to_the_recipe_and_back(folder: Path, call: Call) -> None:
    asked = ("--data", folder / "X.npy", "--beside", folder / "t.csv", "--label-column", "kind", "--keep", "title")
    ended = call("run", *asked, "--method", "pca", "--clusters", "3", "--out", folder / "runs")
    assert ended.code == 0, ended.err
    (where,) = (folder / "runs").iterdir()
    made = open_run(where)
    assert made.points["title"].tolist() == [f"thing {i}" for i in range(N)]
    assert made.scores.sizes["accuracy"] == N - 1
    again = call("run", "--recipe", where / "recipe.toml", "--out", folder / "again", "--json")
    assert again.code == 0, again.err
    placed = call("place", where, folder / "X.npy", "--beside", folder / "y.npy", "--to", folder / "p.csv")
    assert placed.code == 0, placed.err
    assert pd.read_csv(folder / "p.csv")["label"].tolist() == [i % 3 for i in range(N)]
    refused = call("run", *asked, "--landmarks", "50", "--out", folder / "runs")
    assert (refused.code, "is not read a partition at a time" in refused.err) == (2, True)


def test_recipes_without_it_are_the_same_as_before() -> None:
    assert (
        make({}).digest() == make({"data": {"beside": None}}).digest() != make({"data": Data(beside="t.csv")}).digest()
    )
