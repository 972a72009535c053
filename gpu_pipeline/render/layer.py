"""What is drawn: points with an ink each, and the key to what the inks mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..errors import InputError, unknown_name
from .order import Order
from .palette import ALARM, CALM, MISSING, class_colours, rgb

MOST_INKS = 64
"""Inks that a grid counts apart: beyond, classes share colours, or 300 classes would fill 800 MB."""

CLASS_COLUMNS = ("label", "cluster", "misfit")
MISFIT_NAMES = {False: "as its cluster", True: "misfit"}


@dataclass(frozen=True)
class Key:
    """What the colours of a map mean.

    Attributes
    ----------
    column
        The column that is drawn, or "density".
    kind
        Whether it is a class, a quantity, or nothing but the number of points.
    names, counts
        The classes in their order, and how many of all points each has.
    colours
        One for each class, (n, 3) float32 in 0..255.
    limits
        The quantity's values at the two ends of the ramp: its 1st and 99th percentile.
    unmeasured
        Points without a value of the quantity.
    """

    column: str
    kind: Literal["classes", "quantity", "density"]
    names: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    colours: np.ndarray = field(default_factory=lambda: class_colours(0))
    limits: tuple[float, float] = (0.0, 1.0)
    unmeasured: int = 0


@dataclass(frozen=True)
class Layer:
    """Points made ready for aggregation.

    Attributes
    ----------
    frame
        Columns x and y, floating; "ink", categorical; for a quantity "value", float32, 0 where unmeasured.
    key
        What the inks mean: each its class, or (measured, unmeasured), or all points.
    order
        How the frame's points are ordered by place; None if they lie as in the table.
    marked
        Whether the frame has two more inks: the points that are not selected, and those that are not shown.
    """

    frame: pd.DataFrame
    key: Key
    order: Order | None = None
    marked: bool = False

    @property
    def inks(self) -> int:
        """Inks that the key has a meaning for."""
        return len(self.frame["ink"].cat.categories) - 2 * self.marked


def prepare(*tables: pd.DataFrame, colour: str) -> list[Layer]:
    """Points made ready for aggregation; several tables share one key, so that colours mean the same.

    Parameters
    ----------
    tables
        Each with columns x and y and, unless `colour` is "density", the column `colour`.
    colour
        "label", "cluster" and "misfit" are classes, as is any column of strings, booleans or at most 64
        different whole numbers; other numbers are a quantity.

    Raises
    ------
    InputError
        If a column is missing or coordinates are not finite.
    """
    frames = [_coordinates(table) for table in tables]
    if colour == "density":
        for frame in frames:
            frame["ink"] = _inks(np.zeros(len(frame), np.int8), 1)
        return [Layer(frame, Key(colour, "density")) for frame in frames]
    for table in tables:
        if colour not in table.columns:
            raise unknown_name("column to colour by", colour, [*map(str, table.columns), "density"])
    sizes = np.cumsum([len(frame) for frame in frames])[:-1]
    values = pd.concat([table[colour] for table in tables], ignore_index=True)
    if is_quantity(values, colour):
        number = values.to_numpy(dtype=np.float32, na_value=np.nan)
        parts = np.split(number, sizes)
        limits = _limits(number)
        return [_quantity(frame, part, colour, limits) for frame, part in zip(frames, parts, strict=True)]
    codes, names, colours = _classes(values, colour)
    return [_class_layer(f, c, colour, names, colours) for f, c in zip(frames, np.split(codes, sizes), strict=True)]


def arrange(layer: Layer, order: Order) -> Layer:
    """The same points in the order of their places, which makes `aggregate` faster.

    Parameters
    ----------
    layer
        From `prepare`.
    order
        Of the same points, see `order`; the coordinates are its own, so that many layers share them.

    Raises
    ------
    InputError
        If the order is that of other points.
    """
    if len(order.rows) != len(layer.frame):
        raise InputError(
            f"the order is of {len(order.rows):,} points and the layer has {len(layer.frame):,}: make it anew."
        )
    ink = layer.frame["ink"].cat
    columns = {"x": order.x, "y": order.y, "ink": _inks(ink.codes.to_numpy()[order.rows], len(ink.categories))}
    if "value" in layer.frame:
        columns["value"] = layer.frame["value"].to_numpy()[order.rows]
    return replace(layer, frame=pd.DataFrame(columns, copy=False), order=order)


def mark(layer: Layer, selected: np.ndarray | None = None, shown: np.ndarray | None = None) -> Layer:
    """The same points, some of them grey and some left out; the layer itself is not changed.

    Parameters
    ----------
    layer
        From `prepare` or `arrange`, not marked yet.
    selected
        (n,) bool in the order of the table: the others are drawn grey, under the selected ones.
    shown
        (n,) bool in the order of the table: the others are not drawn and not counted.
    """
    if selected is None and shown is None:
        return layer
    n = layer.inks
    codes = layer.frame["ink"].cat.codes.to_numpy().copy()
    for mask, ink in ((selected, n), (shown, n + 1)):
        if mask is not None:
            if len(mask) != len(codes):
                raise InputError(
                    f"the mask is of {len(mask):,} points and the map has {len(codes):,}: give one for each."
                )
            codes[~(mask if layer.order is None else mask[layer.order.rows])] = ink
    columns = {name: layer.frame[name].to_numpy() for name in layer.frame if name != "ink"}
    return replace(layer, frame=pd.DataFrame({**columns, "ink": _inks(codes, n + 2)}, copy=False), marked=True)


def _coordinates(table: pd.DataFrame) -> pd.DataFrame:
    """Columns x and y as floating numbers."""
    columns: dict[str, np.ndarray] = {}
    for axis in ("x", "y"):
        if axis not in table.columns:
            raise InputError(f"the points have no column {axis!r}: give a table with the columns x and y.")
        try:
            values = table[axis].to_numpy(dtype=np.float32 if table[axis].dtype == np.float32 else np.float64)
        except (TypeError, ValueError):
            raise InputError(f"the column {axis!r} does not hold numbers: give coordinates.") from None
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise InputError(
                f"{len(bad):,} of {len(values):,} values of {axis} are not finite (the first at point {bad[0]}): "
                "leave these points out."
            )
        columns[axis] = values
    # Not copied: nothing writes into a layer, and ten million points in five colours would take 400 MB.
    return pd.DataFrame(columns, copy=False)


def _inks(codes: np.ndarray, n: int) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=range(n))  # type: ignore[call-overload,no-any-return]


def is_quantity(values: pd.Series, colour: str) -> bool:
    """Whether a column of that name holds a quantity, or else classes."""
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if not numeric:
        return False
    if pd.api.types.is_integer_dtype(values):
        return colour not in CLASS_COLUMNS and values.nunique() > MOST_INKS
    # Whole numbers become floating where one is missing: they are still classes in a class column.
    return colour not in CLASS_COLUMNS or bool((values.dropna() % 1 != 0).any())


def _limits(values: np.ndarray) -> tuple[float, float]:
    measured = values[np.isfinite(values)]
    if not len(measured):
        return 0.0, 1.0
    low, high = np.percentile(measured, [1, 99])
    return float(low), float(high)


def _quantity(frame: pd.DataFrame, values: np.ndarray, column: str, limits: tuple[float, float]) -> Layer:
    unmeasured = ~np.isfinite(values)
    frame["ink"] = _inks(unmeasured.astype(np.int8), 2)
    frame["value"] = np.where(unmeasured, np.float32(0), values)
    return Layer(frame, Key(column, "quantity", limits=limits, unmeasured=int(unmeasured.sum())))


def _classes(values: pd.Series, column: str) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Code of each value's class, the classes' names and colours; the absent values come last, in grey."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes, found = values.cat.codes.to_numpy(), list(values.cat.categories)
        order = list(range(len(found)))
    else:
        codes, index = pd.factorize(values)
        found = list(index)
        order = sorted(range(len(found)), key=_sort_key(found))
    if column == "misfit":
        order.reverse()  # misfits first: a pixel with as many of both is shown as theirs
    rank = np.empty(len(found) + 1, np.int64)
    rank[order] = np.arange(len(found))
    rank[-1] = len(found)  # where factorize found no value, its code is -1
    names = [MISFIT_NAMES[bool(found[i])] if column == "misfit" else _name(found[i]) for i in order]
    colours = rgb([ALARM if found[i] else CALM for i in order]) if column == "misfit" else class_colours(len(found))
    if (codes < 0).any():
        names.append(f"no {column}")
        colours = np.concatenate([colours, rgb([MISSING])])
    return rank[codes], tuple(names), colours


def _sort_key(found: Sequence[Any]) -> Callable[[int], Any]:
    """Numbers by value, also where they are text; all else as text."""
    if all(isinstance(value, str) and value.isdecimal() for value in found):
        return lambda i: int(found[i])
    if all(isinstance(value, (bool, int, float, np.number, np.bool_)) for value in found):
        return lambda i: found[i]
    return lambda i: str(found[i])


def _name(value: Any) -> str:
    return str(int(value)) if isinstance(value, (float, np.floating)) and value % 1 == 0 else str(value)


def _class_layer(
    frame: pd.DataFrame, codes: np.ndarray, column: str, names: tuple[str, ...], colours: np.ndarray
) -> Layer:
    counts = np.bincount(codes, minlength=len(names))
    n_inks = max(min(len(names), MOST_INKS), 1)
    # Classes that share an ink share its colour.
    shared = colours[np.arange(len(names)) % n_inks]
    frame["ink"] = _inks((codes % n_inks).astype(np.int8), n_inks)
    return Layer(frame, Key(column, "classes", names, tuple(counts.tolist()), shared))
