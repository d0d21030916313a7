"""Sums over pairs of dipoles, in loops for the CPU: those of `dipoles.pair_sums`.

The inner loops are vectorized: operations may be reordered, but the order is the same for any
number of threads and for any batch. Infinite and undefined numbers are kept.
"""

import math
from typing import Any

import numpy as np
from numba import njit  # type: ignore
from numba.extending import intrinsic

from . import native_calls as native


SITES, POINTS = native.OWN, native.OWN
CHUNKS = BLOCKS = native.OWN + 1
AROUND, NEAR = native.OWN + 2, native.OWN + 3
"""The whole numbers of the calls. `NEAR` is 1 where dipoles within 10⁻⁴ nm of a point are left out,
and 0 where only those at the point are."""

NEAR_SQUARED = 1e-8

_FREE = {"nsz", "arcp", "contract", "afn", "reassoc"}
_vectorized = njit(fastmath=_FREE, error_model="numpy")


def _write_smaller(typing, a, b):
    def generate(context, builder, signature, values):
        flags = ("nnan", "nsz")
        less = builder.fcmp_ordered("<", *values, flags=flags)
        return builder.select(less, *values, flags=flags)

    return a(a, a), generate


_smaller: Any = intrinsic(_write_smaller)
"""The smaller of two numbers; a minimum over a loop is vectorized only with these flags."""


@njit
def _gather(positions, moments, mask, system, x, y, z, m):
    """Put the dipoles of a system that are not masked into columns; returns how many there are."""
    n, count = len(x), 0
    for i in range(system * n, (system + 1) * n):
        if mask[i]:
            x[count], y[count], z[count] = (
                positions[3 * i],
                positions[3 * i + 1],
                positions[3 * i + 2],
            )
            m[count] = moments[i]
            count += 1
    return count


@_vectorized
def _row(xi, yi, zi, x, y, z, m, one, zero, most):
    """Σ m r rᵀ/r⁵ over dipoles as seen from a place, and the smallest r²."""
    xx, yy, zz, xy, xz, yz, least = zero, zero, zero, zero, zero, zero, most
    for j in range(len(x)):
        dx, dy, dz = x[j] - xi, y[j] - yi, z[j] - zi
        squared = dx * dx + dy * dy + dz * dz
        inverse = one / math.sqrt(squared)
        second = inverse * inverse
        weight = m[j] * (inverse * second) * second
        wx, wy, wz = weight * dx, weight * dy, weight * dz
        xx += wx * dx
        yy += wy * dy
        zz += wz * dz
        xy += wx * dy
        xz += wx * dz
        yz += wy * dz
        least = _smaller(squared, least)
    return xx, yy, zz, xy, xz, yz, least


@_vectorized
def _second(xi, yi, zi, x, y, z, m, one, zero, near):
    """Σ m r rᵀ/r⁵ without dipoles that are too near."""
    xx, yy, zz, xy, xz, yz = zero, zero, zero, zero, zero, zero
    for j in range(len(x)):
        dx, dy, dz = x[j] - xi, y[j] - yi, z[j] - zi
        squared = dx * dx + dy * dy + dz * dz
        inverse = one / math.sqrt(squared) if squared > near else zero
        second = inverse * inverse
        weight = m[j] * (inverse * second) * second
        wx, wy, wz = weight * dx, weight * dy, weight * dz
        xx += wx * dx
        yy += wy * dy
        zz += wz * dz
        xy += wx * dy
        xz += wx * dz
        yz += wy * dz
    return xx, yy, zz, xy, xz, yz


@_vectorized
def _third(xi, yi, zi, x, y, z, m, one, zero, near):
    """xxx, xxy, xxz, xyy, xyz, yyy, yyz of a third of ∂/∂r of Σ m (I − 3 r̂ r̂ᵀ)/r³."""
    two, five = one + one, one + one + one + one + one
    xxx, xxy, xxz, xyy, xyz, yyy, yyz = zero, zero, zero, zero, zero, zero, zero
    for j in range(len(x)):
        # from the dipole to the place: the derivative is by the place
        dx, dy, dz = x[j] - xi, y[j] - yi, z[j] - zi
        squared = dx * dx + dy * dy + dz * dz
        inverse = one / math.sqrt(squared) if squared > near else zero
        second = inverse * inverse
        weight = m[j] * (inverse * second) * second
        wx, wy, wz = weight * dx, weight * dy, weight * dz
        fx, fy = five * second * dx, five * second * dy
        xx, yy = fx * dx - one, fy * dy - one
        xxx += wx * (two - xx)
        xxy -= wy * xx
        xxz -= wz * xx
        xyy -= wx * yy
        xyz -= fx * dy * wz
        yyy += wy * (two - yy)
        yyz -= wz * yy
    return xxx, xxy, xxz, xyy, xyz, yyy, yyz


def _make_sums(stamp, dtype):
    """One task is a part of the rows of a system: the sums over pairs, and the smallest r²."""

    def loop(state):
        frame = native.call_of(state)
        n, chunks = native.number(frame, SITES), native.number(frame, CHUNKS)
        one, zero, most = dtype(1), dtype(0), dtype(3e38) if stamp >= 0 else dtype(0)
        x, y, z, m = np.empty(n, dtype), np.empty(n, dtype), np.empty(n, dtype), np.empty(n, dtype)
        totals = np.empty(6)
        count, system = 0, -1
        task = native.next_task(state)
        while task >= 0:
            if system != task // chunks:
                system = task // chunks
                positions = native.values(native.operand(frame, 0), 3 * n * (system + 1), dtype)
                moments = native.values(native.operand(frame, 1), n * (system + 1), dtype)
                mask = native.values(native.operand(frame, 2), n * (system + 1), np.uint8)
                count = _gather(positions, moments, mask, system, x, y, z, m)
            # parts with about as many pairs each
            part = task % chunks
            first = int(count * (1 - math.sqrt(1 - part / chunks)))
            last = int(count * (1 - math.sqrt(1 - (part + 1) / chunks)))
            totals[:] = 0
            least = most
            for i in range(first, last):
                after = slice(i + 1, count)
                xx, yy, zz, xy, xz, yz, squared = _row(
                    x[i], y[i], z[i], x[after], y[after], z[after], m[after], one, zero, most
                )
                totals[0] += m[i] * xx
                totals[1] += m[i] * yy
                totals[2] += m[i] * zz
                totals[3] += m[i] * xy
                totals[4] += m[i] * xz
                totals[5] += m[i] * yz
                least = min(least, squared)
            found = native.values(native.result(frame, 0), 7 * (task + 1), dtype)
            for k in range(6):
                found[7 * task + k] = totals[k]
            found[7 * task + 6] = least
            task = native.next_task(state)

    return loop


def _make_at(stamp, dtype, elements):
    """One task is a part of the points: what the dipoles of the system add up to there."""

    def loop(state):
        frame = native.call_of(state)
        points, blocks = native.number(frame, POINTS), native.number(frame, BLOCKS)
        n = native.number(frame, AROUND)
        near = dtype(NEAR_SQUARED * native.number(frame, NEAR))
        one, zero = dtype(1), dtype(0) if stamp >= 0 else dtype(1)
        x, y, z, m = np.empty(n, dtype), np.empty(n, dtype), np.empty(n, dtype), np.empty(n, dtype)
        count, system = 0, -1
        task = native.next_task(state)
        while task >= 0:
            if system != task // blocks:
                system = task // blocks
                positions = native.values(native.operand(frame, 1), 3 * n * (system + 1), dtype)
                moments = native.values(native.operand(frame, 2), n * (system + 1), dtype)
                mask = native.values(native.operand(frame, 3), n * (system + 1), np.uint8)
                count = _gather(positions, moments, mask, system, x, y, z, m)
            place = native.values(native.operand(frame, 0), 3 * points * (system + 1), dtype)
            found = native.values(native.result(frame, 0), elements * points * (system + 1), dtype)
            part = task % blocks
            own = slice(0, count)
            first = system * points
            for i in range(first + points * part // blocks, first + points * (part + 1) // blocks):
                xi, yi, zi = place[3 * i], place[3 * i + 1], place[3 * i + 2]
                if elements == 7:
                    a, b, c, d, e, f, g = _third(
                        xi, yi, zi, x[own], y[own], z[own], m[own], one, zero, near
                    )
                    found[elements * i + 6] = g
                else:
                    a, b, c, d, e, f = _second(
                        xi, yi, zi, x[own], y[own], z[own], m[own], one, zero, near
                    )
                found[elements * i] = a
                found[elements * i + 1] = b
                found[elements * i + 2] = c
                found[elements * i + 3] = d
                found[elements * i + 4] = e
                found[elements * i + 5] = f
            task = native.next_task(state)

    return loop


def compile_loop(index, name):
    """Compile a loop of this file; returns what XLA calls."""
    kind, bits = name.rsplit("_", 1)
    dtype = {"32": np.float32, "64": np.float64}[bits]
    if kind == "pair_sums":
        return native.compiled_loop(lambda stamp: _make_sums(stamp, dtype), index)
    elements = {"second_at": 6, "third_at": 7}[kind]
    return native.compiled_loop(lambda stamp: _make_at(stamp, dtype, elements), index)
