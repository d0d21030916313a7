"""One line of each spectrum of a rotation: the only one, the strongest, or one that is followed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..foundation.errors import InputError
from .lines import LEAST_SAMPLES, LineError, Lines, Preparation, find_lines


if TYPE_CHECKING:
    import xarray as xr

FAR = 5.0
"""A line that is more widths than this from the selected field is another line."""


class SelectedLine(NamedTuple):
    """The lines of a spectrum, and the number of the selected one, from 0."""

    lines: Lines
    number: int


def check_selection(line: str | None, near: float | None) -> None:
    """Raises `InputError` for an unclear choice of the line."""
    if near is not None and not np.isfinite(near):
        raise InputError("near", given=near, expected="a finite field in mT")
    if line not in (None, "strongest"):
        raise InputError("line", given=line, expected="'strongest'")
    if line and near is not None:
        raise InputError(
            "near", given=near, expected="no {strongest} beside it", hint="Leave out one of the two"
        )


def select_lines(
    spectra: "xr.Dataset",
    preparation: Preparation,
    line: str | None,
    near: float | None,
    advance: Callable[[], None],
) -> list[SelectedLine]:
    """One line of each spectrum, with signals scaled to 1.

    `line` and `near` are as for `line_positions`. `advance` is called after each spectrum. Raises
    `LineError`, with the angle in `where`.
    """
    selected: list[SelectedLine] = []
    at, reach, before = near, (-np.inf, np.inf), np.nan
    sweeps = zip(
        spectra["angle"].values, spectra["frequency"].values, each_sweep(spectra), strict=True
    )
    for angle, frequency, (field, signal) in sweeps:
        if at is not None and np.isfinite(frequency / before):  # the line moves with the frequency
            at, reach = (
                at * frequency / before,
                (reach[0] * frequency / before, reach[1] * frequency / before),
            )
        before = frequency
        try:
            if len(field) < LEAST_SAMPLES:
                raise LineError(
                    "samples in the sweep", given=len(field), expected=f"{LEAST_SAMPLES} or more"
                )
            scale = np.abs(signal).max() or 1.0
            lines = find_lines(field, signal / scale, preparation)
            index = choose(lines, line, at)
            if near is not None:
                _check_near(lines, index, near, at if selected else None, reach)
                at = float(lines.position[index])
                low, high = neighbours(lines, index)
                # a line that is followed stays on its side of zero field
                reach = (max(low, 0.0), high) if at > 0 else (low, min(high, 0.0))
            if not lines.width[index] > 0:
                raise LineError(
                    f"both extrema of the line lie at {lines.position[index]:.6g} mT",
                    hint="Remove repeated fields from the sweep",
                )
        except LineError as error:
            raise error.at(angle_place(angle)) from None
        selected.append(SelectedLine(lines, index))
        advance()
    return selected


def angle_place(angle: float) -> str:
    """A spectrum as a place in an error: its angle in degrees, which one alone may not have.

    >>> angle_place(30.0), angle_place(float("nan"))
    ('30°', 'the spectrum')
    """
    return "the spectrum" if np.isnan(angle) else f"{angle:g}°"


def _check_near(
    lines: Lines, index: int, near: float, before: float | None, reach: tuple[float, float]
) -> None:
    """Raise `LineError` for a line far from `near`, or (with `before`) not the one followed."""
    position, width = float(lines.position[index]), float(lines.width[index])
    if before is None and abs(position - near) > FAR * width:
        raise LineError(
            "near",
            given=float(near),
            expected=f"a field (mT) within {FAR:g} widths of a line",
            hint=f"The nearest line is at {position:.1f} mT",
        )
    if before is not None and not reach[0] < position < reach[1]:
        raise LineError(
            f"the followed line, last at {before:.1f} mT, is lost",
            hint=f"The nearest line, at {position:.1f} mT, may be another one. Leave out this "
            "angle, or follow another line with {near}",
        )


def choose(lines: Lines, line: str | None = None, near: float | None = None) -> int:
    """The index of the selected line. Raises `LineError` for no line, or an open choice."""
    if not len(lines):
        raise LineError(
            "no line above the noise",
            hint="If the ground slopes, use {baseline} 1, a higher order, or auto. Otherwise set "
            "{smoothing}, or leave out this spectrum",
        )
    if near is not None:
        return int(np.argmin(np.abs(lines.position - near)))
    # a sweep through zero field has each line twice; only a positive field can be fitted
    positive = lines.position > 0
    if line == "strongest":
        return int(np.argmax(np.where(positive | ~positive.any(), lines.height, -1)))
    if len(lines) == 1:
        return 0
    if _mirrored(lines) and positive.sum() == 1:
        return int(np.argmax(positive))
    first = ", ".join(f"{position:.1f}" for position in lines.position[:6])
    more = ", ..." if len(lines) > 6 else ""
    strongest = lines.position[np.argmax(lines.height)]
    raise LineError(
        f"{len(lines)} lines ({first}{more} mT)",
        expected="one line",
        hint=f"Select one with {{strongest}} or {{near}} = {strongest:.1f}",
    )


def _mirrored(lines: Lines) -> bool:
    """Whether there is a line at negative field for each one at positive field, and no other."""
    low, high = (np.sort(np.abs(p)) for p in (lines.position[lines.position < 0], lines.position))
    if 2 * len(low) != len(lines):
        return False
    return bool((np.abs(np.repeat(low, 2) - high) <= lines.width.max()).all())


def neighbours(lines: Lines, index: int) -> tuple[float, float]:
    """Midpoints to the next lines below and above; infinite for the outermost lines."""
    edges = np.concatenate([[-np.inf], (lines.position[1:] + lines.position[:-1]) / 2, [np.inf]])
    return float(edges[index]), float(edges[index + 1])


def each_sweep(spectra: "xr.Dataset") -> list[tuple[np.ndarray, np.ndarray]]:
    """Field (mT) and signal of each angle, without the NaN after the end of shorter sweeps."""
    signal = spectra["signal"].values
    field = np.broadcast_to(spectra["field"].values, signal.shape)
    sweeps = zip(field, signal, ~np.isnan(field), strict=True)
    # no copies of sweeps that are complete
    return [(f, s) if kept.all() else (f[kept], s[kept]) for f, s, kept in sweeps]
