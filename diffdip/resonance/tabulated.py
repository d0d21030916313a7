"""Resonances at the angles of a figure or a table, as numpy arrays in float64.

Angles are computed in blocks of one length, so that tables of any length share one program. Such a
program runs a few times only: XLA optimizes it little, which takes half the time to compile.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .branches import Branches
from .energy_terms import AbstractEnergy
from .fields import resonance_branches, resonance_field
from .planes import Plane


BLOCK = 512

RUN_FEW_TIMES: dict[str, Any] = {"compiler_options": {"xla_backend_optimization_level": 0}}
"""Options of `jit` for programs that run a few times."""


def tabulated_field(
    energy: AbstractEnergy,
    angle: Float[np.ndarray, "*batch"],
    frequency: float,
    g: float,
    plane: Plane = "xy",
) -> Float[np.ndarray, "*batch"]:
    """`resonance_field` at angles (radians) for one frequency (Hz), in tesla."""
    return _tabulated(_field, energy, angle, frequency, g, plane)


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
    solve: Any, energy: AbstractEnergy, angle: np.ndarray, frequency: float, g: float, plane: Plane
) -> Any:
    """Solve in blocks, and give the results the shape of `angle`."""
    filled = np.resize(angle.ravel(), (max(1, -(-angle.size // BLOCK)), BLOCK))
    with jax.enable_x64(True):
        double = lambda leaf: jnp.asarray(leaf, float) if eqx.is_inexact_array(leaf) else leaf
        settings = np.asarray(frequency, float), np.asarray(g, float), plane
        energy = jax.tree.map(double, energy)
        blocks = [jax.device_get(solve(energy, block, *settings)) for block in filled]

    def joined(*parts: np.ndarray) -> np.ndarray:
        whole = np.concatenate(parts)[: angle.size]
        return whole.reshape(angle.shape + whole.shape[1:])

    return jax.tree.map(joined, *blocks)


_field = eqx.filter_jit(resonance_field, **RUN_FEW_TIMES)
_branches = eqx.filter_jit(resonance_branches, **RUN_FEW_TIMES)
