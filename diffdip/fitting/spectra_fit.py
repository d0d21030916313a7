"""A, B, C and the line shape from all spectra of a rotation at once, without positions between."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from ..foundation.convention import Convention, as_convention
from ..foundation.errors import InputError
from ..foundation.flags import Flag
from ..foundation.units import angle_text
from ..spectra.definitions import SHAPES
from ..spectra.line_selection import each_sweep
from ..spectra.lines import LineError, find_lines
from ..spectra.noise import noise_of
from ..spectra.positions import LinePositions
from .spectra_model import NAMES, WIDTH, ShapeSettings, Sweeps, evaluated, harmonics, sweeps_of
from .spectra_start import start_of


if TYPE_CHECKING:
    import xarray as xr

MISFIT = 1.5
"""Residuals this many times larger than the noise show that the model is wrong."""

ROUNDING = 1e-6
"""Residuals below this part of a line count as rounding, where spectra have no noise."""

WIDEST = 4.0
"""A fit whose line is this many times wider than the sweep has not converged."""

MAX_STEPS = 60
"""Evaluations of the model, at most."""


@dataclass(frozen=True)
class SpectraFit:
    """What `fit_spectra` found. Arrays are numpy, in float64; a is the number of angles.

    Args:
        names: Names of the parameters, p of them: A, B, C, phase, ln_width, ln_width_cos,
            ln_width_sin, and fraction for a pseudo-Voigt line.
        values: Value of each parameter: A, B, C in tesla; the phase of dispersion in radians;
            ln(width/tesla) with the factors of cos 2α and sin 2α, without unit; and the Lorentzian
            part, which has no bounds and no unit.
        standard_errors: Standard error of each parameter, in the same units.
        covariance: Covariance of the parameters in the order of `names`, shape (p, p).
        angle: Angle of each spectrum in radians, shape (a,).
        field: Resonance field of the model in tesla, shape (a,). NaN without resonance.
        width: Full width at half maximum in tesla, shape (a,).
        amplitude: Height of the absorption, whose derivative the signal is, in units of the signal
            times tesla, shape (a,). NaN without resonance.
        rms: Root mean square of the residuals in units of the signal, shape (a,).
        noise: Standard deviation of the noise in units of the signal, shape (a,).
        residuals: Signal − model of each spectrum in units of the signal, in ascending order of the
            field; a arrays of shape (n_i,).
        converged: Whether the search ended at a minimum, with lines that fit in the sweep.
        convention: "paper" or "physical".
        shape: "lorentzian", "gaussian" or "pseudo-voigt".
        baseline: Order of the polynomial of each angle; None: no baseline.
    """

    names: tuple[str, ...]
    values: dict[str, float]
    standard_errors: dict[str, float]
    covariance: np.ndarray
    angle: np.ndarray
    field: np.ndarray
    width: np.ndarray
    amplitude: np.ndarray
    rms: np.ndarray
    noise: np.ndarray
    residuals: tuple[np.ndarray, ...]
    converged: bool
    convention: str
    shape: str
    baseline: int | None

    @property
    def flags(self) -> tuple[Flag, ...]:
        """Doubts about the fit; empty if it raises no doubt."""
        flags: list[Flag] = []
        if not self.converged:
            flags.append(Flag("not-converged", "The fit of all spectra did not converge."))
        if count := int(np.isnan(self.field).sum()):
            message = f"The model has no resonance at {count} of {len(self.field)} angles."
            flags.append(Flag("no-resonance", message))
        # in spectra without noise, residuals far below the line are rounding
        height = np.max(np.abs(np.nan_to_num(self.amplitude)) / self.width)
        known = (self.rms > MISFIT * self.noise) & (self.rms > ROUNDING * height)
        if known.any():
            noise = np.maximum(self.noise, ROUNDING * height)
            worst = int(np.argmax(np.where(known, self.rms / noise, 0.0)))
            where = angle_text(np.degrees(self.angle[worst]))
            flags.append(
                Flag(
                    "misfit",
                    f"The residuals are larger than the noise at {known.sum()} of {len(known)} "
                    f"angles, {self.rms[worst] / noise[worst]:.3g} times at {where}°. The errors "
                    "are too small if the line shape, phase, width or baseline is wrong. Slow "
                    "noise can also make the residuals large.",
                )
            )
        return tuple(flags)


def fit_spectra(
    spectra: "xr.Dataset",
    positions: LinePositions,
    *,
    shape: str = "lorentzian",
    baseline: int | None = 0,
    g: float = 2.0,
    convention: Convention | str = "paper",
) -> SpectraFit:
    """Fit A, B, C, width and phase to all data points of all spectra at once.

    All points have the same weight. Standard errors follow from the residuals of each spectrum
    and their correlation; they hold if the model does. Runs in float64, whatever JAX's default.

    Args:
        spectra: Dataset from `read_spectra`.
        positions: From `line_positions` of the same spectra. They give the start of the search and
            the frequency of each angle.
        shape: "lorentzian" (default), "gaussian" or "pseudo-voigt".
        baseline: Order of a polynomial that is added at each angle. Default: 0, a constant. None:
            no baseline.
        g: The g-factor. Default: 2.
        convention: "paper" (default) or "physical".

    Returns:
        Parameters with errors, and the line at each angle. Doubts are in `flags`, never raised.

    Raises:
        InputError: For arguments that cannot be used, and for an unknown frequency.
        LineError: If a spectrum has several lines, or if the model of the positions has no
            resonance at most angles.

    >>> import xarray as xr
    >>> from diffdip import AnisotropyFields, line_positions, swept_spectra, SweptLine
    >>> angle, field = np.arange(0.0, 180.0, 30.0), np.linspace(250.0, 430.0, 181)
    >>> energy, line = AnisotropyFields(A=0.04, B=0.02), SweptLine(width=0.02)
    >>> with jax.enable_x64(True):
    ...     signal = swept_spectra(energy, np.radians(angle), 9.45e9, field / 1e3, line)
    >>> spectra = xr.Dataset(
    ...     {"signal": (("angle", "field"), np.asarray(signal))},
    ...     coords={"angle": angle, "field": field, "frequency": ("angle", np.full(6, 9.45))},
    ... )
    >>> found = fit_spectra(spectra, line_positions(spectra))
    >>> print(f"A = {1e3 * found.values['A']:.3f} mT, B = {1e3 * found.values['B']:.3f} mT")
    A = 40.000 mT, B = 20.000 mT
    """
    if shape not in SHAPES:
        raise InputError("shape", given=shape, expected=", ".join(SHAPES))
    if baseline is not None and baseline < 0:
        raise InputError("baseline", given=baseline, expected="an order of 0 or more, or None")
    if not g > 0:
        raise InputError("g", given=g, expected="a number above 0")
    if len(positions.angle) != spectra.sizes["angle"]:
        raise InputError(
            "positions",
            given=len(positions.angle),
            expected=f"one for each of the {spectra.sizes['angle']} spectra",
        )
    if np.isnan(positions.frequency).any():
        raise InputError(
            "frequency",
            given=np.nan,
            expected="the frequency of each angle",
            hint="Set the coordinate frequency (GHz) of the spectra",
        )
    noise = _noises(spectra, positions)
    settings = ShapeSettings(SHAPES[shape].fraction, baseline, as_convention(convention))
    sweeps, scale = sweeps_of(spectra, positions, g)
    with jax.enable_x64(True):
        start = start_of(settings, sweeps, positions)
        x, ended = _solved(settings, sweeps, start)
        residual, jacobian, factors, field = (np.asarray(v) for v in evaluated(settings, sweeps, x))
    used = np.asarray(sweeps.weight) > 0
    covariance = _covariance(residual, jacobian, used, factors.shape[1])
    variance = np.diag(covariance)
    errors = np.sqrt(np.where(variance > 0, variance, np.nan))
    width = np.exp(harmonics(positions.angle) @ x[WIDTH])
    names = NAMES[: len(x)]
    return SpectraFit(
        names=names,
        values=dict(zip(names, x.tolist(), strict=True)),
        standard_errors=dict(zip(names, errors.tolist(), strict=True)),
        covariance=covariance,
        angle=positions.angle,
        field=field,
        width=width,
        amplitude=np.where(np.isnan(field), np.nan, scale * factors[:, 0] * width),
        rms=scale * np.sqrt((residual**2).sum(axis=1) / used.sum(axis=1)),
        noise=noise,
        residuals=tuple(scale * left[kept] for left, kept in zip(residual, used, strict=True)),
        converged=bool(ended and width.max() < WIDEST * np.ptp(np.asarray(sweeps.field))),
        convention=str(settings.convention),
        shape=shape,
        baseline=baseline,
    )


def _noises(spectra: "xr.Dataset", positions: LinePositions) -> np.ndarray:
    """Standard deviation of the noise of each spectrum, in units of the signal.

    Raises:
        LineError: If a spectrum has several lines and the user selected one: the model has one.
    """
    single = positions.settings.get("line") == "only"
    sigmas = []
    for angle, (field, signal) in zip(spectra["angle"].values, each_sweep(spectra), strict=True):
        scale = np.abs(signal).max() or 1.0
        lines = find_lines(field, signal / scale)
        if not single and len(lines) > 1:
            raise LineError(
                f"{len(lines)} lines",
                expected="one line in each spectrum for a fit of all samples",
                hint="Fit the positions of the selected line instead",
                where=(f"{angle:g}°",),
            )
        sigmas.append(scale * lines.noise.sigma)
    return np.array(sigmas)


def _solved(settings: ShapeSettings, sweeps: Sweeps, start: np.ndarray) -> tuple[np.ndarray, bool]:
    """The parameters and whether the optimizer converged; fields move in units of a tenth width.

    By MINPACK, because an optimizer in JAX would contain the model once more and compile it twice.
    """
    from scipy.optimize import least_squares

    unit = np.concatenate([np.full(3, 0.1 * np.exp(start[4])), np.ones(len(start) - 3)])
    last: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

    def both(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if y.tobytes() not in last:
            residual, jacobian, *_ = evaluated(settings, sweeps, start + unit * y)
            last.clear()
            # a line that has left the sweep has no height; large residuals make MINPACK step back
            last[y.tobytes()] = (
                np.nan_to_num(np.ravel(residual), nan=1e6),
                np.nan_to_num(np.reshape(jacobian, (-1, len(y)))) * unit,
            )
        return last[y.tobytes()]

    slope: Any = lambda y: both(y)[1]
    found = least_squares(
        lambda y: both(y)[0],
        np.zeros(len(start)),
        slope,
        method="lm",
        xtol=1e-10,
        ftol=1e-12,
        max_nfev=MAX_STEPS,
    )
    return start + unit * found.x, found.success


def _covariance(
    residual: np.ndarray, jacobian: np.ndarray, used: np.ndarray, linear: int
) -> np.ndarray:
    """(JᵀJ)⁻¹ Σ JᵀKJ (JᵀJ)⁻¹ over the angles, K the covariance of the noise of each."""
    inverse = np.linalg.pinv(np.einsum("anp,anq->pq", jacobian, jacobian), hermitian=True)
    middle = np.zeros_like(inverse)
    share = len(inverse) / len(residual)
    for left, slopes, kept in zip(residual, jacobian, used, strict=True):
        freedom = max(1 - (linear + share) / kept.sum(), 1e-3)
        middle += noise_of(left[kept], freedom).of_sums(slopes[kept])
    return inverse @ middle @ inverse
