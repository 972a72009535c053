"""What a page does about jobs: starts them, lists them, and shows the frames of the one that is watched."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..recipe import make
from . import jobs, making, watching
from .selecting import whole_of
from .uploads import MARK, Kind, columns, upload_path, uploads
from .watching import Screen, Seen, Watch

if TYPE_CHECKING:
    from .app import Page

FIRST = 5_000
"""Points of the map that is made when there is none."""


class Following:
    """The jobs as one page follows them.

    Attributes
    ----------
    watch
        The job that is watched.
    screen
        Its frame, which stands in place of the map; None if there is none.
    """

    def __init__(self, page: Page) -> None:
        self.page, self.store = page, page.session.store
        self.watch = Watch()
        self.screen: Screen | None = None
        self._shown: tuple[str, int] | None = None
        self._data, self._turn = "auto", 0
        self.actions = {
            "start": self._start_form,
            "stop": lambda value: watching.find(self.store, value).stop(),
            "cancel": lambda value: watching.find(self.store, value).cancel(),
            "forget": self._forget,
            "remove": lambda value: upload_path(self.store, str(value)).unlink(),
            "watch": self._watch,
            "unwatch": lambda value: self.leave(),
            "frame": self._frame,
        }

    def form(self) -> str:
        """The form of a new run."""
        return making.form(uploads(self.store), self._data, self._turn, columns(self.store))

    def begin(self) -> None:
        """With nothing to show: a map of the embedded digits, in seconds."""
        self.page.choice.tab = "run"
        self.page.session.attempt(lambda: self._start(make({"data": {"name": "digits", "sample": FIRST}})))

    def uploaded(self, path: Path, kind: Kind) -> None:
        """A file has come: show it, or offer it as data."""
        if kind == "map":
            self.page.do("run", f"{MARK}{path.name}")
        else:
            self._data = f"{MARK}{path.name}"
            self._turn += 1
            self.page.refresh()

    def poll(self) -> None:
        """Look at the jobs: there may be a new frame, or a finished run."""
        if self.page.choice.tab == "run" or self.watch.job:
            self.page.layout.jobs.put(watching.listing(self.store, self.watch))
        if self.watch.job and not self.page.background.waits("film"):
            self._look()

    def leave(self) -> None:
        """Go back to the stored map."""
        self.page.background.forget("film")
        before, self.watch, self.screen, self._shown = self.screen, Watch(), None, None
        if before is not None:
            self.page.maps.show_all()

    def _look(self) -> None:
        work = partial(watching.look, self.store, replace(self.watch))
        self.page.background.ask("film", work, self._see, self._fail)

    def _fail(self, sentence: str) -> None:
        """What was watched cannot be seen any more: say why, over the stored map."""
        self.leave()
        self.page.session.error = sentence
        self.page.refresh()

    def _see(self, seen: Seen) -> None:
        if not seen.running and (self.watch.frame is None or seen.frame is None):
            self._end(seen)
        elif seen.frame is not None and self._shown != (self.watch.job, seen.iteration):
            self._shown = (self.watch.job, seen.iteration)
            title = f"{seen.title}: iteration {seen.iteration:,}, a frame and not the stored map"
            self.screen = Screen(seen.frame, title)
            self.page.refresh()
            self.page.maps.panes[0].show_all()

    def _end(self, seen: Seen) -> None:
        """The job that was watched has ended: show its run, or say why there is none where its list does not stand."""
        page, watched = self.page, self.screen is not None
        self.leave()
        if seen.run is not None and seen.run != page.choice.run and not page.background.waits("open"):
            return page.do("run", seen.run)
        if seen.error is not None and (watched or page.choice.tab != "run"):
            page.session.error = seen.error
        return page.refresh()

    def _start_form(self, value: Any) -> None:
        if isinstance(value, dict):
            self._start(making.recipe_of(value, self.store))

    def _start(self, recipe: Any) -> None:
        running = [job for job in jobs.jobs(self.store) if job.status().state == "running"]
        same = next((job for job in running if job.recipe == recipe), None)
        job = same or jobs.start(recipe, self.store)
        self.leave()
        self.watch = Watch(job.id)

    def _watch(self, value: Any) -> None:
        """Follow a job that runs; go through one that has ended from its beginning."""
        job = watching.find(self.store, value)
        self.leave()
        self.watch = Watch(job.id, None if job.status().state == "running" else 0)
        self._look()

    def _forget(self, value: Any) -> None:
        job = watching.find(self.store, value)
        job.forget()
        if self.watch.job == job.id:
            self.leave()

    def _frame(self, value: Any) -> None:
        frame = whole_of(str(value))
        if frame is not None:
            self.watch.frame = frame
            self._look()
