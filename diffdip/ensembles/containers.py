"""Containers: shapes that samples fill. The centre is the origin, and the axis is z."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float

from ..foundation.arrays import as_float
from ..foundation.errors import InputError
from .model_parameters import ASPECT
from .parameter_checks import plain_numbers, require_positive


class AbstractContainer(eqx.Module):
    """A shape without a size: every method takes the volume.

    Every method also takes a margin: a distance to the walls, for instance the radius of a sphere
    whose centre is placed.
    """

    def point(
        self, uniform: Float[Array, "3"], volume: Float[ArrayLike, ""], margin: Float[ArrayLike, ""]
    ) -> Float[Array, "3"]:
        """A random point, uniform in the container.

        Args:
            uniform: Three random numbers, uniform in [0, 1).
            volume: Volume of the container in nm³.
            margin: Smallest distance from the walls in nm.

        Returns:
            The point (3) in nm; NaN if the margin leaves no room.
        """
        return self._point(uniform, self.room(volume, margin))

    def contains(
        self,
        points: Float[Array, "*batch 3"],
        volume: Float[ArrayLike, ""],
        margin: Float[ArrayLike, ""],
    ) -> Bool[Array, "*batch"]:
        """Whether points lie inside.

        Args:
            points: Points (..., 3) in nm.
            volume: Volume of the container in nm³.
            margin: Smallest distance from the walls in nm. If it is negative, points outside are
                accepted up to that distance.

        Returns:
            One truth value for each point; a point at exactly the margin is inside.
        """
        return self._contains(points, self.room(volume, margin))

    def reach(
        self,
        points: Float[Array, "*batch 3"],
        volume: Float[ArrayLike, ""],
        margin: Float[ArrayLike, ""],
    ) -> Float[Array, "*batch"]:
        """The largest distance from each point to another point of the container.

        Args:
            points: Points inside (..., 3) in nm.
            volume: Volume of the container in nm³.
            margin: Smallest distance of the other point from the walls in nm.

        Returns:
            The distances in nm; NaN if the margin leaves no room.
        """
        return self._reach(points, self.room(volume, margin))

    def room(self, volume: Float[ArrayLike, ""], margin: Float[ArrayLike, ""]) -> Array:
        """The half-sizes minus the margin in nm, in the order of the shape; NaN if none is left."""
        size = self._half_sizes(volume)
        return jnp.where(size > margin, size - margin, jnp.nan)

    @abc.abstractmethod
    def _half_sizes(self, volume: Float[ArrayLike, ""]) -> Array:
        """Distances of the walls from the origin in nm; each shape has its own order."""

    @abc.abstractmethod
    def _point(self, uniform: Array, room: Array) -> Array:
        """`point`, with the half-sizes that the margin leaves."""

    @abc.abstractmethod
    def _contains(self, points: Array, room: Array) -> Array:
        """`contains`, with the half-sizes that the margin leaves."""

    @abc.abstractmethod
    def _reach(self, points: Array, room: Array) -> Array:
        """`reach`, with the half-sizes that the margin leaves."""


class Cylinder(AbstractContainer):
    """A cylinder along z.

    Args:
        aspect: Height over diameter (1 by default).

    Raises:
        InputError: If `aspect` is not finite and above 0.

    >>> import jax.numpy as jnp
    >>> bool(Cylinder().contains(jnp.array([0.0, 0.0, 0.49]), jnp.pi / 4, 0.0))
    True
    """

    aspect: Float[Array, ""] = eqx.field(
        converter=as_float, default=ASPECT.default, metadata=ASPECT.metadata
    )

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
    """Three proportions as an array; `InputError` for another number of them."""
    edges = as_float(value)
    if edges.shape != (3,):
        raise InputError("edges", given=plain_numbers(edges), expected="three numbers")
    return edges


class Box(AbstractContainer):
    """A box with edges along x, y and z.

    A film with its normal along z is a box whose third edge is small.

    Args:
        edges: Proportions of the three edges (a cube by default).

    Raises:
        InputError: If there are not three edges, or if one is not finite and above 0.

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
    """A direction uniform on the unit sphere, from two numbers uniform in [0, 1).

    >>> import jax.numpy as jnp
    >>> unit_vector(jnp.array([1.0, 0.3])).tolist()
    [-0.0, 0.0, 1.0]
    """
    z, angle = 2 * uniform[..., 0] - 1, 2 * jnp.pi * uniform[..., 1]
    across = jnp.sqrt(jnp.maximum(1 - z * z, 0))
    return jnp.stack([across * jnp.cos(angle), across * jnp.sin(angle), z], axis=-1)
