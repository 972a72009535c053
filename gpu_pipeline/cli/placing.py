"""The command that places new rows on the map of a stored run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .making import rows_wanted
from .options import AsJson, Beside, DataDir, RunName, Store

if TYPE_CHECKING:
    from ..datasets import Dataset
    from ..record import Run


def place(
    name: RunName,
    data: Annotated[str, typer.Argument(help="The new rows: a known data set (see `gpu-pipeline data`) or a file.")],
    label_column: Annotated[str | None, typer.Option(help="Column of a file that holds the labels.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="Feature columns of a file, separated by commas; by default those of the run.")
    ] = None,
    keep: Annotated[
        str | None, typer.Option(help="Columns of a file that go with the points and are no features, by commas.")
    ] = None,
    beside: Beside = None,
    sample: Annotated[str | None, typer.Option(help="Rows to draw, or all.")] = None,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    data_dir: DataDir = None,
    to: Annotated[
        Path | None, typer.Option(help="Write the points to this .parquet or .csv, and nothing to the run's folder.")
    ] = None,
    out: Store = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Place new rows on the map of a stored run, which stays as it is."""
    from .. import placed, report, store

    if to is not None:
        placed.check_table(to)
    run = store.open_run(name, out)
    dataset, asked = _load(run, data, label_column, columns, keep, beside, rows_wanted(sample), seed, data_dir)
    made = placed.place(run, dataset, asked=asked)
    if to is not None:
        where = placed.write_table(made, to)
    else:
        made = placed.save(made, run)
        where = made.path / placed.FILES["points"] if made.path is not None else Path()
    if as_json:
        print(json.dumps({"points": str(where), **made.record}, allow_nan=False))
    else:
        report.show_placed(made.record, where)


def _load(
    run: Run,
    data: str,
    label_column: str | None,
    columns: str | None,
    keep: str | None,
    beside: str | None,
    sample: int | str | None,
    seed: int,
    data_dir: Path | None,
) -> tuple[Dataset, dict[str, Any]]:
    """The new rows, and what was asked for; of a table the columns that the run was made from, or those named in their
    stead, in that order."""
    from .. import datasets

    how = run.reference.preparation
    names = None if how is None else how.names
    chosen = columns.split(",") if columns is not None else None
    if chosen is None and names is not None and datasets.is_table(data):
        chosen = list(names)
    asked: dict[str, Any] = {
        **{"name": data, "sample": "all" if sample is None else sample, "seed": seed},
        **{"label_column": label_column, "columns": chosen},
        "beside": None if beside is None else str(Path(beside).expanduser().absolute()),
    }
    rows = datasets.load(**asked, data_dir=data_dir, keep=keep.split(",") if keep is not None else None, varies=False)
    known = data in ("auto", *datasets.DATASETS)
    asked["name"] = rows.name if known else str(Path(data).expanduser().absolute())
    renamed = columns is not None and names is not None and set(chosen or ()) != set(names)
    return (replace(rows, columns=None) if renamed else rows), asked
