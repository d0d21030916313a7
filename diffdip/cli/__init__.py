"""The command `diffdip`: thin over the library, one module for each kind of question.

Fields are mT, angles degrees, frequencies GHz, lengths nm. Bad input ends with one line on stderr
and exit code 2 before anything is written. The heavy imports wait until a command needs them.
"""

from typing import Annotated

import typer

from . import (
    analyze as analyze,
    answers as answers,
    ensembles as ensembles,
    fits as fits,
    magnetization as magnetization,
    paper as paper,
    serve as serve,
    spectra as spectra,
)
from .common import app as app


def _version(shown: bool) -> None:
    if shown:
        from ..foundation.version import __version__

        typer.echo(f"diffdip {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Magnetic anisotropy from magnetic resonance, in mT, degrees and GHz."""
