"""`diffdip analyze`: from a folder of spectra to A, B, C and a report, in one command."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..foundation.errors import InputError
from ..foundation.progress import progress_bar
from .common import ConventionName, app, check_folder, console, fail
from .fits import print_fits
from .spectra import (
    Definition,
    SourceArgument,
    as_options,
    extent,
    read_source,
    summary,
)


if TYPE_CHECKING:
    from ..report.choices import Choices

OPTIONS = {
    "near_mT": "--near",
    "phase_deg": "--phase-deg",
    "frequency_GHz": "--frequency-ghz",
    "skip_damaged": "--skip-damaged",
}
"""Options that are called otherwise than the key of the file, with two dashes before it."""


def _or_text(kind: Callable[[str], float]) -> Callable[[str], Any]:
    """A parser of options that leaves words, such as none, to the check of the choices."""

    def parse(text: str) -> float | str:
        try:
            return kind(text)
        except ValueError:
            return text

    return parse


def _nullable(metavar: str, meaning: str, kind: Callable[[str], float] = float) -> Any:
    """An option of a number, or of none."""
    return typer.Option(parser=_or_text(kind), metavar=metavar, help=meaning)


@app.command()
def analyze(
    source: SourceArgument,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the report, made if need.")],
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML file of choices. [default: diffdip.toml beside the spectra, if any]",
        ),
    ] = None,
    definition: Annotated[
        Definition | None,
        typer.Option(help="What the position of a line is. [default: zero-crossing]"),
    ] = None,
    near: Annotated[
        Any | None,
        _nullable("MT", "Follow the line nearest to this field at the least angle."),
    ] = None,
    strongest: Annotated[
        bool | None,
        typer.Option("--strongest/--no-strongest", help="Take the strongest line of each angle."),
    ] = None,
    baseline: Annotated[
        Any | None,
        _nullable("ORDER", "Order of a polynomial baseline, 0 to 5. [default: none]", int),
    ] = None,
    phase_deg: Annotated[
        Any | None,
        _nullable("DEG", "Mixing of dispersion. [default: shapes fit it, others take it as 0]"),
    ] = None,
    smoothing: Annotated[
        int | None,
        typer.Option(help="Samples under a Savitzky-Golay filter, odd. [default: 0, none]"),
    ] = None,
    g: Annotated[float | None, typer.Option("--g", help="The g-factor. [default: 2]")] = None,
    frequency_ghz: Annotated[
        Any | None,
        _nullable("GHZ", "Microwave frequency, for files that do not state it."),
    ] = None,
    convention: Annotated[
        ConventionName | None,
        typer.Option(help="Sign and counting of A, B, C. [default: paper]"),
    ] = None,
    direct: Annotated[
        str | None,
        typer.Option(
            metavar="SHAPE",
            help="Fit all samples of all spectra at once too, with lines of this shape: "
            "lorentzian, gaussian or pseudo-voigt.",
        ),
    ] = None,
    skip_damaged: Annotated[
        bool | None,
        typer.Option(
            "--skip-damaged/--no-skip-damaged",
            help="Go on without files that cannot be read, and name them.",
        ),
    ] = None,
) -> None:
    """From the spectra of a rotation to A, B, C, and a report of one page.

    Takes a position from each spectrum as diffdip positions does and fits A, B, C as diffdip fit
    does. Writes report.html, which needs no other file; its figures as PDF; positions.csv,
    points.csv, curve.csv; origin.csv with long names, units and comments; analysis.json; and
    config.toml with all choices, which repeats the analysis byte by byte.

    Choices stand in a file diffdip.toml beside the spectra, or in that of --config; options of the
    command line override it, also by none, as in --baseline none. Its keys: definition, near_mT,
    strongest, baseline, phase_deg, smoothing, g, frequency_GHz, convention, direct, skip_damaged.

    [bold]Examples[/bold]

        diffdip analyze sweeps/ --out report

        diffdip analyze rotation.par --near 338.6 --definition lorentzian --baseline 1 --out report

        diffdip analyze sweeps/ --config report/config.toml --out again
    """
    given = {
        "definition": None if definition is None else str(definition),
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
    }
    _check_out(source, out)
    path = config or _beside(source)
    choices = _choices(path, {k: v for k, v in given.items() if v is not None})

    from ..io import OutputError, write_files
    from ..report.analysis import analyze as analysis_of

    spectra = read_source(source, choices.skip_damaged)
    with progress_bar("analysing", 2) as advance:
        try:
            found = analysis_of(spectra, choices)
        except ValueError as error:
            fail(_as_options(f"{source}: {error}"))
        advance()
        from ..report.documents import fit_document_of
        from ..report.files import analysis_files

        contents = analysis_files(found)
        advance()
    try:
        written = write_files(out, contents)
    except OutputError as error:
        fail(str(error))
    shown = console()
    shown.print(summary(spectra), markup=False, soft_wrap=True)
    if path is not None:
        shown.print(f"choices of {path}", markup=False, soft_wrap=True)
    shown.print(extent(found.positions), markup=False)
    print_fits([fit_document_of(found)], written)


def _check_out(source: Path, out: Path) -> None:
    """Refuse a folder that later would be read as spectra, and what is no folder."""
    check_folder(out)
    if source.is_dir() and out.exists() and out.samefile(source):
        fail(f"--out {out}: is the folder of the spectra; expected another one")


def _beside(source: Path) -> Path | None:
    """The file of choices in the folder of the spectra, if there is one."""
    from ..report.choices import NAME

    path = (source if source.is_dir() else source.parent) / NAME
    return path if path.exists() else None


def _choices(path: Path | None, of_options: dict[str, Any]) -> "Choices":
    from ..report.choices import ConfigError, check_choice, meant, read_choices, resolved

    try:
        of_file = {} if path is None else read_choices(path)
    except ConfigError as error:
        fail(str(error))
    options = {name: meant(name, value) for name, value in of_options.items()}
    try:
        for name, value in options.items():
            if value is not None:
                check_choice(name, value)
        return resolved(of_file, options)
    except InputError as error:
        fail(error.worded(_option))


def _option(name: str) -> str:
    from dataclasses import fields

    from ..report.choices import Choices

    known = {field.name for field in fields(Choices)}
    return OPTIONS.get(name, f"--{name}") if name in known else name


def _as_options(message: str) -> str:
    told = as_options(message).replace("with frequency_GHz", "with --frequency-ghz")
    return told.replace("direct =", "--direct")
