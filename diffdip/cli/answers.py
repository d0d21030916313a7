"""`diffdip sensitivity` and `diffdip infer`: how a distribution answers to the crystals, and back.

Names of statistics and parameters come from the command line as text; they are read here.
"""

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from .common import (
    ModelOptions,
    SeedOption,
    app,
    check_folder,
    check_numbers,
    console,
    fail,
    print_paths,
    with_model,
)


if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

    from ..ensembles.models import AbstractModel
    from ..sensitivities.inference_result import Inference
    from ..sensitivities.observables import AbstractStatistic
    from ..sensitivities.sensitivity_table import Sensitivity, SensitivityTable

KINDS = ("png", "pdf")
FEWEST = 20
"""Samples below which no standard error can be told."""

STATISTICS = (
    "median-A, q90-B (a quantile), mean-B (geometric mean), tail-B:100 (share of |B| > 100 mT), "
    "width-B (of a Cauchy law), amplitude (median of Hres max − min)"
)

UNIT_SUFFIXES = ("_per_nm3", "_nm", "_mub")
RENAMED = {"crystals": "n_crystals", "dipoles": "n"}
"""Parameters whose option has another name than the model's."""


class Method(StrEnum):
    """How derivatives are found."""

    AUTO = "auto"
    DIFFERENCES = "differences"


OutOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder for the JSON, the CSV and the figures.")
]
SamplesOption = Annotated[int, typer.Option(min=FEWEST, help="Number of samples at each step.")]
DoubleOption = Annotated[bool, typer.Option("--float64", help="Compute in float64.")]


@app.command()
@with_model
def sensitivity(
    *,
    statistic: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=f"May be given again: {STATISTICS}. [default: median-A and median-B]",
        ),
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A number of the model, as diameter or kappa; may be given again. "
            "[default: all that are continuous]",
        ),
    ] = None,
    samples: SamplesOption = 2000,
    seed: SeedOption = 0,
    chosen: ModelOptions,
    frequency_ghz: Annotated[float, typer.Option(help="For the statistic amplitude.")] = 9.45,
    method: Annotated[
        Method, typer.Option(help="auto: from the samples themselves where that can be.")
    ] = Method.AUTO,
    step: Annotated[float, typer.Option(help="Of differences, in the logarithm.")] = 0.1,
    double: DoubleOption = False,
    out: OutOption = None,
) -> None:
    """How the distribution of A and B answers to each number of the model.

    For each statistic T and parameter θ: d ln T/d ln θ, the per cent by which T grows for one per
    cent more of θ, with its standard error. --out writes sensitivity.json, sensitivity.csv and a
    chart of bars sorted by size.

    [bold]Examples[/bold]

        diffdip sensitivity --crystals 20 --samples 500

        diffdip sensitivity --crystals 20 --statistic q90-B --statistic tail-B:100 --out answers

        diffdip sensitivity --model cylinder --dipoles 200 --statistic width-B --parameter moment
    """
    check_numbers({"--frequency-ghz": frequency_ghz, "--step": step}, {"--frequency-ghz", "--step"})
    statistics = _statistics(statistic or ["median-A", "median-B"], frequency_ghz)
    check_folder(out)

    import jax
    import numpy as np

    from ..sensitivities.observables import Amplitude
    from ..sensitivities.sensitivity_table import sensitivity as answers

    # resonance fields need it, as in the other commands
    resonances = any(isinstance(s.observable, Amplitude) for s in statistics.values())
    with jax.enable_x64(double or resonances):
        model = chosen.build()
        zero = [] if parameter else _zero(model)
        names = _parameters(model, parameter, zero)
        try:
            # a statistic that is 0 has no logarithm: its cells stay empty, and words say so
            with np.errstate(divide="ignore", invalid="ignore"):
                table = answers(
                    model,
                    list(statistics.values()),
                    names,
                    samples,
                    seed,
                    method=str(method),
                    step=step,
                )
        except ValueError as error:
            fail(str(error))
    written: list[Path] = []
    if out is not None:
        from ..io import sensitivity_files
        from ..report.figures.sensitivities import figure_sensitivity

        settings = {"command": "sensitivity", "method": method, "frequency_GHz": frequency_ghz}
        files = sensitivity_files(table, statistics, settings)
        written = _write(out, files, "sensitivity", figure_sensitivity(table))
    shown = console()
    _print_sensitivity(shown, table, statistics)
    for name in zero:
        shown.print(f"{name} is 0: it has no logarithm and is left out")
    print_paths(shown, written)


@app.command()
@with_model
def infer(
    *,
    measured: Annotated[
        Path,
        typer.Argument(
            metavar="MEASURED",
            help="CSV or TSV table with the columns A_mT and B_mT, one row a sample.",
        ),
    ],
    parameter: Annotated[
        list[str],
        typer.Option(
            metavar="NAME", help="To be found, as kappa; may be given again. Others stay as given."
        ),
    ],
    samples: SamplesOption = 2000,
    steps: Annotated[int, typer.Option(min=1, help="Steps of the search.")] = 30,
    seed: SeedOption = 0,
    chosen: ModelOptions,
    double: DoubleOption = False,
    out: OutOption = None,
) -> None:
    """Numbers of the model whose distribution of A and B best explains measured ones.

    The table has a row for each sample, in the convention of the model; 10 or more are needed.
    The model's options give where the search begins, and all that is kept fixed. Intervals are
    from resampling the samples; parameters that these leave open are told apart. --out writes
    infer.json, infer.csv and the measured distribution functions against those of the model.

    [bold]Examples[/bold]

        diffdip infer measured.csv --parameter kappa --crystals 20 --out found

        diffdip infer measured.csv --parameter density --model cylinder --dipoles 200

        diffdip infer run.csv --parameter moment --parameter diameter --crystals 20 --samples 500
    """
    from ..io import TableError, read_anisotropies

    try:
        data = read_anisotropies(measured)
    except TableError as error:
        fail(str(error))
    if len(data.A) < 10:
        fail(f"{measured}: {len(data.A)} rows with both A and B; expected 10 or more")
    check_folder(out)

    import jax

    from ..ensembles.simulation import describe, simulate
    from ..sensitivities.inference import infer as inference

    with jax.enable_x64(double):
        model = chosen.build()
        names = _parameters(model, parameter, [])
        try:
            found = inference(data.A, data.B, model, names, samples, seed, steps=steps)
        except ValueError as error:
            fail(str(error))
        written: list[Path] = []
        if out is not None:
            from ..io import inference_files
            from ..report.figures.sensitivities import figure_inference

            ours = simulate(found.model, max(samples, 1000), seed, progress=False)
            figure = figure_inference((data.A, data.B), (ours.A, ours.B), title=measured.stem)
            settings = {"command": "infer", "start": describe(model), "left_out": data.left_out}
            files = inference_files(found, str(measured), settings)
            written = _write(out, files, "infer", figure)
    shown = console()
    _print_inference(shown, found)
    if data.left_out:
        shown.print(f"{data.left_out} rows without A or B are left out")
    print_paths(shown, written)


def _statistics(names: list[str], frequency_ghz: float) -> "dict[str, AbstractStatistic]":
    """Statistics by the names they are asked for by, each once: q50-B is median-B."""
    found: dict[str, AbstractStatistic] = {}
    for name in names:
        statistic = _statistic(name, frequency_ghz)
        if statistic.label not in {other.label for other in found.values()}:
            found[name] = statistic
    return found


def _statistic(name: str, frequency_ghz: float) -> "AbstractStatistic":
    """What a name such as `median-B` or `tail-B:100` means."""
    from ..sensitivities import observables as o

    if name == "amplitude":
        return o.Quantile(o.Amplitude(1e9 * frequency_ghz))
    kind, _, rest = name.partition("-")
    component, colon, bound = rest.partition(":")
    kinds: dict[str, Callable[[], AbstractStatistic]] = {
        "median": lambda: o.Quantile(o.Magnitude(component)),
        "mean": lambda: o.GeometricMean(o.Magnitude(component)),
        "width": lambda: o.CauchyWidth(o.Component(component)),
        "tail": lambda: o.TailFraction(o.Magnitude(component), _finite(bound) / 1e3),
    }
    if kind[:1] == "q" and kind[1:]:
        kinds[kind] = lambda: o.Quantile(o.Magnitude(component), _finite(kind[1:]) / 100)
    try:
        if kind not in kinds or bool(colon) != (kind == "tail"):
            raise ValueError(f"expected one of {STATISTICS}")
        return kinds[kind]()
    except ValueError as error:
        fail(f"--statistic {name}: {error}")


def _finite(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a number; expected one such as 100")
    return number


def _zero(model: "AbstractModel") -> list[str]:
    from ..sensitivities.sample_derivatives import parameters_of

    return [name for name in parameters_of(model) if float(getattr(model, name)) == 0]


def _parameters(model: "AbstractModel", asked: list[str] | None, without: list[str]) -> list[str]:
    """Names of the model's numbers, from how they are called there or in the options."""
    from ..sensitivities.sample_derivatives import methods_of, parameters_of

    if not asked:
        return [name for name in parameters_of(model) if name not in without]
    names = {}
    for text in asked:
        name = text.lstrip("-").replace("-", "_")
        for suffix in UNIT_SUFFIXES:
            name = name.removesuffix(suffix)
        name = name if hasattr(model, name) else RENAMED.get(name, name)
        try:
            methods_of(model, [name])
        except ValueError as error:
            fail(f"--parameter {text}: {error}")
        names[name] = text
    return list(names)


def _write(out: Path, files: Mapping[str, bytes], stem: str, figure: "Figure") -> list[Path]:
    from ..io import OutputError, write_files
    from ..report.figures.style import figure_bytes

    figures = {f"{stem}.{kind}": figure_bytes(figure, kind) for kind in KINDS}
    try:
        return write_files(out, {**files, **figures})
    except OutputError as error:
        fail(str(error))


def _print_sensitivity(
    shown: "Console", answers: "SensitivityTable", statistics: Mapping[str, "AbstractStatistic"]
) -> None:
    from ..io.sensitivity_results import statistic_unit

    settings = answers.settings
    table = Table(title=_title(settings), title_justify="left")
    for heading in ("statistic", "value", "parameter"):
        table.add_column(heading, no_wrap=True)
    table.add_column("at", justify="right", no_wrap=True)
    table.add_column("d ln T/d ln θ", justify="right", no_wrap=True)
    table.add_column("method")
    notes = []
    for name, statistic in statistics.items():
        unit, factor = statistic_unit(statistic)
        rows = [row for row in answers if row.statistic == statistic.label]
        for i, row in enumerate(rows):
            value = _plus_minus(factor * row.value, factor * row.value_error)
            first = [escape(name), _with_unit(value, unit)] if i == 0 else ["", ""]
            answer = _plus_minus(row.logarithmic, row.logarithmic_error)
            at = _with_unit(f"{row.at:.4g}", _unit(row.parameter))
            table.add_row(*first, row.parameter, at, answer, row.method)
        table.add_section()
        notes += _doubts(name, rows)
    shown.print(table)
    for note in notes:
        shown.print(escape(note), soft_wrap=True)


def _doubts(name: str, rows: "list[Sensitivity]") -> list[str]:
    """What the cells without a number mean, in words."""
    if not rows:
        return []
    value = rows[0].value
    if value == 0 or not math.isfinite(value):
        return [f"{name} is {value:g}: it has no logarithm"]
    if not all(math.isfinite(row.logarithmic_error) for row in rows):
        return [f"{name}: too few samples there to tell an error"]
    return []


def _print_inference(shown: "Console", found: "Inference") -> None:
    table = Table(title=_title(found.settings), title_justify="left")
    table.add_column("parameter", no_wrap=True)
    for heading in ("value", "68 % interval", "95 % interval"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("identifiable")
    for one in found.parameters:
        value = _with_unit(f"{one.value:.3g}", _unit(one.name))
        intervals = [
            f"{low:.3g} to {high:.3g}" if one.identifiable else "open"
            for low, high in (one.interval_68, one.interval_95)
        ]
        table.add_row(one.name, value, *intervals, "yes" if one.identifiable else "no")
    shown.print(table)
    shown.print(
        f"{found.settings['measured']} measured samples: "
        f"chi2 = {found.chi2:.3g}, {found.dof:.3g} degrees of freedom, p = {found.p_value:.2g}"
    )
    for note in found.notes:
        shown.print(escape(note.message), soft_wrap=True)


def _title(settings: Mapping) -> str:
    model = settings["model"]
    return (
        f"{settings['n_samples']} samples of {model['type']}, {model['convention']} convention, "
        f"seed {settings['seed']}"
    )


def _unit(parameter: str) -> str:
    from ..io.sensitivity_results import parameter_unit

    unit = parameter_unit(parameter)
    return {"nm^-3": "nm⁻³", "muB": "µB"}.get(unit, unit)


def _with_unit(value: str, unit: str) -> str:
    return value if unit == "1" else f"{value} {unit}"


def _plus_minus(value: float, error: float) -> str:
    """Value and error to two digits of the error; a dash for what does not exist."""
    if not math.isfinite(value):
        return "-"
    if not math.isfinite(error):
        return f"{value:.3g} ± ?"
    if error < 1e-6 * max(abs(value), 1e-300):
        return f"{value:.6g} ± 0"
    digits = min(12, max(0, 1 - math.floor(math.log10(error))))
    return f"{value:z.{digits}f} ± {error:.{digits}f}"
