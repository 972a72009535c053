"""The scores that are over pairs of rows: by the GPU that found their neighbours, or by the processors."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import metrics
from .engines import load, quality
from .errors import EngineFailed
from .neighbors import NeighborLists


class Pairs:
    """One map's scores over pairs of rows; they are exact wherever they are taken, and differ by rounding alone.

    Parameters
    ----------
    features
        (n, d) float32 rows.
    embedding
        (n, 2) map.
    engine
        The engine that found the neighbours: if it works on a GPU, so do these scores, until it fails.
    held
        Name of an engine -> the features where it holds them already.
    note
        Told why a GPU did not take them.
    """

    def __init__(
        self,
        features: np.ndarray,
        embedding: np.ndarray,
        engine: str,
        held: Mapping[str, Any],
        note: Callable[[str], object],
    ) -> None:
        self._features, self._embedding, self._note = features, embedding, note
        self._engine, self._held = load(engine), held.get(engine)
        self._on_gpu = self._engine.DEVICE == "gpu"

    def silhouette(self, clusters: np.ndarray, rows: np.ndarray) -> float:
        """`metrics.silhouette` of some rows."""
        return self._take(
            lambda xp: quality.silhouette(self._embedding, clusters, rows, xp),
            lambda: metrics.silhouette(self._embedding, clusters, rows),
        )

    def trustworthiness(self, k: int, rows: np.ndarray) -> float:
        """`metrics.trustworthiness` of some rows."""
        return self._take(
            lambda xp: quality.trustworthiness(self._there(), self._embedding, k, rows, xp),
            lambda: metrics.trustworthiness(self._features, self._embedding, k, rows),
        )

    def kl(self, lists: NeighborLists, k: int, perplexity: float) -> float:
        """`metrics.kl_divergence` from the affinities of the first k neighbours of every row."""
        indices, distances = lists.indices[:, :k], lists.distances[:, :k]
        return self._take(
            lambda xp: quality.kl(indices, distances, self._embedding, perplexity, xp),
            lambda: metrics.kl_divergence(metrics.joint_probabilities(indices, distances, perplexity), self._embedding),
        )

    def _there(self) -> Any:
        """The features on the GPU."""
        if self._held is None:
            self._held = self._engine.put(self._features)
        return self._held

    def _take(self, on_gpu: Callable[[Any], float], on_processors: Callable[[], float]) -> float:
        if self._on_gpu:
            try:
                return on_gpu(self._engine.arrays())
            except EngineFailed as reason:
                self._note(f"scores were taken on the CPU: {reason}")
                self._on_gpu, self._held = False, None
            gc.collect()  # Outside the handler, whose traceback would keep arrays on the GPU.
        return on_processors()
