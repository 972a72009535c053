"""The page of one session: how its parts follow what a person does.

`layout` has the parts, `maps` the map and the one beside it, `following` the jobs, `panes` what fills the sides.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import panel as pn
from bokeh.events import ConnectionLost
from bokeh.models import CustomJS

from ..errors import InputError
from ..tables import KINDS, write_table
from . import panes, views
from .address import from_query, in_vain
from .background import BROKE, SHOWING, WRITING, Background
from .exports import Exports
from .files import OpenFile
from .following import Following
from .keys import KEYS
from .layout import Layout
from .maps import Maps
from .opening import query_of
from .piece import HERE, Piece
from .sending import together
from .session import Session
from .state import Choice
from .stored import rows_of
from .upload import Upload
from .uploads import LARGEST_UPLOAD

CSS, LOST = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "lost.js"))
PAUSE = 300
"""Milliseconds after which the address follows the view."""

DWELL = 80
"""Milliseconds that the pointer rests before the card follows; the ring follows at once."""

AFTER = 60
"""Milliseconds after which the side follows: the map comes first, for its counts may take longer."""

BUSY = 400
"""Milliseconds after which is said that something is being worked out."""

POLL = 700
"""Milliseconds between two looks at the jobs."""

PREPARED = {"run": "open", "placed": "open", "other": "open", "colour": "colour", "scale": "scale", "cell": "cell"}
"""Actions that need what takes long -> the name of that work: of several of one name only the newest is done."""


def page(
    store: Path,
    open_file: OpenFile | None = None,
    *,
    pool: ThreadPoolExecutor,
    exports: Exports,
    max_upload: int = LARGEST_UPLOAD,
) -> pn.viewable.Viewable:
    """The page of a new session.

    Parameters
    ----------
    store
        Folder of the stored runs.
    open_file
        A person's own file of points, or None.
    pool
        Threads that all pages share.
    exports
        Where files wait to be fetched.
    max_upload
        MiB of an uploaded file at most; 0 allows none.
    """
    pn.config.raw_css = [CSS]
    if pn.state.curdoc is not None:
        # The page has its own way back, by its address: Bokeh's needs the session, which may be gone.
        pn.state.curdoc.config.update(reconnect_session=False, notify_connection_status=False)
        pn.state.curdoc.js_on_event(ConnectionLost, CustomJS(code=LOST))
    return Page(Path(store), open_file, pool, exports, max_upload).layout.root


class Page:
    """One session's page."""

    def __init__(
        self, store: Path, open_file: OpenFile | None, pool: ThreadPoolExecutor, exports: Exports, max_upload: int
    ) -> None:
        query = query_of(pn.state.session_args or {})
        self.session = Session(store, open_file, Choice(**from_query(query)))  # type: ignore[no-untyped-call]
        self.choice = self.session.choice
        self.session.error = self.session.error or in_vain(query, self.choice)
        self.document = pn.state.curdoc
        self.background = Background(self.document, pool)
        if self.document is not None:
            self.background.hold()
            pn.state.onload(self.background.release)
        self._exports = exports
        self._waiting: set[str] = set()
        self.following = Following(self)
        self.maps = Maps(self)
        upload = None
        if max_upload:
            upload = Upload(store, max_upload, self.background, self._when_free, self.following.uploaded)
        self.layout = Layout(self.act, list(KEYS), self.maps.panes, upload)
        self._own: dict[str, Callable[[Any], object]] = {
            "tool": self.maps.choose_tool,
            "home": lambda value: self.maps.show_all(),
            "zoom": lambda value: self.maps.zoom(),
            "move": self.maps.move,
            "export": self._export,
            **self.following.actions,
        }
        if self.session.opened is None and not rows_of(store):
            self.following.begin()
        self.refresh()
        if self.document is not None:
            self.document.add_periodic_callback(together(self.document)(self.following.poll), POLL)

    # What a person does

    def act(self, do: str, value: Any, done: Callable[[], None]) -> None:
        """An action from the page, done when the document is free."""

        def action() -> None:
            broke = True
            try:
                self.do(*(KEYS.get(str(value), ("", "")) if do == "key" else (do, value)))
                broke = False
            finally:
                done()
                if broke:
                    self._fail(BROKE)

        self._when_free(action)

    def do(self, do: str, value: Any) -> None:
        """An action; one that needs what is not there yet is done when that is."""
        try:
            work = panes.beforehand(self.session, do, value)
        except InputError as error:
            return self._fail(str(error))
        if work is None:
            self.background.forget(PREPARED.get(do, ""))
            return self._do(do, value)
        self.background.ask(PREPARED[do], work, lambda _: self._do(do, value), self._fail)
        return self._later("waiting", BUSY, self.show_strip)

    def _do(self, do: str, value: Any) -> None:
        session = self.session
        before, steps = (session.opened, session.other), session.choice.steps
        if do in self._own:
            session.attempt(lambda: self._call(do, value))
        else:
            session.act(do, value)
        if before != (session.opened, session.other) or (do == "run" and not session.error):
            self.following.leave()
            self.maps.show_all()
        if session.choice.steps != steps or (do in ("run", "placed") and before[0] is not session.opened):
            self.background.forget("cell")  # It was asked for earlier, perhaps on another map.
        if do == "find" and not session.error:
            self.layout.tools.found += 1
        if PREPARED.get(do) == "open" or session.error:
            self.layout.show_chosen(self.choice.tab)
        self.refresh()

    def _call(self, do: str, value: Any) -> None:
        self._own[do](value)

    def _fail(self, sentence: str) -> None:
        self.session.error = sentence
        self.layout.show_chosen(self.choice.tab)
        self.refresh()

    def _export(self, value: Any) -> None:
        """Write the selected rows to a file, aside, and have the browser fetch it."""
        opened, lit = self.session.opened, self.session.lit
        if opened is None or value not in KINDS:
            return
        points, name = opened.points, f"selection.{value}"
        # Each is offered, but the same one once, however often it is asked for meanwhile.
        which = ("export", value, self.session.look(opened))

        def write() -> str:
            rows = points if lit is None else points[lit]
            return self._exports.put(name, lambda file: write_table(rows, file, value))

        if not self.background.waits(which):
            self.background.ask(which, write, self._fetch, self._fail, WRITING)
            self._later("waiting", BUSY, self.show_strip)

    def _fetch(self, address: str) -> None:
        self.layout.header.fetch = address
        self.show_strip()

    # What is shown

    def refresh(self) -> None:
        """Show everything as it is now; a part that stays the same is not sent again."""
        choice, session, layout = self.choice, self.session, self.layout
        layout.header.theme = choice.theme
        layout.header.put(views.header(self._title()))
        look = panes.look(session, self.following.screen)
        self.background.ask("look", look, layout.look.put, partial(_tell, layout.look), SHOWING)
        layout.tools.put(views.tools(choice, undoable=session.undoable))
        layout.tabs.put(views.tabs(choice.tab))
        layout.show(choice.tab, compared=session.other is not None)
        self.show_strip()
        self._later("side", AFTER, self._fill)
        self.maps.refresh()
        self.write_address_soon()

    def _title(self) -> str:
        session, screen = self.session, self.following.screen
        title = views.title_of(session.opened) if session.opened else "no map yet"
        if screen is not None:
            title = screen.title
        if session.opened is not None and session.other is not None:
            title = f"A, left: {title}. B, right: {views.title_of(session.other)}"
        return title

    def show_strip(self) -> None:
        """The line of facts about what the map shows."""
        if self.background.keeps(self.show_strip):
            return
        screen, opened = self.following.screen, self.session.opened
        shown = opened if screen is None else screen.opened
        if self.session.error:
            html = views.message(self.session.error, failed=True)
        elif self._late(*PREPARED.values()):
            html = views.message("Getting it ready.")
        elif self._late("export"):
            html = views.message("Writing the file.")
        elif shown is None:
            waits = (
                "is being made: it appears here as it forms." if self.following.watch.job else "can be made under Run."
            )
            html = views.message(f"There is no map yet; one {waits}")
        else:
            html = views.strip(self.maps.frame, shown.n)
        self.layout.strip.put(html)

    def _late(self, *names: str) -> bool:
        """Whether one of these works has not been answered for so long that it is said."""
        return any(map(self.background.waits, names)) and "waiting" not in self._waiting

    def _fill(self) -> None:
        """Fill the pane that is in view; the others wait until they are."""
        tab = self.choice.tab
        pane = self.layout.pane(tab)
        if tab == "run":
            pane.put(self.following.form())
            self.following.poll()
            return

        def put(html: str) -> None:
            pane.put(html)
            self.maps.show_rings()  # the card has had the images loaded

        self.background.ask("side", panes.beside_the_map(self.session), put, partial(_tell, pane))
        self._later("busy", BUSY, lambda: self._show_busy(tab))

    def _show_busy(self, tab: str) -> None:
        if self.background.waits("side") and self.choice.tab == tab:
            self.layout.pane(tab).put(views.message("Working it out."))

    def show_point_soon(self) -> None:
        """Show the card of the point, once the pointer rests."""
        if self.choice.tab in ("look", "point"):
            self._later("card", DWELL, self._fill)

    def write_address_soon(self) -> None:
        """Let the address follow the view."""
        self._later("address", PAUSE, self._write_address)

    def _write_address(self) -> None:
        self.layout.header.query = self.session.query() or "?"

    # When

    def _when_free(self, action: Callable[[], None]) -> None:
        """Do something at the next moment that the document is free.

        Panel hands on messages without the document's lock, and Bokeh's models need it.
        """
        if self.document is None:
            action()
        else:
            self.document.add_next_tick_callback(together(self.document)(action))

    def _later(self, name: str, pause: int, action: Callable[[], None]) -> None:
        """Do something after a pause, once however often it is asked for meanwhile."""
        if name in self._waiting or self.document is None:
            return
        self._waiting.add(name)

        def run() -> None:
            self._waiting.discard(name)
            action()

        self.document.add_timeout_callback(together(self.document)(run), pause)


def _tell(pane: Piece, sentence: str) -> None:
    """Say in a pane why it cannot be filled."""
    pane.put(views.message(sentence, failed=True))
