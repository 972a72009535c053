"""What is drawn: points with an ink each, and the key to what the inks mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
import pandas as pd

from .. import arguments, times
from ..errors import InputError, unknown_name
from . import device, device_table
from .counting import mark_out
from .device import DeviceLayer
from .device_table import check_finite
from .key import Classes, Key, class_key, classes_of, is_quantity, on_ramp
from .order import Order

Table = pd.DataFrame | Mapping[str, Any]
"""Points: columns x, y and others, by name; a frame of pandas or cuDF, or arrays of NumPy or CuPy."""


@dataclass(frozen=True)
class Layer:
    """Points made ready for aggregation.

    Attributes
    ----------
    frame
        Columns x and y, floating; "ink", categorical; for a quantity "value", float32, less the key's base, 0 where
        unmeasured.
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

    def __len__(self) -> int:
        return len(self.frame)


@overload
def prepare(*tables: pd.DataFrame, colour: str) -> list[Layer]: ...


@overload
def prepare(*tables: Table, colour: str) -> list[Layer] | list[DeviceLayer]: ...


def prepare(*tables: Table, colour: str) -> list[Layer] | list[DeviceLayer]:
    """Points made ready for aggregation; several tables share one key, so that colours mean the same.

    Parameters
    ----------
    tables
        Each with columns x and y and, unless `colour` is "density", the column `colour`. A single table whose x lies
        on a GPU (CuPy, cuDF) is prepared and counted there.
    colour
        "label", "cluster" and "misfit" are classes, as is any column of strings, booleans or at most 64
        different whole numbers or times; other numbers and times are a quantity, as are durations, in seconds.

    Raises
    ------
    InputError
        If a column is missing or coordinates are not finite.
    EngineFailed
        If points are on a GPU, which fails or has too little memory.
    """
    arguments.text(colour, "the colour", "the name of a column, or density")
    there = [device_table.device_of(table) for table in tables]
    if any(there):
        if len(tables) > 1:
            raise InputError("maps on a GPU are drawn one at a time: bring them to the host to compare them.")
        return [device_table.prepare(there[0], tables[0], colour)]  # type: ignore[arg-type]
    return _prepare([table if isinstance(table, pd.DataFrame) else _frame(table) for table in tables], colour)


def _frame(columns: Mapping[str, Any]) -> pd.DataFrame:
    if not isinstance(columns, Mapping):
        raise InputError(
            f"points come as a table, not as {type(columns).__name__}: give a frame, or arrays by name such as "
            '{"x": map[:, 0], "y": map[:, 1]}.'
        )
    sizes = {str(name): len(columns[name]) for name in columns if np.ndim(columns[name])}
    if len(set(sizes.values())) > 1:
        raise InputError(f"columns are not equally long ({sizes}): give one value for each point.")
    return pd.DataFrame({name: columns[name] for name in columns}, copy=False)


def _prepare(tables: list[pd.DataFrame], colour: str) -> list[Layer]:
    frames = [_coordinates(table) for table in tables]
    if colour == "density":
        for frame in frames:
            frame["ink"] = _inks(np.zeros(len(frame), np.int8), 1)
        return [Layer(frame, Key(colour, "density")) for frame in frames]
    for table in tables:
        if colour not in table.columns:
            raise unknown_name("column to colour by", colour, [*map(str, table.columns), "density"])
    sizes = np.cumsum([len(frame) for frame in frames])[:-1]
    values = times.lasting(pd.concat([table[colour] for table in tables], ignore_index=True))
    if is_quantity(values, colour):
        time = times.is_time(values)
        number, quantiles, base = _numbers(pd.Series(times.seconds(values)) if time else values)
        key = Key(colour, "quantity", quantiles=quantiles, base=base, time=time)
        return [_quantity(frame, part, key) for frame, part in zip(frames, np.split(number, sizes), strict=True)]
    codes, classes = classes_of(values, colour)
    return [_class_layer(f, c, colour, classes) for f, c in zip(frames, np.split(codes, sizes), strict=True)]


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


@overload
def ranked(layer: Layer) -> Layer: ...


@overload
def ranked(layer: DeviceLayer) -> DeviceLayer: ...


def ranked(layer: Layer | DeviceLayer) -> Layer | DeviceLayer:
    """The same points, not marked yet, with the ranks of a quantity in place of its values.

    A rank is the share of the points that have less, from 0 at the 1st percentile to 1 at the 99th, and of equal
    values the middle: a few large values do not make all others look alike.

    Raises
    ------
    InputError
        If the layer has no quantity.
    """
    key = layer.key
    if key.kind != "quantity":
        raise InputError(f"ranks are of numbers or times and {key.column!r} holds none: leave the scale out.")
    if isinstance(layer, DeviceLayer):
        return device_table.ranked(layer)
    frame, (known, at) = layer.frame, key.ranks()
    values = np.interp(frame["value"].to_numpy(), known - key.base, at).astype(np.float32)
    values[frame["ink"].cat.codes.to_numpy() > 0] = 0
    return replace(layer, frame=frame.assign(value=values), key=replace(key, ranked=True))


@overload
def mark(layer: Layer, selected: Any = None, shown: Any = None) -> Layer: ...


@overload
def mark(layer: DeviceLayer, selected: Any = None, shown: Any = None) -> DeviceLayer: ...


def mark(layer: Layer | DeviceLayer, selected: Any = None, shown: Any = None) -> Layer | DeviceLayer:
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
    if isinstance(layer, DeviceLayer):
        return device.mark(layer, selected, shown)
    n = layer.inks
    codes = layer.frame["ink"].cat.codes.to_numpy().copy()
    for mask, ink in ((selected, n), (shown, n + 1)):
        if mask is not None:
            if len(mask) != len(codes):
                raise InputError(
                    f"the mask is of {len(mask):,} points and the map has {len(codes):,}: give one for each."
                )
            if layer.order is None:
                codes[~mask] = ink
            else:
                mark_out(codes, np.packbits(mask, bitorder="little"), layer.order.rows, ink)
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
        check_finite(np, values, axis)
        columns[axis] = values
    # Not copied: nothing writes into a layer, and ten million points in five colours would take 400 MB.
    return pd.DataFrame(columns, copy=False)


def _inks(codes: np.ndarray, n: int) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=range(n))  # type: ignore[call-overload,no-any-return]


def _numbers(values: pd.Series) -> tuple[np.ndarray, tuple[float, ...], float]:
    """Values as float32 less a base, their quantiles, and the base."""

    def as_type(kind: type) -> np.ndarray:
        return values.to_numpy(dtype=kind, na_value=np.nan)

    return on_ramp(as_type, values.dtype == np.float32)


def _quantity(frame: pd.DataFrame, values: np.ndarray, key: Key) -> Layer:
    unmeasured = ~np.isfinite(values)
    frame["ink"] = _inks(unmeasured.astype(np.int8), 2)
    frame["value"] = np.where(unmeasured, np.float32(0), values)
    return Layer(frame, replace(key, unmeasured=int(unmeasured.sum())))


def _class_layer(frame: pd.DataFrame, codes: np.ndarray, column: str, classes: Classes) -> Layer:
    key, inks = class_key(column, classes, np.bincount(codes, minlength=len(classes.names)))
    frame["ink"] = _inks(inks[codes], int(inks.max(initial=0)) + 1)
    return Layer(frame, key)
