"""Turn results into the tables of README.md and docs/, into figures, and into one interactive page.

    python -m benchmarks report [RESULTS ...] [--check] [--html PAGE]

Without RESULTS it reads every `benchmarks/results/*.jsonl`. With `--html` it writes that page and nothing else, of any
results. Otherwise it rewrites what stands between benchmark comments in
README.md and docs/*.md (see `benchmarks/documents.py`) and draws docs/images/benchmark-*.svg. With `--check` it
writes nothing and ends with 1 if a document or a figure is not what the results make of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gpu_pipeline.errors import InputError

from . import documents, figures, tables
from .cells import Table, as_markdown, number
from .results import read
from .series import FIGURES, Panel, digest
from .summary import TASKS, Machine, machines

ROOT = Path(__file__).parents[1]
DASHBOARD = "-dashboard.jsonl"
"""How the file of `benchmarks/dashboard.py` ends: its lines are of another kind."""

SCALE = "-scale.jsonl"
"""The same of `benchmarks/scale.py`."""

CAPTIONS = {
    "growth": "Time against the number of points, both logarithmic. Beside each engine the slope: 1 is in proportion.",
    "trade": "Speed against quality: left is faster. Grey is the Pareto front, where no engine is better in both.",
    "progress": "KL against time, from few iterations to many, whose numbers stand at the ends.",
    "stages": "Where the time goes: shares of each engine's own, and its whole as a multiple of the baseline's.",
}
"""Figure -> what it shows, for the documents and for the page."""


@dataclass(frozen=True)
class Report:
    """What the results say, before it is written anywhere."""

    machines: list[Machine]
    panels: dict[tuple[str, str], list[Panel]]
    """Machine and figure -> panels, where there are any."""
    dashboard: list[dict[str, Any]]


def gather(paths: Sequence[Path]) -> Report:
    """Read results files, `*-dashboard.jsonl` among them.

    Raises
    ------
    InputError
        If a file cannot be read, or is of a form that is not known.
    """
    found: list[Machine] = []
    dashboard = []
    for path in paths:
        if path.name.endswith(SCALE):
            continue  # written into docs/scale.md by benchmarks/scale.py itself
        if path.name.endswith(DASHBOARD):
            dashboard += _dashboard_lines(path)
        else:
            there = read(path)
            found += machines(path.name.removesuffix(".jsonl"), there.machines, there.results)
    drawn = {(one.name, name): make(one) for one in found for name, make in FIGURES.items()}
    return Report(found, {key: panels for key, panels in drawn.items() if panels}, dashboard)


def _dashboard_lines(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON lines: {error}.") from error


def blocks(report: Report, images: str) -> Mapping[str, Callable[[], str]]:
    """Name of a block -> its text. `images` is the way from the document to the figures."""

    def text(make: Callable[[Sequence[Machine]], list[Table]], empty: str = "No results yet.") -> Callable[[], str]:
        return lambda: as_markdown(make(report.machines), empty)

    return {
        "readme": text(tables.short_tables),
        "machines": text(tables.machine_table),
        "growth": text(tables.growth_table),
        "beaten": text(tables.beaten, "Nowhere."),
        "not-done": text(tables.not_done, "Nothing."),
        "notes": text(tables.notes, "Nothing."),
        **{task: text(partial(tables.task_tables, task=task)) for task in TASKS},
        **{f"figure-{name}": partial(_pictures, report, name, images) for name in FIGURES},
        "dashboard": lambda: as_markdown(dashboard_table(report.dashboard)),
    }


def _pictures(report: Report, name: str, images: str) -> str:
    """The figure of each machine, as Markdown."""
    found = [
        f"![{CAPTIONS[name]} On {machine}.]({images}/{file_of(machine, figure)})"
        for machine, figure in report.panels
        if figure == name
    ]
    return "\n\n".join([*found, CAPTIONS[name]]) if found else "No results yet."


def file_of(machine: str, figure: str) -> str:
    return f"benchmark-{machine}-{figure}.svg"


def dashboard_table(lines: Sequence[dict[str, Any]]) -> list[Table]:
    """What `benchmarks/dashboard.py` measured, in milliseconds as a person waits them; the start in seconds."""
    headings = ("points", "start, s", "first picture", "zoom", "lasso", "ring", "card", "largest message, kB", "on")
    rows = [
        (
            number(one["points"], 0),
            number(one["start"], 1),
            number(one["first"], 0),
            *(f"{one[what]['median']:.0f} ({one[what]['p95']:.0f})" for what in ("zoom", "lasso", "ring", "card")),
            number(one["largest"] / 1e3, 0),
            f"{one['threads']} threads of {one['cpu']}",
        )
        for one in lines
    ]
    return [Table("", headings, rows, (len(headings) - 1,))] if rows else []


def stale(report: Report, root: Path, write: bool) -> list[str]:
    """What in a checkout is not as the results have it, in words; with `write` it is put right.

    Raises
    ------
    InputError
        If a document names what the results do not have, or a figure cannot be drawn.
    """
    found = []
    changed = _changed(report, root)
    for path, text in changed.items():
        found.append(str(path.relative_to(root)))
        if write:
            path.write_text(text, encoding="utf-8")
    folder = root / "docs" / "images"
    wanted = {folder / file_of(*key): (key[1], panels) for key, panels in report.panels.items()}
    for path, (name, panels) in wanted.items():
        if not write:
            same = figures.digest_of(path) == digest(panels)
        else:
            drawn = figures.svg(name, panels)
            same = path.is_file() and path.read_text(encoding="utf-8") == drawn
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(drawn, encoding="utf-8")
        found += [] if same else [str(path.relative_to(root))]
    for path in sorted(set(folder.glob("benchmark-*.svg")) - set(wanted)):
        found.append(f"{path.relative_to(root)}, which no results ask for")
        if write:
            path.unlink()
    return found


def _changed(report: Report, root: Path) -> dict[Path, str]:
    """The documents that are not as the results have them, and what they should be."""
    if not (root / "README.md").is_file():
        raise InputError(f"{root} has no README.md: give the checkout whose documents are to be written.")
    changed = {}
    for path in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        before = path.read_text(encoding="utf-8")
        images = "docs/images" if path.parent == root else "images"
        try:
            after = documents.filled(before, blocks(report, images), report.machines)
        except InputError as error:
            raise InputError(f"{path.relative_to(root)}: {error}") from error
        if after != before:
            changed[path] = after
    return changed


def main(argv: Sequence[str] | None = None) -> int:
    """The command `report`; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="*", type=Path, metavar="RESULTS")
    parser.add_argument("--check", action="store_true", help="write nothing; end with 1 if anything is out of date")
    parser.add_argument(
        "--html", type=Path, metavar="PAGE", help="write one self-contained interactive page, and nothing else"
    )
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout whose documents are written")
    asked = parser.parse_args(argv)
    try:
        report = gather(asked.results or sorted((asked.root / "benchmarks" / "results").glob("*.jsonl")))
        if asked.html:
            from . import html_report

            html_report.write(report, asked.html)
            print(f"written: {asked.html}")
            return 0
        found = stale(report, asked.root, write=not asked.check)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    for what in found:
        print(f"{what} is not what the results say" if asked.check else f"written: {what}")
    if asked.check and found:
        print("Run `python -m benchmarks report`.")
    return int(asked.check and bool(found))
