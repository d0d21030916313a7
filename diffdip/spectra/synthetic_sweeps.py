"""Field-swept spectra of an energy: lines at Hres(angle), as a spectrometer records them.

The shapes are those of `line_shapes`, evaluated by JAX: s(H) = amplitude · (absorption cos φ +
dispersion sin φ) + baseline, with derivatives over the field and the line at negative field.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Shaped

from ..foundation.arrays import as_float
from ..foundation.errors import InputError
from ..resonance.energy_terms import AbstractEnergy
from ..resonance.fields import resonance_field
from ..resonance.planes import Plane
from .ground import polynomials
from .line_shapes import columns


class SweptLine(eqx.Module):
    """The shape of a recorded line: the derivative of an absorption.

    The width between the extrema of the derivative is `width` divided by √3 for a Lorentzian and by
    √(2 ln 2) for a Gaussian (`extrema_to_half` in `definitions.SHAPES`).

    Args:
        width: Full width at half maximum of the absorption in tesla, of shape () or (a,).
        fraction: Lorentzian part, from 0 (Gaussian) to 1 (Lorentzian, the default).
        phase: Mixing of dispersion in radians, 0 by default.
        amplitude: Height of the absorption, of shape () or (a,), 1 by default.
        baseline: Factors of the powers 0 to k − 1 of the field, scaled to ±1 over the sweep, of
            shape (k,) or (a, k); none by default.
    """

    width: Shaped[ArrayLike, "..."]
    fraction: Shaped[ArrayLike, ""] = 1.0
    phase: Shaped[ArrayLike, ""] = 0.0
    amplitude: Shaped[ArrayLike, "..."] = 1.0
    baseline: Shaped[ArrayLike, "..."] | tuple[()] = ()


def swept_line(
    field: Float[ArrayLike, " n"], position: Shaped[ArrayLike, ""], line: SweptLine
) -> Float[Array, " n"]:
    """One spectrum of one line. It is differentiable with respect to all arguments.

    Args:
        field: Field in tesla, of shape (n,), ascending. The baseline is scaled between its ends.
        position: Resonance field in tesla, a scalar.
        line: Shape of the line, with one width and amplitude.

    Returns:
        The signal per tesla, of shape (n,); NaN for a position of NaN.

    >>> field = jnp.linspace(0.3, 0.4, 5)
    >>> line = SweptLine(width=0.02, baseline=jnp.array([0.0, 1.0]))
    >>> [f"{value:.2f}" for value in swept_line(field, 0.35, line)]
    ['0.48', '9.01', '-0.00', '-9.01', '-0.48']
    """
    return _line(as_float(field), position, line)


@jax.jit
def _line(field: Array, position: Shaped[ArrayLike, ""], line: SweptLine) -> Array:
    dtype = field.dtype
    position, width, fraction = (
        jnp.asarray(x, dtype) for x in (position, line.width, line.fraction)
    )
    phase_deg = jnp.degrees(jnp.asarray(line.phase, dtype))
    shape = columns(field, position, width, fraction, phase_deg)[:, 0]
    factors = jnp.asarray(line.baseline, dtype)
    return (
        jnp.asarray(line.amplitude, dtype) * shape + polynomials(field, len(factors) - 1) @ factors
    )


def swept_spectra(
    energy: AbstractEnergy,
    angle: Float[ArrayLike, " a"],
    frequency: Shaped[ArrayLike, "..."],
    field: Float[ArrayLike, "*a n"],
    line: SweptLine,
    g: Shaped[ArrayLike, ""] = 2.0,
    plane: Plane = "xy",
) -> Float[Array, "a n"]:
    """Spectra of a sample with this energy: one line at `resonance_field` of each angle.

    Args:
        energy: Magnetic anisotropy of the sample.
        angle: Angles of the field in radians, of shape (a,).
        frequency: Microwave frequency in Hz, of shape () or (a,).
        field: Field in tesla, ascending, of shape (n,) for all angles or (a, n).
        line: Shape of the lines. Width, amplitude and baseline may have a row for each angle.
        g: g-factor, 2 by default.
        plane: Plane in which the field turns, "xy" by default.

    Returns:
        The signal per tesla, of shape (a, n); NaN at angles without resonance.

    Raises:
        InputError: For frequencies of another shape.

    >>> from diffdip import AnisotropyFields
    >>> energy, field = AnisotropyFields(A=0.1915, B=0.2046), jnp.linspace(0.0, 0.6, 601)
    >>> spectra = swept_spectra(energy, jnp.array([0.0, 1.57]), 9.45e9, field, SweptLine(0.05))
    >>> print([f"{1e3 * field[i]:.0f} mT" for i in jnp.argmax(spectra, axis=1)])
    ['39 mT', '385 mT']
    """
    angle = as_float(angle)
    position = resonance_field(energy, angle, frequency, g, plane)
    if position.shape != (len(angle),):
        expected = f"one number, or one for each of {len(angle)} angles"
        raise InputError("frequency", given=np.shape(frequency), expected=expected)
    return _spectra(as_float(field), position, line)


@jax.jit
def _spectra(field: Array, position: Float[Array, " a"], line: SweptLine) -> Float[Array, "a n"]:
    count = len(position)

    def one(field: Array, position: Array, width: Array, amplitude: Array, base: Array) -> Array:
        own = SweptLine(width, line.fraction, line.phase, amplitude, base)
        return _line(field, position, own)

    return jax.vmap(one)(
        jnp.broadcast_to(field, (count, field.shape[-1])),
        position,
        jnp.broadcast_to(as_float(line.width), count),
        jnp.broadcast_to(as_float(line.amplitude), count),
        _rows(line.baseline, count),
    )


def _rows(baseline: ArrayLike | tuple[()], count: int) -> Array:
    """The factors of the baseline with a row for each angle."""
    factors = as_float(jnp.asarray(baseline))
    return jnp.broadcast_to(factors, (count, factors.shape[-1]))
