"""All scores of a map in one call: which rows each is over, and what could not be measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from . import contingency, metrics
from .datasets.dataset import pick_rows
from .datasets.labels import as_column, labelled, without
from .engines import Progress, Report, silent
from .errors import InputError
from .methods import TSNE
from .nearness import map_neighbors, nearest_places, slices
from .neighbors import NeighborLists, neighbor_lists, neighbors_of
from .pairs import Pairs

EXACT_ROWS = 100_000
"""Up to so many rows all neighbour lists are found, and KL is measured."""

NEIGHBORS = 15
"""Neighbours for trustworthiness and recall, fewer where there are not twice as many rows."""

VOTERS = 10
"""Neighbours that vote in `label_accuracy`."""

QUERIES = 5_000
"""Rows that quadratic scores are over at most."""

PAIRS = 2_500_000_000
"""Distances to compute at most when the rows are very many: there are fewer queries then, at least 500."""

MANY_CLASSES = 100
"""Classes up to which it is said how to have a cluster for each."""

_STAGES = ("labels", "neighbors", "map", "silhouette", "trustworthiness", "kl")


@dataclass(frozen=True)
class Scores:
    """The figures of quality of one map.

    Attributes
    ----------
    values
        Score -> figure, None where it could not be measured; the names are those of `metrics.METRICS`.
    sizes
        Score -> how many rows (or sampled queries) it is over; only scores that were measured.
    neighbor_recall
        (n,) float32 recall of each point's 15 nearest neighbours, NaN where not measured.
    misfit
        (n,) bool, whether a point's label differs from the majority of its cluster; masked where it has no label, None
        without labels.
    confusion
        `classes`, `clusters` and `counts` (one list of counts for each class); None without labels.
    engine
        The engine that found the neighbours.
    skipped
        Engine passed over -> why.
    notes
        What a reader of the figures should know.
    vote
        (n,) the label that most of the 10 nearest points with a label have on the map, of equals that of the nearest;
        None without labels, beyond 100,000 rows, and of a run that was opened, whose points have it.
    nearest, nearest_distance
        (n,) position of the nearest other row in the features, and its Euclidean distance, float32, which is 0 for a
        copy; None as for `vote`, but labels or none.
    """

    values: dict[str, float | None]
    sizes: dict[str, int]
    neighbor_recall: np.ndarray
    misfit: np.ndarray | None
    confusion: dict[str, list[Any]] | None
    engine: str
    skipped: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    vote: np.ndarray | None = None
    nearest: np.ndarray | None = None
    nearest_distance: np.ndarray | None = None

    def __repr__(self) -> str:
        measured = {name: value for name, value in self.values.items() if value is not None}
        return f"<Scores: {', '.join(f'{name} {value:.3f}' for name, value in measured.items())}>"

    def columns(self, rows: np.ndarray) -> dict[str, Any]:
        """What is known of each point, as columns of a table; `rows` (n,) are the points' in the data set."""
        columns: dict[str, Any] = {"neighbor_recall": self.neighbor_recall}
        for name in ("misfit", "vote"):
            if (values := getattr(self, name)) is not None:
                columns[name] = as_column(values)
        if self.nearest is not None:
            columns |= {"nearest_row": rows[self.nearest], "nearest_distance": self.nearest_distance}
        return columns

    def to_json(self) -> dict[str, Any]:
        """Plain values of all but the arrays; `from_json` gives them back."""
        names = ("values", "sizes", "confusion", "engine", "skipped")
        return {**{name: getattr(self, name) for name in names}, "notes": list(self.notes)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Scores:
        """Scores from plain values; the arrays lie with the points, here they are empty or None."""
        empty = np.empty(0, dtype=np.float32)
        return cls(**{**values, "notes": tuple(values["notes"])}, neighbor_recall=empty, misfit=None)


@dataclass
class _Sheet:
    """Scores while they are being made."""

    values: dict[str, float | None] = field(default_factory=lambda: dict.fromkeys(metrics.METRICS))
    sizes: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def enter(self, name: str, value: float, size: int) -> None:
        self.values[name] = value
        self.sizes[name] = size


def score(
    features: np.ndarray,
    embedding: np.ndarray,
    clusters: np.ndarray,
    labels: np.ndarray | None,
    *,
    perplexity: float = 30.0,
    engine: str = "auto",
    seed: int = 0,
    queries: int = QUERIES,
    report: Report = silent,
    held: Mapping[str, Any] = MappingProxyType({}),
) -> Scores:
    """Measure a map and its clusters.

    Parameters
    ----------
    features
        (n, d) float32: what the embedding saw, the judge's space.
    embedding
        (n, 2) map.
    clusters
        (n,) cluster of each row.
    labels
        (n,) class of each row, numbers or strings, or None; masked where a row has none. Scores by label are over the
        rows that have one: the others are in no count and have no vote.
    perplexity
        For the affinities that KL is measured against.
    engine
        Which engine finds the exact neighbours, or "auto".
    seed
        Of the sample of queries.
    queries
        Rows that trustworthiness and silhouette are over, against all rows, if there are more of them.
        Beyond 100,000 rows also those of all scores by neighbours; fewer, where distances would be
        more than `PAIRS`.
    report
        Called after each of six stages. There is nothing to stop early: its answer changes nothing.
    held
        Name of an engine -> the features where it holds them already, as `neighbor_lists` takes them.

    Raises
    ------
    InputError
        If there are fewer than 3 rows, the arrays do not have the same number of them, or the map has
        values that are not finite.
    Unavailable, Unsupported, EngineFailed
        If the named engine cannot find the neighbours.
    """
    _check(features, embedding, clusters, labels)
    n = len(features)
    rows = _queries(n, queries, seed)
    sheet = _Sheet()

    def done(stage: str) -> None:
        report(Progress(done=_STAGES.index(stage) + 1, total=len(_STAGES)))

    misfit, confusion = (None, None) if labels is None else _score_labels(sheet, labels, clusters)
    done("labels")
    if n <= EXACT_ROWS:
        wanted = max(TSNE(perplexity=perplexity).n_neighbors(), NEIGHBORS)
        lists = neighbor_lists(features, min(wanted, n - 1), engine=engine, seed=seed, held=held)
        listed = np.arange(n)
    else:
        lists = neighbors_of(features, rows, NEIGHBORS, engine=engine, held=held)
        listed = rows
    done("neighbors")
    recall = np.full(n, np.nan, dtype=np.float32)
    recall[listed], votes = _score_map(sheet, lists, embedding, labels, listed)
    done("map")
    pairs = Pairs(features, embedding, lists.engine, held, sheet.notes.append)
    _score_silhouette(sheet, pairs, clusters, rows)
    done("silhouette")
    sheet.enter("trustworthiness", pairs.trustworthiness(clipped(n), rows), len(rows))
    done("trustworthiness")
    _score_kl(sheet, pairs, lists, n, perplexity)
    done("kl")
    notes = tuple(sheet.notes)
    figures = (sheet.values, sheet.sizes, recall, misfit, confusion, lists.engine, lists.skipped, notes)
    if len(listed) < n:
        return Scores(*figures)
    nearest = lists.indices[:, 0]
    return Scores(*figures, vote=votes, nearest=nearest, nearest_distance=_distances(features, nearest))


def _check(features: np.ndarray, embedding: np.ndarray, clusters: np.ndarray, labels: np.ndarray | None) -> None:
    if len(features) < 3:
        raise InputError(f"a map of {len(features)} rows cannot be scored: take 3 rows or more.")
    lengths = {"map coordinates": len(embedding), "clusters": len(clusters)}
    if labels is not None:
        lengths["labels"] = len(labels)
    for name, length in lengths.items():
        if length != len(features):
            raise InputError(
                f"the {name} cover {length:,} rows but the features {len(features):,}: give both for the same rows."
            )
    broken = np.flatnonzero(~np.isfinite(embedding).all(axis=1))
    if len(broken):
        raise InputError(
            f"the map has {len(broken):,} points that are not finite, the first in row {broken[0]}: "
            "make it again with a lower learning rate."
        )


def how_many_queries(n: int, most: int = QUERIES) -> int:
    """Rows that the quadratic scores of n rows are over."""
    return min(n, min(most, max(500, PAIRS // n)) if n > EXACT_ROWS else most)


def _queries(n: int, most: int, seed: int) -> np.ndarray:
    """Rows that the quadratic scores are over, sorted."""
    return pick_rows(n, how_many_queries(n, most), seed)


def _score_labels(sheet: _Sheet, labels: np.ndarray, clusters: np.ndarray) -> tuple[np.ndarray, dict[str, list[Any]]]:
    known = labelled(labels)
    of, within = np.ma.getdata(labels)[known], clusters[known]
    for name in ("accuracy", "purity", "ari", "nmi"):
        sheet.enter(name, getattr(metrics, name)(of, within), len(of))
    classes, ids, counts = metrics.confusion(of, within)
    confusion = {"classes": classes.tolist(), "clusters": ids.tolist(), "counts": counts.tolist()}
    sheet.notes.extend(few_clusters(counts))
    misfit = np.zeros(len(labels), bool)
    misfit[known] = metrics.misfits(of, within)
    return without(misfit, ~known), confusion


def few_clusters(counts: np.ndarray) -> tuple[str, ...]:
    """What to say where there are fewer clusters than classes, of their table of counts."""
    classes, clusters = counts.shape
    if clusters >= classes:
        return ()
    most = f"accuracy and purity are {contingency.bound(counts):.3f} at most"
    advice = f"; --clusters {classes} has one for each" if classes <= MANY_CLASSES else ""
    return (f"fewer clusters ({clusters}) than labels ({classes:,}): {most}{advice}",)


def _score_silhouette(sheet: _Sheet, pairs: Pairs, clusters: np.ndarray, rows: np.ndarray) -> None:
    if len(np.unique(clusters)) < 2:
        sheet.notes.append("there is only one cluster, so that there is no silhouette")
        return
    sheet.enter("silhouette", pairs.silhouette(clusters, rows), len(rows))


def _score_map(
    sheet: _Sheet, lists: NeighborLists, embedding: np.ndarray, labels: np.ndarray | None, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Recall and label accuracy; gives the recall of each of `rows`, which `lists` belong to, and the label that its
    neighbours on the map vote for."""
    n = len(embedding)
    k = clipped(n)
    if k < NEIGHBORS:
        sheet.notes.append(f"scores by neighbours are over {k} neighbours, not {NEIGHBORS}: there are only {n} rows")
    on_map = map_neighbors(embedding, min(max(k, VOTERS), n - 1), rows)
    recall = metrics.neighbor_recall(lists.indices, on_map, k, lists.distances)
    sheet.enter("neighbor_recall", float(recall.mean(dtype=np.float64)), len(rows))
    return recall, None if labels is None else _score_votes(sheet, labels, embedding, on_map, rows)


def _score_votes(
    sheet: _Sheet, labels: np.ndarray, embedding: np.ndarray, on_map: np.ndarray, rows: np.ndarray
) -> np.ndarray | None:
    """Label accuracy; `on_map` are the neighbours of `rows` among all. Gives their votes; None if too few have one."""
    known = labelled(labels)
    classes, codes = np.unique(np.ma.getdata(labels)[known], return_inverse=True)
    own = known[rows]
    # Numbered anew, those that have a label alone.
    numbers = (np.cumsum(known) - 1)[rows[own]]
    if len(codes) < 2 or not len(numbers):
        sheet.notes.append(f"only {len(codes):,} rows have a label, too few for label accuracy")
        return None
    votes = np.empty(len(rows), codes.dtype)
    if known.all():
        votes[:] = metrics.vote(codes, on_map, VOTERS)
    else:
        voters, near = embedding[known], min(VOTERS, len(codes) - 1)
        votes[own] = metrics.vote(codes, map_neighbors(voters, near, numbers), VOTERS)
        votes[~own] = metrics.vote(codes, nearest_places(voters, embedding[rows[~own]], near), VOTERS)
    sheet.enter("label_accuracy", float((votes[own] == codes[numbers]).mean()), len(numbers))
    return np.asarray(classes[votes])


def _distances(X: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each row to one other, (n,) float32: 0 of copies, for which an engine's lists may have more."""
    away = np.empty(len(X), np.float32)
    for part in slices(len(X), 16_384):
        away[part] = np.linalg.norm(X[part].astype(np.float64) - X[others[part]], axis=1)
    return away


def clipped(n: int) -> int:
    """Neighbours to look at: with half of all rows or more, trustworthiness and recall say nothing."""
    return min(NEIGHBORS, (n - 1) // 2)


def _score_kl(sheet: _Sheet, pairs: Pairs, lists: NeighborLists, n: int, perplexity: float) -> None:
    if n > EXACT_ROWS:
        some = f"{len(lists.indices):,} rows"
        sheet.notes.append(f"beyond {EXACT_ROWS:,} rows KL is not measured, and neighbours are found of only {some}")
        return
    k = TSNE(perplexity=perplexity).n_neighbors()
    if k >= n:
        sheet.notes.append(f"KL is over the {n - 1} neighbours that there are, not {k}")
    sheet.enter("kl", pairs.kl(lists, k, perplexity), n)
