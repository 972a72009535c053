"""What is remembered of a GPU that worked: one real process for each try, counted in a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gpu_pipeline import doctor
from gpu_pipeline.engines import probe, tried
from gpu_pipeline.errors import Unavailable

GPU = probe.Gpu("NVIDIA Example", 2**34, (9, 0), 13000, "580.1", 1)
PROGRAM = """
import os
from pathlib import Path
def try_out():
    with Path(os.environ["TRIES"]).open("a") as file:
        file.write("tried\\n")
    if os.environ.get("BREAKS"):
        raise ValueError("broken")
    return "1.0"
"""


@pytest.fixture
def tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Check the GPU; how often it was really tried so far."""
    (tmp_path / "a_stack.py").write_text(PROGRAM)
    count = tmp_path / "count"
    count.touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TRIES", str(count))
    monkeypatch.setenv("GPU_PIPELINE_CACHE", str(tmp_path / "cache"))

    def tries(gpu: probe.Gpu = GPU) -> int:
        tried.check("a_stack", gpu, 60, "the example")
        return len(count.read_text().splitlines())

    return tries


def test_what_worked_is_tried_once(tries: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [tries(), tries()] == [1, 1]
    assert tries(replace(GPU, driver="590.1")) == 2
    assert tries() == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert tries() == 3
    library = tmp_path / "cupy-15.0.dist-info"
    library.mkdir()
    assert tries() == 4
    library.rmdir()
    assert tries() == 4


def test_a_day_later_it_is_tried_again(tries: Callable[..., int], tmp_path: Path) -> None:
    assert tries() == 1
    (mark,) = (tmp_path / "cache" / "tried").iterdir()
    for ago, expected in ((tried.LASTS - 60, 1), (tried.LASTS + 60, 2)):
        mark.write_text((datetime.now(UTC) - timedelta(seconds=ago)).isoformat())
        assert tries() == expected
    mark.write_text("torn")
    assert tries() == 3


def test_what_failed_is_not_remembered(tries: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKS", "1")
    for _ in range(2):
        with pytest.raises(Unavailable, match="the example failed: ValueError: broken"):
            tries()
    monkeypatch.delenv("BREAKS")
    assert tries() == 3


def test_doctor_tries_anew(tries: Callable[..., int]) -> None:
    assert tries() == 1
    doctor.examine()
    assert tries() == 2


def test_a_cache_that_cannot_be_written_is_no_obstacle(
    tries: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GPU_PIPELINE_CACHE", str(tmp_path / "file"))
    assert [tries(), tries()] == [1, 2]
