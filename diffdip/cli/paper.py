"""`diffdip reproduce`: the figures of the paper and its claims."""

import importlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from .common import INTERRUPTED, SeedOption, app, console, fail, print_paths


FIGURES = (1, 3, 4, 5)
"""The figures of the paper that are calculated."""


@app.command()
def reproduce(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder, made if missing.")] = Path(
        "out"
    ),
    figure: Annotated[
        list[str] | None,
        typer.Option(metavar="N", help="Only this figure, 1, 3, 4 or 5; may be given again."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer samples and sizes: all in less than two minutes.")
    ] = False,
    seed: SeedOption = 0,
) -> None:
    """The paper again: Figs. 1, 3, 4 and 5, and each of its claims with a verdict.

    A measured goniometer series is fitted first (first_look). Besides the figures come the pairs
    of dipoles that dominate, the effect of the sample's size, and claims.md: what the paper says,
    the number found here, whether they agree and why. Each part is written as soon as it is done:
    PNG and PDF, and its numbers as CSV or JSON. With --figure only those figures are made.

    [bold]Examples[/bold]

        diffdip reproduce --quick

        diffdip reproduce --figure 5 --seed 1 --out figure5

        diffdip reproduce --figure 3 --figure 4
    """
    figures = [_number(text) for text in figure or ()]
    shown = console()
    sys.path.insert(0, str(_experiments()))
    run = importlib.import_module("reproduce").reproduce
    from ..io import OutputError

    try:
        written = run(out, figures, quick, seed)
    except OutputError as error:
        fail(str(error))
    except KeyboardInterrupt:
        typer.echo("diffdip: stopped; what was finished is written", err=True)
        raise typer.Exit(INTERRUPTED) from None
    print_paths(shown, written)


def _number(text: str) -> int:
    known = {str(number): number for number in FIGURES}
    if text not in known:
        fail(f"--figure {text}: expected one of {', '.join(known)}")
    return known[text]


def _experiments() -> Path:
    """Folder of the scripts: inside of the installed package, beside it in a checkout."""
    package = Path(__file__).parent.parent
    places = (package / "experiments", package.parent / "experiments")
    found = [folder for folder in places if (folder / "reproduce.py").is_file()]
    if not found:
        fail(f"the scripts that make the figures are neither in {package} nor beside it")
    return found[0]
