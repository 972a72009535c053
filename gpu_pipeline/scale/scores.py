"""What the map of all rows is worth: exact neighbours of seeded queries among all rows, and counts of all of them.

The figures are those of `scoring`, by the same definitions. What every row takes part in (the clusters' agreement
with labels) is over all rows; what is quadratic is over queries, each held against all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import contingency, metrics
from ..datasets.labels import joined, labelled
from ..nearness import nearer, rank_limits, slices
from ..scoring import NEIGHBORS, VOTERS, Scores, clipped, few_clusters, how_many_queries
from .kept import keep, kept
from .kmeans import On, nearest, points_of
from .place import features_of, labels_of, places_of
from .source import Partition
from .statistics import save_arrays
from .workers import Team

SLAB = 16_384
"""Rows that the queries are held against at once; always the same, so that sums do not depend on the memory."""

Done = Callable[[Partition, Any], object]


@dataclass(frozen=True)
class Judging:
    """What is judged.

    Attributes
    ----------
    placed
        Folder of the placed partitions.
    folder
        Where parts go.
    queries
        File with `rows`, `features` (centred on `centre`), `places`, and the clusters' `centers`.
    on
        What k-means saw.
    classes
        The distinct labels, sorted; None without labels.
    n, unlabelled
        Rows in all, and those of them that have no label where others do.
    """

    placed: str
    folder: str
    queries: str
    on: On
    classes: np.ndarray | None
    n: int
    unlabelled: int = 0

    @property
    def lists(self) -> tuple[str, ...]:
        """Whose neighbours are sought: in the data, on the map, and there among rows with a label if some have none."""
        return ("data", "map", "labelled") if self.unlabelled else ("data", "map")


@dataclass(frozen=True)
class Judged:
    """The scores, and what the table of points needs.

    Attributes
    ----------
    scores
        As `scoring.score` gives them, but `neighbor_recall` only of the queries.
    rows
        (m,) the queries.
    majority
        (k,) code of each cluster's majority label; None without labels.
    sizes
        (k,) rows of each cluster.
    """

    scores: Scores
    rows: np.ndarray
    majority: np.ndarray | None
    sizes: np.ndarray


def draw_queries(n: int, seed: int) -> np.ndarray:
    """Rows that quadratic scores are over, sorted: another draw than the landmarks', which has the bare seed."""
    most = how_many_queries(n)
    if most == n:
        return np.arange(n)
    return np.sort(np.random.default_rng([seed, 1]).choice(n, most, replace=False))


def measure(
    team: Team, partitions: Sequence[Partition], asked: Judging, rows: np.ndarray, centers: np.ndarray, done: Done
) -> Judged:
    """All scores, in two passes over the placed partitions.

    Parameters
    ----------
    team, partitions
        Who works, and on what.
    asked
        What is judged; the file of queries is written here.
    rows
        The queries, sorted.
    centers
        Of the clusters, (k, d).
    done
        Told each partition of each pass.
    """
    placed = asked.placed
    features = fetch(partitions, rows, lambda each: features_of(placed, each)).astype(np.float64)
    places = fetch(partitions, rows, lambda each: places_of(placed, each)).astype(np.float64)
    centre = features.mean(axis=0)
    features -= centre
    arrays = {"rows": rows, "features": features, "places": places, "centers": centers, "centre": centre}
    _write(Path(asked.queries), arrays)
    team.each("judge", judge, partitions, asked, done=done)
    total = _gather(asked, partitions, len(rows), len(centers))
    own = nearest(places if asked.on == "map" else features + centre, centers)[0]
    values: dict[str, float | None] = dict.fromkeys(metrics.METRICS)
    sizes: dict[str, int] = {}
    k = clipped(asked.n)
    recall = metrics.neighbor_recall(total["data"], total["map"], k)
    values["neighbor_recall"], sizes["neighbor_recall"] = float(recall.mean(dtype=np.float64)), len(rows)
    _enter_clusters(values, sizes, asked, total, own)
    if asked.classes is not None:
        voters = min(VOTERS, asked.n - asked.unlabelled - 1)
        near = total[asked.lists[-1]][:, :voters]
        found = _label_accuracy(partitions, placed, rows, near)
        if found is not None:
            values["label_accuracy"], sizes["label_accuracy"] = found
    others = total["map"][:, :k]
    beside = fetch(partitions, others, lambda each: features_of(placed, each)).astype(np.float64) - centre
    limits = rank_limits(features, beside.swapaxes(0, 1))
    _write(Path(asked.queries), {**arrays, "limits": limits})
    ranks = 1 + np.sum(team.each("ranks", count_nearer, partitions, asked, done=done), axis=0)
    values["trustworthiness"], sizes["trustworthiness"] = metrics.trust(ranks, asked.n), len(rows)
    counts = total["counts"][:-1]
    notes = (
        *(() if asked.classes is None else few_clusters(counts[:, counts.any(axis=0)])),
        f"scores by neighbours are over {len(rows):,} rows drawn with the seed, each held against all {asked.n:,}",
        "KL is not measured: it needs all pairs of rows; that of the landmarks' map is with the landmarks",
    )
    confusion, majority = _confusion(asked, counts)
    scores = Scores(values, sizes, recall, None, confusion, "dask", {}, notes)
    return Judged(scores, rows, majority, total["counts"].sum(axis=0))


def judge(asked: Judging, partition: Partition) -> dict[str, Any]:
    """One partition's part: nearest rows to each query, distances to each cluster, counts of classes and clusters."""
    folder = Path(asked.folder)
    if (before := kept(folder, partition.stem)) is not None:
        return before
    with np.load(asked.queries, allow_pickle=False) as arrays:
        query = dict(arrays)
    rows, centers, m = query["rows"], query["centers"], len(query["rows"])
    places, features = places_of(asked.placed, partition), features_of(asked.placed, partition)
    clusters = nearest(points_of(asked.placed, asked.on, partition), centers)[0]
    k = min(max(NEIGHBORS, VOTERS), asked.n - 1)
    lists = {name: (np.full((m, k), np.inf), np.full((m, k), -1)) for name in asked.lists}
    labels = None if asked.classes is None else labels_of(asked.placed, partition)
    sums = np.zeros((m, len(centers)))
    for slab in slices(partition.rows, SLAB):
        first = partition.start + slab.start
        here = places[slab].astype(np.float64)
        order = np.argsort(clusters[slab], kind="stable")
        sizes = np.bincount(clusters[slab], minlength=len(centers))
        B = features[slab].astype(np.float64) - query["centre"]
        for part in slices(m, 64):
            on_map = _plane(query["places"][part], here)
            sums[part] += _by_group(np.sqrt(on_map)[:, order], sizes)
            own = rows[part] - first
            inside = (own >= 0) & (own < len(here))
            for name in asked.lists:
                squares = _squares(query["features"][part], B) if name == "data" else on_map
                squares[inside, own[inside]] = np.inf
                if name == "labelled" and labels is not None:
                    squares[:, ~labelled(labels[slab])] = np.inf
                for best, new in zip(lists[name], _best(squares, first, lists[name], part, k), strict=True):
                    best[part] = new
    arrays = {"sums": sums, "counts": _counts(asked, labels, clusters, len(centers))}
    arrays |= {f"{name}_{kind}": array for name, pair in lists.items() for kind, array in zip("dr", pair, strict=True)}
    return keep(folder, partition.stem, {".npz": lambda draft: save_arrays(draft, arrays)}, {"rows": partition.rows})


def count_nearer(asked: Judging, partition: Partition) -> np.ndarray:
    """How many rows of a partition are nearer to each query than each of its neighbours on the map, (m, k)."""
    with np.load(asked.queries, allow_pickle=False) as arrays:
        query = dict(arrays)
    features = features_of(asked.placed, partition)
    counts = np.zeros(query["limits"].shape, np.int64)
    for slab in slices(partition.rows, SLAB):
        B = features[slab].astype(np.float64) - query["centre"]
        counts += nearer(query["features"], query["limits"], B, query["rows"] - partition.start - slab.start)
    return counts


def fetch(partitions: Sequence[Partition], rows: np.ndarray, read: Callable[[Partition], np.ndarray]) -> np.ndarray:
    """Values of some rows, of whatever partitions, masked where they are; `read` gives those of a whole partition."""
    wanted, back = np.unique(rows, return_inverse=True)
    found = []
    for partition in partitions:
        first, last = np.searchsorted(wanted, [partition.start, partition.start + partition.rows])
        if first < last:
            found.append(read(partition)[wanted[first:last] - partition.start])
    return joined(found)[back.reshape(rows.shape)]


def _gather(asked: Judging, partitions: Sequence[Partition], m: int, clusters: int) -> dict[str, np.ndarray]:
    """Parts of all partitions together: neighbours in the data and on the map, sums and counts."""
    classes = 0 if asked.classes is None else len(asked.classes)
    total = {"sums": np.zeros((m, clusters)), "counts": np.zeros((classes + 1, clusters), np.int64)}
    lists: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for partition in partitions:
        with np.load(Path(asked.folder) / f"{partition.stem}.npz", allow_pickle=False) as part:
            total["sums"] += part["sums"]
            total["counts"] += part["counts"]
            for name in asked.lists:
                own = (part[f"{name}_d"], part[f"{name}_r"])
                lists[name] = _merged(lists[name], own) if name in lists else own
    return {**total, **{name: rows for name, (_, rows) in lists.items()}}


def _enter_clusters(
    values: dict[str, float | None],
    sizes: dict[str, int],
    asked: Judging,
    total: dict[str, np.ndarray],
    own: np.ndarray,
) -> None:
    there = total["counts"].sum(axis=0)
    present = np.flatnonzero(there)
    if asked.classes is not None:
        for name in ("accuracy", "purity", "ari", "nmi"):
            agreement = getattr(contingency, name)(total["counts"][:-1, present])
            values[name], sizes[name] = agreement, asked.n - asked.unlabelled
    if len(present) > 1:
        codes = np.searchsorted(present, own)
        samples = metrics.silhouettes(total["sums"][:, present], codes, there[present])
        values["silhouette"], sizes["silhouette"] = float(samples.mean()), len(own)


def _label_accuracy(
    partitions: Sequence[Partition], placed: str, rows: np.ndarray, lists: np.ndarray
) -> tuple[float, int] | None:
    """Label accuracy, and over how many queries; None if none has a label, or no other row has."""
    own = fetch(partitions, rows, lambda part: labels_of(placed, part))
    known = labelled(own)
    own, lists = np.ma.getdata(own)[known], lists[known]
    if not lists.size:
        return None
    near = fetch(partitions, lists, lambda part: labels_of(placed, part))
    # The queries and then their neighbours as one table of labels, into which the lists point.
    places = len(own) + np.arange(lists.size).reshape(lists.shape)
    together = np.concatenate([own, near.ravel()])
    return metrics.label_accuracy(together, places, lists.shape[1], np.arange(len(own))), len(own)


def _confusion(asked: Judging, counts: np.ndarray) -> tuple[dict[str, list[Any]] | None, np.ndarray | None]:
    if asked.classes is None:
        return None, None
    present = np.flatnonzero(counts.sum(axis=0))
    table = {"classes": asked.classes.tolist(), "clusters": present.tolist(), "counts": counts[:, present].tolist()}
    return table, counts.argmax(axis=0)


def _counts(asked: Judging, labels: np.ndarray | None, clusters: np.ndarray, k: int) -> np.ndarray:
    """Rows of each class in each cluster, and last those of none."""
    if labels is None or asked.classes is None:
        return np.bincount(clusters, minlength=k)[None]
    none = len(asked.classes)
    codes = np.where(labelled(labels), np.searchsorted(asked.classes, np.ma.getdata(labels)), none)
    return np.bincount(codes * k + clusters, minlength=(none + 1) * k).reshape(none + 1, k)


def _squares(Q: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Squared distances, (m, n), of centred rows in double precision."""
    D: np.ndarray = (-2 * Q) @ B.T
    D += (B**2).sum(axis=1)
    D += (Q**2).sum(axis=1)[:, None]
    np.maximum(D, 0, out=D)
    return D


def _plane(Q: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Squared distances of places, from their differences."""
    return np.asarray((Q[:, :1] - B[:, 0]) ** 2 + (Q[:, 1:] - B[:, 1]) ** 2)


def _by_group(ordered: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Sums over consecutive groups of columns, some of which may be empty."""
    sums = np.zeros((len(ordered), len(sizes)))
    there = np.flatnonzero(sizes)
    starts = np.cumsum(sizes)[there] - sizes[there]
    sums[:, there] = np.add.reduceat(ordered, starts, axis=1)
    return sums


def _best(
    squares: np.ndarray, first: int, lists: tuple[np.ndarray, np.ndarray], part: slice, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The lists of a part of the queries after a slab of rows that begins with row `first`."""
    if squares.shape[1] > k:
        places = np.argpartition(squares, k - 1, axis=1)[:, :k]
    else:
        places = np.broadcast_to(np.arange(squares.shape[1]), squares.shape)
    near = np.take_along_axis(squares, places, axis=1)
    rows = np.where(np.isfinite(near), first + places, -1)
    return _merged((lists[0][part], lists[1][part]), (near, rows))


def _merged(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Of two lists of distances and rows the nearest, as many as the first has; of equals the lower row."""
    away, rows = (np.concatenate(pair, axis=1) for pair in zip(one, other, strict=True))
    order = np.lexsort((rows, away), axis=1)[:, : one[0].shape[1]]
    return np.take_along_axis(away, order, axis=1), np.take_along_axis(rows, order, axis=1)


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    keep(path.parent, path.stem, {".npz": lambda draft: save_arrays(draft, arrays)}, {})
