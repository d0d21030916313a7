"""One sweep of the field, as every reader of spectra returns it, and the check of its numbers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..foundation.errors import InputError
from .column_meanings import ACCEPTED
from .input_files import all_bytes


MAX_BYTES = 200_000_000
"""Larger files are refused: a sweep has thousands of samples, a rotation hundreds of sweeps."""

LEAST_SAMPLES = 4
"""Sweeps of fewer samples are refused."""

MAX_FIELD_MT = 1e5
"""Larger fields are refused: the value or its unit is a mistake."""

Instrument = Mapping[str, str | float]


class SpectrumError(InputError):
    """Spectra cannot be used. The file and the place in it are in `where`."""


@dataclass(frozen=True)
class Sweep:
    """The signal over the field at one angle.

    Args:
        angle_deg: Angle in degrees; None where the file does not state it.
        frequency_ghz: Frequency in GHz; NaN where the file does not state it.
        field_mt: Field in mT, float64 of shape (n,).
        signal: Signal as recorded, float64 of shape (n,).
        source: The file.
        instrument: What the file says about the measurement, by name.
    """

    angle_deg: float | None
    frequency_ghz: float
    field_mt: np.ndarray
    signal: np.ndarray
    source: Path
    instrument: Instrument = field(default_factory=dict)


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """All bytes of a regular file. Raises `SpectrumError`, also beyond `limit` bytes."""
    return all_bytes(path, limit, SpectrumError, "a file of spectra")


def checked(sweep: Sweep) -> Sweep:
    """The sweep with ascending field. Raises `SpectrumError` for numbers that must be mistakes."""
    count = len(sweep.field_mt)
    if count < LEAST_SAMPLES:
        raise SpectrumError("samples in a sweep", given=count, expected=f"{LEAST_SAMPLES} or more")
    _check_values("field (mT)", sweep.field_mt, MAX_FIELD_MT, "a field within ±100 T")
    _check_values("signal", sweep.signal, 1e100, "a finite number up to 1e100")
    if not np.ptp(sweep.field_mt) > 0:
        raise SpectrumError(
            f"all fields are {sweep.field_mt[0]:g} mT", expected="a sweep of the field"
        )
    if sweep.angle_deg is not None:
        _check_number("angle", sweep.angle_deg, np.pi / 180, "°")
    if not np.isnan(sweep.frequency_ghz):
        _check_number("frequency", sweep.frequency_ghz, 1e9, "GHz")
    if sweep.field_mt[0] <= sweep.field_mt[-1]:
        return sweep
    return replace(sweep, field_mt=sweep.field_mt[::-1], signal=sweep.signal[::-1])


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
