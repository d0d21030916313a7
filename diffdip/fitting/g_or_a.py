"""What a fit leaves open if g is fixed: A against g."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ..foundation.flags import Flag
from ..resonance.energy_terms import AnisotropyFields


if TYPE_CHECKING:
    from .fit_result import FitResult

STEP: Final = 1e-5
"""Step of the differences, over w0 or over g."""

APART: Final = 0.2
"""The part of a change of g that the free parameters cannot follow, above which data show it."""

PLAUSIBLE: Final = 0.1
"""A g that differs by more than this part is not offered as an explanation of A."""


def g_or_a(result: "FitResult") -> list[Flag]:
    """A flag if A is fitted, g is fixed, and the free parameters can follow a change of g.

    The change of the fields with g is compared with those that A, B and C can make.
    """
    energy, g = result.energy, result.values["g"]
    free = [name for name in ("A", "B", "C") if name in result.names]
    if not isinstance(energy, AnisotropyFields) or "A" not in free or "g" in result.names:
        return []
    size = STEP * float(np.nanmedian(np.abs(np.concatenate([s.field for s in result.series]))))
    values = {name: result.values[name] for name in ("A", "B", "C", "g")}

    def difference(name: str, step: float) -> np.ndarray:
        up, down = ({**values, name: values[name] + s} for s in (step, -step))
        return (_fields(result, up) - _fields(result, down)) / (2 * step)

    by_g = difference("g", STEP * g)
    by_free = np.stack([difference(name, size) for name in free], axis=1)
    known = np.isfinite(by_g) & np.isfinite(by_free).all(axis=1)
    by_g, by_free = by_g[known], by_free[known]
    if len(by_g) < len(free):
        return []
    follow, *_ = np.linalg.lstsq(by_free, by_g, rcond=1e-10)
    if np.linalg.norm(by_g - by_free @ follow) > APART * np.linalg.norm(by_g):
        return []
    # in tesla, which is also in mT for 0.001 of g
    A, slope = result.values["A"], -float(follow[free.index("A")])
    other = g - A / slope
    message = (
        "A and g cannot be separated by these data: if g is higher by 0.001, A changes by "
        f"{slope:.2g} mT."
    )
    if abs(other / g - 1) < PLAUSIBLE:
        message += f" A = {1e3 * A:.3g} mT at g = {g:.6g} fits about as well as A = 0 at g = "
        message += f"{other:.5g}."
    return [Flag("g-or-A", message)]


def _fields(result: "FitResult", values: dict[str, float]) -> np.ndarray:
    """The fields of all series for these values, at the mean frequency of each."""
    energy = AnisotropyFields(values["A"], values["B"], values["C"], result.convention)
    changed = replace(result, energy=energy, values={**result.values, **values})
    return np.concatenate([changed.curve(s.angle, i) for i, s in enumerate(result.series)])
