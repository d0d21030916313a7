"""What the columns of a table mean: quantity and unit from the name in the header."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..foundation.errors import InputError
from ..foundation.flags import Flag
from ..foundation.units import HERTZ_PER, TESLA_PER


_RADIANS_PER = {"rad": 1.0, "deg": np.pi / 180}

_UNITS = {
    "angle": _RADIANS_PER,
    "field": {**TESLA_PER, "uT": 1e-6},
    "sigma": {**TESLA_PER, "uT": 1e-6},
    "frequency": HERTZ_PER,
    "sample": {},
    "signal": {},
    "sweep": {},
    "anisotropy field A": {**TESLA_PER, "uT": 1e-6},
    "anisotropy field B": {**TESLA_PER, "uT": 1e-6},
}

_SPELLINGS = {
    "°": "deg",
    "º": "deg",
    "dg": "deg",
    "degree": "deg",
    "degrees": "deg",
    "radian": "rad",
    "radians": "rad",
    "tesla": "T",
    "millitesla": "mT",
    "μt": "uT",  # casefold turns the micro sign into the Greek letter
    "gauss": "G",
    "gs": "G",
    "oersted": "Oe",
}

_NAMES = {
    "angle": "angle alpha alphah α αh theta θ phi φ ϕ rotation rotationangle gonangle "
    "goniometer goniometerangle fieldangle azimuth",
    "field": "field resonancefield resfield fieldres magneticfield b h b0 h0 bres hres br hr b0res "
    "h0res hresonance bresonance mu0h μ0h mu0hres μ0hres zerocrossing resonanceposition",
    "sigma": "sigma σ error err sd std stddev stderr standarderror uncertainty fielderror fielderr "
    "fieldsigma sigmafield sigmah sigmab errorfield hreserror hreserr hressigma breserror",
    "frequency": "frequency freq nu ν f mwfreq mwfrequency microwavefrequency",
    "sample": "sample samplename sampleid samplenumber",
}

_SIGNAL = (
    "signal intensity derivative amplitude absorption spectrum y dpdh dpdb esr epr fmr "
    "lockin mwabsorption"
)

SERIES_NAMES = {name: quantity for quantity, names in _NAMES.items() for name in names.split()}
"""What the columns of angular series are called, where `b` is the resonance field."""

SPECTRUM_NAMES = {
    **{name: q for name, q in SERIES_NAMES.items() if q in ("angle", "field", "frequency")},
    **dict.fromkeys(_SIGNAL.split(), "signal"),
    **dict.fromkeys(["sweep", "sweepnumber", "scan"], "sweep"),
}
"""What the columns of spectra are called, where `b` is the field swept."""

ANISOTROPY_NAMES = {
    "a": "anisotropy field A",
    "b": "anisotropy field B",
    **dict.fromkeys(_NAMES["sample"].split(), "sample"),
}
"""What the columns of measured anisotropies are called."""

_UNIT_BY_SPELLING = {
    **{unit.casefold(): unit for units in _UNITS.values() for unit in units},
    **_SPELLINGS,
}

EXAMPLES = {
    "angle": "angle_deg",
    "field": "field_mT",
    "sigma": "sigma_mT",
    "frequency": "frequency_GHz",
    "sample": "sample",
    "signal": "signal",
    "anisotropy field A": "A_mT",
    "anisotropy field B": "B_mT",
}

ANISOTROPIES = ("anisotropy field A", "anisotropy field B")

ACCEPTED: dict[str, tuple[Callable[[float], bool], str]] = {
    "angle": (lambda x: abs(x) <= 20 * np.pi, "an angle within ±3600°"),
    "field": (lambda x: 1e-9 <= x <= 100, "a field above 0 and up to 100 T"),
    "sigma": (lambda x: 1e-12 <= x <= 100, "an error above 0"),
    "frequency": (lambda x: 1e6 <= x <= 1e13, "a frequency of 1 MHz to 10 THz"),
    **{name: (lambda x: not abs(x) > 100, "a field within ±100 T") for name in ANISOTROPIES},
}
"""What is accepted, by quantity, in SI units; beyond it the value or its unit is a mistake."""

_HEADER_UNIT = re.compile(r"(?P<name>.*?)\s*(?:[(\[{<](?P<inside>[^)\]}>]*)[)\]}>]\s*)?", re.DOTALL)
_SEPARATOR = re.compile(r"[_\s/,.:-]+(?:in[_\s]+)?")


class TableError(InputError):
    """A table that cannot be used. The message is one line: file, row, column, value, remedy."""


@dataclass(frozen=True)
class Column:
    """A column that is used: SI values are `scale` times what is written."""

    index: int
    header: str
    quantity: str
    scale: float


def find_columns(
    where: str, cells: list[str], names: Mapping[str, str] = SERIES_NAMES
) -> tuple[list[Column], list[Flag]]:
    """The columns in use, and a flag for each other one; `where` names file and row."""
    columns: list[Column] = []
    warnings = []
    for index, header in enumerate(cells):
        quantity, unit = _meaning(header[:200], names)
        if quantity is None:
            if header:
                warnings.append(Flag("unused-column", f"Column {shown(header)} is not used."))
            continue
        place = f"{where}, column {shown(header)}"
        for other in columns:
            if other.quantity == quantity:
                raise TableError(
                    f"{place}: a second column for the {quantity}, besides {shown(other.header)}; "
                    "expected one"
                )
        columns.append(Column(index, header, quantity, _scale(place, quantity, unit)))
    field_scale = next((c.scale for c in columns if c.quantity == "field"), np.nan)
    return [replace(c, scale=field_scale) if np.isnan(c.scale) else c for c in columns], warnings


def _meaning(header: str, names: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The quantity that a column name stands for, and the unit written with it."""
    match = _HEADER_UNIT.fullmatch(header)
    assert match is not None  # every part of the pattern is optional
    name, unit = match["name"], match["inside"]
    if unit is None:
        parts = list(_SEPARATOR.finditer(name))
        last = name[parts[-1].end() :] if parts else ""
        if _unit(last) and _plain(name[: parts[-1].start()]) in names:
            name, unit = name[: parts[-1].start()], last
    return names.get(_plain(name)), unit


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _unit(text: str) -> str | None:
    return _UNIT_BY_SPELLING.get(text.strip().casefold())


def _scale(where: str, quantity: str, unit: str | None) -> float:
    """SI per unit of the column; NaN for an error column that follows the field's unit."""
    units, known = _UNITS[quantity], _unit(unit) if unit is not None else None
    if known in units:
        return units[known]
    if not units:
        return 1.0
    if unit is None and quantity == "angle":
        return units["deg"]
    if unit is None and quantity == "sigma":
        return np.nan
    expected = f"expected one of {', '.join(units)}, as in {EXAMPLES[quantity]}"
    if unit is None:
        raise TableError(f"{where}: the unit of the {quantity} is missing; {expected}")
    raise TableError(f"{where}: unknown unit {shown(unit)} for the {quantity}; {expected}")


def shown(text: str) -> str:
    """The text in quotes, on one line, cut where it is long."""
    return repr(text if len(text) <= 40 else text[:37] + "...")
