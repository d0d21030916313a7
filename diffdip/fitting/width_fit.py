"""Fits of line widths after those of the positions: damping, disorder and mosaicity."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import equinox as eqx
import jax
import numpy as np

from ..foundation.arrays import Numbers
from ..foundation.errors import InputError
from ..foundation.flags import Flag
from ..resonance.energy_terms import AbstractEnergy
from ..resonance.line_widths import ADDITIONS, Model, WidthSlopes, width_slopes_along
from ..resonance.planes import Plane, plane_directions
from ..resonance.tabulated import RUN_FEW_TIMES
from ..spectra.definitions import SHAPES
from .fit_result import FitResult
from .parameter_table import offset_of, parameter_kind
from .series import Series, as_numbers
from .width_parts import (
    SPREAD as SPREAD,
    AlikeError,
    WidthFit as WidthFit,
    columns_of,
    fitted_widths,
    total_width,
)


PARTS: Final = ("damping", "inhomogeneous", "mosaic")

PEAK_TO_PEAK: Final = ("lorentzian", "gaussian")
"""Shapes of which FWHM and peak-to-peak width have a fixed ratio."""


def fit_widths(
    energy: AbstractEnergy | Model,
    angle: Numbers,
    width: Numbers,
    sigma: Numbers | None = None,
    *,
    frequency: Numbers,
    g: Numbers,
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
    >>> found = fit_widths(dd.ThinFilm(1.0), np.zeros(4), width, frequency=frequency, g=2.0)
    >>> print(f"α = {found.values['damping']:.4f}, {1e3 * found.values['inhomogeneous']:.3f} mT")
    α = 0.0100, 1.000 mT
    """
    _check_choices(parts, spread, addition, peak_to_peak)
    ratio = 1.0 if peak_to_peak is None else SHAPES[peak_to_peak].extrema_to_half
    series = _as_series(width, sigma, ratio, angle=angle, frequency=frequency, plane=plane)
    where = _in_plane(series.angle, plane)
    slopes = _slopes(_double(energy), where, series.frequency, g, values or {}, spread)
    return _fitted([series], slopes, parts, spread, addition)


def fit_widths_of(
    fit: FitResult,
    width: Numbers,
    sigma: Numbers | None = None,
    *,
    parts: Sequence[str] | None = None,
    spread: Sequence[str] = (),
    addition: str = "linear",
    peak_to_peak: str | None = None,
) -> WidthFit:
    """Fit the line widths of the series whose positions were fitted.

    Energy, g, offsets, directions and frequencies are those of the fit; its errors are not passed
    on. See `fit_widths`.

    Args:
        fit: The fit of the positions.
        width: Line widths in tesla, shape (n,), for all points of one series after the other: as
            for `fit_widths`.
        sigma: Standard errors of `width` in tesla, one number or shape (n,). Default: equal and
            unknown.
        parts: As for `fit_widths`. Default: damping and inhomogeneous; where these act alike,
            inhomogeneous alone, and a flag says so.
        spread: Names of parameters of the model, or "g", whose spread is fitted, too. Default:
            none.
        addition: As for `fit_widths`.
        peak_to_peak: As for `fit_widths`.

    Returns:
        Parts with their errors, and residuals. Doubts about them are in `flags`.

    Raises:
        InputError: For a number of widths that is not that of the points, widths of measured
            frequencies, and as for `fit_widths`.

    >>> import diffdip as dd
    >>> frequency = np.array([5e9, 10e9, 20e9, 30e9])
    >>> fields = dd.resonance_field(dd.ThinFilm(1.0), 0.0, frequency)
    >>> model = dd.TermsModel(["thin-film"])
    >>> fit = dd.fit_series(np.zeros(4), fields, frequency=frequency, model=model)
    >>> width = 1e-3 + 0.01 * 2 * np.asarray(dd.larmor_field(frequency))
    >>> print(f"α = {fit_widths_of(fit, width).values['damping']:.4f}")
    α = 0.0100
    """
    chosen = PARTS[:2] if parts is None else tuple(parts)
    _check_choices(chosen, spread, addition, peak_to_peak)
    ratio = 1.0 if peak_to_peak is None else SHAPES[peak_to_peak].extrema_to_half
    series = _of_series(fit, width, sigma, ratio)
    where = [_directions(fit, index) for index in range(len(series))]
    frequency = np.concatenate([one.frequency for one in fit.series])
    slopes = _slopes_of(fit, np.concatenate(where), frequency, spread)
    try:
        return _fitted(series, slopes, chosen, spread, addition)
    except AlikeError:
        if parts is not None or spread:
            raise
    one, other = (
        _fitted(series, slopes, (name,), (), addition) for name in ("inhomogeneous", "damping")
    )
    message = (
        "Damping and ΔH_0 act alike at these points, so all of the width is given as ΔH_0. With "
        f"damping alone α would be {other.values['damping']:.3g}. Measure at several frequencies, "
        "or out of the plane of the film."
    )
    return replace(one, flags=(Flag("degenerate", message), *one.flags))


def width_curve(
    fit: FitResult,
    widths: WidthFit,
    angle: Numbers,
    series: int = 0,
    frequency: Numbers | None = None,
) -> np.ndarray:
    """Line widths of the fitted parts in the plane of one series.

    Args:
        fit: The fit of the positions.
        widths: What `fit_widths_of` found for it.
        angle: As for `FitResult.curve`, shape (k,).
        series: As for `FitResult.curve`.
        frequency: In Hz, one number or shape (k,). Default: the mean frequency of the series.

    Returns:
        FWHM in tesla, shape (k,); NaN without resonance.
    """
    data = fit.series[series]
    angles = np.asarray(angle, float) - offset_of(fit.values, series)
    hertz = np.nanmean(data.frequency) if frequency is None else np.asarray(frequency, float)
    parts = [name for name in widths.names if not name.startswith(SPREAD)]
    spread = [name.removeprefix(SPREAD) for name in widths.names if name.startswith(SPREAD)]
    directions = _in_plane(angles, data.plane)
    slopes = _slopes_of(fit, directions, np.broadcast_to(hertz, angles.shape), spread)
    sizes = [widths.values[name] for name in widths.names]
    return total_width(columns_of(slopes, parts, spread), np.array(sizes), widths.addition)


def _slopes_of(
    fit: FitResult, direction: np.ndarray, frequency: np.ndarray, spread: Sequence[str]
) -> WidthSlopes:
    """The widths per unit of each part, for directions (n, 3) in the sample."""
    if fit.problem is None or not spread:
        return _slopes(fit.energy, direction, frequency, fit.values["g"], {}, spread)
    values = {k: value for k, value in fit.values.items() if not parameter_kind(k).nuisance}
    return _slopes(fit.problem.model, direction, frequency, fit.values["g"], values, spread)


def _slopes(
    energy: AbstractEnergy | Model,
    direction: np.ndarray,
    frequency: np.ndarray,
    g: Numbers,
    values: Mapping[str, Numbers],
    spread: Sequence[str],
) -> WidthSlopes:
    """`width_slopes_along` in float64, as numpy arrays."""
    with jax.enable_x64(True):
        return jax.device_get(
            _slopes_along(
                energy,
                direction,
                frequency,
                np.asarray(g, float),
                values={name: np.asarray(value, float) for name, value in values.items()},
                spread=tuple(spread),
            )
        )


_slopes_along = eqx.filter_jit(width_slopes_along, **RUN_FEW_TIMES)


def _fitted(
    series: Sequence[Series],
    slopes: WidthSlopes,
    parts: Sequence[str],
    spread: Sequence[str],
    addition: str,
) -> WidthFit:
    names = (*parts, *(f"{SPREAD}{name}" for name in spread))
    return fitted_widths(names, series, columns_of(slopes, parts, spread), addition)


def _directions(fit: FitResult, index: int) -> np.ndarray:
    """The directions of the field in a series, without the offset of its angles."""
    series = fit.series[index]
    if series.direction is not None:
        return series.direction
    return _in_plane(series.angle - offset_of(fit.values, index), series.plane)


def _in_plane(angle: np.ndarray, plane: Plane) -> np.ndarray:
    """Unit vectors in float64, whatever JAX's default."""
    with jax.enable_x64(True):
        return np.asarray(plane_directions(angle, plane))


def _of_series(fit: FitResult, width: Numbers, sigma: Numbers | None, ratio: float) -> list[Series]:
    """The widths in the place of the fields of each series. Raises `InputError`."""
    widths = as_numbers("width", width)
    count = sum(len(one) for one in fit.series)
    if widths.shape != (count,):
        expected = f"shape ({count},), one for each point of the fit"
        raise InputError("width", given=widths.shape, expected=expected)
    errors = None
    if sigma is not None:
        errors = np.array(np.broadcast_to(as_numbers("sigma", sigma), widths.shape))
    found, start = [], 0
    for one in fit.series:
        rows = slice(start, start := start + len(one))
        if one.measured == "frequency" and np.any(np.isfinite(widths[rows])):
            raise InputError(
                f"width of {one.name or 'a series'}",
                expected="widths of lines that were swept by the field",
                hint="Leave them out: NaN, or an empty cell",
            )
        own = _as_series(
            widths[rows],
            None if errors is None else errors[rows],
            ratio,
            angle=one.angle if one.direction is None else None,
            direction=one.direction,
            frequency=one.frequency if one.measured == "field" else 1e9,
            plane=one.plane,
            name=one.name,
        )
        found.append(own)
    return found


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


def _as_series(width: Numbers, sigma: Numbers | None, ratio: float, **where: Any) -> Series:
    """The widths as FWHM in the place of the fields of a series. Raises `InputError`."""
    try:
        given = Series(field=width, sigma=sigma, **where)
    except InputError as error:
        if error.what == "field":
            error.what = "width"
        raise
    if np.any(given.field <= 0):
        least = float(np.nanmin(given.field))
        raise InputError("width", given=least, expected="a width above 0, or NaN")
    errors = None if given.sigma is None else ratio * given.sigma
    return Series(field=ratio * given.field, sigma=errors, **where)
