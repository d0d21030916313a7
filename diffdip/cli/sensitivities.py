"""`diffdip sensitivity`: how sensitive the law of A and B is to each parameter of a model."""

import math
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .common import MODELS, DoubleOption, ForceOption, SeedOption, check_positive, command
from .model_options import ModelOptions, parameter_name, with_model
from .output import (
    check_results,
    console,
    names_with_figure,
    print_doubt,
    print_json,
    print_paths,
    print_table,
    samples_title,
    with_unit,
    write_with_figure,
)
from .statistic_names import STATISTICS, statistics_by_name


if TYPE_CHECKING:
    from rich.console import Console

    from ..ensembles.models import AbstractModel
    from ..sensitivities.observables import AbstractStatistic
    from ..sensitivities.sensitivity_table import Sensitivity, SensitivityTable

FEWEST_SAMPLES = 20
"""With fewer samples there is no standard error."""


class Method(StrEnum):
    """How derivatives are found."""

    AUTO = "auto"
    DIFFERENCES = "differences"


@command(MODELS, has_json=True)
@with_model
def sensitivity(
    *,
    statistic: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            show_default="median-A and median-B",
            help=f"A statistic; repeat the option for several. Names: {STATISTICS}.",
        ),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            show_default="all that are continuous",
            help="A parameter of the model, such as diameter or kappa; repeat the option for "
            "several.",
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=FEWEST_SAMPLES, help="Number of samples for each model.")
    ] = 2000,
    seed: SeedOption = 0,
    chosen: ModelOptions,
    frequency_ghz: Annotated[
        float, typer.Option(help="Microwave frequency of the statistic amplitude (GHz).")
    ] = 9.45,
    method: Annotated[
        Method,
        typer.Option(
            help="auto: derivatives of the samples where they exist, finite differences elsewhere. "
            "differences: always finite differences."
        ),
    ] = Method.AUTO,
    step: Annotated[float, typer.Option(help="Step of the finite differences in ln θ.")] = 0.1,
    double: DoubleOption = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for sensitivity.json, sensitivity.csv and a bar chart (PNG, PDF).",
        ),
    ] = None,
    force: ForceOption = False,
) -> None:
    """Compute how sensitive the distributions of A and B are to each parameter of a model.

    For each statistic T and each parameter θ it prints d ln T/d ln θ with its standard error: the
    change of T in per cent if θ grows by one per cent. With --out it also writes files.

    [bold]Examples[/bold]

        diffdip sensitivity --crystals 20 --samples 500

        diffdip sensitivity --crystals 20 --statistic tail-B:100 --out answers

        diffdip sensitivity --model cylinder --dipoles 200 --parameter moment
    """
    check_positive({"--frequency-ghz": frequency_ghz, "--step": step})
    statistics = statistics_by_name(statistic or ["median-A", "median-B"], frequency_ghz)
    check_results(out, names_with_figure("sensitivity"), force=force)

    import jax
    import numpy as np

    from .. import sensitivity as sensitivity_table
    from ..sensitivities.observables import Amplitude
    from ..sensitivities.sample_derivatives import parameters_of

    # resonance fields need float64, as in the other commands
    resonances = any(isinstance(s.observable, Amplitude) for s in statistics.values())
    with jax.enable_x64(double or resonances):
        model = chosen.build()
        if parameter:
            names, zero = checked_parameters(model, parameter), []
        else:
            names, zero = parameters_of(model)
        # a statistic that is 0 has no logarithm: its cells stay empty, and a note says so
        with np.errstate(divide="ignore", invalid="ignore"):
            table = sensitivity_table(
                model,
                list(statistics.values()),
                names,
                samples,
                seed,
                method=str(method),
                step=step,
            )

    from ..io import sensitivity_files

    written: list[Path] = []
    settings = {"command": "sensitivity", "method": method, "frequency_GHz": frequency_ghz}
    files = sensitivity_files(table, statistics, settings)
    if out is not None:
        from ..report.figures.sensitivities import figure_sensitivity

        figure = figure_sensitivity(table)
        written = write_with_figure(out, files, "sensitivity", figure, force=force)
    shown = console()
    _print_table(shown, table, statistics)
    for name in zero:
        print_doubt(shown, f"{name} is 0: its logarithm does not exist, so it was left out")
    print_paths(shown, written)
    print_json(lambda: files["sensitivity.json"])


def checked_parameters(model: "AbstractModel", asked: list[str]) -> list[str]:
    """The names of parameters, each once. Raises `InputError` for what the model does not have."""
    from ..sensitivities.sample_derivatives import methods_of

    names = []
    for text in asked:
        name = parameter_name(model, text)
        methods_of(model, [name])
        names.append(name)
    return list(dict.fromkeys(names))


def _print_table(
    shown: "Console", answers: "SensitivityTable", statistics: Mapping[str, "AbstractStatistic"]
) -> None:
    from ..io.sensitivity_results import statistic_unit

    heads = ("statistic", "value", "parameter", "at", "d ln T/d ln θ", "method")
    notes: list[str] = []
    sections: list[list[list[str]]] = []
    for name, statistic in statistics.items():
        unit, factor = statistic_unit(statistic)
        rows = [row for row in answers if row.statistic == statistic.label]
        printed: list[list[str]] = []
        for i, row in enumerate(rows):
            value = plus_minus(factor * row.value, factor * row.value_error)
            value = value if unit == "1" else f"{value} {unit}"
            first = [name, value] if i == 0 else ["", ""]
            answer = plus_minus(row.logarithmic, row.logarithmic_error)
            at = with_unit(f"{row.at:.4g}", row.parameter)
            printed.append([*first, row.parameter, at, answer, row.method])
        sections.append(printed)
        notes += _notes(name, rows)
    title = samples_title(answers.settings)
    dropped = ("method", "at", "value")
    print_table(shown, title, heads, sections, names=3, dropped=dropped)
    for note in notes:
        print_doubt(shown, note)


def _notes(name: str, rows: "list[Sensitivity]") -> list[str]:
    """Why cells have no number."""
    if not rows:
        return []
    value = rows[0].value
    if value == 0 or not math.isfinite(value):
        return [f"{name} is {value:g}: its logarithm does not exist"]
    if not all(math.isfinite(row.logarithmic_error) for row in rows):
        return [f"{name}: there are too few samples for a standard error"]
    return []


def plus_minus(value: float, error: float) -> str:
    """Value and error to two digits of the error; a dash for a value that does not exist.

    >>> plus_minus(-2.106, 0.534), plus_minus(2.5, math.nan), plus_minus(math.nan, 1.0)
    ('-2.11 ± 0.53', '2.5 ± ?', '-')
    """
    if not math.isfinite(value):
        return "-"
    if not math.isfinite(error):
        return f"{value:.3g} ± ?"
    if error < 1e-6 * max(abs(value), 1e-300):
        return f"{value:.6g} ± 0"
    digits = min(12, max(0, 1 - math.floor(math.log10(error))))
    return f"{value:z.{digits}f} ± {error:.{digits}f}"
