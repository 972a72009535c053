"""All scores in one call: what each is over, what is not measured, and what comes back from disk."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from gpu_pipeline import metrics, scoring
from gpu_pipeline.engines import Progress
from gpu_pipeline.errors import InputError
from gpu_pipeline.methods import TSNE
from gpu_pipeline.nearness import map_neighbors
from gpu_pipeline.neighbors import neighbor_lists
from gpu_pipeline.scoring import Scores, score

NAMES = [
    "accuracy",
    "purity",
    "ari",
    "nmi",
    "silhouette",
    "trustworthiness",
    "neighbor_recall",
    "label_accuracy",
    "kl",
]


def blobs(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features, a good map, clusters with a few mistakes, and labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    features = (6 * np.eye(4)[labels] + rng.normal(size=(n, 4))).astype(np.float32)
    embedding = (features @ [[1, 0.3], [-1, 0.2], [0.1, 1], [0.2, -1]]).astype(np.float32)
    clusters = np.where(rng.random(n) < 0.05, (labels + 1) % 4, labels).astype(np.int32)
    return features, embedding, clusters, labels


def rate(*arrays: np.ndarray | None, **options: object) -> Scores:
    return score(*arrays, **{"engine": "scikit_learn", **options})  # type: ignore[arg-type]


def test_each_score_is_its_metric_over_all_rows() -> None:
    features, embedding, clusters, labels = blobs(600)
    scores = rate(features, embedding, clusters, labels, perplexity=20.0)
    lists = neighbor_lists(features, 60, engine="scikit_learn", cache=False)
    on_map = map_neighbors(embedding, 15)
    P = metrics.joint_probabilities(lists.indices, lists.distances, 20.0)
    recall = metrics.neighbor_recall(lists.indices, on_map)
    assert list(scores.values) == NAMES
    assert scores.values == pytest.approx(
        {
            **{name: getattr(metrics, name)(labels, clusters) for name in NAMES[:4]},
            "silhouette": metrics.silhouette(embedding, clusters),
            "trustworthiness": metrics.trustworthiness(features, embedding),
            "neighbor_recall": recall.mean(),
            "label_accuracy": metrics.label_accuracy(labels, on_map),
            "kl": metrics.kl_divergence(P, embedding),
        }
    )
    assert scores.sizes == dict.fromkeys(NAMES, 600)
    assert (scores.neighbor_recall == recall).all()
    assert scores.neighbor_recall.dtype == np.float32
    assert scores.misfit is not None
    assert scores.misfit.tolist() == (clusters != labels).tolist()
    assert scores.confusion is not None
    assert np.trace(scores.confusion["counts"]) == (clusters == labels).sum()
    assert (scores.engine, scores.skipped, scores.notes) == ("scikit_learn", {}, ())


def test_the_judge_uses_as_many_neighbours_as_the_settings_say() -> None:
    features, embedding, clusters, labels = blobs(300)
    k = TSNE(perplexity=7.5).n_neighbors()
    lists = neighbor_lists(features, k, engine="scikit_learn", cache=False)
    P = metrics.joint_probabilities(lists.indices, lists.distances, 7.5)
    scores = rate(features, embedding, clusters, labels, perplexity=7.5)
    assert scores.values["kl"] == pytest.approx(metrics.kl_divergence(P, embedding), rel=1e-12)
    # Perplexity 2 has fewer neighbours than recall looks at: both get what they need.
    few = rate(features, embedding, clusters, labels, perplexity=2.0)
    P = metrics.joint_probabilities(lists.indices[:, :6], lists.distances[:, :6], 2.0)
    assert few.values["kl"] == pytest.approx(metrics.kl_divergence(P, embedding), rel=1e-12)
    assert few.values["neighbor_recall"] == scores.values["neighbor_recall"]


def test_without_labels_nothing_is_said_about_them() -> None:
    features, embedding, clusters, _ = blobs(100)
    scores = rate(features, embedding, clusters, None)
    unmeasured = ["accuracy", "purity", "ari", "nmi", "label_accuracy"]
    assert [name for name in NAMES if scores.values[name] is None] == unmeasured
    assert set(scores.sizes) == set(NAMES) - set(unmeasured)
    assert scores.misfit is None
    assert scores.confusion is None


def test_labels_may_be_strings() -> None:
    features, embedding, clusters, labels = blobs(100)
    named = np.array(["zero", "one", "two", "three"])[labels]
    scores, expected = (rate(features, embedding, clusters, y) for y in (named, labels))
    assert scores.values == pytest.approx(expected.values)
    assert scores.confusion is not None
    assert scores.confusion["classes"] == ["one", "three", "two", "zero"]
    objects = rate(features, embedding, clusters, named.astype(object))
    assert objects.confusion == scores.confusion


@pytest.mark.parametrize("text", [False, True])
def test_scores_by_label_are_those_of_the_rows_that_have_one(text: bool) -> None:
    features, embedding, clusters, labels = blobs(600)
    missing = np.random.default_rng(1).random(600) < 0.8
    given = labels.astype(str) if text else labels
    scores = rate(features, embedding, clusters, np.ma.masked_array(given, missing), perplexity=20.0)
    known, whole = ~missing, rate(features, embedding, clusters, labels, perplexity=20.0)
    alone = {name: getattr(metrics, name)(labels[known], clusters[known]) for name in NAMES[:4]}
    alone["label_accuracy"] = metrics.label_accuracy(labels[known], map_neighbors(embedding[known], 10))
    assert scores.values == pytest.approx({**whole.values, **alone})
    assert scores.sizes == {**whole.sizes, **dict.fromkeys(alone, known.sum())}
    assert isinstance(scores.misfit, np.ma.MaskedArray)
    assert (scores.misfit.mask == missing).all()
    assert (scores.misfit.data[known] == (clusters != labels)[known]).all()
    assert scores.confusion is not None
    assert scores.confusion["classes"] == sorted(set(given.tolist()))
    assert np.sum(scores.confusion["counts"]) == known.sum()


def test_one_row_with_a_label_has_no_neighbour_to_guess_it() -> None:
    features, embedding, clusters, labels = blobs(60)
    scores = rate(features, embedding, clusters, np.ma.masked_array(labels, np.arange(60) != 7), perplexity=10.0)
    assert scores.values["label_accuracy"] is None
    assert scores.values["purity"] == 1
    assert scores.notes[0] == "only 1 rows have a label, too few for label accuracy"


def test_quadratic_scores_are_over_a_seeded_sample_of_many_rows() -> None:
    arrays = blobs(800)
    everyone = rate(*arrays)
    sampled, again, other = (rate(*arrays, queries=300, seed=seed) for seed in (1, 1, 2))
    for name in NAMES:
        quadratic = name in ("silhouette", "trustworthiness")
        assert sampled.sizes[name] == (300 if quadratic else 800)
        assert sampled.values[name] == again.values[name]
        assert (sampled.values[name] != everyone.values[name]) is quadratic
        assert (sampled.values[name] != other.values[name]) is quadratic
        assert sampled.values[name] == pytest.approx(everyone.values[name], abs=0.03)


def test_of_very_many_rows_only_some_have_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    features, embedding, clusters, labels = blobs(800)
    everyone = rate(features, embedding, clusters, labels)
    monkeypatch.setattr(scoring, "EXACT_ROWS", 500)
    scores = rate(features, embedding, clusters, labels, queries=300)
    measured = ~np.isnan(scores.neighbor_recall)
    assert measured.sum() == 300
    assert (scores.neighbor_recall[measured] == everyone.neighbor_recall[measured]).all()
    assert scores.values["neighbor_recall"] == pytest.approx(scores.neighbor_recall[measured].mean())
    assert scores.values["label_accuracy"] == pytest.approx(everyone.values["label_accuracy"], abs=0.03)
    assert scores.sizes == {**dict.fromkeys(NAMES[:4], 800), **dict.fromkeys(NAMES[4:8], 300)}
    assert (scores.vote, scores.nearest, scores.nearest_distance) == (None, None, None)
    assert scores.values["kl"] is None
    assert any("KL is not measured" in note for note in scores.notes)
    monkeypatch.setattr(
        scoring, "PAIRS", 800
    )  # one query is all that the budget of distances allows, and 500 are the least
    assert rate(features, embedding, clusters, labels).sizes["trustworthiness"] == 500


@pytest.mark.parametrize("n", [3, 4, 5, 11, 16, 31, 32, 90, 91])
def test_few_rows_are_scored_over_fewer_neighbours(n: int) -> None:
    scores = rate(*blobs(n), perplexity=30.0)
    for name, metric in metrics.METRICS.items():
        value = scores.values[name]
        assert value is not None
        assert metric.range[0] - 1e-12 <= value <= metric.range[1] + 1e-12
    assert any("neighbours, not 15" in note for note in scores.notes) is (n < 31)
    assert any("KL is over" in note for note in scores.notes) is (n <= 90)


def test_one_cluster_has_no_silhouette() -> None:
    features, embedding, clusters, labels = blobs(50)
    scores = rate(features, embedding, np.zeros_like(clusters), labels)
    assert scores.values["silhouette"] is None
    assert "silhouette" not in scores.sizes
    assert scores.notes == (
        "fewer clusters (1) than labels (4): accuracy and purity are 0.340 at most; --clusters 4 has one for each",
        "there is only one cluster, so that there is no silhouette",
        "KL is over the 49 neighbours that there are, not 90",
    )


def test_equal_rows_that_lie_together_are_kept_neighbours() -> None:
    """Whichever 15 of the other 39 are listed in the data, and whichever are the nearest on the map."""
    features, embedding, clusters, labels = blobs(300)
    features[:40] = features[0]
    embedding[:40] = embedding[0] + np.random.default_rng(0).normal(scale=1e-4, size=(40, 2)).astype(np.float32)
    assert (rate(features, embedding, clusters, labels).neighbor_recall[:40] == 1).all()


def test_fewer_clusters_than_labels_are_told_with_the_bound() -> None:
    # Classes of 30, 20 and 10: two clusters can be right about 50 of 60 at most, and here they are.
    features, embedding, _, _ = blobs(60)
    labels = np.repeat(["a", "b", "c"], [30, 20, 10])
    scores = rate(features, embedding, np.repeat([0, 1], [30, 30]), labels)
    assert scores.values["accuracy"] == scores.values["purity"] == pytest.approx(50 / 60)
    said = "fewer clusters (2) than labels (3): accuracy and purity are 0.833 at most; --clusters 3 has one for each"
    assert scores.notes[0] == said
    enough = rate(features, embedding, np.repeat([0, 1, 2], 20), labels)
    assert not any("fewer clusters" in note for note in enough.notes)


def test_each_point_has_a_vote_and_a_nearest_row() -> None:
    """Of two clouds, with a wrong label in the first, a copy across, and rows without a label, which guess theirs."""
    features, embedding, clusters, _ = blobs(60)
    embedding = np.random.default_rng(1).normal(size=(60, 2)).astype(np.float32) + 50 * (np.arange(60) // 30)[:, None]
    labels = np.ma.masked_array(np.repeat(["a", "b"], 30), np.zeros(60, bool))
    labels[3], labels[7], labels[41] = "b", np.ma.masked, np.ma.masked
    features[50] = features[12]
    scores = rate(features, embedding, clusters, labels)
    assert scores.vote is not None
    assert scores.vote.tolist() == ["a"] * 30 + ["b"] * 30
    assert scores.values["label_accuracy"] == pytest.approx(57 / 58)
    distances = cdist(features, features) + np.diag(np.full(60, np.inf))
    assert scores.nearest is not None
    assert scores.nearest_distance is not None
    assert (distances[np.arange(60), scores.nearest] == distances.min(axis=1)).all()
    np.testing.assert_allclose(scores.nearest_distance, distances.min(axis=1), rtol=1e-5)
    assert (scores.nearest[[12, 50]].tolist(), scores.nearest_distance[[12, 50]].tolist()) == ([50, 12], [0, 0])
    table = pd.DataFrame(scores.columns(np.arange(100, 160)))
    assert table.columns.tolist() == ["neighbor_recall", "misfit", "vote", "nearest_row", "nearest_distance"]
    assert table["nearest_row"][12] == 150
    assert rate(features, embedding, clusters, None).vote is None
    known = rate(features, embedding, clusters, np.ma.masked_array(np.repeat(["a", "b"], 30), np.arange(60) > 0))
    assert known.vote is None
    assert known.nearest is not None


def test_duplicates_and_a_map_at_one_place_are_scored() -> None:
    features, _, clusters, labels = blobs(120)
    features[:60] = features[0]
    scores = rate(features, np.zeros((120, 2), np.float32), clusters, labels)
    assert all(value is not None and np.isfinite(value) for value in scores.values.values())
    assert scores.values["silhouette"] == 0


def test_progress_is_reported_stage_by_stage() -> None:
    seen: list[Progress] = []

    def report(progress: Progress) -> None:
        seen.append(progress)

    rate(*blobs(60), report=report)
    assert [(progress.done, progress.total) for progress in seen] == [(done, 6) for done in range(1, 7)]


def test_json_and_back() -> None:
    scores = rate(*blobs(60))
    back = Scores.from_json(json.loads(json.dumps(scores.to_json(), allow_nan=False)))
    arrays = ("neighbor_recall", "misfit", "vote", "nearest", "nearest_distance")
    assert replace(back, **{name: getattr(scores, name) for name in arrays}) == scores
    without = rate(*blobs(60)[:3], None)
    assert Scores.from_json(json.loads(json.dumps(without.to_json()))).values == without.values


def test_bad_input() -> None:
    features, embedding, clusters, labels = blobs(50)
    with pytest.raises(InputError, match="the map coordinates cover 49 rows but the features 50"):
        rate(features, embedding[:49], clusters, labels)
    with pytest.raises(InputError, match="the labels cover 51 rows"):
        rate(features, embedding, clusters, np.append(labels, 0))
    with pytest.raises(InputError, match="take 3 rows or more"):
        rate(features[:2], embedding[:2], clusters[:2], labels[:2])
    embedding[[7, 9], 0] = np.nan
    with pytest.raises(InputError, match="the map has 2 points that are not finite, the first in row 7"):
        rate(features, embedding, clusters, labels)
