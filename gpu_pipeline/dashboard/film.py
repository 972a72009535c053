"""The frames of an optimisation: how a map formed, kept small enough to be kept.

In a job's folder while it runs: `frames/<iteration>.npy`, (m, 2) float32, and `frames.json`. In the finished run's
folder: `frames.npy`, (frames, m, 2) float32, and `frames.json`, which is written last.
"""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..datasets.dataset import pick_rows
from ..errors import InputError
from ..store import replace_file
from .paths import put_json

MOST_FRAMES = 100
"""Beyond, every second frame is dropped and only every second further one is kept."""

MOST_POINTS = 20_000
"""Points of a frame: all of them, or a seeded sample of so many."""

INDEX = "frames.json"
STACK = "frames.npy"
FRAMES = "frames"


@dataclass(frozen=True, eq=False)
class Film:
    """Frames that lie in a folder.

    Attributes
    ----------
    folder
        The run's or the job's.
    iterations
        Of each frame.
    kl
        Kullback-Leibler divergence at each frame in nats, None where the engine did not tell.
    positions
        (m,) int64: which of the run's points a frame shows, ascending.
    """

    folder: Path
    iterations: tuple[int, ...] = ()
    kl: tuple[float | None, ...] = ()
    positions: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    def __len__(self) -> int:
        return len(self.iterations)

    def nearest(self, i: int | None) -> int:
        """Which frame is meant: the last for None, or where there are not so many any more."""
        return len(self) - 1 if i is None else min(max(i, 0), len(self) - 1)

    def frame(self, i: int) -> np.ndarray:
        """Places of the points `positions` at frame i, (m, 2) float32; -1 is the last frame.

        Raises
        ------
        InputError
            If there is no such frame, or it is gone.
        """
        if not -len(self) <= i < len(self):
            raise InputError(f"there is no frame {i}: there are {len(self)}.")
        try:
            if (self.folder / STACK).is_file():
                stack = np.load(self.folder / STACK, mmap_mode="r", allow_pickle=False)
                return np.array(stack[i], np.float32)
            frame: np.ndarray = np.load(_file(self.folder, self.iterations[i]), allow_pickle=False)
            return frame
        except (OSError, ValueError, IndexError) as error:
            raise InputError(f"frame {i} of {self.folder.name} cannot be read ({error}): take another.") from None


def read(folder: Path) -> Film:
    """The frames in a run's or a job's folder; none if there are none."""
    try:
        values = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        n, positions = values["n"], values["positions"]
        rows = np.arange(n) if positions is None else np.array(positions, dtype=np.int64)
        return Film(folder, tuple(values["iterations"]), tuple(values["kl"]), rows)
    except (OSError, ValueError, KeyError, TypeError):
        return Film(folder)


@dataclass
class Recording:
    """Frames while they are being made, in a job's folder.

    Parameters
    ----------
    folder
        The job's.
    seed
        Of the sample of points.
    """

    folder: Path
    seed: int = 0
    _n: int = 0
    _rows: np.ndarray | None = None
    _stride: int = 1
    _seen: int = 0
    _index: list[tuple[int, float | None]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._index)

    def add(self, iteration: int, kl: float | None, embedding: np.ndarray) -> None:
        """Keep the map at an iteration, unless there are many frames and this one falls between two."""
        if not self._index:
            self._n = len(embedding)
            self._rows = pick_rows(self._n, MOST_POINTS, self.seed) if self._n > MOST_POINTS else None
            (self.folder / FRAMES).mkdir(exist_ok=True)
        self._seen += 1
        if (self._seen - 1) % self._stride:
            return
        rows = slice(None) if self._rows is None else self._rows
        np.save(_file(self.folder, iteration), np.asarray(embedding[rows], np.float32), allow_pickle=False)
        self._index.append((iteration, kl if kl is not None and math.isfinite(kl) else None))
        dropped = self._index[1::2] if len(self._index) > MOST_FRAMES else []
        if dropped:
            self._index, self._stride = self._index[::2], 2 * self._stride
        self._write_index(self.folder)
        # Only now does nobody look for them any more.
        for gone, _ in dropped:
            _file(self.folder, gone).unlink()

    def keep(self, run: Path) -> None:
        """Put the frames into the finished run's folder, and remove them from the job's.

        Raises
        ------
        InputError
            If the folder cannot be written or the disk is full.
        """
        if not self._index:
            return
        film = read(self.folder)
        stack = np.stack([film.frame(i) for i in range(len(film))])

        def write(draft: Path) -> None:
            with draft.open("wb") as file:
                np.save(file, stack, allow_pickle=False)

        replace_file(run / STACK, write)
        self._write_index(run)
        discard(self.folder)

    def _write_index(self, folder: Path) -> None:
        values = {
            "n": self._n,
            "iterations": [iteration for iteration, _ in self._index],
            "kl": [kl for _, kl in self._index],
            "positions": None if self._rows is None else self._rows.tolist(),
        }
        put_json(folder / INDEX, values)


def discard(folder: Path) -> None:
    """Remove the frames from a job's folder."""
    (folder / INDEX).unlink(missing_ok=True)
    shutil.rmtree(folder / FRAMES, ignore_errors=True)


def _file(folder: Path, iteration: int) -> Path:
    return folder / FRAMES / f"{iteration:07d}.npy"
