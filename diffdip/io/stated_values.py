"""Angle and frequency that lines above a table state: `# angle = 10 deg`, `Frequency;9.45`."""

import re
from dataclasses import dataclass

import numpy as np

from .column_meanings import (
    EXAMPLES,
    SPECTRUM_NAMES,
    TableError,
    field_unit,
    find_columns,
    quantity_of,
    shown,
)
from .delimited_text import Marks, is_comment, to_number
from .input_files import inside
from .sweep import SpectrumError


_STATED = re.compile(
    r"[\s#%;]*(?P<name>[^=:\d]{1,60}?)\s*[=:]\s*(?P<value>[-−+]?[\d.,]+(?:[eE][-+]?\d+)?)"
    r"\s*(?P<unit>[^\s\d]{0,12})\s*"
)
_CELLS = re.compile(
    r"\s*(?P<name>[^=:;,\t\d]{1,60}?)\s*[;,\t]\s*(?P<value>[-−+]?[\d.]+(?:[eE][-+]?\d+)?)"
    r"(?P<unit>)\s*(?:[;,\t][^;,\t\d]{0,60})?\s*"
)
_STUDIO = re.compile(r"\s*Meas[;,\s]*", re.IGNORECASE)
"""The line above the table of an export by Magnettech ESRStudio, which gives frequencies in GHz."""

LONGEST = 200
"""Longer lines are not searched."""

MICROWAVE = ("mwfreq", "mwfrequency", "microwavefrequency")
"""Names, in small letters, that mean no other frequency."""

USUAL = {"angle": (0.0, 720.0), "frequency": (0.1, 1500.0)}
"""Usual values in degrees and GHz. They decide whether a comma is a decimal mark."""

GROUPED = re.compile(r"[-−+]?[1-9]\d{0,2},\d{3}", re.ASCII)

CENTRES = ("centerfield", "centrefield", "fieldcenter", "fieldcentre", "hcf", "centre", "center")
"""Names of the middle of a sweep, in small letters without marks."""

_LIST_MARK = re.compile(r"\s*(?:[-−–—*•]+\s+)+")
"""What may stand before a name in a comment. Without a blank after it, it is a sign."""

SAME = 1e-6
"""Two values that differ by a smaller part are one."""

APART = 1e-3
"""A frequency that differs by a larger part from that of a column contradicts it."""


@dataclass(frozen=True)
class Stated:
    """An angle in degrees or a frequency in GHz, what states it, and a note on others."""

    value: float
    origin: str
    note: str = ""


@dataclass(frozen=True)
class _Line:
    name: str
    value: float
    text: str


def stated_values(
    above: list[str], quantities: tuple[str, ...] = ("angle", "frequency")
) -> dict[str, Stated]:
    """Angle and frequency in degrees and GHz, by quantity, from the lines above a table.

    A microwave frequency has precedence over a mere "f". Raises `InputError` for values that
    contradict each other, and for a comment with a wrong unit.
    """
    studio = any(_STUDIO.fullmatch(line.strip()) for line in above)
    found: dict[str, list[_Line]] = {name: [] for name in quantities}
    for text in above:
        line = text.rstrip("\r\n")
        match = None
        if len(line) <= LONGEST:
            match = _STATED.fullmatch(line) or (
                None if is_comment(line) else _CELLS.fullmatch(line)
            )
        if match is None:
            continue
        try:
            with inside(f"comment {shown(line.strip())}"):
                one = _value(match["name"], match["value"], match["unit"], studio=studio)
        except TableError:
            if is_comment(line):
                raise
            continue
        if one is not None and one[0] in found:
            found[one[0]].append(_Line(match["name"].strip(), one[1], line.strip()))
    return {name: _agreed(name, lines) for name, lines in found.items() if lines}


def check_against(stated: Stated | None, quantity: str, of_column: float) -> None:
    """Raise `SpectrumError` if a comment contradicts the value of a column."""
    if stated is None or np.isnan(of_column) or np.isnan(stated.value):
        return
    within = APART * abs(of_column) if quantity == "frequency" else 0.01
    if abs(stated.value - of_column) > within and stated.value != 0:
        raise SpectrumError(
            f"{stated.origin} gives {stated.value:g}, the column of the {quantity} {of_column:g}",
            expected=f"one {quantity}",
            hint="Correct one of the two",
        )


def centre_notes(above: list[str], field_mt: np.ndarray) -> list[str]:
    """A note if a line states a centre of the field that lies outside the fields of a table.

    Fields relative to this centre look like fields through zero.

    >>> centre_notes(["# center field = 338 mT"], np.linspace(-8.0, 8.0, 5))
    ["'# center field = 338 mT' lies outside the fields, -8 to 8 mT. Are the fields relative to \
this centre?"]
    """
    low, high = field_mt.min(), field_mt.max()
    notes = []
    for line in above:
        match = _STATED.fullmatch(line.strip()) if len(line) <= LONGEST else None
        if match is None or re.sub(r"[\W_]", "", match["name"].casefold()) not in CENTRES:
            continue
        per_unit = field_unit(f"centre ({match['unit']})")
        try:
            centre = np.nan if per_unit is None else 1e3 * per_unit * float(match["value"])
        except ValueError:
            continue
        if centre < low or centre > high:
            notes.append(
                f"{shown(line.strip())} lies outside the fields, {low:.5g} to {high:.5g} mT. "
                "Are the fields relative to this centre?"
            )
    return notes


def _value(name: str, value: str, unit: str, *, studio: bool) -> tuple[str, float] | None:
    """The quantity and its value in degrees or GHz, None for another one. Raises `TableError`."""
    name = _LIST_MARK.sub("", name)
    quantity = quantity_of(name, SPECTRUM_NAMES)
    if quantity == "frequency" and not unit and studio:
        unit = "GHz"
    header = f"{name} ({unit})" if unit else name
    columns, _ = find_columns([header], SPECTRUM_NAMES)
    if not columns or columns[0].quantity not in ("angle", "frequency"):
        return None
    [column] = columns
    in_files = np.degrees(column.scale) if column.quantity == "angle" else column.scale / 1e9
    number = stated_number(column.quantity, value, in_files)
    return column.quantity, float(f"{number:.15g}")


def stated_number(quantity: str, text: str, scale: float) -> float:
    """A number with its marks, as an angle in degrees or a frequency in GHz.

    Of 9500 MHz and 9.500 MHz, which `9,500` may be, it is the one that is usual. Raises
    `TableError`.

    >>> stated_number("frequency", "9,500", 1e-3), stated_number("frequency", "9,500", 1.0)
    (9.5, 9.5)
    """
    subject = f"value of the {quantity}"
    if text.count(",") != 1 or "." in text:
        return scale * to_number(subject, text, Marks(".", ","))
    found = scale * to_number(subject, text, Marks(","))
    if GROUPED.fullmatch(text):
        low, high = USUAL[quantity]
        whole = scale * to_number(subject, text, Marks(".", ","))
        usual = [one for one in (found, whole) if low <= abs(one) <= high]
        if len(usual) != 1:
            raise TableError(
                subject,
                given=text,
                expected="a number with an unambiguous decimal mark",
                hint="Write it without marks between thousands",
            )
        return usual[0]
    return found


def _agreed(quantity: str, lines: list[_Line]) -> Stated:
    """The one value that lines state. Raises `SpectrumError` if they contradict each other."""
    # a frequency that was read before and after the sweep drifts
    within = APART if quantity == "frequency" else SAME
    sure = [line for line in lines if re.sub(r"\W|_", "", line.name.casefold()) in MICROWAVE]
    for chosen in (lines, sure):
        if not chosen:
            continue
        first, *others = chosen
        apart = [abs(one.value - first.value) / (abs(first.value) or 1) for one in others]
        if all(part <= within for part in apart):
            rest = [one for one, part in zip(others, apart, strict=True) if part > SAME]
            rest += [one for one in lines if one not in chosen]
            note = f"{shown(rest[0].text)} is not used beside {shown(first.text)}" if rest else ""
            return Stated(first.value, f"comment {shown(first.text)}", note)
    told = " and ".join(shown(one.text) for one in lines[:3])
    raise SpectrumError(
        f"comments state several values of the {quantity} ({told})",
        expected="one",
        hint=f"Delete the others, or add a column {EXAMPLES[quantity]}",
    )
