"""What public functions say of an argument that is of the wrong type: one sentence that names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpu_pipeline import Dataset, InputError, draw, load, open_run, rows, run
from gpu_pipeline.store import list_runs, writable

X = np.arange(24.0).reshape(12, 2)
POINTS: Any = pd.DataFrame(X, columns=["x", "y"])
any_load: Callable[..., Any] = load
any_draw: Callable[..., Any] = draw


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"image_shape": 4}, "the image shape of digits is 4: give height and width as two whole numbers"),
        ({"image_shape": "28x28"}, "the image shape of digits is '28x28': give height and width"),
        ({"image_shape": (28,)}, "the image shape of digits is (28,): give height and width"),
        ({"image_shape": ("a", 2)}, "the image shape of digits is ('a', 2): give height and width"),
        ({"image_shape": (2.5, 4)}, "the image shape of digits is (2.5, 4): give height and width"),
        ({"seed": 1.5}, "the seed is 1.5: give a whole number."),
        ({"seed": None}, "the seed is None: give a whole number."),
        ({"data_dir": 1}, "the data directory is 1: give a path."),
        ({"data_dir": b"x"}, "the data directory is b'x': give a path."),
        ({"label_column": 1}, "the label column is 1: give the name of a column."),
        ({"columns": 1}, "what is named as columns is 1: give the name of a column, or a list of names."),
        ({"keep": ["a", 2]}, "what is named to keep is ['a', 2]: give the name of a column, or a list of names."),
    ],
)
def test_load(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        any_load("digits", **{"sample": 5, **options})
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(("suffix", "says"), [("", "unknown data set"), (".npy", "File name too long")])
def test_a_name_that_is_too_long_for_a_file(suffix: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        load("x" * 400 + suffix)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"width": "a"}, "the width is 'a': give a whole number."),
        ({"height": 2.5}, "the height is 2.5: give a whole number."),
        ({"x_range": 3}, "the range is 3: give two finite numbers, the lower first."),
        ({"y_range": ("a", "b")}, "the range is ('a', 'b'): give two finite numbers"),
        ({"colour": ["x"]}, "the colour is ['x']: give the name of a column, or density."),
        ({"points": None}, "points come as a table, not as NoneType"),
    ],
)
def test_draw(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        any_draw(**{"points": POINTS, **options})
    assert str(caught.value).startswith(says)


def test_a_range_may_be_an_array() -> None:
    assert any_draw(POINTS, width=60, height=60, x_range=np.array([0.0, 20.0])).size == (60, 60)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": 3}, "the name of a data set is 3: give a text."),
        ({"total": "a"}, "the total of m is 'a': give a whole number."),
        ({"rows": 3}, "m has 12 rows but 1 row indices: give one for each."),
        ({"rows": ["a"] * 12}, "the row indices of m are of type <U1: give whole numbers."),
        ({"image_shape": 2}, "the image shape of m is 2"),
        ({"columns": ("a",)}, "m has 2 columns but 1 names of columns: give one for each."),
    ],
)
def test_a_dataset(options: dict[str, Any], says: str) -> None:
    dataset = Dataset(**{"name": "m", "X": X, **options})
    with pytest.raises(InputError) as caught:
        run(None, dataset)
    assert str(caught.value).startswith(says)


def test_row_indices_may_be_a_list() -> None:
    listed: Any = list(range(12))
    assert Dataset("m", X, rows=listed).digest() == Dataset("m", X).digest()


@pytest.mark.parametrize("wrong", [None, 3, ["a"], b"x"])
def test_runs_and_their_folder(tmp_path: Path, wrong: Any) -> None:
    for call in (lambda: open_run(wrong, tmp_path), lambda: rows(wrong, "all:", tmp_path)):
        with pytest.raises(InputError, match=r"^the run is .*: give a path\.$"):
            call()
    for call in (lambda: open_run("a", wrong), lambda: list_runs(wrong), lambda: writable(wrong)):
        with pytest.raises(InputError, match=r"^the folder of runs is .*: give a path\.$"):
            call()
