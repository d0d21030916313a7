"""What all commands share: the application, errors in one line, output on any terminal."""

import inspect
import io
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape


if TYPE_CHECKING:
    from ..ensembles.models import AbstractModel

app = typer.Typer(
    name="diffdip",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class ConventionName(StrEnum):
    """Sign and counting of the dipolar energy."""

    PAPER = "paper"
    PHYSICAL = "physical"


ConventionOption = Annotated[
    ConventionName, typer.Option(help="Sign and counting of A, B, C: as published, or physical.")
]


SeedOption = Annotated[
    int,
    typer.Option(
        min=0,
        max=2**32 - 1,
        help="One seed always gives the same samples; sample i depends only on it and i.",
    ),
]


def fail(message: str) -> NoReturn:
    """End with one line on stderr and exit code 2."""
    typer.echo(f"diffdip: {' '.join(message.split())}", err=True)
    raise typer.Exit(2)


def check_numbers(values: Mapping[str, float | None], positive: set[str]) -> None:
    """Refuse numbers that are not finite, or not above 0 where they must be."""
    for option, value in values.items():
        if value is None:
            continue
        if not math.isfinite(value) or (option in positive and value <= 0):
            kind = "a number above 0" if option in positive else "a finite number"
            fail(f"{option} {value}: expected {kind}")


def check_folder(out: Path | None) -> None:
    """Refuse at once what could not be written after minutes of work."""
    if out is not None and out.exists() and not out.is_dir():
        fail(f"{out}: cannot be written: is not a folder")


class ModelName(StrEnum):
    """Arrangements of dipoles."""

    PACKING = "packing"
    CYLINDER = "cylinder"
    SPHERE = "sphere"
    BOX = "box"


@dataclass(frozen=True)
class ModelOptions:
    """The options that say what the samples are made of, and the model that they mean."""

    model: Annotated[
        ModelName, typer.Option(help="Crystals packed into a cylinder, or uniform dipoles.")
    ] = ModelName.PACKING
    crystals: Annotated[int, typer.Option(help="packing: number of crystals.")] = 100
    diameter_nm: Annotated[float, typer.Option(help="packing: diameter of a core.")] = 2.7
    volume_fraction: Annotated[float, typer.Option(help="packing: of the cores.")] = 0.2
    ligand_mean_nm: Annotated[float, typer.Option(help="packing: ligand thickness.")] = 0.3
    ligand_sd_nm: Annotated[float, typer.Option(help="packing: its spread.")] = 0.3
    extra_below_nm: Annotated[
        float, typer.Option(help="packing: an extra dipole where the shell is thinner.")
    ] = 0.3
    kappa: Annotated[float, typer.Option(help="packing: concentration of extra dipoles.")] = 3.0
    dipoles_per_crystal: Annotated[int, typer.Option(help="packing: without extra ones.")] = 10
    bond_length_nm: Annotated[float, typer.Option(help="packing: least distance on a crystal.")] = (
        0.26
    )
    extra_spacing_nm: Annotated[
        float, typer.Option(help="packing: least distance of an extra dipole there.")
    ] = 0.26
    dipoles: Annotated[int, typer.Option(help="cylinder, sphere, box: number of dipoles.")] = 1000
    density_per_nm3: Annotated[
        float, typer.Option(help="cylinder, sphere, box: dipoles per nm³.")
    ] = 2.0
    aspect: Annotated[float, typer.Option(help="cylinder, box: height over width.")] = 1.0
    moment_mub: Annotated[float, typer.Option(help="Moment of a dipole (µB).")] = 1.73
    convention: ConventionOption = ConventionName.PAPER

    def build(self) -> "AbstractModel":
        """The model; where there is none with such numbers, one line and exit code 2."""
        self._check()
        try:
            return self._packing() if self.model is ModelName.PACKING else self._uniform()
        except ValueError as error:
            fail(str(error))

    def _check(self) -> None:
        lengths = ("diameter_nm", "ligand_mean_nm", "ligand_sd_nm", "extra_below_nm")
        lengths += ("bond_length_nm", "extra_spacing_nm")
        others = ("volume_fraction", "kappa", "density_per_nm3", "aspect", "moment_mub")
        numbers = {f"--{n.replace('_', '-')}": getattr(self, n) for n in (*lengths, *others)}
        positive = {"--density-per-nm3", "--aspect", "--moment-mub", "--diameter-nm", "--kappa"}
        check_numbers(numbers, positive)
        if self.dipoles < 2:
            fail(f"--dipoles {self.dipoles}: expected 2 or more")

    def _packing(self) -> "AbstractModel":
        from ..ensembles.nanocrystal_packing import NanocrystalPacking

        return NanocrystalPacking(
            n_crystals=self.crystals,
            diameter=self.diameter_nm,
            volume_fraction=self.volume_fraction,
            ligand_mean=self.ligand_mean_nm,
            ligand_sd=self.ligand_sd_nm,
            extra_below=self.extra_below_nm,
            kappa=self.kappa,
            dipoles_per_crystal=self.dipoles_per_crystal,
            bond_length=self.bond_length_nm,
            extra_spacing=self.extra_spacing_nm,
            moment=self.moment_mub,
            convention=str(self.convention),
        )

    def _uniform(self) -> "AbstractModel":
        from ..ensembles import models

        numbers: dict[str, Any] = {
            "n": self.dipoles,
            "density": self.density_per_nm3,
            "moment": self.moment_mub,
            "convention": str(self.convention),
        }
        if self.model is ModelName.CYLINDER:
            return models.UniformCylinder(**numbers, aspect=self.aspect)
        if self.model is ModelName.BOX:
            return models.UniformBox(**numbers, edges=(1.0, 1.0, self.aspect))
        return models.UniformSphere(**numbers)


def with_model(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of a model where it has the parameter `chosen: ModelOptions`.

    Typer reads options from a signature, so that commands that share them would have to repeat
    all of them.
    """
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.annotation is ModelOptions:
            parameters += [_keyword(f.name, f.type, f.default) for f in fields(ModelOptions)]
        else:
            parameters.append(_keyword(parameter.name, parameter.annotation, parameter.default))

    def run(**options: Any) -> None:
        model = {field.name: options.pop(field.name) for field in fields(ModelOptions)}
        command(chosen=ModelOptions(**model), **options)

    run.__name__, run.__doc__, run.__module__ = (
        command.__name__,
        command.__doc__,
        command.__module__,
    )
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    vars(run)["__signature__"] = inspect.Signature(parameters)
    return run


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def console() -> Console:
    """Standard output, at least 100 columns wide where it is no terminal, for any encoding."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=100)


def print_paths(shown: Console, written: list[Path]) -> None:
    """Say which files were written, and where."""
    if written:
        names = ", ".join(path.name for path in written)
        shown.print(f"wrote {escape(names)} in {escape(str(written[0].parent))}", soft_wrap=True)
