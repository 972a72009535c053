"""Values as the panes show them."""

from __future__ import annotations

from collections.abc import Sequence

from ..opened import Opened
from ..views import png_uri


def number(value: float | None) -> str:
    """A figure for reading; a dash where there is none."""
    return "-" if value is None else f"{value:z.3f}"


def row_of(opened: Opened, place: int) -> int:
    """Number of a point's row in its data."""
    return int(opened.points["row"].iloc[place]) if "row" in opened.points else place


def thumbs(opened: Opened, places: Sequence[int], scale: int) -> list[str]:
    """Addresses of some points' images; empty ones where there are none."""
    images = opened.images()
    return [""] * len(places) if images is None else [png_uri(images.png(place, scale)) for place in places]
