"""Classes against clusters and points among another class: answers worked out by hand."""

from __future__ import annotations

import numpy as np

from gpu_pipeline.dashboard.mistakes import confusion, crossed, strangers
from gpu_pipeline.dashboard.votes import Votes


def test_pairs_of_codes_are_counted() -> None:
    one, other = np.array([0, 1, 1, 0, 1], np.int8), np.array([2, 0, 0, 2, 1], np.int8)
    assert crossed(one, other, 2, 3).tolist() == [[0, 0, 2], [2, 1, 0]]
    # Codes of eight bits must not run over.
    assert crossed(np.full(3, 100, np.int8), np.full(3, 9, np.int8), 101, 10)[100, 9] == 3


def test_clusters_stand_under_their_classes() -> None:
    # Cluster 2 holds the a's but one, 0 the b's and one a; 1 a few of both and no class is left for it.
    found = confusion(np.array([[1, 1, 4], [5, 1, 0]]))
    assert (found.classes.tolist(), found.clusters.tolist(), found.owners) == ([0, 1], [2, 0, 1], [0, 1])
    assert found.counts.tolist() == [[4, 1, 1], [0, 5, 1]]


def test_fewer_clusters_than_classes_and_absent_labels() -> None:
    # a and b in cluster 0, three c in cluster 2; nothing in cluster 1, and one point of cluster 2 has no label.
    found = confusion(np.array([[1, 0, 0], [1, 0, 0], [0, 0, 3], [0, 0, 1]]), no_label=3)
    assert found.counts.sum() == 5
    assert found.classes.tolist() == [0, 1, 2]
    assert set(found.clusters.tolist()) == {0, 2}
    # c owns cluster 2; a or b owns cluster 0.
    owned = dict(zip(found.owners, found.clusters.tolist(), strict=True))
    assert owned[2] == 2
    assert set(owned) in ({0, 2}, {1, 2})
    assert [found.counts[owner, j] for j, owner in enumerate(found.owners)] in ([1, 3], [3, 1])
    assert confusion(np.zeros((0, 0), int)).counts.size == 0


def test_the_surest_comes_first_and_of_equals_the_first() -> None:
    codes = np.array([0, 0, 1, 1, 0])
    votes = Votes(np.array([1, 0, 0, 0, 1]), np.array([0.6, 1.0, 0.9, 0.6, 0.9], np.float32), np.zeros(5, bool))
    assert strangers(codes, votes).tolist() == [2, 4, 0, 3]
