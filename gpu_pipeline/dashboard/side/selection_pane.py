"""What is selected: counts, quality, images, statistics against the rest, and how to have it elsewhere."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import times
from ...figures import text_of
from ...scoring import NEIGHBORS, VOTERS
from ..filters import histogram, numbers
from ..opened import NOT_COLOURS, Opened
from ..paint import Paint, painted
from ..quality import misfits, right
from ..selecting import Step
from ..shown import some, sorts
from ..statistics import Difference, counts, moments, of_class, of_quantity
from ..views import colour_of, image_uri, page, short_names
from .values import items

BARS = 12
SHEET = 100
LISTED = 30
STATISTICS = 14

MOST_CLASSES = 64
"""Classes of a column beyond which it is taken for names rather than classes, and not compared."""

QUALITY = ("neighbor_recall", "misfit")
"""Columns that are compared as quality, and not among the others."""


def selection(
    opened: Opened,
    mask: np.ndarray | None,
    steps: Sequence[Step],
    filters: Sequence[Step],
    seed: int,
    paints: Sequence[Paint] = (),
    *,
    sort: str = "",
    lost: bool = False,
) -> str:
    """The pane of the selection.

    Parameters
    ----------
    mask
        (n,) bool, the selected points; None if there is no selection.
    steps
        How they were selected.
    filters
        The filters as steps, which leave of the selection what they let through.
    seed
        Of the images that are shown.
    paints
        Colours that were given to classes.
    sort
        In which order points of it are shown, see `sorts`; at random if there is no such column.
    lost
        Whether the selection is too long for the page's address.
    """
    if mask is None:
        return page("selection", n=None)
    n = int(mask.sum())
    orders = sorts(opened)
    sort = sort if sort in orders else ""
    return page(
        "selection",
        n=n,
        total=opened.n,
        filtered=bool(filters),
        lost=lost,
        tables=[_bars(opened, column, mask, paints) for column in ("label", "cluster") if opened.has_classes(column)],
        quality=_quality(opened, mask) if n else [],
        shown=_shown(opened, mask, seed, sort) if n else None,
        sort=sort,
        sorts=orders,
        statistics=_statistics(opened, mask) if 0 < n < opened.n else [],
        code=_code(opened, steps if _ends_with(steps, filters) else (*steps, *filters)) if n else None,
    )


def _ends_with(steps: Sequence[Step], filters: Sequence[Step]) -> bool:
    """Whether the filters are the last steps already, as they are where what they let through was selected."""
    return tuple(steps[len(steps) - len(filters) :]) == tuple(filters)


def _bars(opened: Opened, column: str, mask: np.ndarray, paints: Sequence[Paint]) -> dict[str, Any]:
    codes, key = opened.codes(column)
    key = painted(key, paints)
    inside = counts(codes, len(key.names), mask)
    order = [i for i in np.argsort(-inside, kind="stable").tolist() if inside[i]]
    bars = [
        {
            "name": key.names[i],
            "short": short,
            "inside": int(inside[i]),
            "all": key.counts[i],
            "width": 100 * inside[i] / inside[order[0]],
            "colour": colour_of(key, i),
        }
        for i, short in zip(order, short_names([key.names[i] for i in order[:BARS]]), strict=False)
    ]
    return {"title": f"{column.capitalize()}s", "bars": bars, "more": max(len(order) - BARS, 0)}


def _quality(opened: Opened, mask: np.ndarray) -> list[dict[str, str]]:
    """How good the map is in the selection and in the rest, with what chance would give."""
    lines = []
    if opened.has_classes("label"):
        largest = _largest_class(opened)
        about = f"Points whose label most of their {VOTERS} nearest on the map have"
        true = right(opened)
        if opened.ground is not None:
            about += " of the map's own"
        elif true is None:
            about += ": known once Mistakes has been opened, which takes a while for so many points"
        found = None if true is None else _share_where(opened, true, mask)
        lines.append(_quality_line("label accuracy", about, found, f"at most {largest:.1%}", "{:.1%}"))
    if "neighbor_recall" in numbers(opened):
        values = moments(opened.quantity("neighbor_recall"), mask)
        found = of_quantity("neighbor_recall", opened.moments("neighbor_recall"), values)
        k = min(NEIGHBORS, (opened.n - 1) // 2)
        about = f"Share of the {k} nearest in the data that are also nearest on the map, over {values.n:,} points"
        chance = "-" if opened.run is None or opened.n < 2 else f"{k / (opened.n - 1):.2g}"
        lines.append(_quality_line("mean neighbour recall", about, found, chance, "{:.3f}"))
    if (misfit := misfits(opened)) is not None:
        found = _share_where(opened, misfit, mask)
        chance = f"at most {1 - _largest_class(opened):.1%}"
        about = "Points whose label is not that of most points in their cluster"
        lines.append(_quality_line("misfits", about, found, chance, "{:.1%}"))
    return lines


def _largest_class(opened: Opened) -> float:
    _, key = opened.codes("label")
    with_label = [count for i, count in enumerate(key.counts) if i != opened.absent("label")]
    return max(with_label, default=0) / max(sum(with_label), 1)


def _share_where(opened: Opened, true: np.ndarray, mask: np.ndarray) -> Difference:
    """Share of the labelled points of which something is true, in the selection and in the rest."""
    codes, absent = opened.codes("label")[0], opened.absent("label")
    asked = np.ones(opened.n, bool) if absent < 0 else codes != absent
    true = true & asked
    here = mask & asked
    sums = [int(np.count_nonzero(part)) for part in (true & here, here, true, asked)]
    return of_class("", "", *sums)


def _quality_line(name: str, about: str, found: Difference | None, chance: str, form: str) -> dict[str, str]:
    values = (None, None) if found is None else (found.inside, found.outside)
    inside, outside = ("-" if value is None else form.format(value) for value in values)
    return {"name": name, "about": about, "inside": inside, "outside": outside, "chance": chance}


def _shown(opened: Opened, mask: np.ndarray, seed: int, sort: str) -> dict[str, Any]:
    """Images of some of the points, or without images the points to go to, each with what they are sorted by."""
    images = opened.images()
    places = some(opened, mask, LISTED if images is None else SHEET, seed, sort)
    if images is not None:
        sheet = image_uri(images.sheet(places, columns=10)) if len(places) else ""
        return {"title": "Images", "sheet": sheet, "columns": min(len(places), 10), "listed": [], "number": len(places)}
    listed = items(opened, places.tolist())
    if sort:
        column = sort.partition(":")[2]
        for item in listed:
            said = f"{column.replace('_', ' ')} {text_of(opened.points[column].iloc[item['place']])}"
            item |= {"name": f"{said}: {item['name']}", "tip": f"{item['tip']}, {said}"}
    return {"title": "Points", "sheet": "", "columns": 0, "listed": listed, "number": len(places)}


def _statistics(opened: Opened, mask: np.ndarray) -> list[dict[str, str]]:
    lines = []
    for found in against_rest(opened, mask)[:STATISTICS]:
        inside, outside = (_mean(opened, found, value) for value in (found.inside, found.outside))
        name = found.column.replace("_", " ") + ("" if found.name is None else f" {found.name}")
        effect = "-" if found.effect is None else f"{found.effect:+.2f} sd"
        lines.append({"name": name, "inside": inside, "outside": outside, "effect": effect})
    return lines


def _mean(opened: Opened, found: Difference, value: float | None) -> str:
    """A mean of a quantity, or the share of a class."""
    if value is None:
        return "-"
    if found.name is not None:
        return f"{value:.1%}"
    span = abs(value)
    if times.is_time(opened.points[found.column]):
        whole = histogram(opened, found.column)
        span = whole.high - whole.low
    return opened.written(found.column, value, span, 3)


def against_rest(opened: Opened, mask: np.ndarray) -> list[Difference]:
    """The selection against the rest, column by column, the largest effects first.

    Columns with more than `MOST_CLASSES` classes are left out, as are absent values, the places and what is quality.

    Parameters
    ----------
    mask
        (n,) bool.

    Raises
    ------
    InputError
        If the mask is not over the points.
    """
    found: list[Difference] = []
    for column in map(str, opened.points.columns):
        if column in (*NOT_COLOURS, *QUALITY, *opened.telling()):
            continue
        if column in numbers(opened):
            found.append(of_quantity(column, opened.moments(column), moments(opened.quantity(column), mask)))
        elif opened.part(("classes", column), opened.points[column].nunique) <= MOST_CLASSES:
            found += _classes(opened, column, mask)
    return sorted(found, key=lambda d: -abs(d.effect or 0.0))


def _classes(opened: Opened, column: str, mask: np.ndarray) -> list[Difference]:
    codes, key = opened.codes(column)
    inside = counts(codes, len(key.names), mask).tolist()
    known = [i for i in range(len(key.names)) if i != opened.absent(column)]
    selected, n = sum(inside[i] for i in known), sum(key.counts[i] for i in known)
    return [of_class(column, key.names[i], inside[i], selected, key.counts[i], n) for i in known if key.counts[i]]


def _code(opened: Opened, steps: Sequence[Step]) -> dict[str, str] | None:
    """The same rows by Python and by the command line; None where they need more than the stored run.

    A shape on the map of another run does, and how far points lie from their places there.
    """
    if opened.run is None or opened.run.path is None or any(step.kind.endswith("2") for step in steps):
        return None
    if any(column not in (*opened.run.points.columns, "among") for step in steps for column, _ in step.pairs):
        return None
    select = ";".join(step.to_text() for step in steps)
    run = str(opened.run.path)
    python = f"import gpu_pipeline\n\nrows = gpu_pipeline.rows({run!r}, {select!r})"
    # Some shells expand a word that begins with "=", which shlex leaves as it is.
    return {"python": python, "shell": f"gpu-pipeline rows {shlex.quote(run)} --select={shlex.quote(select)}"}
