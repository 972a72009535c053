"""Which columns of a table are features, which are labels, and which go with the points."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, listed, unknown_name
from .arrays import disguised
from .kept import check_kinds, check_names

if TYPE_CHECKING:
    import pyarrow as pa

LIKELY_LABELS = ("label", "labels", "target", "class", "y")
"""Names of columns that are more likely labels than features."""

INDEX = re.compile(r"|Unnamed: 0(\.\d+)*|__index_level_\d+__")
"""Names under which pandas writes a table's index, in CSV, in CSV that was read and written again, and in Parquet."""


@dataclass(frozen=True)
class Columns:
    """Which columns of a table to read: that of the labels, the features (None: all numbers), and those that go with
    the points; and the table where they are, if it is another file than that of the features."""

    label: str | None = None
    features: tuple[str, ...] | None = None
    keep: tuple[str, ...] = ()
    beside: Path | None = None


ALL = Columns()
"""Nothing is named."""


Read = Callable[[list[str]], "pa.Table"]
"""Reads some columns of a table."""


def no_names(name: str) -> InputError:
    """The error of columns that are named of data whose columns have no names."""
    return InputError(f"{name} has no named columns to choose from: leave the names out.")


def check_columns(name: str, schema: pa.Schema, wanted: Columns) -> None:
    """See that a table has the columns that are asked for, and that those which go with the points can.

    Raises
    ------
    InputError
        If not.
    """
    known, features = set(schema.names), set(wanted.features or ())
    for column in (*(wanted.features or ()), *(() if wanted.label is None else (wanted.label,)), *wanted.keep):
        if column not in known:
            raise unknown_name(f"column of {name}", column, schema.names)
    both = next((column for column in wanted.keep if column in features), None)
    if both is not None:
        raise InputError(f"the column {both!r} of {name} cannot be a feature and be kept with the points: choose one.")
    check_names(name, wanted.keep)
    check_kinds(name, schema, wanted.keep)


def choose_features(
    name: str, schema: pa.Schema, wanted: Columns, first: Read, read: Read | None = None
) -> tuple[list[str], tuple[str, ...]]:
    """Names of the columns of features, or of the one of arrays, and what to say about the choice.

    Parameters
    ----------
    name
        Of the table, for sentences.
    schema
        Its columns.
    wanted
        Which of them are asked for.
    first
        Reads the first rows of some columns, to see whether they are arrays in a form that is not read.
    read
        Reads all rows, so that an error can show a text that stands where a number is expected.

    Raises
    ------
    InputError
        If a column that is named holds no numbers, or there is none that does.
    """
    if wanted.features is None:
        return _all_features(name, schema, wanted, first)
    return _named_features(name, schema, wanted, first, read), ()


def _named_features(name: str, schema: pa.Schema, wanted: Columns, first: Read, read: Read | None) -> list[str]:
    features = list(wanted.features or ())
    if not features:
        raise InputError(f"no column of {name} is chosen: name at least one.")
    if wanted.label in features:
        raise InputError(f"the column {wanted.label!r} of {name} cannot be both label and feature: choose one.")
    arrays = [column for column in features if is_array(schema.field(column).type)]
    if arrays and len(features) > 1:
        raise InputError(f"the column {arrays[0]!r} of {name} holds arrays: name it alone, or columns of numbers.")
    if arrays:
        return features
    for column in features:
        if not is_numeric(schema.field(column).type):
            if arrays := _disguised(name, first([column])):
                raise InputError(arrays[0])
            values = [] if read is None else read([column])[column].to_pylist()
            example = next((str(value) for value in values if value is not None and not is_number(str(value))), "")
            text = isinstance(next((value for value in values if value is not None), None), str)
            such = f"text such as {_cut(example)!r}" if text else str(schema.field(column).type)
            raise InputError(
                f"the column {column!r} of {name} holds {such} where numbers are expected: correct it or leave it out."
            )
    return features


def _all_features(name: str, schema: pa.Schema, wanted: Columns, first: Read) -> tuple[list[str], tuple[str, ...]]:
    """Names of the columns of numbers but the label's and those kept, and what to say about them and the others."""
    asked = {wanted.label, *wanted.keep}
    others = [field for field in schema if field.name not in asked and not INDEX.fullmatch(field.name)]
    features = [field.name for field in others if is_numeric(field.type)]
    arrays = [field.name for field in others if is_array(field.type)]
    if len(arrays) == 1:
        left = [field.name for field in others if field.name != arrays[0]]
        rest = f", and {listed(left)} left out" if left else ""
        return arrays, (f"{name}: the arrays of the column {arrays[0]!r} are taken as the features{rest}.",)
    if arrays:
        raise InputError(
            f"{name} has arrays in the columns {listed(arrays)}: name one of them as the features, by --columns NAME "
            "or by columns=NAME in Python."
        )
    left = [field.name for field in others if not is_numeric(field.type)]
    hidden = _disguised(name, first(left)) if left else []
    if not features and hidden:
        raise InputError(hidden[0])
    if not features:
        raise InputError(f"{name} has no column of numbers for features: its columns are {listed(schema.names)}.")
    notes = [f"{name}: columns without numbers are left out, unless you keep them: {listed(left)}."] if left else []
    notes += hidden
    notes += [
        f"{name}: the column {column!r} is left out, being pandas' index by its name; rename it if it is a feature."
        for column in schema.names
        if column not in asked and INDEX.fullmatch(column)
    ]
    if wanted.label is None:
        notes += [
            f"{name}: the column {column!r} is taken as a feature; name it as the label column if it is one."
            for column in features
            if column.lower() in LIKELY_LABELS
        ]
    return features, tuple(notes)


def _disguised(name: str, table: pa.Table) -> list[str]:
    """A sentence for each column of a table that seems to hold arrays in a form that is not read."""
    found = {column: disguised(table[column]) for column in table.column_names}
    return [f"the column {column!r} of {name} {said}." for column, said in found.items() if said]


def is_numeric(kind: pa.DataType) -> bool:
    """Whether values of a type can be a feature."""
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_boolean(kind))


def is_array(kind: pa.DataType) -> bool:
    """Whether values of a type are lists of numbers, as pandas writes a column of arrays."""
    from pyarrow import types

    listed = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(listed and (types.is_integer(kind.value_type) or types.is_floating(kind.value_type)))


def _cut(text: str) -> str:
    """A text that is not too long for a sentence."""
    return text if len(text) <= 60 else f"{text[:57]}..."


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
