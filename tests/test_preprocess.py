"""Scaling and deskewing: by hand, against SciPy, and on extreme values."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from scipy.spatial.distance import cdist, pdist
from sklearn.preprocessing import StandardScaler

from gpu_pipeline.datasets import dataset, digits
from gpu_pipeline.doubts import doubts, outweighed
from gpu_pipeline.errors import InputError
from gpu_pipeline.preprocess import (
    PREPROCESS,
    Preparation,
    fit,
    limits_of,
    moments_of,
    preprocess,
    scale,
    standardize,
    unit,
)
from gpu_pipeline.shearing import shear
from gpu_pipeline.upright import deskew


def test_bytes_are_divided_by_255() -> None:
    # 51 / 255 = 0.2, though 51 is the greatest here: bytes have a scale of their own.
    np.testing.assert_array_equal(scale(np.array([[0, 51]], dtype=np.uint8)), np.array([[0, 0.2]], dtype=np.float32))


def test_other_numbers_by_one_map() -> None:
    # Least -10, greatest 30: x -> (x + 10) / 40.
    X = np.array([[-10, 0], [10, 30]], dtype=np.int64)
    scaled = scale(X)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled, [[0, 0.25], [0.5, 1]])


@pytest.mark.parametrize(
    "X",
    [
        np.array([[-1.7e308, 0], [0, 1.7e308]]),
        np.array([[-3e38, 0], [0, 3e38]], dtype=np.float32),
        np.array([[-(2**63), -1], [0, 2**63 - 1]], dtype=np.int64),
        np.array([[-65504, 0], [0, 65504]], dtype=np.float16),
    ],
)
def test_extreme_values(X: np.ndarray) -> None:
    np.testing.assert_allclose(scale(X), [[0, 0.5], [0.5, 1]], rtol=1e-6)


def test_small_differences_far_from_zero_survive() -> None:
    # In float32 all three would be 1e9.
    np.testing.assert_allclose(scale(np.array([[1e9], [1e9 + 1], [1e9 + 4]])).ravel(), [0, 0.25, 1])


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int16]),
        (7, 3),
        elements=st.integers(-1000, 1000),
        fill=st.nothing(),
    ).filter(lambda X: X.min() < X.max())
)
def test_distances_keep_their_proportions(X: np.ndarray) -> None:
    scaled = scale(X)
    assert scaled.min() == 0
    assert scaled.max() == 1
    span = float(X.max()) - float(X.min())
    np.testing.assert_allclose(pdist(scaled) * span, pdist(X.astype(np.float64)), rtol=1e-5, atol=1e-4 * span)


def test_blocks_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).normal(size=(100, 5))
    np.save(tmp_path / "X.npy", X)
    whole = scale(X)
    monkeypatch.setattr(dataset, "_BLOCK", 300)
    np.testing.assert_array_equal(scale(np.load(tmp_path / "X.npy", mmap_mode="r")), whole)


@pytest.mark.parametrize("value", [3.0, np.nan, np.inf])
def test_what_cannot_be_scaled(value: float) -> None:
    with pytest.raises(InputError, match="cannot be scaled"):
        scale(np.full((3, 2), value))


def test_deskew_by_hand() -> None:
    # A diagonal stroke, one column further each row, becomes upright; its middle is already the image's.
    upright = np.zeros((5, 5))
    upright[:, 2] = 1
    np.testing.assert_allclose(deskew(np.eye(5).reshape(1, -1), (5, 5)), upright.reshape(1, -1), atol=1e-6)
    # A dot is moved to the middle; a blank image and a stroke along a row (no slant) stay.
    dot, row = np.zeros((2, 5, 5))
    dot[0, 4] = row[2] = 1
    middle = np.zeros((5, 5))
    middle[2, 2] = 1
    out = deskew(np.stack([dot, row, np.zeros((5, 5))]).reshape(3, -1), (5, 5))
    np.testing.assert_allclose(out, np.stack([middle, row, np.zeros((5, 5))]).reshape(3, -1), atol=1e-6)


def test_deskew_between_pixels() -> None:
    # Equal mass in columns 1 and 2 of four: the middle is 1.5, where it should be, so nothing moves. In columns 0 and
    # 1 it is 0.5, one pixel to the right. With masses 3 and 1 in columns 1 and 2 it is 1.25: a quarter of each
    # pixel goes to the right-hand neighbour.
    X = np.array([[0, 1, 1, 0], [1, 1, 0, 0], [0, 3, 1, 0]])
    expected = np.array([[0, 1, 1, 0], [0, 1, 1, 0], [0, 2.25, 1.5, 0.25]])
    np.testing.assert_allclose(deskew(X, (1, 4)), expected, atol=1e-6)


def test_deskew_against_scipy() -> None:
    """The usual recipe, one image after the other, on oblong images that keep clear of the rim."""
    images = np.zeros((40, 24, 30))
    images[:, 7:17, 10:20] = np.random.default_rng(0).random((40, 10, 10)) * np.tri(10)
    middle = (np.array([24, 30]) - 1) / 2
    expected = []
    for image in images:
        at = np.argwhere(image > 0)
        weights = image[image > 0]
        mean = np.average(at, axis=0, weights=weights)
        (spread, joint), _ = np.cov(at.T, aweights=weights, bias=True)
        shear = np.array([[1, 0], [joint / spread, 1]])
        expected.append(ndimage.affine_transform(image, shear, offset=mean - shear @ middle, order=1))
    out = deskew(images.reshape(40, -1), (24, 30))
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, np.reshape(expected, (40, -1)), atol=1e-5)


def test_deskewed_images_have_no_slant_and_are_centred() -> None:
    X, _ = digits.rows(np.arange(3000, 3600))
    y, x = np.mgrid[:28, :28].reshape(2, -1) - 13.5

    def slant(images: np.ndarray) -> np.ndarray:
        weights = images / images.sum(axis=1, keepdims=True)
        joint, spread = weights @ (x * y) - (weights @ x) * (weights @ y), weights @ y**2 - (weights @ y) ** 2
        return np.asarray(joint / spread)

    before, after = scale(X).astype(np.float64), deskew(scale(X), (28, 28)).astype(np.float64)
    assert np.abs(slant(before)).mean() > 0.1
    # Interpolation blurs a little, and a digit that reaches the rim may lose some of its ink there.
    assert np.quantile(np.abs(slant(after)), 0.95) < 0.01
    for axis in (x, y):
        assert np.quantile(np.abs(after @ axis / after.sum(axis=1)), 0.95) < 1e-5


def test_what_cannot_be_deskewed() -> None:
    with pytest.raises(InputError, match="10 values are not images of 3 x 3"):
        deskew(np.ones((2, 10)), (3, 3))
    with pytest.raises(InputError, match="negative"):
        deskew(-np.ones((2, 9)), (3, 3))
    with pytest.raises(InputError, match="needs images"):
        fit(np.eye(3), "deskew")
    with pytest.raises(InputError, match="did you mean 'deskew'"):
        fit(np.eye(3), "deskwe", (1, 3))


@pytest.mark.parametrize(
    ("how", "expected"),
    {
        "none": scale,
        "deskew": lambda X: deskew(scale(X), (28, 28)),
        "standardize": lambda X: standardize(X, *moments_of(X)),
        "unit": unit,
    }.items(),
)
def test_fit_and_preprocess(how: str, expected: Callable[[np.ndarray], np.ndarray]) -> None:
    assert how in PREPROCESS
    X, _ = digits.rows(np.arange(40))
    prepared = fit(X[:20], how, (28, 28))
    out = preprocess(X[:20], prepared)
    assert out.dtype == np.float32
    np.testing.assert_array_equal(out, expected(X[:20]))
    # Other rows by what these taught, also once it has been on a disk.
    values, arrays = prepared.parts()
    again = Preparation.from_parts(json.loads(json.dumps(values)), arrays)
    assert (again.limits, again.image_shape, again.columns) == (prepared.limits, (28, 28), 784)
    np.testing.assert_array_equal(preprocess(X, again)[:20], out)
    np.testing.assert_array_equal(preprocess(X[20:], again), preprocess(X, again)[20:])


def test_standardize_by_hand() -> None:
    # Means 2, 0.1 and 1e9 + 1; deviations sqrt(8 / 3), none (a constant stays at 0) and sqrt(2 / 3).
    X = np.array([[0, 0.1, 1e9], [2, 0.1, 1e9 + 1], [4, 0.1, 1e9 + 2]])
    mean, deviation = moments_of(X)
    np.testing.assert_allclose(deviation, [np.sqrt(8 / 3), 1, np.sqrt(2 / 3)])
    step = np.sqrt(1.5)
    np.testing.assert_allclose(standardize(X, mean, deviation), [[-step, 0, -step], [0, 0, 0], [step, 0, step]])
    # A new row that differs where these did not: by as much as it does.
    np.testing.assert_allclose(standardize(np.array([[2, 1.1, 1e9 + 1]]), mean, deviation), [[0, 1, 0]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float32, np.float64])
def test_standardize_is_scikit_learns(dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_BLOCK", 300)
    X = np.random.default_rng(0).integers(0, 200, (500, 7)).astype(dtype)
    X[:, 3] = 7
    expected = StandardScaler().fit(X.astype(np.float64))
    prepared = fit(X, "standardize")
    np.testing.assert_allclose(preprocess(X, prepared), expected.transform(X.astype(np.float64)), rtol=1e-5, atol=1e-6)


def test_a_constant_column_stays_one_whatever_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean of many 0.1 is not 0.1: what is left must not be blown up to a variance of 1."""
    monkeypatch.setattr(dataset, "_BLOCK", 5_000)
    X = np.column_stack([np.full(100_003, 0.1), np.arange(100_003)])
    assert np.abs(preprocess(X, fit(X, "standardize"))[:, 0]).max() == 0


def test_what_cannot_be_standardized() -> None:
    with pytest.raises(InputError, match="no column varies"):
        fit(np.tile([1.0, 2.0], (5, 1)), "standardize")
    with pytest.raises(InputError, match="reach 1e\\+300, whose squares are too large to standardize"):
        fit(np.array([[-1e300], [0.0]]), "standardize")


def test_unit_by_hand() -> None:
    # 3-4-5, and a row of zeros, which has no direction; then values whose squares are infinite, and 0.
    np.testing.assert_allclose(unit(np.array([[3, 4], [0, 0], [-8, 6]])), [[0.6, 0.8], [0, 0], [-0.8, 0.6]])
    np.testing.assert_allclose(unit(np.array([[3e300, 4e300], [3e-300, 4e-300]])), [[0.6, 0.8]] * 2)


def test_what_a_reader_of_the_map_should_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "_BLOCK", 300)
    X = np.random.default_rng(0).normal(size=(50, 3)) * [1, 1, 100]
    assert doubts(X, Preparation("unit", 3)) == doubts(X, Preparation("none", 3)) == ()
    assert "'c'" in doubts(X, Preparation("none", 3, names=("a", "b", "c")))[0]
    assert doubts(X, fit(X, "standardize", names=("a", "b", "c"))) == ()
    X[[30, 40]] = 0
    (sentence,) = doubts(X, Preparation("unit", 3))
    assert sentence == "2 rows, the first row 30 (counted from 0), are all zeros: there is no direction to compare."
    (sentence,) = doubts(X[:40], Preparation("unit", 3))
    assert sentence == "row 30 (counted from 0) is all zeros: there is no direction to compare."


def test_neighbours_of_unit_rows_are_those_by_cosine() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 20)) * random.lognormal(size=(300, 1))
    by_cosine = np.argsort(cdist(X, X, "cosine"), axis=1)
    rows = unit(X).astype(np.float64)
    np.testing.assert_array_equal(np.argsort(cdist(rows, rows), axis=1)[:, :16], by_cosine[:, :16])
    # Which those of the rows as they are were not.
    assert (np.argsort(cdist(X, X), axis=1)[:, :16] != by_cosine[:, :16]).mean() > 0.5


def test_one_column_or_a_few_that_outweigh_all_others() -> None:
    random = np.random.default_rng(0)
    X, names = random.normal(size=(25_000, 12)), (*tuple("abcdefghijk"), "l{}")
    assert outweighed(X, names) is None
    X[:, 2] = np.arange(25_000)
    assert str(outweighed(X, names)).startswith("the column 'c' has 100.0% of the variance of all 12, which are scaled")
    X[:, 11] = 2 * X[::-1, 2]  # four fifths, and one fifth
    assert str(outweighed(X, names)).startswith("the columns 'l{}' and 'c' have 100.0% of the variance of all 12")
    X[:, 2:6] = X[:, [2]]  # four alike, which are a third of all
    X[:, 11] = 0
    assert outweighed(X, names) is None
    assert "'c'" in str(outweighed(random.normal(size=(50, 4)) * [1e200, 0, 1e300, 0], names[:4]))
    assert outweighed(X[:, 2:4], names[2:4]) is None


def test_limits_of_other_rows() -> None:
    assert limits_of(np.array([[3, 7]], dtype=np.uint8)) == (0, 255)
    assert limits_of(np.array([[-2.0, 6.0], [0, 1]])) == (-2, 6)
    np.testing.assert_allclose(scale(np.array([[-2, 2, 10.0]]), (-2, 6)), [[0, 0.5, 1.5]])
    # Bytes are not divided by 255 where the limits are others.
    np.testing.assert_allclose(scale(np.array([[0, 4]], dtype=np.uint8), (0, 8)), [[0, 0.5]])
    np.testing.assert_allclose(scale(np.array([[0.0, 51.0]]), (0, 255)), [[0, 0.2]])
    np.testing.assert_allclose(preprocess(np.array([[4.0]]), Preparation("none", 1, (0, 8))), [[0.5]])


@pytest.mark.parametrize("how", PREPROCESS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_row_is_prepared_alone(how: str, order: Literal["C", "F"]) -> None:
    """So that rows placed in parts are prepared to the same bytes as all at once."""
    X = np.random.default_rng(0).integers(0, 256, (700, 784), dtype=np.uint8)
    X[3] = 0
    X[4] = 255
    prepared = fit(X, how, (28, 28))
    whole = preprocess(np.asarray(X, order=order), prepared)
    for rows in (slice(0, 1), slice(3, 5), slice(5, 604), slice(699, 700)):
        assert preprocess(X[rows], prepared).tobytes() == whole[rows].tobytes()


def test_shear_by_hand() -> None:
    """Rows moved by half a row, by whole ones and by more than there are; then each by its own number of pixels."""
    image = np.array([[0, 2, 4], [6, 8, 10]], np.float32)
    images = np.stack([image] * 5)
    down = np.array([0.5, -1.0, 0.0, 7.0, -7.0])
    along = np.array([[0.0, 0.0], [0.0, 0.25], [-1.5, 1e12], [0.0, 0.0], [0.0, 0.0]])
    sheared = np.full_like(images, np.nan)
    shear(images, down, along, sheared)
    expected = np.zeros_like(images)
    expected[0] = [[3, 5, 7], [3, 4, 5]]  # halfway to the next row; halfway from the last to nothing
    expected[1] = [[0, 0, 0], [0.5, 2.5, 3]]
    expected[2] = [[0, 0, 1], [0, 0, 0]]
    np.testing.assert_array_equal(sheared, expected)
