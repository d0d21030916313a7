"""Sweeps in the formats of the Public EPR Software Tools of NIEHS: `.exp`, `.dat`, `.lmb`.

- `.exp`: text with a field in gauss and a signal in each row, after a line `[DATA]` or alone;
- `.dat`: a line `ESRFILE`, the width and the centre of the sweep in gauss, the number of samples,
  and a signal in each row;
- `.lmb` (`.sim`): `ESRS` or `ESR2`, twenty numbers (width, centre, samples, …), the signal, a
  comment, and twenty texts, as the description of NIEHS has them.

A frequency typed in by hand is not used: its unit is unknown.
"""

import re
import struct
from pathlib import Path

import numpy as np

from .delimited_text import in_row
from .sweep import BOM, SpectrumError, Sweep, read_bytes, read_text


MAX_BYTES = 20_000_000

PARAMETERS, NOTE, STRINGS, STRING = 20, 60, 19, 12
"""Numbers, and bytes of the comment and of each text, in a binary file."""

MAX_SAMPLES = 1_000_000


def is_niehs_text(head: bytes) -> bool:
    """Whether a file that starts with these bytes is `.exp` text with a section `[EPR]`."""
    return head.removeprefix(BOM).lstrip().startswith(b"[EPR]")


def is_two_columns(head: bytes) -> bool:
    """Whether a file that starts with these bytes begins with two numbers in a row."""
    cells = head.removeprefix(BOM).lstrip().split(b"\n", 1)[0].split()
    try:
        return len([float(cell) for cell in cells]) == 2
    except ValueError:
        return False


def is_niehs_dat(head: bytes) -> bool:
    """Whether a file that starts with these bytes is an interchange file `.dat`."""
    return bool(re.match(rb"\s*ESRFILE\s*[\r\n]", head.removeprefix(BOM)))


def is_niehs_binary(head: bytes) -> bool:
    """Whether a file that starts with these bytes is `.lmb`."""
    return head.startswith((b"ESRS", b"ESR2")) and b"\x00" in head[:84]


def read_niehs_text(path: Path) -> list[Sweep]:
    """Read an `.exp` file: one sweep without angle and frequency. Raises `SpectrumError`."""
    lines = list(enumerate(_lines(path), 1))
    start = next((i for i, line in lines if line.strip().upper() == "[DATA]"), 0)
    rows = [_row(i, line, 2) for i, line in lines[start:] if line.strip()]
    table = np.array(rows).reshape(-1, 2)
    about = {f"comment {i}": line.strip() for i, line in lines[: max(start - 1, 0)] if line.strip()}
    return [Sweep(None, np.nan, 0.1 * table[:, 0], table[:, 1], path, about)]


def read_niehs_dat(path: Path) -> list[Sweep]:
    """Read a `.dat` file: one sweep without angle and frequency. Raises `SpectrumError`."""
    lines = [(i, line) for i, line in enumerate(_lines(path), 1) if line.strip()]
    values = [_row(i, line, 1)[0] for i, line in lines[1:]]
    if len(values) < 3:
        raise SpectrumError("no width, centre and number of samples", hint="Copy the file again")
    width, centre, count, *signal = values
    if count != len(signal):
        raise SpectrumError(
            "rows of the signal",
            given=len(signal),
            expected=f"{count:g}, as the fourth line declares",
            hint="The file is cut off: copy it again",
        )
    return [Sweep(None, np.nan, _field_mt(centre, width, len(signal)), np.array(signal), path)]


def read_niehs_binary(path: Path) -> list[Sweep]:
    """Read an `.lmb` file: one sweep without angle and frequency. Raises `SpectrumError`."""
    data = read_bytes(path, MAX_BYTES)
    head = 4 + 4 * PARAMETERS
    if len(data) < head:
        raise SpectrumError("number of bytes", given=len(data), expected="a whole file")
    width, centre, count, *_ = parameters = struct.unpack_from(f"<{PARAMETERS}f", data, 4)
    if not (1 <= count <= MAX_SAMPLES and count == int(count)):
        raise SpectrumError("samples", given=count, expected=f"a number from 1 to {MAX_SAMPLES}")
    if parameters[10] != 0:
        raise SpectrumError("a Fourier transform", expected="a sweep of the field")
    rest = NOTE + STRINGS * STRING + (2 * NOTE if data.startswith(b"ESR2") else 0)
    expected = head + 4 * int(count) + rest
    if len(data) != expected:
        raise SpectrumError(
            "number of bytes",
            given=len(data),
            expected=f"{expected}, as the file declares",
            hint="The file is cut off: copy it again",
        )
    signal = np.frombuffer(data, "<f4", int(count), head).astype(float)
    note = data[head + 4 * int(count) :][:NOTE].split(b"\x00")[0].decode("latin-1").strip()
    about = {"comment": note} if note and note.isprintable() else {}
    return [Sweep(None, np.nan, _field_mt(centre, width, len(signal)), signal, path, about)]


def _lines(path: Path) -> list[str]:
    return read_text(path, MAX_BYTES).splitlines()


def _field_mt(centre: float, width: float, count: int) -> np.ndarray:
    """The fields of a sweep whose centre and width are in gauss. Raises `SpectrumError`."""
    if not (np.isfinite(centre) and 0 < width < np.inf):
        raise SpectrumError("width of the sweep (G)", given=width, expected="above 0")
    return 0.1 * (centre + width * np.linspace(-0.5, 0.5, count))


def _row(number: int, line: str, count: int) -> tuple[float, ...]:
    """The numbers of a row. Raises `SpectrumError`."""
    try:
        values = tuple(map(float, line.split()))
    except ValueError:
        values = ()
    if len(values) != count:
        expected = "a field in gauss and a signal" if count == 2 else "one number"
        raise SpectrumError(
            "row", given=line.strip()[:40], expected=expected, where=in_row(number)
        ) from None
    return values
