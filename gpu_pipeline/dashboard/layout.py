"""The parts of the page and where they are."""

from __future__ import annotations

from typing import Any

import panel as pn

from .map_pane import MapPane
from .piece import HERE, Answer, Piece
from .state import TABS
from .upload import Upload

GRID = (HERE / "grid.css").read_text(encoding="utf-8")


class Layout:
    """The parts of one page.

    Parameters
    ----------
    act
        Told what a person does.
    keys
        Keys of the keyboard that are actions.
    maps
        The map, and the one beside it.
    upload
        The field for files; None if there is none.
    """

    def __init__(
        self,
        act: Answer,
        keys: list[str],
        maps: list[MapPane],
        upload: Upload | None,
    ) -> None:
        self.header = Piece(act, keys=keys, css_classes=["head"])
        self.look, self.tools, self.strip, self.tabs = (Piece(act) for _ in range(4))
        self.panes = {name: Piece(act) for name in TABS if name != "look"}
        self.jobs = Piece(act)
        self.upload = upload
        maps[1].pane.css_classes = ["map", "second"]
        self.second = maps[1].pane
        both = pn.Row(*(pane.pane for pane in maps), css_classes=["maps"], stylesheets=[GRID])
        middle = pn.Column(self.tools, both, self.strip, css_classes=["middle"], stylesheets=[GRID])
        beside: list[Any] = [self.tabs, self.panes["point"]]
        beside += [pane for name, pane in self.panes.items() if name not in ("point", "run")]
        beside += [self.panes["run"], self.jobs] if upload is None else [upload, self.panes["run"], self.jobs]
        right = pn.Column(*beside, css_classes=["right"], stylesheets=[GRID])
        self.root = pn.Column(self.header, self.look, middle, right, css_classes=["page"], stylesheets=[GRID])

    def pane(self, tab: str) -> Piece:
        """The pane that belongs to a tab."""
        return self.panes["point" if tab == "look" else tab]

    def show_chosen(self, tab: str) -> None:
        """Let the lists in view show what is chosen; what was chosen in them may have been refused or overtaken."""
        for piece in (self.look, self.pane(tab)):
            piece.refused += 1

    def show(self, tab: str, *, compared: bool) -> None:
        """Let the chosen pane be seen, and a second map if two are compared."""
        self.second.visible = compared
        self.look.css_classes = ["look", "on"] if tab == "look" else ["look"]
        for name, pane in self.panes.items():
            pane.css_classes = ["side", "on"] if name == tab else ["side"]
        if tab == "look":
            self.panes["point"].css_classes = ["side", "wide"]
        self.jobs.css_classes = ["below", "on"] if tab == "run" else ["below"]
        if self.upload is not None:
            self.upload.css_classes = ["field", "on"] if tab == "run" else ["field"]
