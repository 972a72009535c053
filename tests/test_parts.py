"""Partitioned Parquet: rows in the order of the files, only those that are wanted, and damage that has a name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from gpu_pipeline import InputError, load
from gpu_pipeline.datasets.columns import Columns
from gpu_pipeline.datasets.made import MADE
from gpu_pipeline.datasets.parts import METADATA, open_parts

X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
Y = np.arange(50) % 4


def lists(rows: slice, **metadata: object) -> pa.Table:
    """A column of arrays, and labels."""
    values = pa.FixedSizeListArray.from_arrays(pa.array(X[rows].ravel()), 3)
    schema = pa.schema([("v", values.type), ("kind", pa.int64())], {METADATA: json.dumps(metadata)})
    return pa.Table.from_arrays([values, pa.array(Y[rows])], schema=schema)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files, the first of two row groups, the last row group of the second empty."""
    parquet.write_table(lists(slice(0, 30)), tmp_path / "a.parquet", row_group_size=20)
    parquet.write_table(lists(slice(30, 50)), tmp_path / "b.parquet", write_page_checksum=True)
    return tmp_path


def test_all_rows_in_the_order_of_the_files(folder: Path) -> None:
    dataset = load(str(folder), label_column="kind")
    np.testing.assert_array_equal(dataset.X, X)
    np.testing.assert_array_equal(dataset.y, Y)
    assert dataset.X.dtype == np.float32
    pieces = open_parts(folder, Columns()).pieces
    assert [(piece.start, piece.rows) for piece in pieces] == [(0, 20), (20, 10), (30, 20)]


def test_a_sample_has_the_rows_of_any_other_reader(folder: Path) -> None:
    dataset = load(str(folder), label_column="kind", sample=17, seed=5)
    np.save(folder / "same.npy", X)
    other = load(str(folder / "same.npy"), sample=17, seed=5)
    np.testing.assert_array_equal(dataset.rows, other.rows)
    np.testing.assert_array_equal(dataset.X, other.X)
    np.testing.assert_array_equal(dataset.y, Y[dataset.rows])


def test_one_file_with_a_column_of_arrays(folder: Path) -> None:
    dataset = load(str(folder / "a.parquet"))
    np.testing.assert_array_equal(dataset.X, X[:30])
    assert dataset.y is None


def test_the_files_may_say_what_they_are(tmp_path: Path) -> None:
    table = lists(slice(0, 50), label="kind", image_shape=[1, 3], recommended="deskew")
    parquet.write_table(table, tmp_path / "said.parquet")
    dataset = load(str(tmp_path))
    np.testing.assert_array_equal(dataset.y, Y)
    assert (dataset.image_shape, dataset.recommended) == ((1, 3), "deskew")


def test_plain_columns_over_several_files(tmp_path: Path) -> None:
    for i, rows in enumerate((slice(0, 20), slice(20, 50))):
        columns = {"p": X[rows, 0], "name": [f"n{y}" for y in Y[rows]], "q": X[rows, 1].astype(np.float64)}
        parquet.write_table(pa.table(columns), tmp_path / f"{i}.parquet")
    dataset = load(str(tmp_path), label_column="name")
    np.testing.assert_array_equal(dataset.X, X[:, :2].astype(np.float64))
    assert dataset.y is not None
    assert dataset.y.tolist() == [f"n{y}" for y in Y]
    assert load(str(tmp_path), columns=("q",)).X.shape == (50, 1)
    with pytest.raises(InputError, match="did you mean 'name'"):
        load(str(tmp_path), label_column="nam")
    with pytest.raises(InputError, match=r"'name' of .* holds string where numbers"):
        load(str(tmp_path), columns=("name",))


def test_a_missing_number_is_found_by_its_row(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"a": [1, 2], "b": [3, 4]}), tmp_path / "0.parquet")
    parquet.write_table(pa.table({"a": pa.array([5, None], pa.int64()), "b": [3, 4]}), tmp_path / "1.parquet")
    with pytest.raises(InputError, match="1 NaN or infinite value, the first in row 3"):
        load(str(tmp_path))


def test_damage_names_its_file(folder: Path) -> None:
    whole = (folder / "b.parquet").read_bytes()
    (folder / "b.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"b\.parquet cannot be read .*: put a whole copy in its place"):
        load(str(folder))
    where = whole.index(X[40].tobytes())  # one bit of a value: only the page's checksum can tell
    (folder / "b.parquet").write_bytes(whole[:where] + bytes([whole[where] ^ 1]) + whole[where + 1 :])
    with pytest.raises(InputError, match=r"b\.parquet, row group 0 cannot be read"):
        load(str(folder))


def test_files_of_another_kind(folder: Path) -> None:
    parquet.write_table(pa.table({"other": [1.0]}), folder / "c.parquet")
    with pytest.raises(
        InputError, match=r"the column 'v' is in a\.parquet but not in c\.parquet: write the files alike"
    ):
        load(str(folder))


def alike() -> pa.Table:
    columns = {"a": np.arange(20.0), "b": np.arange(20.0) % 7, "kind": ["x", "y"] * 10, "title": ["t"] * 20}
    return pa.table({**columns, "when": pa.array(np.arange(20), pa.timestamp("ms"))})


def replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


@pytest.mark.parametrize(
    ("change", "labels"),
    [
        (lambda t: t.select(["when", "title", "kind", "b", "a"]), ["x", "y"] * 20),
        (lambda t: replaced(t, "b", t["b"].cast("float32")), ["x", "y"] * 20),
        (lambda t: replaced(t, "b", t["b"].cast("int16")), ["x", "y"] * 20),
        (lambda t: replaced(t, "kind", t["kind"].dictionary_encode()), ["x", "y"] * 20),
        (lambda t: replaced(t, "kind", t["kind"].cast("large_string")), ["x", "y"] * 20),
        (lambda t: replaced(t, "title", pa.array(range(20), pa.date32())), ["x", "y"] * 20),
        (lambda t: t.append_column("note", pa.array(["n"] * 20)), ["x", "y"] * 20),
        (lambda t: replaced(t, "when", t["when"].cast("timestamp[us]")), ["x", "y"] * 20),
        (lambda t: replaced(t, "kind", pa.nulls(20)), [*["x", "y"] * 10, *[None] * 20]),
        (lambda t: pa.table({name: pa.nulls(0) for name in t.column_names}), ["x", "y"] * 10),
    ],
    ids=["order", "float32", "int16", "dictionary", "large", "unused", "more", "finer", "no labels", "empty"],
)
def test_columns_go_by_their_names_in_every_file(
    tmp_path: Path, change: Callable[[pa.Table], pa.Table], labels: list[str | None]
) -> None:
    parquet.write_table(alike(), tmp_path / "0.parquet")
    parquet.write_table(change(alike()), tmp_path / "1.parquet")
    dataset = load(str(tmp_path), label_column="kind", columns=("a", "b"), keep=("when",))
    assert np.ma.asarray(dataset.y).tolist() == labels
    assert dataset.X.dtype == np.float64
    expected = np.column_stack([np.arange(20.0), np.arange(20.0) % 7])
    np.testing.assert_array_equal(dataset.X, np.tile(expected, (len(labels) // 20, 1)))
    assert dataset.kept is not None
    assert dataset.kept["when"].nunique() == 20


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.append_column("c", pa.array(np.arange(20.0))), "'c' is in 1.parquet but not in 0.parquet"),
        (lambda t: replaced(t, "b", t["title"]), "'b' is of type double in 0.parquet and string in 1.parquet"),
        (lambda t: replaced(t, "kind", t["a"]), "'kind' is of type string in 0.parquet and double in 1.parquet"),
    ],
)
def test_what_makes_features_or_labels_has_to_be_alike(
    tmp_path: Path, change: Callable[[pa.Table], pa.Table], words: str
) -> None:
    parquet.write_table(alike(), tmp_path / "0.parquet")
    parquet.write_table(change(alike()), tmp_path / "1.parquet")
    with pytest.raises(InputError, match=f"the column {words}: write the files alike, or name other columns"):
        load(str(tmp_path), label_column="kind")


def test_what_is_not_read_may_be_in_some_files_alone(tmp_path: Path) -> None:
    frame = alike().select(["a", "b", "kind"]).to_pandas()
    (tmp_path / "index").mkdir()
    for i, part in enumerate((frame, frame[frame["b"] > 2])):
        part.to_parquet(tmp_path / "index" / f"{i}.parquet")
    dataset = load(str(tmp_path / "index"), label_column="kind")
    assert dataset.columns == ("a", "b")
    assert any("the column '__index_level_0__' is left out, being pandas' index" in note for note in dataset.notes)
    for kind in (pa.list_(pa.float32()), pa.list_(pa.float32(), 3)):
        folder = tmp_path / str(kind)
        folder.mkdir()
        arrays = pa.table({"v": pa.array(X[:20].tolist(), kind)})
        parquet.write_table(arrays, folder / "0.parquet")
        parquet.write_table(arrays.append_column("id", pa.array(range(20))), folder / "1.parquet")
        np.testing.assert_array_equal(load(str(folder)).X, np.tile(X[:20], (2, 1)))
        with pytest.raises(InputError, match=r"'id' is in 1\.parquet but not in 0\.parquet"):
            load(str(folder), columns="id")


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    twice = pa.table([pa.array(np.arange(20.0))] * 3, names=["a", "b", "a"])
    parquet.write_table(alike(), tmp_path / "0.parquet")
    parquet.write_table(twice, tmp_path / "1.parquet")
    with pytest.raises(InputError, match=r"^1\.parquet has two columns named 'a': rename one\.$"):
        load(str(tmp_path), columns=("a", "b"))
    array = pa.table([lists(slice(0, 20))["v"], *twice.columns], names=["v", "a", "b", "a"])
    parquet.write_table(array, tmp_path / "array.parquet")
    with pytest.raises(InputError, match=r"^array\.parquet has two columns named 'a'"):
        load(str(tmp_path / "array.parquet"))


def test_hidden_files_are_passed_over_and_folders_below_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "table"
    (folder / "year=2024").mkdir(parents=True)
    parquet.write_table(alike(), folder / "year=2024" / "0.parquet")
    with pytest.raises(InputError, match="only in folders below it, such as year=2024, which are not read"):
        open_parts(folder, Columns())
    parquet.write_table(alike(), folder / "0.parquet")
    for name in ("._0.parquet", "_tmp.parquet"):
        (folder / name).write_bytes(b"no Parquet")
    assert open_parts(folder, Columns()).total == 20


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.int16(), 3)])
def test_lists_as_others_write_them(tmp_path: Path, kind: pa.DataType) -> None:
    rows = np.arange(60).reshape(20, 3)
    parquet.write_table(pa.table({"v": pa.array(rows.tolist(), kind)}), tmp_path / "0.parquet", row_group_size=7)
    parquet.write_table(pa.table({"v": pa.array((-rows).tolist(), kind)}), tmp_path / "1.parquet")
    dataset = load(str(tmp_path))
    np.testing.assert_array_equal(dataset.X, np.concatenate([rows, -rows]))
    assert dataset.X.dtype == kind.value_type.to_pandas_dtype()


def test_lists_without_a_first_one(tmp_path: Path) -> None:
    for first in ([], None):
        parquet.write_table(pa.table({"v": pa.array([first, [1.0]], pa.list_(pa.float64()))}), tmp_path / "0.parquet")
        with pytest.raises(InputError, match=r"'v' of .*0\.parquet has no numbers in its first row"):
            load(str(tmp_path))


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ([[1.0, 2, 3], [1, 2]], r"the column 'v' of .*1\.parquet has 2 numbers where the first has 3 in row 3 "),
        ([[1.0, 2, 3], None, None], r"the column 'v' of .*1\.parquet has no array in row 3 "),
    ],
)
def test_lists_that_are_not_alike(tmp_path: Path, second: list[list[float] | None], words: str) -> None:
    kind = pa.list_(pa.float64())
    parquet.write_table(pa.table({"v": pa.array([[0.0, 1, 2], [3, 4, 5]], kind)}), tmp_path / "0.parquet")
    parquet.write_table(pa.table({"v": pa.array(second, kind)}), tmp_path / "1.parquet")
    with pytest.raises(InputError, match=words):
        load(str(tmp_path))


def test_a_folder_that_is_not_filled(tmp_path: Path) -> None:
    (tmp_path / MADE).write_text(json.dumps({"set": "digits", "rows": 90, "seed": 2, "form": 1}))
    with pytest.raises(
        InputError, match="0 of 90 rows: finish it with gpu-pipeline data make digits --rows 90 --seed 2"
    ):
        load(str(tmp_path))
    parquet.write_table(lists(slice(0, 0)), tmp_path / "empty.parquet")
    (tmp_path / MADE).unlink()
    with pytest.raises(InputError, match="it has no rows"):
        load(str(tmp_path))


@pytest.mark.parametrize("said", ["", "{", "[]", '{"set": "digits"}', '{"set": "digits", "rows": "ten", "seed": 2}'])
def test_a_folder_that_does_not_say_what_it_will_hold(folder: Path, said: str) -> None:
    (folder / MADE).write_text(said)
    with pytest.raises(
        InputError, match=r"_made\.json does not say what the folder will hold, as it should: delete it"
    ):
        load(str(folder))
    (folder / MADE).unlink()
    assert load(str(folder)).total == 50
