"""Where the table in a text file begins, and what separates its cells.

Programs of spectrometers write lines about the measurement above the header, a row of units below
it, `sep=;` in the first line, or spaces between columns.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from .delimited_text import delimiter_of, is_comment, split


FIRST_SEARCH, LONGEST_SEARCH = 30, 500
"""The header is searched in this number of lines, without comments: few, and then more."""

MAX_COLUMNS = 10_000
"""Wider tables are refused: a matrix has a column for each angle."""

MOST_ROWS_BELOW = 3
"""Rows without a number below the header: units, comments."""

MOST_COMMENTS = 1000
"""Comments below the header that are read."""

HEADER, FAULTY, NO_HEADER = 2, 1, 0
"""Ranks of a row."""

_NUMBER = re.compile(r"[-+−]?[\d.,]*\d[\d.,]*(?:[eEdD][-+]?\d+)?(?:\s*(?:°|º|deg|degrees?))?")
_SEP = re.compile(r"\"?sep=(.)\"?", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """A table in a text file.

    Args:
        delimiter: The character between cells.
        number: Line of the header.
        header: Its cells, with the units of a row below in brackets.
        body: The lines below, with their numbers; comments are left out.
        above: The lines above the header, and comments below it.
    """

    delimiter: str
    number: int
    header: list[str]
    body: list[tuple[int, str]]
    above: list[str]


def layout_of(lines: list[tuple[int, str]], rank: Callable[[list[str]], int]) -> Layout | None:
    """The table in these lines, None if they are all comments.

    The header is the last row of the best rank above the first row of numbers, or else the first
    row. `rank` says of the cells of a row whether they are a header, a faulty header, or no header.
    """
    body = [(number, line) for number, line in lines if not is_comment(line)]
    if not body:
        return None
    fixed = ""
    if match := _SEP.fullmatch(body[0][1].strip()):
        fixed, body = match[1], body[1:] or body
    for count in (FIRST_SEARCH, LONGEST_SEARCH):
        rows = [_cells(number, line, fixed) for number, line in body[:count]]
        found, below, ended = _find(rows, rank)
        if ended:
            break
    if rank(rows[found]) != HEADER and (named := _commented(lines, body[0][0], fixed, rank)):
        number, header = named
        delimiter = fixed or _delimiter(body[0][1])
        if len(header) == len(rows[0]):
            return _layout(lines, delimiter, number, header, body)
    number, header_line = body[found]
    delimiter = fixed or _delimiter(header_line)
    header = split(number, header_line, delimiter) if delimiter else rows[found]
    if below:
        header = _with_units(header, rows[found + 1]) or header
    return _layout(lines, delimiter, number, header, body[found + 1 + below :])


def _layout(
    lines: list[tuple[int, str]],
    delimiter: str,
    number: int,
    header: list[str],
    rows: list[tuple[int, str]],
) -> Layout:
    """The table with this header and these rows, which spaces separate without a delimiter."""
    if not delimiter:
        rows = [(at, _tabbed(line)) for at, line in rows]
    above = [line for at, line in lines if at < number]
    # what a comment in the table states counts as well
    above += [line for at, line in lines if at > number and line.startswith("#")][:MOST_COMMENTS]
    return Layout(delimiter or "\t", number, header, rows, above)


def _commented(
    lines: list[tuple[int, str]], first: int, fixed: str, rank: Callable[[list[str]], int]
) -> tuple[int, list[str]] | None:
    """The line and the cells of a header that is the last comment above the first row, or None.

    NumPy writes headers like this.
    """
    above = [(number, line.strip()) for number, line in lines if number < first and line.strip()]
    if not above or not above[-1][1].startswith("#"):
        return None
    number, line = above[-1]
    cells = _cells(number, line.lstrip("# \t"), fixed)
    return (number, cells) if rank(cells) == HEADER else None


def _find(rows: list[list[str]], rank: Callable[[list[str]], int]) -> tuple[int, int, bool]:
    """The index of the header, the number of rows below it that have no numbers, and the end.

    The search ends at the first row of numbers, if there is one.
    """
    found, width, best, units, ended = 0, 0, FAULTY, False, True
    for i, cells in enumerate(rows):
        numbers = sum(map(_is_number, cells))
        if width and len(cells) == width and numbers:
            break
        if len(cells) > 1 and numbers == len(cells):
            break
        if units:  # this row belongs to the header above it
            units = False
            continue
        merged = _with_units(cells, rows[i + 1]) if i + 1 < len(rows) else None
        units = merged is not None and rank(merged) == HEADER
        now = HEADER if units else rank(cells)
        if len(cells) > 1 and now >= best:
            found, width, best = i, len(cells), now
    else:
        ended = False
    below = 0
    for cells in rows[found + 1 : found + 1 + MOST_ROWS_BELOW]:
        if len(cells) != len(rows[found]) or any(map(_is_number, cells)):
            break
        below += 1
    if found + 1 + below >= len(rows):  # no numbers follow: the rows themselves are at fault
        below = 0
    return found, below, ended


def _with_units(cells: list[str], units: list[str]) -> list[str] | None:
    """Names with the units of the row below in brackets, None if that row has numbers."""
    if len(units) != len(cells) or any(map(_is_number, units)) or len(cells) > MAX_COLUMNS:
        return None
    pairs = zip(cells, (unit.strip("()[]") for unit in units), strict=True)
    return [f"{cell} ({unit})" if unit else cell for cell, unit in pairs]


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell[:60]) is not None


def _cells(number: int, line: str, fixed: str) -> list[str]:
    """The cells of a row that may be a header."""
    delimiter = fixed or _delimiter(line)
    if not delimiter:
        return _tabbed(line, is_header=True).split("\t")
    try:
        return split(number, line, delimiter)
    except ValueError:
        return [line]


def _delimiter(line: str) -> str:
    """The character between cells, "" for spaces."""
    return delimiter_of(line) if re.search(r"[\t;,]", line) else ""


def _tabbed(line: str, *, is_header: bool = False) -> str:
    """A row with tabs instead of the spaces between its cells."""
    apart = r" {2,}" if is_header and re.search(r"\S {2,}\S", line) else r"\s+"
    return re.sub(apart, "\t", line.strip())
