"""Checks of the numbers that models and containers are made of."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import jax.core
import numpy as np
from jaxtyping import ArrayLike

from ..foundation.errors import InputError
from .model_parameters import ModelParameter


def whole_number(name: str) -> Callable[[Any], int]:
    """A converter to `int` for the field of that name; `InputError` for other numbers.

    >>> whole_number("n")(12)
    12
    """

    def convert(value: Any) -> int:
        try:
            return operator.index(value)
        except TypeError:
            raise InputError(name, given=value, expected="a whole number") from None

    return convert


def plain_numbers(value: Any) -> Any:
    """A number as a float, an array as a list, with the shortest decimals of its precision.

    >>> plain_numbers(np.float32(1.73)), plain_numbers(np.array([1.0, 2.5]))
    (1.73, [1.0, 2.5])
    """
    array = np.asarray(value)
    # float(array) would show a float32 of 1.73 as 1.7300000190734863
    return np.array([float(str(v)) for v in array.ravel()]).reshape(array.shape).tolist()


def require(
    name: str, value: ArrayLike, allowed: Callable[[np.ndarray], Any], expected: str, hint: str = ""
) -> None:
    """Raise `InputError` unless all numbers are finite and allowed.

    Inside `jit`, `vmap` and derivatives the numbers are not known yet: all pass.
    """
    if isinstance(value, jax.core.Tracer):
        return
    numbers = np.asarray(value)
    if not np.all(np.isfinite(numbers) & allowed(numbers)):
        raise InputError(name, given=plain_numbers(numbers), expected=expected, hint=hint)


def require_positive(name: str, value: ArrayLike) -> None:
    """`require` numbers above 0."""
    require(name, value, lambda v: v > 0, "a finite number above 0")


def require_not_negative(name: str, value: ArrayLike) -> None:
    """`require` numbers that are 0 or above."""
    require(name, value, lambda v: v >= 0, "a finite number, 0 or above")


def require_parameters(model: Any, table: Mapping[str, ModelParameter]) -> None:
    """Check the fields of a model that a table names, by what the table says about each."""
    for name, parameter in table.items():
        value = getattr(model, name)
        if parameter.whole:
            if value < 1:
                raise InputError(name, given=value, expected="a whole number, 1 or above")
        elif parameter.zero:
            require_not_negative(name, value)
        else:
            require_positive(name, value)
