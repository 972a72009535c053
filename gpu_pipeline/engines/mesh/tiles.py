"""Scalar products of some queries with some points in registers, and which of them are below a limit: what `scan` is
made of. Nothing here checks bounds."""

# numba and llvmlite have no types.
# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .simd import LANES, address_of, splat_value

QUERIES, PANELS = 8, 2

_F32, _I64 = ir.FloatType(), ir.IntType(64)
_FAST = ("fast",)


def _number(value: int) -> Any:
    return ir.Constant(_I64, value)


def at_once(features: str) -> tuple[int, int]:
    """How many queries and panels have their sums in registers at a time, of a processor with such features as LLVM
    names them: all 16 with AVX-512, else 4, which are 8 of AVX2's 16 registers."""
    return (QUERIES, PANELS) if "+avx512f" in features.split(",") else (4, 1)


@intrinsic
def products(typing: Any, queries: Any, i: Any, panels: Any, j: Any, columns: Any, keys: Any, k: Any) -> Any:
    """Take the scalar products of 8 rows of `queries` and 2 x 16 points from `keys`, 2 x 16 for each query.

    The queries are rows of a flat array that starts at `i`; the points are two panels of a flat array that starts at
    `j`, and a panel holds its 16 points column by column.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rows, points, sums = (address_of(context, builder, signature, args, array) for array in (0, 2, 5))
        some, few = at_once(context.codegen().magic_tuple()[2])
        across = PANELS // few
        # A loop, because copies of a tile one after the other would fight for the registers of addresses.
        with cgutils.for_range(builder, _number(QUERIES // some * across)) as tile:
            q = builder.mul(builder.udiv(tile.index, _number(across)), _number(some))
            p = builder.mul(builder.urem(tile.index, _number(across)), _number(few))
            slot = builder.add(builder.mul(q, _number(PANELS)), p)
            starts = (
                builder.gep(rows, [builder.mul(q, args[4])]),
                builder.gep(points, [builder.mul(builder.mul(p, args[4]), _number(LANES))]),
                builder.gep(sums, [builder.mul(slot, _number(LANES))]),
            )
            _tile(builder, *starts, args[4], some, few)
        return context.get_dummy_value()

    return types.void(queries, i, panels, j, types.int64, keys, k), code


def _tile(builder: Any, rows: Any, points: Any, sums: Any, width: Any, queries: int, panels: int) -> None:
    """Of `products`, the first queries and panels from three addresses: a loop over the columns with all their sums in
    registers."""
    kind = ir.VectorType(_F32, LANES)
    numbers = [(q, p) for q in range(queries) for p in range(panels)]

    def vector(start: Any, offset: Any) -> Any:
        return builder.bitcast(builder.gep(start, [offset]), kind.as_pointer())

    slots = [vector(sums, _number((q * PANELS + p) * LANES)) for q, p in numbers]
    starts = [builder.load(slot, align=4) for slot in slots]
    before, loop, after = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.branch(loop)
    builder.position_at_end(loop)
    column = builder.phi(_I64)
    column.add_incoming(_number(0), before)
    totals = [builder.phi(kind) for _ in starts]
    place = builder.mul(column, _number(LANES))
    size = builder.mul(width, _number(LANES))
    lanes = [
        builder.load(vector(points, builder.add(place, builder.mul(size, _number(p)))), align=4) for p in range(panels)
    ]
    results: list[Any] = []
    for q in range(queries):
        value = builder.load(builder.gep(rows, [builder.add(column, builder.mul(width, _number(q)))]))
        broad = splat_value(builder, value, LANES)
        for p in range(panels):
            product = builder.fmul(broad, lanes[p], flags=_FAST)
            results.append(builder.fsub(totals[len(results)], product, flags=_FAST))
    following = builder.add(column, _number(1))
    builder.cbranch(builder.icmp_signed("<", following, width), loop, after)
    column.add_incoming(following, loop)
    for phi, start, result in zip(totals, starts, results, strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(result, loop)
    builder.position_at_end(after)
    for slot, result in zip(slots, results, strict=True):
        builder.store(result, slot, align=4)


@intrinsic
def below(typing: Any, array: Any, i: Any, limit: Any) -> Any:
    """Bit l is set if element i + l of a flat float32 array is less than the limit, for 16 of them."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = address_of(context, builder, signature, args)
        values = builder.load(builder.bitcast(address, ir.VectorType(_F32, LANES).as_pointer()), align=4)
        less = builder.fcmp_ordered("<", values, splat_value(builder, args[2], LANES))
        return builder.zext(builder.bitcast(less, ir.IntType(LANES)), _I64)

    return types.int64(array, i, types.float32), code


@intrinsic
def lowest(typing: Any, bits: Any) -> Any:
    """Number of the lowest bit that is set; 64 if none is."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), code
