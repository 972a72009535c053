"""Images moved along their rows and columns, compiled: most of what setting handwriting upright takes."""

from __future__ import annotations

from math import floor

import numpy as np

from .compiling import kernel


@kernel
def shear(images, down, along, sheared):  # type: ignore[no-untyped-def]
    """Images (n, height, width) float32, each read `down` (n,) rows further on, and then each of its rows `along`
    (n, height) pixels further on; between pixels linearly, 0 beyond the rim. Into `sheared`, of the same shape."""
    n, height, width = images.shape
    nothing = np.zeros(width, np.float32)
    line = np.zeros(3 * width + 3, np.float32)  # A row between as many zeros as it may be moved by.
    middle = line[width + 1 : 2 * width + 1]
    for i in range(n):
        rows = floor(down[i])
        part = np.float32(down[i] - rows)
        for r in range(height):
            here = images[i, r + rows] if 0 <= r + rows < height else nothing
            after = images[i, r + rows + 1] if 0 <= r + rows + 1 < height else nothing
            for c in range(width):
                middle[c] = here[c] + (after[c] - here[c]) * part
            pixels = floor(along[i, r])
            rest = np.float32(along[i, r] - pixels)
            first = int(min(max(pixels, -width - 1), width)) + width + 1
            here, after = line[first : first + width], line[first + 1 : first + 1 + width]
            for c in range(width):
                sheared[i, r, c] = here[c] + (after[c] - here[c]) * rest
