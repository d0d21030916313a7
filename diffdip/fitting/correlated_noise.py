"""How much larger errors would be if the noise of neighbours were correlated, as by a drift.

Errors assume independent noise. Here the noise is a first-order autoregressive process along the
rows of each series, which are taken in the order of measuring: its covariance is V = ρ^|i−j|, in
units of the errors of the points, with one ρ for all series of a fit. The restricted likelihood
(H. D. Patterson, R. Thompson, Biometrika 58, 545) of the residuals r of a fit with the weighted
Jacobian J of n points and p parameters is, apart from a constant and whatever the variance of the
noise,

    −½ [log |V| + log |JᵀV⁻¹J| + (n − p) log R],   R = min over c of (r − Jc)ᵀV⁻¹(r − Jc).

A ρ is excluded if its likelihood is far below the best one. Under ρ, least squares has the
covariance v (JᵀJ)⁻¹ JᵀVJ (JᵀJ)⁻¹, with the variance v = R/(n − p), but not below σ² where σ is
known. σ alone does not say that v is no larger: it is often the noise of one spectrum, to which a
drift adds. The root over the stated error, the largest for all ρ up to the highest that is not
excluded, is the factor of a parameter. Needs no JAX.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from .curvature import curvature_of
from .neighbours import basis_of


EXCLUDED: Final = 1.353
"""A correlation is excluded if its log-likelihood is this far below the best one: half the 90 %
quantile of χ² with one degree of freedom, so that 5 % are above the highest that is left."""

STEPS: Final = 100
"""Correlations that are tried, evenly spaced in artanh ρ."""

TOLD: Final = 1.5
"""Smaller factors are not told: two errors that are larger by this much are three as stated."""

LEAST_LENGTH: Final = 5
"""Points that the longest series must have."""

NEGLIGIBLE: Final = 1e-9
"""Correlations below this count as zero."""

AT_ONCE: Final = 20_000
"""Numbers that the sums of several correlations may have: those that a cache holds."""


@dataclass(frozen=True)
class CorrelatedNoise:
    """The correlation of neighbours that the data do not exclude, and what it does to errors.

    Args:
        correlation: The highest correlation that is not excluded with 95 % confidence.
        is_open: Whether none was excluded: `correlation` is the highest that was tried. It falls to
            1/e over the longest series; slower drifts are the same for all its points.
        factors: How many times larger each standard error may be up to this correlation, by
            parameter; 1 or more.
        likely_factor: The largest factor at the most likely correlation.
        n_points: How many points say this.
    """

    correlation: float
    is_open: bool
    factors: Mapping[str, float]
    likely_factor: float
    n_points: int

    @property
    def note(self) -> str:
        """What to tell a user; empty if no factor is large enough."""
        worst = sorted(self.factors, key=lambda name: -self.factors[name])
        told = [name for name in worst if self.factors[name] >= TOLD][:2]
        if not told:
            return ""
        sizes = [f"{name} may then be {self.factors[name]:.2g} times as large" for name in told[:1]]
        sizes += [f"that of {name} {self.factors[name]:.2g} times" for name in told[1:]]
        allowed = f"do not exclude a correlation of {self.correlation:.2f}"
        if self.is_open:
            allowed = f"exclude no correlation up to {self.correlation:.2f}"
        return (
            "Errors assume that the noise of neighbouring points is independent. These "
            f"{self.n_points} points {allowed} (95 % confidence), as a drift makes it: the true "
            f"error of {', '.join(sizes)}. Measure in random order, and leave the rows in that "
            "order. Drift then moves little but the mean of all points."
        )


def correlated_noise(
    names: Sequence[str],
    residual: Float[np.ndarray, " n"],
    jacobian: Float[np.ndarray, "n p"],
    lengths: Sequence[int],
    *,
    known_sigma: bool,
) -> CorrelatedNoise | None:
    """What the residuals of a fit say of correlated noise; None where they say nothing.

    `residual` and `jacobian` are over the errors of the points, or have the weights of the fit
    where these are unknown, with NaN for points that were not measured. `lengths` are those of the
    series, one after the other.
    """
    used = np.isfinite(residual) & np.isfinite(jacobian).all(axis=1)
    series = np.repeat(np.arange(len(lengths)), lengths)[used]
    position = np.arange(len(series)) - np.searchsorted(series, series)
    longest = int(np.max(position, initial=-1)) + 1
    basis = basis_of(jacobian[used])
    freedom = len(series) - len(names)
    if longest < LEAST_LENGTH or freedom < 1 or basis.shape[1] < len(names):
        return None
    rho = np.tanh(np.linspace(0, np.arctanh(np.exp(-1 / longest)), STEPS))
    determinants, squares = _restricted(basis, residual[used], position, rho)
    if not squares[0] > 0:
        return None
    likelihood = -(determinants + freedom * np.log(squares)) / 2
    best = int(np.argmax(likelihood))
    left = int(np.flatnonzero(likelihood >= likelihood[best] - EXCLUDED)[-1])
    last = min(left + 1, STEPS - 1)  # the bound lies between the two
    ratios = _error_ratios(jacobian[used], position, rho[: last + 1])
    variance = squares[: last + 1] / (freedom if known_sigma else squares[0])
    if known_sigma:
        variance = np.maximum(variance, 1.0)
    larger = np.sqrt(variance)[:, None] * ratios
    factors = np.max(larger, axis=0)
    return CorrelatedNoise(
        correlation=float(rho[last]),
        is_open=left == STEPS - 1,
        factors=dict(zip(names, factors.tolist(), strict=True)),
        likely_factor=float(np.max(larger[best])),
        n_points=len(series),
    )


def _restricted(
    basis: Float[np.ndarray, "n p"],
    residual: Float[np.ndarray, " n"],
    position: Int[np.ndarray, " n"],
    rho: Float[np.ndarray, " m"],
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
    """log |V| + log |UᵀV⁻¹U| and R of each correlation, with the orthonormal `basis` U.

    `position` counts the points of each series from 0. V⁻¹ has three diagonals, so that one pass
    over the points serves all correlations.
    """
    columns = np.concatenate([basis, residual[:, None]], axis=1)
    first = position == 0
    last = np.append(first[1:], True)
    following = columns[1:] * ~first[1:, None]
    products = following.T @ columns[:-1]
    ends = columns[first].T @ columns[first] + columns[last].T @ columns[last]
    r = rho[:, None, None]
    both = (1 + r**2) * (columns.T @ columns) - r**2 * ends - r * (products + products.T)
    both = both / (1 - r**2)
    size = basis.shape[1]
    normal, right = both[:, :size, :size], both[:, :size, size:]
    explained = np.sum(right * np.linalg.solve(normal, right), axis=(1, 2))
    determinants = (len(first) - np.sum(first)) * np.log1p(-(rho**2))
    return determinants + np.linalg.slogdet(normal)[1], both[:, size, size] - explained


def _error_ratios(
    jacobian: Float[np.ndarray, "n p"],
    position: Int[np.ndarray, " n"],
    rho: Float[np.ndarray, " m"],
) -> Float[np.ndarray, "m p"]:
    """Errors by least squares under each correlation over those of independent noise."""
    inverse = curvature_of(jacobian[None]).inverse[0]
    alone = jacobian.T @ jacobian
    many = max(1, AT_ONCE // jacobian.size)
    found = []
    for start in range(0, len(rho), many):
        sums = _sums(jacobian, position, rho[start : start + many])
        half = np.moveaxis(np.tensordot(jacobian.T, sums, 1), 2, 0)
        # of half and its transpose only the diagonal counts, which both share
        variance = np.diagonal(inverse @ (2 * half - alone) @ inverse, axis1=1, axis2=2)
        found.append(np.sqrt(variance / np.diagonal(inverse)))
    return np.concatenate(found)


def _sums(
    columns: Float[np.ndarray, "n p"],
    position: Int[np.ndarray, " n"],
    rho: Float[np.ndarray, " m"],
) -> Float[np.ndarray, "n p m"]:
    """Σ ρ^k x(i − k) over all k ≥ 0 within the series of point i, by doubling the number of k."""
    total = np.repeat(columns[:, :, None], len(rho), axis=2)
    step, factor = 1, rho
    while step < len(columns) and np.max(factor, initial=0) > NEGLIGIBLE:
        inside = (position[step:] >= step)[:, None, None]
        total[step:] += inside * factor * total[:-step]
        step, factor = 2 * step, factor**2
    return total
