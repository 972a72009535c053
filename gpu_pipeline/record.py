"""What happened in a run, as data: `Record` is written as JSON, `Run` adds the arrays."""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InputError
from .methods import PCA, KMeans
from .recipe import Recipe, make

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from PIL import Image

    from .placing import Reference
    from .scoring import Scores

SCHEMA = 1
"""Version of a stored run's form."""


@dataclass(frozen=True)
class Record:
    """How a run came about.

    Attributes
    ----------
    recipe
        What was asked.
    dataset
        What was read: `name`, `source`, `n`, `total`, `columns`, `image_shape`, `digest` (SHA-256
        of the content).
    preprocess
        The preprocessing used, where the recipe says "auto".
    engines
        Step -> name of the engine that did it.
    skipped
        Engine -> why it was passed over.
    seconds, transfer
        Step -> seconds of work, and of moving arrays to or from the engine's device.
    facts
        Step -> figures that its engine gave (iterations, explained variance, inertia).
    notes
        Sentences that a reader of the result should know.
    machine
        Facts of the computer and versions of the libraries.
    created
        When, ISO 8601 in UTC.
    """

    recipe: Recipe
    dataset: dict[str, Any]
    preprocess: str
    engines: dict[str, str]
    skipped: dict[str, str]
    seconds: dict[str, float]
    transfer: dict[str, float]
    facts: dict[str, dict[str, Any]]
    notes: list[str]
    machine: dict[str, Any]
    created: str
    schema: int = SCHEMA

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives the record back."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {**values, "recipe": self.recipe.model_dump(exclude_none=True)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Record:
        return cls(**{**values, "recipe": make(values["recipe"])})


@dataclass
class Run:
    """A finished run: the map with everything that was found out about it.

    Attributes
    ----------
    record
        How it came about.
    points
        One row a point: `row` (index in the data set), `x`, `y`, `label` (absent without labels, NA where a row has
        none), `cluster`, `neighbor_recall` in [0, 1] (NaN where not measured), `misfit` (as `label`: whether it differs
        from the majority of its cluster), `vote` (with labels: that of most of the 10 nearest points on the map that
        have one), `nearest_row` and `nearest_distance` (the nearest other row in the features; a copy is at 0), and
        the data set's kept columns. Beyond 100,000 rows there is no `vote` and no nearest row.
    features
        (n, d) float32, what the embedding saw; None where only landmarks were embedded, whose features are with
        them.
    scores
        The figures of quality.
    path
        Folder where the run is stored, or None.
    """

    record: Record
    points: pd.DataFrame
    features: np.ndarray | None
    scores: Scores
    path: Path | None = None
    _reference: Reference | None = field(default=None, repr=False)
    _picture: Image.Image | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        title, subtitle = self.title()
        return f"<Run: {title}, {subtitle}{'' if self.path is None else f', in {self.path}'}>"

    @property
    def embedding(self) -> np.ndarray:
        """The map, (n, 2) float32."""
        return self.points[["x", "y"]].to_numpy()

    @property
    def reference(self) -> Reference:
        """What new rows are placed by; read from the run's folder when first asked for.

        Raises
        ------
        InputError
            If the map is by UMAP, or the run was stored by a version that did not keep it.
        """
        if self._reference is None:
            from .placing import Reference

            if self.record.recipe.embed.method == "umap":
                raise InputError(
                    "a map by UMAP takes no new rows, because its model cannot be kept without pickle: make the run "
                    "with --method tsne or pca."
                )
            if self.features is None:
                self._reference = self.landmarks().reference
                return self._reference
            folder = None if self.path is None else self.path / "reference"
            if folder is None or not folder.is_dir():
                raise InputError(
                    f"{self.path or 'this run'} keeps nothing to place new rows by, being older than that: make it "
                    "again from its recipe."
                )
            self._reference = Reference.load(folder, self.features, self.embedding)
        return self._reference

    def landmarks(self) -> Run:
        """The run of the rows that were embedded, where the others were placed: a stored run in this one's folder.

        Raises
        ------
        InputError
            If all rows were embedded.
        """
        from .store import open_run

        if self.features is not None or self.path is None:
            raise InputError(f"{self.path or 'this run'} has no landmarks: all its rows were embedded.")
        return open_run(self.path / "landmarks")

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Places of new rows on the map, (m, 2) float32; `reference.place` tells more about them.

        Parameters
        ----------
        X
            (m, columns) numbers as they are stored, in the columns of the run's data.

        Raises
        ------
        InputError
            If the rows cannot be used, or the run takes none; see `reference`.
        """
        return self.reference.place(X).embedding

    def title(self) -> tuple[str, str]:
        """Title and subtitle of its pictures."""
        return title_of(self.record, self.scores)

    def draw(self, colour: str = "label", *, embedding: Any = None, **options: Any) -> Image.Image:
        """Picture of the map.

        Parameters
        ----------
        colour
            "label", "cluster", "misfit", "neighbor_recall", "density" or another column of `points`.
        embedding
            The map where a GPU still holds it, (n, 2); its points are counted there then.
        options
            Passed to `gpu_pipeline.render.picture`.
        """
        from .render import Table, picture

        if colour == "label" and "label" not in self.points:
            colour = "cluster"
        points: Table = self.points
        if embedding is not None:
            points = {str(name): self.points[name] for name in self.points}
            points |= {"x": embedding[:, 0], "y": embedding[:, 1]}
        title, subtitle = self.title()
        return picture(points, colour, **{"title": title, "subtitle": subtitle, **options})

    def picture(self, embedding: Any = None) -> Image.Image:
        """The run's own picture, drawn once; `embedding` as in `draw`."""
        if self._picture is None:
            self._picture = self.draw(embedding=embedding)
        return self._picture

    def save(self, folder: str | Path = "runs") -> Path:
        """Store the run in a folder of its own under `folder`; see `gpu_pipeline.store.save`."""
        from .store import save

        return save(self, folder)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.picture().save(buffer, format="png")
        return buffer.getvalue()


METHODS = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}
"""How the methods of maps are written."""


def title_of(record: Record, scores: Scores) -> tuple[str, str]:
    """Title and subtitle of a run's pictures."""
    n, total = record.dataset["n"], record.dataset["total"]
    parts = [f"{n:,} points" if n == total else f"{n:,} of {total:,} points"]
    if record.recipe.data.landmarks is not None:
        parts.append(f"{record.recipe.data.landmarks:,} landmarks")
    parts.append(f"engine {record.engines['embed']}")
    method = METHODS[record.recipe.embed.method]
    if scores.values["kl"] is not None and record.recipe.embed.method == "tsne":
        parts.append(f"KL {scores.values['kl']:.3f}")
    return f"{method} of {record.dataset['name']}", ", ".join(parts)


def settings_of(recipe: Recipe) -> str:
    """What tells maps of a sweep apart, for reading: perplexity or neighbours, what is not as usual, and the seed."""
    embed = recipe.embed
    parts = []
    if not isinstance(embed, PCA):
        usual = {**type(embed)().model_dump(), "perplexity": None, "n_neighbors": None}
        told = {name: value for name, value in embed.model_dump().items() if value != usual[name]}
        parts = [f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in told.items()]
    if recipe.reduce.n_components != PCA().n_components:
        parts.append(f"{recipe.reduce.n_components} components" if recipe.reduce.n_components else "all columns")
    if recipe.preprocess != "auto":
        parts.append(f"preprocess {recipe.preprocess}")
    if recipe.cluster.n_clusters != KMeans().n_clusters:
        parts.append(f"{recipe.cluster.n_clusters} clusters")
    if recipe.cluster_on != "map":
        parts.append(f"clusters on {recipe.cluster_on}")
    parts.append(f"seed {recipe.seed}")
    if recipe.data.sample_seed is not None:
        parts.append(f"sample seed {recipe.data.sample_seed}")
    return ", ".join(parts).replace("_", " ")


def unlike(left: Record, right: Record) -> dict[str, tuple[str, ...]]:
    """Why some scores of two runs, A and B, do not say which map is better: each reason and the scores it holds for."""
    reasons: dict[str, tuple[str, ...]] = {}
    a, b = left.dataset["n"], right.dataset["n"]
    if a != b:
        said = f"A has {a:,} rows and B {b:,}: KL and scores by neighbours change with how many there are."
        reasons[said] = ("trustworthiness", "neighbor_recall", "label_accuracy", "kl")
    by, other = _features(left), _features(right)
    if by != other:
        said = f"A is judged by {by} and B by {other}: each by what its own map was made from."
        reasons[said] = ("trustworthiness", "neighbor_recall", "kl")
    one, two = left.recipe.judge_perplexity(), right.recipe.judge_perplexity()
    if one != two:
        reasons[f"KL is at a perplexity of {one:g} for A and of {two:g} for B."] = ("kl",)
    methods = left.recipe.embed.method, right.recipe.embed.method
    if methods[0] != methods[1] and "tsne" in methods:
        other = "B" if methods[0] == "tsne" else "A"
        reasons[f"KL is what t-SNE lowers; the map of {other} was not made to."] = ("kl",)
    return reasons


def cautions(left: Record, right: Record) -> tuple[list[str], set[str]]:
    """What a reader of two runs' figures side by side should know, and the scores that cannot be compared.

    Raises
    ------
    InputError
        If the runs are of two known data sets, which have no row in common.
    """
    from .compare import doubt

    doubted, reasons = doubt(left.dataset, right.dataset), unlike(left, right)
    notes = [*filter(None, [doubted]), *_samples(left, right)]
    return [*notes, *reasons], {name for names in reasons.values() for name in names}


def _samples(left: Record, right: Record) -> list[str]:
    """A note where two runs are of other rows, since the seed draws the sample too."""
    a, b = left.dataset, right.dataset
    alike = left.recipe.seed_of_sample() == right.recipe.seed_of_sample()
    if alike or a["digest"] == b["digest"] or a["n"] == a["total"]:
        return []
    return ["A and B are different samples, drawn by their seeds (--sample-seed): scores differ by the rows, too."]


def made_from(record: Record) -> str:
    """What a map was made from, and is judged by, with how much of the rows' variance it has."""
    share = record.facts.get("reduce", {}).get("explained_variance_ratio")
    return _features(record) + ("" if share is None else f" with {share:.1%} of the variance")


def _features(record: Record) -> str:
    """What a map was made from, and is judged by."""
    asked, columns = record.recipe.reduce.n_components, record.dataset["columns"]
    kept = f"{asked} components" if 0 < asked < columns else f"all {columns:,} columns"
    return f"{kept} ({record.preprocess})"
