"""Noise of a recorded signal: how large it is, how far it is correlated, what it does to sums."""

from dataclasses import dataclass

import numpy as np


CLIPPED = 4.0
"""Residuals beyond this many robust standard deviations are no noise."""

MAX_LAG = 500


@dataclass(frozen=True)
class Noise:
    """Stationary noise: `covariance[k]` of two samples k apart, zero beyond the last."""

    covariance: np.ndarray

    @property
    def sigma(self) -> float:
        """Standard deviation of one sample."""
        return float(np.sqrt(self.covariance[0]))

    def of_sum(self, weights: np.ndarray) -> float:
        """Standard error of Σ weights · samples.

        >>> Noise(np.array([4.0])).of_sum(np.full(4, 0.25))
        1.0
        >>> Noise(np.array([4.0, 4.0])).of_sum(np.array([1.0, 1.0]))
        4.0
        """
        return float(np.sqrt(max(self.of_sums(weights[:, None])[0, 0], 0.0)))

    def of_sums(self, weights: np.ndarray) -> np.ndarray:
        """Covariance (p, p) of p sums of the samples, with `weights` of shape (n, p)."""
        total = self.covariance[0] * _products(weights, weights)
        for lag in range(1, min(len(self.covariance), len(weights))):
            part = self.covariance[lag] * _products(weights[lag:], weights[:-lag])
            total += part + part.T
        return total


def noise_of(residual: np.ndarray, freedom: float = 1.0) -> Noise:
    """The noise that is left over in `residual`, of which a part `freedom` of the variance is left.

    Samples that are NaN or beyond 4 robust standard deviations are not counted. Correlation is
    followed until it is lost in its own error.
    """
    scale = 1.4826 * np.nanmedian(np.abs(residual))
    kept = np.abs(residual) <= CLIPPED * scale
    values = np.where(kept, residual, 0.0)
    first = _products(values[:, None], values[:, None])[0, 0] / max(int(kept.sum()), 1)
    covariance = [first]
    for lag in range(1, min(MAX_LAG, len(values) // 4)):
        pairs = int((kept[lag:] & kept[:-lag]).sum())
        product = _products(values[lag:, None], values[:-lag, None])[0, 0] / max(pairs, 1)
        if product <= 2 * first / np.sqrt(max(pairs, 1)):
            break
        covariance.append(product)
    return Noise(np.array(covariance) / freedom)


def _products(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The matrix (p, q) of Σₙ one · other, without BLAS.

    Its threads take longer to wake than such a sum to add, a hundred times so on busy cores.
    """
    return np.einsum("ni,nj->ij", one, other)
