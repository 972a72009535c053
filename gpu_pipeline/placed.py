"""Sets of new rows on the map of a stored run: made, described, kept in the run's folder.

runs/<run>/placed/<data>-<hash>/
    record.json      what was placed and how, for how long, how many rows are far from the reference
    points.parquet   row, x, y, label and vote (with labels), cluster, nearest, nearest_row, distance, novelty, far, and
                     what was kept
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import tables
from .datasets import Dataset, checked
from .datasets.kept import check_names
from .datasets.labels import as_column, from_column, labelled
from .drafts import draft, flush, publish
from .errors import InputError
from .machine import facts
from .metrics import vote
from .nearness import nearest_places
from .record import Run
from .scoring import VOTERS
from .store import dump, replace_file, slug, stored_in
from .timing import Stopwatch, now

if TYPE_CHECKING:
    import pandas as pd

    from .placing import Placed

SCHEMA = 1
"""Version of a stored set's form."""

FOLDER = "placed"
"""Folder of the sets in a run's folder."""

FILES = {"record": "record.json", "points": "points.parquet"}

OWN = ("vote", "nearest", "nearest_row", "distance", "novelty", "far")
"""Columns that placed points have beside those of a run's points, or are shown with."""


@dataclass(frozen=True, eq=False)
class PlacedSet:
    """New rows on the map of a run.

    Attributes
    ----------
    record
        `run` (its folder's name), `reference` (rows and content hash of its data), `dataset` (what was placed, as in a
        run's record), `seconds` by stage, `rows_per_second` (of "prepare" and "place"), `far` (`beyond` which novelty,
        `count`, `share`), `label_accuracy` (`placed` and the `reference`'s own; None without labels in both), `notes`,
        `machine`, `created`.
    points
        One row a placed one: `row` (index in its data set), `x`, `y`, `label` (if its data have labels), `vote` (if the
        run has: the label of most of the 10 nearest reference points on the map that have one), `cluster` (that of the
        nearest centre, where the run clustered), `nearest` (position of the nearest reference row in the run's points,
        or in those of its landmarks), `nearest_row` (its index in the run's data set), `distance` to it in the
        features, `novelty` and whether it is `far` (see `placing.Placed`), and the data set's kept columns.
    path
        Folder where it is stored, or None.
    """

    record: dict[str, Any]
    points: pd.DataFrame
    path: Path | None = None


def place(run: Run, dataset: Dataset, *, asked: dict[str, Any] | None = None, threads: int | None = None) -> PlacedSet:
    """Place the rows of a data set on the map of a run.

    Where the columns of both have names, those of the run are taken, in its order.

    Parameters
    ----------
    run
        The run.
    dataset
        The rows.
    asked
        What `datasets.load` was asked for to get them, kept in the record to find their images by.
    threads
        Threads to use; default as many as there are processors.

    Raises
    ------
    InputError
        If the run takes no new rows (see `Run.reference`), or the rows do not fit it.
    """
    reference, watch = run.reference, Stopwatch()
    if reference.preparation is not None:
        dataset = _by_name(dataset, reference.preparation.names)
    dataset = checked(dataset, varies=False)
    if dataset.kept is not None:
        check_names(dataset.name, [str(name) for name in dataset.kept], OWN)
    with watch.measure("compile"):
        reference.place(dataset.X[:1], threads)
    with watch.measure("prepare"):
        features = reference.features_of(dataset.X, threads)
    with watch.measure("place"):
        placed = reference.place_features(features, threads)
    spent = watch.seconds["prepare"] + watch.seconds["place"]
    points = _points(_embedded(run), dataset, features, placed)
    far = int(points["far"].sum())
    record = {
        "schema": SCHEMA,
        "run": run.path.name if run.path is not None else None,
        "reference": {"n": len(reference.embedding), "digest": run.record.dataset["digest"]},
        "dataset": {
            "name": dataset.name,
            "source": dataset.source,
            "n": len(dataset.X),
            "total": dataset.total,
            "columns": dataset.X.shape[1],
            "digest": dataset.digest(),
            "asked": asked,
        },
        "seconds": watch.seconds,
        "rows_per_second": len(dataset.X) / spent if spent > 0 else None,
        "far": {"beyond": placed.far, "count": far, "share": far / len(dataset.X)},
        "label_accuracy": _accuracy(run, points),
        "notes": list(dataset.notes),
        "machine": facts(),
        "created": now(),
    }
    return PlacedSet(record, points)


def save(placed: PlacedSet, run: Run) -> PlacedSet:
    """Store a set in the folder of its run, whole or not at all; the set with its path.

    A set that is stored already is kept, and the new one gets the next free number.

    Raises
    ------
    InputError
        If the run is not stored, or its folder cannot be written.
    """
    if run.path is None:
        raise InputError("this run is not stored: save it first.")
    content = f"{run.path.name} {placed.record['dataset']['digest']}"
    name = f"{slug(placed.record['dataset']['name'])}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"
    folder = run.path / FOLDER
    with draft(folder) as path:
        (path / FILES["record"]).write_text(dump(placed.record), encoding="utf-8")
        placed.points.to_parquet(path / FILES["points"], index=False)
        for file in path.iterdir():
            flush(file)
        where = publish(path, folder, name)
    return PlacedSet(placed.record, placed.points, where)


def write_table(placed: PlacedSet, path: Path) -> Path:
    """Write the points alone, as CSV or Parquet by the file's name.

    Raises
    ------
    InputError
        If the name ends in neither, or the file cannot be written.
    """
    check_table(path)
    return replace_file(path, lambda beside: tables.write_table(placed.points, beside, path.suffix.lower()[1:]))


def check_table(path: Path) -> None:
    """See that `write_table` can, before anything is computed.

    Raises
    ------
    InputError
        If the name ends in neither .csv nor .parquet, or there is no such folder.
    """
    if path.suffix.lower()[1:] not in tables.KINDS:
        raise InputError(f"{path} is neither CSV nor Parquet by its name: end it in .csv or .parquet.")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}: give the path of a file in one that is there.")


def list_placed(run: Path) -> list[Path]:
    """Folders of the sets on the map of the run in a folder, the oldest first."""
    return stored_in(run / FOLDER, FILES["record"])


def open_placed(path: Path) -> PlacedSet:
    """A stored set.

    Raises
    ------
    InputError
        If its files cannot be read.
    """
    import pandas as pd

    try:
        record = json.loads((path / FILES["record"]).read_text(encoding="utf-8"))
        if record["schema"] != SCHEMA:
            raise ValueError(f"its form is {record['schema']}, this program reads {SCHEMA}")
        points = pd.read_parquet(path / FILES["points"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"the placed rows in {path} cannot be read ({error}): place them again.") from None
    return PlacedSet(record, points, path)


def _by_name(dataset: Dataset, names: tuple[str, ...] | None) -> Dataset:
    """The rows in the columns of those names, if they have names at all."""
    if names is None or dataset.columns in (None, names):
        return dataset
    at = {name: j for j, name in enumerate(dataset.columns)}
    missing = next((name for name in names if name not in at), None)
    if missing is not None:
        raise InputError(
            f"{dataset.name} has no column {missing!r}, which the map was made from: give rows with the same columns."
        )
    return replace(dataset, X=dataset.X[:, [at[name] for name in names]], columns=names)


def _embedded(run: Run) -> Run:
    """The run of the rows that were embedded: its own, or its landmarks with the clusters that they have in it."""
    if run.features is not None:
        return run
    landmarks = run.landmarks()
    clusters = run.points.set_index("row")["cluster"].loc[landmarks.points["row"]].to_numpy()
    return replace(landmarks, points=landmarks.points.assign(cluster=clusters))


def _points(run: Run, dataset: Dataset, features: np.ndarray, placed: Placed) -> pd.DataFrame:
    import pandas as pd

    columns: dict[str, Any] = {"row": dataset.rows, "x": placed.embedding[:, 0], "y": placed.embedding[:, 1]}
    if dataset.y is not None:
        columns["label"] = as_column(dataset.y)
    if "label" in run.points:
        labels = from_column(run.points["label"])
        known = labelled(labels)
        near = nearest_places(run.embedding[known], placed.embedding, min(VOTERS, int(known.sum())))
        columns["vote"] = vote(np.ma.getdata(labels)[known], near, VOTERS)
    on_map = run.record.recipe.cluster_on == "map"
    assert run.features is not None
    homes = (run.embedding, placed.embedding) if on_map else (run.features, features)
    nearest = placed.neighbors[:, 0]
    columns |= {
        "cluster": _clusters(*homes, run.points["cluster"].to_numpy()),
        "nearest": nearest,
        "nearest_row": run.points["row"].to_numpy()[nearest],
        "distance": placed.distances[:, 0],
        "novelty": placed.novelty,
        "far": placed.novelty > placed.far,
    }
    if dataset.kept is not None:
        columns |= {str(name): values for name, values in dataset.kept.items()}
    return pd.DataFrame(columns)


def _clusters(reference: np.ndarray, places: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """The cluster whose mean, over the reference's rows, is nearest to each place."""
    ids, codes = np.unique(clusters, return_inverse=True)
    sums = np.stack([np.bincount(codes, column, minlength=len(ids)) for column in np.asarray(reference).T], axis=1)
    centers = sums / np.bincount(codes, minlength=len(ids))[:, None]
    return np.asarray(ids[nearest_places(centers, places, 1)[:, 0]])


def _accuracy(run: Run, points: pd.DataFrame) -> dict[str, float | None] | None:
    """Share of the placed rows whose label the reference points near them vote for, and the reference's own."""
    if "label" not in points or "vote" not in points:
        return None
    label, voted = from_column(points["label"]), from_column(points["vote"])
    known = labelled(label)
    label, voted = np.ma.getdata(label)[known], voted[known]
    if label.dtype.kind != voted.dtype.kind:  # 3 of one file is "3" of another.
        label, voted = label.astype(str), voted.astype(str)
    return {"placed": float((label == voted).mean()), "reference": run.scores.values.get("label_accuracy")}
