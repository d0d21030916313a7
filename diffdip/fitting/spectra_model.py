"""The model of all spectra of a rotation: lines at Hres(angle), and its residuals.

The model is that of `swept_spectra`. Amplitude and baseline of each angle enter linearly and are
solved for at each step (variable projection). The nonlinear parameters are A, B, C, the phase of
dispersion, the width with its second harmonic over the angle, and of a pseudo-Voigt line its
Lorentzian part.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..foundation.convention import Convention
from ..resonance.energy_terms import AnisotropyFields
from ..resonance.fields import resonance_field
from ..spectra.line_selection import each_sweep
from ..spectra.line_shapes import columns
from ..spectra.lines import polynomials, sorted_samples
from ..spectra.positions import LinePositions


if TYPE_CHECKING:
    import xarray as xr

NAMES: Final = ("A", "B", "C", "phase", "ln_width", "ln_width_cos", "ln_width_sin", "fraction")
"""Parameters in their order; the last one belongs to a pseudo-Voigt line only."""

PHASE, WIDTH, FRACTION = 3, slice(4, 7), 7
"""Places in that order."""


class Sweeps(eqx.Module):
    """Spectra (a, n) scaled to a height of 1, filled up to one length with samples of weight 0."""

    angle: Float[Array, " a"]
    frequency: Float[Array, " a"]
    field: Float[Array, "a n"]
    signal: Float[Array, "a n"]
    weight: Float[Array, "a n"]
    g: Float[Array, ""]


class ShapeSettings(eqx.Module):
    """Settings for which the code is compiled; a `fraction` of None is fitted."""

    fraction: float | None = eqx.field(static=True)
    baseline: int | None = eqx.field(static=True)
    convention: Convention = eqx.field(static=True)


class Evaluated(NamedTuple):
    """The model at one vector of p parameters, for a angles with n samples each.

    Args:
        residual: Signal − model, shape (a, n).
        jacobian: Its derivatives, shape (a, n, p).
        factors: Amplitude of the line and coefficients of the baseline, shape (a, k).
        field: Resonance fields in tesla, shape (a,); NaN without resonance.
    """

    residual: Array
    jacobian: Array
    factors: Array
    field: Array


def sweeps_of(spectra: "xr.Dataset", positions: LinePositions, g: float) -> tuple[Sweeps, float]:
    """The spectra in tesla, and the factor by which their signals were divided."""
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
        return Sweeps(*map(jnp.asarray, arrays)), scale


def harmonics(angle: Any) -> Any:
    """1, cos 2α and sin 2α, as columns; in numpy or JAX, as the angle."""
    module = angle.__array_namespace__()
    return module.stack([module.ones_like(angle), module.cos(2 * angle), module.sin(2 * angle)], -1)


@eqx.filter_jit
def evaluated(settings: ShapeSettings, sweeps: Sweeps, x: Float[ArrayLike, " p"]) -> Evaluated:
    """The model with its derivatives at parameters in the order of `NAMES`."""

    def twice(x: Array) -> tuple[Array, Any]:
        residual, others = _residual(settings, sweeps, x)
        return residual, (residual, *others)

    jacobian, (residual, factors, field) = jax.jacfwd(twice, has_aux=True)(jnp.asarray(x))
    return Evaluated(residual, jacobian, factors, field)


def _residual(
    settings: ShapeSettings, sweeps: Sweeps, x: Array
) -> tuple[Array, tuple[Array, Array]]:
    """Residuals (a, n), factors (a, k) and fields (a,)."""
    parts, position = _shape(settings, sweeps, x)
    line = jnp.cos(x[PHASE]) * parts[..., :1] + jnp.sin(x[PHASE]) * parts[..., 1:]
    residual, factors = _projected(settings, sweeps, line)
    return residual, (factors, position)


def _shape(settings: ShapeSettings, sweeps: Sweeps, x: Array) -> tuple[Array, Array]:
    """Absorption and dispersion (a, n, 2) times the width, and the model's fields (a,).

    Where the model has no resonance its line is far beyond the sweep.
    """
    energy = AnisotropyFields(x[0], x[1], x[2], settings.convention)
    position = resonance_field(energy, sweeps.angle, sweeps.frequency, sweeps.g)
    beyond = 10 * jnp.max(sweeps.field)
    width = jnp.exp(harmonics(sweeps.angle) @ x[WIDTH])
    fraction = x[FRACTION] if settings.fraction is None else settings.fraction
    drawn = jax.vmap(partial(columns, phase_deg=None), in_axes=(0, 0, 0, None))
    parts = drawn(sweeps.field, jnp.where(jnp.isnan(position), beyond, position), width, fraction)
    return width[:, None, None] * parts, position


def _projected(settings: ShapeSettings, sweeps: Sweeps, line: Array) -> tuple[Array, Array]:
    """Residuals (a, n) after the best lines (a, n, k) and baselines, and their factors."""

    def one(line: Array, field: Array, signal: Array, weight: Array) -> tuple[Array, Array]:
        matrix = jnp.concatenate([line, polynomials(field, settings.baseline)], axis=1)
        matrix = weight[:, None] * matrix
        factors = jnp.linalg.solve(matrix.T @ matrix, matrix.T @ signal)
        return signal - matrix @ factors, factors

    return jax.vmap(one)(line, sweeps.field, sweeps.signal, sweeps.weight)
