"""Derivatives of one sample with respect to the parameters of its model.

The distribution of samples changes with a parameter in two ways. With fixed random choices the
positions move: A, B, C have a *slope*. And the choices change: a dipole appears, vanishes or jumps.
This is a *flip*. For any function g of the anisotropy fields x, averaged over samples,

    d⟨g(x)⟩/dθ = ⟨∇g(x)·ẋ + Σ_k w_k [g(y_k) − g(x)]⟩

with the slope ẋ, the fields y_k after flip k, and the signed rate w_k at which θ causes it. A flip
costs one row of the pair sum.

Flips of a `NanocrystalPacking`:

- *Presence.* When the threshold `extra_below` crosses the thickness l at a facing point, an extra
  dipole appears or vanishes. The rate is the density of l at the threshold. It is estimated from
  all points with l near it, with or without the dipole.
- *Another place for an extra dipole*, drawn from the same conditional law. For κ the rate is half
  the difference of the two scores ∂ log f/∂κ: a covariance written with an independent copy.
- *A place at the smallest distance* from another dipole of the crystal. When `bond_length` or
  `extra_spacing` grows, such places are refused, and the dipole goes where the sample has it.

Whole crystals are accepted or refused too, and all later ones depend on that. There is no rule for
these jumps, so none for `ligand_mean`, `ligand_sd`, `volume_fraction` and `diameter`
(`diffdip.sensitivity` uses differences for them).
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ..dipoles.dipole_system import DipoleSystem
from ..dipoles.pair_sums import pair_octupole, pair_sum, pair_tensor, quadrupole_at
from ..ensembles.containers import unit_vector
from ..ensembles.crystal_growth import PackingRules
from ..ensembles.models import AbstractModel, AbstractUniform
from ..ensembles.nanocrystal_packing import NanocrystalPacking, Packing, RandomChoices
from ..ensembles.surface_dipoles import MOST_EXTRA, fisher, turned
from ..foundation.errors import InputError
from ..foundation.units import FIELD_UNIT
from ..numerics.random_numbers import uniform_numbers


DERIVABLE: Final = ("moment", "kappa", "extra_below", "bond_length", "extra_spacing")
"""Parameters of a `NanocrystalPacking` that `vary` has rules for."""

WINDOW: Final = 0.5
"""Half width of the window around the threshold, in standard deviations of the thickness."""

CANDIDATES: Final = 6
"""Places drawn for another dipole; the first one with enough room is taken."""


class Flips(eqx.Module):
    """Changes of single dipoles: A, B, C (T) after each, and its rate for each parameter."""

    fields: Float[Array, "k 3"]
    rates: dict[str, Float[Array, " k"]]


class Variation(eqx.Module):
    """One sample: A, B, C (T), their slopes for each parameter, and the flips."""

    fields: Float[Array, "3"]
    slopes: dict[str, Float[Array, "3"]]
    flips: tuple[Flips, ...]
    complete: Bool[Array, ""]


def vary(model: AbstractModel, key: Key[Array, ""], parameters: Sequence[str]) -> Variation:
    """Draw a sample, with its slopes and flips for each parameter.

    `InputError` if there are parameters and no rules for the model.
    """
    if isinstance(model, NanocrystalPacking):
        return _vary_packing(model, key, tuple(parameters))
    if isinstance(model, AbstractUniform):
        return _vary_uniform(model, key, tuple(parameters))
    if parameters:
        raise InputError(
            "model",
            given=type(model).__name__,
            expected="a NanocrystalPacking or a uniform model",
            hint="Take {method} 'differences' for other models",
        )
    draw = model.draw(key)
    fields = draw.system.anisotropy_fields()
    return Variation(jnp.stack([fields.A, fields.B, fields.C]), {}, (), draw.complete)


def _vary_uniform(
    model: AbstractUniform, key: Key[Array, ""], parameters: tuple[str, ...]
) -> Variation:
    """`vary` a uniform model: all parameters act through the positions only."""
    system = model.sample(key)
    sums = pair_sum(system.positions, system.moments, system.mask)
    fields = fields_of(system, sums, system.total_moment)
    octupole = pair_octupole(system.positions, system.moments, system.mask)
    slopes = {}
    for name in parameters:
        if name == "moment":
            slopes[name] = fields / model.moment
            continue
        value = getattr(model, name)
        place = lambda value, name=name: with_number(model, name, value).sample(key).positions
        _, moved = jax.jvp(place, (value,), (jnp.ones_like(value),))
        change = jnp.einsum("n,nec,nc->e", system.moments, octupole, moved)
        slopes[name] = fields_of(system, change, system.total_moment)
    return Variation(fields, slopes, (), jnp.ones((), bool))


def with_number(model: Any, name: str, value: Any) -> Any:
    """The model with one continuous parameter changed; the dtype stays."""
    old = getattr(model, name)
    return eqx.tree_at(lambda m: getattr(m, name), model, jnp.asarray(value, old.dtype))


def fields_of(system: DipoleSystem, sums: Array, total_moment: Array) -> Array:
    """A, B, C (..., 3) from pair sums (..., 6). The volume cancels."""
    unit = system.convention.pair_weight * FIELD_UNIT / (2 * jnp.pi)
    xx, yy, xy = sums[..., 0], sums[..., 1], sums[..., 3]
    return unit * jnp.stack([xx + yy, xx - yy, xy], axis=-1) / total_moment[..., None]


def _vary_packing(
    model: NanocrystalPacking, key: Key[Array, ""], parameters: tuple[str, ...]
) -> Variation:
    """`vary` a packing, for the parameters in `DERIVABLE`."""
    choices = model.choose(key)
    system, packing = model.place(choices), model.pack(choices.growth)
    sums = pair_sum(system.positions, system.moments, system.mask)
    change = DipoleChange(system, sums, model.moment)
    slopes = {"moment": change.fields() / model.moment} if "moment" in parameters else {}
    shells = _Shells.of(model, choices, packing)
    extra_key, regular_key = jax.random.split(jax.random.fold_in(key, 1))
    flips = ()
    if model.n_crystals > 1:
        flips += _flip_extra(model, packing, shells, change, extra_key, parameters)
    if "bond_length" in parameters and model.dipoles_per_crystal > 1:
        flips += (_flip_regular(model, packing, shells, change, regular_key),)
    return Variation(change.fields(), slopes, flips, choices.complete)


class _Shells(NamedTuple):
    """The dipoles on each crystal.

    `directions` to the dipoles, regular ones first; NaN in an empty place. `extra` holds the
    directions of the extra dipoles at the facing points, and `slot` their places on their crystals,
    −1 for absent ones. A direction whose cosine to a dipole is above `most` is too close to it.
    """

    directions: Float[Array, "crystals places 3"]
    extra: Float[Array, "points 3"]
    slot: Int[Array, " points"]
    most: Float[Array, " places"]

    @staticmethod
    def of(model: NanocrystalPacking, choices: RandomChoices, packing: Packing) -> "_Shells":
        on, present, regular = packing.contact_crystal, packing.extra, model.dipoles_per_crystal
        extra = fisher(choices.extra, packing.contact_axis, model.kappa)
        earlier = present & (on == on[:, None]) & jnp.tri(len(on), k=-1, dtype=bool)
        slot = jnp.where(present, regular + jnp.sum(earlier, axis=1, dtype=jnp.int32), -1)
        places = regular + MOST_EXTRA
        directions = jnp.full((model.n_crystals, places, 3), jnp.nan, extra.dtype)
        directions = directions.at[:, :regular].set(choices.directions)
        at = jnp.where(present, slot, places)  # out of bounds: dropped
        directions = directions.at[on, at].set(extra, mode="drop")
        is_regular = jnp.arange(places, dtype=jnp.int32) < regular
        apart = jnp.where(is_regular, model.bond_length, model.extra_spacing)
        return _Shells(directions, extra, slot, model.cosine(apart))

    def free(
        self,
        candidates: Float[Array, "k c 3"],
        on: Int[Array, " k"],
        most: Float[Array, " places"] | Float[Array, ""],
        ignored: Bool[Array, "k places"],
    ) -> Bool[Array, "k c"]:
        """Whether candidates keep their distance to all dipoles but the ignored ones."""
        cosine = jnp.einsum("kcx,ksx->kcs", candidates, self.directions[on])
        return ~jnp.any((cosine > most) & ~ignored[:, None], axis=-1)


class DipoleChange(NamedTuple):
    """The effect of single dipoles on a system of equal moments."""

    system: DipoleSystem
    sums: Float[Array, "6"]
    moment: Float[Array, ""]

    def fields(self, sums: Any = 0.0, moment: Any = 0.0) -> Array:
        """A, B, C after a change of the pair sums and of the total moment."""
        return fields_of(self.system, self.sums + sums, self.system.total_moment + moment)

    def seen(self, points: Float[Array, "k 3"]) -> Float[Array, "k 6"]:
        """The pair sums that a further dipole at each point would add."""
        system = self.system
        return self.moment * quadrupole_at(points, system.positions, system.moments, system.mask)

    def moved(self, here: Array, seen_here: Array, there: Array, seen_there: Array) -> Array:
        """A, B, C after one dipole moved from here to there."""
        # `seen_there` still contains the dipole at its old place
        own = self.moment**2 * pair_tensor(there - here)
        return self.fields(seen_there - seen_here - own, jnp.zeros_like(here[:, 0]))


def _flip_extra(
    model: NanocrystalPacking,
    packing: Packing,
    shells: _Shells,
    change: DipoleChange,
    key: Key[Array, ""],
    parameters: tuple[str, ...],
) -> tuple[Flips, ...]:
    """Extra dipoles that appear or vanish, jump, or come to the smallest allowed distance."""
    on, present, axis = packing.contact_crystal, packing.extra, packing.contact_axis
    count, most = len(on), model.cosine(model.extra_spacing)
    draw_key, pick_key, ring_key = jax.random.split(key, 3)
    place = jnp.arange(shells.directions.shape[1], dtype=jnp.int32)
    is_own = place == shells.slot[:, None]

    uniform = uniform_numbers(draw_key, (count, CANDIDATES, 2), axis.dtype)
    other, trials = first_free(
        candidates := fisher(uniform, axis[:, None], model.kappa),
        shells.free(candidates, on, most, is_own),
    )
    # if two dipoles are too close, the later one is refused
    before = jnp.where(present, shells.slot, model.dipoles_per_crystal)
    share = uniform_numbers(pick_key, (count,), axis.dtype)
    number = before.astype(axis.dtype)
    pick = jnp.minimum((share * number).astype(jnp.int32), before - 1)
    neighbour = shells.directions[on, pick]
    turn = uniform_numbers(ring_key, (count,), axis.dtype)
    ring = turned(neighbour, 1 - most, turn)
    ring_free = shells.free(ring[:, None], on, most, is_own | (place == pick[:, None]))[:, 0]

    home, radius = packing.centers[on], model.diameter / 2
    here, there, near = (home + radius * d for d in (shells.extra, other, ring))
    seen = change.seen(jnp.concatenate([here, there, near]))
    seen_here, seen_there, seen_near = jnp.split(seen, 3)
    m, flips = model.moment, ()
    if "extra_below" in parameters:
        sums = jnp.where(present[:, None], -seen_here, seen_there)
        rate = threshold_weights(packing.thickness, model.extra_below, model.rules())
        rate = jnp.where(present, -rate, jnp.where(trials > 0, rate, 0))
        fields = change.fields(sums, jnp.where(present, -m, m))
        flips += (Flips(fields, {"extra_below": rate}),)
    if "kappa" in parameters:
        towards = lambda direction: jnp.sum(direction * axis, axis=-1)
        rate = (towards(other) - towards(shells.extra)) / 2
        rate = jnp.where(present & (trials > 0), rate, 0)
        fields = change.moved(here, seen_here, there, seen_there)
        flips += (Flips(fields, {"kappa": rate}),)
    if "extra_spacing" in parameters:
        kappa, above = model.kappa, jnp.sum(ring * axis, axis=-1) - 1
        law = kappa * jnp.exp(kappa * above) / (-2 * jnp.pi * jnp.expm1(-2 * kappa))
        rate = number * 2 * jnp.pi * model.extra_spacing / radius**2 * law * trials
        fields = change.moved(here, seen_here, near, seen_near)
        rate = jnp.where(present & ring_free & (rate > 0), -rate, 0)
        flips += (Flips(fields, {"extra_spacing": rate}),)
    return flips


def _flip_regular(
    model: NanocrystalPacking,
    packing: Packing,
    shells: _Shells,
    change: DipoleChange,
    key: Key[Array, ""],
) -> Flips:
    """On each crystal, one regular dipole that comes to the smallest distance from another."""
    crystals, each = model.n_crystals, model.dipoles_per_crystal
    radius = model.diameter / 2
    on = jnp.arange(crystals, dtype=jnp.int32)
    place = jnp.arange(shells.directions.shape[1], dtype=jnp.int32)
    pick_key, ring_key, draw_key = jax.random.split(key, 3)
    later, earlier = (jnp.asarray(index, jnp.int32) for index in np.tril_indices(each, -1))
    pair = jax.random.randint(pick_key, (crystals,), 0, len(later), jnp.int32)
    mover, neighbour = later[pair], earlier[pair]
    is_mover = place == mover[:, None]

    turn = uniform_numbers(ring_key, (crystals,), radius.dtype)
    below = jnp.broadcast_to(1 - model.cosine(model.bond_length), turn.shape)
    ring = turned(shells.directions[on, neighbour], below, turn)
    ignored = is_mover | (place == neighbour[:, None])
    ring_free = shells.free(ring[:, None], on, shells.most, ignored)[:, 0]
    candidates = unit_vector(uniform_numbers(draw_key, (crystals, CANDIDATES, 2), radius.dtype))
    _, trials = first_free(candidates, shells.free(candidates, on, shells.most, is_mover))

    here = packing.centers + radius * shells.directions[on, mover]
    near = packing.centers + radius * ring
    seen_here, seen_near = jnp.split(change.seen(jnp.concatenate([here, near])), 2)
    rate = len(later) * model.bond_length / (2 * radius**2) * trials
    rate = jnp.where(ring_free & (rate > 0), -rate, 0)
    return Flips(change.moved(here, seen_here, near, seen_near), {"bond_length": rate})


def first_free(
    candidates: Float[Array, "k c 3"], free: Bool[Array, "k c"]
) -> tuple[Float[Array, "k 3"], Float[Array, " k"]]:
    """The first free candidate, and the number of trials; 0 trials if none is free.

    The mean number of trials is 1/(share of free candidates).
    """
    pick = jnp.argmax(free, axis=1)
    chosen = jnp.take_along_axis(candidates, pick[:, None, None], axis=1)[:, 0]
    trials = jnp.where(jnp.any(free, axis=1), pick + 1, 0)
    return chosen, trials.astype(candidates.dtype)


def threshold_weights(thickness: Array, threshold: Array, rules: PackingRules) -> Array:
    """Weights whose sum over points estimates the density of thicknesses at the threshold.

    They are a window around the threshold, corrected for the slope of the normal law.
    """
    width = jnp.minimum(WINDOW * rules.ligand_sd, threshold)
    t = (thickness - threshold) / width
    inside = jnp.abs(t) < 1
    score = lambda value: ((value - rules.ligand_mean) / rules.ligand_sd) ** 2 / 2
    slope = jnp.exp(jnp.where(inside, score(thickness) - score(threshold), 0))
    return jnp.where(inside, 0.75 * (1 - t * t) / width * slope, 0)
