"""Fits of line widths after those of the positions: damping, disorder and mosaicity.

With the energy known, each part of a width is a number times a slope (`resonance.line_widths`). For
widths that add the model is linear; where squares add it is linear in squares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import equinox as eqx
import jax
import numpy as np

from ..foundation.arrays import Numbers
from ..foundation.errors import InputError
from ..foundation.flags import Flag
from ..numerics.levenberg_marquardt import Point, descend
from ..resonance.energy_terms import AbstractEnergy
from ..resonance.line_widths import ADDITIONS, Model, WidthSlopes, width_slopes
from ..resonance.planes import Plane
from ..resonance.tabulated import RUN_FEW_TIMES
from ..spectra.definitions import SHAPES
from .diagnosis import misfit
from .residual_structure import structure_flags
from .series import Series


PARTS: Final = ("damping", "inhomogeneous", "mosaic")

PEAK_TO_PEAK: Final = ("lorentzian", "gaussian")
"""Shapes of which FWHM and peak-to-peak width have a fixed ratio."""

ALIKE: Final = 0.98
"""Parts whose errors are more correlated than this cannot be separated."""

LEAST_SHARE: Final = 1e-6
"""A part that is smaller than this share of the widths is at its bound, 0."""

NO_EFFECT: Final = 1e-9
"""A slope below this share of the resonance field, per radian, tesla or 1, is rounding."""

SINGULAR: Final = 1e-7
"""Singular values of the normalized slopes below this are rounding: parts act alike."""


@dataclass(frozen=True)
class WidthFit:
    """What `fit_widths` found. Arrays are numpy, in float64; n is the number of points.

    Args:
        names: Of the parts: "damping" (α, without unit), "inhomogeneous" (ΔH_0 in tesla), "mosaic"
            (Δψ in radians) and "spread_p" for a parameter p (in its unit). All are FWHM.
        values: The size of each part, not negative.
        standard_errors: Of each part; NaN for a part at its bound 0, and where there are as many
            points as parts and sigma is unknown.
        covariance: Of the parts, in the order of `names`.
        chi2: Σ (residual/sigma)², with sigma = 1 mT where it is unknown.
        reduced_chi2: chi2/dof; None where sigma is unknown, and for dof = 0.
        rms: Root mean square of the residuals in tesla.
        dof: Number of points less that of parts.
        residuals: Width − predicted, as FWHM in tesla, shape (n,). NaN for points left out.
        predicted: FWHM in tesla, shape (n,). NaN without resonance.
        flags: Doubts about the fit.
        addition: "linear" or "squares".
    """

    names: tuple[str, ...]
    values: dict[str, float]
    standard_errors: dict[str, float]
    covariance: np.ndarray
    chi2: float
    reduced_chi2: float | None
    rms: float
    dof: int
    residuals: np.ndarray
    predicted: np.ndarray
    flags: tuple[Flag, ...]
    addition: str


def fit_widths(
    energy: AbstractEnergy | Model,
    angle: Numbers,
    width: Numbers,
    sigma: Numbers | None = None,
    *,
    frequency: Numbers,
    g: Numbers = 2.0,
    plane: Plane = "xy",
    values: Mapping[str, float] | None = None,
    parts: Sequence[str] = ("damping", "inhomogeneous"),
    spread: Sequence[str] = (),
    addition: str = "linear",
    peak_to_peak: str | None = None,
) -> WidthFit:
    """Fit line widths by damping, ΔH_0, mosaicity and spreads of parameters.

    The energy is known, from a fit of the positions: for a `FitResult` it is `fit.energy`, with
    `fit.values["g"]`, and angles less the offset. Its errors are not passed on. The widths are
    those of `line_width`. Each part is 0 or more. Runs in float64, whatever JAX's default.

    Series at one frequency in one plane can often not tell damping from ΔH_0: measure at several
    frequencies, or out of the plane of a film.

    Args:
        energy: As for `width_slopes`.
        angle: Angles of the applied field in radians, shape (n,).
        width: Line widths in tesla, shape (n,): FWHM of the absorption, unless `peak_to_peak` is
            given. Points that are NaN are left out.
        sigma: Standard errors of `width` in tesla, one number or shape (n,). Default: equal and
            unknown; the errors then follow from the residuals.
        frequency: In Hz, one number or shape (n,).
        g: The g-factor, one number.
        plane: Rotation plane as for `resonance_field`. Default: "xy".
        values: As for `width_slopes`.
        parts: Names among damping, inhomogeneous and mosaic. Default: the first two.
        spread: Names of `values`, or "g", whose spread is fitted, too. Default: none.
        addition: As for `line_width`: "linear" (default) or "squares".
        peak_to_peak: The line's shape, if `width` and `sigma` are the distance between the extrema
            of the derivative: "lorentzian" (× √3 is the FWHM) or "gaussian" (× √(2 ln 2)).

    Returns:
        Parts with their errors, and residuals. Doubts about them are in `flags`.

    Raises:
        InputError: For fewer points than parts, parts that act alike at all points, and for
            arguments that cannot be used.

    >>> import diffdip as dd
    >>> frequency = np.array([5e9, 10e9, 20e9, 30e9])
    >>> width = 1e-3 + 0.01 * 2 * np.asarray(dd.larmor_field(frequency))
    >>> found = fit_widths(dd.ThinFilm(1.0), np.zeros(4), width, frequency=frequency)
    >>> print(f"α = {found.values['damping']:.4f}, {1e3 * found.values['inhomogeneous']:.3f} mT")
    α = 0.0100, 1.000 mT
    """
    _check_choices(parts, spread, addition, peak_to_peak)
    ratio = 1.0 if peak_to_peak is None else SHAPES[peak_to_peak].extrema_to_half
    series = _series(angle, width, sigma, frequency, plane, ratio)
    names = (*parts, *(f"spread_{name}" for name in spread))
    with jax.enable_x64(True):
        slopes = jax.device_get(
            _slopes(
                _double(energy),
                series.angle,
                series.frequency,
                np.asarray(g, float),
                plane,
                values={name: np.asarray(value, float) for name, value in (values or {}).items()},
                spread=tuple(spread),
            )
        )
    columns = _columns(slopes, parts, spread)
    used = np.isfinite(series.field) & np.isfinite(slopes.field)
    _check_columns(names, columns[used], slopes.field[used])
    weight = np.full(len(used), 1e3) if series.sigma is None else 1 / series.sigma
    x, widths, jacobian = _minimum(columns[used], series.field[used], weight[used], addition)
    return _result(names, series, columns, used, weight, x, widths, jacobian, addition)


_slopes = eqx.filter_jit(width_slopes, **RUN_FEW_TIMES)


def _double(energy: AbstractEnergy | Model) -> AbstractEnergy | Model:
    """An energy that was made in float32, in float64."""
    convert = lambda leaf: np.asarray(leaf, float) if eqx.is_inexact_array(leaf) else leaf
    return jax.tree.map(convert, energy) if isinstance(energy, AbstractEnergy) else energy


def _check_choices(
    parts: Sequence[str], spread: Sequence[str], addition: str, peak_to_peak: str | None
) -> None:
    """Raises `InputError` for names that are not known, or no part at all."""
    for name in parts:
        if name not in PARTS:
            raise InputError("parts", given=name, expected=f"names among {', '.join(PARTS)}")
    if not (*parts, *spread):
        raise InputError("parts", given=tuple(parts), expected="one part or more")
    for what, given in (("parts", parts), ("spread", spread)):
        if len(set(given)) < len(given):
            raise InputError(what, given=tuple(given), expected="each name once")
    if addition not in ADDITIONS:
        raise InputError("addition", given=addition, expected=" or ".join(ADDITIONS))
    if peak_to_peak is not None and peak_to_peak not in PEAK_TO_PEAK:
        raise InputError("peak_to_peak", given=peak_to_peak, expected=" or ".join(PEAK_TO_PEAK))


def _series(
    angle: Numbers,
    width: Numbers,
    sigma: Numbers | None,
    frequency: Numbers,
    plane: Plane,
    ratio: float,
) -> Series:
    """The widths as a series of FWHM, in the place of its fields. Raises `InputError`."""
    try:
        series = Series(angle, width, sigma, frequency=frequency, plane=plane)
    except InputError as error:
        if error.what == "field":
            error.what = "width"
        raise
    if np.any(series.field <= 0):
        least = float(np.nanmin(series.field))
        raise InputError("width", given=least, expected="a width above 0, or NaN")
    errors = None if series.sigma is None else ratio * series.sigma
    return Series(
        series.angle, ratio * series.field, errors, frequency=series.frequency, plane=plane
    )


def _columns(slopes: WidthSlopes, parts: Sequence[str], spread: Sequence[str]) -> np.ndarray:
    """The width per unit of each part, shape (n, p)."""
    known = {
        "damping": slopes.damping,
        "inhomogeneous": np.where(np.isfinite(slopes.field), 1.0, np.nan),
        "mosaic": slopes.mosaic,
    }
    return np.stack(
        [*(known[name] for name in parts), *(slopes.spreads[name] for name in spread)], axis=1
    )


def _check_columns(names: tuple[str, ...], columns: np.ndarray, field: np.ndarray) -> None:
    """Raises `InputError` for too few points, or parts that act alike at all of them."""
    if len(columns) < len(names):
        raise InputError(
            "points",
            given=len(columns),
            expected=f"at least {len(names)}, one for each part",
            hint="Leave out a part",
        )
    sizes = np.linalg.norm(columns, axis=0)
    for name, size in zip(names, sizes, strict=True):
        if not size > NO_EFFECT * np.linalg.norm(field):
            raise InputError(
                "parts",
                given=name,
                expected="parts that make some line wider",
                hint="It has no effect at these angles. Leave it out",
            )
    _, values, directions = np.linalg.svd(columns / sizes, full_matrices=False)
    if values[-1] < SINGULAR * values[0]:
        alike = [n for n, d in zip(names, directions[-1], strict=True) if abs(d) > 0.05]
        raise InputError(
            "parts",
            given=tuple(names),
            expected=f"parts that differ at these points: {' and '.join(alike)} act alike",
            hint="Leave out one of them, or add frequencies or directions",
        )


def _minimum(
    columns: np.ndarray, width: np.ndarray, weight: np.ndarray, addition: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best sizes of the parts, the widths that they make, and their derivatives.

    Where squares add, the variables of the search are the squares of the sizes.
    """
    squares = addition == "squares"
    slopes = columns**2 if squares else columns
    target, accuracy = (width**2, weight / (2 * width)) if squares else (width, weight)
    # all variables of the order of one
    scale = np.mean(target) / np.max(slopes, axis=0)
    slopes = slopes * scale

    def model(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        made = slopes @ y
        if not squares:
            return made, slopes
        root = np.sqrt(np.maximum(made, 1e-12 * np.mean(target)))
        return root, slopes / (2 * root[:, None])

    def evaluate(_: np.ndarray, y: np.ndarray) -> Point:
        made, derivative = model(y[0])
        return Point.of(y, (weight * (width - made))[None], (weight[:, None] * derivative)[None])

    guess, *_ = np.linalg.lstsq(accuracy[:, None] * slopes, accuracy * target)
    start = np.maximum(guess, 0.0)[None]
    if not start.any():
        start = start + 1.0
    here = evaluate(np.zeros(1, int), start)
    descend(evaluate, here, np.arange(1), np.zeros_like(start), np.full_like(start, np.inf))
    y = here.y[0]
    made, derivative = model(y)
    if not squares:
        return y * scale, made, derivative / scale
    x = np.sqrt(y * scale)
    # ∂/∂x = 2x ∂/∂x²
    return x, made, derivative / scale * 2 * x


def _result(
    names: tuple[str, ...],
    series: Series,
    columns: np.ndarray,
    used: np.ndarray,
    weight: np.ndarray,
    x: np.ndarray,
    widths: np.ndarray,
    jacobian: np.ndarray,
    addition: str,
) -> WidthFit:
    """The result, with errors and doubts."""
    predicted = np.full(len(used), np.nan)
    # where no width was measured, too
    parts = columns * x
    predicted[:] = parts.sum(axis=1) if addition == "linear" else np.sqrt((parts**2).sum(axis=1))
    residuals = np.where(used, series.field - predicted, np.nan)
    chi2 = float(np.sum((weight * residuals)[used] ** 2))
    dof = int(used.sum()) - len(names)
    known = series.sigma is not None
    open_parts = np.max(columns[used], axis=0) * x > LEAST_SHARE * np.mean(widths)
    covariance = _covariance(weight[used, None] * jacobian, open_parts)
    if not known:
        covariance = covariance * (chi2 / dof if dof else np.nan)
    errors = np.sqrt(np.diagonal(covariance))
    reduced = chi2 / dof if known and dof else None
    flags = [
        Flag(
            "at-bound",
            f"{name} is at its bound, 0: these widths do not need it, so it has no error.",
        )
        for name, is_open in zip(names, open_parts, strict=True)
        if not is_open
    ]
    flags += _alike(names, covariance, errors)
    missing = int(np.sum(np.isfinite(series.field) & ~used))
    if missing:
        message = f"The energy has no resonance at {missing} of the points, which were left out."
        flags.append(Flag("no-resonance", message))
    if dof == 0:
        message = "There are as many points as parts, so the residuals test nothing."
        flags.append(Flag("no-degrees-of-freedom", message))
    flags += misfit(reduced, dof)
    flags += structure_flags([series], residuals, len(names))
    return WidthFit(
        names=names,
        values=dict(zip(names, x.tolist(), strict=True)),
        standard_errors=dict(zip(names, errors.tolist(), strict=True)),
        covariance=covariance,
        chi2=chi2,
        reduced_chi2=reduced,
        rms=float(np.sqrt(np.mean(residuals[used] ** 2))),
        dof=dof,
        residuals=residuals,
        predicted=predicted,
        flags=tuple(flags),
        addition=addition,
    )


def _covariance(weighted: np.ndarray, open_parts: np.ndarray) -> np.ndarray:
    """Of the parts that are not at their bound; NaN for the others."""
    covariance = np.full((len(open_parts),) * 2, np.nan)
    if open_parts.any():
        inside = np.ix_(open_parts, open_parts)
        covariance[inside] = np.linalg.inv((weighted.T @ weighted)[inside])
    return covariance


def _alike(names: tuple[str, ...], covariance: np.ndarray, errors: np.ndarray) -> list[Flag]:
    """Flags for pairs of parts that these points hardly tell apart."""
    limits = ALIKE * np.outer(errors, errors)
    flags = []
    for i, j in zip(*np.triu_indices(len(names), 1), strict=True):
        if abs(covariance[i, j]) > limits[i, j]:
            message = (
                f"{names[i]} and {names[j]} cannot be separated with these widths. Add frequencies "
                "or directions, or leave out one of them."
            )
            flags.append(Flag("degenerate", message))
    return flags
