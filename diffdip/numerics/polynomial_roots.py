"""All real roots of a polynomial in an interval, with a fixed number of operations.

Everything is elementwise: each coefficient in a list is an array over the polynomials, and all of
them broadcast against each other.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from .elementwise import at_least, between, choose, not_zero, repeated


def horner(coefficients: list[Array], x: Array) -> Array:
    """Value of a polynomial; `coefficients` from the highest power down."""
    value = coefficients[0]
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
    from_lower = lax.abs(at_lower) < lax.abs(at_upper)
    end = choose(from_lower, lower, upper)
    curvature = horner(derivative(slope), end)
    height = choose(from_lower, at_lower, at_upper)
    reach = lax.sqrt(lax.abs(2.0 * height / not_zero(curvature)))
    guess = choose(from_lower, lower + reach, upper - reach)
    x = choose((guess > lower) & (guess < upper), guess, 0.5 * (lower + upper))
    # a converged point is an end of its bracket, and rounding may point the next step out of it
    rounding = float(jnp.finfo(x.dtype).eps) ** 0.6

    def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        x, lower, upper = state
        value = function(x)
        above = (value > 0) == rising
        upper, lower = choose(above, x, upper), choose(above, lower, x)
        newton = x - value / not_zero(horner(slope, x))
        kept = between(lower, newton, upper)
        x = choose(lax.abs(newton - kept) <= rounding, kept, 0.5 * (lower + upper))
        return x, lower, upper

    x, lower, upper = jnp.broadcast_arrays(x, lower, upper)
    return repeated(step, (x, lower, upper), steps)[0]


def stationary_points(
    coefficients: list[Array], lower: Array, upper: Array, steps: int
) -> Float[Array, "points ..."]:
    """Sorted points that cut [lower, upper] into pieces on which the polynomial is monotonic.

    They are the zeros of the derivative. If it has fewer than degree − 1 zeros in the interval, the
    other points repeat these or the ends. The leading coefficient must be positive and the degree
    at least 3.
    """
    slopes = [derivative(coefficients)]
    while len(slopes[-1]) > 3:
        slopes.append(derivative(slopes[-1]))
    a, b, c = slopes.pop()
    root = lax.sqrt(at_least(b * b - 4.0 * a * c, 0.0))
    lower, upper, a, b, root = jnp.broadcast_arrays(lower, upper, a, b, root)
    points = between(lower, jnp.stack([-b - root, -b + root]) / (2.0 * a), upper)
    if not slopes:
        return points
    # One loop over the derivatives, so that it is compiled once. Those of lower degree have zeros
    # as leading coefficients, and the upper end in the places of the points that they lack.
    count = len(slopes[0])
    zero = lax.full_like(lower, 0.0)
    # `lower` gives the shape here: a coefficient may be one number for all intervals
    padded = [[*([zero] * (count - len(slope))), *slope] for slope in reversed(slopes)]
    table = jnp.stack([jnp.stack(jnp.broadcast_arrays(lower, *slope)[1:]) for slope in padded])
    points = jnp.concatenate([points, jnp.broadcast_to(upper, (count - 3, *upper.shape))])

    def of_next_degree(index: Array, points: Array) -> Array:
        slope = list(lax.dynamic_index_in_dim(table, index, keepdims=False))
        edges = jnp.concatenate([lower[None], points])
        height = horner(slope, edges)
        left, right, low, high = edges[:-1], edges[1:], height[:-1], height[1:]
        crossing = bracketed_root(lambda x: horner(slope, x), derivative(slope), left, right, steps)
        nearer = choose(lax.abs(low) < lax.abs(high), left, right)
        return choose((low < 0) != (high < 0), crossing, nearer)

    return lax.fori_loop(0, len(slopes), of_next_degree, points)


def real_roots(
    function: Callable[[Array], Array],
    coefficients: list[Array],
    lower: Array,
    upper: Array,
    steps: int,
) -> tuple[Float[Array, "degree ..."], Bool[Array, "degree ..."]]:
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
    """The points (k, ...) between the ends of the interval, shape (k + 2, ...)."""
    lower, upper, _ = jnp.broadcast_arrays(lower, upper, points[0])
    return jnp.concatenate([lower[None], points, upper[None]])
