"""Delimited text: the lines of a file in any usual encoding, their cells, the numbers in them."""

import csv
import io
import re
from pathlib import Path

from .column_meanings import TableError
from .input_files import all_bytes


_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


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
    stripped = line.strip().strip(',;"')
    return not stripped or stripped.startswith("#")


def delimiter_of(header: str) -> str:
    """The character between the cells of a header: a tab, else a semicolon, else a comma."""
    return next((mark for mark in "\t;" if mark in header), ",")


def split(number: int, line: str, delimiter: str) -> list[str]:
    """The cells of a row, without the space around them. Raises `TableError`."""
    try:
        [cells] = csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True)
    except (csv.Error, ValueError) as error:
        raise TableError(
            f"not a row of a table ({error})",
            hint="Check its quotation marks",
            where=in_row(number),
        ) from None
    return [cell.strip() for cell in cells]


def in_row(number: int) -> tuple[str]:
    """The row with this number as a place in an error."""
    return (f"row {number}",)


def to_number(subject: str, cell: str, delimiter: str) -> float:
    """The number in a cell. A decimal comma is accepted unless commas separate the cells.

    Raises `TableError`, with `subject` as what has this value.

    >>> to_number("column 'field_mT'", "338,36", ";")
    338.36
    """
    text = cell.replace("−", "-")
    if not _NUMBER.fullmatch(text) or ("," in text and delimiter == ","):
        comma = " or 338,36" if delimiter != "," else ""
        raise TableError(subject, given=cell, expected=f"a number such as 338.36{comma}")
    return float(text.replace(",", "."))


def _decode(data: bytes) -> str:
    """The text in these bytes. Raises `TableError`."""
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
