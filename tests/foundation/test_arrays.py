"""Input as JAX arrays of the right dtype."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import TypeCheckError

from diffdip.dipoles.pair_sums import pair_sum
from diffdip.foundation.arrays import as_float
from diffdip.io.delimited_text import is_comment


@pytest.mark.parametrize("value", [1, 1.0, True, (1, 2), np.int32(3), np.arange(3)])
def test_as_float_takes_what_is_no_float_to_the_default(value):
    assert as_float(value).dtype == jnp.float64
    with jax.enable_x64(False):
        assert as_float(value).dtype == jnp.float32
    np.testing.assert_array_equal(as_float(value), np.asarray(value, float))


def test_as_float_keeps_floating_arrays():
    assert as_float(np.ones(2, np.float32)).dtype == jnp.float32
    assert as_float(np.float32(1)).dtype == jnp.float32


def test_shapes_and_types_are_checked_in_all_tests():
    with pytest.raises(TypeCheckError):
        pair_sum(jnp.zeros((3, 3)), jnp.ones(2), jnp.ones(3, bool))
    with pytest.raises(TypeCheckError):
        pair_sum(jnp.zeros((3, 3)), jnp.ones(3), jnp.ones(3))
    with pytest.raises(BeartypeCallHintViolation):
        is_comment(b"# of bytes")
