"""The outline that a hand has drawn, with fewer corners: an address holds some three hundred of them."""

from __future__ import annotations

import numpy as np


def simplified(corners: np.ndarray, tolerance: float) -> np.ndarray:
    """The corners that a line needs so that none of the others is farther from it than a tolerance, (m, 2).

    A browser notes a corner at each move of the pointer, several hundred for one lasso.

    Parameters
    ----------
    corners
        (n, 2), one after the other; the first and the last stay.
    tolerance
        In their units.

    References
    ----------
    Douglas & Peucker 1973, doi:10.3138/FM57-6770-U75U-7727.
    """
    kept = np.zeros(len(corners), bool)
    kept[[0, -1]] = True
    parts = [(0, len(corners) - 1)]
    while parts:
        first, last = parts.pop()
        if last - first < 2:
            continue
        away = _away(corners[first + 1 : last], corners[first], corners[last])
        farthest = int(away.argmax())
        if away[farthest] > tolerance:
            middle = first + 1 + farthest
            kept[middle] = True
            parts += [(first, middle), (middle, last)]
    return corners[kept]


def _away(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distance of each point from the stretch between two others."""
    along = end - start
    square = float(along @ along)
    share = np.clip((points - start) @ along / square, 0, 1) if square else np.zeros(len(points))
    nearest = start + share[:, None] * along
    return np.asarray(np.hypot(*(points - nearest).T))
