"""Whether fields and frequencies fit together: the g-factor that both give."""

from typing import Final

import numpy as np

from .flags import Flag
from .units import MU_B, PLANCK


LOWEST: Final = 0.3
HIGHEST: Final = 15.0
"""Effective g-factors outside these are mistakes of a unit."""


def implausible_g(field: np.ndarray, frequency: np.ndarray) -> list[Flag]:
    """A flag if resonance fields (T) and frequencies (Hz) give an implausible g = hν/(µB B).

    The median over all points counts; those of unknown frequency (NaN) are left out.

    >>> [flag.code for flag in implausible_g(np.array([0.338]), np.array([9.45e6]))]
    ['implausible-g']
    """
    effective = PLANCK * frequency / (MU_B * np.where(field == 0, np.nan, np.abs(field)))
    if not np.isfinite(effective).any():
        return []
    median = float(np.nanmedian(effective))
    if LOWEST < median < HIGHEST:
        return []
    message = f"Fields and frequency give g = {median:.3g}. Check the units of both."
    return [Flag("implausible-g", message)]
