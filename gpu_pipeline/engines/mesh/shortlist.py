"""The points that may be among the k nearest to a query: a list that grows while points are looked at, is cut where it
is too long, and settled in the end.

A key is half of a squared distance. It is wrong by its margin at most, the rounding of its sums (Higham 2002, section
3.1, doi:10.1137/1.9780898718027); what may be among the k nearest for all its margin says is kept, and distances from
differences have the last word. Margins of less than `TIE` of the key do not count.
"""

from __future__ import annotations

import numpy as np

from ...compiling import part
from .simd import LANES
from .tiles import PANELS, below, lowest

LIMIT = np.float32(3e38)
"""No key of a point is more. Not infinite: LLVM is told that nothing is."""

_ROUNDING = np.float32(2.0**-24)

TIE = np.float32(1e-3)
"""Share of a key up to which its margin does not count: the errors themselves are a small part of that bound."""


@part
def keep(keys, places, panel, q, name, limit, half, best, ids, size):  # type: ignore[no-untyped-def]
    """Add to a query's list what is below its limit among the 32 points of two panels, whose keys lack half of the
    query's squared norm; the new length."""
    for one in range(PANELS):
        o = (q * PANELS + one) * LANES
        found = below(keys, o, limit - half)
        while found != 0:
            lane = lowest(found)
            place = places[(panel + one) * LANES + lane]
            best[size], ids[size] = keys[o + lane] + half, place
            size += place != name
            found &= found - 1
    return size


@part
def margin_of(columns, key):  # type: ignore[no-untyped-def]
    """What rounding may do to a key whose terms are no more than the given one."""
    return np.float32(1.1) * _ROUNDING * (columns + 5) * key


@part
def beyond(limit, margin):  # type: ignore[no-untyped-def]
    """A limit and a margin above it, or the limit alone if the margin is too small to matter.

    Otherwise all that are as far as the last neighbour would be compared by distances, and in a table of small
    integers those are a good part of the points.
    """
    return limit + margin if margin > TIE * limit else limit


@part
def tighten(keys, ids, size, k, margin, query, X):  # type: ignore[no-untyped-def]
    """Drop from a list what cannot be among the k nearest; how many are left, below which keys others may be, for all
    that their own margin says, and the margin of those that are left.

    If too many may be, so that little room is left, all are compared by distances, and k are left.
    """
    key = select(keys, ids, size, k)
    size = _sift(keys, ids, size, k, beyond(key, 2 * margin))
    if 2 * size > keys.shape[0] - PANELS * LANES + k:
        key = _order(keys, ids, size, k, query, X)
        margin, size = margin_of(X.shape[1], key), k
    return size, beyond(key, margin), margin


@part
def finish(keys, ids, size, k, margin, query, X, indices, distances):  # type: ignore[no-untyped-def]
    """The k nearest of a list, and their squared distances; the first index is -1 if it has fewer."""
    if size < k:
        indices[0] = -1
        return
    _order(keys, ids, _sift(keys, ids, size, k, beyond(select(keys, ids, size, k), 2 * margin)), k, query, X)
    indices[:], distances[:] = ids[:k], 2 * keys[:k]


@part
def _sift(keys, ids, size, k, limit):  # type: ignore[no-untyped-def]
    """Drop what is not below a limit behind the first k; how many are left."""
    left = k
    for i in range(k, size):
        _swap(keys, ids, left, i)
        left += keys[left] < limit
    return left


@part
def _order(keys, ids, size, k, query, X):  # type: ignore[no-untyped-def]
    """Take keys from distances, and bring the k least to the front; the greatest of them."""
    for i in range(size):
        keys[i] = square(query, X[ids[i]]) / 2
    return select(keys, ids, size, k)


@part
def square(a, b):  # type: ignore[no-untyped-def]
    """Squared distance of two rows, from their differences: exact for copies, unlike the keys."""
    total = np.float32(0)
    for column in range(a.shape[0]):
        total += (a[column] - b[column]) * (a[column] - b[column])
    return total


@part
def select(keys, ids, size, k):  # type: ignore[no-untyped-def]
    """Bring the k least of `size` keys to the front; the greatest of them.

    Hoare's quickselect with Lomuto's partition, which has no branch that depends on a key: those are guessed wrongly
    half of the time, and a wrong guess takes as long as ten steps without.
    """
    low, high = 0, size - 1
    while low < high:
        _swap(keys, ids, (low + high) // 2, high)
        pivot = keys[high]
        less = _front(keys, ids, low, high, pivot, False)
        _swap(keys, ids, less, high)
        if less > k - 1:
            high = less - 1
        elif less > low:
            low = less + 1
        else:  # The pivot is the least: so that many equal keys are not taken one by one.
            low = _front(keys, ids, low + 1, high + 1, pivot, True)
        if low > k - 1 >= less:
            break
    return keys[k - 1]


@part
def _front(keys, ids, start, stop, pivot, equal):  # type: ignore[no-untyped-def]
    """Bring what is less than the pivot, or `equal` to it, to the front of a span; where the rest begins."""
    front = start
    for i in range(start, stop):
        key = keys[i]
        _swap(keys, ids, front, i)
        front += (key < pivot) | (equal & (key == pivot))
    return front


@part
def _swap(keys, ids, i, j):  # type: ignore[no-untyped-def]
    keys[i], keys[j] = keys[j], keys[i]
    ids[i], ids[j] = ids[j], ids[i]
