"""The parts of a run by Dask, each alone: partitions, the pass over them, what is kept, memory, clusters."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn.cluster import KMeans as Reference
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from gpu_pipeline import InputError
from gpu_pipeline.datasets import digits, load
from gpu_pipeline.datasets.making import make_digits
from gpu_pipeline.preprocess import Preparation, fit, limits_of, preprocess
from gpu_pipeline.recipe import Data
from gpu_pipeline.scale import kept, kmeans, memory, picture, source, statistics
from gpu_pipeline.scale.cluster import Where

GB = 10**9


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,500 digits in three partitions."""
    folder = tmp_path_factory.mktemp("scale") / "few.parquet"
    make_digits(folder, 2500, partition=1024)
    return folder


def opened(path: Path, **data: object) -> source.Source:
    return source.open_source(Data.model_validate({"name": str(path), **data}))


def test_partitions_are_all_rows_in_order(few: Path) -> None:
    found = opened(few)
    assert [(each.index, each.start, each.rows) for each in found.partitions] == [
        (0, 0, 1024),
        (1, 1024, 1024),
        (2, 2048, 452),
    ]
    X, y = digits.rows(np.arange(2500))
    read = [found.read(each) for each in found.partitions]
    np.testing.assert_array_equal(np.concatenate([part for part, _ in read]), X)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in read if labels is not None]), y)
    assert found.total == 2500
    assert found.dtype == "|u1"


def test_small_row_groups_are_taken_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "ROWS", 25)
    parquet.write_table(
        pa.table({"a": np.arange(70.0), "b": 1.0 - np.arange(70)}), tmp_path / "t.parquet", row_group_size=10
    )
    found = opened(tmp_path / "t.parquet", columns=["a"])
    assert [each.rows for each in found.partitions] == [20, 20, 20, 10]
    np.testing.assert_array_equal(
        np.concatenate([found.read(each)[0] for each in found.partitions])[:, 0], np.arange(70)
    )


def test_many_small_files_are_taken_together(tmp_path: Path) -> None:
    for i in range(source.FILES + 36):
        rows = 10.0 * i + np.arange(10)
        parquet.write_table(pa.table({"a": rows, "b": -rows}), tmp_path / f"{i:03}.parquet")
    found = opened(tmp_path)
    assert len(found.partitions) == 100  # two files have more rows than a 64th of all
    (tmp_path / "zzz.parquet").hardlink_to(tmp_path / "099.parquet")
    for i in range(100, 300):
        (tmp_path / f"{i:03}.parquet").hardlink_to(tmp_path / "099.parquet")
    found = opened(tmp_path)
    assert [each.rows for each in found.partitions] == [40] * 75 + [10]
    assert found.partitions[1].name.endswith("004.parquet to 007.parquet")
    X = np.concatenate([found.read(each)[0] for each in found.partitions[:25]])
    np.testing.assert_array_equal(X[:, 0], np.arange(1_000))


def test_a_memory_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "ROWS", 30)
    images = np.arange(70 * 6, dtype=np.int16).reshape(70, 2, 3)
    np.save(tmp_path / "images.npy", images)
    found = opened(tmp_path / "images.npy")
    assert [each.rows for each in found.partitions] == [30, 30, 10]
    assert (found.columns, found.image_shape, found.name) == (6, (2, 3), "images")
    np.testing.assert_array_equal(found.read(found.partitions[2])[0], images[60:].reshape(10, 6))


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"t\.csv cannot be read a partition at a time"):
        opened(tmp_path / "t.csv")
    with pytest.raises(InputError, match=r"there is no .*nothing\.parquet"):
        opened(tmp_path / "nothing.parquet")
    np.save(tmp_path / "text.npy", np.array(["a"]))
    with pytest.raises(InputError, match="give numbers of"):
        opened(tmp_path / "text.npy")
    X = np.ones((9, 2))
    X[7, 1] = np.inf
    np.save(tmp_path / "wrong.npy", X)
    found = opened(tmp_path / "wrong.npy")
    with pytest.raises(InputError, match="in 1 rows, the first in row 7"):
        found.read(found.partitions[0])


def surveyed(
    found: source.Source, folder: Path, prepared: Preparation, components: int | None, known: bool = True
) -> tuple[statistics.Surveyed, dict[str, np.ndarray]]:
    rows = np.array([0, 5, 40, found.total - 1])
    np.save(folder / "rows.npy", rows)
    asked = statistics.Survey(found, str(folder / "survey"), prepared, known, moments=True)
    parts = [statistics.survey(asked, str(folder / "rows.npy"), each) for each in found.partitions]
    return statistics.conclude(asked, parts, components)


def test_one_pass_finds_what_pca_of_all_rows_finds(few: Path, tmp_path: Path) -> None:
    X, y = digits.rows(np.arange(2500))
    made, landmarks = surveyed(opened(few), tmp_path, fit(X, "deskew", (28, 28)), 10)
    prepared = preprocess(X, fit(X, "deskew", (28, 28))).astype(np.float64)
    model = PCA(10, svd_solver="full").fit(prepared)
    assert made.reduction is not None
    np.testing.assert_allclose(made.reduction.mean, prepared.mean(axis=0), atol=1e-7)
    np.testing.assert_allclose(made.reduction.axes, model.components_.T, atol=1e-5)
    assert made.share == pytest.approx(model.explained_variance_ratio_.sum(), rel=1e-9)
    np.testing.assert_array_equal(landmarks["X"], X[[0, 5, 40, 2499]])
    np.testing.assert_array_equal(landmarks["y"], y[[0, 5, 40, 2499]])
    assert made.classes is not None
    assert made.counts is not None
    np.testing.assert_array_equal(made.classes, np.arange(10))
    np.testing.assert_array_equal(made.counts, np.bincount(y))


def test_principal_axes_do_not_depend_on_the_threads_of_blas() -> None:
    X = digits.rows(np.arange(1000))[0] / 255
    moments = statistics.Moments(len(X), X.mean(axis=0), np.cov(X.T) * (len(X) - 1), X.min(axis=0), X.max(axis=0))
    made = []
    for threads in (1, 2, 3):
        with threadpool_limits(threads, "blas"):
            made.append(statistics.principal_axes(moments, 50))
    for axes, share in made[1:]:
        np.testing.assert_array_equal(axes, made[0][0])
        assert share == made[0][1]


def test_numbers_of_any_range_are_scaled_after_the_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "ROWS", 30)
    X = np.random.default_rng(0).normal(1e6, 3, size=(100, 4))  # a mean that squares would drown in
    np.save(tmp_path / "x.npy", X)
    made, _ = surveyed(opened(tmp_path / "x.npy"), tmp_path, Preparation("none", 4), 2, known=False)
    assert made.prepared.limits == limits_of(X)
    scaled = (X - X.min()) / (X.max() - X.min())
    assert made.reduction is not None
    np.testing.assert_allclose(made.reduction.mean, scaled.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(made.reduction.axes, PCA(2, svd_solver="full").fit(scaled).components_.T, atol=1e-5)
    assert made.classes is None
    # And it is found again.
    statistics.store(tmp_path, made, {"X": X[:2]})
    again = statistics.load(tmp_path)
    assert again is not None
    assert (vars(again.prepared), again.digests, again.share) == (vars(made.prepared), made.digests, made.share)
    assert again.reduction is not None
    np.testing.assert_array_equal(again.reduction.axes, made.reduction.axes)


@pytest.mark.parametrize("dtype", [np.float64, np.uint8])
def test_rows_are_standardized_by_what_all_of_them_have(
    dtype: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "ROWS", 30)
    X = np.random.default_rng(0).normal(100, [3, 20, 0.1, 5], size=(100, 4)).astype(dtype)
    X[:, 2] = 0.1  # a constant, which a sum would make one of nearly 0.1
    np.save(tmp_path / "x.npy", X)
    made, _ = surveyed(opened(tmp_path / "x.npy"), tmp_path, Preparation("standardize", 4), 2, known=False)
    expected = fit(X, "standardize")
    for name in ("mean", "deviation"):
        np.testing.assert_allclose(getattr(made.prepared, name), getattr(expected, name), rtol=1e-12)
    prepared = preprocess(X, expected).astype(np.float64)
    assert made.reduction is not None
    np.testing.assert_allclose(made.reduction.mean, prepared.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(made.reduction.axes, PCA(2, svd_solver="full").fit(prepared).components_.T, atol=1e-5)
    statistics.store(tmp_path, made, {"X": X[:2]})
    again = statistics.load(tmp_path)
    assert again is not None
    assert preprocess(X, again.prepared).tobytes() == preprocess(X, made.prepared).tobytes()


def test_rows_that_do_not_differ(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full((50, 4), 2.0))
    with pytest.raises(InputError, match="no value of x differs"):
        surveyed(opened(tmp_path / "x.npy"), tmp_path, Preparation("none", 2), 2, known=False)


def test_what_is_kept_is_whole_or_not_there(tmp_path: Path) -> None:
    files = {".a": lambda draft: draft.write_bytes(b"one"), ".b": lambda draft: draft.write_bytes(b"two")}
    assert kept.kept(tmp_path, "part") is None
    assert kept.keep(tmp_path, "part", files, {"rows": 3}) == {"rows": 3}
    assert kept.kept(tmp_path, "part") == {"rows": 3}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["part.a", "part.b", "part.json"]
    (tmp_path / "part.b").write_bytes(b"twx")
    assert kept.kept(tmp_path, "part") is None
    kept.keep(tmp_path, "part", files, {"rows": 3})
    (tmp_path / "part.json").write_text((tmp_path / "part.json").read_text()[:20])
    assert kept.kept(tmp_path, "part") is None
    (tmp_path / "part.a").unlink()
    assert kept.kept(tmp_path, "part") is None


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def full(draft: Path) -> None:
        draft.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="No space left on device"):
        kept.keep(tmp_path, "part", {".a": full}, {})
    assert list(tmp_path.iterdir()) == []


def test_one_process_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "placed").mkdir()
    (tmp_path / "placed" / ".ab-part.npy").write_bytes(b"half")  # of a killed process
    with kept.only_process(tmp_path):
        assert not list((tmp_path / "placed").iterdir())
        code = f"""
from pathlib import Path
from gpu_pipeline.scale.kept import only_process
with only_process(Path({str(tmp_path)!r})):
    pass
"""
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "makes this very run already" in other.stderr
    with kept.only_process(tmp_path):
        pass


def test_only_a_full_disk_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match="did not start"), kept.only_process(tmp_path):
        raise TimeoutError("it did not start")
    with pytest.raises(InputError, match="free some space"), kept.only_process(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    gone = tmp_path / "gone.npy"
    with pytest.raises(InputError, match=f"{gone} cannot be read .* .No such file"), kept.only_process(tmp_path):
        gone.read_bytes()


def test_a_folder_of_work_is_removed_whole(tmp_path: Path) -> None:
    work = tmp_path / "work"
    with kept.only_process(work):
        (work / "survey").mkdir()
        (work / "survey" / "part.npy").touch()
        (work / "progress.json").touch()
        kept.end(work)
    assert not list(tmp_path.iterdir())


def test_paths_mean_the_same_to_workers_that_were_started_elsewhere(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(few.parent)
    assert opened(Path(few.name)).path == str(few)


def test_a_file_that_is_gone_is_named(few: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(few, tmp_path / "copy.parquet"))
    found, (first, *_) = opened(copy), sorted(copy.glob("*.parquet"))
    first.unlink()
    with pytest.raises(InputError, match=f"cannot read {first} .*: put it back"):
        found.states()


def test_memory_is_shared_out_or_refused(few: Path) -> None:
    found = opened(few)
    mine, each = memory.parent_needs(found, 500, 50), memory.worker_needs(found, 500, 50)
    assert memory.share(Where(mine + 2 * each, 2), found, 500, 50) == memory.Share(2, each)
    with pytest.raises(InputError, match=r"3 workers and this process need .* but --memory is"):
        memory.share(Where(mine + 2 * each, 3), found, 500, 50)
    # As many as fit, if it is not said how many.
    assert memory.share(Where(mine + each), found, 500, 50).workers == 1
    with pytest.raises(InputError, match="1 worker and this process need"):
        memory.share(Where(100 * 10**6), found, 500, 50)
    # A hundred times the rows in as many partitions: as much memory, but a partition of them all needs more.
    large = replace(found.partitions[0], rows=65_536)
    many = replace(found, partitions=tuple(replace(large, index=i, start=i * 65_536) for i in range(200)))
    few_large = memory.worker_needs(replace(found, partitions=(large,)), 500, 50)
    assert memory.worker_needs(many, 500, 50) == few_large
    assert memory.worker_needs(replace(found, partitions=(replace(large, rows=10**7),)), 500, 50) > 10 * GB


def test_a_full_disk_is_seen_before(few: Path, tmp_path: Path) -> None:
    found = opened(few)
    memory.check_disk(tmp_path, found, 50)
    huge = replace(found, partitions=(replace(found.partitions[0], rows=10**14),))
    with pytest.raises(InputError, match=r"rows take 24\.00 PB more .* but only .* are free"):
        memory.check_disk(tmp_path, huge, 50)


def test_a_pass_of_k_means_is_scikit_learns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    points = (rng.normal(size=(3000, 2)) + 8 * rng.integers(0, 3, 3000)[:, None]).astype(np.float32)
    first = points[:3].astype(np.float64)
    model = Reference(3, init=first, n_init=1, max_iter=1, tol=0).fit(points.astype(np.float64))
    parts = []
    for i, rows in enumerate((slice(0, 1000), slice(1000, 3000))):
        partition = source.Partition(i, rows.start, rows.stop - rows.start, "p")
        np.save(tmp_path / f"{partition.stem}.npy", points[rows])
        parts.append(kmeans.lloyd(str(tmp_path), "features", first, partition))
    counts, sums = parts[0].counts + parts[1].counts, parts[0].sums + parts[1].sums
    np.testing.assert_allclose(sums / counts[:, None], model.cluster_centers_, rtol=1e-9)
    assert counts.sum() == 3000
    np.testing.assert_allclose(parts[0].squares + parts[1].squares, (points.astype(np.float64) ** 2).sum(axis=0))


@pytest.mark.parametrize(("together", "absent"), [(500, 0), (2500, 700), (10**6, 0)])
def test_counts_out_of_core_are_those_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: int, absent: int
) -> None:
    import pandas as pd

    from gpu_pipeline.render import aggregate, fit, prepare

    monkeypatch.setattr(picture, "TOGETHER", together)
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=4000), "y": rng.normal(size=4000)}).astype(np.float32)
    table["label"] = np.array(["ten", "two", "one"])[rng.integers(0, 3, 4000)]
    classes, counts = np.unique(table["label"][absent:].to_numpy().astype(str), return_counts=True)
    table.loc[: absent - 1, "label"] = None
    for i in range(4):
        table[i * 1000 : (i + 1) * 1000].to_parquet(tmp_path / f"part-{i}.parquet", index=False)
    ends = [[table[axis].agg(end) for axis in "xy"] for end in ("min", "max")]
    drawn = picture.Drawn(tmp_path, "label", classes, counts, *ends, absent)
    layer, inks = picture.layer_of(drawn)
    (whole,) = prepare(table, colour="label")
    view = fit(layer.frame, 200, 150)
    assert view == fit(whole.frame, 200, 150)
    assert (layer.key.names, layer.key.counts) == (whole.key.names, whole.key.counts)
    np.testing.assert_array_equal(picture.count(drawn, inks, layer.inks, view).counts, aggregate(whole, view).counts)


def test_names_of_columns_are_refused_as_elsewhere(tmp_path: Path) -> None:
    path, says = tmp_path / "a.npy", r"^a\.npy has no named columns to choose from: leave the names out[.,]"
    np.save(path, np.eye(5))
    with pytest.raises(InputError, match=says):
        opened(path, columns=("x",))
    with pytest.raises(InputError, match=says):
        load(path, columns=("x",))
