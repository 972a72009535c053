"""What several test files share: where MNIST lies, and that a test which CI must run is not skipped there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def missing(what: str) -> None:
    """Skip for a user who lacks `what`; fail in CI, where it has to be there."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}: in CI this test must run")
    pytest.skip(what)


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """The folder that holds `mnist/` with the real IDX files."""
    folder = os.environ.get("GPU_PIPELINE_DATA")
    if not folder or not (Path(folder) / "mnist").is_dir():
        missing("set GPU_PIPELINE_DATA to a folder that contains mnist/ with its four IDX files")
    return Path(str(folder))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests out of the user's cache."""
    monkeypatch.setenv("GPU_PIPELINE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
