"""Files that wait to be fetched, by their tokens, once."""

from __future__ import annotations

import io
from typing import IO

import pandas as pd
import pytest

from gpu_pipeline.dashboard.exports import MOST_WAITING, PLACE, Exports
from gpu_pipeline.errors import InputError
from gpu_pipeline.tables import KINDS, write_table

POINTS = pd.DataFrame({"row": [3, 5], "x": [0.5, 1.0], "label": ["a,b", None]})


def token_of(address: str) -> str:
    place, _, token = address.partition("/")
    assert place == PLACE
    return token


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_fetched_once(kind: str) -> None:
    exports = Exports()
    token = token_of(exports.put("rows", lambda file: write_table(POINTS, file, kind)))
    assert exports.take("other") is None
    export = exports.take(token)
    assert export is not None
    with export.file as file:
        file.seek(0)
        read = pd.read_csv if kind == "csv" else pd.read_parquet
        pd.testing.assert_frame_equal(read(io.BytesIO(file.read())), POINTS, check_dtype=False)
    assert exports.take(token) is None


def test_the_oldest_goes_first() -> None:
    exports = Exports()
    tokens = [token_of(exports.put(str(i), lambda file: file.write(b"x"))) for i in range(MOST_WAITING + 2)]
    assert len(set(tokens)) == len(tokens)
    assert [exports.take(token) is None for token in tokens[:4]] == [True, True, False, False]


def test_a_full_disk_is_one_sentence() -> None:
    def write(file: IO[bytes]) -> None:
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(InputError, match="No space left on device"):
        Exports().put("rows", write)
