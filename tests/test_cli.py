"""The command line: what it prints, how it ends, and one sentence for everything that is wrong."""

from __future__ import annotations

import gzip
import io
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Call, Ended

from gpu_pipeline import Dataset, Recipe, run
from gpu_pipeline.recipe import STEPS
from gpu_pipeline.store import list_runs, open_run

N = 120
COMMAND = (sys.executable, "-m", "gpu_pipeline")
RUN = ("run", "--label-column", "kind", "--clusters", "3", "--perplexity", "10", "--iterations", "250")
ENDLESS = ("run", "--data", "digits", "--sample", "500", "--iterations", "1000000")
IDX_FILES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def blobs(n: int = N, d: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Three clouds far apart, and which row is of which."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 3
    return (rng.normal(size=(n, d)) + 20 * y[:, None]).astype(np.float32), y


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three clouds as a Parquet file with the columns a to f and `kind`."""
    X, y = blobs()
    path = tmp_path_factory.mktemp("table") / "Three Clouds.parquet"
    pd.DataFrame(X, columns=list("abcdef")).assign(kind=np.array(["x", "y", "z"])[y]).to_parquet(path)
    return path


@pytest.fixture(scope="session")
def store(table: Path) -> Path:
    """A store with two runs on the same rows, made by two real processes at once; their JSON lies beside it."""
    folder = table.parent / "runs"
    processes = [
        subprocess.Popen(
            [*COMMAND, *RUN, "--data", table, "--seed", str(seed), "--out", folder, "--json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in (0, 1)
    ]
    for process in processes:
        out, _ = process.communicate()
        assert process.returncode == 0
        made = json.loads(out)
        (table.parent / f"{made['recipe']['seed']}.json").write_text(out)
    return folder


def test_json_is_one_object_with_all_that_was_promised(store: Path) -> None:
    text = (store.parent / "0.json").read_text()
    assert text.count("\n") == 1
    run = json.loads(text)
    assert {"run", "dataset", "n", "recipe", "engines", "skipped", "seconds", "scores", "files"} <= run.keys()
    assert (run["dataset"], run["n"]) == ("Three Clouds", N)
    assert run["recipe"]["embed"]["perplexity"] == 10
    assert run["engines"].keys() == {"reduce", "embed", "cluster", "score"} - {"reduce"}  # six columns are not reduced
    assert tuple(run["seconds"]) == STEPS
    assert all(value >= 0 for value in run["seconds"].values())
    assert run["scores"].keys() == {
        *("accuracy", "purity", "ari", "nmi", "silhouette"),
        *("trustworthiness", "neighbor_recall", "label_accuracy", "kl"),
    }
    # Three clouds, 20 standard deviations apart, three clusters; by chance a third.
    assert run["scores"]["accuracy"] > 0.8
    assert run["scores"]["label_accuracy"] > 0.9
    assert all(isinstance(reason, str) and reason for reason in run["skipped"].values())
    assert {"points", "record", "picture"} <= run["files"].keys()
    assert all(Path(path).is_file() for path in run["files"].values())


def test_points_are_as_promised(store: Path) -> None:
    points = pd.read_parquet(list_runs(store)[0] / "points.parquet")
    assert points.columns.tolist() == [
        *("row", "x", "y", "label", "cluster", "neighbor_recall", "misfit", "vote", "nearest_row", "nearest_distance"),
    ]
    assert points["row"].tolist() == list(range(N))
    assert points["label"].tolist() == [["x", "y", "z"][row % 3] for row in range(N)]
    assert points["neighbor_recall"].between(0, 1).all()
    assert points["misfit"].dtype == bool


def test_list_and_show(store: Path, call: Call) -> None:
    names = [where.name for where in list_runs(store)]
    assert len(names) == 2
    listed = call("list", "--out", store)
    assert (listed.code, listed.err) == (0, "")
    rows = json.loads(call("list", "--out", store, "--json").out)["runs"]
    assert [run["run"] for run in rows] == names
    assert {run["settings"] for run in rows} == {f"perplexity 10, iterations 250, 3 clusters, seed {i}" for i in (0, 1)}
    made = json.loads((store.parent / "0.json").read_text())
    assert json.loads(call("show", Path(made["run"]).name, "--out", store, "--json").out) == made
    text = call("show", names[0], "--out", store)
    assert text.code == 0
    assert "trustworthiness, neighbor_recall and kl are against all 6 columns (none)\n" in text.out
    assert 'label_column = "kind"' in text.out


def test_an_empty_store_is_no_error(tmp_path: Path, call: Call) -> None:
    assert call("list", "--out", tmp_path)[::2] == (0, "")
    assert json.loads(call("list", "--out", tmp_path, "--json").out) == {"runs": []}


def test_score_again_gives_the_same_figures(store: Path, call: Call) -> None:
    where = list_runs(store)[0]
    before = open_run(where).scores.to_json()
    again = call("score", where, "--json")
    assert again.code == 0
    assert json.loads(again.out)["scores"] == before["values"]
    assert open_run(where).scores.values == before["values"]


def test_score_renews_all_that_shows_scores(store: Path, tmp_path: Path, call: Call) -> None:
    from PIL import Image

    made = list_runs(store)[0]
    old = tmp_path / "old"
    shutil.copytree(made, old)
    points, scores = pd.read_parquet(old / "points.parquet"), json.loads((old / "scores.json").read_text())
    points.assign(neighbor_recall=np.float32(0), misfit=~points["misfit"]).to_parquet(old / "points.parquet")
    scores["values"]["kl"] = 9.0
    (old / "scores.json").write_text(json.dumps(scores))
    stale = open_run(old)
    stale.picture().save(old / "map.png")
    assert call("score", old).code == 0
    pd.testing.assert_frame_equal(pd.read_parquet(old / "points.parquet"), points)
    assert (old / "scores.json").read_bytes() == (made / "scores.json").read_bytes()
    with Image.open(old / "map.png") as renewed, Image.open(made / "map.png") as first:
        assert renewed.tobytes() == first.tobytes() != stale.picture().tobytes()
    assert sorted(path.name for path in old.iterdir()) == sorted(path.name for path in made.iterdir())


@pytest.mark.parametrize("colour", ["label", "cluster", "misfit", "neighbor_recall", "density"])
def test_draw(store: Path, call: Call, colour: str) -> None:
    from PIL import Image

    where = list_runs(store)[0]
    drawn = call("draw", where.name, "--out", store, "--colour", colour, "--width", 400, "--height", 300)
    assert (drawn.code, drawn.err) == (0, "")
    with Image.open(drawn.out.strip()) as picture:
        assert picture.format == "PNG"
        assert picture.size == (400, 300)


def test_draw_without_names(store: Path, tmp_path: Path, call: Call) -> None:
    from PIL import Image

    drawn = []
    for names in ("--names", "--no-names"):
        assert call("draw", list_runs(store)[0].name, "--out", store, names, "--to", tmp_path / "a.png").code == 0
        with Image.open(tmp_path / "a.png") as picture:
            drawn.append(picture.tobytes())
    assert drawn[0] != drawn[1]


def test_draw_in_a_mode_and_by_rank(store: Path, call: Call) -> None:
    name = list_runs(store)[0].name
    for arguments, file in (
        (("--colour", "neighbor_recall", "--scale", "rank"), "neighbor_recall-rank.png"),
        (("--mode", "purity"), "label-purity.png"),
    ):
        drawn = call("draw", name, "--out", store, *arguments)
        assert (drawn.code, Path(drawn.out.strip()).name) == (0, file)
    refused = call("draw", name, "--out", store, "--scale", "rank")
    assert refused.code == 2
    assert "'label' holds none: leave the scale out" in refused.err


def test_a_picture_by_any_column_has_a_file_of_its_own(tmp_path: Path, call: Call) -> None:
    random = np.random.default_rng(0)
    names = ["map", "u/v", "..", "ß é", "x" * 300]
    kept = pd.DataFrame(random.normal(size=(60, 5)), columns=names)
    where = run(Recipe(embed={"method": "pca"}), Dataset("a", random.normal(size=(60, 4)), kept=kept)).save(tmp_path)
    own = (where / "map.png").read_bytes()
    written = []
    for name in names:
        drawn = call("draw", where.name, "--out", tmp_path, "--colour", name)
        assert (drawn.code, drawn.err) == (0, "")
        written.append(Path(drawn.out.strip()).relative_to(where).as_posix())
    assert written == ["colour-map.png", "u-v.png", "colour-...png", "ß-é.png", f"{'x' * 80}.png"]
    assert (where / "map.png").read_bytes() == own


def test_pictures_are_png(store: Path, tmp_path: Path, call: Call) -> None:
    first, second = (where.name for where in list_runs(store))
    for arguments in (("draw", first), ("compare", first, second)):
        refused = call(*arguments, "--out", store, "--to", tmp_path / "map.pdf")
        assert refused.code == 2
        assert "pictures are written as PNG, not as .pdf: name a file that ends in .png" in refused.err
    assert not list(tmp_path.iterdir())


def test_compare(store: Path, tmp_path: Path, call: Call) -> None:
    first, second = (where.name for where in list_runs(store))
    compared = call("compare", first, second, "--out", store, "--to", tmp_path / "both.png", "--json")
    assert (compared.code, compared.err) == (0, "")
    assert json.loads(compared.out)["runs"] == [first, second]
    assert (tmp_path / "both.png").stat().st_size > 0
    assert call("compare", first, second, "--out", store, "--to", tmp_path / "both.png").code == 0


def test_rows_of_a_selection(store: Path, tmp_path: Path, call: Call) -> None:
    where = list_runs(store)[0]
    arguments = ("rows", where.name, "--out", store, "--select", "=where:label=x;+where:label=y")
    printed = call(*arguments)
    assert (printed.code, printed.err) == (0, "")
    expected = [row for row in range(N) if row % 3 < 2]
    assert pd.read_csv(io.StringIO(printed.out))["row"].tolist() == expected
    for name, options in (("a.csv", ()), ("a.parquet", ()), ("a.bin", ("--format", "parquet"))):
        written = call(*arguments, "--to", tmp_path / name, *options)
        assert (written.code, written.out) == (0, f"{tmp_path / name}\n")
        read = pd.read_csv if name == "a.csv" else pd.read_parquet
        assert read(tmp_path / name)["row"].tolist() == expected
    assert call(*arguments, "--to", tmp_path / "a.csv").out == f"{tmp_path / 'a.csv'}\n"
    assert (tmp_path / "a.csv").read_bytes().decode() == printed.out
    assert "name a file with --to" in one_sentence(call(*arguments, "--format", "parquet"))
    assert "unknown format 'json'" in one_sentence(call(*arguments, "--format", "json"))
    assert "cannot be read, 'x'" in one_sentence(call("rows", where, "--select", "x"))


def test_a_stored_recipe_makes_the_run_again(store: Path, tmp_path: Path, call: Call) -> None:
    first = Path(json.loads((store.parent / "0.json").read_text())["run"])
    assert call("run", "--recipe", first / "recipe.toml", "--out", tmp_path, "--json").code == 0
    again = open_run(list_runs(tmp_path)[0])
    assert again.path is not None
    assert again.path.name == first.name
    np.testing.assert_array_equal(again.embedding, open_run(first).embedding)


def test_data_and_doctor(call: Call) -> None:
    for command in ("data", "doctor"):
        assert call(command)[::2] == (0, "")
        assert isinstance(json.loads(call(command, "--json").out), dict)


def test_help_and_version(call: Call) -> None:
    assert call("--version").code == 0
    for arguments in ((), ("--help",)):
        ended = call(*arguments)
        assert (ended.code, ended.err) == (0, "")
        assert all(command in ended.out for command in ("run", "list", "show", "score", "draw", "compare", "doctor"))


def one_sentence(ended: Ended, code: int = 2) -> str:
    """What a command said that could not be done: one line on standard error, nothing else."""
    assert ended.code == code, ended
    assert ended.out == ""
    assert ended.err.startswith("gpu-pipeline: ")
    assert ended.err.endswith("\n")
    assert ended.err.count("\n") == 1, ended.err
    return ended.err


def _array(change: Callable[[np.ndarray], np.ndarray], suffix: str = "npy") -> Callable[[Path], list[Any]]:
    """Arguments for a file that holds the three clouds, changed."""

    def make(folder: Path) -> list[Any]:
        path = folder / f"bad.{suffix}"
        np.save(path, change(blobs()[0].astype(np.float64)))
        return ["--data", path]

    return make


def _with_gaps(X: np.ndarray) -> np.ndarray:
    X[[7, 7, 9, 30], [1, 3, 0, 5]] = np.nan, np.inf, -np.inf, np.nan
    return X


def _bytes(name: str, content: bytes) -> Callable[[Path], list[Any]]:
    def make(folder: Path) -> list[Any]:
        (folder / name).write_bytes(content)
        return ["--data", folder / name]

    return make


def _other_labels(folder: Path) -> list[Any]:
    np.savez(folder / "bad.npz", X=blobs()[0], y=np.arange(N - 1))
    return ["--data", folder / "bad.npz"]


def _pickled(folder: Path) -> list[Any]:
    np.save(folder / "bad.npy", np.array([[_Trap()], [_Trap()]], dtype=object), allow_pickle=True)
    return ["--data", folder / "bad.npy"]


class _Trap:
    """A value that says so if it is ever unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("unpickled",))


def _idx(content: Callable[[bytes], bytes]) -> Callable[[Path], list[Any]]:
    """Arguments for the four files of MNIST with two images of 2 x 2, the first file's content changed."""

    def make(folder: Path) -> list[Any]:
        (folder / "mnist").mkdir()
        for number, name in enumerate(IDX_FILES):
            dimensions = (2, 2, 2) if "idx3" in name else (2,)
            whole = struct.pack(f">BBBB{len(dimensions)}I", 0, 0, 8, len(dimensions), *dimensions)
            whole += bytes(int(np.prod(dimensions)))
            (folder / "mnist" / f"{name}-ubyte.gz").write_bytes(content(whole) if number == 0 else gzip.compress(whole))
        return ["--data", "mnist", "--data-dir", folder]

    return make


BAD_FILES: dict[str, tuple[Callable[[Path], list[Any]], str]] = {
    "NaN or infinite": (_array(_with_gaps), "has 4 NaN or infinite values, the first in row 7"),
    "nothing varies": (_array(np.ones_like), "no column of bad varies"),
    "too few rows": (_array(lambda X: X[:89]), "89 rows are too few for perplexity 30, which needs at least 90"),
    "one row": (_array(lambda X: X[:1]), "no column of bad varies"),
    "text": (_array(lambda X: X.astype(str)), "holds text where numbers are expected"),
    "complex numbers": (_array(lambda X: X.astype(complex)), "complex128 where numbers are expected"),
    "one dimension": (_array(lambda X: X[:, 0]), "has 1 dimension"),
    "no dimension": (_array(lambda X: X[0, 0]), "has 0 dimensions"),
    "four dimensions": (_array(lambda X: X.reshape(N, 3, 2, 1)), "has 4 dimensions"),
    "no rows": (_array(lambda X: X[:0]), "is empty"),
    "no columns": (_array(lambda X: X[:, :0]), "is empty"),
    "labels of another length": (_other_labels, f"{N} rows but {N - 1} labels"),
    "pickled": (_pickled, "npy"),
    **{
        f"empty {suffix}": (_bytes(f"bad.{suffix}", b""), "is empty")
        for suffix in ("npy", "npz", "csv", "csv.gz", "parquet", "feather", "arrow")
    },
    **{
        f"no {suffix}": (_bytes(f"bad.{suffix}", b"PK\x03\x04 certainly\xff\x00 not\n" * 9), f"bad.{suffix}")
        for suffix in ("npy", "csv.gz", "parquet", "feather", "arrow")
    },
    "truncated csv.gz": (_bytes("bad.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n3,4\n" * 999)[:-30]), "bad.csv.gz"),
    "truncated IDX": (_idx(lambda whole: gzip.compress(whole)[:-9]), "is a truncated gzip file"),
    "wrong checksum": (_idx(gzip.compress), "has a wrong checksum"),
    "wrong magic": (_idx(lambda whole: gzip.compress(b"\0\0\x0d\x03" + whole[4:])), "it begins with '00000d03'"),
    "unknown kind of file": (_bytes("bad.xls", b"x"), "is of a kind that cannot be read"),
    "no such file": (lambda folder: ["--data", folder / "none.npy"], "there is no file"),
    "no such file of an unknown kind": (lambda folder: ["--data", folder / "none.xls"], "there is no file"),
    "a folder": (lambda folder: ["--data", folder], "is a folder"),
    "no data folder": (lambda folder: ["--data-dir", folder / "none"], "there is no folder"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_files_that_cannot_be_used(tmp_path: Path, call: Call, case: str) -> None:
    make, expected = BAD_FILES[case]
    ended = call("run", *make(tmp_path), "--out", tmp_path / "runs", "--json")
    sentence = one_sentence(ended)
    assert expected in sentence
    assert "unpickled" not in sentence
    assert not list((tmp_path / "runs").iterdir())


BAD_SETTINGS = {
    "--sample 121": "a sample of 121 cannot be drawn",
    "--sample 0": "data.sample is 0",
    "--sample -3": "data.sample is -3",
    "--sample --5": "--sample is '--5': give a number of rows, or all.",
    "--sample many": "--sample is 'many'",
    "--sample ²": "--sample is '²'",  # a digit to str.isdigit, but no number
    "--sample 2.5": "--sample is '2.5'",
    "--clusters 121": "n_clusters is 121 but there are only 120 rows",
    "--clusters 0": "cluster.n_clusters is 0",
    "--perplexity 41": "120 rows are too few for perplexity 41, which needs at least 123",
    "--perplexity 1": "embed.perplexity is 1",
    "--perplexity -3": "embed.perplexity is -3",
    "--perplexity nan": "embed.perplexity is nan",
    "--perplexity high": "'--perplexity'",
    "--iterations 0": "embed.iterations is 0",
    "--exaggeration 0.5": "embed.exaggeration is 0.5",
    "--pca -1": "reduce.n_components is -1",
    "--pca 1 --method pca": "a map by PCA needs two components, but reduce leaves one",
    "--seed -1": "seed is -1",
    "--seed 4294967296": "seed is 4294967296",
    "--method tnse": "unknown method 'tnse': did you mean 'tsne'?",
    "--method umap --perplexity 30": "perplexity is not a setting of embed.umap, only of embed.tsne",
    "--method umap --n-neighbors 120": "n_neighbors is 120 but there are only 120 rows",
    "--method umap --min-dist 2": "min_dist is 2 but must not exceed spread",
    "--engine rapid": "unknown engine 'rapid': did you mean 'rapids'?",
    "--engine umap_learn": "the engine umap_learn does not do tsne",
    "--data mnits": "unknown data set 'mnits': did you mean 'mnist'?",
    "--preprocess deskw": "preprocess is 'deskw': input should be 'auto', 'none', 'deskew', 'standardize' or 'unit'",
    "--preprocess deskew": "deskew needs images",
    "--cluster-on mpa": "cluster_on is 'mpa': input should be 'map' or 'features'",
    "--columns a,zz": "unknown column of Three Clouds.parquet 'zz'",
    "--columns a,,b": "data.columns is ''",
    "--columns kind": "holds text such as 'x' where numbers are expected",
    "--label-column knd": "unknown column of Three Clouds.parquet 'knd': did you mean 'kind'?",
    "--image-shape 3x3": "has 6 columns, which are not images of 3 x 3",
    "--image-shape 0x6": "data.image_shape is 0",
    "--image-shape 6": "--image-shape is '6'",
    "--landmarks 60 --data-dir .": "--data-dir is where known data sets are looked for",
    "--recipe none.toml": "cannot read the recipe none.toml",
    "--perplexty 30": "--perplexity",
    "superfluous": "superfluous",
}


@pytest.mark.parametrize("flags", BAD_SETTINGS)
def test_settings_that_cannot_be_used(tmp_path: Path, table: Path, call: Call, flags: str) -> None:
    ended = call("run", "--data", table, *flags.split(), "--out", tmp_path / "runs", "--json")
    assert BAD_SETTINGS[flags] in one_sentence(ended)
    assert not list(tmp_path.glob("runs/*"))
    assert not list(tmp_path.glob("runs/.*"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("rn",), "Did you mean 'run'"),
        (("show",), "Missing argument"),
        (("show", "thre-clouds"), "unknown run 'thre-clouds': did you mean 'three-clouds-tsne-"),
        (("show", "three-clouds"), "'three-clouds' is the beginning of 2 runs"),
        (("score", "nothing"), "unknown run 'nothing'"),
        (("draw", "nothing"), "unknown run 'nothing'"),
        (("compare", "three-clouds-", "nothing"), "is the beginning of 2 runs"),
    ],
)
def test_names_that_nothing_has(store: Path, call: Call, arguments: tuple[str, ...], expected: str) -> None:
    assert expected in one_sentence(call(*arguments, *(["--out", store] if len(arguments) > 1 else [])))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--colour", "labels"), "'label'"),
        (("--width", "10"), "a picture of 10 x 1000 pixels"),
        (("--width", "wide"), "'--width'"),
        (("--to", "."), "cannot write to ."),
        (("--to", "/proc/nowhere/map.png"), "cannot write to /proc/nowhere/map.png"),
    ],
)
def test_pictures_that_cannot_be_drawn(store: Path, call: Call, options: tuple[str, ...], expected: str) -> None:
    where = list_runs(store)[0]
    before = sorted(where.iterdir())
    assert expected in one_sentence(call("draw", where, *options))
    assert sorted(where.iterdir()) == before


def test_a_store_that_cannot_be_written(tmp_path: Path, table: Path, call: Call) -> None:
    for folder in (table / "runs", Path("/proc/nowhere")):
        assert "cannot write to" in one_sentence(call("run", "--data", table, "--out", folder))


def test_a_named_set_without_a_network(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GPU_PIPELINE_DATA", raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("no_proxy", "")
    for name in ("mnist", "fashion-mnist", "kuzushiji-mnist"):
        sentence = one_sentence(call("run", "--data", name, "--out", tmp_path))
        assert f"{name} is in none of the folders" in sentence
        assert "no connection" in sentence
    assert not list(tmp_path.iterdir())


def test_a_real_process_ends_the_same_way(tmp_path: Path) -> None:
    X, _ = blobs()
    X[5, 0] = np.nan
    np.save(tmp_path / "bad.npy", X)
    cases: list[tuple[list[Any], str]] = [
        (["--data", tmp_path / "bad.npy"], "has 1 NaN or infinite value, the first in row 5"),
        (["--perplexty", "3"], "--perplexity"),
        (["--data", os.fsencode(tmp_path) + b"/\xff.npy"], "\\udcff.npy"),  # a name that is not UTF-8
    ]
    for arguments, expected in cases:
        ended = subprocess.run(
            [*COMMAND, "run", *arguments, "--out", tmp_path / "runs"], capture_output=True, text=True, check=False
        )
        assert expected in one_sentence(Ended(ended.returncode, ended.stdout, ended.stderr))
    assert not list(tmp_path.glob("runs/*"))


def test_a_reader_that_has_had_enough_is_no_error(store: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run([*COMMAND, "list", "--out", store], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (1, b"")


@pytest.mark.parametrize("engine", ["auto", "scikit_learn"])
def test_ctrl_c_leaves_no_half_run(tmp_path: Path, engine: str) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *ENDLESS, "--engine", engine, "--out", tmp_path / "runs"],
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    # On a terminal it says what it does: that the embedding has begun is the moment to stop it.
    while b"embed (" not in shown:
        assert process.poll() is None, shown
        shown += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # the terminal's other end is closed
            break
        if not piece:
            break
        shown += piece
    out, _ = process.communicate()
    os.close(ours)
    assert process.returncode == 130
    assert out == b""
    assert b"gpu-pipeline: stopped; nothing is left half-written." in shown
    assert b"Traceback" not in shown
    assert not list((tmp_path / "runs").iterdir())


def test_ctrl_c_while_the_command_is_imported(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    ended = subprocess.run(COMMAND, env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"gpu-pipeline: stopped.\n")


def test_a_command_that_fails_waits_for_no_thread(tmp_path: Path) -> None:
    code = (
        "import sys, threading; from gpu_pipeline.__main__ import main\n"
        "threading.Thread(target=threading.Event().wait).start()  # as one that compiles, but without an end\n"
        "sys.argv[1:] = ['show', 'none']; main()"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        try:
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, said.count("\n")) == (2, 1)
    assert said.startswith("gpu-pipeline: ")


@pytest.mark.mnist
def test_mnist_from_pixels_to_a_stored_map(mnist_dir: Path, tmp_path: Path, call: Call) -> None:
    ended = call(
        *("run", "--data", "mnist", "--data-dir", mnist_dir, "--sample", "500", "--iterations", "250"),
        *("--engine", "scikit_learn", "--out", tmp_path, "--json"),
    )
    assert ended.code == 0
    run = json.loads(ended.out)
    assert (run["dataset"], run["n"]) == ("mnist", 500)
    assert set(run["engines"].values()) == {"scikit_learn"}
    # By chance the 10-NN label accuracy is 0.1, recall@15 is 15/499 = 0.03 and trustworthiness is 0.5.
    assert run["scores"]["label_accuracy"] > 0.4
    assert run["scores"]["neighbor_recall"] > 0.1
    assert run["scores"]["trustworthiness"] > 0.6
    opened = open_run(run["run"])
    assert opened.record.preprocess == "deskew"
    assert opened.points["row"].max() < 70_000
