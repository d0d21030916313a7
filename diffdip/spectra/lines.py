"""A spectrum (the derivative of an absorption over the field) and the lines in it.

Fields have any unit, the same throughout, and ascend; what is returned has that unit.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from ..foundation.errors import InputError
from .noise import Noise, noise_of


SIGNIFICANCE = 8.0
"""An extremum belongs to a line if it rises so many standard deviations of the noise."""

SMALLEST = 0.05
"""Lines of less than this part of the strongest one's height are not counted."""

PER_WIDTH = 3
"""The spectrum is smoothed over this part of the steepest line's width to find lines in it."""

STRONG = 0.2
"""Noise is not sought near extrema that rise by this part of the spectrum's range."""

OUTER = 0.1
"""A baseline is fitted to this part of the samples at either end."""

LEAST_SAMPLES = 8


class LineError(InputError):
    """A spectrum without the line that was asked for. The message is one line and says why."""


@dataclass(frozen=True)
class Preparation:
    """What is done to a signal before positions are taken: all of it linear.

    `baseline` is the order of a polynomial through the outer tenths of the samples, which is taken
    off; `phase_deg` the angle by which absorption and dispersion are turned back, a signal
    A cos φ + D sin φ giving A; `smoothing` the number of samples under a Savitzky–Golay filter
    of third order. None and 0 leave the signal as it is.

    Raises `ValueError` for a negative order, or a window that is even or shorter than 5.
    """

    baseline: int | None = None
    phase_deg: float = 0.0
    smoothing: int = 0

    def __post_init__(self):
        if self.baseline is not None and not 0 <= self.baseline <= 5:
            raise ValueError(f"baseline = {self.baseline}: expected an order from 0 to 5, or None")
        if not np.isfinite(self.phase_deg):
            raise ValueError(f"phase_deg = {self.phase_deg}: expected a finite number of degrees")
        if self.smoothing and (self.smoothing < 5 or self.smoothing % 2 == 0):
            raise ValueError(f"smoothing = {self.smoothing}: expected an odd number from 5, or 0")

    def apply(self, field: np.ndarray, signal: np.ndarray) -> np.ndarray:
        """The prepared signal; `field` and `signal` of shape (n,).

        >>> field = np.linspace(-1, 1, 101)
        >>> flat = Preparation(baseline=1).apply(field, 3 + 2 * field)
        >>> bool(np.abs(flat).max() < 1e-12)
        True
        """
        if self.baseline is not None:
            design, outer = self._design(field)
            signal = signal - design @ (np.linalg.pinv(design[outer]) @ signal[outer])
        return self._smoothed(self._turned(field, signal, 1))

    def adjoint(self, field: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Weights of the recorded samples from those of the prepared ones."""
        weights = self._turned(field, self._smoothed(weights), -1)
        if self.baseline is not None:
            design, outer = self._design(field)
            weights = weights.copy()
            weights[outer] -= np.linalg.pinv(design[outer]).T @ (design.T @ weights)
        return weights

    def _design(self, field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = max(int(OUTER * len(field)), (self.baseline or 0) + 1)
        outer = np.r_[0:count, len(field) - count : len(field)]
        return polynomials(field, self.baseline), outer

    def _smoothed(self, signal: np.ndarray) -> np.ndarray:
        return smooth(signal, self.smoothing) if self.smoothing else signal

    def _turned(self, field: np.ndarray, signal: np.ndarray, sign: int) -> np.ndarray:
        """Absorption out of a mixture, by the Hilbert transform over equal steps of the field."""
        if not self.phase_deg:
            return signal
        from scipy.signal import hilbert

        phase = np.radians(self.phase_deg)
        even = np.linspace(field[0], field[-1], len(field))
        values = np.interp(even, field, signal)
        analytic: Any = hilbert(values, 4 * len(values))  # zeros beyond the ends
        turned = np.imag(analytic)[: len(values)]
        return np.cos(phase) * signal - sign * np.sin(phase) * np.interp(field, even, turned)


@dataclass(frozen=True)
class Lines:
    """The lines of a spectrum, in the order of the field, each between two extrema.

    `first` and `last` (n,) are the samples of the extrema in `field` and `signal`, which are as
    prepared; `noise` is that of the signal before.
    """

    field: np.ndarray
    signal: np.ndarray
    first: np.ndarray
    last: np.ndarray
    noise: Noise

    def __len__(self) -> int:
        return len(self.first)

    @cached_property
    def position(self) -> np.ndarray:
        """Half way between the extrema, to a sample."""
        return (self.field[self.first] + self.field[self.last]) / 2

    @cached_property
    def width(self) -> np.ndarray:
        """From extremum to extremum."""
        return self.field[self.last] - self.field[self.first]

    @cached_property
    def height(self) -> np.ndarray:
        """From extremum to extremum of the signal, positive."""
        return np.abs(self.signal[self.last] - self.signal[self.first])


def find_lines(
    field: np.ndarray, signal: np.ndarray, preparation: Preparation | None = None
) -> Lines:
    """Find the lines of a derivative spectrum: pairs of extrema that stand out of the noise.

    The steepest pair says which extremum comes first, as in all other lines. An extremum counts
    if it rises (topographic prominence) 8 standard deviations of the noise after smoothing over a
    third of the steepest line, and 5 % of the highest one. Noise is what varies faster than four
    widths of that line, away from strong lines; where these leave no room, what the smoothing takes
    off, and then noise that is correlated over as many samples as a line has is counted as lines.

    Raises `ValueError` for fewer than 8 samples or values that are not finite.

    >>> x = np.linspace(300.0, 380.0, 801)
    >>> derivative = lambda at: -(x - at) * np.exp(-((x - at) ** 2) / 8)
    >>> find_lines(x, derivative(320.0) + 0.3 * derivative(350.0)).position
    array([320., 350.])
    """
    field, signal = sorted_samples(field, signal)
    prepared = (preparation or Preparation()).apply(field, signal)
    window = _window(prepared)
    smoothed = smooth(prepared, window)
    noise = _noise(signal, prepared, window)
    extrema, heights = _extrema(smoothed, 0.0)
    if len(extrema):
        least = max(SIGNIFICANCE * noise.of_sum(_kernel(window)), SMALLEST * heights.max())
        extrema = extrema[heights >= max(least, np.finfo(float).tiny)]
    pairs = _same_order(smoothed, list(pairwise(extrema.tolist())))
    refined = [[_extremum(prepared, i, o, window) for i, o in (pair, pair[::-1])] for pair in pairs]
    indices = np.array(refined, int).reshape(-1, 2)
    return Lines(field, prepared, indices[:, 0], indices[:, 1], noise)


def sorted_samples(field: np.ndarray, signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples in ascending order of the field, as float64. Raises `ValueError`."""
    field, signal = np.asarray(field, float), np.asarray(signal, float)
    if field.shape != signal.shape or field.ndim != 1 or len(field) < LEAST_SAMPLES:
        raise ValueError(
            f"field {field.shape} and signal {signal.shape}: expected one shape (n,), n from 8"
        )
    if not (np.isfinite(field).all() and np.isfinite(signal).all()):
        raise ValueError("field and signal: expected finite numbers")
    order = np.argsort(field, kind="stable")
    return field[order], signal[order]


def polynomials(field: Any, order: int | None) -> Any:
    """Powers 0 to `order` of the field, scaled to ±1, as columns; no columns for None.

    In numpy or JAX, as the field.
    """
    scaled = (2 * field - field[0] - field[-1]) / (field[-1] - field[0])
    count = 0 if order is None else order + 1
    return field.__array_namespace__().vander(scaled, count, increasing=True)


def smooth(signal: np.ndarray, window: int) -> np.ndarray:
    """The signal under a Savitzky–Golay filter of third order."""
    from scipy.signal import savgol_filter

    longest = len(signal) - 1 + len(signal) % 2
    return np.asarray(savgol_filter(signal, min(window, longest), 3))


def _kernel(window: int) -> np.ndarray:
    from scipy.signal import savgol_coeffs

    return np.asarray(savgol_coeffs(window, 3))


def _window(signal: np.ndarray) -> int:
    """An odd third of the samples between the extrema of the steepest line, 5 or more."""
    extrema, _ = _extrema(signal, 0.3 * np.ptp(signal))
    high = np.ptp(signal) / 2
    gaps = [j - i for i, j in pairwise(extrema.tolist()) if abs(signal[j] - signal[i]) >= high]
    width = min(gaps, default=len(signal) // 4)
    longest = len(signal) - 1 + len(signal) % 2
    return min(max(5, width // PER_WIDTH // 2 * 2 + 1), longest)


def _noise(signal: np.ndarray, prepared: np.ndarray, window: int) -> Noise:
    """The noise of a signal; lines are where the prepared one has strong extrema."""
    strong, _ = _extrema(smooth(prepared, window), STRONG * np.ptp(prepared))
    samples = np.arange(len(signal))
    zone = 2 * PER_WIDTH * window
    below = np.searchsorted(strong, samples - zone, "left")
    quiet = below == np.searchsorted(strong, samples + zone, "right")
    long = 4 * PER_WIDTH * window + 1
    if long > len(signal) or quiet.sum() < max(len(signal) // 4, 50):
        return noise_of(signal - smooth(signal, window), 1 - _kernel(window)[window // 2])
    smoothed = smooth(signal, window)
    bridged = np.where(quiet, signal, np.interp(samples, samples[quiet], smoothed[quiet]))
    freedom = 1 - _kernel(long)[long // 2]
    return noise_of(np.where(quiet, signal - smooth(bridged, long), np.nan), freedom)


def _extrema(signal: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Indices of maxima and minima in their order, and how much they rise."""
    from scipy.signal import find_peaks

    found = [find_peaks(side, prominence=least) for side in (signal, -signal)]
    indices = np.concatenate([index for index, _ in found])
    heights = np.concatenate([entry["prominences"] for _, entry in found])
    order = np.argsort(indices)
    return indices[order], heights[order]


def _same_order(signal: np.ndarray, pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Of neighbouring extrema those pairs that fall, or rise, as the steepest one does."""
    slopes = np.array([(signal[j] - signal[i]) / (j - i) for i, j in pairs])
    if not len(slopes):
        return []
    sign = np.sign(slopes[np.argmax(np.abs(slopes))])
    return [pair for pair, slope in zip(pairs, slopes, strict=True) if slope * sign > 0]


def _extremum(signal: np.ndarray, index: int, other: int, window: int) -> int:
    """The highest sample (or lowest) near an extremum of the smoothed signal."""
    low, high = max(index - window, 0), index + window + 1
    if other > index:
        high = min(high, other)
    else:
        low = max(low, other + 1)
    part = signal[low:high]
    upwards = signal[index] > signal[other]
    return low + int(np.argmax(part) if upwards else np.argmin(part))


def neighbours(lines: Lines, index: int) -> tuple[float, float]:
    """Half way to the line below and to that above, infinite where there is none."""
    edges = np.concatenate([[-np.inf], (lines.position[1:] + lines.position[:-1]) / 2, [np.inf]])
    return float(edges[index]), float(edges[index + 1])
