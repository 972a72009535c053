"""The report: figures worked out by hand, documents that follow the results, and nothing in a result becomes markup."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from conftest import missing

from benchmarks import documents, figures, series, spread, summary, tables
from benchmarks.cells import Table, as_markdown, markdown, plain, ratio
from benchmarks.report import dashboard_table, gather, main
from gpu_pipeline.errors import InputError

ROOT = Path(__file__).parents[1]
SCRIPT = "<script>alert(1)</script>"
CPU = {"cpu": "Some CPU", "threads": 2, "memory": 8 * 2**30, "gpu": None, "gpu_reason": "no driver", "peers": {}}
GPU = {**CPU, "gpu": {"name": "Some GPU"}}


def result(engine: str, run: float | None, n: int = 1000, repeat: int = 0, **others: Any) -> dict[str, Any]:
    """A result of t-SNE that took `run` seconds; `others` are fields, or scores by their names."""
    scores = {name: others.pop(name) for name in ("kl", "recall_15", "inertia") if name in others}
    line = {
        **{"schema": 1, "kind": "result", "machine": "a", "case": f"tsne-mnist-{n}", "task": "tsne", "data": "mnist"},
        **{"n": n, "settings": {"iterations": 1000}, "engine": engine, "device": "cpu", "threads": 2},
        **{"seed": repeat, "repeat": repeat, "status": "done", "reason": None, "notes": [], "stages": {}},
        "seconds": {"load": 9.0, "transfer": None, "warm_up": 9.0, "run": run, "fetch": None, "score": 9.0},
        **{"cpu_seconds": None, "memory": {"host": 2_000_000, "device": None}, "scores": scores},
        **{"load_average": 0.5, "at": "2026-01-02T03:04:05+00:00"},
    }
    assert set(others) <= set(line)
    return line | others


def refusal(engine: str, reason: str, status: str = "refused", **others: Any) -> dict[str, Any]:
    return result(engine, None, status=status, reason=reason, memory={}, **others)


def machine(key: str = "a", facts: dict[str, Any] = CPU) -> dict[str, Any]:
    return {"schema": 1, "kind": "machine", "id": key, "facts": facts}


Lines = list[dict[str, Any]]


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(lines: Lines, name: str = "here.jsonl") -> Path:
        path = tmp_path / "benchmarks" / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return write


def machines_of(*lines: dict[str, Any]) -> list[summary.Machine]:
    records = {line["id"]: line["facts"] for line in lines if line["kind"] == "machine"}
    return summary.machines("here", records, [line for line in lines if line["kind"] == "result"])


def row(table: Table, **where: str) -> dict[str, str]:
    """The only row whose cells are these."""
    rows = [dict(zip(table.headings, cells, strict=True)) for cells in table.rows]
    (found,) = [one for one in rows if where.items() <= one.items()]
    return found


def test_medians_and_ranges() -> None:
    assert spread.spread([4, 1, 2]) == spread.Spread(2, 1, 4, 3)
    assert spread.spread([4, 1, 2, 3]) == spread.Spread(2.5, 1, 4, 4)
    assert spread.spread([None, 3, float("nan")]) == spread.Spread(3, 3, 3, 1)
    assert spread.spread([None]) is None


def test_some_of_many() -> None:
    assert spread.some([5, 10, 20, 40, 70], 3) == [5, 20, 70]
    assert spread.some([5, 10], 3) == [5, 10]


def test_slope() -> None:
    # 2 n^1.5 at three sizes.
    n = [100, 400, 900]
    assert spread.slope(n, [2 * 1000, 2 * 8000, 2 * 27000]) == pytest.approx(1.5)
    assert spread.slope([10, 10], [1, 2]) is None


@pytest.mark.parametrize(
    ("lower", "front"),
    [
        # From (1, 4) on the next that is better is (3, 1), then (5, 0.5); (2, 5) is worse, (4, 4) only as good.
        (True, [0, 2, 4]),
        # (1, 4) is the fastest, (2, 5) better; nobody is better than that.
        (False, [0, 1]),
    ],
)
def test_pareto_front(lower: bool, front: list[int]) -> None:
    points = [(1, 4), (2, 5), (3, 1), (4, 4), (5, 0.5), (1, 4)]
    assert spread.not_beaten(points, lower_is_better=lower) == front


def test_a_time_is_divided_by_that_of_its_own_repeat() -> None:
    # Pairs: 6 / 1, 8 / 2, 30 / 3: median 6, though the ratio of the medians is 8 / 2 = 4.
    lines = [result("mesh", t, repeat=i) for i, t in enumerate((1.0, 2.0, 3.0))]
    lines += [result("slow", 1.0, repeat=0, machine="b")]  # under a record before, and so no part of it
    lines += [result("slow", t, repeat=i) for i, t in enumerate((6.0, 8.0, 30.0))]
    lines += [result("slow", 1.0, repeat=3)]  # a repeat that mesh did not do is divided by nothing
    (here,) = machines_of(machine(), machine("b"), *lines)
    mesh, slow = here.lines
    assert mesh.time == spread.Spread(1, 1, 1, 3)
    assert slow.time == spread.Spread(6, 4, 10, 3)
    assert len(slow.samples) == 4
    (table,) = tables.task_tables([here], "tsne")
    assert row(table, engine="slow")["time, mesh = 1"] == "6.00 (4.00\N{EN DASH}10.0)"
    assert row(table, engine="mesh")["time, mesh = 1"] == "1.00"


def test_the_way_to_a_gpu_and_back_counts_and_its_seconds_are_shown() -> None:
    there = result("rapids", 0.5, device="cuda")
    there["seconds"] |= {"transfer": 0.25, "fetch": 0.05}
    (here,) = machines_of(machine(facts=GPU), result("mesh", 4.0), there)
    (table,) = tables.task_tables([here], "tsne")
    found = row(table, engine="rapids@cuda")
    assert (found["time, mesh = 1"], found["seconds"]) == ("0.20", "0.8")
    assert row(table, engine="mesh")["seconds"] == "\N{EN DASH}"
    with pytest.raises(InputError, match="not shown"):
        documents.figure([here], "tsne-mnist-1000/mesh/seconds")
    assert documents.figure([here], "tsne-mnist-1000/rapids@cuda/seconds") == "0.8"


def test_null_is_no_nought() -> None:
    (here,) = machines_of(machine(), result("mesh", 1.0, kl=1.5), result("other", None))
    (table,) = tables.task_tables([here], "tsne")
    other = row(table, engine="other")
    assert (other["time, mesh = 1"], other["KL"], other["samples"]) == ("\N{EN DASH}", "\N{EN DASH}", "1")
    assert "recall@15" not in table.headings  # nobody was measured


def test_inertia_is_over_the_lowest() -> None:
    cases = {"task": "kmeans", "case": "kmeans-10-mnist-1000"}
    lines = [result("scikit_learn", 1.0, inertia=50.0, **cases), result("faiss", 2.0, inertia=60.0, **cases)]
    (table,) = tables.task_tables(machines_of(machine(), *lines), "kmeans")
    assert row(table, engine="faiss")["inertia, best = 1"] == "1.2000"
    assert row(table, engine="faiss")["time, scikit_learn = 1"] == "2.00"


def test_what_was_not_done_is_said() -> None:
    lines = [
        result("mesh", 1.0),
        refusal("faiss", "knows no t-SNE"),
        refusal("faiss", "knows no t-SNE", n=2000),
        refusal("rapids", "no driver", status="unavailable"),
        refusal("slow", "not done after 5 s", status="timeout"),
    ]
    here = machines_of(machine(), *lines)
    (table,) = tables.not_done(here)
    assert row(table, engine="faiss")["cases"] == "tsne-mnist-1000, tsne-mnist-2000"
    assert row(table, engine="faiss")["times"] == "2"
    assert row(table, engine="rapids")["reason"] == "no driver"
    (shown,) = tables.short_tables(here)
    times = {engine: time for _, engine, time, *_ in shown.rows}
    assert times == {"mesh": "1.00", "faiss": "refused", "slow": "timeout"}


def test_what_failed_and_was_done_again_is_done(written: Callable[..., Path]) -> None:
    path = written([machine(), refusal("mesh", "crashed", status="failed"), result("mesh", 1.0)])
    (here,) = gather([path]).machines
    (line,) = here.lines
    assert (len(line.samples), len(line.troubles)) == (1, 0)


def test_two_computers_in_one_file_are_two_machines() -> None:
    lines = [machine(), machine("b", GPU), machine("c", {**CPU, "commit": "later"})]
    lines += [result("mesh", 1.0), result("mesh", 9.0, machine="b"), result("mesh", 2.0, repeat=1, machine="c")]
    first, second = machines_of(*lines)
    assert (first.name, second.name) == ("here-1", "here-2")
    assert [one.lines[0].times for one in (first, second)] == [[1.0], [1.0]]  # a and c are one computer, c is later
    assert [one.lines[0].samples[0]["machine"] for one in (first, second)] == ["c", "b"]
    assert documents.figure([first, second], "here-2:tsne-mnist-1000/mesh/samples") == "1"
    (table,) = tables.machine_table([first, second])
    assert row(table, **{"": "GPU"}) == {"": "GPU", "here-1": "no driver", "here-2": "Some GPU"}


def test_the_short_table_is_of_one_machine_with_a_gpu_and_one_without() -> None:
    lines = [machine(), machine("b", GPU), machine("c", {**CPU, "cpu": "Another"})]
    lines += [result("mesh", 1.0), result("mesh", 1.0, machine="b")]
    lines += [result(engine, 2.0, machine="c") for engine in ("mesh", "other")]
    shown = tables.short_tables(machines_of(*lines))
    assert [(one.caption.split(",")[0], len(one.rows)) for one in shown] == [("On here-3", 2), ("On here-2", 1)]


def test_a_record_without_results_is_no_machine() -> None:
    lines = [machine(facts={**CPU, "commit": "old"}), machine("b", GPU), machine("c", {**CPU, "commit": "new"})]
    (here,) = machines_of(*lines, result("mesh", 1.0, machine="c"))
    assert (here.name, here.facts["commit"]) == ("here", "new")


def test_a_task_that_is_not_known_is_an_error() -> None:
    with pytest.raises(InputError, match="unknown task 'tsn': did you mean 'tsne'"):
        machines_of(machine(), result("mesh", 1.0, task="tsn"))


@pytest.mark.parametrize(
    ("case", "n", "family"),
    [
        ("tsne-mnist-2000", 2000, "tsne-mnist"),
        ("tsne-mnist-20000-iterations-2000", 20000, "tsne-mnist-iterations-2000"),
        ("kmeans-1000-mnist-100", 100, "kmeans-1000-mnist"),
        ("draw-70000", 70000, "draw"),
    ],
)
def test_a_family_is_a_case_without_its_size(case: str, n: int, family: str) -> None:
    (here,) = machines_of(machine(), result("mesh", 1.0, n, case=case))
    assert here.lines[0].family == family


def several(*sizes: int) -> Lines:
    """mesh in proportion to n; slow ten times that at the first size, growing as n squared."""
    lines = [machine()]
    for n in sizes:
        lines.append(result("mesh", n / sizes[0], n, kl=1.5, recall_15=0.4))
        lines.append(result("slow", 10 * (n / sizes[0]) ** 2, n, kl=1.4, recall_15=0.3))
    return lines


def test_growth() -> None:
    (here,) = machines_of(*several(1000, 2000, 4000))
    (panel,) = series.growth_panels(here)
    assert panel["unit"] == "mesh at 1,000 = 1"
    assert panel["series"]["slow"]["points"] == [(1000, 10), (2000, 40), (4000, 160)]
    assert panel["series"]["slow"]["slope"] == pytest.approx(2)
    assert documents.figure([here], "tsne-mnist/slow/slope") == "2.00"
    assert documents.figure([here], "tsne-mnist/best/slope") == "mesh"
    assert documents.figure([here], "tsne-mnist/slow/time") == "10.0 to 40.0"


def test_seconds_under_different_records_are_never_compared() -> None:
    """The second record's computer is ten times slower: nothing of it may stand beside the first's seconds."""
    slower = [
        machine("b"),
        *(
            result(name, run, n, machine="b")
            for name, run, n in (("mesh", 20.0, 2000), ("mesh", 40.0, 4000), ("slow", 80.0, 4000))
        ),
    ]
    case = {"case": "tsne-mnist-1000-iterations-250", "settings": {"iterations": 250}, "machine": "b"}
    umap = result("umap_learn", 5.0, recall_15=0.1, task="umap", case="umap-mnist-1000", machine="b")
    (here,) = machines_of(*several(1000, 2000), *slower, result("mesh", 2.5, kl=2.0, **case), umap)
    (panel,) = series.growth_panels(here)
    assert panel["series"]["mesh"]["points"] == [(2000, 1), (4000, 2)]  # as many sizes, and the latest
    (here,) = machines_of(*several(1000, 2000, 3000), *slower, result("mesh", 2.5, kl=2.0, **case), umap)
    (panel,) = series.growth_panels(here)
    assert panel["series"]["mesh"]["points"] == [(1000, 1), (2000, 2), (3000, 3)]  # also what was measured again
    assert panel["series"]["slow"]["points"] == [(1000, 10), (2000, 40), (3000, 90)]
    assert documents.figure([here], "tsne-mnist-4000/slow/time") == "2.00"  # within its own record
    assert series.progress_panels(here) == []
    assert all("umap_learn, UMAP" not in panel["series"] for panel in series.trade_panels(here))


def test_speed_against_quality() -> None:
    umap = result("umap_learn", 0.5, recall_15=0.1, task="umap", case="umap-mnist-1000")
    pacmap = result("pacmap", 2.0, kl=None, recall_15=0.2)
    (here,) = machines_of(*several(1000), umap, pacmap)
    kl, recall = series.trade_panels(here)
    assert kl["series"] == {"mesh": (1.0, 1.5), "slow": (10.0, 1.4)}  # pacmap has none
    assert kl["front"] == ["mesh", "slow"]
    assert recall["series"]["umap_learn, UMAP"] == (0.5, 0.1)
    assert recall["front"] == ["umap_learn, UMAP", "mesh"]


def test_quality_against_time() -> None:
    lines = several(1000)
    for i, kl in ((250, 2.0), (500, 1.8)):
        case = {"case": f"tsne-mnist-1000-iterations-{i}", "settings": {"iterations": i}}
        lines.append(result("mesh", i / 1000, kl=kl, **case))
    other = {"case": "tsne-mnist-1000-hot", "settings": {"iterations": 750, "learning_rate": 9.0}}
    lines.append(result("mesh", 0.75, kl=3.0, **other))
    (panel,) = series.progress_panels(machines_of(*lines)[0])
    assert panel["series"] == {"mesh": [(0.25, 2.0, 250), (0.5, 1.8, 500), (1.0, 1.5, 1000)]}


def test_stages() -> None:
    made = [result("mesh", 4.0, stages={"neighbors": 1.0, "optimise": 2.0}), result("other", 8.0)]
    (panel,) = series.stage_panels(machines_of(machine(), *made)[0])
    shares = {"neighbors": 0.25, "optimise": 0.5, summary.REST: 0.25}
    assert panel["series"]["mesh"] == {"shares": shares, "time": 1.0}
    assert panel["series"]["other"] == {"shares": {summary.REST: 1.0}, "time": 2.0}


def test_where_others_win_is_said_only_beyond_the_spread() -> None:
    lines = [machine()]
    for i, (own, other) in enumerate(((0.40, 0.42), (0.41, 0.43))):
        lines += [result("mesh", 1.0, repeat=i, recall_15=own, kl=1.5)]
        lines += [result("other", 2.0, repeat=i, recall_15=other, kl=1.4 + 0.2 * i)]
    (table,) = tables.beaten(machines_of(*lines))
    (only,) = table.rows  # in KL the ranges overlap, in time mesh is faster
    assert only[2:] == (
        "recall@15",
        "other",
        "0.425 (0.420\N{EN DASH}0.430)",
        "0.405 (0.400\N{EN DASH}0.410)",
        "2 and 2",
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("tsne-mnist-1000/mesh", "names no figure"),
        ("tsne-mnist-1000/mesh/speed", "unknown figure"),
        ("tsne-mnist-9/mesh/time", "unknown case"),
        ("tsne-mnist-1000/mesch/time", "did you mean 'mesh'"),
        ("nowhere:tsne-mnist-1000/mesh/time", "unknown machine"),
    ],
)
def test_a_figure_that_is_not_there_is_an_error(name: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        documents.figure(machines_of(*several(1000)), name)


def test_a_figure_that_was_not_measured_is_a_dash() -> None:
    here = machines_of(*several(1000), refusal("bad", "cannot"), result("only", 1.0, 2000))
    for name in (
        "tsne-mnist-1000/bad/time",
        "tsne-mnist-1000/only/kl",
        "tsne-mnist-1000/mesh/ari",
        "tsne-mnist/bad/slope",
    ):
        assert documents.figure(here, name) == "\N{EN DASH}"


@pytest.mark.parametrize("text", ["<!-- benchmark:x -->\nno end", "<!--b:a/b/c--> no end", "<!-- /benchmark -->"])
def test_a_comment_without_its_partner_is_an_error(text: str) -> None:
    with pytest.raises(InputError, match="no partner"):
        documents.filled(text, {"x": str}, [])


@pytest.mark.parametrize(
    ("value", "text"), [(0.994, "0.99"), (9.99, "9.99"), (9.996, "10.0"), (99.96, "100"), (1234, "1,234")]
)
def test_ratios(value: float, text: str) -> None:
    assert ratio(value) == text


HOSTILE = f"{SCRIPT} | `a`\n<!-- /benchmark -->\u202e *b* [c](http://d) \\| e"


def test_a_reason_is_no_markdown() -> None:
    text = markdown(HOSTILE)
    assert not set("<>\n\u202e") & set(text)
    for sign in "|`*[":
        assert all(text[found.start() - 1] == "\\" for found in re.finditer(re.escape(sign), text))
    assert "\\\\\\|" in text  # the backslash does not take the bar's escape away
    assert markdown("scikit_learn _x_") == "scikit_learn \\_x\\_"
    assert len(plain("x" * 1000)) == 240
    (line, _, cells) = as_markdown([Table("", ("a", "b"), [(HOSTILE, "1")])]).splitlines()
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", cells)) == line.count("|") == 3


@pytest.fixture
def checkout(tmp_path: Path, written: Callable[..., Path]) -> Path:
    """A checkout with results, two documents and no figures yet."""
    written([*several(1000, 2000), refusal("bad", HOSTILE)])
    (tmp_path / "docs").mkdir()
    readme = (
        "# A\n\n<!-- benchmark:readme -->\n<!-- /benchmark -->\n\nslow: <!--b:tsne-mnist-1000/slow/time-->?<!--/b-->.\n"
    )
    (tmp_path / "README.md").write_text(readme)
    blocks = ("tsne", "umap", "not-done", "machines", "growth", "beaten", "notes", "figure-growth", "dashboard")
    text = "".join(f"<!-- benchmark:{name} -->\nold\n<!-- /benchmark -->\n" for name in blocks)
    (tmp_path / "docs" / "benchmarks.md").write_text(text)
    return tmp_path


def drawing() -> None:
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        missing("figures need Matplotlib: pip install '.[bench]'")


def test_documents_and_figures_follow_the_results(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawing()
    asked = ["--root", str(checkout)]
    assert main([*asked, "--check"]) == 1
    assert "README.md is not what the results say" in capsys.readouterr().out
    assert main(asked) == 0
    readme = (checkout / "README.md").read_text()
    assert "| 1,000 | mesh | 1.00 | 1.500 | 0.400 | 2 | 1 |" in readme
    assert "slow: <!--b:tsne-mnist-1000/slow/time-->10.0<!--/b-->." in readme
    page = (checkout / "docs" / "benchmarks.md").read_text()
    assert "(images/benchmark-here-growth.svg)" in page
    assert SCRIPT not in page
    assert "No results yet." in page  # UMAP
    assert {path.name for path in (checkout / "docs" / "images").iterdir()} == {
        "benchmark-here-growth.svg", "benchmark-here-trade.svg", "benchmark-here-stages.svg"
    }  # fmt: skip
    assert main([*asked, "--check"]) == 0
    assert main(asked) == 0  # the same again
    assert "written" not in capsys.readouterr().out.partition("stages.svg")[2]


@pytest.mark.parametrize(
    "what", ["README.md", "docs/benchmarks.md", "docs/images/benchmark-here-growth.svg", "results"]
)
def test_the_check_finds_what_was_changed_by_hand(checkout: Path, what: str) -> None:
    drawing()
    asked = ["--root", str(checkout)]
    assert main(asked) == 0
    if what == "results":
        with (checkout / "benchmarks" / "results" / "here.jsonl").open("a") as file:
            file.write(json.dumps(result("mesh", 2.0, n=4000)) + "\n")
    else:
        text = (checkout / what).read_text()
        changed = re.sub(r"sha256:\w{4}", "sha256:0000", text) if what.endswith("svg") else text.replace("10.0", "9.9")
        assert changed != text
        (checkout / what).write_text(changed)
    assert main([*asked, "--check"]) == 1


def test_nothing_is_written_where_a_document_names_what_the_results_lack(
    checkout: Path, written: Callable[..., Path]
) -> None:
    drawing()
    before = {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()}
    own = written([machine(), result("mesh", 1.0)], "own.jsonl")
    assert main(["--root", str(checkout), str(own)]) == 2
    assert {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file() and path != own} == before


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(tmp_path)]) == 2
    assert "has no README.md" in capsys.readouterr().err


def test_a_figure_that_nothing_asks_for_is_removed(checkout: Path) -> None:
    drawing()
    asked = ["--root", str(checkout)]
    assert main(asked) == 0
    stray = checkout / "docs" / "images" / "benchmark-gone-growth.svg"
    stray.write_text("<svg/>")
    assert main([*asked, "--check"]) == 1
    assert main(asked) == 0
    assert not stray.exists()


def test_figures_are_small_and_say_what_they_show(checkout: Path) -> None:
    drawing()
    lines = several(1000, 2000)
    lines += [result("mesh", 0.5, case="tsne-mnist-1000-short", settings={"iterations": 500}, kl=2.0)]
    (here,) = machines_of(*lines)
    for name, make in series.FIGURES.items():
        panels = make(here)
        text = figures.svg(name, panels)
        assert text == figures.svg(name, panels)  # the same bytes each time
        assert len(text) < 100_000
        assert series.digest(panels) in text
        assert "mesh" in text
    assert series.digest(panels) != series.digest([])


def test_without_matplotlib_there_is_a_sentence(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # what an import then raises is what a missing one raises
    assert main(["--root", str(checkout)]) == 2
    assert "pip install '.[bench]'" in capsys.readouterr().err
    assert main(["--root", str(checkout), "--check"]) == 1  # the check needs none


@pytest.mark.parametrize(
    "lines",
    [
        [{**machine(), "schema": 2}],
        [machine(), {**result("mesh", 1.0), "schema": 2}],
        [machine(), result("mesh", 1.0, machine="nobody")],
        [machine(), result("mesh", 1.0, status="fine")],
    ],
    ids=["machine", "result", "nobody", "status"],
)
def test_results_of_another_form_are_one_sentence(
    checkout: Path, written: Callable[..., Path], capsys: pytest.CaptureFixture[str], lines: Lines
) -> None:
    assert main(["--root", str(checkout), str(written(lines, "odd.jsonl"))]) == 2
    error = capsys.readouterr().err
    assert error.startswith("odd.jsonl, line")
    assert error.count("\n") == 1


def test_no_results_are_said(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("<!-- benchmark:readme -->\n<!-- /benchmark -->\n")
    assert main(["--root", str(tmp_path)]) == 0
    assert "No results yet." in (tmp_path / "README.md").read_text()


def test_the_dashboard_has_a_file_of_its_own(written: Callable[..., Path]) -> None:
    times = {"median": 81.2, "p95": 120.6}
    line = {
        "points": 70000,
        "start": 2.5,
        "first": 900,
        "again": 400,
        "zoom": times,
        "lasso": times,
        "ring": times,
        "card": times,
    }
    report = gather([written([{**line, "largest": 250_000, "cpu": "Some CPU", "threads": 2}], "here-dashboard.jsonl")])
    assert report.machines == []
    (table,) = dashboard_table(report.dashboard)
    assert table.rows[0] == ("70,000", "2.5", "900", *["81 (121)"] * 4, "250", "2 threads of Some CPU")


class Reader(HTMLParser):
    """Words of a page that are neither script nor style, and the scripts' sources."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inside, self.words, self.sources = "", "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.sources += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside not in ("script", "style"):
            self.words += data


def test_the_page_is_whole_and_holds_no_markup_of_a_result(checkout: Path, tmp_path: Path) -> None:
    drawing()
    page = tmp_path / "page.html"
    before = (checkout / "README.md").read_text()
    assert main(["--root", str(checkout), "--html", str(page)]) == 0
    assert (checkout / "README.md").read_text() == before
    text = page.read_text()
    reader = Reader(text)
    assert reader.sources == []
    assert plain(HOSTILE) in reader.words
    assert SCRIPT not in text
    assert "recall@15" in reader.words
    assert main(["--root", str(checkout), "--html", str(tmp_path / "none" / "page.html")]) == 2


def test_a_browser_shows_the_page(checkout: Path, tmp_path: Path) -> None:
    """A heading sorts the table, a reason in it is text, nothing is fetched, and nothing goes wrong."""
    drawing()
    if not Path("/usr/bin/chromium").exists():
        missing("there is no /usr/bin/chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    page_file = tmp_path / "page.html"
    assert main(["--root", str(checkout), "--html", str(page_file)]) == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        wrong: list[str] = []
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: wrong.append(request.url) if request.url.startswith("http") else None)
        page.goto(f"file://{page_file}")
        table = page.locator(".bk-DataTable").first
        table.locator(".slick-row").first.wait_for()
        heading = table.locator(".slick-header-column", has_text="status")
        heading.click()
        heading.click()
        table.locator(".slick-row").first.get_by_text("refused").wait_for()
        assert table.get_by_text(plain(HOSTILE)).count() == 1
        page.locator("select").first.select_option("tsne-mnist-2000")
        assert page.locator("script", has_text="alert(1)").count() == 0
        browser.close()
    assert wrong == []


def test_the_documents_of_this_checkout_are_what_its_results_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(ROOT), "--check"]) == 0, capsys.readouterr().out
