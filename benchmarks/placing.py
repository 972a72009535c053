"""What it costs to place new rows on a fixed t-SNE map, and how good the places are.

    python -m benchmarks.placing [--data mnist] [--reference 60000] [--new 10000] [--repeats 5] [--no-joint]

The first rows of the data set, or of a sample of it, are the reference, the rest is new; of MNIST's 60,000 and 10,000
these are its training and its test images. One JSON object:

    seconds         to make the map, and to keep what placing needs (`keep`)
    kept            bytes of that on disk beside features and map, and bytes of the features
    stages          microseconds a row, median of `repeats`: prepare (scaling, deskewing, projection), search,
                    affinities, settle; `rows_per_second` for all of them together, raw rows in, places out
    search          share of the true 15 and 90 nearest reference rows that are found, on 1,000 new rows
    accuracy        share of rows whose label most of the 10 nearest reference points on the map have: `placed`;
                    `reference`, its own rows, each left out; `random`, new rows at the places of others; `joint`, the
                    new rows in a map of all rows
    recall          share of a new row's 15 nearest reference rows in the data that are its nearest on the map:
                    `placed`, `joint`
    displacement    in RMS radii of the map, median, 90 % and 99 %: `joint`, of new rows placed on the map of all rows
                    without them from where they were in it; `copies`, of reference rows placed as if they were new
    far             share of the new rows beyond what 99 % of the reference rows are within
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gpu_pipeline import TSNE, load
from gpu_pipeline.engines import mesh, scikit_learn, threads
from gpu_pipeline.engines.mesh import index as indices
from gpu_pipeline.engines.mesh import place
from gpu_pipeline.machine import facts
from gpu_pipeline.methods import PCA
from gpu_pipeline.metrics import vote
from gpu_pipeline.nearness import map_neighbors, nearest_places
from gpu_pipeline.placing import Axes, Reference
from gpu_pipeline.preprocess import fit, preprocess
from gpu_pipeline.timing import Stopwatch, now, seconds

_CHECKED = 1_000  # New rows whose neighbours are searched for exactly.


@dataclass
class World:
    """A reference with its map, and new rows."""

    reference: Reference
    features: np.ndarray
    labels: np.ndarray
    new: np.ndarray
    new_features: np.ndarray
    new_labels: np.ndarray
    watch: Stopwatch

    @property
    def radius(self) -> float:
        """RMS radius of the reference's map."""
        return _radius(self.reference.embedding)


def make(data: str, reference: int, new: int, data_dir: Path | None) -> World:
    """Prepare, reduce and embed the reference."""
    whole = load(data, sample=reference + new, data_dir=data_dir)
    assert whole.y is not None, "the rows need labels"
    first, watch = whole.X[:reference], Stopwatch()
    how = fit(first, whole.recommended, whole.image_shape)
    X = preprocess(first, how)
    reduced = scikit_learn.pca(X, PCA(n_components=min(50, X.shape[1])), 0, mesh.silent)
    mesh.compile()
    with watch.measure("embed"):
        embedded = mesh.tsne(reduced.array, TSNE(), 0)
    with watch.measure("keep"):
        made = Reference.build(
            reduced.array,
            embedded.array,
            TSNE(),
            preparation=how,
            reduction=Axes(**reduced.keep),
            kept=embedded.keep,
        )
    rest = whole.X[reference:]
    features = made.features_of(rest)
    return World(made, reduced.array, whole.y[:reference], rest, features, whole.y[reference:], watch)


def stages(world: World, repeats: int) -> dict[str, Any]:
    """Microseconds a row by stage, and rows a second of all together."""
    reference, team = world.reference, threads()
    assert reference.field is not None
    assert reference.widths is not None
    field, widths = reference.field, reference.widths
    k = min(int(3 * reference.perplexity), len(reference.embedding))
    near, squares = reference.index.query(world.new_features, k, team)
    p = place.affinities(near, squares, reference.perplexity, widths, team)
    steps: dict[str, Callable[[], object]] = {
        "prepare": lambda: reference.features_of(world.new),
        "search": lambda: reference.index.query(world.new_features, k, team),
        "affinities": lambda: place.affinities(near, squares, reference.perplexity, widths, team),
        "settle": lambda: place.settle(field, reference.embedding, near, p, reference.exaggeration, team),
        "all": lambda: reference.place(world.new),
    }
    spent = {name: _median(step, repeats) / len(world.new) for name, step in steps.items()}
    return {
        "microseconds": {name: round(1e6 * value, 2) for name, value in spent.items()},
        "rows_per_second": round(1 / spent["all"]),
    }


def quality(world: World) -> dict[str, Any]:
    """Accuracy, recall and displacement without a joint map."""
    reference, made = world.reference, world.reference.embedding
    placed = reference.place(world.new)
    turned = np.random.default_rng(0).permutation(len(world.new))
    again = reference.place_features(world.features, copies=False)
    by_label = {
        "placed": _accuracy(world, made, placed.embedding),
        "reference": float((vote(world.labels, map_neighbors(made, 10)) == world.labels).mean()),
        "random": _accuracy(world, made, placed.embedding[turned]),
    }
    return {
        "search": _found(world),
        "accuracy": by_label,
        "recall": {"placed": _recall(made, placed.embedding, placed.neighbors)},
        "displacement": {"copies": _quantiles(again.embedding - made, world.radius)},
        "far": float((placed.novelty > placed.far).mean()),
    }


def joint(world: World) -> dict[str, Any]:
    """The same of a map of all rows, and how far from their places in it new rows are placed."""
    n = len(world.features)
    with world.watch.measure("embed jointly"):
        both = mesh.tsne(np.concatenate([world.features, world.new_features]), TSNE(), 0).array
    fixed, moved = both[:n], both[n:]
    placed = Reference.build(world.features, fixed, TSNE()).place_features(world.new_features)
    return {
        "accuracy": {"joint": _accuracy(world, fixed, moved)},
        "recall": {"joint": _recall(fixed, moved, placed.neighbors)},
        "displacement": {"joint": _quantiles(placed.embedding - moved, _radius(both))},
    }


def kept(world: World) -> dict[str, int]:
    """Bytes on disk."""
    with tempfile.TemporaryDirectory() as folder:
        world.reference.save(folder, rows=False)
        return {
            "bytes": sum(path.stat().st_size for path in Path(folder).iterdir()),
            "features": world.features.nbytes,
        }


def _found(world: World) -> dict[str, float]:
    exact = indices.search(
        np.ascontiguousarray(world.new_features[:_CHECKED] - world.reference.index.center),
        np.full(min(_CHECKED, len(world.new)), -1),
        None,
        True,
        world.reference.index.panels,
        world.reference.index.X,
        90,
        threads(),
    )
    true = np.take_along_axis(exact[0], np.argsort(exact[1], axis=1, kind="stable"), axis=1)
    found, _ = world.reference.index.query(world.new_features[:_CHECKED], 90, threads())
    return {str(k): _shared(true[:, :k], found[:, :k]) for k in (15, 90)}


def _shared(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in zip(first, second, strict=True)]))


def _accuracy(world: World, embedding: np.ndarray, places: np.ndarray) -> float:
    return float((vote(world.labels, nearest_places(embedding, places, 10)) == world.new_labels).mean())


def _recall(embedding: np.ndarray, places: np.ndarray, neighbors: np.ndarray) -> float:
    return _shared(neighbors, nearest_places(embedding, places, neighbors.shape[1]))


def _quantiles(moves: np.ndarray, radius: float) -> list[float]:
    values = np.quantile(np.linalg.norm(moves, axis=1) / radius, [0.5, 0.9, 0.99])
    return [round(float(value), 5) for value in values]


def _radius(embedding: np.ndarray) -> float:
    centred = embedding - embedding.mean(axis=0, dtype=np.float64)
    return float(np.sqrt((centred**2).sum(axis=1).mean()))


def _median(step: Callable[[], object], repeats: int) -> float:
    step()
    spent = []
    for _ in range(repeats):
        start = seconds()
        step()
        spent.append(seconds() - start)
    return statistics.median(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist", help="a known data set, or a file with labels in it")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--reference", type=int, default=60_000)
    parser.add_argument("--new", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--joint", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--out", type=Path, help="file to which the object is written too, replaced if it exists")
    chosen = parser.parse_args()
    load_before = os.getloadavg()[0]
    world = make(chosen.data, chosen.reference, chosen.new, chosen.data_dir)
    found = {"stages": stages(world, chosen.repeats), "kept": kept(world), **quality(world)}
    if chosen.joint:
        for name, values in joint(world).items():
            found[name] |= values
    known = {name: value for name, value in facts().items() if name in ("cpu", "cores", "threads", "memory", "commit")}
    asked = {"data": chosen.data, "reference": chosen.reference, "new": chosen.new, "repeats": chosen.repeats}
    rounded = {name: round(value, 2) for name, value in world.watch.seconds.items()}
    text = json.dumps({**asked, "seconds": rounded, **found, "at": now(), "load": load_before, **known}, indent=1)
    print(text)
    if chosen.out:
        chosen.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
