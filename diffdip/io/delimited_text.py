"""Delimited text: the lines of a file in any usual encoding, their cells, the numbers in them."""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .column_meanings import TableError
from .input_files import all_bytes, without_dos_end


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?", re.ASCII)
_PLAIN_NUMBERS = re.compile(r"(?:[+-]?(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d++)?\n)*+", re.ASCII)
_GROUPED = {
    mark: re.compile(
        rf"[+-]?\d{{1,3}}(?:{re.escape(mark)}\d{{3}})+(?![\d{re.escape(mark)}])", re.ASCII
    )
    for mark in ".,"
}
_TWO_POINTS = re.compile(r"\.[^\n.]*+\.")
_MARKED = re.compile(r"[-+−]?(?P<digits>[\d.,]+)(?P<exponent>[eEdD][+-]?\d+)?", re.ASCII)
_GROUP = re.compile(r"[-+−]?[1-9]\d{0,2}\.\d{3}", re.ASCII)
_FORTRAN = str.maketrans("dD", "ee")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


IMPLAUSIBLE_MT = 3e4
"""A field that is larger with marks between thousands has a decimal mark."""

LOW_MT = 5.0
"""Fields below may be meant to be a thousand times larger, if they look like 3.370."""


def read_lines(path: Path, limit: int, purpose: str) -> list[tuple[int, str]]:
    """The lines of a text file with their numbers, from 1; `purpose` is what it should contain.

    Raises `TableError` for anything but a text file of at most `limit` bytes.
    """
    expected = f"a CSV or TSV file with {purpose}"
    if path.is_dir():
        raise TableError("is a folder", expected=expected)
    data = all_bytes(path, limit, TableError, expected)
    return list(enumerate(io.StringIO(_decode(data), newline=None), start=1))


def is_comment(line: str) -> bool:
    """Whether a line has no cells with text, or starts with `#`.

    >>> is_comment(",,"), is_comment('"# made by hand"'), is_comment("0,338.1")
    (True, True, False)
    """
    if line[:1].isdigit():  # nearly all lines
        return False
    stripped = line.strip().strip(',;"')
    return not stripped or stripped.startswith("#")


def delimiter_of(header: str) -> str:
    """The character between the cells of a header: a tab, else a semicolon, else a comma."""
    return next((mark for mark in "\t;" if mark in header), ",")


def split(number: int, line: str, delimiter: str) -> list[str]:
    """The cells of a row, without the space around them. Raises `TableError`."""
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        [cells] = csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True)
    except (csv.Error, ValueError) as error:
        raise TableError(
            f"not a row of a table ({error})",
            hint="Check its quotation marks",
            where=in_row(number),
        ) from None
    return [cell.strip() for cell in cells]


def check_width(cells: list[str], least: int, width: int, delimiter: str) -> None:
    """Raise `TableError` for a row of less than `least` cells, or with text beyond `width`."""
    if len(cells) < least or any(cells[width:]):
        comma = "Separate the cells by semicolons if numbers have a decimal comma"
        raise TableError(
            "number of cells",
            given=len(cells),
            expected=f"{width}, as in the header",
            hint=comma if delimiter == "," else "",
        )


def in_row(number: int) -> tuple[str]:
    """The row with this number as a place in an error."""
    return (f"row {number}",)


@dataclass(frozen=True)
class Marks:
    """The marks in the numbers of a file: for decimals, and between thousands (or "")."""

    decimal: str = "."
    thousands: str = ""


POINT = Marks()


class MarksError(TableError):
    """Numbers that may have a decimal mark or thousands: `3,370` alone is 3370 or 3.37."""


def marks_of(cells: Iterable[str], delimiter: str) -> Marks:
    """The marks that all cells with numbers of a file agree on.

    `3.370,5` has both; `0,5` and `3370,5` have decimals, and so has `3.370` if no other cell speaks
    against it. `3,370` alone says nothing: with other cells such as `0.5` it is 3370. Raises
    `MarksError` if nothing decides.

    >>> marks_of(["3,370", "0.25"], "\\t"), marks_of(["338,36", "3"], ";")
    (Marks(decimal='.', thousands=','), Marks(decimal=',', thousands=''))
    """
    cells = list(cells)
    text = "\n".join(cells)
    if "," not in text and _TWO_POINTS.search(text) is None:
        return POINT
    decimal: dict[str, None] = {}
    thousands: set[str] = set()
    unclear: dict[str, str] = {}
    for cell in cells:
        match = _MARKED.fullmatch(cell)
        if match is None:
            continue
        digits = match["digits"]
        found = [mark for mark in digits if mark in ".,"]
        if len(set(found)) == 2:
            decimal[found[-1]] = None
            thousands.add(found[0])
        elif len(found) > 1:
            thousands.add(found[0])
        elif found:
            whole, _, rest = digits.partition(found[0])
            grouped = len(rest) == 3 and 1 <= len(whole) <= 3 and whole[0] != "0"
            if grouped and not match["exponent"]:
                unclear.setdefault(found[0], cell)
            else:
                decimal[found[0]] = None
    if delimiter == ",":  # then a comma is no decimal mark
        decimal.pop(",", None)
    if decimal:
        mark = next(iter(decimal))
        other = "," if mark == "." else "."
        grouped = other not in decimal and (other in thousands or other in unclear)
        return Marks(mark, other if grouped else "")
    if thousands:
        mark = next(iter(thousands))
        return Marks("," if mark == "." else ".", mark)
    if "," in unclear:
        given = unclear[","]
        plain = given.replace(",", "")
        raise MarksError(
            f"{given!r} may be {plain} or {given.replace(',', '.')}",
            expected="numbers with an unambiguous decimal mark",
            hint="Write numbers without marks between thousands",
        )
    return Marks()


def marks_of_fields(
    cells: Iterable[str], fields: list[str], mt_per_unit: float, delimiter: str
) -> Marks:
    """The marks in all cells of a file, some of which are fields. Raises `MarksError`.

    A field of 313,681 mT can only be 313.681 mT. A field of 3.370 G may be 3370 G.

    >>> marks_of_fields(["313,681"], ["313,681"], 1.0, ";")
    Marks(decimal=',', thousands='')
    """
    cells = list(cells)
    longest = max(fields, key=len, default="")
    whole = re.sub("[-+−.,]", "", longest)
    as_whole = mt_per_unit * float(whole) if whole.isdecimal() and whole.isascii() else np.nan
    try:
        marks = marks_of(cells, delimiter)
    except MarksError:
        if as_whole > IMPLAUSIBLE_MT:
            return Marks(",")
        raise
    if marks == POINT and 1e-3 * as_whole < LOW_MT and as_whole <= IMPLAUSIBLE_MT:
        grouped = all(map(_GROUP.fullmatch, fields))
        # a number such as 12.5 in any other cell says that the point is a decimal mark
        if grouped and not any("." in cell and not _GROUP.fullmatch(cell) for cell in cells):
            raise MarksError(
                f"{longest!r} may be {whole} or {longest}",
                expected="numbers with an unambiguous decimal mark",
                hint="Write numbers without marks between thousands",
            )
    return marks


def to_number(subject: str, cell: str, marks: Marks = POINT) -> float:
    """The number in a cell. Raises `TableError`, with `subject` as what has this value.

    >>> to_number("column 'field_mT'", "338,36", Marks(","))
    338.36
    >>> to_number("column 'field_G'", "3,370.5", Marks(".", ","))
    3370.5
    """
    text = cell.replace("−", "-")
    if marks.thousands and marks.thousands in text and _GROUPED[marks.thousands].match(text):
        text = text.replace(marks.thousands, "")
    if marks.decimal == ",":
        text = text.replace(".", "?").replace(",", ".")
    if not _NUMBER.fullmatch(text):
        raise TableError(subject, given=cell, expected=f"a number such as 338{marks.decimal}36")
    try:
        return float(text)
    except ValueError:
        return float(text.translate(_FORTRAN))


def plain_numbers(cells: list[str], marks: Marks) -> np.ndarray | None:
    """The numbers in many cells, None if one of them needs more care than `float`.

    >>> plain_numbers(["1,5", "-2"], Marks(",")), plain_numbers(["1", "x"], POINT)
    (array([ 1.5, -2. ]), None)
    """
    if marks.thousands:
        return None
    text = "\n".join([*cells, ""])
    if marks.decimal == ",":
        text = text.replace(".", "?").replace(",", ".")
    if _PLAIN_NUMBERS.fullmatch(text) is None:
        return None
    return np.array(list(map(float, text.split())))


def _decode(data: bytes) -> str:
    """The text in these bytes. Raises `TableError`."""
    data = without_dos_end(data)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]  # the latter as spreadsheets on Windows write `°`
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _CONTROL.search(text):
            return text
    raise TableError("not a text file", expected="CSV or TSV in UTF-8")
