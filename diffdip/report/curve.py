"""Hres(angle) of given anisotropy fields with all branches, as a figure and as files."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import jax
import numpy as np

from ..foundation.units import larmor_value
from ..io.curve_results import curve_files
from ..resonance.branches import Branches
from ..resonance.energy_terms import AnisotropyFields
from ..resonance.tabulated import tabulated_branches
from .figures.curves import figure_curve
from .figures.style import figure_bytes


if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 721
"""Angles from 0 to 180° at which the branches are evaluated."""


@dataclass(frozen=True)
class CurveSettings:
    """Everything that a curve depends on, in mT and GHz; `plane` and `convention` by name."""

    A_mT: float
    B_mT: float
    C_mT: float
    g: float
    frequency_GHz: float
    plane: str = "xy"
    convention: str = "paper"


@dataclass(frozen=True)
class Curve:
    """All resonances at angles of the field.

    Args:
        settings: What the curve was made with.
        angle: Of the field, in radians.
        branches: The resonances at these angles.
        larmor: The field w0 without anisotropy, in tesla.
    """

    settings: CurveSettings
    angle: np.ndarray
    branches: Branches
    larmor: float

    def figure(self) -> "Figure":
        """The figure of `diffdip curve`, with the settings as its title."""
        s = self.settings
        title = (
            f"A = {s.A_mT:.4g}, B = {s.B_mT:.4g}, C = {s.C_mT:.4g} mT\n"
            f"{s.frequency_GHz:g} GHz, g = {s.g:g}, {s.plane} plane\n"
            f"{s.convention} convention"
        )
        return figure_curve(
            self.angle, self.branches, plane=s.plane, larmor=self.larmor, title=title
        )

    def files(self) -> dict[str, bytes]:
        """Everything that `diffdip curve` writes, by file name."""
        settings = {"command": "curve", **asdict(self.settings)}
        figure = self.figure()
        return {
            **curve_files(self.angle, self.branches, self.settings.plane, settings),
            "curve.png": figure_bytes(figure, "png"),
            "curve.pdf": figure_bytes(figure, "pdf"),
        }

    def sentences(self) -> list[str]:
        """The range of the measured resonance field, and the number of angles without one."""
        field = 1e3 * np.asarray(self.branches.measured()[0])
        found = np.isfinite(field)
        convention, w0 = self.settings.convention, 1e3 * self.larmor
        sentences = []
        if found.any():
            sentences.append(
                f"Hres {np.nanmin(field):.2f} to {np.nanmax(field):.2f} mT "
                f"({convention} convention, w0 = {w0:.2f} mT)"
            )
        if not found.all():
            sentences.append(f"no measured resonance at {(~found).sum()} of {len(found)} angles")
        return sentences


def resonance_curve(settings: CurveSettings) -> Curve:
    """All resonances over half a turn, computed in float64.

    >>> resonance_curve(CurveSettings(191.5, 204.6, 0.0, 2.0, 9.45)).sentences()
    ['Hres 52.95 to 399.57 mT (paper convention, w0 = 337.59 mT)']
    """
    angle = np.linspace(0, np.pi, POINTS)
    frequency, g = 1e9 * settings.frequency_GHz, settings.g
    tesla = (settings.A_mT / 1e3, settings.B_mT / 1e3, settings.C_mT / 1e3)
    with jax.enable_x64(True):
        energy = AnisotropyFields(*tesla, settings.convention)
    branches = tabulated_branches(energy, angle, frequency, g, settings.plane)
    return Curve(settings, angle, branches, larmor_value(frequency, g))
