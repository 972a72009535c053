"""What happened in a run, as data: `Record` is written as JSON, `Run` adds the arrays."""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .recipe import Recipe, make

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from PIL import Image

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
        One row a point: `row` (index in the data set), `x`, `y`, `label` (absent without labels),
        `cluster`, `neighbor_recall` in [0, 1] (NaN where not measured), `misfit`.
    features
        (n, d) float32, what the embedding saw.
    scores
        The figures of quality.
    path
        Folder where the run is stored, or None.
    """

    record: Record
    points: pd.DataFrame
    features: np.ndarray
    scores: Scores
    path: Path | None = None
    _picture: Image.Image | None = field(default=None, repr=False)

    @property
    def embedding(self) -> np.ndarray:
        """The map, (n, 2) float32."""
        return self.points[["x", "y"]].to_numpy()

    def title(self) -> tuple[str, str]:
        """Title and subtitle of its pictures."""
        record = self.record
        n, total = record.dataset["n"], record.dataset["total"]
        rows = f"{n:,} points" if n == total else f"{n:,} of {total:,} points"
        method = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}[record.recipe.embed.method]
        parts = [rows, f"engine {record.engines['embed']}"]
        if self.scores.values["kl"] is not None and record.recipe.embed.method == "tsne":
            parts.append(f"KL {self.scores.values['kl']:.3f}")
        return f"{method} of {record.dataset['name']}", ", ".join(parts)

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
