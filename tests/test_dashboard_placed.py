"""Placed points over their map: what is drawn and counted, what is said of each, and as a person looks at them."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import numpy as np
import pytest
from test_dashboard_page import Server, _page, box, browser, count, tab, tool, wait
from typer.testing import CliRunner

from gpu_pipeline import placed
from gpu_pipeline.cli import app
from gpu_pipeline.dashboard import panes, side, views
from gpu_pipeline.dashboard.address import from_query, to_query
from gpu_pipeline.dashboard.ground import facts_over, images_over, layer_over, lit_over
from gpu_pipeline.dashboard.placed import open_placed, sets_of
from gpu_pipeline.dashboard.session import Session
from gpu_pipeline.dashboard.state import Choice
from gpu_pipeline.dashboard.statistics import in_view
from gpu_pipeline.dashboard.stored import open_stored, rows_of
from gpu_pipeline.datasets import load
from gpu_pipeline.errors import InputError
from gpu_pipeline.methods import PCA
from gpu_pipeline.pipeline import run
from gpu_pipeline.recipe import Data, Recipe
from gpu_pipeline.render import aggregate, fit, mark
from gpu_pipeline.store import open_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

__all__ = ["browser"]  # a fixture

N, M = 300, 80


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A map of 300 digits by PCA, with 80 others placed on it."""
    folder = tmp_path_factory.mktemp("runs")
    recipe = Recipe(data=Data(name="digits", sample=N), embed=PCA(n_components=2), engine="scikit_learn")
    made = open_run(run(recipe, load("digits", sample=N)).save(folder), folder)
    placed.save(placed.place(made, load("digits", sample=M, seed=1)), made)
    return folder


def test_images_are_those_of_the_file_that_was_placed(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever lies under that name where the dashboard was started, and also of one image alone."""
    name = next(path.name for path in store.iterdir())
    X = np.asarray(load("digits", sample=6, seed=5).X)
    for folder, rows in (("here", X[:5]), ("there", X[1:])):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "new.npy", rows)
    np.save(tmp_path / "one.npy", X[:1])
    monkeypatch.chdir(tmp_path / "there")
    for path, sample, expected in ((tmp_path / "here/new.npy", "3", None), (tmp_path / "one.npy", "all", X[:1])):
        done = CliRunner().invoke(app, ["place", name, str(path), "--sample", sample, "--out", str(store), "--json"])
        assert done.exit_code == 0, done.output
        folder = Path(json.loads(done.stdout)["points"]).parent
        try:
            opened = open_placed(open_stored(store, name), folder.name)
            images = opened.images()
            assert images is not None
            wanted = X[opened.points["row"]] if expected is None else expected
            assert (images.pixels.reshape(len(wanted), -1) == 255 - wanted).all()
            np.save(path, X[1:])
            again = open_placed(replace(opened.ground), folder.name)  # type: ignore[type-var]
            assert again.images() is None
            assert again.why_no_images() == f"{path} is no longer what was placed, so that its images cannot be shown."
        finally:
            shutil.rmtree(folder)


@pytest.fixture
def session(store: Path) -> Session:
    session = Session(store, None, Choice())
    session.act("placed", name_in(store))
    assert session.error == ""
    return session


def name_in(store: Path) -> str:
    return next(iter(sets_of(store / rows_of(store)[-1]["run"])))


def test_they_are_drawn_over_the_map_and_counted_apart(session: Session) -> None:
    opened = session.opened
    assert opened is not None
    assert opened.ground is not None
    assert (opened.n, opened.ground.n) == (M, N)
    view = fit(opened.corners(), 300, 200)
    grid = aggregate(session.layer(opened), view)
    assert grid.rest is not None
    assert (int(grid.counts.sum()), int(grid.rest.sum())) == (M, N)
    facts = facts_over(opened, "label", view, in_view(grid, session.layer(opened).key))
    assert (facts.points, facts.coloured, facts.under) == (M, M, N)
    assert sum(entry["count"] for entry in views.legend(session.choice, opened, None)) == M
    assert "80 points placed on PCA of digits" in views.title_of(opened)


def test_a_selection_is_of_them_alone(session: Session) -> None:
    opened = session.opened
    assert opened is not None
    session.attempt(lambda: session.select("box", (-1e9, 1e9, -1e9, 1e9)))
    assert session.chosen is not None
    assert session.chosen.tolist() == [True] * M
    session.act("find", {"text": "novelty<1 and far=no"})
    novelty = opened.points["novelty"]
    assert session.chosen.tolist() == (novelty < 1).tolist()
    grid = aggregate(session.layer(opened), fit(opened.corners(), 100, 100))
    assert int(grid.counts.sum()) == (novelty < 1).sum()
    html = side.selection(opened, session.chosen, session.choice.steps, session.filters(), 0)
    assert f"<span data-count>{(novelty < 1).sum()}</span> of 80" in html
    right = opened.points["label"] == opened.points["vote"]
    assert f"{right[novelty < 1].mean():.1%}" in html


def test_what_is_said_of_one(session: Session) -> None:
    opened = session.opened
    assert opened is not None
    html = side.point(opened, 3, False)
    assert "In the data, of the map&#39;s rows" in html
    assert f"row {opened.points['nearest_row'].iloc[3]}," in html
    # Its own image, the eight nearest in the data, and the eight on the map.
    assert html.count("data:image/png") == 1 + 8 + 8
    assert "novelty" in html
    images, ground = images_over(opened), opened.ground
    assert images is not None
    assert ground is not None
    dataset = load("digits", sample=M, seed=1)
    assert (images.pixels[3] == 255 - np.asarray(dataset.X)[3].reshape(dataset.image_shape)).all()
    assert (images.pixels[M:] == ground.images().pixels).all()  # type: ignore[union-attr]


def test_the_other_panes_say_what_they_know(session: Session) -> None:
    opened = session.opened
    assert opened is not None
    assert "on the map of" in side.scores(opened)
    html = side.mistakes(opened, ())
    assert "search for label=4 and vote=9" in html
    assert sum(int(text) for text in re.findall(r'title="(\d+) of label', html)) == M
    session.act("other", session.choice.run)
    assert "cannot be compared" in session.error


def test_layers_without_a_map_under_them_are_as_ever(store: Path) -> None:
    opened = open_stored(store, rows_of(store)[-1]["run"])
    assert layer_over(opened, "label") is opened.arranged("label")
    assert lit_over(opened, None) is None
    assert images_over(opened) is opened.images()
    over = open_placed(opened, name_in(store))
    assert over is open_placed(opened, name_in(store))
    number = layer_over(over, "novelty")
    assert (number.frame["value"].to_numpy() == 0).sum() >= N
    lit = np.arange(M) < 10
    grid = aggregate(mark(number, lit_over(over, lit)), fit(over.corners(), 50, 50))
    assert int(grid.counts.sum()) == 10


def test_they_are_part_of_the_address(session: Session, store: Path) -> None:
    query = to_query(session.choice)
    again = Session(store, None, Choice(**from_query(dict(parse_qsl(query[1:])))))
    assert again.opened is session.opened
    again.act("placed", "")
    assert again.opened is session.opened.ground  # type: ignore[union-attr]
    assert "placed" not in to_query(again.choice)


@pytest.mark.parametrize("name", ["..", "../..", "/etc", "x", "", ".draft", "\x00"])
def test_no_name_leads_elsewhere(store: Path, name: str) -> None:
    with pytest.raises(InputError, match="set of placed points"):
        open_placed(open_stored(store, rows_of(store)[-1]["run"]), name)


def test_the_list_says_how_many_where_it_can_be_read(session: Session, store: Path, tmp_path: Path) -> None:
    name = name_in(store)
    assert f">{name}, {M} points</option>" in panes.look(session, None)()
    run = shutil.copytree(store / rows_of(store)[-1]["run"], tmp_path / "run")
    (run / "placed" / name / "record.json").write_text("{")
    assert sets_of(run) == {name: None}


def test_a_hostile_address_opens_the_map_and_says_why(store: Path) -> None:
    session = Session(store, None, Choice(**from_query({"placed": "../../etc"})))
    assert session.opened is not None
    assert session.opened.n == N
    assert "set of placed points" in session.error


@pytest.fixture(scope="module")
def server(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("log") / "stderr", "--out", str(store))
    yield server
    said = server.close()
    assert not re.search("error|traceback|warning", said, re.IGNORECASE), said


def test_a_person_looks_at_placed_points(browser: Browser, server: Server, store: Path) -> None:
    for page in _page(browser, server.url):
        wait(page, re.compile(f"{N} of {N} points in view"))
        page.locator("[data-key=placed]").select_option(name_in(store))
        wait(page, re.compile(rf"{M} of {M} placed points in view, over {N} in grey"))
        page.wait_for_function("location.search.includes('placed=digits')")
        tool(page, "b", "box")
        x, y, width, height = box(page)
        page.mouse.move(x + 0.01 * width, y + 0.01 * height)
        page.mouse.down()
        page.mouse.move(x + 0.99 * width, y + 0.99 * height, steps=6)
        page.mouse.up()
        wait(page, "points selected")
        assert count(page) == M
        with page.expect_download() as download:
            page.locator("[data-key=export-csv]").click()
        lines = download.value.path().read_text().splitlines()
        assert len(lines) == M + 1
        assert "novelty" in lines[0]
        tab(page, "scores")
        wait(page, "far from all of them")
        for again in _page(browser, page.url):
            wait(again, re.compile(rf"{M} of {M} placed points in view"))
        page.locator("[data-key=placed]").select_option("")
        wait(page, re.compile(f"{N} of {N} points in view"))
