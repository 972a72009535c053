"""Classes of a column that has more of them than a layer has inks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..render.key import Key, name_of


def codes_of(values: pd.Series, key: Key) -> np.ndarray:
    """Place of each value's name among a key's, (n,); absent values have the last."""
    found, index = pd.factorize(values)
    names = {name: i for i, name in enumerate(key.names)}
    table = [names.get(name_of(value), len(names) - 1) for value in index]
    return np.asarray([*table, len(names) - 1], np.int64)[found]
