"""A map of more rows than fit in memory: landmarks are embedded, all others placed on their map, by Dask."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, pipeline, sizes, store
from ..datasets import Dataset
from ..datasets.dataset import pick_rows
from ..datasets.labels import lack
from ..errors import InputError
from ..methods import UMAP
from ..preprocess import Preparation
from ..recipe import Recipe
from ..record import Run
from ..steps import Observer
from . import kmeans, place, points, scores, statistics
from .cluster import Where, check_installed, smallest_limit, team
from .kept import clear, drop, end, keep, only_process, read_json, save_array, write_json
from .memory import check_disk, share, worker_needs
from .outcome import Outcome
from .source import BLOCK, ROWS, Source, open_source
from .watch import Watch
from .workers import Team

FORM = 3
"""Version of what is kept while a run is not finished."""


def run(recipe: Recipe, where: Where, out: str | Path = "runs", observer: Observer | None = None) -> Path:
    """Make a map of all rows of `recipe.data`, of which `recipe.data.landmarks` are embedded, and store it.

    What is done is kept in a folder beside the run's and is not done again when a run that was ended is
    started again: the bytes are those of an undisturbed one.

    Parameters
    ----------
    recipe
        What to compute.
    where
        By whom, and in how much memory.
    out
        Where runs are stored.
    observer
        Told about progress.

    Returns
    -------
    The run's folder.

    Raises
    ------
    InputError
        If Dask is not installed, the data or the settings cannot be used, memory or disk do not suffice, or
        another process makes the same run.
    Unavailable, Unsupported, EngineFailed
        If an engine that the recipe names cannot be used or broke, or the cluster is gone.
    """
    check_installed()
    observer = observer or Observer()
    source = open_source(recipe.data)
    _check(recipe, source)
    out = Path(out).absolute()  # workers may have been started elsewhere
    store.writable(out)
    folder = out / f".scale-{_name(recipe, source)}"
    with only_process(folder):
        try:
            made = _Work(recipe, where, source, folder, observer).do(out)
        except KeyboardInterrupt:
            observer.note(f"stopped; the same command goes on from what is kept in {folder}")
            raise
        end(folder)
    return made


@dataclass
class _Work:
    """A run that is under way."""

    recipe: Recipe
    where: Where
    source: Source
    folder: Path
    observer: Observer

    @property
    def landmarks(self) -> int:
        assert self.recipe.data.landmarks is not None
        return self.recipe.data.landmarks

    @property
    def placed(self) -> str:
        """Folder of the placed partitions."""
        return str(self.folder / "placed")

    @property
    def how(self) -> str:
        return self.source.recommended if self.recipe.preprocess == "auto" else self.recipe.preprocess

    @property
    def components(self) -> int:
        """Columns of the features: all if PCA is not asked for or would keep them."""
        asked, columns = self.recipe.reduce.n_components, self.source.columns
        return columns if asked == 0 or asked >= columns else min(asked, self.source.total)

    def do(self, out: Path) -> Path:
        """All steps, and the stored run."""
        shared = share(self.where, self.source, self.landmarks, self.components)
        check_disk(self.folder, self.source, self.components)
        for sentence in self.source.notes:
            self.observer.note(sentence)
        self.observer.note(f"progress: {(self.folder / 'progress.html').resolve()}")
        scratch = self.folder / "dask"
        drop(scratch)
        scratch.mkdir()
        with team(self.where, shared.workers, shared.limit, scratch, self.observer.note) as workers:
            self._check_workers(workers)
            watch = Watch(self.folder, f"Map of {self.source.name}", self.observer, workers.dashboard)
            self._look_at_changes(workers, watch)
            surveyed = self._survey(workers, watch)
            unlabelled = lack(self.source.name, surveyed.unlabelled, self.source.total)
            for sentence in unlabelled:
                self.observer.note(sentence)
            landmarks = self._embed(surveyed, watch)
            placed = self._place(workers, landmarks, watch)
            centers = self._cluster(workers, landmarks, watch)
            judged = self._score(workers, surveyed, centers, watch)
            self._table(workers, surveyed, centers, judged, watch)
            told = (*self.source.notes, *unlabelled)
            outcome = Outcome(self.recipe, self.source, self.how, told, surveyed, landmarks, placed, centers, judged)
            record = outcome.record()
            with watch.step("draw"):
                image = workers.draw("draw", lambda: outcome.draw(self.folder / "table", record))
            record.seconds.update(watch.spent)
        assert landmarks.path is not None
        tables = sorted((self.folder / "table").glob("*.parquet"))
        parts = {store.FILES["points"]: tables, "landmarks": sorted(landmarks.path.iterdir())}
        return store.save_parts(record, judged.scores, image, parts, out)

    def _check_workers(self, workers: Team) -> None:
        needed, least = worker_needs(self.source, self.landmarks, self.components), smallest_limit(workers.client)
        if self.where.scheduler is not None and least is not None and least < needed:
            raise InputError(
                f"a thread of the cluster's workers has {least / 1e9:.2f} GB of memory but needs "
                f"{needed / 1e9:.2f} GB: start them with more memory or fewer threads."
            )

    def _look_at_changes(self, workers: Team, watch: Watch) -> None:
        """Begin anew if the data are others than those that the kept work was done on.

        A file that was only put back, as a damaged one is by a whole copy, has the content that it had.
        """
        path, states = self.folder / "files.json", self.source.states()
        before = read_json(path)
        changed = {name for name, state in states.items() if name in before and before[name] != state}
        known = statistics.known_digests(self.folder, self.source)
        doubtful = [each for each in self.source.in_files(changed) if each.index in known]
        digests = workers.each("compare", statistics.content, doubtful, self.source)
        if any(known[each.index] != digest for each, digest in zip(doubtful, digests, strict=True)):
            self.observer.note(f"{self.source.path} has changed since this run was begun: it begins anew")
            clear(self.folder)
            watch.spent.clear()
        if changed:
            drop(self.folder / "table")  # the columns that go with the points are in no digest
        write_json(path, states)

    def _survey(self, workers: Team, watch: Watch) -> statistics.Surveyed:
        """The pass over all rows, and what PCA makes of it."""
        source, partitions = self.source, self.source.partitions
        if (before := statistics.load(self.folder)) is not None:
            return before
        landmarks = self.folder / "rows.npy"
        rows = pick_rows(source.total, self.landmarks, self.recipe.seed_of_sample())
        keep(self.folder, "rows", {".npy": lambda draft: save_array(draft, rows)}, {})
        bytes_ = self.how in ("none", "deskew") and np.dtype(source.dtype) == np.uint8
        first = self.how == "deskew" and not bytes_  # images of numbers without a known range
        with watch.step("survey", len(partitions), 2 if first else 1) as done:
            limits: tuple[float, float] | None = (0.0, 255.0) if bytes_ else None
            if first:
                found = workers.each("limits", statistics.find_limits, partitions, source, done=done)
                limits = min(low for low, _ in found), max(high for _, high in found)
            prepared = Preparation(self.how, source.columns, limits, source.image_shape, source.names)
            known = limits is not None or self.how == "unit"
            reduced = self.components < source.columns
            moments = reduced or self.how == "standardize"
            parts_folder = self.folder / "survey"
            asked = statistics.Survey(source, str(parts_folder), prepared, known, moments)
            parts = workers.each("survey", statistics.survey, partitions, asked, str(landmarks), done=done)
            made, chosen = statistics.conclude(asked, parts, self.components if reduced else None)
            statistics.store(self.folder, made, chosen)
            drop(parts_folder)
        return made

    def _embed(self, surveyed: statistics.Surveyed, watch: Watch) -> Run:
        """The landmarks' own run, stored in the work's folder."""
        home = self.folder / "landmarks"
        if not store.list_runs(home):
            data = self.recipe.data.model_copy(update={"sample": self.landmarks, "landmarks": None})
            recipe = self.recipe.model_copy(update={"data": data})
            source = self.source
            X, y = statistics.landmark_rows(self.folder)
            rows = np.load(self.folder / "rows.npy", allow_pickle=False)
            dataset = Dataset(
                name=source.name,
                X=X,
                y=y,
                rows=rows,
                total=source.total,
                image_shape=source.image_shape,
                recommended=source.recommended,
                source=Path(source.path).name,
                columns=source.names,
            )
            with watch.step("embed"):
                made = pipeline.run_reduced(
                    recipe, dataset, surveyed.prepared, surveyed.reduction, observer=self.observer
                )
                store.save(made, home)
        return store.open_run(store.list_runs(home)[0])

    def _place(self, workers: Team, landmarks: Run, watch: Watch) -> dict[str, Any]:
        """All rows on the map: how many are far, and the corners of their places."""
        asked = place.Placing(self.source, self.placed, str(landmarks.path))
        with watch.step("place", len(self.source.partitions)) as done:
            parts = workers.each("place", place.place, self.source.partitions, asked, done=done)
        low, high = (np.array([part[end] for part in parts]) for end in ("low", "high"))
        return {"far": sum(part["far"] for part in parts), "low": low.min(axis=0), "high": high.max(axis=0)}

    def _cluster(self, workers: Team, landmarks: Run, watch: Watch) -> kmeans.Centers:
        """k-means of all rows from the landmarks' clusters."""
        on = self.recipe.cluster_on
        assert landmarks.features is not None
        seen = landmarks.embedding if on == "map" else landmarks.features
        first = kmeans.start(seen, landmarks.points["cluster"].to_numpy())
        partitions, state = self.source.partitions, self.folder / "clusters.json"
        with watch.step("cluster", None) as done:
            return kmeans.converge(workers, partitions, self.placed, on, self.recipe.cluster, first, state, done)

    def _score(
        self, workers: Team, surveyed: statistics.Surveyed, centers: kmeans.Centers, watch: Watch
    ) -> scores.Judged:
        partitions, n = self.source.partitions, self.source.total
        asked = scores.Judging(
            placed=self.placed,
            folder=str(self.folder / "judged"),
            queries=str(self.folder / "queries.npz"),
            on=self.recipe.cluster_on,
            classes=surveyed.classes,
            n=n,
            unlabelled=surveyed.unlabelled,
        )
        rows = scores.draw_queries(n, self.recipe.seed)
        with watch.step("score", len(partitions), 2) as done:
            return scores.measure(workers, partitions, asked, rows, centers.places, done)

    def _table(
        self,
        workers: Team,
        surveyed: statistics.Surveyed,
        centers: kmeans.Centers,
        judged: scores.Judged,
        watch: Watch,
    ) -> None:
        """The table of points with clusters, recall and misfits."""
        measured = {"rows": judged.rows, "recall": judged.scores.neighbor_recall}
        keep(self.folder, "recall", {".npz": lambda draft: statistics.save_arrays(draft, measured)}, {})
        asked = points.Writing(
            source=self.source,
            placed=self.placed,
            folder=str(self.folder / "table"),
            on=self.recipe.cluster_on,
            centers=centers.places,
            classes=surveyed.classes,
            majority=judged.majority,
            recall=str(self.folder / "recall.npz"),
            nullable=surveyed.unlabelled > 0,
        )
        with watch.step("table", len(self.source.partitions)) as done:
            workers.each("table", points.write, self.source.partitions, asked, done=done)


def _check(recipe: Recipe, source: Source) -> None:
    """What needs no rows to be seen."""
    landmarks, total = recipe.data.landmarks, source.total
    if landmarks is None:
        raise InputError("a run by Dask embeds landmarks: say how many with --landmarks.")
    if landmarks > total:
        raise InputError(f"{landmarks:,} landmarks cannot be drawn from {total:,} rows: take fewer.")
    if isinstance(recipe.embed, UMAP):
        raise InputError("a map by UMAP takes no new rows: use --method tsne or pca with --landmarks.")
    sizes.check_shape(recipe, source.name, (landmarks, source.columns), source.image_shape)


def _name(recipe: Recipe, source: Source) -> str:
    """Differs between runs that must not share their work."""
    content = f"{FORM} {__version__} {ROWS} {BLOCK} {recipe.digest()} {source.fingerprint()}"
    return hashlib.sha256(content.encode()).hexdigest()[:12]
