"""Dipoles from a saturation: by constants of another library, and by counting atoms."""

import math

import numpy as np
import pytest
import scipy.constants

from diffdip import magnetometry
from diffdip.foundation.errors import InputError
from tests.helpers.command_line import refused, run


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
def test_magnetizations_without_a_number_or_a_unit(text):
    with pytest.raises(InputError) as caught:
        magnetometry.specific_magnetization(text)
    assert (caught.value.what, caught.value.given) == ("saturation", text)
    assert all(unit in caught.value.expected for unit in magnetometry.SPECIFIC_PER)


@pytest.mark.parametrize("text", ["101 %", "1", "1 g"])
def test_shares_of_the_mass_that_are_none(text):
    with pytest.raises(InputError) as caught:
        magnetometry.mass_fraction(text)
    assert (caught.value.what, caught.value.given) == ("share", text)


def test_other_elements():
    with pytest.raises(InputError) as caught:
        magnetometry.impurity_needed("2 emu/g", "Zn")
    assert (caught.value.what, caught.value.given) == ("element", "Zn")


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
    done = run("magnetization", "2 memu/g", "6 memu/g", "4 emu/g")
    assert done.exit_code == 0, done.output
    rows = [line.replace("│", " ").split() for line in done.output.splitlines()]
    assert ["2", "memu/g", "0.00748", "9.17", "ppm"] in [row[:5] for row in rows]
    # and a line names the saturations that leave crystals without a dipole
    assert any("2 memu/g, 6 memu/g" in line for line in done.output.splitlines())


@pytest.mark.parametrize(
    ("arguments", "value", "accepted"),
    [
        (["2"], "'2'", "emu/g"),
        (["2 emu/g", "--element", "Zn"], "'Zn'", "Fe, Co, Ni"),
        (["2 emu/g", "--impurity", "2"], "'2'", "ppb"),
        (["2 emu/g", "--diameter-nm", "0"], "0", "above 0"),
    ],
)
def test_command_refuses_in_one_line(arguments, value, accepted):
    line = refused("magnetization", *arguments)
    assert value in line
    assert accepted in line
