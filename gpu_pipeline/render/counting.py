"""The loops over a grid's pixels: one pass each, where NumPy would make several."""

from __future__ import annotations

import numpy as np

from ..compiling import kernel


@kernel
def survey(counts):  # type: ignore[no-untyped-def]
    """For each pixel of (height, width, inks): its ink, the ink with the most (of equals the first), how much of
    that one, and how many inks it has."""
    height, width, inks = counts.shape
    total = np.zeros((height, width), np.float32)
    top = np.zeros((height, width), np.uint8)
    most = np.zeros((height, width), np.float32)
    kinds = np.zeros((height, width), np.uint8)
    for row in range(height):
        for column in range(width):
            for ink in range(inks):
                amount = np.float32(counts[row, column, ink])
                if amount > 0:
                    total[row, column] += amount
                    kinds[row, column] += 1
                    if amount > most[row, column]:
                        most[row, column] = amount
                        top[row, column] = ink
    return total, top, most, kinds


@kernel
def scatter(amount, weights, reach):  # type: ignore[no-untyped-def]
    """Each pixel's ink of (height, width, inks), given to the pixels around it by (2 reach + 1)**2 weights."""
    height, width, inks = amount.shape
    out = np.zeros((height, width, inks), np.float32)
    for row in range(height):
        for column in range(width):
            for ink in range(inks):
                here = np.float32(amount[row, column, ink])
                if here == 0:
                    continue
                for i in range(max(row - reach, 0), min(row + reach + 1, height)):
                    for j in range(max(column - reach, 0), min(column + reach + 1, width)):
                        out[i, j, ink] += here * weights[i - row + reach, j - column + reach]
    return out


@kernel
def around(counts, reach):  # type: ignore[no-untyped-def]
    """Counts of (height, width, inks) summed over the squares of 2 reach + 1 pixels around each pixel."""
    height, width, inks = counts.shape
    lines = np.zeros((height, width, inks), np.float32)
    out = np.zeros((height, width, inks), np.float32)
    for row in range(height):
        for column in range(width):
            for ink in range(inks):
                amount = counts[row, column, ink]
                if amount:
                    for j in range(max(column - reach, 0), min(column + reach + 1, width)):
                        lines[row, j, ink] += amount
    for row in range(height):
        for i in range(max(row - reach, 0), min(row + reach + 1, height)):
            for column in range(width):
                for ink in range(inks):
                    out[row, column, ink] += lines[i, column, ink]
    return out


@kernel
def blend(counts, lit, colours):  # type: ignore[no-untyped-def]
    """Average colour of the inks of each lit pixel, by their amounts, (n, 3)."""
    flat = counts.reshape(-1, counts.shape[2])
    out = np.empty((len(lit), 3), np.float32)
    for i in range(len(lit)):
        total = red = green = blue = np.float32(0)
        for ink in range(flat.shape[1]):
            amount = np.float32(flat[lit[i], ink])
            if amount > 0:
                total += amount
                red += amount * colours[ink, 0]
                green += amount * colours[ink, 1]
                blue += amount * colours[ink, 2]
        out[i, 0], out[i, 1], out[i, 2] = red / total, green / total, blue / total
    return out


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
def blocks(counts, size):  # type: ignore[no-untyped-def]
    """Counts of (height, width, inks) summed over square blocks of pixels, those at the far edges cut off."""
    height, width, inks = counts.shape
    out = np.zeros(((height + size - 1) // size, (width + size - 1) // size, inks), np.float32)
    for row in range(height):
        for column in range(width):
            for ink in range(inks):
                if counts[row, column, ink]:
                    out[row // size, column // size, ink] += counts[row, column, ink]
    return out
