"""Which terms a series asks for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import diffdip as dd
from diffdip.fitting.suggestion import suggest_terms
from diffdip.fitting.term_models import TermsModel
from diffdip.foundation.errors import InputError


@pytest.mark.slow
@pytest.mark.parametrize("sigma", [None, 1e-4])
def test_the_terms_that_made_the_data_win(sigma):
    angle, rng = np.radians(np.arange(0.0, 180.0, 7.5)), np.random.default_rng(2)
    model = TermsModel(("thin-film", "two-fold", "four-fold"))
    truth = {"Meff": 1.1, "B2": 0.004, "phi_2": 0.4, "B4": 0.02, "phi_4": 0.1}
    with jax.enable_x64(True):
        energy = model({name: jnp.asarray(value) for name, value in truth.items()})
        field = dd.resonance_field(energy, angle, 9.88e9, 2.05)
    series = dd.Series(angle, field + rng.normal(0, 1e-4, len(angle)), sigma, frequency=9.88e9)
    found = suggest_terms([series], g=2.05)
    assert found[0].terms == model.terms
    assert found[0].left == ""
    assert 5e-5 < found[0].rms < 2e-4
    without = next(one for one in found if one.terms == ("thin-film", "two-fold"))
    assert without.bic > found[0].bic + 10
    assert "4α" in without.left


def test_too_little_to_choose_from():
    series = dd.Series([0.0], [0.3], frequency=9.4e9)
    with pytest.raises(InputError, match="points"):
        suggest_terms([series])
    along = dd.Series(None, [0.3] * 5, frequency=9.4e9, direction=np.eye(3)[[0, 1, 2, 0, 1]])
    with pytest.raises(InputError, match="plane"):
        suggest_terms([along])
