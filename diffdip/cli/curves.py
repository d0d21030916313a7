"""`diffdip curve`: Hres(angle) of given anisotropy fields."""

from pathlib import Path
from typing import Annotated

import typer

from .common import (
    MEASUREMENTS,
    ConventionName,
    ConventionOption,
    ForceOption,
    check_finite,
    check_folder,
    check_positive,
    command,
)
from .fit_options import Plane, PlaneOption
from .output import console, print_doubt, print_line, print_paths


@command(MEASUREMENTS)
def curve(
    a_mt: Annotated[float, typer.Option("--a-mt", "--a", help="Anisotropy field A (mT).")],
    b_mt: Annotated[float, typer.Option("--b-mt", "--b", help="Anisotropy field B (mT).")],
    frequency_ghz: Annotated[float, typer.Option(help="Microwave frequency (GHz).")],
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Folder for curve.csv, curve.json and the figure (PNG, PDF)."
        ),
    ],
    c_mt: Annotated[float, typer.Option("--c-mt", "--c", help="Anisotropy field C (mT).")] = 0.0,
    g: Annotated[float, typer.Option("--g", help="The g-factor.")] = 2.0,
    plane: PlaneOption = Plane.XY,
    convention: ConventionOption = ConventionName.PAPER,
    force: ForceOption = False,
) -> None:
    """Compute the resonance field at each angle of the applied field from given A, B and C.

    It writes a figure with all branches and with the angle by which the magnetization lags behind
    the field. curve.csv has one row for each resonance at each angle from 0 to 180°; its column
    measured is 1 for the resonance that is measured after saturation.

    [bold]Example[/bold], sample I of the paper:

        diffdip curve --a-mt 191.5 --b-mt 204.6 --frequency-ghz 9.45 --out out
    """
    check_finite({"--a-mt": a_mt, "--b-mt": b_mt, "--c-mt": c_mt})
    check_positive({"--g": g, "--frequency-ghz": frequency_ghz})
    check_folder(out)

    from ..foundation.progress import progress_bar
    from ..io import write_files
    from ..report.curve import CurveSettings, resonance_curve

    settings = CurveSettings(
        (a_mt, b_mt, c_mt), g, frequency_ghz, plane=str(plane), convention=str(convention)
    )
    with progress_bar("computing", 2) as advance:
        found = resonance_curve(settings)
        advance()
        contents = found.files()
        advance()
    written = write_files(out, contents, force=force)
    shown = console()
    for sentence in found.sentences():
        print_line(shown, sentence)
    if missing := found.missing():
        print_doubt(shown, missing)
    print_paths(shown, written)
