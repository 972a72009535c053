"""The columns of a person's own file: each kind is shown as what it is, and comes out of an export as it was."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from gpu_pipeline.dashboard import side, views
from gpu_pipeline.dashboard.files import OpenFile, open_file
from gpu_pipeline.dashboard.opened import Opened
from gpu_pipeline.dashboard.state import Choice
from gpu_pipeline.dashboard.stored import open_points
from gpu_pipeline.tables import KINDS, write_table

FIRST = 1650000000000000001


def written(folder: Path, **columns: Any) -> Path:
    """A Parquet file of four points with these columns too."""
    path = folder / "points.parquet"
    parquet.write_table(pa.table({"x": [0.0, 1, 2, 3], "y": [0.0, 1, 0, 1], **columns}), path)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_whole_numbers_and_answers_stay_what_they_are_where_some_are_absent(tmp_path: Path, kind: str) -> None:
    found = open_file(written(tmp_path, id=[FIRST, None, FIRST + 1, 0], good=[True, None, False, True]))
    assert found["id"].tolist() == [FIRST, pd.NA, FIRST + 1, 0]
    assert found["good"].tolist() == [True, pd.NA, False, True]
    again = tmp_path / f"again.{kind}"
    with again.open("wb") as file:
        write_table(found, file, kind)
    pd.testing.assert_frame_equal(open_file(again), found)


NESTED = {
    "embedding": pa.array([[0.5, 1.0]] * 4),
    "pair": pa.array([[1, 2]] * 4, pa.list_(pa.int8(), 2)),
    "place": pa.array([{"lat": 1.0}] * 4),
    "tags": pa.array([[("k", "v")]] * 4, pa.map_(pa.string(), pa.string())),
    "picture": pa.array([b"\xff\x00"] * 4),
    "hash": pa.array([b"ab"] * 4, pa.binary(2)),
}


def test_columns_that_cannot_be_shown_are_left_out_and_named(tmp_path: Path) -> None:
    opened = open_points(OpenFile(written(tmp_path, **NESTED, size=[0.5, 1.5, 2.5, 3.5])))
    assert opened.colours() == ("size", "density")
    html = views.look(Choice(colour="size"), opened, [], "", None)
    kinds = ("list", "fixed size list", "struct", "map", "binary", "fixed size binary")
    assert ", ".join(f"{name} ({kind})" for name, kind in zip(NESTED, kinds, strict=True)) in html


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (pa.nulls(4), ("no column",)),
        (pa.nulls(4, pa.int64()), ("no column",)),
        (pa.array([True, None, False, True]), ("False", "True", "no column")),
        (pa.array([3, None, 10, 3]), ("3", "10", "no column")),
        (pa.array(["a", None, "b", "a"]).dictionary_encode(), ("a", "b", "no column")),
        (pa.array([5, None, 10, 5]).dictionary_encode(), ("5", "10", "no column")),
        (pa.array(["a", None, "b", "a"], pa.string_view()), ("a", "b", "no column")),
        (pa.array([Decimal(7), Decimal(10), Decimal(7), Decimal(7)], pa.decimal128(9, 0)), ("7", "10")),
        (pa.array([datetime(2024, 1, 2, 3), None] * 2), ("2024-01-02 03:00:00", "no column")),
        (pa.array([date(2024, 1, 2), None] * 2), ("2024-01-02", "no column")),
        (pa.array([time(1, 2), None] * 2), ("01:02:00", "no column")),
    ],
)
def test_a_kind_of_column_is_shown_as_classes(tmp_path: Path, values: pa.Array, names: tuple[str, ...]) -> None:
    opened = Opened("own", open_file(written(tmp_path, column=values)))
    mask = np.array([True, False, False, False])
    assert opened.codes("column")[1].names == names
    for html in (
        views.look(Choice(colour="column"), opened, [], "", mask),
        side.selection(opened, mask, (), (), 0),
        side.point(opened, 0, True),
    ):
        assert "None" not in html
        assert "NaT" not in html


@pytest.mark.parametrize(
    "values",
    [
        pa.array([Decimal("1.25"), None, Decimal(3), Decimal(4)]),
        pa.array([0.5, float("nan"), float("inf"), 2.5], pa.float16()),
        pa.nulls(4, pa.float32()),
        pa.array([timedelta(1), None] * 2),
    ],
)
def test_a_kind_of_column_is_shown_as_a_quantity(tmp_path: Path, values: pa.Array) -> None:
    opened = Opened("own", open_file(written(tmp_path, column=values)))
    assert opened.layer("column").key.kind == "quantity"
    side.selection(opened, np.array([True, False, False, False]), (), (), 0)


def test_labels_that_are_a_quantity_are_no_classes(tmp_path: Path) -> None:
    opened = Opened("own", open_file(written(tmp_path, label=[0.5, 1.5, 2.25, 3.0], cluster=[0, 1, 0, 1])))
    html = side.selection(opened, np.array([True, False, False, False]), (), (), 0)
    assert "Clusters" in html
    assert "Labels" not in html
    assert "have no labels" in side.mistakes(opened, ())


def test_names_that_mean_something_else_on_the_page(tmp_path: Path) -> None:
    found = open_file(written(tmp_path, density=[1, 2, 3, 4], among=[1, 2, 3, 4], **{"": [1, 2, 3, 4]}))
    assert found.columns.tolist() == ["row", "x", "y", "density_", "among_", "_"]


TEXTS = ["a,b", 'a "b"', "two\nlines", "a lone\rreturn", "=1+1", "@x", "ü", " blank ", "007", "\ufeff"]


@pytest.mark.parametrize("coded", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_texts_come_out_as_they_are(tmp_path: Path, kind: str, coded: bool) -> None:
    texts = pd.Series([*TEXTS, None], dtype="category" if coded else None)
    with (tmp_path / "rows").open("wb") as file:
        write_table(pd.DataFrame({"row": range(11), "text": texts, "after": "x"}), file, kind)
    found = (pd.read_parquet if kind == "parquet" else pd.read_csv)(tmp_path / "rows")
    assert found["text"].astype(object).where(found["text"].notna(), None).tolist() == [*TEXTS, None]
    assert found["after"].tolist() == ["x"] * 11


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_and_times_keep_all_their_digits(tmp_path: Path, kind: str) -> None:
    random = np.random.default_rng(0)
    points = pd.DataFrame(
        {
            "row": FIRST + np.arange(1_000),
            "x": random.normal(size=1_000).astype(np.float32),
            "y": 1e300 * random.normal(size=1_000),
            "when": pd.date_range("2024-01-01", periods=1_000, freq="1min1ns"),
        }
    )
    with (tmp_path / f"rows.{kind}").open("wb") as file:
        write_table(points, file, kind)
    found = open_file(tmp_path / f"rows.{kind}")
    pd.testing.assert_frame_equal(found.astype(points.dtypes.to_dict()), points)


def test_a_large_table_with_texts_of_several_lines_is_read_back(tmp_path: Path) -> None:
    n = 30_000
    texts = pd.Series([f"one {i}\nof many\nlines, each\nin a text" for i in range(n)])
    points = pd.DataFrame({"row": np.arange(n), "x": np.arange(n) / 2, "y": 0.0, "text": texts})
    with (tmp_path / "rows.csv").open("wb") as file:
        write_table(points, file, "csv")
    assert open_file(tmp_path / "rows.csv")["text"].tolist() == texts.tolist()
