"""`diffdip infer`: parameters of a model from measured A and B."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..foundation.errors import InputError
from .common import MODELS, DoubleOption, ForceOption, SeedOption, command
from .model_options import ModelOptions, with_model
from .output import (
    check_results,
    console,
    names_with_figure,
    print_doubt,
    print_json,
    print_line,
    print_paths,
    print_table,
    samples_title,
    with_unit,
    write_with_figure,
)
from .sensitivities import FEWEST_SAMPLES, checked_parameters


if TYPE_CHECKING:
    from rich.console import Console

    from ..sensitivities.inference_result import Inference

FEWEST_ROWS = 10
"""Fewer measured samples do not determine a distribution."""


@command(MODELS, has_json=True)
@with_model
def infer(
    *,
    measured: Annotated[
        Path,
        typer.Argument(
            metavar="MEASURED",
            help="CSV or TSV table with the columns A_mT and B_mT and one row for each sample; "
            f"{FEWEST_ROWS} or more rows.",
        ),
    ],
    parameter: Annotated[
        list[str],
        typer.Option(
            metavar="NAME",
            help="A parameter to estimate, such as kappa; repeat the option for several. "
            "The others keep the values of their options.",
        ),
    ],
    samples: Annotated[
        int, typer.Option(min=FEWEST_SAMPLES, help="Number of samples at each step.")
    ] = 2000,
    steps: Annotated[int, typer.Option(min=1, help="Number of steps of the search.")] = 30,
    seed: SeedOption = 0,
    chosen: ModelOptions,
    double: DoubleOption = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder for infer.json, infer.csv and a figure (PNG, PDF)."
        ),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Estimate parameters of a model from measured values of A and B.

    The measured values must follow the convention of the model. The options of the model give the
    start values of the parameters to find, and fix all others. Intervals come from resampling the
    measured samples; a parameter that they do not determine is marked as not identifiable. With
    --out it also writes files; the figure compares the measured distribution functions with those
    of the model.

    [bold]Examples[/bold]

        diffdip infer measured.csv --parameter kappa --crystals 20 --out found

        diffdip infer measured.csv --parameter density --model cylinder

        diffdip infer run.csv --parameter moment --parameter kappa --crystals 20
    """
    from ..io import inference_files, read_anisotropies

    data = read_anisotropies(measured)
    if len(data.A) < FEWEST_ROWS:
        raise InputError(
            f"{len(data.A)} rows with both A and B", expected=f"{FEWEST_ROWS} or more"
        ).at(str(measured))
    check_results(out, names_with_figure("infer"), [measured], force=force)

    import jax

    from .. import infer as infer_parameters, simulate
    from ..ensembles.simulation import describe

    with jax.enable_x64(double):
        model = chosen.build()
        names = checked_parameters(model, parameter)
        found = infer_parameters(data.A, data.B, model, names, samples, seed, steps=steps)
        settings = {"command": "infer", "start": describe(model), "left_out": data.left_out}
        files = inference_files(found, str(measured), settings)
        written: list[Path] = []
        if out is not None:
            from ..report.figures.sensitivities import figure_inference

            ours = simulate(found.model, max(samples, 1000), seed, progress=False)
            figure = figure_inference((data.A, data.B), (ours.A, ours.B), title=measured.stem)
            written = write_with_figure(out, files, "infer", figure, inputs=[measured], force=force)
    shown = console()
    _print_parameters(shown, found)
    if data.left_out:
        print_doubt(shown, f"Rows without A or B that were left out: {data.left_out}")
    print_paths(shown, written)
    print_json(lambda: files["infer.json"])


def _print_parameters(shown: "Console", found: "Inference") -> None:
    rows: list[list[str]] = []
    for one in found.parameters:
        intervals = [
            f"{low:.3g} to {high:.3g}" if one.identifiable else "open"
            for low, high in (one.interval_68, one.interval_95)
        ]
        value = with_unit(f"{one.value:.3g}", one.name)
        rows.append([one.name, value, *intervals, "yes" if one.identifiable else "no"])
    heads = ("parameter", "value", "68 % interval", "95 % interval", "identifiable")
    title = samples_title(found.settings)
    print_table(shown, title, heads, [rows], dropped=("95 % interval", "identifiable"))
    print_line(
        shown,
        f"{found.settings['measured']} measured samples: "
        f"chi2 = {found.chi2:.3g}, {found.dof:.3g} degrees of freedom, p = {found.p_value:.2g}",
    )
    for note in found.notes:
        print_doubt(shown, note.message)
