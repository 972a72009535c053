"""Compiled FFT of sixteen columns at a time, and the convolution of a real grid with an even kernel.

A tile is a run of rows of 16 float32, real parts first and imaginary parts after them: one butterfly is then one
instruction for all sixteen columns. Lengths are products of 2, 3 and 5; Stockham's order needs no bit reversal (Van
Loan 1992, doi:10.1137/1.9781611970999).

A linear convolution usually doubles each side of the grid with zeros. Neither side is doubled here:

- along x, points go in as a[j] w^j with w = exp(i pi / 2m), and the kernel as q[d] = (k[d] - i k[m - d]) w^d. What
  wraps around
  is multiplied by w^m = i, so the real part of the (unweighted) result is sum_j k[|i - j|] a[j]: the right-angle
  convolution of Crandall & Fagin 1994, doi:10.1090/S0025-5718-1994-1185244-1;
- along y, the even and the odd frequencies of a doubled axis are two transforms of the plain length, the second of
  a[j] exp(-i pi j / m).
"""

# numba and llvmlite have no types.
# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from ...compiling import part, routine
from .simd import LANES, load, splat, splat_value, store, transpose


def radices(n: int) -> np.ndarray:
    """Factors of the transform's stages for a length that has no other prime factors than 2, 3 and 5."""
    factors = []
    for radix in (5, 3, 8, 4, 2):
        while n % radix == 0:
            factors.append(radix)
            n //= radix
    if n != 1:
        raise ValueError(f"{n} is left of a length that must be a product of 2, 3 and 5")
    return np.array(factors, np.int64)


def twiddles(n: int) -> np.ndarray:
    """Roots of unity of every stage of `fft`, in the order of their use: cosine and sine, flat float32."""
    table = []
    for radix in radices(n):
        p, k = np.meshgrid(np.arange(n // radix), np.arange(1, radix), indexing="ij")
        angle = -2 * np.pi * (p * k).ravel() / n
        table.append(np.stack([np.cos(angle), np.sin(angle)], axis=1).ravel())
        n //= int(radix)
    return np.concatenate([*table, np.zeros(2)]).astype(np.float32)


class _Complex:
    """A complex number of LLVM values, so that a butterfly reads like its formula."""

    def __init__(self, builder: Any, real: Any, imaginary: Any) -> None:
        self.builder, self.real, self.imaginary = builder, real, imaginary

    def __add__(self, other: _Complex) -> _Complex:
        add = self.builder.fadd
        return _Complex(
            self.builder,
            add(self.real, other.real, flags=("fast",)),
            add(self.imaginary, other.imaginary, flags=("fast",)),
        )

    def __sub__(self, other: _Complex) -> _Complex:
        subtract = self.builder.fsub
        return _Complex(
            self.builder,
            subtract(self.real, other.real, flags=("fast",)),
            subtract(self.imaginary, other.imaginary, flags=("fast",)),
        )

    def __mul__(self, factor: float) -> _Complex:
        constant = ir.Constant(self.real.type, [factor] * LANES)
        multiply = self.builder.fmul
        return _Complex(
            self.builder,
            multiply(self.real, constant, flags=("fast",)),
            multiply(self.imaginary, constant, flags=("fast",)),
        )

    def times_minus_i(self) -> _Complex:
        return _Complex(self.builder, self.imaginary, self.builder.fneg(self.real, flags=("fast",)))


def _transform(z: list[_Complex]) -> list[_Complex]:
    """Discrete Fourier transform of 2, 3, 4, 5 or 8 numbers."""
    if len(z) == 2:
        return [z[0] + z[1], z[0] - z[1]]
    if len(z) in (4, 8):
        half, root = len(z) // 2, math.sqrt(0.5)
        even, odd = _transform(z[::2]), _transform(z[1::2])
        odd[half // 2] = odd[half // 2].times_minus_i()
        if half == 4:
            odd[1], odd[3] = (odd[1] + odd[1].times_minus_i()) * root, (odd[3].times_minus_i() - odd[3]) * root
        return [a + b for a, b in zip(even, odd, strict=True)] + [a - b for a, b in zip(even, odd, strict=True)]
    mirrors = [(z[k] + z[-k], (z[k] - z[-k]).times_minus_i()) for k in range(1, len(z) // 2 + 1)]
    result = [z[0]] * len(z)
    for plus, _ in mirrors:
        result[0] = result[0] + plus
    for k in range(1, len(z) // 2 + 1):
        turns = [2 * math.pi * j * k / len(z) for j in range(1, len(mirrors) + 1)]
        level, slant = z[0], mirrors[0][1] * math.sin(turns[0])
        for (plus, minus), turn in zip(mirrors, turns, strict=True):
            level = level + plus * math.cos(turn)
            slant = slant + minus * math.sin(turn) if turn != turns[0] else slant
        result[k], result[-k] = level + slant, level - slant
    return result


def _butterfly(radix: int) -> Any:
    @intrinsic
    def butterfly(
        typing: Any, buf: Any, a: Any, ai: Any, far: Any, b: Any, bi: Any, near: Any, roots: Any, o: Any
    ) -> Any:
        """Read `radix` rows `far` apart, transform, multiply by roots of unity, write rows `near` apart."""

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = ir.VectorType(ir.FloatType(), LANES)
            data = context.make_array(buf)(context, builder, args[0]).data
            table = context.make_array(roots)(context, builder, args[7]).data

            def row(start: Any, step: Any, k: int) -> Any:
                index = builder.add(start, builder.mul(step, step.type(k)))
                return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())

            def root(k: int) -> Any:
                value = builder.load(builder.gep(table, [builder.add(args[8], args[8].type(k))]))
                return splat_value(builder, value, LANES)

            z = [
                _Complex(builder, *(builder.load(row(start, args[3], k), align=4) for start in args[1:3]))
                for k in range(radix)
            ]
            for k, value in enumerate(_transform(z)):
                real, imaginary = value.real, value.imaginary
                if k > 0:
                    c, s = root(2 * k - 2), root(2 * k - 1)
                    multiply = partial(builder.fmul, flags=("fast",))
                    real, imaginary = (
                        builder.fsub(multiply(real, c), multiply(imaginary, s), flags=("fast",)),
                        builder.fadd(multiply(real, s), multiply(imaginary, c), flags=("fast",)),
                    )
                builder.store(real, row(args[4], args[6], k), align=4)
                builder.store(imaginary, row(args[5], args[6], k), align=4)
            return context.get_dummy_value()

        return types.void(buf, *[types.int64] * 6, roots, types.int64), code

    return butterfly


_butterfly2, _butterfly3, _butterfly4, _butterfly5, _butterfly8 = (_butterfly(radix) for radix in (2, 3, 4, 5, 8))


@routine
def fft(buf, ar, ai, br, bi, n, factors, roots):  # type: ignore[no-untyped-def]
    """Transform of the tile at offsets `ar`, `ai` of the flat buffer, with `br`, `bi` as scratch; exchanging real and
    imaginary offsets gives the inverse, not divided by n. True if the result is at `br`, `bi`, False if it is where
    the input was."""
    s, o, moved = 1, 0, False
    for radix in factors:
        m = n // radix
        far, near = s * m * LANES, s * LANES
        for p in range(m):
            w = o + 2 * (radix - 1) * p
            for q in range(s):
                i, j = (q + s * p) * LANES, (q + s * radix * p) * LANES
                if radix == 8:
                    _butterfly8(buf, ar + i, ai + i, far, br + j, bi + j, near, roots, w)
                elif radix == 4:
                    _butterfly4(buf, ar + i, ai + i, far, br + j, bi + j, near, roots, w)
                elif radix == 5:
                    _butterfly5(buf, ar + i, ai + i, far, br + j, bi + j, near, roots, w)
                elif radix == 3:
                    _butterfly3(buf, ar + i, ai + i, far, br + j, bi + j, near, roots, w)
                else:
                    _butterfly2(buf, ar + i, ai + i, far, br + j, bi + j, near, roots, w)
        o += 2 * m * (radix - 1)
        n, s = m, s * radix
        ar, ai, br, bi, moved = br, bi, ar, ai, not moved
    return moved


@part
def forward_x(tile, threads, charges, F, buf, mx, sx, sy, half, roots, factors):  # type: ignore[no-untyped-def]
    """Add the threads' charges of 16 columns, empty them, weight and transform along x; F holds real then imaginary
    parts."""
    column, size = tile * LANES, mx * LANES
    ar, ai, br, bi = np.int64(0), size, 2 * size, 3 * size
    zero = splat(np.float32(0))
    for x in range(mx):
        value = zero
        for t in range(threads):
            o = (t * mx + x) * sy + column
            value = value + load(charges, o)
            store(charges, o, zero)
        store(buf, ar + x * LANES, value * splat(half[2 * x]))
        store(buf, ai + x * LANES, value * splat(half[2 * x + 1]))
    if fft(buf, ar, ai, br, bi, mx, factors, roots):
        ar, ai = br, bi
    for x in range(mx):
        store(F, x * sy + column, load(buf, ar + x * LANES))
        store(F, (sx + x) * sy + column, load(buf, ai + x * LANES))


@part
def _filter(buf, r, i, spectrum, o, my):  # type: ignore[no-untyped-def]
    """Multiply a tile by the kernel's spectrum: rows of 16 real and 16 imaginary parts, the two kinds of frequency in
    turn."""
    for y in range(my):
        a, b = load(buf, r + y * LANES), load(buf, i + y * LANES)
        c, d = load(spectrum, o + y * 4 * LANES), load(spectrum, o + y * 4 * LANES + LANES)
        store(buf, r + y * LANES, a * c - b * d)
        store(buf, i + y * LANES, a * d + b * c)


@part
def filter_y(tile, F, spectrum, buf, my, sx, sy, whole, roots, factors):  # type: ignore[no-untyped-def]
    """Convolve 16 rows along y in place: transform, multiply, transform back."""
    row, size = tile * LANES, sy * LANES
    er, ei, fr, fi, odd, odi = np.int64(0), size, 2 * size, 3 * size, 4 * size, 5 * size
    for y in range(0, sy, LANES):
        transpose(F, row * sy + y, sy, buf, er + y * LANES, LANES)
        transpose(F, (sx + row) * sy + y, sy, buf, ei + y * LANES, LANES)
    for y in range(my):
        a, b, c, s = load(buf, er + y * LANES), load(buf, ei + y * LANES), splat(whole[2 * y]), splat(whole[2 * y + 1])
        store(buf, odd + y * LANES, a * c + b * s)
        store(buf, odi + y * LANES, b * c - a * s)
    o = tile * my * 4 * LANES
    if fft(buf, er, ei, fr, fi, my, factors, roots):
        er, ei, fr, fi = fr, fi, er, ei
    _filter(buf, er, ei, spectrum, o, my)
    if fft(buf, ei, er, fi, fr, my, factors, roots):
        er, ei, fr, fi = fr, fi, er, ei
    if fft(buf, odd, odi, fr, fi, my, factors, roots):
        odd, odi, fr, fi = fr, fi, odd, odi
    _filter(buf, odd, odi, spectrum, o + 2 * LANES, my)
    if fft(buf, odi, odd, fi, fr, my, factors, roots):
        odd, odi, fr, fi = fr, fi, odd, odi
    for y in range(my):
        a, b, c, s = (
            load(buf, odd + y * LANES),
            load(buf, odi + y * LANES),
            splat(whole[2 * y]),
            splat(whole[2 * y + 1]),
        )
        store(buf, er + y * LANES, load(buf, er + y * LANES) + a * c - b * s)
        store(buf, ei + y * LANES, load(buf, ei + y * LANES) + a * s + b * c)
    for y in range(0, sy, LANES):
        transpose(buf, er + y * LANES, LANES, F, row * sy + y, sy)
        transpose(buf, ei + y * LANES, LANES, F, (sx + row) * sy + y, sy)


@part
def inverse_x(tile, F, potential, buf, mx, sx, sy, half, roots, factors):  # type: ignore[no-untyped-def]
    """Transform 16 columns back along x and keep the real part of the unweighted result."""
    column, size = tile * LANES, mx * LANES
    ar, ai, br, bi = np.int64(0), size, 2 * size, 3 * size
    for x in range(mx):
        store(buf, ar + x * LANES, load(F, x * sy + column))
        store(buf, ai + x * LANES, load(F, (sx + x) * sy + column))
    if fft(buf, ai, ar, bi, br, mx, factors, roots):
        ar, ai = br, bi
    for x in range(mx):
        a, b = load(buf, ar + x * LANES), load(buf, ai + x * LANES)
        store(potential, x * sy + column, a * splat(half[2 * x]) + b * splat(half[2 * x + 1]))
