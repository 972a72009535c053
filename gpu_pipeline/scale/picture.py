"""The picture of a map that does not fit in memory: Datashader counts a Dask frame, partition by partition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from ..render import Grid, Layer, View, paint, plan, prepare


@dataclass(frozen=True)
class Drawn:
    """What is drawn.

    Attributes
    ----------
    folder
        Of the table of points, Parquet.
    column
        Of classes: "label" or "cluster".
    classes, counts
        The distinct values there, sorted, and how many points each has.
    low, high
        Corners of all places, (2,) each.
    """

    folder: Path
    column: str
    classes: np.ndarray
    counts: np.ndarray
    low: Sequence[float]
    high: Sequence[float]


def draw(drawn: Drawn, *, title: str, subtitle: str, width: int = 1100, height: int = 960) -> Image.Image:
    """The picture that `render.picture` makes of the same points, out of core on Dask's current scheduler."""
    layer, inks = _layer(drawn)
    layout = plan(
        [layer],
        title=title,
        subtitle=subtitle,
        width=width,
        height=height,
        count=lambda of, view: count(drawn, inks, of.inks, view),
    )
    return paint(layout)


def count(drawn: Drawn, inks: np.ndarray, n: int, view: View) -> Grid:
    """Points in each pixel, ink by ink; `inks` is the ink of each class, of `n` inks."""
    import dask.dataframe
    import datashader

    frame = dask.dataframe.read_parquet(
        sorted(map(str, drawn.folder.glob("*.parquet"))), columns=["x", "y", drawn.column]
    )
    meta = pd.DataFrame({"x": np.empty(0, np.float32), "y": np.empty(0, np.float32), "ink": _ink(inks[:0], n)})
    inked = frame.map_partitions(_with_ink, drawn.column, drawn.classes, inks, n, meta=meta)
    canvas = datashader.Canvas(view.width, view.height, view.x_range, view.y_range)
    return Grid(canvas.points(inked, "x", "y", datashader.by("ink", datashader.count())).values)


def _layer(drawn: Drawn) -> tuple[Layer, np.ndarray]:
    """A layer that has the key to all points, but only their corners; and the ink of each class."""
    rows = max(len(drawn.classes), 2)
    corners = np.repeat([drawn.low, drawn.high], [rows - 1, 1], axis=0).astype(np.float32)
    values = drawn.classes[np.arange(rows) % len(drawn.classes)]
    table = pd.DataFrame({"x": corners[:, 0], "y": corners[:, 1], drawn.column: values})
    (layer,) = prepare(table, colour=drawn.column)
    counts = dict(zip(map(str, drawn.classes.tolist()), drawn.counts.tolist(), strict=True))
    key = replace(layer.key, counts=tuple(counts[name] for name in layer.key.names))
    inks = layer.frame["ink"].cat.codes.to_numpy()[: len(drawn.classes)]
    return replace(layer, key=key), inks


def _with_ink(frame: pd.DataFrame, column: str, classes: np.ndarray, inks: np.ndarray, n: int) -> pd.DataFrame:
    values = frame[column].to_numpy()
    codes = np.searchsorted(classes, values.astype(classes.dtype))
    return frame[["x", "y"]].assign(ink=_ink(inks[codes], n))


def _ink(codes: np.ndarray, n: int) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=range(n))  # type: ignore[call-overload,no-any-return]
