"""The nearest of one point, in the data and on the map, against a search of all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gpu_pipeline import Recipe, pipeline
from gpu_pipeline.dashboard.neighborhood import neighbors_of_row
from gpu_pipeline.datasets import Dataset
from gpu_pipeline.errors import InputError
from gpu_pipeline.record import Run


@pytest.fixture(scope="module")
def run() -> Run:
    random = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 40)
    X = random.normal(size=(120, 8)) + 5 * np.eye(8)[y]
    dataset = Dataset("three", X.astype(np.float32), y, np.arange(120), 120)
    recipe = Recipe.model_validate({"embed": {"method": "pca", "n_components": 2}, "engine": "scikit_learn"})
    return pipeline.run(recipe, dataset)


def test_neighbours_in_the_data_and_on_the_map(run: Run) -> None:
    found = neighbors_of_row(run, 17, 8)
    in_data = np.linalg.norm(run.features.astype(float) - run.features[17], axis=1)
    assert found.in_data.tolist() == np.argsort(in_data, kind="stable")[1:9].tolist()
    on_map = np.linalg.norm(run.embedding - run.embedding[17], axis=1)
    assert found.on_map.tolist() == np.argsort(on_map, kind="stable")[1:9].tolist()
    assert found.common == len(set(found.in_data.tolist()) & set(found.on_map.tolist()))


def test_neighbours_of_twins_and_of_few(run: Run) -> None:
    points = pd.DataFrame({"x": [1.0, 1, 1, 5], "y": 0.0})
    features = np.array([[1.0], [1], [1], [2]], np.float32)
    few = Run(run.record, points, features, run.scores)
    found = neighbors_of_row(few, 1, 8)
    assert found.in_data.tolist() == found.on_map.tolist() == [0, 2, 3]
    alone: Any = Run(run.record, points[:1], features[:1], run.scores)
    assert len(neighbors_of_row(alone, 0).in_data) == 0
    for position in (-1, 4):
        with pytest.raises(InputError, match=f"no point {position}"):
            neighbors_of_row(few, position)
