"""Columns of times as numbers, and such numbers as text: seconds since 1970 by the column's own clock. Durations are
plain numbers of seconds."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

UNITS = {"D": 86_400.0, "m": 60.0, "s": 1.0, "ms": 0.001}
"""How exactly a time is written, the coarsest first, and the seconds that its last part stands for."""

_WRITTEN = re.compile(r"-?\d{4,}(-\d\d(-\d\d([ T]\d\d(:\d\d(:\d\d(\.\d{1,6})?)?)?)?)?)?")


def is_time(values: pd.Series) -> bool:
    """Whether a column holds points in time."""
    return bool(pd.api.types.is_datetime64_any_dtype(values))


def seconds(values: pd.Series) -> np.ndarray:
    """A column of times as float64; NaN where there is none."""
    if getattr(values.dt, "tz", None) is not None:
        values = values.dt.tz_localize(None)
    times = values.to_numpy(dtype="datetime64[us]", na_value=np.datetime64("NaT"))
    return np.where(np.isnat(times), np.nan, times.astype(np.int64) / 1e6)


def lasting(values: pd.Series) -> pd.Series:
    """A column of durations as seconds, float64, NaN where there is none; any other as it is."""
    if values.dtype.kind != "m":
        return values
    spent = values.dt.total_seconds().to_numpy(dtype=np.float64, na_value=np.nan)
    return pd.Series(spent, values.index, name=values.name)


def written(second: float, span: float, steps: int = 100) -> str:
    """A time for reading, no more exact than is needed to tell so many steps of a span apart."""
    unit = next((unit for unit, size in UNITS.items() if size * steps <= span), "ms")
    return _text(second, unit)


def shortest(second: float, last: bool) -> str:
    """A time as the shortest text whose first, or last, second it is; see `read`."""
    for unit in UNITS:
        text = _text(second, unit)
        found = read(text)
        if found is not None and abs(found[last] - second) < 1e-3:
            break
    return text


def read(text: str) -> tuple[float, float] | None:
    """The first and the last second of the year, month, day or minute that a text names; None if it names none."""
    if not _WRITTEN.fullmatch(text.strip()):
        return None
    try:
        time = np.datetime64(text.strip().replace(" ", "T"))
    except ValueError:
        return None
    first, end = (each.astype("datetime64[us]").astype(np.int64) for each in (time, time + 1))
    return float(first / 1e6), float((end - 1) / 1e6)


def _text(second: float, unit: str) -> str:
    time = np.datetime64(round(second * 1e6), "us")
    return str(np.datetime_as_string(time, unit=unit, casting="unsafe")).replace("T", " ")  # type: ignore[call-overload]


def name(value: Any) -> str:
    """A value of a table as text: a time at midnight is its day."""
    if isinstance(value, pd.Timestamp) and value == value.normalize():
        return value.strftime("%Y-%m-%d")
    return str(value)
