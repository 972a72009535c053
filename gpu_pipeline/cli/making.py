"""The command that makes a run: its flags as a recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from .options import AsJson, DataDir, Store

if TYPE_CHECKING:
    from ..recipe import Recipe


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
    from ..recipe import from_toml, make

    overrides = _nested(
        {
            ("data", "name"): data,
            ("data", "sample"): rows_wanted(sample),
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
