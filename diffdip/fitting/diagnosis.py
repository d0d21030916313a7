"""Doubts about a fit."""

import numpy as np
from scipy.special import gammaincc

from ..foundation.flags import Flag
from .least_squares import Estimates
from .parameters import ParameterSet, is_offset
from .problem import FullTensorModel


CORRELATED = 0.98
"""Correlation beyond which two parameters are called not separable."""


def diagnose(
    parameters: ParameterSet,
    found: Estimates,
    correlation: np.ndarray,
    measured: np.ndarray,
    predicted: np.ndarray,
    dof: int,
    reduced_chi2: float | None,
) -> tuple[Flag, ...]:
    """Flags of a fit that did not converge, is not unique, or leaves parameters open."""
    flags: list[Flag] = []
    names = parameters.free
    if not found.converged:
        flags.append(Flag("not-converged", "The fit did not converge: it ran out of steps."))
    if np.isfinite(found.rival_chi2):
        minimum = float(found.chi2)
        excess = (float(found.rival_chi2) - minimum) / float(found.variance)
        if excess < 4 and found.separation > 1e-6:
            other = ", ".join(shown(n, v) for n, v in zip(names, found.rival, strict=True))
            flags.append(
                Flag(
                    "several-minima",
                    f"A second minimum is almost as good: {other} has a χ² only "
                    f"{max(excess, 0):.1f} higher.",
                )
            )
    undetermined = [n for n, s in zip(names, found.sensitivity, strict=True) if s == 0]
    flags += [
        Flag("undetermined", f"{name} is not determined: the data do not depend on it.")
        for name in undetermined
    ]
    groups = _inseparable(names, correlation, undetermined)
    flags += [
        Flag("degenerate", f"{' and '.join(group)} cannot be separated with these data.")
        for group in groups
    ]
    missing = int(np.sum(np.isfinite(measured) & ~np.isfinite(predicted)))
    if missing:
        flags.append(
            Flag(
                "no-resonance",
                f"The fitted model has no resonance at {missing} measured angles. The errors are "
                "not reliable.",
            )
        )
    if reduced_chi2 is not None and gammaincc(dof / 2, reduced_chi2 * dof / 2) < 1e-3:
        flags.append(
            Flag(
                "misfit",
                f"The residuals are {reduced_chi2**0.5:.1f} times larger than sigma. Either the "
                "model or sigma is wrong.",
            )
        )
    for name, x, low, high in zip(names, found.x, parameters.lower, parameters.upper, strict=True):
        width = high - low if np.isfinite(high - low) else 0.1
        for bound in (low, high):
            if np.isfinite(bound) and abs(x - bound) < 1e-3 * width:
                flags.append(
                    Flag(
                        "at-bound",
                        f"{name} is at its bound ({shown(name, float(bound))}): its error means "
                        "nothing.",
                    )
                )
    if dof == 0:
        flags.append(
            Flag(
                "no-degrees-of-freedom",
                "There are as many points as free parameters: the errors mean nothing.",
            )
        )
    return tuple(flags)


def _inseparable(
    names: tuple[str, ...], correlation: np.ndarray, undetermined: list[str]
) -> list[tuple[str, ...]]:
    """Groups of parameters linked by correlations close to one."""
    linked = np.abs(np.nan_to_num(correlation)) > CORRELATED
    groups: list[tuple[str, ...]] = []
    left = [i for i, name in enumerate(names) if name not in undetermined]
    while left:
        group = [left.pop(0)]
        for i in group:
            new = [j for j in left if linked[i, j]]
            left = [j for j in left if j not in new]
            group += new
        if len(group) > 1:
            groups.append(tuple(names[i] for i in group))
    return groups


def shown(name: str, value: float) -> str:
    """A parameter and its value in the units of tables."""
    if name == "g":
        return f"g = {value:.4f}"
    if is_offset(name):
        return f"{name} = {np.rad2deg(value):.1f}°"
    if name in FullTensorModel.names:
        return f"{name} = {1e3 * value:.1f} mT"
    return f"{name} = {value:.4g}"
