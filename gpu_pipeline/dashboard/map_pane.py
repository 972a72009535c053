"""The map in the page: a Bokeh plot whose picture the server draws anew as a person moves it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import panel as pn
from bokeh.events import DoubleTap, SelectionGeometry, Tap
from bokeh.models import (
    BoxSelectTool,
    ColumnDataSource,
    CustomJS,
    ImageRGBA,
    ImageURL,
    LassoSelectTool,
    PanTool,
    Plot,
    Range1d,
    Scatter,
    Text,
    Toolbar,
    WheelZoomTool,
)

from ..render import View
from .frame import Frame
from .outline import simplified
from .piece import HERE
from .tip import SAID, Tip, beside

SHARPEST = 2.0
"""Pixels of the picture to a pixel of the page at most: a screen of three would take nine times the work of one."""

RING = "#c2185b"

HAND = 0.4
"""Pixels by which a lasso may be off, so that it needs no more corners than its shape does."""

SCRIPTS = ("ask", "decode", "go", "point", "leave")
ASK, DECODE, GO, POINT, LEAVE = ((HERE / f"map_{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)


class MapPane:
    """One map.

    Parameters
    ----------
    draw
        Gives the picture of a window, or None where there is nothing to draw, from the window in pixels of the
        picture and how many of them make one of the page.
    selected
        Told the shape that was drawn: "box" or "lasso", and its numbers in the map's units.
    pointed
        Told where the pointer rests (x, y, units for each pixel), and whether it was pressed; NaN once it has left.
    moved
        Told the window after each picture, with the picture.
    home
        Gives the window to begin with, and to go back to, for a width and height in pixels; None
        where there is nothing to show.
    """

    def __init__(
        self,
        draw: Callable[[View, float], Frame | None],
        selected: Callable[[str, tuple[float, ...]], object],
        pointed: Callable[[float, float, float, bool], object],
        moved: Callable[[View, Frame], object],
        home: Callable[[int, int], View | None],
    ) -> None:
        self._draw, self._selected, self._pointed, self._moved, self.home = draw, selected, pointed, moved, home
        self._waiting = False
        self._window = (0.0, 1.0, 0.0, 1.0)
        self._drawn: tuple[float, ...] = ()
        self._ratio = 1.0
        self._over = False
        self._turn = self._went = 0
        self.size = (0, 0)
        self._told: dict[str, int | None] = {"width": 0, "height": 0}
        self._sources()
        self.plot = self._plot()
        self.pane = pn.pane.Bokeh(self.plot, sizing_mode="stretch_both", css_classes=["map"], min_height=200)  # type: ignore[no-untyped-call]

    def _sources(self) -> None:
        blank = np.zeros((1, 1), np.uint32)
        self.image = ColumnDataSource({"image": [blank], "x": [0], "y": [0], "dw": [1], "dh": [1]}, syncable=False)
        self.wire = ColumnDataSource({name: [] for name in ("png", "x", "y", "dw", "dh", "names", "turn")})
        self.asked = ColumnDataSource({name: [] for name in ("x0", "x1", "y0", "y1", "ratio", "turn", "went")})
        self.go = ColumnDataSource({name: [] for name in ("x0", "x1", "y0", "y1", "was", "turn")})
        self.names = ColumnDataSource({"x": [], "y": [], "text": []}, syncable=False)
        self.rings = ColumnDataSource({"x": [], "y": [], "size": []})
        self.tips = ColumnDataSource({name: [] for name in SAID})
        self.at = ColumnDataSource({"x": [], "y": []})
        self.asked.on_change("data", lambda attr, old, new: self._answer())
        self.at.on_change("data", lambda attr, old, new: self._hovered())

    def _plot(self) -> Any:
        self.tools = {
            "pan": PanTool(),
            "box": BoxSelectTool(continuous=False, renderers=[]),
            "lasso": LassoSelectTool(continuous=False, renderers=[]),
        }
        wheel = WheelZoomTool()
        # A plain plot, and not `bokeh.plotting.figure`, which has axes and three variants of each glyph: all that is
        # in a page is walked through several times before it is sent.
        plot: Any = Plot(
            x_range=Range1d(start=0, end=1, syncable=False),
            y_range=Range1d(start=0, end=1, syncable=False),
            title=None,
            toolbar=Toolbar(tools=[*self.tools.values(), wheel], active_scroll=wheel, active_drag=self.tools["pan"]),
            toolbar_location=None,
            sizing_mode="stretch_both",
            min_border=0,
            outline_line_color=None,
            background_fill_color="#ffffff",
            border_fill_color="#ffffff",
        )
        for source, glyph in self._glyphs():
            plot.add_glyph(source, glyph)
        axes = {"x": plot.x_range, "y": plot.y_range}
        ask = CustomJS(args={**axes, "asked": self.asked, "go": self.go, "sharpest": SHARPEST}, code=ASK)
        for axis in (plot.x_range, plot.y_range):
            axis.js_on_change("start", ask)
            axis.js_on_change("end", ask)
        told = {"wire": self.wire, "image": self.image, "names": self.names, "asked": self.asked, "ask": ask}
        self.wire.js_on_change("data", CustomJS(args=told, code=DECODE))
        self.go.js_on_change("data", CustomJS(args={**axes, "go": self.go, "ask": ask}, code=GO))
        plot.on_event(SelectionGeometry, self._shape)
        plot.on_event(Tap, lambda event: self._pointed(event.x, event.y, self.unit(), True))
        plot.on_event(DoubleTap, lambda event: self.show_all())
        # `wire` and `go` are named here because a model is only sent to the browser if another one refers to it.
        plot.js_on_event("mouseleave", CustomJS(args={"at": self.at}, code=LEAVE))
        plot.js_on_event("mousemove", CustomJS(args={"at": self.at, "wire": self.wire, "go": self.go}, code=POINT))
        plot.on_change("inner_width", lambda attr, old, new: self._resized(width=new))
        plot.on_change("inner_height", lambda attr, old, new: self._resized(height=new))
        return plot

    def _glyphs(self) -> list[tuple[ColumnDataSource, Any]]:
        """What is drawn, from the lowest up, and where it comes from."""
        # Bokeh's own types know neither a field's unit nor all names of an anchor.
        middle: dict[str, Any] = {"text_align": "center", "text_baseline": "middle", "text_color": "#17191f"}
        shown: dict[str, Any] = {side: {"field": side, "units": "screen"} for side in ("w", "h")} | {"anchor": "center"}
        name, said = (Text(background_fill_color="#ffffff", x="x", text="text", **middle) for _ in range(2))
        name.update(y="y", text_font_size="15px", text_font_style="bold", background_fill_alpha=0.78)
        name.update(padding=3, border_radius=4)
        said.update(y="text_y", text_font_size="13px", background_fill_alpha=0.94, border_line_color="#767676")
        said.update(padding=4, border_radius=3)
        rim, ring = (Scatter(x="x", y="y", size="size", fill_color=None) for _ in range(2))
        rim.update(line_color="#ffffff", line_width=5)
        ring.update(line_color=RING, line_width=2.5)
        return [
            (self.image, ImageRGBA(image="image", x="x", y="y", dw="dw", dh="dh")),
            (self.names, name),
            (self.rings, rim),
            (self.rings, ring),
            (self.tips, said),
            (self.tips, ImageURL(url="url", x="x", y="image_y", **shown)),
        ]

    def choose_tool(self, name: str) -> None:
        """Make dragging move the map, or draw a box or a lasso."""
        self.plot.toolbar.active_drag = self.tools[name]

    def unit(self) -> float:
        """Length of a pixel in the map's units."""
        return (self._window[1] - self._window[0]) / max(self.size[0], 1)

    def refresh(self) -> None:
        """Draw anew what is in view, once at the next moment that the document is free."""
        self._drawn = ()
        if not self._waiting and min(self.size) > 0:
            self._waiting = True
            document = pn.state.curdoc or self.plot.document
            document.add_next_tick_callback(self._refresh)

    def _refresh(self) -> None:
        self._waiting = False
        self._redraw(self.window())

    def window(self) -> tuple[float, float, float, float]:
        """The window now: x0, x1, y0, y1."""
        return self._window

    def look_at(self, view: View, was: tuple[float, float, float, float] | None = None) -> None:
        """Go to a window; a page that has left the one that it `was` at keeps its middle, and takes the scale alone."""
        self._window = (*view.x_range, *view.y_range)
        self._turn += 1
        self._went = self._turn
        x0, x1, y0, y1 = ([float(end)] for end in self._window)
        self.go.data = {"x0": x0, "x1": x1, "y0": y0, "y1": y1, "was": [was and list(was)], "turn": [self._turn]}
        self.refresh()

    def show_all(self) -> None:
        """Go back to where all points are in view."""
        view = self.home(*self.size) if min(self.size) > 0 else None
        if view is not None:
            self.look_at(view)

    def shows_all(self) -> bool:
        """Whether the window is the one that it began with."""
        view = self.home(*self.size)
        wanted = [] if view is None else [*view.x_range, *view.y_range]
        return bool(wanted) and np.allclose(self.window(), wanted, atol=1e-3 * (wanted[1] - wanted[0]))

    def ring(self, place: tuple[float, float] | None, said: Tip | None) -> None:
        """Ring a point and say something at it, if it is in view; None takes both away."""
        rings: dict[str, list[Any]] = {"x": [], "y": [], "size": []}
        tips: dict[str, list[Any]] = {name: [] for name in SAID}
        if place is not None:
            rings = {"x": [place[0]], "y": [place[1]], "size": [20]}
            if said is not None and (said.text or said.png) and min(self.size) > 0 and self._sees(place):
                tips = beside(place, said, self.window(), self.unit())
        for source, data in ((self.rings, rings), (self.tips, tips)):
            if data != dict(source.data):
                source.data = data  # type: ignore[assignment]

    def _sees(self, place: tuple[float, float]) -> bool:
        x0, x1, y0, y1 = self.window()
        return x0 <= place[0] <= x1 and y0 <= place[1] <= y1

    def _answer(self) -> None:
        """Draw the window that the page asks for, or tell it that it has it."""
        told = {name: values[0] for name, values in self.asked.data.items() if len(values)}
        try:
            x0, x1, y0, y1 = (float(told[name]) for name in ("x0", "x1", "y0", "y1"))
            ratio = min(max(float(told["ratio"]), 1.0), SHARPEST)
        except (KeyError, TypeError, ValueError):
            return
        window = (x0, x1, y0, y1)
        # A page that asked before it was told to go elsewhere is on its way there, and asks again.
        stale = told.get("went") != self._went
        if min(self.size) > 0 and not stale and (*window, ratio) != self._drawn:
            self._ratio = ratio
            self._redraw(window)
        else:
            self._send(None, window)

    def _redraw(self, window: tuple[float, float, float, float]) -> None:
        x0, x1, y0, y1 = window
        if not (np.isfinite(window).all() and x0 < x1 and y0 < y1):
            return self.show_all()
        self._window = window
        width, height = (round(side * self._ratio) for side in self.size)
        view = View((x0, x1), (y0, y1), width, height)
        frame = self._draw(view, self._ratio)
        self._send(frame, window)
        if frame is None:
            return None
        self._drawn = (*window, self._ratio)
        self._moved(view, frame)
        return None

    def _send(self, frame: Frame | None, window: tuple[float, ...]) -> None:
        """Send a picture; without one the page only learns that its question was heard."""
        x0, x1, y0, y1 = window
        self._turn += 1
        png, names = (None, ()) if frame is None else (np.frombuffer(frame.png, np.uint8), frame.names)
        place = {"x": [x0], "y": [y0], "dw": [x1 - x0], "dh": [y1 - y0]}
        self.wire.data = {"png": [png], **place, "names": [list(map(list, names))], "turn": [self._turn]}

    def _resized(self, **told: int | None) -> None:
        """Keep the middle and the scale, so that one unit stays as long on both axes."""
        self._told |= told
        size = (self._told["width"] or 0, self._told["height"] or 0)
        if min(size) <= 0 or size == self.size:
            return
        if min(self.size) <= 0:
            self.size = size
            return self.show_all()
        old, unit, whole = self.window(), self.unit(), self.shows_all()
        self.size = size
        home = self.home(*size) if whole else None
        if home is not None:
            return self.look_at(home, old)
        half_x, half_y = unit * size[0] / 2, unit * size[1] / 2
        x, y = (old[0] + old[1]) / 2, (old[2] + old[3]) / 2
        return self.look_at(View((x - half_x, x + half_x), (y - half_y, y + half_y), *size), old)

    def _shape(self, event: SelectionGeometry) -> None:
        shape: Any = event.geometry
        if not event.final:
            return
        if shape["type"] == "rect":
            self._selected("box", (shape["x0"], shape["x1"], shape["y0"], shape["y1"]))
        elif shape["type"] == "poly" and len(shape["x"]) >= 3:
            corners = simplified(np.column_stack([shape["x"], shape["y"]]), HAND * self.unit())
            if len(corners) >= 3:  # else it is a line and surrounds nothing
                self._selected("lasso", tuple(corners.ravel().tolist()))

    def _hovered(self) -> None:
        over, self._over = self._over, len(self.at.data["x"]) > 0
        if self._over:
            self._pointed(self.at.data["x"][0], self.at.data["y"][0], self.unit(), False)
        elif over:
            self._pointed(math.nan, math.nan, self.unit(), False)
