"""Exact neighbour lists, kept on disk by content: what metrics eat."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np

from .datasets import cache_dir
from .engines import engine_name, first_able, quality, silent
from .errors import InputError
from .methods import Neighbors
from .nearness import not_self

CACHE_BYTES = 2 * 1024**3
"""The cache is kept below this size: the lists that were used longest ago go first."""

_FORM = b"neighbour lists 2"  # Those of 1 lacked some where one column was much wider than the others.
_DIGEST_BYTES = 32


@dataclass(frozen=True)
class NeighborLists:
    """The nearest neighbours of each row.

    Attributes
    ----------
    indices, distances
        (n, k) int32 and float32, the nearest first, the row itself left out, also among duplicates.
    engine
        Name of the engine that found them.
    skipped
        Name of each engine passed over -> why.
    """

    indices: np.ndarray
    distances: np.ndarray
    engine: str
    skipped: dict[str, str] = field(default_factory=dict)


def neighbor_lists(
    X: np.ndarray,
    k: int,
    *,
    engine: str = "auto",
    seed: int = 0,
    cache: bool = True,
    held: Mapping[str, Any] = MappingProxyType({}),
) -> NeighborLists:
    """The exact k nearest neighbours of each row in the Euclidean metric.

    Parameters
    ----------
    X
        (n, d) rows, used as float32.
    k
        Neighbours of each row, 1 to n - 1.
    engine
        "auto" or the name of the engine to use.
    seed
        For engines whose order of equals depends on one.
    cache
        Look the engine's lists up by content, and keep them: in `neighbors/` under GPU_PIPELINE_CACHE, or else
        the user's cache folder. Longer lists of the same rows serve. A cache that cannot be read or
        written is no error; it is bounded by `CACHE_BYTES`.
    held
        Name of an engine -> the same rows where it holds them already, which saves the way there.

    Raises
    ------
    InputError
        If k is out of range or no engine has that name.
    Unavailable, Unsupported, EngineFailed
        If the named engine cannot do it, or under "auto" none can.
    """
    X = np.ascontiguousarray(X, dtype=np.float32)
    if not 1 <= k < len(X):
        raise InputError(f"k is {k} but must be at least 1 and less than the number of rows, {len(X):,}: change k.")
    key = _content(X) if cache else None

    def attempt(module: ModuleType) -> tuple[np.ndarray, np.ndarray]:
        lists = None if key is None else _read(f"{key}-{engine_name(module)}", k)
        if lists is None:
            lists = _search(module, _there(module, X, held), k, seed)
            if key is not None:
                _write(f"{key}-{engine_name(module)}", *lists)
        return lists

    skipped: dict[str, str] = {}
    name, (indices, distances) = first_able("neighbors", engine, attempt, skipped.setdefault)
    return NeighborLists(indices, distances, name, skipped)


def neighbors_of(
    X: np.ndarray, rows: np.ndarray, k: int, *, engine: str = "auto", held: Mapping[str, Any] = MappingProxyType({})
) -> NeighborLists:
    """The exact k nearest among all rows of X for m of them: lists of (m, k).

    For samples of very many rows, whose whole lists would take too long. Where the engine is one of the CPU,
    scikit-learn finds them. Parameters and errors are those of `neighbor_lists`.
    """
    X = np.ascontiguousarray(X, dtype=np.float32)

    def attempt(module: ModuleType) -> NeighborLists:
        if module.DEVICE == "cpu":
            return _by_scikit_learn(X, rows, k)
        return NeighborLists(*quality.nearest(_there(module, X, held), rows, k, module.arrays()), engine_name(module))

    skipped: dict[str, str] = {}
    lists = first_able("neighbors", engine, attempt, skipped.setdefault)[1]
    return replace(lists, skipped=skipped)


def _by_scikit_learn(X: np.ndarray, rows: np.ndarray, k: int) -> NeighborLists:
    from sklearn.neighbors import NearestNeighbors

    model = NearestNeighbors(algorithm="brute", n_jobs=-1).fit(X)
    distances, indices = model.kneighbors(X[rows], n_neighbors=k + 1)
    others = not_self(indices, rows)
    shape = (len(rows), k)
    return NeighborLists(
        indices[others].reshape(shape).astype(np.int32),
        distances[others].reshape(shape).astype(np.float32),
        "scikit_learn",
    )


def _there(engine: ModuleType, X: np.ndarray, held: Mapping[str, Any]) -> Any:
    """The rows where the engine works: as it holds them already, or put there now."""
    rows = held.get(engine_name(engine))
    return engine.put(X) if rows is None else rows


def _search(engine: ModuleType, X: Any, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    indices, distances = engine.get(engine.neighbors(X, Neighbors(n_neighbors=k), seed, silent).array)
    return np.ascontiguousarray(indices, dtype=np.int32), np.ascontiguousarray(distances, dtype=np.float32)


def _content(X: np.ndarray) -> str:
    """Name of the rows: equal for equal rows only."""
    digest = hashlib.sha256(_FORM + repr(X.shape).encode())
    digest.update(X.data)
    return digest.hexdigest()


def _read(name: str, k: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Stored lists of at least k neighbours, cut to k; None if there are none."""
    for path in sorted(_folder().glob(f"{name}-*.lists")):
        arrays = _unpack(path) if int(path.stem.rpartition("-")[2]) >= k else None
        if arrays is not None:
            indices, distances = (np.ascontiguousarray(array[:, :k]) for array in arrays)
            return indices, distances
    return None


def _unpack(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """The two arrays of a file, which counts as used now; None if it is damaged or out of reach."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(stored[_DIGEST_BYTES:]).digest() != stored[:_DIGEST_BYTES]:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    stream = io.BytesIO(stored[_DIGEST_BYTES:])
    return np.load(stream, allow_pickle=False), np.load(stream, allow_pickle=False)


def _write(name: str, indices: np.ndarray, distances: np.ndarray) -> None:
    """Keep lists: written under another name and renamed, so that no reader sees half of them."""
    stream = io.BytesIO()
    for array in (indices, distances):
        np.save(stream, array, allow_pickle=False)
    content = stream.getvalue()
    if len(content) > CACHE_BYTES:
        return
    folder = _folder()
    draft = folder / f"{uuid.uuid4().hex}.draft"
    with contextlib.suppress(OSError):  # read-only, full, or not a folder: the next run searches again
        try:
            folder.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(hashlib.sha256(content).digest() + content)
            draft.replace(folder / f"{name}-{indices.shape[1]:06d}.lists")
            _prune(folder)
        finally:
            draft.unlink(missing_ok=True)


def _folder() -> Path:
    return cache_dir() / "neighbors"


def _prune(folder: Path) -> None:
    """Remove what was used longest ago, drafts of killed programs too, until the rest fits."""
    files = [(path.stat().st_mtime_ns, path.stat().st_size, path) for path in folder.iterdir()]
    room = CACHE_BYTES
    for _, size, path in sorted(files, reverse=True):
        room -= size
        if room < 0:
            path.unlink(missing_ok=True)
