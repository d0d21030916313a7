"""What the two kinds of Bruker files share: descriptors, axes and arrays of declared sizes."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .columns import SERIES_NAMES, find_columns, shown
from .sweep import Instrument, SpectrumError, Sweep, read_bytes


MAX_POINTS = 50_000_000
"""More samples than this are refused, whatever a descriptor declares."""

TESLA_IN_MT = 1e3


class Descriptor:
    """The entries of a text file that describes binary ones; the first of each name counts."""

    def __init__(self, path: Path, entries: Iterable[tuple[str, str]]):
        self.path = path
        self.entries: dict[str, str] = {}
        for name, value in entries:
            self.entries.setdefault(name, value)

    def text(self, name: str, default: str = "") -> str:
        """An entry as text."""
        return self.entries.get(name, default)

    def number(self, name: str) -> float:
        """An entry as a finite number. Raises `SpectrumError`."""
        try:
            value = float(self.entries[name].split()[0])
        except KeyError:
            raise SpectrumError(f"{self.path}: no entry {name}; expected a number") from None
        except (ValueError, IndexError):
            value = np.nan
        if not np.isfinite(value):
            raise SpectrumError(
                f"{self.path}: {name} = {shown(self.entries[name])}: expected a finite number"
            )
        return value

    def count(self, name: str) -> int:
        """An entry as a number of points. Raises `SpectrumError`."""
        value = self.number(name)
        if not (1 <= value <= MAX_POINTS and value == int(value)):
            raise SpectrumError(
                f"{self.path}: {name} = {shown(self.entries[name])}: "
                f"expected a whole number from 1 to {MAX_POINTS}"
            )
        return int(value)

    def axis(self, low: str, width: str, count: int) -> np.ndarray:
        """Equal steps from one entry over the width in another."""
        return self.number(low) + self.number(width) * np.linspace(0, 1, count)

    def instrument(self) -> Instrument:
        """All entries, numbers as numbers, for the record."""
        return {name: _plain(value) for name, value in self.entries.items() if value}


def descriptor_lines(path: Path) -> list[str]:
    """The lines of a descriptor. Raises `SpectrumError` for more than a megabyte."""
    text = read_bytes(path, 1_000_000).decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def companion(path: Path, ending: str) -> Path:
    """The file of the same name with another ending, in any case. Raises `SpectrumError`."""
    wanted = path.stem + ending
    try:
        found = sorted(p for p in path.parent.iterdir() if p.name.casefold() == wanted.casefold())
    except OSError as error:
        raise SpectrumError(f"{path.parent}: cannot be read: {error.strerror or error}") from None
    if not found:
        raise SpectrumError(f"{path}: no file {wanted} beside it; expected the one with the data")
    return next((p for p in found if p.stem == path.stem), found[0])


def read_array(path: Path, dtype: str, count: int) -> np.ndarray:
    """`count` numbers, all that a file holds, as float64. Raises `SpectrumError`."""
    data = read_bytes(path)
    expected = count * np.dtype(dtype).itemsize
    if len(data) != expected:
        raise SpectrumError(
            f"{path}: {len(data)} bytes where its descriptor declares {expected}: "
            "cut off, or of another measurement"
        )
    return np.frombuffer(data, dtype).astype(float)


def scale(where: Path, quantity: str, name: str, unit: str) -> float:
    """SI units per unit of an axis of field or angle. Raises `InputError` for another axis."""
    header = f"{quantity} ({unit})" if unit else name
    columns, _ = find_columns(str(where), [header], SERIES_NAMES)
    if [column.quantity for column in columns] != [quantity]:
        raise SpectrumError(f"{where}: axis {shown(name)} has no unit; expected the {quantity}")
    return columns[0].scale


def rotation(
    descriptor: Descriptor,
    field_mt: np.ndarray,
    angle_deg: np.ndarray | None,
    signal: np.ndarray,
    frequency_ghz: float,
) -> list[Sweep]:
    """The rows of `signal` (angle, field) as sweeps; one whose angle is open without angles."""
    angles = [None] if angle_deg is None else angle_deg.tolist()
    instrument = descriptor.instrument()
    return [
        Sweep(angle, frequency_ghz, field_mt, row, descriptor.path, instrument)
        for angle, row in zip(angles, signal.reshape(len(angles), -1), strict=True)
    ]


def _plain(value: str) -> str | float:
    try:
        number = float(value)
    except ValueError:
        return value
    return number if np.isfinite(number) else value
