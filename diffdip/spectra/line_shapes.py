"""Derivative line shapes, with the line at negative field.

A linearly polarized microwave field drives the resonance at −H0 as well as that at H0. A band
whose width is of the order of H0 is the sum of both,

    s(H) = f'(H − H0) of absorption a and dispersion d  +  its mirror image about H = 0,

    s = a [A'(H − H0) + A'(H + H0)] + d [D'(H − H0) − D'(H + H0)],

with A an even function of full width at half maximum w and D its Hilbert transform. The functions
of shapes accept arrays of numpy or JAX and return the same kind.
"""

import math
from typing import Any, NamedTuple

import jax
import numpy as np

from ..foundation.arrays import module_of
from ..numerics.dawson_function import dawson


Values = np.ndarray | jax.Array
Number = float | Values


class Derivatives(NamedTuple):
    """Derivatives by the field of an absorption of height 1 and of its dispersion."""

    absorption: Values
    """A'."""
    dispersion: Values
    """D'."""
    absorption_slope: Values
    """A''."""
    dispersion_slope: Values
    """D''."""


def lorentzian(x: Values, width: Number) -> Derivatives:
    """A Lorentzian of full width at half maximum `width`.

    >>> line = lorentzian(np.array([0.0, 1.0]), 2.0)
    >>> line.absorption, line.dispersion
    (array([-0. , -0.5]), array([1., 0.]))
    """
    z = 2 * x / width
    u = 1 / (1 + z**2)
    first, second = 2 * u**2 / width, 8 * u**3 / width**2
    return Derivatives(
        -2 * z * first, (1 - z**2) * first, (3 * z**2 - 1) * second, z * (z**2 - 3) * second
    )


def gaussian(x: Values, width: Number) -> Derivatives:
    """A Gaussian. Its dispersion is 2/√π times Dawson's function."""
    per_x = 2 * math.sqrt(math.log(2)) / width
    z = per_x * x
    absorption = module_of(z).exp(-(z**2)) * per_x
    integral = _dawson(z)
    slope = 1 - 2 * z * integral
    dispersion = 2 / math.sqrt(math.pi) * per_x
    return Derivatives(
        -2 * z * absorption,
        slope * dispersion,
        (4 * z**2 - 2) * absorption * per_x,
        -2 * (integral + z * slope) * dispersion * per_x,
    )


def mixture(x: Values, width: Number, fraction: Number) -> Derivatives:
    """A Lorentzian of weight `fraction` and a Gaussian with the rest, both of one width."""
    parts = zip(lorentzian(x, width), gaussian(x, width), strict=True)
    return Derivatives(*(fraction * narrow + (1 - fraction) * wide for narrow, wide in parts))


def columns(
    field: Values, position: Number, width: Number, fraction: Number, phase_deg: Number | None
) -> Any:
    """The shape at `position` with its mirror image, as columns (..., 2) or (..., 1).

    Without a phase these are absorption and dispersion, with one their mixture.
    """
    module = module_of(field)
    line = mixture(field - position, width, fraction)
    mirrored = mixture(field + position, width, fraction)
    absorption = line.absorption + mirrored.absorption
    dispersion = line.dispersion - mirrored.dispersion
    if phase_deg is None:
        return module.stack([absorption, dispersion], axis=-1)
    phase = phase_deg * (math.pi / 180)
    return (module.cos(phase) * absorption + module.sin(phase) * dispersion)[..., None]


def _dawson(z: Values) -> Values:
    if isinstance(z, jax.Array):
        return dawson(z)
    from scipy.special import dawsn

    return dawsn(z)
