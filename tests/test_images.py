"""Images of a run's points: the right ones, in the right place, once in memory."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gpu_pipeline import Recipe, pipeline
from gpu_pipeline.dashboard import images
from gpu_pipeline.dashboard.images import Images, encode, images_of
from gpu_pipeline.dashboard.shelf import Shelf
from gpu_pipeline.datasets import load
from gpu_pipeline.errors import InputError
from gpu_pipeline.record import Run
from gpu_pipeline.store import open_run

PATIENCE = 30


def recipe(**data: Any) -> Recipe:
    return Recipe.model_validate(
        {"data": data, "embed": {"method": "pca", "n_components": 2}, "engine": "scikit_learn", "preprocess": "none"}
    )


def shelf(most: int) -> Shelf:
    """An empty one for as many bytes of images."""
    return Shelf(images.KEPT, images._size, most)


@pytest.fixture(scope="module")
def run() -> Run:
    return pipeline.run(recipe(name="digits", sample=60))


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_kept", shelf(images.KEPT_BYTES))


@pytest.fixture
def four() -> Images:
    """Images of 2 x 3 pixels, each of its own grey: 0, 10, 20, 30, 40."""
    return Images(np.repeat(np.arange(0, 50, 10, dtype=np.uint8), 6).reshape(5, 2, 3))


def opened(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_each_point_has_its_own_image(run: Run, tmp_path: Path) -> None:
    stored = open_run(run.save(tmp_path))
    found = images_of(stored)
    assert found is not None
    whole = load("digits").X
    expected = 255 - whole[stored.points["row"].to_numpy()].reshape(-1, 28, 28)  # dark ink on white
    assert (found.pixels == expected).all()
    assert (opened(found.png(7)) == expected[7]).all()
    big = opened(found.png(7, 3))
    assert big.shape == (84, 84)
    assert (big[::3, ::3] == expected[7]).all()


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (1, 1), (1, 1, 3), (300, 2, 3)])
def test_an_encoded_image_is_the_image(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with Image.open(io.BytesIO(encode(Image.fromarray(pixels)))) as image:
        image.verify()  # its checksums
    assert (opened(encode(Image.fromarray(pixels))) == pixels).all()
    grey = Image.fromarray(pixels).convert("RGBA")
    assert (opened(encode(grey)) == np.asarray(grey.convert("RGB"))).all()


def test_sessions_share_one_copy(run: Run) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(images_of, [run] * 8))
    assert all(one is found[0] for one in found)


def test_what_is_kept_is_bounded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    other = pipeline.run(recipe(name="digits", sample=40))
    monkeypatch.setattr(images, "_kept", shelf(100 * 784))  # room for both
    one, two = images_of(run), images_of(other)
    assert images_of(run) is one
    assert images_of(other) is two
    monkeypatch.setattr(images, "_kept", shelf(99 * 784))  # one image too many: the first was used longest ago
    one, two = images_of(run), images_of(other)
    assert images_of(other) is two
    assert images_of(run) is not one


def test_images_that_take_long_to_load_hold_up_no_others(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    other = pipeline.run(recipe(name="digits", sample=40))
    begun, go_on, load_now = threading.Event(), threading.Event(), images._load

    def load_slowly(asked: Run) -> Images:
        if asked is run:
            begun.set()
            assert go_on.wait(PATIENCE)
        return load_now(asked)

    monkeypatch.setattr(images, "_load", load_slowly)
    with ThreadPoolExecutor(2) as pool:
        try:
            waiting = pool.submit(images_of, run)
            assert begun.wait(PATIENCE)
            assert pool.submit(images_of, other).result(PATIENCE) is not None
        finally:
            go_on.set()
        assert waiting.result(PATIENCE) is not None


def test_rows_that_are_no_images(tmp_path: Path) -> None:
    np.save(tmp_path / "table.npy", np.random.default_rng(0).normal(size=(30, 12)))
    assert images_of(pipeline.run(recipe(name=str(tmp_path / "table.npy")))) is None


def test_data_that_are_gone_or_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "faces.npy"
    grey = np.random.default_rng(0).uniform(-1, 3, (30, 12))
    np.save(path, grey)
    run = pipeline.run(recipe(name=str(path), image_shape=(3, 4)))
    found = images_of(run)
    assert found is not None
    # -1 to 3 becomes 0 to 255; the rims are not dark, so that nothing is turned over.
    assert found.pixels == pytest.approx(((grey - grey.min()) / np.ptp(grey) * 255).reshape(30, 3, 4), abs=0.51)
    monkeypatch.setattr(images, "_kept", shelf(images.KEPT_BYTES))
    np.save(path, grey + 1)
    with pytest.raises(InputError, match="no longer what the run was made of"):
        images_of(run)
    path.unlink()
    with pytest.raises(InputError, match=r"faces\.npy"):
        images_of(run)


def test_a_sheet_has_each_image_in_its_place(four: Images) -> None:
    # Two columns of 2 x 3 pixels with a gap of 2: images at rows 0 and 4 and 8, columns 0 and 5.
    sheet = np.asarray(four.sheet([4, 0, 3, 3, 1], columns=2))
    assert sheet.shape == (10, 8)
    assert (sheet[0:2, 0:3] == 40).all()
    assert (sheet[0:2, 5:8] == 0).all()
    assert (sheet[4:6, 5:8] == 30).all()
    assert (sheet[8:10, 0:3] == 10).all()
    assert (sheet[8:10, 3:] == 255).all()
    assert (sheet[2:4] == 255).all()
    assert four.sheet([1], columns=9).size == (3, 2)
    assert four.sheet([]).size == (1, 1)
    assert four.sheet(np.array([2, 4])).size == (8, 2)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda i: i.png(5), "no such point: give positions from 0 to 4"),
        (lambda i: i.png(-1), "no such point"),
        (lambda i: i.png(0, 0), "enlarged 0 times"),
        (lambda i: i.png(0, 1000), "enlarged 1000 times"),
        (lambda i: i.sheet([0, 9]), "no such point"),
        (lambda i: i.sheet([0], columns=0), "0 columns"),
    ],
)
def test_what_cannot_be_shown(four: Images, ask: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        ask(four)


def test_real_digits(mnist_dir: Path) -> None:
    run = pipeline.run(recipe(name="mnist", sample=50), data_dir=mnist_dir)
    found = images_of(run)
    assert found is not None
    assert (found.pixels[0] == 255 - load("mnist", data_dir=mnist_dir, sample=50).X[0].reshape(28, 28)).all()
    # A run asked for "auto" finds what it got then, by name.
    run.record = replace(run.record, recipe=recipe(name="auto", sample=50))
    assert images_of(run) is found
