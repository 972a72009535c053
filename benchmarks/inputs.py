"""The arrays that cases begin with: made once, kept on disk, the same bytes for every engine and for the judge."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gpu_pipeline import datasets, methods
from gpu_pipeline.engines import mesh, scikit_learn, silent

FORM = "benchmarks-1"
"""Name of the folder in the cache: another where the arrays are made in another way."""

BLOCK = 1_000_000
"""Points of a made-up map that are made together."""


def path_of(name: str, data: str, n: int) -> Path:
    """The file of an array, which is made if it is not there.

    Parameters
    ----------
    name
        One of `ARRAYS`.
    data, n
        As in a case.
    """
    path = datasets.cache_dir() / FORM / f"{data}-{n}" / f"{name}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{uuid.uuid4().hex}.npy")
        try:
            ARRAYS[name](data, n, draft)
            draft.replace(path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()
    return path


def load(name: str, data: str, n: int) -> np.ndarray:
    """An array of `ARRAYS`."""
    array: np.ndarray = np.load(path_of(name, data, n), allow_pickle=False)
    return array


def _pixels(data: str, n: int, draft: Path) -> None:
    np.save(draft, _rows(data, n)[0])


def _labels(data: str, n: int, draft: Path) -> None:
    np.save(draft, _rows(data, n)[1])


def _rows(data: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels as they are stored, and labels."""
    if data == "digits":
        return datasets.digits.rows(np.arange(n))
    dataset = datasets.load(data, sample=n, seed=42)
    if dataset.y is None:
        raise ValueError(f"{data} has no labels to judge a map by")
    return np.asarray(dataset.X), dataset.y


def _features(data: str, n: int, draft: Path) -> None:
    """The first 50 principal components of pixels in [0, 1]."""
    pixels = load("pixels", data, n) / np.float32(255)
    np.save(draft, scikit_learn.pca(pixels, methods.PCA(), 0, silent).array)


def _start(data: str, n: int, draft: Path) -> None:
    """Two principal components, the first with standard deviation 1e-4: where every t-SNE begins."""
    two = load("features", data, n)[:, :2].astype(np.float64)
    np.save(draft, ((two - two.mean(axis=0)) * (1e-4 / two[:, 0].std())).astype(np.float32))


def _map(data: str, n: int, draft: Path) -> None:
    """A map to find clusters on."""
    embedding = mesh.tsne(load("features", data, n), methods.TSNE(), 0, initial=load("start", data, n)).array
    np.save(draft, embedding)


def _points(data: str, n: int, draft: Path) -> None:
    """Ten classes of five blobs each, (2, n) float32, so that x and y lie together."""
    width = np.float32(0.01 if data == "narrow" else 1.5)
    random = np.random.default_rng(0)
    centres = random.normal(0, 10, (2, 50)).astype(np.float32)
    points = np.lib.format.open_memmap(draft, "w+", np.float32, (2, n))
    for start in range(0, n, BLOCK):
        here = slice(start, min(start + BLOCK, n))
        blobs = _blobs(start, n)
        points[:, here] = centres[:, blobs] + width * random.standard_normal((2, len(blobs)), np.float32)
    points.flush()


def _classes(_: str, n: int, draft: Path) -> None:
    """The class of each point, (n,) int8."""
    classes = np.lib.format.open_memmap(draft, "w+", np.int8, (n,))
    for start in range(0, n, BLOCK):
        classes[start : start + BLOCK] = _blobs(start, n) // 5
    classes.flush()


def _blobs(start: int, n: int) -> np.ndarray:
    """Which blob each of a block of points is in."""
    return np.random.default_rng([1, start]).integers(0, 50, min(BLOCK, n - start))


ARRAYS: dict[str, Callable[[str, int, Path], None]] = {
    "pixels": _pixels,
    "labels": _labels,
    "features": _features,
    "start": _start,
    "map": _map,
    "points": _points,
    "classes": _classes,
}
"""Name -> what writes it to a file."""
