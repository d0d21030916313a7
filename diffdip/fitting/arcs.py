"""Whether the angles of a rotation cover enough of it: errors against those of a whole rotation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float

from ..foundation.flags import Flag
from .curvature import curvature_of
from .predictions import linearized
from .series import Series, stack_series, without_padding


if TYPE_CHECKING:
    from .problem import FitProblem

SHORT: Final = 150.0
"""An arc of this many degrees or more is not short, whatever is fitted."""

LARGER: Final = 3.0
"""An arc is short if it makes an error this many times larger. A quarter turn doubles those of A
and of B or C."""


def span(angle: Float[np.ndarray, " n"]) -> float:
    """The arc (degrees) that angles (radians) cover; opposite directions of the field are one.

    >>> round(span(np.radians([0.0, 30.0, 170.0, 200.0])))
    40
    """
    distinct = np.unique(np.round(np.degrees(angle) % 180, 6))
    gaps = np.diff(np.append(distinct, distinct[0] + 180))
    return 180 - float(np.max(gaps))


def short_arc(
    problem: "FitProblem",
    x: Float[np.ndarray, " p"],
    series: Sequence[Series],
    weighted: Float[np.ndarray, "n p"],
) -> list[Flag]:
    """A flag if a rotation over half a turn, with as many points, would have far smaller errors.

    `weighted` is the Jacobian of the fit `x`. Call under `jax.enable_x64(True)`.
    """
    spans = [span(one.angle) if one.is_rotation else np.inf for one in series]
    if min(spans, default=np.inf) >= SHORT:
        return []
    whole = [_turned(one) if arc < SHORT else one for one, arc in zip(series, spans, strict=True)]
    design, data, _ = stack_series(whole)
    _, slope = linearized(problem, design, x[None], many=False)
    slope = np.nan_to_num(without_padding(slope[0], whole))
    weight = without_padding(data.weight[0], whole)
    there = curvature_of(np.nan_to_num(weighted)[None])
    full = curvature_of((weight[:, None] * slope)[None])
    with np.errstate(all="ignore"):
        ratio = np.sqrt(np.diagonal(there.inverse[0]) / np.diagonal(full.inverse[0]))
    ratio = np.where(full.sensitivity[0] > 0, ratio, 0.0)
    worst = int(np.argmax(ratio))
    if not ratio[worst] > LARGER:
        return []
    arcs = ", ".join(f"{arc:.0f}°" for arc in spans if arc < SHORT)
    name = problem.parameters.free[worst]
    message = (
        f"The angles cover only {arcs}. The error of {name} is {ratio[worst]:.1f} times that of as "
        "many angles over 180°, and a small error of the model or of the angles moves it as much."
    )
    return [Flag("short-arc", message)]


def _turned(one: Series) -> Series:
    """The series at angles that are spread evenly over half a turn."""
    order = np.argsort(np.argsort(one.angle, kind="stable"), kind="stable")
    angle = one.angle.min() + np.pi * order / len(one)
    return Series(
        angle,
        one.field,
        one.sigma,
        frequency=one.frequency,
        plane=one.plane,
        name=one.name,
        measured=one.measured,
    )
