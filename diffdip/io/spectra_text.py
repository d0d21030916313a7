"""Spectra in delimited text: one of a file, all in a matrix, or all in a long table."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .columns import SPECTRUM_NAMES, Column, find_columns, shown
from .sweep import SpectrumError, Sweep
from .text import delimiter_of, is_comment, read_lines, split, to_number


MAX_BYTES = 50_000_000
"""Larger files are refused: as text, spectra of a rotation have some ten megabytes."""

_STATED = re.compile(
    r"[\s#%;]*(?P<name>[^=:\d]{1,60}?)\s*[=:]\s*(?P<value>[-−+]?[\d.,]+(?:[eE][-+]?\d+)?)"
    r"\s*(?P<unit>[^\s\d]{0,12})\s*"
)
MAX_COLUMNS = 10_000
"""Wider tables are refused: a matrix has a column for each angle."""

LONGEST = 200
"""Longer comments and cells of a header are no statements of an angle or frequency."""

_ANGLE_CELL = re.compile(r"(.*?)\s*(?:°|º|deg|degrees?)?", re.IGNORECASE)

_IN_FILES: dict[str, Callable[[float], float]] = {
    "angle": lambda si: float(np.degrees(si)),
    "field": lambda si: 1e3 * si,
    "frequency": lambda si: si / 1e9,
}
"""From SI units to degrees, mT and GHz."""


@dataclass(frozen=True)
class _Text:
    """The cells of a file: its header, and rows with their line numbers."""

    path: Path
    delimiter: str
    header: list[str]
    rows: list[tuple[int, list[str]]]

    def number(self, number: int, cells: list[str], index: int) -> float:
        """The number in a cell. Raises `InputError`, which names the place."""
        try:
            return to_number("", cells[index], self.delimiter)
        except (IndexError, ValueError):
            where = f"{self.path}, row {number}"
        if len(cells) != len(self.header):
            raise SpectrumError(
                f"{where}: {len(cells)} cells where the header has {len(self.header)}"
            )
        where = f"{where}, column {shown(self.header[index])}"
        return to_number(where, cells[index], self.delimiter)

    def column(self, column: Column) -> np.ndarray:
        """The numbers of a column in its unit of files."""
        found = [self.number(number, cells, column.index) for number, cells in self.rows]
        return column.scale * np.array(found)

    def shared(self, column: Column | None, stated: float) -> float:
        """The one number of a column; what a comment stated where there is none."""
        if column is None or not any("".join(cells[column.index :][:1]) for _, cells in self.rows):
            return stated
        values = self.column(column)
        if (values != values[0]).any():
            raise SpectrumError(
                f"{self.path}, row {self.rows[0][0]}: the {column.quantity} changes within a sweep;"
                " expected one"
            )
        return float(values[0])

    def split_by(self, column: Column | None) -> "list[_Text]":
        """The rows apart by what their cells of a column say."""
        groups: dict[str, list[tuple[int, list[str]]]] = {}
        for number, cells in self.rows:
            name = "" if column is None else "".join(cells[column.index :][:1])
            groups.setdefault(name, []).append((number, cells))
        return [replace(self, rows=rows) for rows in groups.values()]


def read_text(path: Path) -> list[Sweep]:
    """Read the sweeps of a CSV or TSV file; the first row that is no comment names the columns.

    - `field_mT, signal`: one spectrum. A comment such as `# angle = 10 deg` states its angle, one
      such as `# frequency = 9.45 GHz` its frequency.
    - `angle_deg, field_mT, signal`, with `frequency_GHz` and `sweep` where there are: a long table.
    - `field_mT, 0, 10, 20 deg`: a matrix, angles in the first row and fields in the first column.

    Cells are apart by tabs, semicolons, commas, or by spaces: two or more between names that have
    spaces in them.

    Raises `InputError`, which names file, row, column and value.
    """
    lines = read_lines(path, MAX_BYTES, "spectra")
    body = [(number, line) for number, line in lines if not is_comment(line)]
    if not body:
        raise SpectrumError(f"{path}: the file is empty; expected a header row and rows of numbers")
    first, header = body[0]
    if not re.search(r"[\t;,]", header):
        body = [(number, _tabbed(line, number == first)) for number, line in body]
        header = body[0][1]
    delimiter = delimiter_of(header)
    rows = [(number, split(path, number, line, delimiter)) for number, line in body[1:]]
    text = _Text(path, delimiter, split(path, first, header, delimiter), rows)
    if len(text.header) > MAX_COLUMNS:
        raise SpectrumError(
            f"{path}, row {first}: {len(text.header)} columns; expected up to {MAX_COLUMNS}"
        )
    if not rows:
        raise SpectrumError(f"{path}: no rows of numbers after the header in row {first}")
    columns = {column.quantity: column for column in _columns(text, first)}
    stated = _stated(path, [line for _, line in lines[: first - 1]])
    if "signal" in columns:
        return _table(text, columns, stated)
    if "angle" in columns:
        raise SpectrumError(
            f"{path}, row {first}: angles and fields without a signal; expected spectra (diffdip "
            "fit takes a table of resonance fields)"
        )
    return _matrix(text, columns["field"], stated)


def _tabbed(line: str, is_header: bool) -> str:
    """A row with tabs for the spaces between its cells."""
    apart = r" {2,}" if is_header and re.search(r"\S {2,}\S", line) else r"\s+"
    return re.sub(apart, "\t", line.strip())


def _columns(text: _Text, first: int) -> list[Column]:
    """The columns by their names; of two, one the field, the other is the signal."""
    where, cells = f"{text.path}, row {first}", text.header
    found, _ = find_columns(where, cells, SPECTRUM_NAMES)
    columns = [_in_files(column) for column in found]
    quantities = [column.quantity for column in columns]
    if "field" not in quantities:
        raise SpectrumError(
            f"{where}: no column for the field among {', '.join(map(shown, cells[:8]))}; "
            "expected a name such as field_mT"
        )
    if len(cells) == 2 and quantities == ["field"]:
        other = 1 - columns[0].index
        if not _is_angle(cells[other]):
            columns.append(Column(other, cells[other], "signal", 1.0))
    return columns


def _in_files(column: Column) -> Column:
    """The column with degrees, mT and GHz for SI units, exactly 1 where the file has these."""
    convert = _IN_FILES.get(column.quantity, float)
    return replace(column, scale=float(f"{convert(column.scale):.15g}"))


def _stated(path: Path, comments: list[str]) -> dict[str, float]:
    """Angle and frequency in degrees and GHz, where a comment states them."""
    found: dict[str, float] = {}
    for comment in comments:
        match = _STATED.fullmatch(comment.rstrip("\r\n")) if len(comment) <= LONGEST else None
        if match is None:
            continue
        name, unit = match["name"], match["unit"]
        header = f"{name} ({unit})" if unit else name
        where = f"{path}, {shown(comment.strip())}"
        for column in map(_in_files, find_columns(where, [header], SPECTRUM_NAMES)[0]):
            found[column.quantity] = column.scale * to_number(where, match["value"], ";")
    return found


def _table(text: _Text, columns: dict[str, Column], stated: dict[str, float]) -> list[Sweep]:
    """Sweeps from rows of one sample each, told apart by the column `sweep`, else by the angle."""
    sweeps = []
    for group in text.split_by(columns.get("sweep", columns.get("angle"))):
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
                text.path,
            )
        )
    return sweeps


def _matrix(text: _Text, field: Column, stated: dict[str, float]) -> list[Sweep]:
    angles = text.header[1:]
    if field.index or not angles or not all(map(_is_angle, angles)):
        raise SpectrumError(
            f"{text.path}: no column for the signal among {', '.join(map(shown, text.header[:8]))};"
            " expected a name such as signal, or angles in the first row and fields in the first"
            " column"
        )
    field_mt, frequency = text.column(field), stated.get("frequency", np.nan)
    return [
        Sweep(
            to_number(str(text.path), _angle(cell), ";"),
            frequency,
            field_mt,
            text.column(Column(1 + i, cell, "signal", 1.0)),
            text.path,
        )
        for i, cell in enumerate(angles)
    ]


def _angle(cell: str) -> str:
    match = _ANGLE_CELL.fullmatch(cell[:LONGEST])
    return match[1] if match else cell


def _is_angle(cell: str) -> bool:
    try:
        to_number("", _angle(cell), ";")
    except ValueError:
        return False
    return True
