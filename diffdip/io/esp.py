"""Bruker ESP and WinEPR files: a descriptor (.par) and the signal (.spc).

WinEPR writes little-endian float32 and the entry `DOS Format`; ESP wrote big-endian int32. ESP left
out entries with their default: the number of points, then found from the size of the .spc, and the
width of 50 G.
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
from .input_files import as_place, inside
from .sweep import BOM, LEAST_SAMPLES, SpectrumError, Sweep, read_bytes


_HEAD = re.compile(
    rb"(?:[ \t]*(?:\*[^\r\n]*)?[\r\n]+)*+\s*"
    rb"(?:DOS[ \t]+Format|[A-Z][A-Z0-9]{1,3}[ \t][^\r\n]*)[\r\n]"
)
_ENTRY = re.compile(rb"[\r\n](JSS|ANZ|SSX|RES|HCF|GST|JEX|JON|JUN)[ \t]")

COMPLEX, TWO_AXES = 1 << 4, 1 << 12
"""Bits of the entry JSS."""

FIELD_SCANS = ("", "fieldsweep", "field", "epr", "cw", "cwepr")
"""Experiments (JEX) over the field, in small letters without marks."""

DEFAULT_WIDTH = 50.0
"""Width of the field in G that ESP does not write."""

APART = 0.02
"""Two sets of entries whose fields differ by more than this part of the width get a note."""


def is_esp(head: bytes) -> bool:
    """Whether a file that starts with these bytes is a descriptor of ESP or WinEPR."""
    head = head.removeprefix(BOM)
    return bool(_HEAD.match(head) and _ENTRY.search(b"\n" + head))


def read_esp(path: Path) -> list[Sweep]:
    """Read the measurement that a .par file describes: one sweep, or one for each angle.

    Raises `InputError` with the entry, or the file beside it.
    """
    descriptor = Descriptor(path, _entries(path))
    if not descriptor.entries:
        raise SpectrumError(
            "no entries, such as GST or HCF",
            expected="a descriptor of Bruker ESP or WinEPR",
            hint="Copy the file again",
        )
    flags = int(descriptor.number("JSS")) if descriptor.text("JSS") else 0
    experiment = descriptor.text("JEX")
    if re.sub(r"[\W_]+", "", experiment.casefold()) not in FIELD_SCANS:
        raise SpectrumError(
            "entry JEX",
            given=experiment,
            expected="a sweep of the field",
            hint="Spectra over a time or a radio frequency have no resonance field",
        )
    if flags & COMPLEX:
        raise SpectrumError("entry JSS", given=flags, expected="a real signal, not complex data")
    dtype = "<f4" if "DOS" in descriptor.entries else ">i4"
    angle_deg, angle, angle_from = None, None, f"axis {_axis_name(descriptor) or 'XY'}"
    rows = 1
    if flags & TWO_AXES:
        points, rows = descriptor.count("SSX"), descriptor.count("SSY")
        per_unit = axis_scale("angle", _axis_name(descriptor), descriptor.text("XYUN"))
        angle_deg = np.degrees(per_unit) * descriptor.axis("XYLB", "XYWI", rows)
    else:
        points = _points(descriptor, path)
        angle, angle_from = stated_angle(descriptor)
    if points * rows > MAX_POINTS:
        raise SpectrumError(f"{points} × {rows} samples", expected=f"up to {MAX_POINTS}")
    field_mt, unit, notes = _field(descriptor, points)
    count, row = points * rows, points if angle_deg is not None else 0
    signal = read_array(companion(path, ".spc"), dtype, count, row)
    template = Sweep(
        angle,
        descriptor.number("MF") if descriptor.text("MF") else np.nan,
        field_mt,
        signal,
        path,
        descriptor.instrument(),
        angle_from=angle_from,
        axis=f"{experiment or 'field'} [{unit}]",
        notes=tuple(notes),
    )
    return rotation(template, angle_deg, signal)


def _entries(path: Path) -> list[tuple[str, str]]:
    """Names and values of the descriptor."""
    lines = [line.partition(" ") for line in descriptor_lines(path)]
    return [(n.strip(), v.strip()) for n, _, v in lines if n.strip() and not n.startswith("*")]


def _axis_name(descriptor: Descriptor) -> str:
    """The name of the second axis."""
    return re.sub(r"(?i)[-_ ]sweep$", "", descriptor.text("JEY"))


def _points(descriptor: Descriptor, path: Path) -> int:
    """The number of samples of one sweep. Raises `SpectrumError`."""
    stated = [descriptor.count(name) for name in ("ANZ", "RES", "XPLS") if descriptor.text(name)]
    data = companion(path, ".spc")
    with inside(as_place(data.name)):
        size = len(read_bytes(data))
    if stated:
        count = next((count for count in stated if 4 * count == size), stated[0])
        _check_one_sweep(descriptor, count)
        return count
    count, odd = divmod(size, 4)
    if odd or count < 256 or count & (count - 1):
        raise SpectrumError(
            "no entry ANZ or RES for the number of points",
            expected=f"a power of two in {shown(data.name)}, which has {size} bytes",
            hint="The file is cut off or belongs to another measurement: copy it again",
        )
    return count


def _check_one_sweep(descriptor: Descriptor, count: int) -> None:
    """Raise `SpectrumError` if the samples are those of several sweeps."""
    for name in ("SSX", "RES", "XPLS"):
        one = descriptor.count(name) if descriptor.text(name).strip() not in ("", "0") else count
        if LEAST_SAMPLES <= one < count and count % one == 0:
            raise SpectrumError(
                f"{count} samples, and entry {name} = {one}",
                expected="one sweep, or a second axis, which entry JSS states",
                hint="Save each sweep of the series to its own file",
            )


def _field(descriptor: Descriptor, points: int) -> tuple[np.ndarray, str, list[str]]:
    """The fields in mT, their unit in the file, and notes.

    They follow from the first complete set of entries: XXLB and XXWI, GST and GSI, HCF and HSW,
    where a missing width is 50 G.
    """
    units = [unit for unit in (descriptor.text("XXUN"), descriptor.text("JUN")) if unit.strip()]
    unit = units[0] if units else "G"
    scales = [TESLA_IN_MT * axis_scale("field", "field", one) for one in units or ["G"]]
    if scales[0] != scales[-1]:
        raise SpectrumError("entries XXUN and JUN", given=tuple(units), expected="one unit")
    sets = {
        f"{low} and {width}": scales[0] * descriptor.axis(low, width, points)
        for low, width in (("XXLB", "XXWI"), ("GST", "GSI"))
        if descriptor.text(low) and descriptor.text(width)
    }
    if descriptor.text("HCF") and (descriptor.text("HSW") or not sets):
        width = descriptor.number("HSW") if descriptor.text("HSW") else DEFAULT_WIDTH
        steps = width * np.linspace(-0.5, 0.5, points)
        # these are settings of the magnet, in G whatever the unit of the axis
        sets["HCF and HSW"] = 0.1 * (descriptor.number("HCF") + steps)
    if not sets and descriptor.text("GST"):
        steps = DEFAULT_WIDTH * np.linspace(0, 1, points)
        sets["GST"] = scales[0] * descriptor.number("GST") + 0.1 * steps
    if not sets:
        descriptor.number("HCF")
    (taken, field), *others = sets.items()
    notes = [
        f"{name} give {other[0]:.5g} to {other[-1]:.5g} mT, {taken} {field[0]:.5g} to "
        f"{field[-1]:.5g} mT: {taken} are used"
        for name, other in others
        if np.abs(other[[0, -1]] - field[[0, -1]]).max() > APART * np.ptp(field)
    ]
    return field, unit, notes
