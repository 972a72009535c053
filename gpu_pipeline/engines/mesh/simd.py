"""Explicit SIMD for numba: a value of 4 or 16 float32 that lives in registers.

LLVM's own vectoriser gives up on the loops of this engine (gathers, arrays that might overlap), so they are written
with a vector type: `+ - * /` work on it, and the functions below move it to and from flat float32 arrays. LLVM cuts
it to what the processor has: one register with AVX-512, two with AVX2, four with SSE or NEON. Nothing here checks
bounds.

Also here: the two atomic operations and the yield of a barrier between threads.
"""

# numba and llvmlite have no types.
# mypy: disable-error-code="untyped-decorator"
from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

LANES = 16

_F32, _F64, _I32, _I64 = ir.FloatType(), ir.DoubleType(), ir.IntType(32), ir.IntType(64)
_FAST = ("fast",)


class Vector(types.Type):  # type: ignore[misc]
    """The numba type of `lanes` float32 in a register."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(name=f"float32x{lanes}")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, ir.VectorType(_F32, kind.lanes))


_WIDE, _FOUR = Vector(LANES), Vector(4)


def _operator(function: Any, instruction: str) -> None:
    @type_callable(function)
    def _typer(context: Any) -> Any:
        return lambda a, b: a if isinstance(a, Vector) and a == b else None

    @lower_builtin(function, Vector, Vector)
    def _lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return getattr(builder, instruction)(*args, flags=_FAST)


for _function, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _operator(_function, _instruction)


def _lane(i: int) -> Any:
    return ir.Constant(_I32, i)


def _mask(lanes: Any) -> Any:
    return ir.Constant(ir.VectorType(_I32, len(lanes)), list(lanes))


def address_of(context: Any, builder: Any, signature: Any, args: Any, array: int = 0) -> Any:
    """Address of element `args[array + 1]` of the flat array `args[array]`."""
    data = context.make_array(signature.args[array])(context, builder, args[array]).data
    index = context.cast(builder, args[array + 1], signature.args[array + 1], types.intp)
    return builder.gep(data, [index])


def splat_value(builder: Any, value: Any, lanes: int) -> Any:
    kind = ir.VectorType(value.type, lanes)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _lane(0))
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), _mask([0] * lanes))


def _loader(kind: Vector) -> Any:
    @intrinsic
    def load(typing: Any, array: Any, i: Any) -> Any:
        """Elements i, i + 1, ... of a flat float32 array."""

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            address = address_of(context, builder, signature, args)
            return builder.load(builder.bitcast(address, ir.VectorType(_F32, kind.lanes).as_pointer()), align=4)

        return kind(array, i), code

    return load


def _splatter(kind: Vector) -> Any:
    @intrinsic
    def splat(typing: Any, value: Any) -> Any:
        """The same float32 in every lane."""

        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return splat_value(builder, context.cast(builder, args[0], signature.args[0], types.float32), kind.lanes)

        return kind(value), code

    return splat


load, load4 = _loader(_WIDE), _loader(_FOUR)
splat, splat4 = _splatter(_WIDE), _splatter(_FOUR)


@intrinsic
def store(typing: Any, array: Any, i: Any, value: Any) -> Any:
    """Write the lanes to elements i, i + 1, ... of a flat float32 array."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = address_of(context, builder, signature, args)
        builder.store(args[2], builder.bitcast(address, args[2].type.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(array, i, value), code


@intrinsic
def total(typing: Any, value: Any) -> Any:
    """Sum of the lanes, always in the same order of halves."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector, lanes = args[0], signature.args[0].lanes
        while lanes > 1:
            lanes //= 2
            low = builder.shuffle_vector(vector, vector, _mask(range(lanes)))
            high = builder.shuffle_vector(vector, vector, _mask(range(lanes, 2 * lanes)))
            vector = builder.fadd(low, high)
        return builder.extract_element(vector, _lane(0))

    return types.float32(value), code


@intrinsic
def where_negative(typing: Any, test: Any, a: Any, b: Any) -> Any:
    """Lanes of `a` where `test` is negative, of `b` elsewhere."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        negative = builder.fcmp_ordered("<", args[0], ir.Constant(args[0].type, [0.0] * test.lanes))
        return builder.select(negative, args[1], args[2])

    return test(test, a, b), code


@intrinsic
def clamp(typing: Any, value: Any, low: Any, high: Any) -> Any:
    """Each lane, but not below that of `low` or above that of `high`."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, low, high = args
        value = builder.select(builder.fcmp_ordered("<", value, low), low, value)
        return builder.select(builder.fcmp_ordered(">", value, high), high, value)

    return value(value, low, high), code


@intrinsic
def four(typing: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Four float32 as one vector."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = ir.Constant(ir.VectorType(_F32, 4), ir.Undefined)
        for i, value in enumerate(args):
            vector = builder.insert_element(vector, value, _lane(i))
        return vector

    return _FOUR(types.float32, types.float32, types.float32, types.float32), code


@intrinsic
def gather_pairs(typing: Any, pairs: Any, indices: Any, k: Any) -> Any:
    """x and y of the points `indices[k:k + 16]`; `pairs` holds x, y of a point as the bytes of one float64.

    Sixteen plain loads of eight bytes and two shuffles: faster than the processor's own gather, which takes 32 of four.
    """
    pair = types.UniTuple(_WIDE, 2)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first = address_of(context, builder, signature, args, 1)
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        halves = []
        for half in (0, LANES // 2):
            vector = ir.Constant(ir.VectorType(_F64, LANES // 2), ir.Undefined)
            for i in range(LANES // 2):
                index = builder.load(builder.gep(first, [ir.Constant(_I64, half + i)]), align=4)
                point = builder.load(builder.gep(data, [builder.zext(index, _I64)]), align=8)
                vector = builder.insert_element(vector, point, _lane(i))
            halves.append(builder.bitcast(vector, ir.VectorType(_F32, LANES)))
        x, y = (builder.shuffle_vector(*halves, _mask(range(start, 2 * LANES, 2))) for start in (0, 1))
        return context.make_tuple(builder, pair, [x, y])

    return pair(pairs, indices, k), code


@intrinsic
def transpose(typing: Any, source: Any, i: Any, step: Any, target: Any, j: Any, jump: Any) -> Any:
    """Copy a 16 x 16 block of flat arrays, transposed; it starts at `i` and `j`, rows are `step` and `jump` apart."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.VectorType(_F32, LANES)

        def row(array: int, number: int) -> Any:
            stride = context.cast(builder, args[array + 2], signature.args[array + 2], types.intp)
            start = address_of(context, builder, signature, args, array)
            address = builder.gep(start, [builder.mul(stride, ir.Constant(_I64, number))])
            return builder.bitcast(address, kind.as_pointer())

        rows = [builder.load(row(0, number), align=4) for number in range(LANES)]
        # Four rounds of a perfect shuffle of rows r and r + 8: after log2(16) of them rows and columns have changed
        # places.
        half = LANES // 2
        low = _mask([lane for i in range(half) for lane in (i, i + LANES)])
        high = _mask([lane for i in range(half, LANES) for lane in (i, i + LANES)])
        for _ in range(4):
            pairs = [(rows[r], rows[r + half]) for r in range(half)]
            rows = [builder.shuffle_vector(a, b, part) for a, b in pairs for part in (low, high)]
        for number, vector in enumerate(rows):
            builder.store(vector, row(3, number), align=4)
        return context.get_dummy_value()

    return types.void(source, i, step, target, j, jump), code


@intrinsic
def atomic_add(typing: Any, array: Any, i: Any, value: Any) -> Any:
    """Add to an int64 of a flat array that threads share; the value before."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address = address_of(context, builder, signature, args)
        value = context.cast(builder, args[2], signature.args[2], types.int64)
        return builder.atomic_rmw("add", address, value, "seq_cst")

    return types.int64(array, i, value), code


@intrinsic
def atomic_load(typing: Any, array: Any, i: Any) -> Any:
    """Read an int64 of a flat array that threads share."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(address_of(context, builder, signature, args), "seq_cst", 8)

    return types.int64(array, i), code


yield_processor = types.ExternalFunction("sched_yield", types.int32())
"""POSIX sched_yield(): lets another thread of this processor go on."""
