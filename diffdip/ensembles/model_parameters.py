"""The table of all parameters of models: labels, units, defaults. It does not import JAX."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class ModelParameter:
    """One parameter of a model.

    Args:
        label: The name in forms and charts, without the unit.
        default: The default of the model's field. If the field has no default, forms start with
            this value.
        unit: "nm", "nm⁻³", "µB", or empty for a plain number.
        whole: Whether the parameter is a whole number; 1 is then the smallest.
        zero: Whether 0 is allowed. Negative numbers never are.
        option: The option of the command line, without the two dashes.
        help: The text of the option in `--help`.
    """

    label: str
    default: float | int
    unit: str = ""
    whole: bool = False
    zero: bool = False
    option: str = ""
    help: str = ""

    @property
    def ascii_unit(self) -> str:
        """The unit in files, in ASCII; "1" for plain numbers.

        >>> UNIFORM["density"].ascii_unit, PACKING["kappa"].ascii_unit
        ('nm^-3', '1')
        """
        return {"nm⁻³": "nm^-3", "µB": "muB", "": "1"}.get(self.unit, self.unit)

    @property
    def metadata(self) -> dict[str, str]:
        """Label and unit, for the field of a model."""
        return {"label": self.label, "unit": self.unit}


_MOMENT = ModelParameter("Moment", 1.73, "µB", option="moment-mub", help="Moment of a dipole (µB).")

PACKING: Final = {
    "n_crystals": ModelParameter(
        "Crystals", 100, whole=True, option="crystals", help="Number of crystals."
    ),
    "diameter": ModelParameter(
        "Diameter of a core", 2.7, "nm", option="diameter-nm", help="Diameter of a core (nm)."
    ),
    "volume_fraction": ModelParameter(
        "Volume fraction of the cores",
        0.2,
        option="volume-fraction",
        help="Volume fraction of the cores.",
    ),
    "ligand_mean": ModelParameter(
        "Ligand thickness",
        0.3,
        "nm",
        zero=True,
        option="ligand-mean-nm",
        help="Mean thickness of the ligand shell (nm).",
    ),
    "ligand_sd": ModelParameter(
        "Spread of the ligand thickness",
        0.3,
        "nm",
        option="ligand-sd-nm",
        help="Standard deviation of the ligand thickness (nm).",
    ),
    "extra_below": ModelParameter(
        "Extra dipole below a thickness of",
        0.3,
        "nm",
        zero=True,
        option="extra-below-nm",
        help="Ligand thickness (nm) below which a crystal gets an extra dipole.",
    ),
    "kappa": ModelParameter(
        "Fisher κ of extra dipoles",
        3.0,
        option="kappa",
        help="Parameter κ of the Fisher law: how closely extra dipoles lie to the contact.",
    ),
    "dipoles_per_crystal": ModelParameter(
        "Dipoles per crystal",
        10,
        whole=True,
        option="dipoles-per-crystal",
        help="Dipoles on each crystal, not counting the extra ones.",
    ),
    "bond_length": ModelParameter(
        "Bond length",
        0.26,
        "nm",
        zero=True,
        option="bond-length-nm",
        help="Smallest distance between dipoles of one crystal, apart from the extra ones (nm).",
    ),
    "extra_spacing": ModelParameter(
        "Spacing of extra dipoles",
        0.0,
        "nm",
        zero=True,
        option="extra-spacing-nm",
        help="Smallest distance of an extra dipole from the others of its crystal (nm). The paper "
        "states none; 0.26 keeps the bond length.",
    ),
    "moment": _MOMENT,
}
"""Parameters of `NanocrystalPacking`, by the name of its field."""

UNIFORM: Final = {
    "n": ModelParameter("Dipoles", 1000, whole=True, option="dipoles", help="Number of dipoles."),
    "density": ModelParameter(
        "Density of dipoles", 2.0, "nm⁻³", option="density-per-nm3", help="Dipoles per nm³."
    ),
    "moment": _MOMENT,
}
"""Parameters that all models of uniform dipoles have."""

ASPECT: Final = ModelParameter(
    "Height over diameter", 1.0, option="aspect", help="Height over diameter (or width)."
)
"""The shape of a cylinder; on the command line also that of a box."""

ALL: Final = {**PACKING, **UNIFORM, "aspect": ASPECT}
"""All parameters of all models; a name has the same meaning in each."""
