"""Limits that both forms of the search for resonances hold to: the loops and the one in JAX."""

from typing import Final


LARGEST_STEP: Final = 0.3
"""Radians that M turns at most in a step: a longer step may end on another branch."""

RESIDUAL_POWER: Final = 0.75
"""A resonance is one if its residual is below eps^0.75 of its size. A converged root has an error
of some roundings, far below that; a start that runs nowhere has one far above."""

SAME_ROOT: Final = 1e2
"""Roots with |u − u'|² below 100 eps are one: they agree to half of the digits at least."""

ABOVE_MINIMUM: Final = 4
"""Multiple of √eps w0 by which rounding may put an energy above the global minimum. Half of the
digits are lost: the energy is flat at a minimum."""
