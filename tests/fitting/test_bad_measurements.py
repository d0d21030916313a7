"""What no measurement can be is refused by every fit, with the name of the argument."""

import jax.numpy as jnp
import numpy as np
import pytest

import diffdip as dd
from diffdip.foundation.errors import InputError


NU = 9.45e9
DEGREES = np.arange(0, 181, 10.0)
ANGLES = np.radians(DEGREES)
FIELD = 0.3 + 0.01 * np.cos(2 * ANGLES)

BAD = {
    "fields in mT": ({"field": 1e3 * FIELD}, "field"),
    "infinite field": ({"field": np.where(ANGLES > 3, np.inf, FIELD)}, "field"),
    "negative field": ({"field": -FIELD}, "field"),
    "masked field": ({"field": np.ma.array(FIELD, mask=ANGLES > 1)}, "field"),
    "complex field": ({"field": FIELD + 0j}, "field"),
    "degrees": ({"angle": DEGREES}, "angle"),
    "few degrees": ({"angle": DEGREES / 3}, "angle"),
    "whole degrees": ({"angle": np.arange(19.0)}, "angle"),
    "infinite sigma": ({"sigma": np.inf}, "sigma"),
    "tiny sigma": ({"sigma": 1e-300}, "sigma"),
    "sigma NaN": ({"sigma": np.nan}, "sigma"),
    "infinite frequency": ({"frequency": np.inf}, "frequency"),
    "frequency in GHz": ({"frequency": 9.45}, "frequency"),
    "g of 0": ({"g": 0.0}, "g"),
    "g NaN": ({"g": np.nan}, "g"),
    "offset in degrees": ({"offset": 30.0}, "offset"),
    "fixed A NaN": ({"parameters": {"A": np.nan}}, "A"),
}


def one(angle, field, sigma, frequency):
    return dd.Series(angle, field, sigma, frequency=frequency)


FITS = {
    "series": lambda a, f, s, nu, rest: dd.fit_series(a, f, s, frequency=nu, **rest),
    "many": lambda a, f, s, nu, rest: dd.fit_many(a, np.ma.stack([f, f]), s, frequency=nu, **rest),
    "joint": lambda a, f, s, nu, rest: dd.fit_joint([one(a, f, s, nu)], **rest),
    "loss": lambda a, f, s, nu, rest: dd.fit_loss([one(a, f, s, nu)], jnp.sum, **rest),
    "posterior": lambda a, f, s, nu, rest: dd.sample_posterior(a, f, s, frequency=nu, **rest),
}


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_named(case, fit):
    changes, what = BAD[case]
    given = {"angle": ANGLES, "field": FIELD, "sigma": None, "frequency": NU} | changes
    first = [given.pop(name) for name in ("angle", "field", "sigma", "frequency")]
    with pytest.raises(InputError) as caught:
        FITS[fit](*first, given)
    assert caught.value.what == what


def test_a_start_that_is_not_finite_is_refused():
    with pytest.raises(InputError) as caught:
        dd.Free(start=np.inf)
    assert caught.value.what == "start"


def test_units_that_do_not_fit_together_are_flagged():
    found = dd.fit_series(ANGLES, FIELD, frequency=NU / 50)
    assert "implausible-g" in {flag.code for flag in found.flags}
    right = dd.fit_series(ANGLES, FIELD, frequency=NU)
    assert "implausible-g" not in {flag.code for flag in right.flags}


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: dd.Series([], [], frequency=NU), "points"),
        (lambda: dd.Series(None, [], frequency=NU, direction=np.zeros((0, 3))), "points"),
        (lambda: dd.fit_joint([]), "series"),
        (lambda: dd.suggest_terms([]), "series"),
        (lambda: dd.InPlaneAnisotropy(0.1, 2.5), "fold"),
        (lambda: dd.InPlaneAnisotropy(0.1, "two"), "fold"),
        (lambda: dd.InPlaneAnisotropy(0.1, 0), "fold"),
    ],
)
def test_nothing_and_broken_numbers_are_named(call, what):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.what == what


def test_the_fold_may_be_a_number_of_numpy():
    assert type(dd.InPlaneAnisotropy(0.1, np.int64(4)).fold) is int
