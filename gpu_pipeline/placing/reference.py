"""A reference: made, kept, and asked to place new rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import arguments, engines, methods
from ..errors import InputError
from ..nearness import slices
from ..preprocess import Preparation, preprocess
from ..processors import in_threads
from . import files, surroundings
from .parts import Axes, Placed, less

if TYPE_CHECKING:
    from ..engines.mesh.affinities import Widths
    from ..engines.mesh.index import Index
    from ..engines.mesh.place import Field

COPY = 1e-4
"""A row this near to a reference row, as a share of what is usual there, is that row but for rounding."""

_BATCH = 32_768  # New rows that are placed together.
_PART = 2_048  # New rows that one thread prepares at a time.


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
    widths
        The bandwidths of the reference rows' affinities; None unless the map is by t-SNE.
    preparation
        How raw rows were prepared; None if raw rows are what the reduction, or the map, was made from.
    reduction
        From prepared rows to features; None if all columns were kept.
    map_axes
        From features to the map, if it is by PCA.
    offset
        What is taken from raw rows before all else, (columns,) float64; None if nothing is.
    """

    index: Index
    embedding: np.ndarray
    method: Literal["tsne", "pca"]
    perplexity: float
    exaggeration: float
    usual: np.ndarray
    far: float
    field: Field | None = None
    widths: Widths | None = None
    preparation: Preparation | None = None
    reduction: Axes | None = None
    map_axes: Axes | None = None
    offset: np.ndarray | None = None

    @classmethod
    def build(
        cls,
        features: np.ndarray,
        embedding: np.ndarray,
        settings: methods.TSNE | methods.PCA,
        *,
        preparation: Preparation | None = None,
        reduction: Axes | None = None,
        kept: Mapping[str, np.ndarray] | None = None,
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
        preparation, reduction
            How raw rows become features; see the attributes.
        kept
            What the engine that made the map kept for new rows, see `engines.Output`. A map by PCA needs it; without
            it the neighbours of all rows are searched again for one by t-SNE.
        seed
            Of the index.
        threads
            Threads to use; default as many as there are processors.
        """
        from ..engines.mesh import affinities, index, place

        threads = _count(threads)
        features = np.ascontiguousarray(features, dtype=np.float32)
        embedding = np.ascontiguousarray(embedding, dtype=np.float32)
        made = index.build(features, seed, threads)
        typical, far = surroundings.measure(made, features, seed, threads)
        attributes: dict[str, Any] = {"perplexity": 0.0, "exaggeration": 0.0}
        if isinstance(settings, methods.TSNE):
            widths = affinities.Widths(**kept) if kept else surroundings.widths(made, features, settings, threads)
            attributes = {"perplexity": settings.perplexity, "exaggeration": settings.exaggeration}
            attributes |= {"field": place.field_of(embedding), "widths": widths}
        else:
            attributes["map_axes"] = Axes(**(kept or {}))
        return cls(
            index=made,
            embedding=embedding,
            method=settings.method,
            usual=typical,
            far=far,
            preparation=preparation,
            reduction=reduction,
            **attributes,
        )

    @property
    def columns(self) -> int:
        """Columns of a raw row."""
        if self.preparation is not None:
            return self.preparation.columns
        return self.index.X.shape[1] if self.reduction is None else len(self.reduction.mean)

    def features_of(self, X: np.ndarray, threads: int | None = None) -> np.ndarray:
        """Features of raw rows, (m, d) float32: prepared as the reference's were, and reduced.

        Raises
        ------
        InputError
            If the rows have another number of columns than the reference's, or are no finite numbers.
        """
        X = np.asanyarray(X)
        _check(X, self.columns, "columns")
        if self.offset is not None:
            X = less(X, self.offset)
        return features_of(X, self.preparation, self.reduction, threads)

    def place(self, X: np.ndarray, threads: int | None = None) -> Placed:
        """Place raw rows, (m, columns); raises what `features_of` raises."""
        return self.place_features(self.features_of(X, threads), threads)

    def place_features(self, F: np.ndarray, threads: int | None = None, *, copies: bool = True) -> Placed:
        """Place rows of features, (m, d).

        Parameters
        ----------
        F
            The rows.
        threads
            Threads to use; default as many as there are processors.
        copies
            Put a row that is a reference row but for rounding at that row's place; without, it is placed as any other.

        Raises
        ------
        InputError
            If they have another number of columns than the reference's features, or are no finite numbers.
        """
        threads = _count(threads)
        F = np.asarray(F)
        _check(F, self.index.X.shape[1], "features")
        k = min(surroundings.NEIGHBORS, len(self.embedding))
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
        nearest = whole.neighbors[:, 0]
        around = self.usual[self.index.labels()[nearest]]
        whole.novelty[:] = surroundings.novelty(around, whole.distances)
        if copies:
            same = whole.distances[:, 0] <= COPY * around
            whole.embedding[same] = self.embedding[nearest[same]]
        return whole

    def _place(self, F: np.ndarray, told: int, threads: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places, and the `told` nearest reference rows with their distances."""
        from ..engines.mesh import place
        from ..engines.mesh.project import project

        pulling = min(int(3 * self.perplexity), len(self.embedding))
        indices, squares = self.index.query(F, max(pulling, told), threads)
        if self.field is None or self.widths is None:
            assert self.map_axes is not None
            embedding = project(F, self.map_axes.mean, self.map_axes.axes, threads)
        else:
            near, at = (np.ascontiguousarray(array[:, :pulling]) for array in (indices, squares))
            p = place.affinities(near, at, self.perplexity, self.widths, threads)
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
        files.write(self, Path(folder), rows)

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
        return cls(**files.read(Path(folder), features, embedding))


def features_of(
    X: np.ndarray, preparation: Preparation | None, reduction: Axes | None, threads: int | None = None
) -> np.ndarray:
    """Features of raw rows, (m, d) float32: prepared, and reduced; those of a row do not depend on the others."""
    from ..engines.mesh.project import project

    features = np.empty((len(X), X.shape[1] if reduction is None else reduction.axes.shape[1]), np.float32)

    def fill(part: slice) -> None:
        rows = X[part]
        if preparation is not None:
            rows = preprocess(rows, preparation)
        if reduction is not None:
            rows = project(rows, reduction.mean, reduction.axes, 1)
        features[part] = rows

    in_threads(fill, slices(len(X), _PART), _count(threads))
    return features


def _count(threads: int | None) -> int:
    """Threads to use."""
    if threads is None:
        return engines.threads()
    if arguments.whole(threads, "the number of threads") < 1:
        raise InputError(f"the number of threads is {threads}: give 1 or more.")
    return threads


def _check(X: np.ndarray, columns: int, what: str) -> None:
    if X.ndim != 2:
        raise InputError(f"the new rows have {X.ndim} dimensions: give a table of (rows, {columns} {what}).")
    if X.shape[1] != columns:
        raise InputError(
            f"the new rows have {X.shape[1]:,} {what} but the map's have {columns:,}: give rows of the same {what}."
        )
    if X.dtype.kind not in "biuf":
        raise InputError(f"the new rows hold values of type {X.dtype}: give numbers.")
    if X.dtype.kind == "f":
        for part in slices(len(X), _BATCH):
            wrong = ~np.isfinite(X[part]).all(axis=1)
            if wrong.any():
                row = part.start + int(np.argmax(wrong))
                raise InputError(
                    f"new row {row} (counted from 0) has a NaN or infinite value, or one far beyond the map's: replace "
                    "or remove it."
                )
