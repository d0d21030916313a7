"""Sweeps of Adani (Linev) spectrometers: text files `.dat`, and JSON files of e-Spinoza.

A JSON file has several numbers for each field. In older files these are samples over one period of
the modulation, and the signal is their sum, weighted by a sine with the phase of the file. In newer
ones there are two: the parts in phase and in quadrature, which the phase turns into one.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from .column_meanings import shown, unit_scale
from .delimited_text import POINT, Marks, in_row, to_number
from .json_files import entry, instrument, json_document, number, numbers, optional
from .stated_values import stated_number
from .sweep import BOM, SpectrumError, Sweep, read_text


MAX_BYTES = 20_000_000

_HEAD = re.compile(rb"\s*=+ Parameters: =+")
_ENTRY = re.compile(r"\s*(?P<name>[^:=]+?)\s*:\s*(?P<value>.*\S)\s*")
_QUANTITY = re.compile(r"(?P<number>[-+]?[\d.,]+)\s*(?P<unit>\S*)")

APART = 0.02
"""The fields of the table may differ from the stated ones by this part of the sweep."""


def is_adani_text(head: bytes) -> bool:
    """Whether a file that starts with these bytes is a `.dat` file of an Adani spectrometer."""
    return bool(_HEAD.match(head.removeprefix(BOM)))


def is_adani_json(head: bytes) -> bool:
    """Whether a file that starts with these bytes is a JSON file of e-Spinoza."""
    start = head.removeprefix(BOM).lstrip()
    return start.startswith(b"{") and all(
        name in head for name in (b'"ExperimentOptions"', b'"CenterMagneticField"')
    )


def read_adani_text(path: Path) -> list[Sweep]:
    """Read one `.dat` file: one sweep, without an angle. Raises `SpectrumError`."""
    lines = read_text(path, MAX_BYTES).splitlines()
    rule = next((i for i, line in enumerate(lines[1:], 1) if line.startswith("=====")), None)
    if rule is None:
        raise SpectrumError("no line of = after the parameters", hint="Copy the file again")
    matches = [_ENTRY.fullmatch(line) for line in lines[1:rule]]
    entries = {m["name"]: m["value"] for m in matches if m}
    rows = [(i, line) for i, line in enumerate(lines[rule + 1 :], rule + 2) if line.strip()]
    table = np.array([_row(i, line) for i, line in rows]).reshape(-1, 3)
    centre, width = (_quantity(entries, name, "field") for name in ("Center field", "Sweep width"))
    per_tesla = _per_unit(entries, "Center field")
    field_mt = 1e3 * per_tesla * table[:, 1]
    _check_range(field_mt, 1e3 * centre, 1e3 * width)
    frequency = np.nan
    if "Microwave frequency" in entries:
        frequency = _quantity(entries, "Microwave frequency", "frequency") / 1e9 or np.nan
    return [Sweep(None, frequency, field_mt, table[:, 2], path, dict(entries))]


def read_adani_json(path: Path) -> list[Sweep]:
    """Read one JSON file: one sweep, without an angle. Raises `SpectrumError`."""
    document = json_document(path)
    curves = entry(document, "Values")
    if not isinstance(curves, list) or len(curves) != 1:
        count = len(curves) if isinstance(curves, list) else 0
        raise SpectrumError(
            "curves in the file",
            given=count,
            expected="one sweep of the field",
            hint="Save each curve of a series to its own file",
        )
    points = entry(curves, 0, "Values")
    if not isinstance(points, list):
        raise SpectrumError("entry Values.0.Values", expected="a list of points")
    options = entry(document, "ExperimentOptions")
    if optional(options, "ExperimentType") not in (0, None):
        raise SpectrumError(
            "ExperimentType",
            given=shown(str(optional(options, "ExperimentType"))),
            expected="0, a sweep of the field",
        )
    common = entry(options, "CommonOptions")
    if optional(common, "PointsCount") is not None:
        declared = number(common, "PointsCount")
        if declared != len(points):
            raise SpectrumError(
                "samples",
                given=len(points),
                expected=f"{declared:g}, as PointsCount declares",
                hint="The sweep was stopped, or the file is cut off",
            )
    parts = numbers([entry(point, "Points") for point in points], "Points")
    centre, width = (number(common, name) for name in ("CenterMagneticField", "SweepWidth"))
    if not width > 0:
        raise SpectrumError("SweepWidth", given=width, expected="a width above 0 mT")
    phase = 0.0
    for name in ("Phase", "PhaseRadians"):
        if optional(document, name) is not None:
            phase = number(document, name)
    frequency = np.nan
    if optional(document, "MwFrequencyKHz"):
        frequency = number(document, "MwFrequencyKHz") / 1e6
    field_mt = centre + width * np.linspace(-0.5, 0.5, len(parts))
    about = instrument(common, optional(common, "MwParameter"), _plain(document))
    return [Sweep(None, frequency, field_mt, parts @ _weights(parts, phase), path, about)]


def _weights(parts: np.ndarray, phase: float) -> np.ndarray:
    """Weights of the numbers of one field."""
    count = parts.shape[1]
    if count == 1:
        return np.ones(1)
    if count == 2:
        return np.array([np.cos(phase), np.sin(phase)])
    return np.sin(2 * np.pi * np.arange(count) / count + phase)


def _plain(document: Any) -> dict[str, Any]:
    """What the file says of the whole measurement."""
    names = ("PhaseRadians", "Phase", "NoiseLevel", "CavityTemperature")
    return {name: document[name] for name in names if name in document}


def _check_range(field_mt: np.ndarray, centre: float, width: float) -> None:
    """Raise `SpectrumError` if the table does not have the fields that the head states."""
    if not len(field_mt):
        raise SpectrumError("no rows of numbers", hint="Copy the file again")
    for name, value, stated in (
        ("first field (mT)", field_mt[0], centre - width / 2),
        ("last field (mT)", field_mt[-1], centre + width / 2),
    ):
        if not abs(value - stated) <= APART * abs(width):
            raise SpectrumError(
                name,
                given=float(value),
                expected=f"{stated:g}, from centre and width of the sweep",
                hint="The file is cut off, or its head belongs to another measurement",
            )


def _parts(entries: dict[str, str], name: str) -> re.Match[str]:
    """Number and unit of an entry. Raises `SpectrumError`."""
    given = entries.get(name, "")
    match = _QUANTITY.fullmatch(given)
    if match is None:
        raise SpectrumError(name, given=given, expected="a number with its unit")
    return match


def _per_unit(entries: dict[str, str], name: str) -> float:
    """Tesla by the unit of an entry. Raises `InputError`."""
    return unit_scale(name, "field", _parts(entries, name)["unit"])


def _quantity(entries: dict[str, str], name: str, quantity: str) -> float:
    """An entry in SI units. Raises `InputError`."""
    match = _parts(entries, name)
    number, scale = match["number"], unit_scale(name, quantity, match["unit"])
    if quantity == "frequency":
        return 1e9 * stated_number(quantity, number, scale / 1e9)
    return scale * to_number(name, number, Marks(",") if "," in number else POINT)


def _row(index: int, line: str) -> tuple[float, float, float]:
    """Number, field and signal of a row, with decimal commas. Raises `SpectrumError`."""
    cells = line.replace(",", ".").split()
    try:
        count, field, signal = map(float, cells)
    except ValueError:
        given = line.strip()[:40]
        raise SpectrumError(
            "row", given=given, expected="a number, a field and a signal", where=in_row(index)
        ) from None
    return count, field, signal
