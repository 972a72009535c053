"""The map of a page and the one beside it: what they draw, and what is pointed at and drawn around on them."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..render import View, fit
from .frame import Frame, draw_frame
from .ground import facts_over, has_images, images_over
from .images import Images
from .map_pane import MapPane
from .opened import Opened
from .sending import together
from .tip import tip

if TYPE_CHECKING:
    from .app import Page

MOVES = {
    "left": (-1, 0, 1),
    "right": (1, 0, 1),
    "up": (0, 1, 1),
    "down": (0, -1, 1),
    "in": (0, 0, 0.5),
    "out": (0, 0, 2),
}
"""Steps along x and y in quarters of the window, and by how much it is widened."""

REACH = 14
"""Pixels around the pointer in which a point is found."""


class Maps:
    """Both maps of a page.

    Attributes
    ----------
    panes
        As they lie in the page.
    frame
        What the first shows now; None before it is drawn.
    """

    def __init__(self, page: Page) -> None:
        self.page, self.session, self.choice = page, page.session, page.choice
        self.frame: Frame | None = None
        self._first = True
        self._left = False
        self._drawn: list[Any] = [None, None]
        self.panes = [
            MapPane(
                partial(self.draw, i),
                together(page.document)(partial(self._shape, i)),
                together(page.document)(partial(self._pointed, i)),
                together(page.document)(partial(self._moved, i)),
                partial(self.home, i),
            )
            for i in (0, 1)
        ]

    def shown(self, i: int) -> Opened | None:
        """What map i shows: a frame of a job that is watched, the run, or the run that it is compared with."""
        screen = self.page.following.screen
        if i == 0 and screen is not None:
            return screen.opened
        return self.session.opened if i == 0 else self.session.other

    def draw(self, i: int, view: View, ratio: float) -> Frame | None:
        """The picture of a window of map i."""
        self._drawn[i] = self._look(i)
        opened, screen = self.shown(i), self.page.following.screen
        if opened is None:
            return None
        if screen is not None and opened is screen.opened:
            layer, images = opened.layer(opened.colours()[0]), None
        else:
            layer = self.session.layer(opened)
            wanted = self.choice.images and len(layer.frame) and self._few(opened, view)
            images = self._images(i, opened) if wanted else None
        frame = draw_frame(layer, view, self.choice.mode, names=self.choice.names, images=images, ratio=ratio)
        return replace(frame, facts=facts_over(opened, layer.key.column, view, frame.facts))

    def _images(self, i: int, opened: Opened) -> Images | None:
        """The images of map i; where they are not loaded yet, they are aside, and the map is drawn anew then."""
        if has_images(opened):
            return images_over(opened)
        name = ("images", i)
        if not self.page.background.waits(name):
            again = self.panes[i].refresh
            self.page.background.ask(name, partial(images_over, opened), lambda _: again(), lambda _: None)
        return None

    def _few(self, opened: Opened, view: View) -> bool:
        """Whether the window is so small that images may be wanted: they are loaded only then."""
        home = fit(opened.corners(), view.width, view.height)
        return (view.x_range[1] - view.x_range[0]) < 0.25 * (home.x_range[1] - home.x_range[0]) or opened.n < 500

    def home(self, i: int, width: int, height: int) -> View | None:
        """The window that shows the whole of map i."""
        opened = self.shown(i)
        return None if opened is None else fit(opened.corners(), width, height)

    def _look(self, i: int) -> tuple[Any, ...]:
        """What the picture of map i follows from, apart from its window."""
        opened, choice = self.shown(i), self.choice
        look = () if opened is None else self.session.look(opened)
        return (*look, choice.mode, choice.names, choice.images, self.page.following.screen)

    def refresh(self) -> None:
        """Draw those anew that no longer look as they should."""
        self.show_rings()
        for i, pane in enumerate(self.panes):
            if self._look(i) != self._drawn[i]:
                pane.refresh()

    def show_all(self) -> None:
        """Go back to where all points are in view."""
        for pane in self.panes:
            pane.show_all()

    def choose_tool(self, value: Any) -> None:
        """Let dragging do something else."""
        tool = str(value)
        if tool in self.panes[0].tools:
            self.choice.tool = tool
            for pane in self.panes:
                pane.choose_tool(tool)

    def zoom(self) -> None:
        """Zoom to what is selected."""
        for pane, opened in zip(self.panes, (self.session.opened, self.session.other), strict=True):
            lit = None if opened is None else self.session.lit_on(opened)
            if opened is not None and lit is not None and lit.any() and min(pane.size) > 0:
                pane.look_at(fit(opened.layer("density").frame[lit], *pane.size))

    def move(self, value: Any) -> None:
        """Move or zoom by the keyboard."""
        way = str(value)
        if way in MOVES:
            for pane in self.panes if self.session.other is not None else self.panes[:1]:
                if min(pane.size) > 0:
                    pane.look_at(moved(pane.window(), way, *pane.size))

    def show_rings(self) -> None:
        """Ring the point that is pointed at, on both maps, and say there what it is."""
        place, opened, other = self.session.pointed, self.session.opened, self.session.other
        places = [-1, -1]
        if opened is not None and 0 <= place < opened.n and self.page.following.screen is None:
            places = [place, -1 if other is None else int(opened.there[place])]
        for pane, shown, there in zip(self.panes, (opened, other), places, strict=True):
            if shown is None or there < 0:
                pane.ring(None, None)
                continue
            colour, lit = self.session.colour_of(shown), self.session.lit_on(shown)
            x, y = (float(values[there]) for values in shown.axes())
            # The card beside the map stays; what is said on the map itself would only cover it.
            silent = self._left and self.choice.point < 0
            pane.ring((x, y), None if silent else tip(shown, there, colour, REACH * pane.unit(), lit))

    def _moved(self, i: int, view: View, frame: Frame) -> None:
        self.show_rings()
        if i == 1:
            return
        self.frame = frame
        if self.page.following.screen is None:
            if self._first and self.choice.window is not None:
                self._first = False
                with suppress(InputError):  # An address may name what is no window: all is shown then.
                    self.panes[0].look_at(window_of(self.choice.window, view.width, view.height))
                    return
            self._first = False
            self.choice.window = None if self.panes[0].shows_all() else (*view.x_range, *view.y_range)
            self.page.write_address_soon()
        self.page.show_strip()

    def _shape(self, i: int, kind: str, numbers: tuple[float, ...]) -> None:
        def select() -> None:
            if self.page.following.screen is not None:
                raise InputError("a frame cannot be selected from: go back to the stored map first.")
            self.session.select(kind if i == 0 else f"{kind}2", numbers)
            self.page.background.forget("cell")  # It was asked for earlier.

        self.session.attempt(select)
        self.page.refresh()

    def _pointed(self, i: int, x: float, y: float, unit: float, pressed: bool) -> None:
        opened = self.shown(i)
        if opened is None or self.page.following.screen is not None:
            return
        left, self._left = self._left, math.isnan(x)
        if left != self._left:
            self.show_rings()
        if self._left:
            return
        if self.session.point_at(opened, x, y, REACH * unit, pressed):
            if pressed and self.choice.point >= 0:
                self.choice.tab = "point"
                self.page.refresh()
            self.show_rings()
            self.page.show_point_soon()


def window_of(window: tuple[float, float, float, float], width: int, height: int) -> View:
    """A window from an address, widened to the shape of the plot.

    Raises
    ------
    InputError
        If it is not one.
    """
    import pandas as pd

    x0, x1, y0, y1 = window
    return fit(pd.DataFrame({"x": [x0, x1], "y": [y0, y1]}), width, height, (x0, x1), (y0, y1))


def moved(window: tuple[float, float, float, float], way: str, width: int, height: int) -> View:
    """A window after one of `MOVES`."""
    x0, x1, y0, y1 = window
    right, up, wider = MOVES[way]
    x, y = (x0 + x1) / 2 + right * (x1 - x0) / 4, (y0 + y1) / 2 + up * (y1 - y0) / 4
    half_x, half_y = wider * (x1 - x0) / 2, wider * (y1 - y0) / 2
    return View((x - half_x, x + half_x), (y - half_y, y + half_y), width, height)
