"""Bruker BES3T files: a descriptor (.DSC), the signal (.DTA), and axes of unequal steps.

The real part of complex data is used.
"""

from pathlib import Path

import numpy as np

from .bruker_descriptors import (
    MAX_POINTS,
    TESLA_IN_MT,
    Descriptor,
    companion,
    descriptor_lines,
    read_array,
    rotation,
    scale,
)
from .sweep import SpectrumError, Sweep


FORMATS = {"C": "i1", "S": "i2", "I": "i4", "F": "f4", "D": "f8"}
"""Types of numbers in data files, by the letter in the descriptor."""

ORDERS = {"BIG": ">", "LIT": "<"}


def is_bes3t(head: bytes) -> bool:
    """Whether a file that starts with these bytes is a BES3T descriptor."""
    return head.lstrip().startswith(b"#DESC")


def read_bes3t(path: Path) -> list[Sweep]:
    """Read the measurement that a .DSC file describes: one sweep, or one for each angle.

    Raises `InputError` with the entry, or the file beside it.
    """
    descriptor = Descriptor(path, _entries(path))
    points = descriptor.count("XPTS")
    rows = _length(descriptor, "Y")
    parts = {"REAL": 1, "CPLX": 2}.get(descriptor.text("IKKF", "REAL"))
    if parts is None:
        raise descriptor.refused("IKKF", "one signal, REAL or CPLX")
    if _length(descriptor, "Z") > 1:
        raise descriptor.refused("ZTYP", "NODATA, for axes of field and angle only")
    count = points * rows * parts
    if count > MAX_POINTS:
        raise SpectrumError(f"{points} × {rows} samples", expected=f"up to {MAX_POINTS}")
    signal = read_array(companion(path, ".dta"), _dtype(descriptor, "IRFMT"), count)[::parts]
    field_mt = _axis(descriptor, "X", "field", TESLA_IN_MT, points)
    angle_deg = None
    if descriptor.text("YTYP", "NODATA") != "NODATA":
        angle_deg = _axis(descriptor, "Y", "angle", np.degrees(1), rows)
    return rotation(descriptor, field_mt, angle_deg, signal, _frequency(descriptor))


def _entries(path: Path) -> list[tuple[str, str]]:
    """Names and values of the descriptor."""
    found = []
    for line in descriptor_lines(path):
        words = line.split(None, 1)
        if words and words[0][0] not in "*#.":
            found.append((words[0], words[1].strip().strip("'") if words[1:] else ""))
    return found


def _length(descriptor: Descriptor, axis: str) -> int:
    """Number of points along an axis, 1 without it."""
    return (
        1 if descriptor.text(f"{axis}TYP", "NODATA") == "NODATA" else descriptor.count(f"{axis}PTS")
    )


def _dtype(descriptor: Descriptor, entry: str) -> str:
    """The type of numbers in a data file. Raises `SpectrumError`."""
    letter, order = descriptor.text(entry, "D"), descriptor.text("BSEQ", "BIG")
    if letter not in FORMATS:
        raise descriptor.refused(entry, f"one of {', '.join(FORMATS)}")
    if order not in ORDERS:
        raise descriptor.refused("BSEQ", f"one of {', '.join(ORDERS)}")
    return ORDERS[order] + FORMATS[letter]


def _axis(
    descriptor: Descriptor, axis: str, quantity: str, per_si: float, count: int
) -> np.ndarray:
    """The values along an axis: equal steps, or the values of a separate file."""
    name, unit = (descriptor.text(f"{axis}{part}") for part in ("NAM", "UNI"))
    per_unit = per_si * scale(quantity, name, unit.strip("'"))
    kind = descriptor.text(f"{axis}TYP", "IDX")
    if kind == "IGD":
        path = companion(descriptor.path, f".{axis.lower()}gf")
        return per_unit * read_array(path, _dtype(descriptor, f"{axis}FMT"), count)
    if kind != "IDX":
        raise descriptor.refused(f"{axis}TYP", "IDX or IGD")
    return per_unit * descriptor.axis(f"{axis}MIN", f"{axis}WID", count)


def _frequency(descriptor: Descriptor) -> float:
    """The frequency in GHz: from the entry in Hz, or else the reading of the counter."""
    if descriptor.text("MWFQ"):
        return descriptor.number("MWFQ") / 1e9
    if descriptor.text("FrequencyMon").endswith("GHz"):
        return descriptor.number("FrequencyMon")
    return np.nan
