"""`diffdip magnetization`: dipoles on a crystal from what a magnetometer says."""

from typing import Annotated

import typer
from rich.table import Table

from .common import app, check_numbers, console, fail


@app.command()
def magnetization(
    saturation: Annotated[
        list[str],
        typer.Argument(
            metavar="SATURATION...",
            help="Magnetization per mass with its unit, in quotes: emu/g, memu/g, µemu/g, A·m²/kg.",
        ),
    ],
    diameter_nm: Annotated[float, typer.Option(help="Diameter of a crystal.")] = 2.7,
    density_g_cm3: Annotated[
        float, typer.Option(help="Density of a crystal, by default CdSe.")
    ] = 5.82,
    moment_mub: Annotated[float, typer.Option(help="Moment of a dipole (µB).")] = 1.73,
    impurity: Annotated[
        str, typer.Option(help="Share of an impurity in the mass: ppb, ppm, %.")
    ] = "1 ppb",
    element: Annotated[str, typer.Option(help="Element of the impurity: Fe, Co, Ni.")] = "Fe",
) -> None:
    """Dipoles on each crystal from the saturation magnetization, and what an impurity explains.

    The number is saturation times mass of a crystal over moment of a dipole. The last column is the
    share of the mass that a ferromagnetic impurity would need to give the saturation alone, to hold
    against what chemical analysis found.

    [bold]Examples[/bold]

        diffdip magnetization "2 memu/g" "6 memu/g"

        diffdip magnetization "4 emu/g" --diameter-nm 3.5 --impurity "2 ppm" --element Co
    """
    numbers = {
        "--diameter-nm": diameter_nm,
        "--density-g-cm3": density_g_cm3,
        "--moment-mub": moment_mub,
    }
    check_numbers(numbers, set(numbers))

    from ..dipoles.magnetometry import (
        crystal_mass,
        dipoles_per_crystal,
        impurity_needed,
        impurity_saturation,
        saturation_of,
    )

    mass = crystal_mass(diameter_nm, density_g_cm3)
    try:
        bound = impurity_saturation(impurity, element)
        rows = [
            (text, dipoles_per_crystal(text, mass, moment_mub), impurity_needed(text, element))
            for text in saturation
        ]
    except ValueError as error:
        fail(str(error))
    table = Table(box=None, pad_edge=False)
    for name in ("saturation", "dipoles a crystal", f"{element} that would explain it"):
        table.add_column(name, justify="right")
    for text, dipoles, share in rows:
        table.add_row(text, f"{dipoles:.3g}", f"{1e6 * share:.3g} ppm of the mass")
    shown = console()
    shown.print(table)
    one = saturation_of(1.0, mass, moment_mub)
    shown.print(
        f"One dipole of {moment_mub:g} µB on each crystal of {1e3 * mass:.3g} g saturates at "
        f"{one:.3g} emu/g; {impurity} of {element} gives at most {1e3 * bound:.3g} memu/g.",
        soft_wrap=True,
        markup=False,
    )
    few = [text for text, dipoles, _ in rows if dipoles < 1]
    if few:
        shown.print(
            f"{', '.join(few)}: fewer dipoles than crystals; is the unit right?",
            soft_wrap=True,
            markup=False,
        )
