"""The picture of a map that does not fit in memory: Datashader counts a Dask frame, partition by partition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from ..datasets.labels import as_column, labelled, without
from ..datasets.tables import label_column
from ..render import Grid, Layer, View, paint, plan, prepare

TOGETHER = 2_000_000
"""Rows that are counted into one grid."""


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
    absent
        How many points have none of the values.
    """

    folder: Path
    column: str
    classes: np.ndarray
    counts: np.ndarray
    low: Sequence[float]
    high: Sequence[float]
    absent: int = 0


def draw(drawn: Drawn, *, title: str, subtitle: str, width: int = 1100, height: int = 960) -> Image.Image:
    """The picture that `render.picture` makes of the same points, out of core on Dask's current scheduler."""
    layer, inks = layer_of(drawn)
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
    """Points in each pixel, ink by ink; `inks` is the ink of each class and of no class, of `n` inks."""
    import dask.dataframe
    import datashader

    groups = _groups(sorted(drawn.folder.glob("*.parquet")))
    meta = pd.DataFrame({"x": np.empty(0, np.float32), "y": np.empty(0, np.float32), "ink": _ink(inks[:0], n)})
    inked = dask.dataframe.from_map(
        _read, groups, column=drawn.column, classes=drawn.classes, inks=inks, n=n, meta=meta, enforce_metadata=False
    )
    canvas = datashader.Canvas(view.width, view.height, view.x_range, view.y_range)
    return Grid(canvas.points(inked, "x", "y", datashader.by("ink", datashader.count())).values)


def layer_of(drawn: Drawn) -> tuple[Layer, np.ndarray]:
    """A layer that has the key to all points, but only their corners; and the ink of each class, last of no class."""
    classes = len(drawn.classes)
    rows = max(classes + (drawn.absent > 0), 2)
    corners = np.repeat([drawn.low, drawn.high], [rows - 1, 1], axis=0).astype(np.float32)
    values = drawn.classes[np.arange(rows) % classes]
    if drawn.absent:
        values = without(values, np.arange(rows) == classes)
    table = pd.DataFrame({"x": corners[:, 0], "y": corners[:, 1], drawn.column: as_column(values)})
    (layer,) = prepare(table, colour=drawn.column)
    counts = dict(zip(map(str, drawn.classes.tolist()), drawn.counts.tolist(), strict=True))
    known = tuple(counts[name] for name in layer.key.names[:classes])
    key = replace(layer.key, counts=(*known, drawn.absent) if drawn.absent else known)
    return replace(layer, key=key), layer.frame["ink"].cat.codes.to_numpy()[np.arange(classes + 1) % rows]


def _groups(files: Sequence[Path]) -> list[list[str]]:
    """Consecutive files of some `TOGETHER` rows: each group has a grid of its own, which takes more than its rows."""
    from pyarrow import parquet

    groups: list[list[str]] = [[]]
    rows = 0
    for path in files:
        more = parquet.read_metadata(path).num_rows
        if groups[-1] and rows + more > TOGETHER:
            groups.append([])
            rows = 0
        groups[-1].append(str(path))
        rows += more
    return groups


def _read(files: list[str], column: str, classes: np.ndarray, inks: np.ndarray, n: int) -> pd.DataFrame:
    """Some files of the table, as `render.aggregate` wants them."""
    from pyarrow import parquet

    x, y, codes = [], [], []
    for file in files:
        table = parquet.read_table(file, columns=["x", "y", column])
        x.append(table["x"].to_numpy())
        y.append(table["y"].to_numpy())
        values = label_column(table, column)
        codes.append(inks[np.where(labelled(values), np.searchsorted(classes, np.ma.getdata(values)), len(classes))])
    columns = {"x": np.concatenate(x), "y": np.concatenate(y), "ink": _ink(np.concatenate(codes), n)}
    return pd.DataFrame(columns, copy=False)


def _ink(codes: np.ndarray, n: int) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=range(n))  # type: ignore[call-overload,no-any-return]
