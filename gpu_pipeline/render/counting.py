"""The loops over a grid's pixels: one pass each over all of them, and else over those that have points."""

from __future__ import annotations

import numpy as np

from ..compiling import kernel


@kernel
def survey(counts):  # type: ignore[no-untyped-def]
    """The lit pixels of (height, width, inks), ascending, (m,) positions in the flat image; and for each its ink, the
    ink with the most (of equals the first), how much of that one, and how many inks it has. And of each ink all."""
    height, width, inks = counts.shape
    lit = np.empty(height * width, np.int64)
    total = np.empty(height * width, np.float32)
    top = np.empty(height * width, np.uint8)
    most = np.empty(height * width, np.float32)
    kinds = np.empty(height * width, np.uint8)
    amounts = np.zeros(inks, np.float64)
    m = 0
    for row in range(height):
        for column in range(width):
            amount = np.float32(0)
            for ink in range(inks):
                amount += np.float32(counts[row, column, ink])
            if amount == 0:
                continue
            lit[m], total[m], most[m], kinds[m] = row * width + column, amount, 0, 0
            for ink in range(inks):
                here = np.float32(counts[row, column, ink])
                kinds[m] += here > 0
                amounts[ink] += here
                if here > most[m]:
                    most[m], top[m] = here, ink
            m += 1
    return lit[:m], total[:m], top[:m], most[:m], kinds[:m], amounts


def scatter(amount: np.ndarray, lit: np.ndarray, weights: np.ndarray, reach: int) -> np.ndarray:
    """Each pixel's ink of (height, width, inks), given to the pixels around it by (2 reach + 1)**2 weights."""
    out = np.zeros(amount.shape, np.float32)  # by NumPy, which asks for large pages: numba's come a third as fast
    _scatter(out, amount, lit, weights, reach)
    return out


@kernel
def _scatter(out, amount, lit, weights, reach):  # type: ignore[no-untyped-def]
    height, width, inks = amount.shape
    for pixel in lit:
        row, column = divmod(pixel, width)
        for ink in range(inks):
            here = np.float32(amount[row, column, ink])
            if here == 0:
                continue
            for i in range(max(row - reach, 0), min(row + reach + 1, height)):
                for j in range(max(column - reach, 0), min(column + reach + 1, width)):
                    out[i, j, ink] += here * weights[i - row + reach, j - column + reach]


@kernel
def largest_share(counts, lit):  # type: ignore[no-untyped-def]
    """Share of the ink with the most in each lit pixel's ink, (m,)."""
    width = counts.shape[1]
    out = np.empty(len(lit), np.float32)
    for i in range(len(lit)):
        row, column = divmod(lit[i], width)
        total = most = np.float32(0)
        for ink in range(counts.shape[2]):
            amount = np.float32(counts[row, column, ink])
            total += amount
            most = max(most, amount)
        out[i] = most / total
    return out


@kernel
def blend(counts, lit, colours):  # type: ignore[no-untyped-def]
    """Average colour of the inks of each lit pixel, by their amounts, (m, 3)."""
    width = counts.shape[1]
    out = np.empty((len(lit), 3), np.float32)
    for i in range(len(lit)):
        row, column = divmod(lit[i], width)
        total = red = green = blue = np.float32(0)
        for ink in range(counts.shape[2]):
            amount = np.float32(counts[row, column, ink])
            if amount > 0:
                total += amount
                red += amount * colours[ink, 0]
                green += amount * colours[ink, 1]
                blue += amount * colours[ink, 2]
        out[i, 0], out[i, 1], out[i, 2] = red / total, green / total, blue / total
    return out


@kernel
def histogram(total, bins):  # type: ignore[no-untyped-def]
    """The bin of each amount, (n,), over the logarithm from 1 to the largest, those below 1 in the first; how many of 1
    and more are in each bin, (bins,); and log2 of the largest."""
    top = np.float32(1)
    for i in range(len(total)):
        top = max(top, total[i])
    top = np.log2(top)
    where, votes = np.zeros(len(total), np.uint16), np.zeros(bins, np.int64)
    for i in range(len(total)):
        if total[i] > 1:
            where[i] = min(np.int64(np.log2(total[i]) * (bins / top)), bins - 1)
        votes[where[i]] += total[i] >= 1
    return where, votes, top


@kernel
def lay(image, lit, colour, total):  # type: ignore[no-untyped-def]
    """Lay colours, (n, 3), on the lit pixels of an image, (pixels, 3) uint8; what is covered in part shows through."""
    for i in range(len(lit)):
        covered = min(np.float32(total[i]), np.float32(1))
        for channel in range(3):
            below = np.float32(image[lit[i], channel])
            image[lit[i], channel] = np.uint8(below + covered * (colour[i, channel] - below) + np.float32(0.5))


@kernel
def tone(colour, level, paper, palest, darkening):  # type: ignore[no-untyped-def]
    """Colours, (n, 3), paler at levels below one half, darker above."""
    out = np.empty((len(colour), 3), np.float32)
    for i in range(len(colour)):
        pale = palest + (1 - palest) * min(2 * level[i], 1)
        dark = 1 - darkening * max(2 * level[i] - 1, 0)
        for channel in range(3):
            out[i, channel] = (paper[channel] * (1 - pale) + colour[i, channel] * pale) * dark
    return out


@kernel
def mark_out(codes, bits, rows, ink):  # type: ignore[no-untyped-def]
    """Give another ink to the points that are not in a mask, in which point i has place rows[i].

    Its bits, eight places a byte from the lowest bit up, fit into a processor's cache where a byte a place would not.
    """
    for i in range(len(codes)):
        row = rows[i]
        if not bits[row >> 3] >> (row & 7) & 1:
            codes[i] = ink


@kernel
def blocks(counts, lit, size):  # type: ignore[no-untyped-def]
    """Counts of (height, width, inks) summed over square blocks of pixels, those at the far edges cut off."""
    height, width, inks = counts.shape
    out = np.zeros(((height + size - 1) // size, (width + size - 1) // size, inks), np.float32)
    for pixel in lit:
        row, column = divmod(pixel, width)
        for ink in range(inks):
            out[row // size, column // size, ink] += counts[row, column, ink]
    return out
