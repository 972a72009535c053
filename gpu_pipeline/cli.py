"""The command `gpu-pipeline`: parse, call, print."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import EngineFailed, InputError, Unavailable, Unsupported

if TYPE_CHECKING:
    from .recipe import Recipe
    from .record import Run

app = typer.Typer(
    help="Turn a large set of high-dimensional things into a map that can be trusted.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

# Typer does not export the class of its own usage errors; it is the base of one that it does.
_UsageError: type[Exception] = typer.BadParameter.__base__  # type: ignore[assignment]

RunName = Annotated[str, typer.Argument(help="A run: its folder, its name, or the beginning of its name.")]
Store = Annotated[Path, typer.Option("--out", help="Folder of the stored runs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else.")]
DataDir = Annotated[Path | None, typer.Option(help="Where to look for known data sets first.")]


def main() -> None:
    """Run the command line: exit code 0; 2 if input cannot be used; 1 if an engine broke; 130 on Ctrl-C."""
    try:
        code = app(standalone_mode=False) or 0
        sys.stdout.flush()
    except _UsageError as error:
        _fail(error.format_message(), 2)  # type: ignore[attr-defined]
    except (InputError, Unavailable, Unsupported) as error:
        _fail(str(error), 2)
    except EngineFailed as error:
        _fail(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except BrokenPipeError:
        # Whoever read the output has had enough (`| head`); what Python would still flush goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    # On Ctrl-C some versions of Typer raise Abort, and others return 130.
    if code == 130:
        _fail("stopped; nothing is left half-written.", code)
    sys.exit(code)


def _fail(sentence: str, code: int) -> None:
    # Some libraries break the lines of their errors; here each is one line.
    print("gpu-pipeline:", " ".join(sentence.split()), file=sys.stderr)
    sys.exit(code)


@app.callback(invoke_without_command=True)
def _no_command(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from . import __version__

        print(__version__)
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def run(
    data: Annotated[str | None, typer.Option(help="A known data set (see `gpu-pipeline data`) or a file.")] = None,
    data_dir: DataDir = None,
    sample: Annotated[str | None, typer.Option(help="Rows to draw, or all.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Column of a file that holds the labels.")] = None,
    columns: Annotated[str | None, typer.Option(help="Feature columns of a file, separated by commas.")] = None,
    image_shape: Annotated[str | None, typer.Option(help="Height x width if rows are images, like 28x28.")] = None,
    preprocess: Annotated[str | None, typer.Option(help="auto, none or deskew.")] = None,
    pca: Annotated[int | None, typer.Option(help="Components to reduce to; 0 keeps all columns.")] = None,
    method: Annotated[str | None, typer.Option(help="tsne, umap or pca.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="auto, or the name of an engine (see `gpu-pipeline doctor`).")
    ] = None,
    perplexity: Annotated[float | None, typer.Option(help="t-SNE: effective number of neighbours.")] = None,
    early_exaggeration: Annotated[float | None, typer.Option(help="t-SNE: attraction in the first phase.")] = None,
    exaggeration: Annotated[float | None, typer.Option(help="t-SNE: attraction afterwards.")] = None,
    iterations: Annotated[int | None, typer.Option(help="t-SNE: iterations of both phases.")] = None,
    n_neighbors: Annotated[int | None, typer.Option(help="UMAP: neighbours of each point.")] = None,
    min_dist: Annotated[float | None, typer.Option(help="UMAP: least distance on the map.")] = None,
    clusters: Annotated[int | None, typer.Option(help="k-means: number of clusters.")] = None,
    cluster_on: Annotated[str | None, typer.Option(help="map or features.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of every random choice.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="Settings from a TOML file; flags override them.")] = None,
    out: Store = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Make a map: load, preprocess, reduce, embed, cluster, score, draw, store."""
    from .recipe import from_toml, make

    overrides = _nested(
        {
            ("data", "name"): data,
            ("data", "sample"): _rows(sample),
            ("data", "label_column"): label_column,
            ("data", "columns"): columns.split(",") if columns is not None else None,
            ("data", "image_shape"): _shape(image_shape),
            ("preprocess",): preprocess,
            ("reduce", "n_components"): pca,
            ("embed", "method"): method,
            ("embed", "perplexity"): perplexity,
            ("embed", "early_exaggeration"): early_exaggeration,
            ("embed", "exaggeration"): exaggeration,
            ("embed", "iterations"): iterations,
            ("embed", "n_neighbors"): n_neighbors,
            ("embed", "min_dist"): min_dist,
            ("cluster", "n_clusters"): clusters,
            ("cluster_on",): cluster_on,
            ("engine",): engine,
            ("seed",): seed,
        }
    )
    _run_and_store(from_toml(recipe, overrides) if recipe else make(overrides), data_dir, out, as_json)


def _run_and_store(recipe: Recipe, data_dir: Path | None, out: Path, as_json: bool) -> None:
    from rich.console import Console

    from . import pipeline, report, store
    from .progress import Terminal

    store.writable(out)
    with Terminal(Console(stderr=True)) as observer:
        made = pipeline.run(recipe, data_dir=data_dir, observer=observer)
    store.save(made, out)
    if as_json:
        print(json.dumps(report.summary(made), allow_nan=False))
    else:
        report.show(made, notes=False)


@app.command(name="list")
def list_command(out: Store = Path("runs"), as_json: AsJson = False) -> None:
    """The stored runs with their scores."""
    from . import report, store

    rows = [report.row(where) for where in store.list_runs(out)]
    if as_json:
        print(json.dumps({"runs": rows}, allow_nan=False))
    elif rows:
        report.table(rows)
    else:
        print(f"{out} holds no runs: make one with gpu-pipeline run.")


@app.command()
def show(name: RunName, out: Store = Path("runs"), as_json: AsJson = False) -> None:
    """One run: scores, engines, seconds, notes, and the settings that made it."""
    from . import report, store

    opened = store.open_run(name, out)
    if as_json:
        print(json.dumps(report.summary(opened), allow_nan=False))
    else:
        report.show(opened)
        print(opened.record.recipe.to_toml(), end="")


@app.command()
def score(name: RunName, out: Store = Path("runs"), as_json: AsJson = False) -> None:
    """Score a stored run again, from its map and features."""
    from . import report, store

    rescored = report.rescore(store.open_run(name, out))
    store.write_scores(rescored)
    if as_json:
        print(json.dumps(report.summary(rescored), allow_nan=False))
    else:
        report.show(rescored)


@app.command()
def draw(
    name: RunName,
    colour: Annotated[
        str, typer.Option(help="label, cluster, misfit, neighbor_recall, density or a column.")
    ] = "label",
    to: Annotated[
        Path | None, typer.Option(help="The PNG to write; by default <colour>.png in the run's folder.")
    ] = None,
    width: Annotated[int, typer.Option(help="Pixels.")] = 1200,
    height: Annotated[int, typer.Option(help="Pixels.")] = 1000,
    out: Store = Path("runs"),
) -> None:
    """Draw a stored run by label, cluster, misfit, quality, density or any column."""
    from . import store

    opened = store.open_run(name, out)
    picture = opened.draw(colour, width=width, height=height)
    folder = store.find(name, out)
    target = to or folder / f"{colour}.png"
    print(store.replace_file(target, lambda draft: picture.save(draft, format="png")))


@app.command()
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
    from . import report, store

    left, right = store.open_run(first, out), store.open_run(second, out)
    comparison, picture = report.compare(left, right)
    target = to or store.find(first, out).parent / f"compare-{comparison['runs'][0]}-{comparison['runs'][1]}.png"
    comparison["picture"] = str(store.replace_file(target, lambda draft: picture.save(draft, format="png")))
    if as_json:
        print(json.dumps(comparison, allow_nan=False))
    else:
        report.show_comparison(comparison)


@app.command(name="report")
def report_command(
    name: RunName,
    other: Annotated[str | None, typer.Argument(help="A second run on the same rows, to compare it with.")] = None,
    to: Annotated[
        Path | None, typer.Option(help="The file to write; by default report.html in the run's folder.")
    ] = None,
    out: Store = Path("runs"),
) -> None:
    """One HTML file with a run's pictures, scores, confusion and origin; two runs are compared as well."""
    from . import page, store

    folder = store.find(name, out)
    opened = [store.open_run(each, out) for each in (name, other) if each is not None]
    if to is None:
        to = (
            folder / "report.html"
            if other is None
            else folder.parent / f"report-{'-'.join(map(_name_of, opened))}.html"
        )
    print(page.write(opened, to))


@app.command()
def dashboard(
    file: Annotated[
        Path | None, typer.Argument(help="A file of points (.parquet, .csv, .feather, .npy) to look at.")
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
        int | None, typer.Option(help="Threads that answer different people at once; 0 is one for each processor.")
    ] = None,
    prefix: Annotated[str | None, typer.Option(help="Path below which it is served, behind a proxy.")] = None,
    show: Annotated[bool, typer.Option(help="Open a browser.")] = True,
) -> None:
    """Explore the stored runs, or a file of one's own, in a browser."""
    from .dashboard.server import OpenFile, serve

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
        show=show,
    )


@app.command()
def data(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """The known data sets and where they lie."""
    from . import report
    from .datasets import locate

    rows = [
        {"data set": name, "at": str(path) if path else None, "note": note} for name, path, note in locate(data_dir)
    ]
    if as_json:
        print(json.dumps({"data": rows}))
    else:
        report.table(rows)


@app.command()
def doctor(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Machine, driver, GPU, the state of each engine with its reason, data sets, versions."""
    from .doctor import examine, show

    findings = examine(data_dir)
    if as_json:
        print(json.dumps(findings))
    else:
        show(findings)


def _name_of(run: Run) -> str:
    return run.path.name if run.path is not None else run.title()[0]


def _nested(flags: dict[tuple[str, ...], Any]) -> dict[str, Any]:
    """The flags that were given, nested as in a recipe."""
    values: dict[str, Any] = {}
    for path, value in flags.items():
        if value is not None:
            place = values
            for part in path[:-1]:
                place = place.setdefault(part, {})
            place[path[-1]] = value
    return values


def _rows(text: str | None) -> int | str | None:
    if text is None or text == "all":
        return text
    try:
        return int(text)
    except ValueError:
        raise InputError(f"--sample is {text!r}: give a number of rows, or all.") from None


def _shape(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    try:
        height, width = map(int, text.split("x"))
    except ValueError:
        raise InputError(f"--image-shape is {text!r}: give height x width, like 28x28.") from None
    return height, width
