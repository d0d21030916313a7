"""Dipoles from a saturation: by constants of another library, and by counting atoms."""

import math

import numpy as np
import pytest
import scipy.constants
from typer.testing import CliRunner

from diffdip import magnetometry
from diffdip.cli import app


MU_B = scipy.constants.physical_constants["Bohr magneton"][0]


@pytest.mark.parametrize(
    "text",
    ["2 memu/g", "2e-3 emu/g", "2000 µemu/g", "2000 μemu/g", "2000uemu/g", "0.002 A m2/kg"],
)
def test_units_of_one_magnetization(text):
    assert math.isclose(magnetometry.specific_magnetization(text), 2e-3)


@pytest.mark.parametrize(
    "text", ["2", "", "emu/g", "2 emu", "2 emu/cm3", "2 Memu/g", "-2 emu/g", "nan emu/g", "0 emu/g"]
)
def test_magnetizations_that_cannot_be_meant(text):
    with pytest.raises(ValueError, match=r"expected a number above 0 with its unit, one of emu/g"):
        magnetometry.specific_magnetization(text)


def test_more_than_all_of_the_mass():
    with pytest.raises(ValueError, match="more than all"):
        magnetometry.mass_fraction("101 %")


def test_iron_itself_has_its_moment():
    # an atom of iron, as a crystal with its mass, has the 2.2 µB of the metal
    mass = 55.845e-3 / scipy.constants.Avogadro
    found = magnetometry.dipoles_per_crystal("218 emu/g", mass, moment=1.0)
    np.testing.assert_allclose(found, 2.2, rtol=0.02)


def test_dipoles_by_other_constants():
    mass = 5.82e3 * math.pi / 6 * 3.1e-9**3
    np.testing.assert_allclose(magnetometry.crystal_mass(3.1), mass)
    found = magnetometry.dipoles_per_crystal("5 emu/g", mass, moment=2.0)
    np.testing.assert_allclose(found * 2 * MU_B / mass, 5.0, rtol=1e-8)
    np.testing.assert_allclose(magnetometry.saturation_of(found, mass, moment=2.0), 5.0)


def test_impurity_that_is_needed_explains():
    for element in magnetometry.SATURATION:
        share = magnetometry.impurity_needed("3 memu/g", element)
        given = magnetometry.impurity_saturation(f"{1e6 * share} ppm", element)
        np.testing.assert_allclose(given, 3e-3)


def test_command_says_what_does_not_fit():
    done = CliRunner().invoke(app, ["magnetization", "2 memu/g", "6 memu/g", "4 emu/g"])
    assert done.exit_code == 0, done.output
    assert "2 memu/g            0.00748      9.17 ppm of the mass" in done.output
    assert "2 memu/g, 6 memu/g: fewer dipoles than crystals; is the unit right?" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["2"], "'2': expected a number above 0 with its unit"),
        (["2 emu/g", "--element", "Zn"], "element 'Zn': expected one of Fe, Co, Ni"),
        (
            ["2 emu/g", "--impurity", "2"],
            "'2': expected a number above 0 with its unit, one of ppb",
        ),
        (["2 emu/g", "--diameter-nm", "0"], "--diameter-nm 0.0: expected a number above 0"),
    ],
)
def test_command_refuses_in_one_line(arguments, message):
    done = CliRunner().invoke(app, ["magnetization", *arguments])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"diffdip: {message}")
    assert done.stderr.count("\n") == 1
