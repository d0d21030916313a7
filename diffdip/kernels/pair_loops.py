"""Sums over pairs of dipoles, in loops for the CPU: those of `dipoles.pair_sums`.

Each lane of a vector is one place: a dipole or a point. A loop over dipoles adds what each of them
contributes at all places of the vector. So the lanes are used in small systems too: with vectors of
dipoles, most of the work would be the rest of a row that fills no vector.

Each lane adds in the order of the dipoles, and nothing is shared
between systems: results are the same for any number of threads and for any batch. Infinite and
undefined numbers are kept.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit  # type: ignore
from numba.core import cgutils, types
from numba.extending import intrinsic

from . import native_calls as native
from .lanes import VECTOR_BYTES, Vectors, rows_of


SITES, POINTS = native.OWN, native.OWN
CHUNKS = BLOCKS = native.OWN + 1
AROUND, NEAR = native.OWN + 2, native.OWN + 3
"""The whole numbers of the calls. `NEAR` is 1 where dipoles within 10⁻⁴ nm of a point are left out,
and 0 where only those at the point are."""

NEAR_SQUARED = 1e-8

TOGETHER = 256
"""The most dipoles that a lane adds in the precision of the positions. Their sums are added in
float64, so that float32 loses no more digits in a large system."""

MOST = 3e38
"""r² where there is no pair."""


def _second(v: Vectors, x: Any, y: Any, z: Any, inverse: Any, moment: Any) -> Any:
    """xx, yy, zz, xy, xz, yz of m r rᵀ/r⁵, each as two factors."""
    second = v.product(inverse, inverse)
    weight = v.product(moment, v.product(inverse, second), second)
    wx, wy, wz = (v.product(weight, r) for r in (x, y, z))
    return (wx, x), (wy, y), (wz, z), (wx, y), (wx, z), (wy, z)


def _third(v: Vectors, x: Any, y: Any, z: Any, inverse: Any, moment: Any) -> Any:
    """xxx, xxy, xxz, xyy, xyz, yyy, yyz of a third of ∂/∂r of m (I − 3 r̂ r̂ᵀ)/r³, as factors."""
    (wx, _), (wy, _), (wz, _), *_ = _second(v, x, y, z, inverse, moment)
    five = v.product(v.constant(5), v.product(inverse, inverse))
    fx, fy = v.product(five, x), v.product(five, y)
    xx, yy = v.plus(fx, x, v.constant(-1)), v.plus(fy, y, v.constant(-1))
    xxx, yyy = v.sum(xx, v.constant(-2)), v.sum(yy, v.constant(-2))
    return (wx, xxx), (wy, xx), (wz, xx), (wx, yy), (v.product(fx, y), wz), (wy, yyy), (wz, yy)


def _adding(terms: Any, elements: int, *, pairs: bool, triangle: bool = False) -> Any:
    """An instruction: add what the dipoles from `first` to `last` contribute at a vector of places.

    These begin at column `start` of `places`. The rows of `places` and `sites` are x, y, z and the
    moment. The rows of `totals` are the elements, in float64.

    With `pairs` there is one row more, for the smallest r². Without, dipoles count only at places
    with r² > `near`. With `triangle` they count only at places before them in the same columns.
    """

    def write(context, builder, signature, values):
        places, sites, totals = (
            lambda count, k=k: rows_of(context, builder, signature.args[k], values[k], count)
            for k in (0, 2, 6)
        )
        _, start, _, first, last, near, _ = values
        v = Vectors(builder, signature.args[0].dtype)
        *own, own_moment = (v.load(builder.gep(row, [start]), v.real) for row in places(4))
        columns = sites(4)
        sums, least = [v.variable(0) for _ in range(elements)], v.variable(MOST)
        index = ir.IntType(32)
        lane = v.of(index)(list(range(v.lanes)))
        with cgutils.for_range_slice(builder, first, last, native.WORD(1)) as (j, _):
            *other, moment = (v.spread(builder.load(builder.gep(row, [j]))) for row in columns)
            x, y, z = (builder.fsub(a, b) for a, b in zip(own, other, strict=True))
            squared = v.plus(z, z, v.plus(y, y, v.product(x, x)))
            inverse = v.inverse_root(squared)
            if not pairs:
                apart = builder.fcmp_ordered(">", squared, v.spread(near))
                inverse = builder.select(apart, inverse, v.constant(0))
            before = builder.icmp_signed(
                "<", lane, v.spread(builder.trunc(builder.sub(j, start), index))
            )

            def put(new, variable):
                if triangle:
                    new = builder.select(before, new, builder.load(variable))
                builder.store(new, variable)

            for total, (a, b) in zip(sums, terms(v, x, y, z, inverse, moment), strict=True):
                put(v.plus(a, b, builder.load(total)), total)
            if pairs:
                put(v.smaller(squared, builder.load(least)), least)
        into = totals(elements + pairs)
        for total, place in zip(sums, into[:elements], strict=True):
            more = v.widened(v.product(own_moment, builder.load(total)))
            v.store(v.sum(v.load(place, v.double), more), place)
        if pairs:
            found = v.widened(builder.load(least))
            v.store(v.smaller(found, v.load(into[-1], v.double)), into[-1])
        return context.get_dummy_value()

    def typing(_, places, start, sites, first, last, near, totals):
        whole = types.intp
        return types.void(places, whole, sites, whole, whole, near, totals), write

    return intrinsic(typing)


_add_pairs = _adding(_second, 6, pairs=True)
_add_own_pairs = _adding(_second, 6, pairs=True, triangle=True)
_add_second = _adding(_second, 6, pairs=False)
_add_third = _adding(_third, 7, pairs=False)


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
                _add_own_pairs(sites, start, sites, start + 1, min(after, count), zero, totals)
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
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    if kind == "pair_sums":
        return native.compiled_loop(lambda stamp: _make_sums(stamp, dtype, lanes), index)
    elements = {"second_at": 6, "third_at": 7}[kind]
    return native.compiled_loop(lambda stamp: _make_at(stamp, dtype, lanes, elements), index)
