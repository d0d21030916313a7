"""What a fit of series found."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from ..foundation.arrays import Numbers
from ..foundation.errors import InputError
from ..foundation.flags import Flag
from ..resonance.branches import Branches
from ..resonance.energy_terms import AbstractEnergy
from ..resonance.planes import Plane
from ..resonance.tabulated import tabulated_branches, tabulated_field, tabulated_frequency
from .arcs import short_arc
from .correlated_noise import CorrelatedNoise, correlated_noise
from .diagnosis import copies, diagnose, open_intervals, wrong_points
from .equivalent_angles import nearest_copy, same_solution
from .equivalent_solutions import least_surprising
from .g_or_a import implausible_fit
from .influence import pulling_points
from .intervals import LEVELS
from .least_squares import Estimates
from .least_squares_problem import UNIT
from .parameter_table import ParameterKind, offset_of, parameter_kind
from .problem import FitProblem
from .residual_structure import ROUNDING, structure_flags, without_outliers
from .rival_minima import EQUIVALENT, RIVAL
from .series import AS_FIELD, Series, point_errors, without_padding


NO_MINIMUM: Final = {"not-converged", "degenerate", "undetermined", "no-resonance"}
"""Codes of flags of fits whose errors mean nothing."""

NOT_NOISE: Final = NO_MINIMUM | {"structured-residuals"}
"""Codes of flags of fits whose residuals say nothing about noise."""


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
            Frequencies count as fields; `rms_of` has each by itself.
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
        error_factor: All errors and intervals were multiplied by it: √reduced_chi2 where that is
            improbably large (by chance in less than one of 1000 fits), else 1. A robust loss has 1.
        correlated_noise: The correlation of neighbouring points that the data do not exclude, and
            how much larger errors would be with it. None where residuals do not tell: without
            degrees of freedom, for fewer than 5 points in every series, and where a flag says that
            they are no noise or that there is no minimum.
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
    error_factor: float = 1.0
    correlated_noise: CorrelatedNoise | None = None

    def kind(self, name: str) -> ParameterKind:
        """Label, unit and format of a parameter."""
        return parameter_kind(name) if self.problem is None else self.problem.parameters.kind(name)

    def rms_of(self, measured: str) -> float:
        """Root mean square of the residuals of what was measured.

        Args:
            measured: "field" or "frequency".

        Returns:
            Of fields in tesla, of frequencies in Hz; NaN if nothing of this kind was measured.
        """
        left = self.residuals[
            np.repeat([s.measured == measured for s in self.series], [len(s) for s in self.series])
        ]
        left = left[np.isfinite(left)]
        unit = AS_FIELD if measured == "frequency" else 1.0
        return float(np.sqrt(np.mean(left**2))) / unit if len(left) else np.nan

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
    found = _centred(problem, _with_one_rival(problem, batch.single()))
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
    from_scatter = not known_sigma or (plain and float(found.variance) > 1)
    flags = diagnose(
        parameters,
        found,
        correlation,
        measured,
        prediction,
        dof,
        reduced,
        from_scatter=from_scatter,
    )
    exact = not rms > ROUNDING * np.nanmax(np.abs(measured))
    if not exact:  # perfect data have intervals of rounding
        flags += open_intervals(names, found, flags)
    left = np.where(np.isfinite(residuals), without_padding(found.residual, series), np.nan)
    jacobian = without_padding(found.jacobian, series)
    if problem.loss == "linear" and not exact:
        flags += tuple(
            pulling_points(parameters, found.x, series, left, jacobian, known_sigma=known_sigma)
        )
    if not {flag.code for flag in flags} & NO_MINIMUM:
        # without the scale of a robust loss
        plain_jacobian = float(found.scale) * jacobian
        flags += tuple(short_arc(problem, found.x, series, plain_jacobian))
    robust = problem.loss == "soft_l1"
    flags = (
        *flags,
        *([] if scaled is None else wrong_points(scaled, dof, known_sigma=known_sigma)),
        *implausible_fit(problem, series, values["g"]),
        *copies(series, rms),
        *structure_flags(
            series, residuals, left, jacobian, robust=robust, known_sigma=not from_scatter
        ),
    )
    noise = None
    if not exact and not {flag.code for flag in flags} & NOT_NOISE:
        noise = correlated_noise(
            names,
            without_outliers(left) if robust else left,
            jacobian,
            [len(one) for one in series],
            known_sigma=not from_scatter,
        )
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
        flags=flags,
        convention=problem.convention,
        loss=problem.loss,
        series=series,
        energy=problem.model(known),
        problem=problem,
        error_factor=float(np.sqrt(found.variance)) if plain else 1.0,
        correlated_noise=noise,
    )


def _with_one_rival(problem: FitProblem, found: Estimates) -> Estimates:
    """The estimates with the best rival that is another solution, shape (p,), and its χ².

    Of rivals that fit as well it is the least surprising one. χ² is inf without a rival.
    """
    parameters, allowance = problem.parameters, float(found.variance)
    excess = (found.rival_chi2 - float(found.chi2)) / allowance
    others = [
        lane
        for lane in np.argsort(excess)
        if excess[lane] < RIVAL and not same_solution(problem, found.x, found.rival[lane])
    ]
    if not others:
        return replace(found, rival=found.x, rival_chi2=np.asarray(np.inf))
    as_good = [lane for lane in others if excess[lane] - excess[others[0]] < EQUIVALENT]
    score = least_surprising(parameters.free, found.rival[None, as_good])[0]
    best = as_good[int(np.argmin(score))]
    return replace(found, rival=found.rival[best], rival_chi2=np.asarray(found.rival_chi2[best]))


def _centred(problem: FitProblem, found: Estimates) -> Estimates:
    """The estimates with angles at their copies nearest to the start, and the rival as well."""
    x, rival = (nearest_copy(problem, vector) for vector in (found.x, found.rival))
    shift = x - found.x
    return replace(found, x=x, rival=rival, lower=found.lower + shift, upper=found.upper + shift)
