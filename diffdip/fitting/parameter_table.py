"""The table of fit parameters: what each is called, its units, where a search starts and looks.

Nothing else decides anything by the name of a parameter.
"""

import math
import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class ParameterKind:
    """What is known of a fit parameter before any data.

    Args:
        symbol: For figures, as mathematical text without dollar signs.
        unit: In files, tables and figures; empty for a plain number.
        factor: Multiplies the value inside the program (SI, radians) into that unit.
        start: Where a search starts without a hint, inside the program.
        spread: How far starts lie on either side of that; None: by the resonance field (tesla).
        prior: Half the width of the flat prior of an unbounded parameter; None as for `spread`.
        format: For `shown`.
        nuisance: Stands after the anisotropy fields in tables (g, offsets).
    """

    symbol: str
    unit: str = ""
    factor: float = 1.0
    start: float = 0.0
    spread: float | None = None
    prior: float | None = None
    format: str = ".4g"
    nuisance: bool = False


def _field(symbol: str) -> ParameterKind:
    return ParameterKind(symbol, "mT", 1e3, format=".1f")


_DEGREES: Final = 180 / math.pi

_TABLE: Final = {
    "A": _field("A"),
    "B": _field("B"),
    "C": _field("C"),
    "Cxz": _field("C_{xz}"),
    "Cyz": _field("C_{yz}"),
    "g": ParameterKind("g", start=2.0, spread=0.2, prior=0.5, format=".4f", nuisance=True),
    "offset": ParameterKind(
        "α_0", "deg", _DEGREES, 0.0, math.pi / 2, math.pi / 2, ".1f", nuisance=True
    ),
    "phase": ParameterKind("φ", "deg", _DEGREES, format=".1f"),
    "sigma": ParameterKind("σ", "mT", 1e3, format=".3f", nuisance=True),
}


def parameter_kind(name: str) -> ParameterKind:
    """The row of a parameter; offset_1 is an offset too, and unknown names have no unit.

    >>> parameter_kind("B").unit, parameter_kind("offset_2").unit, parameter_kind("K1").unit
    ('mT', 'deg', '')
    """
    numbered = re.fullmatch(r"(offset)_(\d+)", name)
    if numbered:
        return _TABLE["offset"]
    return _TABLE.get(name, ParameterKind(name))


def column_name(name: str) -> str:
    """The name with its unit, for the columns of files.

    >>> column_name("A"), column_name("offset_1"), column_name("K1")
    ('A_mT', 'offset_1_deg', 'K1')
    """
    unit = parameter_kind(name).unit
    return f"{name}_{unit}" if unit else name


def shown(name: str, value: float) -> str:
    """A parameter and its value (SI) in the units of tables.

    >>> shown("A", 0.1), shown("offset", 0.1), shown("g", 2.0)
    ('A = 100.0 mT', 'offset = 5.7°', 'g = 2.0000')
    """
    kind = parameter_kind(name)
    unit = {"deg": "°", "": ""}.get(kind.unit, f" {kind.unit}")
    return f"{name} = {kind.factor * value:{kind.format}}{unit}"
