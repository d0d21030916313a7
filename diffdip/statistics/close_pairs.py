"""How many pairs of dipoles a sample has at which distance, counted or of uncorrelated dipoles."""

import functools
import math
from collections.abc import Iterator
from typing import Any, Final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int, Shaped

from ..ensembles.containers import require, require_positive
from ..ensembles.models import AbstractModel
from ..ensembles.simulation import lane_groups, nothing_placed
from ..foundation.arrays import as_float
from ..foundation.convention import PAPER, Convention, as_convention
from ..foundation.units import FIELD_UNIT, MOMENT_SPIN_HALF


PER_DECADE: Final = 40
"""Bins of distance per decade."""

SMALLEST: Final = 1e-4
"""Distance (nm) at which bins begin; closer pairs count there."""

CLOSE: Final = 3.0
"""Mean number of pairs of a sample that enter one by one."""


class PairDensity(eqx.Module):
    """How many pairs of dipoles a sample has at which distance, and what else its fields depend on.

    `pairs` is the mean number in bins of distance, `per_decade` each, that begin at `smallest`
    (nm); within a bin they are uniform in volume. The first `split` bins are the close pairs. The
    sum Σ s/r³ over all others (nm⁻³, for A, B, C) has `mean` and `variance`. `moment` (µB) of a
    dipole, mean number `dipoles` of them, `volume` in nm³.

    Laws are differentiable in all but `per_decade`, `split` (None for all bins) and the convention.
    Raises `ValueError` for moments, distances, volumes that are not positive, and for negative
    numbers of pairs or variances.
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
            message = f"{name} must be finite and not negative"
            require(jnp.min(getattr(self, name)), lambda v: v >= 0, message)

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
        """Uncorrelated dipoles without walls, n(r) = 2πNρ r² beyond `closest` (nm).

        `density` ρ in nm⁻³, `moment` in µB. Distances go three decades to both sides of the mean
        closest one, or from `closest` on: the laws of A, B, C without walls to 1e-8.

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
        """Edges of the bins in nm."""
        steps = jnp.arange(len(self.pairs) + 1, dtype=self.pairs.dtype) / self.per_decade
        return self.smallest * 10**steps

    @property
    def constant(self) -> Float[Array, ""]:
        """c = µ0 W m/(2πN) in T nm³: what Σ s/r³ is multiplied by."""
        weight = FIELD_UNIT * self.convention.pair_weight / (2 * math.pi)
        return weight * self.moment / self.dipoles

    @property
    def mu0_M(self) -> Float[Array, ""]:
        """µ0M in tesla."""
        return FIELD_UNIT * self.moment * self.dipoles / self.volume

    def resized(self, factor: Shaped[ArrayLike, ""]) -> "PairDensity":
        """The same matter, `factor` times as much of it: pairs and dipoles in proportion.

        What is beyond the close pairs keeps its mean field and has its variance in proportion.
        Neither knows of walls, of which small samples have more. As the close pairs stay the same
        ones, much smaller samples have too few of them: take the law of `independent` pairs then.
        Differentiable in the factor.
        """
        factor = jnp.asarray(factor, self.pairs.dtype)
        grown = lambda d: (d.pairs, d.mean, d.variance, d.dipoles, d.volume)
        return eqx.tree_at(grown, self, [factor * leaf for leaf in grown(self)])


def pair_density(
    model: AbstractModel, n_samples: int, seed: int = 0, *, close: float = CLOSE
) -> PairDensity:
    """Count the pairs of samples 0 … n − 1 of a model (those of `simulate` with that seed).

    All pairs are counted by their distance. From the smallest number of bins that hold `close`
    pairs per sample the rest is described by mean and variance only (see `diffdip.levy_law`). A
    sample costs O(n²) time and memory, about 30 ms for a thousand dipoles. Of pairs closer than
    those sampled the law knows nothing: tails rarer than 1/n_samples are missing. Where few pairs
    count (`extra_spacing=0`), their number is noisy and the law with it: 10 % in the width of
    100 crystals from 300 samples.

    The number of dipoles may differ among samples by little: its mean is taken. Samples that could
    not be placed are left out. Raises `ValueError` without any other, for no samples, for
    `close` not positive, and for moments or volumes that are not all equal.

    >>> from diffdip import UniformCylinder
    >>> density = pair_density(UniformCylinder(n=20, density=2.0), 3)
    >>> print(f"{density.pairs.sum():.0f} pairs, {density.dipoles:.0f} dipoles")
    190 pairs, 20 dipoles
    """
    if n_samples < 1:
        raise ValueError(f"{n_samples} samples: expected 1 or more")
    if not close > 0:
        raise ValueError(f"close must be above 0, not {close:g}")
    counts, sums, dipoles, same = [], [], [], set()
    for positions, moments, volume in _samples(model, n_samples, seed):
        same |= {(float(moment), volume) for moment in np.unique(moments)}
        if len(same) > 1:
            raise ValueError("a density of pairs needs equal moments, and samples of one volume")
        found = _count(positions)
        counts.append(found[0])
        sums.append(found[1])
        dipoles.append(len(moments))
    if not counts:
        raise ValueError(nothing_placed(model))
    # whole decades, so that densities have few shapes, each of which is compiled
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


def _count(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of one sample, for each bin of distance: pairs, and Σ s/r³ for A, B, C."""
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
    return np.triu_indices(count, 1)
