"""Sweeps of Active Spectrum spectrometers: text files `.ESR`.

Lines of a name and its values, separated by tabs, and then a table: the field in gauss, the average
of all sweeps, and each sweep. The average is read.
"""

from pathlib import Path

import numpy as np

from .delimited_text import in_row
from .sweep import BOM, SpectrumError, Sweep, read_text


MAX_BYTES = 50_000_000

APART = 0.02
"""The fields of the table may differ from the stated ones by this part of the sweep."""

TABLE = "FIELD (G)"
"""First cell of the header of the table."""


def is_active_spectrum(head: bytes) -> bool:
    """Whether a file that starts with these bytes is from an Active Spectrum spectrometer."""
    return head.removeprefix(BOM).startswith(b"SAMPLE NAME\t") and b"\nSTARTING SWEEP FIELD" in head


def read_active_spectrum(path: Path) -> list[Sweep]:
    """Read one file: the averaged sweep, without an angle. Raises `SpectrumError`."""
    lines = read_text(path, MAX_BYTES).splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith(TABLE)), None)
    if start is None:
        raise SpectrumError(f"no row that begins with {TABLE}", hint="Export the spectrum again")
    head = [line.split("\t") for line in lines[:start]]
    entries = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in head}
    _check_average(entries)
    rows = [(i, line) for i, line in enumerate(lines[start + 1 :], start + 2) if line.strip()]
    table = np.array([_row(i, line) for i, line in rows]).reshape(-1, 2)
    declared = _first(entries, "NUMBER OF POINTS")
    if np.isfinite(declared) and declared != len(table):
        raise SpectrumError(
            "rows of the table",
            given=len(table),
            expected=f"{declared:g}, as NUMBER OF POINTS declares",
            hint="The file is cut off: copy it again",
        )
    if len(table):
        _check_ends(entries, table[:, 0])
    frequency = _first(entries, "FREQUENCY (MHz)") / 1e3 or np.nan
    instrument = {name: values[0] for name, values in entries.items() if name and any(values[:1])}
    return [Sweep(None, frequency, 0.1 * table[:, 0], table[:, 1], path, instrument)]


def _check_ends(entries: dict[str, list[str]], field: np.ndarray) -> None:
    """Raise `SpectrumError` if the table does not have the fields that the head states."""
    for name, value in (("STARTING", field[0]), ("ENDING", field[-1])):
        stated = _first(entries, f"{name} SWEEP FIELD (G)")
        if abs(value - stated) > APART * np.ptp(field):
            raise SpectrumError(
                f"{name} SWEEP FIELD (G)",
                given=stated,
                expected=f"{value:g}, as in the table",
                hint="The head belongs to another measurement",
            )


def _check_average(entries: dict[str, list[str]]) -> None:
    """Raise `SpectrumError` for several sweeps without their average."""
    names = [name for name in entries.get("SWEEP NUMBER", []) if name]
    if len(names) > 1 and names[0] != "AVERAGED":
        raise SpectrumError(
            f"{len(names)} sweeps without their average",
            given=names[0],
            expected="AVERAGED in the first column after the field",
        )


def _first(entries: dict[str, list[str]], name: str) -> float:
    """The first value of an entry as a number; NaN without one. Raises `SpectrumError`."""
    given = entries.get(name, [""])[:1]
    if not given or not given[0]:
        return np.nan
    try:
        value = float(given[0])
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise SpectrumError(name, given=given[0], expected="a finite number")
    return value


def _row(number: int, line: str) -> tuple[float, float]:
    """Field and average of a row. Raises `SpectrumError`."""
    cells = line.split("\t", 2)
    try:
        return float(cells[0]), float(cells[1])
    except (ValueError, IndexError):
        given = line.strip()[:40]
        raise SpectrumError(
            "row", given=given, expected="a field and a signal", where=in_row(number)
        ) from None
