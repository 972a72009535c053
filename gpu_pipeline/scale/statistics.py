"""One pass over all rows: what scaling and PCA need, how many rows each class has, and the landmarks themselves.

Means and scatter matrices are centred and added up in pairs (Chan, Golub & LeVeque 1983,
doi:10.1080/00031305.1983.10483115), block by block and then partition by partition in their order, so that
the sums are the same to the last bit whoever made the parts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets.labels import labelled, without
from ..errors import InputError
from ..placing import Axes
from ..preprocess import Preparation, checked_moments, preprocess
from .kept import keep, kept
from .source import BLOCK, Partition, Source

Limits = tuple[float, float]

_SUMS = ("mean", "scatter", "least", "greatest")
"""What of a partition's moments is kept as arrays."""


@dataclass(frozen=True)
class Survey:
    """What a pass over the rows is to find.

    Attributes
    ----------
    source
        The rows.
    folder
        Where parts go.
    prepared
        How rows are prepared, as far as it is known.
    known
        Whether it is: otherwise moments are taken of the rows as they are stored, and converted once all are read.
    moments
        Whether means and scatter are needed.
    """

    source: Source
    folder: str
    prepared: Preparation
    known: bool
    moments: bool


@dataclass(frozen=True)
class Moments:
    """Rows, their mean (d,) and their scatter about it (d, d): the sum of outer products; and each column's least and
    greatest value, (d,). All float64."""

    count: int
    mean: np.ndarray
    scatter: np.ndarray
    least: np.ndarray
    greatest: np.ndarray


@dataclass(frozen=True)
class Surveyed:
    """What a pass over the rows found.

    Attributes
    ----------
    prepared
        How rows are prepared.
    digests
        SHA-256 of each partition's content.
    classes, counts
        The distinct labels, sorted, and how many rows each has; None without labels.
    unlabelled
        Rows that have no label where others do.
    reduction, share
        Mean and principal axes of all prepared rows, and the axes' share of the variance; None if all columns
        are kept.
    """

    prepared: Preparation
    digests: tuple[str, ...]
    classes: np.ndarray | None
    counts: np.ndarray | None
    unlabelled: int
    reduction: Axes | None
    share: float | None

    @property
    def digest(self) -> str:
        """SHA-256 over those of the partitions."""
        return hashlib.sha256("".join(self.digests).encode()).hexdigest()


def find_limits(source: Source, partition: Partition) -> Limits:
    """Least and greatest value of a partition's rows."""
    X, _ = source.read(partition)
    return float(X.min()), float(X.max())


def content(source: Source, partition: Partition) -> str:
    """SHA-256 of a partition's rows and labels."""
    return _digest(*source.read(partition))


def survey(asked: Survey, landmarks: str, partition: Partition) -> dict[str, Any]:
    """One partition's part, kept in the folder of the work; `landmarks` is the file with the rows of all landmarks."""
    folder = Path(asked.folder)
    if (before := kept(folder, partition.stem)) is not None:
        return before
    X, y = asked.source.read(partition)
    rows = np.load(landmarks, mmap_mode="r", allow_pickle=False)
    first, last = np.searchsorted(rows, [partition.start, partition.start + partition.rows])
    chosen = np.asarray(rows[first:last]) - partition.start
    arrays = {"X": X[chosen]}
    if y is not None:
        arrays |= {"y": np.ma.getdata(y)[chosen], "labelled": labelled(y)[chosen]}
    if asked.moments:
        total = _moments(asked, X)
        arrays |= {name: getattr(total, name) for name in _SUMS}
    labels, counts = None, None
    if y is not None:
        there = np.ma.getdata(y)[labelled(y)]
        labels, counts = (array.tolist() for array in np.unique(there, return_counts=True))
    remember = {
        **{"rows": len(X), "low": float(X.min()), "high": float(X.max()), "digest": _digest(X, y)},
        **{"labels": labels, "counts": counts},
    }
    return keep(folder, partition.stem, {".npz": lambda draft: save_arrays(draft, arrays)}, remember)


def conclude(
    asked: Survey, parts: list[dict[str, Any]], components: int | None
) -> tuple[Surveyed, dict[str, np.ndarray]]:
    """All partitions' parts together, in their order; and the landmarks `X` as they are stored, with their labels `y`,
    and which of them are `labelled`.

    Parameters
    ----------
    asked
        What was asked for.
    parts
        What `survey` gave.
    components
        Principal axes to find, or None for no reduction.

    Raises
    ------
    InputError
        If all values are equal, or so large that their squares are not finite; if there are labels, but of no row.
    """
    low, high = min(part["low"] for part in parts), max(part["high"] for part in parts)
    if not low < high:
        raise InputError(f"no value of {asked.source.name} differs from any other: give rows that differ.")
    moments: Moments | None = None
    landmarks: dict[str, list[np.ndarray]] = {}
    for partition, part in zip(asked.source.partitions, parts, strict=True):
        with np.load(Path(asked.folder) / f"{partition.stem}.npz", allow_pickle=False) as arrays:
            for name in {"X", "y", "labelled"} & set(arrays.files):
                landmarks.setdefault(name, []).append(arrays[name])
            if asked.moments:
                own = Moments(part["rows"], **{name: arrays[name] for name in _SUMS})
                moments = own if moments is None else together(moments, own)
    prepared = asked.prepared if asked.known else _completed(asked, parts, moments)
    reduction, share = None, None
    if moments is not None and components is not None:
        moments = moments if asked.known else _converted(moments, prepared)
        if not np.isfinite(moments.scatter).all():
            raise InputError(f"values of {asked.source.name} are too large for their squares: give smaller ones.")
        axes, share = principal_axes(moments, components)
        reduction = Axes(moments.mean.astype(np.float32), axes)
    digests = tuple(part["digest"] for part in parts)
    classes, counts = _classes(asked.source.name, parts)
    unlabelled = 0 if counts is None else sum(part["rows"] for part in parts) - int(counts.sum())
    found = Surveyed(prepared, digests, classes, counts, unlabelled, reduction, share)
    return found, {name: np.concatenate(arrays) for name, arrays in landmarks.items()}


def store(folder: Path, found: Surveyed, landmarks: dict[str, np.ndarray]) -> None:
    """Keep what was found, and the landmarks, for the same run started again."""
    keep(folder, "landmark-rows", {".npz": lambda draft: save_arrays(draft, landmarks)}, {})
    arrays = {name: getattr(found, name) for name in ("classes", "counts") if getattr(found, name) is not None}
    values, columns = found.prepared.parts()
    arrays |= columns
    if found.reduction is not None:
        arrays |= {"mean": found.reduction.mean, "axes": found.reduction.axes}
    remember = {name: getattr(found, name) for name in ("digests", "unlabelled", "share")}
    remember["prepared"] = values
    keep(folder, "surveyed", {".npz": lambda draft: save_arrays(draft, arrays)}, remember)


def load(folder: Path) -> Surveyed | None:
    """What was found before; None if it is not there whole."""
    remembered = kept(folder, "surveyed")
    if remembered is None or kept(folder, "landmark-rows") is None:
        return None
    with np.load(folder / "surveyed.npz", allow_pickle=False) as arrays:
        reduction = Axes(arrays["mean"], arrays["axes"]) if "axes" in arrays else None
        prepared = Preparation.from_parts(remembered["prepared"], dict(arrays))
        classes, counts = (arrays.get(name) for name in ("classes", "counts"))
    digests, unlabelled, share = tuple(remembered["digests"]), remembered["unlabelled"], remembered["share"]
    return Surveyed(prepared, digests, classes, counts, unlabelled, reduction, share)


def known_digests(folder: Path, source: Source) -> dict[int, str]:
    """SHA-256 of the content of each partition, by its number, as far as an earlier process read them."""
    if (found := load(folder)) is not None:
        return dict(enumerate(found.digests))
    parts = {each.index: kept(folder / "survey", each.stem) for each in source.partitions}
    return {index: part["digest"] for index, part in parts.items() if part is not None}


def landmark_rows(folder: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """The landmarks as they are stored, and their labels or None."""
    with np.load(folder / "landmark-rows.npz", allow_pickle=False) as arrays:
        if "y" not in arrays or not arrays["labelled"].any():
            return arrays["X"], None
        return arrays["X"], without(arrays["y"], ~arrays["labelled"])


def save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays as one `.npz`, whatever the path's suffix."""
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def principal_axes(moments: Moments, components: int) -> tuple[np.ndarray, float]:
    """The first principal axes, (d, components) float32, and their share of the variance.

    Of each axis the component that is greatest in size is positive, as scikit-learn has it. By one thread: with others
    BLAS rounds otherwise, and the map would depend on how many this process may have.
    """
    from scipy.linalg import eigh
    from threadpoolctl import threadpool_limits

    d = len(moments.mean)
    with threadpool_limits(1, "blas"):
        variances, axes = eigh(moments.scatter / max(moments.count - 1, 1), subset_by_index=(d - components, d - 1))
    axes = axes[:, ::-1]
    greatest = np.abs(axes).argmax(axis=0)
    axes = axes * np.sign(axes[greatest, np.arange(components)])
    total = np.trace(moments.scatter)
    share = float(variances.sum() * (moments.count - 1) / total) if total > 0 else 0.0
    return np.ascontiguousarray(axes, dtype=np.float32), share


def together(one: Moments, other: Moments) -> Moments:
    """The moments of two sets of rows taken as one."""
    count = one.count + other.count
    away = other.mean - one.mean
    scatter = one.scatter + other.scatter
    scatter += np.outer(away, away) * (one.count * other.count / count)
    ends = np.minimum(one.least, other.least), np.maximum(one.greatest, other.greatest)
    return Moments(count, one.mean + away * (other.count / count), scatter, *ends)


def _moments(asked: Survey, X: np.ndarray) -> Moments:
    total: Moments | None = None
    for start in range(0, len(X), BLOCK):
        block = X[start : start + BLOCK]
        if asked.known:
            block = preprocess(block, asked.prepared)
        values = block.astype(np.float64)
        mean, least, greatest = values.mean(axis=0), values.min(axis=0), values.max(axis=0)
        values -= mean
        with np.errstate(over="ignore", invalid="ignore"):  # said once all are gathered
            own = Moments(len(values), mean, values.T @ values, least, greatest)
        total = own if total is None else together(total, own)
    assert total is not None
    return total


def _completed(asked: Survey, parts: list[dict[str, Any]], moments: Moments | None) -> Preparation:
    """How rows are prepared, with what is known once all are read: their limits, or mean and deviation of columns."""
    if asked.prepared.how != "standardize":
        limits = min(part["low"] for part in parts), max(part["high"] for part in parts)
        return replace(asked.prepared, limits=limits)
    assert moments is not None
    deviation = np.sqrt(np.diagonal(moments.scatter) / moments.count)
    mean, deviation = checked_moments(moments.mean, deviation, moments.least, moments.greatest)
    return replace(asked.prepared, mean=mean, deviation=deviation)


def _converted(moments: Moments, prepared: Preparation) -> Moments:
    """The moments of prepared rows from those of rows as they are stored."""
    if prepared.mean is not None and prepared.deviation is not None:
        offset, span = prepared.mean, prepared.deviation
    else:
        assert prepared.limits is not None
        low, high = prepared.limits
        offset, span = np.array([low]), np.array([high - low])
    mean, least, greatest = ((each - offset) / span for each in (moments.mean, moments.least, moments.greatest))
    return Moments(moments.count, mean, moments.scatter / np.outer(span, span), least, greatest)


def _classes(name: str, parts: list[dict[str, Any]]) -> tuple[np.ndarray | None, np.ndarray | None]:
    if parts[0]["labels"] is None:
        return None, None
    counts: dict[Any, int] = {}
    for part in parts:
        for label, count in zip(part["labels"], part["counts"], strict=True):
            counts[label] = counts.get(label, 0) + count
    if not counts:
        raise InputError(f"no row of {name} has a label: leave the labels out.")
    classes = np.array(sorted(counts))
    return classes, np.array([counts[label] for label in classes.tolist()], np.int64)


def _digest(X: np.ndarray, y: np.ndarray | None) -> str:
    sha = hashlib.sha256(f"{X.dtype.str} {X.shape};".encode())
    sha.update(np.ascontiguousarray(X).data)
    if y is not None:
        sha.update(f"{y.dtype.kind};".encode())
        sha.update("\n".join(map(str, np.ma.getdata(y).tolist())).encode())
        if np.ma.is_masked(y):
            sha.update(np.packbits(labelled(y)).data)
    return sha.hexdigest()
