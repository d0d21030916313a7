"""A, B, C and the line shape from all spectra of a rotation at once, without positions between.

The model is that of `swept_spectra`. Amplitude and baseline of each angle enter linearly and are
solved for at each step (variable projection), so that Levenberg–Marquardt sees only A, B, C, the
width with its second harmonic over the angle, the mixing of dispersion, and of a pseudo-Voigt line
its Lorentzian part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..foundation.convention import Convention, as_convention
from ..foundation.flags import Flag
from ..foundation.units import angle_text
from ..resonance.energy_terms import AnisotropyFields
from ..resonance.fields import resonance_field
from ..spectra.line_shapes import columns
from ..spectra.lines import LineError, find_lines, polynomials, sorted_samples
from ..spectra.noise import noise_of
from ..spectra.positions import LinePositions, each_sweep
from .series_fit import fit_series


if TYPE_CHECKING:
    import xarray as xr

FRACTIONS: dict[str, float | None] = {"lorentzian": 1.0, "gaussian": 0.0, "pseudo-voigt": None}
"""Lorentzian part of the shapes, None where it is fitted."""

NAMES = ("A", "B", "C", "phase", "ln_width", "ln_width_cos", "ln_width_sin", "fraction")
"""Parameters in their order; the last is of a pseudo-Voigt line only."""

START_FRACTION = 0.5

MISFIT = 1.5
"""Residuals so many times as large as the noise are of the model, not of the noise."""

ROUNDING = 1e-6
"""Residuals below this part of a line are none, where spectra have no noise."""

WIDEST = 4.0
"""A line so many times as wide as the sweep is none."""

MAX_STEPS = 60


@dataclass(frozen=True)
class SpectraFit:
    """What a fit to all spectra found: tesla and radians, numpy in float64.

    `values` and `standard_errors` are those of `names`: A, B, C, the phase of dispersion,
    ln(width/tesla) with the factors of cos 2α and sin 2α, and for a pseudo-Voigt line its
    Lorentzian part, to which no bounds are set (`covariance` follows that order).

    `angle` (a,) is that of each spectrum, `field` (a,) the model's resonance field there, `width`
    (a,) the full width at half maximum, `amplitude` (a,) the height of the absorption, whose
    derivative the signal is (signal times tesla; NaN without resonance), `rms` (a,) that of the
    residuals and `noise` (a,) the standard deviation of the noise in units of the signal,
    `residuals` those of each spectrum in the order of the field. `flags` are the
    doubts about it.
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
        """Doubts about the fit, empty if there are none."""
        flags: list[Flag] = []
        if not self.converged:
            flags.append(Flag("not-converged", "The fit of all spectra did not converge."))
        if count := int(np.isnan(self.field).sum()):
            message = f"The model has no resonance at {count} of {len(self.field)} angles."
            flags.append(Flag("no-resonance", message))
        # what is far below the line is rounding, of spectra without noise
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
                    "are too small if the line shape, phase, width or baseline is wrong; slow "
                    "noise has the same effect.",
                )
            )
        return tuple(flags)


class _Sweeps(eqx.Module):
    """Spectra (a, n) about 1 in height, filled up to one length with samples of weight 0."""

    angle: Float[Array, " a"]
    frequency: Float[Array, " a"]
    field: Float[Array, "a n"]
    signal: Float[Array, "a n"]
    weight: Float[Array, "a n"]
    g: Float[Array, ""]


class _Settings(eqx.Module):
    """What the compiled code is for; a `fraction` of None is fitted."""

    fraction: float | None = eqx.field(static=True)
    baseline: int | None = eqx.field(static=True)
    convention: Convention = eqx.field(static=True)


def fit_spectra(
    spectra: "xr.Dataset",
    positions: LinePositions,
    *,
    shape: str = "lorentzian",
    baseline: int | None = 0,
    g: float = 2.0,
    convention: Convention | str = "paper",
) -> SpectraFit:
    """Fit A, B, C, width and phase to all samples of a dataset from `read_spectra`.

    `positions` of the same spectra, by `line_positions`, give the start and the frequency of each
    angle; their fields do not enter otherwise. `shape` is `lorentzian`, `gaussian` or
    `pseudo-voigt`, `baseline` the order of a polynomial for each angle (None: none). All samples of
    all spectra have the same weight. Standard errors follow from the residuals of each spectrum and
    their correlation; they hold if the model does.

    Raises `ValueError` for another shape and for an unknown frequency, `LineError` where a
    spectrum has several lines, and where the model at its start has no resonance at most angles.

    >>> import xarray as xr
    >>> from diffdip import line_positions, swept_spectra, SweptLine
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
    if shape not in FRACTIONS:
        raise ValueError(f"shape {shape!r}: expected one of {', '.join(FRACTIONS)}")
    if np.isnan(positions.frequency).any():
        raise ValueError("positions: expected the frequency of each angle")
    noise = _noises(spectra, positions)
    settings = _Settings(FRACTIONS[shape], baseline, as_convention(convention))
    sweeps, scale = _sweeps(spectra, positions, g)
    with jax.enable_x64(True):
        start = _start(settings, sweeps, positions)
        x, ended = _solved(settings, sweeps, start)
        residual, jacobian, factors, field = (np.asarray(v) for v in _ended(settings, sweeps, x))
    used = np.asarray(sweeps.weight) > 0
    covariance = _covariance(residual, jacobian, used, factors.shape[1])
    variance = np.diag(covariance)
    errors = np.sqrt(np.where(variance > 0, variance, np.nan))
    width = np.exp(_harmonics(positions.angle) @ x[4:7])
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

    Refuses spectra of several lines, of which one was chosen: the model has one.
    """
    single = positions.settings.get("line") == "only"
    sigmas = []
    for angle, (field, signal) in zip(spectra["angle"].values, each_sweep(spectra), strict=True):
        scale = np.abs(signal).max() or 1.0
        lines = find_lines(field, signal / scale)
        if not single and len(lines) > 1:
            raise LineError(
                f"at {angle:g}°: {len(lines)} lines; one is expected in a fit of all samples"
            )
        sigmas.append(scale * lines.noise.sigma)
    return np.array(sigmas)


def _sweeps(spectra: "xr.Dataset", positions: LinePositions, g: float) -> tuple[_Sweeps, float]:
    """The spectra in tesla, and the factor that was taken off their signals."""
    ordered = [sorted_samples(field / 1e3, signal) for field, signal in each_sweep(spectra)]
    scale = max(float(np.abs(signal).max()) for _, signal in ordered) or 1.0
    longest = max(len(field) for field, _ in ordered)

    def filled(values: Sequence[np.ndarray], mode: Any) -> np.ndarray:
        return np.stack([np.pad(v, (0, longest - len(v)), mode=mode) for v in values])

    arrays = (
        positions.angle,
        positions.frequency,
        filled([field for field, _ in ordered], "edge"),
        filled([signal / scale for _, signal in ordered], "constant"),
        filled([np.ones(len(field)) for field, _ in ordered], "constant"),
        np.asarray(g, float),
    )
    with jax.enable_x64(True):
        return _Sweeps(*map(jnp.asarray, arrays)), scale


def _harmonics(angle: Any) -> Any:
    """1, cos 2α and sin 2α, as columns."""
    module = angle.__array_namespace__()
    return module.stack([module.ones_like(angle), module.cos(2 * angle), module.sin(2 * angle)], -1)


def _start(settings: _Settings, sweeps: _Sweeps, positions: LinePositions) -> np.ndarray:
    """From the fit of the positions, their widths, and both parts of the shape at them."""
    fitted = fit_series(
        positions.angle,
        positions.field,
        frequency=positions.frequency,
        g=float(sweeps.g),
        convention=settings.convention,
    )
    if np.isfinite(fitted.residuals).mean() < 0.5:
        raise LineError("the model of the positions has no resonance at most angles")
    width = np.linalg.lstsq(_harmonics(positions.angle), np.log(positions.width))[0]
    turn = _phase(settings, sweeps, positions)
    fraction = [START_FRACTION] if settings.fraction is None else []
    return np.array([*(fitted.values[name] for name in "ABC"), turn, *width, *fraction])


def _phase(settings: _Settings, sweeps: _Sweeps, positions: LinePositions) -> float:
    """That of all spectra together, from both parts of the shape at the positions."""
    fraction = START_FRACTION if settings.fraction is None else settings.fraction
    factors = []
    for i, used in enumerate(np.asarray(sweeps.weight) > 0):
        field, signal = np.asarray(sweeps.field)[i, used], np.asarray(sweeps.signal)[i, used]
        line = columns(field, positions.field[i], positions.width[i], fraction, None)
        matrix = np.concatenate([line, polynomials(field, settings.baseline)], axis=1)
        factors.append(np.linalg.lstsq(matrix, signal)[0][:2] @ np.array([1, 1j]))
    both = np.array(factors)
    turn = np.angle(np.sum(both**2)) / 2
    signs = np.sum(np.real(both * np.exp(-1j * turn)))
    return turn if signs >= 0 else turn - np.copysign(np.pi, turn)


def _shape(settings: _Settings, sweeps: _Sweeps, x: Array) -> tuple[Array, Array]:
    """Absorption and dispersion (a, n, 2) times the width, and the model's fields (a,).

    Where the model has no resonance its line is far beyond the sweep.
    """
    energy = AnisotropyFields(x[0], x[1], x[2], settings.convention)
    position = resonance_field(energy, sweeps.angle, sweeps.frequency, sweeps.g)
    beyond = 10 * jnp.max(sweeps.field)
    width = jnp.exp(_harmonics(sweeps.angle) @ x[4:7])
    fraction = x[7] if settings.fraction is None else settings.fraction
    drawn = jax.vmap(partial(columns, phase_deg=None), in_axes=(0, 0, 0, None))
    parts = drawn(sweeps.field, jnp.where(jnp.isnan(position), beyond, position), width, fraction)
    return width[:, None, None] * parts, position


def _projected(settings: _Settings, sweeps: _Sweeps, line: Array) -> tuple[Array, Array]:
    """What is left of the signals (a, n) beside lines (a, n, k) and baselines, and the factors."""

    def one(line: Array, field: Array, signal: Array, weight: Array) -> tuple[Array, Array]:
        matrix = jnp.concatenate([line, polynomials(field, settings.baseline)], axis=1)
        matrix = weight[:, None] * matrix
        factors = jnp.linalg.solve(matrix.T @ matrix, matrix.T @ signal)
        return signal - matrix @ factors, factors

    return jax.vmap(one)(line, sweeps.field, sweeps.signal, sweeps.weight)


def _residual(settings: _Settings, sweeps: _Sweeps, x: Array) -> tuple[Array, tuple[Array, Array]]:
    parts, position = _shape(settings, sweeps, x)
    line = jnp.cos(x[3]) * parts[..., :1] + jnp.sin(x[3]) * parts[..., 1:]
    residual, factors = _projected(settings, sweeps, line)
    return residual, (factors, position)


def _solved(settings: _Settings, sweeps: _Sweeps, start: np.ndarray) -> tuple[np.ndarray, bool]:
    """The parameters and whether the optimizer converged; fields move in units of a tenth width.

    By MINPACK: its own program and the one of the derivatives would be the same, compiled twice.
    """
    from scipy.optimize import least_squares

    unit = np.concatenate([np.full(3, 0.1 * np.exp(start[4])), np.ones(len(start) - 3)])
    last: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

    def both(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if y.tobytes() not in last:
            residual, jacobian, *_ = _ended(settings, sweeps, start + unit * y)
            last.clear()
            # a line that has left the sweep has no height: a step back
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


@eqx.filter_jit
def _ended(
    settings: _Settings, sweeps: _Sweeps, x: Float[ArrayLike, " p"]
) -> tuple[Array, Array, Array, Array]:
    """Residuals (a, n), their derivatives (a, n, p), factors (a, k) and fields (a,)."""

    def twice(x: Array) -> tuple[Array, Any]:
        residual, others = _residual(settings, sweeps, x)
        return residual, (residual, *others)

    jacobian, (residual, factors, field) = jax.jacfwd(twice, has_aux=True)(jnp.asarray(x))
    return residual, jacobian, factors, field


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
