"""What a run says while it goes on, on a terminal and without one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from gpu_pipeline import progress
from gpu_pipeline.engines import Progress
from gpu_pipeline.progress import Terminal


def told(terminal: bool) -> str:
    out = io.StringIO()
    with Terminal(Console(file=out, force_terminal=terminal, width=100)) as observer:
        observer.note("a note")
        observer.begin("embed", "mesh")
        observer.progress("embed", Progress(done=350, total=1000, kl=2.5))
        observer.end("embed", 41.5)
        observer.begin("draw", None)
        observer.end("draw", 0.25)
    return out.getvalue()


def test_without_a_terminal_short_steps_are_not_told() -> None:
    assert told(False).split("\n") == ["a note", "embed         41.50 s", ""]


def test_without_a_terminal_a_long_step_is_told_of_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0)
    assert told(False).split("\n") == [
        *("a note", "embed: 350/1000  KL 2.500", "embed         41.50 s", "draw           0.25 s", ""),
    ]


def test_on_a_terminal_all_steps_are_told() -> None:
    said = told(True)
    assert "embed (mesh)" in said
    assert "draw           0.25 s" in said
