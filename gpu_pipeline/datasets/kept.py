"""Columns that are no features and go with the points: a map is coloured, filtered and searched by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..order import in_order

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

POINTS = (
    *("row", "x", "y", "label", "cluster", "neighbor_recall", "misfit", "vote", "nearest_row", "nearest_distance"),
    *("displacement", "density", "among"),
)
"""Names that points have, or that mean something else where a map is shown."""

MOST_CATEGORIES = 10_000
"""Text with no more different values than this is kept as codes: ten million labels fill 10 MB and not 200."""


def check_names(name: str, keep: Sequence[str], taken: Sequence[str] = POINTS) -> None:
    """See that columns can stand beside those that points have.

    Raises
    ------
    InputError
        If one has a name of theirs.
    """
    for column in keep:
        if column in taken:
            raise InputError(
                f"the column {column!r} of {name} cannot be kept, for points have one of that name: rename it."
            )


def check_once(what: str, names: Iterable[str]) -> None:
    """See that no two columns of a table have one name; raises an `InputError` if two do."""
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise InputError(f"{what} has two columns named {twice!r}: rename one.")


def check_kinds(name: str, schema: pa.Schema, keep: Sequence[str]) -> None:
    """See that columns hold what can be shown; raises an `InputError` if one does not."""
    for column in keep:
        kind = schema.field(column).type
        if not is_shown(kind):
            raise InputError(
                f"the column {column!r} of {name} holds {kind}, which is not kept with points: name columns of "
                "numbers, text, times, or yes and no."
            )


def frame_of(table: pa.Table, keep: Sequence[str], alike: bool = False) -> pd.DataFrame:
    """Some columns of a table as pandas keeps them; see `series_of`."""
    import pandas as pd

    return pd.DataFrame({name: series_of(table[name], alike) for name in keep})


def series_of(column: pa.ChunkedArray, alike: bool = False) -> pd.Series:
    """A column as pandas keeps it: text with few different values as a category, decimal numbers as usual ones, and
    durations as seconds.

    Parameters
    ----------
    column
        Of a table, or of a part of one.
    alike
        Whether the kind shall depend on that of the column alone, as parts that are written apart need it: text is text
        then, and whole numbers may be absent.
    """
    from pyarrow import types

    from .. import times

    if alike and types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if types.is_decimal(column.type):
        whole = column.type.scale == 0 and column.type.precision <= 18
        column = column.cast("int64" if whole else "float64")
    if types.is_string_view(column.type):
        column = column.cast("large_string")
    if _is_text(column.type) and not alike:
        coded = column.dictionary_encode().unify_dictionaries()
        if coded.num_chunks and len(coded.chunk(0).dictionary) <= MOST_CATEGORIES:
            return _in_order(coded.to_pandas())
    mapper = _nullable if alike or column.null_count else None
    return times.lasting(column.to_pandas(types_mapper=mapper, date_as_object=False))


def _in_order(series: pd.Series) -> pd.Series:
    """Categories by their names: coded they are in the order in which the rows have them."""
    names = series.cat.categories
    ordered: pd.Series = series.cat.reorder_categories(names[in_order(names)])
    return ordered


def is_shown(kind: pa.DataType) -> bool:
    """Whether values of a kind can be told from each other, and be written as text."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_boolean(kind)
    time = types.is_temporal(kind) and not types.is_interval(kind)
    return bool(number or time or _is_text(kind) or types.is_null(kind))


def checked_frame(name: str, kept: Any, n: int) -> pd.DataFrame:
    """A frame that anyone may have made, as columns for n points; durations become seconds.

    Raises
    ------
    InputError
        If it is no frame of so many rows, has two columns of one name or one that points have, or holds lists and
        the like.
    """
    import pandas as pd
    import pyarrow as pa

    from .. import times

    if not isinstance(kept, pd.DataFrame) or len(kept) != n:
        what = f"{len(kept)} rows" if isinstance(kept, pd.DataFrame) else type(kept).__name__
        raise InputError(f"the columns kept with {name} come as {what}: give a frame of pandas with {n} rows.")
    names = [str(column) for column in kept.columns]
    check_once(f"the frame kept with {name}", names)
    check_names(name, names)
    frame: pd.DataFrame = kept.set_axis(names, axis=1).reset_index(drop=True)
    try:
        check_kinds(name, pa.Schema.from_pandas(frame, preserve_index=False), names)
    except pa.ArrowException as error:
        raise InputError(
            f"the columns kept with {name} cannot be stored ({error}): give each values of one kind."
        ) from None
    return pd.DataFrame({name: times.lasting(frame[name]) for name in names}, frame.index)


def _is_text(kind: pa.DataType) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _nullable(kind: pa.DataType) -> Any:
    """How whole numbers and yes or no are kept where some are absent; as floating ones large ids would lose digits."""
    import pandas as pd
    from pyarrow import types

    if types.is_integer(kind):
        return pd.UInt64Dtype() if types.is_uint64(kind) else pd.Int64Dtype()
    return pd.BooleanDtype() if types.is_boolean(kind) else None
