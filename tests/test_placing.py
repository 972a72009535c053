"""Rows placed on a fixed map: where they land, that nothing but the row decides it, and what is kept for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gpu_pipeline import InputError, Recipe, Run, load, open_run, run
from gpu_pipeline.datasets import Dataset
from gpu_pipeline.engines import mesh, scikit_learn, silent
from gpu_pipeline.methods import PCA, TSNE
from gpu_pipeline.metrics import label_accuracy, vote
from gpu_pipeline.nearness import map_neighbors, nearest_places
from gpu_pipeline.placing import Axes, Placed, Reference
from gpu_pipeline.preprocess import fit, preprocess

SETTINGS = TSNE(perplexity=20)


def part_of(dataset: Dataset, rows: slice) -> tuple[np.ndarray, np.ndarray]:
    assert dataset.y is not None
    return dataset.X[rows], dataset.y[rows]


def build(X: np.ndarray, settings: TSNE = SETTINGS, **changes: Any) -> tuple[Reference, np.ndarray]:
    """The reference of deskewed digits, and their features."""
    how = fit(X, "deskew", (28, 28))
    prepared = preprocess(X, how)
    reduced = scikit_learn.pca(prepared, PCA(n_components=30), 0, silent)
    embedded = mesh.tsne(reduced.array, settings, 0)
    options = {"preparation": how, "reduction": Axes(**reduced.keep), "kept": embedded.keep, **changes}
    return Reference.build(reduced.array, embedded.array, settings, **options), reduced.array


@pytest.fixture(scope="module")
def digits() -> Dataset:
    whole = load("digits", sample=3_500, seed=1)
    mixed = np.random.default_rng(0).permutation(3_500)
    assert whole.y is not None
    return replace(whole, X=whole.X[mixed], y=whole.y[mixed])


@pytest.fixture(scope="module")
def made(digits: Dataset) -> tuple[Reference, np.ndarray]:
    return build(digits.X[:2_000])


@pytest.fixture(scope="module")
def placed(made: tuple[Reference, np.ndarray], digits: Dataset) -> Placed:
    return made[0].place(digits.X[2_000:])


def accuracies(reference: Reference, y: np.ndarray, at: np.ndarray, labels: np.ndarray) -> tuple[float, float, float]:
    """Of placed rows, of the reference's own rows, and of placed rows at each other's places."""
    own = label_accuracy(y, map_neighbors(reference.embedding, 10))
    right = vote(y, nearest_places(reference.embedding, at, 10)) == labels
    turned = np.random.default_rng(0).permutation(len(at))
    chance = vote(y, nearest_places(reference.embedding, at[turned], 10)) == labels
    return float(right.mean()), own, float(chance.mean())


def test_labels_of_placed_digits_are_as_right_as_the_maps_own(
    made: tuple[Reference, np.ndarray], digits: Dataset, placed: Placed
) -> None:
    _, y = part_of(digits, slice(0, 2_000))
    right, own, chance = accuracies(made[0], y, placed.embedding, part_of(digits, slice(2_000, None))[1])
    # Measured: 0.977 and 0.978; at the places of others 0.10.
    assert right > own - 0.01
    assert chance < 0.2


@pytest.mark.mnist
def test_labels_of_placed_mnist_are_as_right_as_the_maps_own(mnist_dir: Path) -> None:
    mnist = load("mnist", data_dir=mnist_dir, sample=6_000)
    mixed = np.random.default_rng(0).permutation(6_000)
    assert mnist.y is not None
    reference, _ = build(mnist.X[mixed[:5_000]], TSNE())
    found = reference.place(mnist.X[mixed[5_000:]])
    right, own, chance = accuracies(reference, mnist.y[mixed[:5_000]], found.embedding, mnist.y[mixed[5_000:]])
    assert right > own - 0.01
    assert chance < 0.2


def test_new_rows_land_where_a_joint_map_has_them(digits: Dataset) -> None:
    """On the map of all rows without some of them, those are placed where they were, but for some between islands."""
    _, features = build(digits.X)
    joint = mesh.tsne(features, SETTINGS, 0).array
    kept = np.arange(3_500) % 5 > 0
    found = Reference.build(features[kept], joint[kept], SETTINGS).place_features(features[~kept])
    radius = np.sqrt((joint**2).sum(axis=1).mean())
    moved = np.linalg.norm(found.embedding - joint[~kept], axis=1) / radius
    nearest = np.linalg.norm(joint[kept][found.neighbors[:, 0]] - joint[~kept], axis=1) / radius
    # Measured: median 0.003, 90 % within 0.010; the place of the nearest reference row is 0.012 away.
    assert np.median(moved) < 0.01
    assert np.quantile(moved, 0.9) < 0.03
    assert np.median(moved) < np.median(nearest) / 2


def test_a_reference_row_lands_at_its_own_place(made: tuple[Reference, np.ndarray], digits: Dataset) -> None:
    reference, features = made
    assert_array_equal(reference.place(digits.X[:2_000]).embedding, reference.embedding)
    assert_array_equal(reference.place_features(features).embedding, reference.embedding)


def test_a_row_that_is_nearly_a_reference_row_lands_next_to_it(made: tuple[Reference, np.ndarray]) -> None:
    """Without the rule for copies, in units of the map's RMS radius; measured 0.0015 and 0.0035."""
    reference, features = made
    found = reference.place_features(features, copies=False).embedding
    moved = np.linalg.norm(found - reference.embedding, axis=1) / np.sqrt((reference.embedding**2).sum(axis=1).mean())
    assert np.median(moved) < 0.003
    assert np.quantile(moved, 0.99) < 0.01


def test_nothing_but_the_row_decides_its_place(
    made: tuple[Reference, np.ndarray], digits: Dataset, placed: Placed
) -> None:
    reference, X = made[0], digits.X[2_000:]
    turned = np.random.default_rng(0).permutation(len(X))
    for rows, threads in ((slice(0, 1), 1), (slice(5, 6), 2), (slice(0, 137), 3), (slice(137, None), 2), (turned, 2)):
        again = reference.place(X[rows], threads)
        for name in ("embedding", "neighbors", "distances", "novelty"):
            assert getattr(again, name).tobytes() == getattr(placed, name)[rows].tobytes(), name


def test_neighbors_and_distances_are_the_exact_ones(
    made: tuple[Reference, np.ndarray], digits: Dataset, placed: Placed
) -> None:
    reference, features = made
    new = reference.features_of(digits.X[2_000:]).astype(np.float64)
    distances = np.sqrt(((new[:50, None] - features.astype(np.float64)) ** 2).sum(axis=2))
    assert placed.neighbors.shape == (1_500, 15)
    assert_array_equal(placed.neighbors[:50], np.argsort(distances, axis=1)[:, :15])
    np.testing.assert_allclose(placed.distances[:50], np.sort(distances, axis=1)[:, :15], rtol=1e-4)


def test_one_in_a_hundred_new_rows_is_far_where_they_are_of_the_kind() -> None:
    """Of directions with more and less noise, as of embeddings of texts, where 6 in 100 were."""
    rng = np.random.default_rng(7)
    centers = np.repeat(rng.normal(size=(10, 50)), 4, axis=0) + 0.5 * rng.normal(size=(40, 50))
    X = centers[rng.choice(40, 20_000, p=rng.dirichlet(np.full(40, 1.5)))]
    X += rng.normal(size=X.shape) * rng.gamma(6, 1 / 6, size=(len(X), 1))
    X = (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)
    axes = np.eye(50, 2, dtype=np.float32)
    mean = np.zeros(50, np.float32)
    reference = Reference.build(X[:12_000], X[:12_000, :2], PCA(n_components=2), kept={"mean": mean, "axes": axes})
    placed = reference.place_features(X[12_000:])
    assert 0.007 < (placed.novelty > placed.far).mean() < 0.014


def test_what_is_not_of_the_kind_is_far(made: tuple[Reference, np.ndarray], digits: Dataset, placed: Placed) -> None:
    reference = made[0]
    assert (placed.novelty > placed.far).mean() < 0.05  # Measured 0.013; 0.01 of the reference's own.
    assert 0.7 < np.median(placed.novelty) < 1.3
    noise = np.random.default_rng(0).integers(0, 256, size=(50, 784), dtype=np.uint8)
    assert (reference.place(noise).novelty > placed.far).all()
    assert (reference.place(np.full((1, 784), 255, np.uint8)).novelty > placed.far).all()


def test_features_of_new_rows_are_those_of_the_run(made: tuple[Reference, np.ndarray], digits: Dataset) -> None:
    reference, features = made
    np.testing.assert_allclose(reference.features_of(digits.X[:2_000]), features, atol=1e-4)
    # Not uint8, but the same numbers, and rows that do not reach the reference's limits.
    dim = np.minimum(digits.X[:3], 100)
    for kind in (np.float64, np.int32):
        np.testing.assert_allclose(reference.features_of(dim.astype(kind)), reference.features_of(dim), atol=1e-4)


def test_bandwidths_are_found_where_the_engine_kept_none(
    made: tuple[Reference, np.ndarray], digits: Dataset, placed: Placed
) -> None:
    reference, features = made
    again = Reference.build(
        features, reference.embedding, SETTINGS, preparation=reference.preparation, reduction=reference.reduction
    )
    moved = np.linalg.norm(again.place(digits.X[2_000:]).embedding - placed.embedding, axis=1)
    assert np.quantile(moved, 0.98) < 0.05
    assert np.median(moved) < 1e-3


@pytest.mark.parametrize("rows", [True, False])
def test_a_reference_comes_back_as_it_was(
    made: tuple[Reference, np.ndarray], digits: Dataset, placed: Placed, rows: bool, tmp_path: Path
) -> None:
    reference, features = made
    reference.save(tmp_path / "new" / "reference", rows=rows)
    given = () if rows else (features, reference.embedding)
    back = Reference.load(tmp_path / "new" / "reference", *given)
    again = back.place(digits.X[2_000:])
    for name in ("embedding", "neighbors", "distances", "novelty"):
        assert getattr(again, name).tobytes() == getattr(placed, name).tobytes(), name
    assert again.far == placed.far
    assert vars(back.preparation) == vars(reference.preparation)
    assert back.columns == reference.columns == 784


def test_a_damaged_reference_is_refused(made: tuple[Reference, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no reference in"):
        Reference.load(tmp_path)
    reference, features = made
    reference.save(tmp_path, rows=False)
    with pytest.raises(InputError, match="2,000 rows, but there are 5 and 2,000"):
        Reference.load(tmp_path, features[:5], reference.embedding)
    values = json.loads((tmp_path / "reference.json").read_text())
    (tmp_path / "reference.json").write_text(json.dumps({**values, "schema": 2}))
    with pytest.raises(InputError, match="its form is 2, this program reads 1"):
        Reference.load(tmp_path, features, reference.embedding)
    (tmp_path / "reference.json").write_text(json.dumps(values))
    (tmp_path / "order.npy").write_bytes(b"no array")
    with pytest.raises(InputError, match="cannot be read"):
        Reference.load(tmp_path, features, reference.embedding)


@pytest.mark.parametrize(
    ("X", "sentence"),
    [
        (np.zeros((3, 5)), "have 5 columns but the map's have 784"),
        (np.zeros(784), r"1 dimensions: give a table of \(rows, 784 columns\)"),
        (np.full((2, 784), np.nan), "new row 0 .* NaN"),
        (np.array([["a"] * 784]), "values of type <U1"),
        (np.full((1, 784), -1.0), "some are negative"),
    ],
)
def test_rows_that_cannot_be_placed(made: tuple[Reference, np.ndarray], X: np.ndarray, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        made[0].place(X)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", ["tsne", "pca"])
@pytest.mark.parametrize(("components", "how"), [(0, "none"), (5, "none"), (0, "standardize"), (5, "unit")])
def test_a_run_keeps_what_places_new_rows(method: str, components: int, how: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 8)) + 20 * np.eye(3, 8)[np.arange(150) % 3]
    data = Dataset("clouds", X[:120], None, np.arange(120), 120)
    embed: dict[str, Any] = {"method": method} | ({"perplexity": 10, "iterations": 300} if method == "tsne" else {})
    result = run(Recipe(embed=embed, reduce={"n_components": components}, preprocess=how), data)
    opened = open_run(result.save(tmp_path))
    at = result.transform(X)
    assert at.dtype == np.float32
    assert_array_equal(opened.transform(X), at)
    assert_array_equal(at[:120], result.embedding)
    homes = np.stack([result.embedding[i::3].mean(axis=0) for i in range(3)])
    nearest = np.linalg.norm(at[120:, None] - homes, axis=2).argmin(axis=1)
    assert_array_equal(nearest, np.arange(120, 150) % 3)


def test_a_map_by_pca_takes_rows_by_its_axes() -> None:
    X = np.random.default_rng(0).normal(size=(60, 4)) * [4, 3, 2, 1]
    result = run(
        Recipe(embed={"method": "pca"}, reduce={"n_components": 0}), Dataset("a", X[:50], None, np.arange(50), 50)
    )
    low, high = X[:50].min(), X[:50].max()
    scaled = (X - low) / (high - low)
    _, _, axes = np.linalg.svd(scaled[:50] - scaled[:50].mean(axis=0), full_matrices=False)
    expected = (scaled - scaled[:50].mean(axis=0)) @ axes[:2].T
    signs = np.sign((expected[:50] * result.embedding).sum(axis=0))
    np.testing.assert_allclose(result.transform(X), expected * signs, atol=1e-5)


def test_maps_that_take_no_new_rows(tmp_path: Path) -> None:
    data = Dataset("a", np.random.default_rng(0).normal(size=(60, 4)), None, np.arange(60), 60)
    result = run(Recipe(embed={"method": "pca"}), data)
    by_umap = replace(result.record, recipe=Recipe(embed={"method": "umap"}))
    with pytest.raises(InputError, match=r"UMAP takes no new rows.*--method tsne or pca"):
        Run(by_umap, result.points, result.features, result.scores).transform(data.X)
    where = result.save(tmp_path)
    for path in (where / "reference").iterdir():
        path.unlink()
    (where / "reference").rmdir()
    with pytest.raises(InputError, match="keeps nothing to place new rows by"):
        open_run(where).transform(data.X)


@pytest.mark.parametrize("n", [3, 5, 20])
def test_few_reference_rows(n: int) -> None:
    X = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)
    embedding = mesh.tsne(X, TSNE(perplexity=1.5, iterations=50), 0).array
    found = Reference.build(X, embedding, TSNE(perplexity=1.5)).place_features(X[:2] + np.float32(0.1))
    assert found.neighbors.shape == (2, min(15, n))
    assert np.isfinite(found.embedding).all()
    assert np.isfinite(found.novelty).all()


def test_reference_rows_that_are_all_equal() -> None:
    X = np.ones((50, 3), np.float32)
    embedding = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    found = Reference.build(X, embedding, TSNE(perplexity=5)).place_features(np.float32([[1, 1, 1], [2, 2, 2]]))
    assert (found.embedding[0] == embedding).all(axis=1).any()  # At the place of one of them.
    assert np.isfinite(found.embedding).all()
    assert found.novelty[1] > found.far


@pytest.mark.parametrize("threads", ["a", 0, 2.5])
def test_threads_that_cannot_be(made: tuple[Reference, np.ndarray], threads: Any) -> None:
    reference, features = made
    with pytest.raises(InputError, match=r"the number of threads is .*: give (a whole number|1 or more)\."):
        reference.place_features(features[:2], threads)
