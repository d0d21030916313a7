"""Elementwise operations against those of `jnp`."""

import jax
import jax.numpy as jnp
import numpy as np

from diffdip.numerics.elementwise import at_least, between, choose, not_zero, repeated


X = jnp.array([[-2.0, 0.0, 3.0], [jnp.nan, 1.0, -1.0]])
ROW = jnp.array([1.0, -1.0, 0.5])


def test_choose_broadcasts_arrays_and_numbers():
    for first, second in ((X, ROW), (X, 2.0), (2.0, ROW), (ROW, X)):
        np.testing.assert_array_equal(choose(X > 0, first, second), jnp.where(X > 0, first, second))


def test_between_and_at_least_keep_nan():
    np.testing.assert_array_equal(between(ROW - 1, X, ROW + 1), jnp.clip(X, ROW - 1, ROW + 1))
    np.testing.assert_array_equal(at_least(X, 0.5), jnp.maximum(X, 0.5))


def test_a_divisor_is_not_zero():
    np.testing.assert_array_equal(not_zero(ROW * X), jnp.where(ROW * X == 0, 1, ROW * X))


def test_repeated_steps():
    assert repeated(lambda state: (state[0] + state[1], state[1]), (1.0, 2.0), 5)[0] == 11


def test_each_is_one_operation():
    """No nested jit, which a solver with hundreds of these would trace and batch one by one."""
    traced = jax.make_jaxpr(lambda x: between(x - 1, choose(x > 0, x, -x), x + 1))(X)
    assert not {"jit", "pjit"} & {str(equation.primitive) for equation in traced.eqns}
