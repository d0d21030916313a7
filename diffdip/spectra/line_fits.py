"""Fits of a line shape to many spectra at once, by separable least squares.

The amplitudes and the polynomial baseline are linear in the signal. For each position, width and
Lorentzian fraction they follow from linear least squares, and only those three are searched for.
With Φ the columns, Φ = QR, c the factors and r the residuals, the derivative of the best curve Φc
by one of the three is

    (1 − QQᵀ) Φ′ c + Q R⁻ᵀ Φ′ᵀ r

(G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10, 413, 1973).
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..foundation.errors import InputError
from ..numerics.levenberg_marquardt import Point, descend
from .definitions import SHAPES, LineShape
from .line_shapes import Derivatives, Values, gaussian, lorentzian
from .lines import LineError, polynomials
from .noise import Noise, noise_of


SAMPLES_AT_ONCE = 2**16
"""Spectra are fitted together up to this number of samples, padding included: few calls, and
little memory."""

THREADS = min(4, os.cpu_count() or 1)
"""Groups of spectra that are fitted at once."""

LEAST_POSITION = 1e-3
"""Positions stay above this, in units of the width at the start: at zero field the dispersion and
the derivative with respect to the position vanish, so that no search leaves it."""


@dataclass(frozen=True)
class LineStart:
    """Samples around a line, and where its fit starts.

    Args:
        field: Absolute field of each sample, of shape (n,), ascending, in any unit.
        signal: Derivative of the absorption, of shape (n,).
        position: Field within the sweep, not negative.
        width: Full width at half maximum.
    """

    field: np.ndarray
    signal: np.ndarray
    position: float
    width: float

    @property
    def scale(self) -> float:
        """The largest absolute signal."""
        return float(np.abs(self.signal).max())

    def check(self, shape: str) -> None:
        """Raise `LineError` for a signal of zeros, a position outside the sweep, or no width."""
        if not 0 < self.width < np.inf:
            raise LineError(
                f"width at the start of the {shape} fit",
                given=float(self.width),
                expected="a number above 0",
            )
        if not self.scale > 0:
            raise LineError("no signal", hint="Leave out this spectrum")
        low, high = self.field[0], self.field[-1]
        if not (self.position >= 0 and low <= self.position <= high > low):
            raise LineError(
                f"start of the {shape} fit",
                given=float(self.position),
                expected=f"a field of 0 or more, from {low:.6g} to {high:.6g}",
            )


@dataclass(frozen=True)
class LineFit:
    """A line that was fitted to a spectrum.

    Args:
        position: Resonance field, in the unit of the field.
        sigma: Standard error of the position, in the unit of the field.
        width: Full width at half maximum of the absorption, in the unit of the field.
        width_sigma: Standard error of the width, in the unit of the field.
        phase_deg: Mixing of dispersion in degrees: 0 for pure absorption, 180 for an inverted line.
        fraction: Lorentzian part, from 0 to 1.
        noise: Noise of the residuals.
        signal: Fitted curve, of shape (n,).
    """

    position: float
    sigma: float
    width: float
    width_sigma: float
    phase_deg: float
    fraction: float
    noise: Noise
    signal: np.ndarray


def fit_line(
    field: np.ndarray,
    signal: np.ndarray,
    shape: str,
    position: float,
    width: float,
    baseline: int | None = None,
    phase_deg: float | None = None,
) -> LineFit:
    """Fit one line of a given shape, with dispersion and the line at negative field.

    The standard error follows from the residuals and their correlation.

    Args:
        field: Absolute field of each sample, of shape (n,), ascending, in any unit.
        signal: Derivative of the absorption, of shape (n,).
        shape: "lorentzian", "gaussian" or "pseudo-voigt".
        position: Field from which the fit starts, within the sweep and not negative.
        width: Full width at half maximum from which the fit starts.
        baseline: Order of the polynomial baseline; None for no baseline.
        phase_deg: Mixing of dispersion in degrees; None to fit it.

    Returns:
        The fitted line, in the unit of `field`.

    Raises:
        LineError: If the signal is zero, the start lies outside the sweep, or the fit does not
            converge to a position within it.
        InputError: If the shape is unknown.

    >>> from diffdip.spectra.line_shapes import columns
    >>> x = np.linspace(0.0, 500.0, 501)
    >>> band = columns(x, 100.0, 120.0, 1.0, 30.0)[:, 0]
    >>> found = fit_line(x, band, "lorentzian", 130.0, 80.0)
    >>> round(found.position, 6), round(found.width, 6), round(found.phase_deg, 6)
    (100.0, 120.0, 30.0)
    """
    [found] = fit_lines([LineStart(field, signal, position, width)], shape, baseline, phase_deg)
    if isinstance(found, LineError):
        raise found
    return found


def fit_lines(
    starts: Sequence[LineStart],
    shape: str,
    baseline: int | None = None,
    phase_deg: float | None = None,
) -> list[LineFit | LineError]:
    """`fit_line` for many spectra at once; in place of a line the error that prevents its fit."""
    if shape not in SHAPES:
        raise InputError("shape", given=shape, expected=f"one of {', '.join(SHAPES)}")
    found: dict[int, LineFit | LineError] = {}
    good = []
    for i, start in enumerate(starts):
        try:
            start.check(shape)
            good.append(i)
        except LineError as error:
            found[i] = error
    # spectra of like length share a group, so that little is padded
    good.sort(key=lambda i: len(starts[i].field), reverse=True)
    groups = []
    while good:
        count = max(1, SAMPLES_AT_ONCE // len(starts[good[0]].field))
        groups.append(good[:count])
        good = good[count:]

    def fitted(group: list[int]) -> list[LineFit | LineError]:
        return _Group.of([starts[i] for i in group], shape, baseline, phase_deg).fitted()

    # numpy computes on long arrays in several threads at once
    with ThreadPoolExecutor(THREADS) as pool:
        for group, fits in zip(groups, pool.map(fitted, groups), strict=True):
            found.update(zip(group, fits, strict=True))
    return [found[i] for i in range(len(starts))]


class _Curves(NamedTuple):
    """The best curves for some variables.

    Args:
        factors: Of the columns, shape (m, k).
        curve: Shape (m, n), in units of the scale.
        slope: Derivatives of the curve by the variables, shape (m, n, p).
    """

    factors: np.ndarray
    curve: np.ndarray
    slope: np.ndarray


@dataclass(frozen=True)
class _Group:
    """m spectra, padded to n samples each.

    The variables y are the shift in units of the width at the start, the logarithm of the relative
    width, and the Lorentzian fraction where the shape leaves it open.

    Args:
        starts: The spectra.
        name: Of the line shape.
        position: At the start, shape (m,).
        width: At the start, shape (m,).
        field: Shape (m, n).
        signal: In units of the scale, shape (m, n).
        used: 1 for samples, 0 for padding, shape (m, n, 1).
        others: Columns of the baseline, shape (m, n, b).
        phase_deg: Mixing of dispersion in degrees; None to fit it.
    """

    starts: Sequence[LineStart]
    name: str
    position: np.ndarray
    width: np.ndarray
    field: np.ndarray
    signal: np.ndarray
    used: np.ndarray
    others: np.ndarray
    phase_deg: float | None

    @staticmethod
    def of(
        starts: Sequence[LineStart], name: str, baseline: int | None, phase_deg: float | None
    ) -> "_Group":
        """The group of these spectra."""

        def padded(rows: list[np.ndarray]) -> np.ndarray:
            whole = np.zeros((len(rows), max(len(row) for row in rows), *rows[0].shape[1:]))
            for place, row in zip(whole, rows, strict=True):
                place[: len(row)] = row
            return whole

        return _Group(
            starts,
            name,
            np.array([start.position for start in starts], float),
            np.array([start.width for start in starts], float),
            padded([start.field for start in starts]),
            padded([start.signal / start.scale for start in starts]),
            padded([np.ones((len(start.field), 1)) for start in starts]),
            padded([polynomials(start.field, baseline) for start in starts]),
            phase_deg,
        )

    @property
    def shape(self) -> LineShape:
        """The line shape, from the table."""
        return SHAPES[self.name]

    @property
    def mixing(self) -> np.ndarray:
        """From absorption and dispersion to the columns of the line, shape (2, 1 or 2)."""
        if self.phase_deg is None:
            return np.eye(2)
        phase = np.radians(self.phase_deg)
        return np.array([[np.cos(phase)], [np.sin(phase)]])

    def fitted(self) -> list[LineFit | LineError]:
        """The fit of each spectrum, or the error that prevents it."""

        def evaluate(lane: np.ndarray, y: np.ndarray) -> Point:
            curves = self.curves(lane, y)
            return Point.of(y, self.signal[lane] - curves.curve, curves.slope)

        lane = np.arange(len(self.starts))
        start, lower, upper = self.range()
        here = evaluate(lane, start)
        converged = descend(evaluate, here, lane, lower, upper)
        curves, lines = self.curves(lane, here.y), np.stack(self.line(lane, here.y), axis=1)
        ends = zip(converged, lines, strict=True)
        return [
            self.result(i, line, curves) if met else self.error(i, "does not converge")
            for i, (met, line) in enumerate(ends)
        ]

    def result(self, i: int, line: np.ndarray, curves: _Curves) -> LineFit | LineError:
        """The fit of one spectrum, from its position, width and fraction."""
        start = self.starts[i]
        n, at = len(start.field), float(line[0])
        if not start.field[0] <= at <= start.field[-1]:
            return self.error(i, f"ends at {at:.6g}, outside the sweep")
        factors, slope = curves.factors[i], curves.slope[i, :n]
        signal = start.scale * curves.curve[i, :n]
        freedom = 1 - (slope.shape[1] + len(factors)) / n
        noise = noise_of(start.signal - signal, freedom)
        # of each sample in the shift and in the logarithm of the width
        by_shift, by_width = (slope @ row for row in np.linalg.pinv(slope.T @ slope)[:2])
        phase = self.phase_deg
        if phase is None:
            phase = np.degrees(np.arctan2(factors[1], factors[0]))
        return LineFit(
            position=at,
            sigma=noise.of_sum(start.width / start.scale * by_shift),
            width=float(line[1]),
            width_sigma=noise.of_sum(float(line[1]) / start.scale * by_width),
            phase_deg=float(phase),
            fraction=float(line[2]),
            noise=noise,
            signal=signal,
        )

    def error(self, i: int, outcome: str) -> LineError:
        """The error that a fit ends with."""
        return LineError(
            f"the {self.name} fit from {self.starts[i].position:.6g} {outcome}",
            hint="If the line stands on sloping ground, use {baseline} 1. Otherwise use another "
            "{definition}, or set {phase_deg}",
        )

    def range(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Start, lower and upper bounds of y: positions above 0, widths from one sample to four
        sweeps."""
        number = 3 if self.shape.fraction is None else 2
        lower, upper = np.zeros((2, len(self.starts), 3))
        for i, start in enumerate(self.starts):
            span = float(np.ptp(start.field))
            narrowest = span / (len(start.field) - 1) / start.width
            widest = max(4 * span / start.width, 2.0)
            highest = (start.field[-1] + span - start.position) / start.width
            nearest = LEAST_POSITION - start.position / start.width
            lower[i] = nearest, np.log(min(narrowest, 0.5)), 0.0
            upper[i] = highest, np.log(widest), 1.0
        first = np.tile([0.0, 0.0, 0.5], (len(self.starts), 1))
        first[:, 0] = np.maximum(0.0, lower[:, 0] + 0.01)  # a start at zero field
        return first[:, :number], lower[:, :number], upper[:, :number]

    def line(self, lane: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Position, width and Lorentzian fraction, shape (m,) each."""
        position, width = self.position[lane], self.width[lane]
        fixed = self.shape.fraction
        fraction = y[:, 2] if fixed is None else np.full(len(y), fixed)
        return position + width * y[:, 0], width * np.exp(y[:, 1]), fraction

    def curves(self, lane: np.ndarray, y: np.ndarray) -> _Curves:
        """The best curves with these y for some spectra, and their derivatives."""
        position, width, fraction = (values[:, None] for values in self.line(lane, y))
        field = self.field[lane]
        near, far = field - position, field + position
        line, by_fraction = self.shaped(near, width, fraction)
        image, image_by_fraction = self.shaped(far, width, fraction)
        basis = _sum(line, image)
        by_shift = self.width[lane, None, None] * _stacked(
            image.absorption_slope - line.absorption_slope,
            -image.dispersion_slope - line.dispersion_slope,
        )
        # a line of width w is f(x/w)/w
        by_width = -basis - _stacked(
            near * line.absorption_slope + far * image.absorption_slope,
            near * line.dispersion_slope - far * image.dispersion_slope,
        )
        changes = [by_shift, by_width]
        if self.shape.fraction is None:
            changes.append(_sum(by_fraction, image_by_fraction))
        used = self.used[lane]
        columns = np.concatenate([(basis @ self.mixing) * used, self.others[lane]], axis=2)
        q, r = np.linalg.qr(columns)
        inverse = np.linalg.pinv(r)
        signal = self.signal[lane][..., None]
        factors = inverse @ (np.swapaxes(q, 1, 2) @ signal)
        curve = columns @ factors
        count = self.mixing.shape[1]
        slopes = []
        for change in changes:
            change = (change @ self.mixing) * used
            moved = change @ factors[:, :count]
            against = np.swapaxes(change, 1, 2) @ (signal - curve)
            along = np.swapaxes(inverse[:, :count], 1, 2) @ against - np.swapaxes(q, 1, 2) @ moved
            slopes.append((moved + q @ along)[..., 0])
        return _Curves(factors[..., 0], curve[..., 0], np.stack(slopes, axis=2))

    def shaped(
        self, x: np.ndarray, width: np.ndarray, fraction: np.ndarray
    ) -> tuple[Derivatives, Derivatives]:
        """The line at a distance x from its position, and its derivative by the fraction."""
        if self.shape.fraction is not None:
            pure = (lorentzian if self.shape.fraction else gaussian)(x, width)
            return pure, pure
        wide = gaussian(x, width)
        change = Derivatives(*map(np.subtract, lorentzian(x, width), wide))
        return Derivatives(*(w + fraction * c for w, c in zip(wide, change, strict=True))), change


def _sum(line: Derivatives, image: Derivatives) -> np.ndarray:
    """Absorption and dispersion of a line with its mirror image, shape (..., 2)."""
    return _stacked(line.absorption + image.absorption, line.dispersion - image.dispersion)


def _stacked(absorption: Values, dispersion: Values) -> np.ndarray:
    return np.stack([absorption, dispersion], axis=-1)
