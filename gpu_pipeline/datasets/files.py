"""A person's own files: `.npy`, `.npz`, `.csv`, `.csv.gz`, `.parquet`, `.feather` and `.arrow`.

- `.npy`: one array, (rows, columns) or images (rows, height, width); memory-mapped.
- `.npz`: the same under one of `FEATURE_KEYS` and labels under one of `LABEL_KEYS`, or a single array
  under any name; or a sparse matrix as SciPy saves it, whose rows are made dense.
- A folder of Parquet files, or one such file with a column of arrays: see `parts`.
- The others are tables: one column may hold labels, of which some may be missing, and the features are the
  columns named, or else all that hold numbers but an index that pandas wrote; or the one column of lists of
  numbers, if there is one.
  A missing number is read as NaN, which `check` refuses.

Nothing is ever unpickled.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from ..errors import InputError
from . import parts, tables
from .beside import with_beside
from .columns import ALL, Columns
from .dataset import Dataset, Pick, take
from .labels import labels
from .tables import suffix_of

FEATURE_KEYS = ("X", "x", "data", "images", "features")
LABEL_KEYS = ("y", "labels", "label", "target", "targets")


def read(path: Path, pick: Pick, wanted: Columns = ALL) -> Dataset:
    """The data set in a file.

    Parameters
    ----------
    path
        The file; its suffix says what it is.
    pick
        Which rows.
    wanted
        Which columns of a table.

    Raises
    ------
    InputError
        If there is no such file, its suffix is not known, it is not what its suffix says, or a column
        is missing or does not hold numbers.
    """
    try:
        if parts.is_partitioned(path):
            _check_alone(path, wanted)
            return parts.read(path, pick, wanted)
        return _read_one(path, pick, wanted)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}.") from None


def _read_one(path: Path, pick: Pick, wanted: Columns) -> Dataset:
    if path.is_dir():
        raise InputError(f"{path} is a folder: give a file ({', '.join(SUFFIXES)}), or the folder as data directory.")
    if not path.is_file():
        raise _missing(path)
    suffix = _suffix(path)
    if suffix not in ARRAYS:
        _check_alone(path, wanted)
    elif wanted != ALL and wanted.beside is None:
        raise InputError(
            f"{path.name} has no named columns to choose from: leave the names out, or give the table that has them by "
            "--beside TABLE or by beside=TABLE in Python."
        )
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty: give a file with data in it.")
    read_array = ARRAYS.get(suffix)
    dataset = read_array(path, pick) if read_array is not None else tables.read(path, suffix, pick, wanted)
    dataset = replace(dataset, name=path.name[: -len(suffix)], source=path.name)
    return dataset if wanted.beside is None else with_beside(dataset, wanted, wanted.beside)


def _check_alone(path: Path, wanted: Columns) -> None:
    if wanted.beside is not None:
        raise InputError(
            f"{path.name} is a table, which has labels and other columns itself: name those, and leave "
            f"{wanted.beside.name} out."
        )


def is_path(name: str) -> bool:
    """Whether a name is meant as a file: it has a suffix or a folder, or such a file is there."""
    path = Path(name)
    try:
        return bool(path.suffix) or path.name != name or path.exists()
    except OSError:  # longer than any file's name
        return False


def _suffix(path: Path) -> str:
    suffix = suffix_of(path.name, SUFFIXES)
    if suffix is None:
        raise InputError(f"{path} is of a kind that cannot be read: give a file in {', '.join(SUFFIXES)}.")
    return suffix


def _missing(path: Path) -> InputError:
    folder = path.parent
    if not folder.is_dir():
        return InputError(f"there is no folder {folder}: give the path of a file.")
    names = [entry.name for entry in folder.iterdir() if entry.name.lower().endswith(SUFFIXES)]
    near = get_close_matches(path.name, names, n=1)
    return InputError(f"there is no file {path}: {f'did you mean {near[0]!r}?' if near else 'give another path.'}")


def _npy(path: Path, pick: Pick) -> Dataset:
    try:
        # np.load would take an archive for one too, and what begins with anything else for a pickle.
        array = np.lib.format.open_memmap(path, mode="r")
    except ValueError as error:
        raise _not_numpy(path, error) from None
    return _from_arrays(path.name, array, None, pick)


def _npz(path: Path, pick: Pick) -> Dataset:
    try:
        # Opened here, because np.load leaves the file open when it fails.
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise InputError(f"{path} is not a .npz archive: it is a .npy file, name it so.")
            keys = archive.files
            if {"format", "shape", "data"} <= set(keys):
                return _from_sparse(path, pick)
            key_of_X = next((key for key in FEATURE_KEYS if key in keys), keys[0] if len(keys) == 1 else None)
            key_of_y = next((key for key in LABEL_KEYS if key in keys and key != key_of_X), None)
            if key_of_X is None:
                raise InputError(
                    f"{path.name} has the arrays {', '.join(keys) or 'none'}: name the features {FEATURE_KEYS[0]} (or "
                    f"{', '.join(FEATURE_KEYS[2:])}) and the labels {LABEL_KEYS[0]}."
                )
            y = None if key_of_y is None else archive[key_of_y]
            return _from_arrays(path.name, archive[key_of_X], y, pick)
    except InputError:
        raise
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _not_numpy(path, error) from None


def _from_sparse(path: Path, pick: Pick) -> Dataset:
    """A sparse matrix as SciPy writes it; the chosen rows are made dense."""
    from scipy import sparse

    try:
        matrix = sparse.load_npz(path).tocsr()
    except (NotImplementedError, AttributeError) as error:  # another format, or none that is a name
        raise InputError(
            f"{path.name} is a sparse matrix that SciPy does not read ({str(error).rstrip('.')}): save it anew, as "
            "scipy.sparse.save_npz(path, matrix.tocsr())."
        ) from None
    total, columns = matrix.shape
    rows = pick(total)
    try:
        X = matrix[rows].toarray()
    except MemoryError:
        size = len(rows) * columns * matrix.dtype.itemsize / 1e9
        raise InputError(
            f"{path.name} is sparse, and its {len(rows):,} rows of {columns:,} columns are {size:,.0f} GB when dense: "
            "take a sample, or reduce its columns first, by sklearn.decomposition.TruncatedSVD for instance."
        ) from None
    return Dataset(path.stem, X, None, rows, total)


def _not_numpy(path: Path, error: Exception) -> InputError:
    if "pickle" in str(error).lower() or "Python objects" in str(error):
        return InputError(
            f"{path} holds pickled Python objects, which may run any program when they are read: save a plain array "
            "of numbers."
        )
    return InputError(f"{path} is not a whole NumPy file ({error}): save it again.")


def _from_arrays(name: str, X: np.ndarray, y: np.ndarray | None, pick: Pick) -> Dataset:
    if X.ndim not in (2, 3):
        raise InputError(
            f"{name} has {X.ndim} dimension{'s' * (X.ndim != 1)}: expected a table of (rows, columns), or images of "
            "(rows, height, width)."
        )
    total, image_shape = len(X), None
    if y is not None and y.size != total:
        raise InputError(f"{name} has {total} rows but {y.size} labels: give one label for each row.")
    if total == 0:
        raise InputError(f"{name} is empty: give data with rows.")
    rows = pick(total)
    X = take(X, rows)
    if X.ndim == 3:
        image_shape = (X.shape[1], X.shape[2])
        X = X.reshape(len(X), -1)
    y = None if y is None else labels(name, take(y.reshape(-1), rows), rows)
    return Dataset(name, X, y, rows, total, image_shape)


ARRAYS: dict[str, Callable[[Path, Pick], Dataset]] = {".npy": _npy, ".npz": _npz}
SUFFIXES = (*ARRAYS, *tables.TABLES)
