"""Physical constants and the factors between units, without JAX.

Inside the program, lengths are nm, moments µB, fields tesla, angles radians, frequencies Hz.
Files, the command line and plots use mT, degrees and GHz.
"""

from typing import Any, Final


MU_0: Final = 1.25663706127e-6
"""Vacuum permeability in T·m/A (CODATA 2022)."""

MU_B: Final = 9.2740100657e-24
"""Bohr magneton in J/T (CODATA 2022)."""

PLANCK: Final = 6.62607015e-34
"""Planck constant in J·s (exact, SI 2019)."""

MOMENT_SPIN_HALF: Final = 1.73
"""Moment of one spin-½ dipole in µB, as used by the paper (√3 rounded)."""

MAGNETIZATION_UNIT: Final = MU_B / 1e-27
"""One µB/nm³ in A/m."""

FIELD_UNIT: Final = MU_0 * MAGNETIZATION_UNIT
"""µ0 times one µB/nm³ in tesla."""

TESLA_PER: Final = {"T": 1.0, "mT": 1e-3, "G": 1e-4, "Oe": 1e-4, "kG": 0.1, "kOe": 0.1}
"""Tesla per unit of field as written in a file (H in Oe is read as µ0·H)."""

HERTZ_PER: Final = {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9}
"""Hertz per unit of frequency as written in a file."""


def larmor_value(frequency: Any, g: Any) -> Any:
    """The resonance field without anisotropy, w0 = hν/(gµB), in tesla, of ν in Hz.

    Of numbers or arrays, without a check of their signs.

    >>> round(larmor_value(9.45e9, 2.0), 5)
    0.33759
    """
    return frequency * (PLANCK / MU_B) / g


def angle_text(degrees: float) -> str:
    """An angle to hundredths of a degree, without the unit.

    >>> angle_text(-0.00997), angle_text(-0.001), angle_text(180.0)
    ('−0.01', '0', '180')
    """
    return f"{round(degrees, 2) + 0.0:g}".replace("-", "−")
