"""Measurements of SpecMan4EPR: a description (.exp) and the signal (.d01).

The data file begins with the number of streams and the type of numbers (0: float64, 1: float32);
for each stream there are the number of axes, four lengths and the number of values; then come the
values. The description names the swept variables in its section `sweep`, and their values in
`params`, as in `B0 = 280 mT to 360 mT;...`. The first stream is read.
If another stream is the measured field and differs from the one that is set, it is the field.
"""

import re
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .bruker_descriptors import MAX_POINTS, companion
from .column_meanings import SERIES_NAMES, quantity_of, shown, unit_scale
from .input_files import as_place, inside
from .sweep import BOM, SpectrumError, Sweep, read_bytes, read_text


MAX_DESCRIPTION = 1_000_000

MAX_STREAMS = 64

SWEPT = ("X", "Y", "Z")
"""First letters of the kinds of a sweep that make an axis of the data."""

PREFIXES = {"p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}

FIELD_UNITS = ("G", "mT", "T", "kG", "Oe")
"""Units of a stream that is the measured field."""

APART = 0.02
"""A measured field that differs by more than this part of the sweep is used."""

DEGREES = {"deg": 1.0, "°": 1.0, "rad": np.degrees(1)}
"""Degrees per unit of an angle."""

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_VALUE = re.compile(rf"\s*({_NUMBER})\s*([A-Za-z%°]*)\s*")
_SECTION = re.compile(r"\s*\[(.*)\]\s*")

Sections = dict[str, dict[str, str]]


class Axis(NamedTuple):
    """A swept variable: name, values, and their unit without an SI prefix."""

    name: str
    values: np.ndarray
    unit: str


def is_specman(head: bytes) -> bool:
    """Whether a file that starts with these bytes is a description of SpecMan4EPR."""
    start = head.removeprefix(BOM).lstrip()
    return start.startswith(b"[general]") and b"\n[sweep]" in head


def read_specman(path: Path) -> list[Sweep]:
    """Read the measurement that an .exp file describes: one sweep, or one for each angle.

    Raises `InputError` with the entry, or the file beside it.
    """
    sections = _sections(read_text(path, MAX_DESCRIPTION))
    axes = _axes(sections)
    if not axes:
        raise SpectrumError("no variable is swept", expected="a sweep of the field")
    along = [axis for axis in axes if axis.unit in ("G", "T", "Oe")]
    if len(along) != 1:
        names = ", ".join(shown(axis.name) for axis in axes)
        raise SpectrumError(
            f"swept: {names}", expected="a sweep of the field, in G or T, alone or over angles"
        )
    [field] = along
    others = [axis for axis in axes if axis is not field]
    for axis in others:
        if len(others) > 1 or axis.unit not in DEGREES or not _is_angle(axis.name):
            raise SpectrumError(
                f"axis {shown(axis.name)} beside the field", expected="only the angle of a rotation"
            )
    shape = tuple(len(axis.values) for axis in axes)
    data = companion(path, ".d01")
    with inside(as_place(data.name)):
        content = read_bytes(data)
        signal = _stream(content, shape, 0)
        measured = _measured_field(sections, content, shape)
    if others:
        signal = np.moveaxis(signal, axes.index(field), -1)
        measured = None if measured is None else np.moveaxis(measured, axes.index(field), -1)
    angles = [None]
    if others:
        angles = (others[0].values * DEGREES[others[0].unit]).tolist()
    rows = signal.reshape(len(angles), len(field.values))
    field_mt = 1e3 * unit_scale(f"axis {shown(field.name)}", "field", field.unit) * field.values
    fields = np.broadcast_to(field_mt, rows.shape)
    notes: tuple[str, ...] = ()
    if measured is not None:
        measured = measured.reshape(rows.shape)
        if np.abs(measured - field_mt).max() > APART * np.ptp(field_mt):
            notes = (
                f"{shown(field.name)} is set from {field_mt[0]:.6g} to {field_mt[-1]:.6g} mT, but "
                f"measured from {measured.min():.6g} to {measured.max():.6g} mT: the measured "
                "field is used",
            )
            fields = measured
    about = {f"{s}_{n}": v for s in ("general", "params") for n, v in sections.get(s, {}).items()}
    frequency = _frequency(sections.get("params", {}))
    return [
        Sweep(angle, frequency, along, row, path, about, notes=notes)
        for angle, along, row in zip(angles, fields, rows, strict=True)
    ]


def _is_angle(name: str) -> bool:
    """Whether a variable is the angle of the sample, and not that of a pulse or a phase."""
    return quantity_of(name) == "angle" or "gonio" in name.casefold()


def _sections(text: str) -> Sections:
    """Names and values by section; the first of each name counts."""
    found: Sections = {}
    entries = found.setdefault("", {})
    for line in text.splitlines():
        if match := _SECTION.fullmatch(line):
            entries = found.setdefault(match[1].strip(), {})
        elif "=" in line and not line.lstrip().startswith("%"):
            name, _, value = line.partition("=")
            entries.setdefault(name.strip(), value.strip())
    return found


def _axes(sections: Sections) -> list[Axis]:
    """The swept variables in the order of the axes of the data. Raises `SpectrumError`."""
    sweeps, params = sections.get("sweep", {}), sections.get("params", {})
    axes = []
    for name, text in sweeps.items():
        cells = [cell.strip() for cell in text.split(",")]
        if not name.startswith(("sweep", "transient")):
            continue
        if name == "transient":
            # T is recorded against time; I and A are integrated or averaged, S and R too
            if cells[0] == "T" and cells[1:2] != ["1"]:
                raise SpectrumError(
                    f"entry {name}", given=text, expected="one value for each field"
                )
            continue
        if not cells[0].startswith(SWEPT):
            continue
        count = _count(name, text, cells)
        if count == 1:
            continue
        variable = cells[3] if len(cells) > 3 else ""
        if variable not in params:
            raise SpectrumError(f"no entry {shown(variable)} in params", expected="its values")
        with inside(f"params {shown(variable)}"):
            values, unit = _range(params[variable], count)
        axes.append(Axis(variable, values, unit))
    return axes


def _count(name: str, text: str, cells: list[str]) -> int:
    """The number of values of a sweep. Raises `SpectrumError`."""
    word = cells[1] if len(cells) > 1 else ""
    if not re.fullmatch(r"\d{1,9}", word) or not 1 <= int(word) <= MAX_POINTS:
        raise SpectrumError(f"entry {name}", given=text, expected="a number of values")
    return int(word)


def _range(text: str, count: int) -> tuple[np.ndarray, str]:
    """`count` values, and their unit, from `a to b`, `a logto b`, `a step b` or a list."""
    stated = text.partition(";")[0]
    for word in ("logto", "step", "to"):
        first, found, last = stated.partition(f" {word} ")
        if not found:
            continue
        (low, unit), (high, other) = _value(first), _value(last)
        if unit != other and (other or _written_unit(first) != unit):  # 280 mT to 360: mT or T?
            raise SpectrumError(
                "units",
                given=(unit, other),
                expected="the same unit twice",
                hint="Write the unit after both values",
            )
        if word == "step":
            return low + high * np.arange(count), unit
        if word == "to":
            return np.linspace(low, high, count), unit
        if not (low > 0 and high > 0):
            raise SpectrumError("range", given=stated, expected="values above 0")
        return np.geomspace(low, high, count), unit
    pairs = [_value(part) for part in stated.split(",")[: count + 1] if part.strip()]
    units = {unit for _, unit in pairs}
    if len(pairs) != count or len(units) != 1:
        raise SpectrumError("values", given=len(pairs), expected=f"{count} with the same unit")
    return np.array([value for value, _ in pairs]), units.pop()


def _value(text: str) -> tuple[float, str]:
    """A number, its unit without SI prefix: `280 mT` is 0.28, `T`. Raises `SpectrumError`."""
    match = _VALUE.fullmatch(text[:100])
    if match is None:
        raise SpectrumError("value", given=text, expected="a number with its unit")
    value, unit = float(match[1]), match[2]
    if len(unit) > 1 and unit[0] in PREFIXES and unit not in ("deg", "min"):
        return value * PREFIXES[unit[0]], unit[1:]
    return value, unit


def _written_unit(text: str) -> str:
    """The unit of a number as it is written; "" without one."""
    match = _VALUE.fullmatch(text[:100])
    return match[2] if match else ""


def _measured_field(sections: Sections, data: bytes, shape: tuple[int, ...]) -> np.ndarray | None:
    """The field in mT as a stream has measured it; None without such a stream."""
    units = [unit.strip() for unit in sections.get("streams", {}).get("units", "").split(",")]
    found = [i for i, unit in enumerate(units) if unit in FIELD_UNITS]
    if len(found) != 1:
        return None
    try:
        values = _stream(data, shape, found[0])
    except SpectrumError:  # of another shape, so not for each sample
        return None
    return 1e3 * unit_scale("stream", "field", units[found[0]]) * values


def _stream(data: bytes, shape: tuple[int, ...], number: int) -> np.ndarray:
    """The values of a stream, of this shape. Raises `SpectrumError`."""
    if len(data) < 8:
        raise SpectrumError("number of bytes", given=len(data), expected="a whole file")
    streams, kind = struct.unpack_from("<2I", data)
    head = 8 + 24 * streams
    if not 1 <= streams <= MAX_STREAMS or kind not in (0, 1) or len(data) < head:
        raise SpectrumError(
            "streams and type", given=(streams, kind), expected="up to 64 streams, of type 0 or 1"
        )
    table = [struct.unpack_from("<6i", data, 8 + 24 * i) for i in range(streams)]
    size = (8, 4)[kind]
    totals = [row[5] for row in table]
    expected = head + size * sum(totals)
    if min(totals) < 0 or len(data) != expected:
        raise SpectrumError(
            "number of bytes",
            given=len(data),
            expected=f"{expected}, as the file declares",
            hint="The file is cut off: copy it again",
        )
    if number >= streams:
        raise SpectrumError("streams", given=streams, expected=f"{number + 1} or more")
    count, *lengths, total = table[number]
    declared = tuple(n for n in lengths[: min(max(count, 0), 4)] if n != 1)
    if declared != shape or total != int(np.prod(shape)):
        raise SpectrumError(
            "lengths of the axes", given=declared, expected=f"{shape}, as the description declares"
        )
    # the first axis varies fastest
    start = head + size * sum(totals[:number])
    values = np.frombuffer(data, f"<f{size}", total, start).astype(float)
    return values.reshape(shape, order="F")


def _frequency(params: dict[str, str]) -> float:
    """The microwave frequency in GHz, if one constant variable has its name; else NaN."""
    found = []
    for name, text in params.items():
        plain = re.sub(r"[\W_]+", "", name.casefold())
        match = _VALUE.fullmatch(text.partition(";")[0][:100])
        if match and SERIES_NAMES.get(plain) == "frequency" and match[2].endswith("Hz"):
            found.append(_value(match[0])[0] / 1e9)
    return found[0] if len(found) == 1 and found[0] > 0 else np.nan
