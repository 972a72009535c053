"""The table of data sets: where they are found, how they are downloaded, drawn from, checked and hashed."""

from __future__ import annotations

import copy
import dataclasses
import gzip
import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from gpu_pipeline.datasets import DATASETS, Dataset, cache_dir, check, checked, dataset, digits, labels, load, locate
from gpu_pipeline.datasets.sets import FILES, SETS, IdxSet
from gpu_pipeline.errors import InputError

IMAGES, LABELS = np.random.default_rng(0).integers(0, 256, (7, 2, 3)), np.arange(7) % 3


def small_files(add: int = 0) -> dict[str, bytes]:
    """Four IDX files of 5 and 2 rows of 2 x 3 pixels; another `add`, another content."""
    parts = {"train": slice(0, 5), "t10k": slice(5, 7)}
    content = {}
    for name, dimensions in FILES.items():
        array = (IMAGES if dimensions == 3 else LABELS)[parts[name.split("-")[0]]]
        header = bytes((0, 0, 8, dimensions)) + np.array(array.shape, dtype=">u4").tobytes()
        content[name] = header + (array + add).astype(np.uint8).tobytes()
    return content


def digests(files: Mapping[str, bytes]) -> dict[str, tuple[str, ...]]:
    return {name: (f"sha256:{hashlib.sha256(content).hexdigest()}",) for name, content in files.items()}


def put(folder: Path, files: Mapping[str, bytes], suffix: str = ".gz") -> None:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / f"{name}{suffix}").write_bytes(gzip.compress(content) if suffix == ".gz" else content)


Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start web servers that send a file for each request; their addresses."""
    servers = []

    def start(answer: Callable[[str], bytes | None], promise: int = 0, stall: Callable[[], object] = bool) -> str:
        """Answer with the bytes for a file's name, announced as `promise` longer than they are, then `stall`."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = answer(self.path.rpartition("/")[2].removesuffix(".gz"))
                if body is None:
                    return self.send_error(404)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body) + promise))
                self.end_headers()
                self.wfile.write(body)
                stall()

            def log_message(self, *args: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a small set in MNIST's place, with these mirrors, and an empty cache."""
    monkeypatch.setenv("GPU_PIPELINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GPU_PIPELINE_DATA", raising=False)

    def install(*mirrors: str) -> None:
        monkeypatch.setitem(SETS, "mnist", IdxSet("MNIST/raw", mirrors, digests(small_files()), "deskew"))

    install("http://127.0.0.1:9/")
    return install


def kept() -> list[str]:
    """All that lies in the cache."""
    return sorted(str(path.relative_to(cache_dir())) for path in cache_dir().rglob("*"))


WHOLE = sorted(["mnist", *(f"mnist/{name}.gz" for name in FILES)])


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("folder", ["mnist", "MNIST/raw", "."])
@pytest.mark.parametrize("variable", ["", "GPU_PIPELINE_DATA", "GPU_PIPELINE_CACHE"])
def test_found_where_it_lies(
    small: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, folder: str, suffix: str
) -> None:
    put(tmp_path / "data" / folder, small_files(), suffix)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "data"))
    loaded = load("mnist", data_dir=None if variable else tmp_path / "data")
    np.testing.assert_array_equal(loaded.X, IMAGES.reshape(7, 6))
    np.testing.assert_array_equal(loaded.y, LABELS)
    np.testing.assert_array_equal(loaded.rows, np.arange(7))
    assert (loaded.name, loaded.total, loaded.image_shape, loaded.recommended) == ("mnist", 7, (2, 3), "deskew")
    assert loaded.source.split(", ") == [f"{name}{suffix}" for name in FILES]
    assert load("auto", data_dir=None if variable else tmp_path / "data").digest() == loaded.digest()
    where = {name: path for name, path, _ in locate(None if variable else tmp_path / "data")}
    assert where["mnist"] == tmp_path / "data" / folder


def test_a_bare_folder_of_another_set_is_passed_over(
    small: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = small_files(add=1)
    monkeypatch.setitem(SETS, "fashion-mnist", IdxSet("FashionMNIST/raw", (), digests(other)))
    put(tmp_path / "bare", other)
    put(tmp_path / "data" / "mnist", small_files())
    monkeypatch.setenv("GPU_PIPELINE_DATA", str(tmp_path / "data"))
    np.testing.assert_array_equal(load("mnist", data_dir=tmp_path / "bare").X, IMAGES.reshape(7, 6))
    np.testing.assert_array_equal(load("fashion-mnist", data_dir=tmp_path / "bare").X, (IMAGES + 1).reshape(7, 6) % 256)


@pytest.mark.parametrize("name", ["mnist", "auto"])
def test_broken_files_at_hand_are_not_replaced_in_silence(
    small: Callable[..., None], tmp_path: Path, name: str
) -> None:
    put(tmp_path / "data" / "mnist", small_files())
    path = tmp_path / "data" / "mnist" / "train-images-idx3-ubyte.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(InputError, match="truncated gzip"):
        load(name, data_dir=tmp_path / "data")
    path.write_bytes(gzip.compress(small_files(add=1)["train-images-idx3-ubyte"]))
    with pytest.raises(InputError, match="wrong checksum"):
        load(name, data_dir=tmp_path / "data")


def test_download(small: Callable[..., None], serve: Serve) -> None:
    """From the last of mirrors that are absent, lack files, send half, something else, or nothing."""
    files = {name: gzip.compress(content) for name, content in small_files().items()}
    wrong = {name: gzip.compress(content) for name, content in small_files(add=1).items()}
    asked: list[str] = []

    def good(name: str) -> bytes:
        asked.append(name)
        return files[name]

    small(
        "http://127.0.0.1:9/",
        serve(lambda name: None),
        serve(lambda name: files[name][:40], promise=100),
        serve(lambda name: files[name][:-6]),
        serve(wrong.get),
        serve(lambda name: b"<html>Please log in</html>"),
        serve(good),
    )
    loaded = load("mnist")
    np.testing.assert_array_equal(loaded.X, IMAGES.reshape(7, 6))
    assert kept() == WHOLE
    load("auto")
    assert sorted(asked) == sorted(FILES)


def test_no_mirror_is_good(small: Callable[..., None], serve: Serve) -> None:
    wrong = {name: gzip.compress(content) for name, content in small_files(add=1).items()}
    small("http://127.0.0.1:9/", serve(lambda name: None), serve(lambda name: b"x", promise=9), serve(wrong.get))
    with pytest.raises(InputError) as caught:
        load("mnist")
    message = str(caught.value)
    for part in ("no connection", "404", "broke off", "wrong checksum", "into a folder mnist/", "train-images"):
        assert part in message
    assert "\n" not in message
    assert kept() == []


def test_auto_takes_digits_and_says_so(small: Callable[..., None]) -> None:
    loaded = load(sample=10)
    assert loaded.name == "digits"
    assert len(loaded.notes) == 1
    assert "MNIST" in loaded.notes[0]
    assert load("digits", sample=10).notes == ()


def test_cache_that_cannot_be_written(
    small: Callable[..., None], serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {name: gzip.compress(content) for name, content in small_files().items()}
    small(serve(files.get))
    (tmp_path / "file").touch()
    monkeypatch.setenv("GPU_PIPELINE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match="cannot be kept in"):
        load("mnist")
    assert load("auto", sample=3).name == "digits"


def test_killed_in_a_download(small: Callable[..., None], serve: Serve) -> None:
    files = {name: gzip.compress(content) for name, content in small_files().items()}
    started, done = threading.Event(), threading.Event()

    def stall() -> None:
        started.set()
        done.wait(30)

    address = serve(lambda name: files[name][:30], promise=30, stall=stall)
    program = (
        "import sys; from gpu_pipeline.datasets import load, sets\n"
        f"sets.SETS['mnist'] = sets.IdxSet('', ({address!r},), {digests(small_files())!r})\n"
        "load('mnist')"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    try:
        assert started.wait(30)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        done.set()
    assert not any(path.startswith("mnist") for path in kept())
    small(serve(files.get))
    assert len(load("mnist").X) == 7


def test_real_mnist(mnist_dir: Path) -> None:
    loaded = load("mnist", data_dir=mnist_dir)
    assert loaded.X.shape == (70_000, 784)
    assert loaded.y is not None
    # How often each digit occurs in the training and the test set, as published.
    np.testing.assert_array_equal(np.bincount(loaded.y), [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958])
    np.testing.assert_array_equal(loaded.y[[0, 1, 2, 60_000, 60_001]], [5, 0, 4, 7, 2])


def test_digits() -> None:
    loaded = load("digits", sample=300, seed=1)
    assert (loaded.total, loaded.image_shape, loaded.recommended) == (70_000, (28, 28), "deskew")
    X, y = digits.rows(loaded.rows)
    np.testing.assert_array_equal(loaded.X, X)
    np.testing.assert_array_equal(loaded.y, y)
    # The seed is of the sample, not of the digits: another sample of the same data set.
    other = load("digits", sample=70_000 - 1, seed=2)
    common = loaded.rows[np.isin(loaded.rows, other.rows)]
    np.testing.assert_array_equal(
        other.X[np.searchsorted(other.rows, common)], loaded.X[np.searchsorted(loaded.rows, common)]
    )


@given(total=st.integers(1, 300), data=st.data())
def test_samples(total: int, data: st.DataObject) -> None:
    size, seed = data.draw(st.integers(1, total)), data.draw(st.integers(0, 2**32 - 1))
    rows = dataset.pick_rows(total, size, seed)
    assert len(rows) == size
    assert (np.diff(rows) > 0).all()
    assert rows.min() >= 0
    assert rows.max() < total
    np.testing.assert_array_equal(dataset.pick_rows(total, size, seed), rows)
    np.testing.assert_array_equal(dataset.pick_rows(total, total, seed), dataset.pick_rows(total, "all", 0))


def test_samples_are_even() -> None:
    # 2,000 samples of 10 out of 20: each row is drawn 1,000 times, give or take sqrt(2000 / 4) = 22.
    drawn = np.bincount(np.concatenate([dataset.pick_rows(20, 10, seed) for seed in range(2000)]), minlength=20)
    assert np.abs(drawn - 1000).max() < 5 * 22


@pytest.mark.parametrize("sample", [0, -1, 70_001, 2.5, "some"])
def test_impossible_samples(sample: Any) -> None:
    with pytest.raises(InputError, match="whole number from 1 to 70000"):
        load("digits", sample=sample)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("mnits", {}, "unknown data set 'mnits': did you mean 'mnist'"),
        ("kuzushiji", {}, "did you mean 'kuzushiji-mnist'"),
        ("points.xyz", {}, "there is no file points.xyz: give another path."),
        ("digits", {"label_column": "y"}, "no named columns"),
        ("digits", {"columns": ["y"]}, "no named columns"),
        ("digits", {"image_shape": (5, 5), "sample": 3}, "784 columns, which are not images of 5 x 5"),
        ("digits", {"sample": 3, "seed": -1}, "seed is -1"),
        ("digits", {"data_dir": "/absent/folder"}, "there is no folder /absent/folder"),
    ],
)
def test_impossible_wishes(name: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        load(name, **options)
    assert says in str(caught.value)


def made(**changes: Any) -> Dataset:
    fine = Dataset("made", np.arange(6.0).reshape(3, 2), np.array([1, 2, 1]), np.array([4, 7, 9]), 10)
    return dataclasses.replace(fine, **changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"X": np.zeros(3)}, "1 dimension"),
        ({"X": np.zeros((0, 2)), "y": None, "rows": np.zeros(0)}, "is empty"),
        ({"X": np.array([["a", "b"]] * 3)}, "holds text"),
        ({"X": np.array([[object()]] * 3)}, "holds values of type object"),
        ({"X": np.array([[0, 1], [np.nan, -np.inf], [3, np.nan]])}, "3 NaN or infinite values, the first in row 7"),
        ({"X": np.ma.masked_equal([[0, 1], [2, 3], [4, 1]], 1)}, "2 masked values among its features"),
        ({"X": scipy.sparse.eye_array(3, 4)}, "made is a sparse matrix: give a dense array, X.toarray()"),
        ({"X": np.tile([1.0, 2.0], (3, 1))}, "no column of made varies over its 3 rows"),
        ({"y": np.array([1, 2])}, "3 rows but 2 labels"),
        ({"y": np.ones((3, 2), dtype=int)}, "3 rows but 3 x 2 labels"),
        ({"y": np.array([1.0, 2, 3])}, "of type float64"),
        ({"rows": np.array([1, 2])}, "2 row indices"),
        ({"image_shape": (3, 3)}, "not images of 3 x 3"),
        ({"image_shape": (-1, -2)}, "not images of -1 x -2"),
    ],
)
def test_check(changes: dict[str, Any], says: str) -> None:
    check(made())
    with pytest.raises(InputError) as caught:
        check(made(**changes))
    assert says in str(caught.value)


def test_a_masked_array_that_masks_nothing_is_its_values() -> None:
    X = np.arange(6.0).reshape(3, 2)
    dataset = made(X=np.ma.masked_equal(X, 99))
    assert type(dataset.X) is np.ndarray
    np.testing.assert_array_equal(dataset.X, X)


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (np.array(["b", "ü", "b"], dtype=object), ["b", "ü", "b"]),
        (pd.Series(["b", "ü", "b"], dtype="category"), ["b", "ü", "b"]),
        (pd.Series([2, 1, 2], dtype="Int64").to_numpy(dtype=object), [2, 1, 2]),
        (np.array([2.0, True, np.int8(2)], dtype=object), [2, 1, 2]),
        (["b", "ü", "b"], ["b", "ü", "b"]),
        (np.array([b"b", "ü".encode(), b"b"]), ["b", "ü", "b"]),
        (np.array([2.0, 1, 2]), [2, 1, 2]),
        (np.array([2**63 - 1, 2**63 - 2, 1], np.uint64), [2**63 - 1, 2**63 - 2, 1]),
    ],
)
def test_labels_of_every_kind(y: Any, expected: list[object]) -> None:
    found = checked(made(y=y))
    assert found.y is not None
    assert found.y.dtype == np.array(expected).dtype
    np.testing.assert_array_equal(found.y, expected)
    again = checked(made(y=copy.deepcopy(y)))
    assert found.digest() == again.digest()


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (np.array(["a", 1, None], dtype=object), "are of the types int, str: give whole numbers or text"),
        (np.array(["a", 1, 2], dtype=object), "are of the types int, str: give whole numbers or text"),
        (np.array([{1}, {2}, {3}]), "are of the types set: give whole numbers or text"),
        (np.array([0.5, 1, 2]), "not whole"),
        (np.array([0.5, 1, 2], dtype=object), "not whole"),
        (np.array([1e19, 2e19, 3]), "have 1e+19, which is beyond 64 bits: save them as text"),
        (np.array([1, 2**63, 3], np.uint64), "have 9223372036854775808, which is beyond 64 bits"),
        (np.array([-1, 2**63, 3], dtype=object), "which is beyond 64 bits"),
        (np.array([b"Gr\xf6", b"b", b"c"]), "are not in UTF-8, such as b'Gr\\xf6' in row 4"),
        (np.array([1, 2]), "3 rows but 2 labels"),
        (np.array([1, np.nan]), "3 rows but 2 labels"),
    ],
)
def test_labels_that_cannot_be_used(y: np.ndarray, says: str) -> None:
    with pytest.raises(InputError) as caught:
        checked(made(y=y))
    assert says in str(caught.value)
    assert str(caught.value).startswith("the labels of made") or "3 rows but" in says


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (np.array([1.0, np.nan, 3]), [1, None, 3]),
        (np.array(["a", np.nan, None], dtype=object), ["a", None, None]),
        (pd.Series(["b", None, "a"]), ["b", None, "a"]),
        (pd.Series(["b", None, "a"], dtype="category"), ["b", None, "a"]),
        (pd.Series([2**62 + 1, None, -3], dtype="Int64"), [2**62 + 1, None, -3]),
        (pd.array([2**62 + 1, None, -3], dtype="Int64"), [2**62 + 1, None, -3]),
        (pd.Series([True, None, False], dtype="boolean"), [1, None, 0]),
        (np.ma.masked_array([4, 5, 6], [True, False, False]), [None, 5, 6]),
        (np.array([b"x", None, "Größe".encode()], dtype=object), ["x", None, "Größe"]),
    ],
)
def test_rows_may_have_no_label(y: Any, expected: list[object]) -> None:
    found = checked(made(y=y))
    assert found.y is not None
    assert found.y.tolist() == expected
    lacking = expected.count(None)
    assert found.notes[-1] == f"made: {lacking} of 3 rows have no label; scores by label are over the others."
    assert checked(found).notes == found.notes
    back = labels.from_column(labels.as_column(found.y))
    assert back.tolist() == expected
    assert back.dtype == found.y.dtype
    assert found.digest() == checked(made(y=copy.deepcopy(y))).digest()
    assert found.digest() != checked(made(y=np.ma.getdata(found.y))).digest()


@pytest.mark.parametrize("y", [[np.nan, np.nan, np.nan], np.array([None, pd.NA, np.nan], dtype=object)])
def test_labels_that_no_row_has(y: Any) -> None:
    with pytest.raises(InputError, match="none of the 3 rows of made has a label: leave the labels out"):
        checked(made(y=np.asarray(y)))


def test_parts_of_labels_are_joined() -> None:
    parts = [np.array(["a", "bc"]), np.ma.masked_array(["", "d"], [True, False])]
    assert labels.joined(parts).tolist() == ["a", "bc", None, "d"]
    assert not isinstance(labels.joined(parts[:1]), np.ma.MaskedArray)


def test_rows_for_a_map_that_is_there_need_not_vary() -> None:
    same = made(X=np.ones((3, 2)))
    check(same, varies=False)
    with pytest.raises(InputError, match="no column of made varies"):
        check(same)
    with pytest.raises(InputError, match="NaN"):
        check(made(X=np.full((3, 2), np.nan)), varies=False)


def test_check_reads_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.zeros((1000, 4), dtype=np.float32)
    X[999, 3] = 1
    monkeypatch.setattr(dataset, "_BLOCK", 100)
    check(made(X=X, y=None, rows=np.arange(1000)))
    X[[500, 998], 1] = np.inf
    with pytest.raises(InputError, match="2 NaN or infinite values, the first in row 500"):
        check(made(X=X, y=None, rows=np.arange(1000)))


def test_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = made().digest()
    np.save(tmp_path / "X.npy", made().X)
    monkeypatch.setattr(dataset, "_BLOCK", 1)
    assert made(X=np.load(tmp_path / "X.npy", mmap_mode="r")).digest() == digest
    assert made(X=np.asfortranarray(made().X), name="else", source="else", notes=("else",)).digest() == digest
    others = [
        made(X=made().X + 1),
        made(X=made().X.astype(np.float32)),
        made(X=made().X.reshape(2, 3)),
        made(y=None),
        made(y=np.array([1, 2, 2])),
        made(y=np.array(["1", "2", "1"])),
        made(rows=np.array([4, 7, 8])),
    ]
    assert len({digest, *(other.digest() for other in others)}) == 8


def test_the_table_and_the_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert list(DATASETS) == ["mnist", "fashion-mnist", "kuzushiji-mnist", "digits"]
    monkeypatch.setenv("GPU_PIPELINE_CACHE", str(tmp_path))
    monkeypatch.delenv("GPU_PIPELINE_DATA", raising=False)
    assert [(name, path) for name, path, _ in locate()] == [(name, None) for name in DATASETS]
    monkeypatch.delenv("GPU_PIPELINE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "gpu-pipeline"


def test_digests_are_well_formed() -> None:
    for idx_set in SETS.values():
        assert set(idx_set.digests) == set(FILES)
        for accepted in idx_set.digests.values():
            for digest in accepted:
                algorithm, _, value = digest.partition(":")
                assert len(bytes.fromhex(value)) == hashlib.new(algorithm).digest_size


def test_importing_loads_nothing_heavy() -> None:
    program = "import sys, gpu_pipeline.datasets, gpu_pipeline.preprocess; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=os.getcwd()
    )
    assert not {"sklearn", "scipy", "pandas", "pyarrow", "pooch", "requests"} & set(loaded.stdout.split())


def test_a_data_set_of_ones_own() -> None:
    X = np.arange(6.0).reshape(3, 2)
    for some, columns in ((X, None), (X.tolist(), None), (pd.DataFrame(X, columns=["a", "b"]), ("a", "b"))):
        made = checked(Dataset("mine", some, pd.Series(["p", "q", "p"], dtype="category")))  # type: ignore[arg-type]
        np.testing.assert_array_equal(made.X, X)
        assert (made.rows.tolist(), made.total, made.columns) == ([0, 1, 2], 3, columns)
        assert made.y is not None
        assert made.y.tolist() == ["p", "q", "p"]
    with pytest.raises(InputError, match="holds values of type object where numbers are expected"):
        checked(Dataset("mine", pd.DataFrame({"a": [1, 2], "b": ["p", "q"]})))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"not as DataFrame: give Dataset\('a name', X\)"):
        checked(pd.DataFrame(X))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="by its name or path, not DataFrame"):
        load(pd.DataFrame(X))  # type: ignore[arg-type]


def test_a_column_of_arrays_of_ones_own() -> None:
    X = np.arange(6, dtype=np.float32).reshape(3, 2)
    frame = pd.DataFrame({"embedding": list(X), "title": ["a", "b", "c"]}, index=[7, 8, 9])
    lists = pd.Series(X.tolist(), dtype=pd.ArrowDtype(pa.list_(pa.float32())))
    for rows in (frame["embedding"], frame[["embedding"]], frame["embedding"].to_numpy(), list(X), tuple(X), lists):
        made = checked(Dataset("mine", rows, frame["title"]))  # type: ignore[arg-type]
        np.testing.assert_array_equal(made.X, X)
        assert (made.X.dtype, made.total, made.columns) == (np.float32, 3, None)
    assert checked(Dataset("mine", pd.Series([[1, 2], [3, 4]]))).X.tolist() == [[1, 2], [3, 4]]  # type: ignore[arg-type]
    with pytest.raises(
        InputError, match=r"arrays in the column 'embedding' and .* give that one alone, as frame\['emb"
    ):
        Dataset("mine", frame)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([[1, 2], [3, 4], [5], [6]], "mine has 1 numbers where others have 2 in row 2 (counted from 0): give arrays"),
        (
            [[1, 2], None, [3, 4]],
            "mine has no array in row 1 (counted from 0): give arrays of equal length in all rows.",
        ),
        ([None, [1, 2]], "mine has no array in row 0"),
        ([np.ones((2, 3)), np.ones((2, 4))], "mine has 2 x 4 numbers where others have 2 x 3 in row 1"),
        ([["a", "b"], ["c", "d"]], "mine holds text where numbers are expected"),
        (["a", None], "mine has 1 dimension:"),
        (None, "mine has 0 dimensions:"),
    ],
)
def test_a_column_of_ones_own_that_cannot_be_used(rows: Any, says: str) -> None:
    for some in (rows, pd.Series(rows, dtype=object)) if rows else (rows,):
        with pytest.raises(InputError) as caught:
            checked(Dataset("mine", some))  # type: ignore[arg-type]
        assert says in str(caught.value)


def test_one_column_may_be_named_as_it_is(tmp_path: Path) -> None:
    pd.DataFrame({"size": [1.0, 2.0], "b": [3, 4]}).to_csv(tmp_path / "t.csv", index=False)
    assert load(tmp_path / "t.csv", columns="size").X.tolist() == [[1.0], [2.0]]
