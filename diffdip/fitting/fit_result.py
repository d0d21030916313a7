"""What a fit of series found."""

from dataclasses import dataclass, replace
from typing import Any, Final

import jax.numpy as jnp
import numpy as np

from ..foundation.accepted_values import implausible_g
from ..foundation.arrays import Numbers
from ..foundation.errors import InputError
from ..foundation.flags import Flag
from ..resonance.branches import Branches
from ..resonance.energy_terms import AbstractEnergy
from ..resonance.planes import Plane
from ..resonance.tabulated import tabulated_branches, tabulated_field, tabulated_frequency
from .diagnosis import copies, diagnose, open_intervals, wrong_points
from .intervals import LEVELS
from .least_squares import Estimates
from .least_squares_problem import UNIT
from .parameter_table import offset_of, parameter_kind
from .problem import FitProblem
from .residual_structure import ROUNDING, structure_flags
from .series import Series, point_errors, without_padding


_ROWS = [[0.1, 0.3, 0.9], [0.7, -0.2, 0.4], [-0.5, 0.6, 0.1], [0.2, 0.9, -0.3], [0.8, 0.5, 0.2]]
DIRECTIONS: Final = np.array(_ROWS) / np.linalg.norm(_ROWS, axis=1, keepdims=True)
"""Of no symmetry: two energies that agree there are one."""

SAME: Final = 1e-5
"""Energies that differ by less than this part of their size are the same."""


@dataclass(frozen=True)
class FitResult:
    """What `fit_series` or `fit_joint` found. Arrays are numpy, in float64.

    Parameters are in tesla (anisotropy fields), radians (offsets) or without unit (g). p is the
    number of free parameters and n that of all points, of one series after the other.

    Args:
        names: Names of the free parameters, p of them.
        values: Value of each parameter, free, fixed or tied.
        standard_errors: Standard error of each free parameter. NaN where there are as many points
            as free parameters and sigma is unknown.
        covariance: Covariance of the free parameters, in the order of `names`, shape (p, p).
        correlation: Their correlation, shape (p, p), without unit.
        intervals: For each free parameter its "68" and "95" % interval as (lower, upper). By
            profile likelihood: one and two standard deviations, or Student's law where sigma is
            unknown. NaN where χ² does not rise enough. Symmetric for a robust loss.
        chi2: Σ r² with r = residual/sigma (sigma = 1 mT where it is unknown; relative
            to it where the noise of several series differs). For a robust loss
            Σ 2 (√(1 + r²) − 1), with r in units of their robust scale where sigma is unknown. A
            point where the model has no resonance counts with its whole
            field.
        reduced_chi2: chi2/dof; None where sigma is unknown, for a robust loss, and for dof = 0.
        rms: Root mean square of the residuals in tesla, without points that have no resonance.
        dof: Degrees of freedom, `n_points` − p.
        n_points: Number of points that were measured.
        residuals: Measured − predicted in tesla, shape (n,). NaN where there is no field or no
            resonance. Frequencies count as the fields of g = 2 without anisotropy, hν/2µB.
        predicted: What the model says instead of the measured values, shape (n,), in tesla too. NaN
            without resonance.
        converged: Whether the search ended at a minimum.
        flags: Doubts about the fit; empty if it raises no doubt.
        convention: "paper" or "physical"; "none" for a model of your own.
        loss: "linear" or "soft_l1".
        series: The series that were fitted.
        energy: The fitted energy.
        problem: What was fitted; None for a result that was made by hand.
    """

    names: tuple[str, ...]
    values: dict[str, float]
    standard_errors: dict[str, float]
    covariance: np.ndarray
    correlation: np.ndarray
    intervals: dict[str, dict[str, tuple[float, float]]]
    chi2: float
    reduced_chi2: float | None
    rms: float
    dof: int
    n_points: int
    residuals: np.ndarray
    predicted: np.ndarray
    converged: bool
    flags: tuple[Flag, ...]
    convention: str
    loss: str
    series: tuple[Series, ...]
    energy: AbstractEnergy
    problem: FitProblem | None = None

    def curve(
        self, angle: Numbers, series: int = 0, frequency: Numbers | None = None
    ) -> np.ndarray:
        """Resonance fields of the fitted model in the plane of one series.

        Args:
            angle: In radians, any shape, as read on the goniometer (the offset is subtracted).
            series: Index of the series. Default: the first.
            frequency: In Hz, broadcast against `angle`. Default: the mean frequency of the series.

        Returns:
            Hres in tesla, in the broadcast shape; NaN without resonance.

        Raises:
            InputError: For a series that does not exist, or that has no plane.
        """
        return tabulated_field(self.energy, *self._setting(angle, series, frequency))

    def frequencies(self, angle: Numbers, field: Numbers, series: int = 0) -> np.ndarray:
        """Resonance frequencies of the fitted model at set fields in the plane of one series.

        Args:
            angle: As for `curve`.
            field: In tesla, broadcast against `angle`.
            series: As for `curve`.

        Returns:
            ν in Hz, in the broadcast shape; NaN without resonance.

        Raises:
            InputError: For a series that does not exist, or that has no plane.
        """
        angle, _, g, plane = self._setting(angle, series, None)
        return tabulated_frequency(self.energy, angle, np.asarray(field, float), g, plane)

    def branches(self, angle: Numbers, series: int = 0, frequency: float | None = None) -> Branches:
        """All resonances of the fitted model, not only the measured one.

        Args:
            angle: As for `curve`.
            series: As for `curve`.
            frequency: As for `curve`.

        Returns:
            `Branches` with numpy arrays.

        Raises:
            InputError: For a series that does not exist.
        """
        angles, hertz, g, plane = self._setting(angle, series, frequency)
        return tabulated_branches(self.energy, angles, float(hertz), g, plane)

    def _setting(
        self, angle: Numbers, series: int, frequency: Numbers | None
    ) -> tuple[np.ndarray, Any, float, Plane]:
        count = len(self.series)
        if not -count <= series < count:
            raise InputError("series", given=series, expected=f"an index below {count}")
        measured = self.series[series]
        if measured.direction is not None:
            raise InputError("series", given=series, expected="a series in a plane")
        hertz = np.nanmean(measured.frequency) if frequency is None else frequency
        angles = np.asarray(np.asarray(angle, float) - offset_of(self.values, series % count))
        return angles, np.asarray(hertz, float), self.values["g"], measured.plane


def result_of(
    problem: FitProblem, series: tuple[Series, ...], batch: Estimates, *, known_sigma: bool
) -> FitResult:
    """The result of a fit of `series`, from the estimates of one data set."""
    found = batch.single()
    parameters = problem.parameters
    names = parameters.free
    known = parameters.values(found.x)
    values = {name: float(value) for name, value in known.items()}
    errors = np.sqrt(np.diagonal(found.covariance))
    measured = np.concatenate([s.observed for s in series])
    prediction = without_padding(found.predicted, series)
    residuals = measured - prediction
    n_points = int(np.sum(np.isfinite(measured)))
    dof = n_points - len(names)
    correlation = found.covariance / np.outer(errors, errors)
    rms = float(np.sqrt(np.nanmean(residuals**2))) if np.any(np.isfinite(residuals)) else np.nan
    plain = known_sigma and dof > 0 and problem.loss == "linear"
    reduced = float(found.chi2) / dof if plain else None
    scaled = None
    if problem.loss == "soft_l1" and dof > 0:
        unit = point_errors(series) if known_sigma else UNIT
        scaled = residuals / (unit * found.scale)
        scaled = scaled[np.isfinite(scaled)]
    equal = abs(float(found.rival_chi2) - float(found.chi2)) <= SAME * float(found.variance)
    if equal and _same_energy(problem, found.x, found.rival):  # another name of one solution
        found = replace(found, rival_chi2=np.asarray(np.inf))
    flags = diagnose(parameters, found, correlation, measured, prediction, dof, reduced)
    if rms > ROUNDING * np.nanmax(np.abs(measured)):  # perfect data have intervals of rounding
        flags += open_intervals(names, found, flags)
    return FitResult(
        names=names,
        values=values,
        standard_errors=dict(zip(names, errors.tolist(), strict=True)),
        covariance=found.covariance,
        correlation=correlation,
        intervals={
            name: {
                label: (float(found.lower[level, i]), float(found.upper[level, i]))
                for level, label in enumerate(LEVELS)
            }
            for i, name in enumerate(names)
        },
        chi2=float(found.chi2),
        reduced_chi2=reduced,
        rms=rms,
        dof=dof,
        n_points=n_points,
        residuals=residuals,
        predicted=prediction,
        converged=bool(found.converged),
        flags=(
            *flags,
            *([] if scaled is None else wrong_points(scaled, dof, known_sigma=known_sigma)),
            *implausible_g(
                np.concatenate([s.field for s in series]),
                np.concatenate([s.frequency for s in series]),
            ),
            *copies(series, rms),
            *structure_flags(series, residuals, len(names), robust=problem.loss == "soft_l1"),
        ),
        convention=problem.convention,
        loss=problem.loss,
        series=series,
        energy=problem.model(known),
        problem=problem,
    )


def _same_energy(problem: FitProblem, one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two vectors of parameters are the same energy, g and offsets, as angles may be."""
    if not np.all(np.isfinite(other)):
        return False
    values = [problem.parameters.values(x) for x in (one, other)]
    for name, value in values[0].items():
        if parameter_kind(name).nuisance and abs(float(value - values[1][name])) > SAME:
            return False
    first, second = (
        np.array([float(energy(jnp.asarray(u))) for u in DIRECTIONS])
        for energy in map(problem.model, values)
    )
    size = np.max(np.abs(first - first[0]))
    return bool(np.all(np.abs(first - second) <= SAME * max(size, SAME)))
