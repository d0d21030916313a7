"""Sums over pairs of dipoles, in loops for the CPU: those of `dipoles.pair_sums`.

Each lane of a vector is one place: a dipole, or a point. A loop over the dipoles adds what each of
them contributes at all places of the vector. So short loops take no longer for each pair than long
ones, and nothing depends on which loops a compiler turns into vectors: they are written as LLVM
instructions. Sums are in the order of the dipoles, for any number of threads and for any batch.
Infinite and undefined numbers are kept.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit  # type: ignore
from numba.core import cgutils, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from . import native_calls as native


SITES, POINTS = native.OWN, native.OWN
CHUNKS = BLOCKS = native.OWN + 1
AROUND, NEAR = native.OWN + 2, native.OWN + 3
"""The whole numbers of the calls. `NEAR` is 1 where dipoles within 10⁻⁴ nm of a point are left out,
and 0 where only those at the point are."""

NEAR_SQUARED = 1e-8

TOGETHER = 256
"""The most dipoles whose contributions are added in the precision of the positions. Sums of these
sums have float64."""

MOST = 3e38
"""A squared distance where there is no pair."""

_FREE = ("nsz", "arcp", "contract", "afn")
"""For 1/√: an estimate and a step of Newton's method may replace it."""


def _bytes_of_a_vector() -> int:
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    return 64 if "+avx512f" in features else 32


BYTES = _bytes_of_a_vector()


class _Vectors:
    """Writes instructions for all lanes at once."""

    def __init__(self, builder: Any, dtype: Any):
        self.builder = builder
        self.real = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}[dtype]
        self.bits = dtype.bitwidth
        self.lanes = 8 * BYTES // self.bits
        self.kind = ir.VectorType(self.real, self.lanes)

    def load(self, pointer: Any, kind: Any = None) -> Any:
        """The numbers from an address on."""
        kind = kind or self.kind
        return self.builder.load(self.builder.bitcast(pointer, kind.as_pointer()), align=4)

    def store(self, value: Any, pointer: Any) -> None:
        place = self.builder.bitcast(pointer, value.type.as_pointer())
        self.builder.store(value, place, align=4)

    def constant(self, value: float) -> Any:
        return self.kind([value] * self.lanes)

    def spread(self, value: Any) -> Any:
        """One number in all lanes."""
        kind = ir.VectorType(value.type, self.lanes)
        one = self.builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.IntType(32)(0))
        order = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), None)
        return self.builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), order)

    def product(self, *factors: Any) -> Any:
        first, *others = factors
        for other in others:
            first = self.builder.fmul(first, other)
        return first

    def _call(self, name: str, *operands: Any, fastmath: Any = ()) -> Any:
        kind = ir.FunctionType(self.kind, [self.kind] * len(operands))
        name = f"llvm.{name}.v{self.lanes}f{self.bits}"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, operands, fastmath=fastmath)

    def plus(self, a: Any, b: Any, c: Any) -> Any:
        """a b + c, in one step where the processor has it."""
        return self._call("fmuladd", a, b, c)

    def inverse_root(self, value: Any) -> Any:
        root = self._call("sqrt", value, fastmath=_FREE)
        return self.builder.fdiv(self.constant(1), root, flags=_FREE)

    def double(self, value: Any) -> Any:
        if self.bits == 64:
            return value
        return self.builder.fpext(value, ir.VectorType(ir.DoubleType(), self.lanes))


def _second(v: _Vectors, x: Any, y: Any, z: Any, inverse: Any, moment: Any) -> Any:
    """The factors of the elements xx, yy, zz, xy, xz, yz of m r rᵀ/r⁵."""
    second = v.product(inverse, inverse)
    weight = v.product(moment, v.product(inverse, second), second)
    wx, wy, wz = (v.product(weight, r) for r in (x, y, z))
    return (wx, x), (wy, y), (wz, z), (wx, y), (wx, z), (wy, z)


def _third(v: _Vectors, x: Any, y: Any, z: Any, inverse: Any, moment: Any) -> Any:
    """Those of xxx, xxy, xxz, xyy, xyz, yyy, yyz of a third of ∂/∂r of Σ m (I − 3 r̂ r̂ᵀ)/r³."""
    second = v.product(inverse, inverse)
    weight = v.product(moment, v.product(inverse, second), second)
    wx, wy, wz = (v.product(weight, r) for r in (x, y, z))
    five = v.product(v.constant(5), second)
    fx, fy = v.product(five, x), v.product(five, y)
    xx, yy = v.plus(fx, x, v.constant(-1)), v.plus(fy, y, v.constant(-1))
    two = v.constant(-2)
    xxx, yyy = v.builder.fadd(xx, two), v.builder.fadd(yy, two)
    return (wx, xxx), (wy, xx), (wz, xx), (wx, yy), (v.product(fx, y), wz), (wy, yyy), (wz, yy)


def _writer(terms: Any, elements: int, pairs: bool, triangle: bool) -> Any:
    """An instruction: add what the dipoles from `first` to `last` contribute at one vector of
    places, which begin at column `start` of `places`.

    The rows of `places` and `sites` are x, y, z and the moment. `totals` has a row for each
    element, in float64. With `pairs` it has one more, for the smallest r²; without, dipoles count
    only at r² > `near`. With `triangle` they count only at places before their own.
    """

    def write(context, builder, signature, values):
        places, start, sites, first, last, near, totals = values
        v = _Vectors(builder, signature.args[0].dtype)
        lane_type = ir.VectorType(ir.IntType(32), v.lanes)
        lane = lane_type(list(range(v.lanes)))

        def rows(k, count):
            array = context.make_array(signature.args[k])(context, builder, values[k])
            stride = cgutils.unpack_tuple(builder, array.strides)[0]
            begin = builder.ptrtoint(array.data, native.WORD)
            kind = array.data.type
            return [
                builder.inttoptr(builder.add(begin, builder.mul(stride, native.WORD(q))), kind)
                for q in range(count)
            ]

        own = [v.load(builder.gep(row, [start])) for row in rows(0, 4)]
        columns = rows(2, 4)
        sums = [cgutils.alloca_once_value(builder, v.constant(0)) for _ in range(elements)]
        least = cgutils.alloca_once_value(builder, v.constant(MOST))
        for total in sums:
            builder.store(v.constant(0), total)
        builder.store(v.constant(MOST), least)
        limit = v.spread(near)
        with cgutils.for_range_slice(builder, first, last, native.WORD(1)) as (j, _):
            x, y, z, moment = (v.spread(builder.load(builder.gep(row, [j]))) for row in columns)
            x, y, z = (builder.fsub(a, b) for a, b in zip(own[:3], (x, y, z), strict=True))
            squared = v.plus(z, z, v.plus(y, y, v.product(x, x)))
            inverse = v.inverse_root(squared)
            if not pairs:
                apart = builder.fcmp_ordered(">", squared, limit)
                inverse = builder.select(apart, inverse, v.constant(0))
            before = None
            if triangle:
                place = builder.trunc(builder.sub(j, start), ir.IntType(32))
                before = builder.icmp_signed("<", lane, v.spread(place))
            for total, (a, b) in zip(sums, terms(v, x, y, z, inverse, moment), strict=True):
                old = builder.load(total)
                new = v.plus(a, b, old)
                builder.store(new if before is None else builder.select(before, new, old), total)
            if pairs:
                old = builder.load(least)
                new = builder.select(builder.fcmp_ordered("<", squared, old), squared, old)
                builder.store(new if before is None else builder.select(before, new, old), least)
        doubles = ir.VectorType(ir.DoubleType(), v.lanes)
        into = rows(6, elements + 1 if pairs else elements)
        for total, place in zip(sums, into, strict=False):
            more = v.double(v.product(own[3], builder.load(total)))
            v.store(builder.fadd(v.load(place, doubles), more), place)
        if pairs:
            new, old = v.double(builder.load(least)), v.load(into[-1], doubles)
            smaller = builder.fcmp_ordered("<", new, old)
            v.store(builder.select(smaller, new, old), into[-1])
        return context.get_dummy_value()

    def typing(_, places, start, sites, first, last, near, totals):
        whole = types.intp
        return types.void(places, whole, sites, whole, whole, near, totals), write

    return intrinsic(typing)


_add_pairs = _writer(_second, 6, pairs=True, triangle=False)
_add_triangle = _writer(_second, 6, pairs=True, triangle=True)
_add_second = _writer(_second, 6, pairs=False, triangle=False)
_add_third = _writer(_third, 7, pairs=False, triangle=False)


@njit
def _gather(positions, moments, mask, system, n, sites):
    """Put the dipoles of a system that are not masked into columns; returns how many there are."""
    count = 0
    for i in range(system * n, (system + 1) * n):
        if mask[i]:
            sites[0, count] = positions[3 * i]
            sites[1, count] = positions[3 * i + 1]
            sites[2, count] = positions[3 * i + 2]
            sites[3, count] = moments[i]
            count += 1
    sites[:, count:] = 0  # the last vector has empty lanes
    return count


def _make_sums(stamp, dtype, lanes):
    """One task is a part of the rows of a system: the sums over pairs, and the smallest r²."""

    def loop(state):
        frame = native.call_of(state)
        n, chunks = native.number(frame, SITES), native.number(frame, CHUNKS)
        sites, totals = np.empty((4, n + lanes), dtype), np.empty((7, lanes))
        zero = dtype(0) if stamp >= 0 else dtype(1)
        count, system = 0, -1
        task = native.next_task(state)
        while task >= 0:
            if system != task // chunks:
                system = task // chunks
                positions = native.values(native.operand(frame, 0), 3 * n * (system + 1), dtype)
                moments = native.values(native.operand(frame, 1), n * (system + 1), dtype)
                mask = native.values(native.operand(frame, 2), n * (system + 1), np.uint8)
                count = _gather(positions, moments, mask, system, n, sites)
            # parts with about as many pairs each
            part, vectors = task % chunks, -(-count // lanes)
            start = int(vectors * (1 - math.sqrt(1 - part / chunks))) * lanes
            stop = int(vectors * (1 - math.sqrt(1 - (part + 1) / chunks))) * lanes
            totals[:6] = 0
            totals[6] = MOST
            while start < stop:
                after = start + lanes
                _add_triangle(sites, start, sites, start + 1, min(after, count), zero, totals)
                for first in range(after, count, TOGETHER):
                    last = min(first + TOGETHER, count)
                    _add_pairs(sites, start, sites, first, last, zero, totals)
                start = after
            found = native.values(native.result(frame, 0), 7 * (task + 1), dtype)
            for k in range(6):
                total = 0.0
                for lane in range(lanes):
                    total += totals[k, lane]
                found[7 * task + k] = total
            found[7 * task + 6] = np.min(totals[6])
            task = native.next_task(state)

    return loop


def _make_at(stamp, dtype, lanes, elements):
    """One task is a part of the points: what the dipoles of the system add up to there."""

    def loop(state):
        frame = native.call_of(state)
        points, blocks = native.number(frame, POINTS), native.number(frame, BLOCKS)
        n = native.number(frame, AROUND)
        near = dtype(NEAR_SQUARED * native.number(frame, NEAR))
        sites, totals = np.empty((4, n + lanes), dtype), np.empty((elements, lanes))
        places = np.ones((4, lanes), dtype)
        count, system = 0, -1 if stamp >= 0 else -2
        task = native.next_task(state)
        while task >= 0:
            if system != task // blocks:
                system = task // blocks
                positions = native.values(native.operand(frame, 1), 3 * n * (system + 1), dtype)
                moments = native.values(native.operand(frame, 2), n * (system + 1), dtype)
                mask = native.values(native.operand(frame, 3), n * (system + 1), np.uint8)
                count = _gather(positions, moments, mask, system, n, sites)
            place = native.values(native.operand(frame, 0), 3 * points * (system + 1), dtype)
            found = native.values(native.result(frame, 0), elements * points * (system + 1), dtype)
            part = task % blocks
            start = system * points + points * part // blocks
            stop = system * points + points * (part + 1) // blocks
            while start < stop:
                own = min(lanes, stop - start)
                for lane in range(own):
                    for k in range(3):
                        places[k, lane] = place[3 * (start + lane) + k]
                totals[:] = 0
                for first in range(0, count, TOGETHER):
                    last = min(first + TOGETHER, count)
                    if elements == 7:
                        _add_third(places, 0, sites, first, last, near, totals)
                    else:
                        _add_second(places, 0, sites, first, last, near, totals)
                for lane in range(own):
                    for k in range(elements):
                        found[elements * (start + lane) + k] = totals[k, lane]
                start += own
            task = native.next_task(state)

    return loop


def compile_loop(index, name):
    """Compile a loop of this file; returns what XLA calls."""
    kind, bits = name.rsplit("_", 1)
    dtype = {"32": np.float32, "64": np.float64}[bits]
    lanes = BYTES // np.dtype(dtype).itemsize
    if kind == "pair_sums":
        return native.compiled_loop(lambda stamp: _make_sums(stamp, dtype, lanes), index)
    elements = {"second_at": 6, "third_at": 7}[kind]
    return native.compiled_loop(lambda stamp: _make_at(stamp, dtype, lanes, elements), index)
