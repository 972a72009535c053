"""The controls in a browser: lists after a refusal, tabs by the keyboard, other buttons of the mouse, and Back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from test_dashboard_choices import N, store
from test_dashboard_page import Server, _page, browser, page, tab, wait
from test_dashboard_placed import server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, WebSocketRoute

__all__ = ["browser", "page", "server", "store"]  # fixtures


def whole(page: Page) -> None:
    wait(page, re.compile(f"{N} of {N} points in view"))


def test_a_list_does_not_show_what_was_refused(page: Page) -> None:
    whole(page)
    tab(page, "compare")
    other = page.locator("[data-key=other]")
    for shown, can in (("", "b"), ("b", "c")):
        other.select_option("d")
        wait(page, "That did not work:")
        other.locator(f"option[value='{shown}']:checked").wait_for(state="attached")
        # It can be asked for again, and what can be compared is.
        other.select_option(can)
        page.get_by_text("That did not work:").wait_for(state="detached")
        wait(page, "rows in common")


def test_a_tab_is_a_button_that_the_keyboard_reaches(page: Page) -> None:
    whole(page)
    names = page.get_by_role("navigation", name="What stands beside the map")
    names.get_by_role("button", name="Point").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    names.locator("[aria-current=true]", has_text="Selection").wait_for()
    wait(page, "Nothing is selected")
    assert names.locator("[aria-current]").count() == 1
    # It is drawn anew with the focus where it was.
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    names.locator("[aria-current=true]", has_text="Mistakes").wait_for()


def test_only_messages_are_announced(page: Page) -> None:
    whole(page)
    wait(page, "Move over the map")  # Until then it may say that it works it out.
    assert page.locator(":is([role=status], [role=alert], [aria-live]):visible").count() == 0
    page.locator("[data-key=find]").fill("nothing such")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()


def test_another_button_of_the_mouse_stops_nothing(page: Page) -> None:
    """The menu that it opens may keep its being let go to itself."""
    whole(page)
    page.locator("[data-key=tool-pan]").hover()
    page.mouse.down(button="right")
    page.keyboard.press("b")
    page.locator("[data-key=tool-box][aria-pressed=true]").wait_for()
    page.mouse.up(button="right")


def test_back_leaves_the_page_however_often_its_address_changed(browser: Browser, server: Server) -> None:
    for linked in _page(browser, server.url + "?run=none-such&tab=scores"):
        linked.wait_for_function("location.search.startsWith('?run=a&tab=scores')")
        tab(linked, "point")
        linked.wait_for_function("location.search.startsWith('?run=a&tab=point')")
        linked.locator("[data-key=hide-1]").click()
        linked.wait_for_function("location.search.includes('hide=')")
        assert linked.evaluate("history.length") == 2
        linked.go_back()
        assert linked.url == "about:blank"
        linked.go_forward()
        wait(linked, re.compile("40 in colour"))


class Slow:
    """A page to which what the server says comes when it is let through."""

    def __init__(self, page: Page) -> None:
        self.page, self.waits = page, False
        self.sent: list[str | bytes] = []
        self._kept: list[tuple[WebSocketRoute, str | bytes]] = []
        page.route_web_socket(re.compile("/ws"), self._connect)

    def _connect(self, here: WebSocketRoute) -> None:
        there = here.connect_to_server()

        def send(said: str | bytes) -> None:
            self.sent.append(said)
            there.send(said)

        here.on_message(send)
        there.on_message(lambda said: self._kept.append((here, said)) if self.waits else here.send(said))

    def let_through(self) -> None:
        self.waits = False
        while self._kept:
            here, said = self._kept.pop(0)
            here.send(said)


@pytest.fixture
def slow(browser: Browser, server: Server) -> Iterator[Slow]:
    slow = Slow(browser.new_page(viewport={"width": 1440, "height": 900}))
    slow.page.set_default_timeout(60_000)
    slow.page.goto(server.url)
    whole(slow.page)
    yield slow
    slow.page.close()


def test_what_is_done_last_is_done_last(slow: Slow) -> None:
    """Of keys that are held the newest message waits for the answer to the one before; nothing else overtakes it."""
    page = slow.page
    low, remove = (page.locator(f"[data-key={name}-neighbor_recall]") for name in ("low", "unlimit"))
    low.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("location.search.includes('within')")
    slow.waits = True
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    remove.click()
    slow.let_through()
    remove.wait_for(state="detached")
    # What is asked for afterwards is answered afterwards.
    page.locator("[data-key=mode]").select_option("mix")
    page.wait_for_function("location.search.includes('mode=mix')")
    assert "within" not in page.url
    assert remove.count() == 0


def test_what_is_read_in_the_header_stays_when_its_title_changes(slow: Slow) -> None:
    page = slow.page
    tab(page, "compare")
    page.locator("[data-key=other] option[value=b]").wait_for(state="attached")
    slow.waits = True
    page.locator("[data-key=other]").select_option("b")
    page.get_by_role("button", name="Keys").click()
    slow.let_through()
    page.locator(".what", has_text="A, left").wait_for()
    assert page.get_by_text("zoom to the selection").is_visible()
    page.locator("[data-key=keys]:focus").wait_for()
    page.keyboard.press("Escape")
    page.get_by_text("zoom to the selection").wait_for(state="hidden")


def test_a_number_that_is_being_typed_is_not_taken_for_whole(slow: Slow) -> None:
    page = slow.page
    slow.waits = True
    page.locator("[data-key=from-neighbor_recall]").fill("0.5")
    page.keyboard.press("Tab")
    page.keyboard.type("0.")
    slow.let_through()
    page.wait_for_function("location.search.includes('within=neighbor_recall%3D0.5~')")
    page.keyboard.type("8")
    page.keyboard.press("Tab")
    page.wait_for_function("location.search.endsWith('within=neighbor_recall%3D0.5~0.8')")
    numbers = re.findall(r'"(0\.\d*)"', " ".join(map(str, slow.sent)))
    assert numbers == ["0.5", "0.5", "0.8"]
