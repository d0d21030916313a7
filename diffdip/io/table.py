"""Angular series from a CSV or TSV table: angles, resonance fields, errors, frequencies.

Columns are found by their names and carry their units there (`angle_deg`, `Hres (mT)`,
`nu [GHz]`); what a table must look like is said in `read_table`, and in `read_anisotropies` for
a table of A and B of many samples.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np

from ..foundation.flags import Flag
from ..foundation.units import MU_B, PLANCK
from .angles import near_full_turn
from .columns import (
    ACCEPTED,
    ANISOTROPIES,
    ANISOTROPY_NAMES,
    EXAMPLES,
    SERIES_NAMES,
    Column,
    TableError as TableError,
    find_columns,
    shown,
)
from .text import delimiter_of, is_comment, read_lines, split, to_number


MAX_BYTES = 50_000_000
"""Larger files are refused: a table of resonance fields has thousands of rows at most."""

MOST_COMMENTS, LONGEST_COMMENT = 20, 1000
"""So many comments of a file are kept, and so many letters of each."""

STALLED = 3
"""So many equal fields in consecutive rows look like a line fit that no longer moved."""


@dataclass(frozen=True)
class Sample:
    """One angular series as read: SI units, float64 arrays of shape (n,).

    `angle` in radians, `field` in tesla, `sigma` (standard errors of the field) in tesla or None,
    `frequency` in Hz, `source` the file, `warnings` notes and doubts, `comments` what
    the file says behind `#`, such as how `diffdip positions` found the fields.
    """

    name: str
    angle: np.ndarray
    field: np.ndarray
    sigma: np.ndarray | None
    frequency: np.ndarray
    source: Path
    warnings: tuple[Flag, ...] = ()
    comments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Anisotropies:
    """A and B of many samples as read: tesla, float64 arrays of shape (n,).

    Pairs are complete; `left_out` counts the rows in which a cell was empty.
    """

    A: np.ndarray
    B: np.ndarray
    source: Path
    left_out: int


@dataclass
class _Rows:
    """Values of one sample in SI units, by quantity, and the file's line of each."""

    lines: list[int] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Content:
    """What a table says: the rows of each sample, warnings on its columns, and its comments."""

    rows: dict[str, _Rows]
    warnings: list[Flag]
    comments: list[str]


def read_table(path: str | PathLike[str], frequency: float | None = None) -> list[Sample]:
    """Read the angular series of a CSV or TSV file, one `Sample` for each name in it.

    The first row that is neither empty nor a `#` comment names the columns; comma,
    semicolon or tab separates them, and with semicolon or tab numbers may have a decimal
    comma. Case, brackets and underscores in names do not matter, and columns in any order:

    - angle (`angle_deg`, `alpha [°]`, `angle_rad`): degrees unless it says rad;
    - field (`field_mT`, `Hres (G)`, `B_T`): the unit is required, one of T, mT, uT, G, kG, Oe, kOe;
    - sigma (`sigma_mT`, `error (G)`), optional: standard errors, in the field's unit by default;
    - frequency (`frequency_GHz`, `nu (MHz)`): the unit is required. For a table without this
      column `frequency` is given in Hz; it is one or the other;
    - sample, optional: rows of one name form one series. Without it the file's name is the name.

    Other columns are left alone, with a warning. An angle just below 360° in a sweep from 0
    to 180° is read as the small negative angle that it is.

    Raises `TableError`, whose message names file, row (line of the file), column and value.

    >>> from diffdip.io import example_path
    >>> [sample] = read_table(example_path())
    >>> len(sample.field), f"{1e3 * sample.field.max():.3f} mT"
    (19, '338.463 mT')
    """
    path = Path(path)
    check = lambda where, columns: _check_frequency(path, where, columns, frequency)
    content = _read(path, SERIES_NAMES, ("angle", "field"), check)
    return [
        _sample(path, name or path.stem, data, frequency, content)
        for name, data in content.rows.items()
    ]


def read_anisotropies(path: str | PathLike[str]) -> Anisotropies:
    """Read A and B of many samples from a CSV or TSV file, one row a sample.

    The columns `A_mT`, `B_mT` (or `A (G)` and so on: the unit is required) are found as in
    `read_table`; others are left alone, so that what `diffdip export` writes can be read. A row in
    which A or B is empty is left out and counted.

    Raises `TableError`, whose message names file, row (line of the file), column and value.
    """
    path = Path(path)
    rows = _read(path, ANISOTROPY_NAMES, ANISOTROPIES, lambda where, columns: None).rows
    a, b = (
        np.concatenate([np.array(data.values[name]) for data in rows.values()])
        for name in ANISOTROPIES
    )
    known = ~np.isnan(a) & ~np.isnan(b)
    return Anisotropies(a[known], b[known], path, int(np.sum(~known)))


def example_path() -> Path:
    """The table that comes with the package: a goniometer sweep of one narrow line, 19 angles.

    >>> example_path().name
    'goniometer.csv'
    """
    return Path(__file__).parent.parent / "data" / "goniometer.csv"


def _read(
    path: Path,
    names: Mapping[str, str],
    required: tuple[str, ...],
    check: Callable[[str, dict[str, Column]], None],
) -> _Content:
    """What the file says; `check` may refuse the header."""
    everything = read_lines(path, MAX_BYTES, "a table of fields")
    lines = [(number, line) for number, line in everything if not is_comment(line)]
    if not lines:
        raise TableError(f"{path}: the file is empty; expected a header row and rows of numbers")
    (number, header), *body = lines
    delimiter = delimiter_of(header)
    cells = split(path, number, header, delimiter)
    where = f"{path}, row {number}"
    columns, warnings = find_columns(where, cells, names)
    found = {column.quantity: column for column in columns}
    _check_required(where, found, cells, required)
    check(where, found)
    rows = _read_rows(path, body, delimiter, columns, len(cells))
    if not rows:
        raise TableError(f"{path}: no rows of numbers after the header in row {number}")
    comments = [line.strip(' \t\r\n,;"#') for _, line in everything if is_comment(line)]
    kept = [comment[:LONGEST_COMMENT] for comment in comments if comment]
    if len(kept) > MOST_COMMENTS:
        kept[MOST_COMMENTS:] = [f"and {len(kept) - MOST_COMMENTS} more comments"]
    return _Content(rows, warnings, kept)


def _check_required(
    where: str, found: dict[str, Column], cells: list[str], required: tuple[str, ...]
) -> None:
    for quantity in required:
        if quantity not in found:
            names = ", ".join(shown(cell) for cell in cells[:8])
            raise TableError(
                f"{where}: no column for the {quantity} among {names}; "
                f"expected a name such as {EXAMPLES[quantity]}"
            )


def _check_frequency(
    path: Path, where: str, found: dict[str, Column], frequency: float | None
) -> None:
    if "frequency" in found and frequency is not None:
        raise TableError(
            f"{where}, column {shown(found['frequency'].header)}: the frequency is in the table "
            "and was given as well; expected one of them"
        )
    if "frequency" not in found and frequency is None:
        raise TableError(
            f"{where}: no column for the frequency and none was given; "
            "expected a column such as frequency_GHz or the option --frequency-ghz"
        )
    accepts, expected = ACCEPTED["frequency"]
    if frequency is not None and not accepts(frequency):
        raise TableError(f"{path}: frequency {frequency:g} Hz: expected {expected}")


def _read_rows(
    path: Path, body: list[tuple[int, str]], delimiter: str, columns: list[Column], width: int
) -> dict[str, _Rows]:
    rows: dict[str, _Rows] = {}
    mark = ""  # the decimal mark seen so far
    for number, line in body:
        cells = split(path, number, line, delimiter)
        if len(cells) < width or any(cells[width:]):
            hint = " (a decimal comma needs semicolons between the columns)" * (delimiter == ",")
            raise TableError(
                f"{path}, row {number}: {len(cells)} cells where the header has {width}; "
                f"expected as many{hint}"
            )
        name = ""
        values = {}
        for column in columns:
            cell = cells[column.index]
            where = f"{path}, row {number}, column {shown(column.header)}"
            if column.quantity == "sample":
                name = _name(where, cell)
                continue
            for used in ",.":
                if used in cell and (mark := mark or used) != used and delimiter != ",":
                    raise TableError(
                        f"{where}: {shown(cell)} has another decimal mark than the rows above; "
                        "expected one of comma and point throughout"
                    )
            if not cell and column.quantity in ANISOTROPIES:
                values[column.quantity] = np.nan
                continue
            value = to_number(where, cell, delimiter) * column.scale
            accepts, expected = ACCEPTED[column.quantity]
            if not accepts(value):
                raise TableError(f"{where}: {shown(cell)} is out of range; expected {expected}")
            values[column.quantity] = value
        data = rows.setdefault(name, _Rows())
        data.lines.append(number)
        for quantity, value in values.items():
            data.values.setdefault(quantity, []).append(value)
    return rows


def _name(where: str, cell: str) -> str:
    if not cell:
        raise TableError(f"{where}: empty; expected the name of a sample")
    if len(cell) > 100 or not cell.isprintable():
        raise TableError(f"{where}: {shown(cell)}: expected a name of up to 100 printable letters")
    return cell


def _sample(
    path: Path, name: str, data: _Rows, frequency: float | None, content: _Content
) -> Sample:
    array = {quantity: np.array(values) for quantity, values in data.values.items()}
    angle, turned = _near_full_turn(array["angle"], data.lines)
    distinct = np.abs(np.sin(angle - angle[0])) > 1e-6  # a direction and its opposite are one
    if not distinct.any():
        raise TableError(
            f"{path}, rows {data.lines[0]} to {data.lines[-1]}: all angles of sample {shown(name)} "
            f"are {np.degrees(angle[0]):g}°, modulo 180°; expected the field to be rotated"
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
            *content.warnings,
            *turned,
            *_stalled(array["field"], data.lines),
            *_implausible(array["field"], array["frequency"]),
        ),
        comments=tuple(content.comments),
    )


def _near_full_turn(angle: np.ndarray, lines: list[int]) -> tuple[np.ndarray, list[Flag]]:
    """Angles just below 360° in a sweep over half a turn: a goniometer's reading of zero."""
    high = near_full_turn(np.degrees(angle))
    if not high.any():
        return angle, []
    shown = [
        Flag(
            "angle-read-as-negative",
            f"The angle {np.degrees(angle[i]):.6g}° in row {lines[i]} is read as "
            f"{np.degrees(angle[i]) - 360:.2g}°, the same direction.",
        )
        for i in np.flatnonzero(high)
    ]
    return np.where(high, angle - 2 * np.pi, angle), shown


def _stalled(fields: np.ndarray, lines: list[int]) -> list[Flag]:
    starts = np.flatnonzero(np.concatenate([[True], np.diff(fields) != 0]))
    ends = np.append(starts[1:], len(fields))
    return [
        Flag(
            "repeated-field",
            f"Rows {lines[start]} to {lines[end - 1]} have the same field, "
            f"{1e3 * fields[start]:.6g} mT. Did a line fit get stuck?",
        )
        for start, end in zip(starts, ends, strict=True)
        if end - start >= STALLED
    ]


def _implausible(fields: np.ndarray, frequency: np.ndarray) -> list[Flag]:
    effective = float(np.median(PLANCK * frequency / (MU_B * fields)))
    if 0.3 < effective < 15:
        return []
    message = f"The fields mean g = {effective:.3g}. Check the units of field and frequency."
    return [Flag("implausible-g", message)]
