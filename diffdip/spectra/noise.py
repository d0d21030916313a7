"""Noise of a recorded signal: its size, its correlation, and the errors of sums that follow."""

from dataclasses import dataclass

import numpy as np


CLIPPED = 4.0
"""Residuals beyond this many robust standard deviations are not counted as noise."""

MAX_LAG = 500
"""Correlation is followed over at most this number of samples."""


@dataclass(frozen=True)
class Noise:
    """Stationary noise.

    Args:
        covariance: Of two samples k apart at index k; zero beyond the last index.
    """

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
        from scipy.signal import convolve

        known = self.covariance[: len(weights)]
        both = np.concatenate([known[:0:-1], known])
        spread = [convolve(column, both)[len(known) - 1 :][: len(weights)] for column in weights.T]
        return weights.T @ np.stack(spread, axis=1)


def noise_of(residual: np.ndarray, freedom: float = 1.0) -> Noise:
    """The noise in the residuals of a fit or filter, which leave a part `freedom` of its variance.

    Samples that are NaN or beyond 4 robust standard deviations are not counted. Correlation is
    followed until it is smaller than its own error.
    """
    scale = 1.4826 * np.nanmedian(np.abs(residual))
    kept = np.abs(residual) <= CLIPPED * scale
    values = np.where(kept, residual, 0.0)
    lags = max(min(MAX_LAG, len(values) // 4), 1)
    pairs = np.maximum(np.rint(_at_lags(kept.astype(float), lags)), 1)
    covariance = _at_lags(values, lags) / pairs
    lost = covariance <= 2 * covariance[0] / np.sqrt(pairs)
    known = int(np.argmax(lost[1:])) + 1 if lost[1:].any() else lags
    return Noise(covariance[:known] / freedom)


def _at_lags(values: np.ndarray, lags: int) -> np.ndarray:
    """Σ values[i + k] · values[i] for k = 0 … lags − 1."""
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len(len(values) + lags, real=True)  # padded: the transform is periodic
    power = np.abs(rfft(values, size)) ** 2
    return np.asarray(irfft(power, size))[:lags]
