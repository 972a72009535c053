"""Tables of points as files for other programs: CSV and Parquet."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("csv", "parquet")


def write_table(points: pd.DataFrame, to: Path | IO[bytes], kind: str) -> None:
    """Write points as one of `KINDS`.

    Both keep all digits of numbers. Parquet keeps the types too. CSV (UTF-8) has nothing where a value is absent, and
    does not tell that from an empty text. A text that begins with "=" stays as it is, though a spreadsheet takes it
    for a formula: whoever reads the file into a program has to get the text that was there.
    """
    if kind == "csv":
        # A lone "\r" is quoted only where lines end in one, and would otherwise be read as the end of a line.
        ends = "\r\n" if _has_returns(points) else "\n"
        points.apply(_zoned_as_text).to_csv(to, index=False, lineterminator=ends)
    else:
        points.to_parquet(to, index=False)


def _zoned_as_text(values: pd.Series) -> pd.Series:
    """Times with a zone as pandas would write them, which takes it 20 µs each; any other column as it is."""
    import pandas as pd
    import pyarrow as pa
    from pyarrow import compute

    if not isinstance(values.dtype, pd.DatetimeTZDtype):
        return values
    times = pa.array(values)
    with suppress(pa.ArrowInvalid):  # They have fractions of a second.
        times = times.cast(pa.timestamp("s", times.type.tz))
    text = compute.replace_substring_regex(compute.cast(times, pa.string()), "Z$", "+0000")
    written = compute.replace_substring_regex(text, r"([+-]\d\d)(\d\d)$", r"\1:\2")
    return pd.Series(written.to_pandas().to_numpy(), values.index, name=values.name)


def _has_returns(points: pd.DataFrame) -> bool:
    """Whether a text has a carriage return in it."""
    for column in points:
        values = points[column]
        if hasattr(values, "cat"):
            values = values.cat.categories.to_series()
        if hasattr(values, "str") and values.str.contains("\r", regex=False, na=False).any():
            return True
    return False
