"""How raw rows become what a map is made from: scaled as a whole, by columns or by rows, and images set upright."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .datasets.dataset import blocks
from .errors import InputError, unknown_name
from .upright import deskew


@dataclass(frozen=True, eq=False)
class Preparation:
    """How raw rows are prepared, with what was learned from the rows that a map is made from; see `fit`.

    Attributes
    ----------
    how
        A name in `PREPROCESS`.
    columns
        Columns of a raw row.
    limits
        What becomes 0 and 1; None where values are not scaled as a whole.
    image_shape
        Height and width, if rows are images.
    names
        Names of the columns, if the rows are of a table.
    mean, deviation
        Of each column, (columns,) float64; None where columns are not standardized.
    """

    how: str
    columns: int
    limits: tuple[float, float] | None = None
    image_shape: tuple[int, int] | None = None
    names: tuple[str, ...] | None = None
    mean: np.ndarray | None = None
    deviation: np.ndarray | None = None

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Its plain values for JSON, and its arrays by names for files; `from_parts` gives it back."""
        values = vars(self).copy()
        columns = {name: values.pop(name) for name in ("mean", "deviation")}
        return values, {f"preparation-{name}": array for name, array in columns.items() if array is not None}

    @classmethod
    def from_parts(cls, values: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Preparation:
        """See `parts`; there may be other arrays as well."""
        given: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        given |= {name: arrays.get(f"preparation-{name}") for name in ("mean", "deviation")}
        return cls(**given)


def fit(
    X: np.ndarray, how: str, image_shape: tuple[int, int] | None = None, names: tuple[str, ...] | None = None
) -> Preparation:
    """The preparation of rows and of others like them.

    Parameters
    ----------
    X
        (n, d) finite numbers as they are stored; may be memory-mapped, and is read in blocks.
    how
        "none": all values alike scaled to [0, 1], see `scale`. "deskew": scaled, and images set upright, see `deskew`.
        "standardize": each column to mean 0 and variance 1, see `standardize`. "unit": each row to length 1, see
        `unit`.
    image_shape
        Height and width of the images, if rows are images.
    names
        Names of the columns.

    Raises
    ------
    InputError
        If the name is not known, it is "deskew" and the rows are not images, or it is "standardize" and no column
        varies, or one so much that its variance is not finite.
    """
    if how not in PREPROCESS:
        raise unknown_name("preprocessing", how, PREPROCESS)
    if how == "deskew" and image_shape is None:
        raise InputError("deskew needs images: give the image shape, or choose the preprocessing none.")
    if how == "standardize":
        mean, deviation = moments_of(X)
        return Preparation(how, X.shape[1], None, image_shape, names, mean, deviation)
    limits = None if how == "unit" else limits_of(X)
    return Preparation(how, X.shape[1], limits, image_shape, names)


def preprocess(X: np.ndarray, prepared: Preparation) -> np.ndarray:
    """Raw rows prepared, (n, d) float32; what becomes of a row does not depend on the others.

    Raises
    ------
    InputError
        If the rows cannot be prepared so; see the functions that `fit` names.
    """
    return PREPROCESS[prepared.how](X, prepared)


def scale(X: np.ndarray, limits: tuple[float, float] | None = None) -> np.ndarray:
    """All values between 0 and 1.

    Bytes are divided by 255. Anything else goes through one affine map of all values alike, least to
    0 and greatest to 1, so that distances keep their proportions and no column gains on another.

    Parameters
    ----------
    X
        (n, d) finite numbers; may be memory-mapped, and is read in blocks.
    limits
        What becomes 0 and 1, if not these rows' own `limits_of`; values outside leave [0, 1] then.

    Returns
    -------
    (n, d) float32.

    Raises
    ------
    InputError
        If all values are equal, or one is NaN or infinite.
    """
    low, high = limits_of(X) if limits is None else limits
    # Halves, because the difference of two large values of opposite sign may be infinite.
    span = high / 2 - low / 2
    if not 0 < span < np.inf:
        raise InputError(f"values from {low:g} to {high:g} cannot be scaled to [0, 1]: give finite values that differ.")
    scaled = np.empty(X.shape, dtype=np.float32)
    for block in blocks(X):
        if X.dtype == np.uint8 and (low, high) == (0.0, 255.0):
            np.divide(X[block], np.float32(255), out=scaled[block])
        else:
            with np.errstate(over="ignore"):  # a value that is too far outside the limits becomes infinite
                scaled[block] = (X[block].astype(np.float64) / 2 - low / 2) / span
    return scaled


def standardize(X: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Columns less their `mean`, over their standard `deviation`, so that each counts alike whatever its unit.

    Parameters
    ----------
    X
        (n, d) numbers.
    mean, deviation
        (d,) float64; see `moments_of`.

    Returns
    -------
    (n, d) float32.
    """
    out = np.empty(X.shape, dtype=np.float32)
    for block in blocks(X):
        with np.errstate(over="ignore"):  # a value that is too far outside becomes infinite
            out[block] = (X[block].astype(np.float64) - mean) / deviation
    return out


def unit(X: np.ndarray) -> np.ndarray:
    """Rows divided by their Euclidean length, so that the nearest are those at the least angle.

    Of two rows a and b of length 1 the squared distance is 2 (1 - cos(a, b)): neighbours are those by cosine
    similarity, as is usual for embeddings of texts and images. A row of zeros has no direction and stays.

    Parameters
    ----------
    X
        (n, d) numbers.

    Returns
    -------
    (n, d) float32.
    """
    out = np.empty(X.shape, dtype=np.float32)
    for block in blocks(X):
        # In rows, whatever the order in memory: how a sum rounds depends on it. The greatest first, because the
        # squares of large values may be infinite and those of small ones 0.
        rows = X[block].astype(np.float64, order="C")
        greatest = np.abs(rows).max(axis=1, keepdims=True)
        rows /= np.where(greatest > 0, greatest, 1.0)
        length = np.sqrt(np.square(rows).sum(axis=1, keepdims=True))
        out[block] = rows / np.where(length > 0, length, 1.0)
    return out


def limits_of(X: np.ndarray) -> tuple[float, float]:
    """What `scale` makes 0 and 1: 0 and 255 of bytes, and the least and the greatest of all other values."""
    if X.dtype == np.uint8:
        return 0.0, 255.0
    parts = [(X[block].min(), X[block].max()) for block in blocks(X)]
    low, high = np.array(parts).T
    return float(low.min()), float(high.max())


def moments_of(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What `standardize` takes: mean and standard deviation of each column, (d,) float64 each.

    The deviation is that of these rows, over their number; where a column does not vary it is 1, as in scikit-learn's
    StandardScaler.

    Raises
    ------
    InputError
        If no column varies, or the variance of one is not finite.
    """
    n, d = X.shape
    least, greatest = np.full(d, np.inf), np.full(d, -np.inf)
    total, squares = np.zeros(d), np.zeros(d)
    with np.errstate(over="ignore", invalid="ignore"):  # said below
        for block in blocks(X):
            rows = X[block].astype(np.float64)
            least, greatest = np.minimum(least, rows.min(axis=0)), np.maximum(greatest, rows.max(axis=0))
            total += rows.sum(axis=0)
        mean = total / n
        for block in blocks(X):
            squares += np.square(X[block].astype(np.float64) - mean).sum(axis=0)
    return checked_moments(mean, np.sqrt(squares / n), least, greatest)


def checked_moments(
    mean: np.ndarray, deviation: np.ndarray, least: np.ndarray, greatest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Moments of columns as `moments_of` gives them, from those summed up and the columns' least and greatest values.

    A column does not vary if its ends are equal: its deviation as summed up may be a rounding error above 0.
    """
    varies = least < greatest
    if not varies.any():
        raise InputError("no column varies, so that none can be standardized: give rows that differ.")
    # The sum of a column may be infinite where its values are not.
    if not (np.isfinite(mean) & np.isfinite(deviation)).all():
        raise InputError(
            f"values reach {max(-least.min(), greatest.max()):.3g}, whose squares are too large to standardize: scale "
            "them."
        )
    return np.where(varies, mean, least), np.where(varies & (deviation > 0), deviation, 1.0)


def _scale(X: np.ndarray, prepared: Preparation) -> np.ndarray:
    return scale(X, prepared.limits)


def _deskew(X: np.ndarray, prepared: Preparation) -> np.ndarray:
    assert prepared.image_shape is not None
    return deskew(scale(X, prepared.limits), prepared.image_shape)


def _standardize(X: np.ndarray, prepared: Preparation) -> np.ndarray:
    assert prepared.mean is not None
    assert prepared.deviation is not None
    return standardize(X, prepared.mean, prepared.deviation)


def _unit(X: np.ndarray, prepared: Preparation) -> np.ndarray:
    return unit(X)


PREPROCESS: dict[str, Callable[[np.ndarray, Preparation], np.ndarray]] = {
    "none": _scale,
    "deskew": _deskew,
    "standardize": _standardize,
    "unit": _unit,
}
"""Name -> what is done to raw rows."""
