"""From a magnetometer's saturation to the number of dipoles on a crystal, and what impurities give.

Values come as text with their unit, "2 memu/g", because a factor of 1000 between emu/g and memu/g
is easily lost; numbers without a unit are refused. Inside, all is SI.
"""

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Final

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
    """A magnetization per mass, such as "2 memu/g", in A·m²/kg (which is 1 emu/g).

    Units are emu/g, memu/g, µemu/g (or uemu/g) and A·m²/kg (or A m2/kg). Raises `ValueError` for
    others, for none, and for what is no number above 0.

    >>> specific_magnetization("2 memu/g")
    0.002
    """
    return _quantity(text, SPECIFIC_PER)


def mass_fraction(text: str) -> float:
    """A share of the mass, such as "1 ppb". Raises `ValueError` as `specific_magnetization` does.

    >>> mass_fraction("2.5 %")
    0.025
    """
    found = _quantity(text, FRACTION_PER)
    if found > 1:
        raise ValueError(f"{text!r} is more than all of the mass")
    return found


def crystal_mass(diameter: float, density: float = DENSITY_CDSE) -> float:
    """Mass in kg of a spherical crystal: π/6 · diameter³ · density, in nm and g/cm³.

    >>> f"{crystal_mass(2.7):.3g}"
    '6e-23'
    """
    return density * 1e3 * math.pi / 6 * (diameter * 1e-9) ** 3


def dipoles_per_crystal(saturation: str, mass: float, moment: float = MOMENT_SPIN_HALF) -> float:
    """Dipoles of `moment` (µB) that give a crystal of `mass` (kg) its saturation, on average.

    n = σ · mass / moment, where the saturation σ is text with a unit and belongs to the mass that
    was weighed: with ligands on the crystals, `mass` is to include theirs.

    >>> round(dipoles_per_crystal("4 emu/g", crystal_mass(2.7)), 1)
    15.0
    """
    return specific_magnetization(saturation) * mass / (moment * MU_B)


def saturation_of(dipoles: float, mass: float, moment: float = MOMENT_SPIN_HALF) -> float:
    """The saturation in A·m²/kg of so many dipoles on each crystal: the inverse.

    >>> round(saturation_of(10.0, crystal_mass(2.7)), 2)
    2.67
    """
    return dipoles * moment * MU_B / mass


def impurity_saturation(share: str, element: str = "Fe") -> float:
    """The most that an impurity of this share of the mass adds to the saturation, in A·m²/kg.

    That is as a ferromagnet (`SATURATION`); isolated ions give less at room temperature. Raises
    `ValueError` for other elements.

    >>> f"{impurity_saturation('1 ppb'):.3g}"
    '2.18e-07'
    """
    return mass_fraction(share) * _of(element)


def impurity_needed(saturation: str, element: str = "Fe") -> float:
    """The share of the mass, 0 to 1, that an impurity must have to explain a saturation alone.

    >>> f"{impurity_needed('2 memu/g'):.2g}"
    '9.2e-06'
    """
    return specific_magnetization(saturation) / _of(element)


def _of(element: str) -> float:
    if element not in SATURATION:
        raise ValueError(f"element {element!r}: expected one of {', '.join(SATURATION)}")
    return SATURATION[element]


def _quantity(text: str, units: Mapping[str, float]) -> float:
    found = re.fullmatch(r"\s*([-+.\deE]*[\d.])(.*)", text)
    known = {_plain(unit): factor for unit, factor in units.items()}
    factor = known.get(_plain(found[2])) if found else None
    number = _number(found[1]) if found else math.nan
    if factor is None or not 0 < number < math.inf:
        expected = ", ".join(units)
        raise ValueError(f"{text!r}: expected a number above 0 with its unit, one of {expected}")
    return number * factor


def _plain(unit: str) -> str:
    """A unit in one spelling: m2 is m², u and both mus are micro, dots and blanks fall away."""
    text = unicodedata.normalize("NFKC", unit)
    return re.sub(r"[\s·*^]", "", text).replace("uemu", "μemu")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
