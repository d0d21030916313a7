"""Fits of measured series Hres(angle): one, several of one sample, or very many."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from ..foundation.arrays import Numbers
from ..foundation.convention import Convention
from ..foundation.errors import InputError, check_count
from ..resonance.planes import Plane
from .anisotropy_models import Model
from .fit_result import FitResult, result_of
from .least_squares_problem import Data, Design
from .parameters import Parameter
from .problem import FitProblem, check_points
from .series import Series, common_frequency, measured_values, positive, stack_series
from .series_noise import with_own_noise


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
    intervals: bool = True,
) -> FitResult:
    """Fit one series Hres(angle). By default A, B and C are free and g is fixed.

    Minimizes Σ ((field − Hres)/sigma)² by Levenberg–Marquardt, from starts that the data suggest
    and, unless those suffice, from the best of many others. Runs in float64, whatever JAX's
    default.

    A parameter is a number (fixed), `Free(lower, upper)` (fitted), or a function of the dict of
    the other parameters (tied).

    Args:
        angle: Angles of the applied field in radians, shape (n,).
        field: Resonance fields in tesla, shape (n,). Points that are NaN are left out.
        sigma: Standard errors of `field` in tesla, one number or shape (n,). Default: equal and
            unknown; the errors then follow from the residuals. So they do if χ² is improbably large
            beside sigma, which a flag says: all are then multiplied by √(χ²/dof).
        frequency: In Hz, one number or shape (n,).
        g: The g-factor, a parameter. Default: fixed at 2.
        offset: Reading of the goniometer (radians) at which the applied field lies along the first
            axis of the plane, a parameter. Default: fixed at 0.
        plane: Rotation plane as for `resonance_field`. Default: "xy".
        parameters: Parameters of the model by name: A, B, C in tesla for the default model. Those
            that are not given are free.
        model: A function from the dict of parameters to an energy. Default: `InPlaneModel`.
        loss: "linear" for least squares (default) or "soft_l1", which gives wrong points less
            weight: Σ 2 (√(1 + r²) − 1) with r = residual/sigma. Where sigma is unknown, r is in
            units of the robust scale of the residuals (an S-estimate).
        convention: "paper" (default) or "physical".
        intervals: Whether to compute intervals by profile likelihood (default). Without them all
            are symmetric, which saves most of the time where a model is slow.

    Returns:
        Values, errors, intervals and residuals. Doubts about them are in `flags`, never raised.

    Raises:
        InputError: For fewer points than free parameters, and for arguments that cannot be used
            or do not fit together.

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
        intervals=intervals,
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
    intervals: bool = True,
) -> FitResult:
    """Fit several series of one sample at once, in several planes or at several frequencies.

    All series share the parameters. Without sigma all share one variance, too, unless their
    residuals differ by more than chance; then each has its own. Three planes and `FullTensorModel`
    give all of D.

    Args:
        series: One or more `Series`. Give sigma for all of them or for none.
        g: As for `fit_series`.
        offset: One parameter for all series, or a sequence with one for each. The latter are named
            offset_1, offset_2, …
        parameters: As for `fit_series`.
        model: As for `fit_series`.
        loss: As for `fit_series`.
        convention: As for `fit_series`.
        intervals: As for `fit_series`.

    Returns:
        As for `fit_series`; residuals of one series after the other.

    Raises:
        InputError: As for `fit_series`, and if only some of the series have sigma.

    >>> import numpy as np
    >>> angle = np.deg2rad(np.arange(0, 180, 10))
    >>> series = Series(angle, 0.258 - 0.0197 * np.cos(2 * angle), frequency=9.45e9)
    >>> fit_joint([series]).names
    ('A', 'B', 'C')
    """
    problem = FitProblem.of(
        series,
        g=g,
        offset=offset,
        parameters=parameters,
        model=model,
        loss=loss,
        convention=convention,
    )
    design, data, known = stack_series(series)
    with jax.enable_x64(True):
        own_noise = len(series) > 1 and not known and loss == "linear"
        if own_noise:
            first = problem.estimate(design, data, known_sigma=known, intervals=False)
            data = with_own_noise(problem, design, data, first.x)
        found = problem.estimate(design, data, known_sigma=known, intervals=intervals)
        return result_of(problem, tuple(series), found, known_sigma=known)


@dataclass(frozen=True)
class ManyFits:
    """What `fit_many` found for m series of n angles each. Arrays are numpy, in float64.

    Parameters are in tesla (anisotropy fields), radians (offset) or without unit (g); p of them
    are free.

    Args:
        names: Names of the free parameters, p of them.
        values: Values of the free parameters, shape (m, p).
        standard_errors: Their standard errors, shape (m, p).
        covariance: Their covariance, shape (m, p, p).
        lower: Lower ends of the 68 and 95 % intervals, shape (m, 2, p). Symmetric unless
            `intervals` is True.
        upper: Upper ends, shape (m, 2, p).
        chi2: As in `FitResult`, shape (m,), without unit.
        rms: Root mean square of the residuals in tesla, shape (m,).
        predicted: Fields of the model in tesla, shape (m, n). NaN without resonance.
        converged: Whether each search ended at a minimum, shape (m,).
        rival_chi2: χ² of the best other minimum, shape (m,); inf if none was found. The same
            solution with other angles counts, as an offset half a turn further.
        convention: "paper" or "physical"; "none" for a model of your own.
        error_factor: As in `FitResult`, shape (m,).
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
    error_factor: np.ndarray


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
    batch: int = 1024,
    progress: Callable[[int, int], object] | None = None,
) -> ManyFits:
    """Fit m series that were measured at the same angles, a batch at a time.

    Args:
        angle: Angles of the applied field in radians, shape (n,).
        field: Resonance fields in tesla, shape (m, n). Points that are NaN are left out.
        sigma: Standard errors of `field` in tesla, broadcast to its shape. Default: equal within
            each series, and unknown.
        frequency: In Hz, one number or shape (n,).
        g: As for `fit_series`.
        offset: As for `fit_series`.
        plane: As for `fit_series`.
        parameters: As for `fit_series`.
        model: As for `fit_series`.
        loss: As for `fit_series`.
        convention: As for `fit_series`.
        intervals: Whether to compute intervals by profile likelihood, which takes several times
            as long. Default: symmetric intervals.
        batch: Number of series that are fitted together. Default: 1024.
        progress: Called as `progress(done, m)` after each batch.

    Returns:
        Arrays whose first axis is the series.

    Raises:
        InputError: As for `fit_series`; `where` names the series with too few points.

    >>> import numpy as np
    >>> angle = np.deg2rad(np.arange(0, 180, 15))
    >>> field = 0.3 + np.array([[0.01], [0.02]]) * np.cos(2 * angle)
    >>> fit_many(angle, field, frequency=9.45e9).values.shape
    (2, 3)
    """
    field = np.atleast_2d(measured_values("field", field))
    if field.ndim != 2 or not len(field):
        raise InputError("field", given=field.shape, expected="shape (m, n)")
    check_count("batch", batch)
    example = Series(angle, field[0], None, frequency=frequency, plane=plane)
    problem = FitProblem.of(
        [example],
        g=g,
        offset=offset,
        parameters=parameters,
        model=model,
        loss=loss,
        convention=convention,
        points=False,
    )
    for i, count in enumerate(np.sum(np.isfinite(field), axis=1)):
        try:
            check_points(int(count), problem.parameters)
        except InputError as error:
            raise error.at(f"series {i}") from None
    sigmas = None if sigma is None else positive("sigma", sigma, field)
    data = Data.of(field, sigmas)
    design = Design((example.angle,), common_frequency(example.frequency))
    parts = []
    for first in range(0, len(field), batch):
        rows = np.arange(first, min(first + batch, len(field)))
        with jax.enable_x64(True):
            found = problem.estimate(
                design, data.of_rows(rows), known_sigma=sigma is not None, intervals=intervals
            )
        parts.append({name: getattr(found, name) for name in (*_SHARED, "x", "variance")})
        parts[-1]["rival_chi2"] = np.min(found.rival_chi2, axis=1)
        if progress is not None:
            progress(first + len(rows), len(field))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    scaled = sigma is not None and loss == "linear"
    residuals = np.where(np.isfinite(field), field - columns["predicted"], np.nan)
    return ManyFits(
        names=problem.parameters.free,
        standard_errors=np.sqrt(np.diagonal(columns["covariance"], axis1=1, axis2=2)),
        rms=np.sqrt(np.nanmean(residuals**2, axis=1)),
        values=columns["x"],
        convention=problem.convention,
        error_factor=np.sqrt(columns["variance"]) if scaled else np.ones(len(field)),
        **{name: columns[name] for name in (*_SHARED, "rival_chi2")},
    )


_SHARED = ("covariance", "lower", "upper", "chi2", "predicted", "converged")
"""Attributes of `Estimates` that `ManyFits` has too."""
