"""Fits with any differentiable loss, minimized with Optax."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from ..foundation.convention import Convention
from ..foundation.errors import check_count
from .anisotropy_models import Model
from .least_squares_problem import Design
from .parameters import Parameter
from .problem import FitProblem
from .series import Series, stack_series


if TYPE_CHECKING:
    import optax

Loss: TypeAlias = Callable[[jax.Array], jax.Array]
"""From the residuals of all points to a number."""

STARTS = 8
"""The loss is minimized from this many starts, those with the smallest loss."""

LEARNING_RATE = 0.05
"""Of Adam at the first step, in units of 0.1 T and 0.1 rad."""


@dataclass(frozen=True)
class LossFit:
    """What `fit_loss` found.

    Args:
        values: Value of each parameter: tesla for anisotropy fields, radians for offsets.
        loss: The loss before the last step, without unit.
        history: The loss before each step, shape (steps,).
        converged: Whether the loss changed by less than 10⁻⁶ of itself in the last tenth of the
            steps.
        convention: "paper" or "physical"; "none" for a model of your own.
    """

    values: dict[str, float]
    loss: float
    history: np.ndarray
    converged: bool
    convention: str


def fit_loss(
    series: Sequence[Series],
    loss: Loss,
    *,
    g: Parameter = 2.0,
    offset: Parameter | Sequence[Parameter] = 0.0,
    parameters: Mapping[str, Parameter] | None = None,
    model: Model | None = None,
    convention: Convention | str | None = None,
    optimizer: "optax.GradientTransformation | None" = None,
    steps: int = 2000,
) -> LossFit:
    """Minimize a loss function of your own over the parameters of `fit_joint`, by gradient.

    Searches from the best of the points where the least-squares fit starts. There are no errors of
    the parameters, because a loss is not a likelihood.

    Args:
        series: One or more `Series`. Give sigma for all of them or for none.
        loss: From the residuals (field − predicted)/sigma of all measured points, shape (n,), to a
            number. Residuals are in mT where sigma is unknown. At a point without resonance the
            residual is the whole field.
        g: As for `fit_joint`.
        offset: As for `fit_joint`.
        parameters: As for `fit_joint`.
        model: As for `fit_joint`.
        convention: As for `fit_joint`.
        optimizer: From Optax, for variables in units of 0.1 T and 0.1 rad. Default: Adam with a
            learning rate that falls from 0.05 to 0.
        steps: Number of steps. Default: 2000.

    Returns:
        Values of the parameters, and the history of the loss.

    Raises:
        InputError: As for `fit_joint`, and for fewer than one step.

    >>> import numpy as np, jax.numpy as jnp
    >>> angle = np.deg2rad(np.arange(0, 180, 20))
    >>> one = Series(angle, 0.258 - 0.0197 * np.cos(2 * angle), frequency=9.45e9)
    >>> fit = fit_loss([one], lambda r: jnp.sum(jnp.log(jnp.cosh(r))), steps=300)
    >>> print(f"A = {1e3 * fit.values['A']:.0f} mT")
    A = 121 mT
    """
    check_count("steps", steps)
    import optax

    problem = FitProblem.of(
        series,
        g=g,
        offset=offset,
        parameters=parameters,
        model=model,
        loss="linear",
        convention=convention,
    )
    design, data, _ = stack_series(series)
    used = np.flatnonzero(data.weight[0] > 0)
    measured = data.field[0, used], data.weight[0, used]
    schedule = optax.cosine_decay_schedule(LEARNING_RATE, steps)
    chosen = optax.adam(schedule) if optimizer is None else optimizer
    starts = np.concatenate([problem.hints(design, data).x[0], problem.starts(design)])
    # Optax mixes integers and floats
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        y = problem.parameters.unbounded(starts)
        x, history = _descend(problem, loss, chosen, steps, design, used, measured, y)
        values = {name: float(v) for name, v in problem.parameters.values(x).items()}
    history = np.asarray(history)
    tail = history[-max(steps // 10, 1) :]
    change = float(np.ptp(tail))
    return LossFit(
        values=values,
        loss=float(history[-1]),
        history=history,
        convention=problem.convention,
        converged=bool(change <= 1e-6 * max(abs(float(history[-1])), 1e-12)),
    )


@partial(jax.jit, static_argnums=(1, 2, 3))
def _descend(
    problem: FitProblem,
    loss: Loss,
    optimizer: "optax.GradientTransformation",
    steps: int,
    design: Design,
    used: jax.Array,
    measured: tuple[jax.Array, jax.Array],
    y: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """The best end of all searches (p,), and its history of the loss (steps,).

    `y` are the starts in the optimizer's variables, shape (s, p).
    """
    from optax import apply_updates

    field, weight = measured

    def objective(y: jax.Array) -> jax.Array:
        predicted = problem.predict(problem.parameters.bounded(y), design)[used]
        return loss(weight * (field - jnp.where(jnp.isnan(predicted), 0, predicted)))

    def descend(y: jax.Array) -> tuple[jax.Array, jax.Array]:
        def step(carry: Any, _: None) -> tuple[Any, jax.Array]:
            y, state = carry
            value, gradient = jax.value_and_grad(objective)(y)
            update, state = optimizer.update(gradient, state, y)
            return (apply_updates(y, update), state), value

        (y, _), history = jax.lax.scan(step, (y, optimizer.init(y)), length=steps)
        return y, history

    _, best = jax.lax.top_k(-jax.vmap(objective)(y), STARTS)
    y, history = jax.vmap(descend)(y[best])
    lowest = jnp.argmin(jnp.nan_to_num(history[:, -1], nan=jnp.inf))
    return problem.parameters.bounded(y[lowest]), history[lowest]
