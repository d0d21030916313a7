"""Resonances of polynomial energies by the loops for the CPU; see `kernels.sphere_loops`.

Where M is at resonance is all that is computed here, without derivatives.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..kernels.calls import call, one_batch
from ..kernels.polynomials import EVEN, ODD, from_samples, sample_points
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
    """The energy as a polynomial on the sphere, up to a constant, and H_ex: what the loops read."""
    values = jax.vmap(energy)(jnp.asarray(sample_points(), dtype))
    # a constant changes no resonance, and its digits would be missing elsewhere
    one, opposite = jnp.split(values - jnp.mean(values), 2)
    even = jnp.asarray(from_samples(EVEN), dtype) @ (0.5 * (one + opposite))
    odd = jnp.asarray(from_samples(ODD), dtype) @ (0.5 * (one - opposite))
    exchange = energy.exchange_field()
    last = jnp.zeros(1, dtype) if exchange is None else exchange[None]
    return jnp.concatenate([even, odd, last])


def _places(energy: AbstractEnergy, direction: Array, larmor: Array, slots: int) -> Places:
    solve = one_batch(partial(_by_loop, slots=slots))
    numbers = coefficients(energy, direction.dtype)
    places = solve(numbers[None], direction[None], larmor[None])
    return Places(*(part[0] for part in places))


def _by_loop(
    numbers: Float[Array, "energies c"],
    direction: Float[Array, "energies n 3"],
    larmor: Float[Array, "energies n"],
    slots: int,
) -> Places:
    """All resonances, or with one slot the measured ones."""
    vertices, corners = sphere_mesh()
    energies, n = larmor.shape
    chunks = max(1, -(-n // SHARE))
    counts = n, chunks, slots, SLOTS, len(vertices), len(corners)
    steps = STAGES, LAST_STEPS, MESH_STEPS, DESCENT_STEPS, round(100 * SLACK)
    (found,) = call(
        "resonances",
        (numbers, direction, larmor, jnp.asarray(vertices, larmor.dtype), corners),
        [((energies, n, slots, 5), larmor.dtype)],
        axes=2,
        tasks=energies * chunks,
        cost=1000 * -(-n // chunks),
        numbers=(*counts, *steps),
    )
    return Places(found[..., :3], found[..., 3] > 0, found[..., 4] > 0)
