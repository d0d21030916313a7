"""Which of several solutions that give the same fields is reported.

A cubic film in its plane gives the same fields with −H1, axes turned by 45° and another µ0M_eff; an
n-fold term with the opposite sign and its angle π/n further.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float

from .parameter_table import parameter_kind


SIGNED_BY_ANGLE: Final = ("Hu", "B1", "B2", "B4", "B6")
"""Fields whose sign another angle can replace: they are reported as positive."""

OF_OFFSET, OF_SIGN, OF_ANGLE = 10.0, 1.0, 0.1
"""Weights: the smallest offset comes first, then positive fields, then small angles."""


def least_surprising(
    names: Sequence[str], x: Float[np.ndarray, "m lanes p"]
) -> Float[np.ndarray, "m lanes"]:
    """A score of solutions, lowest for the one to report."""
    score = np.zeros(x.shape[:2])
    for name, values in zip(names, np.moveaxis(x, -1, 0), strict=True):
        kind = parameter_kind(name)
        if kind.unit == "deg":
            score += (OF_OFFSET if kind.nuisance else OF_ANGLE) * np.abs(values)
        elif name.partition("_")[0] in SIGNED_BY_ANGLE:
            score += OF_SIGN * (values < 0)
    return score
