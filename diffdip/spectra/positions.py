"""From spectra of a rotation to one resonance field for each angle, with its standard error."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..foundation.flags import Flag
from .line_reading import crossing, midpoint
from .line_shapes import FIT_WIDTH, SHAPES, fit_line
from .lines import LEAST_SAMPLES, LineError, Lines, Preparation, find_lines, neighbours


if TYPE_CHECKING:
    import xarray as xr

REACH = 5.0
"""Line shapes are fitted to the samples within so many widths of the line."""

DEFINITIONS = ("zero-crossing", "midpoint", *SHAPES)

LEAST_TO_FIT = 10

LEAP = 20.0
"""A line that moves by so many widths from one angle to the next may be another one."""

FAR = 5.0
"""A line so many widths from where one was asked for is not the one that was meant."""

BROAD = 0.5
"""Width over position from which a line reaches zero field, where only a shape places it."""

LEAST_SIGMA = 1e-11
"""Errors below this (T) are rounding, of spectra without noise."""

_NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve"


@dataclass(frozen=True)
class Position:
    """A line's position, standard error and width, in the unit of the field."""

    position: float
    sigma: float
    width: float


@dataclass(frozen=True)
class LinePositions:
    """One line at each angle of a rotation: SI units, float64 arrays of shape (n,).

    `angle` in radians; `field`, `sigma` (standard errors) and `width` in tesla; `frequency` in Hz,
    NaN where the spectra do not state it. `settings` says what a position is and how the signal
    was prepared, `warnings` are the doubts about it. Made for
    `fit_series(p.angle, p.field, p.sigma, frequency=p.frequency)`.
    """

    angle: np.ndarray
    field: np.ndarray
    sigma: np.ndarray
    width: np.ndarray
    frequency: np.ndarray
    settings: Mapping[str, Any]
    warnings: tuple[Flag, ...] = ()

    @property
    def errors(self) -> np.ndarray | None:
        """`sigma` for a fit, None where one of them is no more than rounding."""
        return self.sigma if (self.sigma > LEAST_SIGMA).all() else None


@dataclass(frozen=True)
class _Options:
    """How a position is taken from the lines of a spectrum."""

    definition: str
    baseline: int | None
    phase_deg: float | None
    smoothing: int

    def __post_init__(self):
        Preparation(self.baseline, self.phase_deg or 0.0, self.smoothing)  # refuses nonsense

    @property
    def fitted(self) -> bool:
        return self.definition in SHAPES

    @property
    def preparation(self) -> Preparation:
        """What is done to the signal first; baseline and phase are left to a fit."""
        if self.fitted:
            return Preparation(smoothing=self.smoothing)
        return Preparation(self.baseline, self.phase_deg or 0.0, self.smoothing)

    def position(self, lines: Lines, index: int) -> Position:
        if not lines.width[index] > 0:
            raise LineError(f"both extrema of a line at {lines.position[index]:.6g} mT")
        if self.fitted:
            return _fitted(lines, index, self.definition, self.baseline, self.phase_deg)
        return _read_off(lines, index, self.definition, self.preparation)

    def settings(self) -> dict[str, Any]:
        """For the record; None where nothing was done."""
        phase = "fitted" if self.fitted and self.phase_deg is None else self.phase_deg or 0.0
        return {
            "definition": self.definition,
            "baseline": self.baseline,
            "phase_deg": phase,
            "smoothing": self.smoothing,
            "width": "full width at half maximum" if self.fitted else "from extremum to extremum",
        }


def line_positions(
    spectra: "xr.Dataset",
    definition: str = "zero-crossing",
    *,
    line: str | None = None,
    near: float | None = None,
    baseline: int | None = None,
    phase_deg: float | None = None,
    smoothing: int = 0,
) -> LinePositions:
    """The resonance field at each angle of a dataset from `diffdip.io.read_spectra`.

    `definition` says what it is:

    - `zero-crossing` of the derivative, as in `zero_crossing`;
    - `midpoint` of the vertices of parabolas through the two extrema;
    - `lorentzian`, `gaussian`, `pseudo-voigt`: of that shape with its mixing of dispersion and the
      line at negative field, fitted within five widths and half way to the next line (`fit_line`).

    Where a spectrum has several lines one is chosen: the strongest of each angle by
    `line="strongest"`, or the one nearest to `near` (mT) at the first angle, within five widths,
    which is then followed, at each angle the line nearest to where it was, but no farther than half
    way to where its neighbours were.

    The signal is prepared as `Preparation` says; with a line shape the polynomial `baseline` is a
    part of the fit, and so is the phase unless `phase_deg` is given. Standard errors follow from
    the noise of the spectrum and its correlation, those of a fit from its residuals; errors of the
    field's own scale are not in them. Those of a zero crossing or midpoint are good for lines of 30
    or more times the noise; smooth weaker ones, or fit a shape. The width is that from extremum to
    extremum, of a fit the full width at half maximum of the absorption.

    Raises `LineError`, which names the angle, where there is no line, none near, several and none
    chosen, or one that was followed is lost; `ValueError` for options that cannot be meant.

    >>> import xarray as xr
    >>> field = np.linspace(330.0, 346.0, 161)
    >>> signal = [-(field - at) * np.exp(-((field - at) ** 2)) for at in (337.8, 338.2)]
    >>> spectra = xr.Dataset(
    ...     {"signal": (("angle", "field"), signal)},
    ...     coords={"angle": [0.0, 90.0], "field": field, "frequency": ("angle", [9.45, 9.45])},
    ... )
    >>> line_positions(spectra).field.round(7)
    array([0.3378, 0.3382])
    """
    if definition not in DEFINITIONS:
        raise ValueError(f"definition {definition!r}: expected one of {', '.join(DEFINITIONS)}")
    if near is not None and not np.isfinite(near):
        raise ValueError(f"near = {near}: expected a field in mT")
    if line not in (None, "strongest") or (line and near is not None):
        raise ValueError(f"line = {line!r}, near = {near}: expected 'strongest', or near, or none")
    options = _Options(definition, baseline, phase_deg, smoothing)
    found: list[Position] = []
    at, reach = near, (-np.inf, np.inf)
    for angle, (field, signal) in zip(spectra["angle"].values, each_sweep(spectra), strict=True):
        try:
            if len(field) < LEAST_SAMPLES:
                raise LineError(f"{len(field)} samples; expected {LEAST_SAMPLES} or more")
            scale = np.abs(signal).max() or 1.0
            lines = find_lines(field, signal / scale, options.preparation)
            index = choose(lines, line, at)
            if near is not None:
                _check_near(lines, index, near, at if found else None, reach)
                reach = neighbours(lines, index)
            found.append(options.position(lines, index))
        except LineError as error:
            raise LineError(f"at {angle:g}°: {error}") from None
        at = None if near is None else found[-1].position
    chosen: dict[str, Any] = {"line": line or "only"} if near is None else {"near_mT": near}
    return LinePositions(
        np.radians(spectra["angle"].values),
        np.array([one.position for one in found]) / 1e3,
        np.array([one.sigma for one in found]) / 1e3,
        np.array([one.width for one in found]) / 1e3,
        1e9 * spectra["frequency"].values,
        options.settings() | chosen,
        (*_leaps(spectra["angle"].values, found), *_broad(definition, found)),
    )


def _check_near(
    lines: Lines, index: int, near: float, before: float | None, reach: tuple[float, float]
) -> None:
    """Refuse a line that is not the one meant, or (with `before`) not the one that was followed."""
    position, width = float(lines.position[index]), float(lines.width[index])
    if before is None and abs(position - near) > FAR * width:
        raise LineError(
            f"no line within {FAR:g} widths of near = {near:g} mT: the nearest is at "
            f"{position:.1f} mT"
        )
    if before is not None and not reach[0] < position < reach[1]:
        raise LineError(
            f"the line followed, before at {before:.1f} mT, is lost: the nearest is at "
            f"{position:.1f} mT, where another one may have been"
        )


def _broad(definition: str, found: list[Position]) -> tuple[Flag, ...]:
    """A flag for lines that reach zero field and are not placed by their shape."""
    wide = [one for one in found if one.width > BROAD * abs(one.position)]
    if definition in SHAPES or not wide:
        return ()
    message = (
        f"{len(wide)} of {len(found)} lines reach zero field (one at {wide[0].position:.1f} mT is "
        f"{wide[0].width:.1f} mT wide). Their {definition} is shifted: use a line shape such as "
        "lorentzian."
    )
    return (Flag("broad-line", message),)


def choose(lines: Lines, line: str | None = None, near: float | None = None) -> int:
    """The index of the line that is meant. Raises `LineError` if that is not plain."""
    if not len(lines):
        raise LineError("no line stands out of the noise")
    if near is not None:
        return int(np.argmin(np.abs(lines.position - near)))
    if line == "strongest":
        return int(np.argmax(lines.height))
    if len(lines) == 1:
        return 0
    count = dict(enumerate(_NUMBERS.split())).get(len(lines), str(len(lines)))
    first = ", ".join(f"{position:.1f}" for position in lines.position[:6])
    more = ", ..." if len(lines) > 6 else ""
    strongest = lines.position[np.argmax(lines.height)]
    raise LineError(
        f"this spectrum has {count} lines ({first}{more} mT): "
        f"choose one with line='strongest' or near={strongest:.1f}"
    )


def each_sweep(spectra: "xr.Dataset") -> list[tuple[np.ndarray, np.ndarray]]:
    """Field (mT) and signal of each angle, without what fills up the shorter ones."""
    signal = spectra["signal"].values
    field = np.broadcast_to(spectra["field"].values, signal.shape)
    return [(f[~np.isnan(f)], s[~np.isnan(f)]) for f, s in zip(field, signal, strict=True)]


def _leaps(angles: np.ndarray, found: list[Position]) -> tuple[Flag, ...]:
    """A flag for steps from angle to angle that are large beside the line's width."""
    at = np.array([one.position for one in found])
    width = np.array([one.width for one in found])
    far = np.flatnonzero(np.abs(np.diff(at)) > LEAP * np.maximum(width[1:], width[:-1]))
    if not len(far):
        return ()
    i = far[0]
    message = (
        f"Between {angles[i]:g}° and {angles[i + 1]:g}° the line moves from {at[i]:.2f} to "
        f"{at[i + 1]:.2f} mT, more than {LEAP:g} widths ({len(far)} of {len(found) - 1} steps are "
        "that large). Is it the same line?"
    )
    return (Flag("line-jump", message),)


def _read_off(lines: Lines, index: int, definition: str, preparation: Preparation) -> Position:
    """Position by samples near the line, and its error from their weights in it."""
    read: Callable[..., tuple[float, np.ndarray]]
    read = crossing if definition == "zero-crossing" else midpoint
    first, last = int(lines.first[index]), int(lines.last[index])
    position, weights = read(lines.field, lines.signal, first, last)
    sigma = lines.noise.of_sum(preparation.adjoint(lines.field, weights))
    return Position(position, sigma, float(lines.width[index]))


def _fitted(
    lines: Lines, index: int, shape: str, baseline: int | None, phase_deg: float | None
) -> Position:
    position, width = float(lines.position[index]), float(lines.width[index])
    low, high = neighbours(lines, index)
    low, high = max(low, position - REACH * width), min(high, position + REACH * width)
    inside = (lines.field >= low) & (lines.field <= high)
    count = len(np.unique(lines.field[inside]))
    if count < LEAST_TO_FIT:
        raise LineError(
            f"{count} fields across the line at {position:.6g}; expected {LEAST_TO_FIT} to fit it"
        )
    found = fit_line(
        lines.field[inside],
        lines.signal[inside],
        shape,
        position,
        FIT_WIDTH[shape](width),
        baseline,
        phase_deg,
    )
    return Position(found.position, found.sigma, found.width)
