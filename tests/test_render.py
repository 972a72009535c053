"""Maps as pictures: what is counted, what can be seen, and where the texts are."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageFont

from gpu_pipeline.errors import InputError
from gpu_pipeline.render import (
    Layout,
    View,
    aggregate,
    arrange,
    compare_picture,
    draw,
    fit,
    levels,
    mark,
    order,
    paint,
    picture,
    places,
    plan,
    prepare,
    ranked,
    shown_key,
    spread,
    visible,
)
from gpu_pipeline.render import shade as shade_grid
from gpu_pipeline.render import text as texts
from gpu_pipeline.render.counting import blend, blocks, histogram, largest_share, scatter, survey
from gpu_pipeline.render.names import overlap
from gpu_pipeline.render.palette import ALARM, BESIDE_GREY, CALM, MANY, MISSING, QUANTITY, TEN, rgb
from gpu_pipeline.render.text import apart, boxes, cut, cut_apart, font, width

# Machado, Oliveira & Fernandes 2009 (doi:10.1109/TVCG.2009.113), severity 1, on linear RGB.
SIGHT: dict[str, Any] = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
WHITE = np.array([[255, 255, 255]])


def lab(colours: np.ndarray, sight: str = "normal") -> np.ndarray:
    """CIE Lab (D65) of sRGB in 0..255 as someone with that sight sees it."""
    s = np.asarray(colours, float) / 255
    linear = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(SIGHT[sight]), 0, 1)
    xyz = linear @ np.array(
        [[0.4124564, 0.2126729, 0.0193339], [0.3575761, 0.7151522, 0.1191920], [0.1804375, 0.0721750, 0.9503041]]
    )
    t = xyz / [0.95047, 1, 1.08883]
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def contrast(pixels: np.ndarray) -> Any:
    """Distance of each colour from the white background in CIE Lab."""
    return np.linalg.norm(lab(pixels) - lab(WHITE), axis=1)


def table(n: int, classes: int = 10, seed: int = 0) -> pd.DataFrame:
    """Blobs on a circle, one for each class."""
    random = np.random.default_rng(seed)
    label = np.arange(n) % classes
    angle = label * 2 * np.pi / classes
    x, y = (10 * f(angle) + random.normal(0, 1, n) for f in (np.cos, np.sin))
    return pd.DataFrame({"row": np.arange(n), "x": x.astype(np.float32), "y": y.astype(np.float32), "label": label})


def lit(image: Any) -> Any:
    """Colours of the pixels that are not background."""
    pixels = np.asarray(image).reshape(-1, 3)
    return pixels[(pixels != 255).any(axis=1)]


def layout(points: pd.DataFrame, colour: str = "label", **size: Any) -> Layout:
    return plan(prepare(points, colour=colour), title="t", **{"width": 900, "height": 800, **size})


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("ten", [TEN, BESIDE_GREY])
def test_ten_colours_differ_to_every_sight(ten: tuple[str, ...], sight: str) -> None:
    seen = lab(rgb(list(ten)), sight)
    distances = [np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)]
    assert len(distances) == 45
    assert min(distances) >= 17


@pytest.mark.parametrize("sight", SIGHT)
def test_classes_differ_from_points_without_one(sight: str) -> None:
    """From their grey, and from what it becomes where they lie on one another."""
    greys, seen = (lab(rgb(list(each)), sight) for each in ((MISSING, "#b4b7be", "#9fa2a9"), BESIDE_GREY))
    assert np.linalg.norm(seen[:, None] - greys, axis=2).min() > 15


def test_points_without_a_class_have_no_name_on_the_map() -> None:
    points = table(900, 3)
    points["label"] = points["label"].astype("Int64").mask(np.arange(900) % 10 > 0)
    (panel,) = layout(points).panels
    assert panel.layer.key.names == ("0", "1", "2", "no label")
    assert panel.layer.key.counts == (30, 30, 30, 810)
    assert sorted(name.text for name in panel.names) == ["0", "1", "2"]


def test_the_measure_of_sight_finds_a_bad_palette() -> None:
    red_green = lab(np.array([[214, 39, 40], [44, 160, 44]]), "deuteranopia")  # of "tab10"
    assert np.linalg.norm(red_green[0] - red_green[1]) < 10


@pytest.mark.parametrize("colours", [TEN, BESIDE_GREY, MANY, (ALARM, CALM)])
def test_every_colour_can_be_seen_on_white(colours: tuple[str, ...]) -> None:
    assert contrast(rgb(list(colours))).min() > 25


def test_every_point_in_view_is_counted_once_in_its_class() -> None:
    points = table(1003)
    (layer,) = prepare(points, colour="label")
    grid = aggregate(layer, fit(layer.frame, 200, 150))
    assert grid.counts.shape == (150, 200, 10)
    assert grid.counts.sum(axis=(0, 1)).tolist() == [101, 101, 101] + [100] * 7
    east = (points.x > 0) & (points.y.abs() < 5)
    part = aggregate(layer, fit(layer.frame, 200, 100, x_range=(0, 20), y_range=(-5, 5)))
    assert part.counts.sum() == east.sum()


@settings(max_examples=25)
@given(
    st.lists(st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 2), min_size=1, max_size=30),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_no_point_is_lost_whatever_the_window(places: list[tuple[float, float]], w: int, h: int) -> None:
    (layer,) = prepare(pd.DataFrame(places, columns=["x", "y"]), colour="density")
    view = fit(layer.frame, w, h)
    assert aggregate(layer, view).counts.sum() == len(places)
    sides = (view.x_range[1] - view.x_range[0]) / w, (view.y_range[1] - view.y_range[0]) / h
    assert sides[0] == pytest.approx(sides[1])


def test_north_is_up_and_east_is_right() -> None:
    points = pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0], "label": ["south west", "north east"]})
    pixels = np.asarray(draw(points, width=100, height=100)).astype(int)
    assert (pixels[:20, 80:] != 255).any()
    assert (pixels[80:, :20] != 255).any()
    assert (pixels[:50, :50] == 255).all()
    assert (pixels[50:, 50:] == 255).all()


@pytest.mark.parametrize("colour", ["label", "density", "misfit", "quality"])
@pytest.mark.parametrize("crowd", [0, 400_000])
def test_a_lone_point_can_be_seen(colour: str, crowd: int) -> None:
    # The crowd fills the right half evenly, 13 points in a pixel; one point stands alone on the left.
    random = np.random.default_rng(0)
    points = pd.DataFrame({"x": random.uniform(0.5, 1, crowd), "y": random.uniform(0, 1, crowd)})
    points = pd.concat([points, pd.DataFrame({"x": [0.2], "y": [0.5]})], ignore_index=True)
    points = points.assign(label=np.arange(crowd + 1) % 10, misfit=False, quality=0.9)
    image = np.asarray(draw(points, colour, x_range=(0, 1), y_range=(0, 1), width=240, height=240))
    assert contrast(image[116:124, 44:52].reshape(-1, 3)).max() > 15
    if not crowd:
        assert contrast(image[116:124, 44:52].reshape(-1, 3)).max() > 25


def test_few_points_are_drawn_as_discs_and_many_as_pixels() -> None:
    one = pd.DataFrame({"x": [0.0], "y": [0.0], "label": [0]})
    assert 15 <= len(lit(draw(one, width=800, height=800))) <= 40
    (layer,) = prepare(table(60_000), colour="label")
    grid = aggregate(layer, fit(layer.frame, 300, 300))
    assert spread(grid) is grid


def test_few_selected_points_are_seen_among_many() -> None:
    points = table(60_000)
    (layer,) = prepare(points, colour="label")
    selected = np.zeros(60_000, bool)
    selected[7] = True
    view = fit(layer.frame, 300, 300)
    one = spread(aggregate(mark(layer, selected), view))
    assert 5 <= np.count_nonzero(one.counts.sum(axis=-1)) <= 16
    assert one.rest is not None
    assert one.rest.sum() == 59_999  # single pixels as before
    assert spread(aggregate(mark(layer, ~selected), view)).counts.sum() == 59_999
    none = spread(aggregate(mark(prepare(table(50), colour="label")[0], np.zeros(50, bool)), view))
    assert none.counts.sum() == 0
    assert none.rest is not None
    assert np.count_nonzero(none.rest) > 4 * 45


def test_a_disc_keeps_the_ratio_of_the_classes_and_the_mean() -> None:
    points = pd.DataFrame({"x": 0.0, "y": 0.0, "label": [0, 0, 0, 1], "quality": [0.0, 1.0, 1.0, np.nan]})
    (layer,) = prepare(points, colour="label")
    disc = spread(aggregate(layer, fit(layer.frame, 300, 300)))
    inked = disc.counts[disc.counts.sum(axis=-1) > 0]
    assert len(inked) >= 5
    assert inked[:, 0] == pytest.approx(3 * inked[:, 1])
    (layer,) = prepare(points, colour="quality")
    disc = spread(aggregate(layer, fit(layer.frame, 300, 300)))
    assert disc.sums is not None
    covered = disc.counts[..., 0] > 0
    assert disc.sums[covered] / disc.counts[covered][:, 0] == pytest.approx(2 / 3)


def test_density_shows_and_nothing_saturates() -> None:
    # Half of the points are in the window, 21 in a pixel: as dense as ten million on 800 x 800.
    x, y = np.random.default_rng(0).normal(size=(2, 1_000_000))
    points = pd.DataFrame({"x": x, "y": y, "label": 0})
    image = np.asarray(draw(points, x_range=(-1, 1), y_range=(-1, 1), width=150, height=150))
    lightness = lab(image.reshape(-1, 3))[:, 0]
    low, high = np.percentile(lightness, [5, 95])
    assert high - low > 15
    values, counts = np.unique(lightness.round(1), return_counts=True)
    assert len(values) > 25
    assert counts.max() < 0.2 * lightness.size
    # Dense is dark: the middle of the normal distribution against the corners of the window.
    assert image[70:80, 70:80].mean() < image[:10, :10].mean()


def test_levels_are_ranks_when_crowded_and_even_when_not() -> None:
    # Four different amounts: each rank is the middle of its quarter.
    assert levels(np.array([10, 20, 40, 80.0])) == pytest.approx([0.125, 0.375, 0.625, 0.875])
    assert levels(np.array([1, 1, 1.0])) == pytest.approx(0.5)
    # Two points in one pixel of a thousand do not make it black.
    assert levels(np.array([1] * 999 + [2.0])).max() < 0.6


def test_majority_and_mix() -> None:
    points = pd.DataFrame({"x": 0.0, "y": 0.0, "label": ["a", "a", "a", "b"]})
    (layer,) = prepare(points, colour="label")
    grid = aggregate(layer, fit(layer.frame, 1, 1))
    a, b = rgb(list(TEN[:2]))
    # One lit pixel has level 0.5, where the tone is the colour itself.
    assert np.asarray(shade_grid(grid, layer.key))[0, 0] == pytest.approx(a, abs=1)
    assert np.asarray(shade_grid(grid, layer.key, "mix"))[0, 0] == pytest.approx((3 * a + b) / 4, abs=1)


def test_purity_is_the_share_of_the_majority() -> None:
    # Four pixels with 4 of 4, 3 of 4 and 2 of 4 points of one class, and 1 of 3, which has the ramp's end too, all
    # 8 pixels apart. Then a pixel with one c, 3 pixels beside one with three d's: both have 3 of 4.
    label = ["a"] * 4 + ["a", "a", "a", "b"] + ["a", "a", "b", "b"] + ["a", "b", "c"] + ["c"] + ["d"] * 3
    x = np.repeat([0.5, 8.5, 16.5, 24.5, 32.5, 35.5], [4, 4, 4, 3, 1, 3])
    (layer,) = prepare(pd.DataFrame({"x": x, "y": 0.5, "label": label}), colour="label")
    grid = aggregate(layer, View((0, 40), (0, 1), 40, 1))
    pixels = np.asarray(shade_grid(grid, layer.key, "purity"))[0]
    half = QUANTITY[127:129].mean(axis=0)  # the middle of 256 colours lies between two of them
    assert pixels[0] == pytest.approx(QUANTITY[255], abs=1)
    assert pixels[8] == pytest.approx(half, abs=3)
    assert pixels[16] == pytest.approx(QUANTITY[0], abs=1)
    assert pixels[24].tolist() == pixels[16].tolist()
    assert pixels[32] == pytest.approx(half, abs=3)
    assert pixels[35] == pytest.approx(half, abs=3)
    assert (pixels[33:35] == 255).all()
    key = shown_key(layer.key, "purity")
    assert (key.kind, key.limits) == ("quantity", (0.5, 1.0))
    assert shown_key(layer.key, "mix") is layer.key


def test_ranks_tell_values_apart_beside_a_few_large_ones() -> None:
    # Of 101 values the percentiles are the values themselves, each five times the one before.
    value = 10.0 ** (0.7 * (np.arange(101) - 50))
    points = pd.DataFrame({"x": np.arange(101) + 0.5, "y": 0.5, "value": value})
    window: dict[str, Any] = {"x_range": (0, 101), "y_range": (0, 1), "width": 101, "height": 1}
    by_value = np.asarray(draw(points, "value", **window))[0]
    by_rank = np.asarray(draw(points, "value", scale="rank", **window))[0]
    assert (by_value[:90] == by_value[0]).all()
    expected = QUANTITY[np.rint(255 * (np.arange(101) - 1) / 98).clip(0, 255).astype(int)]
    assert np.abs(by_rank - expected).max() <= 3


def test_equal_values_have_the_middle_of_their_ranks_and_missing_ones_none() -> None:
    # Half of the points are zero, the others 1 to 1,000: zero is a quarter along the ramp, 500 three quarters.
    value = np.concatenate([np.zeros(1_001), np.arange(1_000) + 1.0, [np.nan, np.inf]])
    points = pd.DataFrame({"x": np.arange(2_003), "y": 0, "value": value})
    (plain,) = prepare(points, colour="value")
    layer = ranked(plain)
    found = layer.frame["value"].to_numpy()
    assert found[[0, 1_000, 1_490, 2_000]] == pytest.approx([0.25, 0.25, 0.75, 1], abs=0.02)
    assert found[2_001:].tolist() == [0, 0]
    assert layer.key.unmeasured == 2
    assert [layer.key.value_at(place) for place in (0, 0.25, 0.75, 1)] == pytest.approx([0, 0, 490, 980], abs=20)
    assert [plain.key.value_at(place) for place in (0, 0.5, 1)] == pytest.approx([0, 490, 980], abs=20)
    (constant,) = prepare(points.assign(value=7.5), colour="value")
    assert set(ranked(constant).frame["value"]) == {0.5}


def test_a_pixel_has_the_mean_rank_of_its_points() -> None:
    """The mean of a few large values and many small ones is large, though most points are not."""
    value = np.concatenate([np.arange(1_000.0), np.arange(1_000.0)])
    value[::100] *= 1e6
    points = pd.DataFrame({"x": np.repeat([0.5, 1.5], 1_000), "y": 0.5, "value": value})
    pixels = np.asarray(draw(points, "value", scale="rank", x_range=(0, 2), y_range=(0, 1), width=2, height=1))[0]
    assert pixels == pytest.approx(np.tile(QUANTITY[127:129].mean(axis=0), (2, 1)), abs=6)


def test_ranks_are_the_same_in_any_order_and_beside_any_base() -> None:
    seconds = 1_700_000_000.0 + np.random.default_rng(0).lognormal(0, 2, 500)
    (layer,) = prepare(pd.DataFrame({"x": np.arange(500.0), "y": 0.0, "value": seconds}), colour="value")
    assert layer.key.base > 0
    expected = np.argsort(np.argsort(seconds)) / 499
    assert ranked(layer).frame["value"].to_numpy() == pytest.approx(np.clip((expected - 0.01) / 0.98, 0, 1), abs=0.01)
    places = order(layer.frame["x"].to_numpy(), layer.frame["y"].to_numpy())
    arranged = ranked(arrange(layer, places)).frame["value"].to_numpy()
    assert (arranged == ranked(layer).frame["value"].to_numpy()[places.rows]).all()


def test_quantiles_are_percentiles() -> None:
    value = np.random.default_rng(0).lognormal(0, 3, 1_000)
    points = pd.DataFrame({"x": np.arange(1_000), "y": 0, "value": value})
    for some in (points, points.head(3), points.head(1)):
        (layer,) = prepare(some, colour="value")
        expected = np.percentile(some["value"].astype(np.float32), np.arange(1, 100))
        assert layer.key.quantiles == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("mode", "heading", "note"),
    [
        ("purity", "purity", "share of the largest class"),
        ("density", "density", "at most 500 in a pixel"),
        ("mix", "label", ""),
        (None, "label", ""),
    ],
)
def test_the_legend_tells_what_the_mode_shows(mode: Any, heading: str, note: str) -> None:
    points = pd.DataFrame({"x": [0.0] * 500 + [1], "y": 0, "label": ["a"] * 250 + ["b"] * 250 + ["c"]})
    made = plan(prepare(points, colour="label"), title="t", width=900, height=800, mode=mode)
    (legend, _), *_ = made.legends
    assert (legend.heading, legend.note) == (heading, note)
    assert (legend.ramp is None) == (heading == "label")
    paint(made)
    quality = prepare(points.assign(quality=np.linspace(0, 1, 501)), colour="quality")
    ramp = plan([ranked(*quality)], title="t", width=900, height=800).legends[0][0]
    assert ramp.note == "by rank, 1st to 99th percentile"


def test_a_mode_is_that_of_the_colour_and_not_of_the_displacement() -> None:
    points = table(300)
    layers = [*prepare(points, points, colour="label"), *prepare(points.assign(moved=points["x"]), colour="moved")]
    made = plan(layers, title="t", width=1200, height=600, mode="purity")
    assert [panel.mode for panel in made.panels] == ["purity", "purity", None]
    assert [legend.heading for legend, _ in made.legends] == ["purity", "moved"]
    assert paint(made).size == (1200, 600)


@pytest.mark.parametrize("colour", ["label", "quality"])
def test_density_of_any_column_is_the_map_of_density(colour: str) -> None:
    points = table(3000).assign(quality=np.linspace(0, 1, 3000))
    as_mode = draw(points, colour, mode="density", width=200, height=200)
    assert (np.asarray(as_mode) == np.asarray(draw(points, "density", width=200, height=200))).all()


def test_mixing_many_pixels_is_the_weighted_mean_of_colours() -> None:
    points = table(20_000)
    (layer,) = prepare(points, colour="label")
    grid = aggregate(layer, fit(layer.frame, 40, 40))
    total = grid.counts.sum(axis=2)
    lit = np.flatnonzero(total)
    expected = (grid.counts.reshape(-1, 10)[lit] @ layer.key.colours) / total.reshape(-1)[lit][:, None]
    assert blend(grid.counts, lit, layer.key.colours) == pytest.approx(expected, rel=1e-5)


def test_a_grid_in_one_pass() -> None:
    counts = np.random.default_rng(0).poisson(0.3, (30, 40, 5)).astype(np.uint32)
    lit, total, top, most, kinds, amounts = survey(counts)
    flat = counts.reshape(-1, 5)
    assert lit.tolist() == np.flatnonzero(flat.any(axis=1)).tolist()
    assert (total == flat[lit].sum(axis=1)).all()
    assert (top == flat[lit].argmax(axis=1)).all()
    assert (most == flat[lit].max(axis=1)).all()
    assert (kinds == (flat[lit] > 0).sum(axis=1)).all()
    assert amounts.tolist() == flat.sum(axis=0).tolist()
    assert largest_share(counts, lit) == pytest.approx(most / total)
    near = scatter(counts, lit, np.ones((5, 5), np.float32), 2)
    assert near[10, 20].tolist() == counts[8:13, 18:23].sum(axis=(0, 1)).tolist()
    assert near[0, 39].tolist() == counts[:3, 37:].sum(axis=(0, 1)).tolist()
    # Blocks of 7 pixels: 30 = 4 * 7 + 2 rows and 40 = 5 * 7 + 5 columns.
    coarse = blocks(counts, lit, 7)
    assert coarse.shape == (5, 6, 5)
    assert coarse[0, 0].tolist() == counts[:7, :7].sum(axis=(0, 1)).tolist()
    assert coarse[4, 5].tolist() == counts[28:, 35:].sum(axis=(0, 1)).tolist()


def test_levels_are_ranks_among_the_lit_pixels() -> None:
    """Of amounts 1, 2, 4, ..., 128 each is an eighth of the pixels; rims take the tone of a whole point."""
    amounts = np.float32(2) ** np.arange(8)
    total = np.repeat(amounts, 100)
    where, votes, top = histogram(total, 4096)
    assert top == 7
    assert votes[votes > 0].tolist() == [100] * 8
    assert (votes[where] == 100).all()
    assert levels(total)[::100] == pytest.approx((np.arange(8) + 0.5) / 8)
    with_rims = np.concatenate([total, np.full(1000, 0.25, np.float32)])
    assert (levels(with_rims)[:800] == levels(total)).all()
    assert (levels(with_rims)[800:] == levels(total)[0]).all()
    assert (levels(np.full(5, 0.5, np.float32)) == 0.5).all()  # rims alone: no pixel has a vote


WINDOWS = [None, ((-4, 9), (-3, 10)), ((9, 11), (-1, 1)), ((30, 40), (30, 40)), ((10, 10.001), (0, 0.001))]


@pytest.mark.parametrize("colour", ["label", "density", "quality"])
@pytest.mark.parametrize("window", WINDOWS)
def test_points_in_order_give_the_same_grid(colour: str, window: Any) -> None:
    points = table(20_000).assign(quality=np.where(np.arange(20_000) % 7, np.linspace(0, 1, 20_000), np.nan))
    points.loc[3, "x"] = 1e4  # an outlier must neither be lost nor leave all others in one cell
    (layer,) = prepare(points, colour=colour)
    made = order(points.x.to_numpy(), points.y.to_numpy())
    assert np.sort(made.rows).tolist() == list(range(20_000))
    assert np.diff(made.starts).max() < 2000
    arranged = arrange(layer, made)
    view = fit(layer.frame, 90, 70, *(window or ()))
    one, other = aggregate(layer, view), aggregate(arranged, view)
    assert (one.counts == other.counts).all()
    assert (one.sums is None) == (other.sums is None) == (colour != "quality")
    if one.sums is not None and other.sums is not None:
        assert other.sums == pytest.approx(one.sums, abs=1e-4)
    assert visible(layer, view).tolist() == visible(arranged, view).tolist()
    assert len(visible(layer, view)) == one.counts.sum()


@settings(max_examples=40)
@given(
    st.lists(st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 2), min_size=1, max_size=300),
    st.tuples(*[st.floats(-1e6, 1e6, width=32)] * 4),
)
def test_no_window_misses_a_point_of_an_order(spots: list[tuple[float, float]], edges: Any) -> None:
    x, y = np.array(spots, np.float32).T
    x_range, y_range = sorted(edges[:2]), sorted(edges[2:])
    found = [row for piece in order(x, y).pieces(tuple(x_range), tuple(y_range)) for row in order(x, y).rows[piece]]
    inside = (x >= x_range[0]) & (x <= x_range[1]) & (y >= y_range[0]) & (y <= y_range[1])
    assert set(np.flatnonzero(inside)) <= set(found)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("colour", ["label", "quality"])
def test_the_rest_is_grey_and_what_is_hidden_is_gone(ordered: bool, colour: str) -> None:
    # Class a at x = 0 is selected, b at 1 is not, c at 2 is not shown, d at 3 is neither.
    points = pd.DataFrame({"x": [0.0, 1, 2, 3] * 5, "y": 0.0, "label": list("abcd") * 5, "quality": 0.5})
    (whole,) = prepare(points, colour=colour)
    layer = arrange(whole, order(points.x.to_numpy(), points.y.to_numpy())) if ordered else whole
    before = layer.frame.copy()
    selected, shown = points.label.isin(["a", "c"]).to_numpy(), points.label.isin(["a", "b"]).to_numpy()
    marked = mark(layer, selected, shown)
    view = View((-0.5, 3.5), (-0.5, 0.5), 4, 1)
    grid = aggregate(marked, view)
    assert grid.rest is not None
    assert grid.counts.shape[2] == aggregate(layer, view).counts.shape[2]
    assert grid.counts.sum(axis=2).tolist() == [[5, 0, 0, 0]]
    assert grid.rest.tolist() == [[0, 5, 0, 0]]
    if grid.sums is not None:
        assert grid.sums.tolist() == [[2.5, 0, 0, 0]]
    pixels = np.asarray(shade_grid(grid, marked.key))[0].astype(int)
    own = np.asarray(shade_grid(aggregate(layer, view), layer.key))[0].astype(int)
    assert pixels[0] == pytest.approx(own[0], abs=1)
    assert np.ptp(pixels[1]) < 15
    assert (pixels[1] < 240).all()
    assert (pixels[2:] == 255).all()
    assert visible(marked, view).tolist() == np.flatnonzero(shown).tolist()
    assert marked.frame.iloc[places(marked, view)]["x"].max() == 1
    pd.testing.assert_frame_equal(layer.frame, before)  # a layer is shared by sessions
    assert mark(layer) is layer
    with pytest.raises(InputError, match="mask is of 3"):
        mark(layer, selected[:3])


def test_selected_points_lie_over_the_rest() -> None:
    # One selected point among a thousand others at the same place: its pixel has its colour.
    points = pd.DataFrame({"x": np.zeros(1001), "y": 0.0, "label": ["a"] * 1000 + ["b"]})
    (layer,) = prepare(points, colour="label")
    selected = np.arange(1001) == 1000
    grid = aggregate(mark(layer, selected), fit(layer.frame, 1, 1))
    assert np.asarray(shade_grid(grid, layer.key))[0, 0] == pytest.approx(rgb([TEN[1]])[0], abs=1)


def test_an_order_of_other_points_is_refused() -> None:
    (layer,) = prepare(table(20), colour="label")
    with pytest.raises(InputError, match="order is of 3 points and the layer has 20"):
        arrange(layer, order(np.zeros(3), np.zeros(3)))


@pytest.mark.parametrize("n", [0, 1, 5000])
def test_points_in_one_place_have_an_order(n: int) -> None:
    points = pd.DataFrame({"x": np.full(n, 7.0), "y": np.full(n, -3.0), "label": np.zeros(n, int)})
    (layer,) = prepare(points, colour="label")
    arranged = arrange(layer, order(points.x.to_numpy(), points.y.to_numpy()))
    assert aggregate(arranged, fit(layer.frame, 20, 20)).counts.sum() == n
    assert aggregate(arranged, View((0, 1), (0, 1), 9, 9)).counts.sum() == 0


def test_a_quantity_goes_along_its_ramp_and_the_unmeasured_are_grey() -> None:
    points = pd.DataFrame({"x": [0.0, 1, 2], "y": 0.0, "neighbor_recall": [0.0, 1.0, np.nan]})
    image = np.asarray(draw(points, "neighbor_recall", x_range=(-0.5, 2.5), y_range=(-0.5, 0.5), width=300, height=100))
    low, high, grey = (image[50, x].astype(int) for x in (50, 150, 250))
    assert lab(low[None])[0, 0] < 40
    assert lab(high[None])[0, 0] > 70
    assert np.ptp(grey) < 15
    assert np.ptp(high) > 100
    (legend, _), *_ = layout(points, "neighbor_recall").legends
    assert [(row.name, row.count) for row in legend.rows] == [("not measured", "1")]
    assert [text for _, text in legend.ticks] == ["0.01", "0.26", "0.5", "0.74", "0.99"]


def test_the_ticks_of_a_ramp_tell_its_places_apart() -> None:
    points = pd.DataFrame({"x": np.arange(101.0), "y": 0.0, "when": 1_700_000_000 + np.arange(101)})
    (legend, _), *_ = layout(points, "when").legends
    assert [text for _, text in legend.ticks] == [f"17000000{end}" for end in ("01", "26", "50", "74", "99")]
    points["when"] = 1_700_000_000.5
    (legend, _), *_ = layout(points, "when").legends
    assert [text for _, text in legend.ticks] == ["1700000000"]


@pytest.mark.parametrize("kind", ["int64", "float64", "Int64"])
def test_large_numbers_that_lie_close_together_have_their_colours(kind: str) -> None:
    """Milliseconds since 1970: as numbers of 32 bits all of a minute are the same."""
    steps = pd.DataFrame({"x": np.arange(1_000.0), "y": 0.0, "when": 60 * np.arange(1_000)})
    window = {"x_range": (-0.5, 999.5), "y_range": (-0.5, 0.5), "width": 1_000, "height": 20}
    small = np.asarray(draw(steps, "when", **window))
    steps["when"] = (steps["when"] + 1_700_000_000_000).astype(kind)
    assert np.abs(np.asarray(draw(steps, "when", **window)).astype(int) - small).max() <= 3


def test_names_stand_on_their_class_inside_the_map_apart_from_each_other() -> None:
    points = table(5000)
    (panel,) = layout(points).panels
    left, top, right, bottom = panel.box
    assert sorted(name.text for name in panel.names) == list("0123456789")
    for one, other in itertools.combinations(panel.names, 2):
        assert not overlap(one.box, other.box)
    view = fit(panel.layer.frame, round(right) - round(left), round(bottom) - round(top))
    scale = (view.x_range[1] - view.x_range[0]) / view.width
    for name in panel.names:
        x0, y0, x1, y1 = name.box
        assert 0 <= x0 < x1 <= view.width
        assert 0 <= y0 < y1 <= view.height
        x, y = view.x_range[0] + name.middle[0] * scale, view.y_range[1] - name.middle[1] * scale
        angle = int(name.text) * 2 * np.pi / 10
        assert np.hypot(x - 10 * np.cos(angle), y - 10 * np.sin(angle)) < 1.5


def test_a_name_prefers_where_its_class_is_alone() -> None:
    # Class b lies half among ten times as many of a (west), half alone (east).
    random = np.random.default_rng(0)
    x = np.concatenate([random.normal(-5, 1, 3000), random.normal(-5, 1, 300), random.normal(5, 1, 280)])
    points = pd.DataFrame({"x": x, "y": random.normal(0, 1, len(x)), "label": ["a"] * 3000 + ["b"] * 580})
    (panel,) = layout(points).panels
    middle = {name.text: name.middle[0] for name in panel.names}
    assert middle["a"] < middle["b"]


def test_a_name_stands_beside_a_class_that_it_would_hide() -> None:
    random = np.random.default_rng(0)
    x, y = np.concatenate([random.normal(0, 5, (2, 3000)), random.normal(((30,), (8,)), 0.1, (2, 40))], axis=1)
    points = pd.DataFrame({"x": x, "y": y, "label": ["many of a kind"] * 3000 + ["few of a kind"] * 40})
    (panel,) = layout(points).panels
    boxes = {name.text: name.box for name in panel.names}
    view = fit(panel.layer.frame, *(round(panel.box[i + 2]) - round(panel.box[i]) for i in (0, 1)))
    scale = (view.x_range[1] - view.x_range[0]) / view.width
    across, down = (x - view.x_range[0]) / scale, (view.y_range[1] - y) / scale

    def hidden(name: str) -> float:
        left, top, right, bottom = boxes[name]
        mine = (points["label"] == name).to_numpy()
        return float(((across > left) & (across < right) & (down > top) & (down < bottom))[mine].mean())

    assert hidden("few of a kind") < 0.1
    assert 0 < hidden("many of a kind") < 0.3
    left, top, right, bottom = boxes["few of a kind"]
    assert left < across[-1] < right
    assert min(abs(top - down[-1]), abs(bottom - down[-1])) < 2 * (bottom - top)


def test_no_name_hides_a_class() -> None:
    """Thirty islands with names wider than they are; what their names cover is counted point by point."""
    random = np.random.default_rng(1)
    label = random.integers(0, 30, 6000)
    x, y = np.array([label % 6, label // 6]) * 6.0 + random.normal(scale=0.6, size=(2, 6000))
    points = pd.DataFrame({"x": x, "y": y, "label": [f"a kind of thing with number {i}" for i in label]})
    (panel,) = layout(points).panels
    assert len(panel.names) > 15
    view = fit(panel.layer.frame, *(round(panel.box[i + 2]) - round(panel.box[i]) for i in (0, 1)))
    scale = (view.x_range[1] - view.x_range[0]) / view.width
    across, down = (x - view.x_range[0]) / scale, (view.y_range[1] - y) / scale
    for left, top, right, bottom in (name.box for name in panel.names):
        under = (across > left) & (across < right) & (down > top) & (down < bottom)
        assert (np.bincount(label[under], minlength=30) / np.bincount(label)).max() < 0.65


def test_names_in_the_same_place_step_aside_or_are_left_out() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 3000))
    points = pd.DataFrame({"x": x, "y": y, "label": [f"kind of thing {i % 30}" for i in range(3000)]})
    (panel,) = layout(points).panels
    assert 5 < len(panel.names) < 30
    assert not any(overlap(a.box, b.box) for a, b in itertools.combinations(panel.names, 2))


def test_the_legend_counts_every_class_in_order() -> None:
    points = pd.DataFrame({"x": np.zeros(12345), "y": 0.0, "label": ["10"] * 12_000 + ["9"] * 300 + ["2"] * 45})
    (legend, box), *_ = layout(points).legends
    assert [(row.name, row.count) for row in legend.rows] == [("2", "45"), ("9", "300"), ("10", "12,000")]
    assert [row.colour for row in legend.rows] == [tuple(colour) for colour in rgb(list(TEN[:3])).astype(int).tolist()]
    assert 0 <= box[0] < box[2] <= 900
    assert box[3] <= 800


def test_a_legend_without_room_keeps_the_largest_and_says_so() -> None:
    label = np.repeat(np.arange(300), np.where(np.arange(300) == 250, 50, 2))
    points = pd.DataFrame({"x": np.cos(label), "y": np.sin(label), "label": label})
    made = layout(points)
    (legend, box), *_ = made.legends
    assert ("250", "50") in [(row.name, row.count) for row in legend.rows]
    assert len(legend.rows) + legend.more == 300
    assert legend.more > 200
    assert box[3] <= 800
    assert made.panels[0].grid.counts.sum() == len(points)
    paint(made)


def test_points_without_a_class_are_grey_beside_any_number_of_classes() -> None:
    label = [*[f"class {i:03}" for i in range(100)], None]
    points = pd.DataFrame({"x": np.arange(101) + 0.5, "y": 0.5, "label": label})
    (layer,) = prepare(points, colour="label")
    pixels = np.asarray(draw(points, "label", x_range=(0, 101), y_range=(0, 1), width=101, height=1))[0].astype(int)
    assert np.abs(pixels - layer.key.colours).max() <= 1
    grey = rgb([MISSING])[0]
    assert pixels[100].tolist() == grey.tolist()
    assert np.abs(pixels[:100] - grey).sum(axis=1).min() > 20
    assert len(np.unique(pixels, axis=0)) == 64


@pytest.mark.parametrize(
    ("label", "names"),
    [
        (np.array([2, 0, 2, 1]), ("0", "1", "2")),
        (np.array([2.0, 0, np.nan, 2]), ("0", "2", "no label")),
        (np.array([True, False, True, True]), ("False", "True")),
        (np.array(["b", "a", None, "b"], dtype=object), ("a", "b", "no label")),
        (np.array(["b", 3, "b", 3], dtype=object), ("3", "b")),
        (pd.Categorical(["lo", "hi", "lo", "hi"], categories=["lo", "hi"]), ("lo", "hi")),
        (np.array([None] * 4, dtype=object), ("no label",)),
        (pd.array([1, None, 2, 1], dtype="Int64"), ("1", "2", "no label")),
        (pd.array(["x", None, "y", "x"], dtype="string"), ("x", "y", "no label")),
        (np.array(["2026-01-02", "2026-01-01"] * 2, dtype="datetime64[D]"), None),
    ],
)
def test_labels_of_any_kind_are_classes(label: np.ndarray, names: tuple[str, ...] | None) -> None:
    points = pd.DataFrame({"x": np.arange(4), "y": np.arange(4), "label": label})
    (layer,) = prepare(points, colour="label")
    assert layer.key.kind == "classes"
    assert sum(layer.key.counts) == 4
    assert names is None or layer.key.names == names
    picture(points, title="t", width=320, height=240)


def test_what_is_a_class_and_what_a_quantity() -> None:
    points = table(200).assign(cluster=np.arange(200), size=np.arange(200), part=np.arange(200) % 5, misfit=False)
    points["label"] = points["label"] + 0.5
    kinds = {
        c: prepare(points, colour=c)[0].key.kind for c in ("cluster", "size", "part", "label", "misfit", "density")
    }
    assert kinds == {
        "cluster": "classes",
        "size": "quantity",
        "part": "classes",
        "label": "quantity",
        "misfit": "classes",
        "density": "density",
    }


def test_a_misfit_shows_among_as_many_others() -> None:
    points = pd.DataFrame({"x": [0.0, 0.0], "y": [0.0, 0.0], "misfit": [False, True]})
    (layer,) = prepare(points, colour="misfit")
    assert list(zip(layer.key.names, layer.key.counts, strict=True)) == [("misfit", 1), ("as its cluster", 1)]
    pixel = np.asarray(draw(points, "misfit", width=9, height=9))[4, 4].astype(int)
    assert pixel[0] > pixel[1] + 80


@pytest.mark.parametrize("colour", ["label", "density", "quality"])
@pytest.mark.parametrize(
    "points",
    [
        pytest.param({"x": [], "y": []}, id="none"),
        pytest.param({"x": [3.0], "y": [4.0]}, id="one"),
        pytest.param({"x": [1e7] * 5, "y": [-1e7] * 5}, id="one place"),
        pytest.param({"x": [2.0] * 3, "y": [0.0, 1e-6, 2e-6]}, id="short line"),
    ],
)
def test_degenerate_maps_are_drawn(points: dict[str, list[float]], colour: str) -> None:
    frame = pd.DataFrame(points, dtype=np.float64)
    frame = frame.assign(label=np.zeros(len(frame), int), quality=np.full(len(frame), 0.5))
    assert len(lit(picture(frame, colour, title="t"))) > 100
    drawn = lit(draw(frame, colour, width=100, height=100))
    assert (len(drawn) > 0) == (len(frame) > 0)
    if points["y"] and points["x"][0] == 2.0:
        assert len(drawn) > 3 * len(lit(draw(frame[:1], colour, width=100, height=100))) * 0.9


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p.assign(x=np.where(p.row == 7, np.nan, p.x)), "1 of 20 values of x .* point 7"),
        (lambda p: p.assign(y=np.inf), "20 of 20 values of y"),
        (lambda p: p.assign(x="far"), "does not hold numbers"),
        (lambda p: p.drop(columns="y"), "no column 'y'"),
        (lambda p: p.rename(columns={"label": "labels"}), "did you mean 'labels'"),
    ],
)
def test_points_that_cannot_be_drawn(change: Callable[[pd.DataFrame], pd.DataFrame], words: str) -> None:
    with pytest.raises(InputError, match=words):
        draw(change(table(20)), "label")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"x_range": (1, 1)}, "range 1 to 1 is empty"),
        ({"y_range": (0, np.inf)}, "range 0 to inf"),
        ({"width": 0}, "0 x 800"),
        ({"mode": "top"}, "choose one of majority, mix, purity, density"),
        ({"mode": "mx"}, "did you mean 'mix'"),
        ({"colour": "density", "mode": "mix"}, "is for classes"),
        ({"scale": "log"}, "unknown scale 'log': choose one of linear, rank"),
        ({"scale": "rank"}, "'label' holds none: leave the scale out"),
    ],
)
def test_settings_that_cannot_be_used(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        draw(table(20), **arguments)  # type: ignore[arg-type]


def test_a_picture_too_small_for_its_texts_is_refused() -> None:
    with pytest.raises(InputError, match="no room"):
        picture(table(20), title="t", width=100, height=100)


@pytest.mark.parametrize(
    "text", ["Économie \u2013 société", "naïve\u2019s", "łódź", "β → ∞ ≤ µ²", "Жук", "אבג", "عربي"]
)
def test_letters_beyond_ascii_are_drawn(text: str) -> None:
    """No letter is the box that is drawn for one that the font lacks."""
    face = font(17, text)
    box = bytes(face.getmask("\U0010ffff"))
    assert all(bytes(face.getmask(letter)) != box for letter in text)


def test_letters_that_no_font_has_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_FACES", texts._FACES[:2])
    assert boxes(["plain", "économie", "ЖЯ", "שלום", "a\tb"]) is None
    said = boxes(["技术", "plain", "ゲーム"])
    assert said is not None
    assert "written with has 技术ゲーム, so that boxes stand there: install Noto Sans CJK" in said
    assert str(boxes(["\U00013000 hieroglyph"])).endswith("has \U00013000, so that boxes stand there")


def test_plain_text_keeps_pillows_own_font() -> None:
    assert font(17, "0123 plain, text…").getname() == ImageFont.load_default(17).getname()


def test_any_text_is_cut_to_its_room() -> None:
    for text in ["a" * 10_000, "数字の地図" * 50, "two\nlines\x00\t", "\ud800 half", "🙂" * 99, "عربي", "é̂", "", "  "]:
        short = cut(text, 17, 120)
        assert width(short, 17) <= 121
        assert "\n" not in short
    assert cut("abc", 17, 500) == "abc"
    assert cut("a" * 99, 17, 120).endswith("…")
    points = table(40).assign(label=["x" * 500, "数\n字", "\x07", "🙂"] * 10)
    made = layout(points, width=400, height=300)
    assert paint(made).size == (400, 300)
    (_, box), *_ = made.legends
    assert box[2] <= 400
    assert made.panels[0].box[2] < box[0]
    assert made.panels[0].box[2] - made.panels[0].box[0] > 150


def test_lines_that_begin_alike_show_where_they_differ() -> None:
    names = ["Networking: theory", "Networking: tutorials", "Networking: tutors", "Geometry: theory", "Net", ""]
    assert [width(name, 17) > 120 for name in names] == [True, True, True, True, False, False]
    shown = cut_apart(names, 17, [120] * 6)
    assert len(set(shown)) == 6
    assert all(width(text, 17) <= 121 for text in shown)
    assert shown[0] == "Net… theory"
    assert shown[3:] == [cut("Geometry: theory", 17, 120), "Net", ""]
    assert cut_apart(["the very same name"] * 2, 17, [90, 90]) == [cut("the very same name", 17, 90)] * 2
    assert cut_apart(names, 17, [500] * 6) == names
    assert apart(names, 17, [120] * 6) == [
        *("Net… theory", "Net… tutorials", "Net… tutors"),
        *names[3:],
    ]


def test_title_and_figures_are_written_above_the_map() -> None:
    made = plan(prepare(table(50), colour="label"), title="Digits", subtitle="n = 50", width=700, height=600)
    assert [line.text for line in made.lines] == ["Digits", "n = 50"]
    assert made.lines[0].y < made.lines[1].y < made.panels[0].box[1]
    above = np.asarray(paint(made))[: int(made.panels[0].box[1]) - 1]
    assert len(lit(above)) > 300
    bare = plan(prepare(table(50), colour="label"), title="", width=700, height=600)
    assert not bare.lines
    assert bare.panels[0].box[1] < made.lines[1].y


def test_two_maps_share_their_colours_and_counts() -> None:
    left, right = table(90, 9), table(120, 10)
    right["label"] = right["label"].map(lambda i: i if i else 77)
    layers = prepare(left, right, colour="label")
    assert layers[0].key.names == layers[1].key.names == (*"012345678", "9", "77")
    made = plan(layers, title="", heads=[("a", ""), ("b", "")], width=1400, height=700)
    (legend, _), *_ = made.legends
    assert [row.count for row in legend.rows][-2:] == ["0 / 12", "0 / 12"]
    assert legend.rows[1].count == "10 / 12"
    boxes = [panel.box for panel in made.panels]
    assert not overlap(*boxes)
    assert [panel.grid.counts.sum() for panel in made.panels] == [90, 120]


def test_displacement_is_a_third_map() -> None:
    points = table(100)
    names = {"titles": ("one", "two"), "title": "both"}
    pair = compare_picture(points, points, **names)  # type: ignore[arg-type]
    three = compare_picture(points, points, displacement=np.arange(100.0), **names)  # type: ignore[arg-type]
    assert three.size[0] > pair.size[0]
    with pytest.raises(InputError, match="99 displacements for 100 points"):
        compare_picture(points, points, displacement=np.arange(99.0), **names)  # type: ignore[arg-type]


def test_real_digits_keep_their_counts(mnist_dir: Path) -> None:
    """The first two components of real digits, which overlap: every point is counted, most classes are named."""
    with gzip.open(mnist_dir / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
        X = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)[:3000].astype(np.float32)
    with gzip.open(mnist_dir / "mnist" / "t10k-labels-idx1-ubyte.gz") as file:
        label = np.frombuffer(file.read(), np.uint8, offset=8)[:3000]
    X = X - X.mean(axis=0)
    axes = np.linalg.eigh(X.T @ X)[1][:, -2:]
    points = pd.DataFrame(X @ axes, columns=["x", "y"]).assign(label=label)
    (panel,) = layout(points).panels
    assert panel.grid.counts.sum(axis=(0, 1)).tolist() == np.bincount(label).tolist()
    assert len(panel.names) >= 8


def test_a_bare_map_of_arrays_needs_no_labels() -> None:
    places = {"x": np.arange(9.0), "y": np.arange(9.0)}
    assert draw(places) == draw(places, "density")
    assert draw({**places, "cluster": np.arange(9) % 2}) == draw({**places, "cluster": np.arange(9) % 2}, "cluster")
    with pytest.raises(InputError, match=r"not equally long \(\{'x': 9, 'y': 8\}\)"):
        draw({**places, "y": np.arange(8.0)})
    with pytest.raises(InputError, match="not as ndarray: give a frame, or arrays by name"):
        draw(np.zeros((9, 2)))  # type: ignore[arg-type]
