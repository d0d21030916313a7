"""Sweeps of CIQTEK spectrometers: JSON files `.epr`.

The real part of the signal is read. The frequency is that of the line, which was measured with it;
without one that of the settings.
"""

from pathlib import Path
from typing import Any

import numpy as np

from .column_meanings import shown
from .field_axes import field_scale
from .json_files import entry, instrument, json_document, number, numbers, optional
from .sweep import BOM, SpectrumError, Sweep


ANGLE_SWITCH, ANGLE = "pushButton_Angle_OnOff", "lineEdit_Angle_CurrAngle"
"""Entries of the settings: whether the goniometer was on, and its angle in degrees."""


def is_ciqtek(head: bytes) -> bool:
    """Whether a file that starts with these bytes is from a CIQTEK spectrometer."""
    start = head.removeprefix(BOM).lstrip()
    return start.startswith(b"{") and b'"dataStore"' in head and b'"lineDataList"' in head


def read_ciqtek(path: Path) -> list[Sweep]:
    """Read one file: one sweep, or one for each angle. Raises `SpectrumError`."""
    document = json_document(path)
    store = entry(document, "dataStore")
    per_unit = field_scale(str(entry(store, "xAxisName")))
    lines = entry(store, "lineDataList")
    if not isinstance(lines, list) or not lines:
        raise SpectrumError("entry dataStore.lineDataList", expected="a list of lines")
    settings = optional(document, "setting")
    about = instrument(settings, {"Device": optional(document, "devicename")})
    angles = _angles(lines, settings)
    sweeps = []
    for i, (line, angle) in enumerate(zip(lines, angles, strict=True)):
        table = numbers(entry(line, "ReData"), f"lineDataList.{i}.ReData", 2)
        frequency = _frequency(line, settings)
        sweeps.append(
            Sweep(
                angle,
                frequency,
                1e3 * per_unit * table[:, 0],
                table[:, 1],
                path,
                about,
                angle_from=f"entry {ANGLE}" if len(lines) == 1 else "entry params.angle",
            )
        )
    return sweeps


def _angles(lines: list[Any], settings: Any) -> list[float | None]:
    """The angle of each line in degrees; None where the file does not state it."""
    if len(lines) == 1:
        on = str(optional(settings, ANGLE_SWITCH)) == "1"
        return [number(settings, ANGLE) if on else None]
    other = sorted({str(name) for line in lines for name in optional(line, "params") or {}})
    if other != ["angle"]:
        raise SpectrumError(
            f"{len(lines)} lines with {', '.join(map(shown, other[:4])) or 'nothing'} varied",
            expected="one line, or lines of which only the angle varies",
        )
    return [number(line, "params", "angle") for line in lines]


def _frequency(line: Any, settings: Any) -> float:
    """The frequency in GHz; NaN where it is not stated, or 0."""
    for place, name in ((line, "freq"), (settings, "frequency")):
        if optional(place, name) not in (None, ""):
            return number(place, name) or np.nan
    return np.nan
