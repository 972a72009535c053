"""Two runs: scores and seconds beside each other, and how far the maps agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...compare import Comparison
from ...record import cautions
from ..beside import Matched
from ..opened import Opened
from ..views import page, run_rows
from .values import number


def compare(
    opened: Opened,
    other: Opened | None,
    comparison: Comparison | None,
    rows: Sequence[Mapping[str, Any]],
    back: str,
    matched: Matched | None = None,
) -> str:
    """The pane of the comparison.

    Parameters
    ----------
    other, comparison, matched
        The other map, how far it agrees, and how its clusters correspond; None where there is none.
    rows
        The stored runs, from `rows_of`.
    back
        What to colour by when it is no longer to be by displacement; empty if it is not.
    """
    listed = [row for row in run_rows(rows) if row["run"] != opened.name]
    if other is None or comparison is None or opened.run is None or other.run is None:
        return page("compare", runs=listed, other="", summary=None)
    a, b = opened.run, other.run
    notes, not_comparable = cautions(a.record, b.record)
    lines = [
        _pair(name.replace("_", " "), a.scores.values[name], b.scores.values.get(name), name not in not_comparable)
        for name in a.scores.values
    ]
    lines += [
        _pair(f"seconds: {step}", a.record.seconds[step], b.record.seconds.get(step)) for step in a.record.seconds
    ]
    return page(
        "compare",
        runs=listed,
        other=other.name,
        summary=_summary(comparison),
        notes=notes,
        back=back,
        lines=lines,
        clusters=matched and _clusters(matched),
    )


def _summary(comparison: Comparison) -> dict[str, Any]:
    found = comparison.summary
    return {
        "rows": int(found["rows"]),
        "only_a": int(found["only_reference"]),
        "only_b": int(found["only_other"]),
        "median": f"{found['displacement_median']:.3f}",
        "rms": f"{found['displacement_rms']:.3f}",
        "common": f"{found['common_neighbors']:.3f}",
        "chance": f"{found['common_neighbors_chance']:.4f}",
    }


def _clusters(matched: Matched) -> dict[str, Any]:
    return {
        "shared": f"{matched.shared:.1%}",
        "chance": f"{matched.chance:.1%}",
        "numbers": [(shown, own) for own, shown in sorted(matched.numbers.items(), key=lambda item: item[1])],
    }


def _pair(name: str, a: float | None, b: float | None, comparable: bool = True) -> dict[str, str]:
    difference = "-" if a is None or b is None or not comparable else f"{b - a:+.3f}"
    return {"name": name, "a": number(a), "b": number(b), "difference": difference}
