"""Line widths: what damping, disorder and mosaicity do to a resonance field.

Gilbert damping adds iαw0 to both stiffnesses of the resonance, where exchange adds H_ex
(`StandingSpinWave`). To first order the resonance moves by iαw0 ∂Hres/∂H_ex, and the full width at
half maximum is twice the imaginary part,

    ΔH_Gilbert = 2 α w0 |∂Hres/∂H_ex| = α S |∂Hres/∂w0| ,

with S the sum of both stiffnesses. In the plane of a film ∂Hres/∂H_ex = −1. Where M lags behind the
field the derivative is larger: "field dragging" needs no term of its own.

Disorder adds the first-order spread of Hres: |∂Hres/∂ψ| Δψ for directions, |∂Hres/∂p| Δp for any
parameter. All widths are full widths at half maximum (FWHM), in tesla.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Float, Shaped

from ..foundation.arrays import as_float
from ..foundation.errors import InputError
from ..numerics.vectors import components
from .energy_terms import AbstractEnergy, StandingSpinWave
from .fields import larmor_field
from .general_solver import GeneralSolver
from .planes import Plane, plane_directions
from .precision import of_one_precision
from .root_derivatives import field_at


Model: TypeAlias = Callable[[dict[str, Array]], AbstractEnergy]
"""From values by name to an energy."""

ADDITIONS = ("linear", "squares")


class WidthSlopes(NamedTuple):
    """The resonance field, and how wide each part makes the line; NaN without a resonance.

    Args:
        field: Hres in tesla.
        damping: 2 w0 |∂Hres/∂H_ex|: the width in tesla for a damping of 1.
        mosaic: |∂Hres/∂ψ| in T/rad, the largest over all ways to tilt the field. To first order:
            zero along a symmetry axis.
        spreads: |∂Hres/∂p| by the name of p, in tesla per unit of p.
    """

    field: Float[Array, "*batch"]
    damping: Float[Array, "*batch"]
    mosaic: Float[Array, "*batch"]
    spreads: dict[str, Float[Array, "*batch"]]


def width_slopes(
    energy: AbstractEnergy | Model,
    angle: Shaped[ArrayLike, "..."],
    frequency: Shaped[ArrayLike, "..."],
    g: Shaped[ArrayLike, "..."] = 2.0,
    plane: Plane = "xy",
    *,
    values: Mapping[str, Shaped[ArrayLike, ""]] | None = None,
    spread: Sequence[str] = (),
) -> WidthSlopes:
    """The widths per unit of damping, mosaicity and spread of parameters; see `line_width`.

    Args:
        energy: Any energy term, or a sum of terms; or a function from values to one.
        angle: α_H in radians from the first axis of `plane`.
        frequency: ν in Hz.
        g: The g-factor. `angle`, `frequency` and `g` broadcast against each other.
        plane: As for `resonance_field`.
        values: The values for an energy that is a function: tesla, radians.
        spread: Names among them whose spread makes the line wide; "g" for that of the g-factor.

    Returns:
        Arrays in the broadcast shape.

    Raises:
        InputError: For a name in `spread` without a value, and as for `resonance_field`.

    >>> from diffdip import ThinFilm
    >>> slopes = width_slopes(ThinFilm(1.0), 0.0, 9.45e9)
    >>> print(f"{slopes.damping / larmor_field(9.45e9):.3f}")  # 2αw0 in the plane of a film
    2.000
    """
    direction = plane_directions(angle, plane)
    return width_slopes_along(energy, direction, frequency, g, values=values, spread=spread)


def width_slopes_along(
    energy: AbstractEnergy | Model,
    direction: Float[ArrayLike, "*batch 3"],
    frequency: Shaped[ArrayLike, "..."],
    g: Shaped[ArrayLike, "..."] = 2.0,
    *,
    values: Mapping[str, Shaped[ArrayLike, ""]] | None = None,
    spread: Sequence[str] = (),
) -> WidthSlopes:
    """`width_slopes` for a field along unit vectors; arguments broadcast as there."""
    known = {name: as_float(value) for name, value in (values or {}).items()}
    for name in spread:
        if name not in (*known, "g"):
            expected = f"names among {', '.join((*known, 'g'))}"
            raise InputError("spread", given=name, expected=expected)
    model = _Constant(energy) if isinstance(energy, AbstractEnergy) else energy
    given = as_float(direction), as_float(frequency), as_float(g)
    return _slopes(model, known, tuple(spread), *given)


class _Constant(eqx.Module):
    """An energy as a function of no values."""

    energy: AbstractEnergy

    def __call__(self, values: dict[str, Array]) -> AbstractEnergy:
        return self.energy


@eqx.filter_jit
def _slopes(
    model: Model,
    values: dict[str, Array],
    spread: tuple[str, ...],
    direction: Array,
    frequency: Array,
    g: Array,
) -> WidthSlopes:
    larmor = larmor_field(frequency, g)
    energy, direction, larmor = of_one_precision(model(values), direction, larmor)
    dtype = direction.dtype
    values = {name: jnp.asarray(value, dtype) for name, value in values.items()}
    shape = jnp.broadcast_shapes(direction.shape[:-1], larmor.shape)
    directions = jnp.broadcast_to(direction, (*shape, 3)).reshape(-1, 3)
    larmors = jnp.broadcast_to(larmor, shape).reshape(-1)
    reached = GeneralSolver(energy, dtype).reached(*lax.stop_gradient((directions, larmors)))
    zero = jnp.zeros((), dtype)
    named = {name: values[name] for name in spread if name != "g"}

    def derive(u: Array, direction: Array, larmor: Array) -> tuple[Array, Any]:
        def field(named: Any, exchange: Array, direction: Array, larmor: Array) -> Array:
            total = model({**values, **named}) + StandingSpinWave(exchange)
            total, _ = of_one_precision(total, exchange)
            return field_at(total, components(u), components(direction), larmor)

        return jax.value_and_grad(field, (0, 1, 2, 3))(named, zero, direction, larmor)

    field, slopes = jax.vmap(derive)(reached.direction, directions, larmors)
    by_name, by_exchange, by_direction, by_larmor = slopes
    along = jnp.sum(by_direction * directions, axis=-1, keepdims=True)
    tilt = jnp.sum((by_direction - along * directions) ** 2, axis=-1)
    # the root of zero has no derivative
    mosaic = jnp.where(tilt > 0, jnp.sqrt(jnp.where(tilt > 0, tilt, 1)), 0)
    if "g" in spread:
        factors = jnp.broadcast_to(jnp.asarray(g, dtype), shape).reshape(-1)
        by_name = {**by_name, "g": by_larmor * larmors / factors}
    shaped = lambda part: jnp.where(reached.found, jnp.abs(part), jnp.nan).reshape(shape)
    return WidthSlopes(
        field=shaped(field),
        damping=shaped(2 * larmors * by_exchange),
        mosaic=shaped(mosaic),
        spreads={name: shaped(by_name[name]) for name in spread},
    )


def line_width(
    energy: AbstractEnergy | Model,
    angle: Shaped[ArrayLike, "..."],
    frequency: Shaped[ArrayLike, "..."],
    g: Shaped[ArrayLike, "..."] = 2.0,
    plane: Plane = "xy",
    *,
    damping: Shaped[ArrayLike, ""] = 0.0,
    inhomogeneous: Shaped[ArrayLike, ""] = 0.0,
    mosaic: Shaped[ArrayLike, ""] = 0.0,
    spreads: Mapping[str, Shaped[ArrayLike, ""]] | None = None,
    values: Mapping[str, Shaped[ArrayLike, ""]] | None = None,
    addition: str = "linear",
) -> Float[Array, "..."]:
    """Full width at half maximum of a resonance swept by the field.

    The sum of ΔH_0, the Gilbert width (see the module), and the first-order widths of disorder. The
    Gilbert width is exact for small α: in the plane of a film it is 2αw0.

    Args:
        energy: As for `width_slopes`.
        angle: As for `width_slopes`.
        frequency: As for `width_slopes`.
        g: As for `width_slopes`.
        plane: As for `width_slopes`.
        damping: Gilbert's α, without unit.
        inhomogeneous: ΔH_0 in tesla, the same at each angle and frequency.
        mosaic: Δψ in radians (FWHM), the spread of the directions of the sample's axes. It is to
            be the same in all directions.
        spreads: Δp (FWHM) by the name of p, in the unit of p: names of `values`, or "g".
        values: As for `width_slopes`.
        addition: "linear" adds the parts, as widths of Lorentzian lines do. "squares" adds their
            squares, as widths of Gaussian lines do. A mixture of both shapes lies between.

    Returns:
        FWHM in tesla, in the broadcast shape of angle, frequency and g; NaN without a resonance.
        Divide by √3 (Lorentzian) or 1.1774 (Gaussian) for the peak-to-peak width of the derivative.

    Raises:
        InputError: For another addition, and as for `width_slopes`.

    >>> from diffdip import ThinFilm
    >>> width = line_width(ThinFilm(1.0), 0.0, 9.45e9, damping=0.005, inhomogeneous=1e-3)
    >>> print(f"{1e3 * width:.3f} mT")
    4.376 mT
    """
    if addition not in ADDITIONS:
        raise InputError("addition", given=addition, expected=" or ".join(ADDITIONS))
    given = dict(spreads or {})
    slopes = width_slopes(energy, angle, frequency, g, plane, values=values, spread=tuple(given))
    parts = [damping * slopes.damping, mosaic * slopes.mosaic]
    parts += [size * slopes.spreads[name] for name, size in given.items()]
    parts.append(jnp.broadcast_to(as_float(inhomogeneous), slopes.field.shape))
    stacked = jnp.stack(jnp.broadcast_arrays(*parts))
    if addition == "linear":
        return jnp.sum(jnp.abs(stacked), axis=0)
    return jnp.sqrt(jnp.sum(stacked**2, axis=0))
