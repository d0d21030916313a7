"""All real roots of a polynomial in an interval, with a fixed number of operations.

Coefficients are Python lists of scalars: under vmap each is one contiguous batch.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def horner(coefficients: list[Array], x: Array) -> Array:
    """Value of a polynomial; `coefficients` from the highest power down."""
    value = coefficients[0] * jnp.ones_like(x)
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value


def derivative(coefficients: list[Array]) -> list[Array]:
    """Coefficients of the derivative."""
    degree = len(coefficients) - 1
    return [(degree - i) * coefficient for i, coefficient in enumerate(coefficients[:-1])]


def bracketed_root(
    function: Callable[[Array], Array],
    slope: list[Array],
    lower: Array,
    upper: Array,
    steps: int,
) -> Array:
    """The root of a polynomial `function` in [lower, upper], elementwise, if it changes sign there.

    Newton's method, kept in the shrinking bracket by bisection. The intervals end at stationary
    points. The search starts where the parabola at the end with the smaller value crosses zero:
    two roots that are about to merge are then found as fast as others. `slope` holds the
    coefficients of the derivative. Without a change of sign the result is some point of the
    interval.
    """
    at_lower, at_upper = function(lower), function(upper)
    rising = at_lower < 0
    from_lower = jnp.abs(at_lower) < jnp.abs(at_upper)
    end = jnp.where(from_lower, lower, upper)
    curvature = horner(derivative(slope), end)
    height = jnp.where(from_lower, at_lower, at_upper)
    reach = jnp.sqrt(jnp.abs(2 * height / jnp.where(curvature == 0, 1, curvature)))
    guess = jnp.where(from_lower, lower + reach, upper - reach)
    x = jnp.where((guess > lower) & (guess < upper), guess, 0.5 * (lower + upper))
    # a converged point is an end of its bracket, and rounding may point the next step out of it
    rounding = jnp.finfo(x.dtype).eps ** 0.6
    for _ in range(steps):
        value = function(x)
        above = (value > 0) == rising
        upper, lower = jnp.where(above, x, upper), jnp.where(above, lower, x)
        gradient = horner(slope, x)
        newton = x - value / jnp.where(gradient == 0, 1, gradient)
        kept = jnp.clip(newton, lower, upper)
        x = jnp.where(jnp.abs(newton - kept) <= rounding, kept, 0.5 * (lower + upper))
    return x


def stationary_points(
    coefficients: list[Array], lower: Array, upper: Array, steps: int
) -> Float[Array, " points"]:
    """Sorted points that cut [lower, upper] into pieces on which the polynomial is monotonic.

    They are the zeros of the derivative. If it has fewer than degree − 1 zeros in the interval, the
    other points repeat these or the ends. The leading coefficient must be positive and the degree
    at least 3.
    """
    slope = derivative(coefficients)
    if len(slope) == 3:
        a, b, c = slope
        root = jnp.sqrt(jnp.maximum(b * b - 4 * a * c, 0))
        return jnp.clip(jnp.stack([-b - root, -b + root]) / (2 * a), lower, upper)
    edges = _edges(stationary_points(slope, lower, upper, steps), lower, upper)
    height = horner(slope, edges)
    left, right, low, high = edges[:-1], edges[1:], height[:-1], height[1:]
    crossing = bracketed_root(lambda x: horner(slope, x), derivative(slope), left, right, steps)
    nearer = jnp.where(jnp.abs(low) < jnp.abs(high), left, right)
    return jnp.where((low < 0) != (high < 0), crossing, nearer)


def real_roots(
    function: Callable[[Array], Array],
    coefficients: list[Array],
    lower: Array,
    upper: Array,
    steps: int,
) -> tuple[Float[Array, " degree"], Bool[Array, " degree"]]:
    """All simple real roots in [lower, upper], ascending, and which of the slots hold one.

    `coefficients` are those of the polynomial, `function` its value in the most accurate form.
    Neighbouring stationary points, the roots of a polynomial one degree lower, bracket each root,
    so that no root is missed. A double root is found twice or not at all.
    """
    edges = _edges(stationary_points(coefficients, lower, upper, steps), lower, upper)
    negative = function(edges) < 0
    slope = derivative(coefficients)
    roots = bracketed_root(function, slope, edges[:-1], edges[1:], steps)
    return roots, negative[:-1] != negative[1:]


def _edges(points: Array, lower: Array, upper: Array) -> Array:
    return jnp.concatenate([lower[None], points, upper[None]])
