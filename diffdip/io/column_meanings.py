"""What the columns of a table mean: quantity and unit from the name in the header."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..foundation.accepted_values import ACCEPTED as MEASURED, Accepted
from ..foundation.errors import InputError
from ..foundation.flags import Flag
from ..foundation.units import HERTZ_PER, MU_0, TESLA_PER
from ..resonance.plane_names import PLANES


_RADIANS_PER = {"rad": 1.0, "deg": np.pi / 180}

_FIELDS = {**TESLA_PER, "uT": 1e-6, "A/m": MU_0, "kA/m": 1e3 * MU_0}

_UNITS = {
    "angle": _RADIANS_PER,
    "field": _FIELDS,
    "sigma": _FIELDS,
    "frequency": HERTZ_PER,
    "sample": {},
    "signal": {},
    "sweep": {},
    "polar angle": _RADIANS_PER,
    "azimuth": _RADIANS_PER,
    "frequency error": HERTZ_PER,
    "width": _FIELDS,
    "width error": _FIELDS,
    "plane": {},
    "measured": {},
    "direction": {},
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

NAMES = {
    "angle": "angle alpha alphah α αh theta θ phi φ ϕ rotation rotationangle gonangle goniometer "
    "goniometerangle gonioangle fieldangle sampleangle winkel azimuth",
    "field": "field bfield hfield magfield staticfield staticmagneticfield fieldsweep b0field "
    "appliedfield externalfield sweepfield hext bext happ bapp happl bappl fieldstrength "
    "feld magnetfeld resonancefield resfield fieldres magneticfield b h b0 h0 bres hres br "
    "hr b0res h0res hresonance bresonance mu0h μ0h mu0hres μ0hres zerocrossing "
    "resonanceposition",
    "sigma": "sigma σ error err sd std stddev stderr standarderror uncertainty fielderror fielderr "
    "fieldsigma sigmafield sigmah sigmab errorfield hreserror hreserr hressigma breserror",
    "frequency": "frequency freq nu ν f mwfreq mwfrequency microwavefrequency frequenz",
    "width": "width linewidth lw breite linienbreite deltah δh dh deltab δb db fwhm fwhmwidth "
    "widthfwhm deltahfwhm δhfwhm peaktopeak peaktopeakwidth widthpp ppwidth linewidthpp deltahpp "
    "δhpp dhpp deltabpp δbpp dbpp",
    "width error": "widthsigma sigmawidth widtherror errorwidth widtherr widthstd linewidtherror "
    "linewidthsigma linewidtherr fwhmsigma fwhmerror fwhmerr widthppsigma widthpperror "
    "widthpperr",
    "sample": "sample samplename sampleid samplenumber",
    "plane": "plane rotationplane",
    "measured": "measured",
}
"""Names of columns by quantity, without case and marks."""

_SIGNAL = (
    "signal intensity derivative amplitude absorption spectrum y dpdh dpdb esr epr fmr "
    "lockin mwabsorption intensität didb didh dadb dadh dchidb dchidh dvdb dvdh dydb dydh"
)

_ABSCISSA = "x"
"""A name that means a field only if a unit of the field is written with it."""

_ALONE = ("mt", "gauss", "oe", "koe", "a/m", "ka/m", "tesla", "oersted", "millitesla")
"""Units that name a column of fields by themselves."""

SERIES_NAMES = {name: quantity for quantity, names in NAMES.items() for name in names.split()}
"""Names of columns in angular series, where `b` is the resonance field."""

POLAR_NAMES, AZIMUTH_NAMES = ("theta", "θ", "polarangle"), ("phi", "φ", "ϕ", "azimuth")
"""Names that together are a direction of the field; one alone is the angle in a plane."""

WORDS = {"plane": tuple(PLANES), "measured": ("field", "frequency")}
"""What may stand in columns of words, whose values are the positions here."""

SPECTRUM_NAMES = {
    **{name: q for name, q in SERIES_NAMES.items() if q in ("angle", "field", "frequency")},
    **dict.fromkeys(_SIGNAL.split(), "signal"),
    **dict.fromkeys(["sweep", "sweepnumber", "scan"], "sweep"),
    **dict.fromkeys(
        ["direction", "sweepdirection", "scandirection", "sweepdir", "branch", "updown"],
        "direction",
    ),
}
"""Names of columns in spectra, where `b` is the field of a sample."""

ANISOTROPY_NAMES = {
    "a": "anisotropy field A",
    "b": "anisotropy field B",
    **dict.fromkeys(NAMES["sample"].split(), "sample"),
}
"""Names of columns in tables of A and B, where `b` is an anisotropy field."""

_UNIT_BY_SPELLING = {
    **{unit.casefold(): unit for units in _UNITS.values() for unit in units},
    **_SPELLINGS,
}

EXAMPLES = {
    "angle": "angle_deg",
    "field": "field_mT",
    "sigma": "sigma_mT",
    "frequency": "frequency_GHz",
    "frequency error": "sigma_GHz",
    "width": "fwhm_mT",
    "width error": "fwhm_sigma_mT",
    "polar angle": "theta_deg",
    "azimuth": "phi_deg",
    "plane": "plane",
    "measured": "measured",
    "sample": "sample",
    "signal": "signal",
    "anisotropy field A": "A_mT",
    "anisotropy field B": "B_mT",
}
"""A good name of a column, by quantity."""

ANISOTROPIES = ("anisotropy field A", "anisotropy field B")


ACCEPTED = {
    **MEASURED,
    "polar angle": MEASURED["angle"],
    "azimuth": MEASURED["angle"],
    "frequency error": Accepted(lambda x: 0 < x <= 1e13, "an error above 0"),
    "width": Accepted(lambda x: 0 < x <= 100, "a width above 0 and up to 100 T, or an empty cell"),
    "width error": Accepted(lambda x: 0 < x <= 100, "an error above 0, or an empty cell"),
    # heavy tails: single simulated samples have more than 100 T
    **{name: Accepted(lambda x: not math.isinf(x), "a finite field") for name in ANISOTROPIES},
}
"""What is accepted, by quantity. Beyond these ranges the value or its unit is a mistake."""

_HEADER_UNIT = re.compile(r"(?P<name>.*?)\s*(?:[(\[{<](?P<inside>[^)\]}>]*)[)\]}>]\s*)?", re.DOTALL)
_RELATIVE = ("%", "‰")
"""Marks of a relative error, which is in no unit of the field."""

_OPERATORS = ("-", "−", "√")
"""Before a name: `-angle` is another quantity than `angle`."""

_SEPARATOR = re.compile(r"[_\s/,.:-]+(?:in[_\s]+)?")


class TableError(InputError):
    """A table cannot be used. The file and the row are in `where`."""


@dataclass(frozen=True)
class Column:
    """A column that is used: the value in SI units is `scale` times the number in the file."""

    index: int
    header: str
    quantity: str
    scale: float
    labelled: bool = True
    """Whether the unit is written in the header."""


def find_columns(
    cells: list[str],
    names: Mapping[str, str] = SERIES_NAMES,
    chosen: Mapping[str, str] | None = None,
) -> tuple[list[Column], list[Flag]]:
    """The columns that are used, and a flag for each other one.

    `chosen` names the columns of some quantities, each as it stands in the table, or with its unit
    as in "Bext=mT". Raises `TableError`.
    """
    columns: list[Column] = []
    flags = []
    meanings = _meanings(cells, names, chosen or {})
    if names is SPECTRUM_NAMES:
        _check_channels(cells, meanings)
    for index, header in enumerate(cells):
        quantity, unit = meanings[index]
        # a table of positions may have any widths
        again = any(other.quantity == quantity for other in columns)
        if quantity is None or (quantity in WIDTHS and (unit is None or again)):
            if header:
                flags.append(Flag("unused-column", f"Column {shown(header)} is not used."))
            continue
        for other in columns:
            if other.quantity == quantity:
                raise TableError(
                    f"columns {shown(other.header)} and {shown(header)}",
                    expected=f"one column for the {quantity}",
                    hint=f"Choose one with {{{quantity}_column}}, or rename or delete one"
                    if quantity in CHOOSABLE and names is SERIES_NAMES
                    else "Rename or delete one of them",
                )
        try:
            scale = unit_scale(column_name(header), quantity, unit)
        except TableError as error:
            error.hint = f"Write the unit as in {EXAMPLES[quantity]}"
            raise
        columns.append(Column(index, header, quantity, scale, unit is not None))
    width = next((c for c in columns if c.quantity == "width"), None)
    for error in [c for c in columns if c.quantity == "width error"]:
        # that of another width
        if width is None or width_kind(error.header) not in (None, width_kind(width.header)):
            columns.remove(error)
            flags.append(Flag("unused-column", f"Column {shown(error.header)} is not used."))
    field_scale = next((c.scale for c in columns if c.quantity == "field"), np.nan)
    return [replace(c, scale=field_scale) if np.isnan(c.scale) else c for c in columns], flags


WIDTHS = ("width", "width error")
"""Quantities that a table of resonances need not have; a second column of one is not used."""


def _check_channels(cells: list[str], meanings: list[tuple[str | None, str | None]]) -> None:
    """Raise `TableError` for the two channels X and Y of a lock-in beside a field."""
    plain = {_plain(_parts(header[:200], SPECTRUM_NAMES)[0]): header for header in cells}
    quantities = [quantity for quantity, _ in meanings]
    if "field" in quantities and {"x", "y"} <= set(plain) and quantities.count("signal") == 1:
        x = list(cells).index(plain["x"])
        if quantities[x] is None:
            raise TableError(
                f"columns {shown(plain['x'])} and {shown(plain['y'])}",
                expected="one column for the signal",
                hint="Rename the one that is used to signal",
            )


CHOOSABLE = ("angle", "field", "sigma", "frequency")
"""Quantities whose columns a caller may choose."""


def _meanings(
    cells: list[str], names: Mapping[str, str], chosen: Mapping[str, str]
) -> list[tuple[str | None, str | None]]:
    """The quantity and the unit of each column. Raises `TableError`."""
    found = [_meaning(header[:200], names) for header in cells]
    plain = [_plain(_parts(header[:200], names)[0]) for header in cells]
    pair = [[i for i, name in enumerate(plain) if name in n] for n in (POLAR_NAMES, AZIMUTH_NAMES)]
    if names is SERIES_NAMES and all(len(columns) == 1 for columns in pair):
        for [index], quantity in zip(pair, ("polar angle", "azimuth"), strict=True):
            found[index] = quantity, found[index][1]
    for quantity, text in chosen.items():
        header, _, unit = text.partition("=")
        where = [i for i, cell in enumerate(cells) if cell in (text, header)]
        if len(where) != 1:
            among = ", ".join(shown(cell) for cell in cells[:8])
            raise TableError(
                f"no column {shown(text)} among {among}",
                hint=f"Give {{{quantity}_column}} the name of one",
            )
        found = [(None if q == quantity else q, u) for q, u in found]
        own = found[where[0]][1] if cells[where[0]] == text else unit or None
        found[where[0]] = quantity, own if own is not None else _last_unit(cells[where[0]])
    # an error in GHz is one of a measured frequency
    for i, (quantity, unit) in enumerate(found):
        if quantity == "sigma" and unit is not None and _unit(unit) in HERTZ_PER:
            found[i] = "frequency error", unit
    directions = {"polar angle", "azimuth"}
    if len(directions & {quantity for quantity, _ in found}) == 1:
        found = [(None if quantity in directions else quantity, unit) for quantity, unit in found]
    return found


def width_kind(header: str) -> str | None:
    """Which width a column has by its name: FWHM, from peak to peak, or unknown.

    >>> width_kind("FWHM (G)"), width_kind("dHpp_mT"), width_kind("linewidth (Oe)")
    ('fwhm', 'peak-to-peak', None)
    """
    name = _plain(_parts(header[:200], SERIES_NAMES)[0])
    if "fwhm" in name:
        return "fwhm"
    return "peak-to-peak" if "pp" in name or "peaktopeak" in name else None


def _last_unit(header: str) -> str | None:
    """The unit at the end of a name that has no known meaning, or None."""
    match = _HEADER_UNIT.fullmatch(header[:200])
    assert match is not None  # every part of the pattern is optional
    if match["inside"] is not None:
        return match["inside"]
    last = _SEPARATOR.split(match["name"])[-1]
    return last if last != match["name"] and _unit(last) else None


def field_unit(header: str) -> float | None:
    """Tesla per unit of a column whose name ends in a unit of the field; else None.

    >>> field_unit("Hall probe (mT)"), field_unit("Time [s]")
    (0.001, None)
    """
    unit = _last_unit(header)
    return None if unit is None else _FIELDS.get(_unit(unit) or "")


def missing_column(quantity: str, cells: list[str]) -> tuple[str, str]:
    """What is wrong with a header that has no column for a quantity, and what to do about it."""
    names = ", ".join(shown(cell) for cell in cells[:8])
    what = f"no column for the {quantity} among {names}"
    return what, f"Name the column, for example {EXAMPLES[quantity]}"


def _meaning(header: str, names: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The quantity that a column name stands for, and the unit written with it."""
    name, unit = _parts(header, names)
    quantity = names.get(_plain(name))
    if quantity is None and "field" in names.values():
        if unit is None and name.strip().casefold() in _ALONE:
            return "field", name.strip()
        if unit is not None and _plain(name) in ("", _ABSCISSA) and _unit(unit) in _FIELDS:
            return "field", unit
    return quantity, unit


def _parts(header: str, names: Mapping[str, str]) -> tuple[str, str | None]:
    """The name of a column and the unit written with it."""
    match = _HEADER_UNIT.fullmatch(header)
    assert match is not None  # every part of the pattern is optional
    name, unit = match["name"], match["inside"]
    if unit is None and name.endswith(_RELATIVE):
        return name[:-1], name[-1]
    if unit is None:
        for part in _SEPARATOR.finditer(name):
            last = name[part.end() :]
            if _unit(last) and names.get(_plain(name[: part.start()])) is not None:
                name, unit = name[: part.start()], last
                break
    return name, unit


def quantity_of(name: str, names: Mapping[str, str] = SERIES_NAMES) -> str | None:
    """The quantity that a name without a unit stands for, or None.

    >>> quantity_of("Sample Angle"), quantity_of("Phase")
    ('angle', None)
    """
    return names.get(_plain(name))


def _plain(name: str) -> str:
    """The letters and digits of a name, in lower case, behind a sign that changes its meaning."""
    sign = name.lstrip()[:1] if name.lstrip().startswith(_OPERATORS) else ""
    return sign + re.sub(r"[\W_]+", "", name.casefold())


def _unit(text: str) -> str | None:
    """The unit that is spelled like this, or None."""
    return _UNIT_BY_SPELLING.get(text.strip().casefold())


def unit_scale(subject: str, quantity: str, unit: str | None) -> float:
    """SI units per unit in which a quantity is written.

    NaN stands for an error without a unit, which then has the unit of the field. Raises
    `TableError` for a unit that is missing or unknown; `subject` says which column has it.
    """
    units, known = _UNITS[quantity], _unit(unit) if unit is not None else None
    if known in units:
        return units[known]
    if not units:
        return 1.0
    if unit is None and quantity in ("angle", "polar angle", "azimuth"):
        return units["deg"]
    if unit is None and quantity == "sigma":
        return np.nan
    expected = f"a unit of the {quantity}, one of {', '.join(units)}"
    if unit is None:
        raise TableError(f"{subject} has no unit", expected=expected)
    raise TableError(f"unit of {subject}", given=unit, expected=expected)


def column_name(header: str) -> str:
    """A column as the subject of an error."""
    return f"column {shown(header)}"


def shown(text: str) -> str:
    """The text in quotes, cut if it is long."""
    return repr(text if len(text) <= 40 else text[:37] + "...")
