"""By how much the ground under a line shifts its zero crossing.

The ground is read beside the line, at the same distance on both sides, where the tails of an
absorption line cancel; for a broad line it is a polynomial that is fitted together with the line.
A baseline that was fitted to the tails of a broad line takes a part of the line away: it makes such
a ground.
"""

from typing import NamedTuple

import numpy as np

from .definitions import SHAPES
from .ground import polynomials
from .line_shapes import columns
from .lines import Lines, Preparation


CENTRAL_SLOPE = 1.65
"""Slope of a Gaussian line at its centre, in heights by width; a Lorentzian line has 1.54."""

NEAREST, BEYOND = 4.0, 1.5
"""The ground at a line is read in zones that begin at 4, 6, 9, … widths from it."""

LEAST_IN_ZONE = 5
"""Samples of such a zone."""

BROAD = 40.0
"""In a sweep over fewer widths of the line, the line and the ground are fitted together."""

BLOCKS = 400
"""The samples are averaged to about this number for that fit."""

WIDTHS = (0.85, 1.0, 1.18)
"""Factors of the width in that fit, which let the shape of the line vary."""

LEAST_ORDER, HIGHER = 3, 2
"""Order of the polynomial that then is the ground: at least 3, and 2 above the baseline."""

CLEAR = 5.0
"""A ground of this many standard errors is there."""

MISMATCH = 0.005
"""A line of a shape that is not fitted may leave this part of its height."""

MOST_LINES = 4
"""With more lines, their tails and the ground cannot be separated."""


def crossing_shift(lines: Lines, index: int, position: float, preparation: Preparation) -> float:
    """The estimated shift of a zero crossing by the ground, in the unit of the field.

    0 if the sweep does not determine it.

    Args:
        lines: All lines of the spectrum.
        index: The line.
        position: Its zero crossing.
        preparation: What was done to the signal.
    """
    width, height = float(lines.width[index]), float(lines.height[index])
    offset = _between_zones(lines, index, position)
    if np.ptp(lines.field) < BROAD * width and (lines.width > 0).all():
        blocks = _blocks(lines)
        other = _fitted(lines, index, preparation, blocks) or _taken(
            lines, index, preparation, blocks
        )
        offset = max(offset, other, key=abs)
    falls = lines.signal[lines.last[index]] < lines.signal[lines.first[index]]
    return (1 if falls else -1) * offset * width / (CENTRAL_SLOPE * height)


def _between_zones(lines: Lines, index: int, position: float) -> float:
    """The ground at a line, from samples at the same distance on both sides of it.

    The tails of an absorption line cancel there, and half of those of a dispersion line is allowed
    for: what is left does not come from the line. 0 if the sweep is too short for it.
    """
    field, signal = lines.field, lines.signal
    width, height = float(lines.width[index]), float(lines.height[index])
    apart = np.abs(np.delete(lines.position, index) - position)
    found = 0.0
    near = NEAREST * width
    while near > 0:
        far = BEYOND * near
        if not (field[0] <= position - far and position + far <= field[-1]):
            return found
        zones = [
            signal[np.searchsorted(field, low) : np.searchsorted(field, low + far - near)]
            for low in (position - far, position + near)
        ]
        clear = not ((apart > near - 2 * width) & (apart < far + 2 * width)).any()
        if clear and min(map(len, zones)) >= LEAST_IN_ZONE:
            offset = sum(float(np.median(zone)) for zone in zones) / 2
            # -Im 1/(x + i)² of a line of width 1 falls off as 0.58/x²
            own = 0.5 * 0.58 * height * (width / near) ** 2
            rest = float(np.sign(offset)) * max(abs(offset) - own, 0.0)
            found = max(found, rest, key=abs)
        near = far
    return found


class _Blocks(NamedTuple):
    """Means of field and signal over blocks of `size` samples."""

    field: np.ndarray
    signal: np.ndarray
    size: int


def _blocks(lines: Lines) -> _Blocks:
    """Blocks, about ten of them on a line."""
    size = max(1, len(lines.field) // BLOCKS)
    count = len(lines.field) // size
    field, signal = (
        values[: count * size].reshape(count, size).mean(axis=1)
        for values in (lines.field, lines.signal)
    )
    return _Blocks(field, signal, size)


def _fitted(lines: Lines, index: int, preparation: Preparation, blocks: _Blocks) -> float:
    """The ground at a line from a fit of the lines and a polynomial; 0 if it is not clear."""
    if len(lines) > MOST_LINES or preparation.phase_deg:
        return 0.0
    field, signal, size = blocks
    order = max(LEAST_ORDER, (preparation.baseline or 0) + HIGHER)
    powers = polynomials(field, order)
    shapes = [_shapes(field, lines, i) for i in range(len(lines))]
    design = np.concatenate([powers, *shapes], axis=1)
    if len(design) < 2 * design.shape[1]:
        return 0.0
    inverse = np.linalg.pinv(design, rcond=1e-9)
    at = np.argmin(np.abs(field - lines.position[index]))
    weights = powers[at] @ inverse[: powers.shape[1]]
    rest = signal - design @ (inverse @ signal)
    # what the fit leaves makes its errors larger
    noise = lines.noise.of_sum(np.full(size, 1 / size))
    excess = max(1.0, float(rest.std()) / (noise or 1.0))
    each = np.zeros(len(lines.field))
    each[: len(field) * size] = np.repeat(weights / size, size)
    error = excess * lines.noise.of_sum(preparation.adjoint(lines.field, each))
    offset = float(weights @ signal)
    least = max(CLEAR * error, MISMATCH * float(lines.height[index]))
    return offset if abs(offset) > least else 0.0


def _shapes(field: np.ndarray, lines: Lines, index: int) -> np.ndarray:
    """Absorption and dispersion of Lorentzian and Gaussian lines of height 1, (n, 12)."""
    parts = [
        columns(
            field,
            lines.position[index],
            factor * shape.extrema_to_half * lines.width[index],
            shape.fraction,
            None,
        )
        for shape in (SHAPES["lorentzian"], SHAPES["gaussian"])
        if shape.fraction is not None
        for factor in WIDTHS
    ]
    both = np.concatenate(parts, axis=1)
    return both / np.maximum(np.ptp(both, axis=0), np.finfo(float).tiny)


def _taken(lines: Lines, index: int, preparation: Preparation, blocks: _Blocks) -> float:
    """The ground that a baseline makes of the tails of a line, from a fit of its shape."""
    if preparation.baseline is None:
        return 0.0
    shapes = _shapes(blocks.field, lines, index)
    only = Preparation(baseline=preparation.baseline)
    prepared = np.stack([only.apply(blocks.field, shape) for shape in shapes.T], axis=1)
    factors = np.linalg.pinv(prepared, rcond=1e-6) @ blocks.signal
    at = np.argmin(np.abs(blocks.field - lines.position[index]))
    return float((prepared - shapes)[at] @ factors)
