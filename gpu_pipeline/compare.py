"""Two maps of the same rows: laid on top of each other, and how far they agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .datasets import DATASETS
from .errors import InputError
from .metrics import neighbor_recall
from .nearness import map_neighbors

if TYPE_CHECKING:
    import pandas as pd

NEIGHBORS = 15
"""Neighbours on either map that are compared, fewer where there are not twice as many common rows."""

FEWEST_ROWS = 10
"""Common rows at least: a few points always fit well."""


@dataclass(frozen=True)
class Comparison:
    """How far two maps agree on the m rows that both have.

    Attributes
    ----------
    rows
        (m,) their indices in the data set, sorted.
    aligned
        (m, 2) float64: the second map laid on the first by shift, rotation or reflection, and scale.
    displacement
        (m,) distance between the two places of each row, in units of the first map's RMS radius: 0 where
        they agree.
    summary
        `rows`: m; `only_reference`, `only_other`: rows that one map lacks; `displacement_median`;
        `displacement_rms`: 0 for maps that differ by a similarity only, and 1 at most, which is near what
        two unrelated maps have; `common_neighbors`: share of the k nearest neighbours on the first map that are among
        the k nearest on the other, the mean over the rows; `common_neighbors_chance`: k / (m - 1).
    """

    rows: np.ndarray
    aligned: np.ndarray
    displacement: np.ndarray
    summary: dict[str, float]


def doubt(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """Why rows of two runs with the same number may not be the same row; None if nothing says so.

    Parameters
    ----------
    one, other
        What was read, from the runs' records. Samples of the same data have different digests.

    Raises
    ------
    InputError
        If they are two of the known data sets, which have no row in common.
    """
    names = one["name"], other["name"]
    alike = names[0] == names[1] and one["total"] == other["total"]
    if alike or one["digest"] == other["digest"]:
        return None
    if names[0] != names[1] and all(name in DATASETS for name in names):
        raise InputError(f"{names[0]} and {names[1]} have no row in common: compare runs on the same data.")
    first, second = (f"{data['name']} with {data['total']:,} rows" for data in (one, other))
    return (
        f"A is of {first} and B of {second}: rows are taken for the same by their numbers alone, so that these figures "
        "say something only if they are."
    )


def align(reference: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Lay a map on another by the shift, rotation or reflection, and scale with the least squared distances.

    Parameters
    ----------
    reference, other
        (n, 2) places of the same rows.

    Returns
    -------
    np.ndarray
        (n, 2) float64, `other` moved.

    Raises
    ------
    InputError
        If the maps are not of the same shape, or all points of one are at one place.

    References
    ----------
    Gower 1975 (generalised Procrustes analysis), doi:10.1007/BF02291478.
    """
    A, B = np.asarray(reference, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if A.shape != B.shape:
        raise InputError(f"the maps have shapes {A.shape} and {B.shape}: give two maps of the same rows.")
    if not np.ptp(A, axis=0).any() or not np.ptp(B, axis=0).any():
        raise InputError("all points of a map are at one place, so that it cannot be compared: make the map again.")
    centre = A.mean(axis=0)
    A, B = A - centre, B - B.mean(axis=0)
    left, singular, right = np.linalg.svd(B.T @ A)
    aligned: np.ndarray = B @ (left @ right) * (singular.sum() / (B**2).sum()) + centre
    return aligned


def compare_maps(reference: pd.DataFrame, other: pd.DataFrame) -> Comparison:
    """Compare two maps on the rows of the data set that both have.

    Parameters
    ----------
    reference, other
        Points with the columns `row` (index in the data set, each once), `x` and `y`.

    Raises
    ------
    InputError
        If fewer than `FEWEST_ROWS` rows are common, or all points of a map are at one place.
    """
    rows, first, second = np.intersect1d(
        reference["row"].to_numpy(), other["row"].to_numpy(), assume_unique=True, return_indices=True
    )
    if len(rows) < FEWEST_ROWS:
        raise InputError(
            f"the two maps have {len(rows)} rows in common but at least {FEWEST_ROWS} are needed: "
            "compare runs on the same data and sample."
        )
    A = reference[["x", "y"]].to_numpy(dtype=np.float64)[first]
    B = other[["x", "y"]].to_numpy(dtype=np.float64)[second]
    aligned = align(A, B)
    radius = np.sqrt(((A - A.mean(axis=0)) ** 2).sum(axis=1).mean())
    displacement = np.sqrt(((aligned - A) ** 2).sum(axis=1)) / radius
    k = min(NEIGHBORS, (len(rows) - 1) // 2)
    common = neighbor_recall(map_neighbors(A, k), map_neighbors(B, k), k)
    summary = {
        "rows": len(rows),
        "only_reference": len(reference) - len(rows),
        "only_other": len(other) - len(rows),
        "displacement_median": float(np.median(displacement)),
        "displacement_rms": float(np.sqrt((displacement**2).mean())),
        "common_neighbors": float(common.mean(dtype=np.float64)),
        "common_neighbors_chance": k / (len(rows) - 1),
    }
    return Comparison(rows, aligned, displacement, summary)
