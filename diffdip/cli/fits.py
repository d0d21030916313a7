"""`diffdip fit` and `diffdip curve`: angular series of resonance fields."""

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..foundation.errors import InputError
from .common import (
    MEASUREMENTS,
    ConventionName,
    ConventionOption,
    ForceOption,
    check_finite,
    check_folder,
    check_positive,
    command,
)
from .output import FIGURE_KINDS, console, print_line, print_paths, print_table


if TYPE_CHECKING:
    from ..fitting.fit_result import FitResult
    from ..io import Sample


class Plane(StrEnum):
    """Rotation planes by name."""

    XY = "xy"
    XZ = "xz"
    YZ = "yz"


class Loss(StrEnum):
    """How residuals are weighted."""

    LINEAR = "linear"
    SOFT_L1 = "soft_l1"


PlaneOption = Annotated[
    Plane, typer.Option(help="Plane of rotation: the first axis is at 0°, the second at 90°.")
]


@command(MEASUREMENTS)
def fit(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE...",
            help="CSV or TSV tables with the columns angle_deg and field_mT, and optionally "
            "sigma_mT, frequency_GHz and sample. Other units are read from the names, as in "
            "'field (G)'.",
        ),
    ] = None,
    frequency_ghz: Annotated[
        float | None,
        typer.Option(help="Microwave frequency (GHz) for tables without a frequency column."),
    ] = None,
    g: Annotated[
        float, typer.Option("--g", help="The g-factor; with --free-g the start value.")
    ] = 2.0,
    free_g: Annotated[bool, typer.Option("--free-g", help="Fit the g-factor as well.")] = False,
    free_offset: Annotated[
        bool,
        typer.Option(
            "--free-offset",
            help="Fit the zero of the angle scale as well. Needs --fix-c-mt, because C and the "
            "offset both shift the curve along the angle axis.",
        ),
    ] = False,
    fix_a_mt: Annotated[
        float | None, typer.Option("--fix-a-mt", "--fix-a", help="Fix A at this value (mT).")
    ] = None,
    fix_b_mt: Annotated[
        float | None, typer.Option("--fix-b-mt", "--fix-b", help="Fix B at this value (mT).")
    ] = None,
    fix_c_mt: Annotated[
        float | None, typer.Option("--fix-c-mt", "--fix-c", help="Fix C at this value (mT).")
    ] = None,
    plane: PlaneOption = Plane.XY,
    loss: Annotated[
        Loss, typer.Option(help="linear: least squares. soft_l1: gives outliers less weight.")
    ] = Loss.LINEAR,
    convention: ConventionOption = ConventionName.PAPER,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for fit.json, points.csv, curve.csv and figures (PNG, PDF)."
        ),
    ] = None,
    force: ForceOption = False,
    example: Annotated[
        bool, typer.Option("--example", help="Fit the table that comes with diffdip.")
    ] = False,
) -> None:
    """Fit the anisotropy fields A, B and C to resonance fields measured at several angles.

    Each file is fitted separately, and so is each sample named in the column sample. It prints each
    parameter with its standard error and 68 % interval. With --out it also writes files.

    [bold]Examples[/bold]

        diffdip fit --example --out results

        diffdip fit sweep.csv --frequency-ghz 9.45 --out results

        diffdip fit a.csv b.csv --free-g --convention physical
    """
    from ..io import (
        example_path,
        fit_document,
        fit_files,
        residual_warnings,
        write_files,
    )
    from ..io.series_tables import read_table
    from ..io.writing import check_inputs

    if bool(files) == example:
        raise InputError("FILE...", expected="one or more files, or --example")
    check_finite({"--fix-a-mt": fix_a_mt, "--fix-b-mt": fix_b_mt, "--fix-c-mt": fix_c_mt})
    check_positive({"--g": g, "--frequency-ghz": frequency_ghz})
    if free_offset and fix_c_mt is None:
        raise InputError(
            "--free-offset",
            expected="--fix-c-mt as well, because C and the offset both shift the curve along the "
            "angle axis",
            hint="Add --fix-c-mt 0",
        )
    paths = [example_path()] if example else list(files or [])
    samples: list[Sample] = []
    for path in paths:
        samples += read_table(path, None if frequency_ghz is None else 1e9 * frequency_ghz)
    check_folder(out)
    if out is not None:
        check_inputs([out / name for name in ("fit.json", "points.csv", "curve.csv")], paths)
    labels = _labels(samples)

    from ..fitting.g_or_a import g_or_a
    from ..fitting.parameters import Free
    from ..fitting.series_fit import fit_series
    from ..foundation.progress import progress_bar

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
            except InputError as error:
                place = error.at(f"sample {sample.name!r}")
                raise place.at(str(sample.source)) from None
            warnings = [w for w in sample.warnings if w not in result.flags]
            warnings += [*residual_warnings(result), *g_or_a(result)]
            about = (label, str(sample.source), warnings, sample.comments)
            fits.append((result, fit_document(result, *about)))
            advance()
        contents: dict[str, bytes] = {}
        if out is not None:
            from ..report.figures.fits import figure_fit
            from ..report.figures.style import figure_bytes

            settings = {key: options[key] for key in ("loss", "convention", "plane")}
            contents = fit_files(fits, {"command": "fit", **settings})
            for (result, _), label, stem in zip(fits, labels, figure_stems(labels), strict=True):
                figure = figure_fit(result, title=label)
                contents |= {f"{stem}.{kind}": figure_bytes(figure, kind) for kind in FIGURE_KINDS}
                advance()
    written: list[Path] = []
    if out is not None:
        written = write_files(out, contents, inputs=paths, force=force)
    print_fits([document for _, document in fits], written)


@command(MEASUREMENTS)
def curve(
    a_mt: Annotated[float, typer.Option("--a-mt", "--a", help="Anisotropy field A (mT).")],
    b_mt: Annotated[float, typer.Option("--b-mt", "--b", help="Anisotropy field B (mT).")],
    frequency_ghz: Annotated[float, typer.Option(help="Microwave frequency (GHz).")],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Folder for curve.csv, curve.json and the figure (PNG, PDF)."
        ),
    ],
    c_mt: Annotated[float, typer.Option("--c-mt", "--c", help="Anisotropy field C (mT).")] = 0.0,
    g: Annotated[float, typer.Option("--g", help="The g-factor.")] = 2.0,
    plane: PlaneOption = Plane.XY,
    convention: ConventionOption = ConventionName.PAPER,
    force: ForceOption = False,
) -> None:
    """Compute the resonance field at each angle of the applied field from given A, B and C.

    It writes a figure with all branches and with the angle by which the magnetization lags behind
    the field. curve.csv has one row for each resonance at each angle from 0 to 180°; its column
    measured is 1 for the resonance that is measured after saturation.

    [bold]Example[/bold], sample I of the paper:

        diffdip curve --a-mt 191.5 --b-mt 204.6 --frequency-ghz 9.45 --out out
    """
    check_finite({"--a-mt": a_mt, "--b-mt": b_mt, "--c-mt": c_mt})
    check_positive({"--g": g, "--frequency-ghz": frequency_ghz})
    check_folder(out)

    from ..foundation.progress import progress_bar
    from ..io import write_files
    from ..report.curve import CurveSettings, resonance_curve

    settings = CurveSettings(a_mt, b_mt, c_mt, g, frequency_ghz, str(plane), str(convention))
    with progress_bar("computing", 2) as advance:
        found = resonance_curve(settings)
        advance()
        contents = found.files()
        advance()
    written = write_files(out, contents, force=force)
    shown = console()
    for sentence in found.sentences():
        print_line(shown, sentence)
    print_paths(shown, written)


def _labels(samples: list["Sample"]) -> list[str]:
    """A name for each fit: that of the sample, after the file's if samples share a name."""
    names = [sample.name for sample in samples]
    labels = [
        name if names.count(name) == 1 else f"{sample.source}: {name}"
        for name, sample in zip(names, samples, strict=True)
    ]
    return [
        label if labels.count(label) == 1 else f"{label} ({labels[: i + 1].count(label)})"
        for i, label in enumerate(labels)
    ]


def figure_stems(labels: list[str]) -> list[str]:
    """File names of the figures without suffix, all distinct and valid on every system."""
    if len(labels) == 1:
        return ["fit"]
    slugs = [re.sub(r"[^\w.-]+", "_", label).strip("._")[:60] or "sample" for label in labels]
    folded = [slug.casefold() for slug in slugs]
    return [
        f"fit_{slug}" if folded.count(folded[i]) == 1 else f"fit_{slug}_{i + 1}"
        for i, slug in enumerate(slugs)
    ]


def print_fits(documents: list[dict[str, Any]], written: list[Path]) -> None:
    """Print the parameters of fits, the doubts about them, and the files written."""
    from ..report.parameter_text import heading, interval_text, number, value_text

    shown = console()
    convention = documents[0]["convention"]
    heads = ("sample", "parameter", "value ± error", "68 % interval", "rms (mT)", "chi2/dof")
    sections: list[list[list[str]]] = []
    for document in documents:
        sections.append([])
        for i, (name, entry) in enumerate(document["parameters"].items()):
            first = [document["sample"], number(document["rms_mT"])]
            first += [number(document["reduced_chi2"])]
            sample, *misfit = first if i == 0 else [""] * 3
            row = [sample, heading(name), value_text(entry), interval_text(entry), *misfit]
            sections[-1].append(row)
    print_table(
        shown,
        f"Anisotropy fields, {convention} convention",
        heads,
        sections,
        names=2,
        dropped=("rms (mT)", "chi2/dof", "68 % interval"),
    )
    for document in documents:
        for flag in [*document["flags"], *document["warnings"]]:
            print_line(shown, f"{document['sample']}: {flag['message']}")
    print_paths(shown, written)
