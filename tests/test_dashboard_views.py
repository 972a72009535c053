"""What the dashboard shows, without a browser: the address, the selection, and HTML that trusts no label."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pandas as pd
import pytest
from bokeh.core.validation import check_integrity
from bokeh.document import Document
from hypothesis import given
from hypothesis import strategies as st

from gpu_pipeline.dashboard import making, panes, search, side, views
from gpu_pipeline.dashboard.address import from_query, to_query, unread
from gpu_pipeline.dashboard.app import page
from gpu_pipeline.dashboard.contrast import contrast, ink_on
from gpu_pipeline.dashboard.exports import Exports
from gpu_pipeline.dashboard.files import OpenFile
from gpu_pipeline.dashboard.filters import histogram, numbers
from gpu_pipeline.dashboard.frame import draw_frame
from gpu_pipeline.dashboard.headline import headline
from gpu_pipeline.dashboard.opened import Opened
from gpu_pipeline.dashboard.selecting import Step, pairs_from_text, pairs_to_text, selected, step_from_text
from gpu_pipeline.dashboard.session import Session
from gpu_pipeline.dashboard.side.mistakes_pane import cell_style
from gpu_pipeline.dashboard.side.selection_pane import against_rest
from gpu_pipeline.dashboard.state import Choice
from gpu_pipeline.dashboard.stored import open_stored, rows_of
from gpu_pipeline.datasets import load
from gpu_pipeline.errors import InputError
from gpu_pipeline.methods import PCA, KMeans
from gpu_pipeline.pipeline import run
from gpu_pipeline.preprocess import PREPROCESS
from gpu_pipeline.recipe import Data, Recipe
from gpu_pipeline.render import fit

SCRIPT = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two maps of the same 300 digits, by PCA with 10 and with 8 clusters."""
    folder = tmp_path_factory.mktemp("runs")
    dataset = load("digits", sample=300)
    for clusters in (10, 8):
        recipe = Recipe(
            data=Data(name="digits", sample=300),
            embed=PCA(n_components=2),
            cluster=KMeans(n_clusters=clusters, n_init=1),
            engine="scikit_learn",
        )
        run(recipe, dataset).save(folder)
    return folder


@pytest.fixture
def session(store: Path) -> Session:
    return Session(store, None, Choice())


def square() -> Opened:
    """Four points at the corners of a square, labels that are no names."""
    points = pd.DataFrame(
        {
            "row": [10, 11, 12, 13],
            "x": [0.0, 1.0, 0.0, 1.0],
            "y": [0.0, 0.0, 1.0, 1.0],
            "label": [SCRIPT, "b", "b", SCRIPT],
            "size": [0.5, 1.5, 2.5, 3.5],
        }
    )
    return Opened("square", points)


def test_bokeh_finds_no_fault_in_a_page(store: Path) -> None:
    """The server does not look for faults at each page that is opened."""
    document = Document()
    with ThreadPoolExecutor(1) as pool:
        document.add_root(page(store, pool=pool, exports=Exports()).get_root(document))
    found = check_integrity(set(document.models))
    assert not found.error
    assert not found.warning


def test_address_gives_the_same_view() -> None:
    choice = Choice(
        run="one",
        other="two",
        colour="cluster",
        mode="purity",
        scale="rank",
        sort="least:a=b",
        names=False,
        hidden=(("label", "a,b=c;!1"), ("label", "")),
        limits=(("size", 0.25, 1.5),),
        steps=(
            Step("new", "lasso", (0.0, 0.0, 1.0, 0.0, 1.0, 1.0)),
            Step("add", "box2", (0.0, 1.0, 2.0, 3.0)),
            Step("subtract", "where", pairs=(("label", "4"), ("cluster", "9"))),
            Step("add", "find", text="17, 42;100-120 = a! b"),
            Step("keep", "within", pairs=(("size", "-0.5~1e+06"),)),
            Step("add", "all"),
        ),
        images=False,
        paints=(("label", "a b=,", "#00ff7f"),),
        window=(0.0, 1.0, 2.0, 3.5),
        point=7,
        tab="confusion",
        theme="dark",
    )
    query = dict(parse_qsl(to_query(choice)[1:]))
    values = from_query(query)
    assert unread(query) == []
    assert len(values) == 16
    for name in values:
        assert values[name] == getattr(choice, name), name


def test_what_an_address_says_in_vain_is_told() -> None:
    query = {"run": "x", "mode": "top", "tab": "scores", "select": "=where:label=4;+box:1,2", "utm_source": "mail"}
    assert unread(query) == ["mode", "select"]
    assert unread({"view": "1,0,0,1", "point": "-1", "within": "size=1~2,size", "hide": "label=4", "only": ""}) == [
        "point",
        "view",
        "within",
    ]


def test_an_address_keeps_large_numbers_apart() -> None:
    limits = (("when", 1_700_000_000_123.0, 1_700_000_000_124.0),)
    window = (412_345.678, 412_346.178, 4_649_776.224, 4_649_776.724)
    values = from_query(dict(parse_qsl(to_query(Choice(limits=limits, window=window))[1:])))
    assert values["limits"] == limits
    assert values["window"] == pytest.approx(window, rel=0, abs=1e-5)


@pytest.mark.parametrize("scale", [1.0, 1e-9])
@pytest.mark.parametrize("kind", ["box", "lasso"])
def test_a_shape_on_a_map_far_from_zero_selects_the_same_by_its_text(session: Session, kind: str, scale: float) -> None:
    """Metres of a projection: what is seen is a few of them, some million from zero."""
    random = np.random.default_rng(0)
    x, y = scale * random.uniform(412_000, 412_003, 10_000), scale * random.uniform(4_649_776, 4_649_779, 10_000)
    session.opened = Opened("plot", pd.DataFrame({"x": x, "y": y}))
    x0, x1, y0, y1 = scale * np.array([412_000.7123, 412_002.1123, 4_649_776.5123, 4_649_778.9123])
    numbers = (x0, x1, y0, y1) if kind == "box" else (x0, y0, x1, y0, x1, y1, x0, y1)
    session.attempt(lambda: session.select(kind, numbers))
    (step,) = session.choice.steps
    assert step_from_text(step.to_text()) == step
    assert len(step.to_text()) < 20 * len(numbers)
    assert session.chosen is not None
    inside = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
    assert abs(np.count_nonzero(session.chosen) - np.count_nonzero(inside)) <= 2


def test_address_of_what_is_as_always_is_empty() -> None:
    assert to_query(Choice()) == ""


@given(st.dictionaries(st.sampled_from(["run", "mode", "view", "select", "hide", "within", "point", "tab"]), st.text()))
def test_any_address_gives_a_choice(query: dict[str, str]) -> None:
    choice = Choice(**from_query(query))
    assert all(step.kind != "where" or step.pairs for step in choice.steps)
    assert choice.window is None or np.isfinite(choice.window).all()


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), min_size=1).map(tuple))
def test_pairs_survive_their_signs(pairs: tuple[tuple[str, str], ...]) -> None:
    assert pairs_from_text(pairs_to_text(pairs)) == pairs


@pytest.mark.parametrize(
    "text",
    [
        "",
        "box:1,2,3,4",
        "=box:1,2,3",
        "=box:2,1,0,1",
        "=lasso:0,0,1,1",
        "=box:nan,1,0,1",
        "=where:",
        "=find:",
        "=rows:1",
        "=within:size=1",
        "=within:size",
        "=all:1",
    ],
)
def test_what_is_no_step_is_none(text: str) -> None:
    assert step_from_text(text) is None


def test_a_selection_that_is_too_long_stays_out_of_the_address() -> None:
    choice = Choice(steps=(Step("new", "lasso", tuple(np.linspace(0, 1, 4000))),))
    assert to_query(choice) == ""


def test_steps_add_and_take_away() -> None:
    opened = square()
    left = Step("new", "box", (-1.0, 0.5, -1.0, 2.0))  # points 0 and 2
    top = Step("add", "box", (-1.0, 2.0, 0.5, 2.0))  # 2 and 3
    corner = Step("subtract", "lasso", (-0.5, -0.5, 0.5, -0.5, 0.5, 0.5, -0.5, 0.5))  # 0
    mask = selected((left, top, corner), opened.n, opened.matching)
    assert mask is not None
    assert mask.tolist() == [False, False, True, True]
    assert selected((), opened.n, opened.matching) is None


def test_a_step_keeps_what_is_in_both() -> None:
    opened = square()
    steps = (
        Step("new", "all"),
        Step("keep", "within", pairs=(("size", "0.5~2.5"),)),  # 0, 1 and 2, both ends included
        Step("keep", "where", pairs=(("label", "b"),)),  # 1 and 2
    )
    mask = selected(steps, opened.n, opened.matching)
    assert mask is not None
    assert mask.tolist() == [False, True, True, False]
    for column in ("label", "nothing"):
        with pytest.raises(InputError, match="of numbers or times to limit"):
            opened.matching(Step("new", "within", pairs=((column, "0~1"),)))


def test_classes_are_selected_by_name() -> None:
    opened = square()
    assert opened.matching(Step("new", "where", pairs=(("label", SCRIPT),))).tolist() == [True, False, False, True]
    with pytest.raises(InputError, match="class of label"):
        opened.matching(Step("new", "where", pairs=(("label", "none such"),)))


def test_no_label_is_html(tmp_path: Path) -> None:
    """Each pane with a script for a label, a column and a name: the text is there, the element is not."""
    opened = square()
    opened.points[f"{SCRIPT}_number"] = [0.1, 0.2, 0.3, 0.4]
    mask = np.array([True, False, False, False])
    pages = [
        views.look(Choice(), opened, [], SCRIPT, mask),
        views.header(SCRIPT),
        views.message(SCRIPT, failed=True, hint=SCRIPT),
        side.point(opened, 0, True),
        side.selection(opened, mask, (), (), 0),
        side.mistakes(Opened("m", opened.points.assign(cluster=[0, 1, 0, 1])), (("label", SCRIPT), ("cluster", "0"))),
    ]
    for html in pages:
        assert "alert" in html
        assert "<script" not in html
        assert not re.search(r'="[^"]*<', html)


def test_legend_counts_what_is_selected() -> None:
    entries = views.legend(Choice(), square(), np.array([True, True, True, False]))
    assert [(e["name"], e["selected"], e["count"]) for e in entries] == [(SCRIPT, 1, 2), ("b", 2, 2)]


def test_a_class_has_the_colour_that_a_person_gives_it(session: Session) -> None:
    assert session.opened is not None
    session.act("paint", {"name": "4", "colour": "#00ff7f"})
    session.act("paint", {"name": "4", "colour": "#010203"})
    for bad in ({"name": "4", "colour": "red"}, {"name": "<b>", "colour": "#000000"}, {}, None, "4"):
        session.act("paint", bad)
    assert session.choice.paints == (("label", "4", "#010203"),)
    assert session.layer(session.opened).key.colours[4].tolist() == [1, 2, 3]
    assert views.legend(session.choice, session.opened, None)[4]["colour"] == "#010203"
    assert "background:#010203" in side.selection(session.opened, np.ones(300, bool), (), (), 0, session.choice.paints)
    # Nobody else sees it: the run's own key is as it was.
    assert session.opened.codes("label")[1].colours[4].tolist() != [1, 2, 3]
    session.act("unpaint", "")
    assert session.choice.paints == ()


def test_the_newest_run_is_opened(store: Path, session: Session) -> None:
    assert session.opened is not None
    assert session.choice.run == rows_of(store)[-1]["run"]
    assert session.opened.n == 300


def test_runs_are_read_once_for_all_sessions(store: Path, session: Session) -> None:
    assert session.opened is Session(store, None, Choice()).opened


@pytest.mark.parametrize("name", ["../runs", "/etc", "..", ".", "", "digits-pca-scikit-learn", "\x00"])
def test_no_name_leads_out_of_the_store(store: Path, name: str) -> None:
    with pytest.raises(InputError):
        open_stored(store, name)


def test_a_hostile_address_opens_a_run_and_says_why(store: Path) -> None:
    session = Session(store, None, Choice(**from_query({"run": "../../etc/passwd", "select": "=where:label=nobody"})))
    assert session.opened is not None
    assert "unknown run" in session.error
    assert session.chosen is None


def test_filters_hide_from_the_selection(session: Session) -> None:
    session.act("hide", "4")
    session.attempt(lambda: session.select("box", (-1e9, 1e9, -1e9, 1e9)))
    assert session.opened is not None
    assert session.chosen is not None
    labels = session.opened.points["label"].to_numpy()
    assert session.chosen.tolist() == (labels != 4).tolist()
    session.act("hide", "4")
    assert session.chosen.all()
    session.act("only", "4")
    assert session.chosen.tolist() == (labels == 4).tolist()


def test_undo_and_clear(session: Session) -> None:
    session.act("cell", pairs_to_text((("label", "4"),)))
    fours = session.chosen
    session.act("how", "add")
    session.attempt(lambda: session.select("box", (-1e9, 1e9, -1e9, 1e9)))
    assert session.chosen is not None
    assert session.chosen.all()
    session.act("undo", "")
    assert session.chosen.tolist() == fours.tolist()  # type: ignore[union-attr]
    session.act("clear", "")
    assert session.chosen is None


@pytest.mark.parametrize(
    ("do", "value"),
    [
        ("colour", "nothing"),
        ("colour", None),
        ("cell", "label=11,cluster=12"),
        ("run", "../.."),
        ("other", "../.."),
        ("limit", {"column": "label", "low": "0"}),
        ("limit", {"column": "neighbor_recall", "low": "few"}),
        ("limit", {"column": "neighbor_recall", "high": "inf"}),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(session: Session, do: str, value: object) -> None:
    before = (session.opened, session.choice.colour, session.choice.limits)
    session.act(do, value)
    assert session.error.endswith((".", "?"))
    assert (session.opened, session.choice.colour, session.choice.limits) == before


@pytest.mark.parametrize("do", ["__class__", "attempt", "nothing", "do_run", "", "a b"])
def test_what_is_no_action_is_passed_over(session: Session, do: str) -> None:
    before = to_query(session.choice)
    session.act(do, {"any": "thing"})
    assert to_query(session.choice) == before


def test_comparison_links_selections_by_row(store: Path) -> None:
    names = [row["run"] for row in rows_of(store)]
    session = Session(store, None, Choice(run=names[0], other=names[1]))
    assert session.opened is not None
    assert session.other is not None
    assert session.opened.points["displacement"].notna().all()
    # The same map by the same method: nothing moves.
    assert session.opened.points["displacement"].max() == pytest.approx(0, abs=1e-5)
    x0, x1, y0, y1 = 0.0, 1e9, -1e9, 1e9
    session.attempt(lambda: session.select("box2", (x0, x1, y0, y1)))
    right = set(session.other.points["row"][session.other.points["x"] >= 0])
    assert session.chosen is not None
    assert set(session.opened.points["row"][session.chosen]) == right
    html = side.compare(session.opened, session.other, session.comparison, rows_of(store), "")
    assert "300</b> rows in common" in html


def test_the_point_at_the_cursor_is_held_until_let_go(session: Session) -> None:
    assert session.opened is not None
    x, y = (float(values[5]) for values in session.opened.axes())
    assert session.point_at(session.opened, x, y, 1e-6, False)
    assert session.pointed == 5
    session.point_at(session.opened, x, y, 1e-6, True)
    assert session.choice.point == 5
    far_x, far_y = (float(values.max()) + 1 for values in session.opened.axes())
    session.point_at(session.opened, far_x, far_y, 1e-6, False)
    assert session.pointed == 5
    session.act("release", "")
    assert session.choice.point == -1


def test_points_card_has_both_lists(session: Session) -> None:
    assert session.opened is not None
    html = side.point(session.opened, 5, False)
    assert html.count("data:image/png") == 1 + 8 + 8
    assert "Nearest in the data" in html
    assert side.point(session.opened, 300, False).count("data:image") == 0


def papers() -> Opened:
    """Points without images, with a column of text that tells them apart and one that does not."""
    rng = np.random.default_rng(0)
    label = [None, *(f"A field of research: topic {i}" for i in range(40))] * 5
    columns = {"x": rng.normal(size=205), "y": rng.normal(size=205), "label": label, "cluster": np.arange(205) % 10}
    return Opened("papers", pd.DataFrame({**columns, "kind": "paper", "title": [f"Title <{i}>" for i in range(205)]}))


def test_texts_that_tell_points_apart_are_no_colours() -> None:
    n = 3_000
    columns = {"title": [f"title {i}" for i in range(n)], "x": np.arange(n), "y": 0.0, "kind": ["a", "b"] * (n // 2)}
    opened = Opened("table", pd.DataFrame({**columns, "author": [f"author {i % 900}" for i in range(n)]}))
    assert opened.telling() == ["title"]
    assert opened.colours() == ("kind", "author", "density")
    assert opened.colours() is opened.colours()  # Asked for with every frame, of thousands of columns perhaps.
    with pytest.raises(InputError, match="'title' is another text at nearly every point"):
        opened.layer("title")
    assert headline(opened) == "title"
    assert search.found(opened.points, "title 2999").nonzero()[0].tolist() == [2_999]
    html = views.look(Choice(colour="kind"), opened, [], "", None)  # type: ignore[no-untyped-call]
    assert "nearly every point has a text of its own there: title." in html
    few = Opened("few", opened.points.head(900))
    assert "title" in few.colours()


def test_points_without_images_are_told_by_their_text() -> None:
    opened = papers()
    assert headline(opened) == "title"
    mask = np.arange(205) < 100
    first, other = (side.selection(opened, mask, (), (), seed) for seed in (0, 1))
    listed = re.findall(r'data-value="(\d+)".*?title="row (\d+).*?<span class="brief text">Title &lt;(\d+)&gt;', first)
    assert len(listed) == 30
    assert all(int(place) == int(row) == int(title) < 100 for place, row, title in listed)
    assert first != other
    assert side.selection(opened, np.arange(205) == 3, (), (), 0).count("brief text") == 1
    assert "brief text" not in side.selection(opened, np.zeros(205, bool), (), (), 0)
    intruders = side.mistakes(opened, ())
    assert "Title &lt;" in intruders
    assert " in A field of research: topic" in intruders


@pytest.mark.parametrize("title", ["Maps of {}", "关于第{}篇论文的地图"])
@pytest.mark.parametrize("kind", ["str", "category"])
def test_points_are_told_by_a_sentence_before_an_id(title: str, kind: str) -> None:
    """Ids differ at every point and may be longer than a title, which two points may share at times."""
    n = 300
    names = {"key": "k{}", "id": "3f2504e0-4f89-11d3-9a0c-{:012d}", "note": "a {}", "title": title}
    texts = {column: [name.format(max(i, 9)) for i in range(n)] for column, name in names.items()}
    texts |= {column: [names[column].format(i) for i in range(n)] for column in ("key", "id")}
    points = pd.DataFrame({"x": np.arange(n), "y": 0.0, **pd.DataFrame(texts).astype(kind)})
    assert headline(Opened("papers", points)) == "title"
    assert headline(Opened("papers", points.drop(columns=["title", "note"]))) == "id"
    points["title"] = pd.Series([None] * n, dtype="str")
    assert headline(Opened("papers", points)) == "note"


def test_names_of_a_legend_that_begin_alike_show_where_they_differ() -> None:
    entries = views.legend(Choice(colour="label"), papers(), None)
    assert len(entries) == 41
    assert all(entry["short"].endswith(entry["name"].rsplit(" ")[-1]) for entry in entries)
    assert len({entry["short"][:16] for entry in entries}) == 41


def test_only_text_that_tells_points_apart_is_a_headline() -> None:
    points = papers().points
    assert headline(Opened("classes", points.drop(columns="title"))) is None
    assert headline(Opened("few", points.assign(title=points["title"].where(np.arange(205) < 90)))) is None


def test_forty_labels_and_points_without_one_have_a_heat_map() -> None:
    html = side.mistakes(papers(), ())
    assert html.count("<tr>") == 41
    heads = re.findall(r'<span class="brief" title="A field of research: topic (\d+)">(.*?)</span>', html)
    assert len(heads) == 40
    assert all(short.endswith(f" {number}") for number, short in heads)
    assert len({short for _, short in heads}) == 40


def test_mistakes_add_up(session: Session) -> None:
    """The cells of the heat map hold each point once."""
    assert session.opened is not None
    html = side.mistakes(session.opened, ())
    counts = [int(text) for text in re.findall(r'title="(\d+) of label', html)]
    assert sum(counts) == 300
    strangers = session.opened.strangers()
    assert (session.opened.votes().among != session.opened.codes("label")[0]).sum() == len(strangers)


def test_many_classes_have_no_heat_map_but_their_mistakes(session: Session) -> None:
    assert session.opened is not None
    clusters = np.arange(300) % 50
    html = side.mistakes(Opened("many", session.opened.points.assign(cluster=clusters)), ())
    assert "10 labels and 50 clusters are too many for a heat map" in html
    assert 'class="heat' not in html
    assert "among" in html.split("Confused most on the map")[1]
    assert html.count('data-do="point"') == min(len(session.opened.strangers()), 60) > 0


def test_selection_as_a_program_gives_the_same_rows(session: Session) -> None:
    session.attempt(lambda: session.select("lasso", (-1e3, -1e3, 1e3, -1e3, 0.0, 1e3)))
    assert session.opened is not None
    html = side.selection(session.opened, session.chosen, session.choice.steps, session.filters(), 0)
    code = re.search(r"<pre>(import .*?)</pre>", html, re.DOTALL)
    assert code is not None
    from html import unescape

    scope: dict[str, pd.DataFrame] = {}
    exec(unescape(code[1]), scope)
    assert session.chosen is not None
    assert scope["rows"]["row"].tolist() == session.opened.points["row"][session.chosen].tolist()


def test_what_the_filters_let_through_can_be_selected_and_had_as_a_program(session: Session) -> None:
    assert session.opened is not None
    points = session.opened.points
    session.act("only", "4")
    session.act("limit", {"column": "neighbor_recall", "low": "0.123456789", "high": "0.4"})
    session.act("everything", "")
    recall = points["neighbor_recall"]
    wanted = (points["label"] == 4) & (recall >= 0.123456789) & (recall <= 0.4)
    assert session.chosen is not None
    assert session.chosen.tolist() == wanted.tolist()
    assert session.choice.tab == "selection"
    html = side.selection(session.opened, session.chosen, session.choice.steps, session.filters(), 0)
    code = re.search(r"<pre>(import .*?)</pre>", html, re.DOTALL)
    assert code is not None
    from html import unescape

    scope: dict[str, pd.DataFrame] = {}
    exec(unescape(code[1]), scope)
    assert scope["rows"]["row"].tolist() == points["row"][wanted].tolist()


def test_a_selection_that_no_address_holds_says_so(session: Session) -> None:
    assert session.opened is not None
    session.choice.tab = "selection"
    for corners, lost in ((4, False), (4000, True)):
        session.attempt(lambda corners=corners: session.select("lasso", tuple(np.linspace(0, 1, corners))))  # type: ignore[misc]
        assert ("a link to this view does not carry it" in panes.beside_the_map(session)()) is lost


def test_the_card_has_all_digits_of_an_id() -> None:
    points = square().points.drop(columns="label").assign(id=1650000000000000001 + np.arange(4))
    assert "1650000000000000002" in side.point(Opened("ids", points), 1, True)


def test_the_selection_is_judged_beside_the_rest(session: Session) -> None:
    """Label accuracy, recall and misfits of the fours and of all others, as the judge counts them over all."""
    assert session.opened is not None
    points, run_ = session.opened.points, session.opened.run
    assert run_ is not None
    session.act("cell", pairs_to_text((("label", "4"),)))
    html = side.selection(session.opened, session.chosen, session.choice.steps, session.filters(), 0)
    cells = r'<td title="[^"]*">{}</td><td class="n">(.*?)</td><td class="n">(.*?)</td><td class="n">(.*?)</td>'
    n = len(points)
    fours = (points["label"] == 4).to_numpy()
    found = re.search(cells.format("label accuracy"), html)
    assert found is not None
    inside, outside = (float(text.rstrip("%")) / 100 for text in found.groups()[:2])
    overall = (inside * fours.sum() + outside * (~fours).sum()) / n
    assert overall == pytest.approx(run_.scores.values["label_accuracy"], abs=1e-3)
    assert found[3] == f"at most {points['label'].value_counts().max() / n:.1%}"
    found = re.search(cells.format("mean neighbour recall"), html)
    assert found is not None
    recall = points["neighbor_recall"]
    assert found.groups() == (f"{recall[fours].mean():.3f}", f"{recall[~fours].mean():.3f}", f"{15 / 299:.2g}")
    found = re.search(cells.format("misfits"), html)
    assert found is not None
    assert found.groups()[:2] == (f"{points['misfit'][fours].mean():.1%}", f"{points['misfit'][~fours].mean():.1%}")


def test_the_selection_against_the_rest() -> None:
    """Absent values have no class, names are not compared, and places say nothing."""
    points = pd.DataFrame(
        {
            "row": np.arange(100),
            "x": np.arange(100) / 7,
            "y": 0.0,
            "label": ["a"] * 3 + ["b"] * 2 + [None] * 95,
            "file": [f"{i}.png" for i in range(100)],
            "size": np.arange(100) / 2 + 0.25,
        }
    )
    found = {(d.column, d.name): d for d in against_rest(Opened("m", points), np.arange(100) < 3)}
    assert set(found) == {("label", "a"), ("label", "b"), ("size", None)}
    assert (found["label", "a"].inside, found["label", "a"].outside) == (1.0, 0.0)
    assert found["label", "a"].effect == pytest.approx(1 / np.sqrt(0.24))
    assert found["size", None].inside == pytest.approx(0.75)
    with pytest.raises(InputError, match="over 5 points, not 100"):
        against_rest(Opened("m", points), np.ones(5, bool))


def test_many_columns_push_out_nothing_that_takes_long_to_make() -> None:
    random = np.random.default_rng(0)
    columns = {f"size {i}": random.integers(0, 10_000, 200) for i in range(120)}
    columns |= {f"kind {i}": random.integers(0, 3, 200) for i in range(120)}
    opened = Opened("wide", pd.DataFrame({"x": random.normal(size=200), "y": random.normal(size=200), **columns}))
    opened.arranged("kind 0")
    opened.nearest()
    for column in numbers(opened):
        histogram(opened, column)
    against_rest(opened, np.arange(200) < 50)
    for name in ("order", "nearest", ("arranged", "kind 0"), ("layer", "kind 0"), ("moments", "size 0")):
        assert opened.has(name), name
    # Copies of columns as floating numbers would fill the memory.
    assert sum(opened.has(("quantity", f"size {i}")) for i in range(120)) <= 8


def test_a_search_is_a_step_of_the_selection(session: Session) -> None:
    assert session.opened is not None
    rows = session.opened.points["row"]
    first = rows.iloc[:3].tolist()
    session.act("find", {"text": ", ".join(map(str, first))})
    assert session.chosen is not None
    assert rows[session.chosen].tolist() == first
    session.act("how", "add")
    session.act("find", {"text": "label=4"})
    assert session.chosen.sum() == ((session.opened.points["label"] == 4) | rows.isin(first)).sum()
    again = Session(session.store, None, Choice(**from_query(dict(parse_qsl(to_query(session.choice)[1:])))))
    assert again.chosen is not None
    assert again.chosen.tolist() == session.chosen.tolist()
    session.act("find", {"text": "label=eleven"})
    assert "no point has label 'eleven'" in session.error
    assert len(session.choice.steps) == 2
    session.act("undo", "")
    assert session.chosen.sum() == 3


def test_a_filter_is_a_range_that_all_of_it_takes_away(session: Session) -> None:
    assert session.opened is not None
    recall = session.opened.points["neighbor_recall"]
    session.act("limit", {"column": "neighbor_recall", "low": "", "high": "0.25"})
    assert session.visible is not None
    assert session.visible.tolist() == (recall <= 0.25).tolist()
    html = views.look(session.choice, session.opened, [], "", None, session.visible, session.sought)
    assert f"<span data-passing>{(recall <= 0.25).sum()}</span> of 300 points pass" in html
    session.act("limit", {"column": "neighbor_recall", "low": "0.5", "high": "0.25"})
    assert "smaller one first" in session.error
    assert len(session.choice.limits) == 1
    session.act("limit", {"column": "neighbor_recall", "low": "", "high": ""})
    assert session.visible is None


def test_an_end_that_is_not_sent_stays_as_it_is(session: Session) -> None:
    assert session.opened is not None
    low = 0.1234567890123
    session.act("limit", {"column": "neighbor_recall", "low": repr(low)})
    session.act("limit", {"column": "neighbor_recall", "high": "0.5"})
    assert session.choice.limits == (("neighbor_recall", low, 0.5),)
    session.act("limit", {"column": "neighbor_recall", "high": ""})
    assert session.choice.limits == (("neighbor_recall", low, session.opened.points["neighbor_recall"].max()),)


def test_thousands_of_hidden_classes_are_each_looked_up_once(session: Session) -> None:
    asked = 0

    class Name(str):
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal asked
            asked += 1
            return str.__eq__(self, other)

    n = 3_000
    labels = [f"c{i}" for i in range(n)]
    session.opened = Opened("many", pd.DataFrame({"row": range(n), "x": np.arange(n) / 7, "y": 0.0, "label": labels}))
    session.choice.hidden = (("row", "5"), ("none", "c0"), *(("label", Name(label)) for label in labels[2:]))
    session.attempt(lambda: None)
    assert session.visible is not None
    assert np.flatnonzero(session.visible).tolist() == [0, 1]
    assert session.filters() == (Step("keep", "where", pairs=(("label", "c0"), ("label", "c1"))),)
    session.act("everything", "")
    assert session.chosen is not None
    assert np.flatnonzero(session.chosen).tolist() == [0, 1]
    session.act("all", "")
    session.choice.hidden = (("label", "c0"), ("label", "c1"))
    session.act("everything", "")
    assert len(session.choice.steps) == 2
    assert session.chosen.sum() == n - 2
    assert asked < 20 * n


def test_the_legend_speaks_of_a_frame_that_is_watched(session: Session) -> None:
    frame = Opened("iteration 50", square().points.drop(columns=["row", "size"]))
    html = views.look(session.choice, session.opened, [], "", np.ones(300, bool), None, "", frame)
    assert "The map shows iteration 50 of a job: the legend counts its 4 points" in html
    assert re.findall(r'<span class="n">([^<]*)</span>', html) == ["2", "2"]


def test_compared_clusters_are_said_to_be_matched(store: Path) -> None:
    names = [row["run"] for row in rows_of(store)]
    session = Session(store, None, Choice(run=names[0], other=names[1], colour="cluster"))
    assert session.opened is not None
    assert session.other is not None
    html = side.compare(session.opened, session.other, session.comparison, rows_of(store), "", matched=session.matched)
    assert "Clusters are matched" in html
    keys = [opened.codes("cluster")[1] for opened in (session.opened, session.other)]
    assert keys[0].names == keys[1].names
    assert (keys[0].colours == keys[1].colours).all()
    assert session.matched is not None
    assert session.matched.shared > session.matched.chance


def test_frame_counts_all_points(session: Session) -> None:
    assert session.opened is not None
    layer = session.layer(session.opened)
    frame = draw_frame(layer, fit(layer.frame, 300, 200), "majority")
    assert frame.facts.points == frame.facts.coloured == 300
    assert frame.png.startswith(b"\x89PNG")
    session.act("cell", pairs_to_text((("label", "4"),)))
    marked = draw_frame(session.layer(session.opened), fit(layer.frame, 300, 200), "majority")
    assert marked.facts.points == 300
    assert marked.facts.coloured == int((session.opened.points["label"] == 4).sum())
    assert {name for name, _, _ in marked.names} == {"4"}


def test_few_points_are_drawn_as_their_images(session: Session) -> None:
    assert session.opened is not None
    x, y = (float(values[0]) for values in session.opened.axes())
    layer = session.layer(session.opened)
    view = fit(layer.frame, 200, 200, (x - 0.01, x + 0.01), (y - 0.01, y + 0.01))
    plain = draw_frame(layer, view, "majority")
    images = draw_frame(layer, view, "majority", images=session.opened.images())
    assert 0 < images.facts.points < 120
    assert images.png != plain.png


def test_own_file_becomes_colours_and_filters(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    square().points.to_csv(path, index=False)
    session = Session(store, OpenFile(path), Choice())
    assert session.opened is not None
    assert session.opened.run is None
    assert set(session.opened.colours()) == {"label", "size", "density"}
    assert side.scores(session.opened).count("no scores") == 1


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("data", "/etc/passwd", "known data sets"),
        ("sample", "many", "whole number or all"),
        ("perplexity", "x", "perplexity"),
        ("perplexity", "0", "perplexity"),
        ("method", "magic", "method"),
        ("preprocess", "magic", "preprocess"),
        ("engine", "magic", "engine"),
        ("clusters", "0", "n_clusters"),
    ],
)
def test_a_form_that_cannot_be_used_is_refused_in_a_sentence(field: str, value: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        making.recipe_of({**making.FORM, field: value})


def test_the_form_makes_a_recipe() -> None:
    recipe = making.recipe_of({**making.FORM, "data": "digits", "sample": "all", "method": "umap", "seed": "3"})
    assert (recipe.data.name, recipe.data.sample, recipe.embed.method, recipe.seed) == ("digits", "all", "umap", 3)
    assert making.recipe_of(making.FORM).embed.method == "tsne"
    ways = [name for name, _ in making._WAYS]
    assert sorted(ways) == sorted(["auto", *PREPROCESS])
    assert [making.recipe_of({**making.FORM, "preprocess": way}).preprocess for way in ways] == ways


def test_contrast_of_every_text_is_aa() -> None:
    """WCAG 2.1: 4.5 to 1 for text on the colours that it stands on, in both themes."""
    css = (Path(views.__file__).parent / "page.css").read_text(encoding="utf-8")
    for block in re.findall(r"{([^{}]*--paper: #[^{}]*)}", css):
        colour = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
        for ink, paper in (
            ("ink", "paper"),
            ("ink", "wash"),
            ("quiet", "paper"),
            ("quiet", "wash"),
            ("accent", "paper"),
            ("on-accent", "accent"),
            ("alarm", "paper"),
            ("alarm", "wash"),
        ):
            assert _contrast(colour[ink], colour[paper]) >= 4.5, (ink, paper)


def test_the_style_names_no_ink_of_its_own() -> None:
    """All text has one of the inks whose contrast is tested, on one of the papers that it is tested on."""
    for name in ("style.css", "grid.css"):
        css = (Path(views.__file__).parent / name).read_text(encoding="utf-8").replace(" !important", "")
        css = css.split("@media (forced-colors")[0]  # Those are the person's own.
        inks = re.findall(r"[{;\s]color: ([^;}]+)", css)
        assert set(inks) <= {f"var(--{ink})" for ink in ("ink", "quiet", "accent", "on-accent", "alarm")}, name
        papers = re.findall(r"background(?:-color)?: ([^;}]+)", css)
        plain = {"none", "#fff"}  # #fff is behind images only
        assert set(papers) <= plain | {f"var(--{paper})" for paper in ("paper", "wash", "accent", "edge")}, name


@pytest.mark.parametrize("right", [True, False])
def test_contrast_of_every_cell_of_the_heat_map_is_aa(right: bool) -> None:
    for share in (0.0001, *np.linspace(0.001, 1, 400)):
        style = cell_style(float(share), right)
        found = re.fullmatch(r"background:light-dark\((.*?),(.*?)\);color:light-dark\((.*?),(.*?)\)", style)
        assert found is not None
        for paper, ink in ((found[1], found[3]), (found[2], found[4])):
            assert _contrast(ink, paper) >= 4.5, (share, style)
    assert cell_style(0.0, right) == ""


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_ink_is_read_on_any_colour(colour: tuple[int, int, int]) -> None:
    paper = np.array(colour)
    found = contrast(ink_on(paper), paper)
    assert found >= 4.5
    assert found == pytest.approx(_contrast(views.hexadecimal(ink_on(paper)), views.hexadecimal(paper)), rel=1e-3)


def _contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
