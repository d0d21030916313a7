"""Cells of a container, so that a crystal is compared only with those around it.

The edge of a cell is a diameter or more, so crystals that overlap are in the same cell or in
neighbouring ones. The crystals of a cell form a chain: `latest` has the last one that was put into
each cell, `before` the one put there before it, and −1 ends the chain. A rim of empty cells
surrounds the others. Where there is one cell, all crystals are compared, with vectors.
"""

import numpy as np
from numba import njit

from .packing_laws import CYLINDER, SPHERE


FEW = 512
"""Up to this number of crystals there is one cell: it takes longer to look into 27."""

COMPARED = 32
"""Crystals that are compared before the next look whether one of them overlaps."""

MOST_CELLS = 8
"""The most cells for each crystal. In dilute packings the cells are larger."""

_compiled = njit(error_model="numpy")
_vectorized = njit(fastmath={"nsz", "contract"}, error_model="numpy")


@_compiled
def divide(kind, sizes, crystals, half, counts):
    """Set the half sizes of the container and the counts of cells along each axis.

    Returns the number of cells, with the rim.
    """
    half[:] = sizes[7:10]
    if kind == CYLINDER:
        half[1], half[2] = sizes[7], sizes[8]
    if kind == SPHERE:
        half[:] = sizes[7]
    counts[:] = 1
    edge = sizes[0] * (1 + 1e-9)  # so that rounding moves no crystal beyond the next cell
    while crystals > FEW:
        total = 1.0
        for axis in range(3):
            # a half size is NaN if no crystal fits
            along = max(np.floor(2 * half[axis] / edge), 1.0) if half[axis] > 0 else 1.0
            counts[axis] = np.int64(min(along, 1e9))
            total *= along
        if total <= MOST_CELLS * crystals:
            break
        edge *= 1.2
    return (counts[0] + 2) * (counts[1] + 2) * (counts[2] + 2)


@_compiled
def cell_at(x, y, z, half, counts):
    """The number of the cell at a point in the container."""
    cell = 0
    for axis in range(3):
        at = x if axis == 0 else y if axis == 1 else z
        along = 0
        if counts[axis] > 1:
            share = (at + half[axis]) / (2 * half[axis])
            along = min(max(np.int64(share * counts[axis]), 0), counts[axis] - 1)
        cell = cell * (counts[axis] + 2) + along + 1
    return cell


@_vectorized
def _overlapped(x, y, z, centers, first, last, least):
    """How many of some crystals are too near, by their squared distances."""
    number = 0
    for k in range(np.uint64(first), np.uint64(last)):  # no index is negative
        dx, dy, dz = x - centers[0, k], y - centers[1, k], z - centers[2, k]
        number += dx * dx + dy * dy + dz * dz < least
    return number


@_compiled
def has_room(x, y, z, diameter, centers, placed, counts, cell, latest, before):
    """Whether a crystal in this cell overlaps none of those placed."""
    if counts[0] * counts[1] * counts[2] == 1:
        for first in range(0, placed, COMPARED):
            last = min(first + COMPARED, placed)
            if _overlapped(x, y, z, centers, first, last, diameter * diameter) > 0:
                return False
        return True
    across, along = counts[2] + 2, (counts[1] + 2) * (counts[2] + 2)
    # along an axis with a single cell there is only the rim
    i_most, j_most = along * (counts[0] > 1), across * (counts[1] > 1)
    k_most = 1 * (counts[2] > 1)
    for i in range(cell - i_most, cell + i_most + 1, along):
        for j in range(i - j_most, i + j_most + 1, across):
            for k in range(j - k_most, j + k_most + 1):
                other = latest[k]
                while other >= 0:
                    dx, dy = x - centers[0, other], y - centers[1, other]
                    dz = z - centers[2, other]
                    if dx * dx + dy * dy + dz * dz < diameter * diameter:
                        return False
                    other = before[other]
    return True
