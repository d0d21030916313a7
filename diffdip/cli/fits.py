"""`diffdip fit`: resonances of one or more samples."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..foundation.errors import InputError
from .common import (
    MEASUREMENTS,
    ConventionName,
    ConventionOption,
    ForceOption,
    check_folder,
    check_positive,
    command,
)
from .fit_options import (
    AngleColumn,
    FieldColumn,
    FrequencyColumn,
    Loss,
    MeasuredOption,
    ModelOption,
    Plane,
    SeriesOption,
    SigmaColumn,
    SuggestOption,
    TermOption,
    WidthOption,
    WidthPartOption,
    check_options,
    check_suggest,
    settings_of,
)
from .fit_output import print_fits, print_suggestions, suggestions_document
from .output import FIGURE_KINDS, print_json


if TYPE_CHECKING:
    from ..io import Sample


@command(MEASUREMENTS, has_json=True)
def fit(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE...",
            help="CSV or TSV tables with the columns angle_deg and field_mT, and optionally "
            "sigma_mT, frequency_GHz, sample, plane and measured; theta_deg and phi_deg for other "
            "directions. Other units are read from the names, as in 'field (G)'.",
        ),
    ] = None,
    frequency_ghz: Annotated[
        float | None,
        typer.Option(help="Microwave frequency (GHz) for tables without a frequency column."),
    ] = None,
    term: TermOption = None,
    model: ModelOption = None,
    series: SeriesOption = None,
    suggest: SuggestOption = False,
    g: Annotated[
        float | None,
        typer.Option("--g", help="The g-factor; with --free-g the start value.  [default: 2]"),
    ] = None,
    free_g: Annotated[bool, typer.Option("--free-g", help="Fit the g-factor as well.")] = False,
    free_offset: Annotated[
        bool,
        typer.Option(
            "--free-offset",
            help="Fit the zero of the angle scale as well. For A, B and C it needs --fix-c-mt, "
            "because C and the offset both shift the curve along the angle axis.",
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
    plane: Annotated[
        Plane | None,
        typer.Option(
            help="Plane of rotation: the first axis is at 0°, the second at 90°.  [default: xy]"
        ),
    ] = None,
    loss: Annotated[
        Loss, typer.Option(help="linear: least squares. soft_l1: gives outliers less weight.")
    ] = Loss.LINEAR,
    convention: ConventionOption = ConventionName.PAPER,
    measured: MeasuredOption = None,
    angle_column: AngleColumn = None,
    field_column: FieldColumn = None,
    sigma_column: SigmaColumn = None,
    frequency_column: FrequencyColumn = None,
    width: WidthOption = None,
    width_part: WidthPartOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for fit.json, points.csv, curve.csv, widths.csv and figures (PNG, PDF).",
        ),
    ] = None,
    force: ForceOption = False,
    example: Annotated[
        bool, typer.Option("--example", help="Fit the table that comes with diffdip.")
    ] = False,
) -> None:
    """Fit anisotropy fields to resonances measured at several angles or frequencies.

    By default A, B and C are fitted; with --term or --model any sum of energy terms. Each file is
    fitted separately, and so is each sample named in the column sample; tables given with --series
    are fitted together. It prints each parameter with its standard error and 68 % interval. With
    --out it also writes files.

    [bold]Examples[/bold]

        diffdip fit --example --out results

        diffdip fit sweep.csv --frequency-ghz 9.45 --out results

        diffdip fit film.csv --g 2.05 --suggest

        diffdip fit film.csv --term thin-film --term cubic --free-offset

        diffdip fit --series 9GHz.csv --series 34GHz.csv --term thin-film --free-g
    """
    from ..io import example_path, write_files
    from ..io.fit_results import fits_document
    from ..io.series_tables import read_table
    from ..io.writing import check_inputs

    if [bool(files), bool(series), example].count(True) != 1:
        raise InputError("FILE...", expected="one or more files, or --series, or --example")
    if width_part and width is None:
        raise InputError("--width-part", expected="--width beside it, which says what a width is")
    terms = term or []
    fixed_mt = {"A": fix_a_mt, "B": fix_b_mt, "C": fix_c_mt}
    if suggest:
        check_suggest(
            term=term,
            model=model,
            out=out,
            loss=loss is not Loss.LINEAR,
            free_g=free_g,
            free_offset=free_offset,
            fix_a_mt=fix_a_mt is not None,
            fix_b_mt=fix_b_mt is not None,
            fix_c_mt=fix_c_mt is not None,
            convention=convention is not ConventionName.PAPER,
            force=force,
            width=width is not None,
        )
    check_options(terms=terms, model=model, fixed_mt=fixed_mt, g=g, free_offset=free_offset)
    check_positive({"--frequency-ghz": frequency_ghz})
    columns = {
        "angle": angle_column,
        "field": field_column,
        "sigma": sigma_column,
        "frequency": frequency_column,
    }
    paths = [example_path()] if example else [*(files or []), *(series or [])]
    samples: list[Sample] = []
    for path in paths:
        found = read_table(
            path,
            None if frequency_ghz is None else 1e9 * frequency_ghz,
            columns={name: column for name, column in columns.items() if column is not None},
            measured=None if measured is None else str(measured),
        )
        if series and len(found) > 1:
            raise InputError(
                f"--series {path}",
                expected="a table of one sample; its column sample names "
                + ", ".join(sample.name for sample in found[:5]),
                hint="Give it as FILE, or make a table of each sample",
            )
        samples += found
    check_folder(out)
    if out is not None:
        check_inputs(
            [out / name for name in ("fit.json", "points.csv", "curve.csv", "widths.csv")], paths
        )
    together = [samples] if series else [[sample] for sample in samples]

    from ..foundation.progress import progress_bar
    from ..report.series_fits import fit_sample, fits_as_files, suggest_for, table_names

    labels = [" + ".join(table_names(samples))] if series else _labels(samples)

    settings = settings_of(
        terms=terms,
        model=model,
        fixed_mt=fixed_mt,
        g=g,
        free_g=free_g,
        free_offset=free_offset,
        plane=plane,
        loss=loss,
        convention=str(convention),
        width=width,
        width_parts=width_part or [],
    )
    if suggest:
        with progress_bar("comparing", len(together)) as advance:
            suggested = []
            for group in together:
                suggested.append(suggest_for(group, settings))
                advance()
        for label, group, suggestions in zip(labels, together, suggested, strict=True):
            swept = all(one.swept is not None and one.swept.all() for one in group)
            print_suggestions(label, suggestions, in_frequency=swept)
        print_json(lambda: suggestions_document(labels, suggested))
        return
    with progress_bar("fitting", len(together) * (1 if out is None else 2)) as advance:
        fits = []
        for group, label in zip(together, labels, strict=True):
            fits.append(fit_sample(group, label, settings))
            advance()
        contents: dict[str, bytes] = {}
        about = {"command": "fit", **settings.document()}
        if out is not None:
            contents = fits_as_files(fits, about, figure_stems(labels), FIGURE_KINDS, advance)
    written = [] if out is None else write_files(out, contents, inputs=paths, force=force)
    documents = [one.document for one in fits]
    print_fits(documents, written)
    print_json(lambda: fits_document(documents, about))


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
