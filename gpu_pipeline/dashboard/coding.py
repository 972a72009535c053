"""Classes of a column that has more of them than a layer has inks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..render import Key


def codes_of(values: pd.Series, key: Key) -> np.ndarray:
    """Place of each value's name among a key's, (n,); absent values have the last."""
    found, index = pd.factorize(values)
    names = {name: i for i, name in enumerate(key.names)}
    table = [names.get(_name(value), len(names) - 1) for value in index]
    return np.asarray([*table, len(names) - 1], np.int64)[found]


def _name(value: Any) -> str:
    whole = isinstance(value, float | np.floating) and value % 1 == 0
    return str(int(value)) if whole else str(value)
