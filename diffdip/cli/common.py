"""What all commands share: the application, wrong input as one line, and common options."""

import functools
import inspect
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from ..foundation.errors import InputError
from ..foundation.visible_text import visible
from .modes import printing
from .option_names import option_name


app = typer.Typer(
    name="diffdip",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done, 1 an error of diffdip itself, 2 input that cannot be used, "
    "130 after Ctrl-C, 143 after SIGTERM.",
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


QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print only errors and doubts, and no progress bar."),
]

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def command(
    panel: str, name: str | None = None, *, has_json: bool = False
) -> Callable[[Callable[..., None]], Any]:
    """Register a command under a heading of `diffdip --help`, with its first example.

    Wrong input then ends it with one line. It gets the option --quiet, and --json if `has_json`.
    """
    added: dict[str, Any] = {"quiet": QuietOption, **({"as_json": JsonOption} if has_json else {})}

    def register(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function)
        own = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
            for key, kind in added.items()
        ]

        @functools.wraps(function)
        def run(**options: Any) -> None:
            modes = {key: options.pop(key, False) for key in ("quiet", "as_json")}
            with one_line(), printing(**modes):
                function(**options)

        parameters = [*signature.parameters.values(), *own]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        vars(run)["__signature__"] = signature.replace(parameters=parameters)
        text = one_line_paragraphs(function.__doc__ or "")
        return app.command(name, help=text, short_help=_with_example(text), rich_help_panel=panel)(
            run
        )

    return register


def _with_example(text: str) -> str:
    """The first paragraph of a help text, and the first example below it."""
    first, *others = text.split("\n\n")
    examples = [paragraph.strip() for paragraph in others if paragraph[:1] == " "]
    return "\n".join([first, *(f"[dim]{example}[/dim]" for example in examples[:1])])


def one_line_paragraphs(docstring: str) -> str:
    """A docstring in which only examples keep their lines; the terminal wraps the others.

    >>> one_line_paragraphs("Fit\\nA.\\n\\n    diffdip fit a.csv")
    'Fit A.\\n\\n    diffdip fit a.csv'
    """
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    return "\n\n".join(p if p[:1] == " " else " ".join(p.split()) for p in paragraphs)


def among(names: Iterable[str]) -> Callable[[str], list[str]]:
    """How a shell completes an option whose value is one of the names.

    >>> among(["cubic", "cubic-2", "bias"])("cu")
    ['cubic', 'cubic-2']
    """
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


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
