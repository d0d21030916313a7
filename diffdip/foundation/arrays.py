"""From what a user gives to JAX arrays, and the module that computes with an array."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float


Numbers: TypeAlias = float | int | Sequence | np.ndarray | Array
"""Measured data, in any of these forms; float64 inside."""


def as_float(value: ArrayLike | Numbers) -> Float[Array, "..."]:
    """The value as an array of floating dtype.

    Arrays of floating dtype keep it; anything else becomes JAX's default float
    (float32, or float64 where `jax_enable_x64` is set).

    >>> as_float(2).dtype == as_float(2.0).dtype
    True
    """
    array = jnp.asarray(value)
    if jnp.issubdtype(array.dtype, jnp.floating):
        return array
    return array.astype(jnp.result_type(float))


def module_of(array: np.ndarray | Array) -> Any:
    """The module that computes with such an array: numpy or jax.numpy.

    >>> module_of(np.zeros(3)).__name__
    'numpy'
    """
    return array.__array_namespace__()
