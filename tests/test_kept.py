"""Columns that are no features and go with the points: from a file to the map's colours."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from gpu_pipeline import PCA, Dataset, InputError, Recipe, load, open_run, run
from gpu_pipeline.dashboard.files import open_file
from gpu_pipeline.dashboard.making import recipe_of
from gpu_pipeline.dashboard.session import Session
from gpu_pipeline.dashboard.state import Choice
from gpu_pipeline.dashboard.uploads import MARK
from gpu_pipeline.datasets.columns import Columns, check_columns
from gpu_pipeline.datasets.kept import check_once
from gpu_pipeline.datasets.schemas import common
from gpu_pipeline.recipe import Data
from gpu_pipeline.render.key import classes_of
from gpu_pipeline.scale.source import open_source

N = 200
KEEP = ("id", "title", "when", "stars")
EMBED = PCA(n_components=2)


def frame() -> pd.DataFrame:
    """Four features, labels, and what a person would want to see at a point."""
    random = np.random.default_rng(0)
    features = pd.DataFrame(random.normal(size=(N, 4)).astype(np.float32), columns=list("abcd"))
    return features.assign(
        kind=random.choice(["one", "two"], N),
        id=np.arange(N) * 10**15,
        title=[f"text {i}" for i in range(N)],
        when=pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(N), "D"),
        stars=pd.array(np.where(np.arange(N) % 7 == 0, None, np.arange(N) % 5), "Int64"),
    )


def written(folder: Path, kind: str) -> Path:
    """The frame in a file of a kind, or in a folder of two."""
    whole, path = frame(), folder / f"things{kind}"
    if kind == ".csv":
        whole.to_csv(path, index=False)
    elif kind == ".parquet":
        whole.to_parquet(path, index=False)
    elif kind == "":
        path.mkdir()
        for i, part in enumerate(np.split(np.arange(N), [150])):
            whole.iloc[part].to_parquet(path / f"{i}.parquet", index=False)
    else:
        table = pa.Table.from_pandas(whole.drop(columns=list("abcd")))
        arrays = pa.FixedSizeListArray.from_arrays(pa.array(whole[list("abcd")].to_numpy().ravel()), 4)
        parquet.write_table(table.append_column("vector", arrays), path, row_group_size=64)
    return path


@pytest.mark.parametrize("kind", [".csv", ".parquet", "", ".arrays.parquet"])
def test_they_are_no_features_and_stay_with_their_rows(tmp_path: Path, kind: str) -> None:
    dataset = load(str(written(tmp_path, kind)), label_column="kind", keep=KEEP, sample=90, seed=3)
    whole = frame()
    np.testing.assert_allclose(dataset.X, whole.loc[dataset.rows, list("abcd")], rtol=1e-6)
    assert dataset.kept is not None
    assert tuple(dataset.kept) == KEEP
    for column in KEEP:
        expected, found = whole.loc[dataset.rows, column], dataset.kept[column]
        assert found.isna().tolist() == expected.isna().tolist()
        assert found.dropna().tolist() == expected.dropna().tolist()
    # What is kept changes nothing of what the map is made of.
    without = load(str(tmp_path / f"things{kind}"), label_column="kind", columns=dataset.columns, sample=90, seed=3)
    assert without.digest() == dataset.digest()


def test_a_map_is_coloured_filtered_and_searched_by_them(tmp_path: Path) -> None:
    data = {"name": str(written(tmp_path, ".parquet")), "label_column": "kind", "keep": KEEP}
    made = run(Recipe(data=data, embed=EMBED))
    folder = made.save(tmp_path / "runs")
    points = open_run(folder).points
    assert points["id"].tolist() == frame()["id"].tolist()
    assert points["stars"].dtype == "Int64"
    assert open_run(folder).record.recipe.data.keep == KEEP
    session = Session(tmp_path / "runs", None, Choice())
    assert session.opened is not None
    assert set(KEEP) < set(session.opened.colours())
    assert session.opened.layer("when").key.time
    session.act("limit", {"column": "when", "low": "2020-02", "high": "2020-03"})
    assert session.visible is not None
    assert np.flatnonzero(session.visible).tolist() == list(range(31, 31 + 29 + 31))
    session.act("find", {"text": "title=text 40"})
    assert session.lit is not None
    assert np.flatnonzero(session.lit).tolist() == [40]


@pytest.mark.parametrize(
    ("keep", "columns", "said"),
    [
        ("nothing", None, "unknown column of things.parquet 'nothing'"),
        ("a", ["a", "b"], "cannot be a feature and be kept"),
        ("lists", None, "holds list<.*, which is not kept with points"),
        ("x", None, "points have one of that name: rename it"),
    ],
)
def test_what_cannot_be_kept_is_refused(tmp_path: Path, keep: str, columns: list[str] | None, said: str) -> None:
    path = tmp_path / "things.parquet"
    frame().assign(lists=[["a"]] * N, x=1).to_parquet(path, index=False)
    with pytest.raises(InputError, match=said):
        load(str(path), keep=keep, columns=columns)


def test_data_without_named_columns_keep_none(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.eye(5))
    for name in ("digits", str(tmp_path / "a.npy")):
        with pytest.raises(InputError, match="has no named columns"):
            load(name, keep="id")
    with pytest.raises(InputError, match="has no named columns"):
        open_source(Data(name=str(tmp_path / "a.npy"), landmarks=3, keep=("id",)))


def test_a_frame_of_ones_own_goes_with_arrays(tmp_path: Path) -> None:
    whole = frame()
    dataset = Dataset("mine", whole[list("abcd")], kept=whole[["title", "when"]].set_axis(range(5, N + 5)))
    points = run(Recipe(embed=EMBED), dataset).points
    assert points["title"].tolist() == whole["title"].tolist()
    for kept, said in (
        (whole[:10][["title"]], "come as 10 rows: give a frame of pandas with 200 rows"),
        ({"title": 1}, "come as dict"),
        (whole[["title"]].rename(columns={"title": "misfit"}), "'misfit' of mine cannot be kept"),
        (pd.DataFrame({"a": [[1]] * N}), "holds list"),
        (pd.DataFrame({"a": ["1", 2] * (N // 2)}), "values of one kind"),
        (pd.concat([whole["a"], whole["a"]], axis=1), "the frame kept with mine has two columns named 'a': rename one"),
    ):
        with pytest.raises(InputError, match=said):
            run(Recipe(embed=EMBED), replace(dataset, kept=kept))


def test_the_form_of_a_new_run_names_them(tmp_path: Path) -> None:
    upload = tmp_path / ".uploads" / "b.csv"
    upload.parent.mkdir()
    upload.touch()
    asked = recipe_of({"data": f"{MARK}b.csv", "keep": " title, when,"}, tmp_path)
    assert asked.data.keep == ("title", "when")
    assert recipe_of({"data": f"{MARK}b.csv"}, tmp_path).data.keep is None


@pytest.mark.parametrize("kind", [".csv", ".parquet"])
def test_legends_list_text_in_order_and_categories_as_they_were(tmp_path: Path, kind: str) -> None:
    donors, wells = np.array(["D10", "D1", "D2"])[np.arange(N) % 3], np.array(["10", "9", "100"])[np.arange(N) % 3]
    stages = pd.Categorical(np.array(["late", "early"])[np.arange(N) % 2], ["early", "middle", "late"])
    path = tmp_path / f"cells{kind}"
    whole = frame().assign(donor=donors, well=wells, stage=stages)
    (whole.to_csv if kind == ".csv" else whole.to_parquet)(path, index=False)  # type: ignore[operator]
    keep = ("donor", "well", "stage")
    made = run(Recipe(data={"name": str(path), "columns": list("abcd"), "keep": keep}, embed=EMBED))
    points = open_run(made.save(tmp_path / "runs")).points
    names = {column: classes_of(points[column], column)[1].names for column in keep}
    assert names["donor"] == ("D1", "D2", "D10")
    if kind == ".parquet":
        assert names["well"] == ("9", "10", "100")
        assert names["stage"] == ("early", "middle", "late")


def test_very_wide_tables_are_looked_through_once(tmp_path: Path) -> None:
    names = [f"gene {i}" for i in range(20_000)]
    schema = pa.schema([(name, pa.float32()) for name in names])
    begun = time.process_time()
    check_columns("wide", schema, Columns(features=tuple(names[:-1]), keep=("gene 19999",)))
    check_once("wide", names)
    assert len(common([("0", schema), ("1", pa.schema(list(schema)[::-1]))]).schema) == 20_000
    assert time.process_time() - begun < 4
    twice = tmp_path / "twice.csv"
    twice.write_text("x,y,kind,kind\n1,2,3,4\n")
    for read in (load, open_file):
        with pytest.raises(InputError, match=r"^twice\.csv has two columns named 'kind': rename one\.$"):
            read(twice)
