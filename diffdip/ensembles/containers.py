"""Containers: the shapes that samples fill, centred on the origin, with z as their axis."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from ..foundation.arrays import as_float


class AbstractContainer(eqx.Module):
    """A shape without a size: every method is told the volume (nm³).

    `margin` (nm) keeps off the walls on all sides, for the centre of a sphere of that radius.
    """

    def point(
        self, uniform: Float[Array, "3"], volume: Float[ArrayLike, ""], margin: Float[ArrayLike, ""]
    ) -> Float[Array, "3"]:
        """Three numbers uniform in [0, 1) as a point uniform in the container, in nm.

        NaN where the margin leaves no room.
        """
        return self._point(uniform, self._room(volume, margin))

    def contains(
        self,
        points: Float[Array, "*batch 3"],
        volume: Float[ArrayLike, ""],
        margin: Float[ArrayLike, ""],
    ) -> Bool[Array, "*batch"]:
        """Whether points (nm) lie inside, at least `margin` from the walls."""
        return self._contains(points, self._room(volume, margin))

    def reach(
        self,
        points: Float[Array, "*batch 3"],
        volume: Float[ArrayLike, ""],
        margin: Float[ArrayLike, ""],
    ) -> Float[Array, "*batch"]:
        """Distance (nm) from each point inside to the farthest one at `margin` from the walls."""
        return self._reach(points, self._room(volume, margin))

    def _room(self, volume: Float[ArrayLike, ""], margin: Float[ArrayLike, ""]) -> Array:
        """What the margin leaves of the half-sizes, NaN where nothing."""
        size = self._half_sizes(volume)
        return jnp.where(size > margin, size - margin, jnp.nan)

    @abc.abstractmethod
    def _half_sizes(self, volume: Float[ArrayLike, ""]) -> Array:
        """Distances of the walls from the origin, in nm, in an order that the shape chooses."""

    @abc.abstractmethod
    def _point(self, uniform: Array, room: Array) -> Array:
        """`point` for what the margin leaves of `_half_sizes`."""

    @abc.abstractmethod
    def _contains(self, points: Array, room: Array) -> Array:
        """`contains`, likewise."""

    @abc.abstractmethod
    def _reach(self, points: Array, room: Array) -> Array:
        """`reach`, likewise."""


class Cylinder(AbstractContainer):
    """A cylinder along z whose height is `aspect` times its diameter.

    Raises `ValueError` where `aspect` is not positive and finite.

    >>> import jax.numpy as jnp
    >>> bool(Cylinder().contains(jnp.array([0.0, 0.0, 0.49]), jnp.pi / 4, 0.0))
    True
    """

    aspect: Float[Array, ""] = eqx.field(converter=as_float, default=1.0)

    def __check_init__(self) -> None:
        require_positive("aspect", self.aspect)

    def _half_sizes(self, volume: Float[ArrayLike, ""]) -> Array:
        radius = 0.5 * jnp.cbrt(4 * volume / (jnp.pi * self.aspect))
        return jnp.stack([radius, self.aspect * radius])

    def _point(self, uniform: Array, room: Array) -> Array:
        distance, angle = room[0] * jnp.sqrt(uniform[0]), 2 * jnp.pi * uniform[1]
        height = room[1] * (2 * uniform[2] - 1)
        return jnp.stack([distance * jnp.cos(angle), distance * jnp.sin(angle), height])

    def _contains(self, points: Array, room: Array) -> Array:
        across = points[..., 0] ** 2 + points[..., 1] ** 2 <= room[0] ** 2
        return across & (jnp.abs(points[..., 2]) <= room[1])

    def _reach(self, points: Array, room: Array) -> Array:
        across = jnp.hypot(points[..., 0], points[..., 1]) + room[0]
        return jnp.hypot(across, jnp.abs(points[..., 2]) + room[1])


class Sphere(AbstractContainer):
    """A sphere.

    >>> import jax.numpy as jnp
    >>> bool(Sphere().contains(jnp.array([0.0, 0.0, 1.01]), 4 / 3 * jnp.pi, 0.0))
    False
    """

    def _half_sizes(self, volume: Float[ArrayLike, ""]) -> Array:
        return jnp.cbrt(3 * volume / (4 * jnp.pi))

    def _point(self, uniform: Array, room: Array) -> Array:
        return room * jnp.cbrt(uniform[2]) * unit_vector(uniform[:2])

    def _contains(self, points: Array, room: Array) -> Array:
        return jnp.sum(points**2, axis=-1) <= room**2

    def _reach(self, points: Array, room: Array) -> Array:
        return jnp.linalg.norm(points, axis=-1) + room


def as_edges(value: Any) -> Float[Array, "3"]:
    """Return three proportions as an array; `ValueError` for any other number of them."""
    edges = as_float(value)
    if edges.shape != (3,):
        raise ValueError(f"edges must be three numbers, not {edges.size} of them")
    return edges


class Box(AbstractContainer):
    """A box with edges in the proportions `edges` along x, y, z.

    A film with its normal along z is a box whose third edge is small. Raises `ValueError` where
    an edge is not positive and finite.

    >>> import jax.numpy as jnp
    >>> film = Box((1.0, 1.0, 0.01))
    >>> bool(film.contains(jnp.array([0.0, 0.0, 0.04]), 10.0, 0.0))
    True
    """

    edges: Float[Array, "3"] = eqx.field(converter=as_edges, default=(1.0, 1.0, 1.0))

    def __check_init__(self) -> None:
        require_positive("edges", self.edges)

    def _half_sizes(self, volume: Float[ArrayLike, ""]) -> Array:
        return 0.5 * self.edges * jnp.cbrt(volume / jnp.prod(self.edges))

    def _point(self, uniform: Array, room: Array) -> Array:
        return room * (2 * uniform - 1)

    def _contains(self, points: Array, room: Array) -> Array:
        return jnp.all(jnp.abs(points) <= room, axis=-1)

    def _reach(self, points: Array, room: Array) -> Array:
        return jnp.linalg.norm(jnp.abs(points) + room, axis=-1)


def unit_vector(uniform: Float[Array, "*batch 2"]) -> Float[Array, "*batch 3"]:
    """Two numbers uniform in [0, 1) as a direction uniform on the unit sphere.

    >>> import jax.numpy as jnp
    >>> unit_vector(jnp.array([1.0, 0.3])).tolist()
    [-0.0, 0.0, 1.0]
    """
    z, angle = 2 * uniform[..., 0] - 1, 2 * jnp.pi * uniform[..., 1]
    across = jnp.sqrt(jnp.maximum(1 - z * z, 0))
    return jnp.stack([across * jnp.cos(angle), across * jnp.sin(angle), z], axis=-1)


def require(value: Array, allowed: Callable[[np.ndarray], Any], message: str) -> None:
    """Raise `ValueError` for a parameter with a number that is not allowed, or not finite.

    Only of numbers that are known now: what `jit`, `vmap` and derivatives trace passes.
    """
    if isinstance(value, jax.core.Tracer):
        return
    numbers = np.asarray(value)
    if not np.all(np.isfinite(numbers) & allowed(numbers)):
        shown = ", ".join(f"{number:g}" for number in numbers.ravel())
        raise ValueError(f"{message}, not {shown}")


def require_positive(name: str, value: Array) -> None:
    """`require` numbers above 0."""
    require(value, lambda v: v > 0, f"{name} must be above 0 and finite")
