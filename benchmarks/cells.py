"""How figures are written, and tables of them as Markdown, in which nothing that comes from a result is markup."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .spread import Spread
from .summary import MEASURES, Line

NOT_MEASURED = "\N{EN DASH}"
LONGEST = 240
"""Characters of a reason that a table shows."""


@dataclass(frozen=True)
class Table:
    """Rows of text; nothing in them is markup yet."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: Sequence[int] = (1,)
    """Columns that hold words."""


def plain(text: object) -> str:
    """One line without control characters, at most `LONGEST` of it."""
    kept = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in str(text))
    line = " ".join(kept.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}"


def markdown(text: object) -> str:
    """Text that Markdown shows as it is, in a cell of a table too."""
    entities = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = re.sub(r"([\\`*\[\]|~#])", r"\\\1", entities)
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", escaped)


def as_markdown(tables: Sequence[Table], empty: str = "No results yet.") -> str:
    """Tables below one another, each with its caption; `empty` if there are none."""
    return "\n\n".join(_one(table) for table in tables) or empty


def _one(table: Table) -> str:
    rules = ["---" if i in table.left else "---:" for i in range(len(table.headings))]
    lines = [table.headings, rules, *table.rows]
    text = "\n".join(f"| {' | '.join(row if row is rules else map(markdown, row))} |" for row in lines)
    return f"{markdown(table.caption)}\n\n{text}" if table.caption else text


def number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def ratio(value: float) -> str:
    """Three figures, or two decimals below ten."""
    return number(value, 2 if value < 9.995 else 1 if value < 99.95 else 0)


def within(found: Spread | None, write: Callable[[float], str]) -> str:
    """Median, and the least and the greatest in brackets where they read differently."""
    if found is None:
        return NOT_MEASURED
    median, low, high = (write(value) for value in (found.median, found.low, found.high))
    return median if low == high else f"{median} ({low}\N{EN DASH}{high})"


def measured(line: Line, measure: str) -> str:
    return within(line.get(measure), lambda value: number(value, MEASURES[measure].digits))


def gpu_seconds(line: Line) -> str:
    """Seconds from host to host, on a GPU; a processor's are not shown."""
    return within(line.seconds if line.device != "cpu" else None, lambda value: f"{value:.3g}")
