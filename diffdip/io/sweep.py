"""One sweep of the field, as every reader of spectra returns it, and the check of its numbers."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..foundation.errors import InputError
from ..spectra.field_sweeps import PARTIAL, field_runs
from ..spectra.mixed_sweeps import are_mixed, samples_by_field
from .column_meanings import ACCEPTED, shown
from .input_files import all_bytes, without_dos_end


MAX_BYTES = 200_000_000
"""Larger files are refused: a sweep has thousands of samples, a rotation hundreds of sweeps."""

BOM = b"\xef\xbb\xbf"
"""Mark at the start of a text in UTF-8."""

LEAST_SAMPLES = 4
"""Sweeps of fewer samples are refused."""

MAX_FIELD_MT = 1e5
"""Larger fields are refused: the value or its unit is a mistake."""

WHOLE = 0.9
"""A sweep over a smaller part of the common field was stopped."""

LEAP = 50
"""A step of the field that is this many times the usual one, and over half of the sweep, gets a
note: the unit may change there."""

HELD = 1e-4
"""A field that varies by no more than this part of it is held, and drifts."""

Instrument = Mapping[str, str | float]


class SpectrumError(InputError):
    """Spectra cannot be used. The file and the place in it are in `where`."""


@dataclass(frozen=True)
class Sweep:
    """The signal over the field at one angle.

    Args:
        angle_deg: Angle in degrees; None where the file does not state it.
        frequency_ghz: Frequency in GHz; NaN where the file does not state it, 0 where a counter was
            off.
        field_mt: Field in mT, float64 of shape (n,).
        signal: Signal as recorded, float64 of shape (n,).
        source: The file.
        instrument: What the file says about the measurement, by name.
        angle_from: What states the angle, for example "entry GAN".
        axis: The axis of the field as the file writes it, for example "Field [G]".
        label: The name of the measurement in a file of several.
        direction: 1 for a sweep up, -1 for one down, as recorded.
        notes: Sentences on how the file was read that its user must know.
        ignored: What is in the file and not used.
    """

    angle_deg: float | None
    frequency_ghz: float
    field_mt: np.ndarray
    signal: np.ndarray
    source: Path
    instrument: Instrument = field(default_factory=dict)
    angle_from: str = ""
    axis: str = ""
    label: str = ""
    direction: int = 1
    notes: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """All bytes of a regular file. Raises `SpectrumError`, also beyond `limit` bytes."""
    return all_bytes(path, limit, SpectrumError, "a file of spectra")


def read_text(path: Path, limit: int = MAX_BYTES) -> str:
    """The text of a file in UTF-8 or else Latin-1, without the marks of its begin and end.

    Raises `SpectrumError` as `read_bytes` does.
    """
    data = without_dos_end(read_bytes(path, limit)).removeprefix(BOM)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def checked(sweep: Sweep) -> list[Sweep]:
    """The sweep with ascending field, or each run of a field that goes up and down.

    Raises `SpectrumError` for numbers that must be mistakes.
    """
    count = len(sweep.field_mt)
    if count < LEAST_SAMPLES:
        raise SpectrumError("samples in a sweep", given=count, expected=f"{LEAST_SAMPLES} or more")
    _check_values("field (mT)", sweep.field_mt, MAX_FIELD_MT, "a field within ±100 T")
    _check_values("signal", sweep.signal, 1e100, "a finite number up to 1e100")
    width, highest = np.ptp(sweep.field_mt), np.abs(sweep.field_mt).max()
    if not width > HELD * highest:
        told = f"all fields are {sweep.field_mt[0]:g} mT"
        if width > 0:
            told = f"the field varies by {width:.2g} mT only, at {highest:.6g} mT"
        raise SpectrumError(told, expected="a sweep of the field, which is not held")
    if sweep.angle_deg is not None:
        _check_number("angle", sweep.angle_deg, np.pi / 180, "°")
    if sweep.frequency_ghz == 0:  # the counter was off
        sweep = replace(sweep, frequency_ghz=np.nan)
    if not np.isnan(sweep.frequency_ghz):
        _check_number("frequency", sweep.frequency_ghz, 1e9, "GHz")
    return _runs(sweep)


def _runs(sweep: Sweep) -> list[Sweep]:
    """The runs of the field in one direction, each with ascending field. Raises `SpectrumError`."""
    try:
        runs = field_runs(sweep.field_mt)
    except InputError as error:
        raise error.as_category(SpectrumError) from None
    if len(runs) == 1:
        return [_unmixed(_ascending(sweep))]
    whole = np.ptp(sweep.field_mt)
    kept = [
        run
        for run in runs
        if len(sweep.field_mt[run]) >= LEAST_SAMPLES
        and np.ptp(sweep.field_mt[run]) >= PARTIAL * whole
    ]
    if not kept:
        raise SpectrumError(
            f"the field runs in {len(runs)} parts, of which none covers half of its range",
            expected="a sweep of the field, up or down",
        )
    times = "once" if len(runs) == 2 else f"{len(runs) - 1} times"
    note = f"the field turns {times}: the file has {len(kept)} sweeps"
    if len(kept) < len(runs):
        note += f", and {len(runs) - len(kept)} part of one, which is left out"
    return [
        _unmixed(
            _ascending(
                replace(
                    sweep,
                    field_mt=sweep.field_mt[run],
                    signal=sweep.signal[run],
                    notes=(*sweep.notes, note),
                )
            )
        )
        for run in kept
    ]


def _ascending(sweep: Sweep) -> Sweep:
    """The sweep with its direction, and with the samples of a sweep down reversed."""
    if sweep.field_mt[0] <= sweep.field_mt[-1]:
        return sweep
    return replace(
        sweep, field_mt=sweep.field_mt[::-1], signal=sweep.signal[::-1], direction=-sweep.direction
    )


def _unmixed(sweep: Sweep) -> Sweep:
    """The sweep, with a note if its samples may be those of several sweeps, sorted by field.

    Raises `SpectrumError` if they are at the same fields and differ beyond noise.
    """
    order = np.argsort(sweep.field_mt, kind="stable")
    field_mt, signal = sweep.field_mt[order], sweep.signal[order]
    times = samples_by_field(field_mt)
    mixed = are_mixed(field_mt, signal)
    if mixed and times > 1:
        raise SpectrumError(
            f"each field is there {times} times with signals that differ by more than noise: "
            "sweeps up and down, sorted by field",
            expected="one sweep after the other",
            hint="Export the table in the order of recording, or add a column direction with up "
            "and down",
        )
    notes = (*sweep.notes, *_leap(field_mt))
    if mixed:
        notes = (
            *notes,
            "neighbouring samples lie on two curves in turn, as if sweeps up and down were mixed: "
            "they count as one sweep",
        )
    elif times > 1:
        notes = (
            *notes,
            f"each field is there {times} times: all samples count as one sweep. If these are "
            "sweeps up and down, add a column direction",
        )
    return replace(sweep, notes=notes)


def _leap(field_mt: np.ndarray) -> list[str]:
    """A note if ascending fields leap once over most of the sweep."""
    steps = np.diff(field_mt)
    at, usual = int(np.argmax(steps)), float(np.median(steps))
    if not (usual > 0 and steps[at] > max(LEAP * usual, 0.5 * np.ptp(field_mt))):
        return []
    return [
        f"the field leaps from {field_mt[at]:.6g} to {field_mt[at + 1]:.6g} mT, while its usual "
        f"step is {usual:.2g} mT"
    ]


def without_stopped(sweeps: Sequence[Sweep]) -> tuple[list[Sweep], list[str]]:
    """The sweeps without the last one if that was stopped, and a note.

    Its fields are the first ones of the field that two or more other sweeps have.
    """
    kept = list(sweeps)
    fields = Counter(sweep.field_mt.tobytes() for sweep in kept)
    [(common_field, count)] = fields.most_common(1)
    stopped = [sweep for sweep in kept if _is_start(sweep, np.frombuffer(common_field))]
    if count < 2 or len(stopped) != 1:
        return kept, []
    [sweep] = stopped
    if sweep is not kept[-1]:
        return list(sweeps), []
    note = (
        f"{shown(sweep.source.name)} has {len(sweep.field_mt)} of "
        f"{len(common_field) // 8} samples, from {sweep.field_mt[0]:.6g} to "
        f"{sweep.field_mt[-1]:.6g} mT: the sweep was stopped and is left out"
    )
    return [one for one in kept if one is not sweep], [note]


def _is_start(sweep: Sweep, whole: np.ndarray) -> bool:
    """Whether a sweep has less than nine tenths of these fields, without the last ones."""
    count = len(sweep.field_mt)
    if count >= WHOLE * len(whole):
        return False
    part = whole[:count] if sweep.direction == 1 else whole[len(whole) - count :]
    return np.array_equal(sweep.field_mt, part)


def common(sweeps: Iterable[Sweep]) -> dict[str, str | float]:
    """Entries on the measurement that are equal in the files of all sweeps."""
    first, *others = sweeps
    return {
        name: value
        for name, value in first.instrument.items()
        if all(other.instrument.get(name) == value for other in others)
    }


def _check_values(what: str, values: np.ndarray, limit: float, expected: str) -> None:
    """Raises `SpectrumError` with the first value that is not finite or beyond the limit."""
    accepted = np.abs(values) <= limit
    if not accepted.all():
        first = int(np.argmin(accepted))
        raise SpectrumError(
            what, given=float(values[first]), expected=expected, where=(f"sample {first + 1}",)
        )


def _check_number(quantity: str, value: float, scale: float, unit: str) -> None:
    """Raises `SpectrumError` for an angle or frequency out of range."""
    accepted = ACCEPTED[quantity]
    if not accepted.holds(value * scale):
        raise SpectrumError(
            f"{quantity} of a sweep ({unit})", given=float(value), expected=accepted.expected
        )
