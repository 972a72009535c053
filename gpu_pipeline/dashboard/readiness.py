"""What the first picture needs, made ready while the browser still loads the page.

Datashader compiles anew in each process and for each number of inks, a third of a second each time, near a second the
first time.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import get_args

import numpy as np

from ..errors import InputError
from ..render import Layer, Mode, fit, mark
from .files import OpenFile
from .frame import draw_frame
from .opened import Opened
from .selecting import Step
from .stored import open_points, open_stored, rows_of

PAUSE = 3.0
"""Seconds that are left to the first page before what comes after the first picture is made ready."""

_LASSO = Step("new", "lasso", (0.0, 0.0, 1.0, 0.0, 0.0, 1.0))

MOST_COLOURS = 4
"""Columns that are made ready; a file may have many, and each takes memory."""


def make_ready(store: Path, file: OpenFile | None) -> threading.Thread:
    """Open what a person will see first, and compile what draws it, in a thread of its own."""
    thread = threading.Thread(target=_work, args=(store, file), daemon=True)
    thread.start()
    return thread


def _work(store: Path, file: OpenFile | None) -> None:
    # What cannot be opened is said on the page.
    with contextlib.suppress(InputError):
        opened = _first(store, file)
        if opened is not None:
            layer = opened.arranged(opened.colours()[0])
            _draw(layer)
            threading.Event().wait(PAUSE)
            opened.nearest().at(0.0, 0.0, 0.0)
            opened.matching(_LASSO)
            for colour in opened.colours()[:MOST_COLOURS]:
                layer = opened.arranged(colour)
                _draw(layer)
                _draw(mark(layer, np.arange(opened.n) % 2 == 0))


def _first(store: Path, file: OpenFile | None) -> Opened | None:
    if file is not None:
        return open_points(file)
    rows = rows_of(store)
    return open_stored(store, rows[-1]["run"]) if rows else None


def _draw(layer: Layer) -> None:
    view = fit(layer.frame.iloc[:100], 64, 64)
    for mode in get_args(Mode) if layer.key.kind == "classes" else ("majority",):
        draw_frame(layer, view, mode)
