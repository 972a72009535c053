"""The page of one session: its parts, and how they follow what a person does."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

import panel as pn

from ..errors import InputError
from ..recipe import make
from ..render import View, fit
from . import jobs, making, side, views
from .files import OpenFile
from .frame import Frame, draw_frame
from .map_pane import MapPane, window_of
from .opened import Opened, rows_of
from .piece import HERE, Piece
from .session import Session
from .state import TABS, Choice, from_query, to_query

CSS = (HERE / "page.css").read_text(encoding="utf-8")
GRID = (HERE / "grid.css").read_text(encoding="utf-8")
KEYS = {
    "m": ("tool", "pan"),
    "b": ("tool", "box"),
    "l": ("tool", "lasso"),
    "+": ("how", "add"),
    "-": ("how", "subtract"),
    "z": ("undo", ""),
    "Escape": ("clear", ""),
    "f": ("zoom", ""),
    "r": ("home", ""),
    "h": ("release", ""),
}
PAUSE = 300
"""Milliseconds after which the address follows the view."""

DWELL = 120
"""Milliseconds that the pointer rests before the card follows; the ring follows at once."""

AFTER = 60
"""Milliseconds after which the side follows: the map comes first, for its counts may take longer."""

REACH = 14
"""Pixels around the pointer in which a point is found."""

POLL = 700
"""Milliseconds between two looks at the jobs."""

FIRST = 5_000
"""Points of the map that is made when there is none."""

RING = "#c2185b"


def page(store: Path, open_file: OpenFile | None = None) -> pn.viewable.Viewable:
    """The page of a new session.

    Parameters
    ----------
    store
        Folder of the stored runs.
    open_file
        A person's own file of points, or None.
    """
    pn.config.raw_css = [CSS]
    return Page(Path(store), open_file).root


class Page:
    """One session's page."""

    def __init__(self, store: Path, open_file: OpenFile | None = None) -> None:
        self.session = Session(store, open_file, Choice(**from_query(_query())))  # type: ignore[no-untyped-call]
        self.choice = self.session.choice
        self.watch = making.Watch()
        self.filmed: tuple[Any, Opened] | None = None
        self.frame: Frame | None = None
        self._document = pn.state.curdoc
        self._waiting: set[str] = set()
        self._first = True
        self._form: dict[str, str] = {}
        self._lay_out()
        if self.session.opened is None and not rows_of(store):
            self._begin()
        self.refresh()
        if self._document is not None:
            self._document.add_periodic_callback(self._poll, POLL)

    def _lay_out(self) -> None:
        self.header = Piece(self.act, keys=list(KEYS), css_classes=["head"])
        self.look, self.tools, self.strip, self.tabs = (Piece(self.act) for _ in range(4))
        self.panes = {name: Piece(self.act) for name in TABS if name != "look"}
        self.jobs = Piece(self.act)
        self.downloads = pn.Row(
            *(self._download(kind) for kind in ("csv", "parquet")), css_classes=["side"], stylesheets=[GRID]
        )
        self.maps = [
            MapPane(
                partial(self.draw, i),
                partial(self._shape, i),
                partial(self._pointed, i),
                partial(self._moved, i),
                partial(self.home, i),
            )
            for i in (0, 1)
        ]
        self.maps[1].pane.css_classes = ["map", "second"]
        both = pn.Row(*(pane.pane for pane in self.maps), css_classes=["maps"], stylesheets=[GRID])
        middle = pn.Column(self.tools, both, self.strip, css_classes=["middle"], stylesheets=[GRID])
        side_by_side = [self.tabs, self.panes["point"], self.downloads]
        side_by_side += [pane for name, pane in self.panes.items() if name != "point"] + [self.jobs]
        right = pn.Column(*side_by_side, css_classes=["right"], stylesheets=[GRID])
        self.root = pn.Column(self.header, self.look, middle, right, css_classes=["page"], stylesheets=[GRID])

    def _download(self, kind: str) -> pn.widgets.FileDownload:
        return pn.widgets.FileDownload(  # type: ignore[no-untyped-call]
            callback=lambda: self._export(kind),
            filename=f"selection.{kind}",
            label=f"Export {'CSV' if kind == 'csv' else 'Parquet'}",
            button_type="default",
            stylesheets=[(HERE / "download.css").read_text(encoding="utf-8")],
        )

    def _export(self, kind: str) -> io.BytesIO:
        """The selected rows as a file; all that are shown if none are selected."""
        buffer = io.BytesIO()
        opened, lit = self.session.opened, self.session.lit
        if opened is not None:
            rows = opened.points if lit is None else opened.points[lit]
            if kind == "csv":
                rows.to_csv(buffer, index=False)
            else:
                rows.to_parquet(buffer, index=False)
        buffer.seek(0)
        return buffer

    # The maps

    def shown(self, i: int) -> Opened | None:
        """What map i shows: a frame of a job that is watched, the run, or the run that it is compared with."""
        if i == 0 and self.filmed is not None:
            return self.filmed[1]
        return self.session.opened if i == 0 else self.session.other

    def draw(self, i: int, view: View) -> Frame | None:
        """The picture of a window of map i."""
        opened = self.shown(i)
        if opened is None:
            return None
        if opened is not self.session.opened and opened is not self.session.other:
            layer, images = opened.layer(opened.colours()[0]), None
        else:
            layer = self.session.layer(opened)
            images = opened.images() if len(layer.frame) and self._few(opened, view) else None
        return draw_frame(layer, view, self.choice.mode, names=self.choice.names, images=images)

    def _few(self, opened: Opened, view: View) -> bool:
        """Whether the window is so small that images may be wanted: they are loaded only then."""
        home = fit(opened.corners(), view.width, view.height)
        return (view.x_range[1] - view.x_range[0]) < 0.25 * (home.x_range[1] - home.x_range[0]) or opened.n < 500

    def home(self, i: int, width: int, height: int) -> View | None:
        """The window that shows the whole of map i."""
        opened = self.shown(i)
        return None if opened is None else fit(opened.corners(), width, height)

    def _moved(self, i: int, view: View, frame: Frame) -> None:
        if i == 1 or self.filmed is not None:
            return
        self.frame = frame
        if self._first and self.choice.window is not None:
            self._first = False
            self.session.attempt(lambda: self.maps[0].look_at(window_of(self.choice.window, view.width, view.height)))
            return
        self._first = False
        self._show_strip()
        self.choice.window = None if self.maps[0].shows_all() else (*view.x_range, *view.y_range)
        self._later("address", PAUSE, self._write_address)

    def _shape(self, i: int, kind: str, numbers: tuple[float, ...]) -> None:
        self.session.attempt(lambda: self.session.select(kind if i == 0 else f"{kind}2", numbers))
        self.refresh()

    def _pointed(self, i: int, x: float, y: float, unit: float, pressed: bool) -> None:
        opened = self.shown(i)
        if opened is None or self.filmed is not None:
            return
        if self.session.point_at(opened, x, y, REACH * unit, pressed):
            if pressed and self.choice.point >= 0:
                self.choice.tab = "point"
                self.refresh()
            self._show_rings()
            self._later("card", DWELL, self._show_point)

    def _show_rings(self) -> None:
        place, opened, other = self.session.pointed, self.session.opened, self.session.other
        rings: list[list[tuple[float, float, str, int]]] = [[], []]
        if opened is not None and 0 <= place < opened.n:
            rings[0] = [(*opened.place()[place].tolist(), RING, 20)]
            if other is not None and (there := int(opened.places_in(other)[place])) >= 0:
                rings[1] = [(*other.place()[there].tolist(), RING, 20)]
        for pane, places in zip(self.maps, rings, strict=True):
            pane.ring(places)

    # What a person does

    def act(self, do: str, value: Any) -> None:
        """An action from the page, done at the next moment that the document is free.

        Panel hands on messages without the document's lock, and Bokeh's models need it.
        """
        if self._document is None:
            self._act(do, value)
        else:
            self._document.add_next_tick_callback(lambda: self._act(do, value))

    def _act(self, do: str, value: Any) -> None:
        if do == "key":
            if value not in KEYS:
                return
            do, value = KEYS[value]
        session = self.session
        session.error = ""
        before = (session.opened, session.other)
        own = getattr(self, f"_do_{do}", None) if do.isidentifier() else None
        if own is not None:
            session.attempt(lambda: own(value))
        else:
            session.act(do, value)
        if before != (session.opened, session.other):
            self.filmed, self.watch = None, making.Watch()
            for pane in self.maps:
                pane.show_all()
        self.refresh()

    def _do_tool(self, value: Any) -> None:
        if value in self.maps[0].tools:
            self.choice.tool = value
            for pane in self.maps:
                pane.choose_tool(value)

    def _do_home(self, value: Any) -> None:
        for pane in self.maps:
            pane.show_all()

    def _do_zoom(self, value: Any) -> None:
        for pane, opened in zip(self.maps, (self.session.opened, self.session.other), strict=True):
            lit = None if opened is None else self.session.lit_on(opened)
            if opened is not None and lit is not None and lit.any() and min(pane.size) > 0:
                pane.look_at(fit(opened.layer("density").frame[lit], *pane.size))

    def _do_start(self, value: Any) -> None:
        if isinstance(value, dict):
            self._form = {name: str(value[name])[:200] for name in making.FORM if name in value}
            self._start(making.recipe_of(value))

    def _begin(self) -> None:
        """With nothing to show: a map of the embedded digits, in seconds."""
        self.choice.tab = "run"
        self.session.attempt(lambda: self._start(make({"data": {"name": "digits", "sample": FIRST}})))

    def _start(self, recipe: Any) -> None:
        running = [job for job in jobs.jobs(self.session.store) if job.status().state == "running"]
        same = next((job for job in running if job.recipe == recipe), None)
        job = same or jobs.start(recipe, self.session.store)
        self.watch = making.Watch(job.id)

    def _do_stop(self, value: Any) -> None:
        making.find(self.session.store, value).stop()

    def _do_cancel(self, value: Any) -> None:
        making.find(self.session.store, value).cancel()

    def _do_forget(self, value: Any) -> None:
        making.find(self.session.store, value).forget()

    def _do_watch(self, value: Any) -> None:
        self.watch = making.Watch(making.find(self.session.store, value).id)

    def _do_unwatch(self, value: Any) -> None:
        self.watch, self.filmed = making.Watch(), None
        self.maps[0].show_all()

    def _do_frame(self, value: Any) -> None:
        if str(value).isdecimal():
            self.watch.frame = int(value)

    # Jobs

    def _poll(self) -> None:
        """Follow the jobs: a new frame, a finished run."""
        if self.choice.tab == "run" or self.watch.job:
            self._show_jobs()

    def _show_jobs(self) -> None:
        html, _ = making.listing(self.session.store, self.watch)
        self.jobs.put(html)
        if not self.watch.job:
            return
        try:
            job = making.find(self.session.store, self.watch.job)
            status = job.status()
            found = making.frame_of(job, self.watch) if status.frames else None
        except InputError:
            self.watch, self.filmed = making.Watch(), None
            return
        if status.state != "running" and status.run and self.watch.frame is None and self._watched_live(status.run):
            return
        if found is not None and (self.filmed is None or self.filmed[0] != found[0]):
            self.filmed = found
            self.maps[0].show_all()
            self._show_strip()

    def _watched_live(self, run: str) -> bool:
        """A run that was watched is done: show it, unless it is what is shown already."""
        if self.choice.run == run:
            return False
        self._act("run", run)
        return True

    # What is shown

    def refresh(self) -> None:
        """Show everything as it is now; a part that stays the same is not sent again."""
        choice, session = self.choice, self.session
        title = views.title_of(session.opened) if session.opened else "no map yet"
        if session.opened is not None and session.other is not None:
            title = f"A, left: {title}. B, right: {views.title_of(session.other)}"
        self.header.theme = choice.theme
        self.header.put(views.header(title))
        file = "" if session.file is None else session.file.path.name
        self.look.put(views.look(choice, session.opened, rows_of(session.store), file, session.chosen))
        self.tools.put(views.tools(choice))
        self.tabs.put(views.tabs(choice.tab))
        self.maps[1].pane.visible = session.other is not None
        self._show_strip()
        self._show_which()
        self._later("side", AFTER, self._fill)
        self._show_rings()
        for pane in self.maps:
            pane.refresh()
        self._later("address", PAUSE, self._write_address)

    def _show_strip(self) -> None:
        if self.session.error:
            self.strip.put(views.message(self.session.error, failed=True))
        elif self.filmed is not None:
            self.strip.put(views.message(f"This is {self.filmed[1].name} of a run under Run, not a stored map."))
        elif self.session.opened is None:
            waits = "is being made: it appears here as it forms." if self.watch.job else "can be made under Run."
            self.strip.put(views.message(f"There is no map yet; one {waits}"))
        else:
            self.strip.put(views.strip(self.frame, self.session.opened.n if self.session.opened else 0))

    def _show_point(self) -> None:
        opened = self.session.opened
        if opened is not None:
            self.panes["point"].put(side.point(opened, self.session.pointed, self.choice.point >= 0))

    def _show_which(self) -> None:
        """Let the chosen pane be seen."""
        tab, session = self.choice.tab, self.session
        self.look.css_classes = ["look", "on"] if tab == "look" else ["look"]
        for name, pane in self.panes.items():
            pane.css_classes = ["side", "on"] if name == tab else ["side", "wide"] if name == "point" else ["side"]
        if tab not in ("look", "point"):
            self.panes["point"].css_classes = ["side"]
        self.downloads.css_classes = ["files", "on"] if tab == "selection" and session.chosen is not None else ["files"]
        self.jobs.css_classes = ["below", "on"] if tab == "run" else ["below"]

    def _fill(self) -> None:
        """Fill the pane that is in view; the others wait until they are."""
        tab, session, opened = self.choice.tab, self.session, self.session.opened
        if tab == "run":
            self.panes["run"].put(making.form(self._form))
            self._show_jobs()
        elif opened is None:
            self.panes[tab if tab in self.panes else "point"].put(
                views.message("There is no map yet.", hint="Make one under Run.")
            )
        elif tab in ("look", "point"):
            self._show_point()
        elif tab == "selection":
            filtered = session.visible is not None
            self.panes[tab].put(side.selection(opened, session.chosen, self.choice.steps, filtered, session.seed))
        elif tab == "confusion":
            last = self.choice.steps[-1].pairs if self.choice.steps else ()
            self.panes[tab].put(side.mistakes(opened, last))
        elif tab == "compare":
            displaced = self.choice.colour == "displacement"
            rows = rows_of(session.store)
            self.panes[tab].put(side.compare(opened, session.other, session.comparison, rows, displaced))
        elif tab == "scores":
            self.panes[tab].put(side.scores(opened))

    def _later(self, name: str, pause: int, action: Any) -> None:
        """Do something after a pause, once however often it is asked for meanwhile."""
        if name in self._waiting or self._document is None:
            return
        self._waiting.add(name)

        def run() -> None:
            self._waiting.discard(name)
            action()

        self._document.add_timeout_callback(run, pause)

    def _write_address(self) -> None:
        search = to_query(self.choice)
        if pn.state.location is not None and pn.state.location.search != search:
            pn.state.location.search = search


def _query() -> dict[str, str]:
    """The query of the page's address: of each name the first value."""
    arguments = pn.state.session_args or {}
    return {name: values[0].decode("utf-8", "replace") for name, values in arguments.items() if values}
