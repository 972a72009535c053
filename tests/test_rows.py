"""Rows of a run by the text of a selection."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gpu_pipeline
from gpu_pipeline.dashboard.rows import rows
from gpu_pipeline.dashboard.search import found
from gpu_pipeline.datasets import load
from gpu_pipeline.errors import InputError
from gpu_pipeline.methods import PCA
from gpu_pipeline.pipeline import run
from gpu_pipeline.recipe import Data, Recipe
from gpu_pipeline.record import Run
from gpu_pipeline.tables import write_table


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A stored map of 200 digits."""
    reduce, embed = PCA(n_components=0), PCA(n_components=2)
    recipe = Recipe(data=Data(name="digits", sample=200), reduce=reduce, embed=embed, engine="scikit_learn")
    made = run(recipe, load("digits", sample=200))
    made.save(tmp_path_factory.mktemp("runs"))
    return made


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "+05:30", "America/St_Johns"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_with_a_zone_are_written_as_pandas_would(tmp_path: Path, zone: str, unit: str) -> None:
    """Across the end of summer time, with fractions of a second where the unit has them, and one missing."""
    step = pd.Timedelta(1_234_567_891, "ns") if unit == "ns" else pd.Timedelta(977, "s") + pd.Timedelta(1, unit)
    when = pd.Series(pd.Timestamp("2024-10-27", tz="UTC") + np.arange(40) * step).dt.tz_convert(zone).dt.as_unit(unit)
    when[3] = pd.NaT
    points = pd.DataFrame({"x": np.arange(40), "when": when})
    write_table(points, tmp_path / "rows.csv", "csv")
    back = pd.read_csv(tmp_path / "rows.csv")["when"]
    assert pd.isna(back[3])
    assert (pd.to_datetime(back, utc=True).dropna().array == when.dt.tz_convert("UTC").dropna().array).all()
    if unit in ("s", "us"):
        assert (tmp_path / "rows.csv").read_text() == points.to_csv(index=False)


def test_steps_follow_each_other(made: Run) -> None:
    points = made.points
    fours, nines = points["label"] == 4, points["label"] == 9
    left = points["x"] <= points["x"].median()
    low, middle, high = points["x"].min(), points["x"].median(), points["x"].max()
    bottom, top = points["y"].min() - 1, points["y"].max() + 1
    west = f"box:{low - 1:.9g},{middle:.9g},{bottom:.9g},{top:.9g}"
    around = f"lasso:{low - 1:.9g},{bottom},{high + 1:.9g},{bottom},{high + 1:.9g},{top},{low - 1:.9g},{top}"
    cases = {
        "=where:label=4": fours,
        "=where:label=4;+where:label=9": fours | nines,
        f"={west}": left,
        f"={west};-where:label=4": left & ~fours,
        f"=where:label=9;={around}": points["x"] > -float("inf"),
        "=where:label=4,label=9": fours | nines,
        "=where:label=4,cluster=0,label=9": (fours | nines) & (points["cluster"] == 0),
    }
    for select, expected in cases.items():
        pd.testing.assert_frame_equal(rows(made, select), points[expected])


def test_classes_and_times_are_called_as_a_search_calls_them(made: Run) -> None:
    when = pd.date_range("2024-04-30", periods=len(made.points), freq="12h")
    points = made.points.assign(
        label=made.points["label"].astype("Int64").mask(made.points["row"] % 3 == 0),
        flag=made.points["row"] % 2 == 0,
        maybe=pd.array([True, None] * (len(when) // 2)),
        created=when,
    )
    own = replace(made, points=points)
    for select, search in {
        "=where:label=none,flag=yes": "label=none and flag=yes",
        "=where:label=4,label=None": "label=4 or label=none",
        "=where:flag=TRUE": "flag=true",
        "=where:maybe=no label": "maybe=none",
        "=where:misfit=yes": "misfit=yes",
        "=where:misfit=no": "misfit=no",
        "=within:created=2024-05~2024-06": "created=2024-05 or created=2024-06",
        "=within:created=2024-05-03 12:00~2024": "created>=2024-05-03 12:00",
        "=within:created=2024-05~2024-05,flag=0~0": "created=2024-05 and flag=no",
    }.items():
        expected = points[found(points, search)]
        assert 0 < len(expected) < len(points), select
        pd.testing.assert_frame_equal(rows(own, select), expected)
    for select in ("=where:cluster=none", "=where:label=yes", "=within:created=2024-05~", "=within:created=May~June"):
        with pytest.raises(InputError):
            rows(own, select)


def test_a_run_by_its_name(made: Run) -> None:
    assert made.path is not None
    expected = rows(made, "=where:label=4")
    pd.testing.assert_frame_equal(rows(made.path, "=where:label=4"), expected)
    pd.testing.assert_frame_equal(gpu_pipeline.rows("digits-pca", "=where:label=4", made.path.parent), expected)


@pytest.mark.parametrize(
    ("select", "says"),
    [
        ("", "cannot be read, ''"),
        (3, "the selection is 3: give a text such as =where:label=4."),
        ("label=4", "cannot be read, 'label=4'"),
        ("=where:label=4;", "cannot be read, ''"),
        ("=box:0,1,0", "cannot be read, '=box:0,1,0'"),
        ("=box:0,1,0,nan", "cannot be read"),
        ("=box2:0,1,0,1", "drawn on the other map"),
        ("=where:label=ten", "ten"),
        ("=where:nothing=4", "nothing"),
    ],
)
def test_selections_that_cannot_be_used(made: Run, select: Any, says: str) -> None:
    with pytest.raises(InputError) as refused:
        rows(made, select)
    assert says in str(refused.value)


def test_both_forms_are_read_back(made: Run, tmp_path: Path) -> None:
    found = rows(made, "=where:label=4").reset_index(drop=True)
    write_table(found, tmp_path / "a.parquet", "parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "a.parquet"), found)
    buffer = io.BytesIO()
    write_table(found, buffer, "csv")
    buffer.seek(0)
    assert pd.read_csv(buffer)["row"].tolist() == found["row"].tolist()


def test_no_page_is_loaded_for_it(made: Run) -> None:
    program = (
        "import gpu_pipeline, sys; print(len(gpu_pipeline.rows(sys.argv[1], sys.argv[2])), 'panel' in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(made.path), "=where:label=4"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split() == [str((made.points["label"] == 4).sum()), "False"]
