"""Values as the panes show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...figures import text_of
from ...render.text import isolated
from ..headline import told
from ..opened import Opened
from ..views import png_uri


def number(value: float | None) -> str:
    """A figure for reading; a dash where there is none."""
    return "-" if value is None else f"{value:z.3f}"


def row_of(opened: Opened, place: int) -> int:
    """Number of a point's row in its data."""
    return int(opened.points["row"].iloc[place]) if "row" in opened.points else place


def items(opened: Opened, places: Sequence[int]) -> list[dict[str, Any]]:
    """Points to go to, for `points.html`: their labels, their images, and without one what tells them apart."""
    label, listed = opened.points.get("label"), []
    for place, image in zip(places, thumbs(opened, places, 1), strict=True):
        row = row_of(opened, place)
        name = None if label is None else text_of(label.iloc[place])
        tip = f"row {row}" + ("" if name is None else f", label {isolated(name)}")
        said = {"name": f"row {row}" if name is None else name, "tip": tip, "text": told(opened, place)}
        listed.append({"place": place, "row": row, "image": image, "both": False, **said})
    return listed


def thumbs(opened: Opened, places: Sequence[int], scale: int) -> list[str]:
    """Addresses of some points' images; empty ones where there are none."""
    images = opened.images()
    return [""] * len(places) if images is None else [png_uri(images.png(place, scale)) for place in places]
