"""The second route to a fit: any differentiable loss, minimized with Optax."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..foundation.convention import Convention
from .parameters import Parameter
from .problem import FitProblem, Model, Series, stack_series


Loss = Callable[[jax.Array], jax.Array]

STARTS = 8


@dataclass(frozen=True)
class LossFit:
    """Result of `fit_loss`: parameters by name (tesla, radians), the loss there, and its history.

    `converged` says that the last tenth of the steps lowered the loss by less than 10⁻⁶ of it.
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
    optimizer: optax.GradientTransformation | None = None,
    steps: int = 2000,
) -> LossFit:
    """Minimize a loss of one's own over the parameters of `fit_joint`, by gradient.

    `loss` maps the residuals of all measured points, (field − predicted)/σ (in mT where sigma is
    unknown), to a number; a point without resonance has its whole field as residual. Starts
    from the same points as the least-squares fit. `optimizer` defaults to Adam with a
    learning rate that falls from 0.05 to 0 (in units of 0.1 T, 0.1 rad). It gives no errors of the
    parameters: a loss is not a likelihood.

    >>> import numpy as np, jax.numpy as jnp
    >>> angle = np.deg2rad(np.arange(0, 180, 20))
    >>> one = Series(angle, 0.258 - 0.0197 * np.cos(2 * angle), frequency=9.45e9)
    >>> fit = fit_loss([one], lambda r: jnp.sum(jnp.log(jnp.cosh(r))), steps=300)
    >>> print(f"A = {1e3 * fit.values['A']:.0f} mT")
    A = 121 mT
    """
    problem = FitProblem.of(series, g, offset, parameters, model, "linear", convention)
    design, data, _ = stack_series(series)
    used = np.flatnonzero(data.weight[0] > 0)
    measured = data.field[0, used], data.weight[0, used]
    schedule = optax.cosine_decay_schedule(0.05, steps)
    chosen = optax.adam(schedule) if optimizer is None else optimizer
    starts = np.concatenate(
        [problem.hints(series, [s.field for s in series]), problem.starts(series)]
    )
    # Optax mixes integers and floats
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        x, history = _descend(problem, loss, chosen, steps, design, used, measured, starts)
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
    optimizer: optax.GradientTransformation,
    steps: int,
    design: Any,
    used: jax.Array,
    measured: tuple[jax.Array, jax.Array],
    starts: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    field, weight = measured

    def objective(y: jax.Array) -> jax.Array:
        predicted = problem.predict(problem.parameters.bounded(y), design)[used]
        return loss(weight * (field - jnp.where(jnp.isnan(predicted), 0, predicted)))

    def descend(y: jax.Array) -> tuple[jax.Array, jax.Array]:
        def step(carry: Any, _: None) -> tuple[Any, jax.Array]:
            y, state = carry
            value, gradient = jax.value_and_grad(objective)(y)
            update, state = optimizer.update(gradient, state, y)
            return (optax.apply_updates(y, update), state), value

        (y, _), history = jax.lax.scan(step, (y, optimizer.init(y)), length=steps)
        return y, history

    y = jax.vmap(problem.parameters.unbounded)(starts)
    _, best = jax.lax.top_k(-jax.vmap(objective)(y), STARTS)
    y, history = jax.vmap(descend)(y[best])
    lowest = jnp.argmin(jnp.nan_to_num(history[:, -1], nan=jnp.inf))
    return problem.parameters.bounded(y[lowest]), history[lowest]
