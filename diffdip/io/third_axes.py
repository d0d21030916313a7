"""Columns of a table of spectra that are not used, and whether one of them is a further axis."""

from collections.abc import Sequence

import numpy as np

from ..foundation.errors import InputError
from ..spectra.field_sweeps import field_runs
from .column_meanings import column_name, field_unit, shown
from .sweep import SpectrumError


REPEATED = 0.3
"""If more of the neighbouring fields are equal, a column that changes among them is an axis."""

MOSTLY = 0.5
"""Words that change between more than this part of equal neighbouring fields are an axis."""

SAME_FIELD = 0.002
"""Two columns of fields that differ by more than this part of the sweep get a note."""

MOST_COLUMNS = 20
"""At most this number of unused columns is looked at."""


def check_third_axis(field_mt: np.ndarray, others: dict[str, np.ndarray]) -> tuple[str, ...]:
    """Notes on columns that change within a sweep and are not used.

    Raises `SpectrumError` for a column that has one value in each run of the field, or that changes
    at equal fields: the spectra depend on it. Words may also be a clock, remarks, or the direction
    of a sweep: they count where two runs in one direction differ in them, or where they change at
    most of the fields that are repeated.

    Args:
        field_mt: Fields of the rows of one sweep, as far as the columns in use tell.
        others: The numbers of columns that are not used, by header.
    """
    if len(field_mt) < 2 or not np.isfinite(field_mt).all():
        return ()
    try:
        runs = field_runs(field_mt) if np.ptp(field_mt) > 0 else []
    except InputError:
        runs = []  # refused later, for the field
    equal = np.diff(field_mt) == 0
    notes = []
    for header, cells in others.items():
        are_words = cells.dtype.kind == "U"
        values = _ranks(cells) if are_words else cells
        changes = np.diff(values) != 0
        if not changes.any():
            continue
        if (np.diff(values) > 0).all() or (np.diff(values) < 0).all():
            # a count or a clock that runs through, or another field
            notes += [] if are_words else _other_field(field_mt, header, values)
            continue
        steps = [values[run] for run in runs]
        by_run = len(steps) > 1 and all(np.ptp(step) == 0 for step in steps)
        at_field = equal.mean() > REPEATED and changes[equal].any()
        if are_words:
            by_run = by_run and _same_direction_twice(field_mt, runs)
            runs_through = (np.diff(values) >= 0).all()
            at_field = at_field and not runs_through and changes[equal].mean() > MOSTLY
        if by_run or at_field:
            told = ", ".join(
                shown(str(one)) if are_words else f"{one:g}" for one in np.unique(cells)[:4]
            )
            raise SpectrumError(
                f"{column_name(header)} is a further axis: the field is swept at {told}",
                expected="axes of field and angle only",
                hint="Save the sweeps at one of these values; an angle needs a name like angle_deg",
            )
        notes.append(f"column {shown(header)} changes within the sweep and is not used")
    return tuple(notes)


def _ranks(words: np.ndarray) -> np.ndarray:
    """Numbers for words, by their first appearance."""
    rank = {word: i for i, word in enumerate(dict.fromkeys(words.tolist()))}
    return np.array([rank[word] for word in words.tolist()])


def _same_direction_twice(field_mt: np.ndarray, runs: Sequence[slice]) -> bool:
    """Whether two runs of the field go in the same direction."""
    ends = [field_mt[run][[0, -1]] for run in runs]
    up = [bool(last > first) for first, last in ends]
    return len(up) > len(set(up))


def _other_field(field_mt: np.ndarray, header: str, values: np.ndarray) -> list[str]:
    """A note if a column is a field by its unit, and not the one that is used."""
    scale = field_unit(header)
    if scale is None:
        return []
    apart = np.abs(1e3 * scale * values - field_mt).max()
    if apart <= SAME_FIELD * np.ptp(field_mt):
        return []
    return [f"column {shown(header)} differs by up to {apart:.4g} mT from the field that is used"]


def recording_order(
    field_mt: np.ndarray, others: dict[str, np.ndarray]
) -> tuple[np.ndarray, str] | None:
    """The order in which rows that are sorted by field were recorded, and the column that gives it.

    A count or a clock does, if in its order the field goes up and down in whole sweeps. None if no
    column does.

    >>> recording_order(np.array([1.0, 1, 2, 2, 3]), {"no": np.array([1.0, 5, 2, 4, 3])})
    (array([0, 2, 4, 3, 1]), 'no')
    """
    if len(field_mt) < 2 or not (np.diff(field_mt) >= 0).all() or not np.ptp(field_mt) > 0:
        return None
    for header, values in others.items():
        if values.dtype.kind == "U":
            continue
        order = np.argsort(values, kind="stable")
        if (np.diff(values) > 0).all() or not (np.diff(values[order]) > 0).all():
            continue  # the order of the file, or no clock
        recorded = field_mt[order]
        try:
            runs = field_runs(recorded)
        except InputError:
            continue
        steps = [np.diff(recorded[run]) for run in runs]
        if len(runs) > 1 and all((step > 0).all() or (step < 0).all() for step in steps):
            return order, header
    return None
