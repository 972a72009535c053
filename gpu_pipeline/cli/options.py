"""Arguments that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunName = Annotated[str, typer.Argument(help="A run: its folder, its name, or the beginning of its name.")]
Store = Annotated[Path, typer.Option("--out", help="Folder of the stored runs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else.")]
Beside = Annotated[
    str | None,
    typer.Option(help="With .npy or .npz: a table with its labels and columns to keep, or a .npy of labels."),
]
DataDir = Annotated[Path | None, typer.Option(help="Where to look for known data sets first.")]
