"""The number of dipoles on a crystal from its saturation, and the saturation that impurities give.

A saturation or a share is text with its unit, "2 memu/g", because a factor of 1000 between emu/g
and memu/g is easily lost. Numbers without a unit are refused. Inside, all is SI.
"""

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from ..foundation.errors import InputError
from ..foundation.units import MOMENT_SPIN_HALF, MU_B


DENSITY_CDSE: Final = 5.82
"""Density of CdSe in g/cm³."""

SPECIFIC_PER: Final = {"emu/g": 1.0, "memu/g": 1e-3, "µemu/g": 1e-6, "A·m²/kg": 1.0}
"""A·m²/kg per unit of magnetization per mass."""

FRACTION_PER: Final = {"ppb": 1e-9, "ppm": 1e-6, "%": 1e-2}
"""One per unit of a share of the mass."""

SATURATION: Final = {"Fe": 218.0, "Co": 161.0, "Ni": 54.4}
"""Saturation of ferromagnetic elements at 20 °C in A·m²/kg (Cullity and Graham, Introduction to
Magnetic Materials, appendix)."""


def specific_magnetization(text: str) -> float:
    """A magnetization per mass in SI units.

    Args:
        text: A number above 0 with its unit: emu/g, memu/g, µemu/g (or uemu/g), A·m²/kg
            (or A m2/kg).

    Returns:
        The magnetization in A·m²/kg; 1 A·m²/kg is 1 emu/g.

    Raises:
        InputError: For another unit, no unit, or no number above 0.

    >>> specific_magnetization("2 memu/g")
    0.002
    """
    return _quantity("saturation", text, SPECIFIC_PER)


def mass_fraction(text: str) -> float:
    """A share of the mass as a number between 0 and 1.

    Args:
        text: A number above 0 with its unit: ppb, ppm or %.

    Raises:
        InputError: For another unit, no unit, no number above 0, or more than 100 %.

    >>> mass_fraction("2.5 %")
    0.025
    """
    found = _quantity("share", text, FRACTION_PER)
    if found > 1:
        raise InputError("share", given=text, expected="at most 100 % of the mass")
    return found


def crystal_mass(diameter: float, density: float = DENSITY_CDSE) -> float:
    """The mass of a spherical crystal, π/6 · diameter³ · density.

    Args:
        diameter: In nm.
        density: In g/cm³, by default that of CdSe.

    Returns:
        The mass in kg.

    >>> f"{crystal_mass(2.7):.3g}"
    '6e-23'
    """
    return density * 1e3 * math.pi / 6 * (diameter * 1e-9) ** 3


def dipoles_per_crystal(saturation: str, mass: float, moment: float = MOMENT_SPIN_HALF) -> float:
    """The mean number of dipoles that gives a crystal its saturation, n = σ · mass / moment.

    Args:
        saturation: The saturation σ with its unit (see `specific_magnetization`).
        mass: The mass in kg that was weighed per crystal: with ligands on the crystals,
            include theirs.
        moment: The moment of a dipole in µB, by default 1.73.

    Raises:
        InputError: If `saturation` is not a number above 0 with a unit.

    >>> round(dipoles_per_crystal("4 emu/g", crystal_mass(2.7)), 1)
    15.0
    """
    return specific_magnetization(saturation) * mass / (moment * MU_B)


def saturation_of(dipoles: float, mass: float, moment: float = MOMENT_SPIN_HALF) -> float:
    """The saturation of crystals with a mean number of dipoles: inverts `dipoles_per_crystal`.

    Args:
        dipoles: The mean number of dipoles on a crystal.
        mass: The mass of a crystal in kg.
        moment: The moment of a dipole in µB, by default 1.73.

    Returns:
        The saturation in A·m²/kg.

    >>> round(saturation_of(10.0, crystal_mass(2.7)), 2)
    2.67
    """
    return dipoles * moment * MU_B / mass


def impurity_saturation(share: str, element: str = "Fe") -> float:
    """The largest saturation that an impurity can add, as a ferromagnet (`SATURATION`).

    Isolated ions give less at room temperature.

    Args:
        share: The impurity's share of the mass with its unit (see `mass_fraction`).
        element: "Fe", "Co" or "Ni".

    Returns:
        The saturation in A·m²/kg.

    Raises:
        InputError: If `share` is not a share of the mass, or for another element.

    >>> f"{impurity_saturation('1 ppb'):.3g}"
    '2.18e-07'
    """
    return mass_fraction(share) * _of(element)


def impurity_needed(saturation: str, element: str = "Fe") -> float:
    """The share of the mass that an impurity needs to explain a saturation alone.

    Args:
        saturation: The saturation with its unit (see `specific_magnetization`).
        element: "Fe", "Co" or "Ni".

    Returns:
        The share; above 1 the impurity cannot explain the saturation.

    Raises:
        InputError: If `saturation` is not a number above 0 with a unit, or for another element.

    >>> f"{impurity_needed('2 memu/g'):.2g}"
    '9.2e-06'
    """
    return specific_magnetization(saturation) / _of(element)


def _of(element: str) -> float:
    if element not in SATURATION:
        raise InputError("element", given=element, expected=f"one of {', '.join(SATURATION)}")
    return SATURATION[element]


def _quantity(what: str, text: str, units: Mapping[str, float]) -> float:
    """A number above 0 times the factor of its unit."""
    found = re.fullmatch(r"\s*([-+.\deE]*[\d.])(.*)", text)
    known = {_plain(unit): factor for unit, factor in units.items()}
    factor = known.get(_plain(found[2])) if found else None
    number = _number(found[1]) if found else math.nan
    if factor is None or not 0 < number < math.inf:
        expected = f"a number above 0 with its unit, one of {', '.join(units)}"
        raise InputError(what, given=text, expected=expected)
    return number * factor


def _plain(unit: str) -> str:
    """A unit in one spelling: m2 is m², u and both mus are micro, dots and blanks are dropped."""
    text = unicodedata.normalize("NFKC", unit)
    return re.sub(r"[\s·*^]", "", text).replace("uemu", "μemu")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
