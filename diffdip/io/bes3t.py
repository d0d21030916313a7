"""Bruker BES3T files: a descriptor (.DSC), the signal (.DTA), and axes of unequal steps.

The real part of complex data is used.
"""

import re
from pathlib import Path

import numpy as np

from .bruker_axes import axis_scale, stated_angle
from .bruker_descriptors import (
    MAX_POINTS,
    TESLA_IN_MT,
    Descriptor,
    companion,
    descriptor_lines,
    read_array,
    rotation,
)
from .column_meanings import shown
from .sweep import BOM, SpectrumError, Sweep


FORMATS = {"C": "i1", "S": "i2", "I": "i4", "F": "f4", "D": "f8"}
"""Types of numbers in data files, by the letter in the descriptor."""

ORDERS = {"BIG": ">", "LIT": "<"}

ASSUMED = {
    "BSEQ": "the bytes of the numbers are read from the highest to the lowest",
    "IRFMT": "the numbers are read as floats of eight bytes",
}
"""Entries on the data file without which it could be read in several ways."""

CENTRED = 0.05
"""Ends of the sweep that differ from the settings by more than this part of it get a note."""

APART = 1e-3
"""Two frequencies that differ by more than this part get a note."""


_HEAD = re.compile(rb"(?:[ \t]*(?:\*[^\r\n]*)?[\r\n]+)*+\s*#DESC\b")
"""Lines of comment, then the first layer of a descriptor."""


def is_bes3t(head: bytes) -> bool:
    """Whether a file that starts with these bytes is a BES3T descriptor."""
    return _HEAD.match(head.removeprefix(BOM)) is not None


def read_bes3t(path: Path) -> list[Sweep]:
    """Read the measurement that a .DSC file describes: one sweep, or one for each angle.

    Raises `InputError` with the entry, or the file beside it.
    """
    descriptor = Descriptor(path, _entries(path))
    if not descriptor.text("XPTS"):
        raise SpectrumError(
            "no entry XPTS", expected="a descriptor of Bruker Xepr", hint="Copy it again"
        )
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
    field_mt = _axis(descriptor, "X", "field", TESLA_IN_MT, points)
    angle_deg, angle, angle_from = None, None, f"axis {descriptor.text('YNAM')}"
    if descriptor.text("YTYP", "NODATA") != "NODATA":
        angle_deg = _axis(descriptor, "Y", "angle", np.degrees(1), rows)
    else:
        angle, angle_from = stated_angle(descriptor)
    row = points * parts if angle_deg is not None else 0
    signal = read_array(companion(path, ".dta"), _dtype(descriptor, "IRFMT"), count, row)[::parts]
    frequency, notes = _frequency(descriptor)
    notes += _contradictions(descriptor, field_mt)
    notes += [
        f"no entry {name}: {told}" for name, told in ASSUMED.items() if not descriptor.text(name)
    ]
    notes += [note for axis in "XY" for note in _ends(descriptor, axis)]
    if parts == 2:
        notes.append("the data are complex: the real part is used")
    template = Sweep(
        angle,
        frequency,
        field_mt,
        signal,
        path,
        descriptor.instrument(),
        angle_from=angle_from,
        axis=f"{descriptor.text('XNAM')} [{descriptor.text('XUNI')}]",
        notes=tuple(notes),
        ignored=("imaginary part",) * (parts == 2),
    )
    return rotation(template, angle_deg, signal)


def _entries(path: Path) -> list[tuple[str, str]]:
    """Names and values of the descriptor; entries of a device also as `device.name`."""
    found = []
    device = ""
    for line in descriptor_lines(path):
        words = line.split(None, 1)
        if not words:
            continue
        rest = words[1].strip() if words[1:] else ""
        if words[0] == ".DVC":
            device = rest.partition(",")[0].strip()
        elif words[0].startswith("#"):
            device = ""
        elif words[0][0] not in "*.":
            value = rest.strip("'")
            found.append((words[0], value))
            if device:
                found.append((f"{device}.{words[0]}", value))
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
    per_unit = per_si * axis_scale(quantity, name, unit)
    kind = descriptor.text(f"{axis}TYP", "IDX")
    if kind == "IGD":
        path = companion(descriptor.path, f".{axis.lower()}gf")
        return per_unit * read_array(path, _dtype(descriptor, f"{axis}FMT"), count)
    if kind != "IDX":
        raise descriptor.refused(f"{axis}TYP", "IDX or IGD")
    return per_unit * descriptor.axis(f"{axis}MIN", f"{axis}WID", count)


def _ends(descriptor: Descriptor, axis: str) -> list[str]:
    """A note if the file of an axis has other ends than the entries state."""
    start, width = (f"{axis}{part}" for part in ("MIN", "WID"))
    stated = descriptor.text(f"{axis}TYP") == "IGD" and descriptor.text(start)
    if not stated or not descriptor.text(width):
        return []
    path = companion(descriptor.path, f".{axis.lower()}gf")
    found = read_array(path, _dtype(descriptor, f"{axis}FMT"), _length(descriptor, axis))[[0, -1]]
    ends = descriptor.axis(start, width, 2)
    if np.abs(found - ends).max() <= CENTRED * np.ptp(found):
        return []
    return [
        f"{start} and {width} give {ends[0]:.5g} to {ends[1]:.5g}, {shown(path.name)} "
        f"{found[0]:.5g} to {found[1]:.5g}: {shown(path.name)} is used"
    ]


def _contradictions(descriptor: Descriptor, field_mt: np.ndarray) -> list[str]:
    """Notes on settings of the field controller that differ from the axis."""
    notes = []
    direction = descriptor.text("fieldCtrl.SweepDirection", "Up")
    if direction.casefold() != "up":
        notes.append(f"SweepDirection is {shown(direction)}: the fields are those of the axis")
    settings = [descriptor.text(f"fieldCtrl.{name}") for name in ("CenterField", "SweepWidth")]
    if not all(text.endswith(" G") for text in settings):
        return notes
    centre, width = (
        0.1 * descriptor.number(f"fieldCtrl.{name}") for name in ("CenterField", "SweepWidth")
    )
    ends = centre - width / 2, centre + width / 2
    low, high = sorted(field_mt[[0, -1]])
    if width > 0 and max(abs(low - ends[0]), abs(high - ends[1])) > CENTRED * width:
        notes.append(
            f"CenterField and SweepWidth give {ends[0]:.5g} to {ends[1]:.5g} mT, the axis "
            f"{low:.5g} to {high:.5g} mT: the axis is used"
        )
    return notes


def _frequency(descriptor: Descriptor) -> tuple[float, list[str]]:
    """The frequency in GHz, and a note if the entry and the counter differ.

    It is the entry in Hz, or else the reading of the counter. 0 means that the counter was off.
    """
    entry = descriptor.number("MWFQ") / 1e9 if descriptor.text("MWFQ") else 0.0
    reading = 0.0
    if descriptor.text("FrequencyMon").endswith("GHz"):
        reading = descriptor.number("FrequencyMon")
    notes = []
    if entry and reading and abs(entry - reading) > APART * abs(entry):
        notes.append(f"MWFQ is {entry:.6g} GHz, FrequencyMon {reading:.6g} GHz: MWFQ is used")
    return entry or reading or np.nan, notes
