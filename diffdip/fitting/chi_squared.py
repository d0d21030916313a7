"""Whether χ² is what errors σ make of it: the one rule for wrong σ. Needs no JAX.

A χ² that chance makes in less than one of 1000 fits says that σ, or the model, is wrong. If it is
too large, all errors of the parameters are multiplied by √(χ²/dof), as if σ were unknown.
"""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int


UNLIKELY: Final = 1e-3
"""Probability of χ² by chance below which model and sigma do not fit together."""


def too_large(
    chi2: Float[np.ndarray, " m"], freedom: Int[np.ndarray, " m"]
) -> Bool[np.ndarray, " m"]:
    """Whether χ² is larger than σ allows; never without degrees of freedom.

    >>> too_large(np.array([19.0, 60.0]), np.array([19, 19])).tolist()
    [False, True]
    """
    from scipy.special import gammaincc

    chance = gammaincc(np.maximum(freedom, 1) / 2, chi2 / 2)
    return (freedom > 0) & (chance < UNLIKELY)


def too_small(chi2: float, freedom: int) -> bool:
    """Whether χ² is smaller than σ allows."""
    from scipy.special import gammainc

    return freedom > 0 and bool(gammainc(freedom / 2, chi2 / 2) < UNLIKELY)
