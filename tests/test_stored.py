"""The list of stored runs: a broken one has its line, and hides no other."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from gpu_pipeline import Recipe, pipeline
from gpu_pipeline.dashboard import views
from gpu_pipeline.dashboard.session import Session
from gpu_pipeline.dashboard.state import Choice
from gpu_pipeline.dashboard.stored import open_stored, rows_of
from gpu_pipeline.datasets import Dataset
from gpu_pipeline.errors import InputError
from gpu_pipeline.report import rescore
from gpu_pipeline.store import open_run, write_scores


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    recipe = Recipe.model_validate({"embed": {"method": "pca", "n_components": 2}, "engine": "scikit_learn"})
    pipeline.run(recipe, Dataset("noise", X, np.repeat([0, 1, 2], 20), np.arange(60), 60)).save(folder)
    return folder


@pytest.fixture
def store(runs: Path, tmp_path: Path) -> Path:
    """Two stored runs, the first to be broken."""
    (whole,) = runs.iterdir()
    for changed, name in ((1, "broken"), (9, "whole")):
        shutil.copytree(whole, tmp_path / name)
        os.utime(tmp_path / name / "record.json", (changed, changed))
    return tmp_path


def test_a_line_says_what_the_run_is(store: Path) -> None:
    line = rows_of(store)[0]
    assert line["run"] == "broken"
    assert line["title"] == "PCA of noise"
    assert line["n"] == 60
    assert line["fault"] == ""
    assert line["accuracy"] > 0


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("scores.json", None, "scores"),
        ("scores.json", "", "scores"),
        ("scores.json", '{"values": {"kl"', "scores"),
        ("scores.json", '{"values": {}}', "scores"),
        ("scores.json", "[]", "scores"),
        ("record.json", "{}", "record"),
        ("record.json", "[1, 2]", "record"),
        ("record.json", '{"schema": 99}', "record"),
    ],
)
def test_a_broken_run_breaks_no_list(store: Path, name: str, text: str | None, said: str) -> None:
    rows_of(store)  # Whole, and remembered as such.
    path = store / "broken" / name
    path.unlink() if text is None else path.write_text(text, encoding="utf-8")
    os.utime(store / "broken" / "record.json", (2, 2))
    broken, whole = rows_of(store)
    assert said in broken["fault"]
    assert broken["fault"].endswith(".")
    assert (broken["run"], broken["accuracy"]) == ("broken", None)
    assert whole["fault"] == ""
    html = views.look(Choice(), None, [broken, whole], "", None)
    assert html.count('class="fault"') == 1
    # It is told from others by its name, and opening it says what is wrong and keeps what is shown.
    with pytest.raises(InputError, match="cannot be read"):
        open_stored(store, "broken")
    session = Session(store, None, Choice())
    session.act("run", "broken")
    assert "cannot be read" in session.error
    assert session.choice.run == "whole"


def test_scores_that_come_back_are_read(store: Path) -> None:
    path = store / "broken" / "scores.json"
    text = path.read_text(encoding="utf-8")
    path.unlink()
    assert rows_of(store)[0]["fault"]
    path.write_text(text, encoding="utf-8")
    assert not rows_of(store)[0]["fault"]


def test_a_run_that_is_scored_again_is_read_again(store: Path) -> None:
    before = open_stored(store, "whole")
    assert open_stored(store, "whole") is before
    write_scores(rescore(open_run(store / "whole")))
    assert open_stored(store, "whole") is not before
