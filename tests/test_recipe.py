"""Recipes: there and back through TOML, flags over a file, and one sentence for everything that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gpu_pipeline.engines import ENGINES
from gpu_pipeline.errors import InputError
from gpu_pipeline.methods import PCA, TSNE, UMAP, KMeans
from gpu_pipeline.recipe import ENGINE_STEPS, Data, Recipe, from_toml, make, merged

count = st.integers(1, 2**53)
positive = st.floats(1e-9, 1e9)
factor = st.floats(1, 1e6)
momentum = st.floats(0, 1, exclude_max=True)
# Everything that UTF-8 can write, control characters, quotes and NUL included: TOML has to escape them.
text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)

data = st.builds(
    Data,
    name=text,
    sample=count | st.just("all"),
    label_column=st.none() | text,
    columns=st.none() | st.lists(text, min_size=1, max_size=3).map(tuple),
    image_shape=st.none() | st.tuples(count, count),
    beside=st.none() | text,
    sample_seed=st.none() | st.integers(0, 2**32 - 1),
)
tsne = st.builds(
    TSNE,
    perplexity=st.floats(1, 1e6, exclude_min=True),
    early_exaggeration=factor,
    exaggeration=factor,
    early_iterations=st.integers(0, 100) | st.just("auto"),
    iterations=st.integers(100, 10**9),
    learning_rate=positive | st.just("auto"),
    early_momentum=momentum,
    momentum=momentum,
    initialization=st.sampled_from(["pca", "random"]),
)
umap = st.builds(
    UMAP,
    n_neighbors=st.integers(2, 1000),
    min_dist=st.floats(0, 1),
    spread=st.floats(1, 100),
    n_epochs=count | st.just("auto"),
)
kmeans = st.builds(KMeans, n_clusters=count, n_init=count, max_iter=count, tol=st.floats(0, 1e9))


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    embed = draw(tsne | umap | st.just(PCA(n_components=2)))
    methods = {"reduce": "pca", "embed": embed.method, "cluster": "kmeans", "score": "neighbors"}
    engines = {
        step: draw(st.sampled_from(["auto", *ENGINES[methods[step]]]))
        for step in draw(st.lists(st.sampled_from(ENGINE_STEPS), unique=True))
    }
    return Recipe(
        data=draw(data),
        preprocess=draw(st.sampled_from(["auto", "none", "deskew", "standardize", "unit"])),
        reduce=PCA(n_components=draw(st.integers(0, 10_000))),
        embed=embed,
        cluster=draw(kmeans),
        cluster_on=draw(st.sampled_from(["map", "features"])),
        engine=draw(st.sampled_from(["auto", *ENGINES[embed.method]])),
        engines=engines,
        seed=draw(st.integers(0, 2**32 - 1)),
    )


@given(recipe=recipes())
def test_toml_gives_the_recipe_back(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> None:
    path = tmp_path_factory.getbasetemp() / "recipe.toml"
    path.write_text(recipe.to_toml(), encoding="utf-8")
    again = from_toml(path)
    assert again == recipe
    assert again.digest() == recipe.digest()


@given(recipe=recipes(), seed=st.integers(0, 2**32 - 1))
def test_another_seed_is_another_digest(recipe: Recipe, seed: int) -> None:
    other = make({**recipe.model_dump(), "seed": seed})
    assert (other.digest() == recipe.digest()) == (seed == recipe.seed)


def test_recipes_of_the_project_can_be_read() -> None:
    files = list((Path(__file__).parents[1] / "recipes").glob("*.toml"))
    assert files
    for path in files:
        assert from_toml(path).data.sample


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({}, {"method": "tsne", "perplexity": 50.0}),
        ({"embed": {"exaggeration": 2}}, {"method": "tsne", "perplexity": 50.0, "exaggeration": 2.0}),
        # The file does not name the method, and t-SNE is what it means: the perplexity stays.
        ({"embed": {"method": "tsne"}}, {"method": "tsne", "perplexity": 50.0}),
        # Another method starts from its own defaults.
        ({"embed": {"method": "umap"}}, {"method": "umap", "n_neighbors": 15}),
        ({"embed": {"method": "pca"}}, {"method": "pca", "n_components": 2}),
    ],
)
def test_flags_override_a_file(tmp_path: Path, overrides: dict[str, Any], expected: dict[str, Any]) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('data = "mnist"\nseed = 7\n[embed]\nperplexity = 50\n')
    recipe = from_toml(path, {**overrides, "data": {"sample": 5}})
    assert recipe.data == Data(name="mnist", sample=5)
    assert recipe.seed == 7
    embed = recipe.embed.model_dump()
    assert {name: embed[name] for name in expected} == expected


def test_merged_leaves_its_arguments_alone() -> None:
    values, overrides = {"embed": {"method": "tsne", "perplexity": 5}}, {"embed": {"iterations": 300}}
    assert merged(values, overrides) == {"embed": {"method": "tsne", "perplexity": 5, "iterations": 300}}
    assert values == {"embed": {"method": "tsne", "perplexity": 5}}
    assert overrides == {"embed": {"iterations": 300}}


def test_the_recipes_engine_must_know_the_embedding_and_no_other_step() -> None:
    recipe = make({"embed": {"method": "umap"}, "engine": "umap_learn"})
    assert [recipe.engine_of(step) for step in ENGINE_STEPS] == ["auto", "umap_learn", "auto", "auto"]
    recipe = make({"engine": "scikit_learn", "engines": {"score": "auto"}})
    assert [recipe.engine_of(step) for step in ENGINE_STEPS] == ["scikit_learn"] * 3 + ["auto"]
    with pytest.raises(InputError, match="umap_learn does not do tsne"):
        make({"engine": "umap_learn"})


def test_the_judge_has_the_recipes_perplexity_or_the_default() -> None:
    assert Recipe(embed=TSNE(perplexity=7)).judge_perplexity() == 7
    assert Recipe(embed=UMAP()).judge_perplexity() == TSNE().perplexity


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"embed": {"perplexity": 1}}, r"^embed.perplexity is 1: .*greater than 1\.$"),
        ({"embed": {"perplexity": float("nan")}}, r"^embed.perplexity is nan: "),
        (
            {"embed": {"iterations": 10, "early_iterations": 20}},
            r"^embed: .*raise iterations or lower early_iterations",
        ),
        ({"embed": {"method": "tnse"}}, r"^unknown method 'tnse': did you mean 'tsne'\?$"),
        ({"embed": {"perplexty": 3}}, r"^unknown setting 'perplexty': did you mean 'perplexity'\?$"),
        ({"perplexty": 3}, r"^unknown setting 'perplexty': did you mean 'perplexity'\?$"),
        # A setting that exists, in the wrong place, must not be called unknown and then suggested.
        (
            {"embed": {"method": "umap", "perplexity": 30}},
            r"^perplexity is not a setting of embed\.umap, only of embed\.tsne: move it or leave it out\.$",
        ),
        ({"perplexity": 30}, r"^perplexity is not a setting of the recipe itself, only of embed\.tsne: "),
        ({"data": {"seed": 30}}, r"^seed is not a setting of data, only of the recipe itself: "),
        ({"embed": {"method": "pca", "n_components": 3}}, r"^embed.n_components is 3, but a map has 2: "),
        ({"embed": []}, r"^embed is \[\]: "),
        ({"embed": {"method": ["tsne"]}}, r"^unknown method "),
        ({"preprocess": "deskw"}, r"^preprocess is 'deskw': .*'auto', 'none', 'deskew', 'standardize' or 'unit'\.$"),
        ({"cluster_on": "mpa"}, r"^cluster_on is 'mpa': .*'map' or 'features'\.$"),
        ({"cluster": {"n_clusters": 0}}, r"^cluster.n_clusters is 0: "),
        ({"data": {"sample": 0}}, r"^data.sample is 0: "),
        ({"data": {"sample": "some"}}, r"^data.sample is 'some': "),
        ({"data": {"image_shape": [0, 784]}}, r"^data.image_shape is 0: "),
        ({"data": {"name": ""}}, r"^data.name is '': "),
        ({"data": {"name": "\udcff.npy"}}, r"^data.name is '\\udcff.npy': "),  # a file name that is not UTF-8
        ({"data": {"columns": []}}, r"^data.columns is \[\]: "),
        ({"seed": -1}, r"^seed is -1: "),
        ({"seed": 2**32}, r"^seed is 4294967296: "),
        ({"engine": "rapid"}, r"^unknown engine 'rapid': did you mean 'rapids'\?$"),
        ({"engines": {"embd": "auto"}}, r"^unknown step 'embd': did you mean 'embed'\?$"),
        ({"engines": {"embed": "scikit-learn"}}, r"^unknown engine 'scikit-learn': did you mean 'scikit_learn'\?$"),
        ({"engines": {"cluster": "umap_learn"}}, r"^the engine umap_learn does not do kmeans: choose .*\.$"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        make(values)
    assert "\n" not in str(caught.value)


def test_a_recipe_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Recipe().seed = 3  # type: ignore[misc]


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    with pytest.raises(InputError, match=r"cannot read the recipe .*bad\.toml"):
        from_toml(bad)
    with pytest.raises(InputError, match="cannot read the recipe"):
        from_toml(tmp_path)
    for content in (b"seed = ", b"\xff\xfe\x00", b"seed = 1\nseed = 2\n"):
        bad.write_bytes(content)
        with pytest.raises(InputError, match="is not a TOML file"):
            from_toml(bad)
