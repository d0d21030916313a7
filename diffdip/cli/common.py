"""What all commands share: the application, wrong input as one line, and common options."""

import functools
import inspect
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from ..foundation.errors import InputError
from ..foundation.visible_text import visible
from .option_names import option_name


app = typer.Typer(
    name="diffdip",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

MEASUREMENTS = "Measured spectra and resonance fields"
MODELS = "Models of dipoles"
OTHERS = "The paper, and pages in a browser"


class ConventionName(StrEnum):
    """Sign and counting of the dipolar energy."""

    PAPER = "paper"
    PHYSICAL = "physical"


ConventionOption = Annotated[
    ConventionName,
    typer.Option(
        help="Convention of A, B and C. The two differ in sign and in the counting of pairs."
    ),
]

SeedOption = Annotated[
    int,
    typer.Option(
        min=0,
        max=2**32 - 1,
        help="Seed of the random numbers. Sample i depends only on the seed and on i.",
    ),
]

ForceOption = Annotated[
    bool,
    typer.Option("--force", help="Replace existing files even if diffdip did not write them."),
]

DoubleOption = Annotated[
    bool, typer.Option("--float64", help="Compute in float64 instead of float32.")
]


def command(panel: str, name: str | None = None) -> Callable[[Callable[..., None]], Any]:
    """Register a command under a heading of `diffdip --help`.

    Wrong input then ends it with one line.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(**options: Any) -> None:
            with one_line():
                function(**options)

        text = one_line_paragraphs(function.__doc__ or "")
        return app.command(name, help=text, rich_help_panel=panel)(run)

    return register


def one_line_paragraphs(docstring: str) -> str:
    """A docstring in which only examples keep their lines; the terminal wraps the others.

    >>> one_line_paragraphs("Fit\\nA.\\n\\n    diffdip fit a.csv")
    'Fit A.\\n\\n    diffdip fit a.csv'
    """
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    return "\n\n".join(p if p[:1] == " " else " ".join(p.split()) for p in paragraphs)


@contextmanager
def one_line() -> Iterator[None]:
    """End with one line and exit code 2 for wrong input and for files that cannot be written.

    Anything else is an error of the program and keeps its traceback.
    """
    try:
        yield
    except InputError as error:
        fail(error)
    except OSError as error:
        from ..io import OutputError  # only now: it imports NumPy

        if not isinstance(error, OutputError):
            raise
        fail(error)


def fail(error: Exception | str) -> NoReturn:
    """End with one line on stderr and exit code 2."""
    message = error.worded(option_name) if isinstance(error, InputError) else str(error)
    tell(message)
    raise typer.Exit(2)


def tell(message: str) -> None:
    """One line on stderr, in which no character moves the cursor."""
    typer.echo(f"diffdip: {visible(' '.join(message.split()))}", err=True)


def check_finite(values: Mapping[str, float | None]) -> None:
    """Raise `InputError` for options that are not finite; None is an option that was not given."""
    for option, value in values.items():
        if value is not None and not math.isfinite(value):
            raise InputError(option, given=value, expected="a finite number")


def check_positive(values: Mapping[str, float | None]) -> None:
    """Raise `InputError` for options that are not finite and above 0."""
    for option, value in values.items():
        if value is not None and not 0 < value < math.inf:
            raise InputError(option, given=value, expected="a number above 0")


def check_folder(out: Path | None) -> None:
    """Refuse an --out in which nothing can be written, before the work begins."""
    if out is None:
        return
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}", expected="a folder, but this is a file")
    if out.is_symlink() and not out.exists():
        raise InputError(f"--out {out}", expected="a folder, but this is a link to nothing")
    if out.is_dir() and not os.access(out, os.W_OK):
        raise InputError(f"--out {out}", expected="a folder that can be written")
