"""The images behind the points of a run, if its rows are images."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from isal import isal_zlib
from PIL import Image

from ..datasets import Dataset
from ..errors import InputError
from ..pipeline import data_of
from ..record import Run
from .shelf import Shelf

KEPT = 1_000
"""Data sets whose images stay in memory at most, however small they are."""

KEPT_BYTES = 1 << 30
"""Bytes of images that stay in memory: those of the data used longest ago go first, but the last are always kept."""

EDGE_IS_DARK = 64
"""Mean grey level of the images' rims below which they are turned into dark ink on white paper."""

GAP = 2
"""White pixels between the images of a sheet."""


@dataclass(frozen=True, eq=False)
class Images:
    """The images of a run's points.

    Attributes
    ----------
    pixels
        (n, height, width) uint8, by position in the run's table; 255 is paper.
    """

    pixels: np.ndarray

    def png(self, position: int, scale: int = 1) -> bytes:
        """One image as PNG, enlarged without smoothing.

        Raises
        ------
        InputError
            If there is no such point, or the scale is not 1 to 64.
        """
        self._check([position])
        if not 1 <= scale <= 64:
            raise InputError(f"images cannot be enlarged {scale} times: give a whole number from 1 to 64.")
        image = Image.fromarray(np.ascontiguousarray(self.pixels[position]))
        return encode(image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST))

    def sheet(self, positions: Sequence[int] | np.ndarray, columns: int = 10) -> Image.Image:
        """Images side by side, row by row, with a gap between them.

        Parameters
        ----------
        positions
            The points in their order; a sheet of none is one white pixel.
        columns
            Images in a row; the last row may have fewer.

        Raises
        ------
        InputError
            If there is no such point, or there are to be no columns.
        """
        self._check(positions)
        if columns < 1:
            raise InputError(f"a sheet of {columns} columns cannot be made: give 1 or more.")
        if not len(positions):
            return Image.new("L", (1, 1), 255)
        chosen = self.pixels[np.asarray(positions, dtype=np.int64)]
        n, height, width = chosen.shape
        columns = min(columns, n)
        rows = -(-n // columns)
        paper = np.full((rows, height + GAP, columns, width + GAP), 255, np.uint8)
        for i, image in enumerate(chosen):
            paper[i // columns, :height, i % columns, :width] = image
        flat = paper.reshape(rows * (height + GAP), columns * (width + GAP))
        return Image.fromarray(np.ascontiguousarray(flat[:-GAP, :-GAP]))

    def _check(self, positions: Sequence[int] | np.ndarray) -> None:
        n = len(self.pixels)
        if len(positions) and not 0 <= min(positions) <= max(positions) < n:
            raise InputError(f"there is no such point: give positions from 0 to {n - 1}.")


def images_of(run: Run) -> Images | None:
    """The images of a run's points, loaded once and shared by all runs on the same rows; None if its rows are none.

    Raises
    ------
    InputError
        If the data set cannot be found any more or is not what the run was made of.
    """
    if run.record.dataset.get("image_shape") is None:
        return None
    if run.record.recipe.data.landmarks is not None:
        raise InputError("The images of a map of landmarks and placed rows are not loaded: they may be too many.")
    return _kept.get(run.record.dataset["digest"], lambda: _load(run))


def encode(image: Image.Image) -> bytes:
    """A grey or RGB image as PNG, quickly: several times as fast as Pillow does it, and smaller for maps.

    Pillow tries five filters on each row, which pays for photographs. A map is flat colours on paper, and without a
    filter equal pixels stay equal. ISA-L deflates them in a quarter of zlib's time.
    """
    if image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    kind = 0 if image.mode == "L" else 2
    pixels = np.asarray(image).reshape(image.height, -1)
    rows = np.zeros((image.height, pixels.shape[1] + 1), np.uint8)  # the byte before each row says: no filter
    rows[:, 1:] = pixels
    head = struct.pack(">2I5B", image.width, image.height, 8, kind, 0, 0, 0)
    body = isal_zlib.compress(rows.data, 2)
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, (b"IHDR", b"IDAT", b"IEND"), (head, body, b"")))


def _chunk(name: bytes, content: bytes) -> bytes:
    """A part of a PNG file (ISO 15948): its length, name, content and checksum."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _size(images: Images) -> int:
    return images.pixels.nbytes


_kept = Shelf(KEPT, _size, KEPT_BYTES)


def _load(run: Run) -> Images:
    recipe, record = run.record.recipe, run.record.dataset
    # Asked for "auto", the run got what there was; now there may be something else.
    name = record["name"] if recipe.data.name == "auto" else recipe.data.name
    dataset = data_of(recipe.model_copy(update={"data": recipe.data.model_copy(update={"name": name})}))
    return images_in(dataset, record["digest"], f"{name} is no longer what the run was made of")


def images_in(dataset: Dataset, digest: str, otherwise: str) -> Images:
    """The images of a data set that has just been read again; an `InputError` says so if its content is another."""
    if dataset.digest() != digest:
        raise InputError(f"{otherwise}, so that its images cannot be shown.")
    assert dataset.image_shape is not None
    return Images(grey(np.asarray(dataset.X), dataset.image_shape))


def grey(X: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Rows as images in shades of grey, dark ink on white, (n, height, width) uint8."""
    if X.dtype != np.uint8:
        low, high = float(X.min()), float(X.max())
        X = np.rint((X - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)
    images = X.reshape(-1, *shape)
    rim = [images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]]
    return 255 - images if np.mean([edge.mean() for edge in rim]) < EDGE_IS_DARK else images
