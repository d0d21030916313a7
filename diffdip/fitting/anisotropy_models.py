"""Models of the anisotropy: from the values of parameters to an energy."""

from collections.abc import Callable
from typing import ClassVar, Final, TypeAlias

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..dipoles.tensor_projection import symmetric
from ..foundation.convention import PAPER, Convention, as_convention
from ..resonance.energy_terms import AbstractEnergy, AnisotropyFields, TensorAnisotropy
from .parameters import Values


Model: TypeAlias = Callable[[Values], AbstractEnergy]
"""A function from the dict of parameters to an energy.

It may have an attribute `units`, a dict that says "mT" (values in tesla), "deg" (in radians) or ""
for its parameters. Without it, those whose names are not of `parameter_table` have no unit.
"""

FIRST_ORDER: Final = ("A", "B", "C")
"""Parameters that a series in the xy-plane determines to first order; see `first_order`."""


class InPlaneModel(eqx.Module):
    """The default model: `AnisotropyFields` with the parameters A, B, C (tesla).

    Args:
        convention: `PAPER` (default) or `PHYSICAL`, or its name.

    Raises:
        InputError: For an unknown convention.

    >>> import diffdip
    >>> diffdip.InPlaneModel("physical").names
    ('A', 'B', 'C')
    """

    convention: Convention = eqx.field(converter=as_convention, static=True, default=PAPER)
    names: ClassVar[tuple[str, ...]] = ("A", "B", "C")

    def __call__(self, values: Values) -> AnisotropyFields:
        """The energy for these values (tesla)."""
        return AnisotropyFields(values["A"], values["B"], values["C"], self.convention)


class FullTensorModel(eqx.Module):
    """The model of all of D, for series in several planes.

    Its parameters are A, B, C and Cxz = µ0M Dxz, Cyz = µ0M Dyz (tesla).

    Args:
        convention: `PAPER` (default) or `PHYSICAL`, or its name.

    Raises:
        InputError: For an unknown convention.

    >>> import diffdip
    >>> diffdip.FullTensorModel().names
    ('A', 'B', 'C', 'Cxz', 'Cyz')
    """

    convention: Convention = eqx.field(converter=as_convention, static=True, default=PAPER)
    names: ClassVar[tuple[str, ...]] = ("A", "B", "C", "Cxz", "Cyz")

    def __call__(self, values: Values) -> TensorAnisotropy:
        """The energy for these values (tesla)."""
        A, B, C = values["A"], values["B"], values["C"]
        elements = jnp.stack([(A + B) / 2, (A - B) / 2, -A, C, values["Cxz"], values["Cyz"]])
        return TensorAnisotropy(self.convention.sign * symmetric(elements))


def first_order(sign: int, angle: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
    """Derivatives of Hres in the xy-plane with respect to A, B, C where all are small.

    Hres = w0 + s (¾A + ¾B cos 2α + (3/2) C sin 2α) to first order, with the `sign` s of the
    convention and α the `angle` (radians).
    """
    double = 2 * angle
    return sign * np.stack([0.75 + 0 * double, 0.75 * np.cos(double), 1.5 * np.sin(double)], 1)
