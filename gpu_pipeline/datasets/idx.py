"""Files in the IDX format of MNIST, as they are or compressed with gzip.

A header of two zero bytes, the type of the values, the number of dimensions, and each dimension as
four bytes, most significant first; then the values (Y. LeCun, "The MNIST database").
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from ..errors import InputError

_UBYTE = 0x08
_REMEDY = "replace it, or delete it to have it downloaded again"


def read(path: Path, dimensions: int, digests: Collection[str] = ()) -> np.ndarray:
    """The array of unsigned bytes in an IDX file.

    Parameters
    ----------
    path
        The file; whether it is compressed is seen from its content.
    dimensions
        How many dimensions it has: 3 for images, 1 for labels.
    digests
        Known digests, "sha256:..." or "md5:...", of which the content, or else the file as it is
        stored, must have one; no digest is asked for if there are none.

    Returns
    -------
    uint8, of that many dimensions, read-only.

    Raises
    ------
    InputError
        If the file cannot be read, is a truncated or damaged gzip, is not IDX of that kind, is shorter
        or longer than its header says, or has none of the digests.
    """
    try:
        stored = path.read_bytes()
        content = gzip.decompress(stored) if stored[:2] == b"\x1f\x8b" else stored
    except EOFError:
        raise InputError(f"{path} is a truncated gzip file: {_REMEDY}.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is a damaged gzip file ({error}): {_REMEDY}.") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from None
    array = _parse(path, content, dimensions)
    if digests and not any(_has(digest, blob) for digest in digests for blob in (content, stored)):
        found = hashlib.sha256(content).hexdigest()
        raise InputError(
            f"{path} has a wrong checksum (SHA-256 of its content {found[:16]}...): it is damaged or another file; "
            f"{_REMEDY}."
        )
    return array


def _parse(path: Path, content: bytes, dimensions: int) -> np.ndarray:
    magic, expected_magic = content[:4], bytes((0, 0, _UBYTE, dimensions))
    if magic != expected_magic:
        raise InputError(
            f"{path} is not an IDX file of {dimensions}-dimensional unsigned bytes: it begins with {magic.hex()!r}, "
            f"expected {expected_magic.hex()!r}."
        )
    header = 4 + 4 * dimensions
    shape = tuple(int(size) for size in np.frombuffer(content[4:header].ljust(header - 4, b"\0"), dtype=">u4"))
    expected = header + int(np.prod(shape, dtype=object))
    if len(content) != expected:
        raise InputError(f"{path} has {len(content)} bytes but its header announces {expected}: {_REMEDY}.")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def _has(digest: str, blob: bytes) -> bool:
    algorithm, _, value = digest.partition(":")
    return hashlib.new(algorithm, blob, usedforsecurity=False).hexdigest() == value
