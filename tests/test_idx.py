"""IDX files: what they hold by hand, and every way in which one can be broken."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from gpu_pipeline.datasets import idx
from gpu_pipeline.errors import InputError

# Magic 00 00 08 03, two images of 1 x 3 pixels, big-endian, then the six pixels.
IMAGES = bytes.fromhex("00000803 00000002 00000001 00000003 010203 fdfeff")
LABELS = bytes.fromhex("00000801 00000002 0709")


def written(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path


def test_read_by_hand(tmp_path: Path) -> None:
    np.testing.assert_array_equal(idx.read(written(tmp_path, IMAGES), 3), [[[1, 2, 3]], [[253, 254, 255]]])
    np.testing.assert_array_equal(idx.read(written(tmp_path, LABELS), 1), [7, 9])


@pytest.mark.parametrize("level", [0, 1, 9])
def test_any_gzip_of_the_content_serves(tmp_path: Path, level: int) -> None:
    digest = f"sha256:{hashlib.sha256(IMAGES).hexdigest()}"
    path = written(tmp_path, gzip.compress(IMAGES, level, mtime=level))
    assert idx.read(path, 3, [digest]).shape == (2, 1, 3)


def test_a_digest_may_be_of_the_file_as_stored(tmp_path: Path) -> None:
    stored = gzip.compress(LABELS)
    path = written(tmp_path, stored)
    assert len(idx.read(path, 1, ["md5:" + "0" * 32, f"md5:{hashlib.md5(stored).hexdigest()}"])) == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x00\x00\x08\x01" + IMAGES[4:], "'00000801', expected '00000803'"),
        (b"\x00\x00\x0d\x03" + IMAGES[4:], "'00000d03', expected '00000803'"),
        (b"<html>not here</html>", "'3c68746d', expected '00000803'"),
        (b"", "expected '00000803'"),
        (IMAGES[:9], "has 9 bytes"),
        (IMAGES[:-1], "has 21 bytes but its header announces 22"),
        (IMAGES + b"\x00", "has 23 bytes but its header announces 22"),
        # Dimensions whose product overflows 64 bits.
        (b"\x00\x00\x08\x03" + b"\xff" * 12, f"announces {16 + (2**32 - 1) ** 3}"),
        (gzip.compress(IMAGES, mtime=0)[:-9], "truncated gzip"),
        (gzip.compress(IMAGES, mtime=0)[:10] + b"\xff" * 20, "damaged gzip"),
        (gzip.compress(IMAGES, mtime=0)[:-8] + bytes(8), "damaged gzip"),
    ],
)
def test_broken_files(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(InputError) as caught:
        idx.read(written(tmp_path, content), 3)
    assert says in str(caught.value)


def test_a_wrong_checksum(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="wrong checksum"):
        idx.read(written(tmp_path, IMAGES), 3, ["sha256:" + "0" * 64])


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        idx.read(tmp_path / "absent", 3)
