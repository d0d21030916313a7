"""Claims on the crystals: their surface atoms, and the dipoles behind the magnetization."""

import itertools
import math

import numpy as np
from claim import Claim, judged

from diffdip.dipoles.magnetometry import (
    crystal_mass,
    dipoles_per_crystal,
    impurity_saturation,
    saturation_of,
)


AVOGADRO = 6.02214076e23
CORE_NM = 2.7
LATTICE_A, LATTICE_C = 0.4299, 0.7010  # nm, wurtzite CdSe
UNPASSIVATED = 0.30
IRON_G_PER_MOL = 55.845


def surface_atoms(diameter: float = CORE_NM, trials: int = 60) -> tuple[float, float]:
    """Number of atoms of a wurtzite CdSe sphere, and of those with a missing neighbour.

    Means over random centres. Atoms with fewer than two neighbours are removed first. `diameter`
    is in nm.
    """
    a, c, u = LATTICE_A, LATTICE_C, 0.375
    cell = np.array([[a, 0, 0], [-a / 2, a * 3**0.5 / 2, 0], [0, 0, c]])
    basis = np.array([[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5]])
    basis = np.concatenate([basis, basis + np.array([0, 0, u])])
    reach = math.ceil(diameter / a) + 1
    steps = np.array(list(itertools.product(range(-reach, reach + 1), repeat=3)))
    atoms = ((steps[:, None] + basis).reshape(-1, 3)) @ cell
    bond = 1.2 * 0.26
    random = np.random.default_rng(0)
    counts = []
    for _ in range(trials):
        center = random.random(3) @ cell
        inside = atoms[np.sum((atoms - center) ** 2, axis=1) < diameter**2 / 4]
        near = np.sum((inside[:, None] - inside) ** 2, axis=-1) < bond**2
        kept = near.sum(axis=1) - 1 >= 2
        neighbours = (near[kept][:, kept]).sum(axis=1) - 1
        counts.append((kept.sum(), np.sum(neighbours < 4)))
    total, surface = np.mean(counts, axis=0)
    return float(total), float(surface)


def unpassivated_atoms() -> Claim:
    """The claim on the number of unpassivated surface atoms."""
    total, surface = surface_atoms()
    unpassivated = UNPASSIVATED * surface
    per_area = 2 / (3**0.5 * LATTICE_A**2)  # one atom per cell of a (0001) plane
    by_area = UNPASSIVATED * math.pi * CORE_NM**2 * per_area
    return Claim(
        "about 30 surface atoms of a crystal are unpassivated",
        "before Fig. 4",
        f"{unpassivated:.0f} of {surface:.0f} atoms with a missing neighbour ({total:.0f} atoms in "
        f"all); {by_area:.0f} from the area per atom on (0001)",
        judged(max(unpassivated, by_area) / 30 < 2 and min(unpassivated, by_area) / 30 > 0.5),
        "criterion: a factor of 2, because there are several definitions of a surface atom; 30 % "
        "of them are unpassivated",
        {"unpassivated": unpassivated, "surface_atoms": surface, "by_area": by_area},
    )


def magnetization() -> list[Claim]:
    """Claims on the saturation magnetization and on iron as an impurity."""
    mass = crystal_mass(CORE_NM)
    low, high = (dipoles_per_crystal(text, mass) for text in ("2 memu/g", "6 memu/g"))
    needed = [1e3 * saturation_of(n, mass) for n in (10.0, 30.0)]
    iron = 1e3 * impurity_saturation("1 ppb")
    ppb = 1e9 * IRON_G_PER_MOL / AVOGADRO / (2500 * 1e3 * mass)
    measured = (2.0, 6.0)
    at_that = 1e3 * impurity_saturation(f"{ppb} ppb")
    return [
        Claim(
            "10–30 dipoles per crystal, from 2–6 memu/g",
            "Fig. 2",
            f"{low:.3f} to {high:.3f} dipoles per crystal",
            judged(low > 5 and high < 60),
            f"10–30 dipoles need {needed[0]:.0f} to {needed[1]:.0f} memu/g, {10 / low:.0f} times "
            f"the measured value; 2–6 emu/g would give {1e3 * low:.0f} to {1e3 * high:.0f} dipoles",
            {"dipoles_at_2_memu_per_g": low, "dipoles_at_6_memu_per_g": high},
        ),
        Claim(
            "1 ppb of Fe would give about 0.02 memu/g, at least two orders of magnitude below the "
            "measured value",
            "Fig. 2",
            f"{iron:.5f} memu/g, {measured[0] / iron:.0f} times below 2 memu/g",
            judged(0.5 < iron / 0.02 < 2),
            "iron saturates at 218 emu/g, not at 14 000 emu/g as printed; so iron explains even "
            "less than the paper states",
            {"memu_per_g_of_1_ppb": iron, "printed_over_found": 0.02 / iron},
        ),
        Claim(
            "1–2 ppb of Fe are roughly one Fe atom in 2500 crystals",
            "experimental section",
            f"one atom in 2500 crystals is {ppb:.0f} ppb by mass",
            judged(0.3 < ppb < 6),
            f"this is {ppb / 2:.0f} to {ppb:.0f} times more than stated, and would give "
            f"{at_that:.2f} memu/g; one of the two numbers is a misprint",
            {"ppb_by_mass": ppb, "memu_per_g": at_that},
        ),
    ]
