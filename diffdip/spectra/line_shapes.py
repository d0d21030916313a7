"""Derivative line shapes and their fit to a spectrum, with the line at negative field.

A linearly polarized microwave field drives the resonance at −H0 as well as that at H0. A band
whose width is of the order of H0 is the sum of both,

    s(H) = f'(H − H0) of absorption a and dispersion d  +  its mirror image about H = 0,

    s = a [A'(H − H0) + A'(H + H0)] + d [D'(H − H0) − D'(H + H0)],

with A an even function of full width at half maximum w and D its Hilbert transform. The functions
of shapes accept arrays of numpy or JAX and return the same kind.
"""

import math
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ..foundation.errors import InputError
from ..numerics.dawson_function import dawson
from .definitions import SHAPES, LineShape
from .lines import LineError, polynomials
from .noise import Noise, noise_of


Values = np.ndarray | jax.Array
Number = float | jax.Array
Derivatives = tuple[Values, Values]


@dataclass(frozen=True)
class LineFit:
    """A line that was fitted to a spectrum.

    Args:
        position: Resonance field, in the unit of the field.
        sigma: Standard error of the position, in the unit of the field.
        width: Full width at half maximum of the absorption, in the unit of the field.
        phase_deg: Mixing of dispersion in degrees: 0 for pure absorption, 180 for an inverted line.
        fraction: Lorentzian part, from 0 to 1.
        noise: Noise of the residuals.
        signal: Fitted curve, of shape (n,).
    """

    position: float
    sigma: float
    width: float
    phase_deg: float
    fraction: float
    noise: Noise
    signal: np.ndarray


def lorentzian(x: Values, width: Number) -> Derivatives:
    """Derivatives with respect to x of a Lorentzian of height 1 and of its dispersion.

    >>> absorption, dispersion = lorentzian(np.array([0.0, 1.0]), 2.0)
    >>> absorption, dispersion
    (array([-0. , -0.5]), array([1., 0.]))
    """
    z = 2 * x / width
    return -4 * z / (width * (1 + z**2) ** 2), 2 * (1 - z**2) / (width * (1 + z**2) ** 2)


def gaussian(x: Values, width: Number) -> Derivatives:
    """Derivatives with respect to x of a Gaussian of height 1 and of its dispersion.

    The dispersion is 2/√π times Dawson's function.
    """
    per_x = 2 * math.sqrt(math.log(2)) / width
    z = per_x * x
    dispersion = 2 / math.sqrt(math.pi) * (1 - 2 * z * _dawson(z))
    return -2 * z * _module(z).exp(-(z**2)) * per_x, dispersion * per_x


def mixture(x: Values, width: Number, fraction: Number) -> Derivatives:
    """A Lorentzian of weight `fraction` and a Gaussian with the rest, both of one width."""
    parts = zip(lorentzian(x, width), gaussian(x, width), strict=True)
    first, second = (fraction * narrow + (1 - fraction) * wide for narrow, wide in parts)
    return first, second


def columns(
    field: Values, position: Number, width: Number, fraction: Number, phase_deg: Number | None
) -> Any:
    """The shape at `position` with its mirror image, as columns (n, 2) or (n, 1).

    Without a phase these are absorption and dispersion, with one their mixture.
    """
    module = _module(field)
    absorption, dispersion = mixture(field - position, width, fraction)
    mirrored = mixture(field + position, width, fraction)
    absorption, dispersion = absorption + mirrored[0], dispersion - mirrored[1]
    if phase_deg is None:
        return module.stack([absorption, dispersion], axis=1)
    phase = phase_deg * (math.pi / 180)
    return (module.cos(phase) * absorption + module.sin(phase) * dispersion)[:, None]


def _module(x: Values) -> Any:
    """The module that computes with such an array: numpy or jax.numpy."""
    return x.__array_namespace__()


def _dawson(z: Values) -> Values:
    if isinstance(z, jax.Array):
        return dawson(z)
    from scipy.special import dawsn

    return dawsn(z)


@dataclass(frozen=True)
class _Model:
    """A line around its start, as a function of the numbers x that the fit varies.

    x[0] is the shift in units of the width, x[1] the logarithm of the relative width, and x[2] the
    Lorentzian fraction, where the shape leaves it open.
    """

    shape: LineShape
    position: float
    width: float
    phase_deg: float | None

    def at(self, x: np.ndarray) -> tuple[float, float, float]:
        """Position, width and Lorentzian fraction."""
        fraction = float(x[2]) if self.shape.fraction is None else self.shape.fraction
        return self.position + self.width * x[0], self.width * np.exp(x[1]), fraction

    def start(self, field: np.ndarray) -> tuple[list[float], tuple[list[float], list[float]]]:
        """Start and bounds of x: positions above 0, widths from one sample to four sweeps."""
        number = 3 if self.shape.fraction is None else 2
        span = float(np.ptp(field))
        narrowest, widest = span / (len(field) - 1), max(4 * span, 2 * self.width)
        low = [-self.position / self.width, np.log(min(narrowest / self.width, 0.5)), 0.0]
        high = [(field[-1] + span - self.position) / self.width, np.log(widest / self.width), 1.0]
        return [0.0, 0.0, 0.5][:number], (low[:number], high[:number])


def fit_line(
    field: np.ndarray,
    signal: np.ndarray,
    shape: str,
    position: float,
    width: float,
    baseline: int | None = None,
    phase_deg: float | None = None,
) -> LineFit:
    """Fit one line of a given shape, with dispersion and the line at negative field.

    The amplitudes and the polynomial baseline are linear in the signal and are solved for at each
    step, and so is the phase unless it is given. The standard error follows from the residuals and
    their correlation.

    Args:
        field: Absolute field of each sample, of shape (n,), ascending, in any unit.
        signal: Derivative of the absorption, of shape (n,).
        shape: "lorentzian", "gaussian" or "pseudo-voigt".
        position: Field from which the fit starts, within the sweep and not negative.
        width: Full width at half maximum from which the fit starts.
        baseline: Order of the polynomial baseline; None for no baseline.
        phase_deg: Mixing of dispersion in degrees; None to fit it.

    Returns:
        The fitted line, in the unit of `field`.

    Raises:
        LineError: If the signal is zero, the start lies outside the sweep, or the fit does not
            converge to a position within it.
        InputError: If the shape is unknown.

    >>> x = np.linspace(0.0, 500.0, 501)
    >>> band = columns(x, 100.0, 120.0, 1.0, 30.0)[:, 0]
    >>> found = fit_line(x, band, "lorentzian", 130.0, 80.0)
    >>> round(found.position, 6), round(found.width, 6), round(found.phase_deg, 6)
    (100.0, 120.0, 30.0)
    """
    from scipy.optimize import least_squares

    if shape not in SHAPES:
        raise InputError("shape", given=shape, expected=f"one of {', '.join(SHAPES)}")
    scale = np.abs(signal).max()
    if not scale > 0:
        raise LineError("no signal", hint="Leave out this spectrum")
    if not (position >= 0 and field[0] <= position <= field[-1] > field[0]):
        raise LineError(
            f"start of the {shape} fit",
            given=float(position),
            expected=f"a field of 0 or more, from {field[0]:.6g} to {field[-1]:.6g}",
        )
    others = polynomials(field, baseline)
    model = _Model(SHAPES[shape], position, width, phase_deg)

    def curve(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The best curve with these x, and the factors of its columns."""
        matrix = np.concatenate([columns(field, *model.at(x), phase_deg), others], axis=1)
        factors = np.linalg.lstsq(matrix, signal, rcond=None)[0]
        return matrix @ factors, factors

    start, bounds = model.start(field)
    found = least_squares(
        lambda x: (curve(x)[0] - signal) / scale, start, bounds=bounds, x_scale="jac", max_nfev=200
    )
    at, fitted_width, fraction = model.at(found.x)
    if not found.success or not field[0] <= at <= field[-1]:
        outcome = f"ends at {at:.6g}, outside the sweep" if found.success else "does not converge"
        raise LineError(
            f"the {shape} fit from {position:.6g} {outcome}",
            hint="Use another {definition}, or set {phase_deg}",
        )
    fitted, factors = curve(found.x)
    freedom = 1 - (len(found.x) + len(factors)) / len(field)
    noise = noise_of(signal - fitted, freedom)
    turned = np.degrees(np.arctan2(factors[1], factors[0])) if phase_deg is None else phase_deg
    return LineFit(
        position=float(at),
        sigma=noise.of_sum(width / scale * np.linalg.pinv(found.jac)[0]),
        width=float(fitted_width),
        phase_deg=float(turned),
        fraction=fraction,
        noise=noise,
        signal=fitted,
    )
