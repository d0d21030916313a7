"""Field-swept spectra of an energy: Hres(angle) with the line shape that a spectrometer records.

The shapes are those of `line_shapes`, evaluated by JAX: s(H) = amplitude · (absorption cos φ +
dispersion sin φ), derivatives over the field with the line at negative field, plus a baseline.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Shaped

from ..foundation.arrays import as_float
from ..resonance.energy_terms import AbstractEnergy
from ..resonance.fields import resonance_field
from ..resonance.planes import Plane
from .line_shapes import columns
from .lines import polynomials


class SweptLine(eqx.Module):
    """The shape of a line as recorded: the derivative of a band of height `amplitude`.

    `width` in tesla is the full width at half maximum of the absorption, √3 times the distance of
    the extrema of a Lorentzian derivative and √(2 ln 2) times that of a Gaussian (`FIT_WIDTH`);
    `fraction` the Lorentzian part, `phase` (radians) the mixing of dispersion. `baseline` (k,) are
    the factors of powers 0 to k − 1 of the field, scaled to ±1 over the sweep.
    """

    width: Shaped[ArrayLike, "..."]
    fraction: Shaped[ArrayLike, ""] = 1.0
    phase: Shaped[ArrayLike, ""] = 0.0
    amplitude: Shaped[ArrayLike, "..."] = 1.0
    baseline: Shaped[ArrayLike, "..."] | tuple[()] = ()


def swept_line(
    field: Float[ArrayLike, " n"], position: Shaped[ArrayLike, ""], line: SweptLine
) -> Float[Array, " n"]:
    """One spectrum over `field` of a line at `position` (tesla), per tesla; NaN positions give NaN.

    Differentiable by all arguments; a `line` has one width here. Fields ascend from field[0] to
    field[-1], between which the baseline is scaled.

    >>> field = jnp.linspace(0.3, 0.4, 5)
    >>> line = SweptLine(width=0.02, baseline=jnp.array([0.0, 1.0]))
    >>> [f"{value:.2f}" for value in swept_line(field, 0.35, line)]
    ['0.48', '9.01', '-0.00', '-9.01', '-0.48']
    """
    field = as_float(field)
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
    """Spectra (a, n) at angles (radians) of a sample with this energy, NaN without resonance.

    `frequency` in Hz and `field` in tesla are shared by all angles or have a row for each, and so
    have width, amplitude and baseline of the `line`. Lines lie at `resonance_field`.

    >>> from diffdip import AnisotropyFields
    >>> energy, field = AnisotropyFields(A=0.1915, B=0.2046), jnp.linspace(0.0, 0.6, 601)
    >>> spectra = swept_spectra(energy, jnp.array([0.0, 1.57]), 9.45e9, field, SweptLine(0.05))
    >>> print([f"{1e3 * field[i]:.0f} mT" for i in jnp.argmax(spectra, axis=1)])
    ['39 mT', '385 mT']
    """
    angle, field = as_float(angle), as_float(field)
    position = resonance_field(energy, angle, frequency, g, plane)
    count = len(angle)

    def one(field: Array, position: Array, width: Array, amplitude: Array, base: Array) -> Array:
        own = SweptLine(width, line.fraction, line.phase, amplitude, base)
        return swept_line(field, position, own)

    return jax.vmap(one)(
        jnp.broadcast_to(field, (count, field.shape[-1])),
        position,
        jnp.broadcast_to(as_float(line.width), count),
        jnp.broadcast_to(as_float(line.amplitude), count),
        _rows(line.baseline, count),
    )


def _rows(baseline: ArrayLike | tuple[()], count: int) -> Array:
    factors = as_float(jnp.asarray(baseline))
    return jnp.broadcast_to(factors, (count, factors.shape[-1]))
