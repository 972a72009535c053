"""Where distances that a GPU takes from products cannot tell neighbours from others."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import Unsupported

_ROWS = 1_024
"""Rows that are looked at at most, evenly spread."""


def check_neighbors(xp: Any, X: Any, indices: Any) -> None:
    """See that neighbours found by |x|^2 + |y|^2 - 2xy in float32 lie further away than its rounding.

    Where one column is much wider than the others they may not, and any row of the same value there is as near.

    Parameters
    ----------
    xp
        NumPy or CuPy.
    X
        (n, columns) float32, less their mean.
    indices
        (n, k), of each row some neighbours; the last is looked at.

    Raises
    ------
    Unsupported
        If that is so of more than one row in a hundred. Rows with a copy of themselves as neighbour do not count.
    """
    rows = xp.arange(0, len(X), -(-len(X) // _ROWS))
    found = X[rows].astype(np.float64)  # where squares do not overflow
    away = ((found - X[indices[rows, -1]]) ** 2).sum(axis=1)
    reach = xp.sqrt((found**2).sum(axis=1)) + xp.sqrt(away)
    # Errors of either sign add up as the root of their number.
    rounding = 4 * np.sqrt(X.shape[1]) * 2.0**-24 * reach**2
    hidden = float(((away > 0) & (rounding > away / 20)).mean())
    if hidden > 0.01:
        raise Unsupported(
            f"float32 hides the neighbours of {hidden:.0%} of the rows, as where one column is much wider than the "
            "others, and they are taken from products here"
        )
