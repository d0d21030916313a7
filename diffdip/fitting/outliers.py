"""Points that lie far from a fit. Needs no JAX."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from ..foundation.directions import polar_angles
from ..foundation.flags import Flag
from .series import point_errors


if TYPE_CHECKING:
    from .fit_result import FitResult
    from .series import Series

OUTLIER: Final = 5.0
"""Residuals larger than this many robust standard deviations are outliers."""

MOST: Final = 1 / 4
"""If more than this part of the points are outliers, one flag reports all of them."""

LEAST_POINTS: Final = 6
"""With fewer residuals their spread is not known well enough."""


def residual_warnings(result: "FitResult") -> list[Flag]:
    """Flags of outliers: residuals more than 5 robust standard deviations from their median.

    The robust standard deviation is 1.4826 times the median absolute deviation. Residuals with a
    standard error are divided by it first. There is no flag if there are fewer than 6 residuals, or
    if more than half of them are equal.

    Args:
        result: A fit of one or several series.

    Returns:
        A flag `outlier` for each such point, in the order of the points, or one flag
        `many-outliers` if they are more than a quarter of all.
    """
    residuals = np.asarray(result.residuals)
    sigma = point_errors(result.series)
    places = places_of(result.series)
    of = [s for s in result.series for _ in range(len(s))]
    weighted = np.where(np.isfinite(sigma), residuals / sigma, residuals)
    known = np.isfinite(weighted)
    if known.sum() < LEAST_POINTS:
        return []
    centre = np.median(weighted[known])
    scale = 1.4826 * np.median(np.abs(weighted[known] - centre))
    if scale == 0:
        return []
    score = np.where(known, np.abs(weighted - centre) / scale, 0)
    far = int(np.sum(score > OUTLIER))
    if far > MOST * known.sum():
        message = (
            f"{far} of {known.sum()} points lie more than {OUTLIER:g} robust standard deviations "
            "from the fit: these are no single wrong points. Is the model right?"
        )
        return [Flag("many-outliers", message)]
    return [
        Flag(
            "outlier",
            f"The point at {places[i]} is an outlier: "
            f"{of[i].amount(residuals[i], '+.3g')} from the fit, {score[i]:.0f} robust standard "
            "deviations.",
        )
        for i in np.flatnonzero(score > OUTLIER)
    ]


def places_of(series: Sequence["Series"]) -> list[str]:
    """Where each point was measured, for messages, with the series if there are several."""
    several = len(series) > 1
    return [
        f"{place} of {one.name}" if several and one.name else place
        for one in series
        for place in _places(one)
    ]


def _places(series: "Series") -> list[str]:
    held = [f"{nu / 1e9:.5g} GHz" for nu in series.frequency]
    if series.measured == "frequency":
        held = [f"{1e3 * field:.5g} mT" for field in series.field]
    if series.along_one_direction:
        return held
    if series.direction is None:
        return [f"{np.degrees(angle):.4g}°" for angle in series.angle]
    polar, azimuth = np.degrees(polar_angles(series.direction))
    return [f"θ = {t:.4g}°, φ = {p:.4g}°" for t, p in zip(polar, azimuth, strict=True)]
