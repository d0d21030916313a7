"""Sweeps of JEOL spectrometers (JES-FA, JES-X3): binary files without an ending.

Blocks of fixed lengths, with text that begins with a short tag (`uF9459.341`, `UFMHz`), and the
data at the end: the first channel, and for complex data the second one, as float32. The first
channel is read. Places of the blocks: as EasySpin's `eprload` and the sample files have them.
"""

import re
import struct
from pathlib import Path

import numpy as np

from .column_meanings import shown, unit_scale
from .sweep import SpectrumError, Sweep, read_bytes


MAX_BYTES = 40_000_000

DATA_SETS, LENGTH, KIND, OFFSET, X_UNIT = 0x58, 0x5C, 0x60, 0x70, 0x78
FREQUENCY, FREQUENCY_UNIT, ANGLE = 0x1BF4, 0x1C04, 0x1D26
"""Places in the file."""

PARTS = {"real": 1, "complex": 2}
"""Channels by the kind of the data."""

BEFORE_DATA, BEFORE_ENDOR = 0x251C, 0x2854
"""Bytes before the data of a recorded sweep, and of an ENDOR spectrum."""

PROCESSED = {
    **dict.fromkeys(("xZero", "yGain", "xShift", "reverse"), 4),
    "yZero": 160,
    "fill": 12,
    "window": 80,
    "diff": 32,
    "inte": 32,
    "smooth": 16,
    "phase": 808,
    "hw": 40,
}
"""Bytes more before the data of a processed sweep, by the name of the last process."""

MAX_SAMPLES = 1_000_000


def is_jeol(head: bytes) -> bool:
    """Whether a file that starts with these bytes is from a JEOL spectrometer."""
    if len(head) < 0x90 or not re.match(rb"[A-Za-z0-9]{2,15}\x00", head):
        return False
    sets, length = struct.unpack_from("<2i", head, DATA_SETS)
    kind = _text(head, KIND, 15)
    return sets >= 1 and length >= 1 and kind in (*PARTS, "imagi") and bool(_text(head, X_UNIT, 16))


def read_jeol(path: Path) -> list[Sweep]:
    """Read one file: one sweep, with the angle of the goniometer if the file has one.

    Raises `SpectrumError`.
    """
    data = read_bytes(path, MAX_BYTES)
    if len(data) < BEFORE_DATA:
        raise SpectrumError(
            "number of bytes", given=len(data), expected=f"more than {BEFORE_DATA}, a whole file"
        )
    unit = _text(data, X_UNIT, 16)
    try:
        per_unit = unit_scale("axis", "field", unit)
    except ValueError:
        raise SpectrumError(
            f"axis in {shown(unit)}",
            expected="a sweep of the field",
            hint="ENDOR and time sweeps have no resonance field",
        ) from None
    sets, length = struct.unpack_from("<2i", data, DATA_SETS)
    if sets != 1:
        raise SpectrumError(
            "data sets in the file",
            given=sets,
            expected="one sweep",
            hint="Save each sweep of a series to its own file",
        )
    signal = _signal(data, length)
    start, span = struct.unpack_from("<2f", data, OFFSET)
    if not (np.isfinite([start, span]).all() and span != 0):
        raise SpectrumError("range of the axis", given=span, expected="a finite width")
    field_mt = 1e3 * per_unit * (start + span * np.linspace(0, 1, length))
    frequency = _frequency(data)
    about = _about(data)
    return [Sweep(_angle(data), frequency, field_mt, signal, path, about, angle_from="entry uD")]


def _signal(data: bytes, length: int) -> np.ndarray:
    """The first channel of the data. Raises `SpectrumError`."""
    kind, process = _text(data, KIND, 15), _text(data, 0, 16)
    if kind not in PARTS:
        raise SpectrumError("kind of the data", given=kind, expected=f"one of {', '.join(PARTS)}")
    if not 1 <= length <= MAX_SAMPLES:
        raise SpectrumError("samples", given=length, expected=f"from 1 to {MAX_SAMPLES}")
    start = BEFORE_ENDOR if process == "endor" else BEFORE_DATA + PROCESSED.get(process, 0)
    expected = start + 4 * length * PARTS[kind]
    if len(data) != expected:
        raise SpectrumError(
            "number of bytes",
            given=len(data),
            expected=f"{expected}, as the head declares",
            hint="The file is cut off, or was processed in a way that is not known: save the "
            "recorded sweep",
        )
    return np.frombuffer(data, "<f4", length, start).astype(float)


def _text(data: bytes, at: int, length: int) -> str:
    """Printable text at a place, which ends with a zero byte or a fill byte."""
    part = data[at : at + length].split(b"\x00")[0].split(b"\xcd")[0]
    text = part.decode("latin-1").strip()
    return text if text.isprintable() else ""


def _frequency(data: bytes) -> float:
    """The frequency in GHz; NaN where the file has none. Raises `InputError`."""
    text, unit = _text(data, FREQUENCY, 16), _text(data, FREQUENCY_UNIT, 8)
    match = re.fullmatch(r"uF\s*(\d+(?:\.\d*)?)", text)
    if match is None or not float(match[1]):
        return np.nan
    name = "microwave frequency"
    return float(match[1]) * unit_scale(name, "frequency", unit.removeprefix("UF")) / 1e9


def _angle(data: bytes) -> float | None:
    """The angle of the goniometer in degrees; None without one, or if it stands at 0.

    A spectrometer without a goniometer also writes 0.
    """
    match = re.fullmatch(r"uD\s*([-+]?\d+(?:\.\d*)?)", _text(data, ANGLE, 10))
    return (float(match[1]) or None) if match else None


def _about(data: bytes) -> dict[str, str | float]:
    """Entries on the instrument."""
    places = {"SpectrometerType": (0x18AC, 12), "Version": (0x1174, 16), "Process": (0, 16)}
    found = {name: _text(data, *place) for name, place in places.items()}
    return {name: text for name, text in found.items() if text}
