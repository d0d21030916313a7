"""`diffdip convert` and `diffdip positions`: from a spectrometer's files to resonance fields."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .common import app, console, fail


if TYPE_CHECKING:
    import xarray as xr

    from ..spectra.positions import LinePositions


class Definition(StrEnum):
    """What the position of a line is."""

    ZERO_CROSSING = "zero-crossing"
    MIDPOINT = "midpoint"
    LORENTZIAN = "lorentzian"
    GAUSSIAN = "gaussian"
    PSEUDO_VOIGT = "pseudo-voigt"


SourceArgument = Annotated[
    Path,
    typer.Argument(
        help="Folder with one file for each angle, or a file of all angles: Magnettech .xml, "
        "Bruker .DSC or .par with its data, CSV or TSV, .nc."
    ),
]
SkipOption = Annotated[
    bool,
    typer.Option("--skip-damaged", help="Go on without files that cannot be read, and name them."),
]
NearOption = Annotated[
    float | None,
    typer.Option(metavar="MT", help="Follow the line nearest to this field at the least angle."),
]


@app.command()
def convert(
    source: SourceArgument,
    target: Annotated[Path, typer.Argument(help="File to write: name.csv or name.nc (NetCDF).")],
    skip_damaged: SkipOption = False,
) -> None:
    """Bring a spectrometer's files into one labelled file: signal by angle and field.

    What kind of files they are is found from their content. Angles are degrees, fields mT,
    frequencies GHz; nothing is interpolated, and what the files say of the measurement is kept.
    An angle that a file does not state is taken from its name, as in film_10deg.csv. CSV has one
    row a sample.

    [bold]Examples[/bold]

        diffdip convert sweeps/ rotation.nc

        diffdip convert rotation.DSC rotation.csv
    """
    from ..io import OutputError, write_spectra

    spectra = read_source(source, skip_damaged)
    try:
        write_spectra(spectra, target)
    except OutputError as error:
        fail(str(error))
    console().print(summary(spectra), markup=False, soft_wrap=True)
    console().print(f"wrote {target}", markup=False, soft_wrap=True)


@app.command()
def positions(
    source: SourceArgument,
    out: Annotated[Path, typer.Option(help="Table to write, which diffdip fit reads: name.csv.")],
    definition: Annotated[
        Definition, typer.Option(help="What the position of a line is.")
    ] = Definition.ZERO_CROSSING,
    near: NearOption = None,
    strongest: Annotated[
        bool, typer.Option("--strongest", help="Take the strongest line of each angle.")
    ] = False,
    baseline: Annotated[
        int | None,
        typer.Option(min=0, max=5, help="Order of a polynomial baseline; none if not given."),
    ] = None,
    phase_deg: Annotated[
        float | None,
        typer.Option(
            help="Mixing of dispersion; not given, shapes fit it, and others take it as 0."
        ),
    ] = None,
    smoothing: Annotated[
        int, typer.Option(min=0, help="Samples under a Savitzky-Golay filter, odd; 0 is none.")
    ] = 0,
    skip_damaged: SkipOption = False,
) -> None:
    """The resonance field at each angle, with its standard error, from spectra.

    zero-crossing is that of a straight line through the middle of the derivative line;
    midpoint lies half way between parabolas through its extrema; lorentzian, gaussian and
    pseudo-voigt are fitted with mixing of dispersion and the line at negative field, which a band
    as broad as its field needs. Standard errors are those of the noise. Of several lines one has
    to be chosen.

    [bold]Examples[/bold]

        diffdip positions sweeps/ --out t.csv

        diffdip fit t.csv

        diffdip positions rotation.par --near 338.6 --definition lorentzian --out t.csv
    """
    from ..io import OutputError, positions_table, write_files
    from ..spectra.positions import line_positions

    spectra = read_source(source, skip_damaged)
    try:
        found = line_positions(
            spectra,
            str(definition),
            line="strongest" if strongest else None,
            near=near,
            baseline=baseline,
            phase_deg=phase_deg,
            smoothing=smoothing,
        )
    except ValueError as error:
        fail(as_options(f"{source}: {error}"))
    try:
        write_files(out.parent, {out.name: positions_table(found)})
    except OutputError as error:
        fail(str(error))
    shown = console()
    shown.print(summary(spectra), markup=False, soft_wrap=True)
    shown.print(extent(found), markup=False)
    for flag in found.warnings:
        shown.print(flag.message, markup=False, soft_wrap=True)
    shown.print(f"wrote {out}", markup=False, soft_wrap=True)


def read_source(source: Path, skip_damaged: bool) -> "xr.Dataset":
    """The spectra, and on stderr one line for each file that was left out."""
    from ..io import SpectrumError, read_spectra

    try:
        spectra = read_spectra(source, skip_damaged)
    except SpectrumError as error:
        fail(str(error))
    for reason in spectra.attrs.get("skipped", "").splitlines():
        typer.echo(f"diffdip: left out {reason}", err=True)
    return spectra


def summary(spectra: "xr.Dataset") -> str:
    """One line on what was read."""
    from ..foundation.units import angle_text

    angles = spectra["angle"].values
    first, last = angle_text(angles[0]), angle_text(angles[-1])
    count = int(spectra["signal"].notnull().sum())
    return (
        f"{len(angles)} angles from {first} to {last}°, {count} samples, "
        f"{spectra.attrs.get('format', 'unknown format')}"
    )


def extent(found: "LinePositions") -> str:
    """One line on what was found."""
    low, high = 1e3 * found.field.min(), 1e3 * found.field.max()
    return f"{found.settings['definition']}: {low:.3f} to {high:.3f} mT"


def as_options(message: str) -> str:
    """The message with the names that options have on the command line."""
    return message.replace("line='strongest'", "--strongest").replace("near=", "--near ")
