"""Derivatives of a solution by the implicit-function theorem."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def solve_small(matrix: Float[Array, "..."], vector: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Solve a linear equation for one unknown, or for three by Cramer's rule.

    Cramer's rule vectorizes under vmap. The determinant of a singular matrix is replaced by 1, so
    that the result is never NaN.
    """
    if vector.ndim == 0:
        return vector / jnp.where(matrix == 0, 1, matrix)
    a, b, c = matrix[:, 0], matrix[:, 1], matrix[:, 2]
    adjugate = jnp.stack([jnp.cross(b, c), jnp.cross(c, a), jnp.cross(a, b)])
    determinant = a @ adjugate[0]
    return adjugate @ vector / jnp.where(determinant == 0, 1, determinant)


def newton_step(
    residual: Callable[[Array], Array], point: Float[Array, "*n"]
) -> Float[Array, "*n"]:
    """One Newton step towards a root of `residual`, for a scalar or three unknowns."""
    return point - solve_small(jax.jacfwd(residual)(point), residual(point))


def implicit_root(
    residual: Callable[[Array, Any], Array], root: Float[Array, "*n"], arguments: Any
) -> Float[Array, "*n"]:
    """The `root` of residual(root, arguments) = 0 as a differentiable function of `arguments`.

    The value is returned unchanged; how it was found does not matter. Its derivative is
    −(∂r/∂x)⁻¹ ∂r/∂a. The rule calls this function again for the root in that expression, so that
    forward, reverse and repeated differentiation all work. `arguments` is a pytree of floating
    arrays. At a fold (∂r/∂x singular) the derivative does not exist.
    """

    @jax.custom_jvp
    def solution(root: Array, arguments: Any) -> Array:
        return root

    @solution.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        root, arguments = primals
        point = solution(root, arguments)
        jacobian = jax.jacfwd(residual)(point, arguments)
        _, change = jax.jvp(lambda a: residual(point, a), (arguments,), (tangents[1],))
        return point, -solve_small(jacobian, change)

    # the root must be batched wherever the arguments are, or repeated differentiation under
    # vmap meets shapes that differ; the condition is constant and costs nothing
    root = jnp.where(True, root, residual(root, arguments))
    return solution(jax.lax.stop_gradient(root), arguments)
