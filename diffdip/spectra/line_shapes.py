"""Derivative line shapes and their fit to a spectrum, with the line at negative field.

A linearly polarized microwave field drives the resonance at −H0 as well as that at H0, so that
a band whose width is of the order of H0 is the sum of both,

    s(H) = f'(H − H0) of absorption a and dispersion d  +  its mirror image about H = 0,

    s = a [A'(H − H0) + A'(H + H0)] + d [D'(H − H0) − D'(H + H0)],

with A an even function of full width at half maximum w and D its Hilbert transform. The shapes take
arrays of numpy or of JAX, and give back the same.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from ..numerics.dawson_function import dawson
from .lines import LineError, polynomials
from .noise import Noise, noise_of


SHAPES = ("lorentzian", "gaussian", "pseudo-voigt")

Values = np.ndarray | jax.Array
Number = float | jax.Array
Derivatives = tuple[Values, Values]


@dataclass(frozen=True)
class LineFit:
    """One line as fitted: position, its standard error and width in the unit of the field.

    `width` is the full width at half maximum of the absorption, `phase_deg` the mixing of
    dispersion (0 for pure absorption, 180 for an inverted one), `fraction` the Lorentzian part,
    `noise` that of the residuals, `signal` (n,) the fitted curve.
    """

    position: float
    sigma: float
    width: float
    phase_deg: float
    fraction: float
    noise: Noise
    signal: np.ndarray


def lorentzian(x: Values, width: Number) -> Derivatives:
    """Derivatives by x of a Lorentzian of height 1 and of its dispersion.

    >>> absorption, dispersion = lorentzian(np.array([0.0, 1.0]), 2.0)
    >>> absorption, dispersion
    (array([-0. , -0.5]), array([1., 0.]))
    """
    z = 2 * x / width
    return -4 * z / (width * (1 + z**2) ** 2), 2 * (1 - z**2) / (width * (1 + z**2) ** 2)


def gaussian(x: Values, width: Number) -> Derivatives:
    """Derivatives by x of a Gaussian of height 1 and of its dispersion, 2/√π times Dawson's F."""
    per_x = 2 * math.sqrt(math.log(2)) / width
    z = per_x * x
    dispersion = 2 / math.sqrt(math.pi) * (1 - 2 * z * _dawson(z))
    return -2 * z * _module(z).exp(-(z**2)) * per_x, dispersion * per_x


def mixture(x: Values, width: Number, fraction: Number) -> Derivatives:
    """A part `fraction` of the Lorentzian with the rest of the Gaussian, both of one width."""
    parts = zip(lorentzian(x, width), gaussian(x, width), strict=True)
    first, second = (fraction * narrow + (1 - fraction) * wide for narrow, wide in parts)
    return first, second


def columns(
    field: Values, position: Number, width: Number, fraction: Number, phase_deg: Number | None
) -> Any:
    """The shape at `position` with its mirror image: absorption and dispersion, or one mixed."""
    module = _module(field)
    absorption, dispersion = mixture(field - position, width, fraction)
    mirrored = mixture(field + position, width, fraction)
    absorption, dispersion = absorption + mirrored[0], dispersion - mirrored[1]
    if phase_deg is None:
        return module.stack([absorption, dispersion], axis=1)
    phase = phase_deg * (math.pi / 180)
    return (module.cos(phase) * absorption + module.sin(phase) * dispersion)[:, None]


def _module(x: Values) -> Any:
    """What computes with such an array: numpy, or jax.numpy."""
    return x.__array_namespace__()


def _dawson(z: Values) -> Values:
    if isinstance(z, jax.Array):
        return dawson(z)
    from scipy.special import dawsn

    return dawsn(z)


@dataclass(frozen=True)
class _Model:
    """A shape about its start: x[0] moves it in units of its width, x[1] is ln of its widening.

    x[2], of a pseudo-Voigt shape only, is the Lorentzian fraction.
    """

    shape: str
    position: float
    width: float
    phase_deg: float | None

    def at(self, x: np.ndarray) -> tuple[float, float, float]:
        """Position, width and Lorentzian fraction."""
        fraction = float(x[2]) if len(x) > 2 else float(self.shape == "lorentzian")
        return self.position + self.width * x[0], self.width * np.exp(x[1]), fraction

    def start(self, field: np.ndarray) -> tuple[list[float], tuple[list[float], list[float]]]:
        """x to start from, and its bounds: positions from 0 on, widths from a sample to 4 spans."""
        number = 3 if self.shape == "pseudo-voigt" else 2
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
    """Fit one line of a shape, `lorentzian`, `gaussian` or `pseudo-voigt`, from a start.

    Amplitudes and the polynomial `baseline` are solved for at each step; the phase is too, unless
    it is given. The standard error follows from the residuals and their correlation. `field` (n,)
    is absolute, of 0 at no field, and `position` positive.

    Raises `LineError` where the fit does not converge, or to nothing within the data, and for a
    start at a negative field or beyond the data, or a signal of zero.

    >>> x = np.linspace(0.0, 500.0, 501)
    >>> band = columns(x, 100.0, 120.0, 1.0, 30.0)[:, 0]
    >>> found = fit_line(x, band, "lorentzian", 130.0, 80.0)
    >>> round(found.position, 6), round(found.width, 6), round(found.phase_deg, 6)
    (100.0, 120.0, 30.0)
    """
    from scipy.optimize import least_squares

    if shape not in SHAPES:
        raise ValueError(f"shape {shape!r}: expected one of {', '.join(SHAPES)}")
    scale = np.abs(signal).max()
    inside = position >= 0 and field[0] <= position <= field[-1] > field[0]
    if not (inside and scale > 0):
        raise LineError(
            f"no {shape} line to fit from {position:.6g}: expected a signal, of a field about it"
        )
    others = polynomials(field, baseline)
    model = _Model(shape, position, width, phase_deg)

    def curve(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The fitted curve at x, and the factors of its columns."""
        matrix = np.concatenate([columns(field, *model.at(x), phase_deg), others], axis=1)
        factors = np.linalg.lstsq(matrix, signal, rcond=None)[0]
        return matrix @ factors, factors

    start, bounds = model.start(field)
    found = least_squares(
        lambda x: (curve(x)[0] - signal) / scale, start, bounds=bounds, x_scale="jac", max_nfev=200
    )
    at, fitted_width, fraction = model.at(found.x)
    if not found.success or not field[0] <= at <= field[-1]:
        raise LineError(
            f"the {shape} fit from {position:.6g} ends at {at:.6g}, "
            f"beyond the field from {field[0]:.6g} to {field[-1]:.6g}, or does not converge"
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


FIT_WIDTH: dict[str, Callable[[float], float]] = {
    "lorentzian": lambda width: width * np.sqrt(3),
    "gaussian": lambda width: width * np.sqrt(2 * np.log(2)),
    "pseudo-voigt": lambda width: 1.45 * width,
}
"""Full width at half maximum to start from, of the width from extremum to extremum."""
