"""Digits as partitioned Parquet: the same bytes by any number of processes, also after a kill."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from gpu_pipeline import InputError, load
from gpu_pipeline.datasets import digits, making
from gpu_pipeline.datasets.made import MADE
from gpu_pipeline.datasets.making import make_digits


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,500 rows in three partitions, by one process."""
    folder = tmp_path_factory.mktemp("made") / "few.parquet"
    assert make_digits(folder, 2500, seed=3, partition=1024) == 3
    return folder


def test_rows_are_those_of_the_generator(made: Path) -> None:
    dataset = load(str(made))
    X, y = digits.rows(np.arange(2500), seed=3)
    np.testing.assert_array_equal(dataset.X, X)
    np.testing.assert_array_equal(dataset.y, y)
    assert (dataset.image_shape, dataset.recommended, dataset.name) == ((28, 28), "deskew", "few")


def test_same_bytes_by_two_processes_and_by_any_order(made: Path, tmp_path: Path) -> None:
    make_digits(tmp_path / "other", 2500, seed=3, partition=1024, processes=2)
    assert hashes(tmp_path / "other") == hashes(made)


def test_what_is_there_and_right_stays(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "some"
    make_digits(folder, 2500, seed=3, partition=1024)
    kept = (folder / "part-00000.parquet").stat().st_mtime_ns
    (folder / "part-00002.parquet").unlink()
    cut = (folder / "part-00001.parquet").read_bytes()[:-100]
    (folder / "part-00001.parquet").write_bytes(cut)
    (folder / ".draft-1-part-00002.parquet").write_bytes(b"half")  # as a killed process leaves it
    told: list[tuple[int, int]] = []
    assert make_digits(folder, 2500, seed=3, partition=1024, report=lambda *now: told.append(now)) == 2
    assert (folder / "part-00000.parquet").stat().st_mtime_ns == kept
    assert hashes(folder) == hashes(made)
    assert told[0] == (1024, 2500)
    assert told[-1] == (2500, 2500)


def test_a_set_grows(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "growing"
    make_digits(folder, 1500, seed=3, partition=1024)
    assert make_digits(folder, 2500, seed=3, partition=1024) == 2  # the second had fewer rows than it has now
    assert hashes(folder) == hashes(made)


def test_other_content_is_not_touched(made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="seed 3"):
        make_digits(made, 2500, seed=4, partition=1024)
    with pytest.raises(InputError, match="1 other files, such as part-00002"):
        make_digits(made, 1500, seed=3, partition=1024)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt"):
        make_digits(tmp_path, 100)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / MADE).write_text('{"set": "dig')
    with pytest.raises(
        InputError, match=r"torn/_made\.json does not say what the folder will hold, .* to make it again"
    ):
        make_digits(tmp_path / "torn", 100)
    with pytest.raises(InputError, match="0 rows"):
        make_digits(tmp_path / "none", 0)


def test_a_partition_is_whole_chunks_and_compact() -> None:
    assert making.ROWS % digits.CHUNK == 0


def test_form_of_a_file(made: Path) -> None:
    with parquet.ParquetFile(made / "part-00001.parquet") as file:
        assert file.schema_arrow.names == ["image", "label"]
        assert file.num_row_groups == 1
        assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert (made / "part-00001.parquet").stat().st_size < 300 * 1024  # of 784 bytes a row


def test_killed_and_started_again(tmp_path: Path) -> None:
    rows = making.ROWS + 20_000
    command = [sys.executable, "-m", "gpu_pipeline", "data", "make", "digits", "--rows", str(rows), "--processes", "2"]
    folder = tmp_path / "killed.parquet"
    process = subprocess.Popen([*command, "--out", str(folder)], start_new_session=True, stderr=subprocess.PIPE)
    while not list(folder.glob("part-*.parquet")) and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert [path.name for path in folder.glob("part-*")] == ["part-00001.parquet"], "the smaller one is done first"
    with pytest.raises(InputError, match="20,000 of 85,536 rows: finish it with gpu-pipeline data make digits"):
        load(str(folder))
    done = subprocess.run([*command, "--out", str(folder)], capture_output=True, text=True, check=True)
    assert "1 partitions written now" in done.stdout
    with parquet.ParquetFile(folder / "part-00001.parquet") as file:
        assert file.metadata.num_rows == 20_000
    some = load(str(folder), sample=500, seed=1)
    np.testing.assert_array_equal(some.X, digits.rows(some.rows)[0])
