"""The mean image of each class, in one pass over all images."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from PIL import Image

from ..compiling import kernel
from ..errors import InputError
from ..processors import in_threads, threads


def mean_images(pixels: np.ndarray, codes: np.ndarray, classes: int) -> list[Image.Image | None]:
    """The mean image of each class; None for a class without points.

    Parameters
    ----------
    pixels
        (n, height, width) uint8.
    codes
        (n,) class of each image, 0 to `classes` - 1.
    classes
        How many there are.

    Raises
    ------
    InputError
        If there is not one code for each image.
    """
    if len(pixels) != len(codes):
        raise InputError(f"there are {len(codes):,} classes for {len(pixels):,} images: give one for each.")
    flat = pixels.reshape(len(pixels), -1)
    bounds = np.linspace(0, len(flat), threads() + 1).astype(int)
    spans = [slice(*ends) for ends in pairwise(bounds)]

    def add(span: slice) -> np.ndarray:
        totals = np.zeros((classes, flat.shape[1]), np.uint64)
        _add(flat[span], codes[span], totals)
        return totals

    totals = sum(in_threads(add, spans), start=np.zeros((classes, flat.shape[1]), np.uint64))
    found: list[Image.Image | None] = []
    for total, n in zip(totals, np.bincount(codes, minlength=classes).tolist(), strict=True):
        mean = np.rint(total / max(n, 1)).astype(np.uint8).reshape(pixels.shape[1:])
        found.append(Image.fromarray(mean) if n else None)
    return found


@kernel
def _add(images, codes, totals):  # type: ignore[no-untyped-def]
    for i in range(len(images)):
        total = totals[codes[i]]
        for j in range(images.shape[1]):
            total[j] += images[i, j]
