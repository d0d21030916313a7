"""The angle of each sweep: from its file, from the name of the file, or as the user says."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..foundation.errors import InputError
from .angles import (
    REMEDY,
    NamedAngle,
    angle_by_pattern,
    angle_in_name,
    natural_order,
    same_direction,
)
from .column_meanings import TableError, shown
from .sweep import SpectrumError, Sweep
from .unlabelled_angles import check_degrees, check_no_count


_RESULT = re.compile(r"(?P<stem>.*?)[ _-]+(?:result|average|averaged|avg|mean)", re.IGNORECASE)
_RUN = re.compile(r"(?P<stem>.*?)[ _-]+(?:run[ _-]?)?\d+", re.IGNORECASE)

SURE = ("axis", "header")
"""What states an angle of each sweep, and is not left at 0 by an unused goniometer."""

_UNIT = re.compile(r"deg|dg|grad|rad|°|º", re.IGNORECASE)

ROUNDING = 1e-6
"""A signal within this part of its range of the mean of others is their mean."""


@dataclass(frozen=True)
class AngleChoice:
    """How sweeps get their angles.

    Args:
        listed: Angles in degrees in the order of the files, or None.
        pattern: Regular expression that finds the angle in a name, or None.
        needed: Whether a sweep without an angle is an error.
    """

    listed: tuple[float, ...] | None = None
    pattern: str | None = None
    needed: bool = True


STATED_OR_NAMED = AngleChoice()
"""The angle that a file states, else the one in its name."""


@dataclass(frozen=True)
class Unnamed:
    """A sweep whose angle cannot be found, and why."""

    sweep: Sweep
    error: InputError

    @property
    def source(self) -> Path:
        """The file."""
        return self.sweep.source


@dataclass(frozen=True)
class Named:
    """Sweeps with their angles, and notes on where these came from."""

    sweeps: Sequence[Sweep | Unnamed]
    notes: tuple[str, ...]


def with_angles(sweeps: Sequence[Sweep], choice: AngleChoice, *, many: bool) -> Named:
    """Sweeps as they were read, each with its angle.

    A single sweep whose file and name do not state an angle gets None.

    Args:
        sweeps: Sweeps as read, in the order of the files.
        choice: What the user says about the angles.
        many: Whether they are from several files, which then must have angles.
    """
    sweeps, notes = without_runs(sweeps)
    found = _found(sweeps, choice, notes, many=many)
    if choice.needed:
        return found
    kept = [
        replace(one.sweep, angle_deg=None, notes=(*one.sweep.notes, str(one.error)))
        if isinstance(one, Unnamed)
        else one
        for one in found.sweeps
    ]
    return Named(kept, found.notes)


def _found(
    sweeps: Sequence[Sweep], choice: AngleChoice, notes: Sequence[str], *, many: bool
) -> Named:
    """The sweeps with the angles that can be found."""
    if choice.listed is not None:
        return _listed(sweeps, choice.listed, notes)
    if choice.pattern is not None:
        return _by_pattern(sweeps, choice.pattern, notes)
    names = _names(sweeps)
    held = _held_throughout(sweeps, names)
    if held is not None:
        sweeps, note = held
        notes = [*notes, note]
    found: list[Sweep | Unnamed] = []
    differing: list[str] = []
    for sweep, name in zip(sweeps, names, strict=True):
        try:
            named = angle_in_name(name)
        except InputError as error:
            if not _is_stated(sweep):
                found.append(Unnamed(sweep, error))
                continue
            named = None
        if _is_stated(sweep):
            if named is not None and not same_direction(named.degrees, sweep.angle_deg or 0.0):
                differing.append(_difference(sweep, named))
            found.append(sweep)
        elif named is not None:
            found.append(_renamed(sweep, named))
        elif not many and len(sweeps) == 1:
            found.append(replace(sweep, angle_deg=None, angle_from=""))
        else:
            error = SpectrumError(
                "no angle in the file or its name",
                hint=f"{REMEDY}. A text file may have a comment such as '# angle = 10 deg'",
            )
            found.append(Unnamed(sweep, error))
    if differing:
        more = f" ({len(differing)} files differ like this)" if len(differing) > 1 else ""
        notes = [*notes, f"{differing[0]}: the angle in the file is used{more}"]
    if choice.needed:
        _check_units(found)
    return Named(found, tuple(notes))


def _names(sweeps: Sequence[Sweep]) -> list[str]:
    """The name in which the angle of each sweep is searched.

    It is that of the file, or of the measurement if a file has several. A sweep up and one down are
    one measurement.
    """
    of_file = Counter((sweep.source, sweep.direction) for sweep in sweeps)
    labels = Counter((sweep.source, sweep.direction, sweep.label) for sweep in sweeps)
    names = []
    for sweep in sweeps:
        key = (sweep.source, sweep.direction)
        if of_file[key] == 1:
            names.append(sweep.source.stem)
        else:
            names.append(sweep.label if labels[(*key, sweep.label)] == 1 else "")
    return names


def _check_units(found: Sequence[Sweep | Unnamed]) -> None:
    """Raise `SpectrumError` for angles without a unit that look like radians or a count."""
    for start, subject in (("name,", "the angle in the names"), ("comment", "the angle")):
        members = [
            sweep
            for sweep in found
            if isinstance(sweep, Sweep)
            and sweep.angle_from.startswith(start)
            and not _UNIT.search(sweep.angle_from)
        ]
        degrees = np.array([sweep.angle_deg for sweep in members], float)
        try:
            check_degrees(subject, degrees)
            if start == "name,":
                check_no_count(subject, degrees)
        except TableError as error:
            error.hint = REMEDY
            raise error.as_category(SpectrumError) from None


def _is_stated(sweep: Sweep) -> bool:
    return sweep.angle_deg is not None and not np.isnan(sweep.angle_deg)


def _difference(sweep: Sweep, named: NamedAngle) -> str:
    origin = sweep.angle_from or "in the file"
    return (
        f"{shown(sweep.source.name)} states {sweep.angle_deg:g}° ({origin}), its name "
        f"{named.degrees:g}° ({named.part!r})"
    )


def _renamed(sweep: Sweep, named: NamedAngle) -> Sweep:
    return replace(sweep, angle_deg=named.degrees, angle_from=f"name, {named.part!r}")


def _held_throughout(
    sweeps: Sequence[Sweep], names: Sequence[str]
) -> tuple[list[Sweep], str] | None:
    """Sweeps with the angles of their names, and a note, if all files state the same angle.

    A goniometer that is not used stands still, most often at 0.
    """
    stated = {sweep.angle_deg for sweep in sweeps}
    # a column of one file is meant; columns of several files repeat what the instrument wrote
    sure = SURE if len({sweep.source for sweep in sweeps}) > 1 else (*SURE, "column")
    if len(stated) != 1 or any(sweep.angle_from.startswith(sure) for sweep in sweeps):
        return None
    held = stated.pop()
    if held is None or np.isnan(held):
        return None
    try:
        named = [angle_in_name(name) for name in names]
    except InputError:
        return None
    known = [one for one in named if one is not None]
    distinct = {one.degrees for one in known}
    moved = len(distinct) > 1 or (held == 0 and distinct != {0})
    if len(known) < len(sweeps) or not moved:
        return None
    entry = sweeps[0].angle_from or "the angle"
    where = "all files" if len(sweeps) > 1 else "the file"
    note = (
        f"{entry} is {held + 0.0:g} in {where}: the angles are from the names, "
        f"{known[-1].degrees:g}° from {known[-1].part!r} for example"
    )
    return [_renamed(s, n) for s, n in zip(sweeps, known, strict=True)], note


def _listed(sweeps: Sequence[Sweep], listed: tuple[float, ...], notes: Sequence[str]) -> Named:
    """Sweeps with the listed angles, in the natural order of the names of their files."""
    ordered = sorted(sweeps, key=lambda sweep: natural_order(sweep.source.name))
    if len(ordered) != len(listed):
        raise SpectrumError(
            "number of angles",
            given=len(listed),
            expected=f"{len(ordered)}, one for each spectrum",
            hint="Change {angles}",
        )
    stated = [
        (sweep, angle)
        for sweep, angle in zip(ordered, listed, strict=True)
        if _is_stated(sweep) and not same_direction(sweep.angle_deg or 0.0, angle)
    ]
    told = [*notes]
    if stated:
        sweep, angle = stated[0]
        told.append(
            f"{shown(sweep.source.name)} states {sweep.angle_deg:g}°: the given {angle:g}° is used"
            + (f" ({len(stated)} files differ like this)" if len(stated) > 1 else "")
        )
    first, last = ordered[0].source.name, ordered[-1].source.name
    if first != last:
        told.append(f"angles as given, from {shown(first)} to {shown(last)}")
    return Named(
        [replace(s, angle_deg=a, angle_from="given") for s, a in zip(ordered, listed, strict=True)],
        tuple(told),
    )


def _by_pattern(sweeps: Sequence[Sweep], pattern: str, notes: Sequence[str]) -> Named:
    """Sweeps with the angles that a regular expression finds in the names of their files."""
    found: list[Sweep | Unnamed] = []
    differing: list[str] = []
    of_file = Counter(sweep.source for sweep in sweeps)
    for sweep in sweeps:
        if of_file[sweep.source] > 1:
            error = SpectrumError("several spectra", expected="one in a file, for {angle_from}")
            found.append(Unnamed(sweep, error))
            continue
        try:
            named = angle_by_pattern(sweep.source.stem, pattern)
        except InputError as error:
            found.append(Unnamed(sweep, error))
            continue
        if _is_stated(sweep) and not same_direction(named.degrees, sweep.angle_deg or 0.0):
            differing.append(_difference(sweep, named))
        found.append(_renamed(sweep, named))
    if differing:
        notes = [*notes, f"{differing[0]}: the name is used"]
    return Named(found, tuple(notes))


def without_runs(sweeps: Sequence[Sweep]) -> tuple[list[Sweep], list[str]]:
    """The sweeps without the runs whose average is among them, and a note.

    It is found by names (`film_1`, `film_2`, `film_result`), and by a signal that is the mean or
    the sum of others at its angle.
    """
    of_file = Counter(sweep.source for sweep in sweeps)
    names = [
        (sweep.source.stem if of_file[sweep.source] == 1 else sweep.label)[:255] for sweep in sweeps
    ]
    # a series film_1, film_2 … over the angle is not a set of runs, so the angles must agree too
    series = [(sweep.angle_deg, _angle_or_none(sweep.source.stem)) for sweep in sweeps]
    results = {
        (m["stem"], angles)
        for name, angles in zip(names, series, strict=True)
        if angles != (None, None) and (m := _RESULT.fullmatch(name))
    }
    runs = {
        i
        for i, (name, angles) in enumerate(zip(names, series, strict=True))
        if results and (m := _RUN.fullmatch(name)) and (m["stem"], angles) in results
    }
    angles = [
        named if sweep.angle_deg is None else sweep.angle_deg
        for sweep, (_, named) in zip(sweeps, series, strict=True)
    ]
    runs |= _averaged([i for i in range(len(sweeps)) if i not in runs], sweeps, angles)
    if not runs:
        return list(sweeps), []
    first = names[min(runs)]
    note = (
        f"{len(runs)} runs such as {shown(first)} are left out: their averages are among the "
        "spectra"
    )
    return [sweep for i, sweep in enumerate(sweeps) if i not in runs], [note]


def _angle_or_none(stem: str) -> float | None:
    """The angle in a name; None without an angle, or if it is ambiguous."""
    try:
        named = angle_in_name(stem)
    except InputError:
        return None
    return None if named is None else named.degrees


def _averaged(
    indices: Sequence[int], sweeps: Sequence[Sweep], angles: Sequence[float | None]
) -> set[int]:
    """The sweeps whose mean or sum is another sweep of the same angle and fields."""
    groups: dict[tuple[float | None, bytes], list[int]] = {}
    for i in indices:
        sweep = sweeps[i]
        if angles[i] is not None:
            key = (angles[i], np.asarray(sweep.field_mt, float).tobytes())
            groups.setdefault(key, []).append(i)
    found: set[int] = set()
    for members in groups.values():
        if not 3 <= len(members) <= 1000:
            continue
        signals = np.stack([sweeps[i].signal for i in members])
        sums = signals.sum(axis=0) - signals
        scale = np.ptp(signals, axis=1)
        count = len(members) - 1
        apart = [np.abs(signals - other).max(axis=1) for other in (sums, sums / count)]
        means = np.flatnonzero(np.minimum(*apart) <= ROUNDING * scale)
        # copies are all each other's mean: these are reported as copies
        if len(means) == 1:
            found |= {i for k, i in enumerate(members) if k != means[0]}
    return found
