"""Whole numbers, as the fields of models take them."""

import jax.numpy as jnp
import numpy as np
import pytest

from diffdip.ensembles.parameter_checks import whole_number
from diffdip.foundation.errors import InputError


@pytest.mark.parametrize("value", [1.5, 2.0, "3", None, np.float64(4)])
def test_a_count_that_is_no_whole_number(value):
    with pytest.raises(InputError) as caught:
        whole_number("n")(value)
    assert caught.value.what == "n"
    assert caught.value.given == value


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3), jnp.array(3)])
def test_a_count(value):
    assert whole_number("n")(value) == 3
    assert type(whole_number("n")(value)) is int
