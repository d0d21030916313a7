"""The loops of `near_pairs` on the CPU, compiled by numba.

Dipoles are sorted into cells with edges of r_c/2. A dipole meets the 25 rows of cells around it.
All dipoles of a row are computed, and those beyond r_c are given no weight, so that the compiler
can use vectors. Threads share the dipoles; each writes its own results, so that those are the same
for any number of threads. A call holds nothing that another one could share.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np


# Without "ninf", because a dipole is left out of its own sum by an infinite distance. Two dipoles
# at one place, which give NaN, are seen by their distance.
_FAST = {"reassoc", "contract", "arcp", "nsz", "afn", "nnan"}

_SHARE = 4096
"""Dipoles in one piece of work of a thread."""

LANES = 64
"""Dipoles that one step of a vectorized loop takes, at most."""

FAR = 1e15
"""A coordinate beyond r_c (nm), for places that are filled up."""


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    options = {"nogil": True, "fastmath": _FAST, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # there is no folder that can be written
        return numba.njit(**options)(function)


@_compiled
def _cells(positions, mask, corner, cut):
    """Number of the cell of each dipole (−1 if masked), and the cells along each axis."""
    count = len(mask)
    cell = np.full((count, 3), -1, np.int32)
    sizes = np.ones(3, np.int64)
    scale = 2 / cut
    for i in range(count):
        if mask[i]:
            for axis in range(3):
                at = np.int32((positions[i, axis] - corner[axis]) * scale)
                cell[i, axis] = at
                sizes[axis] = max(sizes[axis], at + 1)
    numbers = np.full(count, -1, np.int64)
    for i in range(count):
        if mask[i]:
            numbers[i] = (cell[i, 0] * sizes[1] + cell[i, 1]) * sizes[2] + cell[i, 2]
    return numbers, sizes


@_compiled
def _sort(numbers, total):
    """Dipoles in the order of their cells, and where each cell begins."""
    starts = np.zeros(total + 1, np.int64)
    for number in numbers:
        if number >= 0:
            starts[number + 1] += 1
    for cell in range(total):
        starts[cell + 1] += starts[cell]
    place = starts[:-1].copy()
    order = np.empty(starts[total], np.int64)
    for i in range(len(numbers)):
        if numbers[i] >= 0:
            order[place[numbers[i]]] = i
            place[numbers[i]] += 1
    return order, starts


@_compiled
def _around(cell, sizes, starts, sites, old):
    """Copy the dipoles of the 25 rows around a cell into one array, filled up to whole vectors.

    Returns the array, their number, and what has to be added to the number of a dipole of this
    cell to find it there. `old` is used again if it is large enough.
    """
    plane = sizes[1] * sizes[2]
    cx, cy, cz = cell // plane, cell % plane // sizes[2], cell % sizes[2]
    low, high = max(cz - 2, 0), min(cz + 2, sizes[2] - 1) + 1
    found, count, shift = old, 0, 0
    for copying in range(2):
        count = 0
        for x in range(max(cx - 2, 0), min(cx + 2, sizes[0] - 1) + 1):
            for y in range(max(cy - 2, 0), min(cy + 2, sizes[1] - 1) + 1):
                row = (x * sizes[1] + y) * sizes[2]
                begin, end = starts[row + low], starts[row + high]
                if copying:
                    for k in range(4):
                        for j in range(begin, end):
                            found[k, count + j - begin] = sites[k, j]
                    if x == cx and y == cy:
                        shift = count - begin
                count += end - begin
        if not copying and count + LANES > old.shape[1]:
            found = np.empty((4, 2 * (count + LANES)), sites.dtype)
    filled = (count + LANES - 1) // LANES * LANES
    for j in range(count, filled):
        found[0, j] = found[1, j] = found[2, j] = FAR
        found[3, j] = 0
    return found, filled, shift


@_compiled
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


@_compiled
def _nearest(us, vs, ws, x0, y0, z0, own, least):
    """Lower the squared distances in `least`, one for each lane, so that the loop has vectors."""
    for base in range(0, len(us), LANES):
        u, v, w = us[base : base + LANES], vs[base : base + LANES], ws[base : base + LANES]
        for k in range(LANES):
            x, y, z = u[k] - x0, v[k] - y0, w[k] - z0
            squared = x * x + y * y + z * z
            lower = (squared < least[k]) & (k + base != own)
            least[k] = squared if lower else least[k]


@_compiled
def _second(first, last, sites, cells, order, starts, sizes, numbers, c, _, found):
    current, near, count, shift = -1, np.empty((4, 4096), sites.dtype), 0, 0
    least = np.full(LANES, numbers[3])
    for i in range(first, last):
        if cells[i] != current:
            current = cells[i]
            near, count, shift = _around(current, sizes, starts, sites, near)
        x, y, z, m = near[0][:count], near[1][:count], near[2][:count], near[3][:count]
        place = sites[0, i], sites[1, i], sites[2, i]
        sums = _at_one_second(x, y, z, m, *place, i + shift, numbers, c)
        out = found[order[i]]
        for k in range(6):
            out[k] = sums[k]
        _nearest(x, y, z, *place, i + shift, least)
    return least.min()


@_compiled
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


@_compiled
def _slopes(first, last, sites, cells, order, starts, sizes, numbers, c, slope, found):
    current, near, count, shift = -1, np.empty((4, 4096), sites.dtype), 0, 0
    for i in range(first, last):
        if cells[i] != current:
            current = cells[i]
            near, count, shift = _around(current, sizes, starts, sites, near)
        x, y, z, m = near[0][:count], near[1][:count], near[2][:count], near[3][:count]
        place = sites[0, i], sites[1, i], sites[2, i]
        sums = _at_one_slopes(x, y, z, m, *place, i + shift, numbers, c, slope)
        for k in range(13):
            found[order[i], k] = sums[k]
    return numbers[0]


def near_loop(
    derivative: bool,
    powers: tuple[tuple[float, ...], tuple[float, ...]],
    positions: Any,
    moments: Any,
    mask: Any,
    corner: Any,
    cut: Any,
    eta: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """The sums of `near_pairs` at all dipoles: six, or 13 for derivatives. Zero for masked ones.

    And the squared distance of the closest pair: exact if it is below r_c², 0 for derivatives.
    """
    positions, moments, mask, corner, cut, eta = (
        np.asarray(a) for a in (positions, moments, mask, corner, cut, eta)
    )
    dtype = positions.dtype.type
    found = np.zeros((len(mask), 13 if derivative else 6), dtype)
    cells, sizes = _cells(positions, mask, corner, cut[()])
    order, starts = _sort(cells, int(np.prod(sizes)))
    sites, cells = np.stack([*positions[order].T, moments[order]]), cells[order]
    loop = _slopes if derivative else _second
    coefficients = [np.array(row, dtype) for row in powers]
    # all of one type: a number of Python would make the loops compute in float64
    numbers = (0, 1, 3, np.inf, cut**2, 2 / cut**2, eta**5, 2 * eta**7)
    numbers = tuple(dtype(number) for number in numbers)

    def share(first: int) -> Any:
        last = min(first + _SHARE, len(order))
        where = (first, last, sites, cells, order, starts, sizes)
        return loop(*where, numbers, *coefficients, found)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        least = list(threads.map(share, range(0, len(order), _SHARE)))
    return found, np.asarray(min(least, default=dtype(np.inf)), dtype)
