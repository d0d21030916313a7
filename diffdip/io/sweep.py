"""One sweep of the field, as every reader of spectra returns it, and how its file is read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..foundation.errors import InputError
from .columns import ACCEPTED
from .text import read_regular


MAX_BYTES = 200_000_000
"""Larger files are refused: a sweep has thousands of samples, a rotation hundreds of sweeps."""

LEAST_SAMPLES = 4
"""Sweeps of fewer samples are refused."""

MAX_FIELD_MT = 1e5

Instrument = Mapping[str, str | float]


class SpectrumError(InputError):
    """Spectra that cannot be used. The message is one line: file, place, value, remedy."""


@dataclass(frozen=True)
class Sweep:
    """The signal over the field at one angle: degrees, GHz, mT, float64 arrays of shape (n,).

    `angle_deg` is None where the file does not state it, `frequency_ghz` NaN. `instrument` holds
    what the file says of the measurement, by name.
    """

    angle_deg: float | None
    frequency_ghz: float
    field_mt: np.ndarray
    signal: np.ndarray
    source: Path
    instrument: Instrument = field(default_factory=dict)


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """All bytes of a regular file. Raises `SpectrumError`, also beyond `limit` bytes."""
    expected = "a file of spectra"
    data = read_regular(path, limit, SpectrumError, expected)
    if len(data) > limit:
        raise SpectrumError(f"{path}: larger than {limit // 10**6} MB; expected {expected}")
    return data


def checked(sweep: Sweep) -> Sweep:
    """The sweep with its field upwards, if its numbers can be meant. Raises `SpectrumError`."""
    where = sweep.source
    if len(sweep.field_mt) < LEAST_SAMPLES:
        raise SpectrumError(
            f"{where}: {len(sweep.field_mt)} samples in a sweep; expected {LEAST_SAMPLES} or more"
        )
    _check_values(where, "field", sweep.field_mt, MAX_FIELD_MT, "fields within ±100 T")
    _check_values(where, "signal", sweep.signal, 1e100, "a finite signal")
    if not np.ptp(sweep.field_mt) > 0:
        raise SpectrumError(f"{where}: all fields are {sweep.field_mt[0]:g} mT; expected a sweep")
    if sweep.angle_deg is not None:
        _check_number(where, "angle", sweep.angle_deg, np.pi / 180, "°")
    if not np.isnan(sweep.frequency_ghz):
        _check_number(where, "frequency", sweep.frequency_ghz, 1e9, " GHz")
    if sweep.field_mt[0] <= sweep.field_mt[-1]:
        return sweep
    return Sweep(
        sweep.angle_deg,
        sweep.frequency_ghz,
        sweep.field_mt[::-1],
        sweep.signal[::-1],
        sweep.source,
        sweep.instrument,
    )


def common(sweeps: Iterable[Sweep]) -> dict[str, str | float]:
    """What the files of all sweeps say alike of the measurement."""
    first, *others = sweeps
    return {
        name: value
        for name, value in first.instrument.items()
        if all(other.instrument.get(name) == value for other in others)
    }


def _check_values(where: Path, name: str, values: np.ndarray, limit: float, expected: str) -> None:
    accepted = np.abs(values) <= limit
    if not accepted.all():
        first = int(np.argmin(accepted))
        raise SpectrumError(
            f"{where}: {name} {values[first]:g} of sample {first + 1}: expected {expected}"
        )


def _check_number(where: Path, name: str, value: float, scale: float, unit: str) -> None:
    accepts, expected = ACCEPTED[name]
    if not accepts(value * scale):
        raise SpectrumError(f"{where}: {name} {value:g}{unit}: expected {expected}")
