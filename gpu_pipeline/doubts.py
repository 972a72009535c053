"""What a reader of a map should know of the rows that it was made from."""

from __future__ import annotations

import numpy as np

from .datasets.dataset import blocks
from .preprocess import Preparation

_LOOKED_AT = 10_000
"""Rows in which columns are sought that outweigh all others."""


def doubts(X: np.ndarray, prepared: Preparation) -> tuple[str, ...]:
    """Sentences for a reader of the map of these raw rows, prepared so."""
    if prepared.how == "none" and prepared.names is not None and (sentence := outweighed(X, prepared.names)):
        return (sentence,)
    if prepared.how == "unit":
        zeros = np.concatenate([~X[block].any(axis=1) for block in blocks(X)])
        if zeros.any():
            first = f"row {zeros.argmax()} (counted from 0)"
            rows = f"{first} is" if zeros.sum() == 1 else f"{zeros.sum():,} rows, the first {first}, are"
            return (f"{rows} all zeros: there is no direction to compare.",)
    return ()


def outweighed(X: np.ndarray, names: tuple[str, ...]) -> str | None:
    """What to say where a few columns of a table, scaled as a whole, are nearly all that distances are made of.

    One has more than 90 % of the variance, as an id may, or up to three (a quarter of all at most) have 99 % of it
    together, as prices beside shares may.
    """
    if len(names) < 3:
        return None
    # Scaled first, for squares of large values may be infinite.
    some = X[:: -(-len(X) // _LOOKED_AT)].astype(np.float64)
    some /= max(float(np.abs(some).max()), np.finfo(float).tiny)
    variances = some.var(axis=0)
    order = np.argsort(-variances, kind="stable")
    shares = variances[order].cumsum() / max(float(variances.sum()), np.finfo(float).tiny)
    few = 1 if shares[0] > 0.9 else int(np.searchsorted(shares, 0.99)) + 1
    if few > min(3, len(names) // 4) and few != 1:
        return None
    large = [f"{names[column]!r}" for column in order[:few]]
    told = f"the column {large[0]} has" if few == 1 else f"the columns {', '.join(large[:-1])} and {large[-1]} have"
    return (
        f"{told} {shares[few - 1]:.1%} of the variance of all {len(names)}, which are scaled together, so that the map "
        "shows little else: keep what is no feature with the points, and give all columns the same weight by "
        "preprocess standardize."
    )
