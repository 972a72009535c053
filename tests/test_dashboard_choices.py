"""What was chosen through comparisons, filters, undo, and links to what is gone stays what it was, or is dropped."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import pandas as pd
import panel as pn
import pytest
from test_background import Loop

from gpu_pipeline import Recipe, pipeline
from gpu_pipeline.dashboard import panes, side, views
from gpu_pipeline.dashboard.actions import ACTIONS
from gpu_pipeline.dashboard.address import LONGEST, from_query
from gpu_pipeline.dashboard.app import Page
from gpu_pipeline.dashboard.background import BROKE
from gpu_pipeline.dashboard.beside import _made
from gpu_pipeline.dashboard.exports import Exports
from gpu_pipeline.dashboard.files import OpenFile
from gpu_pipeline.dashboard.selecting import Step
from gpu_pipeline.dashboard.session import KEPT, Session
from gpu_pipeline.dashboard.state import Choice
from gpu_pipeline.dashboard.stored import open_stored
from gpu_pipeline.datasets import Dataset

N = 60
ALL = (-1e9, 1e9, -1e9, 1e9)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs `a` and `b` on the same 60 rows, `c` with its points elsewhere, `d` on other rows; two without labels."""
    made, store = tmp_path_factory.mktemp("made"), tmp_path_factory.mktemp("runs")
    X = np.random.default_rng(0).normal(size=(N, 4)).astype(np.float32)
    recipe = Recipe.model_validate({"embed": {"method": "pca", "n_components": 2}, "engine": "scikit_learn"})
    whole = pipeline.run(recipe, Dataset("noise", X, np.repeat([0, 1, 2], 20), np.arange(N), N)).save(made)
    moved = {"a": (0, 0), "b": (0, 0), "c": (1000, 0), "d": (0, 1000), "bare": (0, 0), "bare2": (0, 0)}
    for age, (name, (right, down)) in enumerate(moved.items()):
        shutil.copytree(whole, store / name)
        path = store / name / "points.parquet"
        points = pd.read_parquet(path)
        points = points.assign(x=points["x"] + right, row=points["row"] + down)
        points.drop(columns=["label"] if "bare" in name else []).to_parquet(path)
        os.utime(store / name / "record.json", (9 - age, 9 - age))
    return store


@pytest.fixture
def session(store: Path) -> Session:
    return Session(store, None, Choice(run="a"))


def count(session: Session) -> int | None:
    return None if session.chosen is None else int(session.chosen.sum())


def test_what_was_drawn_on_another_map_goes_with_it(session: Session) -> None:
    session.act("other", "b")
    session.attempt(lambda: session.select("box", ALL))
    session.act("how", "keep")
    session.attempt(lambda: session.select("box2", (0.0, 500.0, -1e9, 1e9)))
    assert session.opened is not None
    assert count(session) == (session.opened.points["x"] >= 0).sum()
    session.act("other", "c")
    assert (session.error, count(session)) == ("", N)
    session.attempt(lambda: session.select("box2", (1000.0, 1e9, -1e9, 1e9)))
    session.act("other", "")
    assert (session.error, count(session)) == ("", N)
    assert session.choice.steps == (Step("new", "box", ALL),)


def test_what_only_made_sense_with_a_shape_on_another_map_goes_too(session: Session) -> None:
    session.act("other", "b")
    session.attempt(lambda: session.select("box2", ALL))
    session.act("how", "keep")
    session.attempt(lambda: session.select("box", (0.0, 1e9, -1e9, 1e9)))
    session.act("other", "")
    assert (session.choice.steps, session.chosen) == ((), None)


@pytest.mark.parametrize("then", [("other", "c"), ("other", ""), ("run", "c")])
def test_displacement_limits_nothing_after_its_comparison(session: Session, then: tuple[str, str]) -> None:
    session.act("other", "b")
    session.act("limit", {"column": "neighbor_recall", "high": "0.5"})
    session.act("movers", "")
    session.act("find", {"text": "Displacement >= 0"})
    assert [limit[0] for limit in session.choice.limits] == ["neighbor_recall", "displacement"]
    session.act(*then)
    assert session.error == ""
    assert [limit[0] for limit in session.choice.limits] == ["neighbor_recall"]
    assert session.choice.steps == ()


def test_those_that_moved_are_not_all_points_after_their_comparison(session: Session) -> None:
    session.act("other", "b")
    session.act("movers", "")
    session.act("everything", "")
    assert count(session) == session.visible.sum()  # type: ignore[union-attr]
    session.act("other", "")
    assert (session.choice.steps, session.chosen) == ((), None)


def test_the_same_comparison_chosen_again_takes_nothing(session: Session) -> None:
    session.act("other", "b")
    session.attempt(lambda: session.select("box2", ALL))
    session.act("movers", "")
    session.act("other", "b")
    assert count(session) is not None
    assert (len(session.choice.steps), len(session.choice.limits)) == (1, 1)


def test_a_comparison_that_is_refused_changes_nothing(session: Session) -> None:
    session.act("other", "b")
    session.attempt(lambda: session.select("box2", ALL))
    before = session.opened, session.other, session.comparison, session.choice.steps
    session.act("other", "d")
    assert "rows" in session.error
    assert (session.opened, session.other, session.comparison, session.choice.steps) == before
    assert session.choice.other == "b"


def test_a_run_that_cannot_be_compared_is_opened_alone(session: Session) -> None:
    session.act("other", "b")
    session.act("run", "d")
    assert "rows" in session.error
    assert session.opened is not None
    assert (session.opened.name, session.other, session.choice.other) == ("d", None, "")


def test_a_run_is_compared_aside_before_it_is_opened(session: Session, store: Path) -> None:
    session.act("other", "c")
    for run in ("b", "d"):
        prepare = panes.beforehand(session, "run", run)
        assert prepare is not None
        prepare()
    assert _made.has((open_stored(store, "b"), open_stored(store, "c")))


def test_nothing_stands_beside_itself(session: Session, store: Path) -> None:
    session.act("other", "b")
    session.act("run", "b")
    linked = Session(store, None, Choice(run="b", other="b"))
    for one in (session, linked):
        assert (one.error, one.other, one.comparison, one.choice.other) == ("", None, None, "")
        assert one.opened is not None
        assert "displacement" not in one.opened.points


def test_what_the_filters_let_through_stays_selected_without_them(session: Session) -> None:
    session.act("hide", "1")
    session.act("limit", {"column": "neighbor_recall", "high": "0.5"})
    session.act("everything", "")
    before = count(session)
    assert session.opened is not None
    points = session.opened.points
    assert before == ((points["label"] != 1) & (points["neighbor_recall"] <= 0.5)).sum()
    html = side.selection(session.opened, session.chosen, session.choice.steps, session.filters(), 0)
    assert html.count("within:neighbor_recall") == html.count("=all:") > 0
    session.act("unlimit", "neighbor_recall")
    session.act("all", "")
    assert (session.visible, count(session)) == (None, before)


@pytest.mark.parametrize(
    "filtered", [("hide", "1"), ("only", "1"), ("limit", {"column": "neighbor_recall", "high": "0.5"})]
)
def test_mistakes_are_of_a_cell_only_if_one_is_selected(session: Session, filtered: tuple[str, object]) -> None:
    session.choice.tab = "confusion"
    before = panes.beside_the_map(session)()
    session.act(*filtered)
    session.act("everything", "")
    session.choice.tab = "confusion"
    assert panes.beside_the_map(session)() == before
    session.act("cell", "label=0")
    assert panes.beside_the_map(session)() != before


def test_all_classes_are_shown_again_whatever_colours_the_map(session: Session) -> None:
    session.act("hide", "1")
    session.act("colour", "cluster")
    session.act("hide", "0")
    session.act("colour", "neighbor_recall")
    session.act("all", "")
    assert (session.choice.hidden, session.visible) == ((), None)


def test_one_class_alone_is_one_step(session: Session) -> None:
    session.act("only", "2")
    assert session.filters() == (Step("keep", "where", pairs=(("label", "2"),)),)
    session.act("everything", "")
    session.act("all", "")
    assert count(session) == 20


@pytest.mark.parametrize(
    "lose",
    [
        lambda session: session.attempt(lambda: session.select("lasso", (0.0, 0.0, 1e-9, 0.0, 0.0, 1e-9))),
        lambda session: session.act("clear", ""),
        lambda session: session.act("cell", "label=0"),
        lambda session: session.act("everything", ""),
    ],
)
def test_undo_brings_back_what_was_replaced(session: Session, lose: Callable[[Session], None]) -> None:
    session.act("find", {"text": "label=1"})
    session.act("how", "add")
    session.act("find", {"text": "label=2"})
    session.act("how", "new")
    session.act("hide", "0")
    before = session.choice.steps
    lose(session)
    assert count(session) != 40 or session.choice.steps != before
    assert "disabled" not in undo_button(session)
    session.act("undo", "")
    assert (session.choice.steps, count(session)) == (before, 40)
    session.act("undo", "")
    assert count(session) == 20
    session.act("undo", "")
    assert session.chosen is None
    assert "disabled" in undo_button(session)
    session.act("undo", "")
    assert (session.error, session.choice.steps) == ("", ())


def undo_button(session: Session) -> str:
    html = views.tools(session.choice, undoable=session.undoable)
    return html[html.index('data-do="undo"') : html.index(">Undo<")]


def test_undo_takes_the_last_step_of_a_linked_selection(store: Path) -> None:
    steps = tuple(Step("add", "where", pairs=(("label", name),)) for name in "012")
    session = Session(store, None, Choice(run="a", steps=steps))
    assert session.undoable
    session.act("undo", "")
    assert (session.choice.steps, count(session)) == (steps[:2], 40)


def test_what_cannot_be_selected_leaves_the_selection(session: Session) -> None:
    session.act("find", {"text": "label=1"})
    session.act("cell", "label=none such")
    assert "class of label" in session.error
    assert count(session) == 20


def test_undo_brings_nothing_back_to_another_map(session: Session) -> None:
    session.act("other", "b")
    session.attempt(lambda: session.select("box2", ALL))
    session.act("clear", "")
    session.act("other", "c")
    session.act("undo", "")
    assert (session.error, session.choice.steps) == ("", ())
    session.attempt(lambda: session.select("box", ALL))
    session.act("run", "b")
    assert not session.undoable


def test_not_all_of_the_past_is_kept(session: Session) -> None:
    for i in range(3 * KEPT):
        session.attempt(lambda i=i: session.select("box", (-1, i, -1, 1)))  # type: ignore[misc]
    assert len(session.earlier) == KEPT


def test_a_link_to_a_run_that_is_gone_applies_nothing_of_it_to_another(store: Path) -> None:
    query = {
        "run": "gone",
        "other": "b",
        "select": "=box:0,1,0,1",
        "hide": "label=1",
        "point": "7",
        "view": "0,1,0,1",
        "within": "displacement=0~1",
    }
    session = Session(store, None, Choice(**from_query(query)))
    assert "unknown run" in session.error
    assert session.opened is not None
    choice = session.choice
    assert (choice.run, choice.steps, choice.point, choice.window, choice.limits) == ("a", (), -1, None, ())
    assert (session.chosen, session.pointed) == (None, -1)
    # What is hidden means the same everywhere, and is hidden here too.
    assert session.visible is not None
    assert session.visible.sum() == 40


def test_a_link_to_a_run_that_is_gone_opens_the_file_that_is_looked_at(store: Path, tmp_path: Path) -> None:
    file = OpenFile(tmp_path / "points.csv")
    broken = Session(store, file, Choice(run="gone"))
    assert broken.opened is not None
    assert (broken.opened.name, broken.choice.run) == ("a", "a")
    file.path.write_text("x,y\n1,2\n3,4\n")
    session = Session(store, file, Choice(run="gone", steps=(Step("new", "all"),)))
    assert session.opened is not None
    assert (session.opened.name, session.choice.run, session.choice.steps) == ("points.csv", "", ())
    assert "unknown run" in session.error


def test_a_link_to_placed_points_that_are_gone_selects_none_of_the_map(store: Path) -> None:
    session = Session(store, None, Choice(run="b", placed="gone", steps=(Step("new", "box", ALL),), point=3))
    assert "placed" in session.error
    assert session.opened is not None
    assert (session.opened.name, session.choice.placed, session.choice.steps) == ("b", "", ())
    assert (session.chosen, session.choice.point) == (None, -1)


def test_a_link_whose_selection_cannot_be_read_opens_the_map(store: Path) -> None:
    session = Session(store, None, Choice(run="b", steps=(Step("new", "where", pairs=(("label", "nobody"),)),)))
    assert "class of label" in session.error
    assert session.opened is not None
    assert (session.opened.name, session.choice.steps, session.chosen) == ("b", (), None)


def test_a_link_with_a_window_still_says_what_of_it_is_gone(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = {"run": [b"a"], "other": [b"gone"], "view": [b"-1,1,-1,1"]}
    monkeypatch.setattr(type(pn.state), "session_args", address)
    page, loop = Page(store, None, ThreadPoolExecutor(1), Exports(), 0), Loop()
    pane = page.maps.panes[0]
    loop.add_root(pane.plot)
    pane._resized(width=300, height=300)
    assert pane.window() == (-1, 1, -1, 1)
    assert "unknown run" in page.layout.strip.html


def test_without_any_run_a_link_says_so(tmp_path: Path) -> None:
    session = Session(tmp_path, None, Choice(run="gone", point=3))
    assert "no stored run" in session.error
    assert session.opened is None


@pytest.mark.parametrize(("before", "then"), [("misfit", "misfit"), ("", "cluster")])
def test_colour_by_displacement_is_switched_off_where_there_are_no_labels(store: Path, before: str, then: str) -> None:
    session = Session(store, None, Choice(run="bare", other="bare2", tab="compare", colour=before or "displacement"))
    for pressed in ("displacement", then):
        if session.choice.colour != pressed:
            button = re.search(r'data-key="moved" data-value="(\w+)"', panes.beside_the_map(session)())
            assert button is not None
            session.act("colour", button[1])
        assert (session.error, session.choice.colour) == ("", pressed)


@pytest.fixture
def many(tmp_path: Path) -> Session:
    """A file of 3,000 points, each with a name of its own; two of three are pale."""
    names = [f"class {i:04}, = ä" for i in range(3_000)]
    columns = {"x": range(3_000), "y": range(3_000), "label": names, "tone": ["pale", "pale", "dark"] * 1_000}
    pd.DataFrame(columns).to_csv(tmp_path / "points.csv", index=False)
    return Session(tmp_path / "runs", OpenFile(tmp_path / "points.csv"), Choice())


def again(session: Session) -> Session:
    """Whoever opens the page's address."""
    query = session.query()
    assert len(query) <= LONGEST + 1
    return Session(session.store, session.file, Choice(**from_query(dict(parse_qsl(query[1:])))))


def test_an_address_lists_what_is_shown_where_less_is(many: Session) -> None:
    many.act("only", "class 0007, = ä")
    many.act("hide", "class 0009, = ä")  # is shown with it
    many.act("colour", "tone")
    many.act("hide", "pale")
    assert (many.query().count("label"), many.left_out()) == (2, ())
    other = again(many)
    assert set(other.choice.hidden) == set(many.choice.hidden)
    assert other.visible is not None
    assert np.flatnonzero(other.visible).tolist() == []
    other.act("hide", "pale")
    assert np.flatnonzero(other.visible).tolist() == [7, 9]
    assert other.choice.shown == ()


def test_what_an_address_cannot_hold_is_left_out_of_it_and_that_is_said(many: Session) -> None:
    many.act("find", {"text": "17"})
    many.choice.hidden = tuple(("label", f"class {i:04}, = ä") for i in range(0, 3_000, 2))
    assert "a link to this view does not carry them all" in panes.look(many, None)()
    assert many.left_out() == ("hide",)
    other = again(many)
    assert (count(other), other.visible, other.choice.hidden) == (1, None, ())
    assert "a link to this view" not in panes.look(other, None)()
    many.choice.hidden = ()
    many.choice.paints = tuple(("label", f"class {i:04}, = ä", "#123456") for i in range(3_000))
    assert many.left_out() == ("paint",)
    assert again(many).choice.paints == ()


def test_an_address_that_shows_what_is_not_there_hides_nothing(many: Session) -> None:
    shown = (("label", "nobody"), ("x", "1"), ("nothing", "1"))
    session = Session(many.store, many.file, Choice(shown=shown))
    assert (session.choice.hidden, session.visible, session.error) == ((), None, "")


@pytest.mark.parametrize("value", [[], {}, [["x"]], None, 1.5, -1, "9" * 5000, "²", "\ud800"])
def test_what_a_browser_sends_may_be_anything(store: Path, value: Any) -> None:
    page = Page(store, None, ThreadPoolExecutor(1), Exports(), 0)
    page.following.watch.job = "gone"
    done: list[str] = []
    actions = [*ACTIONS, *page._own, "key", "nothing"]
    actions.remove("start")  # An empty form means a run of what stands in it.
    for do in actions:
        page.act(do, value, partial(done.append, do))
    assert done == actions
    assert page.session.error != BROKE
