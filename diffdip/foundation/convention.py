"""The two sign and counting conventions: the only home of the factor 2 and of the sign."""

from dataclasses import dataclass
from typing import Final

from .errors import InputError


@dataclass(frozen=True)
class Convention:
    """How pairs are counted, and with which sign the dipolar energy enters the resonance.

    Args:
        name: "paper" or "physical".
        pair_weight: W of eq. 2. The printed double sum counts each pair twice (W = 2); the energy
            of the pairs has W = 1.
        sign: s of the free energy per magnetization, f = −H·u + (s/2) µ0M u·D·u (tesla), from
            which the resonance condition follows.
    """

    name: str
    pair_weight: int
    sign: int

    def __str__(self) -> str:
        return self.name


PAPER: Final = Convention("paper", pair_weight=2, sign=-1)
"""W = 2, s = −1: reproduces the published A, B, C and the distributions of the paper's Fig. 5."""

PHYSICAL: Final = Convention("physical", pair_weight=1, sign=+1)
"""W = 1, s = +1: each pair is counted once, and M lies at the minimum of −M·H + F_dip."""

CONVENTIONS: Final = {convention.name: convention for convention in (PAPER, PHYSICAL)}


def as_convention(convention: "Convention | str") -> Convention:
    """The convention of that name; a convention itself is returned as it is.

    Raises:
        InputError: If the name is neither "paper" nor "physical".

    >>> as_convention("paper").sign
    -1
    """
    if isinstance(convention, Convention):
        return convention
    if not isinstance(convention, str) or convention not in CONVENTIONS:
        expected = " or ".join(repr(name) for name in CONVENTIONS)
        raise InputError("convention", given=convention, expected=expected)
    return CONVENTIONS[convention]
