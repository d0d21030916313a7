"""Bruker ESP and WinEPR files: a descriptor (.par) and the signal (.spc).

WinEPR writes little-endian float32 and the entry `DOS Format`; ESP wrote big-endian int32.
"""

import re
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


_HEAD = re.compile(rb"\A\s*(DOS[ \t]+Format|[A-Z][A-Z0-9]{1,3}[ \t][^\r\n]*)[\r\n]")
_ENTRY = re.compile(rb"[\r\n](JSS|ANZ|SSX|RES|HCF|GST|JEX|JON)[ \t]")

COMPLEX, TWO_AXES = 1 << 4, 1 << 12
"""Bits of the entry JSS."""


def is_esp(head: bytes) -> bool:
    """Whether a file that starts with these bytes is a descriptor of ESP or WinEPR."""
    return bool(_HEAD.match(head) and _ENTRY.search(head))


def read_esp(path: Path) -> list[Sweep]:
    """Read the measurement that a .par file describes: one sweep, or one for each angle.

    Raises `InputError` with the entry, or the file beside it.
    """
    descriptor = Descriptor(path, _entries(path))
    flags = int(descriptor.count("JSS")) if descriptor.text("JSS", "0").strip() != "0" else 0
    if flags & COMPLEX:
        raise SpectrumError("entry JSS", given=flags, expected="a real signal, not complex data")
    angle_deg = None
    if flags & TWO_AXES:
        points, rows = descriptor.count("SSX"), descriptor.count("SSY")
        per_unit = scale("angle", _axis_name(descriptor), descriptor.text("XYUN"))
        angle_deg = np.degrees(per_unit) * descriptor.axis("XYLB", "XYWI", rows)
    else:
        points, rows = descriptor.count("ANZ" if descriptor.text("ANZ") else "RES"), 1
    if points * rows > MAX_POINTS:
        raise SpectrumError(f"{points} × {rows} samples", expected=f"up to {MAX_POINTS}")
    dtype = "<f4" if "DOS" in descriptor.entries else ">i4"
    signal = read_array(companion(path, ".spc"), dtype, points * rows)
    frequency = descriptor.number("MF") if descriptor.text("MF") else np.nan
    return rotation(descriptor, _field_mt(descriptor, points), angle_deg, signal, frequency)


def _entries(path: Path) -> list[tuple[str, str]]:
    """Names and values of the descriptor."""
    lines = [line.partition(" ") for line in descriptor_lines(path)]
    return [(name.strip(), value.strip()) for name, _, value in lines if name.strip()]


def _axis_name(descriptor: Descriptor) -> str:
    """The name of the second axis."""
    return descriptor.text("JEY").removesuffix("-sweep")


def _field_mt(descriptor: Descriptor, points: int) -> np.ndarray:
    """The fields in mT, from the first set of entries that the descriptor has."""
    if descriptor.text("XXLB") and descriptor.text("XXWI"):
        per_unit = scale("field", "field", descriptor.text("XXUN", "G"))
        return TESLA_IN_MT * per_unit * descriptor.axis("XXLB", "XXWI", points)
    if descriptor.text("GST"):
        return 0.1 * descriptor.axis("GST", "GSI", points)
    centre, width = descriptor.number("HCF"), descriptor.number("HSW")
    return 0.1 * (centre + width * np.linspace(-0.5, 0.5, points))
