"""Spectra in delimited text: one in a file, or all in a matrix or a long table."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .column_meanings import (
    SPECTRUM_NAMES,
    Column,
    TableError,
    column_name,
    find_columns,
    missing_column,
    shown,
)
from .delimited_text import delimiter_of, in_row, is_comment, read_lines, split, to_number
from .input_files import inside
from .sweep import SpectrumError, Sweep


MAX_BYTES = 50_000_000
"""Larger files are refused: the spectra of a rotation have about ten megabytes as text."""

_STATED = re.compile(
    r"[\s#%;]*(?P<name>[^=:\d]{1,60}?)\s*[=:]\s*(?P<value>[-−+]?[\d.,]+(?:[eE][-+]?\d+)?)"
    r"\s*(?P<unit>[^\s\d]{0,12})\s*"
)
MAX_COLUMNS = 10_000
"""Wider tables are refused: a matrix has a column for each angle."""

LONGEST = 200
"""Longer comments and header cells are not searched for an angle or frequency."""

_ANGLE_CELL = re.compile(r"(.*?)\s*(?:°|º|deg|degrees?)?", re.IGNORECASE)

_IN_FILES: dict[str, Callable[[float], float]] = {
    "angle": lambda si: float(np.degrees(si)),
    "field": lambda si: 1e3 * si,
    "frequency": lambda si: si / 1e9,
}
"""From SI units to degrees, mT and GHz."""


@dataclass(frozen=True)
class _Cells:
    """The cells of a file: its header, and rows with their line numbers."""

    path: Path
    delimiter: str
    header: list[str]
    rows: list[tuple[int, list[str]]]

    def number(self, number: int, cells: list[str], index: int) -> float:
        """The number in a cell. Raises `InputError` with its row and column."""
        try:
            return to_number("", cells[index], self.delimiter)
        except (IndexError, TableError):
            if len(cells) != len(self.header):
                raise SpectrumError(
                    "number of cells",
                    given=len(cells),
                    expected=f"{len(self.header)}, as in the header",
                    where=in_row(number),
                ) from None
        with inside(*in_row(number)):
            return to_number(column_name(self.header[index]), cells[index], self.delimiter)

    def column(self, column: Column) -> np.ndarray:
        """The numbers of a column in degrees, mT or GHz."""
        found = [self.number(number, cells, column.index) for number, cells in self.rows]
        return column.scale * np.array(found)

    def shared(self, column: Column | None, stated: float) -> float:
        """The one number of a column; without a column, what a comment stated."""
        if column is None or not any("".join(cells[column.index :][:1]) for _, cells in self.rows):
            return stated
        values = self.column(column)
        other = values != values[0]
        if other.any():
            number, cells = self.rows[int(np.argmax(other))]
            raise SpectrumError(
                column_name(column.header),
                given=cells[column.index],
                expected=f"one {column.quantity} for a sweep, as in row {self.rows[0][0]}",
                where=in_row(number),
            )
        return float(values[0])

    def split_by(self, column: Column | None) -> "list[_Cells]":
        """Groups of rows that have the same text in a column."""
        groups: dict[str, list[tuple[int, list[str]]]] = {}
        for number, cells in self.rows:
            name = "" if column is None else "".join(cells[column.index :][:1])
            groups.setdefault(name, []).append((number, cells))
        return [replace(self, rows=rows) for rows in groups.values()]


def read_text_sweeps(path: Path) -> list[Sweep]:
    """Read the sweeps of a CSV or TSV file, whose first row without `#` names the columns.

    - `field_mT, signal`: one spectrum. A comment such as `# angle = 10 deg` states its angle, and
      one such as `# frequency = 9.45 GHz` its frequency.
    - `angle_deg, field_mT, signal`, with or without `frequency_GHz` and `sweep`: a long table.
    - `field_mT, 0, 10, 20 deg`: a matrix, angles in the first row and fields in the first column.

    Tabs, semicolons, commas or spaces separate the cells. Names in the header that contain spaces
    are separated by two or more.

    Raises `InputError` with row, column and value.
    """
    lines = read_lines(path, MAX_BYTES, "spectra")
    body = [(number, line) for number, line in lines if not is_comment(line)]
    if not body:
        raise SpectrumError("the file is empty", expected="a header and rows of numbers")
    first, header = body[0]
    if not re.search(r"[\t;,]", header):
        body = [(number, _tabbed(line, is_header=number == first)) for number, line in body]
        header = body[0][1]
    delimiter = delimiter_of(header)
    rows = [(number, split(number, line, delimiter)) for number, line in body[1:]]
    cells = _Cells(path, delimiter, split(first, header, delimiter), rows)
    with inside(*in_row(first)):
        if len(cells.header) > MAX_COLUMNS:
            raise SpectrumError(
                "number of columns", given=len(cells.header), expected=f"up to {MAX_COLUMNS}"
            )
        if not rows:
            raise SpectrumError(
                "no rows of numbers after the header", hint="Add a row for each field"
            )
        columns = {column.quantity: column for column in _columns(cells.header)}
    stated = _stated([line for _, line in lines[: first - 1]])
    if "signal" in columns:
        return _table(cells, columns, stated)
    if "angle" in columns:
        raise SpectrumError(
            "a table of angles and fields without a signal",
            expected="spectra",
            hint="Fit a table of resonance fields with diffdip fit",
            where=in_row(first),
        )
    return _matrix(cells, columns["field"], first, stated)


def _tabbed(line: str, *, is_header: bool) -> str:
    """A row with tabs instead of the spaces between its cells."""
    apart = r" {2,}" if is_header and re.search(r"\S {2,}\S", line) else r"\s+"
    return re.sub(apart, "\t", line.strip())


def _columns(cells: list[str]) -> list[Column]:
    """The columns by their names. The only column beside that of fields is the signal."""
    found, _ = find_columns(cells, SPECTRUM_NAMES)
    columns = [_in_files(column) for column in found]
    quantities = [column.quantity for column in columns]
    if "field" not in quantities:
        what, hint = missing_column("field", cells)
        raise SpectrumError(what, hint=hint)
    if len(cells) == 2 and quantities == ["field"]:
        other = 1 - columns[0].index
        if not _is_angle(cells[other]):
            columns.append(Column(other, cells[other], "signal", 1.0))
    return columns


def _in_files(column: Column) -> Column:
    """The column in degrees, mT or GHz instead of SI units, so that these have a scale of 1."""
    convert = _IN_FILES.get(column.quantity, float)
    return replace(column, scale=float(f"{convert(column.scale):.15g}"))


def _stated(comments: list[str]) -> dict[str, float]:
    """Angle and frequency in degrees and GHz, if a comment states them. Raises `TableError`."""
    found: dict[str, float] = {}
    for comment in comments:
        match = _STATED.fullmatch(comment.rstrip("\r\n")) if len(comment) <= LONGEST else None
        if match is None:
            continue
        name, unit = match["name"], match["unit"]
        header = f"{name} ({unit})" if unit else name
        with inside(f"comment {shown(comment.strip())}"):
            for column in map(_in_files, find_columns([header], SPECTRUM_NAMES)[0]):
                value = to_number(f"value of the {column.quantity}", match["value"], ";")
                found[column.quantity] = column.scale * value
    return found


def _table(cells: _Cells, columns: dict[str, Column], stated: dict[str, float]) -> list[Sweep]:
    """Sweeps from a row for each sample, separated by the column `sweep` or else by the angle."""
    sweeps = []
    for group in cells.split_by(columns.get("sweep", columns.get("angle"))):
        angle, frequency = (
            group.shared(columns.get(name), stated.get(name, np.nan))
            for name in ("angle", "frequency")
        )
        sweeps.append(
            Sweep(
                None if np.isnan(angle) else angle,
                frequency,
                group.column(columns["field"]),
                group.column(columns["signal"]),
                cells.path,
            )
        )
    return sweeps


def _matrix(cells: _Cells, field: Column, header_row: int, stated: dict[str, float]) -> list[Sweep]:
    """Sweeps from a column for each angle."""
    angles = cells.header[1:]
    if field.index or not angles or not all(map(_is_angle, angles)):
        what, hint = missing_column("signal", cells.header)
        raise SpectrumError(
            what,
            hint=f"{hint}, or write angles in the first row and fields in the first column",
            where=in_row(header_row),
        )
    field_mt, frequency = cells.column(field), stated.get("frequency", np.nan)
    return [
        Sweep(
            to_number("angle", _angle(cell), ";"),
            frequency,
            field_mt,
            cells.column(Column(1 + i, cell, "signal", 1.0)),
            cells.path,
        )
        for i, cell in enumerate(angles)
    ]


def _angle(cell: str) -> str:
    """A cell of a header without the unit of an angle."""
    match = _ANGLE_CELL.fullmatch(cell[:LONGEST])
    return match[1] if match else cell


def _is_angle(cell: str) -> bool:
    try:
        to_number("", _angle(cell), ";")
    except ValueError:
        return False
    return True
