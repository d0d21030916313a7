"""Tables of resonances: angles or directions, fields, frequencies and errors."""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..foundation.directions import direction_of
from ..foundation.errors import InputError
from ..foundation.flags import Flag
from ..spectra.definitions import DEFINITIONS
from .angles import near_full_turn
from .column_meanings import (
    ACCEPTED,
    SERIES_NAMES,
    WORDS,
    TableError,
    column_name,
    missing_column,
    shown,
    width_kind,
)
from .delimited_text import in_row
from .input_files import as_place
from .samples import SAME_FREQUENCY, Sample
from .stated_values import APART, Stated, stated_values
from .table_values import Rows, Table, open_table
from .writing import csv_bytes


if TYPE_CHECKING:
    from ..spectra.positions import LinePositions

NO_FREQUENCY = "no column for the frequency"
"""What an error says of a table without frequencies."""

STALLED = 3
"""This many equal fields in consecutive rows look like a line fit that got stuck."""


def read_table(
    path: str | PathLike[str],
    frequency: float | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    measured: str | None = None,
) -> list[Sample]:
    """Read resonances from a CSV or TSV file.

    The first row that is neither empty nor a `#` comment names the columns. A comma, semicolon or
    tab separates them. With semicolons or tabs, numbers may have a decimal comma. Case, brackets
    and underscores in the names do not matter, nor does the order of the columns:

    - angle (`angle_deg`, `alpha [°]`, `angle_rad`): in degrees unless the name says rad;
    - theta and phi (`theta_deg`, `phi_deg`) instead or beside it: the direction of the field, θ
      from z and φ from x towards y;
    - field (`field_mT`, `Hres (G)`, `B_T`): with its unit, one of T, mT, uT, G, kG, Oe, kOe;
    - sigma (`sigma_mT`, `error (G)`), optional: standard errors. Without a unit they are in that of
      the field, or of the frequency where that was measured (`sigma_GHz`), which a flag says;
    - frequency (`frequency_GHz`, `nu (MHz)`): with its unit. If there is no such column, give
      `frequency`, or a comment `# frequency = 9.45 GHz` above the header;
    - plane, optional: xy, xz or yz, the plane in which the field of a row is rotated; empty in rows
      along a direction;
    - measured, optional: `field` or `frequency`, the one that was swept to find the resonance;
    - width (`fwhm_mT`, `width_pp (G)`, `linewidth (Oe)`), optional: line widths, and their standard
      errors (`width_sigma_mT`), with their unit. A cell may be empty;
    - sample, optional: rows with the same name are one series. Without it there is one series, with
      the name of the file.

    Other columns are not used, and a flag says so. In a sweep from 0° to 180°, an angle just below
    360° is read as a small negative angle.

    Args:
        path: The file.
        frequency: Microwave frequency in Hz, for a table without a column of frequencies. It has
            precedence over a comment; a flag says so if they differ.
        columns: Names of the columns of "angle", "field", "sigma" or "frequency" as they stand in
            the table, or with the unit as in "Bext=mT". Default: found by their names.
        measured: "field" or "frequency", for a table without that column. Default: "field".

    Returns:
        One sample for each name in the table, in the order of the file.

    Raises:
        TableError: If the table cannot be used. `where` gives the file and the row (line of the
            file), `what` the column, `given` the value.

    >>> from diffdip.io import example_path
    >>> [sample] = read_table(example_path())
    >>> len(sample.field), f"{1e3 * sample.field.max():.3f} mT"
    (19, '338.463 mT')
    """
    path = Path(path)
    return read_named_table(path, as_place(path), frequency, columns=columns, measured=measured)


def read_named_table(
    path: Path,
    name: str,
    frequency: float | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    measured: str | None = None,
) -> list[Sample]:
    """What `read_table` returns, with `name` instead of the path in its errors."""
    try:
        table = open_table(path, SERIES_NAMES, ("field",), columns)
        _check_where(table)
        known = table.column("frequency") is not None or frequency is not None
        stated = _stated_frequency(table, needed=not known)
        if not known and stated is not None and measured != "frequency":
            frequency = 1e9 * stated.value
        _check_frequency(table, frequency, measured)
        return [
            _sample(path, sample or path.stem, rows, frequency, measured, table, stated)
            for sample, rows in table.rows().items()
        ]
    except TableError as error:
        raise error.at(name) from None


def example_path() -> Path:
    """The table that comes with the package: a goniometer sweep of one narrow line, 19 angles.

    Returns:
        Path of a CSV file that `read_table` reads.

    >>> example_path().name
    'goniometer.csv'
    """
    return Path(__file__).parent.parent / "data" / "goniometer.csv"


def positions_table(positions: "LinePositions") -> bytes:
    """Positions as a CSV table, which `read_table` and `diffdip fit` read.

    A comment says how the positions were found. The column of frequencies is left out if one of
    them is unknown, and the column of errors if one of them is zero. The column of widths is
    `fwhm_mT` or, from peak to peak, `width_pp_mT`; fitted shapes have errors of widths, too.

    Args:
        positions: What `line_positions` found.

    Returns:
        The table in mT, degrees and GHz.

    >>> from diffdip import LinePositions
    >>> one, two = np.array([0.0, np.pi / 2]), np.array([0.338, 0.3382])
    >>> found = LinePositions(one, two, two / 1e6, two / 100, 9.45e9 + 0 * one, {"line": "only"})
    >>> print(positions_table(found).decode().split("\\n", 1)[1])
    angle_deg,field_mT,sigma_mT,frequency_GHz
    0,338,0.000338,9.45
    90,338.2,0.0003382,9.45
    <BLANKLINE>
    """
    from ..foundation.version import __version__

    columns = {
        "angle_deg": np.degrees(positions.angle),
        "field_mT": 1e3 * positions.field,
        "sigma_mT": 1e3 * positions.sigma,
        "frequency_GHz": positions.frequency / 1e9,
    }
    kinds = {one.width: "width_pp" if one.shape is None else "fwhm" for one in DEFINITIONS.values()}
    kind = kinds.get(str(positions.settings.get("width")))
    if kind is not None:
        columns[f"{kind}_mT"] = 1e3 * positions.width
        if positions.width_sigma is not None:
            columns[f"{kind}_sigma_mT"] = 1e3 * positions.width_sigma
    if positions.errors is None:
        del columns["sigma_mT"]
    if np.isnan(positions.frequency).any():
        del columns["frequency_GHz"]
    settings = {k: v for k, v in positions.settings.items() if v is not None}
    comment = json.dumps({"diffdip": __version__, **settings}, ensure_ascii=True)
    rows = list(zip(*columns.values(), strict=True))
    return f"# {comment}\n".encode() + csv_bytes(" ".join(columns), rows)


def _check_where(table: Table) -> None:
    """Raises `TableError` for a table without angles and without directions."""
    pair = [table.column(name) is not None for name in ("polar angle", "azimuth")]
    if table.column("angle") is None and not all(pair):
        what, hint = missing_column("angle", table.header[1])
        raise TableError(what, hint=hint, where=in_row(table.header[0]))


def _stated_frequency(table: Table, *, needed: bool) -> Stated | None:
    """The frequency in a comment such as "# frequency = 9.45 GHz", if there is one.

    Raises `TableError` for comments that contradict each other, if it is needed.
    """
    try:
        stated = stated_values(list(table.above), ("frequency",)).get("frequency")
    except InputError as error:
        if needed:
            raise error.as_category(TableError) from None
        return None
    return stated if stated is not None and stated.value != 0 else None


def _contradiction(stated: Stated | None, frequency: np.ndarray) -> list[Flag]:
    """A flag if a comment states another frequency than all rows have."""
    if (
        stated is None
        or (np.abs(1e9 * stated.value - frequency) <= 1e9 * APART * stated.value).any()
    ):
        return []
    given = f"{frequency[0] / 1e9:.6g} GHz"
    return [Flag("reading-note", f"The frequency is {given}. Not used: {stated.origin}.")]


def _check_frequency(table: Table, frequency: float | None, measured: str | None) -> None:
    """Raises `TableError` unless the frequency is known from one source and in range."""
    column, header = table.column("frequency"), in_row(table.header[0])
    if column is not None and frequency is not None:
        raise TableError(
            column_name(column.header),
            expected="no {frequency} beside a column of frequencies",
            hint="Leave out {frequency}",
            where=header,
        )
    if column is None and (measured == "frequency" or table.column("measured") is not None):
        raise TableError(
            NO_FREQUENCY,
            expected="the measured frequencies",
            hint="Add a column such as frequency_GHz",
            where=header,
        )
    if column is None and frequency is None:
        raise TableError(
            NO_FREQUENCY,
            hint="Add a column such as frequency_GHz, or give {frequency}",
            where=header,
        )
    if measured is not None and (one := table.column("measured")) is not None:
        raise TableError(
            column_name(one.header),
            expected="no {measured} beside a column that says what was measured",
            hint="Leave out {measured}",
            where=header,
        )
    accepted = ACCEPTED["frequency"]
    if frequency is not None and not accepted.holds(frequency):
        raise TableError("frequency (Hz)", given=float(frequency), expected=accepted.expected)


def _sample(
    path: Path,
    name: str,
    rows: Rows,
    frequency: float | None,
    measured: str | None,
    table: Table,
    stated: Stated | None,
) -> Sample:
    """One sample, with the doubts about its numbers."""
    array = {quantity: np.array(values) for quantity, values in rows.values.items()}
    count = len(rows.lines)
    unknown = np.full(count, np.nan)
    angle, turned = _small_angles(array.get("angle", unknown), rows.lines)
    direction = None
    if "polar angle" in array:
        direction = direction_of(array["polar angle"], array["azimuth"])
        for i in range(count):
            if np.isnan(angle[i]) == np.isnan(direction[i]).any():
                raise TableError(
                    "the direction of the field",
                    expected="either an angle, or theta and phi",
                    where=in_row(rows.lines[i]),
                )
    if frequency is not None:
        array["frequency"] = np.full(count, frequency)
    swept = (
        array["measured"] == 1 if "measured" in array else np.full(count, measured == "frequency")
    )
    sigma, told = _errors(array, swept, rows.lines, table)
    widths = table.column("width")
    sample = Sample(
        name=name,
        angle=angle,
        field=array["field"],
        sigma=sigma,
        frequency=array["frequency"],
        source=path,
        warnings=(
            *table.flags,
            *turned,
            *told,
            *_repeated(np.where(swept, array["frequency"], array["field"]), swept, rows.lines),
            *_contradiction(stated, array["frequency"]),
        ),
        comments=table.comments,
        direction=direction,
        planes=_planes(array["plane"], angle, rows.lines) if "plane" in array else None,
        swept=swept if swept.any() else None,
        width=array.get("width"),
        width_sigma=array.get("width error") if "width" in array else None,
        width_kind=None if widths is None else width_kind(widths.header),
    )
    _check_varies(sample, rows.lines)
    return sample


def _planes(plane: np.ndarray, angle: np.ndarray, lines: list[int]) -> tuple[str, ...]:
    """The plane of each row by name; rows along a direction may have none. Raises `TableError`."""
    for i in np.flatnonzero(np.isnan(plane) & ~np.isnan(angle)):
        expected = f"one of {', '.join(WORDS['plane'])}"
        raise TableError("plane", given="", expected=expected, where=in_row(lines[i]))
    return tuple(WORDS["plane"][int(i)] for i in np.nan_to_num(plane))


def _errors(
    array: Mapping[str, np.ndarray], swept: np.ndarray, lines: list[int], table: Table
) -> tuple[np.ndarray | None, list[Flag]]:
    """Standard errors of what was measured in each row, in tesla or Hz, and notes about them.

    Errors without a unit have that of the measured quantity. Raises `TableError`.
    """
    of_fields, of_frequencies = array.get("sigma"), array.get("frequency error")
    if of_fields is None and of_frequencies is None:
        return None, []
    notes = []
    column, hertz = table.column("sigma"), table.column("frequency")
    if of_fields is not None and column is not None and not column.labelled and swept.any():
        assert hertz is not None  # frequencies were measured
        if of_frequencies is None:
            of_frequencies = of_fields / column.scale * hertz.scale
            message = (
                f"The {column_name(column.header)} has no unit: it is read in the unit of "
                f"{column_name(hertz.header)} where the frequency was measured."
            )
            notes.append(Flag("reading-note", message))
    unknown = np.full(len(lines), np.nan)
    errors = np.where(
        swept,
        unknown if of_frequencies is None else of_frequencies,
        unknown if of_fields is None else of_fields,
    )
    lacking = np.flatnonzero(np.isnan(errors))
    if len(lacking):
        measured, name = ("frequency", "sigma_GHz") if swept[lacking[0]] else ("field", "sigma_mT")
        raise TableError(
            f"no standard error of the measured {measured}",
            hint=f"Add it in a column {name}, or leave out all standard errors",
            where=in_row(lines[lacking[0]]),
        )
    return errors, notes


def _check_varies(sample: Sample, lines: list[int]) -> None:
    """Raises `TableError` for points that all have one direction and one frequency."""
    if sample.direction is not None or sample.planes is not None or sample.swept is not None:
        return
    distinct = np.abs(np.sin(sample.angle - sample.angle[0])) > 1e-6  # opposite ones count as one
    if not distinct.any() and np.ptp(sample.frequency) <= SAME_FREQUENCY * sample.frequency[0]:
        first, last = lines[0], lines[-1]
        raise TableError(
            f"all angles of sample {shown(sample.name)} are {np.degrees(sample.angle[0]):g}°, "
            "modulo 180°",
            hint="Add rows at other angles or frequencies",
            where=in_row(first) if first == last else (f"rows {first} to {last}",),
        )


def _small_angles(angle: np.ndarray, lines: list[int]) -> tuple[np.ndarray, list[Flag]]:
    """The angles with those just below 360° as negative ones, and a flag for each of them."""
    high = near_full_turn(np.degrees(angle))
    flags = [
        Flag(
            "angle-read-as-negative",
            f"The angle {np.degrees(angle[i]):.6g}° in row {lines[i]} is read as "
            f"{np.degrees(angle[i]) - 360:.2g}°, the same direction.",
        )
        for i in np.flatnonzero(high)
    ]
    return np.where(high, angle - 2 * np.pi, angle), flags


def _repeated(measured: np.ndarray, swept: np.ndarray, lines: list[int]) -> list[Flag]:
    """A flag for each run of equal measured values."""
    starts = np.flatnonzero(np.concatenate([[True], np.diff(measured) != 0]))
    ends = np.append(starts[1:], len(measured))
    text = lambda i: (
        f"frequency, {measured[i] / 1e9:.6g} GHz"
        if swept[i]
        else f"field, {1e3 * measured[i]:.6g} mT"
    )
    return [
        Flag(
            "repeated-field",
            f"Rows {lines[start]} to {lines[end - 1]} have the same {text(start)}. "
            "Did a line fit fail?",
        )
        for start, end in zip(starts, ends, strict=True)
        if end - start >= STALLED
    ]
