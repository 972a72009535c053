"""The mean image of each class."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_pipeline.dashboard.mean_images import mean_images
from gpu_pipeline.errors import InputError


def test_each_class_has_its_mean() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (2000, 5, 7), dtype=np.uint8)
    codes = random.choice([0, 2, 3], 2000).astype(np.int8)
    found = mean_images(pixels, codes, 4)
    assert found[1] is None
    for code in (0, 2, 3):
        image = found[code]
        assert image is not None
        assert (np.asarray(image) == np.rint(pixels[codes == code].mean(axis=0))).all()


def test_sums_are_not_cut_and_classes_are_for_all() -> None:
    (white,) = mean_images(np.full((70_000, 2, 2), 255, np.uint8), np.zeros(70_000, np.int64), 1)
    assert white is not None
    assert np.asarray(white).tolist() == [[255, 255], [255, 255]]
    with pytest.raises(InputError, match="4 classes for 5 images"):
        mean_images(np.zeros((5, 2, 2), np.uint8), np.zeros(4, int), 1)
