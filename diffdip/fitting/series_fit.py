"""From measured series Hres(angle) to anisotropy fields, with honest errors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..foundation.arrays import Numbers
from ..foundation.convention import Convention
from ..foundation.flags import Flag
from ..resonance.branches import Branches
from ..resonance.energy_terms import AbstractEnergy
from ..resonance.fields import resonance_branches, resonance_field
from ..resonance.planes import Plane
from .diagnosis import diagnose
from .least_squares import LEVELS, Data, Estimates
from .parameters import Parameter
from .problem import PAD, FitProblem, Model, Series, common_frequency, stack_series


@dataclass(frozen=True)
class FitResult:
    """What a fit found. Tesla and radians throughout; arrays are numpy, in float64.

    `covariance`, `correlation` and `names` cover the free parameters; `values` all of them.
    `intervals` maps each free parameter to its "68" and "95" % interval by profile likelihood
    (one and two standard deviations; Student's law where sigma is unknown; NaN where χ² does
    not rise enough), or symmetric ones for a robust loss. `reduced_chi2` is None without
    sigma and for a robust loss, whose `chi2` is Σ 2 (√(1 + r²) − 1). Residuals are field −
    predicted, NaN where the model has no resonance (in `chi2`, not in `rms`, such a point counts
    with its whole field); series follow one another.
    `flags` are the doubts about it, empty if there are none.
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

    def curve(self, angle: Numbers, series: int = 0, frequency: float | None = None) -> np.ndarray:
        """Hres (tesla) of the fitted model at `angle` (radians) in the plane of one series.

        At the mean frequency of the series unless another is given (Hz).
        """
        angles, hertz, plane = self._setting(angle, series, frequency)
        with jax.enable_x64(True):
            return np.asarray(
                _curve(self.energy, angles, hertz, np.asarray(self.values["g"]), plane)
            )

    def branches(self, angle: Numbers, series: int = 0, frequency: float | None = None) -> Branches:
        """All resonances of the fitted model, in numpy arrays; arguments as for `curve`."""
        angles, hertz, plane = self._setting(angle, series, frequency)
        with jax.enable_x64(True):
            found = _branches(self.energy, angles, hertz, np.asarray(self.values["g"]), plane)
            return jax.tree.map(np.asarray, found)

    def _setting(
        self, angle: Numbers, series: int, frequency: float | None
    ) -> tuple[np.ndarray, np.ndarray, Plane]:
        measured = self.series[series]
        hertz = np.mean(measured.frequency) if frequency is None else frequency
        offset = self.values.get(f"offset_{series + 1}", self.values.get("offset", 0.0))
        return np.asarray(angle, float) - offset, np.asarray(hertz, float), measured.plane


def fit_series(
    angle: Numbers,
    field: Numbers,
    sigma: Numbers | None = None,
    *,
    frequency: Numbers,
    g: Parameter = 2.0,
    offset: Parameter = 0.0,
    plane: Plane = "xy",
    parameters: Mapping[str, Parameter] | None = None,
    model: Model | None = None,
    loss: str = "linear",
    convention: Convention | str | None = None,
) -> FitResult:
    """Fit one series Hres(angle); by default A, B and C are free and g is fixed.

    `angle` (radians), `field` and `sigma` (tesla), `frequency` (Hz), `plane`: see `Series`. A
    parameter is a number (fixed), `Free(lower, upper)` (fitted) or a function of the dict of the
    others (tied). `offset` (radians) is the reading of the goniometer at which the field lies
    along the first axis of the plane. `parameters` names those that `model` (dict → energy)
    takes: A, B, C in tesla for the default. `loss` is "linear" (least squares) or "soft_l1",
    which lets outliers pull less. Levenberg–Marquardt from the second harmonic of the data and
    the best of many other starts, in float64 whatever JAX's default. Doubts are in `flags`, never
    raised.

    Raises `ValueError` for fewer points than free parameters, or input that does not fit together.

    >>> import numpy as np
    >>> angle = np.deg2rad(np.arange(0, 180, 10))
    >>> field = 0.258 - 0.0197 * np.cos(2 * angle)
    >>> result = fit_series(angle, field, frequency=9.45e9)
    >>> print(f"A = {1e3 * result.values['A']:.0f} mT, B = {1e3 * result.values['B']:.0f} mT")
    A = 121 mT, B = 24 mT
    """
    series = Series(angle, field, sigma, frequency=frequency, plane=plane)
    return fit_joint(
        [series],
        g=g,
        offset=offset,
        parameters=parameters,
        model=model,
        loss=loss,
        convention=convention,
    )


def fit_joint(
    series: Sequence[Series],
    *,
    g: Parameter = 2.0,
    offset: Parameter | Sequence[Parameter] = 0.0,
    parameters: Mapping[str, Parameter] | None = None,
    model: Model | None = None,
    loss: str = "linear",
    convention: Convention | str | None = None,
) -> FitResult:
    """Fit several series of one sample at once (planes, frequencies) with shared parameters.

    Arguments as for `fit_series`. One `offset` holds for all series; a sequence gives each
    its own, named offset_1, offset_2, … Three planes and `FullTensorModel` give all of D.
    Either all series have sigma or none has.
    """
    problem = FitProblem.of(series, g, offset, parameters, model, loss, convention)
    design, data, known = stack_series(series)
    hints = problem.hints(series, [s.field for s in series])[None]
    with jax.enable_x64(True):
        found = problem.estimate(design, data, problem.starts(series), hints, known, True)
        return _result(problem, tuple(series), found, known)


@dataclass(frozen=True)
class ManyFits:
    """Fits of m series of equal length n: arrays whose first axis is the series.

    `values` holds the free parameters `names` (tesla, radians), shape (m, p);
    `standard_errors` and `covariance` likewise; `lower` and `upper` (m, 2, p) the 68 and 95 %
    intervals (symmetric unless profiles were asked for); `rival_chi2` χ² of another minimum (inf
    if none was found).
    """

    names: tuple[str, ...]
    values: np.ndarray
    standard_errors: np.ndarray
    covariance: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    chi2: np.ndarray
    rms: np.ndarray
    predicted: np.ndarray
    converged: np.ndarray
    rival_chi2: np.ndarray
    convention: str


def fit_many(
    angle: Numbers,
    field: Numbers,
    sigma: Numbers | None = None,
    *,
    frequency: Numbers,
    g: Parameter = 2.0,
    offset: Parameter = 0.0,
    plane: Plane = "xy",
    parameters: Mapping[str, Parameter] | None = None,
    model: Model | None = None,
    loss: str = "linear",
    convention: Convention | str | None = None,
    intervals: bool = False,
    batch: int = 256,
    progress: Callable[[int, int], Any] | None = None,
) -> ManyFits:
    """Fit m series measured at the same angles, `batch` of them in one vmapped call.

    `angle` (n,) radians, `field` (m, n) tesla with NaN for missing points, `sigma` broadcasting
    to it, `frequency` one number or (n,); the rest as for `fit_series`. `intervals` adds
    profile-likelihood intervals at several times the cost. `progress`(done, m) is called after
    each batch.

    >>> import numpy as np
    >>> angle = np.deg2rad(np.arange(0, 180, 15))
    >>> field = 0.3 + np.array([[0.01], [0.02]]) * np.cos(2 * angle)
    >>> fit_many(angle, field, frequency=9.45e9).values.shape
    (2, 3)
    """
    field = np.atleast_2d(np.asarray(field, float))
    example = Series(angle, np.nan_to_num(field[0]), None, frequency=frequency, plane=plane)
    problem = FitProblem.of([example], g, offset, parameters, model, loss, convention, points=False)
    few = np.sum(np.isfinite(field), axis=1) < len(problem.parameters.free)
    if np.any(few):
        raise ValueError(f"series {int(np.argmax(few))} has fewer points than free parameters")
    sigmas = None if sigma is None else np.broadcast_to(np.asarray(sigma, float), field.shape)
    if sigmas is not None and not np.all((sigmas > 0) | ~np.isfinite(field)):
        raise ValueError("sigma must be positive")
    starts = problem.starts([example])
    design = ((example.angle,), common_frequency(example.frequency))
    batch = min(batch, len(field))
    fitted = []
    for first in range(0, len(field), batch):
        rows = np.minimum(np.arange(first, first + batch), len(field) - 1)
        kept = min(batch, len(field) - first)
        data = Data.of(field[rows], None if sigmas is None else sigmas[rows])
        hints = np.stack([problem.hints([example], [field[row]]) for row in rows])
        with jax.enable_x64(True):
            found = problem.estimate(design, data, starts, hints, sigma is not None, intervals)
        fitted.append([getattr(found, name)[:kept] for name in _KEPT])
        if progress is not None:
            progress(first + kept, len(field))
    columns = [np.concatenate(column) for column in zip(*fitted, strict=True)]
    estimates = dict(zip(_KEPT, columns, strict=True))
    residuals = np.where(np.isfinite(field), field - estimates["predicted"], np.nan)
    return ManyFits(
        names=problem.parameters.free,
        standard_errors=np.sqrt(np.diagonal(estimates["covariance"], axis1=1, axis2=2)),
        rms=np.sqrt(np.nanmean(residuals**2, axis=1)),
        values=estimates.pop("x"),
        convention=problem.convention,
        **estimates,
    )


_KEPT = ("x", "covariance", "lower", "upper", "chi2", "predicted", "converged", "rival_chi2")


_curve = eqx.filter_jit(resonance_field)
_branches = eqx.filter_jit(resonance_branches)


def _result(
    problem: FitProblem, series: tuple[Series, ...], batch: Estimates, known: bool
) -> FitResult:
    found = batch.single()
    parameters = problem.parameters
    names = parameters.free
    values = {name: float(v) for name, v in parameters.values(jnp.asarray(found.x)).items()}
    errors = np.sqrt(np.diagonal(found.covariance))
    # drop the padding
    measured, predicted = [], []
    start = 0
    for s in series:
        measured.append(s.field)
        predicted.append(found.predicted[start : start + len(s.field)])
        start += len(s.field) + (-len(s.field) % PAD)
    prediction = np.concatenate(predicted)
    residuals = np.concatenate(measured) - prediction
    n_points = int(np.sum(np.isfinite(np.concatenate(measured))))
    dof = n_points - len(names)
    correlation = found.covariance / np.outer(errors, errors)
    plain = known and dof > 0 and problem.loss == "linear"
    reduced = float(found.chi2) / dof if plain else None
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
        rms=float(np.sqrt(np.nanmean(residuals**2))) if np.any(np.isfinite(residuals)) else np.nan,
        dof=dof,
        n_points=n_points,
        residuals=residuals,
        predicted=prediction,
        converged=bool(found.converged),
        flags=diagnose(
            parameters, found, correlation, np.concatenate(measured), prediction, dof, reduced
        ),
        convention=problem.convention,
        loss=problem.loss,
        series=series,
        energy=problem.model(parameters.values(jnp.asarray(found.x))),
    )
