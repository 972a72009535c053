"""Setting images of handwriting upright."""

from __future__ import annotations

import numpy as np

from .errors import InputError

_IMAGES = 512
"""Images that are worked on together, few enough for the working arrays to stay in the cache."""


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
