"""What an axis of a Bruker file is: a field or an angle if its name and its unit both say so."""

import numpy as np

from .bruker_descriptors import Descriptor
from .column_meanings import TableError, quantity_of, shown, unit_scale
from .sweep import SpectrumError


ANGLE_ENTRIES = ("GAN", "SANX")
"""Entries with the angle of a goniometer in degrees."""


def axis_scale(quantity: str, name: str, unit: str) -> float:
    """SI units per unit of an axis of field or angle.

    Raises `SpectrumError` unless the name and the unit both say so. An axis without a name passes
    by its unit alone.
    """
    wanted = "the magnetic field" if quantity == "field" else "the angle of the sample"
    if not unit.strip():
        raise SpectrumError(
            f"axis {shown(name)} has no unit",
            expected=f"{wanted} with its unit",
            hint="If the axis is what it should be, write its unit into the descriptor; an axis "
            "that counts slices is no angle",
        )
    if name.strip() and quantity_of(name) != quantity:
        raise SpectrumError(
            f"axis {shown(name)}",
            given=unit,
            expected=wanted,
            hint="Spectra over another axis have no resonance field",
        )
    try:
        return unit_scale(f"axis {shown(name)}", quantity, unit)
    except TableError as error:
        raise error.as_category(SpectrumError) from None


def stated_angle(descriptor: Descriptor) -> tuple[float | None, str]:
    """The angle in degrees that a descriptor of one sweep states, and the entry; else None.

    Raises `SpectrumError` if two entries differ.
    """
    found: list[tuple[float, str]] = []
    for name, value in descriptor.entries.items():
        device, _, entry = name.rpartition(".")
        if device and "gonio" not in device.casefold():
            continue
        if (device and quantity_of(entry) == "angle") or entry in ANGLE_ENTRIES:
            number, unit = _quantity(value)
            if np.isfinite(number):
                scale = unit_scale(f"entry {entry}", "angle", unit or "deg")
                found.append((float(f"{np.degrees(number * scale):.15g}"), f"entry {entry}"))
    known = [one for one in found if one[0]] or found
    if any(abs(angle - known[0][0]) > 0.01 for angle, _ in known):
        told = " and ".join(f"{name} {angle:g}°" for angle, name in known)
        raise SpectrumError(f"two angles, {told}", expected="one angle of the goniometer")
    return known[0] if known else (None, "")


def _quantity(text: str) -> tuple[float, str]:
    """A number and the unit after it; NaN for anything else."""
    words = text.replace("°", " deg").split()
    try:
        return float(words[0]), " ".join(words[1:])
    except (IndexError, ValueError):
        return np.nan, ""
