"""Hres(angle) of given anisotropy fields with all branches, as a figure and as files."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from ..fitting.parameter_table import parameter_kind
from ..fitting.series import Series
from ..fitting.term_models import TermsModel
from ..foundation.units import larmor_value
from ..io.curve_results import curve_files
from ..resonance.branches import Branches
from ..resonance.tabulated import tabulated_branches
from .figures.curves import figure_curve
from .figures.style import figure_bytes


if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 721
"""Angles at which the branches are evaluated."""

ROUNDING = 1e-9
"""Of an angle, in half turns."""

OTHER_FREQUENCY = 1e-4
"""A curve whose frequency differs by more than this part from that of the points says so."""

ONE_WAY = "bias"
"""The term whose curve does not repeat after half a turn."""


@dataclass(frozen=True)
class CurveSettings:
    """Everything that a curve depends on.

    Args:
        values: The parameters of the terms in the order of `TermsModel(terms).names`, in mT and
            degrees.
        g: The g-factor.
        frequency_GHz: The frequency.
        terms: The energy terms by name. Default: the paper's A, B, C.
        plane: The plane of rotation, by name. Default: "xy".
        convention: "paper" (default) or "physical".
    """

    values: tuple[float, ...]
    g: float
    frequency_GHz: float
    terms: tuple[str, ...] = ("tensor",)
    plane: str = "xy"
    convention: str = "paper"

    def model(self) -> TermsModel:
        """The terms as a model."""
        return TermsModel(self.terms, self.convention)

    def parameters(self) -> dict[str, float]:
        """The values by name with unit.

        >>> CurveSettings((900.0, 20.0, 45.0), 2.1, 9.45, ("thin-film", "four-fold")).parameters()
        {'Meff_mT': 900.0, 'B4_mT': 20.0, 'phi_4_deg': 45.0}
        """
        names = self.model().names
        return {
            f"{name}_{parameter_kind(name).unit}": value
            for name, value in zip(names, self.values, strict=True)
        }

    def document(self) -> dict[str, Any]:
        """All of it for files."""
        return {
            "terms": list(self.terms),
            **self.parameters(),
            "g": self.g,
            "frequency_GHz": self.frequency_GHz,
            "plane": self.plane,
            "convention": self.convention,
        }


@dataclass(frozen=True)
class Curve:
    """All resonances at angles of the field.

    Args:
        settings: What the curve was made with.
        angle: Of the field, in radians.
        branches: The resonances at these angles.
        larmor: The field w0 without anisotropy, in tesla.
        points: Measured points of a rotation, or None.
        expected: The field of the curve at the angles of the points, in tesla.
    """

    settings: CurveSettings
    angle: np.ndarray
    branches: Branches
    larmor: float
    points: Series | None = None
    expected: np.ndarray | None = None

    def figure(self) -> "Figure":
        """The figure of `diffdip curve`, with the settings as its title."""
        s = self.settings
        split = [(name.rpartition("_"), value) for name, value in s.parameters().items()]
        each = [f"{name} = {value:.4g} {unit}" for (name, _, unit), value in split]
        values = "\n".join(", ".join(each[i : i + 3]) for i in range(0, len(each), 3))
        title = (
            f"{values}\n"
            f"{s.frequency_GHz:g} GHz, g = {s.g:g}, {s.plane} plane\n"
            f"{s.convention} convention"
        )
        return figure_curve(
            self.angle,
            self.branches,
            plane=s.plane,
            larmor=self.larmor,
            title=title,
            points=self.points,
        )

    def files(self) -> dict[str, bytes]:
        """Everything that `diffdip curve` writes, by file name."""
        settings = {"command": "curve", **self.settings.document()}
        figure = self.figure()
        return {
            **curve_files(self.angle, self.branches, self.settings.plane, settings),
            "curve.png": figure_bytes(figure, "png"),
            "curve.pdf": figure_bytes(figure, "pdf"),
        }

    def sentences(self) -> list[str]:
        """The range of the measured resonance field, and the rms deviation of points from it."""
        field, found = self._measured()
        convention, w0 = self.settings.convention, 1e3 * self.larmor
        sentences = []
        if found.any():
            sentences.append(
                f"Hres {np.nanmin(field):.2f} to {np.nanmax(field):.2f} mT "
                f"({convention} convention, w0 = {w0:.2f} mT)"
            )
        if self.points is not None and self.expected is not None:
            sentences.append(_deviation(self.points, self.expected, self.settings))
        return sentences

    def missing(self) -> str:
        """At how many angles there is no measured resonance; empty if at none."""
        _, found = self._measured()
        if found.all():
            return ""
        return f"no measured resonance at {(~found).sum()} of {len(found)} angles"

    def _measured(self) -> tuple[np.ndarray, np.ndarray]:
        """The measured resonance field at each angle in mT, and where it exists."""
        field = 1e3 * np.asarray(self.branches.measured()[0])
        return field, np.isfinite(field)


def resonance_curve(settings: CurveSettings, points: Series | None = None) -> Curve:
    """All resonances over half a turn, or a full one, computed in float64.

    The curve covers a full turn if an exchange bias is among the terms, and all angles of `points`,
    which are a rotation with measured fields.

    >>> resonance_curve(CurveSettings((191.5, 204.6, 0.0), 2.0, 9.45)).sentences()
    ['Hres 52.95 to 399.57 mT (paper convention, w0 = 337.59 mT)']
    """
    model = settings.model()
    first, last = 0.0, 2 * np.pi if ONE_WAY in settings.terms else np.pi
    own = np.array([]) if points is None else points.angle
    if len(own):
        turns = own / np.pi
        first = min(first, np.pi * np.floor(turns.min() + ROUNDING))
        last = max(last, np.pi * np.ceil(turns.max() - ROUNDING))
    angle = np.linspace(first, last, POINTS)
    with jax.enable_x64(True):
        energy = model(
            {
                name: jnp.asarray(value / parameter_kind(name).factor)
                for name, value in zip(model.names, settings.values, strict=True)
            }
        )
    frequency, g = 1e9 * settings.frequency_GHz, settings.g
    both = np.concatenate([angle, own])
    branches = tabulated_branches(energy, both, frequency, g, settings.plane)
    of_curve = jax.tree.map(lambda leaf: leaf[:POINTS], branches)
    expected = None if points is None else np.asarray(branches.measured()[0])[POINTS:]
    return Curve(settings, angle, of_curve, larmor_value(frequency, g), points, expected)


def _deviation(points: Series, expected: np.ndarray, settings: CurveSettings) -> str:
    """The rms deviation of points from the curve in words."""
    off = points.field - expected
    there = np.isfinite(off)
    if not there.any():
        return "the curve has no resonance at the angles of the points"
    text = f"the points lie {1e3 * np.sqrt(np.mean(off[there] ** 2)):.3g} mT (rms) from the curve"
    if not there.all():
        text += f", {(~there).sum()} of {len(off)} where it has no resonance"
    ghz = points.frequency / 1e9
    apart = np.max(np.abs(ghz / settings.frequency_GHz - 1))
    if apart > OTHER_FREQUENCY:
        text += f"; they were measured at {np.mean(ghz):.4g} GHz"
    return text
