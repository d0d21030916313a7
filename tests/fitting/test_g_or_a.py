"""A against g: what is said is what refits with other values give."""

import re

import numpy as np
import pytest

import diffdip as dd
from diffdip.fitting.g_or_a import g_or_a


NU = 9.45e9
ANGLES = np.radians(np.arange(0, 181, 10.0))
FIELD = 0.3376 - 0.003 * np.cos(2 * ANGLES)


@pytest.mark.parametrize("convention", ["paper", "physical"])
def test_the_sentence_is_true(convention):
    field = FIELD + 1e-3
    found = dd.fit_series(ANGLES, field, frequency=NU, convention=convention)
    [flag] = g_or_a(found)
    assert flag.code == "g-or-A"
    step = float(re.search(r"changes by (-?[\d.]+) mT", flag.message)[1])
    other = float(re.search(r"A = 0 at g = ([\d.]+)\.", flag.message)[1])
    higher = dd.fit_series(ANGLES, field, frequency=NU, g=2.001, convention=convention)
    change = 1e3 * (higher.values["A"] - found.values["A"])
    assert step == pytest.approx(change, rel=0.05)
    equivalent = dd.fit_series(ANGLES, field, frequency=NU, g=other, convention=convention)
    assert abs(equivalent.values["A"]) < 0.02 * abs(found.values["A"])
    assert equivalent.rms == pytest.approx(found.rms, rel=0.01)


def test_an_implausible_g_is_not_offered():
    [flag] = g_or_a(dd.fit_series(ANGLES, FIELD - 0.1, frequency=NU))
    assert "A changes by" in flag.message
    assert "fits about as well" not in flag.message


def test_nothing_is_said_where_nothing_is_open():
    held = {"A": 0.001, "B": dd.Free(), "C": dd.Free()}
    assert g_or_a(dd.fit_series(ANGLES, FIELD, frequency=NU, parameters=held)) == []
    assert g_or_a(dd.fit_series(ANGLES, FIELD, frequency=NU, g=dd.Free())) == []
    at_two = [dd.Series(ANGLES, FIELD * k, frequency=NU * k) for k in (1, 4)]
    assert g_or_a(dd.fit_joint(at_two)) == []
    # out of the xy-plane A is an anisotropy of the curve, if B and C are known
    tilted = {"A": dd.Free(), "B": 0.0, "C": 0.0}
    assert g_or_a(dd.fit_series(ANGLES, FIELD, frequency=NU, plane="xz", parameters=tilted)) == []
