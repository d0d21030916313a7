"""Models: random arrangements of dipoles, and the uniform ones (Fig. 3).

A model is an Equinox module; its leaves are its continuous parameters. A sample is drawn in two
steps. First come the random choices, for instance which proposal was accepted. They have no
derivative. Then come the positions that follow from these choices: differentiable functions of the
parameters.
"""

import abc
from typing import Final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ..dipoles.dipole_system import DipoleSystem
from ..foundation.arrays import as_float
from ..foundation.convention import PAPER, Convention, as_convention
from ..numerics.random_numbers import uniform_numbers
from .containers import AbstractContainer, Box, Cylinder, Sphere, as_edges
from .model_parameters import ASPECT, UNIFORM
from .parameter_checks import require_parameters, whole_number


_ABOUT: Final = {name: parameter.metadata for name, parameter in UNIFORM.items()}


class Draw(eqx.Module):
    """One sample of a model.

    Args:
        system: The dipoles. All positions are NaN if the sample is not complete, and so is
            everything computed from them.
        starts: How many attempts the sample took.
        complete: False if the last attempt failed too.
    """

    system: DipoleSystem
    starts: Int[Array, ""]
    complete: Bool[Array, ""]


class AbstractModel(eqx.Module):
    """A random arrangement of dipoles."""

    convention: eqx.AbstractVar[Convention]

    @abc.abstractmethod
    def draw(self, key: Key[Array, ""]) -> Draw:
        """Draw a sample.

        Args:
            key: A JAX random key.

        Returns:
            The sample and how many attempts it took.
        """

    def sample(self, key: Key[Array, ""]) -> DipoleSystem:
        """Draw a sample and return only its dipoles.

        Args:
            key: A JAX random key.

        Returns:
            The dipoles; all positions are NaN if they could not be placed (see `draw`).
        """
        return self.draw(key).system


class AbstractUniform(AbstractModel):
    """`n` independent dipoles, uniform in a container."""

    n: eqx.AbstractVar[int]
    density: eqx.AbstractVar[Float[Array, ""]]
    moment: eqx.AbstractVar[Float[Array, ""]]

    def __check_init__(self) -> None:
        require_parameters(self, UNIFORM)
        _ = self.container  # which checks its proportions

    @property
    @abc.abstractmethod
    def container(self) -> AbstractContainer:
        """The shape that is filled."""

    @eqx.filter_jit
    def draw(self, key: Key[Array, ""]) -> Draw:
        volume = self.n / self.density
        uniform = uniform_numbers(key, (self.n, 3), self.density.dtype)
        place = lambda u: self.container.point(u, volume, 0.0)
        system = DipoleSystem(
            jax.vmap(place)(uniform), volume, self.moment, convention=self.convention
        )
        return Draw(system, jnp.ones((), jnp.int32), jnp.ones((), bool))


class UniformCylinder(AbstractUniform):
    """Dipoles uniform in a cylinder along z (the paper's Fig. 3).

    Args:
        n: Number of dipoles.
        density: Dipoles per nm³.
        aspect: Height over diameter (1 by default).
        moment: Moment of each dipole in µB (1.73 by default).
        convention: How pairs are counted, `paper` by default.

    Raises:
        InputError: If `n` is not a whole number, 1 or above, or if another number is not finite
            and above 0.

    >>> import jax
    >>> model = UniformCylinder(n=100, density=2.0)
    >>> float(model.sample(jax.random.key(0)).volume)
    50.0
    """

    n: int = eqx.field(converter=whole_number("n"), static=True, metadata=_ABOUT["n"])
    density: Float[Array, ""] = eqx.field(converter=as_float, metadata=_ABOUT["density"])
    aspect: Float[Array, ""] = eqx.field(
        converter=as_float, default=ASPECT.default, metadata=ASPECT.metadata
    )
    moment: Float[Array, ""] = eqx.field(
        converter=as_float, default=UNIFORM["moment"].default, metadata=_ABOUT["moment"]
    )
    convention: Convention = eqx.field(converter=as_convention, static=True, default=PAPER)

    @property
    def container(self) -> AbstractContainer:
        return Cylinder(self.aspect)


class UniformSphere(AbstractUniform):
    """Dipoles uniform in a sphere.

    Args:
        n: Number of dipoles.
        density: Dipoles per nm³.
        moment: Moment of each dipole in µB (1.73 by default).
        convention: How pairs are counted, `paper` by default.

    Raises:
        InputError: If `n` is not a whole number, 1 or above, or if another number is not finite
            and above 0.
    """

    n: int = eqx.field(converter=whole_number("n"), static=True, metadata=_ABOUT["n"])
    density: Float[Array, ""] = eqx.field(converter=as_float, metadata=_ABOUT["density"])
    moment: Float[Array, ""] = eqx.field(
        converter=as_float, default=UNIFORM["moment"].default, metadata=_ABOUT["moment"]
    )
    convention: Convention = eqx.field(converter=as_convention, static=True, default=PAPER)

    @property
    def container(self) -> AbstractContainer:
        return Sphere()


class UniformBox(AbstractUniform):
    """Dipoles uniform in a box; in a film if the third edge is small.

    Args:
        n: Number of dipoles.
        density: Dipoles per nm³.
        edges: Proportions of the edges along x, y and z (a cube by default).
        moment: Moment of each dipole in µB (1.73 by default).
        convention: How pairs are counted, `paper` by default.

    Raises:
        InputError: If `n` is not a whole number, 1 or above, if there are not three edges, or if
            another number is not finite and above 0.
    """

    n: int = eqx.field(converter=whole_number("n"), static=True, metadata=_ABOUT["n"])
    density: Float[Array, ""] = eqx.field(converter=as_float, metadata=_ABOUT["density"])
    edges: Float[Array, "3"] = eqx.field(converter=as_edges, default=(1.0, 1.0, 1.0))
    moment: Float[Array, ""] = eqx.field(
        converter=as_float, default=UNIFORM["moment"].default, metadata=_ABOUT["moment"]
    )
    convention: Convention = eqx.field(converter=as_convention, static=True, default=PAPER)

    @property
    def container(self) -> AbstractContainer:
        return Box(self.edges)
