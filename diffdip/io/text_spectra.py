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
from .delimited_text import (
    POINT,
    Marks,
    check_width,
    in_row,
    marks_of_fields,
    plain_numbers,
    read_lines,
    split,
    to_number,
)
from .input_files import inside
from .stated_values import LONGEST, Stated, centre_notes, check_against, stated_values
from .sweep import LEAST_SAMPLES, SpectrumError, Sweep
from .text_layout import FAULTY, HEADER, MAX_COLUMNS, NO_HEADER, layout_of
from .third_axes import MOST_COLUMNS, check_third_axis, recording_order
from .unlabelled_angles import check_degrees, check_no_count


MAX_BYTES = 50_000_000
"""Larger files are refused: the spectra of a rotation have about ten megabytes as text."""

DIRECTIONS = {
    **dict.fromkeys(("up", "1", "1.0", "+1", "+", "forward", "fwd", "increasing"), 1),
    **dict.fromkeys(("down", "-1", "-1.0", "-", "backward", "bwd", "decreasing"), -1),
}
"""Cells in a column of directions."""

UNEVEN = 0.05
"""Steps of angles without a unit that differ by more than this part get a note."""

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
    marks: Marks = POINT

    def number(self, number: int, cells: list[str], index: int) -> float:
        """The number in a cell. Raises `InputError` with its row and column."""
        try:
            return to_number("", cells[index], self.marks)
        except (IndexError, TableError):
            if len(cells) != len(self.header):
                raise SpectrumError(
                    "number of cells",
                    given=len(cells),
                    expected=f"{len(self.header)}, as in the header",
                    where=in_row(number),
                ) from None
        with inside(*in_row(number)):
            return to_number(column_name(self.header[index]), cells[index], self.marks)

    def column(self, column: Column) -> np.ndarray:
        """The numbers of a column in degrees, mT or GHz."""
        found = plain_numbers(self.texts(column), self.marks)
        if found is None:
            found = [self.number(number, cells, column.index) for number, cells in self.rows]
        return column.scale * np.array(found)

    def shared(self, column: Column | None) -> float:
        """The one number of a column, NaN without it or if it is empty."""
        if column is None or not any(self.texts(column)):
            return np.nan
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

    def texts(self, column: Column | None) -> list[str]:
        """The cells of a column, "" without it."""
        if column is None:
            return [""] * len(self.rows)
        index = column.index
        try:
            return [cells[index] for _, cells in self.rows]
        except IndexError:  # a short row
            return ["".join(cells[index : index + 1]) for _, cells in self.rows]

    def split_by(self, columns: list[Column]) -> "list[_Cells]":
        """Groups of rows that have the same text in these columns."""
        if not columns:
            return [self]
        groups: dict[tuple[str, ...], list[tuple[int, list[str]]]] = {}
        keys = zip(*map(self.texts, columns), strict=True)
        for row, key in zip(self.rows, keys, strict=True):
            groups.setdefault(key, []).append(row)
        return [replace(self, rows=rows) for rows in groups.values()]

    def unused(self, columns: dict[str, Column]) -> dict[str, np.ndarray]:
        """The columns that are not used, by header: numbers if each row has one, else texts."""
        used = {column.index for column in columns.values()}
        found: dict[str, np.ndarray] = {}
        rest = [i for i in range(len(self.header)) if i not in used and self.header[i]]
        for index in rest[:MOST_COLUMNS]:
            column = Column(index, self.header[index], "", 1.0)
            try:
                found[self.header[index]] = self.column(column)
            except (SpectrumError, TableError):
                texts = self.texts(column)
                if all(texts):
                    found[self.header[index]] = np.array([text[:40] for text in texts])
        return found


def read_text_sweeps(path: Path) -> list[Sweep]:
    """Read the sweeps of a CSV or TSV file, whose first row without `#` names the columns.

    - `field_mT, signal`: one spectrum. A comment such as `# angle = 10 deg` states its angle, and
      one such as `# frequency = 9.45 GHz` its frequency.
    - `angle_deg, field_mT, signal`, with or without `frequency_GHz` and `sweep`: a long table.
    - `field_mT, 0, 10, 20 deg`: a matrix, angles in the first row and fields in the first column.

    Tabs, semicolons, commas or spaces separate the cells. Names in the header that contain spaces
    are separated by two or more. Lines above the header may state angle and frequency as well.

    Raises `InputError` with row, column and value.
    """
    layout = layout_of(read_lines(path, MAX_BYTES, "spectra"), _rank)
    if layout is None:
        raise SpectrumError("the file is empty", expected="a header and rows of numbers")
    first, delimiter = layout.number, layout.delimiter
    rows = [(number, split(number, line, delimiter)) for number, line in layout.body]
    cells = _Cells(path, delimiter, layout.header, rows)
    width = len(layout.header)
    for number, row in rows:
        if len(row) > width:
            with inside(*in_row(number)):
                check_width(row, 0, width, delimiter)
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
    stated = stated_values(layout.above)
    cells = replace(cells, marks=_marks(cells, columns))
    if "signal" in columns:
        return _said_centre(_table(cells, columns, stated), layout.above)
    if "angle" in columns:
        raise SpectrumError(
            "a table of angles and fields without a signal",
            expected="spectra",
            hint="Fit a table of resonance fields with diffdip fit",
            where=in_row(first),
        )
    return _said_centre(_matrix(cells, columns["field"], first, stated), layout.above)


def _said_centre(sweeps: list[Sweep], above: list[str]) -> list[Sweep]:
    """The sweeps with a note if a line above the table states another centre of the field."""
    return [replace(s, notes=(*s.notes, *centre_notes(above, s.field_mt))) for s in sweeps]


def _rank(cells: list[str]) -> int:
    """Whether a row is a header of spectra, a faulty header, or no header."""
    if len(cells) > MAX_COLUMNS:
        return FAULTY
    try:
        found, _ = find_columns(cells, SPECTRUM_NAMES)
    except TableError:  # a header with a fault, unless it is a statement such as "Field;330"
        return NO_HEADER if any(map(_is_angle, cells)) else FAULTY
    fields = [column.index for column in found if column.quantity == "field"]
    others = [_is_angle(cell) for i, cell in enumerate(cells) if i not in fields]
    return HEADER if fields and (not any(others) or all(others)) else NO_HEADER


def _marks(cells: _Cells, columns: dict[str, Column]) -> Marks:
    """The marks in the numbers of the columns that are used. Raises `MarksError`."""
    used = list(columns.values())
    if "signal" not in columns:
        used = [Column(i, name, "", 1.0) for i, name in enumerate(cells.header)]
    texts = [text for column in used for text in cells.texts(column)]
    field = columns["field"]
    return marks_of_fields(texts, cells.texts(field), field.scale, cells.delimiter)


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


def _table(cells: _Cells, columns: dict[str, Column], stated: dict[str, Stated]) -> list[Sweep]:
    """Sweeps from a row for each sample, separated by the column `sweep` or else by the angle."""
    by = ["sweep"] if "sweep" in columns else ["angle", "direction"]
    if (angles := columns.get("angle")) is not None and not angles.labelled:
        texts = list(dict.fromkeys(text for text in cells.texts(angles) if text))
        known = replace(cells, rows=[(0, [text]) for text in texts], header=[angles.header])
        degrees = known.column(replace(angles, index=0))
        check_degrees(column_name(angles.header), degrees)
        check_no_count(column_name(angles.header), degrees)
    groups = cells.split_by([columns[name] for name in by if name in columns])
    many = len(groups) > len(cells.rows) / LEAST_SAMPLES
    # a phase may be called theta; a name with a unit, a sweep or a direction is meant
    doubtful = by != ["sweep"] and angles is not None and not angles.labelled
    if len(groups) > 1 and (many or (doubtful and _share_no_field(groups, columns["field"]))):
        name = next(columns[name].header for name in by if name in columns)
        raise SpectrumError(
            f"{column_name(name)} changes from row to row",
            expected="one value for all samples of a sweep",
            hint="Add a column sweep with the number of the sweep, or round the angles",
        )
    sweeps = []
    for group in groups:
        angle, frequency = (group.shared(columns.get(name)) for name in ("angle", "frequency"))
        if len(groups) == 1:
            check_against(stated.get("angle"), "angle", angle)
        check_against(stated.get("frequency"), "frequency", frequency)
        origin = f"column {columns['angle'].header}" if "angle" in columns else ""
        if np.isnan(angle) and "angle" in stated:
            angle, origin = stated["angle"].value, stated["angle"].origin
        if np.isnan(frequency) and "frequency" in stated:
            frequency = stated["frequency"].value
        field_mt, signal = (group.column(columns[name]) for name in ("field", "signal"))
        unused = group.unused(columns)
        field_mt, signal, unused, note = _as_recorded(field_mt, signal, unused)
        sweeps.append(
            Sweep(
                None if np.isnan(angle) else angle,
                frequency,
                field_mt,
                signal,
                cells.path,
                angle_from=origin,
                axis=columns["field"].header,
                direction=_direction(group, columns.get("direction")),
                notes=(
                    *note,
                    *check_third_axis(field_mt, unused),
                    *_thousands(cells, columns),
                    *(one.note for one in stated.values() if one.note),
                ),
                ignored=tuple(_ignored(cells, columns)),
            )
        )
    return sweeps


def _share_no_field(groups: list[_Cells], field: Column) -> bool:
    """Whether the rows of groups alternate, and no field of the first is in the second one."""
    one, other = groups[:2]
    apart = one.rows[-1][0] < other.rows[0][0]
    return not apart and set(one.texts(field)).isdisjoint(other.texts(field))


def _as_recorded(
    field_mt: np.ndarray, signal: np.ndarray, others: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray], tuple[str, ...]]:
    """Field, signal and other columns in the order of recording, and a note if rows are moved."""
    found = recording_order(field_mt, others)
    if found is None:
        return field_mt, signal, others, ()
    order, header = found
    note = f"the rows are sorted by field: column {shown(header)} gives their order of recording"
    moved = {name: values[order] for name, values in others.items()}
    return field_mt[order], signal[order], moved, (note,)


def _direction(group: _Cells, column: Column | None) -> int:
    """1 for up or no column, -1 for down. Raises `SpectrumError`."""
    text = group.texts(column)[0].casefold()
    if text not in DIRECTIONS and text:
        raise SpectrumError("direction of a sweep", given=text, expected="up or down, 1 or -1")
    return DIRECTIONS.get(text, 1)


def _thousands(cells: _Cells, columns: dict[str, Column]) -> list[str]:
    """A note if a column of fields has marks between thousands."""
    mark = cells.marks.thousands
    examples = [text for text in cells.texts(columns["field"])[:1] if mark and mark in text]
    return [f"{text} is read as {text.replace(mark, '')}, with thousands" for text in examples]


def _ignored(cells: _Cells, columns: dict[str, Column]) -> list[str]:
    """The columns that are not used."""
    used = {column.index for column in columns.values()}
    names = [name for i, name in enumerate(cells.header) if i not in used and name]
    return [f"column {name[:40]}" for name in names[:MOST_COLUMNS]]


def _matrix(
    cells: _Cells, field: Column, header_row: int, stated: dict[str, Stated]
) -> list[Sweep]:
    """Sweeps from a column for each angle."""
    angles = cells.header[1:]
    if field.index or not angles or not all(map(_is_angle, angles)):
        what, hint = missing_column("signal", cells.header)
        raise SpectrumError(
            what,
            hint=f"{hint}, or write angles in the first row and fields in the first column",
            where=in_row(header_row),
        )
    marks = Marks(",") if any("," in cell for cell in angles) else POINT
    degrees = [to_number("angle", _angle(cell), marks) for cell in angles]
    notes = [one.note for one in stated.values() if one.note]
    if not any(_angle(cell) != cell for cell in angles):
        steps = np.diff(degrees)
        uneven = len(steps) > 1 and np.ptp(steps) > UNEVEN * np.abs(steps).max()
        if uneven or len(angles) > len(cells.rows):
            first = ", ".join(angles[:3])
            how = "unequal steps" if uneven else f"{len(cells.rows)} fields each"
            notes.append(f"the columns {first} … are read as angles in degrees, at {how}")
        with inside(*in_row(header_row)):
            check_degrees("the row of angles", np.array(degrees))
            check_no_count("the row of angles", np.array(degrees))
    field_mt = cells.column(field)
    frequency = stated["frequency"].value if "frequency" in stated else np.nan
    return [
        Sweep(
            angle,
            frequency,
            field_mt,
            cells.column(Column(1 + i, cell, "signal", 1.0)),
            cells.path,
            angle_from="header of the column",
            axis=field.header,
            notes=tuple(notes),
        )
        for i, (cell, angle) in enumerate(zip(angles, degrees, strict=True))
    ]


def _angle(cell: str) -> str:
    """A cell of a header without the unit of an angle."""
    match = _ANGLE_CELL.fullmatch(cell[:LONGEST])
    return match[1] if match else cell


def _is_angle(cell: str) -> bool:
    try:
        to_number("", _angle(cell).replace(",", ".", 1))
    except ValueError:
        return False
    return True
