"""Sweeps in JCAMP-DX: text with labelled records, `##LABEL=value`.

A spectrum is in `##XYDATA=(X++(Y..Y))`, where rows begin with a field and go on with signals at
equal steps, or in `##XYPOINTS=(XY..XY)` or `##XYDATA=(XY..XY)` with pairs. Signals may be written
in the compressed forms PAC, SQZ, DIF and DUP. Format: R. S. McDonald and P. A. Wilks, Appl.
Spectrosc. 42, 151 (1988); for magnetic resonance R. Cammack and others, Pure Appl. Chem. 78, 613
(2006).
"""

import re
from pathlib import Path

import numpy as np

from .column_meanings import unit_scale
from .delimited_text import in_row
from .sweep import BOM, SpectrumError, Sweep, read_text


MAX_BYTES = 20_000_000
MAX_SAMPLES = 1_000_000

UNITS = {"GAUSS": "G", "G": "G", "TESLA": "T", "T": "T", "MILLITESLA": "mT", "MT": "mT",
         "KILOGAUSS": "kG", "KG": "kG", "OERSTED": "Oe", "OE": "Oe"}  # fmt: skip
"""Units of the field by the value of XUNITS, in capitals."""

FREQUENCIES = ("MICROWAVEFREQUENCY", "MWFREQUENCY", "EPRFREQUENCY", "SPECTROMETERFREQUENCY",
               "FREQUENCY", "OBSERVEFREQUENCY")  # fmt: skip
"""Labels of the frequency, which counts if its unit is written with it."""

ONCE = ("XUNITS", "FIRSTX", "LASTX", "XFACTOR", "YFACTOR", "NPOINTS")
"""Labels that the table is read by: several values contradict each other."""

ONE_BLOCK = "Save each block to its own file"

ROUNDED = 0.6
"""The field of a row may differ from the expected one by this part of a step, and of its last
digit."""

APART = 0.02
"""The fields of a table may differ from the stated ones by this part of the sweep."""

DRIFT = 1e-3
"""Two frequencies that differ by more than this part get a note."""

_HEAD = re.compile(rb"(?:\s*\$\$[^\r\n]*[\r\n])*+\s*##\s*TITLE\s*=", re.IGNORECASE)
"""Comments, then the first record."""

_DECIMALS = re.compile(r"[-+]?\d*\.?(\d{0,12})")
_LABEL = re.compile(r"\s*##([^=]*)=(.*)", re.DOTALL)
_FREQUENCY = re.compile(r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*\(?(k|M|G|T)?Hz\)?\s*", re.IGNORECASE)

_FIRST = {"@": 0, **{c: i for i, c in enumerate("ABCDEFGHI", 1)},
          **{c: -i for i, c in enumerate("abcdefghi", 1)}}  # fmt: skip
_STEP = {"%": 0, **{c: i for i, c in enumerate("JKLMNOPQR", 1)},
         **{c: -i for i, c in enumerate("jklmnopqr", 1)}}  # fmt: skip
_REPEAT = {c: i for i, c in enumerate("STUVWXYZs", 1)}
_TOKEN = re.compile(
    r"(?P<dup>[S-Zs]\d*)|(?P<dif>[%J-Rj-r]\d*)|(?P<sqz>[@A-Ia-i]\d*(?:\.\d*)?)"
    r"|(?P<affn>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]\d+)?)|(?P<gap>\?)|[\s,;]+"
)


def is_jcamp(head: bytes) -> bool:
    """Whether a file that starts with these bytes is JCAMP-DX."""
    return _HEAD.match(head.removeprefix(BOM)) is not None


def read_jcamp(path: Path) -> list[Sweep]:
    """Read one file with one spectrum, without an angle. Raises `InputError` with its label."""
    records = _records(read_text(path, MAX_BYTES))
    single = {label: _uncommented(value) for label, value, _ in reversed(records)}
    for label in ONCE:
        values = [_uncommented(value) for name, value, _ in records if name == label]
        for other in values[1:]:
            if _meaning(other) != _meaning(values[0]):
                both = (values[0], other)
                raise SpectrumError(label, given=both, expected="one value", hint=ONE_BLOCK)
    tables = [one for one in records if one[0] in ("XYDATA", "XYPOINTS")]
    if len(tables) != 1:
        raise SpectrumError(
            "tables of data",
            given=len(tables),
            expected="one XYDATA or XYPOINTS",
            hint=ONE_BLOCK,
        )
    label, text, line = tables[0]
    form, _, body = text.partition("\n")
    unit = UNITS.get(single.get("XUNITS", "").upper())
    if unit is None:
        raise SpectrumError(
            "XUNITS",
            given=single.get("XUNITS", ""),
            expected=f"a unit of the field, such as {', '.join(list(UNITS)[:5])}",
        )
    x_factor, y_factor = (_number(single, name, 1.0) for name in ("XFACTOR", "YFACTOR"))
    form = re.sub(r"\s", "", form.partition("$$")[0]).upper()
    if form == "(X++(Y..Y))" and label == "XYDATA":
        field, signal = _equal_steps(single, body, line + 1, x_factor)
    elif form == "(XY..XY)":
        pairs = np.array(_plain(body, line + 1))
        if len(pairs) % 2:
            raise SpectrumError(label, expected="pairs of a field and a signal")
        field, signal = x_factor * pairs[0::2], pairs[1::2]
    else:
        raise SpectrumError(label, given=form, expected="(X++(Y..Y)) or (XY..XY)")
    declared = _number(single, "NPOINTS", float(len(signal)))
    if declared != len(signal):
        raise SpectrumError(
            "samples",
            given=len(signal),
            expected=f"{declared:g}, as NPOINTS declares",
            hint="The file is cut off: copy it again",
        )
    _check_ends(single, field)
    per_unit = unit_scale("XUNITS", "field", unit)
    about = {name: text for name, text, _ in records if name not in ("XYDATA", "XYPOINTS")}
    about = {name: " ".join(text.split())[:1000] for name, text in about.items() if text.strip()}
    frequency, notes = _frequency(single)
    field_mt = 1e3 * per_unit * field
    return [Sweep(None, frequency, field_mt, y_factor * signal, path, about, notes=notes)]


def _records(text: str) -> list[tuple[str, str, int]]:
    """Label in capitals without marks, value, and line number of each record."""
    found: list[tuple[str, list[str], int]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if match := _LABEL.fullmatch(line):
            label = re.sub(r"[\s\-/_.]", "", match[1]).upper()
            found.append((label, [match[2].strip()], number))
        elif found:
            found[-1][1].append(line)
    return [(label, "\n".join(lines), number) for label, lines, number in found]


def _uncommented(value: str) -> str:
    """A value without its comment."""
    return value.partition("$$")[0].strip()


def _meaning(value: str) -> str | float:
    """A value as a number, or as text in small letters."""
    try:
        return float(value)
    except ValueError:
        return value.casefold()


def _number(single: dict[str, str], label: str, missing: float) -> float:
    """The value of a label as a number. Raises `SpectrumError`."""
    text = single.get(label, "")
    if not text:
        return missing
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise SpectrumError(label, given=text, expected="a finite number")
    return value


def _frequency(single: dict[str, str]) -> tuple[float, tuple[str, ...]]:
    """The frequency in GHz, NaN where no label has one with its unit; a note if labels differ."""
    scales = {"": 1e-9, "K": 1e-6, "M": 1e-3, "G": 1.0, "T": 1e3}
    found: dict[str, float] = {}
    for label in FREQUENCIES:
        match = _FREQUENCY.fullmatch(single.get(label, ""))
        try:
            value = float(match[1]) if match else 0.0
        except ValueError:
            value = 0.0
        if match and value > 0:
            found[label] = value * scales[(match[2] or "").upper()]
    if not found:
        return np.nan, ()
    (taken, frequency), *others = found.items()
    notes = [
        f"{taken} is {frequency:.6g} GHz, {label} {other:.6g} GHz: {taken} is used"
        for label, other in others
        if abs(other - frequency) > DRIFT * frequency
    ]
    return frequency, tuple(notes)


def _check_ends(single: dict[str, str], field: np.ndarray) -> None:
    """Raise `SpectrumError` if pairs do not have the fields that the file states, in any order."""
    ends = {label: _number(single, label, np.nan) for label in ("FIRSTX", "LASTX")}
    if len(field) and (ends["FIRSTX"] > ends["LASTX"]) != (field[0] > field[-1]):
        field = field[::-1]
    for label, value in (("FIRSTX", field[:1]), ("LASTX", field[-1:])):
        stated = ends[label]
        if len(value) and abs(stated - value[0]) > APART * np.ptp(field):
            raise SpectrumError(
                label,
                given=stated,
                expected=f"{value[0]:g}, as in the table",
                hint="The file is cut off, or its head belongs to another measurement",
            )


def _equal_steps(
    single: dict[str, str], body: str, first_line: int, x_factor: float
) -> tuple[np.ndarray, np.ndarray]:
    """Fields and signals of rows that begin with a field. Raises `SpectrumError`."""
    signal: list[float] = []
    starts: list[tuple[int, float, float, int]] = []  # samples before a row, field, digit, line
    expects_check = False
    for number, line in enumerate(body.split("\n"), first_line):
        row = line.partition("$$")[0].strip()
        if not row:
            continue
        x, values, ends_in_step = _row(row, number)
        if expects_check and signal:
            if values and values[0] != signal[-1]:
                raise SpectrumError(
                    "first signal of the row",
                    given=values[0],
                    expected=f"{signal[-1]:g}, the last one of the row before",
                    hint="The file is damaged: copy it again",
                    where=in_row(number),
                )
            values = values[1:]
            x_at = len(signal) - 1
        else:
            x_at = len(signal)
        digits = _DECIMALS.match(row)
        starts.append((x_at, x, 10.0 ** -len(digits[1]) if digits else 1.0, number))
        signal += values
        expects_check = ends_in_step
        if len(signal) > MAX_SAMPLES:
            raise SpectrumError("samples", given=len(signal), expected=f"up to {MAX_SAMPLES}")
    first, last = (_number(single, name, np.nan) for name in ("FIRSTX", "LASTX"))
    if not np.isfinite(first + last) or len(signal) < 2:
        raise SpectrumError("FIRSTX and LASTX", expected="the first and the last field")
    field = np.linspace(first, last, len(signal))
    step = abs(last - first) / (len(signal) - 1)
    for at, x, digit, number in starts:
        # fields may be written with few digits
        allowed = ROUNDED * (step + abs(x_factor) * digit)
        if not abs(x_factor * x - field[min(at, len(field) - 1)]) <= allowed:
            raise SpectrumError(
                "field of the row",
                given=x_factor * x,
                expected=f"{field[min(at, len(field) - 1)]:g}, from FIRSTX and LASTX",
                hint="Rows are missing, or the file is damaged: copy it again",
                where=in_row(number),
            )
    return field, np.array(signal)


def _row(row: str, number: int) -> tuple[float, list[float], bool]:
    """The field of a row, its signals, and whether they end with a difference."""
    x: float | None = None
    values: list[float] = []
    step: float | None = None  # the last difference, where the last signal came from one
    for match in _tokens(row, number):
        kind, text = match.lastgroup, match[0]
        if kind == "gap":
            raise SpectrumError("a missing signal, ?", expected="numbers", where=in_row(number))
        if x is None:
            if kind != "affn":
                raise SpectrumError("row", given=row[:40], expected="a field", where=in_row(number))
            x = float(text)
        elif kind == "affn":
            values.append(float(text))
            step = None
        elif kind == "sqz":
            values.append(_leading(_FIRST[text[0]], text))
            step = None
        elif not values:
            raise SpectrumError("row", given=row[:40], expected="a signal", where=in_row(number))
        elif kind == "dif":
            step = _leading(_STEP[text[0]], text)
            values.append(values[-1] + step)
        else:
            repeats = int(_leading(_REPEAT[text[0]], text)) - 1
            if not 0 <= repeats <= MAX_SAMPLES:
                raise SpectrumError(
                    "repeats", given=text[:40], expected="up to a million", where=in_row(number)
                )
            for _ in range(repeats):
                values.append(values[-1] + (step or 0.0))
        if len(values) > MAX_SAMPLES:
            raise SpectrumError("samples", given=len(values), expected=f"up to {MAX_SAMPLES}")
    if x is None:
        raise SpectrumError("row", given=row[:40], expected="a field", where=in_row(number))
    return x, values, step is not None


def _leading(digit: int, text: str) -> float:
    """The number whose first digit, with its sign, is a letter."""
    size = float(f"{abs(digit)}{text[1:20]}")
    return -size if digit < 0 else size


def _plain(body: str, first_line: int) -> list[float]:
    """All numbers of a table of pairs. Raises `SpectrumError`."""
    found: list[float] = []
    for number, line in enumerate(body.split("\n"), first_line):
        for match in _tokens(line.partition("$$")[0], number):
            if match.lastgroup != "affn":
                raise SpectrumError(
                    "value", given=match[0], expected="a number", where=in_row(number)
                )
            found.append(float(match[0]))
    if len(found) > 2 * MAX_SAMPLES:
        raise SpectrumError("samples", given=len(found) // 2, expected=f"up to {MAX_SAMPLES}")
    return found


def _tokens(row: str, number: int) -> list[re.Match[str]]:
    """The numbers of a row. Raises `SpectrumError` for anything else."""
    found, at = [], 0
    while at < len(row):
        match = _TOKEN.match(row, at)
        if match is None:
            raise SpectrumError(
                "row", given=row[at : at + 40], expected="numbers", where=in_row(number)
            )
        if match.lastgroup:
            found.append(match)
        at = match.end()
    return found
