"""Resonances in the plane and their derivatives, in loops for the CPU: those of `planar_solver`.

Places come in blocks that stay in the cache. Each step of a search is one loop over a block, so
that the compiler can use vectors. A place has the same result in any block.
"""

import math
from typing import Any

import numpy as np
from numba import njit  # type: ignore

from . import native_calls as native


PLACES, SEPARATION, STEPS, POLISHING, SHARE = (native.OWN + k for k in range(5))
"""The whole numbers of the calls: the places, the steps of three searches, and places of a task."""

BLOCK = 128
"""Places of a block."""

_FREE = {"nsz", "arcp", "contract", "afn", "reassoc"}
_vectorized = njit(fastmath=_FREE, error_model="numpy")


# several loops, because with too many arrays in one the compiler does not use vectors


@_vectorized
def _orient(b, c, hx, hy, floor, splitting, weight, frame):
    """The axes of b and c in the frame of the field, half their splitting, and a weight."""
    for k in range(len(b)):
        half = 0.5 * b[k]
        radius = math.sqrt(half * half + c[k] * c[k])
        # the hard axis, without cancellation for either sign of b
        x = c[k] if half < 0 else radius + half
        y = radius - half if half < 0 else c[k]
        x, y = (x, y) if radius > 0 else (1 + 0 * x, 0 * y)
        size = 1 / math.sqrt(x * x + y * y)
        x, y = x * size, y * size
        hard, easy = hx[k] * x + hy[k] * y, hy[k] * x - hx[k] * y
        hard = -max(-hard, floor) if hard < 0 else max(hard, floor)
        easy = -max(-easy, floor) if easy < 0 else max(easy, floor)
        splitting[k] = radius
        weight[k] = easy * easy / (easy * easy + hard * hard)
        frame[0, k], frame[1, k], frame[2, k], frame[3, k] = -easy * y, easy * x, hard * x, hard * y


@_vectorized
def _expand(a, larmor, splitting, weight, q3, q2, q1, q0, gap):
    """The quartic of each place."""
    for k in range(len(a)):
        d, n, w = 2 * splitting[k] / larmor[k], (splitting[k] - 1.5 * a[k]) / larmor[k], weight[k]
        q3[k] = n + 3 * d * w
        q2[k] = 3 * w * d * (d + n) - 1
        q1[k] = w * d * (d * d + 3 * d * n - 2)
        q0[k] = w * d * d * (d * n - 1)
        gap[k] = d


@_vectorized
def _enclose(a, larmor, splitting, q3, q2, ends, bends):
    """What separates the roots of each quartic."""
    for k in range(len(a)):
        n = (splitting[k] - 1.5 * a[k]) / larmor[k]
        lower = max(-n, 0 * n)
        upper = lower + 1.001
        discriminant = 36 * q3[k] * q3[k] - 96 * q2[k]
        root = math.sqrt(max(discriminant, 0 * n))
        first = min(max((-6 * q3[k] - root) / 24, lower), upper)
        second = min(max((-6 * q3[k] + root) / 24, lower), upper)
        ends[0, k], ends[1, k] = lower, upper
        bends[0, k] = first if discriminant > 0 else lower
        bends[1, k] = second if discriminant > 0 else lower
        bends[2, k] = upper


@_vectorized
def _separate(q3, q2, q1, ends, bends):
    """One step towards the two minima, each from outside."""
    for k in range(len(q3)):
        x, y = ends[0, k], ends[1, k]
        slope = ((4 * x + 3 * q3[k]) * x + 2 * q2[k]) * x + q1[k]
        curvature = (12 * x + 6 * q3[k]) * x + 2 * q2[k]
        newton = x - slope / (curvature if curvature != 0 else 1 + curvature)
        ends[0, k] = min(max(newton, x), bends[0, k])
        slope = ((4 * y + 3 * q3[k]) * y + 2 * q2[k]) * y + q1[k]
        curvature = (12 * y + 6 * q3[k]) * y + 2 * q2[k]
        newton = y - slope / (curvature if curvature != 0 else 1 + curvature)
        ends[1, k] = min(max(newton, bends[1, k]), y)


@_vectorized
def _bracket(q3, q2, q1, q0, ends, bends, sign, root, exists):
    """The bracket of the largest root, and where its search starts."""
    for k in range(len(q3)):
        before, after = ends[0, k], ends[1, k]
        beyond = (((after + q3[k]) * after + q2[k]) * after + q1[k]) * after + q0[k]
        inside = (((before + q3[k]) * before + q2[k]) * before + q1[k]) * before + q0[k]
        outer = beyond < 0
        exists[k] = 1 if outer or inside < 0 else 0
        lower, at_lower = (after, beyond) if outer else (before, inside)
        upper = bends[2, k] if outer else bends[1, k]
        at_upper = (((upper + q3[k]) * upper + q2[k]) * upper + q1[k]) * upper + q0[k]
        sign[k] = 1 if at_lower < 0 else -1
        nearer = abs(at_lower) < abs(at_upper)
        end, height = (lower, at_lower) if nearer else (upper, at_upper)
        curvature = (12 * end + 6 * q3[k]) * end + 2 * q2[k]
        reach = math.sqrt(abs(2 * height / (curvature if curvature != 0 else 1 + curvature)))
        guess = lower + reach if nearer else upper - reach
        root[k] = guess if guess > lower and guess < upper else (lower + upper) / 2
        ends[0, k], ends[1, k] = lower, upper


@_vectorized
def _approach(q3, q2, q1, q0, rounding, ends, sign, root):
    """One step of Newton's method within the bracket."""
    for k in range(len(q3)):
        x = root[k]
        value = (((x + q3[k]) * x + q2[k]) * x + q1[k]) * x + q0[k]
        slope = ((4 * x + 3 * q3[k]) * x + 2 * q2[k]) * x + q1[k]
        above = value * sign[k] > 0
        lower, upper = ends[0, k], ends[1, k]
        lower, upper = lower if above else x, x if above else upper
        newton = x - value / (slope if slope != 0 else 1 + slope)
        kept = min(max(newton, lower), upper)
        root[k] = kept if abs(newton - kept) <= rounding else (lower + upper) / 2
        ends[0, k], ends[1, k] = lower, upper


@_vectorized
def _direct(gap, frame, root, x, y):
    """The direction of M at a root."""
    for k in range(len(gap)):
        p, q = root[k], root[k] + gap[k]
        ux, uy = q * frame[0, k] + p * frame[2, k], q * frame[1, k] + p * frame[3, k]
        size = ux * ux + uy * uy
        size = 1 / math.sqrt(size if size > 0 else 1 + size)
        size = -size if p * q < 0 else size
        x[k], y[k] = ux * size, uy * size


@_vectorized
def _polish(a, b, c, hx, hy, larmor, x, y):
    """One step of Newton's method for the angle of M."""
    for k in range(len(a)):
        ux, uy = x[k], y[k]
        cos2, sin2 = ux * ux - uy * uy, 2 * ux * uy
        diagonal, torque = 0.5 * b[k] * cos2 + c[k] * sin2, c[k] * cos2 - 0.5 * b[k] * sin2
        difference = 0.5 * diagonal - 0.75 * a[k]
        root = math.sqrt(difference * difference + larmor[k] * larmor[k])
        parallel = 1.5 * diagonal + 0.75 * a[k] + root
        by_angle = (3 + difference / root) * torque
        cos, sin = hx[k] * ux + hy[k] * uy, hx[k] * uy - hy[k] * ux
        stiffness = (by_angle - torque) * sin + (parallel - 2 * diagonal) * cos
        stiffness = stiffness if stiffness != 0 else 1 + stiffness
        tangent = -(parallel * sin + torque * cos) / stiffness
        size = 1 / math.sqrt(1 + tangent * tangent)
        x[k], y[k] = (ux - tangent * uy) * size, (uy + tangent * ux) * size


@_vectorized
def _slope(a, b, c, hx, hy, larmor, x, y, exists, field, by_a, by_b, by_c, by_angle, by_larmor):
    """The field and its derivatives, for M along x and y: see `planar_solver`."""
    for k in range(len(a)):
        ux, uy = x[k], y[k]
        cos2, sin2 = ux * ux - uy * uy, 2 * ux * uy
        diagonal, torque = 0.5 * b[k] * cos2 + c[k] * sin2, c[k] * cos2 - 0.5 * b[k] * sin2
        difference = 0.5 * diagonal - 0.75 * a[k]
        inverse = 1 / math.sqrt(difference * difference + larmor[k] * larmor[k])
        share, one = difference * inverse, 0.5 * difference * inverse + 1.5
        root = difference * difference * inverse + larmor[k] * larmor[k] * inverse
        parallel = 1.5 * diagonal + 0.75 * a[k] + root
        cos, sin = hx[k] * ux + hy[k] * uy, hx[k] * uy - hy[k] * ux
        along = parallel * cos - torque * sin
        turned_p, turned_t = 2 * one * torque, -2 * diagonal
        sideways = turned_p * cos - turned_t * sin
        stiffness = turned_p * sin + turned_t * cos + along
        turn = sideways / (stiffness if stiffness != 0 else 1 + stiffness)
        known = exists[k] > 0
        none = exists[k] - exists[k]
        # each change of P acts along the field and, with M turning, across it
        with_p, with_t = cos - turn * sin, -sin - turn * cos
        by_larmor[k] = larmor[k] * inverse * with_p if known else none
        by_a[k] = (0.75 - 0.75 * share) * with_p if known else none
        by_b[k] = 0.5 * (one * cos2 * with_p - sin2 * with_t) if known else none
        by_c[k] = one * sin2 * with_p + cos2 * with_t if known else none
        by_angle[k] = along * turn if known else none
        size = math.sqrt(parallel * parallel + torque * torque)
        field[k] = size if known else math.nan


def _make(stamp, dtype):
    """One task is a share of the places.

    The rows of the result are the field, NaN where there is no resonance, and its derivatives by
    a, b, c, angle and w0, zero there.
    """
    floor = dtype(np.finfo(dtype).eps ** 0.6)

    def loop(state):
        frame = native.call_of(state)
        n = native.number(frame, PLACES)
        separation, steps = native.number(frame, SEPARATION), native.number(frame, STEPS)
        share = native.number(frame, SHARE)
        polishing = native.number(frame, POLISHING) if stamp >= 0 else 0
        work, axes = np.empty((10, BLOCK), dtype), np.empty((4, BLOCK), dtype)
        ends, bends = np.empty((2, BLOCK), dtype), np.empty((3, BLOCK), dtype)
        a = native.values(native.operand(frame, 0), n, dtype)
        b = native.values(native.operand(frame, 1), n, dtype)
        c = native.values(native.operand(frame, 2), n, dtype)
        hx = native.values(native.operand(frame, 3), n, dtype)
        hy = native.values(native.operand(frame, 4), n, dtype)
        larmor = native.values(native.operand(frame, 5), n, dtype)
        found = native.values(native.result(frame, 0), 6 * n, dtype)
        task = native.next_task(state)
        while task >= 0:
            for first in range(task * share, min((task + 1) * share, n), BLOCK):
                last = min(first + BLOCK, n)
                own, few = slice(first, last), slice(0, last - first)
                given = a[own], b[own], c[own], hx[own], hy[own], larmor[own]
                # rows that numba knows to be contiguous, so that loops over them use vectors
                q3, q2, q1, q0, gap = (
                    work[0, few], work[1, few], work[2, few], work[3, few], work[4, few]
                )  # fmt: skip
                root, x, y, exists, sign = (
                    work[5, few], work[6, few], work[7, few], work[8, few], work[9, few]
                )  # fmt: skip
                # until the search begins, two rows are free for intermediate results
                _orient(b[own], c[own], hx[own], hy[own], floor, sign, root, axes)
                _expand(a[own], larmor[own], sign, root, q3, q2, q1, q0, gap)
                _enclose(a[own], larmor[own], sign, q3, q2, ends, bends)
                for _ in range(separation):
                    _separate(q3, q2, q1, ends, bends)
                _bracket(q3, q2, q1, q0, ends, bends, sign, root, exists)
                for _ in range(steps):
                    _approach(q3, q2, q1, q0, floor, ends, sign, root)
                _direct(gap, axes, root, x, y)
                for _ in range(polishing):
                    _polish(*given, x, y)
                rows = found[first:], found[n + first :], found[2 * n + first :]
                more = found[3 * n + first :], found[4 * n + first :], found[5 * n + first :]
                _slope(*given, x, y, exists, *rows, *more)
            task = native.next_task(state)

    return loop


def compile_loop(index: int, name: str) -> Any:
    """Compile a loop of this file; returns what XLA calls."""
    dtype = {"planar_fields_32": np.float32, "planar_fields_64": np.float64}[name]
    return native.compiled_loop(lambda stamp: _make(stamp, dtype), index)
