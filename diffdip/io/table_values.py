"""The numbers of a CSV or TSV table with named columns: its header, then its rows.

Columns are found by their names and have their units there (`angle_deg`, `Hres (mT)`, `nu [GHz]`).
Errors give the row and the column; the caller adds the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..foundation.flags import Flag
from .column_meanings import (
    ACCEPTED,
    ANISOTROPIES,
    WIDTHS,
    WORDS,
    Column,
    TableError,
    column_name,
    find_columns,
    missing_column,
)
from .delimited_text import (
    Marks,
    check_width,
    in_row,
    is_comment,
    marks_of,
    marks_of_fields,
    read_lines,
    split,
    to_number,
)
from .input_files import inside
from .text_layout import FAULTY, HEADER, MAX_COLUMNS, NO_HEADER, layout_of
from .unlabelled_angles import check_degrees


MAX_BYTES = 50_000_000
"""Larger files are refused: a table of resonance fields has thousands of rows at most."""

MOST_COMMENTS, LONGEST_COMMENT = 20, 1000
"""The number of comments that are kept, and of characters in each."""


NO_WIDTH = ("0", "0.0", "nan", "na", "n/a", "none", "-")
"""What programs write where a line has no width."""


@dataclass
class Rows:
    """Values of one sample in SI units, by quantity, and the line of the file of each row."""

    lines: list[int] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table whose columns are known and whose rows are not read yet.

    Args:
        columns: The columns that are used.
        header: Cells of the header, and their line in the file.
        body: The other lines, with their numbers in the file.
        delimiter: The character between cells.
        flags: Notes on columns that are not used.
        comments: Comments of the file, without their marks.
        above: The lines above the header.
    """

    columns: list[Column]
    header: tuple[int, list[str]]
    body: list[tuple[int, str]]
    delimiter: str
    flags: tuple[Flag, ...]
    comments: tuple[str, ...]
    above: tuple[str, ...] = ()

    def column(self, quantity: str) -> Column | None:
        """The column with a quantity, if there is one."""
        return next((one for one in self.columns if one.quantity == quantity), None)

    def rows(self) -> dict[str, Rows]:
        """All values, by the name in the column of samples. Raises `TableError`."""
        cells_of: list[tuple[int, list[str]]] = []
        for number, line in self.body:
            cells = split(number, line, self.delimiter)
            with inside(*in_row(number)):
                width = len(self.header[1])
                check_width(cells, width, width, self.delimiter)
            cells_of.append((number, cells))
        marks = self._marks(cells_of)
        rows: dict[str, Rows] = {}
        for number, cells in cells_of:
            with inside(*in_row(number)):
                name, values = self._values(cells, marks)
            data = rows.setdefault(name, Rows())
            data.lines.append(number)
            for quantity, value in values.items():
                data.values.setdefault(quantity, []).append(value)
        if not rows:
            raise TableError(
                "no rows of numbers after the header",
                hint="Add a row for each angle or sample",
                where=in_row(self.header[0]),
            )
        self._check_radians(rows)
        return rows

    def _optional(self) -> tuple[str, ...]:
        """Quantities that a row may lack: widths, and where there are two of a kind, one."""
        found = {column.quantity for column in self.columns}
        angles, errors = ("angle", "polar angle", "azimuth"), ("sigma", "frequency error")
        kinds = [kind for kind in (angles, errors) if found.issuperset(kind)]
        along = ("plane",) if "polar angle" in found else ()  # a direction has no plane
        return (*(name for kind in kinds for name in kind), *along, *WIDTHS)

    def _is_missing(self, cell: str, quantity: str) -> bool:
        """Whether a row has no value of a quantity that it may lack."""
        if not cell:
            return quantity in (*ANISOTROPIES, *self._optional())
        return quantity in WIDTHS and cell.casefold() in NO_WIDTH

    def _marks(self, rows: list[tuple[int, list[str]]]) -> Marks:
        """The marks in the numbers of the columns that are used. Raises `TableError`."""
        words = ("sample", *WORDS)
        used = [column.index for column in self.columns if column.quantity not in words]
        texts = [cells[i] for _, cells in rows for i in used]
        field = self.column("field")
        if field is None:
            return marks_of(texts, self.delimiter)
        fields = [cells[field.index] for _, cells in rows]
        return marks_of_fields(texts, fields, 1e3 * field.scale, self.delimiter)

    def _check_radians(self, rows: dict[str, Rows]) -> None:
        """Raise `TableError` for angles without a unit that look like radians."""
        for column in self.columns:
            if column.quantity in ("angle", "polar angle", "azimuth") and not column.labelled:
                values = [np.array(data.values[column.quantity]) for data in rows.values()]
                angles = np.concatenate(values)
                with inside(*in_row(self.header[0])):
                    check_degrees(column_name(column.header), np.degrees(angles[~np.isnan(angles)]))

    def _values(self, cells: list[str], marks: Marks) -> tuple[str, dict[str, float]]:
        """The name of the sample and the values of one row. Raises `TableError`."""
        name, values = "", {}
        for column in self.columns:
            cell, subject = cells[column.index], column_name(column.header)
            if column.quantity == "sample":
                name = _sample_name(subject, cell)
            elif self._is_missing(cell, column.quantity):
                values[column.quantity] = np.nan
            elif column.quantity in WORDS:
                values[column.quantity] = _position(subject, cell, WORDS[column.quantity])
            else:
                value = to_number(subject, cell, marks) * column.scale
                accepted = ACCEPTED[column.quantity]
                if not accepted.holds(value):
                    raise TableError(
                        subject,
                        given=cell,
                        expected=accepted.expected,
                        hint="Check the unit in the header",
                    )
                values[column.quantity] = value
        return name, values


def open_table(
    path: Path,
    names: Mapping[str, str],
    required: tuple[str, ...],
    chosen: Mapping[str, str] | None = None,
) -> Table:
    """A table with its header read. Raises `TableError` if a required quantity has no column.

    `chosen` as for `find_columns`.
    """
    everything = read_lines(path, MAX_BYTES, "a header and rows of numbers")

    def rank(cells: list[str]) -> int:
        if len(cells) > MAX_COLUMNS:
            return FAULTY
        try:
            found = {column.quantity for column in find_columns(cells, names)[0]}
        except TableError:
            return FAULTY if len(cells) >= len(required) else NO_HEADER
        return HEADER if found.issuperset(required) else NO_HEADER

    layout = layout_of(everything, rank)
    if layout is None:
        raise TableError("the file is empty", expected="a header and rows of numbers")
    number, cells = layout.number, layout.header
    try:
        columns, flags = find_columns(cells, names, chosen)
        for quantity in required:
            if quantity not in [column.quantity for column in columns]:
                what, hint = missing_column(quantity, cells)
                raise TableError(what, hint=hint)
    except TableError as error:
        raise error.at(*in_row(number)) from None
    comments = _comments([line for _, line in everything if is_comment(line)])
    return Table(
        columns,
        (number, cells),
        layout.body,
        layout.delimiter,
        tuple(flags),
        comments,
        tuple(layout.above),
    )


def _comments(lines: list[str]) -> tuple[str, ...]:
    """The comments without their marks, up to a limit."""
    comments = [line.strip(' \t\r\n,;"#') for line in lines]
    kept = [comment[:LONGEST_COMMENT] for comment in comments if comment]
    if len(kept) > MOST_COMMENTS:
        kept[MOST_COMMENTS:] = [f"and {len(kept) - MOST_COMMENTS} more comments"]
    return tuple(kept)


def _sample_name(subject: str, cell: str) -> str:
    if not cell or len(cell) > 100 or not cell.isprintable():
        raise TableError(
            subject, given=cell, expected="the name of a sample, up to 100 printable characters"
        )
    return cell


def _position(subject: str, cell: str, words: tuple[str, ...]) -> float:
    """The position of a word among those that a column may have. Raises `TableError`."""
    if cell.casefold() not in words:
        raise TableError(subject, given=cell, expected=f"one of {', '.join(words)}")
    return float(words.index(cell.casefold()))
