"""Options of `diffdip fit`, and the settings that they make."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..fitting.term_names import TERMS
from ..foundation.errors import InputError
from .common import among, check_finite, check_positive


if TYPE_CHECKING:
    from ..fitting.parameters import Free, Parameter
    from ..report.series_fits import FitSettings


class Plane(StrEnum):
    """Rotation planes by name."""

    XY = "xy"
    XZ = "xz"
    YZ = "yz"


class Loss(StrEnum):
    """How residuals are weighted."""

    LINEAR = "linear"
    SOFT_L1 = "soft_l1"


class Measured(StrEnum):
    """What was swept to find the resonance."""

    FIELD = "field"
    FREQUENCY = "frequency"


class Width(StrEnum):
    """Kinds of line widths."""

    FWHM = "fwhm"
    PP_LORENTZIAN = "pp-lorentzian"
    PP_GAUSSIAN = "pp-gaussian"


PlaneOption = Annotated[
    Plane, typer.Option(help="Plane of rotation: the first axis is at 0°, the second at 90°.")
]

TermOption = Annotated[
    list[str] | None,
    typer.Option(
        "--term",
        autocompletion=among(TERMS),
        metavar="TERM",
        help="A term of the energy, instead of A, B and C; once for each of several: "
        f"{'; '.join(f'{name} ({meaning})' for name, meaning in TERMS.items())}.",
    ),
]

ModelOption = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="FILE",
        help="A TOML file with terms, starts, bounds, fixed and tied values, axes and the plane; "
        "see the page on fits of series in the documentation.",
    ),
]

SeriesOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--series",
        metavar="FILE",
        help="A table of one sample; once for each of several, which are fitted together.",
    ),
]

SuggestOption = Annotated[
    bool,
    typer.Option(
        "--suggest",
        help="Instead of a fit, rank sums of terms by BIC, with what each leaves unexplained.",
    ),
]

MeasuredOption = Annotated[
    Measured | None,
    typer.Option(
        "--measured",
        help="What was swept to find the resonance, for tables without the column measured. With "
        "frequency, the fields were set.  [default: field]",
    ),
]

WidthOption = Annotated[
    Width | None,
    typer.Option(
        help="Fit line widths as well, after the positions. It says what the column of widths has: "
        "the full width at half maximum of the absorption, or the distance between the extrema of "
        "its derivative, for a line of this shape.",
    ),
]

WidthPartOption = Annotated[
    list[str] | None,
    typer.Option(
        "--width-part",
        metavar="PART",
        help="A part of the line width: damping, inhomogeneous, mosaic, or a parameter that has a "
        "spread; once for each of several.  [default: damping and inhomogeneous]",
    ),
]


def _column(quantity: str) -> Any:
    return typer.Option(
        f"--{quantity}-column",
        metavar="NAME",
        help=f"The column of the {quantity} by its name in the table, with its unit if the name "
        "has none, as in Bext=mT.",
    )


AngleColumn = Annotated[str | None, _column("angle")]
FieldColumn = Annotated[str | None, _column("field")]
SigmaColumn = Annotated[str | None, _column("sigma")]
FrequencyColumn = Annotated[str | None, _column("frequency")]


def check_options(
    *,
    terms: Sequence[str],
    model: Path | None,
    fixed_mt: Mapping[str, float | None],
    g: float | None,
    free_offset: bool,
) -> None:
    """Raise `InputError` for options that contradict each other."""
    check_finite({_fix(name): value for name, value in fixed_mt.items()})
    given = [name for name, value in fixed_mt.items() if value is not None]
    check_positive({"--g": g})
    if terms and model is not None:
        raise InputError("--term", expected="no --model beside it", hint="Leave out one of them")
    general = bool(terms) or model is not None
    if free_offset and not general and "C" not in given:
        raise InputError(
            "--free-offset",
            expected="--fix-c-mt as well, because C and the offset both shift the curve along the "
            "angle axis",
            hint="Add --fix-c-mt 0",
        )


def check_suggest(**others: object) -> None:
    """Raise `InputError` for an option that --suggest would not follow, by its name in Python."""
    for name, value in others.items():
        if value:
            option = f"--{name.replace('_', '-')}"
            raise InputError(
                option,
                expected="no --suggest beside it",
                hint="Suggestions are least-squares fits of whole terms at one g. Leave out one of "
                "them",
            )


def settings_of(
    *,
    terms: Sequence[str],
    model: Path | None,
    fixed_mt: Mapping[str, float | None],
    g: float | None,
    free_g: bool,
    free_offset: bool,
    plane: Plane | None,
    loss: Loss,
    convention: str,
    width: Width | None,
    width_parts: Sequence[str],
) -> "FitSettings":
    """The settings of a fit. Options count more than what a model file says."""
    from ..fitting.anisotropy_models import InPlaneModel
    from ..fitting.parameters import Parameter
    from ..fitting.term_models import TermsModel
    from ..io.model_files import ModelFile, read_model
    from ..report.series_fits import FitSettings
    from ..report.width_fits import WidthSettings

    read = ModelFile(InPlaneModel(convention))
    if model is not None:
        read = read_model(model, convention)
    elif terms:
        read = ModelFile(TermsModel(terms, convention))
    of_g: Parameter = 2.0 if read.g is None else read.g
    if g is not None:
        of_g = g
    if free_g:
        of_g = _freed(read.g, 2.0 if g is None else g, moved=g is not None)
    offset: Parameter = 0.0 if read.offset is None else read.offset
    if free_offset:
        offset = _freed(read.offset, None)
    fixed = {name: value / 1e3 for name, value in fixed_mt.items() if value is not None}
    names = getattr(read.model, "names", ())
    for name in fixed:
        if name not in names:
            raise InputError(
                _fix(name),
                expected=f"a model with {name}; this one has {', '.join(names)}",
                hint="Use the term tensor, or fix other parameters in a file, --model",
            )
    return FitSettings(
        model=read.model,
        parameters={**read.parameters, **fixed},
        g=of_g,
        offset=offset,
        plane=str(plane) if plane is not None else read.plane or "xy",
        loss=str(loss),
        widths=None if width is None else WidthSettings(str(width), tuple(width_parts)),
    )


def _fix(name: str) -> str:
    """The option that fixes A, B or C."""
    return f"--fix-{name.lower()}-mt"


def _freed(stated: "Parameter | None", start: float | None, *, moved: bool = False) -> "Free":
    """A parameter that an option frees: with the bounds and the start of the file, if it has any.

    A number in the file is the start. `moved` says that an option gave the start.
    """
    from dataclasses import replace

    from ..fitting.parameters import Free

    if isinstance(stated, Free):
        return replace(stated, start=start) if moved else stated
    if isinstance(stated, float | int) and not moved:
        return Free(start=float(stated))
    return Free(start=start)
