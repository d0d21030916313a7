"""The table of the parameters of packings and of uniform dipoles. Needs no JAX."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class ModelParameter:
    """One number of a model of dipoles.

    Args:
        label: For forms and charts, without the unit.
        default: Where the field of the model has one, it is this; else a value to start with.
        unit: "nm", "nm⁻³", "µB", or empty for a plain number.
        whole: Whether it is a whole number.
        zero: Whether 0 is allowed; negative numbers never are.
        option: On the command line, without the two dashes.
        help: For `--help`.
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
        """The unit in files, in letters that every program reads; "1" for plain numbers."""
        return {"nm⁻³": "nm^-3", "µB": "muB", "": "1"}.get(self.unit, self.unit)


_MOMENT = ModelParameter("Moment", 1.73, "µB", option="moment-mub", help="Moment of a dipole (µB).")

PACKING: Final = {
    "n_crystals": ModelParameter(
        "Crystals", 100, whole=True, option="crystals", help="Number of crystals."
    ),
    "diameter": ModelParameter(
        "Diameter of a core", 2.7, "nm", option="diameter-nm", help="Diameter of a core."
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
        help="Mean thickness of the ligand shell.",
    ),
    "ligand_sd": ModelParameter(
        "Spread of the ligand thickness",
        0.3,
        "nm",
        option="ligand-sd-nm",
        help="Standard deviation of that thickness.",
    ),
    "extra_below": ModelParameter(
        "Extra dipole below a thickness of",
        0.3,
        "nm",
        zero=True,
        option="extra-below-nm",
        help="Where the shell is thinner than this, the crystal has an extra dipole.",
    ),
    "kappa": ModelParameter(
        "Concentration κ of extra dipoles",
        3.0,
        option="kappa",
        help="Concentration of extra dipoles about the contact (Fisher's κ).",
    ),
    "dipoles_per_crystal": ModelParameter(
        "Dipoles per crystal",
        10,
        whole=True,
        option="dipoles-per-crystal",
        help="Dipoles on each crystal, without the extra ones.",
    ),
    "bond_length": ModelParameter(
        "Bond length",
        0.26,
        "nm",
        zero=True,
        option="bond-length-nm",
        help="Smallest distance between dipoles of one crystal.",
    ),
    "extra_spacing": ModelParameter(
        "Spacing of extra dipoles",
        0.26,
        "nm",
        zero=True,
        option="extra-spacing-nm",
        help="Smallest distance of an extra dipole from the others of its crystal.",
    ),
    "moment": _MOMENT,
}
"""Parameters of `NanocrystalPacking`, by the name of the field."""

UNIFORM: Final = {
    "n": ModelParameter("Dipoles", 1000, whole=True, option="dipoles", help="Number of dipoles."),
    "density": ModelParameter(
        "Dipoles per nm³", 2.0, "nm⁻³", option="density-per-nm3", help="Dipoles per nm³."
    ),
    "moment": _MOMENT,
}
"""Parameters that all models of uniform dipoles share."""

ASPECT: Final = ModelParameter(
    "Height over diameter", 1.0, option="aspect", help="Height over diameter (or width)."
)
"""Of a cylinder, and of a box."""

ALL: Final = {**PACKING, **UNIFORM, "aspect": ASPECT}
