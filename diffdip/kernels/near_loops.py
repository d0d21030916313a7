"""The loops of `near_pairs` on the CPU: sums over the dipoles around each dipole.

Dipoles come sorted by the number of their cell, whose edges are r_c/2. A dipole meets the 25 rows
of cells around it. All dipoles of a row are computed, and those beyond r_c are given no weight, so
that the compiler can use vectors. The sums are the same for any number of threads.
"""

from typing import Any

import numpy as np
from numba import njit  # type: ignore

from . import native_calls as native


SITES, SHARES = native.OWN, native.OWN + 1
"""The whole numbers of the calls: the dipoles of a system, and the parts they are divided into."""

DEGREE = 14
"""Degree of the polynomials."""

# Without "ninf", because a dipole is left out of its own sum by an infinite distance. Two dipoles
# at one place, which give NaN, are seen by their distance.
_vectorized = njit(
    fastmath={"reassoc", "contract", "arcp", "nsz", "afn", "nnan"}, error_model="numpy"
)
_plain = njit(error_model="numpy")

LAWS = 8 + 2 * (DEGREE + 1)
"""Numbers of a system that its loops need: eight, and the coefficients of two polynomials."""

LANES = 64
"""Dipoles that one step of a vectorized loop takes, at most."""

FAR = 1e15
"""A coordinate beyond r_c (nm), for places that are filled up."""


@_plain
def _around(cell, rows, columns, sites, cells, old):
    """Copy the dipoles of the 25 rows around a cell into one array, filled up to whole vectors.

    Cells are numbered along z first, then along y: `columns` along z and `rows` along y, with two
    empty ones at the end of each, so that a row never reaches the next one. Returns the array, the
    number of dipoles, and what has to be added to the number of a dipole of this cell to find it
    there. `old` is used again if it is large enough.
    """
    n, found, count, shift = len(cells), old, 0, 0
    begins, ends = np.empty(25, np.int64), np.empty(25, np.int64)
    for row in range(25):
        middle = cell + ((row // 5 - 2) * rows + row % 5 - 2) * columns
        begins[row] = np.searchsorted(cells, middle - 2)
        ends[row] = np.searchsorted(cells, middle + 3)
        count += ends[row] - begins[row]
    if count + LANES > old.shape[1]:
        found = np.empty((4, 2 * (count + LANES)), sites.dtype)
    count = 0
    for row in range(25):
        begin, end = begins[row], ends[row]
        if row == 12:
            shift = count - begin
        for k in range(4):
            for j in range(begin, end):
                found[k, count + j - begin] = sites[k * n + j]
        count += end - begin
    filled = (count + LANES - 1) // LANES * LANES
    for j in range(count, filled):
        found[0, j] = found[1, j] = found[2, j] = FAR
        found[3, j] = 0
    return found, filled, shift


@_vectorized
def _at_one_second(us, vs, ws, moments, x0, y0, z0, own, numbers, c):
    """Second moments at one dipole, which has the number `own` in the arrays."""
    none, one, three, beyond, limit, scale, fifth, _ = numbers
    xx = yy = zz = xy = xz = yz = none
    for j in range(len(us)):
        x, y, z = us[j] - x0, vs[j] - y0, ws[j] - z0
        squared = x * x + y * y + z * z
        squared = beyond if j == own else squared
        inverse = one / np.sqrt(squared)
        second = inverse * inverse
        t = min(squared * scale - one, one)
        smooth = c[0] * t + c[1]
        smooth = (smooth * t + c[2]) * t + c[3]
        smooth = (smooth * t + c[4]) * t + c[5]
        smooth = (smooth * t + c[6]) * t + c[7]
        smooth = (smooth * t + c[8]) * t + c[9]
        smooth = (smooth * t + c[10]) * t + c[11]
        smooth = (smooth * t + c[12]) * t + c[13]
        smooth = smooth * t + c[14]
        w = three * (second * inverse) * second - fifth * smooth
        w = w * moments[j]
        w = w if squared < limit else none  # a load under a condition would hinder vectors
        wx, wy, wz = w * x, w * y, w * z
        xx += wx * x
        yy += wy * y
        zz += wz * z
        xy += wx * y
        xz += wx * z
        yz += wy * z
    return xx, yy, zz, xy, xz, yz


@_vectorized
def _nearest(us, vs, ws, x0, y0, z0, own, least):
    """Lower the squared distances in `least`, one for each lane, so that the loop has vectors."""
    for base in range(0, len(us), LANES):
        u, v, w = us[base : base + LANES], vs[base : base + LANES], ws[base : base + LANES]
        for k in range(LANES):
            x, y, z = u[k] - x0, v[k] - y0, w[k] - z0
            squared = x * x + y * y + z * z
            lower = (squared < least[k]) & (k + base != own)
            least[k] = squared if lower else least[k]


@_vectorized
def _at_one_slopes(us, vs, ws, moments, x0, y0, z0, own, numbers, c, slope):
    """The sums of `near_slopes` at one dipole."""
    none, one, three, beyond, limit, scale, fifth, seventh = numbers
    five = three + one + one
    xxx = xxy = xxz = xyy = xyz = xzz = yyy = yyz = yzz = zzz = none
    sx = sy = sz = none
    for j in range(len(us)):
        x, y, z = us[j] - x0, vs[j] - y0, ws[j] - z0
        squared = x * x + y * y + z * z
        squared = beyond if j == own else squared
        inverse = one / np.sqrt(squared)
        second = inverse * inverse
        t = min(squared * scale - one, one)
        smooth = c[0] * t + c[1]
        smooth = (smooth * t + c[2]) * t + c[3]
        smooth = (smooth * t + c[4]) * t + c[5]
        smooth = (smooth * t + c[6]) * t + c[7]
        smooth = (smooth * t + c[8]) * t + c[9]
        smooth = (smooth * t + c[10]) * t + c[11]
        smooth = (smooth * t + c[12]) * t + c[13]
        smooth = smooth * t + c[14]
        steep = slope[0] * t + slope[1]
        steep = (steep * t + slope[2]) * t + slope[3]
        steep = (steep * t + slope[4]) * t + slope[5]
        steep = (steep * t + slope[6]) * t + slope[7]
        steep = (steep * t + slope[8]) * t + slope[9]
        steep = (steep * t + slope[10]) * t + slope[11]
        steep = (steep * t + slope[12]) * t + slope[13]
        steep = steep * t + slope[14]
        pure = three * (second * inverse) * second
        w = pure - fifth * smooth
        v = -five * pure * second - seventh * steep
        w, v = w * moments[j], v * moments[j]
        w = w if squared < limit else none  # a load under a condition would hinder vectors
        v = v if squared < limit else none
        vxx, vyy, vzz, vxy = v * x * x, v * y * y, v * z * z, v * x * y
        xxx += vxx * x
        xxy += vxx * y
        xxz += vxx * z
        xyy += vyy * x
        xyz += vxy * z
        xzz += vzz * x
        yyy += vyy * y
        yyz += vyy * z
        yzz += vzz * y
        zzz += vzz * z
        sx += w * x
        sy += w * y
        sz += w * z
    return xxx, xxy, xxz, xyy, xyz, xzz, yyy, yyz, yzz, zzz, sx, sy, sz


def _make(stamp, dtype, elements):
    """One task is a part of the dipoles: what those around each of them add up to.

    And the squared distance of the closest pair of the part, if there are six sums.
    """

    def loop(state):
        frame = native.call_of(state)
        n, shares = native.number(frame, SITES), native.number(frame, SHARES)
        beyond = np.iinfo(np.int32).max if stamp >= 0 else 0
        least = np.empty(LANES, dtype)
        near = np.empty((4, 4096), dtype)
        task = native.next_task(state)
        while task >= 0:
            system, part = task // shares, task % shares
            sites = native.values(native.operand(frame, 0), 4 * n * (system + 1), dtype)
            sites = sites[4 * n * system :]
            cells = native.values(native.operand(frame, 1), n * (system + 1), np.int32)
            cells = cells[n * system :]
            sizes = native.values(native.operand(frame, 2), 2 * (system + 1), np.int32)
            laws = native.values(native.operand(frame, 3), LAWS * (system + 1), dtype)
            laws = laws[LAWS * system :]
            numbers, c, slope = laws[:8], laws[8 : 9 + DEGREE], laws[9 + DEGREE : LAWS]
            found = native.values(native.result(frame, 0), elements * n * (system + 1), dtype)
            found = found[elements * n * system :]
            least[:] = numbers[3]
            current, count, shift = -1, 0, 0
            for i in range(n * part // shares, n * (part + 1) // shares):
                out = found[elements * i : elements * (i + 1)]
                if cells[i] == beyond:  # masked
                    out[:] = 0
                    continue
                if cells[i] != current:
                    current = cells[i]
                    rows, columns = sizes[2 * system], sizes[2 * system + 1]
                    near, count, shift = _around(current, rows, columns, sites, cells, near)
                x, y, z, m = near[0][:count], near[1][:count], near[2][:count], near[3][:count]
                at, own = (sites[i], sites[n + i], sites[2 * n + i]), i + shift
                if elements == 6:
                    sums = _at_one_second(x, y, z, m, *at, own, numbers, c)
                    _nearest(x, y, z, *at, own, least)
                else:
                    sums = _at_one_slopes(x, y, z, m, *at, own, numbers, c, slope)
                for k in range(elements):
                    out[k] = sums[k]
            closest = native.values(native.result(frame, 1), task + 1, dtype)
            closest[task] = least.min()
            task = native.next_task(state)

    return loop


def compile_loop(index: int, name: str) -> Any:
    """Compile a loop of this file; returns what XLA calls."""
    kind, bits = name.rsplit("_", 1)
    dtype = {"32": np.float32, "64": np.float64}[bits]
    elements = {"near_sums": 6, "near_slopes": 13}[kind]
    return native.compiled_loop(lambda stamp: _make(stamp, dtype, elements), index)
