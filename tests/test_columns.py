"""The columns of a person's own file: each kind is shown as what it is, and comes out of an export as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from gpu_pipeline.dashboard.files import open_file
from gpu_pipeline.dashboard.rows import KINDS, write_rows

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
        write_rows(found, file, kind)
    pd.testing.assert_frame_equal(open_file(again), found)
