"""What is usual around each reference row: how far its neighbours are, and how its affinity falls with distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .. import methods
from ..datasets.dataset import pick_rows
from ..nearness import slices

if TYPE_CHECKING:
    from ..engines.mesh.affinities import Widths
    from ..engines.mesh.index import Index

NEIGHBORS = 15
"""Nearest reference rows that are told of a placed one, and by which its distance is judged."""

FAR = 0.99
"""A row is far if so great a share of the reference's own rows are nearer to the others."""

_SAMPLE = 4_096  # Rows whose own distances tell what is usual, or one of 16 if that is more.
_BATCH = 32_768  # Rows that are searched for together.


def widths(made: Index, features: np.ndarray, settings: methods.TSNE, threads: int) -> Widths:
    """The bandwidths of the reference rows' affinities, from a search of all their neighbours."""
    from ..engines.mesh import affinities

    n, parts = len(features), []
    for rows in slices(n, _BATCH):
        names = np.arange(rows.start, min(rows.stop, n))
        _, squares = made.query(features[rows], min(settings.n_neighbors(), n - 1), threads, names)
        parts.append(affinities.widths(squares, affinities.conditional(squares, settings.perplexity, threads)))
    return affinities.Widths(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("beta", "level")))


def measure(made: Index, features: np.ndarray, seed: int, threads: int) -> tuple[np.ndarray, float]:
    """What is usual in each cluster, (clusters,) float32, and beyond which multiple of it a row is far."""
    n = len(features)
    sample = pick_rows(n, min(n, max(_SAMPLE, n // 16)), seed)
    nearest, squares = made.query(features[sample], min(NEIGHBORS, n - 1), threads, names=sample)
    distances = np.sqrt(squares)
    own = distances.mean(axis=1, dtype=np.float64)
    labels = made.labels()
    clusters = labels[sample]
    present = np.bincount(clusters, minlength=len(made.counts))
    overall = float(own.mean())
    # A cluster of copies, or one without a row in the sample, has no measure of its own.
    sums = np.bincount(clusters, own, minlength=len(made.counts))
    usual = np.where(present > 0, sums / np.maximum(present, 1), overall)
    usual = np.maximum(usual, max(overall * 1e-3, 1e-30)).astype(np.float32)
    # As of a new row, which has no cluster of its own but that of the reference row nearest to it.
    return usual, float(np.quantile(novelty(usual[labels[nearest[:, 0]]], distances), FAR))


def novelty(usual: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Mean distances, (m, k), over what is usual around each row, float32."""
    novelty: np.ndarray = np.minimum(distances.astype(np.float64).mean(axis=1) / usual, 1e30).astype(np.float32)
    return novelty
