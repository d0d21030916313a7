"""The values of measured quantities that are accepted, in SI units. Needs no JAX."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from .flags import Flag
from .units import MU_B, PLANCK


@dataclass(frozen=True)
class Accepted:
    """The values in SI units that are accepted, as a test and as a phrase for errors.

    The test takes numbers and arrays; it is false for NaN.
    """

    holds: Callable[[Any], Any]
    expected: str


ACCEPTED: Final = {
    "angle": Accepted(lambda x: abs(x) <= 20 * np.pi, "an angle within ±3600°"),
    "field": Accepted(lambda x: (x >= 1e-9) & (x <= 100), "a field above 0 and up to 100 T"),
    "sigma": Accepted(lambda x: (x >= 1e-12) & (x <= 100), "an error above 0"),
    "frequency": Accepted(lambda x: (x >= 1e6) & (x <= 1e13), "a frequency of 1 MHz to 10 THz"),
}
"""What is accepted, by quantity. Beyond these ranges the value or its unit is a mistake."""

LARGEST_STEP: Final = 1.7
"""Radians. If half of the neighbouring angles of a rotation lie further apart, they are degrees."""

WHOLE: Final = 7.0
"""Angles beyond this (radians) that are all multiples of 1/2 are degrees."""


def look_like_degrees(angle: np.ndarray) -> bool:
    """Whether angles that should be in radians are degrees.

    No goniometer steps by more than a quarter turn, or by multiples of half a radian.

    >>> look_like_degrees(np.arange(0.0, 180.0, 10.0)), look_like_degrees(np.arange(0.0, 6.2, 0.1))
    (True, False)
    """
    distinct = np.unique(angle)
    if len(distinct) < 3:
        return False
    halves = bool(
        np.all(2 * distinct == np.round(2 * distinct)) and np.max(np.abs(distinct)) > WHOLE
    )
    return halves or (len(distinct) > 4 and bool(np.median(np.diff(distinct)) > LARGEST_STEP))


LOWEST_G: Final = 0.3
HIGHEST_G: Final = 15.0
"""Effective g-factors outside these are mistakes of a unit."""

MOST_APART: Final = 500.0
"""Frequencies of a series that differ by a larger factor are in different units."""


def implausible_g(field: np.ndarray, frequency: np.ndarray) -> list[Flag]:
    """A flag if resonance fields (T) and frequencies (Hz) give an implausible g = hν/(µB B).

    The median over all points counts; those of unknown frequency (NaN) are left out. Frequencies
    that are more than 500 times apart give a flag, too, even if most of them are right.

    >>> [flag.code for flag in implausible_g(np.array([0.338]), np.array([9.45e6]))]
    ['implausible-g']
    """
    known = frequency[frequency > 0]
    if known.size and known.max() > MOST_APART * known.min():
        low, high = known.min() / 1e9, known.max() / 1e9
        message = f"The frequencies go from {low:.6g} to {high:.6g} GHz. Check their units."
        return [Flag("implausible-g", message)]
    effective = PLANCK * frequency / (MU_B * np.where(field == 0, np.nan, np.abs(field)))
    if not np.isfinite(effective).any():
        return []
    median = float(np.nanmedian(effective))
    if LOWEST_G < median < HIGHEST_G:
        return []
    message = f"Fields and frequency give g = {median:.3g}. Check the units of both."
    return [Flag("implausible-g", message)]
