"""Dipoles on the surfaces of nanocrystals that are packed at random (Figs. 4, 5)."""

from typing import Final

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ..dipoles.dipole_system import DipoleSystem
from ..foundation.arrays import as_float
from ..foundation.convention import PAPER, Convention, as_convention
from ..foundation.errors import InputError
from ..kernels.calls import by_platform, call, has_a_loop
from .containers import AbstractContainer, Box, Cylinder, Sphere, unit_vector
from .crystal_growth import Growth, PackingRules, grow, proposals_at_once
from .model_parameters import PACKING
from .models import AbstractModel, Draw
from .parameter_checks import plain_numbers, require, require_parameters, whole_number
from .surface_dipoles import add_extra, fisher, scatter


RANDOM_CLOSE_PACKING: Final = 0.64
"""Volume fraction that random packings of equal spheres do not exceed."""

SATURATED: Final = 0.5
"""Fraction of a sphere that circles placed at random one after the other cover at most, about."""

MOST_REDRAWS: Final = 5
"""How many times a whole sample is drawn before it counts as incomplete."""

_KINDS: Final = {Cylinder: 0, Sphere: 1, Box: 2}
"""The containers that the loops for the CPU know, and their numbers there."""

_DEFAULT: Final = {name: parameter.default for name, parameter in PACKING.items()}
_ABOUT: Final = {name: parameter.metadata for name, parameter in PACKING.items()}


class Packing(eqx.Module):
    """The crystals of a packing and their contacts, without the dipoles: what Fig. 4 shows.

    At each contact two points P′ face each other, one on each crystal.

    Args:
        centers: Centres of the crystals in nm.
        contact_crystal: The crystal of each facing point.
        contact_axis: Direction from the centre of that crystal to the point.
        thickness: Ligand thickness at the point in nm.
        extra: Whether the ligand is thin enough there for an extra dipole.
    """

    centers: Float[Array, "crystals 3"]
    contact_crystal: Int[Array, " points"]
    contact_axis: Float[Array, "points 3"]
    thickness: Float[Array, " points"]
    extra: Bool[Array, " points"]


class RandomChoices(eqx.Module):
    """The random choices in one sample of a `NanocrystalPacking`."""

    growth: Growth
    directions: Float[Array, "crystals per_crystal 3"]
    extra: Float[Array, "points 2"]
    complete: Bool[Array, ""]


class NanocrystalPacking(AbstractModel):
    """Surface spins of nanocrystals packed at random in a container (the paper's Figs. 4, 5).

    The paper does not say how the crystals are packed. Here they are placed one after the other:

    - The container has the volume n π/6 d³/φ, with n = `n_crystals`, d = `diameter`,
      φ = `volume_fraction`. The first crystal is uniform in it.
    - Each further crystal touches an earlier one, which is chosen at random, in a uniform
      direction. The distance of the centres is d + l₁ + l₂. The ligand thicknesses l₁, l₂ at
      the two facing points P′ follow a normal law (`ligand_mean`, `ligand_sd`), cut off below 0.
    - A proposal is refused, and drawn again, if the core overlaps another one or a wall.
    - Each surface has `dipoles_per_crystal` dipoles, uniform, but no two closer than
      `bond_length`.
    - Each P′ with l < `extra_below` adds one dipole to its crystal. Its direction follows a
      Fisher law of concentration `kappa` around P′.

    The paper states the bond length for the dipoles of each surface, not for the extra ones. So
    these may come as close to others as chance has it, and pairs less than 0.1 nm apart on one
    crystal dominate A and B. Such pairs are not physical, but they make the widths of the
    published Fig. 5. With `extra_spacing=0.26`, extra dipoles keep the bond length from the
    others of their crystal. Then the widths fall as crystals are added.

    After `max_proposals` refused proposals in a row the packing is restarted, up to `max_starts`
    times. `draw` returns the number of starts; a sample that was never completed is NaN
    throughout. Restarts favour some packings: crystals that leave no room for others are rarer
    than with a uniform first crystal. If an extra dipole finds no place in six
    trials, the whole sample is drawn again, up to five times. This favours samples with fewer
    extra dipoles where they are crowded.

    With fixed random choices, positions are differentiable functions of all continuous
    parameters. The thicknesses at the contacts move with the parameters too.

    Args:
        n_crystals: Number of crystals.
        diameter: Diameter of a core in nm (2.7 by default).
        volume_fraction: Volume fraction of the cores (0.2 by default).
        ligand_mean: Mean ligand thickness in nm (0.3 by default).
        ligand_sd: Standard deviation of the ligand thickness in nm (0.3 by default).
        extra_below: Ligand thickness in nm below which there is an extra dipole (0.3 by default).
        kappa: Concentration κ of the Fisher law (3 by default).
        dipoles_per_crystal: Dipoles on each crystal, not counting the extra ones (10 by default).
        bond_length: Smallest distance between these dipoles in nm (0.26 by default).
        extra_spacing: Smallest distance of an extra dipole from the others of its crystal in nm (0
            by default: none, as printed).
        moment: Moment of each dipole in µB (1.73 by default).
        container: The shape that is filled, a cylinder as high as wide by default.
        convention: How pairs are counted, `paper` by default.
        max_proposals: Refused proposals in a row after which the packing is restarted.
        max_starts: Starts after which a packing is incomplete.

    Raises:
        InputError: If a number is out of its range, if the volume fraction is not below that of
            random close packing (0.64), or if the dipoles do not fit on a crystal.

    >>> import jax
    >>> system = NanocrystalPacking(n_crystals=3).sample(jax.random.key(0))
    >>> system.positions.shape, int(system.crystal[-1])
    ((34, 3), 2)
    """

    n_crystals: int = eqx.field(
        converter=whole_number("n_crystals"), static=True, metadata=_ABOUT["n_crystals"]
    )
    diameter: Float[Array, ""] = eqx.field(
        converter=as_float, default=_DEFAULT["diameter"], metadata=_ABOUT["diameter"]
    )
    volume_fraction: Float[Array, ""] = eqx.field(
        converter=as_float, default=_DEFAULT["volume_fraction"], metadata=_ABOUT["volume_fraction"]
    )
    ligand_mean: Float[Array, ""] = eqx.field(
        converter=as_float, default=_DEFAULT["ligand_mean"], metadata=_ABOUT["ligand_mean"]
    )
    ligand_sd: Float[Array, ""] = eqx.field(
        converter=as_float, default=_DEFAULT["ligand_sd"], metadata=_ABOUT["ligand_sd"]
    )
    extra_below: Float[Array, ""] = eqx.field(
        converter=as_float, default=_DEFAULT["extra_below"], metadata=_ABOUT["extra_below"]
    )
    kappa: Float[Array, ""] = eqx.field(
        converter=as_float, default=_DEFAULT["kappa"], metadata=_ABOUT["kappa"]
    )
    dipoles_per_crystal: int = eqx.field(
        converter=whole_number("dipoles_per_crystal"),
        static=True,
        default=_DEFAULT["dipoles_per_crystal"],
        metadata=_ABOUT["dipoles_per_crystal"],
    )
    bond_length: Float[Array, ""] = eqx.field(
        converter=as_float, default=_DEFAULT["bond_length"], metadata=_ABOUT["bond_length"]
    )
    extra_spacing: Float[Array, ""] = eqx.field(
        converter=as_float, default=_DEFAULT["extra_spacing"], metadata=_ABOUT["extra_spacing"]
    )
    moment: Float[Array, ""] = eqx.field(
        converter=as_float, default=_DEFAULT["moment"], metadata=_ABOUT["moment"]
    )
    container: AbstractContainer = eqx.field(default_factory=Cylinder)
    convention: Convention = eqx.field(converter=as_convention, static=True, default=PAPER)
    max_proposals: int = eqx.field(static=True, default=1000)
    max_starts: int = eqx.field(static=True, default=20)

    def __check_init__(self) -> None:
        require_parameters(self, PACKING)
        require(
            "volume_fraction",
            self.volume_fraction,
            lambda v: v < RANDOM_CLOSE_PACKING,
            f"a number above 0 and below {RANDOM_CLOSE_PACKING}, that of random close packing",
        )
        self._require_room_for_dipoles()

    def _require_room_for_dipoles(self) -> None:
        """Circles of half the bond length around each dipole must not cover too much."""
        cosine = self.cosine(self.bond_length)
        covered = self.dipoles_per_crystal * (1 - jnp.sqrt((1 + cosine) / 2)) / 2
        # NaN for a bond length above the diameter
        if isinstance(covered, jax.core.Tracer):
            return
        if not np.all(np.asarray(covered) < SATURATED):
            length = plain_numbers(self.bond_length)
            raise InputError(
                "dipoles_per_crystal",
                given=self.dipoles_per_crystal,
                expected=f"as many as fit on a crystal with {length} nm between them",
                hint="Take fewer dipoles, a smaller {bond_length} or a larger {diameter}",
            )

    @property
    def volume(self) -> Float[Array, ""]:
        """Volume of the container in nm³."""
        return self.n_crystals * jnp.pi / 6 * self.diameter**3 / self.volume_fraction

    @eqx.filter_jit
    def draw(self, key: Key[Array, ""]) -> Draw:
        choices = self.choose(key)
        system = self.place(choices)
        nan = jnp.where(choices.complete, system.positions, jnp.nan)
        system = eqx.tree_at(lambda s: s.positions, system, nan)
        return Draw(system, choices.growth.starts, choices.complete)

    def choose(self, key: Key[Array, ""]) -> RandomChoices:
        """Make all random choices of a sample. They have no derivative."""
        fixed = jax.lax.stop_gradient(self)
        words = jax.random.key_data(key)
        usable = type(self.container) in _KINDS and words.shape == (2,)  # threefry's keys have two
        usable = usable and has_a_loop(self.diameter.dtype)
        return by_platform(fixed._choose_in_loops, fixed._choose_in_jax, key, usable=usable)

    def _choose_in_loops(self, key: Key[Array, ""]) -> RandomChoices:
        """`choose` in loops for the CPU: see `kernels.packing_loops`."""
        dtype, crystals, each = self.diameter.dtype, self.n_crystals, self.dipoles_per_crystal
        container, contacts = self.container, self.n_crystals - 1
        room = container.room(self.volume, self.diameter / 2)
        room = jnp.pad(jnp.ravel(room), (0, 3 - room.size))
        sizes = [self.diameter, self.ligand_mean, self.ligand_sd, self.extra_below, self.kappa]
        sizes += [self.cosine(self.bond_length), self.cosine(self.extra_spacing)]
        first, parent, uniform, starts, complete, directions, extra = call(
            "packings",
            (jax.random.key_data(key), jnp.concatenate([jnp.stack(sizes), room]).astype(dtype)),
            [
                ((3,), dtype),
                ((contacts,), jnp.int32),
                ((contacts, 4), dtype),
                ((), jnp.int32),
                ((), bool),
                ((crystals, each, 3), dtype),
                ((2 * contacts, 2), dtype),
            ],
            axes=1,
            tasks=1,
            cost=10_000 + 1500 * crystals,
            numbers=(
                _KINDS[type(container)],
                proposals_at_once(crystals),
                self.max_proposals,
                self.max_starts,
                each,
                crystals,
            ),
        )
        growth = Growth(first, parent, uniform, starts, complete)
        return RandomChoices(growth, directions, extra, complete)

    def _choose_in_jax(self, key: Key[Array, ""]) -> RandomChoices:
        """`choose` for accelerators, and where there is no numba."""
        fixed = self
        # the trials for an extra dipole are bounded: if all fail, the whole sample is drawn again
        again = lambda state: ~state[1].complete & (state[0] < MOST_REDRAWS)

        def redraw(state: tuple[Array, RandomChoices]) -> tuple[Array, RandomChoices]:
            number, before = state
            choices = fixed._choose_once(jax.random.fold_in(key, number))
            starts = before.growth.starts + choices.growth.starts
            return number + 1, eqx.tree_at(lambda c: c.growth.starts, choices, starts)

        nothing = jax.tree.map(
            lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(fixed._choose_once, key)
        )
        return jax.lax.while_loop(again, redraw, (jnp.zeros((), jnp.int32), nothing))[1]

    def _choose_once(self, key: Key[Array, ""]) -> RandomChoices:
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
        return RandomChoices(growth, directions, extra, growth.complete & scattered & added)

    def pack(self, growth: Growth) -> Packing:
        """The crystals and contacts that follow from the choices."""
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

    def place(self, choices: RandomChoices) -> DipoleSystem:
        """The dipoles that follow from the choices, differentiable in the parameters."""
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

    def rules(self) -> PackingRules:
        """The sizes that the crystals are placed with."""
        return PackingRules(
            self.container, self.volume, self.diameter, self.ligand_mean, self.ligand_sd
        )

    def cosine(self, distance: Array) -> Array:
        """Cosine of the angle between two points on a crystal at that distance (nm)."""
        return 1 - 2 * (distance / self.diameter) ** 2
