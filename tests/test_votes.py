"""What neighbours on the map say about labels: by hand, and against a search of all points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_pipeline.dashboard.votes import Votes, vote
from gpu_pipeline.metrics import label_accuracy
from gpu_pipeline.nearness import map_neighbors


def expected(neighbors: np.ndarray, codes: np.ndarray, classes: int) -> tuple[list[int], list[float]]:
    """Among which class each point lies and with what share, one point after the other."""
    among, shares = [], []
    for own, near in zip(codes.tolist(), neighbors, strict=True):
        votes = [int((codes[near] == code).sum()) for code in range(classes)]
        most = max(votes, default=0)
        top = own if votes[own] == most else votes.index(most)
        among.append(top)
        shares.append(votes[top] / max(len(near), 1))
    return among, shares


def test_by_hand() -> None:
    # On a line: a a a b a a, and far away b b c b. The b at 3 is alone among five a's, the c among three b's.
    x = np.array([0.0, 1, 2, 3, 4, 5, 100, 101, 102, 103])
    codes = np.array([0, 0, 0, 1, 0, 0, 1, 1, 2, 1])
    votes = vote(x, np.zeros(10), codes, 3)
    # With ten points the nine others are asked: 5 a, 4 b and 1 c but for the point itself.
    assert votes.among.tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert votes.share.tolist() == pytest.approx([4 / 9] * 3 + [5 / 9] + [4 / 9] * 2 + [5 / 9] * 4)


def test_own_class_wins_a_tie_and_the_least_code_among_others() -> None:
    # Three points: each asks the two others.
    assert vote(np.arange(3.0), np.zeros(3), np.array([0, 0, 1]), 2).among.tolist() == [0, 0, 0]
    assert vote(np.arange(3.0), np.zeros(3), np.array([2, 1, 0]), 3).among.tolist() == [0, 0, 1]


def test_as_many_as_the_judge_says_are_right() -> None:
    random = np.random.default_rng(0)
    codes = random.integers(0, 4, 3000)
    places = random.normal(size=(3000, 2)) + codes[:, None]
    votes = vote(*places.T, codes, 4)
    assert votes.right.mean() == label_accuracy(codes, map_neighbors(places, 15), 10)


@pytest.mark.parametrize("n", [2, 5, 16, 17, 60, 700])
@pytest.mark.parametrize("absent", [-1, 2])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_as_a_search_of_all_points(n: int, absent: int, kind: type) -> None:
    random = np.random.default_rng(n)
    places = (random.normal(size=(n, 2)) ** 3).astype(kind)
    codes = random.integers(0, 3, n).astype(np.int8)
    votes = vote(*places.T, codes, 3, absent)
    asked = codes != absent
    away = ((places[asked, None, :] - places[asked]) ** 2).sum(axis=2)
    np.fill_diagonal(away, np.inf)
    neighbors = np.argsort(away, axis=1, kind="stable")[:, : min(15, asked.sum() - 1)]
    among, shares = expected(neighbors, codes[asked], 3)
    assert votes.among[asked].tolist() == among
    assert votes.share[asked] == pytest.approx(shares)
    if asked.sum() > 1:
        assert votes.right.sum() == asked.sum() * label_accuracy(codes[asked], neighbors, 10)
    assert (votes.among[~asked] == absent).all()
    assert not votes.share[~asked].any()
    assert not votes.right[~asked].any()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 1)), min_size=1, max_size=200))
def test_many_points_at_one_place(points: list[tuple[int, int, int]]) -> None:
    """Which of equally near ones are asked is open; the shares are whole votes, and the class is one that there is."""
    x, y, codes = np.array(points).T
    votes = vote(x.astype(float), y.astype(float), codes, 2)
    k = min(15, len(x) - 1)
    assert set(votes.among.tolist()) <= {*codes.tolist()}
    assert np.allclose(votes.share * k, np.rint(votes.share * k), atol=1e-5)
    assert isinstance(votes, Votes)


def test_all_points_at_one_place_are_done_at_once() -> None:
    # Each would be compared with all the others by a search that does not stop at the fifteenth twin.
    codes = np.arange(300_000) % 2
    votes = vote(np.zeros(300_000), np.zeros(300_000), codes, 2)
    assert votes.share.min() > 0
