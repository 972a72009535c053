"""The embedded digits: the same bytes everywhere, a stream without seams, and still digits."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from gpu_pipeline.datasets import digits


def test_same_bytes_on_every_computer() -> None:
    X, y = digits.rows(np.arange(4000))
    assert hashlib.sha256(X.tobytes()).hexdigest() == "2beae9707deeb0d4af3817f5f5d6ef31cee4cbd0bb9697955524f51df1a4703a"
    assert X.shape == (4000, 784)
    assert X.dtype == np.uint8
    assert y.dtype == np.int64


def test_labels_are_those_of_the_originals() -> None:
    target = load_digits().target
    _, y = digits.rows(np.array([0, 1, 1796, 1797, 1798, 2 * 1797 + 5, 10**9]))
    # 10**9 = 556482 * 1797 + 1846, and 1846 - 1797 = 49.
    np.testing.assert_array_equal(y, target[[0, 1, 1796, 0, 1, 5, 10**9 % 1797]])


def test_first_rows_are_not_deformed() -> None:
    originals, _ = digits.rows(np.arange(digits.ORIGINALS), seed=0)
    others, _ = digits.rows(np.arange(digits.ORIGINALS), seed=1)
    np.testing.assert_array_equal(originals, others)
    # Enlarged, they keep the means of the 8 x 8 digits: mean grey levels are correlated.
    small = load_digits().images.mean(axis=(1, 2))
    assert np.corrcoef(small, originals.mean(axis=1))[0, 1] > 0.9


@pytest.mark.parametrize(("n", "start"), [(1, 0), (512, 0), (513, 511), (700, 1700), (3, 10**7)])
def test_a_stream_has_no_seams(n: int, start: int) -> None:
    parts = list(digits.generate(n, seed=3, start=start))
    assert max(len(X) for X, _ in parts) <= digits.CHUNK
    X, y = digits.rows(np.arange(start, start + n), seed=3)
    np.testing.assert_array_equal(np.concatenate([part for part, _ in parts]), X)
    np.testing.assert_array_equal(np.concatenate([part for _, part in parts]), y)


def test_rows_in_any_order() -> None:
    forward, _ = digits.rows(np.arange(1500, 2600))
    some = np.array([1050, 3, 3, 700])
    np.testing.assert_array_equal(digits.rows(1500 + some)[0], forward[some])


def test_copies_differ_by_row_and_by_seed() -> None:
    copies = np.arange(1, 40) * digits.ORIGINALS
    X, _ = digits.rows(copies)
    assert len(np.unique(X, axis=0)) == len(copies)
    assert not (digits.rows(copies, seed=1)[0] == X).all(axis=1).any()


def test_copies_are_still_digits() -> None:
    X, y = digits.rows(np.arange(digits.ORIGINALS))
    copies, labels = digits.rows(np.random.default_rng(0).integers(digits.ORIGINALS, digits.TOTAL, 1500))
    nearest = KNeighborsClassifier(1).fit(X, y)
    assert nearest.score(copies, np.random.default_rng(1).permutation(labels)) < 0.2
    assert nearest.score(copies, labels) > 0.85
    # Nothing is cut off at the rim, and ink covers about as much of the image as in MNIST (mean 0.13).
    rim = np.ones((28, 28), dtype=bool)
    rim[1:-1, 1:-1] = False
    assert copies[:, rim.ravel()].mean() < 3
    assert 0.08 < copies.mean() / 255 < 0.25
