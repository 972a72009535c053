"""The commands around runs: the dashboard, the data sets, this computer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError, unknown_name
from .options import AsJson, DataDir, Store


def dashboard(
    file: Annotated[
        Path | None, typer.Argument(help="A file of points (.parquet, .csv, .feather, .arrow, .npy) to look at.")
    ] = None,
    x: Annotated[str | None, typer.Option(help="Its column with the points' places along x.")] = None,
    y: Annotated[str | None, typer.Option(help="The same along y.")] = None,
    out: Store = Path("runs"),
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 5006,
    address: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 opens it to the network.")] = "127.0.0.1",
    allow_websocket_origin: Annotated[
        list[str] | None, typer.Option(help="HOST:PORT under which other computers reach it; may be repeated.")
    ] = None,
    basic_auth: Annotated[
        str | None,
        typer.Option(
            envvar="GPU_PIPELINE_BASIC_AUTH",
            show_envvar=True,
            help="A password, or a JSON file with names and passwords. Other users see what a command line says.",
        ),
    ] = None,
    num_threads: Annotated[
        int | None, typer.Option(help="Threads for what takes longer than a moment; 0 is one for each processor.")
    ] = None,
    prefix: Annotated[str | None, typer.Option(help="Path below which it is served, behind a proxy.")] = None,
    max_upload: Annotated[int, typer.Option(help="MiB of an uploaded file at most; 0 allows no uploads.")] = 256,
    show: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Explore the stored runs, or a file of one's own, in a browser."""
    from ..dashboard.server import OpenFile, serve

    if file is None and (x is not None or y is not None):
        raise InputError("--x and --y name columns of a file, but there is none: give its path.")
    serve(
        out,
        None if file is None else OpenFile(file.expanduser(), x, y),
        port=port,
        address=address,
        allow_websocket_origin=allow_websocket_origin or (),
        basic_auth=basic_auth,
        num_threads=num_threads,
        prefix=prefix,
        max_upload=max_upload,
        show=show,
    )


data = typer.Typer(help="The known data sets and where they lie; or make one.", rich_markup_mode=None)


@data.callback(invoke_without_command=True)
def list_data(context: typer.Context, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """The known data sets and where they lie; or make one."""
    from .. import report
    from ..datasets import locate

    if context.invoked_subcommand is not None:
        return
    rows = [
        {"data set": name, "at": str(path) if path else None, "note": note} for name, path, note in locate(data_dir)
    ]
    if as_json:
        print(json.dumps({"data": rows}))
    else:
        report.table(rows)


@data.command()
def make(
    name: Annotated[str, typer.Argument(help="Which: digits.")],
    out: Annotated[Path, typer.Option(help="The folder of Parquet files to fill, like big.parquet.")],
    rows: Annotated[int, typer.Option(min=1, help="How many.")] = 1_000_000,
    seed: Annotated[int, typer.Option(min=0, help="Of the deformations; the same seed gives the same bytes.")] = 0,
    processes: Annotated[int | None, typer.Option(min=1, help="That write at once; default one a processor.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write deformed digits as partitioned Parquet; started again it goes on where it was."""
    from rich.console import Console

    from ..datasets.making import make_digits
    from ..engines import Progress, threads
    from ..progress import Terminal

    if name != "digits":
        raise unknown_name("data set to make", name, ("digits",))
    with Terminal(Console(stderr=True)) as observer:
        observer.begin("make", None)
        written = make_digits(
            out,
            rows,
            seed=seed,
            processes=processes or threads(),
            report=lambda done, total: observer.progress("make", Progress(done=done, total=total)),
        )
    if as_json:
        print(json.dumps({"data": str(out), "rows": rows, "seed": seed, "written": written}))
    else:
        print(f"{out}: {rows:,} rows, {written} partitions written now")


def doctor(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Machine, driver, GPU, the state of each engine with its reason, data sets, versions."""
    from ..doctor import examine, show

    findings = examine(data_dir)
    if as_json:
        print(json.dumps(findings))
    else:
        show(findings)
