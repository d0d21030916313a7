"""The table of fit parameters: label, unit, format, start of a search and prior of each.

Labels, units, default starts and priors are decided here and nowhere else.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from ..foundation.errors import InputError


@dataclass(frozen=True)
class ParameterKind:
    """What is known about a fit parameter before any data.

    Args:
        label: For figures; mathematical text stands between dollar signs.
        unit: In files, tables and figures; empty for a plain number.
        factor: Converts the value inside the program (SI, radians) to that unit.
        start: Where a search starts if the user gives no start (SI, radians).
        spread: Starts are spread by this much on either side (SI, radians). None: by a part of
            the resonance field without anisotropy.
        prior: Half the width of the flat prior of a parameter without bounds (SI, radians).
            None: a multiple of the resonance field without anisotropy, around 0.
        format: Format of the number in messages.
        nuisance: Tables list it after the anisotropy fields (g, offsets).
        is_known: Whether the unit is known.
        period: Angles of an axis that differ by this are the same axis (radians). None: no such
            angle.
    """

    label: str
    unit: str = ""
    factor: float = 1.0
    start: float = 0.0
    spread: float | None = None
    prior: float | None = None
    format: str = ".4g"
    nuisance: bool = False
    is_known: bool = True
    period: float | None = None


def _field(label: str) -> ParameterKind:
    return ParameterKind(label, "mT", 1e3, format=".1f")


_DEGREES: Final = 180 / math.pi


def _angle(label: str) -> ParameterKind:
    return ParameterKind(label, "deg", _DEGREES, 0.0, math.pi / 2, math.pi / 2, ".1f")


_STATED: Final = {"mT": _field, "deg": _angle, "": ParameterKind}
"""Units that a model may state for its parameters."""

UNITS: Final = ("mT", "deg")
"""Units of all parameters that have one."""

_OFFSET: Final = "offset"

_TABLE: Final = {
    "A": _field("$A$"),
    "B": _field("$B$"),
    "C": _field("$C$"),
    "Cxz": _field("$C_{xz}$"),
    "Cyz": _field("$C_{yz}$"),
    # of terms
    "Meff": ParameterKind(r"$µ_0M_\mathrm{eff}$", "mT", 1e3, 0.5, 1.5, format=".1f"),
    "Hu": _field("$H_u$"),
    "phi_u": replace(_angle("$φ_u$"), period=math.pi),
    "Hp": _field(r"$H_\perp$"),
    "HK2": _field("$H_{K2}$"),
    "H1": _field("$H_1$"),
    "H2": _field("$H_2$"),
    "Hex": _field(r"$H_\mathrm{ex}$"),
    **{f"B{n}": _field(f"$B_{n}$") for n in (1, 2, 4, 6)},
    **{f"phi_{n}": replace(_angle(f"$φ_{n}$"), period=2 * math.pi / n) for n in (1, 2, 4, 6)},
    "g": ParameterKind("$g$", start=2.0, spread=0.2, prior=0.5, format=".4f", nuisance=True),
    _OFFSET: replace(_angle("$α_0$"), nuisance=True),
    # of fits of all spectra: widths as ln(width/tesla), fraction is the Lorentzian part
    "phase": ParameterKind("$φ$", "deg", _DEGREES, format=".1f"),
    "ln_width": ParameterKind(r"$\ln w$"),
    "ln_width_cos": ParameterKind(r"$(\ln w)_{\cos 2α}$"),
    "ln_width_sin": ParameterKind(r"$(\ln w)_{\sin 2α}$"),
    "fraction": ParameterKind("$η$"),
}


def parameter_kind(name: str, unit: str | None = None) -> ParameterKind:
    """The row of a parameter, also for one with a number.

    A name that is not in the table has the `unit` that its model states: "mT" (tesla inside), "deg"
    (radians inside), or "" for a plain number. None: it is not known.

    >>> parameter_kind("B").unit, parameter_kind("offset_2").unit, parameter_kind("K1").unit
    ('mT', 'deg', '')
    >>> parameter_kind("K1", "mT").factor, parameter_kind("K1").is_known
    (1000.0, False)
    """
    if unit is not None:
        if unit not in _STATED:
            raise InputError(
                f"unit of {name}", given=unit, expected=f"one of {', '.join(map(repr, _STATED))}"
            )
        if name not in _TABLE:
            return _STATED[unit](_plain_label(name))
    if name in _TABLE:
        return _TABLE[name]
    numbered = re.fullmatch(r"(\w+)_(\d+)", name)
    if numbered and numbered[1] in _TABLE:
        kind = _TABLE[numbered[1]]
        return replace(kind, label=f"{kind.label} ({numbered[2]})")
    return ParameterKind(_plain_label(name), is_known=False)


def _plain_label(name: str) -> str:
    return name.replace("$", r"\$")


def offset_name(series: int, *, own: bool) -> str:
    """The name of the angle offset of a series, where each has its `own` or all share one.

    >>> offset_name(1, own=True), offset_name(1, own=False)
    ('offset_2', 'offset')
    """
    return f"{_OFFSET}_{series + 1}" if own else _OFFSET


def offset_of(values: Mapping[str, float], series: int) -> float:
    """The angle offset of a series (radians) among the values of a fit.

    >>> offset_of({"offset_1": 0.1, "offset_2": 0.2}, 1), offset_of({"offset": 0.3}, 1)
    (0.2, 0.3)
    """
    shared = values.get(offset_name(series, own=False), 0.0)
    return values.get(offset_name(series, own=True), shared)


def column_name(name: str, kind: ParameterKind | None = None) -> str:
    """The name with its unit, for the columns of files; `kind` where a model states its own.

    >>> column_name("A"), column_name("offset_1"), column_name("K1")
    ('A_mT', 'offset_1_deg', 'K1')
    """
    unit = (kind or parameter_kind(name)).unit
    return f"{name}_{unit}" if unit else name


def shown(name: str, value: float, kind: ParameterKind | None = None) -> str:
    """A parameter and its value (SI, radians) in the units of tables, for messages.

    `kind` is given where a model states its own.

    >>> shown("A", 0.1), shown("offset", 0.1), shown("g", 2.0)
    ('A = 100.0 mT', 'offset = 5.7°', 'g = 2.0000')
    >>> shown("K1", 0.1)
    'K1 = 0.1 (in the units of the model)'
    """
    kind = kind or parameter_kind(name)
    unit = {"deg": "°", "": ""}.get(kind.unit, f" {kind.unit}")
    unit = unit if kind.is_known else " (in the units of the model)"
    return f"{name} = {kind.factor * value:{kind.format}}{unit}"
