"""Tables whose coordinates lie on a GPU, by CuPy or cuDF, made ready there as `layer.prepare` makes those of pandas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from .. import times
from ..engines.failure import guarded
from ..errors import InputError, unknown_name
from .device import Device, DeviceLayer
from .key import CLASS_COLUMNS, Key, class_key, classes_of, is_quantity, on_ramp

_TABLE = 2**20
"""Whole numbers that lie closer together than this are told apart by a table, others by sorting them."""


def device_of(table: Any) -> Device | None:
    """The GPU on which a table's coordinates lie, by CuPy or cuDF; None if they do not."""
    if isinstance(table, pd.DataFrame) or not (isinstance(table, Mapping) or hasattr(table, "columns")):
        return None
    if "x" not in table:
        return None
    if not (hasattr(table["x"], "to_cupy") or hasattr(table["x"], "__cuda_array_interface__")):
        return None
    from .gpu import Cuda

    return Cuda()


@guarded("preparing the picture")
def prepare(device: Device, table: Mapping[str, Any], colour: str) -> DeviceLayer:
    """As `layer.prepare`, of one table with columns on the device; the column to colour by may lie elsewhere.

    Raises
    ------
    InputError
        If a column is missing or coordinates are not finite.
    EngineFailed
        If the GPU fails or has too little memory.
    """
    xp, frame = device.xp, _coordinates(device, table)
    n = len(frame["x"])
    if colour == "density":
        return DeviceLayer(device, {**frame, "ink": xp.zeros(n, np.int8)}, Key(colour, "density"), 1)
    if colour not in table:
        raise unknown_name("column to colour by", colour, [*map(str, table), "density"])
    column = _timed(table[colour])
    if _kind(column) == "M" and is_quantity(column, colour):
        return _quantity(device, frame, xp.asarray(times.seconds(column)), Key(colour, "quantity", time=True))
    numbers = _numbers(device, column)
    if numbers is None:
        codes, found = _codes_of(device, column)
    elif not _whole(column) and (colour not in CLASS_COLUMNS or _any_fraction(xp, numbers)):
        return _quantity(device, frame, numbers, Key(colour, "quantity"))
    else:
        codes, found = _distinct(device, numbers)
        if is_quantity(found, colour):
            return _quantity(device, frame, numbers, Key(colour, "quantity"))
    return _classes(device, frame, codes, found, colour)


def _coordinates(device: Device, table: Mapping[str, Any]) -> dict[str, Any]:
    """Columns x and y on the device, both float32 or both float64."""
    frame = {}
    for axis in ("x", "y"):
        if axis not in table:
            raise InputError(f"the points have no column {axis!r}: give a table with the columns x and y.")
        values = _numbers(device, table[axis])
        if values is None:
            raise InputError(f"the column {axis!r} does not hold numbers: give coordinates.")
        check_finite(device.xp, values, axis)
        frame[axis] = values
    if len(frame["x"]) != len(frame["y"]):
        raise InputError(f"there are {len(frame['x']):,} values of x and {len(frame['y']):,} of y: give as many.")
    kind = np.float32 if all(values.dtype == np.float32 for values in frame.values()) else np.float64
    return {axis: device.xp.ascontiguousarray(values, dtype=kind) for axis, values in frame.items()}


def check_finite(xp: Any, values: Any, axis: str) -> None:
    """Raise InputError if not all coordinates along an axis are finite."""
    finite = xp.isfinite(values)
    if not finite.all():
        bad = xp.flatnonzero(~finite)
        raise InputError(
            f"{len(bad):,} of {len(values):,} values of {axis} are not finite (the first at point {int(bad[0])}): "
            "leave these points out."
        )


def _dtype(column: Any) -> Any:
    dtype = getattr(column, "dtype", None)
    return getattr(dtype, "numpy_dtype", dtype)  # Of a nullable column of cuDF.


def _whole(column: Any) -> bool:
    """Whether a column holds whole numbers or booleans by its type, though some may be missing."""
    return bool(_dtype(column).kind != "f")


def _numbers(device: Device, column: Any) -> Any:
    """The column as an array on the device, if it holds numbers or booleans; None if not."""
    if isinstance(column, pd.Series):
        column = column.to_numpy()
    dtype = _dtype(column)
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biuf":
        return None
    if not hasattr(column, "to_cupy"):
        return device.xp.asarray(column)
    if not column.null_count:
        return column.astype(dtype).to_cupy()
    # cuDF marks what is missing apart, for which whole numbers have no NaN; of booleans it makes a third class.
    return None if dtype.kind == "b" else column.astype(np.float64).to_cupy(na_value=np.nan)


def _any_fraction(xp: Any, numbers: Any) -> bool:
    return bool(((numbers % 1 != 0) & ~xp.isnan(numbers)).any())


def _distinct(device: Device, numbers: Any) -> tuple[Any, pd.Series]:
    """Position of each whole number among those that there are, -1 for NaN; and those, ascending."""
    xp, kind = device.xp, numbers.dtype.kind
    absent = xp.isnan(numbers) if kind == "f" else xp.zeros(len(numbers), bool)
    if absent.all():
        return xp.full(len(numbers), -1), pd.Series([], dtype=np.float64)
    present = xp.where(absent, numbers[~absent][0], numbers) if kind == "f" else numbers
    whole = present.astype(np.int64)
    low = int(whole.min())
    if int(whole.max()) - low < _TABLE:
        whole -= low
        seen = xp.bincount(whole) > 0
        found, codes = device.get(xp.flatnonzero(seen)) + low, (xp.cumsum(seen, dtype=np.int64) - 1)[whole]
    else:
        values, codes = xp.unique(whole, return_inverse=True)
        found = device.get(values)
    codes[absent] = -1
    return codes, pd.Series(found.astype(bool) if kind == "b" else found)


def _codes_of(device: Device, column: Any) -> tuple[Any, pd.Series]:
    """Position of each value among the distinct ones, -1 where it is missing; and those, a category if they were."""
    if hasattr(column, "to_cupy") and hasattr(column, "cat"):
        found = column.cat.categories.to_pandas()
        codes = column.cat.codes.astype("int64").fillna(-1)
        return codes.to_cupy(), pd.Series(pd.Categorical(found, categories=found))
    values = column.to_pandas() if hasattr(column, "to_pandas") else pd.Series(column)
    if isinstance(values.dtype, pd.CategoricalDtype):
        found = values.cat.categories
        return device.xp.asarray(values.cat.codes.to_numpy()), pd.Series(pd.Categorical(found, categories=found))
    here, found = pd.factorize(values)
    return device.xp.asarray(here), pd.Series(found)


def _kind(column: Any) -> str:
    return str(getattr(getattr(column, "dtype", None), "kind", ""))


def _timed(column: Any) -> Any:
    """A column of times, or of durations in seconds, on the host, where they are few bytes; any other as it is."""
    if _kind(column) not in ("m", "M"):
        return column
    return times.lasting(column.to_pandas() if hasattr(column, "to_pandas") else pd.Series(column))


def _quantity(device: Device, frame: dict[str, Any], numbers: Any, key: Key) -> DeviceLayer:
    xp = device.xp
    values, quantiles, base = on_ramp(numbers.astype, numbers.dtype == np.float32, xp)
    measured = xp.isfinite(values)
    key = replace(key, quantiles=quantiles, base=base, unmeasured=int((~measured).sum()))
    frame |= {"ink": (~measured).astype(np.int8), "value": xp.where(measured, values, np.float32(0))}
    return DeviceLayer(device, frame, key, 2)


@guarded("ranking values")
def ranked(layer: DeviceLayer) -> DeviceLayer:
    """As `layer.ranked`."""
    xp, frame, (known, at) = layer.device.xp, layer.frame, layer.key.ranks()
    values = xp.interp(frame["value"], xp.asarray(known - layer.key.base), xp.asarray(at)).astype(np.float32)
    values[frame["ink"] > 0] = 0
    return replace(layer, frame={**frame, "value": values}, key=replace(layer.key, ranked=True))


def _classes(device: Device, frame: dict[str, Any], codes: Any, found: pd.Series, column: str) -> DeviceLayer:
    """Points whose classes are told by their position among the distinct values, -1 where there is none."""
    xp, n = device.xp, len(found)
    counts = device.get(xp.bincount(codes.astype(np.int64) + 1, minlength=n + 1))
    # The last one stands for the points without a class, if there are any.
    rank, classes = classes_of(found if not counts[0] else found.reindex(range(n + 1)), column)
    key, inks = class_key(column, classes, np.append(counts[1:], counts[:1])[: len(rank)][np.argsort(rank)])
    frame["ink"] = xp.asarray(inks[rank])[codes]
    return DeviceLayer(device, frame, key, int(inks.max(initial=0)) + 1)
