"""What several test files share: the command line, where MNIST lies, and that what CI must run is not skipped there."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, NoReturn

import pytest
from hypothesis import settings

from gpu_pipeline.cli import main
from gpu_pipeline.engines import load
from gpu_pipeline.errors import Unavailable


def pytest_configure() -> None:
    settings.register_profile("untimed", settings(), deadline=None)  # A first example may have to compile.
    settings.load_profile("untimed")
    # Whoever runs the tests in the background may have told all their children to ignore Ctrl-C, which some tests send.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the file whose tests take up to a minute each: one that is left for the end is waited for alone."""
    items.sort(key=lambda item: item.path.name != "test_scale_run.py")


def missing(what: str) -> None:
    """Skip for a user who lacks `what`; fail in CI, where it has to be there."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}: in CI this test must run")
    pytest.skip(what)


def no_gpu(reason: str) -> NoReturn:
    """Skip because a GPU cannot be used; with GPU_PIPELINE_REQUIRE_GPU=1 fail."""
    if os.environ.get("GPU_PIPELINE_REQUIRE_GPU") == "1":
        pytest.fail(f"GPU_PIPELINE_REQUIRE_GPU is 1, but: {reason}")
    pytest.skip(reason)


def usable(name: str) -> ModuleType:
    """The engine, unless it needs a GPU that cannot be used; those of the CPU are never skipped."""
    try:
        return load(name)
    except Unavailable as reason:
        if importlib.import_module(f"gpu_pipeline.engines.{name}").DEVICE == "cpu":
            raise
        no_gpu(f"{name}: {reason}")


def library(name: str) -> ModuleType:
    """A library that the tests of a GPU need beside its engines."""
    try:
        return importlib.import_module(name)
    except ImportError:
        no_gpu(f"{name} is not installed")


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """The folder that holds `mnist/` with the real IDX files."""
    folder = os.environ.get("GPU_PIPELINE_DATA")
    if not folder or not (Path(folder) / "mnist").is_dir():
        missing("set GPU_PIPELINE_DATA to a folder that contains mnist/ with its four IDX files")
    return Path(str(folder))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests out of the user's cache, and what other versions left there out of the tests: the fixtures of a
    session too, which begin before those of a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GPU_PIPELINE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Call = Callable[..., Ended]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run the command line in this process."""

    def called(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["gpu-pipeline", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, *capsys.readouterr())

    return called
