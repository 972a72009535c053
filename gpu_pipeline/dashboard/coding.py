"""Classes of a column by their names: of one that has more than a layer has inks too, and as a search calls them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..render.key import MISFIT_NAMES, Key, name_of
from .search import ANSWERS, NOTHING


def codes_of(values: pd.Series, key: Key) -> np.ndarray:
    """Place of each value's name among a key's, (n,); absent values have the last."""
    found, index = pd.factorize(values)
    names = {name: i for i, name in enumerate(key.names)}
    table = [names.get(name_of(value), len(names) - 1) for value in index]
    return np.asarray([*table, len(names) - 1], np.int64)[found]


def also_called(key: Key) -> dict[str, int]:
    """Places of a key's classes by what a search calls them: answers by yes and no, the absent values by none."""
    places = {name: i for i, name in enumerate(key.names)}
    names = MISFIT_NAMES if key.column == "misfit" else {answer: str(answer) for answer in (False, True)}
    called = {text: places[names[answer]] for text, answer in ANSWERS.items() if names[answer] in places}
    return called | dict.fromkeys(NOTHING if key.absent else (), len(key.names) - 1)
