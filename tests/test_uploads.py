"""Files that people upload: they stay where they belong, are bounded, and harm nobody, whatever is in them."""

from __future__ import annotations

import gzip
import io
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_background import Loop, background_of

from gpu_pipeline.dashboard import paths, uploads
from gpu_pipeline.dashboard.background import Background
from gpu_pipeline.dashboard.making import FORM, form, recipe_of
from gpu_pipeline.dashboard.upload import Upload
from gpu_pipeline.dashboard.uploads import Incoming, kind_of, upload_path, uploaded
from gpu_pipeline.datasets import load
from gpu_pipeline.errors import InputError


def keep_upload(name: str, content: bytes, store: Path, most: int = uploads.LARGEST_UPLOAD) -> Path:
    """Put a whole file into the store, untested."""
    incoming = Incoming(name, len(content), store, most)
    incoming.add(content)
    return incoming.keep(lambda path: None)[0]


@given(st.text(max_size=60), st.sampled_from([".npy", ".csv.gz", ".PARQUET"]))
def test_an_upload_stays_in_its_folder(tmp_path_factory: pytest.TempPathFactory, name: str, suffix: str) -> None:
    store = tmp_path_factory.getbasetemp() / "uploads"
    path = keep_upload(name + suffix, name.encode("utf-8", "replace") + b"1", store)
    assert path.resolve().parent == (store / paths.UPLOADS).resolve()
    assert re.fullmatch(r"[a-z0-9._-]+", path.name)
    assert not path.name.startswith(".")
    assert path.name.endswith(suffix.lower())


@pytest.mark.parametrize(
    "name", ["../../x.npy", "/etc/x.npy", "C:\\x.npy", "..\\x.npy", ".npy", "<b>.npy", "x.exe.npy", "\0.npy"]
)
def test_hostile_names(tmp_path: Path, name: str) -> None:
    path = keep_upload(name, b"1", tmp_path)
    assert path.parent == tmp_path / paths.UPLOADS
    assert list(tmp_path.iterdir()) == [tmp_path / paths.UPLOADS]


def test_uploads_are_bounded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="MiB but uploads may have 1 at most"):
        Incoming("a.npy", (1 << 20) + 1, tmp_path, most=1)
    with pytest.raises(InputError, match="empty"):
        Incoming("a.npy", 0, tmp_path)
    with pytest.raises(InputError, match="of that kind cannot be read"):
        Incoming("a.pickle", 1, tmp_path)
    assert list(tmp_path.iterdir()) == []
    whole = bytes(1 << 20)
    first = keep_upload("a.npy", whole, tmp_path, most=1)
    assert keep_upload("a.npy", whole, tmp_path, most=1) == first  # the same is no second file
    for i in range(1, uploads.OF_ALL):
        keep_upload("a.npy", bytes([i]) + whole[1:], tmp_path, most=1)
    with pytest.raises(InputError, match="fill the 4 MiB"):
        keep_upload("b.npy", b"1", tmp_path, most=1)


def test_a_file_that_is_not_whole_leaves_nothing(tmp_path: Path) -> None:
    incoming = Incoming("a.npy", 10, tmp_path)
    incoming.add(b"12345")
    with pytest.raises(InputError, match="only 5 of 10 bytes"):
        incoming.keep(kind_of)
    with pytest.raises(InputError, match="more bytes came"):
        incoming.add(b"123456")
    del incoming
    assert list((tmp_path / paths.UPLOADS).iterdir()) == []


def test_a_file_cannot_be_opened_before_it_stood_the_test(tmp_path: Path) -> None:
    name = "a-6b86b273ff34.npy"

    def test(path: Path) -> str:
        assert (path.name, path.read_bytes()) == (name, b"1")
        assert uploads.uploads(tmp_path) == []
        for run in (f"upload/{name}", f"upload/{path.relative_to(tmp_path / paths.UPLOADS)}"):
            with pytest.raises(InputError):
                uploaded(tmp_path, run)
        with pytest.raises(InputError):
            paths.data_name(str(path), tmp_path)
        return "tested"

    incoming = Incoming("a.npy", 1, tmp_path)
    incoming.add(b"1")
    assert incoming.keep(test) == (upload_path(tmp_path, f"upload/{name}"), "tested")
    assert [path.name for path in (tmp_path / paths.UPLOADS).iterdir()] == [name]


def test_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        Incoming("a.npy", 1, tmp_path / "file")


def test_a_file_that_is_removed_while_all_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, look = keep_upload("a.npy", b"1", tmp_path), Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter([folder / "gone.npy", *look(folder)]))
    assert uploads.uploads(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".feather", ".arrow"])
def test_columns_of_uploaded_tables_are_offered(tmp_path: Path, suffix: str) -> None:
    assert uploads.columns(tmp_path) == []
    table = pd.DataFrame({"a": [1.0, 2.0], 'the "title", <b>': ["x", "y"], "größe": [3, 4]})
    buffer = io.BytesIO()
    if "csv" in suffix:
        table.to_csv(buffer, index=False, compression="gzip" if suffix.endswith("gz") else None)
    else:
        getattr(table, "to_feather" if suffix == ".arrow" else f"to_{suffix[1:]}")(buffer)
    first = keep_upload(f"first{suffix}", buffer.getvalue(), tmp_path)
    os.utime(first, (1, 1))
    (first.parent / "link.csv").symlink_to("/etc/passwd")
    keep_upload("numbers.csv", b"1,2\n3,4\n", tmp_path)
    keep_upload("array.npy", b"1", tmp_path)
    for name in ("torn.parquet", "torn.feather", "torn.csv.gz"):
        keep_upload(name, b"PAR1 ARROW1", tmp_path)
    assert uploads.columns(tmp_path) == list(table)
    keep_upload("newer.csv", b"b,a\n3,4\n", tmp_path)
    assert uploads.columns(tmp_path) == ["b", "a", *list(table)[1:]]
    html = form(["newer.csv"], columns=uploads.columns(tmp_path))
    assert html.count('list="columns"') == 2
    assert '<option value="the &#34;title&#34;, &lt;b&gt;">' in html


def test_names_of_uploads_lead_nowhere_else(tmp_path: Path) -> None:
    assert uploaded(tmp_path, "run") is None
    with pytest.raises(InputError, match="no file is uploaded"):
        uploaded(tmp_path, "upload/a.npy")
    path = keep_upload("a.npy", b"1", tmp_path)
    (path.parent / "link.npy").symlink_to("/etc/passwd")
    (tmp_path / "b.npy").write_bytes(b"1")
    assert upload_path(tmp_path, f"upload/{path.name}") == path
    for name in (
        "../b.npy",
        "link.npy",
        "",
        ".",
        "..",
        "/etc/passwd",
        "x" * 5000,
        "a\0.npy",
        f"../.uploads/{path.name}",
    ):
        with pytest.raises(InputError):
            uploaded(tmp_path, f"upload/{name}")
        with pytest.raises(InputError):
            recipe_of({**FORM, "data": f"upload/{name}"}, tmp_path)
    recipe = recipe_of({**FORM, "data": f"upload/{path.name}", "label_column": "kind"}, tmp_path)
    assert (recipe.data.name, recipe.data.label_column) == (str(path), "kind")


def table(path: Path, **columns: Any) -> Path:
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_what_a_file_can_be_used_as(tmp_path: Path) -> None:
    assert kind_of(table(tmp_path / "a.csv", x=[1.5, 2], y=[3, 4], kind=["p", "q"])) == "map"
    assert kind_of(table(tmp_path / "b.csv", a=[1.5, 2], b=[3, 4])) == "data"
    np.save(tmp_path / "c.npy", np.eye(3, 2))
    assert kind_of(tmp_path / "c.npy") == "map"
    np.save(tmp_path / "d.npy", np.eye(4))
    assert kind_of(tmp_path / "d.npy") == "data"


def test_a_table_is_taken_whose_incomplete_columns_can_be_kept(tmp_path: Path) -> None:
    columns = {"a": [1.5, 2, 4], "b": [3, 4, 5], "price": [1, None, 2], "name": ["p", "q", "r"]}
    assert kind_of(table(tmp_path / "a.csv", **columns)) == "data"
    pd.DataFrame({**columns, "price": [1.0, np.inf, 2.0]}).to_parquet(tmp_path / "b.parquet")
    assert kind_of(tmp_path / "b.parquet") == "data"
    answers = pd.DataFrame({**columns, "price": 1.0, "sold": pd.array([True, None, False], "boolean")})
    answers.to_parquet(tmp_path / "d.parquet")
    assert kind_of(tmp_path / "d.parquet") == "data"
    with pytest.raises(InputError, match="column 'price': replace or remove them, or keep that column"):
        load(str(tmp_path / "b.parquet"))
    assert load(str(tmp_path / "b.parquet"), keep="price").X.shape == (3, 2)
    with pytest.raises(InputError, match="'price'"):
        kind_of(table(tmp_path / "c.csv", price=columns["price"], name=columns["name"]))
    (tmp_path / "d.csv").write_text("id,a\n9007199254740993,1\n,2\n")
    assert kind_of(tmp_path / "d.csv") == "data"


def test_all_of_an_uploaded_file_is_taken_unless_fewer_are_asked_for() -> None:
    assert 'name="sample" value="5000"' in form()
    assert 'name="sample" value="all"' in form(["mine.csv"], "upload/mine.csv")


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.csv", "x.csv.gz", "x.parquet", "x.feather", "x.arrow"])
def test_garbage_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(InputError) as refused:
        kind_of(tmp_path / name)
    assert "\n" not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)  # where the store lies is nobody's business


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    np.save(tmp_path / "x.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="pickled"):
        kind_of(tmp_path / "x.npy")
    assert not (tmp_path / "exploded").exists()


def test_a_small_file_that_would_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_MEMORY", 2 << 30)
    part = gzip.compress(b"0,0\n" * (16 << 20))  # 64 MiB
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"x,y\n") + 64 * part)
    with pytest.raises(InputError, match="takes more than 2 GiB of memory"):
        kind_of(tmp_path / "x.csv.gz")


def test_a_reader_that_never_ends_its_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow's exit handlers may wait for ever where memory ran out (about 1 file in 20 of those above)."""
    (tmp_path / "sitecustomize.py").write_text("import atexit, threading\natexit.register(threading.Event().wait)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert kind_of(table(tmp_path / "a.csv", x=[1.5, 2], y=[3, 4], kind=["p", "q"])) == "map"
    (tmp_path / "b.csv").write_bytes(b"\x00garbage")
    with pytest.raises(InputError, match=r"b\.csv"):
        kind_of(tmp_path / "b.csv")


def sent(store: Path, *messages: Any, most: int = 1) -> tuple[Upload, list[tuple[str, str]]]:
    """An upload field that was told these messages, and what came of it."""
    done: list[tuple[str, str]] = []
    background = Background(None, None)  # type: ignore[arg-type]
    field = Upload(store, most, background, lambda action: action(), lambda path, kind: done.append((path.name, kind)))
    for message in messages:
        field._handle_msg(message)
    return field, done


def test_a_file_comes_in_pieces(tmp_path: Path) -> None:
    content = table(tmp_path / "a.csv", x=range(30), y=range(30)).read_bytes()
    begin = {"do": "begin", "name": "../My points.csv", "size": len(content)}
    field, done = sent(tmp_path, begin)
    assert field.reply == {"offset": 0, "text": "", "turn": 1}
    field, done = sent(tmp_path, begin, {"do": "piece", "piece": content[:50]})
    assert field.reply == {"offset": 50, "text": "", "turn": 2}
    field._handle_msg({"do": "piece", "piece": content[50:]})
    ((name, kind),) = done
    assert re.fullmatch(r"my-points-[0-9a-f]{12}\.csv", name)
    assert kind == "map"
    assert field.reply["text"] == f"{name} is uploaded. It is shown."


def test_pages_and_uploads_do_not_wait_for_each_other(tmp_path: Path) -> None:
    loop, may_end = Loop(), threading.Event()
    content = table(tmp_path / "a.csv", x=range(9), y=range(9)).read_bytes()
    with ThreadPoolExecutor(1) as pool:
        background = background_of(loop, pool)
        told: list[Any] = []
        background.ask("look", lambda: may_end.wait(60), told.append, told.append)
        field = Upload(tmp_path, 1, background, lambda action: action(), lambda path, kind: told.append(kind))
        field._handle_msg({"do": "begin", "name": "a.csv", "size": len(content)})
        field._handle_msg({"do": "piece", "piece": content})
        loop.tick()
        assert told == ["map"]
        may_end.set()
        loop.tick()
    assert told == ["map", True]


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([{"do": "begin", "name": "a.exe", "size": 1}], "of that kind cannot be read"),
        ([{"do": "begin", "name": "a.npy", "size": 2 << 20}], "uploads may have 1 at most"),
        ([{"do": "begin", "name": "a.npy", "size": 1}, {"do": "piece", "piece": b"12"}], "more bytes came"),
        ([{"do": "begin", "name": "a.npy", "size": 2}, {"do": "piece", "piece": b"12"}], "not a whole NumPy file"),
    ],
)
def test_what_cannot_be_taken_is_said_and_not_kept(tmp_path: Path, messages: list[Any], says: str) -> None:
    field, done = sent(tmp_path, *messages)
    assert field.reply["failed"]
    assert says in field.reply["text"]
    assert done == []
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_same_refusal_twice_is_told_twice(tmp_path: Path) -> None:
    field, _ = sent(tmp_path)
    told: list[str] = []
    field.param.watch(lambda event: told.append(event.new["text"]), "reply")
    for _ in range(2):
        field._handle_msg({"do": "begin", "name": "a.exe", "size": 1})
    assert len(told) == 2


@pytest.mark.parametrize(
    "message",
    [
        *(None, 1, "x", [], {}, {"do": "piece", "piece": b"1"}, {"do": "piece", "piece": "1"}, {"do": "end"}),
        *({"do": "begin"}, {"do": "begin", "name": "a.npy", "size": "1"}),
    ],
)
def test_messages_that_mean_nothing_are_passed_over(tmp_path: Path, message: Any) -> None:
    field, done = sent(tmp_path, message)
    assert field.reply == {}
    assert done == []
