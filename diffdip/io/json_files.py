"""Measurements in JSON: the document, and its entries by their path."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from .column_meanings import shown
from .sweep import Instrument, SpectrumError, read_bytes


MAX_BYTES = 40_000_000
"""Larger files are refused: a sweep has some hundred kilobytes."""

MAX_ENTRIES = 200
"""Entries on the instrument that are kept."""


def json_document(path: Path) -> Any:
    """The document in a file. Raises `SpectrumError`."""
    try:
        return json.loads(read_bytes(path, MAX_BYTES).decode("utf-8-sig"))
    except SpectrumError:
        raise
    except (ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise SpectrumError(f"not JSON: {what}", hint="Copy the file again") from None


def entry(document: Any, *path: str | int) -> Any:
    """The entry at a path of names and indices. Raises `SpectrumError`."""
    found = document
    for step in path:
        try:
            found = found[step]
        except (KeyError, IndexError, TypeError):
            place = ".".join(map(str, path))
            raise SpectrumError(f"no entry {place}", expected="a complete measurement") from None
    return found


def optional(document: Any, *path: str | int) -> Any:
    """The entry at a path; None without it."""
    try:
        return entry(document, *path)
    except SpectrumError:
        return None


def number(document: Any, *path: str | int) -> float:
    """The entry at a path as a finite number. Raises `SpectrumError`."""
    given = entry(document, *path)
    try:
        value = float(given)
    except (TypeError, ValueError, OverflowError):
        value = np.nan
    if not np.isfinite(value):
        name = f"entry {'.'.join(map(str, path))}"
        raise SpectrumError(name, given=shown(str(given)), expected="a finite number")
    return value


def numbers(values: Any, what: str, columns: int | None = None) -> np.ndarray:
    """Rows of numbers, of shape (n, columns). Raises `SpectrumError`."""
    try:
        table = np.array(values, float)
    except (TypeError, ValueError, OverflowError):
        table = np.empty(0)
    if table.ndim != 2 or columns not in (None, table.shape[-1]):
        width = "the same number of values" if columns is None else f"{columns} numbers"
        raise SpectrumError(f"entry {what}", expected=f"rows of {width} each")
    return table


def instrument(*groups: Any) -> Instrument:
    """Names and values of several groups that are text or numbers."""
    found: dict[str, str | float] = {}
    for group in groups:
        for name, value in group.items() if isinstance(group, dict) else ():
            if isinstance(value, str) and value:
                found[str(name)] = value[:1000]
            elif isinstance(value, int | float) and not isinstance(value, bool):
                plain = _plain(value)
                if plain is not None:
                    found[str(name)] = plain
    return dict(list(found.items())[:MAX_ENTRIES])


def _plain(value: int | float) -> float | None:
    """A finite number as a float."""
    try:
        plain = float(value)
    except OverflowError:
        return None
    return plain if np.isfinite(plain) else None
