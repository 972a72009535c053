"""A whole run: what it computes, what it tells, what it writes down, and what it refuses."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import adjusted_rand_score

from gpu_pipeline import PCA, TSNE, UMAP, InputError, KMeans, Recipe, Run, draw, engines, load, open_run, run, steps
from gpu_pipeline.datasets import Dataset
from gpu_pipeline.engines import Progress, scikit_learn, silent, umap_learn
from gpu_pipeline.engines.mesh.search import find
from gpu_pipeline.errors import EngineFailed, Unavailable, Unsupported
from gpu_pipeline.recipe import STEPS, make
from gpu_pipeline.render import prepare
from gpu_pipeline.report import rescore
from gpu_pipeline.scoring import score
from gpu_pipeline.steps import Observer

N = 120
VALUES: dict[str, Any] = {
    "engine": "scikit_learn",
    "reduce": {"n_components": 5},
    "embed": {"perplexity": 10, "iterations": 250},
    "cluster": {"n_clusters": 3},
}


def clouds(n: int = N, d: int = 8, labels: bool = True) -> Dataset:
    """Three clouds far apart, every third row of one, out of a data set three times as long."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    X = rng.normal(size=(n, d)) + 20 * y[:, None]
    return Dataset("clouds", X, y if labels else None, rows=np.arange(n) * 3, total=3 * n, source="made")


class Diary(Observer):
    """Keeps all that it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def begin(self, step: str, engine: str | None) -> None:
        self.events.append(("begin", step))

    def end(self, step: str, seconds: float) -> None:
        assert seconds >= 0
        self.events.append(("end", step))


@pytest.fixture(scope="module")
def made() -> tuple[Run, Diary]:
    diary = Diary()
    return run(make(VALUES), clouds(), observer=diary), diary


def test_a_run_has_numpy_arrays_and_a_table(made: tuple[Run, Diary]) -> None:
    result, _ = made
    for array, columns in ((result.embedding, 2), (result.features, 5)):
        assert array.shape == (N, columns)
        assert array.dtype == np.float32
    points = result.points
    assert points.columns.tolist() == [
        *("row", "x", "y", "label", "cluster", "neighbor_recall", "misfit", "vote", "nearest_row", "nearest_distance"),
    ]
    assert points["row"].tolist() == list(range(0, 3 * N, 3))
    assert points["label"].tolist() == [row % 3 for row in range(N)]
    assert points["cluster"].dtype == np.int32
    assert points["misfit"].dtype == bool
    assert adjusted_rand_score(points["label"], points["cluster"]) > 0.8  # by chance 0
    assert result.path is None
    values = ", ".join(f"{name} {value:.3f}" for name, value in result.scores.values.items())
    assert repr(result.scores) == f"<Scores: {values}>"
    kl = result.scores.values["kl"]
    assert repr(result) == f"<Run: t-SNE of clouds, {N} of {3 * N} points, engine scikit_learn, KL {kl:.3f}>"


def test_steps_come_in_order_and_each_is_timed(made: tuple[Run, Diary]) -> None:
    result, diary = made
    assert diary.events == [(event, step) for step in STEPS for event in ("begin", "end")]
    assert tuple(result.record.seconds) == STEPS
    assert result.record.engines == dict.fromkeys(("reduce", "embed", "cluster", "score"), "scikit_learn")
    assert result.record.skipped == {}
    assert result.record.transfer.keys() == {"reduce", "embed", "cluster", "keep"}


def test_the_record_says_what_was_done(made: tuple[Run, Diary]) -> None:
    result, diary = made
    record = result.record
    assert record.recipe == make(VALUES)
    assert record.preprocess == "none"
    assert record.dataset == {
        "name": "clouds",
        "source": "made",
        "n": N,
        "total": 3 * N,
        "columns": 8,
        "image_shape": None,
        "digest": clouds().digest(),
    }
    assert record.facts["embed"]["iterations"] == 250
    assert 0.9 < record.facts["reduce"]["explained_variance_ratio"] <= 1
    assert record.facts["cluster"]["inertia"] > 0
    # What is shown is what is kept.
    assert record.notes == diary.notes
    assert any("scikit-learn exaggerates for 250 iterations, not 125" in note for note in record.notes)
    assert record.machine
    assert pd.Timestamp(record.created).tzinfo is not None


def test_the_same_recipe_gives_the_same_run(made: tuple[Run, Diary]) -> None:
    first, second = made[0], run(make(VALUES), clouds())
    pd.testing.assert_frame_equal(first.points, second.points)
    assert first.features.tobytes() == second.features.tobytes()
    assert first.scores.values == second.scores.values


def test_a_run_is_seen_in_a_notebook(made: tuple[Run, Diary]) -> None:
    assert made[0]._repr_png_().startswith(b"\x89PNG\r\n\x1a\n")
    assert "clouds" in made[0].title()[0]
    assert f"{N} of {3 * N} points" in made[0].title()[1]


def test_the_input_is_left_alone() -> None:
    dataset = clouds()
    before = dataset.X.copy()
    dataset.X.setflags(write=False)
    run(make({**VALUES, "embed": {"method": "pca"}}), dataset)
    np.testing.assert_array_equal(dataset.X, before)


@pytest.mark.parametrize(("asked", "columns"), [(0, 8), (8, 8), (50, 8), (2, 2)])
def test_reduction_keeps_columns_where_there_is_nothing_to_reduce(asked: int, columns: int) -> None:
    result = run(make({**VALUES, "embed": {"method": "pca"}, "reduce": {"n_components": asked}}), clouds())
    assert result.features.shape == (N, columns)
    assert ("reduce" in result.record.engines) == (columns < 8)
    assert tuple(result.record.seconds) == STEPS


def test_clusters_on_the_map_or_on_the_features() -> None:
    values = {**VALUES, "embed": {"method": "pca"}, "cluster": {"n_clusters": 7}}
    for where, part in (("map", "embedding"), ("features", "features")):
        result = run(make({**values, "cluster_on": where}), clouds())
        X = np.ascontiguousarray(getattr(result, part))
        expected = scikit_learn.kmeans(X, KMeans(n_clusters=7), 0, lambda progress: None).array
        np.testing.assert_array_equal(result.points["cluster"], expected)


def test_without_labels_what_needs_them_is_not_measured(tmp_path: Path) -> None:
    result = run(make({**VALUES, "embed": {"method": "pca"}}), clouds(labels=False))
    assert result.points.columns.tolist() == [
        *("row", "x", "y", "cluster", "neighbor_recall", "nearest_row", "nearest_distance"),
    ]
    assert {name for name, value in result.scores.values.items() if value is None} == {
        *("accuracy", "purity", "ari", "nmi", "label_accuracy")
    }
    assert open_run(result.save(tmp_path)).scores.values == result.scores.values


@pytest.mark.parametrize("text", [False, True])
def test_some_rows_may_have_no_label(text: bool, tmp_path: Path) -> None:
    whole = clouds()
    given = np.array(["a", "b", "c"])[whole.y] if text else whole.y
    some = replace(whole, y=np.where(np.arange(N) < 30, given.astype(object), None))
    made = run(make(VALUES), some)
    assert made.scores.sizes["accuracy"] == made.scores.sizes["label_accuracy"] == 30
    assert made.scores.values["label_accuracy"] == 1
    assert made.record.notes[0] == "clouds: 90 of 120 rows have no label; scores by label are over the others."
    stored = open_run(made.save(tmp_path))
    for found in (made, stored):
        for column in ("label", "misfit"):
            assert found.points[column].isna().tolist() == [row >= 30 for row in range(N)]
        assert found.points["label"][:30].tolist() == given[:30].tolist()
        assert not found.points["misfit"][:30].any()
    assert rescore(stored).scores.values == made.scores.values
    (layer,) = prepare(stored.points, colour="label")
    assert layer.key.names == (*map(str, np.unique(given)), "no label")
    assert layer.key.counts == (10, 10, 10, 90)
    (layer,) = prepare(stored.points, colour="misfit")
    assert (layer.key.names, layer.key.counts) == (("as its cluster", "no label"), (30, 90))


def test_labels_may_be_what_pandas_gives(tmp_path: Path) -> None:
    names = np.array(["boot", "sock", "été"])[clouds().y]
    recipe = make({**VALUES, "embed": {"method": "pca"}})
    made = run(recipe, replace(clouds(), y=pd.Series(names).astype(object).to_numpy()))
    again = run(recipe, replace(clouds(), y=names.astype(object)))
    assert made.record.dataset["digest"] == again.record.dataset["digest"]
    assert open_run(made.save(tmp_path)).points["label"].tolist() == names.tolist()
    assert made.scores.confusion["classes"] == ["boot", "sock", "été"]
    assert not any("boxes" in note for note in made.record.notes)


def test_the_same_rows_by_several_seeds() -> None:
    """And other rows by one; the seed of the sample is not that of the map."""
    tsne = {"method": "tsne", "initialization": "random", "iterations": 50, "perplexity": 10}
    made = [
        run(make({"data": {"name": "digits", "sample": 60, "sample_seed": sample}, "embed": tsne, "seed": seed}))
        for sample, seed in ((3, 0), (3, 1), (4, 1), (None, 3))
    ]
    rows = [each.points["row"].tolist() for each in made]
    assert rows[0] == rows[1] == rows[3] != rows[2]
    assert not np.allclose(made[0].embedding, made[1].embedding)


def test_labels_that_no_font_can_write_are_said() -> None:
    X = np.random.default_rng(0).normal(size=(40, 3))
    made = run(make({"embed": {"method": "pca"}}), Dataset("a", X, np.array(["plain", "\U00013000"] * 20)))
    assert made.record.notes[-1].endswith("has \U00013000, so that boxes stand there")


def test_images_go_to_the_store_and_come_back(tmp_path: Path) -> None:
    result = run(
        make({"data": {"name": "digits", "sample": 150}, "embed": {"method": "pca"}, "engine": "scikit_learn"})
    )
    assert result.record.preprocess == "deskew"
    opened = open_run(result.save(tmp_path))
    assert opened.record == result.record
    pd.testing.assert_frame_equal(opened.points, result.points)
    np.testing.assert_array_equal(opened.points["label"], load("digits").y[opened.points["row"]])  # type: ignore[index]


def test_umap_is_given_the_exact_neighbours() -> None:
    """Each point its own first one, as umap-learn counts; the map is no worse than of those that it finds itself."""
    X = np.random.default_rng(0).normal(size=(400, 8)).astype(np.float32)
    found = find(X, 5, 0, 2)
    indices, distances = umap_learn._with_itself(found.indices, found.distances)
    np.testing.assert_array_equal(indices, np.argsort(cdist(X, X), axis=1)[:, :6])
    np.testing.assert_allclose(distances, np.sort(cdist(X, X), axis=1)[:, :6], atol=1e-4)
    made = umap_learn.umap(X, UMAP(n_neighbors=6, n_epochs=50), 0, silent)
    alone = umap_learn._umap()(n_neighbors=6, n_epochs=50, random_state=0, n_jobs=1).fit_transform(X)
    recalls = [score(X, each, np.zeros(400, int), None).values["neighbor_recall"] for each in (made.array, alone)]
    assert recalls[0] > 0.9 * recalls[1] > 0.2


@pytest.mark.parametrize("embed", ["tsne", "umap"])
def test_a_map_by_cosine(embed: str) -> None:
    """Of rows of any length: it keeps those at the least angle together, and is judged by them."""
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 6)) * random.lognormal(sigma=2, size=(300, 1))
    near = np.argsort(cdist(X, X, "cosine"), axis=1)[:, 1:16]

    def recall(preprocess: str) -> tuple[float, float]:
        made = run(make({"embed": {"method": embed}, "preprocess": preprocess}), Dataset("directions", X))
        assert made.record.preprocess == preprocess
        at = np.argsort(cdist(made.embedding, made.embedding), axis=1)[:, 1:16]
        own = np.mean([len(set(one) & set(other)) / 15 for one, other in zip(near, at, strict=True)])
        return float(own), made.scores.values["neighbor_recall"]

    own, judged = recall("unit")
    assert own == pytest.approx(judged, abs=0.01)
    assert own > 0.5
    assert recall("none")[0] < 0.4


def test_a_table_of_several_units(tmp_path: Path) -> None:
    """Scaled as a whole the classes drown in the price, which is said; standardized they are apart."""
    random = np.random.default_rng(0)
    y = np.arange(300) % 2
    frame = pd.DataFrame(random.normal(size=(300, 5)) + 4 * y[:, None], columns=list("abcde"))
    frame["price"] = random.normal(30_000, 9_000, 300)
    frame.assign(kind=y).to_csv(tmp_path / "t.csv", index=False)
    asked = {"data": {"name": str(tmp_path / "t.csv"), "label_column": "kind"}, "embed": {"method": "pca"}}
    made = run(make(asked))
    (note,) = (note for note in made.record.notes if "variance" in note)
    assert note.startswith("the column 'price' has 100.0% of the variance of all 6, which are scaled together")
    assert made.scores.values["label_accuracy"] < 0.8
    better = run(make({**asked, "preprocess": "standardize"}))
    assert not any("variance" in note for note in better.record.notes)
    assert better.scores.values["label_accuracy"] > 0.95
    np.testing.assert_allclose(better.features.std(axis=0), 1, rtol=1e-5)  # type: ignore[union-attr]


def test_the_default_data_set_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPU_PIPELINE_DATA", raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("no_proxy", "")
    result = run(make({"data": {"sample": 100}, "embed": {"method": "pca"}}))
    assert result.record.dataset["name"] == "digits"
    assert any("MNIST is not on this computer" in note for note in result.record.notes)


@pytest.mark.parametrize(
    ("values", "dataset", "sentence"),
    [
        (
            {},
            clouds(29),
            "29 rows are too few for perplexity 10, which needs at least 30: take more rows or --perplexity 9",
        ),
        (
            {"embed": {"method": "umap", "n_neighbors": 2}, "engine": "auto"},
            clouds(3),
            "3 rows, which are too few for a map by UMAP",
        ),
        ({}, clouds(5), "5 rows are too few for perplexity 10, which needs at least 30: take more rows."),
        ({"embed": {"method": "umap", "n_neighbors": N}, "engine": "auto"}, clouds(), f"only {N} rows"),
        ({"cluster": {"n_clusters": N + 1}}, clouds(), f"n_clusters is {N + 1} but there are only {N} rows"),
        ({"preprocess": "deskew"}, clouds(), "deskew needs images"),
        ({"embed": {"method": "pca"}, "cluster": {"n_clusters": 2}}, clouds(2), "take 3 or more"),
        ({"embed": {"method": "pca"}}, clouds(d=1), "column"),
        ({}, replace(clouds(), y=np.full(N, np.nan)), f"none of the {N} rows of clouds has a label"),
        ({}, replace(clouds(), y=np.arange(N - 1)), f"{N} rows but {N - 1} labels"),
        ({}, replace(clouds(), X=np.where(np.arange(N) == 5, np.inf, clouds().X.T).T), "infinite values, the first in"),
    ],
)
def test_what_does_not_fit_the_data_is_refused_first(values: dict[str, Any], dataset: Dataset, sentence: str) -> None:
    diary = Diary()
    with pytest.raises(InputError, match=sentence):
        run(make({**VALUES, **values}), dataset, observer=diary)
    # Nothing was computed, and the one sentence is all that is said.
    assert {step for _, step in diary.events} == {"load"}
    assert diary.notes == []


def test_a_start_from_two_components_needs_two_columns_in_scikit_learn() -> None:
    with pytest.raises(Unsupported, match=r"scikit_learn: .* at least two columns"):
        run(make({**VALUES, "engine": "scikit_learn"}), clouds(d=1))


def test_a_note_of_the_data_is_kept_and_an_error_stands_alone() -> None:
    noted = replace(clouds(), notes=("columns left out",))
    diary = Diary()
    result = run(make({**VALUES, "embed": {"method": "pca"}}), noted, observer=diary)
    assert "columns left out" in diary.notes
    assert "columns left out" in result.record.notes
    diary = Diary()
    with pytest.raises(InputError):
        run(make({**VALUES, "cluster": {"n_clusters": N + 1}}), noted, observer=diary)
    assert diary.notes == []


@pytest.fixture
def add_engine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put an engine before all others for t-SNE; as a GPU that breaks, which cannot be had at will."""

    def add(name: str, **functions: Any) -> None:
        module = ModuleType(f"gpu_pipeline.engines.{name}")
        module.__dict__.update(DEVICE="gpu", check=lambda: None, put=np.array, get=np.asarray, sync=lambda: None)
        module.__dict__.update(arrays=lambda: np, **functions)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(engines.ENGINES, "tsne", (name, "scikit_learn"))
        monkeypatch.setattr(engines, "NAMES", (name, *engines.NAMES))
        monkeypatch.setattr("gpu_pipeline.recipe.NAMES", engines.NAMES)

    return add


def test_an_engine_that_breaks_is_passed_over_only_by_auto(add_engine: Callable[..., None], tmp_path: Path) -> None:
    def tsne(X: Any, *_: Any) -> Any:
        X[:] = 0  # what a broken engine does to its own arrays harms no other
        raise EngineFailed("memory ran out in t-SNE")

    def compile_kernels() -> None:
        raise EngineFailed("memory ran out in the compilation")  # ahead of the step, which says it

    add_engine("breaking", tsne=tsne, compile=compile_kernels)
    auto = make({**VALUES, "engine": "auto", "engines": {"reduce": "scikit_learn", "cluster": "scikit_learn"}})
    diary = Diary()
    result = run(auto, clouds(), observer=diary)
    assert result.record.engines["embed"] == "scikit_learn"
    assert result.record.skipped["breaking"] == "memory ran out in t-SNE"
    assert any("breaking" in note and "memory ran out" in note for note in diary.notes)
    np.testing.assert_array_equal(result.embedding, run(make(VALUES), clouds()).embedding)
    with pytest.raises(EngineFailed, match="memory ran out in t-SNE"):
        run(make({**VALUES, "engine": "auto", "engines": {"embed": "breaking"}}), clouds())


def test_an_engine_that_is_not_there_is_passed_over_only_by_auto(add_engine: Callable[..., None]) -> None:
    def check() -> None:
        raise Unavailable("no device")

    add_engine("absent", check=check)
    result = run(make({**VALUES, "engine": "auto"}), clouds())
    assert (result.record.engines["embed"], result.record.skipped["absent"]) == ("scikit_learn", "no device")
    with pytest.raises(Unavailable, match="no device"):
        run(make({**VALUES, "engine": "absent"}), clouds())


@pytest.mark.parametrize("started", [False, True])
def test_no_engine_is_imported_for_what_is_done_sooner_without(
    started: bool, add_engine: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it made the map, so that it has been imported already."""
    asked = []
    add_engine("slow", check=lambda: asked.append("check"), kmeans=scikit_learn.kmeans, tsne=scikit_learn.tsne)
    for holder in (engines, steps):
        monkeypatch.setattr(holder, "SLOW_STARTERS", ("slow",))
    monkeypatch.setitem(engines.ENGINES, "kmeans", ("slow", "scikit_learn"))
    if not started:
        monkeypatch.setitem(engines.ENGINES, "tsne", ("scikit_learn",))
    by_auto = run(make({**VALUES, "engine": "auto", "engines": {"score": "scikit_learn"}}), clouds())
    assert by_auto.record.engines["cluster"] == ("slow" if started else "scikit_learn")
    assert bool(asked) == started
    assert "slow" not in by_auto.record.skipped


def test_only_k_means_with_little_to_do_is_light() -> None:
    assert KMeans(n_clusters=10, n_init=10).is_light(70_000, 50)
    assert KMeans(n_clusters=10, n_init=10).is_light(100_000, 38)
    assert not KMeans(n_clusters=10, n_init=10).is_light(100_000, 39)
    assert not KMeans(n_clusters=10, n_init=11).is_light(100_000, 38)
    assert not KMeans(n_clusters=11, n_init=10).is_light(100_000, 38)
    assert not any(settings.is_light(3, 2) for settings in (PCA(), TSNE(), UMAP()))


def test_arrays_stay_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two engines with arrays of one kind: what one made the other takes, and the judge too; rows go there once."""
    puts, gets = [], []

    class There(np.ndarray):
        """An array of the engines' own kind."""

    def put(X: Any) -> Any:
        puts.append(X.shape)
        return np.array(X, np.float32).view(There)

    def get(X: Any) -> Any:
        gets.append([np.shape(part) for part in X] if isinstance(X, tuple) else np.shape(X))
        return tuple(map(np.asarray, X)) if isinstance(X, tuple) else np.asarray(X)

    def there(X: Any, output: engines.Output) -> engines.Output:
        assert isinstance(X, There)
        made = output.array
        return replace(output, array=made if isinstance(made, tuple) else made.view(There))

    def knows(method: str) -> Callable[..., engines.Output]:
        return lambda X, *rest: there(X, getattr(scikit_learn, method)(np.asarray(X), *rest))

    for name, methods in (("left", ("pca", "kmeans", "neighbors")), ("right", ("tsne",))):
        module = ModuleType(f"gpu_pipeline.engines.{name}")
        module.__dict__.update(DEVICE="gpu", check=lambda: None, put=put, get=get, sync=lambda: None)
        module.__dict__.update(arrays=lambda: np)
        module.__dict__.update({method: knows(method) for method in methods})
        monkeypatch.setitem(sys.modules, module.__name__, module)
        for method in methods:
            monkeypatch.setitem(engines.ENGINES, method, (name, "scikit_learn"))
    monkeypatch.setattr(engines, "NAMES", ("left", "right", *engines.NAMES))
    result = run(make({**VALUES, "engine": "auto"}), clouds())
    assert result.record.engines == {"reduce": "left", "embed": "right", "cluster": "left", "score": "left"}
    assert puts == [(N, 8)]
    # The mean and axes for new rows; features, map, clusters; and the judge's neighbours.
    assert gets == [(8,), (8, 5), (N, 5), (N, 2), (N,), [(N, 30), (N, 30)]]
    assert type(result.features) is np.ndarray
    by_cpu = run(make(VALUES), clouds())
    np.testing.assert_array_equal(result.embedding, by_cpu.embedding)
    assert result.scores.values == pytest.approx(by_cpu.scores.values)


def test_a_gpu_that_cannot_draw_leaves_it_to_the_cpu(
    add_engine: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def device_of(table: Any) -> None:
        asked.append(type(table))
        if isinstance(table, dict):
            raise EngineFailed("memory ran out in counting points of 120 x 2 values")

    add_engine("drawing", tsne=scikit_learn.tsne)
    monkeypatch.setattr("gpu_pipeline.render.device_table.device_of", device_of)
    result = run(make({**VALUES, "engine": "auto"}), clouds())
    assert asked == [dict, pd.DataFrame]
    assert "the picture was drawn on the CPU: memory ran out in counting points" in " ".join(result.record.notes)
    np.testing.assert_array_equal(np.asarray(result.picture()), np.asarray(replace(result, _picture=None).picture()))


def test_progress_reaches_the_observer_and_its_answer_the_engine(add_engine: Callable[..., None]) -> None:
    answers = []

    def tsne(X: Any, settings: Any, seed: int, report: Callable[[Progress], str | None]) -> engines.Output:
        answers.append(report(Progress(done=1, total=250, kl=2.5)))
        return engines.Output(X[:, :2], {"iterations": 1})

    class Stops(Diary):
        def progress(self, step: str, progress: Progress) -> Any:
            self.events.append((str(progress.kl), step))
            return "stop"

    add_engine("telling", tsne=tsne)
    diary = Stops()
    run(make({**VALUES, "engine": "auto"}), clouds(), observer=diary)
    assert answers == ["stop"]
    assert ("2.5", "embed") in diary.events


def test_the_public_names_make_a_map() -> None:
    dataset = load("digits", sample=60)
    result = run(Recipe(embed={"method": "pca"}, cluster=KMeans(n_clusters=5)), dataset)  # type: ignore[arg-type]
    assert set(result.points["cluster"]) == set(range(5))
    assert result.draw("cluster", width=400, height=300).size == (400, 300)
    assert draw(result.points, "label", width=100, height=80).size == (100, 80)


def test_a_recipe_is_asked_for() -> None:
    with pytest.raises(InputError, match=r"run takes a Recipe, not str: give one such as Recipe\(data='mnist'\)"):
        run("mnist")  # type: ignore[arg-type]
