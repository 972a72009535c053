"""The sets of IDX files: found on disk or downloaded, and checked before they are used."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np

from ..errors import InputError
from . import idx
from .dataset import Dataset, Pick, take
from .sets import FILES, SETS

TIMEOUT = (3.0, 10.0)
"""Seconds to wait for a connection, and for the next bytes of a download."""


class Location(NamedTuple):
    """Where a data set lies: its folder, or None with the reason."""

    name: str
    path: Path | None
    note: str


def cache_dir() -> Path:
    """Where downloads are kept: `GPU_PIPELINE_CACHE`, or else the user's cache folder."""
    given = os.environ.get("GPU_PIPELINE_CACHE")
    if given:
        return Path(given).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("gpu-pipeline")


def search_path(data_dir: str | Path | None) -> list[Path]:
    """Folders to search, first to last: the one given, `GPU_PIPELINE_DATA`, the cache."""
    given = [data_dir, os.environ.get("GPU_PIPELINE_DATA") or None, cache_dir()]
    return list(dict.fromkeys(Path(folder).expanduser() for folder in given if folder is not None))


def find(name: str, data_dir: str | Path | None) -> dict[str, Path] | None:
    """The four files of a data set, by their names, or None if no folder has them all.

    They may lie in `<folder>/<name>/`, `<folder>/MNIST/raw/` (or its kin's) or `<folder>` itself, under
    their usual names, compressed or not.
    """
    for base in search_path(data_dir):
        for folder in (base / name, base / SETS[name].raw, base):
            files = _files_in(folder)
            # All three data sets have the same file names, so a bare folder may hold one of the others.
            if files is not None and not (folder == base and _is_another(name, files)):
                return files
    return None


def locate(data_dir: str | Path | None = None) -> list[Location]:
    """Where each data set lies, without reading it."""
    found = []
    for name in SETS:
        files = find(name, data_dir)
        if files is None:
            found.append(Location(name, None, "not on this computer; downloaded when it is first used"))
        else:
            folder = next(iter(files.values())).parent
            found.append(Location(name, folder, "four IDX files, checked whenever they are loaded"))
    found.append(Location("digits", None, "built in: scikit-learn's digits, deformed"))
    return found


def obtain(name: str, data_dir: str | Path | None) -> dict[str, Path]:
    """The four files of a data set, found or else downloaded into the cache.

    Raises
    ------
    InputError
        If they are nowhere and cannot be downloaded; says where to put them.
    """
    files = find(name, data_dir)
    if files is not None:
        return files
    folder = cache_dir() / name
    try:
        cache_dir().mkdir(parents=True, exist_ok=True)
        return {file: _download(name, file, folder) for file in FILES}
    except InputError as reason:
        looked = ", ".join(str(base) for base in search_path(data_dir))
        raise InputError(
            f"{name} is in none of the folders {looked} and cannot be downloaded ({reason}): put its files {_names()} "
            f"into a folder {name}/ and name the folder above it as data directory."
        ) from None
    except OSError as error:
        raise InputError(
            f"{name} cannot be kept in {folder} ({error.strerror}): name another folder in GPU_PIPELINE_CACHE."
        ) from None


def load(name: str, pick: Pick, data_dir: str | Path | None) -> Dataset:
    """One of `SETS`, its training and test rows together, checked against its digests."""
    files, known = obtain(name, data_dir), SETS[name].digests
    parts = {file: idx.read(files[file], dimensions, known[file]) for file, dimensions in FILES.items()}
    images = np.concatenate([part for part in parts.values() if part.ndim == 3])
    labels = np.concatenate([part for part in parts.values() if part.ndim == 1])
    rows = pick(len(images))
    height, width = images.shape[1:]
    return Dataset(
        name=name,
        X=take(images.reshape(len(images), -1), rows),
        y=take(labels, rows).astype(np.int64),
        rows=rows,
        total=len(images),
        image_shape=(height, width),
        recommended=SETS[name].recommended,
        source=", ".join(path.name for path in files.values()),
    )


def _names() -> str:
    return ", ".join(f"{file}.gz" for file in FILES)


def _files_in(folder: Path) -> dict[str, Path] | None:
    found = {}
    for file in FILES:
        # Some copies have a dot before "idx", and not all are compressed.
        candidates = [
            folder / f"{stem}{suffix}" for stem in (file, file.replace("-idx", ".idx")) for suffix in (".gz", "")
        ]
        path = next((path for path in candidates if path.is_file()), None)
        if path is None:
            return None
        found[file] = path
    return found


def _is_another(name: str, files: Mapping[str, Path]) -> bool:
    """Whether the smallest file is that of another known data set."""
    file = "t10k-labels-idx1-ubyte"
    others = [digest for other, idx_set in SETS.items() if other != name for digest in idx_set.digests[file]]
    try:
        idx.read(files[file], FILES[file], others)
    except InputError:
        return False
    return True


def _download(name: str, file: str, folder: Path) -> Path:
    """One file, from the first mirror that has it whole; it appears under its name only once checked."""
    path = folder / f"{file}.gz"
    reasons = []
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder.parent) as draft:
        for mirror in SETS[name].mirrors:
            part = Path(draft) / path.name
            try:
                _transfer(mirror + path.name, part)
                idx.read(part, FILES[file], SETS[name].digests[file])
            except InputError as reason:
                host = urlsplit(mirror).netloc
                reasons.append(f"{host}: {str(reason).replace(f'{draft}{os.sep}', '').split(':')[0].rstrip('.')}")
                continue
            folder.mkdir(exist_ok=True)
            os.replace(part, path)
            return path
    raise InputError("; ".join(dict.fromkeys(reasons)))


def _transfer(url: str, path: Path) -> None:
    import pooch
    import requests

    try:
        pooch.HTTPDownloader(timeout=TIMEOUT)(url, str(path), None)
    except requests.HTTPError as error:
        raise InputError(str(error).split(" for url")[0]) from None
    except (requests.ConnectionError, requests.Timeout):
        raise InputError("no connection") from None
    except requests.RequestException:
        raise InputError("the connection broke off") from None
