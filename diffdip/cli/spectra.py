"""`diffdip convert` and `diffdip positions`: from a spectrometer's files to resonance fields."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..foundation.errors import InputError
from ..spectra.definitions import DEFINITIONS
from .common import MEASUREMENTS, ForceOption, among, command, tell
from .output import console, print_doubt, print_line


if TYPE_CHECKING:
    import xarray as xr

    from ..spectra.positions import LinePositions

SOURCE_HELP = (
    "Folder with one file for each angle, or a file of all angles: Bruker, Magnettech, JEOL, "
    "Adani, CIQTEK, Active Spectrum, SpecMan, NIEHS, JCAMP-DX, CSV or TSV, NetCDF .nc."
)
DEFINITION_HELP = f"Definition of a line's position: {', '.join(DEFINITIONS)}."
NEAR_HELP = "Select the line nearest to this field (mT) at the smallest angle, and follow it."
STRONGEST_HELP = "Use the strongest line at each angle."
BASELINE_HELP = "Order of a polynomial baseline, 0 to 5, or auto to choose it from the spectra."
PHASE_HELP = "Phase (degrees) that mixes dispersion into the absorption."
SMOOTHING_HELP = (
    "Number of data points under a Savitzky-Golay filter: odd, 5 or more; 0 for no filter."
)
SKIP_HELP = "Leave out files that cannot be read, and list them."

ANGLES_HELP = (
    "Angles (degrees) of the spectra in the order of the names of their files: first:last:step, "
    "such as 0:180:10, or separated by commas."
)
ANGLE_FROM_HELP = (
    "Regular expression whose first group is the angle in the name of a file: '(\\d+)deg'."
)

DEFAULT_DEFINITION = "zero-crossing"
DEFAULT_PHASE = "fitted with a line shape, else 0"

SourceArgument = Annotated[Path, typer.Argument(help=SOURCE_HELP)]
SkipOption = Annotated[bool, typer.Option("--skip-damaged", help=SKIP_HELP)]
AnglesOption = Annotated[str | None, typer.Option(metavar="ANGLES", help=ANGLES_HELP)]
AngleFromOption = Annotated[str | None, typer.Option(metavar="REGEX", help=ANGLE_FROM_HELP)]
AngleOption = Annotated[
    float | None, typer.Option(metavar="DEG", help="Angle (degrees) of a single spectrum.")
]


def order(text: str) -> int | str:
    """An order as a number; other words go to the check of the choices."""
    try:
        return int(text)
    except ValueError:
        return text


@command(MEASUREMENTS)
def convert(
    source: SourceArgument,
    target: Annotated[Path, typer.Argument(help="File to write: name.csv or name.nc (NetCDF).")],
    angle_deg: AngleOption = None,
    angles: AnglesOption = None,
    angle_from: AngleFromOption = None,
    skip_damaged: SkipOption = False,
    force: ForceOption = False,
) -> None:
    """Convert the files of a spectrometer into one file with the signal by angle and field.

    The kind of the files is recognized by their content. The new file has angles in degrees,
    fields in mT and frequencies in GHz, without interpolation, and keeps what the files state
    about the measurement. If a file does not state its angle, the angle is taken from its name, as
    in film_10deg.csv, or from --angles or --angle-from. One spectrum alone needs no angle. A CSV
    file has one row for each sample of a spectrum.

    [bold]Examples[/bold]

        diffdip convert sweeps/ rotation.nc

        diffdip convert rotation.DSC rotation.csv
    """
    from ..io import write_spectra
    from ..io.writing import check_inputs

    check_inputs([target], [source])
    given = _one_choice(angle_deg, angles)
    spectra = read_source(source, skip_damaged=skip_damaged, angles=given, angle_from=angle_from)
    write_spectra(spectra, target, force=force)
    shown = console()
    print_line(shown, summary(spectra))
    print_line(shown, f"wrote {target}")


@command(MEASUREMENTS)
def positions(
    source: SourceArgument,
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Table to write, name.csv, which diffdip fit reads."),
    ],
    definition: Annotated[
        str,
        typer.Option(metavar="NAME", autocompletion=among(DEFINITIONS), help=DEFINITION_HELP),
    ] = DEFAULT_DEFINITION,
    near: Annotated[float | None, typer.Option(metavar="MT", help=NEAR_HELP)] = None,
    strongest: Annotated[bool, typer.Option("--strongest", help=STRONGEST_HELP)] = False,
    baseline: Annotated[
        Any | None,
        typer.Option(parser=order, metavar="ORDER", show_default="no baseline", help=BASELINE_HELP),
    ] = None,
    phase_deg: Annotated[
        float | None, typer.Option(metavar="DEG", show_default=DEFAULT_PHASE, help=PHASE_HELP)
    ] = None,
    smoothing: Annotated[int, typer.Option(min=0, metavar="N", help=SMOOTHING_HELP)] = 0,
    angle_deg: AngleOption = None,
    angles: AnglesOption = None,
    angle_from: AngleFromOption = None,
    skip_damaged: SkipOption = False,
    force: ForceOption = False,
) -> None:
    """Determine the resonance field at each angle from spectra, with its standard error.

    Definitions of a position: zero-crossing fits a straight line to the middle of the derivative
    line; midpoint is the middle between its two extrema, each from a parabola; lorentzian, gaussian
    and pseudo-voigt fit that line shape, with dispersion and the line at negative field. Broad
    lines need a line shape. The standard errors come from the noise. If a spectrum has several
    lines, select one with --near or --strongest.

    [bold]Examples[/bold]

        diffdip positions sweeps/ --out t.csv

        diffdip fit t.csv

        diffdip positions rotation.par --near 338.6 --out t.csv
    """
    from ..io import positions_table, write_files
    from ..io.writing import check_inputs
    from ..spectra.positions import line_positions

    if out.suffix != ".csv":
        raise InputError(f"--out {out}", expected="a name that ends in .csv")
    check_inputs([out], [source])
    given = _one_choice(angle_deg, angles)
    spectra = read_source(source, skip_damaged=skip_damaged, angles=given, angle_from=angle_from)
    try:
        found = line_positions(
            spectra,
            definition,
            line="strongest" if strongest else None,
            near=near,
            baseline=baseline,
            phase_deg=phase_deg,
            smoothing=smoothing,
        )
    except InputError as error:
        raise error.at(str(source)) from None
    write_files(out.parent, {out.name: positions_table(found)}, force=force)
    shown = console()
    print_line(shown, summary(spectra))
    print_line(shown, extent(found))
    for flag in found.warnings:
        print_doubt(shown, flag.message)
    print_line(shown, f"wrote {out}")


def _one_choice(angle_deg: float | None, angles: str | None) -> str | None:
    """The angles as text, from one of the two options."""
    if angle_deg is None:
        return angles
    if angles is not None:
        raise InputError("angle_deg", given=angle_deg, expected="no {angles} beside it")
    return repr(angle_deg)


def read_source(
    source: Path, *, skip_damaged: bool, angles: str | None = None, angle_from: str | None = None
) -> "xr.Dataset":
    """The spectra; each file that was left out, and each note, is one line on stderr."""
    from ..io import read_spectra
    from ..io.angles import listed_angles

    listed = None if angles is None else listed_angles(angles)
    spectra = read_spectra(source, skip_damaged, angles=listed, angle_from=angle_from)
    for reason in spectra.attrs.get("skipped", "").splitlines():
        tell(f"left out {reason}")
    for note in spectra.attrs.get("notes", "").splitlines():
        tell(f"note: {note}")
    return spectra


def summary(spectra: "xr.Dataset") -> str:
    """One line about the spectra that were read."""
    from ..foundation.units import angle_text

    angles = spectra["angle"].values
    first, last = angle_text(angles[0]), angle_text(angles[-1])
    count = int(spectra["signal"].notnull().sum())
    kind = spectra.attrs.get("format", "unknown format")
    if len(angles) == 1 and angles[0] != angles[0]:
        return f"1 spectrum without an angle, {count} points, {kind}"
    origin = str(spectra.attrs.get("angles_from", ""))
    named = f", angles from the {origin}" if origin.startswith("names") else ""
    return f"{len(angles)} angles from {first} to {last}°, {count} points, {kind}{named}"


def extent(found: "LinePositions") -> str:
    """One line about the range of the positions, and the baseline if its order was chosen."""
    low, high = 1e3 * found.field.min(), 1e3 * found.field.max()
    chosen, order = "", found.settings["baseline"]
    if "baseline_order" in found.settings:
        chosen = ", no baseline needed" if order is None else f", baseline of order {order} chosen"
    return f"{found.settings['definition']}: {low:.3f} to {high:.3f} mT{chosen}"
