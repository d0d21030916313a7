"""The two sign and counting conventions: the only home of the factor 2 and of the sign."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Convention:
    """How pairs are counted and which sign the dipolar energy enters the resonance with.

    `pair_weight` is W of eq. 2: the printed double sum visits each pair twice (W = 2), the
    energy of the pairs is W = 1. `sign` is s in f = −H·u + (s/2) µ0M u·D·u, the free energy
    per magnetization (tesla) that the resonance condition is derived from.
    """

    name: str
    pair_weight: int
    sign: int

    def __str__(self) -> str:
        return self.name


PAPER: Final = Convention("paper", pair_weight=2, sign=-1)
"""W = 2, s = −1: reproduces the published A, B, C and the distributions of the paper's Fig. 5."""

PHYSICAL: Final = Convention("physical", pair_weight=1, sign=+1)
"""W = 1, s = +1: pairs counted once and the minimum of −M·H + F_dip."""

CONVENTIONS: Final = {convention.name: convention for convention in (PAPER, PHYSICAL)}


def as_convention(convention: "Convention | str") -> Convention:
    """Return the convention of that name, or the convention itself.

    Raises `ValueError` for a name that is neither `paper` nor `physical`.

    >>> as_convention("paper").sign
    -1
    """
    if isinstance(convention, Convention):
        return convention
    if convention not in CONVENTIONS:
        known = ", ".join(CONVENTIONS)
        raise ValueError(f"unknown convention {convention!r}: expected one of {known}")
    return CONVENTIONS[convention]
