"""Labels: whole numbers or text, one for each row; a masked array where some rows have none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_NULLABLE: dict[str, Any] = {"b": "boolean", "i": "Int64", "U": "str"}
"""How a frame of pandas keeps values some of which are absent."""


def labels(name: str, y: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Labels as int64 or text, from integers, whole floating-point numbers, booleans or text, or objects of these.

    Parameters
    ----------
    name
        Of the data set, for sentences.
    y
        (n,) labels; what is None, NaN, NA or masked is missing.
    rows
        (n,) index of each in the whole data set, for sentences too; from 0 if left out.

    Returns
    -------
    (n,) labels; a masked array, with what is missing masked, if anything is.

    Raises
    ------
    InputError
        If they are none of these.
    """
    missing, y = np.ma.getmaskarray(y), np.ma.getdata(y)
    if y.dtype.kind == "O":
        import pandas as pd

        missing = missing | pd.isna(y)
        there = _of_one_kind(name, y[~missing])
        y = np.zeros(len(y), there.dtype)
        y[~missing] = there
    elif y.dtype.kind == "f":
        missing = missing | np.isnan(y)
        y = np.where(missing, y.dtype.type(0), y)
    if y.dtype.kind in "biu" or (y.dtype.kind == "f" and np.array_equal(y, np.round(y)) and np.isfinite(y).all()):
        return without(_whole(name, y), missing)
    if y.dtype.kind == "S":
        return without(decoded(name, y.tolist(), rows), missing)
    if y.dtype.kind in "UT":
        return without(y.astype(np.str_), missing)
    raise InputError(
        f"the labels of {name} are of type {y.dtype} and not whole: give whole numbers or text, or keep a quantity "
        "with the points to colour the map by it."
    )


def without(y: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Labels of which those where `missing` is true are none; as they are if that is nowhere."""
    if not missing.any():
        return y
    # What lies under the mask is always the same, so that equal labels have equal bytes.
    return np.ma.masked_array(np.where(missing, y.dtype.type(), y), missing)


def labelled(y: np.ndarray) -> np.ndarray:
    """Which rows have a label, (n,) bool."""
    return ~np.ma.getmaskarray(y)


def joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Labels of parts one after the other."""
    whole = np.concatenate([np.ma.getdata(part) for part in parts])
    return without(whole, np.concatenate([np.ma.getmaskarray(part) for part in parts]))


def as_column(values: np.ndarray, nullable: bool = False) -> pd.Series:
    """Labels, or what is said of each, as a column of a table; `from_column` gives them back.

    Parameters
    ----------
    values
        (n,) whole numbers, yes and no, or text; a masked array where some are missing.
    nullable
        Whether the column's kind shall allow for missing ones even if none is.
    """
    import pandas as pd

    missing, series = np.ma.getmaskarray(values), pd.Series(np.ma.getdata(values))
    if not nullable and not missing.any():
        return series
    nullable_series: pd.Series = series.astype(_NULLABLE[values.dtype.kind])
    return nullable_series.mask(missing)


def from_column(column: pd.Series) -> np.ndarray:
    """The labels that a column of a table holds."""
    return labels(str(column.name), as_array(column))


def as_array(y: Any) -> np.ndarray:
    """Values of any kind as an array; of whole numbers in pandas of which some are absent a masked one."""
    import pandas as pd

    missing = pd.isna(y) if pd.api.types.is_integer_dtype(y) and pd.api.types.is_extension_array_dtype(y) else None
    if missing is None or not missing.any():
        return np.asanyarray(y)
    return np.ma.masked_array(np.asarray(pd.Series(y).fillna(0)), np.asarray(missing))


def lack(name: str, missing: int, total: int) -> tuple[str, ...]:
    """What to say where rows have no label."""
    if not missing:
        return ()
    return (f"{name}: {missing:,} of {total:,} rows have no label; scores by label are over the others.",)


def decoded(name: str, y: Iterable[bytes], rows: np.ndarray | None = None) -> np.ndarray:
    """Labels from bytes in UTF-8; parameters as of `labels`.

    Raises
    ------
    InputError
        If some are in another encoding.
    """
    found = []
    for i, value in enumerate(y):
        try:
            found.append(value.decode())
        except UnicodeDecodeError:
            raise InputError(
                f"the labels of {name} are not in UTF-8, such as {value!r} in row {i if rows is None else rows[i]} "
                "(counted from 0): save them as UTF-8."
            ) from None
    return np.array(found, dtype=np.str_)


def _whole(name: str, y: np.ndarray) -> np.ndarray:
    """Whole numbers as int64; beyond it, several would become the same."""
    if y.dtype.kind in "uf":
        beyond = y > np.iinfo(np.int64).max if y.dtype.kind == "u" else np.abs(y) >= 2.0**63
        if beyond.any():
            raise InputError(f"the labels of {name} have {y[beyond][0]}, which is beyond 64 bits: save them as text.")
    return y.astype(np.int64)


_KINDS: dict[type, Any] = {str: str, bytes: bytes, int: (Integral, np.bool_), float: (Real, np.bool_)}


def _of_one_kind(name: str, y: np.ndarray) -> np.ndarray:
    """Objects, such as pandas keeps text as, in an array of their own type."""
    for kind, like in _KINDS.items():
        if all(isinstance(value, like) for value in y):
            return np.array([kind(value) for value in y])
    kinds = ", ".join(sorted({type(value).__name__ for value in y}))
    raise InputError(f"the labels of {name} are of the types {kinds}: give whole numbers or text.")
