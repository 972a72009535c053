"""Scaling of all values to [0, 1], and setting images of handwriting upright."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .datasets.dataset import blocks
from .errors import InputError, unknown_name

_IMAGES = 512
"""Images that are worked on together, few enough for the working arrays to stay in the cache."""


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


def deskew(X: np.ndarray, image_shape: tuple[int, int]) -> np.ndarray:
    """Images sheared so that their slant is gone, with their centre of mass in the middle.

    The slant is the regression of the column on the row over the mass of the image: its second
    moments give the shear after which the two are uncorrelated, the usual preparation of MNIST (LeCun,
    Bottou, Bengio & Haffner 1998, doi:10.1109/5.726791, section III). Bilinear; what is beyond
    the rim is 0. An image without mass stays as it is.

    Parameters
    ----------
    X
        (n, height x width) values of 0 or more, ink bright.
    image_shape
        Height and width.

    Returns
    -------
    (n, height x width) float32, in the units of `X`.

    Raises
    ------
    InputError
        If the images have another number of pixels, or a value is negative.
    """
    height, width = image_shape
    if X.shape[1] != height * width:
        raise InputError(f"rows of {X.shape[1]} values are not images of {height} x {width}: give their image shape.")
    upright = np.empty(X.shape, dtype=np.float32)
    for start in range(0, len(X), _IMAGES):
        images = X[start : start + _IMAGES].astype(np.float32).reshape(-1, height, width)
        if images.min() < 0:
            raise InputError("deskew weighs pixels by their values and some are negative: scale them to [0, 1] first.")
        upright[start : start + _IMAGES] = _deskewed(images).reshape(len(images), -1)
    return upright


def preprocess(
    X: np.ndarray, name: str, image_shape: tuple[int, int] | None, limits: tuple[float, float] | None = None
) -> np.ndarray:
    """Values scaled to [0, 1] and prepared, (n, d) float32.

    Parameters
    ----------
    X
        (n, d) numbers as they are stored.
    name
        One of `PREPROCESS`.
    image_shape
        Height and width of the images, if rows are images.
    limits
        What becomes 0 and 1, if not these rows' own `limits_of`.

    Raises
    ------
    InputError
        If the name is not known, or it is "deskew" and the rows are not images.
    """
    if name not in PREPROCESS:
        raise unknown_name("preprocessing", name, PREPROCESS)
    return PREPROCESS[name](scale(X, limits), image_shape)


def limits_of(X: np.ndarray) -> tuple[float, float]:
    """What `scale` makes 0 and 1: 0 and 255 of bytes, and the least and the greatest of all other values."""
    if X.dtype == np.uint8:
        return 0.0, 255.0
    parts = [(X[block].min(), X[block].max()) for block in blocks(X)]
    low, high = np.array(parts).T
    return float(low.min()), float(high.max())


def _as_scaled(X: np.ndarray, image_shape: tuple[int, int] | None) -> np.ndarray:
    return X


def _deskew(X: np.ndarray, image_shape: tuple[int, int] | None) -> np.ndarray:
    if image_shape is None:
        raise InputError("deskew needs images: give the image shape, or choose the preprocessing none.")
    return deskew(X, image_shape)


PREPROCESS: dict[str, Callable[[np.ndarray, tuple[int, int] | None], np.ndarray]] = {
    "none": _as_scaled,
    "deskew": _deskew,
}
"""Name -> what is done to scaled values."""


def _deskewed(images: np.ndarray) -> np.ndarray:
    """Images (n, height, width) float32, deskewed.

    The output at (r, c) is the input at (r + down, c + slant * (r - middle) + right): rows shift by the
    same fraction everywhere and columns by one for each row, so that interpolation is along
    one axis after the other. Nothing here is a matrix product: how those round depends on how many images there are.
    """
    from .shearing import shear

    height, width = images.shape[1:]
    y, x = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    exact = images.astype(np.float64)
    by_row, by_column = exact.sum(axis=2), exact.sum(axis=1)
    mass = by_row.sum(axis=1)
    divisor = np.where(mass > 0, mass, 1.0)
    down, right = (by_row * y).sum(axis=1) / divisor, (by_column * x).sum(axis=1) / divisor
    spread = (by_row * y**2).sum(axis=1) / divisor - down**2
    joint = (np.einsum("nrc,c->nr", exact, x) * y).sum(axis=1) / divisor - down * right
    # A stroke within one row has no slant; its spread is not exactly 0 in floating point.
    slant = np.where(spread > 1e-6, joint / np.where(spread > 1e-6, spread, 1.0), 0.0)
    sheared = np.empty_like(images)
    shear(images, down, slant[:, None] * y + right[:, None], sheared)
    return sheared
