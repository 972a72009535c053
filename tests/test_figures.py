"""Numbers as text: exact ones that give the number back, and short ones that still tell neighbours apart."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_pipeline.figures import exact, rounded, short, text_of


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_exact_text_gives_the_number_back(number: float) -> None:
    assert float(exact(number)) == number


def test_exact_text_is_short() -> None:
    assert [exact(n) for n in (4.0, 0.1, 1700005000.0, 1e300)] == ["4", "0.1", "1700005000", "1e+300"]


@pytest.mark.parametrize(
    ("number", "span", "text"),
    [
        (0.123456, 1.0, "0.1235"),
        (1_700_019_990.0, 19_990.0, "1700019990"),
        (1_700_000_000_123.0, 5.0, "1700000000123"),
        (5000.00002, 1e-4, "5000.00002"),
        (12_345.6, 0.0, "12346"),
        (1e300, 1e300, "1e+300"),
        (0.0, math.inf, "0"),
        (math.inf, 1.0, "inf"),
    ],
)
def test_short_text_tells_numbers_of_a_span_apart(number: float, span: float, text: str) -> None:
    assert short(number, span, 4) == text


def test_rounding_goes_by_the_span() -> None:
    assert rounded(4_649_776.22412345, 80.0, 6) == 4_649_776.2241
    assert rounded(1e-9, 80.0, 6) == 0
    assert rounded(0.1 + 0.2, 0.0, 6) == 0.1 + 0.2


def test_values_of_a_table_as_text() -> None:
    absent, numbers = [None, pd.NA, pd.NaT, np.nan], [np.int64(1650000000000000001), 1_700_005_000.0, 0.123456]
    assert [text_of(value) for value in absent] == ["-"] * 4
    assert [text_of(value) for value in numbers] == ["1650000000000000001", "1700005000", "0.1235"]
    assert [text_of(value) for value in (np.bool_(True), "ü")] == ["yes", "ü"]
