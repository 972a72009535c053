"""The command that makes a run: its flags as a recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from .options import AsJson, Beside, DataDir, Store

if TYPE_CHECKING:
    from ..recipe import Recipe


def run(
    data: Annotated[str | None, typer.Option(help="A known data set (see `gpu-pipeline data`) or a file.")] = None,
    data_dir: DataDir = None,
    sample: Annotated[str | None, typer.Option(help="Rows to draw, or all.")] = None,
    landmarks: Annotated[
        int | None, typer.Option(help="Rows to embed; all others are placed on their map, by Dask.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(help="With --landmarks: memory of all processes, like 4GB; default half of the free.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="With --landmarks: processes; default one a processor, as memory allows.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="With --landmarks: address of a Dask cluster that sees the same folders.")
    ] = None,
    label_column: Annotated[str | None, typer.Option(help="Column of a file that holds the labels.")] = None,
    columns: Annotated[str | None, typer.Option(help="Feature columns of a file, separated by commas.")] = None,
    keep: Annotated[
        str | None, typer.Option(help="Columns of a file that go with the points and are no features, by commas.")
    ] = None,
    beside: Beside = None,
    image_shape: Annotated[str | None, typer.Option(help="Height x width if rows are images, like 28x28.")] = None,
    preprocess: Annotated[
        str | None,
        typer.Option(
            help="auto, none, deskew (images), standardize (columns to mean 0, variance 1) or unit (rows to length 1: "
            "cosine)."
        ),
    ] = None,
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
    sample_seed: Annotated[
        int | None, typer.Option(help="Of the sample or the landmarks alone; by default the same.")
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="Settings from a TOML file; flags override them.")] = None,
    out: Store = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """Make a map: load, preprocess, reduce, embed, cluster, score, draw, store."""
    from ..recipe import from_toml, make

    overrides = _nested(
        {
            ("data", "name"): data,
            ("data", "sample"): rows_wanted(sample),
            ("data", "landmarks"): landmarks,
            ("data", "label_column"): label_column,
            ("data", "columns"): columns.split(",") if columns is not None else None,
            ("data", "keep"): keep.split(",") if keep is not None else None,
            ("data", "beside"): beside,
            ("data", "sample_seed"): sample_seed,
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
    asked = from_toml(recipe, overrides) if recipe else make(overrides)
    if asked.data.landmarks is not None:
        if data_dir is not None:
            raise InputError(
                "--data-dir is where known data sets are looked for, which are not read a partition at a time: give "
                "the path of a file or folder as --data, and leave --data-dir out."
            )
        _place_and_store(asked, memory, workers, scheduler, out, as_json)
        return
    if (memory, workers, scheduler) != (None, None, None):
        raise InputError("--memory, --workers and --scheduler are for runs with --landmarks: leave them out.")
    _run_and_store(asked, data_dir, out, as_json)


def _run_and_store(recipe: Recipe, data_dir: Path | None, out: Path, as_json: bool) -> None:
    from rich.console import Console

    from .. import pipeline, report, store
    from ..progress import Terminal

    store.writable(out)
    with Terminal(Console(stderr=True)) as observer:
        made = pipeline.run(recipe, data_dir=data_dir, observer=observer)
    store.save(made, out)
    if as_json:
        print(json.dumps(report.summary(made), allow_nan=False))
    else:
        report.show(made, notes=False)


def _place_and_store(
    recipe: Recipe, memory: str | None, workers: int | None, scheduler: str | None, out: Path, as_json: bool
) -> None:
    import psutil
    from rich.console import Console

    from .. import report, store
    from ..progress import Terminal
    from ..scale.cluster import Where
    from ..scale.run import run as place_all

    size = psutil.virtual_memory().available // 2 if memory is None else _bytes(memory)
    with Terminal(Console(stderr=True)) as observer:
        made = store.open_figures(place_all(recipe, Where(size, workers, scheduler), out, observer))
    if as_json:
        print(json.dumps(report.summary(made), allow_nan=False))
    else:
        report.show(made, notes=False)


def _bytes(text: str) -> int:
    """Bytes that a text like 4GB, 512 MiB or 1e9 says."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
    try:
        return int(float(number) * _UNITS[text[len(number) :].strip().lower().removesuffix("b")])
    except (ValueError, KeyError, OverflowError):
        raise InputError(f"--memory is {text!r}: give a size like 4GB or 512MiB.") from None


_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


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


def rows_wanted(text: str | None) -> int | str | None:
    """What --sample says: a number, "all" or nothing."""
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
