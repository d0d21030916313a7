"""Whether residuals look like noise. Needs no standard errors.

Three tests of each series, in the order of its angles, or of frequencies at one angle:

- Neighbours. Their correlation is compared with what the fit makes of white noise
  (`neighbours`). Neighbours are points that follow each other in angle or frequency.
- Harmonics. A pair cos kα, sin kα takes the share R² of the sum of squares. For normal noise
  (1 − R²)^((n − p − 2)/2) is the probability of a share that large.
- Jumps. Second differences of neighbours show the noise without what varies slowly. Their lower
  quartile is not touched by wrong points, up to half of all.

Each says "by chance" in at least 999 of 1000 fits of a right model with white noise, and in 997 if
the points are hardly more than the parameters. Where no series alone is remarkable, neighbours of
all series are looked at together: in angle, and in frequency. A map of many frequencies and two
angles has no other neighbours.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from ..foundation.flags import Flag
from .correlated_noise import correlated_noise
from .neighbours import Likeness, basis_of, likeness, next_to, pairs_in_angle, pairs_in_frequency
from .series import Series


HARMONICS: Final = (1, 2, 3, 4, 6)
"""Multiples k of the angle. A cubic energy has k = 4, a hexagonal one k = 6, both have k = 2."""

UNLIKELY: Final = 5e-4
"""Probability by chance, over all harmonics of a series, below which they are flagged."""

CORRELATED: Final = 3.3
"""Correlations of neighbours this many standard deviations above chance are flagged."""

JUMPS: Final = (3.0, 100.0)
"""Residuals larger than 3 + 100/n times the noise between neighbours are flagged (simulated)."""

LEAST_FREEDOM: Final = 5.0
"""Points that a series must have beyond its share of the parameters."""

ROUNDING: Final = 1e-7
"""Residuals below this part of the field are rounding, or the tolerance of the fit."""

LARGER: Final = "The true errors are larger."

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
    series: Sequence[Series],
    residuals: Float[np.ndarray, " n"],
    scaled: Float[np.ndarray, " n"],
    jacobian: Float[np.ndarray, "n p"],
    *,
    robust: bool = False,
    known_sigma: bool = False,
) -> tuple[Flag, ...]:
    """Flags of series whose residuals are not noise.

    `residuals` (tesla) are those of one series after the other, NaN without a point. `scaled` are
    the same over their errors, or times the weights of the fit, and `jacobian` are the derivatives
    of the predictions with the same weights. A `robust` fit may leave outliers: its residuals count
    up to three robust standard deviations. `known_sigma` says that the errors are those of σ.
    """
    flags, start = [], 0
    errors = partial(_true_errors, series, scaled, jacobian, known_sigma=known_sigma, robust=robust)
    used = np.flatnonzero(np.isfinite(residuals))
    basis = np.zeros((len(residuals), 0))
    if len(used):
        found = basis_of(jacobian[used])
        basis = np.zeros((len(residuals), found.shape[1]))
        basis[used] = found
    for one in series:
        rows = np.arange(start, start + len(one))
        start += len(one)
        if np.sum(np.isfinite(residuals[rows])) < LEAST_FREEDOM:
            continue
        left = _Left.of(one, residuals[rows], basis[rows])
        if not left.is_enough:
            continue
        if robust:
            left = left._replace(residual=without_outliers(left.residual))
        if not left.is_rounding and (message := _of_one(one, left, errors)):
            where = f"Series {one.name}: " if one.name else ""
            flags.append(Flag("structured-residuals", where + message))
    if not flags and len(used) - basis.shape[1] >= LEAST_FREEDOM:
        left = without_outliers(scaled[used]) if robust else scaled[used]
        observed = np.concatenate([one.observed for one in series])[used]
        if np.sqrt(np.mean(residuals[used] ** 2)) > ROUNDING * np.median(np.abs(observed)):
            flags += _of_all(series, used, left, basis[used], errors)
    return tuple(flags)


def without_outliers(residual: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Each residual within three robust standard deviations; NaN stays."""
    limit = 3 * 1.4826 * np.nanmedian(np.abs(residual))
    return np.clip(residual, -limit, limit)


def _of_one(one: Series, left: "_Left", errors: Callable[[], str]) -> str:
    """What the residuals of one series show; empty if they look like noise."""
    alike = likeness(left.residual, left.basis, next_to(len(left.residual)))
    harmonic = left.harmonic() if one.is_rotation else _Harmonic(0, 0.0, 1.0)
    if harmonic.probability < UNLIKELY / len(HARMONICS):
        k = harmonic.order
        return (
            f"The residuals vary with {'' if k == 1 else k}α, with an amplitude of "
            f"{one.amount(harmonic.amplitude)}. They are not noise. {CAUSES[k]}"
        )
    if alike.is_above(CORRELATED):
        return _alike(alike, errors())
    if left.rms > (JUMPS[0] + JUMPS[1] / len(left.residual)) * left.noise:
        return (
            f"The residuals are {left.rms / left.noise:.2g} times larger than the "
            f"noise between neighbours, which is {one.amount(left.noise, '.2g')} at most. "
            "Some points are wrong, or the model is."
        )
    return ""


def _of_all(
    series: Sequence[Series],
    used: np.ndarray,
    residual: np.ndarray,
    basis: np.ndarray,
    errors: Callable[[], str],
) -> list[Flag]:
    """A flag if the residuals of neighbours are alike in all series together."""
    for quantity, pairs in (
        ("frequency", pairs_in_frequency(series, used)),
        ("angle", pairs_in_angle(series, used)),
    ):
        alike = likeness(residual, basis, pairs)
        if alike.is_above(CORRELATED):
            # series of other frequencies may be alike, which no factor of one series tells
            larger = errors() if quantity == "angle" else LARGER
            message = _alike(alike, larger, f" in {quantity}")
            return [Flag("structured-residuals", message)]
    return []


def _alike(found: Likeness, errors: str, of: str = "") -> str:
    return (
        f"Residuals of neighbours{of} are alike (correlation {found.correlation:.2f}). They are "
        f"not noise: the model is incomplete, or something drifted. {errors}"
    )


def _true_errors(
    series: Sequence[Series],
    scaled: np.ndarray,
    jacobian: np.ndarray,
    *,
    known_sigma: bool,
    robust: bool,
) -> str:
    """How large the true errors are if residuals that are alike in angle are correlated noise."""
    lengths = [len(one) for one in series]
    starts = np.cumsum([0, *lengths[:-1]])
    order = np.concatenate(
        [
            start + np.lexsort((one.frequency, one.abscissa))
            for start, one in zip(starts, series, strict=True)
        ]
    )
    left = without_outliers(scaled) if robust else scaled
    names = [str(i) for i in range(jacobian.shape[1])]
    found = correlated_noise(names, left[order], jacobian[order], lengths, known_sigma=known_sigma)
    if found is None:
        return LARGER
    return f"The true errors are about {found.likely_factor:.2g} times larger."


class _Left(NamedTuple):
    """What a fit left of one series, in the order of its angles.

    Args:
        angle: In radians.
        residual: In tesla, times the weight.
        weight: 1/σ over its mean; 1 where σ is unknown.
        field: The measured field in tesla.
        basis: Rows of the basis of the fit; see `neighbours`.
    """

    angle: np.ndarray
    residual: np.ndarray
    weight: np.ndarray
    field: np.ndarray
    basis: np.ndarray

    @staticmethod
    def of(series: Series, residuals: np.ndarray, basis: np.ndarray) -> "_Left":
        order = np.lexsort((series.frequency, series.abscissa))
        order = order[np.isfinite(residuals[order])]
        weight = np.ones(len(order))
        if series.observed_sigma is not None:
            weight = 1 / series.observed_sigma[order]
            weight = weight / np.mean(weight)
        left = weight * residuals[order]
        return _Left(series.angle[order], left, weight, series.observed[order], basis[order])

    @property
    def freedom(self) -> float:
        """Points less the share of the parameters that were fitted to them."""
        return len(self.residual) - float(np.sum(self.basis**2))

    @property
    def is_enough(self) -> bool:
        """Whether the residuals test anything."""
        return self.freedom >= LEAST_FREEDOM

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

    def harmonic(self) -> _Harmonic:
        """The least probable harmonic."""
        if np.ptp(self.angle) == 0:  # a series of frequencies
            return _Harmonic(0, 0.0, 1.0)
        freedom = max(self.freedom - 2, 1.0)
        found = []
        for k in HARMONICS:
            waves = np.stack([np.cos(k * self.angle), np.sin(k * self.angle)], axis=1)
            weighted = self.weight[:, None] * waves
            pair, *_ = np.linalg.lstsq(weighted, self.residual, rcond=1e-6)
            kept = 1 - np.sum((weighted @ pair) ** 2) / np.sum(self.residual**2)
            probability = max(kept, 0.0) ** (freedom / 2)
            found.append(_Harmonic(k, float(np.hypot(*pair)), float(probability)))
        return min(found, key=lambda one: one.probability)
