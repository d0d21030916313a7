"""Sweeps up and down whose samples are mixed in one table, sorted by field.

Two sweeps differ by hysteresis, a drift, or the delay of a filter. Their samples jump from one
curve to the other, while each curve by itself is smooth, and so is their mean. In one sweep whose
fields are rounded, the samples are smooth in their order, which is that of the recording.
"""

import numpy as np


REPEATED = 0.8
"""A table repeats its fields if this part of them is there twice or more often."""

CHANCE = 1e-7
"""Noise alone makes one block of samples look like two curves in this part of the cases."""

LEAST_RATIO = 4.0
"""Two curves are rougher together than each alone by this factor, in squares."""

BLOCKS, LEAST_IN_BLOCK = 20, 64
"""A table is looked at in this number of blocks, of at least this number of samples."""

CORRELATED = 1.94
"""Samples by independent one, among differences from the mean of both neighbours."""

ROUNDING = 1e-9
"""Differences below this part of the range of the signal are rounding."""


def samples_by_field(field: np.ndarray) -> int:
    """How often nearly each field is there; 1 if most are there once.

    Args:
        field: Ascending, of shape (n,).

    >>> samples_by_field(np.array([330.0, 330, 331, 331])), samples_by_field(np.arange(4.0))
    (2, 1)
    """
    counts = np.diff(_starts(field), append=len(field))
    return int(np.median(counts[counts > 1])) if (counts > 1).mean() >= REPEATED else 1


def are_mixed(field: np.ndarray, signal: np.ndarray) -> bool:
    """Whether the samples lie on two curves in turn, beyond what noise makes.

    Args:
        field: Ascending, of shape (n,).
        signal: Of shape (n,).

    >>> x = np.linspace(330, 346, 161)
    >>> up, down = (np.exp(-((x - at) ** 2)) for at in (338.0, 338.2))
    >>> are_mixed(np.repeat(x, 2), np.stack([up, down], axis=1).ravel())
    True
    >>> are_mixed(np.repeat(x, 2)[:-1], np.interp(np.arange(321) / 2, np.arange(161), up))
    False
    """
    start = _starts(field)
    counts = np.diff(start, append=len(field))
    if (counts > 1).mean() >= REPEATED:
        first = start[counts > 1]
        one, other = signal[first], signal[first + 1]
        # in the order of the file, where the fields are rounded
        order = _roughness(np.arange(len(signal)), signal)[first]
        together = np.minimum((one - other) ** 2 / 2, order)
        # at equal fields any order may be that of the sweeps: their mean is smooth
        alone = 2 * _roughness(field[first], (one + other) / 2)
    else:
        count = len(field) // 2
        together = _roughness(field, signal)[: 2 * count].reshape(-1, 2).mean(axis=1)
        curves = [(field[i : 2 * count : 2], signal[i : 2 * count : 2]) for i in (0, 1)]
        alone = np.mean([_roughness(*curve) for curve in curves], axis=0)
    return _exceeds(together, alone, ROUNDING * float(np.ptp(signal)))


def _starts(field: np.ndarray) -> np.ndarray:
    """The first sample of each field."""
    return np.flatnonzero(np.diff(field, prepend=-np.inf) > 0)


def _roughness(field: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Squares of what a straight line through both neighbours leaves of each sample.

    White noise gives its variance. Both ends are as their neighbours. Shape (n,).
    """
    if len(field) < 3:
        return np.zeros(len(field))
    below, above = np.diff(field)[:-1], np.diff(field)[1:]
    span = below + above
    part = np.divide(below, span, out=np.full(len(span), 0.5), where=span > 0)
    left = signal[1:-1] - (1 - part) * signal[:-2] - part * signal[2:]
    return np.pad(left**2 / (1 + part**2 + (1 - part) ** 2), 1, mode="edge")


def _exceeds(together: np.ndarray, alone: np.ndarray, rounding: float) -> bool:
    """Whether in a block the first squares exceed the second ones by more than chance."""
    from scipy.special import fdtri

    size = min(max(len(alone) // BLOCKS, LEAST_IN_BLOCK), len(alone))
    count = len(alone) // size if size else 0
    if not count:
        return False
    one, other = (
        part[: count * size].reshape(count, size).mean(axis=1) for part in (together, alone)
    )
    freedom = max(size / CORRELATED, 1.0)
    factor = max(LEAST_RATIO, float(fdtri(freedom, freedom, 1 - CHANCE / count)))
    return bool((one > factor * other + rounding**2).any())
