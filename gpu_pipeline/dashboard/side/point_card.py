"""The card of a point: its image and values, its neighbours in the data beside those on the map."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...figures import text_of
from ...record import Run
from ..neighborhood import neighbors_of_row
from ..opened import Opened
from ..views import page
from .values import items, row_of, thumbs

LISTED = 8
"""Neighbours in each list."""

MOST_NUMBERS = 600_000_000
"""Numbers in the features up to which all are searched for a point's neighbours: some 200 ms."""


def point(opened: Opened, place: int, held: bool) -> str:
    """The card of the point at a place of the table."""
    if not 0 <= place < opened.n:
        return page("point", card=None, held=False)
    # Column by column: a line across columns of numbers would be floating, and ids of 64 bits lose their last digits.
    values = [(str(name).replace("_", " "), text_of(column.iloc[place])) for name, column in opened.points.items()]
    card = {
        "row": row_of(opened, place),
        "image": thumbs(opened, [place], 4)[0],
        "values": values,
        "lists": _neighbors(opened, opened.run, place)
        if opened.ground is None
        else _on_ground(opened, opened.ground, place),
        "note": opened.why_no_images(),
    }
    return page("point", card=card, held=held)


def _neighbors(opened: Opened, run: Run | None, place: int) -> list[dict[str, Any]]:
    if run is None or run.features is None or run.features.size > MOST_NUMBERS:
        return []
    found = neighbors_of_row(run, place, LISTED)
    in_data = _listed(opened, found.in_data, set(found.on_map.tolist()))
    on_map = _listed(opened, found.on_map, set(found.in_data.tolist()))
    note = f"{found.common} of {len(found.in_data)} are near both in the data and on the map: they are framed."
    return [
        {"title": "Nearest in the data", "items": in_data, "note": ""},
        {"title": "Nearest on the map", "items": on_map, "note": note},
    ]


def _on_ground(opened: Opened, ground: Opened, place: int) -> list[dict[str, Any]]:
    """The map's own rows next to a placed one: in the data, and on the map."""
    nearest = np.flatnonzero(ground.points["row"].to_numpy() == opened.points["nearest_row"].iloc[place])[:1]
    run = ground.run
    if run is not None and run.features is not None and run.features.size <= MOST_NUMBERS and len(nearest):
        around = neighbors_of_row(run, int(nearest[0]), LISTED - 1).in_data
        nearest = np.concatenate([nearest, around])
    (x, y), (own_x, own_y) = ground.axes(), (float(values[place]) for values in opened.axes())
    squares = (x - own_x) ** 2 + (y - own_y) ** 2
    k = min(LISTED, len(squares))
    on_map = np.argpartition(squares, k - 1)[:k]
    on_map = on_map[np.argsort(squares[on_map], kind="stable")]
    note = "The first is the map's row nearest to it in the data; the others are nearest to that one."
    return [
        {"title": "In the data, of the map's rows", "items": _unlinked(_listed(ground, nearest, set())), "note": note},
        {
            "title": "Nearest on the map, of the map's rows",
            "items": _unlinked(_listed(ground, on_map, set())),
            "note": "",
        },
    ]


def _unlinked(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Points that are not among those of the table, and cannot be gone to."""
    return [{**item, "place": None} for item in items]


def _listed(opened: Opened, places: np.ndarray, others: set[int]) -> list[dict[str, Any]]:
    near = ", near both in the data and on the map"
    return [
        {**item, "both": True, "tip": item["tip"] + near} if item["place"] in others else item
        for item in items(opened, places.tolist())
    ]
