"""A spectrum (the derivative of an absorption over the field) and the lines in it.

Fields ascend and may have any unit; positions and widths have the same unit.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from ..foundation.errors import InputError
from .definitions import ORDERS
from .field_sweeps import BACK, PARTIAL, field_runs
from .ground import extrema as extrema_of, ground_below, polynomials, steepest
from .noise import Noise, noise_of


SIGNIFICANCE = 8.0
"""An extremum belongs to a line if it rises by this many standard deviations of the noise."""

SMALLEST = 0.05
"""Extrema that rise by less than this part of the highest one are not counted."""

PER_WIDTH = 3
"""To find lines, the spectrum is smoothed over the steepest line's width divided by this."""

STRONG = 0.2
"""Noise is not estimated near extrema that rise by this part of the spectrum's range."""

OUTER = 0.1
"""A baseline is fitted to this part of the samples at each end."""

LEAST_SAMPLES = 8
"""A spectrum needs this many samples to have its lines found."""


class LineError(InputError):
    """A spectrum does not have the requested line, or it has several and none is selected."""


@dataclass(frozen=True)
class Preparation:
    """What is done to a signal before positions are taken. All steps are linear.

    Args:
        baseline: Order of the polynomial that is subtracted, from 0 to 5. It is fitted to the outer
            tenths of the samples. None subtracts nothing.
        phase_deg: Mixing of dispersion in degrees that is removed: from A cos φ + D sin φ the
            absorption A is recovered. 0 by default.
        smoothing: Number of samples under a Savitzky–Golay filter of third order, odd and at least
            5. 0 smooths nothing.

    Raises:
        InputError: If the order, the phase or the number of samples is out of range.
    """

    baseline: int | None = None
    phase_deg: float = 0.0
    smoothing: int = 0

    def __post_init__(self):
        if self.baseline is not None and self.baseline not in ORDERS:
            raise InputError(
                "baseline", given=self.baseline, expected="an order from 0 to 5, or auto"
            )
        if not np.isfinite(self.phase_deg):
            raise InputError(
                "phase_deg", given=self.phase_deg, expected="a finite number of degrees"
            )
        if self.smoothing and (self.smoothing < 5 or self.smoothing % 2 == 0):
            raise InputError(
                "smoothing", given=self.smoothing, expected="an odd number of at least 5, or 0"
            )

    def apply(self, field: np.ndarray, signal: np.ndarray) -> np.ndarray:
        """The prepared signal.

        Args:
            field: Field of each sample, of shape (n,), ascending.
            signal: Signal as recorded, of shape (n,).

        Returns:
            The signal, of shape (n,), after subtracting the baseline, removing the dispersion and
            smoothing, in this order.

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
        """Weights of the recorded samples from those of the prepared ones.

        A sum over the prepared signal equals the sum over the recorded one with these weights, so
        that the error of the sum follows from the recorded noise.

        Args:
            field: Field of each sample, of shape (n,), ascending.
            weights: Weights of the prepared samples, of shape (n,).

        Returns:
            Weights of the recorded samples, of shape (n,).
        """
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
        """The absorption of a mixture, by the Hilbert transform over equal steps of the field."""
        if not self.phase_deg:
            return signal
        from scipy.signal import hilbert

        phase = np.radians(self.phase_deg)
        even = np.linspace(field[0], field[-1], len(field))
        values = np.interp(even, field, signal)
        analytic: Any = hilbert(values, 4 * len(values))  # padded: the transform is periodic
        turned = np.imag(analytic)[: len(values)]
        return np.cos(phase) * signal - sign * np.sin(phase) * np.interp(field, even, turned)


@dataclass(frozen=True)
class Lines:
    """The lines of a spectrum in ascending order, each between two extrema.

    Args:
        field: Field of each sample, of shape (n,), ascending.
        signal: Signal after preparation, of shape (n,).
        first: Index of the extremum at the lower field of each line, of shape (k,).
        last: Index of the extremum at the higher field of each line, of shape (k,).
        noise: Noise of the signal before preparation.
        ground: What was subtracted to find the lines, of shape (n,); it is still in the signal.
    """

    field: np.ndarray
    signal: np.ndarray
    first: np.ndarray
    last: np.ndarray
    noise: Noise
    ground: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    @cached_property
    def position(self) -> np.ndarray:
        """Midpoint between the extrema, to half a sample: shape (k,), in the unit of the field."""
        return (self.field[self.first] + self.field[self.last]) / 2

    @cached_property
    def width(self) -> np.ndarray:
        """Distance of the extrema: shape (k,), in the unit of the field."""
        return self.field[self.last] - self.field[self.first]

    @cached_property
    def height(self) -> np.ndarray:
        """Difference of the signal between the extrema, above the ground: shape (k,), positive."""
        even = self.signal - self.ground
        return np.abs(even[self.last] - even[self.first])


def find_lines(
    field: np.ndarray, signal: np.ndarray, preparation: Preparation | None = None
) -> Lines:
    """Find the lines of a derivative spectrum: pairs of extrema that stand out of the noise.

    An extremum counts if it rises (by its topographic prominence) 8 standard deviations of the
    noise, and 5 % of the highest one, after smoothing over a third of the steepest line. The
    steepest pair decides whether the maximum or the minimum comes first in all lines. In a sweep
    through zero field, lines at negative field may have the opposite order.

    Where the ground and not a line makes up the range of the signal, a polynomial ground is
    subtracted for the search (`ground_below`). The signal of the lines keeps its ground.

    Noise is what varies faster than four widths of the steepest line, away from strong lines. If
    these cover the spectrum, it is what the smoothing removes. Noise with a correlation as long as
    a line is then mistaken for lines.

    Args:
        field: Field of each sample, of shape (n,) with n of at least 8, of one sweep up or down, in
            any unit.
        signal: Derivative of the absorption, of shape (n,).
        preparation: What is done to the signal first; nothing by default.

    Returns:
        The lines, with fields in the unit of `field`. A spectrum without lines gives none.

    Raises:
        InputError: For fewer than 8 samples, different shapes, values that are not finite, or a
            field that goes up and down.

    >>> x = np.linspace(300.0, 380.0, 801)
    >>> derivative = lambda at: -(x - at) * np.exp(-((x - at) ** 2) / 8)
    >>> find_lines(x, derivative(320.0) + 0.3 * derivative(350.0)).position
    array([320., 350.])
    """
    field, signal = sorted_samples(field, signal)
    prepared = (preparation or Preparation()).apply(field, signal)
    ground = ground_below(field, prepared)
    even = prepared - ground
    window = _window(even)
    smoothed = smooth(even, window)
    extrema, heights = extrema_of(smoothed, 0.0)
    noise = _noise(signal - ground, extrema[heights >= STRONG * np.ptp(even)], window)
    if len(extrema):
        least = max(SIGNIFICANCE * noise.of_sum(_kernel(window)), SMALLEST * heights.max())
        extrema = extrema[heights >= max(least, np.finfo(float).tiny)]
    pairs = _by_sides(field, smoothed, list(pairwise(extrema.tolist())))
    refined = [[_extremum(even, i, o, window) for i, o in (pair, pair[::-1])] for pair in pairs]
    indices = np.array(refined, int).reshape(-1, 2)
    return Lines(field, prepared, indices[:, 0], indices[:, 1], noise, ground)


def sorted_samples(field: np.ndarray, signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples in ascending order of the field, as float64.

    Raises `InputError`, also for several sweeps, whose samples would be mixed.
    """
    field, signal = np.asarray(field, float), np.asarray(signal, float)
    if field.shape != signal.shape or field.ndim != 1 or len(field) < LEAST_SAMPLES:
        raise InputError(
            "shapes of field and signal",
            given=(field.shape, signal.shape),
            expected=f"one shape (n,), n of {LEAST_SAMPLES} or more",
        )
    for name, values in (("field", field), ("signal", signal)):
        finite = np.isfinite(values)
        if not finite.all():
            first = int(np.argmin(finite))
            raise InputError(
                name,
                given=float(values[first]),
                expected="finite numbers",
                where=(f"sample {first + 1}",),
            )
    if (field[1:] >= field[:-1]).all():
        return field, signal
    # a run that a reader accepts has noise up to this part of its range
    runs = len(field_runs(field, BACK / PARTIAL))
    if runs > 1:
        raise InputError(
            f"the field has {runs} sweeps",
            expected="one sweep",
            hint="Give each sweep up or down as a spectrum of its own",
        )
    order = np.argsort(field, kind="stable")
    return field[order], signal[order]


def smooth(signal: np.ndarray, window: int) -> np.ndarray:
    """The signal after a Savitzky–Golay filter of third order.

    At both ends it is the polynomial through the samples of the last window.
    """
    from scipy.ndimage import convolve1d

    signal = np.asarray(signal, float)
    window = min(window, longest_window(signal))
    kernel, basis = _filter(window)
    half = window // 2
    head = basis[:half]
    smoothed = convolve1d(signal, kernel)
    smoothed[:half] = head @ (basis.T @ signal[:window])
    # the other end, read backwards
    smoothed[len(signal) - half :] = (head @ (basis.T @ signal[: -window - 1 : -1]))[::-1]
    return smoothed


def longest_window(signal: np.ndarray) -> int:
    """The largest odd number of samples."""
    return len(signal) - 1 + len(signal) % 2


def _kernel(window: int) -> np.ndarray:
    """Weights of the samples under that filter."""
    return _filter(window)[0]


@lru_cache(maxsize=32)  # the lines of a rotation have a few widths
def _filter(window: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the samples under the filter, and orthonormal polynomials (window, 4)."""
    powers = np.vander(np.linspace(-1, 1, window), 4, increasing=True)
    basis, _ = np.linalg.qr(powers)
    kernel = basis @ basis[window // 2]
    kernel.flags.writeable = basis.flags.writeable = False
    return kernel, basis


def _window(signal: np.ndarray) -> int:
    """An odd third of the samples between the extrema of the steepest line, 5 or more."""
    width = steepest(signal).samples or len(signal) // 4
    return min(max(5, width // PER_WIDTH // 2 * 2 + 1), longest_window(signal))


def _noise(signal: np.ndarray, strong: np.ndarray, window: int) -> Noise:
    """The noise of a signal, away from strong extrema at these samples.

    There the signal is bridged, so that a filter far longer than a line follows the baseline and
    leaves the noise.
    """
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


def _by_sides(
    field: np.ndarray, signal: np.ndarray, pairs: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """The pairs of neighbouring extrema that are lines.

    A signal that is odd in the field, such as a rectified voltage, has the opposite order at
    negative field. Otherwise all lines have one order.
    """
    low, high = (
        _same_order(signal, [(i, j) for i, j in pairs if inside(i, j)])
        for inside in (lambda i, j: field[j] <= 0, lambda i, j: field[i] >= 0)
    )
    if low and high:
        (i, j), (m, n) = low[0], high[0]
        if (signal[j] > signal[i]) != (signal[n] > signal[m]):
            return [*low, *high]
    return _same_order(signal, pairs)


def _same_order(signal: np.ndarray, pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The pairs of neighbouring extrema that fall (or rise) as the steepest pair does."""
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
