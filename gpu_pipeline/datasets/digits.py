"""An embedded set of digits that needs no network: scikit-learn's 1,797, and as many deformed copies as wanted.

The way InfiMNIST was made (Loosli, Canu & Bottou 2007, "Training invariant support vector machines
using selective sampling", in Large-Scale Kernel Machines, MIT Press): each copy is an original under
a small affine map, a smooth elastic displacement (Simard, Steinkraus & Platt 2003,
doi:10.1109/ICDAR.2003.1227801) and a change of the thickness of its strokes. The originals are
Alpaydin & Kaynak 1998, doi:10.24432/C50P49, 8 x 8.

The bytes are the same on every computer. The random numbers are raw words of PCG64, whose stream
NumPy guarantees; the matrix products are of small integers, hence exact in whatever order they are
summed; all else is single additions and multiplications, which IEEE 754 rounds alike everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from .dataset import Dataset, Pick

SIZE = 28
"""Height and width of an image, in pixels."""

ORIGINALS = 1797
"""The first rows, not deformed; row i is a copy of row i modulo this."""

TOTAL = 70_000
"""Rows of the data set that is loaded by name, as many as MNIST has."""

CHUNK = 512
"""Rows that share a random stream: few enough for the working arrays to stay in the cache."""

BOX = 20
"""Side of the square that holds a digit, centred in the image, as in MNIST."""

KNOTS = 6
"""Control points of the displacement along each side."""

# The greatest deformations, each drawn uniformly between minus and plus this: turn in radians, slant, relative change
# of width and of height, shift in pixels, displacement of a control point in pixels, threshold of the ink.
TURN, SLANT, STRETCH, SHIFT, ELASTIC, INK = 0.14, 0.16, 0.12, 1.0, 2.5, 0.08

# Grey level of the enlarged original at which ink and paper are even, and the width of the edge around it.
THRESHOLD, EDGE = 0.55, 0.7

SHARPEN = 0.25
"""Share of the Laplacian taken off the 8 x 8 originals, whose pixels are means: it keeps small loops open."""

_NUMBERS = 7 + 2 * KNOTS**2


def load(pick: Pick, data_dir: str | Path | None = None) -> Dataset:
    """The set of `TOTAL` rows made with seed 0; it needs no folder."""
    chosen = pick(TOTAL)
    X, y = rows(chosen, seed=0)
    return Dataset(
        name="digits",
        X=X,
        y=y,
        rows=chosen,
        total=TOTAL,
        image_shape=(SIZE, SIZE),
        recommended="deskew",
        source="scikit-learn digits, deformed, seed 0",
    )


def rows(indices: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of some rows.

    Parameters
    ----------
    indices
        Which rows, each at least 0; there is no last one.
    seed
        Of the deformations.

    Returns
    -------
    Images, (n, 784) uint8, ink bright; labels, (n,) int64 of 0 to 9.
    """
    indices = np.asarray(indices, dtype=np.int64)
    enlarged, targets = _originals()
    X = np.empty((len(indices), SIZE * SIZE), dtype=np.uint8)
    chunks = indices // CHUNK
    for chunk in np.unique(chunks):
        here = np.flatnonzero(chunks == chunk)
        which = indices[here]
        drawn = _draw(seed, int(chunk))[which % CHUNK]
        drawn[which < ORIGINALS] = 0
        X[here] = _deform(enlarged[which % ORIGINALS], drawn)
    return X, targets[indices % ORIGINALS]


def generate(n: int, seed: int = 0, start: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows `start` to `start + n` as a stream, `CHUNK` or fewer at a time.

    Parameters
    ----------
    n, start
        How many rows, and the first.
    seed
        Of the deformations; the same row of the same seed always has the same bytes.

    Yields
    ------
    Images and labels, as `rows` gives them.
    """
    at, end = start, start + n
    while at < end:
        stop = min(end, (at // CHUNK + 1) * CHUNK)
        yield rows(np.arange(at, stop), seed)
        at = stop


def _draw(seed: int, chunk: int) -> np.ndarray:
    """The random numbers of one chunk, (CHUNK, _NUMBERS) float32, whole multiples of 1/64 in [-1, 1)."""
    n = CHUNK * _NUMBERS
    words = np.random.PCG64(np.random.SeedSequence([seed, chunk])).random_raw(-(-n // 8))
    octets = words.astype("<u8").view(np.int8)[:n]
    return ((octets >> 1).astype(np.float32) / np.float32(64)).reshape(CHUNK, _NUMBERS)


@cache
def _originals() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's digits, enlarged: grey levels (1797, 28, 28) float32, about 0 to 1; labels (1797,) int64."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    counts = np.pad(np.asarray(bunch.images, dtype=np.float64), ((0, 0), (1, 1), (1, 1)))
    middle = counts[:, 1:-1, 1:-1]
    around = counts[:, :-2, 1:-1] + counts[:, 2:, 1:-1] + counts[:, 1:-1, :-2] + counts[:, 1:-1, 2:]
    sharp = middle - SHARPEN * (around - 4 * middle)
    # Centres of the image's pixels, in pixels of the original.
    at = (np.arange(SIZE) - (SIZE - BOX) / 2 + 0.5) * 8 / BOX - 0.5
    weights = _rounded(_keys(at[:, None] - np.arange(8)), 256)
    return (weights @ sharp @ weights.T / 16).astype(np.float32), np.asarray(bunch.target, dtype=np.int64)


@cache
def _spread() -> np.ndarray:
    """Weights (28, KNOTS) float32 that spread control points smoothly over the pixels of a side."""
    at = np.arange(SIZE) * (KNOTS - 3) / SIZE + 1
    return _rounded(_spline(at[:, None] - np.arange(KNOTS)), 64).astype(np.float32)


def _keys(distance: np.ndarray) -> np.ndarray:
    """Weights of cubic convolution, which goes through its points (Keys 1981, doi:10.1109/TASSP.1981.1163711)."""
    t, a = np.abs(distance), -0.75
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    weights: np.ndarray = np.where(t < 1, near, np.where(t < 2, far, 0.0))
    return weights


def _spline(distance: np.ndarray) -> np.ndarray:
    """Weights of the cubic B-spline, which is smooth and stays within its points."""
    t = np.abs(distance)
    far = np.clip(2 - t, 0, None)
    weights: np.ndarray = np.where(t < 1, 2 / 3 - t * t + t * t * t / 2, far * far * far / 6)
    return weights


def _rounded(weights: np.ndarray, steps: int) -> np.ndarray:
    """Weights as whole multiples of 1/`steps`, so that sums of products with them are exact."""
    multiples: np.ndarray = np.rint(weights * steps) / steps
    return multiples


def _deform(images: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Images (n, 28, 28) float32 under the deformations `drawn`, (n, _NUMBERS); (n, 784) uint8.

    An output pixel at p from the middle shows the original at A p + shift + displacement(p).
    """
    turn, slant, wide, tall, down, right, ink = (drawn[:, i, None, None] for i in range(7))
    turn, slant = turn * np.float32(TURN), slant * np.float32(SLANT)
    wide, tall = 1 + wide * np.float32(STRETCH), 1 + tall * np.float32(STRETCH)
    sine, cosine = turn - turn * turn * turn / 6, 1 - turn * turn / 2
    p = np.arange(SIZE, dtype=np.float32) - np.float32((SIZE - 1) / 2)
    y, x = p[:, None], p[None, :]
    knots = drawn[:, 7:].reshape(-1, 2, KNOTS, KNOTS)
    spread = _spread()
    moved = (spread @ knots @ spread.T) * np.float32(ELASTIC)
    middle, shift = np.float32((SIZE - 1) / 2), np.float32(SHIFT)
    row = (cosine * y - sine * x) * tall + down * shift + moved[:, 0] + middle
    column = (sine * y + cosine * x + slant * y) * wide + right * shift + moved[:, 1] + middle
    level = (_bilinear(images, row, column) - (np.float32(THRESHOLD) + ink * np.float32(INK))) / np.float32(EDGE)
    t = np.clip(level + np.float32(0.5), 0, 1)
    ink_levels: np.ndarray = np.rint(t * t * (3 - 2 * t) * 255)
    return ink_levels.astype(np.uint8).reshape(len(images), -1)


def _bilinear(images: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Images (n, 28, 28) read between their pixels at `row` and `column`, each (n, 28, 28); their rim goes on."""
    last = np.float32(SIZE - 1.001)
    row, column = np.clip(row, 0, last), np.clip(column, 0, last)
    above, left = np.floor(row), np.floor(column)
    v, h = row - above, column - left
    at = (
        above.astype(np.int32) * SIZE
        + left.astype(np.int32)
        + (np.arange(len(images), dtype=np.int32) * SIZE * SIZE)[:, None, None]
    )
    flat = images.reshape(-1)
    upper = flat[at] * (1 - h) + flat[at + 1] * h
    lower = flat[at + SIZE] * (1 - h) + flat[at + SIZE + 1] * h
    between: np.ndarray = upper * (1 - v) + lower * v
    return between
