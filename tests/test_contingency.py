"""Scores from counts are those from arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline import contingency, metrics

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=60)


@given(pairs)
@settings(max_examples=80)
def test_counts_say_what_arrays_say(rows: list[tuple[int, int]]) -> None:
    labels, clusters = np.array(rows).T
    counts = metrics.confusion(labels, clusters)[2]
    for name in ("accuracy", "purity", "ari", "nmi"):
        expected = getattr(metrics, name)(labels, clusters)
        assert getattr(contingency, name)(counts) == pytest.approx(expected, abs=1e-9), name


def test_worked_by_hand() -> None:
    # Classes of 3 and 1, clusters of 2 and 2. Pairs: 6; together in both 1, in classes 3, in clusters 2.
    counts = np.array([[2, 1], [0, 1]])
    assert contingency.purity(counts) == 0.75
    assert contingency.accuracy(counts) == 0.75
    assert contingency.ari(counts) == pytest.approx((1 - 3 * 2 / 6) / ((3 + 2) / 2 - 3 * 2 / 6))


def test_ten_billion_rows_do_not_overflow() -> None:
    counts = np.diag([6 * 10**9, 4 * 10**9])
    assert contingency.ari(counts) == 1
    assert contingency.nmi(counts) == pytest.approx(1)
