"""A page whose connection breaks, for a moment or for long: it says so, and comes back as it was."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_dashboard_page import INKED, Server, browser, count, drag, store, tool, wait, whole

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["browser", "store"]  # fixtures


class Line:
    """What lies between a browser and the server, and can be cut."""

    def __init__(self) -> None:
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._to = 0
        self._ends: list[socket.socket] = []

    def lead(self, to: int) -> None:
        """Let browsers in to a port of this computer."""
        self._to = to
        threading.Thread(target=self._let_in, args=(self._door,), daemon=True).start()

    def cut(self) -> None:
        """Break all connections, and let nobody in."""
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def mend(self) -> None:
        self._door = socket.create_server(("127.0.0.1", self.port))
        self.lead(self._to)

    def _let_in(self, door: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                here = door.accept()[0]
                there = socket.create_connection(("127.0.0.1", self._to))
                self._ends += [here, there]
                threading.Thread(target=_carry, args=(here, there), daemon=True).start()


def _carry(here: socket.socket, there: socket.socket) -> None:
    with here, there, contextlib.suppress(OSError):
        while True:
            for end in select.select([here, there], [], [])[0]:
                piece = end.recv(1 << 16)
                if not piece:
                    return
                (there if end is here else here).sendall(piece)


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.cut()


def test_a_page_comes_back_as_it_was(browser: Browser, store: Path, tmp_path: Path, line: Line) -> None:
    server = Server(tmp_path / "stderr", "--out", str(store), "--allow-websocket-origin", f"127.0.0.1:{line.port}")
    line.lead(int(re.findall(r"\d+", server.url)[-1]))
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"http://127.0.0.1:{line.port}/")
    whole(page)
    tool(page, "l", "lasso")
    drag(page, [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)])
    wait(page, re.compile("points selected"))
    selected = count(page)
    page.keyboard.press("i")
    page.wait_for_function("/view=.*select=/.test(location.search)")
    view, facts = page.url, page.locator(".strip").inner_text().partition(" · drawn")[0]

    for long in (False, True):
        page.evaluate("window.old = true")
        line.cut()
        if long:
            page.get_by_text("connection to the server is lost").wait_for()
            place = page.get_by_role("button", name="Reload").bounding_box()
            assert place is not None
            assert place["y"] < 200
            page.wait_for_timeout(2500)
        line.mend()
        page.wait_for_function("!window.old")
        wait(page, facts)
        page.wait_for_function(f"({INKED})() > 0")
        # The address is right once the page has its shape.
        page.wait_for_function("view => location.href === view", arg=view)
        assert count(page) == selected
        assert page.get_by_text("connection to the server is lost").count() == 0
        # And it is alive.
        page.keyboard.press("o")
        page.wait_for_function("view => location.href !== view", arg=view)
        page.keyboard.press("i")
        page.wait_for_function("view => location.href === view", arg=view)
    page.close()
    server.close()
