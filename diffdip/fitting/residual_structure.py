"""Whether residuals look like noise. Needs no standard errors.

Three tests of each series, in the order of its angles, or of frequencies at one angle:

- Neighbours. The lag-one correlation r = Σ rᵢ rᵢ₊₁ / Σ rᵢ² of white noise has a standard deviation
  of 1/√n or less, about −p/(n − p) if p parameters were fitted to n points.
- Harmonics. A pair cos kα, sin kα takes the share R² of the sum of squares. For normal noise
  (1 − R²)^((n − p − 2)/2) is the probability of a share that large.
- Jumps. Second differences of neighbours show the noise without what varies slowly. Their lower
  quartile is not touched by wrong points, up to half of all.

Each says "by chance" in at least 999 of 1000 fits of a right model with white noise.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from ..foundation.flags import Flag
from .series import Series


HARMONICS: Final = (1, 2, 3, 4, 6)
"""Multiples k of the angle. A cubic energy has k = 4, a hexagonal one k = 6, both have k = 2."""

UNLIKELY: Final = 5e-4
"""Probability by chance, over all harmonics of a series, below which they are flagged."""

CORRELATED: Final = 3.1
"""Correlations of neighbours above this many standard deviations are flagged."""

JUMPS: Final = (3.0, 100.0)
"""Residuals larger than 3 + 100/n times the noise between neighbours are flagged (simulated)."""

LEAST_FREEDOM: Final = 5.0
"""Points that a series must have beyond its share of the parameters."""

ROUNDING: Final = 1e-7
"""Residuals below this part of the field are rounding, or the tolerance of the fit."""

CAUSES: Final = {
    1: "Is the sample off the axis of rotation, or did the frequency drift?",
    2: "Is an axis tilted out of the plane, or the sample turned between two series?",
    3: "Is the angle scale right?",
    4: "A cubic (four-fold) term would do so; so would a wrong angle scale or a tilted axis.",
    6: "A hexagonal (six-fold) term would do so.",
}
"""What to think of first, by the harmonic that is left."""


class _Harmonic(NamedTuple):
    order: int
    amplitude: float
    probability: float


def structure_flags(
    series: Sequence[Series], residuals: Float[np.ndarray, " n"], size: int, *, robust: bool = False
) -> tuple[Flag, ...]:
    """Flags of series whose residuals are not noise; `size` parameters were fitted to all of them.

    `residuals` (tesla) are those of one series after the other, NaN without a point. A `robust` fit
    may leave outliers: its residuals count up to three robust standard deviations.
    """
    flags, start = [], 0
    total = int(np.sum(np.isfinite(residuals)))
    for one in series:
        stop = start + len(one)
        own, start = residuals[start:stop], stop
        count = int(np.sum(np.isfinite(own)))
        share = size * count / max(total, 1)
        if count - share < LEAST_FREEDOM:
            continue
        left = _Left.of(one, own)
        if robust:
            left = left.without_outliers()
        if left.is_rounding:
            continue
        where = f"Series {one.name}: " if one.name else ""
        harmonic, correlation = left.harmonic(share), left.correlation
        if not one.is_rotation:
            harmonic = harmonic._replace(probability=1.0)
        together = (correlation + share / (count - share)) * count**0.5
        if harmonic.probability < UNLIKELY / len(HARMONICS):
            k = harmonic.order
            message = (
                f"{where}The residuals vary with {'' if k == 1 else k}α, with an amplitude of "
                f"{1e3 * harmonic.amplitude:.3g} mT, so they are not noise. {CAUSES[k]}"
            )
        elif together > CORRELATED:
            message = (
                f"{where}Residuals of neighbours are alike (correlation "
                f"{correlation:.2f}), so they are not noise: the model is incomplete, or something "
                f"drifted. The true errors are about {_enlarged(correlation):.1f} times larger."
            )
        elif left.rms > (JUMPS[0] + JUMPS[1] / count) * left.noise:
            message = (
                f"{where}The residuals are {left.rms / left.noise:.2g} times larger than the "
                f"noise between neighbours, which is {1e3 * left.noise:.2g} mT at most: "
                "some points are wrong, or the model is."
            )
        else:
            continue
        flags.append(Flag("structured-residuals", message))
    return tuple(flags)


class _Left(NamedTuple):
    """What a fit left of one series, in the order of its angles.

    Args:
        angle: In radians.
        residual: In tesla, times the weight.
        weight: 1/σ over its mean; 1 where σ is unknown.
        field: The measured field in tesla.
    """

    angle: np.ndarray
    residual: np.ndarray
    weight: np.ndarray
    field: np.ndarray

    @staticmethod
    def of(series: Series, residuals: np.ndarray) -> "_Left":
        order = np.lexsort((series.frequency, series.abscissa))
        order = order[np.isfinite(residuals[order])]
        weight = np.ones(len(order))
        if series.observed_sigma is not None:
            weight = 1 / series.observed_sigma[order]
            weight = weight / np.mean(weight)
        return _Left(series.angle[order], weight * residuals[order], weight, series.observed[order])

    def without_outliers(self) -> "_Left":
        """The same with each residual within three robust standard deviations."""
        limit = 3 * 1.4826 * np.median(np.abs(self.residual))
        return self._replace(residual=np.clip(self.residual, -limit, limit))

    @property
    def is_rounding(self) -> bool:
        """Whether the residuals are too small to be those of a measurement."""
        return self.rms <= ROUNDING * float(np.median(np.abs(self.field)))

    @property
    def rms(self) -> float:
        """In tesla."""
        return float(np.sqrt(np.mean(self.residual**2)))

    @property
    def noise(self) -> float:
        """Standard deviation of the noise between neighbours, at least that of rounding."""
        second = np.abs(np.diff(self.residual, 2))
        steps = np.diff(np.unique(self.field))
        rounding = float(np.min(steps) * np.median(self.weight)) / 12**0.5 if len(steps) else 0.0
        # 0.3186 is the lower quartile of |x| for a standard normal x
        return max(float(np.quantile(second, 0.25)) / (0.3186 * 6**0.5), rounding)

    @property
    def correlation(self) -> float:
        """Lag-one correlation."""
        return float(np.sum(self.residual[1:] * self.residual[:-1]) / np.sum(self.residual**2))

    def harmonic(self, share: float) -> _Harmonic:
        """The least probable harmonic, if `share` parameters were fitted to these points."""
        if np.ptp(self.angle) == 0:  # a series of frequencies
            return _Harmonic(0, 0.0, 1.0)
        freedom = max(len(self.residual) - share - 2, 1.0)
        found = []
        for k in HARMONICS:
            waves = np.stack([np.cos(k * self.angle), np.sin(k * self.angle)], axis=1)
            weighted = self.weight[:, None] * waves
            pair, *_ = np.linalg.lstsq(weighted, self.residual, rcond=1e-6)
            kept = 1 - np.sum((weighted @ pair) ** 2) / np.sum(self.residual**2)
            probability = max(kept, 0.0) ** (freedom / 2)
            found.append(_Harmonic(k, float(np.hypot(*pair)), float(probability)))
        return min(found, key=lambda one: one.probability)


def _enlarged(correlation: float) -> float:
    """How much larger errors are if the residuals are a first-order autoregressive process."""
    limited = min(correlation, 0.95)
    return ((1 + limited) / (1 - limited)) ** 0.5
