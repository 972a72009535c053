"""The commands that look at stored runs."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError, unknown_name
from .options import AsJson, RunName, Store

if TYPE_CHECKING:
    from ..record import Run


def list_runs(out: Store = Path("runs"), as_json: AsJson = False) -> None:
    """The stored runs with their scores."""
    from .. import report, store

    rows = [report.row(where) for where in store.list_runs(out)]
    if as_json:
        print(json.dumps({"runs": rows}, allow_nan=False))
    elif rows:
        report.table(rows)
    else:
        print(f"{out} holds no runs: make one with gpu-pipeline run.")


def show(name: RunName, out: Store = Path("runs"), as_json: AsJson = False) -> None:
    """One run: scores, engines, seconds, notes, and the settings that made it."""
    from .. import report, store

    opened = store.open_run(name, out)
    if as_json:
        print(json.dumps(report.summary(opened), allow_nan=False))
    else:
        report.show(opened)
        print(opened.record.recipe.to_toml(), end="")


def score(name: RunName, out: Store = Path("runs"), as_json: AsJson = False) -> None:
    """Score a stored run again, from its map and features; its points and its picture show the new scores."""
    from .. import report, store

    rescored = report.rescore(store.open_run(name, out))
    store.write_scores(rescored)
    if as_json:
        print(json.dumps(report.summary(rescored), allow_nan=False))
    else:
        report.show(rescored)


def draw(
    name: RunName,
    colour: Annotated[
        str, typer.Option(help="label, cluster, misfit, neighbor_recall, density or a column.")
    ] = "label",
    to: Annotated[
        Path | None,
        typer.Option(help="The PNG to write; by default <colour>.png, with the mode or scale, in the run's folder."),
    ] = None,
    width: Annotated[int, typer.Option(help="Pixels.")] = 1200,
    height: Annotated[int, typer.Option(help="Pixels.")] = 1000,
    mode: Annotated[
        str | None,
        typer.Option(help="Of classes: majority, mix, purity or density of a pixel."),
    ] = None,
    scale: Annotated[str, typer.Option(help="Of numbers: linear, or rank where a few are large.")] = "linear",
    names: Annotated[bool, typer.Option(help="Write the classes' names on the map.")] = True,
    out: Store = Path("runs"),
) -> None:
    """Draw a stored run by label, cluster, misfit, quality, density or any column."""
    from .. import store

    _check_png(to)
    opened = store.open_run(name, out)
    picture = opened.draw(colour, width=width, height=height, mode=mode, scale=scale, names=names)
    folder = store.find(name, out)
    how = [part for part in (mode, scale) if part not in (None, "linear")]
    target = to or folder / _picture_name("-".join([colour, *how]))
    print(store.replace_file(target, lambda draft: picture.save(draft, format="png")))


def compare(
    first: RunName,
    second: RunName,
    to: Annotated[
        Path | None, typer.Option(help="The PNG to write; by default compare-A-B.png beside the runs.")
    ] = None,
    out: Store = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Two runs on the same rows: scores side by side, displacement after alignment, common neighbours, a picture."""
    from .. import report, store

    _check_png(to)
    left, right = store.open_run(first, out), store.open_run(second, out)
    comparison, picture = report.compare(left, right)
    target = to or store.find(first, out).parent / f"compare-{comparison['runs'][0]}-{comparison['runs'][1]}.png"
    comparison["picture"] = str(store.replace_file(target, lambda draft: picture.save(draft, format="png")))
    if as_json:
        print(json.dumps(comparison, allow_nan=False))
    else:
        report.show_comparison(comparison)


def report(
    name: RunName,
    other: Annotated[str | None, typer.Argument(help="A second run on the same rows, to compare it with.")] = None,
    to: Annotated[
        Path | None, typer.Option(help="The file to write; by default report.html in the run's folder.")
    ] = None,
    out: Store = Path("runs"),
) -> None:
    """One HTML file with a run's pictures, scores, confusion and origin; two runs are compared as well."""
    from .. import page, store

    folder = store.find(name, out)
    opened = [store.open_run(each, out) for each in (name, other) if each is not None]
    if to is None:
        to = (
            folder / "report.html"
            if other is None
            else folder.parent / f"report-{'-'.join(map(_name_of, opened))}.html"
        )
    print(page.write(opened, to))


def rows(
    name: RunName,
    select: Annotated[
        str,
        typer.Option(
            help="Steps with ; between: = begins, + adds, - takes away, & keeps what is in both, then where:label=4 or "
            "where:label=none, within:price=0~10 (or times), box:x0,x1,y0,y1, or find: and what the dashboard's search "
            "takes, such as find:price<10 and label!=4. The dashboard shows it under a selection."
        ),
    ],
    kind: Annotated[
        str | None, typer.Option("--format", help="csv or parquet; by default as the file is named, else csv.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="The file to write; by default CSV on standard output.")] = None,
    out: Store = Path("runs"),
) -> None:
    """The rows of a stored run that a selection names, as CSV or Parquet."""
    from .. import store
    from ..dashboard.rows import rows
    from ..tables import KINDS, write_table

    if kind is None:
        kind = "parquet" if to is not None and to.suffix.lower() == ".parquet" else "csv"
    if kind not in KINDS:
        raise unknown_name("format", kind, KINDS)
    if kind == "parquet" and to is None:
        raise InputError("Parquet is no text to print: name a file with --to.")
    found = rows(name, select, out)
    if to is None:
        write_table(found, sys.stdout.buffer, kind)
    else:
        print(store.replace_file(to, lambda draft: write_table(found, draft, kind)))


def _check_png(to: Path | None) -> None:
    if to is not None and to.suffix.lower() not in ("", ".png"):
        raise InputError(f"pictures are written as PNG, not as {to.suffix}: name a file that ends in .png.")


def _picture_name(colour: str) -> str:
    """The file of a picture in a run's folder: by its colour, as far as a file may be named so and the run has none."""
    from .. import store

    name = re.sub(r"[^\w.-]+", "-", colour)[:80]
    own = f"{name}.png" in store.FILES.values() or not name[0].isalnum()
    return f"colour-{name}.png" if own else f"{name}.png"


def _name_of(run: Run) -> str:
    return run.path.name if run.path is not None else run.title()[0]
