"""Line widths as sums of parts: least squares with parts of zero or more, errors and doubts.

With the energy known, each part of a width is a number times a slope (`resonance.line_widths`). For
widths that add the model is linear; where squares add it is linear in squares.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..foundation.errors import InputError
from ..foundation.flags import Flag
from ..numerics.levenberg_marquardt import Point, descend
from ..resonance.line_widths import WidthSlopes
from .chi_squared import too_large
from .diagnosis import misfit
from .residual_structure import structure_flags
from .series import Series


ALIKE: Final = 0.98
"""Parts whose errors are more correlated than this cannot be separated."""

LEAST_SHARE: Final = 1e-6
"""A part that is smaller than this share of the widths is at its bound, 0."""

NO_EFFECT: Final = 1e-9
"""A slope below this share of the resonance field, per radian, tesla or 1, is rounding."""

SINGULAR: Final = 1e-7
"""Singular values of the normalized slopes below this are rounding: parts act alike."""


SPREAD: Final = "spread_"
"""The name of the spread of a parameter begins with this."""


class AlikeError(InputError):
    """Parts of a width act alike at all points."""


@dataclass(frozen=True)
class WidthFit:
    """What `fit_widths` found. Arrays are numpy, in float64; n is the number of points.

    Args:
        names: Of the parts: "damping" (α, without unit), "inhomogeneous" (ΔH_0 in tesla), "mosaic"
            (Δψ in radians) and "spread_p" for a parameter p (in its unit). All are FWHM.
        values: The size of each part, not negative.
        standard_errors: Of each part; NaN for a part at its bound 0, and where there are as many
            points as parts and sigma is unknown.
        covariance: Of the parts, in the order of `names`.
        chi2: Σ (residual/sigma)², with sigma = 1 mT where it is unknown.
        reduced_chi2: chi2/dof; None where sigma is unknown, and for dof = 0.
        rms: Root mean square of the residuals in tesla.
        dof: Number of points less that of parts.
        residuals: Width − predicted, as FWHM in tesla, shape (n,). NaN for points left out.
        predicted: FWHM in tesla, shape (n,). NaN without resonance.
        flags: Doubts about the fit.
        addition: "linear" or "squares".
    """

    names: tuple[str, ...]
    values: dict[str, float]
    standard_errors: dict[str, float]
    covariance: np.ndarray
    chi2: float
    reduced_chi2: float | None
    rms: float
    dof: int
    residuals: np.ndarray
    predicted: np.ndarray
    flags: tuple[Flag, ...]
    addition: str


def columns_of(slopes: WidthSlopes, parts: Sequence[str], spread: Sequence[str]) -> np.ndarray:
    """The width per unit of each part, shape (n, p)."""
    known = {
        "damping": slopes.damping,
        "inhomogeneous": np.where(np.isfinite(slopes.field), 1.0, np.nan),
        "mosaic": slopes.mosaic,
    }
    chosen = [*(known[name] for name in parts), *(slopes.spreads[name] for name in spread)]
    # rounding is no effect
    least = NO_EFFECT * np.nanmax(slopes.field, initial=0.0)
    return np.stack([np.where(column < least, 0.0, column) for column in chosen], axis=1)


def total_width(columns: np.ndarray, sizes: np.ndarray, addition: str) -> np.ndarray:
    """The width that parts of these sizes make, shape (n,)."""
    parts = columns * sizes
    return parts.sum(axis=1) if addition == "linear" else np.sqrt((parts**2).sum(axis=1))


def _check_columns(names: tuple[str, ...], columns: np.ndarray) -> None:
    """Raises `InputError` for too few points, or parts that act alike at all of them."""
    if len(columns) < len(names):
        raise InputError(
            "points",
            given=len(columns),
            expected=f"at least {len(names)}, one for each part",
            hint="Leave out a part",
        )
    sizes = np.linalg.norm(columns, axis=0)
    for name, size in zip(names, sizes, strict=True):
        if size == 0:
            raise InputError(
                "parts",
                given=name,
                expected="parts that make some line wider",
                hint="It has no effect at these angles. Leave it out",
            )
    _, values, directions = np.linalg.svd(columns / sizes, full_matrices=False)
    if values[-1] < SINGULAR * values[0]:
        alike = [n for n, d in zip(names, directions[-1], strict=True) if abs(d) > 0.05]
        raise AlikeError(
            "parts",
            given=tuple(names),
            expected=f"parts that differ at these points: {' and '.join(alike)} act alike",
            hint="Leave out one of them, or add frequencies or directions",
        )


def _minimum(
    columns: np.ndarray, width: np.ndarray, weight: np.ndarray, addition: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """The best sizes of the parts, the widths that they make, derivatives, and convergence.

    Where squares add, the variables of the search are the squares of the sizes.
    """
    squares = addition == "squares"
    slopes = columns**2 if squares else columns
    target, accuracy = (width**2, weight / (2 * width)) if squares else (width, weight)
    # all variables of the order of one
    scale = np.mean(target) / np.max(slopes, axis=0)
    slopes = slopes * scale

    def model(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        made = slopes @ y
        if not squares:
            return made, slopes
        root = np.sqrt(np.maximum(made, 1e-12 * np.mean(target)))
        return root, slopes / (2 * root[:, None])

    def evaluate(_: np.ndarray, y: np.ndarray) -> Point:
        made, derivative = model(y[0])
        return Point.of(y, (weight * (width - made))[None], (weight[:, None] * derivative)[None])

    guess, *_ = np.linalg.lstsq(accuracy[:, None] * slopes, accuracy * target)
    start = np.maximum(guess, 0.0)[None]
    if not start.any():
        start = start + 1.0
    here = evaluate(np.zeros(1, int), start)
    least, most = np.zeros_like(start), np.full_like(start, np.inf)
    [converged] = descend(evaluate, here, np.arange(1), least, most)
    y = here.y[0]
    made, derivative = model(y)
    if not squares:
        return y * scale, made, derivative / scale, bool(converged)
    x = np.sqrt(y * scale)
    # ∂/∂x = 2x ∂/∂x²
    return x, made, derivative / scale * 2 * x, bool(converged)


def fitted_widths(
    names: tuple[str, ...], series: Sequence[Series], columns: np.ndarray, addition: str
) -> WidthFit:
    """The fit of widths by parts that make lines wider by `columns`, per unit of each.

    The widths stand in the place of the fields of `series`, of one after the other. Raises
    `InputError` for too few points, and for parts that act alike.
    """
    width = np.concatenate([one.field for one in series])
    known = all(one.sigma is not None for one in series)
    weight = np.full(len(width), 1e3)
    if known:
        weight = 1 / np.concatenate([np.asarray(one.sigma) for one in series])
    used = np.isfinite(width) & np.all(np.isfinite(columns), axis=1)
    _check_columns(names, columns[used])
    x, widths, jacobian, converged = _minimum(columns[used], width[used], weight[used], addition)
    # where no width was measured, too
    predicted = total_width(columns, x, addition)
    residuals = np.where(used, width - predicted, np.nan)
    chi2 = float(np.sum((weight * residuals)[used] ** 2))
    dof = int(used.sum()) - len(names)
    open_parts = np.max(columns[used], axis=0) * x > LEAST_SHARE * np.mean(widths)
    covariance = _covariance(weight[used, None] * jacobian, open_parts)
    if not known or too_large(np.array([chi2]), np.array([dof])).item():
        covariance = covariance * (chi2 / dof if dof else np.nan)
    errors = np.sqrt(np.diagonal(covariance))
    reduced = chi2 / dof if known and dof else None
    flags = [
        Flag(
            "at-bound",
            f"{name} is at its bound, 0: these widths do not need it, so it has no error.",
        )
        for name, is_open in zip(names, open_parts, strict=True)
        if not is_open
    ]
    if not converged:
        message = "The fit did not converge. Do not use it: leave out a part."
        flags.append(Flag("not-converged", message))
    flags += _alike(names, covariance, errors)
    missing = int(np.sum(np.isfinite(width) & ~used))
    if missing:
        message = f"The energy has no resonance at {missing} of the points, which were left out."
        flags.append(Flag("no-resonance", message))
    if dof == 0:
        message = "There are as many points as parts, so the residuals test nothing."
        flags.append(Flag("no-degrees-of-freedom", message))
    flags += misfit(reduced, dof)
    changes = np.zeros((len(used), len(names)))
    changes[used] = weight[used, None] * jacobian
    flags += structure_flags(series, residuals, weight * residuals, changes)
    return WidthFit(
        names=names,
        values=dict(zip(names, x.tolist(), strict=True)),
        standard_errors=dict(zip(names, errors.tolist(), strict=True)),
        covariance=covariance,
        chi2=chi2,
        reduced_chi2=reduced,
        rms=float(np.sqrt(np.mean(residuals[used] ** 2))),
        dof=dof,
        residuals=residuals,
        predicted=predicted,
        flags=tuple(flags),
        addition=addition,
    )


def _covariance(weighted: np.ndarray, open_parts: np.ndarray) -> np.ndarray:
    """Of the parts that are not at their bound; NaN for the others."""
    covariance = np.full((len(open_parts),) * 2, np.nan)
    if open_parts.any():
        inside = np.ix_(open_parts, open_parts)
        covariance[inside] = np.linalg.inv((weighted.T @ weighted)[inside])
    return covariance


def _alike(names: tuple[str, ...], covariance: np.ndarray, errors: np.ndarray) -> list[Flag]:
    """Flags for pairs of parts that these points hardly tell apart."""
    limits = ALIKE * np.outer(errors, errors)
    flags = []
    for i, j in zip(*np.triu_indices(len(names), 1), strict=True):
        if abs(covariance[i, j]) > limits[i, j]:
            message = (
                f"{names[i]} and {names[j]} cannot be separated with these widths. Add frequencies "
                "or directions, or leave out one of them."
            )
            flags.append(Flag("degenerate", message))
    return flags
