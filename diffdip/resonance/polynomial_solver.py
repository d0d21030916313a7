"""Resonances of polynomial energies by the loops for the CPU; see `kernels.sphere_loops`.

Where M is at resonance is all that is computed here, without derivatives.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..kernels.calls import call, one_batch
from ..kernels.polynomials import EVEN, ODD, from_samples, left_of_samples, sample_points
from .energy_terms import AbstractEnergy
from .mesh_search import MESH_STEPS, SLACK, SLOTS, sphere_mesh
from .resonance_equations import LAST_STEPS, STAGES
from .stability import DESCENT_STEPS


SHARE = 256
"""Directions that one core computes together."""


class Places(NamedTuple):
    """Where M is at resonance, and whether that is a resonance and a stable one."""

    direction: Float[Array, "*batch 3"]
    exists: Bool[Array, "*batch"]
    stable: Bool[Array, "*batch"]


def is_polynomial(energy: AbstractEnergy) -> bool:
    """Whether the loops know such energies."""
    degree = energy.degree()
    return degree is not None and degree <= EVEN


def measured_places(
    energy: AbstractEnergy, direction: Float[Array, "n 3"], larmor: Float[Array, " n"]
) -> Places:
    """The measured resonance of each direction; `exists` where there is one."""
    places = _places(energy, direction, larmor, 1)
    return Places(*(part[:, 0] for part in places))


def all_places(
    energy: AbstractEnergy, direction: Float[Array, "n 3"], larmor: Float[Array, " n"]
) -> Places:
    """All resonances of each direction, in slots."""
    return _places(energy, direction, larmor, SLOTS)


def coefficients(energy: AbstractEnergy, dtype: Any) -> Float[Array, " c"]:
    """The energy as a polynomial on the sphere, and H_ex: what the loops read.

    All are NaN if the energy is no polynomial of the degree that it states: there are more values
    than coefficients.
    """
    values = jax.vmap(energy)(jnp.asarray(sample_points(), dtype))
    one, opposite = jnp.split(values, 2)
    parts, miss = [], jnp.zeros((), dtype)
    for degree, part in ((EVEN, 0.5 * (one + opposite)), (ODD, 0.5 * (one - opposite))):
        parts.append(jnp.asarray(from_samples(degree), dtype) @ part)
        left = jnp.asarray(left_of_samples(degree), dtype) @ part
        miss = jnp.maximum(miss, jnp.max(jnp.abs(left)))
    right = miss <= jnp.finfo(dtype).eps ** 0.5 * jnp.max(jnp.abs(values))
    exchange = energy.exchange_field()
    last = jnp.zeros(1, dtype) if exchange is None else exchange[None]
    return jnp.where(right, jnp.concatenate([*parts, last]), jnp.nan)


def _places(energy: AbstractEnergy, direction: Array, larmor: Array, slots: int) -> Places:
    vertices, corners = sphere_mesh()

    def solve(numbers: Array, direction: Array, larmor: Array) -> Places:
        """All arrays have a leading axis of energies."""
        energies, n = larmor.shape
        chunks = max(1, -(-n // SHARE))
        operands = numbers, direction, larmor, jnp.asarray(vertices, larmor.dtype), corners
        counts = n, chunks, slots, len(vertices), len(corners)
        steps = STAGES, LAST_STEPS, MESH_STEPS, DESCENT_STEPS, round(100 * SLACK)
        (found,) = call(
            "resonances",
            operands,
            [((energies, n, slots, 5), larmor.dtype)],
            axes=2,
            tasks=energies * chunks,
            cost=1000 * -(-n // chunks),
            numbers=(*counts, *steps),
        )
        return Places(found[..., :3], found[..., 3] > 0, found[..., 4] > 0)

    numbers = coefficients(energy, direction.dtype)
    places = one_batch(solve)(numbers[None], direction[None], larmor[None])
    return Places(*(part[0] for part in places))
