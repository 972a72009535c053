"""Runs on disk: each a folder that is written whole or not at all, see `drafts`.

runs/<data>-<method>-<engine>-<hash>/
    record.json      how the run came about
    recipe.toml      what was asked, ready for `gpu-pipeline run --recipe`
    scores.json      the figures of quality
    points.parquet   row, x, y, label, cluster, what is known of each point (`Scores.columns`), kept columns
    features.npy     (n, d) float32, what the embedding saw
    reference/       what new rows are placed by; see `placing.Reference.save`
    map.png          the picture
    placed/          sets of new rows on the map, see `placed`

Where only landmarks were embedded and the other rows placed, `points.parquet` is a folder of such files, there are
no features of all rows, and `landmarks/` is the landmarks' own run.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import arguments
from .drafts import cannot_write, draft, flush, publish
from .errors import InputError, unknown_name
from .record import SCHEMA, Record, Run
from .scoring import Scores

if TYPE_CHECKING:
    from PIL import Image

FILES = {"record": "record.json", "points": "points.parquet", "picture": "map.png", "scores": "scores.json"}


def save(run: Run, folder: str | Path = "runs") -> Path:
    """Store a run in a folder of its own under `folder`, and give that folder.

    A run that is stored already is kept, and the new one gets the next free number.

    Raises
    ------
    InputError
        If `folder` cannot be written or the disk is full; nothing is left behind.
    """
    name, folder = folder_name(run), _folder(folder)
    with draft(folder) as path:
        _write(run, path)
        run.path = publish(path, folder, name)
    return run.path


def save_parts(
    record: Record, scores: Scores, picture: Image.Image, parts: Mapping[str, Sequence[Path]], folder: str | Path
) -> Path:
    """Store a run whose arrays lie in files already, and give its folder.

    Parameters
    ----------
    record, scores, picture
        As in a run.
    parts
        Name of a folder in the run's -> files and folders to put in it: linked where that can be, else copied.
    folder
        As in `save`.

    Raises
    ------
    InputError
        If `folder` cannot be written or the disk is full; nothing is left behind, and the parts are as they were.
    """
    with draft(Path(folder)) as made:
        _write_described(record, scores, picture, made)
        for name, files in parts.items():
            (made / name).mkdir()
            for path in files:
                if path.is_dir():
                    shutil.copytree(path, made / name / path.name, copy_function=_link)
                else:
                    _link(path, made / name / path.name)
        for path in made.rglob("*"):
            flush(path)
        return publish(made, Path(folder), _named_after(record))


def writable(folder: str | Path) -> None:
    """Make sure that runs can be stored, before hours of work.

    Raises
    ------
    InputError
        If `folder` cannot be made or written.
    """
    with draft(_folder(folder)) as path:
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
        whole = record.recipe.data.landmarks is None
        features = np.load(where / "features.npy", mmap_mode="r", allow_pickle=False) if whole else None
        misfit = points["misfit"].to_numpy() if "misfit" in points else None
        scores = replace(scores, neighbor_recall=points["neighbor_recall"].to_numpy(), misfit=misfit)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"the run {where} cannot be read ({error}): make it again from its recipe.") from None
    return Run(record, points, features, scores, where)


def open_figures(where: Path) -> Run:
    """A stored run without its points, which may be very many: record and scores."""
    import pandas as pd

    scores = Scores.from_json(json.loads((where / FILES["scores"]).read_text(encoding="utf-8")))
    return Run(read_record(where), pd.DataFrame(), None, scores, where)


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
    run, folder = arguments.path(path, "the run"), _folder(folder)
    for where in (run, folder / run):
        if (where / FILES["record"]).is_file():
            return where
    if run.parent != Path():
        folder = run.parent
    known = [where.name for where in list_runs(folder)]
    fitting = [name for name in known if name.startswith(run.name)]
    if len(fitting) == 1:
        return folder / fitting[0]
    if fitting:
        raise InputError(f"{str(path)!r} is the beginning of {len(fitting)} runs: give one of {', '.join(fitting)}.")
    if not known:
        raise InputError(f"there is no run {str(path)!r}: {folder} holds none; make one with gpu-pipeline run.")
    raise unknown_name("run", str(path), known)


def list_runs(folder: str | Path = "runs") -> list[Path]:
    """Folders of the stored runs, the oldest first."""
    return stored_in(_folder(folder))


def stored_in(folder: Path, file: str = FILES["record"]) -> list[Path]:
    """The folders in one that have a file of some name, or for an empty name its own files, the oldest first.

    Hidden ones are left out, and what is gone by the time that it is looked at.
    """
    found = []
    with suppress(FileNotFoundError, NotADirectoryError):
        for path in folder.iterdir():
            with suppress(OSError):
                about = (path / file).stat()
                if stat.S_ISREG(about.st_mode) and not path.name.startswith("."):
                    found.append((about.st_mtime_ns, path.name, path))
    return [path for *_, path in sorted(found)]


def _folder(folder: str | Path) -> Path:
    return arguments.path(folder, "the folder of runs")


def folder_name(run: Run) -> str:
    """Name of a run's folder: data, method, engine, and a hash of recipe and content."""
    return _named_after(run.record)


def _named_after(record: Record) -> str:
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
    replace_files({path: write})
    return path


def replace_files(writers: Mapping[Path, Callable[[Path], object]]) -> None:
    """The same of several files: none is renamed before all are written."""
    beside = {path: path.parent / f".{uuid.uuid4().hex[:8]}-{path.name}" for path in writers}
    path = Path()
    try:
        for path, write in writers.items():
            write(beside[path])
            flush(beside[path])
        for path, written in beside.items():
            written.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        for written in beside.values():
            written.unlink(missing_ok=True)


def write_scores(run: Run) -> None:
    """Replace the scores of a stored run: the figures, the points, which have columns of them, and the picture."""
    if run.path is None:
        raise InputError("this run is not stored: save it first.")
    text, picture = dump(run.scores.to_json()), run.picture()
    replace_files(
        {
            run.path / FILES["points"]: lambda draft: run.points.to_parquet(draft, index=False),
            run.path / FILES["picture"]: lambda draft: picture.save(draft, format="png"),
            run.path / FILES["scores"]: lambda draft: draft.write_text(text, encoding="utf-8"),
        }
    )


def dump(values: Any) -> str:
    """Values as the text of a JSON file."""
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def _write(run: Run, folder: Path) -> None:
    import numpy as np

    if run.features is None:
        raise InputError("a run whose rows were placed is stored by what makes it: copy its folder.")
    _write_described(run.record, run.scores, run.picture(), folder)
    run.points.to_parquet(folder / FILES["points"], index=False)
    np.save(folder / "features.npy", run.features, allow_pickle=False)
    if run._reference is not None:
        run._reference.save(folder / "reference", rows=False)
    elif run.path is not None and (run.path / "reference").is_dir():
        shutil.copytree(run.path / "reference", folder / "reference")
    for path in folder.rglob("*"):
        flush(path)


def _write_described(record: Record, scores: Scores, picture: Image.Image, folder: Path) -> None:
    """What every run's folder has beside its points."""
    (folder / FILES["record"]).write_text(dump(record.to_json()), encoding="utf-8")
    (folder / "recipe.toml").write_text(record.recipe.to_toml(), encoding="utf-8")
    (folder / FILES["scores"]).write_text(dump(scores.to_json()), encoding="utf-8")
    picture.save(folder / FILES["picture"])


def _link(source: str | Path, target: str | Path) -> None:
    """The same file under another name; a copy where file systems differ."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
