"""Runs on disk: each a folder that is written whole or not at all, see `drafts`.

runs/<data>-<method>-<engine>-<hash>/
    record.json      how the run came about
    recipe.toml      what was asked, ready for `gpu-pipeline run --recipe`
    scores.json      the figures of quality
    points.parquet   row, x, y, label, cluster, neighbor_recall, misfit
    features.npy     (n, d) float32, what the embedding saw
    reference/       what new rows are placed by; see `placing.Reference.save`
    map.png          the picture
    placed/          sets of new rows on the map, see `placed`
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from .drafts import cannot_write, draft, flush, publish
from .errors import InputError, unknown_name
from .record import SCHEMA, Record, Run
from .scoring import Scores

FILES = {"record": "record.json", "points": "points.parquet", "picture": "map.png", "scores": "scores.json"}


def save(run: Run, folder: str | Path = "runs") -> Path:
    """Store a run in a folder of its own under `folder`, and give that folder.

    A run that is stored already is kept, and the new one gets the next free number.

    Raises
    ------
    InputError
        If `folder` cannot be written or the disk is full; nothing is left behind.
    """
    name = folder_name(run)
    with draft(Path(folder)) as path:
        _write(run, path)
        run.path = publish(path, Path(folder), name)
    return run.path


def writable(folder: str | Path) -> None:
    """Make sure that runs can be stored, before hours of work.

    Raises
    ------
    InputError
        If `folder` cannot be made or written.
    """
    with draft(Path(folder)) as path:
        (path / "probe").write_bytes(b"probe")


def open_run(path: str | Path, folder: str | Path = "runs") -> Run:
    """A stored run.

    Parameters
    ----------
    path
        The run's folder, or its name (or the beginning of it, if only one run has it) in `folder`.
    folder
        Where runs are stored.

    Raises
    ------
    InputError
        If there is no such run, or its files cannot be read.
    """
    import numpy as np
    import pandas as pd

    where = find(path, folder)
    try:
        record = read_record(where)
        scores = Scores.from_json(json.loads((where / FILES["scores"]).read_text(encoding="utf-8")))
        points = pd.read_parquet(where / FILES["points"])
        features = np.load(where / "features.npy", mmap_mode="r", allow_pickle=False)
        misfit = points["misfit"].to_numpy() if "misfit" in points else None
        scores = replace(scores, neighbor_recall=points["neighbor_recall"].to_numpy(), misfit=misfit)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"the run {where} cannot be read ({error}): make it again from its recipe.") from None
    return Run(record, points, features, scores, where)


def read_record(where: Path) -> Record:
    """The record of the run in a folder."""
    values = json.loads((where / FILES["record"]).read_text(encoding="utf-8"))
    if values["schema"] != SCHEMA:
        raise ValueError(f"its form is {values['schema']}, this program reads {SCHEMA}")
    return Record.from_json(values)


def find(path: str | Path, folder: str | Path = "runs") -> Path:
    """The folder of a run, by path, name, or the beginning of a name.

    Raises
    ------
    InputError
        If none or more than one fits.
    """
    for where in (Path(path), Path(folder) / path):
        if (where / FILES["record"]).is_file():
            return where
    known = [where.name for where in list_runs(folder)]
    fitting = [name for name in known if name.startswith(str(path))]
    if len(fitting) == 1:
        return Path(folder) / fitting[0]
    if fitting:
        raise InputError(f"{str(path)!r} is the beginning of {len(fitting)} runs: give one of {', '.join(fitting)}.")
    if not known:
        raise InputError(f"there is no run {str(path)!r}: {folder} holds none; make one with gpu-pipeline run.")
    raise unknown_name("run", str(path), known)


def list_runs(folder: str | Path = "runs") -> list[Path]:
    """Folders of the stored runs, the oldest first."""
    folder = Path(folder)
    if not folder.is_dir():
        return []
    found = [
        where for where in folder.iterdir() if not where.name.startswith(".") and (where / FILES["record"]).is_file()
    ]
    return sorted(found, key=lambda where: ((where / FILES["record"]).stat().st_mtime_ns, where.name))


def folder_name(run: Run) -> str:
    """Name of a run's folder: data, method, engine, and a hash of recipe and content."""
    record = run.record
    makers = [record.engines.get(step) for step in ("reduce", "embed", "cluster")]
    content = f"{record.recipe.digest()} {record.dataset['digest']} {makers}"
    data = slug(record.dataset["name"])
    engine = record.engines["embed"].replace("_", "-")
    return f"{data}-{record.recipe.embed.method}-{engine}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def slug(name: str) -> str:
    """A name as part of a folder's name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "data"


def replace_file(path: Path, write: Callable[[Path], object]) -> Path:
    """Put a file in its place whole: written under another name by `write`, flushed, renamed."""
    beside = path.parent / f".{uuid.uuid4().hex[:8]}-{path.name}"
    try:
        write(beside)
        flush(beside)
        beside.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        beside.unlink(missing_ok=True)
    return path


def write_scores(run: Run) -> Path:
    """Replace the scores of a stored run."""
    if run.path is None:
        raise InputError("this run is not stored: save it first.")
    text = dump(run.scores.to_json())
    return replace_file(run.path / FILES["scores"], lambda draft: draft.write_text(text, encoding="utf-8"))


def dump(values: Any) -> str:
    """Values as the text of a JSON file."""
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def _write(run: Run, folder: Path) -> None:
    import numpy as np

    (folder / FILES["record"]).write_text(dump(run.record.to_json()), encoding="utf-8")
    (folder / "recipe.toml").write_text(run.record.recipe.to_toml(), encoding="utf-8")
    (folder / FILES["scores"]).write_text(dump(run.scores.to_json()), encoding="utf-8")
    run.points.to_parquet(folder / FILES["points"], index=False)
    np.save(folder / "features.npy", run.features, allow_pickle=False)
    run.picture().save(folder / FILES["picture"])
    if run._reference is not None:
        run._reference.save(folder / "reference", rows=False)
    for path in folder.rglob("*"):
        flush(path)
