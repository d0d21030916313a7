"""The numbers of a fit as text for tables: values with errors, intervals, headings."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..fitting.parameter_table import UNITS
from ..fitting.width_parts import SPREAD


def heading(column: str) -> str:
    """The name of a parameter from a document, with its unit in parentheses.

    >>> heading("A_mT"), heading("offset_1_deg"), heading("g")
    ('A (mT)', 'offset_1 (deg)', 'g')
    """
    name, _, unit = column.rpartition("_")
    return f"{name} ({unit})" if name and unit in UNITS else column


def part_heading(column: str) -> str:
    """The name of a part of the line width from a document, with its unit in parentheses.

    >>> part_heading("damping"), part_heading("inhomogeneous_mT"), part_heading("spread_Meff_mT")
    ('damping', 'inhomogeneous (mT)', 'spread of Meff (mT)')
    """
    name, _, unit = column.rpartition("_")
    text = f"{name} ({unit})" if unit in ("mT", "deg") else column
    return f"spread of {text.removeprefix(SPREAD)}" if column.startswith(SPREAD) else text


def number(value: float | None) -> str:
    """A number with three digits, or a dash for None.

    >>> number(0.123456), number(None)
    ('0.123', '-')
    """
    return "-" if value is None else f"{value:.3g}"


def rms_text(document: Mapping[str, Any]) -> str:
    """The rms of a fit document, of fields in mT and of measured frequencies in MHz.

    >>> rms_text({"rms_mT": 0.123}), rms_text({"rms_mT": None, "rms_MHz": 4.5})
    ('0.123 mT', '4.5 MHz')
    """
    found = [(document.get(f"rms_{unit}"), unit) for unit in ("mT", "MHz")]
    return ", ".join(f"{number(value)} {unit}" for value, unit in found if value is not None) or "-"


def chi2_text(document: Mapping[str, Any]) -> str:
    """χ²/dof of a fit document, and that after its errors were scaled.

    >>> chi2_text({"reduced_chi2": 1.1, "error_factor": 1})
    '1.1'
    >>> chi2_text({"reduced_chi2": 26.0, "error_factor": 5.1})
    '26 (1 after scaling)'
    """
    text = number(document["reduced_chi2"])
    return text if document["error_factor"] == 1 else f"{text} (1 after scaling)"


def noise_note(document: Mapping[str, Any]) -> str:
    """What a fit document tells of correlated noise; empty where that is nothing.

    >>> noise_note({"correlated_noise": {"correlation": 0.1, "note": None}})
    ''
    """
    return (document["correlated_noise"] or {}).get("note") or ""


def value_text(entry: Mapping[str, Any]) -> str:
    """Value and error of a parameter in a fit document, to two digits of the error.

    >>> value_text({"value": 12.3456, "free": True, "standard_error": 0.123})
    '12.35 ± 0.12'
    >>> value_text({"value": 3, "free": False, "tied": {"of": "A_mT", "times": 0.5, "plus": 1}})
    '3 (tied: 0.5 A_mT + 1)'
    """
    value, error = entry["value"], entry.get("standard_error")
    if tie := entry.get("tied"):
        return f"{value:.6g} (tied{f': {_tie(tie)}' if isinstance(tie, Mapping) else ''})"
    if not entry["free"]:
        return f"{value:.6g} (fixed)"
    if not error:
        return f"{value:.6g} ± ?"
    digits = _digits(error)
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def _tie(tie: Mapping[str, Any]) -> str:
    """What a parameter is tied to, as a formula."""
    plus = tie["plus"]
    constant = f" {'+' if plus > 0 else '-'} {abs(plus):.6g}" if plus else ""
    return f"{tie['times']:.6g} {tie['of']}{constant}"


def interval_text(entry: Mapping[str, Any], level: str = "68") -> str:
    """The interval of a parameter in a fit document; an end that was not found is "open".

    >>> interval_text({"free": True, "standard_error": 0.1, "interval_68": [1.234, None]})
    '1.23 to open'
    """
    error = entry.get("standard_error")
    if not entry["free"] or not error:
        return ""
    bounds: Sequence[float | None] = entry.get(f"interval_{level}", (None, None))
    low, high = ("open" if bound is None else f"{bound:.{_digits(error)}f}" for bound in bounds)
    return f"{low} to {high}"


def _digits(error: float) -> int:
    """How many decimals show two digits of the error."""
    return min(12, max(0, 1 - math.floor(math.log10(error))))
