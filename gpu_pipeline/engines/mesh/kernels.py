"""The compiled loop: a team of threads carries the map through many iterations without coming back to Python.

One iteration is four passes with a barrier after each: transform columns, convolve rows, transform columns back, and
then everything that concerns one point, with the spreading of its charge for the next iteration. Each thread owns the
same rows and the same tiles in every run and adds to its own grid, so the same number of threads gives the same
bytes. Z is that of the iteration before.
"""

from __future__ import annotations

import numpy as np

from ...compiling import kernel, part
from .fft import filter_y, forward_x, inverse_x
from .simd import (
    LANES,
    atomic_add,
    atomic_load,
    clamp,
    four,
    gather_pairs,
    load,
    load4,
    splat,
    splat4,
    store,
    total,
    where_negative,
    yield_processor,
)

LINE = 8
"""Elements of eight bytes that keep two threads' sums on different cache lines."""

BLOCK = 16
"""Points that are taken together; a thread's first row is a multiple of it."""

_PATIENCE = 2000  # Looks at a barrier, some ten microseconds, before a thread offers its processor to others.
_LONGEST = np.float32(5)  # Longest move of a point along an axis in one iteration; openTSNE bounds the whole move so.
_ZERO, _ONE, _TWO, _THREE, _FOUR = (np.float32(i) for i in range(5))
_SIXTH, _QUARTER, _HALF = np.float32(1 / 6), np.float32(0.25), np.float32(0.5)
_UP, _DOWN, _LEAST_GAIN, _MOST = np.float32(0.2), np.float32(0.8), np.float32(0.01), np.float32(1e30)


@part
def _wait(sync, threads):  # type: ignore[no-untyped-def]
    """Barrier: return when all threads of the team have come."""
    if threads == 1:
        return
    turn = atomic_load(sync, LINE)
    if atomic_add(sync, 0, 1) == threads - 1:
        atomic_add(sync, 0, -threads)
        atomic_add(sync, LINE, 1)
        return
    looks = 0
    while atomic_load(sync, LINE) == turn:
        looks += 1
        if looks > _PATIENCE:
            yield_processor()


@part
def _weights(t):  # type: ignore[no-untyped-def]
    """Cubic B-spline weights of the four nodes around a point at `t` in [0, 1)."""
    a, square = _ONE - t, t * t
    cube = square * t
    return (
        a * a * a * _SIXTH,
        (_THREE * cube - np.float32(6) * square + _FOUR) * _SIXTH,
        (_THREE * (square + t - cube) + _ONE) * _SIXTH,
        cube * _SIXTH,
    )


@part
def _slopes(t):  # type: ignore[no-untyped-def]
    """Derivatives of `_weights`."""
    a, square = _ONE - t, t * t
    return (
        -a * a * _HALF,
        (_THREE * square - _FOUR * t) * _HALF,
        (_TWO * t - _THREE * square + _ONE) * _HALF,
        square * _HALF,
    )


@part
def _spread(charges, o, sy, u, v):  # type: ignore[no-untyped-def]
    """Add a unit charge at (u, v), in nodes, to the grid that starts at `o`."""
    iu, iv = np.int64(u), np.int64(v)
    a, b = _weights(u - np.float32(iu)), _weights(v - np.float32(iv))
    row = four(b[0], b[1], b[2], b[3])
    o += (iu - 1) * sy + iv - 1
    store(charges, o, load4(charges, o) + splat4(a[0]) * row)
    store(charges, o + sy, load4(charges, o + sy) + splat4(a[1]) * row)
    store(charges, o + 2 * sy, load4(charges, o + 2 * sy) + splat4(a[2]) * row)
    store(charges, o + 3 * sy, load4(charges, o + 3 * sy) + splat4(a[3]) * row)


@part
def _read(potential, sy, u, v, own):  # type: ignore[no-untyped-def]
    """Field at (u, v) and its two slopes, in nodes, less what a point has of itself: see `grid._own`."""
    iu, iv = np.int64(u), np.int64(v)
    t, s = u - np.float32(iu), v - np.float32(iv)
    a, da, b, db = _weights(t), _slopes(t), _weights(s), _slopes(s)
    o = (iu - 1) * sy + iv - 1
    r0, r1 = load4(potential, o), load4(potential, o + sy)
    r2, r3 = load4(potential, o + 2 * sy), load4(potential, o + 3 * sy)
    along = splat4(a[0]) * r0 + splat4(a[1]) * r1 + splat4(a[2]) * r2 + splat4(a[3]) * r3
    across = splat4(da[0]) * r0 + splat4(da[1]) * r1 + splat4(da[2]) * r2 + splat4(da[3]) * r3
    row = four(b[0], b[1], b[2], b[3])
    t, s = t - _HALF, s - _HALF
    tt, ss = t * t, s * s
    mine = own[0] + own[1] * (tt + ss) + own[2] * (tt * tt + ss * ss) + own[3] * tt * ss
    mine_x = t * (tt - _QUARTER) * (own[4] + own[5] * tt + own[6] * ss)
    mine_y = s * (ss - _QUARTER) * (own[4] + own[5] * ss + own[6] * tt)
    slope = four(db[0], db[1], db[2], db[3])
    return total(along * row) - mine, total(across * row) - mine_x, total(along * slope) - mine_y


@part
def _attract(pairs, indices, p, start, stop, x, y):  # type: ignore[no-untyped-def]
    """Sum of p w (y_i - y_j) over the edges of a point at (x, y), whose number is a multiple of the lanes."""
    one, vx, vy = splat(_ONE), splat(x), splat(y)
    sx, sy = splat(_ZERO), splat(_ZERO)
    for k in range(start, stop, LANES):
        gx, gy = gather_pairs(pairs, indices, k)
        dx, dy = vx - gx, vy - gy
        w = load(p, k) / (one + dx * dx + dy * dy)
        sx = sx + w * dx
        sy = sy + w * dy
    return total(sx), total(sy)


@part
def _move(i, old, new, velocity, gains, gradient, rate, momentum):  # type: ignore[no-untyped-def]
    """Momentum and gains for the eight points whose coordinates begin at `i`; their gradient begins at 0.

    Jacobs' gains as in van der Maaten's programs: up by 0.2 while a coordinate goes downhill, down by a fifth when it
    overshoots.
    """
    g, v, gain = load(gradient, i % (2 * BLOCK)), load(velocity, i), load(gains, i)
    gain = where_negative(g * v, gain + splat(_UP), clamp(gain * splat(_DOWN), splat(_LEAST_GAIN), splat(_MOST)))
    v = clamp(momentum * v - rate * gain * g, splat(-_LONGEST), splat(_LONGEST))
    store(gains, i, gain)
    store(velocity, i, v)
    store(new, i, load(old, i) + v)


@part
def _convolve(thread, threads, sync, mesh, shape):  # type: ignore[no-untyped-def]
    """From the charges of all threads to the potential; the charges are empty afterwards."""
    charges, frequencies, potential, scratch, spectrum, half, roots_x, factors_x, whole, roots_y, factors_y = mesh
    mx, my, sx, sy, buf = shape[0], shape[1], shape[2], shape[3], scratch[thread]
    _wait(sync, threads)
    for tile in range(thread, sy // LANES, threads):
        forward_x(tile, threads, charges, frequencies, buf, mx, sx, sy, half, roots_x, factors_x)
    _wait(sync, threads)
    for tile in range(thread, sx // LANES, threads):
        filter_y(tile, frequencies, spectrum, buf, my, sx, sy, whole, roots_y, factors_y)
    _wait(sync, threads)
    for tile in range(thread, sy // LANES, threads):
        inverse_x(tile, frequencies, potential, buf, mx, sx, sy, half, roots_x, factors_x)
    _wait(sync, threads)


@part
def _spread_rows(thread, rows, points, charges, shape, geometry):  # type: ignore[no-untyped-def]
    """Spread a thread's own points on its own grid."""
    x0, y0, nodes = np.float32(geometry[0]), np.float32(geometry[1]), np.float32(geometry[2])
    for i in range(rows[thread], rows[thread + 1]):
        u, v = (points[2 * i] - x0) * nodes, (points[2 * i + 1] - y0) * nodes
        _spread(charges, thread * shape[0] * shape[3], shape[3], u, v)


@kernel
def iterate(  # type: ignore[no-untyped-def]
    thread, threads, sync, count, rows, old, old_pairs, new, new_pairs, edges, velocity, gains, mesh, shape, geometry,
    schedule, sums, field,
):  # fmt: skip
    """Do up to `count` iterations as one thread of a team; the number done, less where a point leaves the grid.

    The map is in `old` (x, y of each point, flat float32, and the same bytes as float64 in `old_pairs`) and in `new`
    by turns. `shape` holds the sides and the padded sides; `geometry` the origin, the nodes per unit, the offset of
    the kernel, the least possible similarity of two points and what a point sees of itself; `schedule` exaggeration,
    learning rate, momentum and Z, which is brought up to date; `sums` is (threads, 2) lines of scratch. With a count
    of 0 nothing moves: S less a point's own and its slopes along x and y are written to rows of three of `field`.
    """
    charges, potential, (indptr, indices, p) = mesh[0], mesh[2], edges
    sy, mine, line = shape[3], thread * shape[0] * shape[3], 2 * thread * LINE
    x0, y0, nodes = np.float32(geometry[0]), np.float32(geometry[1]), np.float32(geometry[2])
    own = (
        np.float32(geometry[5]), np.float32(geometry[6]), np.float32(geometry[7]), np.float32(geometry[8]),
        np.float32(geometry[9]), np.float32(geometry[10]), np.float32(geometry[11]),
    )  # fmt: skip
    last_x, last_y = np.float32(shape[0] - 3), np.float32(shape[1] - 3)
    exaggeration, rate, momentum = np.float32(4 * schedule[0]), splat(schedule[1]), splat(schedule[2])
    gradient = np.zeros(2 * BLOCK, np.float32)
    n, z, off, done = indptr.shape[0] - 1, schedule[3], 0.0, 0
    _spread_rows(thread, rows, old, charges, shape, geometry)
    while done < count and off == 0:
        _convolve(thread, threads, sync, mesh, shape)
        push, sum_s = np.float32(-2 * geometry[2] / z), 0.0
        # In blocks, so that each of the four kinds of work runs for many points without a branch that cannot be
        # foretold.
        for block in range(rows[thread], rows[thread + 1], BLOCK):
            end = min(block + BLOCK, rows[thread + 1])
            for i in range(block, end):
                o = 2 * (i - block)
                ax, ay = _attract(old_pairs, indices, p, indptr[i], indptr[i + 1], old[2 * i], old[2 * i + 1])
                gradient[o], gradient[o + 1] = exaggeration * ax, exaggeration * ay
            for i in range(block, end):
                o = 2 * (i - block)
                s, gx, gy = _read(potential, sy, (old[2 * i] - x0) * nodes, (old[2 * i + 1] - y0) * nodes, own)
                sum_s += s
                gradient[o], gradient[o + 1] = gradient[o] - push * gx, gradient[o + 1] - push * gy
            for i in range(2 * block, 2 * end, LANES):
                _move(i, old, new, velocity, gains, gradient, rate, momentum)
            for i in range(block, end):
                u, v = (new[2 * i] - x0) * nodes, (new[2 * i + 1] - y0) * nodes
                if u >= _ONE and u < last_x and v >= _ONE and v < last_y:
                    _spread(charges, mine, sy, u, v)
                else:
                    off += 1.0
        sums[line], sums[line + LINE] = sum_s, off
        _wait(sync, threads)
        # All threads read all sums, in one order; the barriers of the next convolution keep them from being written
        # meanwhile.
        z, off = 0.0, 0.0
        for t in range(threads):
            z, off = z + sums[2 * t * LINE], off + sums[2 * t * LINE + LINE]
        z = max(z + geometry[3] * n * (n - 1.0), geometry[4] * n * (n - 1.0))
        old, old_pairs, new, new_pairs = new, new_pairs, old, old_pairs
        done += 1
    if count == 0:
        _convolve(thread, threads, sync, mesh, shape)
        for i in range(rows[thread], rows[thread + 1]):
            s, gx, gy = _read(potential, sy, (old[2 * i] - x0) * nodes, (old[2 * i + 1] - y0) * nodes, own)
            field[3 * i], field[3 * i + 1], field[3 * i + 2] = s, gx * nodes, gy * nodes
    elif thread == 0:
        schedule[3] = z
    return done


@kernel
def spread_out(start, stop, step, points, indptr, indices, p, sums):  # type: ignore[no-untyped-def]
    """Sum of p log(1 + d^2) and of p over the edges of every `step`-th row: what KL needs beside the entropy of P and
    Z."""
    weighted, weight = 0.0, 0.0
    for i in range(start, stop, step):
        for k in range(indptr[i], indptr[i + 1]):
            j = np.int64(indices[k])
            dx, dy = points[2 * i] - points[2 * j], points[2 * i + 1] - points[2 * j + 1]
            weighted += p[k] * np.log(_ONE + dx * dx + dy * dy)
            weight += p[k]
    sums[0], sums[1] = weighted, weight


@kernel
def exact_slopes(rows, points, slopes):  # type: ignore[no-untyped-def]
    """Slopes of S at some points from the sum over all points, in float64."""
    for k in range(rows.shape[0]):
        x, y, sx, sy = np.float64(points[2 * rows[k]]), np.float64(points[2 * rows[k] + 1]), 0.0, 0.0
        for j in range(points.shape[0] // 2):
            dx, dy = x - points[2 * j], y - points[2 * j + 1]
            w = 1 / (1 + dx * dx + dy * dy)
            sx -= 2 * dx * w * w
            sy -= 2 * dy * w * w
        slopes[k, 0], slopes[k, 1] = sx, sy
