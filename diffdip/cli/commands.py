"""All commands, and what `diffdip` does without one."""

from typing import Annotated

import typer

from . import (
    analysis as analysis,
    curves as curves,
    ensembles as ensembles,
    fits as fits,
    inference as inference,
    info as info,
    magnetometry as magnetometry,
    paper as paper,
    sensitivities as sensitivities,
    serve as serve,
    spectra as spectra,
)
from .common import app as app


def _print_version(shown: bool) -> None:
    if shown:
        from ..foundation.version import __version__

        typer.echo(f"diffdip {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Magnetic anisotropy from magnetic resonance, and from the dipoles that cause it.

    Fields are in mT, angles in degrees, frequencies in GHz and lengths in nm.

    diffdip COMMAND --help explains a command and gives examples.
    """
