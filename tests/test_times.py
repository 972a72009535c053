"""Columns of times: a quantity whose legend, filters and searches speak of dates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gpu_pipeline import times
from gpu_pipeline.dashboard import side, tip, views
from gpu_pipeline.dashboard.actions import ACTIONS
from gpu_pipeline.dashboard.files import OpenFile, open_file
from gpu_pipeline.dashboard.filters import numbers, sliders
from gpu_pipeline.dashboard.opened import Opened
from gpu_pipeline.dashboard.search import found
from gpu_pipeline.dashboard.session import Session
from gpu_pipeline.dashboard.state import Choice
from gpu_pipeline.datasets import Dataset, checked
from gpu_pipeline.errors import InputError
from gpu_pipeline.render import prepare
from gpu_pipeline.render.legend import legend_of

N = 1_000
DAYS = pd.date_range("2020-01-01", periods=N, freq="D")


def table(when: object = DAYS) -> pd.DataFrame:
    points = pd.DataFrame({"row": np.arange(N), "x": np.linspace(0, 1, N), "y": 0.0, "when": when})
    points.loc[3:4, "when"] = pd.NaT
    return points


def session(folder: Path, points: pd.DataFrame) -> Session:
    path = folder / "points.parquet"
    points.drop(columns="row").to_parquet(path)
    return Session(folder, OpenFile(path), Choice())


@pytest.mark.parametrize(
    "when",
    [
        DAYS,
        DAYS.as_unit("s"),
        DAYS.tz_localize("America/New_York"),
        pd.Series(DAYS, dtype="timestamp[us][pyarrow]"),
        DAYS.to_numpy(),
    ],
)
def test_times_are_a_quantity_with_dates_at_its_ticks(when: object) -> None:
    (layer,) = prepare(table(when), colour="when")
    assert (layer.key.kind, layer.key.time, layer.key.unmeasured) == ("quantity", True, 2)
    ticks = [text for _, text in legend_of([layer.key], 1, 20).ticks]
    assert (ticks[0], ticks[-1], len(ticks)) == ("2020-01-12", "2022-09-16", 5)
    assert len(np.unique(layer.frame["value"])) > N - 5


def test_times_within_a_minute_are_told_apart() -> None:
    when = pd.Timestamp("2024-05-01 12:00") + pd.to_timedelta(np.arange(N) * 10, unit="ms")
    (layer,) = prepare(table(when), colour="when")
    assert len(np.unique(layer.frame["value"])) > N - 5
    assert legend_of([layer.key], 1, 20).ticks[0][1].startswith("2024-05-01 12:00:00.")


@pytest.mark.parametrize(
    "took",
    [
        pd.to_timedelta(np.arange(N), unit="m"),
        pd.to_timedelta(np.arange(N), unit="m").as_unit("s"),
        pd.Series(pd.to_timedelta(np.arange(N), unit="m"), dtype="duration[us][pyarrow]"),
    ],
)
def test_durations_are_quantities_of_seconds(tmp_path: Path, took: object) -> None:
    points = table().assign(took=took)
    points.loc[3:4, "took"] = pd.NaT
    (layer,) = prepare(points, colour="took")
    assert (layer.key.kind, layer.key.time, layer.key.unmeasured) == ("quantity", False, 2)
    assert legend_of([layer.key], 1, 20).ticks[2][1] == "30030"  # half way between the percentiles
    one = session(tmp_path, points)
    assert one.opened is not None
    assert numbers(one.opened) == ["when", "took"]
    one.act("limit", {"column": "took", "low": "600", "high": "1200"})
    assert one.visible is not None
    assert np.flatnonzero(one.visible).tolist() == list(range(10, 21))
    assert np.flatnonzero(found(one.opened.points, "took<=120")).tolist() == [0, 1, 2]
    assert np.flatnonzero(found(one.opened.points, "took=600")).tolist() == [10]
    for kept in (points[["took"]], one.opened.points[["took"]]):
        dataset = checked(Dataset("mine", points[["x"]], kept=kept))
        assert dataset.kept is not None
        assert dataset.kept["took"].iloc[:3].tolist() == [0.0, 60.0, 120.0]
        assert dataset.kept["took"].isna().sum() == 2


def test_few_times_and_times_that_are_labels_are_classes() -> None:
    points = table(DAYS[np.arange(N) % 3]).assign(label=DAYS)
    assert prepare(points, colour="when")[0].key.names == ("2020-01-01", "2020-01-02", "2020-01-03", "no when")
    assert prepare(points, colour="label")[0].key.kind == "classes"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_with_dates(tmp_path: Path, suffix: str) -> None:
    points = pd.DataFrame({"x": np.arange(N), "y": 0.0, "day": DAYS.date})
    path = tmp_path / f"points.{suffix}"
    points.to_csv(path, index=False) if suffix == "csv" else points.to_parquet(path)
    opened = Opened("m", open_file(path))
    assert numbers(opened) == ["day"]
    html = views.look(Choice(colour="day"), opened, [], "", None, sought="day")
    assert "2020-01-10" in html
    assert 'placeholder="2020-01-01"' in html
    assert "2020-01-04" in tip.tip(opened, 3, "day", 0.1, None).text
    assert "2020-01-04" in side.point(opened, 3, True)
    mask = np.arange(N) < 31
    assert "2020-01-16" in side.selection(opened, mask, (), (), 0)


def test_a_filter_by_time_is_to_the_end_of_what_is_named(tmp_path: Path) -> None:
    one = session(tmp_path, table())
    one.attempt(lambda: ACTIONS["limit"](one, {"column": "when", "low": "2020-02", "high": "2020-03-02"}))
    assert one.opened is not None
    assert one.visible is not None
    assert np.flatnonzero(one.visible).tolist() == list(range(31, 62))
    (slider,) = sliders(one.opened, one.choice.limits, "when")
    assert (slider["from"], slider["to"], slider["time"]) == ("2020-02-01", "2020-03-02", True)
    with pytest.raises(InputError, match="'soon' is not a time: give one such as 2024-05-31"):
        ACTIONS["limit"](one, {"column": "when", "low": "soon"})
    with pytest.raises(InputError, match="from 2020-04-01 to 2020-03-02 is nothing"):
        ACTIONS["limit"](one, {"column": "when", "low": "2020-04-01"})


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("when=2020-02", range(31, 60)),
        ("when = 2020-01-02", [1]),
        ("when<2020-01-03", [0, 1]),
        ("when <= 2020-01-03", [0, 1, 2]),
        ("when>2022-08", range(974, N)),
        ("when>=2020-02-01 and when<2020-02-03", [31, 32]),
    ],
)
def test_times_are_searched(text: str, rows: range) -> None:
    assert np.flatnonzero(found(table(), text)).tolist() == list(rows)


def test_what_is_written_is_read_back() -> None:
    span = 1_000 * 86_400.0
    for text in ("1969-12-31", "2020-01-02 03:04", "2020-01-02 03:04:05", "2020-01-02 03:04:05.678"):
        first, last = times.read(text) or (0.0, 0.0)
        assert first < last
        assert times.shortest(first, False) == times.shortest(last, True) == text
        assert times.written(first, span, 100) == text[:10]
    for text in ("", "NaT", "now", "2020-13-01", "12:00", "7"):
        assert times.read(text) is None
