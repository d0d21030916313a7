"""What a least-squares problem consists of: settings, weighted data, and a model of them."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Float, Int

from .parameters import ParameterSet


class Design(NamedTuple):
    """Settings at which fields are predicted; all data sets of a problem share them.

    Args:
        where: Of each series the angles in radians, shape (n_i,), or the directions of the field as
            unit vectors, shape (n_i, 3).
        frequency: In Hz, shape (n,) for all series one after the other, or one number.
        field: Set fields in tesla, shape (n,). None if all fields were measured.
    """

    where: tuple[np.ndarray | Array, ...]
    frequency: np.ndarray | Array
    field: np.ndarray | Array | None = None


UNIT = 1e-3
"""Stands for σ (tesla) where it is unknown."""


@dataclass(frozen=True)
class Data:
    """Measured fields (tesla) and weights 1/σ (1/T), shape (m, n); weight 0 leaves a point out."""

    field: Float[np.ndarray, "m n"]
    weight: Float[np.ndarray, "m n"]
    many: bool
    """Whether these are one or more of many data sets."""

    def of_rows(self, rows: Int[np.ndarray, " r"]) -> "Data":
        """Some of the data sets."""
        return Data(self.field[rows], self.weight[rows], self.many)

    @staticmethod
    def of(field: Float[np.ndarray, "m n"], sigma: Float[np.ndarray, "m n"] | None) -> "Data":
        """Data without the points whose field is NaN; without σ all weights are 1/`UNIT`."""
        present = np.isfinite(field)
        weight = np.full(field.shape, 1 / UNIT) if sigma is None else 1 / sigma
        return Data(np.where(present, field, 0), np.where(present, weight, 0), len(field) > 1)


@runtime_checkable
class Problem(Protocol):
    """A model of the data: a pytree of arrays."""

    @property
    def parameters(self) -> ParameterSet: ...

    def predict(self, vector: Array, design: Design) -> Array:
        """Fields (tesla) from the free parameters and the settings; NaN without resonance."""
        ...
