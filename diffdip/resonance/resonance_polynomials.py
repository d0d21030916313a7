"""Starts near the resonances of a quadratic energy ½ u·K·u: the roots of a sextic or a quartic.

Equilibrium in a field H ĥ reads K u − H ĥ = λ u, with the multiplier λ = κ − h∥. With N = K − λ I
it gives u ∝ N⁻¹ ĥ and H = 1/|N⁻¹ ĥ|, and both stiffnesses are those of N in the tangent
plane. Their product is the determinant of N there, u·adj(N)·u, and equals w0² at resonance. In
the eigenframe of K, with eigenvalues kᵢ in ascending order and pᵢ = kᵢ − λ, this reads

    Q(λ) = Σᵢ hᵢ² pⱼ² pₖ² (pⱼ pₖ − w0²) = 0 ,

a polynomial of degree six for every direction of the field. All minima have λ < k₂; they
are global minima exactly when λ ≤ k₁, and the highest field belongs to the lowest λ. If the
field lies in a principal plane of K, with axis n normal to it, p_n² divides Q: the
quartic that remains holds all resonances with M in the plane.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from ..numerics.elementwise import at_least, between, choose, not_zero, repeated
from ..numerics.polynomial_roots import bracketed_root, derivative, horner, real_roots
from .field_of_magnetization import PlanarFields, Vector2


Candidates = Callable[[Array, Array], tuple[Array, Array]]
"""(ĥ, w0) → unit vectors of M (slots, 3) near the resonances, and which slots hold one."""

STEPS = 8
"""Newton steps for a root, which is polished afterwards. With one step fewer some of a million
random tensors up to 2 w0 lose a root."""

PLANAR_STEPS = 8
"""The same for the quartic's largest root."""

SEPARATION_STEPS = 6
"""The same for the points that separate its roots."""


def tensor_candidates(K: Float[Array, "3 3"]) -> Candidates:
    """The function (ĥ, w0) → directions of M at all resonances, to a few digits, and which exist.

    For a field exactly in a principal plane the branches with M out of that plane are double roots.
    Components of ĥ below 10⁻⁹ or so are raised to that, which splits them.
    """
    k, axes = jnp.linalg.eigh(jax.lax.stop_gradient(K))

    def candidates(
        field_direction: Float[Array, "3"], larmor: Float[Array, ""]
    ) -> tuple[Float[Array, "6 3"], Bool[Array, "6"]]:
        h = axes.T @ field_direction
        floor = float(jnp.finfo(h.dtype).eps) ** 0.6
        h = _floored(h, floor)
        gaps = (k - k[0]) / larmor
        x, exists = _sextic_roots(h * h, gaps[1], gaps[2])
        p = x[:, None] + gaps
        u = h / jnp.where(p == 0, floor, p)
        return (u / jnp.linalg.norm(u, axis=-1, keepdims=True)) @ axes.T, exists

    return candidates


def _sextic_roots(weights: Array, middle: Array, top: Array) -> tuple[Array, Array]:
    """Roots x = (k₁ − λ)/w0 of Q, ascending, for hᵢ² and (k₂ − k₁)/w0, (k₃ − k₁)/w0."""
    a, b, c = weights

    def sextic(x: Array) -> Array:
        y, z = x + middle, x + top
        xx, yy, zz = x * x, y * y, z * z
        return a * yy * zz * (y * z - 1) + b * xx * zz * (x * z - 1) + c * xx * yy * (x * y - 1)

    one, zero = jnp.ones_like(a), jnp.zeros_like(a)
    factors = [[one, zero], [one, middle], [one, top]]
    coefficients = [zero] * 7
    for i, weight in enumerate((a, b, c)):
        product = _multiply(factors[i - 1], factors[i - 2])
        square = _multiply(product, product)
        term = _multiply(square, [*product[:-1], product[-1] - 1])
        coefficients = [
            s + weight * t
            for s, t in zip(coefficients, [zero] * (7 - len(term)) + term, strict=True)
        ]

    return real_roots(sextic, coefficients, -middle, 1.001 * one, STEPS)


class PlanarQuartic(NamedTuple):
    """The quartic Q/p_n² for M in a principal plane, and what turns its roots into directions.

    The unknown is x = (k − λ)/w0, with k the lower of the two eigenvalues in the plane.
    """

    coefficients: list[Array]
    gap: Array
    """(k' − k)/w0, with k' the upper eigenvalue in the plane."""
    normal: Array
    """(k_n − k)/w0, of either sign."""
    easy: Vector2
    """Principal axis of k times the component of ĥ along it."""
    hard: Vector2
    """The same for k'."""

    def direction(self, x: Array) -> Vector2:
        """The unit vector u ∝ (K − λ I)⁻¹ ĥ, on the side where H > 0."""
        (ex, ey), (hx, hy) = self.easy, self.hard
        p, q = x, x + self.gap
        # u ∝ easy/p + hard/q, multiplied by |p q|
        ux, uy = q * ex + p * hx, q * ey + p * hy
        opposite = p * q < 0
        return _unit(choose(opposite, -ux, ux), choose(opposite, -uy, uy))


def planar_quartic(fields: PlanarFields, field_direction: Vector2, larmor: Array) -> PlanarQuartic:
    """The resonance quartic of a, b, c for a field along `field_direction` in the plane.

    Components of ĥ along a principal axis are kept above 10⁻⁹ or so: for a field along such an
    axis pairs of branches are double roots by symmetry, and this splits them.
    """
    hx, hy = field_direction
    half, c = 0.5 * fields.b, fields.c
    radius = lax.sqrt(half * half + c * c)
    # the hard axis, without cancellation for either sign of b
    ax = choose(half < 0, c, radius + half)
    ay = choose(half < 0, radius - half, c)
    ax, ay = _unit(choose(radius > 0, ax, 1.0), ay)
    floor = float(jnp.finfo(larmor.dtype).eps) ** 0.6
    along_hard, along_easy = _floored(hx * ax + hy * ay, floor), _floored(hy * ax - hx * ay, floor)
    weight = along_easy * along_easy / (along_easy * along_easy + along_hard * along_hard)
    lowest = 0.5 * fields.a - radius
    d, n = 2.0 * radius / larmor, (-fields.a - lowest) / larmor
    coefficients = [
        lax.full_like(d, 1.0),
        n + 3.0 * d * weight,
        3.0 * weight * d * (d + n) - 1.0,
        weight * d * (d * d + 3.0 * d * n - 2.0),
        weight * d * d * (d * n - 1.0),
    ]
    easy = (-along_easy * ay, along_easy * ax)
    return PlanarQuartic(coefficients, d, n, easy, (along_hard * ax, along_hard * ay))


def _unit(x: Array, y: Array) -> Vector2:
    size = x * x + y * y
    size = lax.rsqrt(choose(size > 0, size, 1.0))
    return x * size, y * size


def _floored(x: Array, floor: float) -> Array:
    """x, moved away from zero to ± floor if it is closer."""
    return choose(x < 0, -at_least(-x, floor), at_least(x, floor))


def planar_candidate(
    fields: PlanarFields, field_direction: Vector2, larmor: Array
) -> tuple[Vector2, Array]:
    """Direction of M in the plane at the highest stable resonance, and whether there is one.

    It belongs to the largest root x. The quartic is convex beyond its upper inflection, so the
    root lies either beyond the minimum there, or between the minimum before the lower
    inflection and the upper one.
    """
    geometry = planar_quartic(fields, field_direction, larmor)
    quartic, normal = geometry.coefficients, geometry.normal
    slope = derivative(quartic)
    a, b, c = derivative(slope)
    lower = at_least(-normal, 0.0)
    upper = lower + 1.001
    discriminant = b * b - 4.0 * a * c
    root = lax.sqrt(at_least(discriminant, 0.0))
    bends = discriminant > 0
    first = choose(bends, between(lower, (-b - root) / (2.0 * a), upper), lower)
    second = choose(bends, between(lower, (-b + root) / (2.0 * a), upper), lower)

    def separate(ends: Vector2) -> Vector2:
        # from outside, where the slope is concave or convex: one way only
        before, after = ends
        before = between(before, _newton(slope, before), first)
        return before, between(second, _newton(slope, after), after)

    before, after, _ = jnp.broadcast_arrays(lower, upper, first)
    before, after = repeated(separate, (before, after), SEPARATION_STEPS)
    outer = horner(quartic, after) < 0
    inner = horner(quartic, before) < 0
    left, right = choose(outer, after, before), choose(outer, upper, second)
    x = bracketed_root(lambda x: horner(quartic, x), slope, left, right, PLANAR_STEPS)
    return geometry.direction(x), outer | inner


def planar_candidates(
    fields: PlanarFields, field_direction: Vector2, larmor: Array
) -> tuple[Array, Vector2, Array]:
    """Roots x of the quartic, directions of M in the plane, and which of the four exist.

    Each with the four slots as a first axis.
    """
    geometry = planar_quartic(fields, field_direction, larmor)
    quartic, normal = geometry.coefficients, geometry.normal
    lower, upper = lax.max(-geometry.gap, -normal), 1.001 + at_least(-normal, 0.0)
    x, exist = real_roots(lambda x: horner(quartic, x), quartic, lower, upper, STEPS)
    return x, geometry.direction(x), exist


def _newton(coefficients: list[Array], x: Array) -> Array:
    return x - horner(coefficients, x) / not_zero(horner(derivative(coefficients), x))


def _multiply(p: list[Array], q: list[Array]) -> list[Array]:
    product = [jnp.zeros_like(p[0])] * (len(p) + len(q) - 1)
    for i, x in enumerate(p):
        for j, y in enumerate(q):
            product[i + j] = product[i + j] + x * y
    return product
