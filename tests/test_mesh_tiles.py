"""What the search is made of: products in registers, the lowest bit, and the selection of the least keys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numba import njit

from gpu_pipeline.engines.mesh import shortlist, tiles
from gpu_pipeline.engines.mesh.simd import LANES
from gpu_pipeline.engines.mesh.tiles import PANELS, QUERIES


@pytest.mark.parametrize("shape", [(8, 2), (4, 1)])
@pytest.mark.parametrize("columns", [1, 2, 7, 50])
def test_products(shape: tuple[int, int], columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many sums there are at a time, on any processor, they are those of NumPy, and nothing else is touched."""
    monkeypatch.setattr(tiles, "at_once", lambda features: shape)

    @njit
    def compiled(queries, i, panels, j, columns, keys):  # type: ignore[no-untyped-def]
        tiles.products(queries, i, panels, j, columns, keys, 0)

    random = np.random.default_rng(columns)
    queries = random.normal(size=3 + QUERIES * columns).astype(np.float32)
    panels = random.normal(size=5 + PANELS * columns * LANES).astype(np.float32)
    keys = random.normal(size=QUERIES * PANELS * LANES + 4).astype(np.float32)
    Q = queries[3:].reshape(QUERIES, columns).astype(np.float64)
    P = panels[5:].reshape(PANELS, columns, LANES).astype(np.float64)
    expected = keys.astype(np.float64)
    expected[:-4] -= np.einsum("qc,pcl->qpl", Q, P).ravel()
    compiled(queries, 3, panels, 5, columns, keys)
    np.testing.assert_allclose(keys, expected, atol=1e-5)


def test_sums_that_fit_the_registers() -> None:
    assert tiles.at_once("+avx,+avx2,+avx512bw,+avx512f,+fma") == (8, 2)
    assert tiles.at_once("+avx,+avx2,-avx512f,+fma") == (4, 1)
    assert tiles.at_once("") == (4, 1)


@njit
def lowest(bits):  # type: ignore[no-untyped-def]
    return tiles.lowest(bits)


@njit
def select(keys, ids, size, k):  # type: ignore[no-untyped-def]
    return shortlist.select(keys, ids, size, k)


def test_lowest_bit() -> None:
    assert [lowest(bits) for bits in (1, 0b1010, 1 << 15, 0)] == [0, 1, 15, 64]


@given(st.data(), st.lists(st.integers(-3, 3) | st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=300))
@example(None, [1.0] * 300)
@example(None, list(range(300)))
@example(None, list(range(300, 0, -1)))
def test_select(data: Any, values: list[float]) -> None:
    """The k least come first, each with its own number, and the greatest of them is told."""
    keys = np.array(values, np.float32)
    size = len(keys) if data is None else data.draw(st.integers(1, len(keys)))
    k = max(size // 3, 1) if data is None else data.draw(st.integers(1, size))
    before, ids = keys.copy(), np.arange(len(keys), dtype=np.int32)
    least = np.sort(before[:size])[:k]
    assert select(keys, ids, size, k) == least[-1]
    assert (np.sort(keys[:k]) == least).all()
    assert (before[ids] == keys).all()
    assert (np.sort(ids) == np.arange(len(keys))).all()
    assert (keys[size:] == before[size:]).all()
