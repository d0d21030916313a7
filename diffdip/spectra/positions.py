"""One resonance field, with its standard error, from each spectrum of a rotation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..foundation.accepted_values import implausible_g
from ..foundation.errors import InputError
from ..foundation.flags import Flag
from ..foundation.progress import progress_bar
from .baseline_order import baseline_order
from .definitions import AUTO, DEFINITIONS, ORDERS, SHAPES, Definition
from .ground_shift import crossing_shift
from .line_fits import LineStart, fit_lines
from .line_reading import crossing, midpoint
from .line_scatter import scatter_flags
from .line_selection import SelectedLine, angle_place, check_selection, neighbours, select_lines
from .lines import LineError, Lines, Preparation


if TYPE_CHECKING:
    import xarray as xr

REACH = 5.0
"""Line shapes are fitted to the samples within this many widths of the line."""

LEAST_TO_FIT = 10
"""A line shape is fitted to this many different fields or more."""

LEAP = 20.0
"""A line that moves by more widths than this between two angles may be another line."""

BROAD = 0.5
"""From this ratio of width to position a line reaches zero field, and only a shape places it."""

SHIFTED = 5.0
"""A zero crossing that the ground shifts by this many standard errors is flagged."""

LEAST_SIGMA = 1e-11
"""Standard errors below this (T) are rounding, in spectra without noise."""

READERS: dict[str, Callable[..., tuple[float, np.ndarray]]] = {
    "zero-crossing": crossing,
    "midpoint": midpoint,
}
"""What reads a position off the spectrum, by the name of the definition."""


@dataclass(frozen=True)
class Position:
    """A line's position, standard error and width, and by how much the ground shifts it.

    All are in the unit of the field. A width that is read off has no standard error.
    """

    position: float
    sigma: float
    width: float
    shift: float = 0.0
    width_sigma: float = np.nan


@dataclass(frozen=True)
class LinePositions:
    """One line at each angle of a rotation, in SI units.

    To fit positions p, call `fit_series(p.angle, p.field, p.errors, frequency=p.frequency)`.

    Args:
        angle: Angles in radians, of shape (n,).
        field: Resonance fields in tesla, of shape (n,).
        sigma: Standard errors of the fields in tesla, of shape (n,).
        width: Linewidths in tesla, of shape (n,); `settings["width"]` says which width.
        frequency: Frequencies in Hz, of shape (n,); NaN where the spectra do not state one.
        settings: The definition of a position and how the signal was prepared.
        warnings: Doubts about the positions.
        width_sigma: Standard errors of the widths in tesla, of shape (n,), for `fit_widths`; None
            where the width is read off the spectrum: a line shape has errors.
    """

    angle: np.ndarray
    field: np.ndarray
    sigma: np.ndarray
    width: np.ndarray
    frequency: np.ndarray
    settings: Mapping[str, Any]
    warnings: tuple[Flag, ...] = ()
    width_sigma: np.ndarray | None = None

    @property
    def errors(self) -> np.ndarray | None:
        """Standard errors for a fit in tesla; None if one of them is mere rounding."""
        return self.sigma if (self.sigma > LEAST_SIGMA).all() else None


@dataclass(frozen=True)
class _Options:
    """How a position is taken from the lines of a spectrum."""

    definition: str
    baseline: int | None
    phase_deg: float | None
    smoothing: int

    def __post_init__(self):
        Preparation(self.baseline, self.phase_deg or 0.0, self.smoothing)  # checks all three

    @property
    def meaning(self) -> Definition:
        """The definition, from the table."""
        return DEFINITIONS[self.definition]

    @property
    def preparation(self) -> Preparation:
        """What is done to the signal before its lines are looked for; a fit has its own phase.

        A fit has its own baseline too, which takes up what the subtracted one leaves.
        """
        phase = 0.0 if self.meaning.shape else self.phase_deg or 0.0
        return Preparation(self.baseline, phase, self.smoothing)

    def positions(self, selected: list[SelectedLine]) -> list[Position | LineError]:
        """The position of each line, in mT, or the error that prevents it."""
        if self.meaning.shape:
            return self._fitted(selected)
        return [self._read_off(one) for one in selected]

    def _read_off(self, selected: SelectedLine) -> Position | LineError:
        """A position read off the spectrum; its error follows from the weight of each sample."""
        lines, index = selected
        ends = int(lines.first[index]), int(lines.last[index])
        try:
            position, weights = READERS[self.definition](lines.field, lines.signal, *ends)
        except LineError as error:
            return error
        sigma = lines.noise.of_sum(self.preparation.adjoint(lines.field, weights))
        shift = 0.0
        if self.definition == "zero-crossing":  # the midpoint of two extrema stays
            shift = crossing_shift(lines, index, position, self.preparation)
        return Position(position, sigma, float(lines.width[index]), shift)

    def _fitted(self, selected: list[SelectedLine]) -> list[Position | LineError]:
        """Positions from fits of the shape, to the samples around each line."""
        around = [_around(*one, self.definition) for one in selected]
        starts = [one for one in around if isinstance(one, LineStart)]
        fits = iter(fit_lines(starts, self.definition, self.baseline, self.phase_deg))
        found = [one if isinstance(one, LineError) else next(fits) for one in around]
        return [
            one
            if isinstance(one, LineError)
            else Position(one.position, one.sigma, one.width, width_sigma=one.width_sigma)
            for one in found
        ]

    def settings(self) -> dict[str, Any]:
        """For result files; None where nothing was done."""
        phase = self.phase_deg or 0.0
        if self.meaning.shape and self.phase_deg is None:
            phase = "fitted"
        return {
            "definition": self.definition,
            "baseline": self.baseline,
            "phase_deg": phase,
            "smoothing": self.smoothing,
            "width": self.meaning.width,
        }


def line_positions(
    spectra: "xr.Dataset",
    definition: str = "zero-crossing",
    *,
    line: str | None = None,
    near: float | None = None,
    baseline: int | str | None = None,
    phase_deg: float | None = None,
    smoothing: int = 0,
    progress: bool = True,
) -> LinePositions:
    """The resonance field at each angle of a rotation.

    The definitions of a position are:

    - `zero-crossing`: zero crossing of the derivative, as `zero_crossing` finds it;
    - `midpoint`: midpoint between the vertices of parabolas through the two extrema;
    - `lorentzian`, `gaussian`, `pseudo-voigt`: centre of this shape with its mixing of dispersion
      and the line at negative field (`fit_line`). It is fitted to the samples within five widths,
      up to the midpoint to the next line.

    In a sweep through zero field the lines at positive field count, unless `near` is negative.

    If a spectrum has several lines, select one. `line="strongest"` selects the strongest line of
    each angle. `near` selects the line nearest to this field at the first angle, if it lies within
    five widths. This line is then followed: at each further angle the line nearest to it is used,
    by the midpoints between extrema. It must not lie beyond the midpoint between the followed line
    and the next line at the angle before; otherwise the line is lost.

    Standard errors follow from the noise of the spectrum and its correlation, those of a fit from
    its residuals. Errors of the field calibration are not included. The errors of a zero crossing
    or midpoint hold for lines of at least 30 times the noise: smooth weaker lines, or fit a shape.

    Args:
        spectra: Dataset as `diffdip.io.read_spectra` returns it, with fields in mT.
        definition: What a position is; one of the names above.
        line: "strongest" to select the strongest line; None if there is one line.
        near: Field in mT near which the line lies at the first angle.
        baseline: Order of the polynomial baseline, from 0 to 5; None for no baseline; "auto" to
            choose the order by what it leaves between the lines (`baseline_order`). It is
            subtracted first, and is also a part of a fitted shape.
        phase_deg: Mixing of dispersion in degrees, which is removed. None means 0, or that a shape
            fits it.
        smoothing: Number of samples under a Savitzky–Golay filter, odd and at least 5; 0 for none.
        progress: Whether to show a progress bar on a terminal.

    Returns:
        One position for each angle, in SI units. The width is that from extremum to extremum, for a
        fitted shape the full width at half maximum of the absorption.

    Raises:
        LineError: If there is no line, none near `near`, several and none is selected, or the line
            that is followed is lost. The angle is in `where`.
        InputError: If an argument is out of range, or both `line` and `near` are given.

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
        names = ", ".join(DEFINITIONS)
        raise InputError("definition", given=definition, expected=f"one of {names}")
    with progress_bar("reading positions", len(spectra["angle"]), shown=progress) as advance:
        [found] = positions_by_definition(
            spectra,
            [definition],
            line=line,
            near=near,
            baseline=baseline,
            phase_deg=phase_deg,
            smoothing=smoothing,
            advance=advance,
        ).values()
    if isinstance(found, LineError):
        raise found
    return found


def positions_by_definition(
    spectra: "xr.Dataset",
    definitions: Sequence[str],
    *,
    line: str | None = None,
    near: float | None = None,
    baseline: int | str | None = None,
    phase_deg: float | None = None,
    smoothing: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, "LinePositions | LineError"]:
    """`line_positions` by several definitions, or the error in place of each.

    Lines are looked for once for all definitions that prepare the signal alike. `advance` is called
    after the first look at each spectrum.
    """
    check_selection(line, near)
    order, automatic = _order(spectra, baseline)
    chosen: dict[str, Any] = {"line": line or "only"} if near is None else {"near_mT": near}
    chosen |= automatic
    selections: dict[Preparation, list[SelectedLine] | LineError] = {}
    doubts: dict[Preparation, tuple[Flag, ...]] = {}
    found: dict[str, LinePositions | LineError] = {}
    copies = _copies(spectra)
    for definition in definitions:
        options = _Options(definition, order, phase_deg, smoothing)
        if options.preparation not in selections:
            tick = (lambda: None) if selections else advance
            try:
                selected = select_lines(spectra, options.preparation, line, near, tick)
            except LineError as error:
                selected = error
            selections[options.preparation] = selected
            doubts[options.preparation] = (
                () if isinstance(selected, LineError) else (*copies, *scatter_flags(selected))
            )
        selected = selections[options.preparation]
        found[definition] = (
            selected
            if isinstance(selected, LineError)
            else _located(spectra, options, selected, chosen, doubts[options.preparation])
        )
    return found


def _order(spectra: "xr.Dataset", baseline: int | str | None) -> tuple[int | None, dict[str, str]]:
    """The order of the baseline, and for the settings how it was chosen. Raises `InputError`."""
    if baseline == AUTO:
        return baseline_order(spectra), {"baseline_order": AUTO}
    if isinstance(baseline, str):
        raise InputError("baseline", given=baseline, expected="an order from 0 to 5, or auto")
    return baseline, {}


def _located(
    spectra: "xr.Dataset",
    options: _Options,
    selected: list[SelectedLine],
    chosen: Mapping[str, Any],
    doubts: tuple[Flag, ...],
) -> LinePositions | LineError:
    """The positions of the selected lines, or the error of the first angle without one."""
    angles = spectra["angle"].values
    found: list[Position] = []
    for angle, one in zip(angles, options.positions(selected), strict=True):
        if isinstance(one, LineError):
            return one.at(angle_place(angle))
        found.append(one)
    field, frequency = (
        np.array([one.position for one in found]) / 1e3,
        1e9 * spectra["frequency"].values,
    )
    return LinePositions(
        np.radians(angles),
        field,
        np.array([one.sigma for one in found]) / 1e3,
        np.array([one.width for one in found]) / 1e3,
        frequency,
        {**options.settings(), **chosen},
        (
            *doubts,
            *_leaps(angles, spectra["frequency"].values, found),
            *_broad(options.definition, found),
            *_sloping(found, options.baseline),
            *implausible_g(field, frequency),
        ),
        np.array([one.width_sigma for one in found]) / 1e3 if options.meaning.shape else None,
    )


def _copies(spectra: "xr.Dataset") -> tuple[Flag, ...]:
    """A flag for spectra that are there several times: no two measurements have the same noise."""
    angles, signal = spectra["angle"].values, spectra["signal"].values
    first: dict[bytes, int] = {}
    pairs = [
        (first[content], i)
        for i, content in enumerate(row.tobytes() for row in signal)
        if first.setdefault(content, i) != i
    ]
    if not pairs:
        return ()
    one, other = (angles[i] for i in pairs[0])
    message = (
        f"{len(pairs)} of {len(angles)} spectra are exact copies of others (those at {one:g}° and "
        f"{other:g}°, for example). Copies make the errors too small: remove them."
    )
    return (Flag("copies", message),)


def _broad(definition: str, found: list[Position]) -> tuple[Flag, ...]:
    """A flag for lines that reach zero field and are not fitted by a shape."""
    wide = [one for one in found if one.width > BROAD * abs(one.position)]
    if DEFINITIONS[definition].shape or not wide:
        return ()
    message = (
        f"{len(wide)} of {len(found)} lines reach zero field (one at {wide[0].position:.1f} mT is "
        f"{wide[0].width:.1f} mT wide). This shifts their {definition}. Use a line shape, such as "
        "lorentzian, as the definition."
    )
    return (Flag("broad-line", message),)


def _sloping(found: list[Position], baseline: int | None) -> tuple[Flag, ...]:
    """A flag for zero crossings that the ground under the line shifts."""
    shifted = [one for one in found if abs(one.shift) > max(SHIFTED * one.sigma, 1e3 * LEAST_SIGMA)]
    if not shifted:
        return ()
    most = max(shifted, key=lambda one: abs(one.shift))
    if baseline is None:
        remedy = (
            "Subtract the ground with a baseline of order 1 or a higher one, or of the order auto"
        )
    else:
        remedy = (
            f"The baseline of order {baseline} does not follow the ground: use order "
            f"{min(baseline + 1, ORDERS[-1])}, a higher one, or auto. If the sweep ends in the "
            "tails of the line, use none, or a line shape as the definition"
        )
    message = (
        f"{len(shifted)} of {len(found)} lines stand on a ground that shifts their zero crossing, "
        f"the one at {most.position:.2f} mT by about {most.shift:.2g} mT. {remedy}."
    )
    return (Flag("sloping-ground", message),)


def _leaps(angles: np.ndarray, frequency: np.ndarray, found: list[Position]) -> tuple[Flag, ...]:
    """A flag for steps between angles that are large compared with the line's width.

    Where both frequencies are known, the field is expected to be proportional to them.
    """
    at = np.array([one.position for one in found])
    width = np.array([one.width for one in found])
    ratio = frequency[1:] / frequency[:-1]
    expected = at[:-1] * np.where(np.isfinite(ratio), ratio, 1.0)
    far = np.flatnonzero(np.abs(at[1:] - expected) > LEAP * np.maximum(width[1:], width[:-1]))
    if not len(far):
        return ()
    i = far[0]
    message = (
        f"Between {angles[i]:g}° and {angles[i + 1]:g}° the line moves from {at[i]:.2f} to "
        f"{at[i + 1]:.2f} mT, more than {LEAP:g} widths ({len(far)} of {len(found) - 1} steps are "
        "that large). Is it the same line?"
    )
    if abs(expected[i] - at[i]) > width[i]:
        message += (
            f" The frequency changes from {frequency[i]:.4g} to {frequency[i + 1]:.4g} GHz, which "
            f"alone would move it to {expected[i]:.2f} mT."
        )
    return (Flag("line-jump", message),)


def _around(lines: Lines, index: int, shape: str) -> LineStart | LineError:
    """The samples around a line, for the fit of a shape."""
    position, width = float(lines.position[index]), float(lines.width[index])
    low, high = neighbours(lines, index)
    low, high = max(low, position - REACH * width), min(high, position + REACH * width)
    inside = (lines.field >= low) & (lines.field <= high)
    count = len(np.unique(lines.field[inside]))
    if count < LEAST_TO_FIT:
        return LineError(
            f"fields of samples around the line at {position:.6g} mT",
            given=count,
            expected=f"{LEAST_TO_FIT} or more to fit a shape",
            hint="Use {definition} = zero-crossing or midpoint",
        )
    start_width = SHAPES[shape].extrema_to_half * width
    return LineStart(lines.field[inside], lines.signal[inside], position, start_width)
