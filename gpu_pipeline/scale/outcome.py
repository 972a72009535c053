"""What a run leaves beside its points: its record and its picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..machine import facts
from ..recipe import Recipe
from ..record import Record, Run, title_of
from ..timing import now
from . import picture
from .kmeans import Centers
from .scores import Judged
from .source import Source
from .statistics import Surveyed


@dataclass(frozen=True)
class Outcome:
    """What the steps of a run gave.

    Attributes
    ----------
    recipe, source
        What was asked for, and of which rows.
    preprocess
        How the rows were prepared: the recipe's, never "auto".
    notes
        What was told of the rows.
    surveyed, landmarks, placed, centers, judged
        What each step gave; of placing how many rows are `far`, and the corners `low` and `high` of all places.
    """

    recipe: Recipe
    source: Source
    preprocess: str
    notes: tuple[str, ...]
    surveyed: Surveyed
    landmarks: Run
    placed: dict[str, Any]
    centers: Centers
    judged: Judged

    def draw(self, table: Path, record: Record) -> Image.Image:
        """The picture of the points in a folder, by label or else by cluster, on Dask's current scheduler."""
        surveyed, placed = self.surveyed, self.placed
        column, classes, counts, absent = "cluster", np.arange(len(self.judged.sizes)), self.judged.sizes, 0
        if surveyed.classes is not None and surveyed.counts is not None:
            column, classes, counts = "label", surveyed.classes, surveyed.counts
            absent = surveyed.unlabelled
        there = counts > 0
        drawn = picture.Drawn(table, column, classes[there], counts[there], placed["low"], placed["high"], absent)
        title, subtitle = title_of(record, self.judged.scores)
        return picture.draw(drawn, title=title, subtitle=subtitle)

    def record(self) -> Record:
        """How the run came about, without the seconds that it took."""
        source, theirs, centers = self.source, self.landmarks.record, self.centers
        notes = [*self.notes, *theirs.notes, *self.judged.scores.notes]
        far = self.placed["far"] / source.total
        notes.append(f"{far:.2%} of the rows are farther from all landmarks than 99 % of the landmarks are")
        if not centers.converged:
            notes.append(f"k-means was ended after {centers.passes} passes, before its centres stood still")
        share = self.surveyed.share
        return Record(
            recipe=self.recipe,
            dataset={
                **{"name": source.name, "source": Path(source.path).name, "n": source.total, "total": source.total},
                **{"columns": source.columns, "image_shape": source.image_shape and list(source.image_shape)},
                **{"digest": self.surveyed.digest, "partitions": len(source.partitions)},
            },
            preprocess=self.preprocess,
            engines={
                **{"reduce": "dask", "embed": theirs.engines["embed"], "place": "mesh"},
                **{"cluster": "dask", "score": "dask"},
            },
            skipped=theirs.skipped,
            seconds={},
            transfer={},
            facts={
                "reduce": {} if share is None else {"explained_variance_ratio": share},
                "embed": theirs.facts.get("embed", {}),
                "cluster": {"passes": centers.passes, "inertia": centers.inertia, "converged": centers.converged},
                "place": {"landmarks": self.recipe.data.landmarks, "far_share": far},
            },
            notes=list(dict.fromkeys(notes)),
            machine=facts(),
            created=now(),
        )
