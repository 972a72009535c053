"""Neighbour lists against brute force, and the cache under every fault that a disk can have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from gpu_pipeline import neighbors
from gpu_pipeline.engines import ENGINES
from gpu_pipeline.errors import InputError, Unavailable
from gpu_pipeline.neighbors import NeighborLists, neighbor_lists, neighbors_of

N = 200


@pytest.fixture(name="X")
def random_rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N, 6)).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache's folder, empty at first."""
    monkeypatch.setenv("GPU_PIPELINE_CACHE", str(tmp_path))
    return tmp_path / "neighbors"


def search(X: np.ndarray, k: int) -> NeighborLists:
    return neighbor_lists(X, k, engine="scikit_learn")


def stored(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []


def assert_right(X: np.ndarray, lists: NeighborLists, k: int) -> None:
    assert lists.indices.shape == lists.distances.shape == (len(X), k)
    assert lists.indices.dtype == np.int32
    assert lists.distances.dtype == np.float32
    D = cdist(X, X)
    np.fill_diagonal(D, np.inf)
    assert np.take_along_axis(D, lists.indices, axis=1) == pytest.approx(np.sort(D, axis=1)[:, :k], abs=1e-5)
    assert lists.distances == pytest.approx(np.sort(D, axis=1)[:, :k], abs=1e-5)


def test_lists_by_hand() -> None:
    # On a line 0, 1, 3, 7: nearest of 0: 1, 3; of 1: 0, 3; of 3: 1, 0; of 7: 3, 1.
    lists = neighbor_lists(np.array([[0], [1], [3], [7]]), 2, engine="scikit_learn", cache=False)
    assert lists.indices.tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    assert lists.distances.tolist() == [[1, 3], [1, 2], [2, 3], [4, 6]]
    assert lists.engine == "scikit_learn"
    assert lists.skipped == {}


def test_no_row_is_its_own_neighbour_even_among_duplicates(folder: Path) -> None:
    X = np.repeat(np.arange(5), 20)[:, None] * np.ones((1, 3))
    for k in (3, 19, 25, 99):
        lists = search(X.astype(np.float32), k)
        assert (lists.indices != np.arange(100)[:, None]).all()
        assert all(len(set(row)) == k for row in lists.indices)
        assert (lists.distances[:, : min(k, 19)] == 0).all()


def test_of_some_rows_only(X: np.ndarray) -> None:
    rows = np.array([3, 77, 199])
    some, everyone = neighbors_of(X, rows, 10), neighbor_lists(X, 10, engine="scikit_learn", cache=False)
    assert (some.indices == everyone.indices[rows]).all()
    assert some.distances == pytest.approx(everyone.distances[rows], abs=1e-6)
    duplicates = neighbors_of(np.zeros((50, 2)), np.array([0, 49]), 5)
    assert 0 not in duplicates.indices[0]
    assert 49 not in duplicates.indices[1]


@pytest.mark.parametrize("k", [0, -1, N, N + 1])
def test_k_out_of_range(X: np.ndarray, k: int) -> None:
    with pytest.raises(InputError, match=f"k is {k} but must be at least 1 and less than the number of rows, {N}"):
        neighbor_lists(X, k)


def test_names_of_engines(X: np.ndarray) -> None:
    with pytest.raises(InputError, match="did you mean 'scikit_learn'"):
        neighbor_lists(X, 5, engine="scikit-learn")
    with pytest.raises(Unavailable, match="does not do neighbors"):
        neighbor_lists(X, 5, engine="umap_learn")


def test_auto_says_why_it_passed_an_engine_over(X: np.ndarray, folder: Path) -> None:
    for attempt in ("searched", "from the cache"):
        lists = neighbor_lists(X, 5)
        known = ENGINES["neighbors"]
        assert list(lists.skipped) == list(known[: known.index(lists.engine)]), attempt
        assert all(lists.skipped.values())
        assert_right(X, lists, 5)


def test_the_cache_serves_equal_rows_and_shorter_lists(X: np.ndarray, folder: Path) -> None:
    first = search(X, 20)
    (path,) = stored(folder)
    made = path.stat().st_ino
    again, shorter = search(X.astype(np.float64), 20), search(X, 5)
    # No other file, and the same one: nothing was searched and written anew.
    assert [path.stat().st_ino for path in stored(folder)] == [made]
    assert (again.indices == first.indices).all()
    assert (again.distances == first.distances).all()
    assert again.engine == first.engine
    assert_right(X, first, 20)
    assert_right(X, shorter, 5)


def test_the_cache_does_not_serve_other_rows_or_longer_lists(X: np.ndarray, folder: Path) -> None:
    search(X, 5)
    longer = search(X, 20)
    assert len(stored(folder)) == 2
    assert_right(X, longer, 20)
    other = X.copy()
    other[0, 0] += 5
    assert_right(other, search(other, 5), 5)
    reshaped = X.reshape(2 * N, 3)  # the same bytes
    assert_right(reshaped, search(reshaped, 5), 5)
    assert len(stored(folder)) == 4


def test_without_cache_nothing_is_written(X: np.ndarray, folder: Path) -> None:
    neighbor_lists(X, 5, engine="scikit_learn", cache=False)
    assert stored(folder) == []


@pytest.mark.parametrize("fault", ["empty", "truncated", "one bit", "junk"])
def test_a_damaged_file_is_made_again(X: np.ndarray, folder: Path, fault: str) -> None:
    search(X, 5)
    (path,) = stored(folder)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    path.write_bytes({"empty": b"", "truncated": whole[:-7], "one bit": bytes(flipped), "junk": b"junk" * 99}[fault])
    assert_right(X, search(X, 5), 5)
    assert path.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_no_error(
    X: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("GPU_PIPELINE_CACHE", str(tmp_path / "file"))
    assert_right(X, search(X, 5), 5)


def test_a_full_disk_is_no_error_and_leaves_nothing(X: np.ndarray, folder: Path) -> None:
    # The system refuses to write more than 2,000 bytes into any file of this process.
    program = """
import resource, numpy as np
from gpu_pipeline.neighbors import neighbor_lists
X = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
lists = neighbor_lists(X, 20, engine="scikit_learn")
print(lists.indices.shape)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "(200, 20)\n", done.stderr
    assert folder.is_dir()
    assert stored(folder) == []


def test_the_cache_is_bounded_and_what_was_used_longest_ago_goes(
    X: np.ndarray, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for shift in range(3):
        search(X + shift, 10)
    for age, path in enumerate(stored(folder)):
        os.utime(path, (1000 - age, 1000 - age))
    draft = folder / "left-by-a-killed-program.draft"
    draft.write_bytes(bytes(100))
    os.utime(draft, (1, 1))
    size = stored(folder)[0].stat().st_size
    search(X, 10)  # used now: it stays, with the new one and no other
    monkeypatch.setattr(neighbors, "CACHE_BYTES", 2 * size)
    kept = {path.name for path in stored(folder) if path.stat().st_mtime > 2000}
    search(X + 3, 10)
    names = {path.name for path in stored(folder)}
    assert len(kept) == 1
    assert kept < names
    assert len(names) == 2
    assert sum(path.stat().st_size for path in stored(folder)) <= 2 * size


def test_lists_larger_than_the_cache_are_not_kept(X: np.ndarray, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "CACHE_BYTES", 100)
    assert_right(X, search(X, 5), 5)
    assert stored(folder) == []
