"""Equilibria of coupled moments: minima of their energy, and the stiffness there.

Small turns of the moments are xᵢ = (aᵢ, bᵢ): uᵢ → uᵢ + aᵢ e₁ᵢ + bᵢ e₂ᵢ with e₁ × e₂ = u. The energy
is bilinear in the moments, so its second derivative by the turns has a closed form. In units in
which the turns are √mᵢ xᵢ it is the stiffness, in tesla:

    K[iα, jβ] = eᵢα·(∂²E/∂uᵢ∂uⱼ)·eⱼβ / √(mᵢmⱼ) + δᵢⱼ δαβ Bᵢ·uᵢ ,   Bᵢ = −∂E/∂uᵢ / mᵢ .

An equilibrium is a minimum if the smallest eigenvalue of K is positive.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from ..foundation.arrays import as_float
from ..foundation.errors import InputError
from ..numerics.implicit_roots import implicit_root
from .moments import Moments, energy_of, pair_slope


MOST_STEPS = 400
"""Steps of a search. From a neighbouring field it takes three to five, from afar some twenty."""

LONGEST_TURN = 0.5
"""Radians that a moment turns in one step at most."""

REMAINS = 4.0
"""The search has converged if the torque left is at most this many times the `tolerance`."""

PUSH = 1e-3
"""Radians by which the moments are pushed from an equilibrium that is no minimum."""


class Equilibrium(eqx.Module):
    """Where the moments rest in a field, and whether that is a minimum of the energy.

    Args:
        direction: Unit vectors uᵢ, shape (n, 3). Those of masked sites mean nothing.
        field: The applied field in tesla, shape (3,).
        energy: E in µB·T.
        torque: The largest |Bᵢ × uᵢ| that is left, in tesla; rounding errors if it converged.
        stiffness: The smallest eigenvalue of the stiffness, in tesla. At a minimum it is positive;
            zero means that the moments can turn freely, together in no field for example.
        alignment: |Σ mᵢuᵢ| / Σ mᵢ, 1 if all moments are parallel.
        stable: Whether the search converged, and to a minimum: neither a saddle, nor free to turn.
    """

    direction: Float[Array, "n 3"]
    field: Float[Array, "3"]
    energy: Float[Array, ""]
    torque: Float[Array, ""]
    stiffness: Float[Array, ""]
    alignment: Float[Array, ""]
    stable: Bool[Array, ""]


@eqx.filter_jit
def equilibrium(
    moments: Moments,
    field: Float[ArrayLike, "3"],
    start: Float[ArrayLike, "n 3"] | None = None,
) -> Equilibrium:
    """The minimum of the energy that a search from a start reaches.

    A damped Newton search with the stiffness in closed form. Each step lowers the energy, so the
    result is the minimum next to the start and need not be the lowest one. If the search meets a
    saddle, it is pushed off: of two equivalent minima it takes one, always the same.

    Args:
        moments: The moments.
        field: The applied field H in tesla, shape (3,).
        start: Directions of the moments, shape (n, 3), of any length; all along the field by
            default, and along z without a field.

    Returns:
        The equilibrium. Look at `stable` before you use it.

    Raises:
        InputError: For a field or a start of another shape.

    Use float64. The directions have derivatives of any order by positions, exchange, moments and
    field, from the implicit-function theorem. They do not exist where `stiffness` is zero.

    >>> import jax
    >>> import jax.numpy as jnp
    >>> with jax.enable_x64(True):  # a pair along z, in a field along x that is too weak
    ...     pair = Moments(jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.4]]))
    ...     found = equilibrium(pair, jnp.array([0.03, 0.0, 0.0]))
    ...     print(jnp.round(jnp.abs(found.direction), 3), found.stable)
    [[0.399 0.    0.917]
     [0.399 0.    0.917]] True
    """
    applied = as_float(field)
    if applied.shape != (3,):
        raise InputError("field", given=applied.shape, expected="a vector of shape (3,), in tesla")
    shape = moments.positions.shape
    if start is None:
        toward = jnp.where(jnp.any(applied != 0), applied, jnp.array([0, 0, 1], applied.dtype))
        start = jnp.broadcast_to(toward, shape)
    start = as_float(start)
    if start.shape != shape:
        raise InputError("start", given=start.shape, expected=f"an array of shape {shape}")
    dtype = jnp.result_type(moments.positions, applied, start)
    coupled = Coupled.of(moments, dtype)
    applied, u = applied.astype(dtype), unit(start.astype(dtype))
    u = rest(coupled, applied, u)
    at = local(coupled, applied, u)
    stiffness = jnp.linalg.eigvalsh(at.stiffness)[0]
    torque = largest_torque(coupled, at)
    converged = torque <= REMAINS * tolerance(coupled, applied, u)
    return Equilibrium(
        direction=u,
        field=applied,
        energy=moments.energy(u, applied),
        torque=torque,
        stiffness=stiffness,
        alignment=moments.alignment(u),
        stable=converged & (stiffness > softness(coupled, applied, u)),
    )


class Coupled(NamedTuple):
    """What the motion depends on: couplings, moments (1 where masked), and the mask as numbers."""

    coupling: Float[Array, "3 3 n n"]
    moments: Float[Array, " n"]
    mask: Float[Array, " n"]

    @property
    def weight(self) -> Float[Array, " n"]:
        """The moments, 0 where masked."""
        return self.mask * self.moments

    @staticmethod
    def of(moments: Moments, dtype: Any) -> "Coupled":
        """The couplings of the moments, computed once for all fields."""
        kept = jnp.where(moments.mask, moments.moments, 1)
        arrays = moments.coupling(), kept, moments.mask
        return Coupled(*(array.astype(dtype) for array in arrays))


class Local(NamedTuple):
    """Forces and stiffness against small turns √m x, in tesla; turns are ordered (α, i).

    Args:
        frame: e₁ and e₂ of each moment, shape (2, n, 3).
        force: ∂E/∂(√m x), shape (2, n), in √µB tesla.
        stiffness: K, shape (2n, 2n). Masked sites are stiffer than all others.
    """

    frame: Float[Array, "2 n 3"]
    force: Float[Array, "2 n"]
    stiffness: Float[Array, "turns turns"]


def unit(vectors: Float[Array, "n 3"]) -> Float[Array, "n 3"]:
    """The vectors over their lengths."""
    return vectors * lax.rsqrt(jnp.sum(vectors * vectors, axis=-1, keepdims=True))


def frames(u: Float[Array, "n 3"]) -> Float[Array, "2 n 3"]:
    """Two unit vectors normal to each u, with e₁ × e₂ = u.

    Source: T. Duff et al., Journal of Computer Graphics Techniques 6 (1), 1 (2017).
    """
    x, y, z = u.T
    sign = jnp.where(z < 0, -1, 1).astype(u.dtype)
    a = -1 / (sign + z)
    b = x * y * a
    first = jnp.stack([1 + sign * x * x * a, sign * b, -sign * x], axis=-1)
    second = jnp.stack([b, sign + y * y * a, -y], axis=-1)
    return jnp.stack([first, second])


def slope(coupled: Coupled, applied: Array, u: Float[Array, "n 3"]) -> Float[Array, "n 3"]:
    """∂E/∂uᵢ = −mᵢBᵢ in µB·T; zero at masked sites."""
    return pair_slope(coupled.coupling, u) - coupled.weight[:, None] * applied


def local(coupled: Coupled, applied: Array, u: Float[Array, "n 3"]) -> Local:
    """Forces and stiffness at directions u, in closed form."""
    count = len(u)
    e = frames(u)
    gradient = slope(coupled, applied, u)
    root = jnp.sqrt(coupled.moments)
    force = jnp.sum(e * gradient, axis=-1) / root
    scaled = e / root[:, None]
    # one fused loop over the pairs: products of matrices would be four times as slow
    terms = [
        scaled[:, None, :, None, a] * coupled.coupling[a, b] * scaled[None, :, None, :, b]
        for a in range(3)
        for b in range(3)
    ]
    between = sum(terms[1:], start=terms[0])
    along = -jnp.sum(u * gradient, axis=-1) / coupled.moments
    largest = jnp.max(jnp.where(coupled.mask > 0, jnp.abs(along), 0))
    along = jnp.where(coupled.mask > 0, along, 1 + largest)
    stiffness = between.transpose(0, 2, 1, 3).reshape(2 * count, 2 * count)
    return Local(e, force, stiffness + jnp.diag(jnp.tile(along, 2)))


def largest_torque(coupled: Coupled, at: Local) -> Float[Array, ""]:
    """The largest torque on a moment, over the moment, in tesla."""
    return jnp.max(jnp.abs(at.force) / jnp.sqrt(coupled.moments))


def tolerance(coupled: Coupled, applied: Array, u: Float[Array, "n 3"]) -> Float[Array, ""]:
    """The torque in tesla that rounding errors leave."""
    largest = jnp.max(jnp.abs(slope(coupled, applied, u)) / coupled.moments[:, None])
    return 100 * jnp.finfo(u.dtype).eps * (largest + jnp.max(jnp.abs(applied)))


def softness(coupled: Coupled, applied: Array, u: Float[Array, "n 3"]) -> Float[Array, ""]:
    """The stiffness in tesla below which it cannot be distinguished from zero."""
    return 100 * tolerance(coupled, applied, u)


def turned(u: Array, frame: Array, turn: Float[Array, "2 n"]) -> Float[Array, "n 3"]:
    """The directions after small turns x."""
    return unit(u + jnp.sum(frame * turn[..., None], axis=0))


class _Search(NamedTuple):
    u: Float[Array, "n 3"]
    energy: Float[Array, ""]
    damping: Float[Array, ""]
    steps: Int[Array, ""]
    done: Bool[Array, ""]


def descend(coupled: Coupled, applied: Array, start: Float[Array, "n 3"]) -> Float[Array, "n 3"]:
    """The minimum next to `start`, without derivatives.

    Newton's method; a damping that is added to the stiffness grows until the sum is positive and
    the energy falls. At a saddle without a force all moments are pushed, each in its own direction.
    """
    root = jnp.sqrt(coupled.moments)
    count = len(start)
    # an irregular pattern, which no symmetry of the moments shares
    phase = 2.4 * jnp.arange(count, dtype=start.dtype) ** 1.3
    push = PUSH * jnp.stack([jnp.cos(phase), jnp.sin(phase)]) * coupled.mask

    def step(search: _Search) -> _Search:
        u, energy, damping, steps, _ = search
        frame, force, stiffness = at = local(coupled, applied, u)
        limit = tolerance(coupled, applied, u)
        # without symmetrization: both triangles are equal up to rounding
        damped = stiffness + damping * jnp.eye(2 * count, dtype=u.dtype)
        lower = lax.linalg.cholesky(damped, symmetrize_input=False)
        positive = jnp.all(jnp.isfinite(lower))
        lower = jnp.where(positive, lower, jnp.eye(2 * count, dtype=u.dtype))
        newton = -jax.scipy.linalg.cho_solve((lower, True), force.reshape(-1))
        turn = newton.reshape(2, count) / root
        resting = largest_torque(coupled, at) <= limit
        saddle = resting & ~positive & (damping == 0)
        turn = jnp.where(saddle, push, turn)
        short = jnp.max(jnp.abs(turn)) <= LONGEST_TURN
        trial = turned(u, frame, turn)
        found = energy_of(coupled.coupling, coupled.weight, applied, trial)
        lowered = found <= energy + limit * jnp.sum(coupled.moments)
        accepted = saddle | (positive & short & lowered)
        least = 1e-3 * jnp.max(jnp.abs(jnp.diagonal(stiffness)))
        smaller = jnp.where(damping > least, damping / 6, 0)
        damping = jnp.where(accepted, smaller, jnp.maximum(3 * damping, least))
        return _Search(
            u=jnp.where(accepted, trial, u),
            energy=jnp.where(accepted, found, energy),
            damping=damping,
            steps=steps + 1,
            # after one more step: Newton's method doubles the digits
            done=(resting & positive & (search.damping == 0)) | jnp.isnan(energy),
        )

    begin = _Search(
        u=start,
        energy=energy_of(coupled.coupling, coupled.weight, applied, start),
        damping=jnp.zeros((), start.dtype),
        steps=jnp.zeros((), jnp.int32),
        done=jnp.zeros((), bool),
    )
    return lax.while_loop(lambda s: ~s.done & (s.steps < MOST_STEPS), step, begin).u


def rest(coupled: Coupled, applied: Array, start: Float[Array, "n 3"]) -> Float[Array, "n 3"]:
    """`descend` with derivatives by couplings, moments and field."""
    return following(coupled, applied, descend(*lax.stop_gradient((coupled, applied, start))))


def following(coupled: Coupled, applied: Array, u: Float[Array, "n 3"]) -> Float[Array, "n 3"]:
    """An equilibrium u with derivatives by couplings, moments and field."""
    return implicit_root(_residual, u, (coupled, applied), _balanced)


def _residual(u: Float[Array, "n 3"], given: Any) -> Float[Array, "n 3"]:
    """Torques on the moments, plus ½ (u·u − 1) u: zero at an equilibrium."""
    coupled, applied = given
    gradient = slope(coupled, applied, u)
    along = jnp.sum(u * gradient, axis=-1, keepdims=True)
    return gradient + (0.5 * (jnp.sum(u * u, axis=-1, keepdims=True) - 1) - along) * u


def _balanced(u: Array, given: Any, torque: Array) -> Array:
    """The turn of the moments that balances a change of the residual: its derivative, inverted."""
    coupled, applied = given
    count = len(u)
    gradient = slope(coupled, applied, u)
    along = jnp.sum(u * gradient, axis=-1)
    square = jnp.sum(u * u, axis=-1)
    identity = jnp.eye(3, dtype=u.dtype)
    outer = u[:, :, None] * u[:, None, :]
    pairs = jnp.einsum("iab,bcij->iajc", identity - outer, coupled.coupling)
    own = (0.5 * (square - 1) - along)[:, None, None] * identity
    own = own + outer - u[:, :, None] * gradient[:, None, :]
    own = own + (1 - coupled.mask)[:, None, None] * identity  # what is masked does not turn
    place = jnp.arange(count)
    pairs = pairs.at[place, :, place, :].add(own)
    matrix = pairs.reshape(3 * count, 3 * count)
    return jnp.linalg.solve(matrix, torque.reshape(-1)).reshape(count, 3)
