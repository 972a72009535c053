"""A person's own files: every format read back, and every way in which one can be wrong."""

from __future__ import annotations

import gzip
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, ipc, parquet
from scipy import sparse

from gpu_pipeline.datasets import Dataset, is_table, load
from gpu_pipeline.datasets.tables import TABLES
from gpu_pipeline.errors import InputError, listed, unknown_name

X = np.array([[1.5, 2], [3, 4.25], [5, 6], [7, 9]])
TABLE = pd.DataFrame({"a": [1.5, 3, 5, 7], "kind": ["p", "q", "p", "ü"], "b": [2, 4, 6, 9], "n": [3, 1, 2, 3]})


def streamed(table: pa.Table, path: Path, rows: int = 3) -> None:
    """A table as Hugging Face's datasets writes it, a few rows at a time."""
    with ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)


WRITERS: dict[str, Any] = {
    "t.csv": lambda path: TABLE.to_csv(path, index=False),
    "t.csv.gz": lambda path: TABLE.to_csv(path, index=False),
    "T.CSV": lambda path: TABLE.to_csv(path, index=False),
    "t.parquet": lambda path: TABLE.to_parquet(path, index=False),
    "t.feather": lambda path: feather.write_feather(TABLE, path, compression="uncompressed"),
    "t.arrow": lambda path: feather.write_feather(TABLE, path),
    "s.arrow": lambda path: streamed(pa.Table.from_pandas(TABLE), path),
}


def refused(says: str, name: Path | str, **options: Any) -> None:
    """`load` fails with one sentence that says this."""
    with pytest.raises(InputError) as caught:
        load(str(name), **options)
    message = str(caught.value)
    assert says in message
    assert message.endswith((".", "?"))
    assert "\n" not in message


def saved(folder: Path, array: np.ndarray) -> Path:
    np.save(folder / "x.npy", array)
    return folder / "x.npy"


def test_npy_stays_on_disk(tmp_path: Path) -> None:
    loaded = load(str(saved(tmp_path, X.astype(np.float32))))
    assert isinstance(loaded, Dataset)
    assert isinstance(loaded.X, np.memmap)
    assert loaded.X.dtype == np.float32
    np.testing.assert_array_equal(loaded.X, X.astype(np.float32))
    assert (loaded.name, loaded.source, loaded.y, loaded.total, loaded.recommended) == ("x", "x.npy", None, 4, "none")


def test_npy_images(tmp_path: Path) -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    for order in (images, np.asfortranarray(images)):
        loaded = load(str(saved(tmp_path, order)))
        assert loaded.image_shape == (3, 4)
        np.testing.assert_array_equal(loaded.X, images.reshape(2, 12))


def test_image_shape_is_given(tmp_path: Path) -> None:
    path = saved(tmp_path, np.arange(24).reshape(2, 12))
    assert load(str(path), image_shape=(3, 4)).image_shape == (3, 4)
    refused("12 columns, which are not images of 5 x 5", path, image_shape=(5, 5))


@pytest.mark.parametrize("keys", [("X", "y"), ("data", "labels"), ("images", "target"), ("whatever", None)])
def test_npz(tmp_path: Path, keys: tuple[str, str | None]) -> None:
    y = np.array([3, 1, 2, 3], dtype=np.uint8)
    arrays: dict[str, Any] = {keys[0]: X} if keys[1] is None else {keys[0]: X, keys[1]: y}
    np.savez(tmp_path / "x.npz", **arrays)
    loaded = load(str(tmp_path / "x.npz"), sample=2, seed=1)
    np.testing.assert_array_equal(loaded.X, X[loaded.rows])
    if keys[1] is None:
        assert loaded.y is None
    else:
        np.testing.assert_array_equal(loaded.y, y[loaded.rows])


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
def test_a_sparse_matrix_of_scipy(tmp_path: Path, kind: str) -> None:
    counts = np.random.default_rng(0).poisson(0.3, (50, 20))
    sparse.save_npz(tmp_path / "counts.npz", sparse.csr_array(counts).asformat(kind))
    loaded = load(str(tmp_path / "counts.npz"), sample=7, seed=1)
    np.testing.assert_array_equal(loaded.X, counts[loaded.rows])
    assert loaded.total == 50


def test_a_sparse_matrix_that_is_too_large_when_dense(tmp_path: Path) -> None:
    one = sparse.coo_array((np.ones(1), ([0], [0])), shape=(10**6, 10**8))
    sparse.save_npz(tmp_path / "wide.npz", one)
    refused("its 1,000,000 rows of 100,000,000 columns are 800,000 GB when dense: take a sample", tmp_path / "wide.npz")


@pytest.mark.parametrize("kind", ["dok", "lil", 7])
def test_a_sparse_matrix_of_another_format(tmp_path: Path, kind: str | int) -> None:
    np.savez(tmp_path / "counts.npz", format=kind, shape=(3, 2), data=np.ones(6))
    refused("counts.npz is a sparse matrix that SciPy does not read", tmp_path / "counts.npz")


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (np.array([1.0, 2, 2, -1]), [1, 2, 2, -1]),
        (np.array([True, False, True, True]), [1, 0, 1, 1]),
        (np.array(["a", "bc", "a", "ü"]), ["a", "bc", "a", "ü"]),
        (np.array([[4], [5], [6], [7]]), [4, 5, 6, 7]),
    ],
)
def test_kinds_of_labels(tmp_path: Path, y: np.ndarray, expected: list[object]) -> None:
    np.savez(tmp_path / "x.npz", X=X, y=y)
    loaded = load(str(tmp_path / "x.npz"))
    np.testing.assert_array_equal(loaded.y, expected)


@pytest.mark.parametrize("name", WRITERS)
def test_tables(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    loaded = load(str(path), label_column="kind")
    np.testing.assert_array_equal(loaded.X, TABLE[["a", "b", "n"]].to_numpy())
    np.testing.assert_array_equal(loaded.y, ["p", "q", "p", "ü"])
    assert loaded.name == name.split(".")[0]
    assert loaded.notes == ()
    chosen = load(str(path), label_column="n", columns=["b"], sample=3, seed=5)
    np.testing.assert_array_equal(chosen.X[:, 0], TABLE["b"].to_numpy()[chosen.rows])
    np.testing.assert_array_equal(chosen.y, TABLE["n"].to_numpy()[chosen.rows])
    assert chosen.X.dtype == np.int64
    assert chosen.total == 4
    assert "kind" in load(str(path)).notes[0]


@pytest.mark.parametrize("name", WRITERS)
def test_wrong_columns(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    refused("did you mean 'kind'?", path, label_column="kinds")
    refused("unknown column", path, columns=["a", "zzz"])
    refused("text such as 'p'", path, columns=["a", "kind"])
    refused("both label and feature", path, label_column="a", columns=["a"])
    refused("at least one", path, columns=[])


def test_a_label_that_would_be_a_feature_is_said(tmp_path: Path) -> None:
    pd.DataFrame({"Label": [1, 2], "a": [3, 4]}).to_csv(tmp_path / "t.csv", index=False)
    assert "'Label' is taken as a feature" in load(str(tmp_path / "t.csv")).notes[0]
    assert load(str(tmp_path / "t.csv"), label_column="Label").notes == ()


def test_csv_without_names(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("5,0,1\n4,2,3\n")
    loaded = load(str(tmp_path / "t.csv"), label_column="f0")
    np.testing.assert_array_equal(loaded.X, [[0, 1], [2, 3]])
    np.testing.assert_array_equal(loaded.y, [5, 4])
    assert "no line of column names" in loaded.notes[0]


def index_again(path: Path) -> None:
    """What comes of a table that was written with its index, read, and written once more."""
    TABLE.to_csv(path)
    pd.read_csv(path).to_csv(path, index=False)


@pytest.mark.parametrize(
    ("name", "write", "index"),
    [
        ("t.csv", TABLE.to_csv, ""),
        ("t.csv", index_again, "Unnamed: 0"),
        ("t.parquet", TABLE.iloc[[2, 0, 3, 1]].to_parquet, "__index_level_0__"),
    ],
)
def test_the_index_of_pandas_is_no_feature(tmp_path: Path, name: str, write: Any, index: str) -> None:
    path = tmp_path / name
    write(path)
    loaded = load(str(path), label_column="kind")
    assert loaded.columns == ("a", "b", "n")
    (note,) = loaded.notes
    assert note.startswith(f"{name}: the column {index!r} is left out, being pandas' index by its name;")
    assert load(str(path), columns=[index, "b"]).columns == (index, "b")
    labelled = load(str(path), label_column=index, columns=["a"])
    assert (sorted(labelled.y), labelled.notes) == ([0, 1, 2, 3], ())
    parts = tmp_path / "parts"
    parts.mkdir()
    TABLE.iloc[[2, 0, 3, 1]].to_parquet(parts / "0.parquet")
    assert load(str(parts)).columns == ("a", "b", "n")


def test_columns_that_are_numbered_are_names(tmp_path: Path) -> None:
    numbers = pd.DataFrame(np.random.default_rng(0).normal(size=(6, 4)))
    numbers.to_csv(tmp_path / "t.csv", index=False)
    loaded = load(str(tmp_path / "t.csv"))
    np.testing.assert_array_equal(loaded.X, numbers)
    assert loaded.columns == ("0", "1", "2", "3")
    assert loaded.notes == ("t.csv: the first line, 0 to 3, is taken as column names.",)
    for first in ("0,1", "0,1,3", "1,2,3"):  # Two such numbers are as likely a row.
        (tmp_path / "t.csv").write_text(f"{first}\n" + first.replace("1", "7") + "\n")
        assert load(str(tmp_path / "t.csv")).total == 2


def test_types_of_columns(tmp_path: Path) -> None:
    table = pa.table(
        {
            "half": pa.array([1, 2], pa.float16()),
            "yes": pa.array([True, False]),
            "money": pa.array(["1.25", "3"]).cast(pa.decimal128(5, 2)),
            "long": pa.array([2**40, 1]),
            "place": pa.array(["a", "b"]).dictionary_encode(),
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    loaded = load(str(tmp_path / "t.parquet"), label_column="place")
    np.testing.assert_array_equal(loaded.X, [[1, 1, 1.25, 2**40], [2, 0, 3, 1]])
    np.testing.assert_array_equal(loaded.y, ["a", "b"])
    assert load(str(tmp_path / "t.parquet"), columns=["half"]).X.dtype == np.float16


def test_missing_values(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,c\n1,2,x\n3,,y\n4,5,\n")
    refused("1 NaN or infinite value, the first in row 1", tmp_path / "t.csv")


def test_missing_values_beside_large_whole_numbers(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n9007199254740993,1\n,2\n")
    parquet.write_table(pa.table({"a": [2**53 + 1, None], "b": [1, 2]}), tmp_path / "t.parquet")
    (tmp_path / "parts").mkdir()
    parquet.write_table(pa.table({"a": [2**53 + 1, None], "b": [1, 2]}), tmp_path / "parts" / "0.parquet")
    for name in ("t.csv", "t.parquet", "parts"):
        refused("1 NaN or infinite value, the first in row 1 (counted from 0), column 'a'", tmp_path / name)
        np.testing.assert_array_equal(load(tmp_path / name, keep="a").X, [[1], [2]])


def test_rows_without_a_label(tmp_path: Path) -> None:
    text, whole, huge = ["x", None, "z"], [None, 7, 8], [2**62 + 1, None, 3]
    parquet.write_table(
        pa.table({"a": [1, 2, 3], "text": text, "whole": whole, "huge": huge, "none": pa.nulls(3)}),
        tmp_path / "t.parquet",
    )
    (tmp_path / "t.csv").write_text("a,text,whole,huge,none\n1,x,,4611686018427387905,\n2,,7,,\n3,z,8,3,\n")
    for name in ("t.parquet", "t.csv"):
        for column, expected in (("text", text), ("whole", whole), ("huge", huge)):
            found = load(tmp_path / name, label_column=column, columns="a")
            assert found.y is not None
            assert found.y.tolist() == expected
            assert found.notes == ("t: 1 of 3 rows have no label; scores by label are over the others.",)
        refused("none of the 3 rows of t has a label", tmp_path / name, label_column="none", columns="a")
    np.savez(tmp_path / "t.npz", X=np.arange(6).reshape(3, 2), y=[1, 2, np.nan])
    assert load(tmp_path / "t.npz", sample=2, seed=0).y.tolist() == [2, None]  # rows 1 and 2


def test_labels_that_are_not_in_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("a,kind\n1,x\n2,Größe\n3,y\n".encode("latin-1"))
    refused("column 'kind' are not in UTF-8, such as b'Gr\\xf6\\xdfe' in row 1 (", path, label_column="kind")
    refused("in row 1 (", path, label_column="kind", sample=2, seed=0)  # rows 1 and 2
    parquet.write_table(pa.table({"a": [1, 2], "kind": [b"x", "Größe".encode()]}), tmp_path / "t.parquet")
    np.testing.assert_array_equal(load(str(tmp_path / "t.parquet"), label_column="kind").y, ["x", "Größe"])


def test_text_where_numbers_belong(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\nx,y\nz,w\n")
    refused("no column of numbers", tmp_path / "t.csv")
    refused("holds text where numbers are expected", saved(tmp_path, np.array([["a", "b"], ["c", "d"]])))
    refused("complex128 where numbers", saved(tmp_path, np.array([[1j, 2], [3, 4]])))
    np.savez(tmp_path / "x.npz", X=X, y=np.array([0.5, 1, 2, 3]))
    refused("not whole", tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros(5), "has 1 dimension:"),
        (np.array(5), "has 0 dimensions"),
        (np.zeros((2, 3, 4, 5)), "has 4 dimensions"),
        (np.zeros((0, 3)), "is empty"),
        (np.zeros((3, 0)), "is empty"),
        (np.array([[np.nan, 1], [2, np.inf]]), "2 NaN or infinite values, the first in row 0"),
        (np.full((3, 2), 7), "no column of x varies"),
    ],
)
def test_unusable_arrays(tmp_path: Path, array: np.ndarray, says: str) -> None:
    refused(says, saved(tmp_path, array))


def test_labels_of_another_length(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", X=X, y=np.arange(3))
    refused("has 4 rows but 3 labels", tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", X=X, y=np.eye(4))
    refused("has 4 rows but 16 labels", tmp_path / "x.npz")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    np.save(tmp_path / "x.npy", np.array([Bomb(), Bomb()], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "x.npz", X=np.array([Bomb()], dtype=object))
    (tmp_path / "bare.npy").write_bytes(pickle.dumps(Bomb()))
    refused("pickled", tmp_path / "x.npy")
    refused("pickled", tmp_path / "x.npz")
    refused("not a whole NumPy file", tmp_path / "bare.npy")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("suffix", ["npy", "npz", "csv", "csv.gz", "parquet", "feather", "arrow"])
def test_empty_and_foreign_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    path.touch()
    refused("is empty", path)
    path.write_bytes(b"\x00\xff\xfe nonsense, \x80\n" * 20)
    refused("x." + suffix, path)


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "t.csv.gz", "t.parquet", "t.feather", "t.arrow"])
def test_truncated_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name in WRITERS:
        WRITERS[name](path)
    else:
        (np.save if name == "x.npy" else np.savez)(path, X)
    whole = path.read_bytes()
    for part in (len(whole) - 10, len(whole) // 2, 5):
        path.write_bytes(whole[:part])
        refused(name, path)


def test_a_stream_that_breaks_off(tmp_path: Path) -> None:
    WRITERS["s.arrow"](tmp_path / "s.arrow")
    whole = (tmp_path / "s.arrow").read_bytes()
    for part in (len(whole) - 30, len(whole) // 2, 5):
        (tmp_path / "s.arrow").write_bytes(whole[:part])
        refused("s.arrow is not a readable Arrow file (", tmp_path / "s.arrow")


def test_columns_of_arrow_stay_on_disk(tmp_path: Path) -> None:
    held = pa.total_allocated_bytes()
    streamed(pa.table({"a": np.arange(5e5), "b": np.arange(5e5)}), tmp_path / "s.arrow", 10_000)
    opened = TABLES[".arrow"](tmp_path / "s.arrow")
    assert opened.read(["b"]).num_rows == 500_000
    assert pa.total_allocated_bytes() - held < 1_000_000


def test_damaged_parquet(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": np.arange(10_000)}).to_parquet(path)
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(1996)
    path.write_bytes(content)
    refused("t.parquet", path)


def test_tables_without_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n")
    with pytest.raises(InputError):
        load(str(tmp_path / "t.csv"))
    parquet.write_table(pa.table({"a": pa.array([], pa.float64())}), tmp_path / "t.parquet")
    refused("is empty", tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("a,a\n1,2\n")
    refused("two columns named 'a'", tmp_path / "t.csv")


def test_wrong_names(tmp_path: Path) -> None:
    saved(tmp_path, X)
    refused("did you mean 'x.npy'?", tmp_path / "xx.npy")
    refused("there is no folder", tmp_path / "absent" / "x.npy")
    refused("is a folder", tmp_path)
    (tmp_path / "x.xlsx").touch()
    refused("cannot be read", tmp_path / "x.xlsx")
    refused("no named columns", tmp_path / "x.npy", label_column="y")
    np.savez(tmp_path / "two.npz", a=X, b=X)
    refused("has the arrays a, b", tmp_path / "two.npz")
    (tmp_path / "x.npz").write_bytes((tmp_path / "x.npy").read_bytes())
    refused("it is a .npy file", tmp_path / "x.npz")
    (tmp_path / "z.npy").write_bytes((tmp_path / "two.npz").read_bytes())
    refused("not a whole NumPy file", tmp_path / "z.npy")


def test_gzip_is_read_through(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n3,4\n"))
    np.testing.assert_array_equal(load(str(tmp_path / "t.csv.gz")).X, [[1, 2], [3, 4]])


def test_columns_of_a_table_have_names_and_those_of_an_array_do_not(tmp_path: Path) -> None:
    pd.DataFrame({"b": [1.0, 2], "kind": ["x", "y"], "a": [3.0, 5]}).to_parquet(tmp_path / "t.parquet")
    assert load(str(tmp_path / "t.parquet"), label_column="kind").columns == ("b", "a")
    assert load(str(tmp_path / "t.parquet"), columns=["a", "b"]).columns == ("a", "b")
    assert load(str(saved(tmp_path, np.arange(6).reshape(2, 3)))).columns is None
    names = ("T.CSV.GZ", "t.parquet", str(tmp_path), "t.npy", "digits", "auto")
    assert [is_table(name) for name in names] == [True, True, True, False, False, False]


def arrays(path: Path, values: list[Any], kind: pa.DataType | None = None) -> Path:
    """A table with a number and an array in each row."""
    table = pa.table({"id": range(len(values)), "text": ["a"] * len(values), "vector": pa.array(values, kind)})
    {".parquet": parquet.write_table, ".feather": feather.write_feather, ".arrow": streamed}[path.suffix](table, path)
    return path


@pytest.mark.parametrize("name", ["t.parquet", "t.feather", "t.arrow"])
@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float32(), 2)])
def test_a_column_of_arrays_is_the_features(tmp_path: Path, name: str, kind: pa.DataType) -> None:
    path = arrays(tmp_path / name, X.tolist(), kind)
    for columns in (None, ["vector"]):
        dataset = load(str(path), columns=columns)
        np.testing.assert_array_equal(dataset.X, X)
        assert (dataset.X.dtype, dataset.columns) == (kind.value_type.to_pandas_dtype(), None)
    np.testing.assert_array_equal(load(str(path), sample=2).X, X[load(str(path), sample=2).rows])
    assert load(str(path), label_column="text").y.tolist() == ["a"] * 4  # type: ignore[union-attr]


def test_what_is_left_beside_a_column_of_arrays_is_said(tmp_path: Path) -> None:
    (note,) = load(str(arrays(tmp_path / "t.parquet", X.tolist()))).notes
    assert note == "t.parquet: the arrays of the column 'vector' are taken as the features, and id, text left out."


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([[1.0, 2.0], [3.0], [4.0, 5.0]], "has 1 numbers where the first has 2 in row 1"),
        ([[1.0, 2.0], None, [4.0, 5.0]], "has no array in row 1"),
        ([[1.0, 2.0], [3.0, None], [4.0, 5.0]], "1 NaN or infinite value, the first in row 1"),
        ([[], [], []], "has no numbers in row 0"),
    ],
)
def test_arrays_that_are_not_whole(tmp_path: Path, values: list[Any], says: str) -> None:
    refused(says, arrays(tmp_path / "t.parquet", values, pa.list_(pa.float64())))


def test_arrays_that_cannot_be_features(tmp_path: Path) -> None:
    path = arrays(tmp_path / "t.parquet", [[1.0, 2.0]] * 3)
    refused("name it alone", path, columns=["vector", "id"])
    refused("holds list<element: string>", arrays(path, [["a"]] * 3), columns=["vector"])
    two = pa.table({name: pa.array([[1.0, 2.0]] * 3) for name in ("image", "caption")})
    parquet.write_table(two, path)
    refused("has arrays in the columns image, caption: name one of them as the features, by --columns NAME or", path)
    long = TABLE.assign(kind="[0.25; " + "0.25; " * 100)
    long.to_csv(tmp_path / "long.csv", index=False)
    refused("holds text such as '[0.25; 0.25;", tmp_path / "long.csv", columns=["kind"])
    with pytest.raises(InputError, match=r"\.\.\.' where numbers are expected"):
        load(str(tmp_path / "long.csv"), columns=["kind"])


VECTORS = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
WRITTEN = {
    "text": [str(row) for row in VECTORS],
    "lists": [str([0.5, -1e-05, *range(k)]) for k in range(6)],
    "bytes": [row.tobytes() for row in VECTORS],
}


@pytest.mark.parametrize("name", ["t.parquet", "t.feather", "parts"])
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("text", "looks like arrays written as text: make arrays of them, and save those as Parquet or .npy."),
        ("lists", "looks like arrays written as text: make arrays of them, and save those as Parquet or .npy."),
        ("bytes", "may hold embeddings stored as bytes: decode them first, as np.frombuffer(value, np.float32) does, "),
    ],
)
def test_arrays_in_a_form_that_is_not_read_are_told(tmp_path: Path, name: str, kind: str, says: str) -> None:
    path = tmp_path / name
    file, write = path, feather.write_feather if path.suffix == ".feather" else parquet.write_table
    if not path.suffix:
        path.mkdir()
        file = path / "0.parquet"
    table = pa.table({"vector": [None, *WRITTEN[kind]], "title": ["[1] by A. B."] * 7})
    write(table, file)
    refused(f"the column 'vector' of {name} {says}", path)
    refused(f"the column 'vector' of {name} {says}", path, columns="vector")
    write(table.append_column("likes", pa.array(range(7))), file)
    notes = load(path).notes
    assert len(notes) == 2
    assert notes[1].startswith(f"the column 'vector' of {name} {says}")
    assert load(path, label_column="title").notes[1:] == notes[1:]


def test_what_is_no_array_is_not_taken_for_one(tmp_path: Path) -> None:
    table = pa.table(
        {
            "likes": [1, 2],
            "some": ["[0.5, 1]", "see there"],
            "cite": ["[1] A", "[2] B"],
            "files": [b"abcd", b"abcdefgh"],
            "odd": [b"abc", b"def"],
            "none": pa.array([None, None], pa.binary()),
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    (note,) = load(tmp_path / "t.parquet").notes
    assert note.startswith("t.parquet: columns without numbers are left out")


def test_text_like_arrays_in_csv(tmp_path: Path) -> None:
    pd.DataFrame({"vector": list(VECTORS)}).to_csv(tmp_path / "t.csv", index=False)
    refused("the column 'vector' of t.csv looks like arrays written as text", tmp_path / "t.csv")


def test_of_what_is_left_out_the_first_rows_alone_are_read(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"likes": np.arange(1_000), "file": [b"1234"] * 999 + [b"12"]}), path)
    assert TABLES[".parquet"](path).first(["file"]).num_rows == 100
    assert "may hold embeddings stored as bytes" in load(path).notes[1]


def test_a_missing_number_is_told_by_its_column(tmp_path: Path) -> None:
    TABLE.assign(b=[2, 4, np.nan, 9]).to_csv(tmp_path / "t.csv", index=False)
    refused("1 NaN or infinite value, the first in row 2 (counted from 0), column 'b'", tmp_path / "t.csv")


def test_labels_that_nearly_all_differ_are_said(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(25_000, 3)), columns=list("abc"))
    path = tmp_path / "t.parquet"
    table.assign(id=[f"thing {i}" for i in range(25_000)], half=np.arange(25_000) // 2 % 4_000).to_parquet(path)
    (note,) = load(str(path), label_column="id", columns=["a", "b", "c"]).notes
    assert note.startswith("t: nearly every row has a label of its own (8,334 different ones in 8,334 rows), so that")
    for options in (
        {"label_column": "half"},
        {"label_column": "id", "varies": False},
        {"label_column": "id", "sample": 9},
    ):
        assert load(str(path), columns=["a", "b", "c"], **options).notes == ()  # type: ignore[arg-type]


def test_of_very_many_columns_some_are_named() -> None:
    names = [f"gene {i}" for i in range(5_000)]
    assert str(unknown_name("column", "?", names)).endswith("gene 28, gene 29 and 4970 more.")
    # What would break the line, rule a terminal, or not be seen.
    odd = ["a b", "", "two\nlines", "\x1b[2J", "\u202e", "\u00e9"]
    assert listed(odd) == "a b, '', 'two\\nlines', '\\x1b[2J', '\\u202e', \u00e9"
    assert str(unknown_name("column", "gene 4999O", names)).endswith("did you mean 'gene 4999'?")


@pytest.mark.parametrize(("separator", "said"), [(";", "semicolons"), ("\t", "tabs")])
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_other_separators_than_commas_are_told(tmp_path: Path, separator: str, said: str, name: str) -> None:
    TABLE.to_csv(tmp_path / name, sep=separator, decimal=",", index=False)
    refused(f"{name} has {said} between its columns where commas are expected: save it with commas", tmp_path / name)
    TABLE.assign(**{"a;b": 0.5, "c\td": 1}).to_csv(tmp_path / name, index=False)
    assert "a;b" in (load(str(tmp_path / name)).columns or ())
