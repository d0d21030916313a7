"""Angles that differ by whole turns: of the axis of a term, or of the field.

An axis is the same after its period. An offset of the angles of the field is the same after a whole
turn, and after half a turn if the energy does not change with M reversed. A sample that is turned
with its axes by a symmetry of the others, as a cubic film by a quarter turn, is the same again.
"""

import itertools
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..resonance.planes import Plane, plane_directions
from .anisotropy_models import Model
from .parameter_table import offset_of
from .parameters import Values
from .problem import FitProblem


_ROWS = [[0.1, 0.3, 0.9], [0.7, -0.2, 0.4], [-0.5, 0.6, 0.1], [0.2, 0.9, -0.3], [0.8, 0.5, 0.2]]
DIRECTIONS: Final = np.array(_ROWS) / np.linalg.norm(_ROWS, axis=1, keepdims=True)
"""Of no symmetry: two energies that agree there are one."""

SAME: Final = 1e-5
"""Energies that differ by less than this part of their size are the same."""


def nearest_copy(problem: FitProblem, x: Float[np.ndarray, " p"]) -> Float[np.ndarray, " p"]:
    """The same solution with each angle at its copy nearest to its start, 0 by default.

    Angles whose nearest copy is out of bounds stay.
    """
    if not np.all(np.isfinite(x)):
        return x
    parameters, model = problem.parameters, problem.model
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
    return moved if same_solution(problem, x, moved) else x


def same_solution(
    problem: FitProblem, one: Float[np.ndarray, " p"], other: Float[np.ndarray, " p"]
) -> bool:
    """Whether two vectors describe one sample in the same terms.

    Either the energy is the same, and offsets differ by whole turns; or only angles differ, and the
    energy is the same to the axes of the field. A film of −B a quarter of a turn further is one of
    B, but another number: it is not meant.
    """
    if not np.all(np.isfinite(other)):
        return False
    model, values = problem.model, [problem.parameters.values(x) for x in (one, other)]
    numbers = [{name: float(value) for name, value in each.items()} for each in values]
    turn, turned, fields = _turn(model, values[1]), False, True
    for name, value in numbers[0].items():
        kind, difference = problem.parameters.kind(name), value - numbers[1][name]
        if kind.nuisance and kind.unit == "deg":
            turned |= abs(difference - turn * round(difference / turn)) > SAME
        elif abs(difference) > SAME and kind.nuisance:
            return False
        elif kind.unit != "deg":
            fields &= abs(difference) <= SAME
    if not turned:
        return _agree(*(_energies(model, each, np.eye(3)) for each in values))

    def agree(plane: Plane | None, offsets: tuple[float, float]) -> bool:
        seen = _energies(model, values[0], _rotation(plane, offsets[0]))
        turns = (offsets[1], offsets[1] + turn)
        others = (_energies(model, values[1], _rotation(plane, angle)) for angle in turns)
        return any(_agree(seen, other) for other in others)

    offsets = [tuple(offset_of(each, i) for each in numbers) for i in range(len(problem.planes))]
    return fields and all(itertools.starmap(agree, set(zip(problem.planes, offsets, strict=True))))


def _rotation(plane: Plane | None, offset: float) -> np.ndarray:
    """The rows that turn axes of the field into those of the sample, for a field in a plane."""
    if plane is None:
        return np.eye(3)
    basis = plane if isinstance(plane, str) else np.array(plane)
    frames = []
    for angle in (0.0, -offset):
        first, second = np.asarray(plane_directions(np.array([angle, angle + np.pi / 2]), basis))
        frames.append(np.stack([first, second, np.cross(first, second)]))
    return frames[0].T @ frames[1]


def _turn(model: Model, values: Values) -> float:
    """The turn of the field that changes nothing: π if the energy is even in M, else 2π."""
    even = _agree(*(_energies(model, values, sign * np.eye(3)) for sign in (1, -1)))
    return np.pi if even else 2 * np.pi


def _energies(model: Model, values: Values, rotation: np.ndarray) -> np.ndarray:
    return np.asarray(jax.vmap(model(values))(jnp.asarray(DIRECTIONS @ rotation)))


def _agree(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether energies agree up to a constant, which has no effect."""
    one, other = one - one[0], other - other[0]
    size = np.max(np.abs(one))
    return bool(np.all(np.abs(one - other) <= SAME * max(size, SAME)))
