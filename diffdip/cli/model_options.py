"""The options that describe a model of dipoles, made from the table of model parameters."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ..ensembles.model_parameters import ALL, PACKING, UNIFORM, ModelParameter
from ..foundation.errors import InputError
from .common import ConventionName, ConventionOption


if TYPE_CHECKING:
    from ..ensembles.models import AbstractModel


class ModelName(StrEnum):
    """Arrangements of dipoles."""

    PACKING = "packing"
    CYLINDER = "cylinder"
    SPHERE = "sphere"
    BOX = "box"


@dataclass(frozen=True)
class ModelOptions:
    """A model as its options describe it; `numbers` by the names in `model_parameters.ALL`."""

    model: ModelName
    convention: ConventionName
    numbers: Mapping[str, float]

    def build(self) -> "AbstractModel":
        """The model. Raises `InputError` for numbers that it cannot have."""
        from .. import NanocrystalPacking, UniformBox, UniformCylinder, UniformSphere
        from ..ensembles.parameter_checks import require_parameters

        # also the numbers of the models that were not chosen
        require_parameters(SimpleNamespace(**self.numbers), ALL)
        if self.numbers["n"] < 2:
            raise InputError("n", given=self.numbers["n"], expected="2 or more")
        convention = str(self.convention)
        if self.model is ModelName.PACKING:
            return NanocrystalPacking(**self._of(PACKING), convention=convention)
        uniform = {**self._of(UNIFORM), "convention": convention}
        aspect = self.numbers["aspect"]
        if self.model is ModelName.CYLINDER:
            return UniformCylinder(**uniform, aspect=aspect)
        if self.model is ModelName.BOX:
            return UniformBox(**uniform, edges=(1.0, 1.0, aspect))
        return UniformSphere(**uniform)

    def _of(self, names: Iterable[str]) -> dict[str, Any]:
        return {name: self.numbers[name] for name in names}


def with_model(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of a model where it has the parameter `chosen: ModelOptions`.

    Typer reads options from a signature; this one is put together from the table of parameters, so
    that commands which share these options need not repeat them.
    """
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.annotation is ModelOptions:
            parameters += _OPTIONS
        else:
            parameters.append(_keyword(parameter.name, parameter.annotation, parameter.default))

    def run(**options: Any) -> None:
        kind, convention = options.pop("model"), options.pop("convention")
        numbers = {name: options.pop(_variable(one)) for name, one in ALL.items()}
        command(chosen=ModelOptions(kind, convention, numbers), **options)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__module__ = command.__module__
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    vars(run)["__signature__"] = inspect.Signature(parameters)
    return run


def parameter_name(model: "AbstractModel", text: str) -> str:
    """A parameter by its name or by that of its option (density-per-nm3 is density).

    Text that is neither stays as it is.
    """
    plain = text.lstrip("-").replace("_", "-")
    for name, parameter in ALL.items():
        if hasattr(model, name) and plain in (name.replace("_", "-"), parameter.option):
            return name
    return text


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _variable(parameter: ModelParameter) -> str:
    return parameter.option.replace("-", "_")


_PANELS: Final = {
    "Model": ("moment",),
    "Packed crystals (--model packing)": tuple(name for name in PACKING if name != "moment"),
    "Uniform dipoles (--model cylinder, sphere or box)": ("n", "density", "aspect"),
}
"""Headings in `--help`, and the parameters under each."""


def _number_option(name: str, panel: str) -> inspect.Parameter:
    """The option of one parameter, with its unit in the help."""
    parameter = ALL[name]
    text = parameter.help.removesuffix(".")
    if parameter.unit and parameter.unit not in text:
        text += f" ({parameter.unit})"
    if name == "aspect":
        text += "; not for a sphere"
    option = typer.Option(help=f"{text}.", rich_help_panel=panel)
    kind = int if parameter.whole else float
    return _keyword(_variable(parameter), Annotated[kind, option], parameter.default)


def _model_options() -> list[inspect.Parameter]:
    kinds = typer.Option(
        help="Crystals packed into a cylinder, or dipoles uniform in a cylinder, sphere or box.",
        rich_help_panel="Model",
    )
    options = [
        _keyword("model", Annotated[ModelName, kinds], ModelName.PACKING),
        _keyword("convention", ConventionOption, ConventionName.PAPER),
    ]
    for panel, names in _PANELS.items():
        options += [_number_option(name, panel) for name in names]
    return options


_OPTIONS: Final = _model_options()
