"""New rows on a map that stays as it is: what a run keeps for them, and how they are placed.

A t-SNE map takes a new row by the nearest rows that it was made from, and by its own repulsion; a map by PCA takes it
by its axes. Each row is placed alone: its bytes depend neither on the rows it comes with nor on the number of threads.
See docs/placing.md.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from . import engines, methods
from .datasets.dataset import pick_rows
from .errors import InputError
from .nearness import slices
from .preprocess import preprocess

if TYPE_CHECKING:
    from .engines.mesh.index import Index
    from .engines.mesh.place import Field

SCHEMA = 1
"""Version of a stored reference's form."""

FILE = "reference.json"
"""The file of a stored reference that names the others."""

NEIGHBORS = 15
"""Nearest reference rows that are told of a placed one, and by which its distance is judged."""

FAR = 0.99
"""A row is far if so great a share of the reference's own rows are nearer to the others."""

_SAMPLE = 4_096  # Reference rows whose own distances tell what is usual, or one of 16 of them if that is more.
_BATCH = 32_768  # New rows that are worked on together.


@dataclass(frozen=True)
class Axes:
    """A projection: rows less `mean` (columns,), times `axes` (columns, components), float32."""

    mean: np.ndarray
    axes: np.ndarray


@dataclass(frozen=True)
class Preparation:
    """How raw rows were prepared.

    Attributes
    ----------
    how
        A name in `preprocess.PREPROCESS`.
    columns
        Columns of a raw row.
    limits
        What became 0 and 1.
    image_shape
        Height and width, if rows are images.
    """

    how: str
    columns: int
    limits: tuple[float, float]
    image_shape: tuple[int, int] | None = None


def features_of(
    X: np.ndarray, preparation: Preparation | None, reduction: Axes | None, threads: int | None = None
) -> np.ndarray:
    """Features of raw rows, (m, d) float32: prepared, and reduced; a row's do not depend on the others."""
    from .engines.mesh.project import project

    threads = threads or engines.threads()
    features = np.empty((len(X), X.shape[1] if reduction is None else reduction.axes.shape[1]), np.float32)
    for part in slices(len(X), _BATCH):
        rows = X[part]
        if preparation is not None:
            rows = preprocess(rows, preparation.how, preparation.image_shape, preparation.limits)
        if reduction is not None:
            rows = project(rows, reduction.mean, reduction.axes, threads)
        features[part] = rows
    return features


@dataclass(frozen=True)
class Placed:
    """New rows on the map.

    Attributes
    ----------
    embedding
        Their places, (m, 2) float32.
    neighbors
        The reference rows nearest to each in the features, nearest first, (m, at most 15) int32: positions in the
        reference's own order.
    distances
        Their distances in the features, (m, at most 15) float32.
    novelty
        How far each row is from what the reference knows, (m,) float32: its mean distance to those neighbours, over
        the mean of such a mean for reference rows near there. About 1 is usual.
    far
        `novelty` beyond which a row is called far: 1 % of the reference's own rows are.
    """

    embedding: np.ndarray
    neighbors: np.ndarray
    distances: np.ndarray
    novelty: np.ndarray
    far: float


@dataclass(frozen=True, eq=False)
class Reference:
    """A map and all that it takes to place new rows on it; made by `build` or `load`.

    Attributes
    ----------
    index
        The reference rows' features, to be asked for neighbours.
    embedding
        The map, (n, 2) float32.
    method
        How the map was made, "tsne" or "pca".
    perplexity, exaggeration
        Of the map's t-SNE; 0 where it is none.
    usual
        Mean distance of a reference row to its 15 nearest, by the index's clusters, (clusters,) float32.
    far
        See `Placed.far`.
    field
        The map's repulsion; None unless it is by t-SNE.
    preparation
        How raw rows were prepared; None if raw rows are what the reduction, or the map, was made from.
    reduction
        From prepared rows to features; None if all columns were kept.
    map_axes
        From features to the map, if it is by PCA.
    """

    index: Index
    embedding: np.ndarray
    method: Literal["tsne", "pca"]
    perplexity: float
    exaggeration: float
    usual: np.ndarray
    far: float
    field: Field | None = None
    preparation: Preparation | None = None
    reduction: Axes | None = None
    map_axes: Axes | None = None

    @classmethod
    def build(
        cls,
        features: np.ndarray,
        embedding: np.ndarray,
        settings: methods.TSNE | methods.PCA,
        *,
        preparation: Preparation | None = None,
        reduction: Axes | None = None,
        map_axes: Axes | None = None,
        seed: int = 0,
        threads: int | None = None,
    ) -> Reference:
        """The reference of a map.

        Parameters
        ----------
        features
            What the map was made from, (n, d) float32.
        embedding
            The map, (n, 2) float32.
        settings
            How it was made: of t-SNE the perplexity and the late exaggeration count.
        preparation, reduction, map_axes
            How raw rows become features and, by PCA, features places; see the attributes.
        seed
            Of the index.
        threads
            Threads to use; default as many as there are processors.
        """
        from .engines.mesh import index, place

        threads = threads or engines.threads()
        features = np.ascontiguousarray(features, dtype=np.float32)
        embedding = np.ascontiguousarray(embedding, dtype=np.float32)
        made = index.build(features, seed, threads)
        usual, far = _usual(made, features, seed, threads)
        by_tsne = isinstance(settings, methods.TSNE)
        return cls(
            index=made,
            embedding=embedding,
            method=settings.method,
            perplexity=settings.perplexity if isinstance(settings, methods.TSNE) else 0.0,
            exaggeration=settings.exaggeration if isinstance(settings, methods.TSNE) else 0.0,
            usual=usual,
            far=far,
            field=place.field_of(embedding) if by_tsne else None,
            preparation=preparation,
            reduction=reduction,
            map_axes=map_axes,
        )

    @property
    def columns(self) -> int:
        """Columns of a raw row."""
        if self.preparation is not None:
            return self.preparation.columns
        return self.index.X.shape[1] if self.reduction is None else len(self.reduction.mean)

    def features_of(self, X: np.ndarray, threads: int | None = None) -> np.ndarray:
        """Features of raw rows, (m, d) float32: prepared with the reference's own limits, and reduced.

        Raises
        ------
        InputError
            If the rows have another number of columns than the reference's, or are no finite numbers.
        """
        X = np.asanyarray(X)
        _check(X, self.columns, "columns")
        return features_of(X, self.preparation, self.reduction, threads)

    def place(self, X: np.ndarray, threads: int | None = None) -> Placed:
        """Place raw rows, (m, columns); raises what `features_of` raises."""
        return self.place_features(self.features_of(X, threads), threads)

    def place_features(self, F: np.ndarray, threads: int | None = None) -> Placed:
        """Place rows of features, (m, d).

        Raises
        ------
        InputError
            If they have another number of columns than the reference's features, or are no finite numbers.
        """
        threads = threads or engines.threads()
        F = np.asarray(F)
        _check(F, self.index.X.shape[1], "features")
        k = min(NEIGHBORS, len(self.embedding))
        whole = Placed(
            np.empty((len(F), 2), np.float32),
            np.empty((len(F), k), np.int32),
            np.empty((len(F), k), np.float32),
            np.empty(len(F), np.float32),
            self.far,
        )
        for rows in slices(len(F), _BATCH):
            part = np.ascontiguousarray(F[rows], dtype=np.float32)
            whole.embedding[rows], whole.neighbors[rows], whole.distances[rows] = self._place(part, k, threads)
        whole.novelty[:] = _novelty(self.index, self.usual, whole.neighbors[:, 0], whole.distances)
        return whole

    def _place(self, F: np.ndarray, told: int, threads: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places, and the `told` nearest reference rows with their distances."""
        from .engines.mesh import place
        from .engines.mesh.project import project

        pulling = min(int(3 * self.perplexity), len(self.embedding))
        indices, squares = self.index.query(F, max(pulling, told), threads)
        if self.field is None:
            assert self.map_axes is not None
            embedding = project(F, self.map_axes.mean, self.map_axes.axes, threads)
        else:
            near = np.ascontiguousarray(indices[:, :pulling])
            p = place.affinities(np.ascontiguousarray(squares[:, :pulling]), self.perplexity, threads)
            embedding = place.settle(self.field, self.embedding, near, p, self.exaggeration, threads)
        return embedding, indices[:, :told], np.sqrt(squares[:, :told])

    def save(self, folder: str | Path, *, rows: bool = True) -> None:
        """Write plain arrays and one JSON file into a folder, which is made if need be.

        Parameters
        ----------
        folder
            Where.
        rows
            Write the reference's features and map too; without, `load` has to be given both.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {**self.index.arrays(), "usual": self.usual}
        if rows:
            arrays |= {"features": self.index.X + self.index.center, "embedding": self.embedding}
        for name, axes in (("reduction", self.reduction), ("map", self.map_axes)):
            if axes is not None:
                arrays |= {f"{name}-mean": axes.mean, f"{name}-axes": axes.axes}
        values: dict[str, Any] = {
            "schema": SCHEMA,
            "method": self.method,
            "perplexity": self.perplexity,
            "exaggeration": self.exaggeration,
            "far": self.far,
            "preparation": self.preparation and dataclasses.asdict(self.preparation),
            "field": None,
        }
        if self.field is not None:
            arrays["potential"] = self.field.potential
            values["field"] = {name: value for name, value in vars(self.field).items() if name != "potential"}
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        text = json.dumps({**values, "arrays": sorted(arrays)}, indent=1, allow_nan=False)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(
        cls, folder: str | Path, features: np.ndarray | None = None, embedding: np.ndarray | None = None
    ) -> Reference:
        """A reference that `save` wrote.

        Raises
        ------
        InputError
            If there is none in the folder, or it cannot be read.
        """
        folder = Path(folder)
        if not (folder / FILE).is_file():
            raise InputError(f"there is no reference in {folder}: make its run again.")
        try:
            return cls._read(folder, features, embedding)
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"the reference in {folder} cannot be read ({error}): make its run again.") from None

    @classmethod
    def _read(cls, folder: Path, features: np.ndarray | None, embedding: np.ndarray | None) -> Reference:
        from .engines.mesh import index, place

        values = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if values["schema"] != SCHEMA:
            raise ValueError(f"its form is {values['schema']}, this program reads {SCHEMA}")
        arrays = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in values["arrays"]}
        features = np.asarray(arrays["features"] if features is None else features)
        embedding = np.asarray(arrays["embedding"] if embedding is None else embedding)
        made = index.restore(features, {name: arrays[name] for name in index.KEPT})
        axes = {
            name: Axes(arrays[f"{name}-mean"], arrays[f"{name}-axes"])
            for name in ("reduction", "map")
            if f"{name}-mean" in arrays
        }
        laid, how = values["field"], values["preparation"]
        return cls(
            made,
            np.ascontiguousarray(embedding, dtype=np.float32),
            values["method"],
            values["perplexity"],
            values["exaggeration"],
            arrays["usual"],
            values["far"],
            None if laid is None else place.Field(arrays["potential"], **_tuples(laid)),
            None if how is None else Preparation(**_tuples(how)),
            axes.get("reduction"),
            axes.get("map"),
        )


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """Lists of JSON as the tuples that they were."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _check(X: np.ndarray, columns: int, what: str) -> None:
    if X.ndim != 2 or X.shape[1] != columns:
        shape = " x ".join(map(str, X.shape))
        raise InputError(f"the new rows are {shape} but the map's have {columns} {what}: give rows of the same {what}.")
    if X.dtype.kind not in "biuf":
        raise InputError(f"the new rows hold values of type {X.dtype}: give numbers.")
    if X.dtype.kind == "f":
        for part in slices(len(X), _BATCH):
            wrong = ~np.isfinite(X[part]).all(axis=1)
            if wrong.any():
                row = part.start + int(np.argmax(wrong))
                raise InputError(f"new row {row} (counted from 0) has a NaN or infinite value: replace or remove it.")


def _usual(made: Index, features: np.ndarray, seed: int, threads: int) -> tuple[np.ndarray, float]:
    """What is usual in each cluster, (clusters,) float32, and beyond which multiple of it a row is far."""
    n = len(features)
    sample = pick_rows(n, min(n, max(_SAMPLE, n // 16)), seed)
    _, squares = made.query(features[sample], min(NEIGHBORS, n - 1), threads, names=sample)
    distances = np.sqrt(squares)
    own = distances.mean(axis=1, dtype=np.float64)
    clusters = made.labels()[sample]
    present = np.bincount(clusters, minlength=len(made.counts))
    overall = float(own.mean())
    # A cluster of copies, or one without a row in the sample, has no measure of its own.
    sums = np.bincount(clusters, own, minlength=len(made.counts))
    usual = np.where(present > 0, sums / np.maximum(present, 1), overall)
    usual = np.maximum(usual, max(overall * 1e-3, 1e-30)).astype(np.float32)
    return usual, float(np.quantile(_novelty(made, usual, sample, distances), FAR))


def _novelty(made: Index, usual: np.ndarray, nearest: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Mean distances over what is usual around the reference row next to each, float32."""
    mean = distances.mean(axis=1, dtype=np.float64)
    novelty: np.ndarray = np.minimum(mean / usual[made.labels()[nearest]], 1e30).astype(np.float32)
    return novelty
