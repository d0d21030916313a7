"""Angles that differ by whole turns: of the axis of a term, or of the field.

An axis is the same after its period. An offset of the angles of the field is the same after a whole
turn, and after half a turn if the energy does not change with M reversed.
"""

from typing import Final

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .anisotropy_models import Model
from .parameter_table import parameter_kind
from .parameters import ParameterSet, Values


_ROWS = [[0.1, 0.3, 0.9], [0.7, -0.2, 0.4], [-0.5, 0.6, 0.1], [0.2, 0.9, -0.3], [0.8, 0.5, 0.2]]
DIRECTIONS: Final = np.array(_ROWS) / np.linalg.norm(_ROWS, axis=1, keepdims=True)
"""Of no symmetry: two energies that agree there are one."""

SAME: Final = 1e-5
"""Energies that differ by less than this part of their size are the same."""


def nearest_copy(
    parameters: ParameterSet, model: Model, x: Float[np.ndarray, " p"]
) -> Float[np.ndarray, " p"]:
    """The same solution with each angle at its copy nearest to its start, 0 by default.

    Angles whose nearest copy is out of bounds stay.
    """
    if not np.all(np.isfinite(x)):
        return x
    kinds = [parameters.kind(name) for name in parameters.free]
    offset = np.array([kind.nuisance and kind.unit == "deg" for kind in kinds])
    period = np.array([kind.period or np.inf for kind in kinds])
    step = x - parameters.central_point()
    if not np.any(np.round(step / np.where(offset, np.pi, period))):
        return x
    if offset.any():
        period[offset] = _turn(model, parameters.values(x))
    turns = np.round(step / period)
    moved = x - turns * np.where(np.isfinite(period), period, 0.0)
    moved = np.where((parameters.lower <= moved) & (moved <= parameters.upper), moved, x)
    return moved if same_solution(parameters, model, x, moved) else x


def same_solution(
    parameters: ParameterSet,
    model: Model,
    one: Float[np.ndarray, " p"],
    other: Float[np.ndarray, " p"],
) -> bool:
    """Whether two vectors give the same energy and g, and offsets that differ by whole turns."""
    if not np.all(np.isfinite(other)):
        return False
    values = [parameters.values(x) for x in (one, other)]
    for name, value in values[0].items():
        kind, difference = parameter_kind(name), float(value - values[1][name])
        if kind.nuisance and kind.unit == "deg" and abs(difference) > SAME:
            turn = _turn(model, values[0])
            difference -= turn * round(difference / turn)
        if kind.nuisance and abs(difference) > SAME:
            return False
    return _agree(*(_energies(model, each, 1) for each in values))


def _turn(model: Model, values: Values) -> float:
    """The turn of the field that changes nothing: π if the energy is even in M, else 2π."""
    return np.pi if _agree(_energies(model, values, 1), _energies(model, values, -1)) else 2 * np.pi


def _energies(model: Model, values: Values, sign: int) -> np.ndarray:
    energy = model(values)
    return np.array([float(energy(jnp.asarray(sign * u))) for u in DIRECTIONS])


def _agree(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether energies agree up to a constant, which has no effect."""
    one, other = one - one[0], other - other[0]
    size = np.max(np.abs(one))
    return bool(np.all(np.abs(one - other) <= SAME * max(size, SAME)))
