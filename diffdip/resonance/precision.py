"""One precision for all arguments of a solver."""

from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..foundation.arrays import as_float
from .energy_terms import AbstractEnergy


SomeEnergy = TypeVar("SomeEnergy", bound=AbstractEnergy)


def of_one_precision(energy: SomeEnergy, *values: Any) -> tuple[SomeEnergy, *tuple[Array, ...]]:
    """The energy and numbers or arrays in the highest precision among them.

    Solvers are written in primitives of JAX, which do not mix precisions. An energy may have been
    made before float64 was switched on.
    """
    arrays = [as_float(value) for value in values]
    numbers = jax.tree.leaves(eqx.filter(energy, eqx.is_inexact_array))
    highest = np.result_type(*(array.dtype for array in (*arrays, *numbers)))
    dtype = jax.dtypes.canonicalize_dtype(highest)  # no float64 where JAX has none

    def convert(leaf: Any) -> Any:
        return jnp.asarray(leaf, dtype) if eqx.is_inexact_array(leaf) else leaf

    return jax.tree.map(convert, energy), *map(convert, arrays)
