"""What the two kinds of Bruker files share: descriptors, axes, and arrays of declared size."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from .column_meanings import shown
from .input_files import as_place, inside
from .sweep import Instrument, SpectrumError, Sweep, read_bytes, read_text


MAX_POINTS = 50_000_000
"""More samples than this are refused before they are read, whatever a descriptor declares."""

MAX_DESCRIPTOR = 10_000_000
"""Larger descriptors are refused. A pulse program in one may have more than a megabyte."""

TESLA_IN_MT = 1e3


class Descriptor:
    """The entries of a text file that describes binary files; the first of each name is used.

    A number that has two values is refused.
    """

    def __init__(self, path: Path, entries: Iterable[tuple[str, str]]):
        self.path = path
        self.entries: dict[str, str] = {}
        self._others: dict[str, str] = {}
        for name, value in entries:
            if _plain(self.entries.setdefault(name, value)) != _plain(value):
                self._others[name] = value

    def text(self, name: str, default: str = "") -> str:
        """An entry as text, `default` without one."""
        return self.entries.get(name, default)

    def number(self, name: str) -> float:
        """An entry as a finite number. Raises `SpectrumError`."""
        if name not in self.entries:
            raise SpectrumError(f"no entry {name}", expected="a number")
        try:
            value = float(self.entries[name].split()[0])
        except (ValueError, IndexError):
            value = np.nan
        if not np.isfinite(value):
            raise self.refused(name, "a finite number")
        if name in self._others:
            both = (self.entries[name], self._others[name])
            raise SpectrumError(f"entry {name}", given=both, expected="one value")
        return value

    def count(self, name: str) -> int:
        """An entry as a number of points. Raises `SpectrumError`."""
        value = self.number(name)
        if not (1 <= value <= MAX_POINTS and value == int(value)):
            raise self.refused(name, f"a whole number from 1 to {MAX_POINTS}")
        return int(value)

    def refused(self, name: str, expected: str) -> SpectrumError:
        """The error for an entry with another value than expected."""
        return SpectrumError(f"entry {name}", given=self.text(name), expected=expected)

    def axis(self, low: str, width: str, count: int) -> np.ndarray:
        """Values at equal steps: the start is in one entry, the width in another."""
        return self.number(low) + self.number(width) * np.linspace(0, 1, count)

    def instrument(self) -> Instrument:
        """All entries, with numbers as numbers, for the attributes of the dataset."""
        return {name: _plain(value) for name, value in self.entries.items() if value}


def descriptor_lines(path: Path) -> list[str]:
    """The lines of a descriptor. Raises `SpectrumError` beyond `MAX_DESCRIPTOR` bytes."""
    text = read_text(path, MAX_DESCRIPTOR)
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def companion(path: Path, ending: str) -> Path:
    """The file of the same name with another ending, in any case. Raises `SpectrumError`."""
    wanted = path.stem + ending
    try:
        found = sorted(p for p in path.parent.iterdir() if p.name.casefold() == wanted.casefold())
    except OSError as error:
        raise SpectrumError(
            f"its folder cannot be read: {error.strerror or error}", hint="Check its permissions"
        ) from None
    if not found:
        raise SpectrumError(
            f"no file {shown(wanted)} beside it", hint="Put the file with the data into its folder"
        )
    return next((p for p in found if p.stem == path.stem), found[0])


def read_array(path: Path, dtype: str, count: int, row: int = 0) -> np.ndarray:
    """The `count` numbers that a file consists of, as float64.

    With `row`, the length of a row, a file that was cut off gives the rows that are whole, if there
    is one. Raises `SpectrumError`.
    """
    size = np.dtype(dtype).itemsize
    with inside(as_place(path.name)):
        data = read_bytes(path)
        whole = len(data) // (row * size) * row if row else 0
        if len(data) != count * size and not 0 < whole < count:
            raise SpectrumError(
                "number of bytes",
                given=len(data),
                expected=f"{count * size}, as the descriptor declares",
                hint="The file is cut off or belongs to another measurement: copy it again",
            )
    kept = count if len(data) == count * size else whole
    return np.frombuffer(data, dtype, kept).astype(float)


def rotation(template: Sweep, angle_deg: np.ndarray | None, signal: np.ndarray) -> list[Sweep]:
    """The rows of `signal` (angle, field) as sweeps like `template`; without angles one sweep.

    Rows that are missing, or that were not measured, are left out with a note.
    """
    if angle_deg is None:
        return [replace(template, signal=signal)]
    rows = signal.reshape(-1, len(template.field_mt))
    measured = _measured(rows)
    notes = template.notes
    if measured < len(angle_deg):
        notes = (
            *notes,
            f"the rotation was stopped: {measured} of {len(angle_deg)} angles are measured",
        )
    return [
        replace(template, angle_deg=angle, signal=row, notes=notes)
        for angle, row in zip(angle_deg[:measured].tolist(), rows, strict=False)
    ]


def _measured(rows: np.ndarray) -> int:
    """Number of rows before those that a stopped measurement left as one constant."""
    count = len(rows)
    if count > 1 and _unfinished(rows):
        return count - 1
    while count > 1 and np.ptp(rows[count - 1]) == 0:
        count -= 1
    if 1 < count < len(rows):
        last, blank = rows[count - 1], rows[-1][0]
        filled = np.flatnonzero(last != blank)
        count -= int(len(filled) > 0 and filled[-1] < 0.9 * len(last))
    return count


def _unfinished(rows: np.ndarray) -> bool:
    """Whether only the last row ends in a constant, over a tenth of its length or more."""
    tail = rows[:, -max(len(rows[0]) // 10, 2) :]
    constant = np.ptp(tail, axis=1) == 0
    return bool(constant[-1] and not constant[:-1].any() and np.ptp(rows[-1]) > 0)


def _plain(value: str) -> str | float:
    """A finite number as a number, anything else as text."""
    try:
        number = float(value)
    except ValueError:
        return value
    return number if np.isfinite(number) else value
