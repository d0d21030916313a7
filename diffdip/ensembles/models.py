"""Random arrangements of dipoles: uniform (Fig. 3), and on packed crystals (Figs. 4, 5).

A model is an Equinox module whose leaves are its continuous parameters. Drawing from it
separates the choices (which proposal was accepted, on which crystal), which no parameter moves
continuously, from the positions that the choices give, which are differentiable functions of
the parameters.
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ..dipoles.dipole_system import DipoleSystem
from ..foundation.arrays import as_count, as_float
from ..foundation.convention import PAPER, Convention, as_convention
from ..foundation.units import MOMENT_SPIN_HALF
from ..numerics.random_numbers import uniform_numbers
from .containers import (
    AbstractContainer,
    Box,
    Cylinder,
    Sphere,
    as_edges,
    require,
    require_positive,
    unit_vector,
)
from .packing import Growth, Rules, add_extra, fisher, grow, scatter


RANDOM_CLOSE_PACKING = 0.64
"""Volume fraction that random packings of equal spheres do not exceed."""

SATURATED = 0.5
"""Fraction of a sphere that caps placed at random one after the other cover at most, about."""


MOST_REDRAWS = 5
"""How often a whole sample is drawn anew before it is called incomplete."""


class Draw(eqx.Module):
    """One sample of a model.

    `starts` counts the attempts that the sample took; `complete` is False where the last of
    them failed too. All positions of such a sample are NaN, and so is all that follows.
    """

    system: DipoleSystem
    starts: Int[Array, ""]
    complete: Bool[Array, ""]


class AbstractModel(eqx.Module):
    """A random arrangement of dipoles."""

    convention: eqx.AbstractVar[Convention]

    @abc.abstractmethod
    def draw(self, key: Key[Array, ""]) -> Draw:
        """A sample with the attempts that it took."""

    def sample(self, key: Key[Array, ""]) -> DipoleSystem:
        """A sample; all positions NaN if it could not be placed (see `draw`)."""
        return self.draw(key).system


class AbstractUniform(AbstractModel):
    """`n` dipoles independent and uniform in a container.

    Raises `ValueError` for n below 1, and for numbers that are not positive and finite.
    """

    n: eqx.AbstractVar[int]
    density: eqx.AbstractVar[Float[Array, ""]]
    moment: eqx.AbstractVar[Float[Array, ""]]

    def __check_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n must be 1 or more, not {self.n}")
        require_positive("density", self.density)
        require_positive("moment", self.moment)
        _ = self.container  # which checks its proportions

    @property
    @abc.abstractmethod
    def container(self) -> AbstractContainer:
        """The shape that is filled."""

    def draw(self, key: Key[Array, ""]) -> Draw:
        volume = self.n / self.density
        uniform = uniform_numbers(key, (self.n, 3), self.density.dtype)
        place = lambda u: self.container.point(u, volume, 0.0)
        system = DipoleSystem(
            jax.vmap(place)(uniform), volume, self.moment, convention=self.convention
        )
        return Draw(system, jnp.ones((), jnp.int32), jnp.ones((), bool))


class UniformCylinder(AbstractUniform):
    """`n` dipoles uniform in a cylinder of height `aspect` times its diameter (the paper's Fig. 3).

    `density` in nm⁻³, `moment` in µB.

    >>> import jax
    >>> model = UniformCylinder(n=100, density=2.0)
    >>> float(model.sample(jax.random.key(0)).volume)
    50.0
    """

    n: int = eqx.field(converter=as_count, static=True)
    density: Float[Array, ""] = eqx.field(converter=as_float)
    aspect: Float[Array, ""] = eqx.field(converter=as_float, default=1.0)
    moment: Float[Array, ""] = eqx.field(converter=as_float, default=MOMENT_SPIN_HALF)
    convention: Convention = eqx.field(converter=as_convention, static=True, default=PAPER)

    @property
    def container(self) -> AbstractContainer:
        return Cylinder(self.aspect)


class UniformSphere(AbstractUniform):
    """`n` dipoles uniform in a sphere; `density` in nm⁻³, `moment` in µB."""

    n: int = eqx.field(converter=as_count, static=True)
    density: Float[Array, ""] = eqx.field(converter=as_float)
    moment: Float[Array, ""] = eqx.field(converter=as_float, default=MOMENT_SPIN_HALF)
    convention: Convention = eqx.field(converter=as_convention, static=True, default=PAPER)

    @property
    def container(self) -> AbstractContainer:
        return Sphere()


class UniformBox(AbstractUniform):
    """`n` dipoles uniform in a box of proportions `edges`, a film where the third is small.

    `density` in nm⁻³, `moment` in µB.
    """

    n: int = eqx.field(converter=as_count, static=True)
    density: Float[Array, ""] = eqx.field(converter=as_float)
    edges: Float[Array, "3"] = eqx.field(converter=as_edges, default=(1.0, 1.0, 1.0))
    moment: Float[Array, ""] = eqx.field(converter=as_float, default=MOMENT_SPIN_HALF)
    convention: Convention = eqx.field(converter=as_convention, static=True, default=PAPER)

    @property
    def container(self) -> AbstractContainer:
        return Box(self.edges)


class Packing(eqx.Module):
    """A packing of crystals, before its dipoles count: what Fig. 4 shows.

    `centers` of the crystals in nm; `contact_crystal`, `contact_axis`, `thickness`: for each facing
    point P′ (two a contact) the crystal it is on, the direction to it from that crystal's centre,
    and the ligand thickness there in nm; `extra` whether that thickness earns an extra dipole.
    """

    centers: Float[Array, "crystals 3"]
    contact_crystal: Int[Array, " points"]
    contact_axis: Float[Array, "points 3"]
    thickness: Float[Array, " points"]
    extra: Bool[Array, " points"]


class Choices(eqx.Module):
    """What chance decided about a `NanocrystalPacking`."""

    growth: Growth
    directions: Float[Array, "crystals per_crystal 3"]
    extra: Float[Array, "points 2"]
    complete: Bool[Array, ""]


class NanocrystalPacking(AbstractModel):
    """Surface spins of nanocrystals packed at random into a container (the paper's Figs. 4, 5).

    The paper leaves the packing open. Here the first of `n_crystals` cores (of `diameter`, nm) is
    uniform in the container, whose volume is n π/6 d³/φ with φ = `volume_fraction`. Each next one
    touches a crystal that is there, chosen at random, in a uniform direction, at the distance
    d + l₁ + l₂, where the ligand shells at the two facing points P′ have thicknesses from the
    normal law of `ligand_mean` and `ligand_sd` (nm), cut off below zero. All cores lie in the
    container and none overlap; refused proposals are redrawn. Each surface has
    `dipoles_per_crystal` dipoles (`moment` in µB), uniform but no two closer than `bond_length`
    (nm), and one more for each P′ whose l < `extra_below` (nm), from a Fisher law of
    concentration `kappa` about P′, at least `extra_spacing` (nm) from the others of its crystal.
    `extra_spacing = 0` drops that last rule, of which the paper says nothing and on which the
    widths of A and B depend.

    A start that gets stuck (`max_proposals` refused in a row) is begun anew, up to `max_starts`
    times; `draw` tells how often, and a sample that was never completed is NaN throughout.
    That selects: crystals that leave no room for others are rarer than a uniform first one.

    Positions are differentiable functions of all the continuous parameters at fixed choices; of
    two crystals the thicknesses that were chosen move with the parameters as well. A sample whose
    extra dipoles found no place among six candidates each is redrawn whole, up to five times, which
    favours fewer of them where they crowd.

    Raises `ValueError` for values that no packing can have.

    >>> import jax
    >>> system = NanocrystalPacking(n_crystals=3).sample(jax.random.key(0))
    >>> system.positions.shape, int(system.crystal[-1])
    ((34, 3), 2)
    """

    n_crystals: int = eqx.field(converter=as_count, static=True)
    diameter: Float[Array, ""] = eqx.field(converter=as_float, default=2.7)
    volume_fraction: Float[Array, ""] = eqx.field(converter=as_float, default=0.2)
    ligand_mean: Float[Array, ""] = eqx.field(converter=as_float, default=0.3)
    ligand_sd: Float[Array, ""] = eqx.field(converter=as_float, default=0.3)
    extra_below: Float[Array, ""] = eqx.field(converter=as_float, default=0.3)
    kappa: Float[Array, ""] = eqx.field(converter=as_float, default=3.0)
    dipoles_per_crystal: int = eqx.field(converter=as_count, static=True, default=10)
    bond_length: Float[Array, ""] = eqx.field(converter=as_float, default=0.26)
    extra_spacing: Float[Array, ""] = eqx.field(converter=as_float, default=0.26)
    moment: Float[Array, ""] = eqx.field(converter=as_float, default=MOMENT_SPIN_HALF)
    container: AbstractContainer = eqx.field(default_factory=Cylinder)
    convention: Convention = eqx.field(converter=as_convention, static=True, default=PAPER)
    max_proposals: int = eqx.field(static=True, default=1000)
    max_starts: int = eqx.field(static=True, default=20)

    def __check_init__(self) -> None:
        if self.n_crystals < 1 or self.dipoles_per_crystal < 1:
            raise ValueError("a packing needs at least one crystal with one dipole")
        for name in ("diameter", "ligand_sd", "kappa", "moment"):
            require_positive(name, getattr(self, name))
        for name in ("ligand_mean", "bond_length", "extra_below", "extra_spacing"):
            message = f"{name} must be finite and not negative"
            require(getattr(self, name), lambda v: v >= 0, message)
        require(
            self.volume_fraction,
            lambda v: (v > 0) & (v < RANDOM_CLOSE_PACKING),
            "volume_fraction must be above 0 and below 0.64, that of random close packing",
        )
        require(
            # caps of half the bond length about each dipole must not overlap
            self.dipoles_per_crystal * (1 - jnp.sqrt((1 + self.cosine(self.bond_length)) / 2)) / 2,
            lambda covered: covered < SATURATED,
            f"{self.dipoles_per_crystal} dipoles at bond_length from each other fit on a crystal "
            "at random only where they cover less than half of it",
        )

    @property
    def volume(self) -> Float[Array, ""]:
        """Volume of the container in nm³."""
        return self.n_crystals * jnp.pi / 6 * self.diameter**3 / self.volume_fraction

    def draw(self, key: Key[Array, ""]) -> Draw:
        choices = self.choose(key)
        system = self.place(choices)
        nan = jnp.where(choices.complete, system.positions, jnp.nan)
        system = eqx.tree_at(lambda s: s.positions, system, nan)
        return Draw(system, choices.growth.starts, choices.complete)

    def choose(self, key: Key[Array, ""]) -> Choices:
        """Everything that chance decides, which has no derivative."""
        fixed = jax.lax.stop_gradient(self)
        # an extra dipole that finds no place in its bounded number of trials spoils the sample
        again = lambda state: ~state[1].complete & (state[0] < MOST_REDRAWS)

        def redraw(state: tuple[Array, Choices]) -> tuple[Array, Choices]:
            number, before = state
            choices = fixed._choose_once(jax.random.fold_in(key, number))
            starts = before.growth.starts + choices.growth.starts
            return number + 1, eqx.tree_at(lambda c: c.growth.starts, choices, starts)

        nothing = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(fixed._choose_once, key)
        )
        return jax.lax.while_loop(again, redraw, (jnp.zeros((), jnp.int32), nothing))[1]

    def _choose_once(self, key: Key[Array, ""]) -> Choices:
        grow_key, scatter_key, extra_key = jax.random.split(key, 3)
        growth = grow(grow_key, self.n_crystals, self.rules(), self.max_proposals, self.max_starts)
        directions, scattered = scatter(
            scatter_key, self.dipoles_per_crystal, self.n_crystals, self.cosine(self.bond_length)
        )
        packing = self.pack(growth)
        extra, added = add_extra(
            extra_key,
            directions,
            packing.contact_crystal,
            packing.contact_axis,
            packing.extra,
            self.kappa,
            self.cosine(self.extra_spacing),
        )
        return Choices(growth, directions, extra, growth.complete & scattered & added)

    def pack(self, growth: Growth) -> Packing:
        """The packing that the choices give."""
        rules = self.rules()
        centers = jnp.zeros((self.n_crystals, 3), self.diameter.dtype)
        centers = centers.at[0].set(rules.first_centre(growth.first))
        steps = rules.step(growth.uniform)

        def place(i: Array, centers: Array) -> Array:
            return centers.at[i + 1].set(centers[growth.parent[i]] + steps[i])

        if self.n_crystals > 1:
            centers = jax.lax.fori_loop(0, self.n_crystals - 1, place, centers)
        axis = unit_vector(growth.uniform[:, :2])
        own = jnp.arange(1, self.n_crystals, dtype=jnp.int32)
        thickness = rules.thickness(growth.uniform[:, 2:]).ravel()
        return Packing(
            centers,
            jnp.stack([growth.parent, own], axis=-1).ravel(),
            jnp.stack([axis, -axis], axis=1).reshape(-1, 3),
            thickness,
            thickness < self.extra_below,
        )

    def place(self, choices: Choices) -> DipoleSystem:
        """The dipoles that the choices give, differentiable in the parameters."""
        packing = self.pack(choices.growth)
        radius = self.diameter / 2
        surface = packing.centers[:, None] + radius * choices.directions
        turned = fisher(choices.extra, packing.contact_axis, self.kappa)
        extra = packing.centers[packing.contact_crystal] + radius * turned
        crystals = jnp.arange(self.n_crystals, dtype=jnp.int32)
        regular = self.n_crystals * self.dipoles_per_crystal
        return DipoleSystem(
            jnp.concatenate([surface.reshape(-1, 3), extra]),
            self.volume,
            self.moment,
            mask=jnp.concatenate([jnp.ones(regular, bool), packing.extra]),
            convention=self.convention,
            crystal=jnp.concatenate(
                [jnp.repeat(crystals, self.dipoles_per_crystal), packing.contact_crystal]
            ),
            extra=jnp.arange(regular + len(packing.extra)) >= regular,
        )

    def rules(self) -> Rules:
        """The sizes that the growth of the packing obeys."""
        return Rules(self.container, self.volume, self.diameter, self.ligand_mean, self.ligand_sd)

    def cosine(self, distance: Array) -> Array:
        """Cosine of the angle between points of a crystal's surface that far apart."""
        return 1 - 2 * (distance / self.diameter) ** 2
