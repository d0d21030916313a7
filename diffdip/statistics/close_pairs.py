"""The mean number of pairs of dipoles as a function of their distance: counted, or uncorrelated."""

import functools
import math
from collections.abc import Iterator
from typing import Any, Final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, Shaped

from ..ensembles.models import AbstractModel
from ..ensembles.parameter_checks import require_not_negative, require_positive
from ..ensembles.simulation import lane_groups, nothing_placed
from ..foundation.arrays import as_float
from ..foundation.convention import PAPER, Convention, as_convention
from ..foundation.errors import InputError, check_count
from ..foundation.units import FIELD_UNIT, MOMENT_SPIN_HALF


PER_DECADE: Final = 40
"""Bins of distance per decade."""

SMALLEST: Final = 1e-4
"""Distance (nm) at which the bins begin. Closer pairs are counted in the first bin."""

CLOSE: Final = 3.0
"""Default mean number of close pairs of a sample. More of them would share dipoles, which the law
neglects; with fewer, the sum over all other pairs is less normal."""


class PairDensity(eqx.Module):
    """The mean number of pairs as a function of distance.

    It also holds the other numbers that the law of A, B, C needs. The laws of `levy_law` are
    differentiable in all arguments but `per_decade`, `split` and `convention`.

    Args:
        smallest: Distance in nm at which the bins begin.
        pairs: Mean number of pairs in each bin. Within a bin they are uniform in volume.
        mean: Mean of the sum Σ s/r³ over the pairs that are not close, for A, B, C in nm⁻³.
        variance: Variances of these sums in nm⁻⁶.
        moment: Moment of a dipole in µB.
        dipoles: Mean number of dipoles.
        volume: Volume of the sample in nm³.
        per_decade: Bins per decade of distance.
        split: Number of bins, from the first one on, that hold the close pairs; None for all.
        convention: How pairs are counted, `paper` by default.

    Raises:
        InputError: If a distance, moment, number of dipoles or volume is not above 0, or if a
            number of pairs or a variance is negative.
    """

    smallest: Float[Array, ""] = eqx.field(converter=as_float)
    pairs: Float[Array, " bins"] = eqx.field(converter=as_float)
    mean: Float[Array, "3"] = eqx.field(converter=as_float)
    variance: Float[Array, "3"] = eqx.field(converter=as_float)
    moment: Float[Array, ""] = eqx.field(converter=as_float)
    dipoles: Float[Array, ""] = eqx.field(converter=as_float)
    volume: Float[Array, ""] = eqx.field(converter=as_float)
    per_decade: int = eqx.field(static=True, default=PER_DECADE)
    split: Int[Array, ""] | None = None
    convention: Convention = eqx.field(converter=as_convention, static=True, default=PAPER)

    def __check_init__(self) -> None:
        for name in ("smallest", "moment", "dipoles", "volume"):
            require_positive(name, getattr(self, name))
        for name in ("pairs", "variance"):
            require_not_negative(name, getattr(self, name))

    @classmethod
    def uniform(
        cls,
        n: Shaped[ArrayLike, ""],
        density: Shaped[ArrayLike, ""],
        moment: Shaped[ArrayLike, ""] = MOMENT_SPIN_HALF,
        *,
        closest: float = 0.0,
        convention: Convention | str = PAPER,
    ) -> "PairDensity":
        """Uncorrelated dipoles without walls: n(r) = 2πNρ r².

        The bins cover three decades on both sides of the typical smallest distance, or six decades
        from `closest` on. With them, the laws of A, B, C are exact to 1e-8.

        Args:
            n: Number of dipoles N.
            density: Dipoles per nm³, ρ.
            moment: Moment of a dipole in µB (1.73 by default).
            closest: Distance in nm below which there are no pairs.
            convention: How pairs are counted, `paper` by default.

        Returns:
            The density of pairs; all of them are close pairs.

        Raises:
            InputError: If a number is not finite and above 0.

        >>> print(f"{PairDensity.uniform(100, 2.0).mu0_M:.4f} T")
        0.0403 T
        """
        n, density = as_float(n), as_float(density)
        typical = (2 * math.pi / 3 * n * density) ** (-1 / 3)
        smallest = jnp.asarray(closest, n.dtype) if closest > 0 else 1e-3 * typical
        edges = smallest * 10 ** (jnp.arange(6 * PER_DECADE + 1) / PER_DECADE).astype(n.dtype)
        volume = edges[:-1] ** 3 * (10 ** (3 / PER_DECADE) - 1)
        none = jnp.zeros(3, n.dtype)
        pairs = 2 * math.pi / 3 * n * density * volume
        return cls(
            smallest,
            pairs,
            none,
            none,
            moment,
            n,
            n / density,
            convention=as_convention(convention),
        )

    @property
    def edges(self) -> Float[Array, " edges"]:
        """Edges of the bins in nm (one more than bins)."""
        steps = jnp.arange(len(self.pairs) + 1, dtype=self.pairs.dtype) / self.per_decade
        return self.smallest * 10**steps

    @property
    def constant(self) -> Float[Array, ""]:
        """c = µ0 W m/(2πN) in T nm³: a field is c Σ s/r³."""
        weight = FIELD_UNIT * self.convention.pair_weight / (2 * math.pi)
        return weight * self.moment / self.dipoles

    @property
    def mu0_M(self) -> Float[Array, ""]:
        """µ0M in tesla."""
        return FIELD_UNIT * self.moment * self.dipoles / self.volume

    def resized(self, factor: Shaped[ArrayLike, ""]) -> "PairDensity":
        """A larger or smaller sample of the same material.

        The numbers of dipoles and pairs, the volume, and the mean and the variance of the sum over
        the other pairs grow in proportion. This neglects walls, which matter more in small samples.
        The bins of the close pairs stay the same, so a much smaller sample has too few close pairs.
        Use `levy_law(..., independent=True)` for it.

        Args:
            factor: Size of the new sample in units of this one; derivatives pass through it.

        Returns:
            The density of pairs of the new sample.
        """
        factor = jnp.asarray(factor, self.pairs.dtype)
        grown = lambda d: (d.pairs, d.mean, d.variance, d.dipoles, d.volume)
        return eqx.tree_at(grown, self, [factor * leaf for leaf in grown(self)])


def pair_density(
    model: AbstractModel, n_samples: int, seed: int = 0, *, close: float = CLOSE
) -> PairDensity:
    """Count the pairs of dipoles of a model's samples, by distance.

    The samples are those of `simulate` with the same seed; those that could not be placed are left
    out. Time and memory grow as the square of the number of dipoles, about 30 ms per sample of a
    thousand dipoles. The number of dipoles may differ a little between samples: the result has the
    mean.

    The law made from the result has no pairs closer than the closest counted one: tails rarer than
    1/n_samples are missing. If few pairs dominate, as in packings with extra dipoles anywhere,
    their number is noisy, and so is the law: 10 % in its width for 100 crystals and 300 samples.

    Args:
        model: The arrangement of dipoles. All its samples have the same volume and equal moments.
        n_samples: Number of samples.
        seed: Seed of the random numbers.
        close: Mean number of close pairs per sample, in the first bins (3 by default). All other
            pairs enter by their mean and variance only; see `diffdip.levy_law`.

    Returns:
        The density of pairs.

    Raises:
        InputError: If `n_samples` is below 1, if `close` is not above 0, or if moments or volumes
            differ.
        NothingPlacedError: If no sample could be placed.

    >>> from diffdip import UniformCylinder
    >>> density = pair_density(UniformCylinder(n=20, density=2.0), 3)
    >>> print(f"{density.pairs.sum():.0f} pairs, {density.dipoles:.0f} dipoles")
    190 pairs, 20 dipoles
    """
    check_count("n_samples", n_samples)
    if not close > 0:
        raise InputError("close", given=close, expected="a number above 0")
    counts, sums, dipoles, same = [], [], [], set()
    for positions, moments, volume in _samples(model, n_samples, seed):
        same |= {(float(moment), volume) for moment in np.unique(moments)}
        if len(same) > 1:
            given = " and ".join(f"{m:g} µB in {v:g} nm³" for m, v in sorted(same))
            expected = f"equal moments and one volume, not {given}"
            raise InputError("model", given=type(model).__name__, expected=expected)
        found = count_pairs(positions)
        counts.append(found[0])
        sums.append(found[1])
        dipoles.append(len(moments))
    if not counts:
        raise nothing_placed(model)
    # whole decades, so that there are few shapes: a law is compiled for each
    bins = -(-max(len(one) for one in counts) // PER_DECADE) * PER_DECADE
    pairs = np.mean([np.pad(one, (0, bins - len(one))) for one in counts], axis=0)
    split = min(bins, int(np.searchsorted(np.cumsum(pairs), close)) + 1)
    ((moment, volume),) = same
    rest = np.array([np.sum(one[:, split:], axis=1) for one in sums])
    number = lambda x: jnp.asarray(x, jnp.result_type(float))
    return PairDensity(
        number(SMALLEST),
        number(pairs),
        number(np.mean(rest, axis=0)),
        number(np.var(rest, axis=0)),
        number(moment),
        number(np.mean(dipoles)),
        number(volume),
        split=jnp.asarray(split, jnp.int32),
        convention=model.convention,
    )


@eqx.filter_jit
def _draw(model: AbstractModel, key: Array, index: Array) -> Any:
    return jax.vmap(lambda i: model.draw(jax.random.fold_in(key, i)))(index)


def _samples(
    model: AbstractModel, n_samples: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Positions, moments and volume of each sample that could be placed."""
    key = jax.random.key(seed)
    for _, draw in lane_groups(model, n_samples, lambda index: _draw(model, key, index)):
        for i in np.nonzero(draw.complete)[0]:
            mask = draw.system.mask[i]
            positions = draw.system.positions[i][mask].astype(float)
            yield positions, draw.system.moments[i][mask], float(draw.system.volume[i])


def count_pairs(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of pairs of one sample in each bin of distance, and their Σ s/r³ for A, B, C."""
    first, second = _places(len(positions))
    x, y, z = (column[first] - column[second] for column in positions.T)
    x2, y2, z2 = x * x, y * y, z * z
    squared = x2 + y2 + z2
    with np.errstate(divide="ignore", invalid="ignore"):
        place = (np.log10(squared) / 2 - math.log10(SMALLEST)) * PER_DECADE
        fifth = 1 / (squared * squared * np.sqrt(squared))  # much faster than a power
        terms = [(2 * z2 - x2 - y2) * fifth, -3 * (x2 - y2) * fifth, -3 * x * y * fifth]
    place = np.maximum(place, 0).astype(int)
    return np.bincount(place), np.array([np.bincount(place, term) for term in terms])


@functools.lru_cache(maxsize=8)
def _places(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first and the second dipole of each pair."""
    return np.triu_indices(count, 1)
