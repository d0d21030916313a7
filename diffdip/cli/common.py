"""What all commands share: the application, errors in one line, output on any terminal."""

import io
import math
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape


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
