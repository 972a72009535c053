"""The order in which names are listed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_pipeline.order import in_order


@pytest.mark.parametrize(
    "expected",
    [
        ["topic", "topic 2", "topic 10"],
        ["2", "9", "10"],
        ["-1.5", "0.25", "0.5", "10"],  # all numbers: by value, so 0.25 before 0.5
        ["1.9", "1.10", "v"],  # or else whole numbers count, as in versions
        ["2", "10", "a"],
        ["a2b", "a2c", "a10b"],
        ["02", "2", "3"],
        ["\u0662", "\u0661\u0660"],  # 2 and 10 in Arabic digits
        ["id " + "1" * 5000, "id " + "9" * 5000],  # more digits than int takes
        [""],
        [],
    ],
)
def test_names_are_ordered_by_the_numbers_in_them(expected: list[str]) -> None:
    backwards = expected[::-1]
    assert [backwards[i] for i in in_order(backwards)] == expected


@given(st.lists(st.text("a1 0²-.", max_size=5), max_size=8), st.randoms())
def test_the_order_does_not_depend_on_that_of_the_names(names: list[str], random) -> None:  # type: ignore[no-untyped-def]
    shuffled = random.sample(names, len(names))
    assert [shuffled[i] for i in in_order(shuffled)] == [names[i] for i in in_order(names)]
    assert sorted(in_order(names)) == list(range(len(names)))


@given(st.lists(st.integers(0), unique=True))
def test_numbers_are_ordered_by_value_in_any_text(numbers: list[int]) -> None:
    for name in ("{}", "n{}", "{} of all"):
        names = [name.format(number) for number in numbers]
        assert [numbers[i] for i in in_order(names)] == sorted(numbers)
