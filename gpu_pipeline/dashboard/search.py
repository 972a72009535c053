"""Rows found by what a person types: numbers of rows, the name of a class, or a text that a column contains."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from .. import times
from ..errors import InputError

LONGEST = 500
"""Characters of a search at most."""

NOTHING = ("none", "no label", "not measured")
"""What stands for no value, of a column that has no such value."""

ANSWERS = {"yes": True, "true": True, "no": False, "false": False}
"""What stands for the values of a column of answers."""

_BOUND = re.compile(r"(.+?)\s*(<=|>=|<|>)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)", re.IGNORECASE)
_TIME_BOUND = re.compile(r"(.+?)\s*(<=|>=|<|>)\s*(-?\d{4}[-\d:. T]*)")
_UNLIKE = re.compile(r"(.+?)\s*!=\s*(.+)")
_SIGN = re.compile(r"(.+?)\s*(?:!=|[<>=])")
_PARTS = re.compile(r"\s+(?:and|or)\s+", re.IGNORECASE)
_BOUNDS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_ROWS = re.compile(r"\d{1,19}(?:\s*-\s*\d{1,19})?")


def found(points: pd.DataFrame, text: str) -> np.ndarray:
    """The points that a search finds, (n,) bool; at least one.

    `17, 42, 100-120` are rows by their numbers; `label=4` or `cluster 7` is a class of the column `label` or `cluster`;
    `column=value` a value of any other column, or if none is that, those of a column of text that contain it;
    `column=none` no value; `column!=value` is what `column=value` is not; `column<0.2` (also `<=`, `>`, `>=`) its
    numbers on one side, and `column>=2024-05` its times; `column=2024-05` those in that month. Anything else is looked
    for in all columns of text. Of several of these with `and` between all have to be true, with `or` one of them, and
    `and` holds closer together; a text with such a word in it is looked for as a whole first. Letters are as good as
    capitals, and no sign has a meaning of its own.

    Parameters
    ----------
    points
        The map's table.
    text
        What was typed.

    Raises
    ------
    InputError
        If there is nothing to look for, or nothing is found.
    """
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise InputError(f"type 1 to {LONGEST} characters to search for, such as 17, 42, 100-120, label=4, text=word.")
    parts = [part.strip() for part in text.split(",")]
    of_rows = all(_ROWS.fullmatch(part) for part in parts)
    mask = _rows(points, parts) if of_rows else _meant(points, text)
    if not mask.any():
        absent = f"none of the rows {text} is on this map: {_span(points)}."
        raise InputError(absent if of_rows else _nowhere(points, text))
    return mask


def _meant(points: pd.DataFrame, text: str) -> np.ndarray:
    """Of which points a text is true: as a whole, or else its parts with "and" or "or" between."""
    parts = _PARTS.split(text)
    conditions = [_condition(points, part) for part in parts]
    if None in conditions:
        hits = _said(points, text) if not any(conditions) else _of_whole(points, text)
        if len(parts) == 1 or hits.any():
            return hits
    ways = re.split(r"\s+or\s+", text, flags=re.IGNORECASE)
    if len(ways) > 1:
        return np.asarray(np.logical_or.reduce([_meant(points, way) for way in ways]))
    true = [_said(points, part) if known is None else known() for part, known in zip(parts, conditions, strict=True)]
    return np.asarray(np.logical_and.reduce(true))


def _of_whole(points: pd.DataFrame, text: str) -> np.ndarray:
    """Which points have, or have not, a value in which such words stand; none if no point has it."""
    name, unlike = _column(points, text), _unlike(points, text)
    column, value = name or unlike or ("", "")
    hits = _of(points, column, value) if name or unlike else np.zeros(len(points), bool)
    return hits if name or not hits.any() else ~hits


def _said(points: pd.DataFrame, text: str) -> np.ndarray:
    """Which points have a text in any of their columns of text."""
    texts = _texts(points)
    if not texts:
        raise InputError(
            f"no column of text could contain {text[:40]!r}: search for rows (17, 42, 100-120) or a class (label=4)."
        )
    return np.asarray(np.logical_or.reduce([_says(points[column], text, whole=False) for column in texts]))


def _texts(points: pd.DataFrame) -> list[str]:
    return [str(column) for column in points.columns if is_text(points[column])]


def _nowhere(points: pd.DataFrame, text: str) -> str:
    """A sentence for a search that finds nothing."""
    parts = _PARTS.split(text)
    name = _column(points, text)
    if len(parts) == 1 and name is not None:
        return f"no point has {name[0]} {name[1]!r}: {_offer(points[name[0]])}."
    if any(_condition(points, part) for part in parts):
        return f"no point has {text[:80]}: allow for more."
    texts = _texts(points)
    sought = f"{text[:40]!r} is nowhere in {', '.join(texts)}"
    sign = _SIGN.match(text)
    if sign and _named(points, sign[1]) is None:
        return f"{sought}, and no column is named {sign[1][:40]!r}: search in one of these as in {texts[0]}=..."
    return f"{sought}: try fewer letters."


def _rows(points: pd.DataFrame, parts: list[str]) -> np.ndarray:
    rows = points["row"].to_numpy() if "row" in points else np.arange(len(points))
    mask = np.zeros(len(rows), bool)
    single = []
    for part in parts:
        first, *last = map(int, part.split("-"))
        if not last:
            single.append(first)
        elif first > last[0]:
            raise InputError(f"the rows {part} run backwards: write {last[0]}-{first}.")
        else:
            mask |= (rows >= first) & (rows <= last[0])
    known = [row for row in single if row <= np.iinfo(rows.dtype).max]
    return mask | np.isin(rows, np.array(known, rows.dtype))


def _span(points: pd.DataFrame) -> str:
    rows = points.get("row", points.index)
    return f"its {len(rows):,} rows are among {int(rows.min())} to {int(rows.max())}"


def _condition(points: pd.DataFrame, text: str) -> Callable[[], np.ndarray] | None:
    """Tells of which points a condition is true; None if the text is none."""
    bound = _BOUND.fullmatch(text)
    column = _named(points, bound[1]) if bound else None
    if bound and column is not None and _is_number(points[column]):
        return partial(_is_so, points[column], _BOUNDS[bound[2]], bound[3])
    bound = _TIME_BOUND.fullmatch(text)
    column = _named(points, bound[1]) if bound else None
    if bound and column is not None and times.is_time(points[column]) and (ends := times.read(bound[3])):
        # After a month begins with the next one, and up to it includes all of it.
        values, compare, end = points[column], _BOUNDS[bound[2]], ends[bound[2] in ("<=", ">")]
        return lambda: np.asarray(compare(times.seconds(values), end))
    unlike = _unlike(points, text)
    if unlike is not None:
        return lambda: ~_of(points, *unlike)
    name = _column(points, text)
    return None if name is None else partial(_of, points, *name)


def _of(points: pd.DataFrame, column: str, text: str) -> np.ndarray:
    """Which points have a value; if none has, those without one where that is what the text says, or of a column of
    text those whose values contain it."""
    values = points[column]
    mask = _equal(values, text)
    if mask.any():
        return mask
    if text.casefold() in (*NOTHING, f"no {column.casefold()}"):
        return values.isna().to_numpy(dtype=bool)
    return _says(values, text, whole=False) if is_text(values) else mask


def _is_number(values: pd.Series) -> bool:
    """Whether a column holds numbers that can be more or less."""
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _named(points: pd.DataFrame, text: str) -> str | None:
    """The column of just that name, else the first in any case of letters and with blanks for underscores, or none."""
    name, columns = text.strip(), [str(column) for column in points.columns]
    if name in columns:
        return name
    return next((column for column in columns if _alike(column) == _alike(name)), None)


def _alike(name: str) -> str:
    return name.casefold().replace("_", " ")


def _unlike(points: pd.DataFrame, text: str) -> tuple[str, str] | None:
    """The column and the value that are not to go together, of `column!=value`."""
    parts = _UNLIKE.fullmatch(text)
    column = _named(points, parts[1]) if parts else None
    return (column, parts[2]) if parts and column is not None else None


def _column(points: pd.DataFrame, text: str) -> tuple[str, str] | None:
    """The column and the value that a text names: `column=value`, for labels and clusters also with a blank."""
    before, sign, after = text.partition("=")
    column = _named(points, before)
    if sign and column is not None and after.strip():
        return column, after.strip()
    before, _, after = text.partition(" ")
    column = _named(points, before)
    # "label 4" is a class, but "label printer" may be a text: only what is a class's name is taken for one.
    if column in ("label", "cluster") and after.strip() and _equal(points[column], after.strip()).any():
        return column, after.strip()
    return None


def _equal(values: pd.Series, text: str) -> np.ndarray:
    """Which values are that text or number."""
    if pd.api.types.is_bool_dtype(values):
        wanted = ANSWERS.get(text.casefold())
        same = pd.Series(False, values.index) if wanted is None else values == wanted
        return same.to_numpy(dtype=bool, na_value=False)
    if pd.api.types.is_numeric_dtype(values):
        try:
            return _is_so(values, operator.eq, text)
        except ValueError:
            return np.zeros(len(values), bool)
    if times.is_time(values) and (ends := times.read(text)):
        found = times.seconds(values)
        return np.asarray((found >= ends[0]) & (found <= ends[1]))
    return _says(values, text, whole=True)


def _is_so(values: pd.Series, compare: Callable[[Any, Any], Any], text: str) -> np.ndarray:
    """Of which numbers a comparison with the number that a text is holds; whole ones are compared digit by digit."""
    number: float = float(text)
    if pd.api.types.is_integer_dtype(values) and number.is_integer():
        number = int(text) if re.fullmatch(r"[+-]?\d+", text) else int(number)
    return np.asarray(compare(values, number).to_numpy(dtype=bool, na_value=False))


def _says(values: pd.Series, text: str, whole: bool) -> np.ndarray:
    """Which values are a text, or contain it, in any case of letters."""
    if isinstance(values.dtype, pd.StringDtype):  # Arrow asks a million in a tenth of a second.
        strings = pa.array(values)
        if whole:
            hits = compute.equal(compute.utf8_lower(strings), text.lower())
        else:
            hits = compute.match_substring(strings, text, ignore_case=True)
        return np.asarray(compute.fill_null(hits, False), bool)
    wanted = text.casefold()
    return _by_value(values, lambda value: value.casefold() == wanted if whole else wanted in value.casefold())


def _by_value(values: pd.Series, wanted: Callable[[str], bool]) -> np.ndarray:
    """Which values are wanted, each different one asked once."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes, different = values.cat.codes.to_numpy(), values.cat.categories
    else:
        codes, different = pd.factorize(values)
    # Absent values have the code -1, and so the last answer.
    hits = np.array([*(wanted(str(value)) for value in different), False])
    return hits[codes]


def is_text(values: pd.Series) -> bool:
    """Whether a column holds text, or classes that are text."""
    kind = values.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return not pd.api.types.is_numeric_dtype(kind.categories)
    return pd.api.types.is_string_dtype(values)


def different_texts(points: pd.DataFrame) -> dict[str, int]:
    """How many different values each column of text has, but labels and clusters."""
    texts = [name for name in points if name not in ("label", "cluster") and is_text(points[name])]
    return {str(name): points[name].nunique() for name in texts}


def _offer(values: pd.Series) -> str:
    """A few values that there are."""
    different = [str(value) for value in values.dropna().unique()[:6]]
    return f"try {', '.join(sorted(different))}" if different else "it has no values"
