"""Tables of an angular series: angles, resonance fields, their errors and frequencies."""

import json
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..foundation.effective_g import implausible_g
from ..foundation.flags import Flag
from .angles import near_full_turn
from .column_meanings import ACCEPTED, SERIES_NAMES, TableError, column_name, shown
from .delimited_text import in_row
from .input_files import as_place
from .table_values import Rows, Table, open_table
from .writing import csv_bytes


if TYPE_CHECKING:
    from ..spectra.positions import LinePositions

STALLED = 3
"""This many equal fields in consecutive rows look like a line fit that got stuck."""


@dataclass(frozen=True)
class Sample:
    """One angular series as read, in SI units.

    Args:
        name: Name of the sample.
        angle: Angles in radians, float64 of shape (n,).
        field: Resonance fields in tesla, float64 of shape (n,).
        sigma: Standard errors of the fields in tesla, float64 of shape (n,); None without a column.
        frequency: Frequencies in Hz, float64 of shape (n,).
        source: The file.
        warnings: Notes on how the table was read, and doubts about it.
        comments: Comments of the file, such as how `diffdip positions` found the fields.
    """

    name: str
    angle: np.ndarray
    field: np.ndarray
    sigma: np.ndarray | None
    frequency: np.ndarray
    source: Path
    warnings: tuple[Flag, ...] = ()
    comments: tuple[str, ...] = ()


def read_table(path: str | PathLike[str], frequency: float | None = None) -> list[Sample]:
    """Read the angular series of a CSV or TSV file.

    The first row that is neither empty nor a `#` comment names the columns. A comma, semicolon or
    tab separates them. With semicolons or tabs, numbers may have a decimal comma. Case, brackets
    and underscores in the names do not matter, nor does the order of the columns:

    - angle (`angle_deg`, `alpha [°]`, `angle_rad`): in degrees unless the name says rad;
    - field (`field_mT`, `Hres (G)`, `B_T`): with its unit, one of T, mT, uT, G, kG, Oe, kOe;
    - sigma (`sigma_mT`, `error (G)`), optional: standard errors, by default in the field's unit;
    - frequency (`frequency_GHz`, `nu (MHz)`): with its unit. If there is no such column, give
      `frequency`;
    - sample, optional: rows with the same name are one series. Without it there is one series, with
      the name of the file.

    Other columns are not used, and a flag says so. In a sweep from 0° to 180°, an angle just below
    360° is read as a small negative angle.

    Args:
        path: The file.
        frequency: Microwave frequency in Hz, for a table without a column of frequencies.

    Returns:
        One series for each name in the table, in the order of the file.

    Raises:
        TableError: If the table cannot be used. `where` gives the file and the row (line of the
            file), `what` the column, `given` the value.

    >>> from diffdip.io import example_path
    >>> [sample] = read_table(example_path())
    >>> len(sample.field), f"{1e3 * sample.field.max():.3f} mT"
    (19, '338.463 mT')
    """
    path = Path(path)
    try:
        table = open_table(path, SERIES_NAMES, ("angle", "field"))
        _check_frequency(table, frequency)
        return [
            _sample(path, name or path.stem, rows, frequency, table)
            for name, rows in table.rows().items()
        ]
    except TableError as error:
        raise error.at(as_place(path)) from None


def example_path() -> Path:
    """The table that comes with the package: a goniometer sweep of one narrow line, 19 angles.

    Returns:
        Path of a CSV file that `read_table` reads.

    >>> example_path().name
    'goniometer.csv'
    """
    return Path(__file__).parent.parent / "data" / "goniometer.csv"


def positions_table(positions: "LinePositions") -> bytes:
    """Positions as a CSV table, which `read_table` and `diffdip fit` read.

    A comment says how the positions were found. The column of frequencies is left out if one of
    them is unknown, and the column of errors if one of them is zero.

    Args:
        positions: What `line_positions` found.

    Returns:
        The table in mT, degrees and GHz.

    >>> from diffdip import LinePositions
    >>> one, two = np.array([0.0, np.pi / 2]), np.array([0.338, 0.3382])
    >>> found = LinePositions(one, two, two / 1e6, two / 100, 9.45e9 + 0 * one, {"line": "only"})
    >>> print(positions_table(found).decode().split("\\n", 1)[1])
    angle_deg,field_mT,sigma_mT,frequency_GHz
    0,338,0.000338,9.45
    90,338.2,0.0003382,9.45
    <BLANKLINE>
    """
    from ..foundation.version import __version__

    columns = {
        "angle_deg": np.degrees(positions.angle),
        "field_mT": 1e3 * positions.field,
        "sigma_mT": 1e3 * positions.sigma,
        "frequency_GHz": positions.frequency / 1e9,
    }
    if positions.errors is None:
        del columns["sigma_mT"]
    if np.isnan(positions.frequency).any():
        del columns["frequency_GHz"]
    settings = {k: v for k, v in positions.settings.items() if v is not None}
    comment = json.dumps({"diffdip": __version__, **settings}, ensure_ascii=True)
    rows = list(zip(*columns.values(), strict=True))
    return f"# {comment}\n".encode() + csv_bytes(" ".join(columns), rows)


def _check_frequency(table: Table, frequency: float | None) -> None:
    """Raises `TableError` unless the frequency is known from one source and in range."""
    column, header = table.column("frequency"), in_row(table.header[0])
    if column is not None and frequency is not None:
        raise TableError(
            column_name(column.header),
            expected="no {frequency} beside a column of frequencies",
            hint="Leave out {frequency}",
            where=header,
        )
    if column is None and frequency is None:
        raise TableError(
            "no column for the frequency",
            hint="Add a column such as frequency_GHz, or give {frequency}",
            where=header,
        )
    accepted = ACCEPTED["frequency"]
    if frequency is not None and not accepted.holds(frequency):
        raise TableError("frequency (Hz)", given=float(frequency), expected=accepted.expected)


def _sample(path: Path, name: str, rows: Rows, frequency: float | None, table: Table) -> Sample:
    """One series, with the doubts about its numbers."""
    array = {quantity: np.array(values) for quantity, values in rows.values.items()}
    angle, turned = _small_angles(array["angle"], rows.lines)
    distinct = np.abs(np.sin(angle - angle[0])) > 1e-6  # opposite directions count as one
    if not distinct.any():
        raise TableError(
            f"all angles of sample {shown(name)} are {np.degrees(angle[0]):g}°, modulo 180°",
            hint="Add rows at other angles",
            where=(f"rows {rows.lines[0]} to {rows.lines[-1]}",),
        )
    if frequency is not None:
        array["frequency"] = np.full_like(angle, frequency)
    return Sample(
        name=name,
        angle=angle,
        field=array["field"],
        sigma=array.get("sigma"),
        frequency=array["frequency"],
        source=path,
        warnings=(
            *table.flags,
            *turned,
            *_repeated(array["field"], rows.lines),
            *implausible_g(array["field"], array["frequency"]),
        ),
        comments=table.comments,
    )


def _small_angles(angle: np.ndarray, lines: list[int]) -> tuple[np.ndarray, list[Flag]]:
    """The angles with those just below 360° as negative ones, and a flag for each of them."""
    high = near_full_turn(np.degrees(angle))
    flags = [
        Flag(
            "angle-read-as-negative",
            f"The angle {np.degrees(angle[i]):.6g}° in row {lines[i]} is read as "
            f"{np.degrees(angle[i]) - 360:.2g}°, the same direction.",
        )
        for i in np.flatnonzero(high)
    ]
    return np.where(high, angle - 2 * np.pi, angle), flags


def _repeated(fields: np.ndarray, lines: list[int]) -> list[Flag]:
    """A flag for each run of equal fields."""
    starts = np.flatnonzero(np.concatenate([[True], np.diff(fields) != 0]))
    ends = np.append(starts[1:], len(fields))
    return [
        Flag(
            "repeated-field",
            f"Rows {lines[start]} to {lines[end - 1]} have the same field, "
            f"{1e3 * fields[start]:.6g} mT. Did a line fit fail?",
        )
        for start, end in zip(starts, ends, strict=True)
        if end - start >= STALLED
    ]
