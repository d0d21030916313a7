"""`diffdip magnetization`: the number of dipoles per crystal from magnetometry."""

from typing import Annotated, Any

import typer

from .common import MODELS, check_positive, command
from .output import console, print_doubt, print_json, print_line, print_table


@command(MODELS, has_json=True)
def magnetization(
    saturation: Annotated[
        list[str],
        typer.Argument(
            metavar="SATURATION...",
            help="Saturation magnetization with its unit, in quotes: emu/g, memu/g, µemu/g or "
            "A·m²/kg.",
        ),
    ],
    diameter_nm: Annotated[float, typer.Option(help="Diameter of a crystal (nm).")] = 2.7,
    density_g_cm3: Annotated[
        float, typer.Option(help="Density of a crystal (g/cm³). The default is that of CdSe.")
    ] = 5.82,
    moment_mub: Annotated[float, typer.Option(help="Moment of a dipole (µB).")] = 1.73,
    impurity: Annotated[
        str, typer.Option(help="Mass fraction of an impurity with its unit: ppb, ppm or %.")
    ] = "1 ppb",
    element: Annotated[str, typer.Option(help="Element of the impurity: Fe, Co or Ni.")] = "Fe",
) -> None:
    """Compute the number of dipoles per crystal from the saturation magnetization.

    The number is the saturation times the mass of a crystal, divided by the moment of a dipole. The
    last column is the mass fraction of a ferromagnetic impurity that would give the same saturation
    without any dipoles; compare it with the chemical analysis. The command writes no files.

    [bold]Examples[/bold]

        diffdip magnetization "2 memu/g" "6 memu/g"

        diffdip magnetization "4 emu/g" --impurity "2 ppm" --element Co
    """
    check_positive(
        {
            "--diameter-nm": diameter_nm,
            "--density-g-cm3": density_g_cm3,
            "--moment-mub": moment_mub,
        }
    )

    from ..dipoles.magnetometry import (
        crystal_mass,
        dipoles_per_crystal,
        impurity_needed,
        impurity_saturation,
        saturation_of,
    )

    mass = crystal_mass(diameter_nm, density_g_cm3)
    bound = impurity_saturation(impurity, element)
    found = [
        (text, dipoles_per_crystal(text, mass, moment_mub), impurity_needed(text, element))
        for text in saturation
    ]
    rows = [
        (text, f"{dipoles:.3g}", f"{1e6 * share:.3g} ppm of the mass")
        for text, dipoles, share in found
    ]
    shown = console()
    heads = ("saturation", "dipoles per crystal", f"{element} that gives the same")
    print_table(shown, "Dipoles and impurities", heads, [rows])
    one = saturation_of(1.0, mass, moment_mub)
    print_line(
        shown,
        f"One dipole of {moment_mub:g} µB on each crystal of {1e3 * mass:.3g} g saturates at "
        f"{one:.3g} emu/g; {impurity} of {element} gives at most {1e3 * bound:.3g} memu/g.",
    )
    few = [text for text, dipoles, _ in found if dipoles < 1]
    if few:
        print_doubt(shown, f"{', '.join(few)}: fewer dipoles than crystals. Is the unit right?")

    def document() -> dict[str, Any]:
        from ..io.writing import made_by

        settings = {
            "command": "magnetization",
            "diameter_nm": diameter_nm,
            "density_g_cm3": density_g_cm3,
            "moment_muB": moment_mub,
            "impurity": impurity,
            "element": element,
        }
        return {
            **made_by(settings),
            "rows": [
                {"saturation": text, "dipoles_per_crystal": dipoles, "impurity_ppm": 1e6 * share}
                for text, dipoles, share in found
            ],
            "one_dipole_emu_per_g": one,
            "impurity_memu_per_g": 1e3 * bound,
        }

    print_json(document)
