"""What a person sees of a run while it goes on: lines and bars on the terminal."""

from __future__ import annotations

from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from . import timing
from .engines import Progress as Fraction
from .steps import Observer

PATIENCE = 30
"""Seconds between two lines about a step where there is no terminal; a step that takes less has none."""


class Terminal(Observer):
    """Progress on the terminal; where there is none, the notes, and now and then a line about a step that takes long.

    Use it as a context manager, so that the bars are taken away whatever happens.

    Parameters
    ----------
    console
        Where to write; standard error, so that standard output stays clean.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._said = timing.seconds()

    def __enter__(self) -> Terminal:
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def note(self, sentence: str) -> None:
        self._console.print(sentence, style="dim", markup=False, highlight=False, soft_wrap=True)

    def begin(self, step: str, engine: str | None) -> None:
        self._clear()
        description = f"{step} ({engine})" if engine else step
        # Without a total rich shows a pulse and no estimate: scikit-learn does not tell how far it is.
        self._task = self._bars.add_task(description, total=None, detail="")
        self._said = timing.seconds()

    def progress(self, step: str, progress: Fraction) -> Literal["stop"] | None:
        if self._task is not None and progress.done is not None:
            detail = f"{progress.done}" + (f"/{progress.total}" if progress.total else "")
            detail += f"  KL {progress.kl:.3f}" if progress.kl is not None else ""
            detail += f"  {progress.rows_a_second:,.0f} rows/s" if progress.rows_a_second is not None else ""
            self._bars.update(self._task, completed=progress.done, total=progress.total, detail=detail)
            if not self._console.is_terminal and timing.seconds() - self._said > PATIENCE:
                self.note(f"{step}: {detail}")
                self._said = timing.seconds()
        return None

    def end(self, step: str, seconds: float) -> None:
        self._clear()
        if self._console.is_terminal or seconds > PATIENCE:
            self._console.print(f"{step:<11}{seconds:8.2f} s", style="dim", markup=False, highlight=False)

    def _clear(self) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
