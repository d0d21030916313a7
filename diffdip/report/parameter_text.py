"""Numbers of a fit as text, for tables on any page: values with errors, intervals, headings."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any


def heading(name: str) -> str:
    """The name of a parameter with its unit apart.

    >>> heading("A_mT")
    'A (mT)'
    """
    return re.sub(r"_(\w+)$", r" (\1)", name)


def number(value: float | None) -> str:
    """Three digits, or a dash for what is not known."""
    return "-" if value is None else f"{value:.3g}"


def value_text(entry: Mapping[str, Any]) -> str:
    """A parameter of `fit_document`, to two digits of its error.

    >>> value_text({"value": 12.3456, "free": True, "standard_error": 0.123})
    '12.35 ± 0.12'
    """
    value, error = entry["value"], entry.get("standard_error")
    if not entry["free"]:
        return f"{value:.6g} (fixed)"
    if not error:
        return f"{value:.6g} ± ?"
    digits = _digits(error)
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def interval_text(entry: Mapping[str, Any], level: str = "68") -> str:
    """The interval of such a parameter at this level, `open` where it has no end.

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
    return min(12, max(0, 1 - math.floor(math.log10(error))))
