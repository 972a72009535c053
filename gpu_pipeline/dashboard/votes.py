"""What the neighbours of each point on the map say about its label."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..compiling import kernel, part
from ..engines import threads
from ..scoring import VOTERS

NEIGHBORS = 15
"""Neighbours on the map that say among which class a point lies."""

_LEAF = 24
"""Points in a leaf of the tree, on average at most."""

_CHUNK = 1 << 18


@dataclass(frozen=True, eq=False)
class Votes:
    """What the neighbours of each point on the map say about its label.

    Attributes
    ----------
    among
        (n,) int32 code of the class that more of a point's 15 nearest have than have its own; of several that with the
        most, of equals the least code. Its own code where there is none, or where it has no label.
    share
        (n,) float32 share of the neighbours that are of the class in `among`, 0 to 1.
    right
        (n,) bool, whether the most frequent label of its 10 nearest is its own, as in `metrics.label_accuracy`:
        of equally frequent ones that of the nearest neighbour counts.
    """

    among: np.ndarray
    share: np.ndarray
    right: np.ndarray


def vote(x: np.ndarray, y: np.ndarray, codes: np.ndarray, classes: int, absent: int = -1) -> Votes:
    """Ask the nearest points on the map that have a label, each point itself left out, of which class they are.

    Exact, by a balanced k-d tree whose leaves are asked one after the other, on all cores.

    Parameters
    ----------
    x, y
        (n,) finite coordinates.
    codes
        (n,) class of each point, 0 to `classes` - 1.
    classes
        How many there are.
    absent
        Code of the points without a label, which are not asked; -1 if all have one.

    References
    ----------
    Friedman, Bentley & Finkel 1977 (search in k-d trees), doi:10.1145/355744.355745.
    """
    votes = Votes(codes.astype(np.int32), np.zeros(len(x), np.float32), np.zeros(len(x), bool))
    rows = np.flatnonzero(codes != absent).astype(np.int32)
    n = len(rows)
    if n < 2:
        return votes
    kind = np.float32 if x.dtype == y.dtype == np.float32 else np.float64
    px, py = x[rows].astype(kind, copy=False), y[rows].astype(kind, copy=False)
    levels = max(int(np.ceil(np.log2(n / _LEAF))), 0)
    axes, splits = np.zeros(1 << levels, np.uint8), np.zeros(1 << levels, px.dtype)
    with ThreadPoolExecutor(threads()) as pool:
        tops = [(1, 0, n, levels)]
        while tops[0][3] and len(tops) < threads():
            tops = [half for top in tops for half in _halves(px, py, rows, axes, splits, *top)]
        list(pool.map(lambda top: _build(px, py, rows, axes, splits, *top), tops))
        placed = codes[rows]

        def ask(start: int) -> None:
            span = (start, min(start + _CHUNK, n))
            k = min(NEIGHBORS, n - 1)
            tree = (px, py, axes, splits, levels)
            _ask(*tree, placed, rows, *span, k, min(VOTERS, k), classes, votes.among, votes.share, votes.right)

        list(pool.map(ask, range(0, n, _CHUNK)))
    return votes


@part
def _swap(x, y, rows, i, j):  # type: ignore[no-untyped-def]
    x[i], x[j] = x[j], x[i]
    y[i], y[j] = y[j], y[i]
    rows[i], rows[j] = rows[j], rows[i]


@part
def _halve(x, y, rows, axes, splits, node, low, high):  # type: ignore[no-untyped-def]
    """Part the points low to high by the median of the axis on which they reach farther (Hoare's selection)."""
    across = x[low:high].max() - x[low:high].min() >= y[low:high].max() - y[low:high].min()
    values = x if across else y
    middle = (low + high) // 2
    left, right = low, high - 1
    while left < right:
        pivot = values[(left + right) // 2]
        i, j = left, right
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                _swap(x, y, rows, i, j)
                i, j = i + 1, j - 1
        if middle <= j:
            right = j
        elif middle >= i:
            left = i
        else:
            break
    axes[node], splits[node] = (0 if across else 1), values[middle]
    return middle


@kernel
def _halves(x, y, rows, axes, splits, node, low, high, levels):  # type: ignore[no-untyped-def]
    """Part one node of the tree, and give its two halves."""
    middle = _halve(x, y, rows, axes, splits, node, low, high)
    return (2 * node, low, middle, levels - 1), (2 * node + 1, middle, high, levels - 1)


@kernel
def _build(x, y, rows, axes, splits, node, low, high, levels):  # type: ignore[no-untyped-def]
    """Order the points of a node, in place, so that each node of the tree below it is a span of them."""
    stack = [(node, low, high, levels)]
    while stack:
        node, low, high, levels = stack.pop()
        if levels > 0:
            middle = _halve(x, y, rows, axes, splits, node, low, high)
            stack.append((2 * node, low, middle, levels - 1))
            stack.append((2 * node + 1, middle, high, levels - 1))


@part
def _scan(x, y, i, low, high, k, found, near, squares):  # type: ignore[no-untyped-def]
    """Put those of a leaf's points that are nearer into the list of the nearest; how many it has then."""
    for j in range(low, high):
        square = (x[j] - x[i]) ** 2 + (y[j] - y[i]) ** 2
        if j == i or (found == k and square >= squares[k - 1]):
            continue
        found = min(found + 1, k)
        place = found - 1
        while place > 0 and squares[place - 1] > square:
            squares[place], near[place] = squares[place - 1], near[place - 1]
            place -= 1
        squares[place], near[place] = square, j
    return found


@part
def _seek(x, y, axes, splits, levels, i, k, near, squares, nodes, spans, gaps):  # type: ignore[no-untyped-def]
    """The k nearest of point i, nearest first."""
    found, depth = 0, 1
    nodes[0], spans[0, 0], spans[0, 1], gaps[0, 0], gaps[0, 1] = 1, 0, len(x), 0.0, 0.0
    while depth:
        depth -= 1
        node, low, high = nodes[depth], spans[depth, 0], spans[depth, 1]
        gap_x, gap_y = gaps[depth, 0], gaps[depth, 1]
        if found == k and gap_x**2 + gap_y**2 >= squares[k - 1]:
            continue
        while node < 1 << levels:
            middle, axis = (low + high) // 2, axes[node]
            away = (y[i] if axis else x[i]) - splits[node]
            left = away < 0
            # The farther half waits on the stack, with how far it is along each axis.
            nodes[depth] = 2 * node + 1 if left else 2 * node
            spans[depth, 0], spans[depth, 1] = (middle, high) if left else (low, middle)
            gaps[depth, 0], gaps[depth, 1] = (gap_x, away) if axis else (away, gap_y)
            depth += 1
            node = 2 * node if left else 2 * node + 1
            low, high = (low, middle) if left else (middle, high)
        found = _scan(x, y, i, low, high, k, found, near, squares)


@kernel
def _ask(x, y, axes, splits, levels, codes, rows, start, stop, k, voters, classes, among, share, right):  # type: ignore[no-untyped-def]
    """Votes of the points start to stop of the tree, written to their rows."""
    near, squares = np.empty(k, np.int64), np.empty(k, x.dtype)
    nodes, spans, gaps = np.empty(64, np.int64), np.empty((64, 2), np.int64), np.empty((64, 2), x.dtype)
    counts = np.zeros(classes, np.int64)
    for i in range(start, stop):
        own, row = codes[i], rows[i]
        _seek(x, y, axes, splits, levels, i, k, near, squares, nodes, spans, gaps)
        guess, most = -1, 0
        for j in range(k):
            counts[codes[near[j]]] += 1
            if j == voters - 1:
                for nearer in range(voters):
                    code = codes[near[nearer]]
                    if counts[code] > most:
                        guess, most = code, counts[code]
        top = own
        for j in range(k):
            code = codes[near[j]]
            if counts[code] > counts[top] or (counts[code] == counts[top] and top != own and code < top):
                top = code
        among[row], share[row], right[row] = top, counts[top] / k, guess == own
        for j in range(k):
            counts[codes[near[j]]] = 0
