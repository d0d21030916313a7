"""Delimited text: the lines of a file in any usual encoding, their cells, the numbers in them."""

import csv
import io
import os
import re
from pathlib import Path

from ..foundation.errors import InputError
from .columns import TableError, shown


_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def read_lines(path: Path, limit: int, purpose: str) -> list[tuple[int, str]]:
    """The lines of a text file with their numbers, from 1; `purpose` says what it should hold.

    Raises `TableError` for anything but a text file of at most `limit` bytes.
    """
    expected = "a CSV or TSV file"
    if path.is_dir():
        raise TableError(f"{path}: is a folder; expected {expected}")
    data = read_regular(path, limit, TableError, expected)
    if len(data) > limit:
        raise TableError(f"{path}: larger than {limit // 10**6} MB; expected {purpose}")
    return list(enumerate(io.StringIO(_decode(path, data), newline=None), start=1))


def read_regular(path: Path, limit: int, failure: type[InputError], expected: str) -> bytes:
    """All bytes of a regular file, of a larger one `limit` + 1, in no more memory than it needs.

    Raises `failure` for anything else; `expected` says what was.
    """
    try:
        if path.exists() and not path.is_file():
            raise failure(f"{path}: is not a regular file; expected {expected}")
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            return stream.read(min(size, limit) + 1)
    except failure:
        raise
    except OSError as error:
        raise failure(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a null byte in the name
        raise failure(f"{str(path)!r}: cannot be read: {error}") from None


def is_comment(line: str) -> bool:
    """Whether a line is empty or starts with `#`.

    >>> is_comment(",,"), is_comment('"# made by hand"'), is_comment("0,338.1")
    (True, True, False)
    """
    stripped = line.strip().strip(',;"')
    return not stripped or stripped.startswith("#")


def delimiter_of(header: str) -> str:
    """The mark between the cells of a header: a tab, else a semicolon, else a comma."""
    return next((mark for mark in "\t;" if mark in header), ",")


def split(path: Path, number: int, line: str, delimiter: str) -> list[str]:
    """The cells of a row, without the space around them. Raises `TableError`."""
    try:
        [cells] = csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True)
    except (csv.Error, ValueError) as error:
        raise TableError(f"{path}, row {number}: not a row of a table: {error}") from None
    return [cell.strip() for cell in cells]


def to_number(where: str, cell: str, delimiter: str) -> float:
    """The number in a cell, which may have a decimal comma where no comma separates cells.

    Raises `TableError`; `where` names the file, row and column.

    >>> to_number("t.csv, row 2", "338,36", ";")
    338.36
    """
    text = cell.replace("−", "-")
    expected = "expected a number such as 338.36" + (" or 338,36" if delimiter != "," else "")
    if not text:
        raise TableError(f"{where}: empty; {expected}")
    if not _NUMBER.fullmatch(text) or ("," in text and delimiter == ","):
        raise TableError(f"{where}: {shown(cell)} is not a finite number; {expected}")
    return float(text.replace(",", "."))


def _decode(path: Path, data: bytes) -> str:
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
    raise TableError(f"{path}: is not a text file; expected CSV or TSV in UTF-8")
