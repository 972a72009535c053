"""t-SNE on the CPU: this project's engine beside scikit-learn, scikit-learn-intelex and openTSNE, in one run.

    python -m benchmarks.tsne_cpu --sizes 5000 20000 70000 --repeats 3 --out benchmarks/results/<name>.jsonl

Each measurement is one fresh process that may use all processors. It loads the pixels (float32 in [0, 1]), runs the
engine once on a few rows so that everything is compiled and loaded, and is then timed from the pixels to the map: PCA
to 50 columns (the same for all), neighbours, optimisation, at the engine's own defaults and perplexity 30. Engines
take turns. One judge scores every map: KL divergence with affinities from exact neighbours and the exact sum over all
pairs, recall of the 15 nearest neighbours and accuracy of the 10 nearest neighbours' label, on 5,000 queries. Every
sample is a line of the file; a line that is there is not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gpu_pipeline import machine, methods, timing

COLUMNS, PERPLEXITY, NEIGHBORS, VOTERS, QUERIES = 50, 30, 15, 10, 5_000
WARM_ROWS = 1_000
_EVERY = 0.02  # Seconds between two looks at the memory.


def reduce(X: np.ndarray) -> np.ndarray:
    """The first 50 principal components, as the pipeline has them."""
    from gpu_pipeline.engines import scikit_learn, silent

    reduced: np.ndarray = scikit_learn.pca(X, methods.PCA(n_components=COLUMNS), 0, silent).array
    return reduced


def mesh(X: np.ndarray) -> np.ndarray:
    from gpu_pipeline.engines import mesh as engine

    embedding: np.ndarray = engine.tsne(X, methods.TSNE(perplexity=PERPLEXITY), 0).array
    return embedding


def scikit_learn(X: np.ndarray) -> np.ndarray:
    from sklearn.manifold import TSNE

    return np.asarray(TSNE(perplexity=PERPLEXITY, random_state=0, n_jobs=-1).fit_transform(X))


def scikit_learn_intelex(X: np.ndarray) -> np.ndarray:
    from sklearnex.manifold import TSNE

    return np.asarray(TSNE(perplexity=PERPLEXITY, random_state=0, n_jobs=-1).fit_transform(X))


def opentsne(X: np.ndarray) -> np.ndarray:
    from openTSNE import TSNE

    return np.asarray(TSNE(perplexity=PERPLEXITY, random_state=0, n_jobs=-1).fit(X))


ENGINES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mesh": mesh,
    "scikit_learn": scikit_learn,
    "scikit_learn_intelex": scikit_learn_intelex,
    "opentsne": opentsne,
}
HEADINGS = (
    "points", "engine", "time, mesh = 1", "processor time, mesh = 1", "KL", "recall@15", "label accuracy",
    "MB above input", "samples",
)  # fmt: skip
LIBRARIES = ("openTSNE", "scikit-learn-intelex")


def pixels(n: int, data: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels, (n, 784) float32 in 0 to 1, and labels of a sample of n rows; of `digits` any number of rows."""
    from gpu_pipeline import datasets

    if data == "digits":
        X, y = datasets.digits.rows(np.arange(n))
        return X / np.float32(255), y
    dataset = datasets.load(data, sample=n, seed=42)
    assert dataset.y is not None
    return (np.asarray(dataset.X).reshape(n, -1) / np.float32(255)).astype(np.float32, copy=False), np.asarray(
        dataset.y
    )


class Usage:
    """What the block uses: bytes of memory at most, above those at its beginning, and seconds of all processors
    together."""

    def __enter__(self) -> Usage:
        import psutil

        self._process, self._done = psutil.Process(), threading.Event()
        self._before = self.peak = self._process.memory_info().rss
        self._cpu = self._processors()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._done.wait(_EVERY):
            self.peak = max(self.peak, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.cpu = self._processors() - self._cpu

    def _processors(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    @property
    def above(self) -> int:
        return int(self.peak - self._before)


def measure(engine: str, n: int, data: str, path: Path) -> dict[str, Any]:
    """One run, in this process; the map goes to `path`."""
    X, _ = pixels(n, data)
    ENGINES[engine](reduce(X[: min(n, WARM_ROWS)]))
    with Usage() as usage:
        watch = timing.Stopwatch()
        with watch.measure("pca"):
            reduced = reduce(X)
        with watch.measure("embed"):
            embedding = ENGINES[engine](reduced)
    np.save(path, embedding.astype(np.float32))
    return {"seconds": sum(watch.seconds.values()), **watch.seconds, "cpu": usage.cpu, "memory": usage.above}


class Judge:
    """Scores of maps of one sample."""

    def __init__(self, n: int, data: str) -> None:
        from gpu_pipeline.affinities import joint_probabilities
        from gpu_pipeline.neighbors import neighbor_lists

        X, self._y = pixels(n, data)
        lists = neighbor_lists(reduce(X), 3 * PERPLEXITY, engine="scikit_learn")
        self._P = joint_probabilities(lists.indices, lists.distances, PERPLEXITY)
        self._rows = np.sort(np.random.default_rng(0).choice(n, min(n, QUERIES), replace=False))
        self._near = lists.indices[self._rows]

    def score(self, embedding: np.ndarray) -> dict[str, float]:
        from gpu_pipeline import metrics
        from gpu_pipeline.affinities import kl_divergence
        from gpu_pipeline.nearness import map_neighbors

        near = map_neighbors(embedding, NEIGHBORS, self._rows)
        return {
            "kl": kl_divergence(self._P, embedding),
            "recall": float(metrics.neighbor_recall(self._near, near, NEIGHBORS).mean()),
            "accuracy": metrics.label_accuracy(self._y, near, VOTERS, self._rows),
        }


def sample(engine: str, n: int, data: str, judge: Judge | None) -> dict[str, Any]:
    """One measurement in a fresh process, judged here."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.npy"
        command = [sys.executable, "-m", "benchmarks.tsne_cpu", "--measure", engine, str(n), data, str(path)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        line = {"engine": engine, "n": n, "data": data, **json.loads(done.stdout.splitlines()[-1])}
        return line | (judge.score(np.load(path)) if judge else {})


def table(lines: list[dict[str, Any]]) -> str:
    """Markdown: the medians of each engine's samples, times as multiples of mesh's in the same run."""
    rows = [f"| {' | '.join(HEADINGS)} |", "| ---: | --- |" + " ---: |" * (len(HEADINGS) - 2)]
    for n in sorted({line["n"] for line in lines}):
        here = [line for line in lines if line["n"] == n]
        base = {name: _median(here, "mesh", name) for name in ("seconds", "cpu")}
        for engine in dict.fromkeys(line["engine"] for line in here):
            times = [_cell(_median(here, engine, name), base[name], 2) for name in ("seconds", "cpu")]
            scores = [_cell(_median(here, engine, name), 1, 3) for name in ("kl", "recall", "accuracy")]
            memory = _cell(_median(here, engine, "memory"), 1e6, 0)
            samples = sum(line["engine"] == engine for line in here)
            rows.append(f"| {n:,} | {engine} | {' | '.join([*times, *scores, memory])} | {samples} |")
    return "\n".join(rows)


def _median(lines: list[dict[str, Any]], engine: str, name: str) -> float | None:
    values = [line[name] for line in lines if line["engine"] == engine and name in line]
    return statistics.median(values) if values else None


def _cell(value: float | None, unit: float | None, digits: int) -> str:
    return "not measured" if value is None or unit is None else f"{value / unit:.{digits}f}"


def read(path: Path | None) -> list[dict[str, Any]]:
    """The samples of an earlier run, or none."""
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 20_000, 70_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--data", default="mnist", help="a data set with images: mnist, or digits of any size")
    parser.add_argument("--unscored", action="store_true", help="leave the scores out: the judge looks at all pairs")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measure", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        engine, n, data, path = asked.measure
        print(json.dumps(measure(engine, int(n), data, Path(path))))
        return
    lines = [line for line in read(asked.out) if line["data"] == asked.data]
    facts = machine.facts() | {"peers": {name: version for name in LIBRARIES if (version := _version(name))}}
    for n in asked.sizes:
        judge = None
        for repeat in range(asked.repeats):
            for engine in asked.engines:
                if any((line["engine"], line["n"], line["repeat"]) == (engine, n, repeat) for line in lines):
                    continue
                judge = judge or (None if asked.unscored else Judge(n, asked.data))
                load = os.getloadavg()[0]
                line = {"repeat": repeat, "at": timing.now(), "load": load, **sample(engine, n, asked.data, judge)}
                lines.append(line)
                print(
                    {name: round(value, 3) if isinstance(value, float) else value for name, value in line.items()},
                    flush=True,
                )
                if asked.out:
                    asked.out.parent.mkdir(parents=True, exist_ok=True)
                    with asked.out.open("a") as file:
                        file.write(json.dumps(line | {"machine": facts}) + "\n")
    print(table([line for line in lines if line["n"] in asked.sizes and line["engine"] in asked.engines]))


def _version(name: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
