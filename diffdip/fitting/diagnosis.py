"""Doubts about a fit."""

from collections.abc import Sequence

import numpy as np

from ..foundation.flags import Flag
from .chi_squared import too_large, too_small
from .least_squares import Estimates
from .parameter_table import ParameterKind
from .parameters import ParameterSet
from .residual_structure import ROUNDING
from .rival_minima import EQUIVALENT
from .robust_loss import FAR, beside_sigma
from .series import Series


CORRELATED = 0.98
"""Two parameters with a correlation beyond this are hard to separate. A flag says so if the
error of one is large."""

SAME = 0.9999
"""Two parameters with a correlation beyond this are not separated: a small error of the model moves
both by 70 times as much."""

LARGE = 0.02
"""An error is large above this part of a typical field, this angle (radians), or part of g."""

DEGENERATE = 1e-6
"""Separation of the parameters (see `Curvature`) up to which a fit has no single minimum."""

EXPLAIN = {"at-bound", "undetermined", "no-degrees-of-freedom"}
"""Codes of flags that say why an interval has no end."""

MANY = 1 / 8
"""Part of the points beyond which those far from a robust fit are no longer single wrong ones."""

APART = 3.3
"""Standard deviations of a robust fit's residuals from sigma, above which they do not agree."""

FEW = 3
"""Degrees of freedom up to which errors from the scatter of the points are very uncertain."""

NEAR = 0.1
"""Part of a standard error within which a parameter lies at its bound."""


def diagnose(
    parameters: ParameterSet,
    found: Estimates,
    correlation: np.ndarray,
    measured: np.ndarray,
    predicted: np.ndarray,
    dof: int,
    reduced_chi2: float | None,
    *,
    from_scatter: bool,
) -> tuple[Flag, ...]:
    """Flags of a fit that did not converge, is not unique, or leaves parameters open.

    `measured` and `predicted` (n,) in tesla; `reduced_chi2` None where σ is unknown. `from_scatter`
    says that the errors come from the residuals.
    """
    flags: list[Flag] = []
    if not found.converged:
        message = (
            "The fit did not converge. Do not use it: simplify the model or change the bounds."
        )
        flags.append(Flag("not-converged", message))
    flags += _second_minimum(parameters, found)
    flags += _open_parameters(parameters, found, correlation, float(np.nanmedian(np.abs(measured))))
    missing = int(np.sum(np.isfinite(measured) & ~np.isfinite(predicted)))
    if missing:
        message = (
            f"The fitted model has no resonance at {missing} of the measured points. The errors "
            "are not reliable."
        )
        flags.append(Flag("no-resonance", message))
    left = measured - predicted
    if not np.nanmax(np.abs(left), initial=0.0) < ROUNDING * np.nanmax(np.abs(measured)):
        flags += misfit(reduced_chi2, dof)
    flags += _at_bounds(parameters, found, np.sqrt(np.diagonal(found.covariance)))
    if dof == 0:
        message = "There are as many points as free parameters, so the residuals test nothing."
        flags.append(Flag("no-degrees-of-freedom", message))
    elif dof <= FEW and from_scatter:
        message = (
            f"The standard errors come from the scatter of the points, with only {dof} "
            f"degree{'s' if dof > 1 else ''} of freedom: they are uncertain by "
            f"{100 / (2 * dof) ** 0.5:.0f} %. Use the intervals, which allow for it, or measure "
            "more angles."
        )
        flags.append(Flag("few-degrees-of-freedom", message))
    return tuple(flags)


def copies(series: Sequence[Series], rms: float) -> tuple[Flag, ...]:
    """A flag for points that were measured once and are there several times.

    Repeated measurements may agree by chance, to the digits that a table has. They count as copies
    if more than half of the points at an angle and frequency that occurred before are the same, or
    all of them where the residuals (`rms`, tesla) are not far above the last digit.
    """
    repeated, same = 0, []
    fields: dict[tuple[object, ...], set[float]] = {}
    for one in series:
        held = one.frequency if one.measured == "field" else one.field
        vectors = [()] * len(one) if one.direction is None else map(tuple, one.direction)
        for angle, at, vector, value in zip(one.angle, held, vectors, one.observed, strict=True):
            if not np.isfinite(value):
                continue
            setting = one.measured, repr(one.plane), angle, vector, at
            before = fields.setdefault(setting, set())
            repeated += bool(before)
            if value in before:
                same.append(angle)
            before.add(value)
    steps = np.diff(np.unique(np.concatenate([one.observed for one in series])))
    coarse = len(steps) > 0 and rms < 3 * np.nanmin(steps)
    if len(same) < 2 or len(same) <= (repeated - 1 if coarse else repeated / 2):
        return ()
    message = (
        f"{len(same)} points are exact copies of others (the first at {np.degrees(same[0]):.4g}°). "
        "Copies make the errors too small: remove them."
    )
    return (Flag("copies", message),)


def wrong_points(scaled: np.ndarray, dof: int, *, known_sigma: bool) -> list[Flag]:
    """Flags of a robust fit, from its residuals over σ, or over their scale where σ is unknown."""
    flags = []
    far = int(np.sum(np.abs(scaled) > FAR))
    if far > 1 and far > MANY * len(scaled):
        unit = "sigma" if known_sigma else "times the noise"
        message = (
            f"{far} of {len(scaled)} points lie more than 5 {unit} from the fit, more than single "
            "wrong points. Are they another line, or is the model wrong?"
        )
        flags.append(Flag("many-outliers", message))
    if known_sigma:
        ratio, unlikely = beside_sigma(scaled, dof)
        if unlikely > APART:
            flags.append(_larger_than_sigma(ratio))
        if unlikely < -APART:
            flags.append(_smaller_than_sigma(1 / ratio))
    return flags


def open_intervals(
    names: tuple[str, ...], found: Estimates, flags: tuple[Flag, ...]
) -> tuple[Flag, ...]:
    """Flags for intervals without an end, unless one of the `flags` explains them."""
    if {flag.code for flag in flags} & EXPLAIN:
        return ()
    told = []
    for name, lower, upper in zip(names, found.lower.T, found.upper.T, strict=True):
        sides = [side for side, end in (("below", lower), ("above", upper)) if np.isnan(end).any()]
        if sides:
            message = (
                f"The interval of {name} is open {' and '.join(sides)} (NaN): χ² does not rise "
                "enough there. Its standard error is not reliable."
            )
            told.append(Flag("open-interval", message))
    return tuple(told)


def _second_minimum(parameters: ParameterSet, found: Estimates) -> list[Flag]:
    """A flag for another minimum that is not excluded.

    Not where parameters are degenerate: there the minima form a line, which has its own flag.
    """
    if not np.isfinite(found.rival_chi2) or not found.separation > DEGENERATE:
        return []
    excess = (float(found.rival_chi2) - float(found.chi2)) / float(found.variance)
    each = zip(parameters.free, found.rival, strict=True)
    other = ", ".join(parameters.shown(name, float(value)) for name, value in each)
    if abs(excess) < EQUIVALENT:
        message = (
            f"An equivalent solution gives the same fields: {other}. These data cannot separate "
            "them: decide by what you know of the sample, or measure in another plane."
        )
        return [Flag("several-minima", message)]
    message = (
        f"A second minimum is not excluded: {other} has a χ² only {max(excess, 0):.1f} higher."
    )
    return [Flag("several-minima", message)]


def _open_parameters(
    parameters: ParameterSet, found: Estimates, correlation: np.ndarray, field: float
) -> list[Flag]:
    """Flags for parameters on which nothing depends, and for groups that act alike.

    `field` is a typical measured field (tesla).
    """
    names = parameters.free
    undetermined = [n for n, s in zip(names, found.sensitivity, strict=True) if s == 0]
    flags = [
        Flag("undetermined", f"{name} is not determined: the data do not depend on it.")
        for name in undetermined
    ]
    errors = np.sqrt(np.diagonal(found.covariance))
    for group in _inseparable(names, correlation, undetermined):
        rows = [names.index(name) for name in group]
        closest = float(np.max(np.abs(correlation[np.ix_(rows, rows)] - np.eye(len(rows)))))
        large = [_is_large(parameters.kind(names[i]), errors[i], field) for i in rows]
        if closest < SAME and not any(large):
            continue  # their errors say all that there is to say
        sizes = ", ".join(
            parameters.shown(n, float(errors[i])).replace(" = ", " ± ", 1)
            for n, i in zip(group, rows, strict=True)
        )
        message = (
            f"{' and '.join(group)} can hardly be separated with these data (correlation "
            f"{closest:.6g}): {sizes}. Fix one of them, or measure what separates them."
        )
        flags.append(Flag("degenerate", message))
    return flags


def _is_large(kind: ParameterKind, error: float, field: float) -> bool:
    """Whether an error leaves a parameter open; `field` is a typical measured field (tesla)."""
    limit = {"mT": LARGE * field, "deg": LARGE}.get(kind.unit, LARGE * abs(kind.start))
    return not error < limit


def misfit(reduced_chi2: float | None, dof: int) -> list[Flag]:
    """A flag for residuals that are larger or smaller than σ allows."""
    if reduced_chi2 is None:
        return []
    if too_small(reduced_chi2 * dof, dof):
        return [_smaller_than_sigma(reduced_chi2**-0.5)]
    if too_large(np.array([reduced_chi2 * dof]), np.array([dof])).item():
        factor = reduced_chi2**0.5
        message = (
            f"The residuals are {factor:.3g} times larger than sigma: χ²/dof is {reduced_chi2:.3g}."
            f" All errors were multiplied by {factor:.3g}, which makes it 1. Likely causes: the "
            "model, the field calibration, or sigma."
        )
        return [Flag("scaled-errors", message)]
    return []


def _smaller_than_sigma(ratio: float) -> Flag:
    message = (
        f"The residuals are {ratio:.3g} times smaller than sigma, so the errors are too large. Is "
        "sigma the standard error of one point?"
    )
    return Flag("sigma-too-large", message)


def _larger_than_sigma(ratio: float) -> Flag:
    message = (
        f"The residuals are {ratio:.1f} times larger than sigma. Either the model or sigma is "
        "wrong, and the errors are too small by about this factor."
    )
    return Flag("misfit", message)


def _at_bounds(parameters: ParameterSet, found: Estimates, errors: np.ndarray) -> list[Flag]:
    """Flags for parameters that the data push against a bound, or that end at it.

    At a bound is what lies within a tenth of its standard error, or what would lie beyond if the
    bound were not there.
    """
    flags = []
    rows = zip(
        parameters.free,
        found.x,
        errors,
        found.beyond,
        parameters.lower,
        parameters.upper,
        strict=True,
    )
    for name, x, error, step, low, high in rows:
        for bound, pushed in ((low, x + step < low), (high, x + step > high)):
            # an error that is not known moves nothing
            near = abs(x - bound) <= NEAR * max(float(np.nan_to_num(error)), 1e-9 * abs(bound))
            if np.isfinite(bound) and (near or pushed):
                at = parameters.shown(name, float(bound))
                message = f"{name} is at its bound ({at}), so its error is meaningless."
                flags.append(Flag("at-bound", message))
    return flags


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
