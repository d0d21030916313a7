"""`diffdip reproduce`: the figures and the claims of the paper."""

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..foundation.errors import InputError
from ..foundation.interruption import advise
from .common import OTHERS, ForceOption, SeedOption, command
from .output import console, print_paths


FIGURES = (1, 3, 4, 5)
"""The figures of the paper that can be computed."""


@command(OTHERS)
def reproduce(
    out: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder for the files. It is made if it does not exist."),
    ] = Path("out"),
    figure: Annotated[
        list[str] | None,
        typer.Option(
            metavar="N",
            show_default="all",
            help="Only this figure: 1, 3, 4 or 5; repeat the option for several.",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Use fewer samples and sizes: about a minute."),
    ] = False,
    seed: SeedOption = 0,
    force: ForceOption = False,
) -> None:
    """Compute Figs. 1, 3, 4 and 5 of the paper again, and check each of its claims.

    It writes each figure (PNG, PDF) and its numbers (CSV, JSON) as soon as they are computed; the
    fit of a measured goniometer series (first_look); the dominant pairs of dipoles; the effect of
    the sample size; and claims.md, which compares each claim of the paper with the number found
    here. With --figure it makes only those figures.

    [bold]Examples[/bold]

        diffdip reproduce --quick

        diffdip reproduce --figure 5 --seed 1 --out figure5

        diffdip reproduce --figure 3 --figure 4
    """
    figures = [_number(text) for text in figure or ()]
    shown = console()
    sys.path.insert(0, str(scripts_folder()))
    run = importlib.import_module("reproduce").reproduce
    advise("The finished parts are written. Start the same command again for the others")
    written = run(out, figures, quick, seed, force=force)
    print_paths(shown, written)


def _number(text: str) -> int:
    known = {str(number): number for number in FIGURES}
    if text not in known:
        raise InputError("--figure", given=text, expected=f"one of {', '.join(known)}")
    return known[text]


def scripts_folder() -> Path:
    """Folder of the scripts: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    places = (package / "experiments", package.parent / "experiments")
    found = [folder for folder in places if (folder / "reproduce.py").is_file()]
    if not found:
        raise InputError(
            str(package),
            expected="the scripts of the figures in it or beside it",
            hint="Install diffdip again",
        )
    return found[0]
