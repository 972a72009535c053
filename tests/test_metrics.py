"""Every metric against an answer worked out by hand, an independent implementation, and chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist
from sklearn import manifold
from sklearn.metrics import silhouette_samples

from gpu_pipeline import metrics
from gpu_pipeline.errors import InputError
from gpu_pipeline.nearness import map_neighbors

LABELS = np.array(["a", "a", "a", "b", "b", "b"])
CLUSTERS = np.array([0, 0, 1, 1, 1, 7])


def all_neighbors(X: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    D = cdist(X, X)
    np.fill_diagonal(D, np.inf)
    order = np.argsort(D, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(D, order, axis=1)


def dense_affinities(X: np.ndarray, perplexity: float) -> csr_matrix:
    return metrics.joint_probabilities(*all_neighbors(X, len(X) - 1), perplexity)


def test_confusion_counts_classes_by_clusters() -> None:
    classes, ids, counts = metrics.confusion(LABELS, CLUSTERS)
    assert classes.tolist() == ["a", "b"]
    assert ids.tolist() == [0, 1, 7]
    assert counts.tolist() == [[2, 1, 0], [0, 2, 1]]


def test_accuracy_matches_clusters_to_classes_one_to_one() -> None:
    # a <- cluster 0 (2 rows), b <- cluster 1 (2 rows), cluster 7 stays without a class: 4 of 6.
    assert metrics.accuracy(LABELS, CLUSTERS) == pytest.approx(4 / 6)


def test_accuracy_is_the_best_assignment_not_the_greedy_one() -> None:
    # Counts [[5, 4], [4, 0]]: greedy gives a its 5 and leaves b with 0; the best is 4 + 4 of 13.
    labels = np.repeat([0, 0, 1], [5, 4, 4])
    clusters = np.repeat([0, 1, 0], [5, 4, 4])
    assert metrics.accuracy(labels, clusters) == pytest.approx(8 / 13)


def test_purity_and_misfits_follow_the_majority() -> None:
    # Majorities: cluster 0 a (2 of 2), 1 b (2 of 3), 7 b (1 of 1): 5 of 6, and row 2 is the misfit.
    assert metrics.purity(LABELS, CLUSTERS) == pytest.approx(5 / 6)
    assert metrics.misfits(LABELS, CLUSTERS).tolist() == [False, False, True, False, False, False]


def test_misfits_take_the_first_label_where_two_are_equally_frequent() -> None:
    assert metrics.misfits(np.array([3, 1, 1, 3]), np.zeros(4, int)).tolist() == [True, False, False, True]


def test_ari_by_hand() -> None:
    # Of 6 pairs 2 have a common label, 1 a common cluster, 1 both. Expected 2 * 1 / 6 = 1/3, at most 3/2:
    # (1 - 1/3) / (3/2 - 1/3) = 4/7.
    assert metrics.ari(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2])) == pytest.approx(4 / 7)


def test_nmi_by_hand() -> None:
    # Entropies log 2 and 1.5 log 2, mutual information log 2: 1 / 1.25.
    assert metrics.nmi(np.array(["x", "x", "y", "y"]), np.array([0, 0, 1, 2])) == pytest.approx(0.8)


def test_silhouette_by_hand() -> None:
    # On a line 0, 1 | 5, 7. Own and other mean distance: (1, 6), (1, 5), (2, 4.5), (2, 6.5).
    points = np.array([[0, 0], [1, 0], [5, 0], [7, 0]], dtype=np.float32)
    expected = [5 / 6, 4 / 5, 2.5 / 4.5, 4.5 / 6.5]
    assert metrics.silhouette_samples(points, np.array([4, 4, 9, 9])) == pytest.approx(expected)
    assert metrics.silhouette(points, np.array([4, 4, 9, 9]), np.array([1, 3])) == pytest.approx(
        (4 / 5 + 4.5 / 6.5) / 2
    )


def test_silhouette_agrees_with_scikit_learn_on_all_and_on_some_points() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 3))
    clusters = np.append(rng.integers(0, 6, 299), 99)  # the last is alone in its cluster
    expected = silhouette_samples(points, clusters)
    rows = np.array([299, 5, 17])
    assert metrics.silhouette_samples(points, clusters) == pytest.approx(expected)
    assert metrics.silhouette_samples(points, clusters, rows) == pytest.approx(expected[rows])


def test_silhouette_of_points_at_one_place_is_zero() -> None:
    assert metrics.silhouette(np.ones((4, 2)), np.array([0, 0, 1, 1])) == 0


def test_silhouette_needs_two_clusters() -> None:
    with pytest.raises(InputError, match="two clusters"):
        metrics.silhouette(np.zeros((3, 2)), np.zeros(3, int))


def test_map_neighbors_leave_the_point_itself_out_among_duplicates() -> None:
    # Rows 0 to 5 are one place, more than k + 1 of them.
    embedding = np.array([[0, 0]] * 6 + [[1, 0], [3, 0]], dtype=np.float32)
    lists = map_neighbors(embedding, 3)
    assert lists.shape == (8, 3)
    for row, near in enumerate(lists):
        assert row not in near
        assert len(set(near)) == 3
    assert (lists[:6] < 6).all()
    assert map_neighbors(embedding, 3, np.array([7]))[0, 0] == 6


def test_map_neighbors_refuse_more_than_there_are() -> None:
    with pytest.raises(InputError, match="k is 3"):
        map_neighbors(np.zeros((3, 2)), 3)


def test_neighbor_recall_by_hand() -> None:
    # k = 2. Row 0 keeps both in another order, row 1 one of two, row 2 none; the third column is not looked at.
    data = np.array([[1, 2, 9], [0, 2, 9], [0, 1, 9]])
    on_map = np.array([[2, 1, 7], [5, 0, 2], [9, 4, 0]])
    recall = metrics.neighbor_recall(data, on_map, k=2)
    assert recall.dtype == np.float32
    assert recall.tolist() == [1.0, 0.5, 0.0]


def test_neighbors_as_near_as_the_last_count_like_it() -> None:
    # k = 2. Row 0 has three at distance 0, of which the map keeps two, row 1 two at 1, and row 2 no ties.
    data = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [5, 6, 7, 8]])
    distances = np.array([[0, 0, 0, 1], [0.5, 1, 1, 2], [0.5, 1, 1.5, 2]])
    on_map = np.array([[3, 2], [7, 8], [7, 5]])
    assert metrics.neighbor_recall(data, on_map, 2).tolist() == [0.5, 0, 0.5]
    assert metrics.neighbor_recall(data, on_map, 2, distances).tolist() == [1, 0.5, 0.5]
    assert metrics.neighbor_recall(data[:, :2], on_map, 2, distances[:, :2]).tolist() == [0.5, 0, 0.5]


def test_label_accuracy_by_hand() -> None:
    labels = np.array(["a", "a", "b", "b", "c"])
    lists = np.array(
        [
            [1, 2, 3],  # a b b: b wins, row 0 is a: wrong
            [0, 2, 4],  # a b c, all once: the nearest, a, wins: right
            [3, 0, 1],  # b a a: a wins, row 2 is b: wrong
            [2, 4, 0],  # b c a: b, right
            [0, 1, 2],  # a a b: wrong
        ]
    )
    assert metrics.label_accuracy(labels, lists, k=3) == pytest.approx(2 / 5)
    # Of the nearest two: a b, a b, b a, b c, a a: a tie goes to the nearest: right for rows 0, 1, 2, 3.
    assert metrics.label_accuracy(labels, lists, k=2) == pytest.approx(4 / 5)
    assert metrics.label_accuracy(labels, lists[[1, 4]], k=3, queries=np.array([1, 4])) == pytest.approx(1 / 2)


def test_trustworthiness_by_hand() -> None:
    # k = 1. Nearest on the map and its rank in the data: 0 -> 2 (rank 2), 1 -> 4 (4), 2 -> 0 (2), 3 -> 4 (4),
    # 4 -> 1 (3). Excess 1 + 3 + 1 + 3 + 2 = 10, times 2 / (5 * 1 * (10 - 3 - 1)) = 1 / 15.
    X = np.array([[0], [1], [3], [7], [15]], dtype=np.float32)
    embedding = np.array([[0, 0], [10, 0], [1, 0], [21, 0], [12, 0]], dtype=np.float32)
    assert metrics.trustworthiness(X, embedding, k=1) == pytest.approx(1 - 10 / 15)
    # Rows 0 and 1 alone: excess 4, times 2 / (2 * 1 * 6) = 1 / 6.
    assert metrics.trustworthiness(X, embedding, k=1, queries=np.array([0, 1])) == pytest.approx(1 - 4 / 6)


def test_trustworthiness_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(400, 4))
    embedding = X[:, :2] + rng.normal(size=(400, 2))
    expected = manifold.trustworthiness(X, embedding, n_neighbors=15)
    assert 0.6 < expected < 0.95
    assert metrics.trustworthiness(X, embedding, k=15) == pytest.approx(expected, abs=1e-9)
    # Far from the origin, where products of rows that are not centred would cancel.
    assert metrics.trustworthiness(X + 1e7, embedding, k=15) == pytest.approx(expected, abs=1e-6)


def test_trustworthiness_of_all_rows_is_the_mean_over_parts() -> None:
    rng = np.random.default_rng(2)
    X, embedding = rng.normal(size=(200, 5)), rng.normal(size=(200, 2))
    halves = [metrics.trustworthiness(X, embedding, 10, rows) for rows in np.split(rng.permutation(200), 2)]
    assert metrics.trustworthiness(X, embedding, 10) == pytest.approx(np.mean(halves))


def test_trustworthiness_of_a_faithful_map_is_one_also_with_duplicates() -> None:
    plane = np.repeat(np.random.default_rng(3).normal(size=(50, 2)), 4, axis=0).astype(np.float32)
    X = np.hstack([plane, plane])
    assert metrics.trustworthiness(X, plane, k=7) == 1.0


def test_trustworthiness_of_the_worst_map_is_zero() -> None:
    # Corners of a rectangle: the farthest of each (rank 3) is the opposite one, which the map puts nearest.
    # k = 1: 1 - 2 / (4 * 1 * (8 - 3 - 1)) * 4 * (3 - 1) = 0.
    X = np.array([[0, 0], [2, 0], [2, 1], [0, 1]])
    embedding = np.array([[0, 0], [9, 0], [0.1, 0], [9.1, 0]])
    assert metrics.trustworthiness(X, embedding, k=1) == 0


def test_trustworthiness_needs_more_than_twice_k_rows() -> None:
    with pytest.raises(InputError, match="half"):
        metrics.trustworthiness(np.zeros((30, 2)), np.zeros((30, 2)), k=15)


def test_joint_probabilities_by_hand() -> None:
    # Each row has neighbours at distances 1 and 2, and is asked for the perplexity of (2/3, 1/3), exp(H) = 1.89.
    # Conditional 01 = 10 = 20 = 2/3, 02 = 12 = 21 = 1/3; joint (p_ij + p_ji) / 6.
    indices = np.array([[1, 2], [0, 2], [0, 1]])
    distances = np.array([[1, 2]] * 3, dtype=np.float32)
    entropy = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    P = metrics.joint_probabilities(indices, distances, math.exp(entropy)).toarray()
    expected = np.array([[0, 4 / 18, 3 / 18], [4 / 18, 0, 2 / 18], [3 / 18, 2 / 18, 0]])
    assert pytest.approx(expected, abs=1e-8) == P


@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(1.5, 25),
    st.floats(-18, 18),
    st.sampled_from(["normal", "two scales", "heavy tails"]),
)
def test_joint_probabilities_have_the_perplexity_asked_for(
    seed: int, perplexity: float, size: float, kind: str
) -> None:
    rng = np.random.default_rng(seed)
    squares = {
        "normal": (rng.normal(size=(20, 40, 5)) ** 2).sum(axis=2),
        "two scales": np.hstack([rng.random((20, 10)) * 1e-6, 1 + rng.random((20, 30))]),
        "heavy tails": np.exp(5 * rng.normal(size=(20, 40))),
    }[kind]
    distances = np.sort(np.sqrt(squares), axis=1) * 10.0**size
    # Rows 0 to 19 list points 20 to 59, which list row 0 alone, forty times over: so for rows 1 to 19 the
    # affinities tell the conditional ones, p_ij = c_ij / 2n.
    indices = np.tile(np.arange(20, 60), (20, 1))
    everyone = np.vstack([indices, np.zeros((40, 40), int)])
    spread = np.vstack([distances, np.tile(np.arange(1, 41), (40, 1))])
    P = metrics.joint_probabilities(everyone, spread, perplexity)
    assert P.sum() == pytest.approx(1, abs=1e-12)
    assert abs(P - P.T).max() == 0
    conditional = P[1:20, 20:].toarray() * 2 * 60
    assert conditional.sum(axis=1) == pytest.approx(1)
    terms = np.where(conditional > 0, conditional * np.log(np.where(conditional > 0, conditional, 1)), 0)
    assert np.exp(-terms.sum(axis=1)) == pytest.approx(perplexity, rel=1e-6)


def test_joint_probabilities_where_the_perplexity_cannot_be_had() -> None:
    indices = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
    # More is asked than there are neighbours: all weigh the same, 1/3 each, hence 1/12.
    many = metrics.joint_probabilities(indices, np.array([[1, 2, 3]] * 4, dtype=np.float32), 30).toarray()
    assert pytest.approx((1 - np.eye(4)) / 12) == many
    # Less is asked than there are nearest: those two share it, and the third has nothing. Row 3 lists 0 and 1 so.
    tied = metrics.joint_probabilities(indices, np.array([[0, 0, 3]] * 4, dtype=np.float32), 1.5)
    assert tied.sum() == pytest.approx(1)
    assert tied[3, 2] == 0  # neither 2 nor 3 has the other among its nearest two
    assert tied[0, 1] == pytest.approx((1 / 2 + 1 / 2) / 8)
    same = metrics.joint_probabilities(indices, np.zeros((4, 3), dtype=np.float32), 2).toarray()
    assert pytest.approx((1 - np.eye(4)) / 12) == same


def test_kl_by_hand() -> None:
    # On a line 0, 1, 3: w = 1/2, 1/10, 1/5 over pairs, Z = 2 * 0.8. With p = 1/6 for all six ordered pairs
    # KL is the mean over pairs of log((1/6) * 1.6 / w).
    P = csr_matrix((1 - np.eye(3)) / 6)
    embedding = np.array([[0, 0], [1, 0], [3, 0]], dtype=np.float32)
    expected = np.mean([math.log(1.6 / 6 / w) for w in (1 / 2, 1 / 10, 1 / 5)])
    assert metrics.kl_divergence(P, embedding) == pytest.approx(expected, abs=1e-14)


def test_kl_of_points_at_one_place_is_what_chance_has() -> None:
    X = np.random.default_rng(4).normal(size=(300, 10))
    P = dense_affinities(X, 20)
    p = P.data[P.data > 0]
    chance = math.log(300 * 299) + (p * np.log(p)).sum()
    assert metrics.kl_divergence(P, np.full((300, 2), 7.0)) == pytest.approx(chance)
    assert metrics.kl_divergence(P, np.random.default_rng(5).normal(size=(300, 2)) * 10) > chance


@pytest.mark.parametrize("span", [1e-4, 1.0, 300.0, 1e6, 1e38])
def test_kl_agrees_with_a_double_loop(span: float) -> None:
    rng = np.random.default_rng(6)
    n = 150  # more than one band of rows
    embedding = rng.normal(size=(n, 2))
    embedding[: n // 2] += 5  # at the largest spans: two clumps far apart
    embedding *= np.where(np.arange(n) < n // 2, span, 1)[:, None]
    P = dense_affinities(rng.normal(size=(n, 4)), 10)
    w = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if i != j:
                w[i, j] = 1 / (1 + ((embedding[i] - embedding[j]) ** 2).sum())
    dense = P.toarray()
    known = dense > 0
    expected = (dense[known] * np.log(dense[known] * w.sum() / w[known])).sum()
    assert metrics.kl_divergence(P, embedding) == pytest.approx(expected, rel=1e-12)


def test_kl_agrees_with_the_exact_tsne_of_scikit_learn() -> None:
    rng = np.random.default_rng(7)
    X = (rng.normal(size=(120, 6)) + 6 * rng.integers(0, 3, (120, 1))).astype(np.float32)
    model = manifold.TSNE(perplexity=15, method="exact", init="pca", random_state=0, max_iter=1000)
    embedding = model.fit_transform(X)
    # scikit-learn finds its perplexity to 1e-5, and its figure is that of one step before the end.
    assert metrics.kl_divergence(dense_affinities(X, 15), embedding) == pytest.approx(model.kl_divergence_, abs=2e-3)


def test_a_random_map_scores_by_chance_and_a_faithful_one_does_not() -> None:
    rng = np.random.default_rng(8)
    n, k = 1500, 15
    labels = rng.integers(0, 5, n)
    plane = (8 * np.stack([np.cos(labels), np.sin(labels)], axis=1) + rng.normal(size=(n, 2))).astype(np.float32)
    X = np.hstack([plane, plane])
    random_map, random_clusters = rng.normal(size=(n, 2)), rng.integers(0, 5, n)
    data_lists, distances = all_neighbors(X, 90)
    P = metrics.joint_probabilities(data_lists, distances, 30)
    chance_kl = math.log(n * (n - 1)) + (P.data * np.log(P.data)).sum()

    def measure(embedding: np.ndarray, clusters: np.ndarray) -> dict[str, float]:
        lists = map_neighbors(embedding, k)
        scores = {name: getattr(metrics, name)(labels, clusters) for name in ("accuracy", "purity", "ari", "nmi")}
        return scores | {
            "silhouette": metrics.silhouette(embedding, clusters),
            "trustworthiness": metrics.trustworthiness(X, embedding, k),
            "neighbor_recall": float(metrics.neighbor_recall(data_lists, lists, k).mean()),
            "label_accuracy": metrics.label_accuracy(labels, lists),
            "kl": metrics.kl_divergence(P, embedding),
        }

    by_chance, faithful = measure(random_map, random_clusters), measure(plane, labels)
    assert set(by_chance) == set(metrics.METRICS)
    for name in ("accuracy", "purity", "label_accuracy"):
        assert by_chance[name] == pytest.approx(0.2, abs=0.05)
        assert faithful[name] > 0.95
    assert by_chance["ari"] == pytest.approx(0, abs=0.01)
    assert by_chance["nmi"] == pytest.approx(0, abs=0.02)
    assert -0.1 < by_chance["silhouette"] < 0.01
    assert by_chance["trustworthiness"] == pytest.approx(0.5, abs=0.02)
    assert by_chance["neighbor_recall"] == pytest.approx(k / (n - 1), abs=0.005)
    assert by_chance["kl"] >= chance_kl - 0.01
    assert faithful["ari"] == faithful["nmi"] == faithful["trustworthiness"] == 1
    assert faithful["neighbor_recall"] > 0.999
    assert faithful["silhouette"] > 0.5
    assert faithful["kl"] < chance_kl - 1


def test_every_metric_says_how_it_is_read() -> None:
    for name, metric in metrics.METRICS.items():
        low, high = metric.range
        assert low < high
        assert metric.chance
        assert metric.description
        assert metric.higher_is_better is (name != "kl")
