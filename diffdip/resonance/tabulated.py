"""Resonances at the angles of a figure or a table, as numpy arrays in float64.

Angles are computed in blocks of one length, so that tables of any length share one program. Such a
program runs a few times only: XLA optimizes it little, which takes half the time to compile.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float, Shaped

from .branches import Branches
from .energy_terms import AbstractEnergy
from .fields import resonance_branches, resonance_field
from .frequencies import resonance_frequency
from .planes import Plane


BLOCK = 512

RUN_FEW_TIMES: dict[str, Any] = {"compiler_options": {"xla_backend_optimization_level": 0}}
"""Options of `jit` for programs that run a few times."""


def tabulated_field(
    energy: AbstractEnergy,
    angle: Float[np.ndarray, "..."],
    frequency: Shaped[ArrayLike, "..."],
    g: float,
    plane: Plane = "xy",
) -> Float[np.ndarray, "..."]:
    """`resonance_field` at angles (radians) and frequencies (Hz) that broadcast, in tesla."""
    return _tabulated(_field, energy, angle, frequency, g, plane)


def tabulated_frequency(
    energy: AbstractEnergy,
    angle: Float[np.ndarray, "..."],
    field: Shaped[ArrayLike, "..."],
    g: float,
    plane: Plane = "xy",
) -> Float[np.ndarray, "..."]:
    """`resonance_frequency` at angles (radians) and fields (tesla) that broadcast, in Hz."""
    return _tabulated(_frequency, energy, angle, field, g, plane)


def tabulated_branches(
    energy: AbstractEnergy,
    angle: Float[np.ndarray, "*batch"],
    frequency: float,
    g: float,
    plane: Plane = "xy",
) -> Branches:
    """`resonance_branches` at angles (radians) for one frequency (Hz), with numpy arrays."""
    return _tabulated(_branches, energy, angle, frequency, g, plane)


def _tabulated(
    solve: Any,
    energy: AbstractEnergy,
    angle: np.ndarray,
    other: Shaped[ArrayLike, "..."],
    g: float,
    plane: Plane,
) -> Any:
    """Solve in blocks, and give the results the shape of `angle` and `other`."""
    other = np.asarray(other, float)
    angles, others = np.broadcast_arrays(angle, other)
    count = max(1, -(-angles.size // BLOCK))
    filled = np.resize(angles.ravel(), (count, BLOCK))
    # one number stays one: that is another program, and a faster one
    beside = np.resize(others.ravel(), (count, BLOCK)) if other.ndim else [other] * count
    with jax.enable_x64(True):
        double = lambda leaf: jnp.asarray(leaf, float) if eqx.is_inexact_array(leaf) else leaf
        energy = jax.tree.map(double, energy)
        factor = np.asarray(g, float)
        blocks = [
            jax.device_get(solve(energy, block, set_, factor, plane))
            for block, set_ in zip(filled, beside, strict=True)
        ]

    def joined(*parts: np.ndarray) -> np.ndarray:
        whole = np.concatenate(parts)[: angles.size]
        return whole.reshape(angles.shape + whole.shape[1:])

    return jax.tree.map(joined, *blocks)


_field = eqx.filter_jit(resonance_field, **RUN_FEW_TIMES)
_frequency = eqx.filter_jit(resonance_frequency, **RUN_FEW_TIMES)
_branches = eqx.filter_jit(resonance_branches, **RUN_FEW_TIMES)
