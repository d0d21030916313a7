"""Where a quadratic energy ½ u·K·u resonates: the roots of one sextic.

Equilibrium in a field H ĥ reads K u − H ĥ = λ u, with the multiplier λ = κ − h∥. With N = K − λ I
it gives u ∝ N⁻¹ ĥ and H = 1/|N⁻¹ ĥ|, and both stiffnesses are those of N in the tangent
plane. Their product is the determinant of N there, u·adj(N)·u, and equals w0² at resonance. In
the eigenframe of K, with eigenvalues kᵢ in ascending order and pᵢ = kᵢ − λ, that is

    Q(λ) = Σᵢ hᵢ² pⱼ² pₖ² (pⱼ pₖ − w0²) = 0 ,

a polynomial of degree six for every direction of the field. All minima have λ < k₂; they
are global minima exactly when λ ≤ k₁, and the highest field belongs to the lowest λ. If the
field lies in a principal plane of K, with axis n normal to it, p_n² divides Q: the
quartic that remains holds all resonances with M in the plane.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from .explicit import PlanarFields, Vector2
from .polynomial import bracketed_root, derivative, horner, real_roots, stationary_points


Candidates = Callable[[Array, Array], tuple[Array, Array]]

STEPS = 8
PLANAR_STEPS = 5
"""Newton steps for a root; the results are polished afterwards."""


def tensor_candidates(K: Float[Array, "3 3"]) -> Candidates:
    """The function (ĥ, w0) → directions of M at all resonances, to a few digits, and which exist.

    A field exactly in a principal plane makes the branches with M out of that plane
    double roots; components of ĥ below 10⁻⁹ or so are raised to that, which splits them.
    """
    k, axes = jnp.linalg.eigh(jax.lax.stop_gradient(K))

    def candidates(
        field_direction: Float[Array, "3"], larmor: Float[Array, ""]
    ) -> tuple[Float[Array, "6 3"], Bool[Array, "6"]]:
        h = axes.T @ field_direction
        floor = jnp.finfo(h.dtype).eps ** 0.6
        h = jnp.where(jnp.abs(h) < floor, jnp.where(h < 0, -floor, floor), h)
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

    roots = real_roots(sextic, coefficients, -middle, 1.001 * one, STEPS)
    return jnp.stack([x for x, _ in roots]), jnp.stack([exists for _, exists in roots])


def planar_candidate(
    fields: PlanarFields, field_direction: Vector2, larmor: Array
) -> tuple[Vector2, Array]:
    """Direction of M in the plane at the highest stable resonance, and whether there is one.

    The largest root of the quartic that Q becomes when M stays in a principal plane.
    """
    hx, hy = field_direction
    mean, half = 0.5 * fields.a, 0.5 * fields.b
    radius = jnp.sqrt(half * half + fields.c * fields.c)
    low = mean - radius
    along = half * (hx * hx - hy * hy) + 2 * fields.c * hx * hy
    weight = 0.5 - 0.5 * along / jnp.where(radius > 0, radius, 1)  # (ĥ · easy axis)²
    weight = jnp.clip(weight, 0, 1)
    d, n = 2 * radius / larmor, (-fields.a - low) / larmor
    quartic = [
        jnp.ones_like(d),
        n + 3 * d * weight,
        3 * weight * d * (d + n) - 1,
        weight * d * (d * d + 3 * d * n - 2),
        weight * d * d * (d * n - 1),
    ]
    lower = jnp.maximum(0.0, -n)
    upper = lower + 1.001
    edges = [lower, *stationary_points(quartic, lower, upper, PLANAR_STEPS), upper]
    negative = [horner(quartic, edge) < 0 for edge in edges]
    left, right, exists = lower, upper, jnp.zeros_like(negative[0])
    for i in range(4):  # the rightmost piece with a change of sign
        crosses = negative[i] != negative[i + 1]
        left, right = jnp.where(crosses, edges[i], left), jnp.where(crosses, edges[i + 1], right)
        exists |= crosses
    x = bracketed_root(lambda x: horner(quartic, x), derivative(quartic), left, right, PLANAR_STEPS)
    multiplier = low - larmor * x
    ux = (mean - half - multiplier) * hx - fields.c * hy
    uy = (mean + half - multiplier) * hy - fields.c * hx
    size = jax.lax.rsqrt(ux * ux + uy * uy)
    return (ux * size, uy * size), exists


def _multiply(p: list[Array], q: list[Array]) -> list[Array]:
    product = [jnp.zeros_like(p[0])] * (len(p) + len(q) - 1)
    for i, x in enumerate(p):
        for j, y in enumerate(q):
            product[i + j] = product[i + j] + x * y
    return product
