"""Arguments that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunName = Annotated[str, typer.Argument(help="A run: its folder, its name, or the beginning of its name.")]
Store = Annotated[Path, typer.Option("--out", help="Folder of the stored runs.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else.")]
DataDir = Annotated[Path | None, typer.Option(help="Where to look for known data sets first.")]
