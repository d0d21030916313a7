"""The tables of line shapes and of definitions of a line position. Needs no JAX."""

import math
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class LineShape:
    """A shape of an absorption line.

    Args:
        label: In sentences.
        fraction: Lorentzian part; None where a fit finds it.
        extrema_to_half: Full width at half maximum over the width between the derivative's extrema.
    """

    label: str
    fraction: float | None
    extrema_to_half: float


SHAPES: Final = {
    "lorentzian": LineShape("Lorentzian", 1.0, math.sqrt(3)),
    "gaussian": LineShape("Gaussian", 0.0, math.sqrt(2 * math.log(2))),
    "pseudo-voigt": LineShape("pseudo-Voigt", None, 1.45),
}
"""Line shapes by name. The ratio of the pseudo-Voigt lies between the two others."""


@dataclass(frozen=True)
class Definition:
    """What the position of a line is.

    Args:
        description: One phrase for a report.
        shape: The line shape that is fitted; None where the position is read off the spectrum.
    """

    description: str
    shape: LineShape | None = None

    @property
    def width(self) -> str:
        """What the width is that comes with such a position, in one phrase."""
        return (
            "from extremum to extremum, in steps of the sweep"
            if self.shape is None
            else "full width at half maximum"
        )


def _fitted(shape: LineShape) -> Definition:
    return Definition(
        f"centre of a fitted {shape.label} line, with dispersion and the line at negative field",
        shape,
    )


DEFINITIONS: Final = {
    "zero-crossing": Definition(
        "zero crossing of the derivative, from a straight line through the samples around it"
    ),
    "midpoint": Definition("midpoint between the two extrema, from a parabola through each"),
    **{name: _fitted(shape) for name, shape in SHAPES.items()},
}
"""Definitions of a position by name."""

ORDERS: Final = range(6)
"""Orders that a polynomial baseline may have."""

AUTO: Final = "auto"
"""In place of an order: choose it from the spectra."""
