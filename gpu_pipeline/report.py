"""A run's figures for people and for programs: rows, tables, the JSON of the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from .errors import InputError
from .record import made_from, settings_of
from .store import FILES, read_record

if TYPE_CHECKING:
    from PIL import Image

    from .record import Run


def summary(run: Run) -> dict[str, Any]:
    """A stored run as one JSON object, the form of `--json`."""
    record, where = run.record, run.path
    return {
        "run": str(where),
        "dataset": record.dataset["name"],
        "n": record.dataset["n"],
        "recipe": record.recipe.model_dump(mode="json", exclude_none=True),
        "engines": record.engines,
        "skipped": record.skipped,
        "seconds": record.seconds,
        "transfer": record.transfer,
        "scores": run.scores.values,
        "sizes": run.scores.sizes,
        "notes": record.notes,
        "files": {} if where is None else {kind: str(where / name) for kind, name in FILES.items()},
    }


_COLUMNS = (
    *("settings", "n", "kl", "neighbor_recall", "label_accuracy", "accuracy", "silhouette", "seconds", "created"),
)


def row(where: Path) -> dict[str, Any]:
    """One line about a stored run, cheap to make: its points are not read.

    A run that cannot be read has dashes, so that one broken folder does not hide the others.
    """
    try:
        record = read_record(where)
        scores = json.loads((where / FILES["scores"]).read_text(encoding="utf-8"))["values"]
    except (OSError, ValueError, KeyError, TypeError):
        return {"run": f"{where.name} (cannot be read)", **dict.fromkeys(_COLUMNS)}
    return {
        "run": where.name,
        "settings": settings_of(record.recipe),
        "n": record.dataset["n"],
        "kl": scores["kl"],
        "neighbor_recall": scores["neighbor_recall"],
        "label_accuracy": scores["label_accuracy"],
        "accuracy": scores["accuracy"],
        "silhouette": scores["silhouette"],
        "seconds": sum(record.seconds.values()),
        "created": record.created[:16].replace("T", " "),
    }


def table(rows: list[dict[str, Any]]) -> None:
    """Print rows with the same keys as a table on standard output."""
    out = Table(box=None, header_style="bold", pad_edge=False)
    for name in rows[0]:
        numeric = any(isinstance(line[name], int | float) for line in rows)
        out.add_column(name, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    for line in rows:
        out.add_row(*(_text(value) for value in line.values()))
    # A file or a pipe has no width to fold at.
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 500).print(out)


def show(run: Run, *, notes: bool = True) -> None:
    """Print a run's scores, engines, seconds and, unless they were shown before, notes on standard output."""
    from .metrics import METRICS

    record = run.record
    title, subtitle = run.title()
    print(f"{title}: {subtitle}")
    table(
        [
            {
                "score": name,
                "value": value,
                "over": run.scores.sizes.get(name),
                "range": METRICS[name].range,
                "by chance": METRICS[name].chance,
            }
            for name, value in run.scores.values.items()
        ]
    )
    print(f"trustworthiness, neighbor_recall and kl are against {made_from(record)}\n")
    table(
        [
            {
                "step": step,
                "engine": record.engines.get(step, ""),
                "seconds": spent,
                "transfer": record.transfer.get(step),
            }
            for step, spent in record.seconds.items()
        ]
    )
    if notes:
        for engine, reason in record.skipped.items():
            print(f"passed over: {engine}: {reason}")
        for sentence in record.notes:
            print(f"note: {sentence}")
    if run.path is not None:
        print(f"run:     {run.path}\npicture: {run.path / FILES['picture']}")


def show_placed(record: dict[str, Any], where: Path) -> None:
    """Print what placing a set of new rows gave on standard output."""
    data, far, accuracy = record["dataset"], record["far"], record["label_accuracy"]
    speed = f": {record['rows_per_second']:,.0f} rows a second" if record["rows_per_second"] else ""
    print(f"{data['n']:,} rows of {data['name']} placed on {record['run']}{speed}")
    if accuracy is not None:
        own = "" if accuracy["reference"] is None else f" (the run's own: {accuracy['reference']:.3f})"
        print(f"label accuracy by the nearest points on the map: {accuracy['placed']:.3f}{own}")
    print(
        f"far from all that the run knows: {far['count']:,} rows, {far['share']:.1%} "
        f"(novelty above {far['beyond']:.2f}, as for 1 % of the run's own rows)"
    )
    for sentence in record["notes"]:
        print(f"note: {sentence}")
    print(f"points: {where}")


def rescore(run: Run) -> Run:
    """The run with its scores, and the columns of points that hold some, computed again from its map and features.

    Raises
    ------
    InputError
        If it keeps no features, its rows having been placed.
    """
    from dataclasses import replace

    from .datasets.labels import from_column
    from .scoring import score

    recipe = run.record.recipe
    if run.features is None:
        raise InputError(
            f"{run.path} keeps no features of all its rows, so that they cannot be scored again: score its landmarks, "
            f"{run.path}/landmarks, or make the run again."
        )
    scores = score(
        run.features,
        run.embedding,
        run.points["cluster"].to_numpy(),
        from_column(run.points["label"]) if "label" in run.points else None,
        perplexity=recipe.judge_perplexity(),
        engine=recipe.engine_of("score"),
        seed=recipe.seed,
    )
    points = run.points.assign(**scores.columns(run.points["row"].to_numpy()))
    return replace(run, scores=scores, points=points, _picture=None)


def compare(left: Run, right: Run) -> tuple[dict[str, Any], Image.Image]:
    """Two stored runs side by side: figures as one JSON object, and a picture.

    The right map is drawn as it lies after alignment with the left one.

    Raises
    ------
    InputError
        If the runs are of different known data sets, or have too few rows in common.
    """
    from .compare import compare_maps
    from .record import cautions
    from .render import compare_picture

    notes, not_comparable = cautions(left.record, right.record)
    result = compare_maps(left.points, right.points)
    first, second = (run.points.set_index("row").loc[result.rows].reset_index() for run in (left, right))
    second[["x", "y"]] = result.aligned
    figures = {
        "runs": [run.path.name if run.path else run.title()[0] for run in (left, right)],
        **result.summary,
        "scores": {name: [run.scores.values[name] for run in (left, right)] for name in left.scores.values},
        "seconds": {step: [run.record.seconds.get(step) for run in (left, right)] for step in left.record.seconds},
        "notes": notes,
        "not_comparable": sorted(not_comparable),
    }
    (left_title, left_subtitle), (right_title, right_subtitle) = left.title(), right.title()
    picture = compare_picture(
        first,
        second,
        "label" if "label" in first and "label" in second else "density",
        titles=(left_title, right_title),
        subtitles=(left_subtitle, right_subtitle),
        title=f"{len(result.rows):,} rows in common; the right map laid on the left one",
        displacement=result.displacement,
    )
    return figures, picture


def show_comparison(figures: dict[str, Any]) -> None:
    """Print what `compare` found on standard output."""
    first, second = figures["runs"]
    print(f"A: {first}\nB: {second}\n")
    for sentence in figures["notes"]:
        print(f"note: {sentence}\n")
    rows = []
    for name, (a, b) in {**figures["scores"], **figures["seconds"]}.items():
        compared = a is not None and b is not None and name not in figures["not_comparable"]
        rows.append({"": name, "A": a, "B": b, "B - A": b - a if compared else None})
    table(rows)
    print(
        f"\n{figures['rows']:,} rows in common. Displacement after alignment, in units of A's RMS radius: median "
        f"{figures['displacement_median']:.3f}, RMS {figures['displacement_rms']:.3f}.\nCommon neighbours: "
        f"{figures['common_neighbors']:.3f} (by chance {figures['common_neighbors_chance']:.4f}).\n"
        f"picture: {figures['picture']}"
    )


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:z.3f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
