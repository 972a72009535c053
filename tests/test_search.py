"""Rows found by what a person types: each form of a search, and one sentence for what cannot be found."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpu_pipeline.dashboard.search import found
from gpu_pipeline.errors import InputError

POINTS = pd.DataFrame(
    {
        "row": [3, 17, 42, 100, 111, 120],
        "x": 0.0,
        "y": 0.0,
        "label": ["cat", "Dog", None, "bobcat (.*)", "dog", "label 4"],
        "cluster": [7, 7, 1, 1, 0, 10],
        "good": [True, False, True, True, True, True],
        "file_name": pd.Categorical(["a.png", "b.png", "Cat.png", None, "d.png", "e.png"]),
    }
)


def rows(text: str, points: pd.DataFrame = POINTS) -> list[int]:
    mask = found(points, text)
    assert mask.dtype == bool
    return points["row"][mask].tolist()


def test_texts_that_are_many_are_found_as_few_are() -> None:
    """Arrow is asked about columns of text, Python about classes: the answers are the same."""
    values = ["Straße", "ÉTÉ", "a.b*c", "(x)", "", None, "cat", "Concat", " cat"]
    points = pd.DataFrame({"row": np.arange(9), "name": pd.array(values, "str")})
    classes = points.assign(name=points["name"].astype("category"))
    for text in ("cat", "CAT", "été", "A.B", "(", "STRA", "name=cat", "name=CONCAT", "name=none"):
        assert rows(text, points) == rows(text, classes), text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("17", [17]),
        ("17, 42, 100-120", [17, 42, 100, 111, 120]),
        (" 100 - 111,3,5 ", [3, 100, 111]),
        ("cat", [3, 42, 100]),
        ("CAT", [3, 42, 100]),
        ("(.*)", [100]),
        ("dog", [17, 111]),
        (".png", [3, 17, 42, 111, 120]),
        ("label=cat", [3]),
        ("label = DOG", [17, 111]),
        ("cluster=7", [3, 17]),
        ("Cluster 7", [3, 17]),
        ("cluster 1", [42, 100]),
        ("label cat", [3]),
        ("file name=cat.png", [42]),
        ("file_name=A.PNG", [3]),
        ("good=no", [17]),
        ("label=label 4", [120]),
        ("label 4", [120]),
        ("x=0", [3, 17, 42, 100, 111, 120]),
        ("cluster<1", [111]),
        ("cluster <= 1", [42, 100, 111]),
        ("Cluster>=7 and good=yes", [3, 120]),
        ("row > 1e2 and cluster<10 and label=dog", [111]),
        ("x<-0.5e1 and good=no", []),
        ("label dog AND good=yes", [111]),
        ("label=bob", [100]),  # no label is that, one contains it
        ("label=no label", [42]),
        ("label=none and cluster=1", [42]),
        ("file name = none", [100]),
        ("file_name=no file_name", [100]),
        ("file_name=.PNG and good=no", [17]),
        ("cluster=1 and cat", [42, 100]),
        ("cat and cluster<=1 and CAT.png", [42]),
        ("cat and bob", [100]),
        ("cluster!=7", [42, 100, 111, 120]),
        ("label != DOG and good=yes", [3, 42, 100, 120]),
        ("label!=none", [3, 17, 100, 111, 120]),
        ("file name!=.png", [100]),
        ("cluster=0 or cluster=10", [111, 120]),
        ("cluster=7 and label=dog or label=none OR .*", [17, 42, 100]),
        ("bobcat or a.png", [3, 100]),
        ("good=no or cluster=7 and a.png", [3, 17]),
    ],
)
def test_what_is_found(text: str, expected: list[int]) -> None:
    if expected:
        assert rows(text) == expected
    else:
        with pytest.raises(InputError, match="allow for more"):
            rows(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "type 1 to 500 characters to search for, such as 17, 42, 100-120, label=4, text=word"),
        ("   ", "type 1 to 500 characters"),
        ("a" * 501, "type 1 to 500 characters"),
        ("120-100", "run backwards: write 100-120"),
        ("5, 6-16", "none of the rows 5, 6-16 is on this map: its 6 rows are among 3 to 120"),
        ("cluster=8", "no point has cluster '8': try 0, 1, 10, 7"),
        ("cluster=seven", "no point has cluster 'seven'"),
        ("cluster=none", "no point has cluster 'none': try 0, 1, 10, 7"),
        ("label=zebra", "no point has label 'zebra': try Dog, bobcat (.*), cat, dog, label 4"),
        ("zebra", "'zebra' is nowhere in label, file_name: try fewer letters"),
        ("4.5", "'4.5' is nowhere in"),
        ("colour=red", "label, file_name, and no column is named 'colour': search in one of these as in label="),
        ("cluster=7 and zebra", "no point has cluster=7 and zebra: allow for more"),
        ("good!=yes and good!=no", "no point has good!=yes and good!=no: allow for more"),
        ("cats or dogs or .gif", "'cats or dogs or .gif' is nowhere in label, file_name: try fewer letters"),
        ("-5", "'-5' is nowhere in"),
        ("cluster>10", "no point has cluster>10: allow for more"),
        ("label<4", "'label<4' is nowhere in"),
        ("cluster<few", "'cluster<few' is nowhere in"),
        ("cats and dogs", "'cats and dogs' is nowhere in"),
    ],
)
def test_what_is_not_found_is_said(text: str, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said) + r".*\.$"):
        found(POINTS, text)


def test_words_between_conditions_may_be_of_a_text() -> None:
    """As a whole first, and with more beside it where it is the value of a column."""
    titles = ["Salt and Pepper", "salt, pepper and more", "peace or war", "war", None]
    points = pd.DataFrame({"row": range(5), "title": titles, "likes": [1, 2, 3, 4, 5]})
    for text, expected in {
        "salt and pepper": [0],
        "title=salt and pepper": [0],
        "title!=salt and pepper": [1, 2, 3, 4],
        "pepper and salt": [0, 1],
        "peace or war": [2],
        "war or peace": [2, 3],
        "title=salt and pepper or likes>4": [0, 4],
        "likes>1 and salt": [1],
        "likes>=3 and title!=peace": [3, 4],
        "title!=war and peace": [2],
    }.items():
        assert rows(text, points) == expected, text


def test_without_text_or_rows() -> None:
    points = pd.DataFrame({"x": [0.0, 1.0, 2.0], "y": 0.0, "size": [0.5, 1.5, np.nan]})
    assert found(points, "0-1").tolist() == [True, True, False]
    assert found(points, "size=1.5").tolist() == [False, True, False]
    assert found(points, "size=none").tolist() == found(points, "size=not measured").tolist() == [False, False, True]
    with pytest.raises(InputError, match="no column of text could contain 'cat'"):
        found(points, "cat")
    with pytest.raises(InputError, match=r"no column of text could contain '2': .*label=4"):
        found(points, "size=1.5 or 2")


@pytest.mark.parametrize("kind", ["int64", "uint64", "Int64"])
def test_ids_of_64_bits_are_compared_digit_by_digit(kind: str) -> None:
    first = 1650000000000000000
    ids = pd.Series([first, first + 1, first + 2, 5], dtype=kind)
    points = pd.DataFrame({"row": ids.astype("int64"), "x": 0.0, "y": 0.0, "id": ids})
    for text, expected in (
        (f"id={first + 1}", [first + 1]),
        (f"id>{first + 1}", [first + 2]),
        (f"id <= {first + 1} and id > 1e3", [first, first + 1]),
        ("id=1.65e18", [first]),
        ("id=5.0", [5]),
        ("id<1e400", [first, first + 1, first + 2, 5]),
        (f"{first + 1}", [first + 1]),
        (f"5, {first + 1}-{first + 2}, 9999999999999999999", [first + 1, first + 2, 5]),
    ):
        assert rows(text, points) == expected


def test_numbers_of_32_bits_are_found_as_they_are_written() -> None:
    points = pd.DataFrame({"x": 0.0, "y": 0.0, "size": np.array([0.1, 0.2, np.nan], np.float32)})
    assert found(points, "size=0.1").tolist() == [True, False, False]
    assert found(points, "size<=0.1").tolist() == [True, False, False]
    assert found(points, "size>0.1").tolist() == [False, True, False]


def test_absent_whole_numbers_and_answers_are_found_nowhere() -> None:
    points = pd.DataFrame({"row": [0, 1], "x": 0.0, "y": 0.0, "n": pd.array([7, None]), "good": pd.array([True, None])})
    assert rows("n<8", points) == rows("n=7", points) == rows("good=yes", points) == [0]


def test_the_column_of_just_that_name_is_meant() -> None:
    points = pd.DataFrame({"row": [0, 1, 2], "Abc1": [1, 2, 3], "ABC1": [3, 1, 2], "a b": [1, 2, 3], "a_b": [2, 3, 1]})
    for text, expected in {"Abc1=1": [0], "ABC1=1": [1], "abc1=1": [0], "a b=1": [0], "a_b=1": [2]}.items():
        assert rows(text, points) == expected
        assert rows(text.replace("=", "<="), points) == expected


@given(st.text(max_size=60))
def test_any_text_finds_points_or_says_why_not(text: str) -> None:
    try:
        mask = found(POINTS, text)
    except InputError as error:
        mask = np.array([str(error).endswith(".")])
    assert mask.any()


@given(st.text(min_size=1, max_size=8).filter(lambda text: text.strip() == text and not text[0].isdigit()))
def test_every_text_finds_itself(text: str) -> None:
    points = pd.DataFrame({"x": 0.0, "y": 0.0, "note": ["", f"before {text} after", "b"]})
    assert found(points, text)[1]
