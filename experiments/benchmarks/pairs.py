"""The pair sum in `ensembles.py`: compared with C on a CPU."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from c_reference import PairSum
from harness import best_time, compiled, header, row

from diffdip.dipoles.pair_sums import pair_sum, pair_sum_and_closest


CASES = ((1104, 64), (100, 256), (100, 5000), (10_000, 1))
"""Each case: number of dipoles, number of systems."""

SECONDS = 1.0
"""Approximate time in which each measurement is repeated."""

TOLERANCE, POSITION_TOLERANCE = 1e-4, 3e-3
"""Allowed differences from C, relative to the largest of the six sums of a system.

The second is for Σ r·∂/∂r. The terms of a close pair nearly cancel in this sum: positions are much
larger than the distance of the pair, and precision is lost by this ratio.
"""

PADDING = 0.3
WEIGHTS = np.random.default_rng(1).normal(size=6).astype(np.float32)
"""Weights of the six sums in the scalar that is differentiated."""

FLOPS_PER_PAIR = 29
"""3 differences, 5 for r², rsqrt as 1, 4 for the weight, 3 + 6 products, 6 sums, r⁻² as 1."""


class Systems(NamedTuple):
    """Dipoles uniform in a cube of 1 nm³ each, as float32."""

    positions: jax.Array
    moments: jax.Array
    mask: jax.Array

    @staticmethod
    def equal(n: int, count: int) -> "Systems":
        """All moments 1 µB, none masked."""
        positions = np.random.default_rng(0).uniform(0, n ** (1 / 3), (count, n, 3))
        ones = np.ones((count, n), np.float32)
        return Systems(
            jnp.asarray(positions, jnp.float32), jnp.asarray(ones), jnp.asarray(ones > 0)
        )

    def uneven(self) -> "Systems":
        """The same positions with moments of 0.5 to 2 µB; 30 % of the dipoles are masked."""
        rng = np.random.default_rng(2)
        moments = rng.uniform(0.5, 2, self.moments.shape).astype(np.float32)
        mask = rng.uniform(size=moments.shape) > PADDING
        return Systems(self.positions, jnp.asarray(moments), jnp.asarray(mask))

    def double(self) -> "Systems":
        """The same in float64, where that is enabled."""
        return self._replace(
            positions=jnp.asarray(self.positions, jnp.float64),
            moments=jnp.asarray(self.moments, jnp.float64),
        )

    @property
    def pairs(self) -> float:
        """Number of unique pairs, including masked dipoles."""
        count, n = self.moments.shape
        return count * n * (n - 1) / 2

    def rate(self, seconds: float) -> str:
        """Pairs per second, as text."""
        return f"{1e-9 * self.pairs / seconds:.2f} G pairs/s"

    def for_c(self) -> tuple[np.ndarray, ...]:
        """x, y, z and moments; the moments of masked dipoles are 0."""
        moments = np.where(self.mask, self.moments, 0)
        coordinates = np.moveaxis(np.asarray(self.positions), -1, 0)
        return (*(np.ascontiguousarray(c) for c in coordinates), moments)


def scalar(positions: jax.Array, moments: jax.Array, mask: jax.Array) -> jax.Array:
    """A fixed combination of the six sums, to be differentiated."""
    return pair_sum(positions, moments, mask) @ WEIGHTS


def from_positions(found: Any, systems: Systems) -> list[np.ndarray]:
    """The value, and the value from its gradient: for r⁻³, Σ r·∂/∂r = −3 (Euler)."""
    value, gradient = (np.asarray(a, float) for a in found)
    return [value, np.einsum("snc,snc->s", gradient, np.asarray(systems.positions)) / -3]


def from_moments(found: Any, systems: Systems) -> list[np.ndarray]:
    """The value, and the value from its gradient: it is quadratic in moments, so Σ m ∂/∂m = 2."""
    value, gradient = (np.asarray(a, float) for a in found)
    return [value, np.einsum("sn,sn->s", gradient, np.asarray(systems.moments)) / 2]


class Quantity(NamedTuple):
    """A function of one system, and how its result is compared with that of C."""

    name: str
    function: Callable[..., Any]
    comparable: Callable[[Any, Systems], list[np.ndarray]]
    tolerances: tuple[float, ...] = (TOLERANCE,)


VALUE = Quantity("value", pair_sum, lambda found, _: [np.asarray(found)])
QUANTITIES = (
    VALUE,
    Quantity(
        "value and closest pair", pair_sum_and_closest, lambda found, _: [np.asarray(found[0])]
    ),
    Quantity(
        "value, gradient by positions",
        jax.value_and_grad(scalar, 0),
        from_positions,
        (TOLERANCE, POSITION_TOLERANCE),
    ),
    Quantity(
        "value, gradient by moments",
        jax.value_and_grad(scalar, 1),
        from_moments,
        (TOLERANCE, TOLERANCE),
    ),
)


def measure(call: Callable[..., Any], systems: Systems) -> tuple[Any, float]:
    """Result of a compiled function for all systems, and the seconds for it."""
    return call(*systems), timed(lambda: call(*systems))


def timed(call: Callable[[], Any]) -> float:
    """Shortest time of the runs that fit into `SECONDS`."""
    once = best_time(call, 1)
    return best_time(call, int(np.clip(SECONDS / once, 3, 300)))


def check(quantity: Quantity, found: Any, systems: Systems, expected: np.ndarray) -> None:
    """Raise `AssertionError` if a result differs from that of C (`expected`)."""
    largest = np.max(np.abs(expected), axis=-1)
    for result, tolerance in zip(
        quantity.comparable(found, systems), quantity.tolerances, strict=True
    ):
        same = expected if result.ndim == 2 else expected @ WEIGHTS.astype(float)
        away = np.abs(result - same).reshape(len(largest), -1).max(axis=-1)
        worst = float(np.max(away / largest))
        assert worst < tolerance, f"{quantity.name}: differs from C by {worst:.1e}"


def against_c(
    kernels: Sequence[PairSum],
    cases: Sequence[tuple[int, int]],
    quantities: Sequence[Quantity] = QUANTITIES,
) -> None:
    """Print a table for each case, compared with the fastest of the kernels in C.

    Raises `AssertionError` if a result differs from that of C.
    """
    for n, count in cases:
        systems = Systems.equal(n, count)
        sites = systems.for_c()
        times = [timed(partial(kernel, sites)) for kernel in kernels]
        per_c = min(times)
        kernel = kernels[times.index(per_c)]
        expected = np.asarray(kernel(sites), float)
        header(f"Pair sum in float32, {n} dipoles × {count}")
        reference = f"{kernel.name}, {systems.rate(per_c)}"
        for quantity in quantities:
            call, compile_s = compiled(jax.vmap(quantity.function), *systems)
            found, seconds = measure(call, systems)
            check(quantity, found, systems, expected)
            row(quantity.name, systems.rate(seconds), reference, per_c / seconds, compile_s)
            if quantity is VALUE:
                uneven = systems.uneven()
                found, uneven_s = measure(call, uneven)
                check(VALUE, found, uneven, np.asarray(kernel(uneven.for_c()), float))
                name = f"value, moments differ, {100 * PADDING:.0f} % masked"
                row(name, systems.rate(uneven_s), "cost of value", uneven_s / seconds)
        with jax.enable_x64(True):
            double = systems.double()
            call, compile_s = compiled(jax.vmap(pair_sum), *double)
            found, seconds = measure(call, double)
            check(VALUE, found, systems, expected)
            row("value in float64", systems.rate(seconds), reference, per_c / seconds, compile_s)


def quick_against_c(kernels: Sequence[PairSum]) -> None:
    """The same with small cases: all quantities of a batch, and the value of one system."""
    against_c(kernels, [(300, 4)])
    against_c(kernels, [(2000, 1)], [VALUE])
