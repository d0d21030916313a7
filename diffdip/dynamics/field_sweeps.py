"""Sweeps of the field over moments that need not be parallel: absorption, and the uniform mode.

The field starts at its highest value with all moments along it, and falls; at each field the
moments go to the minimum next to the last one. Where minima end, they jump, as in a hysteresis
loop. A sweep that rises from zero may meet other minima there.

Without damping a spin wave is in resonance at the field H where K + iwR is singular (see
`spin_waves`). With q the unit vector along the microwave force p, this is where f = 0 in

    [ K + iwR  q ] [ y ]   [ 0 ]
    [    qᵀ    0 ] [ f ] = [ 1 ] .

f is smooth in H, also where the matrix in its corner is singular. At a root, y is the spin wave;
damping moves it by iαw y†y/f′, and twice that is the full width at half maximum. In the limit of
parallel moments this is the width of `line_width`.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float, Shaped

from ..foundation.arrays import as_float
from ..foundation.errors import InputError
from ..numerics.implicit_roots import implicit_root
from ..resonance.fields import larmor_field
from ..resonance.planes import Plane, plane_directions
from .equilibria import (
    REMAINS,
    Coupled,
    descend,
    following,
    largest_torque,
    local,
    rest,
    softness,
    tolerance,
)
from .moments import Moments, aligned
from .spin_waves import absorbed, drive, microwave_direction, motion


NEWTON_STEPS = 30
"""Steps to a resonance from the nearest field of the sweep; about six are needed."""


class FieldSweep(eqx.Module):
    """Absorption and state of the moments in a swept field.

    Args:
        field: The fields in tesla, falling, shape (fields,).
        absorption: χ″ in µB/T, shape (..., fields); NaN where the equilibrium is not stable.
        alignment: |Σ mᵢuᵢ| / Σ mᵢ, shape (..., fields).
        stable: Whether the equilibrium is a minimum, shape (..., fields).
    """

    field: Float[Array, " fields"]
    absorption: Float[Array, "*batch fields"]
    alignment: Float[Array, "*batch fields"]
    stable: Bool[Array, "*batch fields"]


class UniformResonance(eqx.Module):
    """The spin wave that absorbs most of a uniform microwave field in a sweep of the field.

    Each has the shape of the angles. NaN where no resonance was found: none in the range of the
    fields, or no stable equilibrium there.

    Args:
        field: Hres in tesla.
        damping: The full width at half maximum in tesla for a damping of 1, as in `width_slopes`.
        share: How much of the spin wave is a motion of all moments alike: 1 for parallel moments.
            If it is small, several spin waves share the absorption, and `field` is that of one of
            them; look at `absorption_sweep` then.
        alignment: |Σ mᵢuᵢ| / Σ mᵢ at the resonance.
        stiffness: The smallest eigenvalue of the stiffness there, in tesla.
    """

    field: Float[Array, "*batch"]
    damping: Float[Array, "*batch"]
    share: Float[Array, "*batch"]
    alignment: Float[Array, "*batch"]
    stiffness: Float[Array, "*batch"]


class _Settings(eqx.Module):
    """The arguments of a sweep, as arrays."""

    moments: Moments
    direction: Float[Array, "*batch 3"]
    larmor: Float[Array, ""]
    microwave: Float[Array, "3"]
    fields: Float[Array, " fields"]
    damping: Array

    def of_one_precision(self) -> tuple[Coupled, Array, Array, Array, Array, Array]:
        """Couplings, directions in a row, w0, the microwave's direction, falling fields, α."""
        given = self.moments.positions, self.direction, self.fields, self.larmor
        dtype = jnp.result_type(*given)
        larmor, fields, alpha, directions = (
            x.astype(dtype)
            for x in (self.larmor, self.fields, self.damping, self.direction.reshape(-1, 3))
        )
        microwave = microwave_direction(self.microwave, dtype)
        falling = jnp.sort(fields)[::-1]
        return Coupled.of(self.moments, dtype), directions, larmor, microwave, falling, alpha

    def batched(self, found: Shaped[Array, "directions ..."]) -> Shaped[Array, "..."]:
        """A result for each direction, in the shape of the angles."""
        return found.reshape(*self.direction.shape[:-1], *found.shape[1:])


class _Drive(NamedTuple):
    """What does not change during a sweep."""

    coupled: Coupled
    direction: Float[Array, "3"]
    larmor: Float[Array, ""]
    microwave: Float[Array, "3"]


def absorption_sweep(
    moments: Moments,
    angle: Shaped[ArrayLike, "..."],
    fields: Float[ArrayLike, " fields"],
    frequency: Shaped[ArrayLike, ""],
    damping: Shaped[ArrayLike, ""],
    g: Shaped[ArrayLike, ""] = 2.0,
    plane: Plane = "xy",
    *,
    microwave: Float[ArrayLike, "3"] | None = None,
) -> FieldSweep:
    """Absorption of a uniform microwave field while the applied field falls.

    Args:
        moments: The moments.
        angle: Angles of the field in radians from the first axis of `plane`, any shape.
        fields: The fields in tesla, at least two, above 0; they are taken from the highest down.
        frequency: ν in Hz.
        damping: Gilbert's α, above 0. A line has a width of about 2αw0.
        g: The g-factor, 2 by default.
        plane: As for `resonance_field`.
        microwave: Direction of the microwave field, shape (3,); normal to the plane by default.

    Returns:
        The sweep, one for each angle.

    Raises:
        InputError: For fields of another shape, and as for `resonance_field`.

    Use float64. Differentiable, except by `fields`, which are sorted, where the moments jump.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> with jax.enable_x64(True):
    ...     spin = Moments(jnp.zeros((1, 3)))
    ...     sweep = absorption_sweep(spin, 0.0, jnp.linspace(0.2, 0.5, 31), 9.45e9, 0.05)
    ...     print(f"{sweep.field[jnp.argmax(sweep.absorption)]:.2f} T")
    0.34 T
    """
    return _sweeps(_settings(moments, angle, fields, frequency, damping, g, plane, microwave))


@jax.jit
def _sweeps(settings: _Settings) -> FieldSweep:
    coupled, directions, larmor, microwave, fields, alpha = settings.of_one_precision()

    def sweep(direction: Array) -> Any:
        given = _Drive(coupled, direction, larmor, microwave)

        def one(u: Array, field: Array) -> Any:
            applied = field * direction
            u = rest(coupled, applied, u)
            return u, _state(given, applied, u, alpha)

        return lax.scan(one, jnp.broadcast_to(direction, (len(coupled.moments), 3)), fields)[1]

    found = lax.map(sweep, directions)
    return FieldSweep(fields, *(settings.batched(part) for part in found))


def _state(given: _Drive, applied: Array, u: Array, alpha: Array) -> tuple[Array, Array, Array]:
    """Absorption, alignment and stability of the moments at u."""
    coupled = given.coupled
    at = local(coupled, applied, u)
    lower = lax.linalg.cholesky(at.stiffness, symmetrize_input=False)
    # the last pivot squared is no smaller than the smallest eigenvalue
    soft = jnp.min(jnp.diagonal(lower)) ** 2 > softness(coupled, applied, u)
    stable = soft & (largest_torque(coupled, at) <= REMAINS * tolerance(coupled, applied, u))
    found = absorbed(coupled, at, given.larmor, alpha, given.microwave)
    return jnp.where(stable, found, jnp.nan), aligned(coupled.weight, u), stable


def uniform_resonance(
    moments: Moments,
    angle: Shaped[ArrayLike, "..."],
    fields: Float[ArrayLike, " fields"],
    frequency: Shaped[ArrayLike, ""],
    g: Shaped[ArrayLike, ""] = 2.0,
    plane: Plane = "xy",
    *,
    damping: Shaped[ArrayLike, ""] = 0.02,
    microwave: Float[ArrayLike, "3"] | None = None,
) -> UniformResonance:
    """Hres of moments that need not be parallel, from a sweep of the field.

    The field with the largest absorption is the start of a Newton search for the spin wave. With
    strong exchange the result is that of `resonance_field` with the tensor of all dipoles, in the
    convention `physical`; the difference falls as the inverse of the exchange energy.

    Args:
        moments: The moments.
        angle: Angles of the field in radians from the first axis of `plane`, any shape.
        fields: The fields of the sweep in tesla, at least three, above 0; their steps should not
            be much larger than the width of the line, 2αw0.
        frequency: ν in Hz.
        g: The g-factor, 2 by default.
        plane: As for `resonance_field`.
        damping: Gilbert's α in the sweep, 0.02 by default. The result depends on it only where
            several spin waves absorb about equally.
        microwave: Direction of the microwave field, shape (3,); normal to the plane by default.

    Returns:
        The resonances; NaN where no resonance was found.

    Raises:
        InputError: For fields of another shape, and as for `resonance_field`.

    Use float64. All results have derivatives by exchange, positions, moments, angle, frequency and
    g, from the implicit-function theorem.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> with jax.enable_x64(True):  # two moments along x: Hres = w0 − 3 µ0m/4πr³ at 0°
    ...     pair = Moments(jnp.array([[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]]))
    ...     found = uniform_resonance(pair, jnp.zeros(1), jnp.linspace(0.1, 0.6, 51), 9.45e9)
    ...     print(f"{1e3 * found.field[0]:.2f} mT")
    299.08 mT
    """
    given = moments, angle, fields, frequency, damping, g, plane, microwave
    return _resonances(_settings(*given, least=3))


@jax.jit
def _resonances(settings: _Settings) -> UniformResonance:
    coupled, directions, larmor, microwave, fields, alpha = settings.of_one_precision()
    fields = lax.stop_gradient(fields)

    def one(direction: Array) -> tuple[Array, ...]:
        given = _Drive(coupled, direction, larmor, microwave)
        frozen = lax.stop_gradient(given)
        start, near, inside = _strongest(frozen, fields, lax.stop_gradient(alpha))
        field, near, converged = _refined(frozen, fields, start, near)
        u = descend(frozen.coupled, field * frozen.direction, near)
        field = implicit_root(_detuning, field, (given, u))
        _, slope, (y, at, turned) = _with_slope(given, field, u)
        lowest = jnp.linalg.eigvalsh(at.stiffness)[0]
        norm = jnp.sum(jnp.abs(y) ** 2)
        alignment = aligned(coupled.weight, turned)
        found = converged & inside & (lowest > softness(coupled, field * direction, turned))
        parts = field, 2 * larmor * norm / jnp.abs(slope), _share(given, at, y), alignment, lowest
        return tuple(jnp.where(found, part, jnp.nan) for part in parts)

    return UniformResonance(*(settings.batched(part) for part in lax.map(one, directions)))


def _strongest(given: _Drive, fields: Array, alpha: Array) -> tuple[Array, Array, Array]:
    """The field of largest absorption, the moments there, and whether the sweep goes beyond it."""
    coupled = given.coupled
    begin = jnp.broadcast_to(given.direction, (len(coupled.moments), 3))

    def step(carry: Any, field: Array) -> Any:
        u, best, kept, at = carry
        applied = field * given.direction
        u = descend(coupled, applied, u)
        found, _, _ = _state(given, applied, u, alpha)
        better = found > best
        kept = jnp.where(better, u, kept)
        return (u, jnp.where(better, found, best), kept, jnp.where(better, field, at)), None

    low = jnp.full_like(fields[0], -jnp.inf)
    (_, _, kept, at), _ = lax.scan(step, (begin, low, begin, fields[0]), fields)
    return at, kept, (at < fields[0]) & (at > fields[-1])


def _refined(given: _Drive, fields: Array, start: Array, u: Array) -> tuple[Array, Array, Array]:
    """The root of f next to a field of the sweep, the moments there, and whether it converged."""
    longest = jnp.max(-jnp.diff(fields))

    def step(search: Any) -> Any:
        field, near, _, steps = search
        u = descend(given.coupled, field * given.direction, near)
        value, slope, _ = _with_slope(given, field, u)
        change = jnp.clip(-value / slope, -longest, longest)
        limit = 10 * tolerance(given.coupled, field * given.direction, u)
        moved = jnp.clip(field + change, fields[-1], fields[0])
        return moved, u, jnp.abs(change) <= limit, steps + 1

    going = lambda search: ~search[2] & (search[3] < NEWTON_STEPS) & jnp.isfinite(search[0])
    begin = start, u, jnp.zeros((), bool), jnp.zeros((), jnp.int32)
    return lax.while_loop(going, step, begin)[:3]


def _with_slope(given: _Drive, field: Array, u: Array) -> tuple[Array, Array, Any]:
    """f, its derivative by the field, and the rest of `_secular`."""
    evaluate = lambda field: _secular(given, field, u)
    return jax.jvp(evaluate, (field,), (jnp.ones_like(field),), has_aux=True)


def _secular(given: _Drive, field: Array, u: Array) -> tuple[Array, Any]:
    """f of the module's formula; the spin wave, the local stiffness, and the moments.

    `u` is the equilibrium in this field. Here it follows the field for derivatives alone: a search
    in each of them would be a loop more for XLA to compile.
    """
    coupled, direction, larmor, microwave = given
    u = following(coupled, field * direction, u)
    at = local(coupled, field * direction, u)
    p = drive(coupled, at, microwave)
    matrix = motion(at, larmor, jnp.zeros_like(larmor))
    q = (p / jnp.linalg.norm(p)).astype(matrix.dtype)
    corner = jnp.zeros((1, 1), matrix.dtype)
    bordered = jnp.block([[matrix, q[:, None]], [q[None, :], corner]])
    right = jnp.zeros_like(q, shape=len(q) + 1).at[-1].set(1)
    solution = jnp.linalg.solve(bordered, right)
    return jnp.real(solution[-1]), (solution[:-1], at, u)


def _detuning(field: Array, given: tuple[_Drive, Array]) -> Array:
    return _secular(given[0], field, given[1])[0]


def _share(given: _Drive, at: Any, y: Array) -> Float[Array, ""]:
    """The share of a spin wave that is a motion of all moments alike, across the field."""
    across = jnp.cross(given.direction, given.microwave)
    ways = jnp.stack([drive(given.coupled, at, h) for h in (given.microwave, across)])
    overlap = ways @ jnp.stack([y.real, y.imag], axis=1)
    inner = jnp.linalg.solve(ways @ ways.T, overlap)
    return jnp.sum(overlap * inner) / jnp.sum(jnp.abs(y) ** 2)


def _settings(
    moments: Moments,
    angle: Any,
    fields: Any,
    frequency: Any,
    damping: Any,
    g: Any,
    plane: Plane,
    microwave: Any,
    least: int = 2,
) -> _Settings:
    """The arguments of a sweep, checked."""
    swept = as_float(fields)
    if swept.ndim != 1 or len(swept) < least:
        raise InputError("fields", given=swept.shape, expected=f"{least} fields or more, in a row")
    if not isinstance(swept, Tracer) and not np.all(np.asarray(swept) > 0):
        raise InputError("fields", given=float(np.min(swept)), expected="fields above 0 (T)")
    directions = plane_directions(angle, plane)
    if microwave is None:
        first, second = plane_directions(np.array([0.0, np.pi / 2]), plane)
        microwave = jnp.cross(first, second)
    larmor = larmor_field(as_float(frequency), g)
    if larmor.ndim:
        raise InputError("frequency", given=larmor.shape, expected="one number, in Hz")
    microwave, damping = as_float(microwave), as_float(damping)
    return _Settings(moments, directions, larmor, microwave, swept, damping)
