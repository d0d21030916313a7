"""Axes of instruments by name and unit: whether an axis is the field, and its unit."""

import re

from .column_meanings import shown, unit_scale
from .sweep import SpectrumError


_LABEL = re.compile(r"\s*(?P<name>[^\[\](){}]*?)\s*[\[({]\s*(?P<unit>[^\])}]*?)\s*[\])}]\s*")
_FIELD = re.compile(r"(?:magnetic\s*)?field|b0?|h0?|b[_ ]?field", re.IGNORECASE)


def field_scale(label: str) -> float:
    """Tesla by unit of an axis such as `Field[G]`. Raises `InputError` for another axis.

    >>> field_scale("Field[G]"), field_scale("Magnetic Field (mT)")
    (0.0001, 0.001)
    """
    match = _LABEL.fullmatch(label[:100])
    if match is None or not _FIELD.fullmatch(match["name"]):
        raise SpectrumError(
            f"axis {shown(label)}",
            expected="a sweep of the field",
            hint="Time, frequency and angle sweeps have no resonance field",
        )
    return unit_scale(f"axis {shown(label)}", "field", match["unit"])
