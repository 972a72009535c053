"""Text that can be read on any colour."""

from __future__ import annotations

import numpy as np

BLACK, WHITE = np.zeros(3), np.full(3, 255.0)


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """How well two sRGB colours (three numbers in 0..255) are told apart, 1 to 21; text wants 4.5 (WCAG 2.1, AA)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def ink_on(colour: np.ndarray) -> np.ndarray:
    """Black or white, whichever is read better on a colour: one of the two always has at least 4.58."""
    return BLACK if contrast(BLACK, colour) > contrast(WHITE, colour) else WHITE


def mixed(paper: np.ndarray, colour: np.ndarray, share: float) -> np.ndarray:
    """A colour between a paper and a full colour, in whole numbers as the page has them."""
    return np.asarray(np.rint(paper + (colour - paper) * min(max(share, 0.0), 1.0)))


def _luminance(colour: np.ndarray) -> float:
    channels = np.asarray(colour, dtype=np.float64) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
