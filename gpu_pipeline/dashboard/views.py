"""What the page says, as HTML: pure functions of what is open and what was chosen.

Every value goes through Jinja's autoescape: a label of a person's data is text, never HTML.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from ..figures import written
from ..render import Key, shown_key
from ..render.palette import DENSITY, QUANTITY
from ..render.text import apart, isolated
from .filters import numbers, sliders
from .frame import Frame
from .images import encode
from .keys import KEY_TEXTS
from .opened import Opened
from .paint import painted
from .placed import sets_of
from .state import Choice
from .statistics import counts

_pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
)
_pages.filters["isolated"] = isolated

MODE_TEXTS = (
    ("majority", "majority"),
    ("mix", "mix of colours"),
    ("purity", "purity"),
    ("density", "density"),
)
SCALE_TEXTS = (
    ("linear", "by value"),
    ("rank", "by rank"),
)
TOOLS = (
    ("pan", "Move", "Drag to move, turn the wheel to zoom (M)"),
    ("box", "Box", "Drag a box to select (B)"),
    ("lasso", "Lasso", "Draw around points to select them (L)"),
)
HOWS = (
    ("new", "New", "A shape begins a new selection"),
    ("add", "Add", "A shape adds to the selection (+)"),
    ("subtract", "Subtract", "A shape takes away from the selection (-)"),
    ("keep", "Keep", "Of the selection only what is in the shape stays (&)"),
)
TAB_TEXTS = (
    ("look", "Look", "Runs, colours, filters"),
    ("point", "Point", "The point under the cursor and its neighbours"),
    ("selection", "Selection", "What is selected: counts, images, statistics, export"),
    ("confusion", "Mistakes", "Which classes the map confuses, and which points lie among another class"),
    ("compare", "Compare", "This run beside another one"),
    ("scores", "Scores", "How good the map is, how long it took, how it was made"),
    ("run", "Run", "Make a new map and watch it form"),
)
LISTED = 64
"""Classes that the legend lists at most: the largest."""

NAME_ROOM = 130
"""Pixels that a side of the page leaves a name beside its figures, where it is narrow."""


def page(name: str, **values: Any) -> str:
    """A part of the page, escaped."""
    return _pages.get_template(f"{name}.html").render(**values)


def header(title: str) -> str:
    """Title, link and theme."""
    return page("header", title=title, keys=KEY_TEXTS)


def tools(choice: Choice, *, undoable: bool) -> str:
    """The bar above the map."""
    shown = {"tool": choice.tool, "how": choice.how, "steps": choice.steps}
    return page("tools", tools=TOOLS, hows=HOWS, undoable=undoable, **shown)


def tabs(tab: str) -> str:
    """The names of the panes beside the map."""
    return page("tabs", tabs=TAB_TEXTS, tab=tab)


def strip(frame: Frame | None, n: int) -> str:
    """The line of facts below the map."""
    return page("strip", facts=frame and frame.facts, seconds=frame and frame.seconds, n=n)


def message(text: str, *, failed: bool = False, hint: str = "") -> str:
    """A sentence in place of a pane."""
    return page("message", text=text, failed=failed, hint=hint)


def title_of(opened: Opened) -> str:
    """One line about what is open."""
    if opened.ground is not None:
        return f"{opened.n:,} points placed on {title_of(opened.ground)}"
    if opened.run is None:
        return f"{isolated(opened.name)}: {opened.n:,} points"
    return ": ".join(map(isolated, opened.run.title()))


def run_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The stored runs as they are listed, the newest first."""
    return [
        {
            "run": str(row["run"]),
            "title": str(row["title"]),
            "hint": str(row["hint"]),
            "created": str(row["created"] or "at an unknown time"),
            "n": "-" if row["n"] is None else f"{row['n']:,}",
            "fault": str(row["fault"]),
            **{name: "" if row[name] is None else f"{row[name]:.3f}" for name in ("neighbor_recall", "accuracy", "kl")},
        }
        for row in reversed(rows)
    ]


def look(
    choice: Choice,
    opened: Opened | None,
    rows: Sequence[Mapping[str, Any]],
    file: str,
    chosen: np.ndarray | None,
    visible: np.ndarray | None = None,
    sought: str = "",
    watched: Opened | None = None,
    *,
    lost: bool = False,
) -> str:
    """The left side: runs, colour, legend, filters.

    Parameters
    ----------
    chosen
        (n,) bool, the selected points, whose counts the legend then shows.
    visible
        (n,) bool, the points that the filters let through; None if there is no filter.
    sought
        The column whose filter is open.
    watched
        The frame of a job, if the map shows one in place of what is open: colour and legend are then its own.
    lost
        Whether what is hidden, filtered or painted is too long for the page's address.
    """
    shown = watched or opened
    listed = {"runs": run_rows(rows), "run": choice.run, "file": file, "names": choice.names, "images": choice.images}
    if shown is None:
        return page("look", **listed, colours=[])
    if watched is not None:
        # A frame has one colour, and no filter and no selection, which are those of the stored map.
        choice, chosen = Choice(colour=watched.colours()[0], mode=choice.mode), None  # type: ignore[no-untyped-call]
    return page(
        "look",
        **listed,
        **_colouring(choice, shown, chosen),
        watched="" if watched is None else watched.name,
        lost=lost,
        sets=_sets(opened),
        placed=choice.placed,
        colours=shown.colours() if watched is None else [choice.colour],
        numbers=numbers(shown) if watched is None else [],
        sliders=sliders(shown, choice.limits, sought) if watched is None else [],
        passing=None if visible is None else int(np.count_nonzero(visible)),
        n=shown.n,
        left_out=shown.left_out,
        telling=shown.telling(),
        pictures=watched is None and _has_images(shown),
    )


def _has_images(opened: Opened) -> bool:
    run = (opened.ground or opened).run
    return run is not None and run.record.dataset.get("image_shape") is not None


def _sets(opened: Opened | None) -> dict[str, int | None]:
    """The sets of points that were placed on the map that is open, and their rows."""
    run = None if opened is None else (opened.ground or opened).run
    return {} if run is None else sets_of(run.path)


def _colouring(choice: Choice, shown: Opened, chosen: np.ndarray | None) -> dict[str, Any]:
    """What the colours mean."""
    own = painted(shown.layer(choice.colour).key, choice.paints)
    classes, scale = own.kind == "classes", choice.scale if own.kind == "quantity" else ""
    own = replace(own, ranked=scale == "rank")
    key = shown_key(own, choice.mode) if classes else own  # type: ignore[arg-type]
    entries = legend(choice, shown, chosen) if classes else []
    return {
        "colour": choice.colour,
        "mode": choice.mode,
        "modes": MODE_TEXTS,
        "classes": classes,
        "scale": scale,
        "scales": SCALE_TEXTS,
        "chosen": None if chosen is None else int(chosen.sum()),
        "legend": entries,
        "more": sum(count > 0 for count in own.counts) - len(entries),
        "hidden": choice.hidden,
        "painted": any(column == choice.colour for column, _, _ in choice.paints),
        "ramp": _ramp(key),
        "ticks": _ticks(key),
        "unmeasured": own.unmeasured,
    }


def legend(choice: Choice, opened: Opened, chosen: np.ndarray | None) -> list[dict[str, Any]]:
    """The legend's entries: the largest classes in their order, with their counts in all and in the selection."""
    codes, key = opened.codes(choice.colour)
    key = painted(key, choice.paints)
    inside = None if chosen is None else counts(codes, len(key.names), chosen)
    # Beside another map a class of that one may have no point here.
    kept = [i for i, count in enumerate(key.counts) if count]
    if len(kept) > LISTED:
        kept = sorted(sorted(kept, key=lambda i: -key.counts[i])[:LISTED])
    hidden = {name for column, name in choice.hidden if column == choice.colour}
    return [
        {
            "name": key.names[i],
            "short": short,
            "count": key.counts[i],
            "selected": None if inside is None else int(inside[i]),
            "colour": colour_of(key, i),
            "hidden": key.names[i] in hidden,
        }
        for i, short in zip(kept, short_names([key.names[i] for i in kept]), strict=True)
    ]


def short_names(names: Sequence[str]) -> list[str]:
    """Names that do not look alike where the page has room for their first letters only, and cuts the rest."""
    return apart(names, 14, [NAME_ROOM] * len(names))


def colour_of(key: Key, i: int) -> str:
    """A class's colour in hexadecimal."""
    return hexadecimal(key.colours[i])


def hexadecimal(colour: np.ndarray) -> str:
    """A colour (three numbers in 0..255) as #rrggbb."""
    return "#" + "".join(f"{round(float(value)):02x}" for value in colour)


def image_uri(image: Image.Image) -> str:
    """An image as an address that holds all of it."""
    return png_uri(encode(image))


def png_uri(png: bytes) -> str:
    """A PNG as an address that holds all of it."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _ticks(key: Key) -> tuple[str, ...]:
    low, high = key.limits
    if key.kind == "density":
        return "few points", "many"
    return tuple(written(key.time, key.value_at(place), high - low, 3) for place in (0, 0.5, 1))


def _ramp(key: Key) -> list[str]:
    if key.kind == "classes":
        return []
    ramp = DENSITY if key.kind == "density" else QUANTITY
    return [hexadecimal(ramp[i]) for i in np.linspace(0, len(ramp) - 1, 9).astype(int)]
