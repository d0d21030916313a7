"""Containers: the shapes that samples fill, centred on the origin, with z as their axis."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float

from .units import as_float


class AbstractContainer(eqx.Module):
    """A shape without a size: every method is told the volume (nm³).

    `margin` (nm) keeps off the walls on all sides, for the centre of a sphere of that radius.
    """

    @abc.abstractmethod
    def point(
        self, uniform: Float[Array, "3"], volume: Float[ArrayLike, ""], margin: Float[ArrayLike, ""]
    ) -> Float[Array, "3"]:
        """Three numbers uniform in [0, 1) as a point uniform in the container, in nm.

        NaN where the margin leaves no room.
        """

    @abc.abstractmethod
    def contains(
        self,
        points: Float[Array, "*batch 3"],
        volume: Float[ArrayLike, ""],
        margin: Float[ArrayLike, ""],
    ) -> Bool[Array, "*batch"]:
        """Whether points (nm) lie inside, at least `margin` from the walls."""

    @abc.abstractmethod
    def reach(
        self,
        points: Float[Array, "*batch 3"],
        volume: Float[ArrayLike, ""],
        margin: Float[ArrayLike, ""],
    ) -> Float[Array, "*batch"]:
        """Distance (nm) from each point inside to the farthest one at `margin` from the walls."""


def _room(size: Array, margin: Float[ArrayLike, ""]) -> Array:
    """What the margin leaves of a half-size, NaN where nothing."""
    return jnp.where(size > margin, size - margin, jnp.nan)


class Cylinder(AbstractContainer):
    """A cylinder along z whose height is `aspect` times its diameter.

    >>> import jax.numpy as jnp
    >>> bool(Cylinder().contains(jnp.array([0.0, 0.0, 0.49]), jnp.pi / 4, 0.0))
    True
    """

    aspect: Float[Array, ""] = eqx.field(converter=as_float, default=1.0)

    def _half_sizes(self, volume: Float[ArrayLike, ""]) -> tuple[Array, Array]:
        radius = 0.5 * jnp.cbrt(4 * volume / (jnp.pi * self.aspect))
        return radius, self.aspect * radius

    def point(
        self, uniform: Float[Array, "3"], volume: Float[ArrayLike, ""], margin: Float[ArrayLike, ""]
    ) -> Float[Array, "3"]:
        radius, half_height = (_room(size, margin) for size in self._half_sizes(volume))
        distance, angle = radius * jnp.sqrt(uniform[0]), 2 * jnp.pi * uniform[1]
        return jnp.stack(
            [
                distance * jnp.cos(angle),
                distance * jnp.sin(angle),
                half_height * (2 * uniform[2] - 1),
            ]
        )

    def contains(
        self,
        points: Float[Array, "*batch 3"],
        volume: Float[ArrayLike, ""],
        margin: Float[ArrayLike, ""],
    ) -> Bool[Array, "*batch"]:
        radius, half_height = (_room(size, margin) for size in self._half_sizes(volume))
        across = points[..., 0] ** 2 + points[..., 1] ** 2 <= radius**2
        return across & (jnp.abs(points[..., 2]) <= half_height)

    def reach(
        self,
        points: Float[Array, "*batch 3"],
        volume: Float[ArrayLike, ""],
        margin: Float[ArrayLike, ""],
    ) -> Float[Array, "*batch"]:
        radius, half_height = (_room(size, margin) for size in self._half_sizes(volume))
        across = jnp.hypot(points[..., 0], points[..., 1]) + radius
        return jnp.hypot(across, jnp.abs(points[..., 2]) + half_height)


class Sphere(AbstractContainer):
    """A sphere.

    >>> import jax.numpy as jnp
    >>> bool(Sphere().contains(jnp.array([0.0, 0.0, 1.01]), 4 / 3 * jnp.pi, 0.0))
    False
    """

    def point(
        self, uniform: Float[Array, "3"], volume: Float[ArrayLike, ""], margin: Float[ArrayLike, ""]
    ) -> Float[Array, "3"]:
        radius = _room(jnp.cbrt(3 * volume / (4 * jnp.pi)), margin)
        return radius * jnp.cbrt(uniform[2]) * unit_vector(uniform[:2])

    def contains(
        self,
        points: Float[Array, "*batch 3"],
        volume: Float[ArrayLike, ""],
        margin: Float[ArrayLike, ""],
    ) -> Bool[Array, "*batch"]:
        radius = _room(jnp.cbrt(3 * volume / (4 * jnp.pi)), margin)
        return jnp.sum(points**2, axis=-1) <= radius**2

    def reach(
        self,
        points: Float[Array, "*batch 3"],
        volume: Float[ArrayLike, ""],
        margin: Float[ArrayLike, ""],
    ) -> Float[Array, "*batch"]:
        radius = _room(jnp.cbrt(3 * volume / (4 * jnp.pi)), margin)
        return jnp.linalg.norm(points, axis=-1) + radius


class Box(AbstractContainer):
    """A box with edges in the proportions `edges` along x, y, z.

    A film with its normal along z is a box whose third edge is small.

    >>> import jax.numpy as jnp
    >>> film = Box((1.0, 1.0, 0.01))
    >>> bool(film.contains(jnp.array([0.0, 0.0, 0.04]), 10.0, 0.0))
    True
    """

    edges: Float[Array, "3"] = eqx.field(converter=as_float, default=(1.0, 1.0, 1.0))

    def _half_sizes(self, volume: Float[ArrayLike, ""]) -> Array:
        return 0.5 * self.edges * jnp.cbrt(volume / jnp.prod(self.edges))

    def point(
        self, uniform: Float[Array, "3"], volume: Float[ArrayLike, ""], margin: Float[ArrayLike, ""]
    ) -> Float[Array, "3"]:
        return _room(self._half_sizes(volume), margin) * (2 * uniform - 1)

    def contains(
        self,
        points: Float[Array, "*batch 3"],
        volume: Float[ArrayLike, ""],
        margin: Float[ArrayLike, ""],
    ) -> Bool[Array, "*batch"]:
        return jnp.all(jnp.abs(points) <= _room(self._half_sizes(volume), margin), axis=-1)

    def reach(
        self,
        points: Float[Array, "*batch 3"],
        volume: Float[ArrayLike, ""],
        margin: Float[ArrayLike, ""],
    ) -> Float[Array, "*batch"]:
        room = _room(self._half_sizes(volume), margin)
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
