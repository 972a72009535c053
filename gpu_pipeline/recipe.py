"""A recipe: everything that decides what a run computes, in one frozen value, to and from TOML."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import Field, ValidationError, model_validator

from .engines import ENGINES, NAMES, candidates
from .errors import InputError, Unavailable, unknown_name
from .methods import PCA, TSNE, UMAP, KMeans, Settings

STEPS = ("load", "preprocess", "reduce", "compile", "embed", "cluster", "keep", "score", "draw")
"""The steps of a run, in their order."""

ENGINE_STEPS = ("reduce", "embed", "cluster", "score")
"""The steps for which an engine may be named; "score" is the search of exact neighbours."""

Text = Annotated[str, Field(min_length=1)]


class Data(Settings):
    """Which rows and columns.

    Attributes
    ----------
    name
        "auto", the name of a known data set, or the path of a file.
    sample
        Rows to draw without replacement, or "all".
    landmarks
        Rows to embed, drawn as a sample is; all others are placed on their map. None to embed all.
    sample_seed
        Of the sample or the landmarks, to draw the same rows for several seeds of the map; None for the recipe's.
    label_column, columns
        In a file with named columns: where the labels are, and which columns are features (all
        numeric ones if None).
    keep
        In such a file: columns that are no features and go with the points, to colour and filter the map by.
    beside
        Of an array without names: the path of the table where its labels and the columns to keep are.
    image_shape
        Height and width, if each row is an image and the data set does not say so itself.
    """

    name: Text = "auto"
    sample: Annotated[int, Field(ge=1)] | Literal["all"] = "all"
    landmarks: Annotated[int, Field(ge=3)] | None = None
    sample_seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    label_column: Text | None = None
    columns: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    keep: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    beside: Text | None = None
    image_shape: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None

    @model_validator(mode="after")
    def _go_together(self) -> Data:
        if self.landmarks is not None and self.sample != "all":
            raise ValueError(
                f"sample is {self.sample} and landmarks {self.landmarks}, but rows are drawn only once: give one"
            )
        return self


class Recipe(Settings):
    """What to compute.

    Attributes
    ----------
    data
        Which rows and columns.
    preprocess
        "auto" (what the data set recommends), or how rows are prepared, see `preprocess.fit`: "none" (all values alike
        scaled to [0, 1]), "deskew" (images set upright too), "standardize" (each column to mean 0 and variance 1) or
        "unit" (each row to length 1, so that neighbours are those by cosine).
    reduce, embed, cluster
        Settings of the three methods.
    cluster_on
        Whether k-means sees the map, as (n, 2), or the reduced features.
    engine, engines
        "auto" or an engine's name for all steps, and for single steps (`ENGINE_STEPS`).
    seed
        Of every random choice; of the sample too, unless `data` has a seed for that.
    """

    data: Data = Data()
    preprocess: Literal["auto", "none", "deskew", "standardize", "unit"] = "auto"
    reduce: PCA = PCA()
    embed: Annotated[TSNE | UMAP | PCA, Field(discriminator="method")] = TSNE()
    cluster: KMeans = KMeans()
    cluster_on: Literal["map", "features"] = "map"
    engine: str = "auto"
    engines: dict[str, str] = Field(default_factory=dict)
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, values: Any) -> Any:
        return _spelled_out(values) if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _two_axes(self) -> Recipe:
        if isinstance(self.embed, PCA) and self.embed.n_components != 2:
            raise InputError(
                f"embed.n_components is {self.embed.n_components}, but a map has 2: use PCA(n_components=2)."
            )
        return self

    @model_validator(mode="after")
    def _engines_known(self) -> Recipe:
        for step in self.engines:
            if step not in ENGINE_STEPS:
                raise unknown_name("step", step, ENGINE_STEPS)
        for name in (self.engine, *self.engines.values()):
            if name not in ("auto", *NAMES):
                raise unknown_name("engine", name, ("auto", *NAMES))
        for step, name in {"embed": self.engine_of("embed"), **self.engines}.items():
            try:
                candidates(self.method(step), name)
            except Unavailable as reason:
                raise InputError(f"{reason}.") from None
        return self

    def method(self, step: str) -> str:
        """Name of the method that a step uses, as in the table of engines."""
        return {"reduce": "pca", "embed": self.embed.method, "cluster": "kmeans", "score": "neighbors"}[step]

    def engine_of(self, step: str) -> str:
        """The engine asked for in a step.

        The one named for the step; else the recipe's, which must know the embedding but leaves the
        other steps that it does not know to "auto" (umap_learn does no k-means).
        """
        if step in self.engines:
            return self.engines[step]
        if step != "embed" and self.engine not in ENGINES[self.method(step)]:
            return "auto"
        return self.engine

    def seed_of_sample(self) -> int:
        """Seed of the sample or the landmarks."""
        return self.seed if self.data.sample_seed is None else self.data.sample_seed

    def judge_perplexity(self) -> float:
        """Perplexity of the affinities that the map is judged by: the recipe's own, or t-SNE's default."""
        return self.embed.perplexity if isinstance(self.embed, TSNE) else TSNE().perplexity

    def to_toml(self) -> str:
        """The recipe as TOML; `from_toml` gives it back."""
        return tomli_w.dumps(self.model_dump(exclude_none=True))

    def digest(self) -> str:
        """Eight hexadecimal digits that differ between recipes."""
        values = self.model_dump()
        for name in ("landmarks", "beside", "sample_seed"):
            if values["data"][name] is None:
                del values["data"][name]  # as it was before there were any
        text = json.dumps(values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]


def make(values: dict[str, Any]) -> Recipe:
    """A recipe from plain values, nested as in TOML.

    Raises
    ------
    InputError
        With one sentence, if a value or a name is not usable.
    """
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise InputError(_sentence(error)) from None


def from_toml(path: str | Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """A recipe from a TOML file, with some values replaced.

    Raises
    ------
    InputError
        If the file cannot be read, is not TOML, or holds unusable values.
    """
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the recipe {path}: {error.strerror}; give the path of a TOML file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file ({error}); correct it or give another.") from None
    return make(merged(_spelled_out(values), overrides or {}))


def merged(values: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Nested `values` with `overrides` put over them; another method starts from its own defaults."""
    out = dict(values)
    for key, new in overrides.items():
        old = out.get(key)
        if (
            isinstance(new, dict)
            and isinstance(old, dict)
            and new.get("method", old.get("method")) == old.get("method")
        ):
            out[key] = merged(old, new)
        else:
            out[key] = new
    return out


def _spelled_out(values: dict[str, Any]) -> dict[str, Any]:
    """`data = "mnist"` as a table with that name; t-SNE where no method is named; a map by PCA has two axes."""
    values = dict(values)
    if isinstance(values.get("data"), str):
        values["data"] = {"name": values["data"]}
    if isinstance(values.get("embed"), dict):
        values["embed"] = {"method": "tsne", **values["embed"]}
        if values["embed"]["method"] == "pca":
            values["embed"].setdefault("n_components", 2)
    return values


def _sentence(error: ValidationError) -> str:
    """The first problem of a failed validation, in one sentence."""
    problem = error.errors(include_url=False)[0]
    # pydantic names the branch of a union inside the path ("tsne", "constrained-int"): not for people.
    where = ".".join(part for part in problem["loc"] if isinstance(part, str) and part in _SETTING_NAMES)
    reason = problem.get("ctx", {}).get("error")
    if isinstance(reason, InputError):
        return str(reason)
    if reason is not None:
        return f"{where}: {reason}." if where else f"{reason}."
    if problem["type"] == "extra_forbidden":
        return _unknown_setting(*(str(part) for part in problem["loc"]))
    if problem["type"].startswith("union_tag"):
        return str(unknown_name("method", str(problem["input"].get("method")), ("tsne", "umap", "pca")))
    return f"{where or 'the recipe'} is {problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}."


def _unknown_setting(*path: str) -> str:
    """What to say of a setting that its table does not have."""
    *table, name = path
    homes = [home for home, settings in _TABLES.items() if name in settings.model_fields]
    if homes:
        here = ".".join(table) or "the recipe itself"
        return f"{name} is not a setting of {here}, only of {', '.join(homes)}: move it or leave it out."
    return str(unknown_name("setting", name, sorted(_SETTING_NAMES)))


_TABLES: dict[str, type[Settings]] = {
    "the recipe itself": Recipe,
    "data": Data,
    "reduce": PCA,
    "embed.tsne": TSNE,
    "embed.umap": UMAP,
    "embed.pca": PCA,
    "cluster": KMeans,
}
_SETTING_NAMES = {name for settings in _TABLES.values() for name in settings.model_fields}
