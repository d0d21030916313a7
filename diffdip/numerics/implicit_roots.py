"""Derivatives of a solution by the implicit-function theorem."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .elementwise import choose, not_zero


Root = TypeVar("Root")


def implicit_root(
    residual: Callable[[Root, Any], Root],
    root: Root,
    arguments: Any,
    solve: Callable[[Root, Any, Root], Root] | None = None,
) -> Root:
    """The `root` of residual(root, arguments) = 0 as a differentiable function of `arguments`.

    The value is returned unchanged; how it was found does not matter. Its derivative is
    −(∂r/∂x)⁻¹ ∂r/∂a. The rule calls this function again for the root in that expression, so that
    forward, reverse and repeated differentiation all work. At a fold (∂r/∂x singular) the
    derivative does not exist.

    Args:
        residual: As many equations as unknowns.
        root: A scalar array, or a pytree of them.
        arguments: A pytree of floating arrays.
        solve: The function (x, a, y) → (∂r/∂x)⁻¹ y. By default that for one unknown.
    """
    if solve is None:
        solve = lambda point, given, change: (
            change / not_zero(jax.jacfwd(residual)(point, given))  # type: ignore[return-value]
        )

    @jax.custom_jvp
    def solution(root: Root, arguments: Any) -> Root:
        return root

    @solution.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        root, arguments = primals
        point = solution(root, arguments)
        _, change = jax.jvp(lambda a: residual(point, a), (arguments,), (tangents[1],))
        return point, jax.tree.map(lambda x: -x, solve(point, arguments, change))

    # the root must be batched wherever the arguments are, or repeated differentiation under
    # vmap meets shapes that differ; the condition is constant and costs nothing

    def as_batched(x: Array) -> Array:
        sums = (jnp.sum(leaf).astype(x.dtype) for leaf in jax.tree.leaves(arguments))
        return choose(jnp.array(True), x, jnp.broadcast_to(sum(sums), x.shape))

    batched = jax.tree.map(as_batched, root)
    return solution(jax.lax.stop_gradient(batched), arguments)
