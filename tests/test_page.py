"""The report: one file, everything inside, and nothing in the data becomes markup."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gpu_pipeline import page
from gpu_pipeline.datasets import Dataset
from gpu_pipeline.errors import InputError
from gpu_pipeline.methods import TSNE, UMAP
from gpu_pipeline.pipeline import run as make_run
from gpu_pipeline.recipe import Data, make
from gpu_pipeline.record import Run, cautions, made_from, settings_of, unlike
from gpu_pipeline.report import compare, show_comparison
from gpu_pipeline.scoring import Scores

SCRIPT = "<script>alert(1)</script>"
VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """Elements and text of a page; fails where elements are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def clouds(seed: int = 0, labels: bool = True, first: int = 0, n: int = 90) -> Run:
    """A run by PCA of three clouds with hostile names."""
    rng = np.random.default_rng(7)
    which = np.arange(n) % 3
    X = (rng.normal(size=(n, 5)) + 20 * which[:, None]).astype(np.float32)
    y = np.array([SCRIPT, "a & b", '"x"'])[which] if labels else None
    data = Dataset(f"some {SCRIPT}", X, y, np.arange(first, first + n), 1000, notes=(f"a note {SCRIPT}",))
    return make_run(make({"embed": {"method": "pca"}, "cluster": {"n_clusters": 3}, "seed": seed}), data)


@pytest.fixture(scope="module")
def one() -> Run:
    return clouds()


@pytest.fixture(scope="module")
def two() -> Run:
    return clouds(seed=1)


def test_everything_is_inside(one: Run) -> None:
    reader = Reader(page.html([one]))
    assert not {"script", "link", "iframe", "object", "a", "base", "form"} & {tag for tag, _ in reader.elements}
    images = reader.all("img")
    assert len(images) == 5  # label; cluster, misfit, neighbor_recall, density
    for image in images:
        uri = str(image["src"])
        assert uri.startswith("data:image/png;base64,")
        with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as picture:
            assert (str(picture.width), str(picture.height)) == (image["width"], image["height"])
        assert image["alt"]
    policy = next(meta["content"] for meta in reader.all("meta") if meta.get("http-equiv"))
    assert str(policy).startswith("default-src 'none'")
    style = page.html([one]).partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_names_from_the_data_stay_text(one: Run, two: Run) -> None:
    for runs in ([one], [one, two]):
        text = page.html(runs)
        assert SCRIPT not in text
        reader = Reader(text)
        assert reader.all("script") == []
        assert f"PCA of some {SCRIPT}" in reader.text
        assert f"a note {SCRIPT}" in reader.text


def test_what_it_says(one: Run) -> None:
    text = Reader(page.html([one])).text
    for name, value in one.scores.values.items():
        assert name.replace("_", " ") in text
        assert value is None or f"{value:,.3f}".replace("-", "\N{MINUS SIGN}") in text
    assert "15 / (n - 1)" in text  # chance of neighbour recall
    assert "-0.5 to 1" in text  # range of the adjusted Rand index
    assert one.record.dataset["digest"] in text
    assert one.record.machine["versions"]["numpy"] in text
    assert "rapids was passed over" in text or "rapids" in one.record.engines.values()
    assert 'method = "pca"' in text
    assert "90 of 1,000" in text


def test_confusion_is_put_in_order() -> None:
    # Class b is cluster 1's, class a cluster 2's; cluster 0 is left over, mostly a's.
    counts = [[6, 1, 13], [2, 9, 0]]
    scores = Scores({}, {}, np.empty(0), None, {"classes": ["a", "b"], "clusters": [0, 1, 2], "counts": counts}, "x")
    run = clouds_with(scores)
    found = page._confusion(run)
    assert found is not None
    assert found["clusters"] == ["2", "1", "0"]
    assert [[cell["n"] for cell in row["cells"]] for row in found["rows"]] == [["13", "1", "6"], ["0", "9", "2"]]
    assert [cell["share"] for cell in found["rows"][0]["cells"]] == [0.65, 0.05, 0.3]
    # Off the majorities (a, b, a): 2 of b in cluster 0, 1 of a in cluster 1.
    assert [(one["n"], one["of"], one["label"], one["cluster"], one["mostly"]) for one in found["worst"]] == [
        ("2", "11", "b", "0", "a"),
        ("1", "20", "a", "1", "b"),
    ]


def test_classes_are_listed_by_the_numbers_in_their_names() -> None:
    # As many of "type 10" as of "type 2" are in cluster 1: the first in sorted order is the majority, as of misfits.
    table = {"classes": ["type 10", "type 2"], "clusters": [0, 1], "counts": [[9, 4], [0, 4]]}
    found = page._confusion(clouds_with(Scores({}, {}, np.empty(0), None, table, "x")))
    assert found is not None
    assert [row["name"] for row in found["rows"]] == ["type 2", "type 10"]
    assert [[cell["n"] for cell in row["cells"]] for row in found["rows"]] == [["4", "0"], ["4", "9"]]
    assert [(one["n"], one["label"], one["mostly"]) for one in found["worst"]] == [("4", "type 2", "type 10")]


def clouds_with(scores: Scores) -> Run:
    made = clouds()
    made.scores = scores
    return made


def test_a_confusion_that_is_too_large_is_summed_up(one: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_CLASSES", 2)
    text = Reader(page.html([one])).text
    assert "3 labels and 3 clusters are too many to write out" in text


def test_two_runs_are_compared(one: Run, two: Run) -> None:
    reader = Reader(page.html([one, two]))
    assert len(reader.all("img")) == 11
    assert "90 rows in common" in reader.text
    # The same map twice: nobody moved, all neighbours are the same.
    assert re.search(r"moved by more than 0\.000 of A's radius", reader.text)
    assert "a share of 1.000" in reader.text
    assert [pair["better"] for pair in page._compared(one, two)["scores"]] == [""] * 9


def test_a_comparison_says_that_the_data_may_be_others(one: Run, two: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Note: A is of" not in Reader(page.html([one, two])).text
    changed = {**two.record.dataset, "name": "other", "digest": "b"}
    other = replace(two, record=replace(two.record, dataset=changed))
    said = f"A is of some {SCRIPT} with 1,000 rows and B of other with 1,000 rows: "
    assert f"Note: {said}" in Reader(page.html([one, other])).text
    figures, _ = compare(one, other)
    show_comparison({**figures, "picture": "both.png"})
    assert f"note: {said}" in capsys.readouterr().out
    assert compare(one, two)[0]["notes"] == []


def test_scores_that_say_nothing_side_by_side_are_not_subtracted(
    one: Run, two: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    fewer = replace(two, record=replace(two.record, dataset={**two.record.dataset, "n": 60}))
    figures, _ = compare(one, fewer)
    said = "A has 90 rows and B 60: KL and scores by neighbours change with how many there are."
    assert figures["notes"] == [said]
    assert figures["not_comparable"] == ["kl", "label_accuracy", "neighbor_recall", "trustworthiness"]
    for name, line in zip(figures["scores"], page._compared(one, fewer)["scores"], strict=True):
        assert (line["difference"] == line["better"] == "") == (name in figures["not_comparable"])
    show_comparison({**figures, "picture": "both.png"})
    printed = {words[0]: words for words in map(str.split, capsys.readouterr().out.splitlines()) if words}
    assert printed["kl"][-1] == "-" != printed["accuracy"][-1]
    assert f"Note: {said}" in Reader(page.html([one, fewer])).text


def test_what_a_reader_of_two_runs_is_told(one: Run) -> None:
    record = one.record
    assert cautions(record, record)[0] == []
    elsewhere = {**record.dataset, "digest": "0"}
    seeded = replace(record, recipe=record.recipe.model_copy(update={"seed": 7}), dataset=elsewhere)
    said = "A and B are different samples, drawn by their seeds (--sample-seed): scores differ by the rows, too."
    assert cautions(record, seeded)[0] == [said]
    alike = Data(name="a", sample_seed=record.recipe.seed)
    assert cautions(record, replace(seeded, recipe=seeded.recipe.model_copy(update={"data": alike})))[0] == []
    assert cautions(record, replace(seeded, dataset=record.dataset))[0] == []
    by_umap = replace(record, recipe=record.recipe.model_copy(update={"embed": UMAP()}))
    by_tsne = replace(record, recipe=record.recipe.model_copy(update={"embed": TSNE()}))
    assert "KL is what t-SNE lowers; the map of B was not made to." in cautions(by_tsne, by_umap)[0]
    assert "KL is what t-SNE lowers; the map of A was not made to." in cautions(by_umap, by_tsne)[0]
    assert cautions(by_tsne, by_umap)[1] == {"kl"}
    assert cautions(by_tsne, by_tsne)[1] == set()


def test_why_scores_of_two_runs_are_unlike(one: Run) -> None:
    recipe = make({"embed": {"method": "tsne", "perplexity": 7}, "reduce": {"n_components": 2}})
    assert unlike(one.record, one.record) == {}
    assert unlike(one.record, replace(one.record, recipe=recipe)) == {
        "A is judged by all 5 columns (none) and B by 2 components (none): each by what its own map was made from.": (
            *("trustworthiness", "neighbor_recall", "kl"),
        ),
        "KL is at a perplexity of 30 for A and of 7 for B.": ("kl",),
        "KL is what t-SNE lowers; the map of A was not made to.": ("kl",),
    }


@pytest.mark.parametrize(
    ("a", "b", "higher", "difference", "better"),
    [
        (0.5, 0.75, True, "+0.250", "B"),
        (0.5, 0.75, False, "+0.250", "A"),
        (2.0, 1.0, False, "\N{MINUS SIGN}1.000", "B"),
        (1.0, 1.0001, True, "+0.000", ""),
        (None, 1.0, True, "", ""),
        (0.5, 0.75, None, "", ""),
    ],
)
def test_the_better_side(a: float | None, b: float, higher: bool | None, difference: str, better: str) -> None:
    line = page._pair("name", a, b, higher)
    assert (line["difference"], line["better"]) == (difference, better)


def test_a_run_without_labels() -> None:
    reader = Reader(page.html([clouds(labels=False)]))
    assert len(reader.all("img")) == 3  # cluster; neighbor_recall, density
    assert "Labels against clusters" not in reader.text


def test_it_is_written_whole_or_not_at_all(one: Run, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    assert page.write([one], target) == target
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(InputError, match="there is no folder"):
        page.write([one], tmp_path / "none" / "report.html")
    before = target.read_bytes()
    with pytest.raises(InputError, match="rows in common"):
        page.write([one, clouds(first=500)], target)
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "perplexity 30, seed 0"),
        ({"embed": {"method": "umap", "min_dist": 0.5}}, "n neighbors 15, min dist 0.5, seed 0"),
        (
            {"embed": {"exaggeration": 4, "perplexity": 50}, "reduce": {"n_components": 0}, "preprocess": "unit"},
            "perplexity 50, exaggeration 4, all columns, preprocess unit, seed 0",
        ),
        (
            {"embed": {"method": "pca"}, "cluster_on": "features", "cluster": {"n_clusters": 7}, "seed": 3},
            "7 clusters, clusters on features, seed 3",
        ),
        ({"reduce": {"n_components": 20}}, "perplexity 30, 20 components, seed 0"),
        ({"data": {"sample_seed": 3}, "seed": 1}, "perplexity 30, seed 1, sample seed 3"),
    ],
)
def test_settings_that_tell_runs_apart(values: dict[str, Any], told: str) -> None:
    assert settings_of(make(values)) == told


def test_what_a_map_was_made_from() -> None:
    X = np.random.default_rng(0).normal(size=(60, 10)) * [9, 5, *[1] * 8]
    made = make_run(make({"embed": {"method": "pca"}, "reduce": {"n_components": 2}}), Dataset("a", X)).record
    variances = np.linalg.eigvalsh(np.cov(X.T))[::-1]
    assert made_from(made) == f"2 components (none) with {variances[:2].sum() / variances.sum():.1%} of the variance"
    kept = make_run(
        make({"embed": {"method": "pca"}, "reduce": {"n_components": 0}, "preprocess": "unit"}), Dataset("a", X)
    )
    assert made_from(kept.record) == "all 10 columns (unit)"
