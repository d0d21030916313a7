"""What a fit says of g: whether it is possible, and with which anisotropy it can be confused."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import equinox as eqx
import jax
import numpy as np

from ..foundation.accepted_values import HIGHEST_G, LOWEST_G, implausible_g
from ..foundation.flags import Flag
from .anisotropy_models import FullTensorModel, InPlaneModel
from .predictions import linearized
from .series import Series, stack_series, without_padding


if TYPE_CHECKING:
    from .fit_result import FitResult
    from .problem import FitProblem

STEP: Final = 1e-5
"""Step of the difference, over g."""

APART: Final = 0.2
"""The part of a change of g that the free parameters cannot follow, above which data show it."""

PLAUSIBLE: Final = 0.1
"""A g that differs by more than this part is not offered as an explanation of A."""


def implausible_fit(problem: "FitProblem", series: Sequence[Series], g: float) -> list[Flag]:
    """A flag for a fitted `g` that cannot be, or for fields far from those of A, B, C at a fixed g.

    A film's own field may move its resonance to any field, so that it says nothing of g.
    """
    if "g" in problem.parameters.free:
        if LOWEST_G < g < HIGHEST_G:
            return []
        message = f"The fitted g = {g:.3g} is implausible. Check the units of field and frequency."
        return [Flag("implausible-g", message)]
    if not isinstance(problem.model, InPlaneModel | FullTensorModel):
        return []
    return implausible_g(
        np.concatenate([s.field for s in series]), np.concatenate([s.frequency for s in series])
    )


def g_or_a(result: "FitResult") -> list[Flag]:
    """A flag if g is fixed and the free parameters can follow a change of it.

    The change of the predictions with g, at the frequency or field of each point, is compared with
    those that the free parameters can make. The parameter of a field that follows most is named.
    """
    problem = result.problem
    names = list(result.names)
    if problem is None or "g" not in problem.parameters.fixed:
        return []
    fields = [name for name in names if problem.parameters.kind(name).unit == "mT"]
    if not fields:
        return []
    g = result.values["g"]
    by_g, by_free = _changes(problem, result, g)
    known = np.isfinite(by_g) & np.isfinite(by_free).all(axis=1)
    by_g, by_free = by_g[known], by_free[known]
    if len(by_g) < len(names):
        return []
    length = np.linalg.norm(by_free, axis=0)
    used = length > 0
    follow = np.zeros(len(names))
    scaled, *_ = np.linalg.lstsq(by_free[:, used] / length[used], by_g, rcond=1e-7)
    follow[used] = scaled / length[used]
    if np.linalg.norm(by_g - by_free @ follow) > APART * np.linalg.norm(by_g):
        return []
    name = max(fields, key=lambda one: abs(follow[names.index(one)]))
    # in tesla, which is also in mT for 0.001 of g
    value, slope = result.values[name], -float(follow[names.index(name)])
    message = (
        f"{name} and g cannot be separated by these data: if g is higher by 0.001, {name} changes "
        f"by {slope:.2g} mT."
    )
    other = g - value / slope
    if name == "A" and abs(other / g - 1) < PLAUSIBLE:
        message += f" A = {1e3 * value:.3g} mT at g = {g:.6g} fits about as well as A = 0 at g = "
        message += f"{other:.5g}."
    return [Flag("g-or-A", message)]


def _changes(problem: "FitProblem", result: "FitResult", g: float) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the predictions with respect to g (n,) and to the free parameters (n, p)."""
    design, _, _ = stack_series(result.series)
    x = np.array([[result.values[name] for name in result.names]])
    index = problem.parameters.fixed.index("g")

    def at(of_g: float) -> tuple[np.ndarray, np.ndarray]:
        fixed = np.array(problem.parameters.fixed_values, float)
        fixed[index] = of_g
        # g is data of the compiled program, so that this compiles nothing
        changed = eqx.tree_at(lambda p: p.parameters.fixed_values, problem, fixed)
        predicted, slope = linearized(changed, design, x, many=False)
        return tuple(without_padding(values[0], result.series) for values in (predicted, slope))  # pyright: ignore[reportReturnType]

    with jax.enable_x64(True):
        by_g = (at(g * (1 + STEP))[0] - at(g * (1 - STEP))[0]) / (2 * STEP * g)
        return by_g, at(g)[1]
