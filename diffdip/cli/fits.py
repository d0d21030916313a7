"""`diffdip fit` and `diffdip curve`: angular series of resonance fields."""

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from ..foundation.progress import progress_bar
from .common import (
    ConventionName,
    ConventionOption,
    app,
    check_folder,
    check_numbers,
    console,
    fail,
    print_paths,
)


if TYPE_CHECKING:
    from ..fitting.fit_result import FitResult
    from ..io import Sample

KINDS = ("png", "pdf")


class Plane(StrEnum):
    """Rotation planes by name."""

    XY = "xy"
    XZ = "xz"
    YZ = "yz"


class Loss(StrEnum):
    """How residuals are weighted."""

    LINEAR = "linear"
    SOFT_L1 = "soft_l1"


GOption = Annotated[float, typer.Option("--g", help="The g-factor (start value with --free-g).")]
PlaneOption = Annotated[
    Plane, typer.Option(help="Plane of rotation: first axis at 0°, second at 90°.")
]


@app.command()
def fit(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE...",
            help="CSV or TSV tables with columns such as angle_deg and field_mT, and where there "
            "are, sigma_mT, frequency_GHz and sample.",
        ),
    ] = None,
    frequency_ghz: Annotated[
        float | None,
        typer.Option(help="Microwave frequency, for tables without a frequency column."),
    ] = None,
    g: GOption = 2.0,
    free_g: Annotated[bool, typer.Option("--free-g", help="Fit the g-factor too.")] = False,
    free_offset: Annotated[
        bool,
        typer.Option(
            "--free-offset",
            help="Fit the zero of the angle; needs --fix-c-mt (both turn the curve).",
        ),
    ] = False,
    fix_a_mt: Annotated[
        float | None, typer.Option("--fix-a-mt", "--fix-a", help="Keep A at this value (mT).")
    ] = None,
    fix_b_mt: Annotated[
        float | None, typer.Option("--fix-b-mt", "--fix-b", help="Keep B at this value (mT).")
    ] = None,
    fix_c_mt: Annotated[
        float | None, typer.Option("--fix-c-mt", "--fix-c", help="Keep C at this value (mT).")
    ] = None,
    plane: PlaneOption = Plane.XY,
    loss: Annotated[
        Loss, typer.Option(help="soft_l1 gives outliers less weight than least squares.")
    ] = Loss.LINEAR,
    convention: ConventionOption = ConventionName.PAPER,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for fit.json, points.csv, curve.csv and the figures."),
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Fit the table that comes with diffdip.")
    ] = False,
) -> None:
    """Fit the anisotropy fields A, B, C to resonance fields measured at many angles.

    Each file, and in it each value of the sample column, is a fit of its own.
    The table gives standard error and 68 % interval of each parameter;
    --out writes everything to files.

    [bold]Examples[/bold]

        diffdip fit --example --out results

        diffdip fit sweep.csv --frequency-ghz 9.45 --out results

        diffdip fit a.csv b.csv --free-g --convention physical
    """
    from ..io import (
        OutputError,
        TableError,
        example_path,
        fit_document,
        fit_files,
        residual_warnings,
        write_files,
    )
    from ..io.series_tables import read_table

    if bool(files) == example:
        fail("give one or more files, or --example; see diffdip fit --help")
    numbers = {"--g": g, "--fix-a-mt": fix_a_mt, "--fix-b-mt": fix_b_mt, "--fix-c-mt": fix_c_mt}
    check_numbers({**numbers, "--frequency-ghz": frequency_ghz}, {"--g", "--frequency-ghz"})
    check_folder(out)
    if free_offset and fix_c_mt is None:
        fail("--free-offset needs --fix-c-mt 0: C and the offset both turn the curve")
    paths = [example_path()] if example else list(files or [])
    samples: list[Sample] = []
    try:
        for path in paths:
            samples += read_table(path, None if frequency_ghz is None else 1e9 * frequency_ghz)
    except TableError as error:
        fail(str(error))
    labels = _labels(samples)

    from ..fitting.parameters import Free
    from ..fitting.series_fit import fit_series

    fixed = {"A": fix_a_mt, "B": fix_b_mt, "C": fix_c_mt}
    options: dict[str, Any] = {
        "parameters": {n: Free() if v is None else v / 1e3 for n, v in fixed.items()},
        "g": Free(start=g) if free_g else g,
        "offset": Free() if free_offset else 0.0,
        "plane": str(plane),
        "loss": str(loss),
        "convention": str(convention),
    }
    fits: list[tuple[FitResult, dict[str, Any]]] = []
    with progress_bar("fitting", len(samples) * (1 if out is None else 2)) as advance:
        for sample, label in zip(samples, labels, strict=True):
            try:
                result = fit_series(
                    sample.angle, sample.field, sample.sigma, frequency=sample.frequency, **options
                )
            except ValueError as error:
                fail(f"{sample.source}, sample {sample.name!r}: {error}")
            warnings = [*sample.warnings, *residual_warnings(result)]
            told = (label, str(sample.source), warnings, sample.comments)
            fits.append((result, fit_document(result, *told)))
            advance()
        contents: dict[str, bytes] = {}
        if out is not None:
            from ..report.figures.style import figure_bytes
            from ..report.figures.fits import figure_fit

            settings = {key: options[key] for key in ("loss", "convention", "plane")}
            contents = fit_files(fits, {"command": "fit", **settings})
            for (result, _), label, stem in zip(fits, labels, _stems(labels), strict=True):
                figure = figure_fit(result, title=label)
                contents |= {f"{stem}.{kind}": figure_bytes(figure, kind) for kind in KINDS}
                advance()
    written: list[Path] = []
    if out is not None:
        try:
            written = write_files(out, contents)
        except OutputError as error:
            fail(str(error))
    print_fits([document for _, document in fits], written)


@app.command()
def curve(
    a_mt: Annotated[float, typer.Option("--a-mt", "--a", help="Anisotropy field A (mT).")],
    b_mt: Annotated[float, typer.Option("--b-mt", "--b", help="Anisotropy field B (mT).")],
    frequency_ghz: Annotated[float, typer.Option(help="Microwave frequency.")],
    out: Annotated[Path, typer.Option(help="Folder for curve.csv, curve.json and the figure.")],
    c_mt: Annotated[float, typer.Option("--c-mt", "--c", help="Anisotropy field C (mT).")] = 0.0,
    g: Annotated[float, typer.Option("--g", help="The g-factor.")] = 2.0,
    plane: PlaneOption = Plane.XY,
    convention: ConventionOption = ConventionName.PAPER,
) -> None:
    """Draw Hres against the angle of the field: all branches, and the lag of the magnetization.

    curve.csv has one row for each resonance of each angle from 0 to 180°;
    its column measured marks the one that is seen after saturation.

    [bold]Example[/bold] (sample I of the paper)

        diffdip curve --a-mt 191.5 --b-mt 204.6 --frequency-ghz 9.45 --out out
    """
    numbers = {"--a-mt": a_mt, "--b-mt": b_mt, "--c-mt": c_mt}
    positive = {"--g": g, "--frequency-ghz": frequency_ghz}
    check_numbers({**numbers, **positive}, set(positive))
    check_folder(out)

    from ..io import OutputError, write_files
    from ..report.curve import CurveSettings, resonance_curve

    settings = CurveSettings(a_mt, b_mt, c_mt, g, frequency_ghz, str(plane), str(convention))
    with progress_bar("computing", 2) as advance:
        found = resonance_curve(settings)
        advance()
        contents = found.files()
        advance()
    try:
        written = write_files(out, contents)
    except OutputError as error:
        fail(str(error))
    shown = console()
    for sentence in found.sentences():
        shown.print(sentence, markup=False)
    print_paths(shown, written)


def _labels(samples: list["Sample"]) -> list[str]:
    """One name for each fit: the sample's, with the file's where several samples share it."""
    names = [sample.name for sample in samples]
    labels = [
        name if names.count(name) == 1 else f"{sample.source}: {name}"
        for name, sample in zip(names, samples, strict=True)
    ]
    return [
        label if labels.count(label) == 1 else f"{label} ({labels[: i + 1].count(label)})"
        for i, label in enumerate(labels)
    ]


def _stems(labels: list[str]) -> list[str]:
    """File names without suffix for the figures: one each, of letters that every system takes."""
    if len(labels) == 1:
        return ["fit"]
    slugs = [re.sub(r"[^\w.-]+", "_", label).strip("._")[:60] or "sample" for label in labels]
    folded = [slug.casefold() for slug in slugs]
    return [
        f"fit_{slug}" if folded.count(folded[i]) == 1 else f"fit_{slug}_{i + 1}"
        for i, slug in enumerate(slugs)
    ]


def print_fits(documents: list[dict[str, Any]], written: list[Path]) -> None:
    """A table of the parameters of fits, what is doubtful about them, and the files written."""
    from ..report.parameter_text import heading, interval_text, number, value_text

    shown = console()
    convention = documents[0]["convention"]
    table = Table(title=f"Anisotropy fields, {convention} convention", title_justify="left")
    for title in ("sample", "parameter"):
        table.add_column(title, overflow="fold")
    for title in ("value ± error", "68 % interval", "rms (mT)", "chi2/dof"):
        table.add_column(title, justify="right", no_wrap=True)
    for document in documents:
        for i, (name, entry) in enumerate(document["parameters"].items()):
            row = [escape(document["sample"]) if i == 0 else "", heading(name)]
            row += [value_text(entry), interval_text(entry)]
            row += [number(document["rms_mT"]), number(document["reduced_chi2"])]
            table.add_row(*(row if i == 0 else row[:4]))
        table.add_section()
    shown.print(table)
    for document in documents:
        for flag in [*document["flags"], *document["warnings"]]:
            shown.print(f"{escape(document['sample'])}: {escape(flag['message'])}", soft_wrap=True)
    print_paths(shown, written)
