"""`diffdip analyze`: from a folder of spectra to A, B, C and a report, in one command."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..foundation.errors import InputError
from ..spectra.definitions import DEFINITIONS, SHAPES
from .common import MEASUREMENTS, ConventionName, ForceOption, among, command, fail
from .fit_output import print_fits
from .output import check_results, console, print_json, print_line
from .spectra import (
    BASELINE_HELP,
    DEFAULT_DEFINITION,
    DEFAULT_PHASE,
    DEFINITION_HELP,
    NEAR_HELP,
    PHASE_HELP,
    SKIP_HELP,
    SMOOTHING_HELP,
    STRONGEST_HELP,
    AngleFromOption,
    AnglesOption,
    SourceArgument,
    extent,
    read_source,
    summary,
)


if TYPE_CHECKING:
    from ..report.choices import Choices


def _or_none(
    metavar: str, meaning: str, default: str, kind: Callable[[str], float] = float
) -> typer.models.OptionInfo:
    """An option that is a number or the word none; other words go to the check of the choices."""

    def parse(text: str) -> float | str:
        try:
            return kind(text)
        except ValueError:
            return text

    return typer.Option(parser=parse, metavar=metavar, show_default=default, help=meaning)


@command(MEASUREMENTS, has_json=True)
def analyze(
    source: SourceArgument,
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder for the report. It is made if it does not exist."),
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default="diffdip.toml beside the spectra, if it exists",
            help="TOML file with choices.",
        ),
    ] = None,
    definition: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=among(DEFINITIONS),
            show_default=DEFAULT_DEFINITION,
            help=DEFINITION_HELP,
        ),
    ] = None,
    near: Annotated[Any | None, _or_none("MT", NEAR_HELP, "none")] = None,
    strongest: Annotated[
        bool | None,
        typer.Option("--strongest/--no-strongest", show_default="no", help=STRONGEST_HELP),
    ] = None,
    baseline: Annotated[Any | None, _or_none("ORDER", BASELINE_HELP, "none", int)] = None,
    phase_deg: Annotated[Any | None, _or_none("DEG", PHASE_HELP, DEFAULT_PHASE)] = None,
    smoothing: Annotated[
        int | None, typer.Option(metavar="N", show_default="0", help=SMOOTHING_HELP)
    ] = None,
    g: Annotated[
        float | None, typer.Option("--g", show_default="2", help="The g-factor, which is fixed.")
    ] = None,
    frequency_ghz: Annotated[
        Any | None,
        _or_none("GHZ", "Microwave frequency (GHz) for files that do not state it.", "none"),
    ] = None,
    convention: Annotated[
        ConventionName | None,
        typer.Option(
            show_default="paper",
            help="Sign and counting of A, B and C: as in the paper, or physical.",
        ),
    ] = None,
    direct: Annotated[
        str | None,
        typer.Option(
            metavar="SHAPE",
            autocompletion=among(SHAPES),
            show_default="none",
            help="Also fit all samples of all spectra at once, with lines of this shape: "
            f"{', '.join(SHAPES)}.",
        ),
    ] = None,
    skip_damaged: Annotated[
        bool | None,
        typer.Option("--skip-damaged/--no-skip-damaged", show_default="no", help=SKIP_HELP),
    ] = None,
    angles: AnglesOption = None,
    angle_from: AngleFromOption = None,
    force: ForceOption = False,
) -> None:
    """Determine A, B and C from the spectra of a rotation, and write a one-page report.

    It determines a line position in each spectrum as diffdip positions does, and fits A, B and C as
    diffdip fit does. It writes report.html, which needs no other file; the figures as PDF;
    positions.csv, points.csv and curve.csv; origin.csv for Origin; analysis.json; and config.toml
    with all choices. Given with --config, config.toml repeats the analysis byte by byte. With
    --direct it also writes direct.csv.

    Choices can be stored in a file diffdip.toml beside the spectra, or in the file of --config. Its
    keys are definition, near_mT, strongest, baseline, phase_deg, smoothing, g, frequency_GHz,
    convention, direct, skip_damaged, angles and angle_from. Options override the file; --near,
    --baseline, --phase-deg, --frequency-ghz, --direct, --angles and --angle-from also accept none,
    which cancels the choice in the file.

    [bold]Examples[/bold]

        diffdip analyze sweeps/ --out report

        diffdip analyze rotation.par --definition lorentzian --out report

        diffdip analyze sweeps/ --config report/config.toml --out again
    """
    given = {
        "definition": definition,
        "near_mT": near,
        "strongest": strongest,
        "baseline": baseline,
        "phase_deg": phase_deg,
        "smoothing": smoothing,
        "g": g,
        "frequency_GHz": frequency_ghz,
        "convention": None if convention is None else str(convention),
        "direct": direct,
        "skip_damaged": skip_damaged,
        "angles": angles,
        "angle_from": angle_from,
    }
    _check_out(source, out, force=force)
    path = config or _beside(source)
    choices = _choices(path, {k: v for k, v in given.items() if v is not None})

    from ..foundation.progress import progress_bar
    from ..io import write_files
    from ..report.analysis import analyze as analysis_of

    spectra = read_source(
        source,
        skip_damaged=choices.skip_damaged,
        angles=choices.angles,
        angle_from=choices.angle_from,
    )
    try:
        found = analysis_of(spectra, choices)
    except InputError as error:
        raise error.at(str(source)) from None
    with progress_bar("drawing", 1):
        from ..report.documents import fit_document_of
        from ..report.files import analysis_files

        contents = analysis_files(found)
    written = write_files(out, contents, inputs=[source], force=force)
    shown = console()
    print_line(shown, summary(spectra))
    if path is not None:
        print_line(shown, f"choices from {path}")
    print_line(shown, extent(found.positions))
    print_fits([fit_document_of(found)], written)
    print_json(lambda: contents["analysis.json"])


def _check_out(source: Path, out: Path, *, force: bool) -> None:
    """Refuse a file, the folder of the spectra, whose new files would be read as spectra, and a
    folder with a report that is not ours."""
    if source.is_dir() and out.exists() and out.samefile(source):
        raise InputError(f"--out {out}", expected="a folder other than that of the spectra")
    check_results(out, ("report.html", "analysis.json", "points.csv"), [source], force=force)


def _beside(source: Path) -> Path | None:
    """The file of choices in the folder of the spectra, if there is one."""
    from ..report.choices import NAME

    path = (source if source.is_dir() else source.parent) / NAME
    return path if path.exists() else None


def _choices(path: Path | None, from_options: dict[str, Any]) -> "Choices":
    """The choices of a file, overridden by those of the options."""
    from ..report.choices import ConfigError, check_choice, none_as_unset, read_choices, resolved

    try:
        from_file = {} if path is None else read_choices(path)
    except ConfigError as error:
        fail(error.worded(str))  # a message about a file names its keys, not options
    options = {name: none_as_unset(name, value) for name, value in from_options.items()}
    for name, value in options.items():
        if value is not None:
            check_choice(name, value)
    return resolved(from_file, options)
