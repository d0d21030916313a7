"""The soft-l1 loss Σ 2 (√(1 + r²) − 1) of residuals r in units of their scale.

Large residuals pull with constant force. The scale is σ where it is known. Where it is not, it is
that of an S-estimate: the least M-scale s among the ends of all searches, with
Σ χ(residual/s) = (n − p)/2 and χ the bisquare, which half of the points cannot spoil
(P. J. Rousseeuw, V. J. Yohai, Robust regression by means of S-estimators, 1984).

If noise is normal, a residual has E ψ′ = E (1 + r²)^(−3/2) and E ψ² = E r²/(1 + r²).
"""

import numpy as np
from jaxtyping import Bool, Float

from .closed_form_starts import robust_curve
from .curvature import Curvature, curvature_of
from .least_squares_problem import Data, Design, Problem
from .minimization import Minimized, minimized
from .predictions import predicted_fields
from .search import LEAST_STARTS


SLOPE, SQUARE, FOURTH = 0.5648908, 0.3443205, 0.1886409
"""E ψ′, E ψ² and E ψ⁴ of normal noise of variance 1."""

WIDTH = 1.547645
"""Half-width of the bisquare whose mean is 1/2 for normal noise."""

FAR = 5.0
"""Residuals beyond this many scales are wrong points: their mean influence is not that of noise."""

BOUND = 4.685
"""Residuals beyond this many scales count alike where minima are compared."""

LEAST_SCALE = 1e-9
"""Smallest unknown scale (mT), that of rounding."""

TIGHT = 0.2
"""The part of its own scale that a search uses: nearly the sum of distances, which resists more."""

ROUNDS = 12
"""Rounds in which each search follows its own scale, at most."""

SETTLED = 0.02
"""Relative change of a scale below which its search goes on with it."""

REPEATS = 3
"""Runs of the last search, at most: where points are far, the loss is bent only near zero."""


def m_scale(
    residual: Float[np.ndarray, "v n"],
    used: Bool[np.ndarray, "v n"],
    freedom: Float[np.ndarray, " v"],
    tolerance: float = 1e-3,
) -> Float[np.ndarray, " v"]:
    """The robust scale of residuals where `used`, in their unit; `freedom` is n − p."""
    size = np.where(used, np.abs(residual), 0.0)
    target = 0.5 * np.maximum(freedom, 1)
    scale = np.sqrt(np.sum(size**2, axis=1) / np.maximum(freedom, 1)) + LEAST_SCALE
    for _ in range(200):
        t = np.minimum((size / (WIDTH * scale[:, None])) ** 2, 1)
        rise = np.sqrt(np.sum(t * (3 - 3 * t + t * t), axis=1) / target)
        scale = np.maximum(scale * rise, LEAST_SCALE)
        if np.all((np.abs(rise - 1) < tolerance) | (scale <= LEAST_SCALE)):
            break
    return scale


def without_far_points(design: Design, data: Data) -> Data:
    """The data without points far from a robust smooth curve through each series, for starts."""
    weight = data.weight.copy()
    first = 0
    for where in design.where:
        part = slice(first, first + len(where))
        first += len(where)
        if where.ndim > 1:  # directions have no order
            continue
        used = weight[:, part] > 0
        curve, size = robust_curve(np.asarray(where), data.field[:, part], used)
        left = data.field[:, part] - curve
        count = np.sum(used, axis=1)
        scale = m_scale(left, used, np.maximum(count - size, 1.0))
        near = np.abs(left) <= FAR * scale[:, None]
        enough = np.sum(used & near, axis=1, keepdims=True) > 2 * size
        weight[:, part] = np.where(near | ~enough, weight[:, part], 0.0)
    return Data(data.field, weight, data.many)


def robustly_searched(
    problem: Problem,
    design: Design,
    data: Data,
    starts: Float[np.ndarray, "s p"],
    hints: Float[np.ndarray, "m h p"],
    *,
    known_sigma: bool,
) -> tuple[Minimized, Float[np.ndarray, " m"]]:
    """The minima of the loss of each data set, and the scale in units of 1/weight.

    Searched from the hints and from the best of the common `starts`, by the sum of the sizes of the
    residuals. Each search first follows the scale of its own residuals, from far to near.
    """
    m, _, size = hints.shape
    used = data.weight > 0
    freedom = np.sum(used, axis=1) - size

    def residuals(x: np.ndarray) -> np.ndarray:
        predicted = predicted_fields(problem, design, x.reshape(-1, size), many=data.many)
        return data.weight[:, None] * (data.field[:, None] - predicted.reshape(*x.shape[:2], -1))

    def scale_at(x: np.ndarray, tolerance: float = 1e-3) -> np.ndarray:
        lanes = x.shape[1]
        left = residuals(x).reshape(m * lanes, -1)
        rows = np.repeat(used, lanes, axis=0)
        found = m_scale(left, rows, np.repeat(freedom, lanes).astype(float), tolerance)
        return np.maximum(found, 1.0 if known_sigma else 0.0).reshape(m, lanes)

    predicted = predicted_fields(problem, design, starts, many=data.many)
    cost = [
        np.sum(w * np.abs(f - predicted), axis=-1)
        for f, w in zip(data.field, data.weight, strict=True)
    ]
    best = np.argsort(cost, axis=1)[:, : max(LEAST_STARTS, 4 * size) // 2]
    x = np.concatenate([hints, starts[best]], axis=1)
    scale = np.full(x.shape[:2], np.inf)
    for _ in range(ROUNDS):
        new = scale_at(x)
        moving = ~(np.abs(new / scale - 1) < SETTLED)
        scale = new
        if not moving.any():
            break
        x = minimized(problem, design, data, x, scale=TIGHT * scale).x
    least = np.min(scale, axis=1)
    common = np.ones(m) if known_sigma else least

    each = np.repeat(common[:, None], x.shape[1], axis=1)
    converged = np.zeros(x.shape[:2], bool)
    for _ in range(REPEATS):
        x, _, converged = minimized(problem, design, data, x, scale=each)
        if converged.all():
            break
    # not by a σ that is far too small, beside which all points are far from all minima
    return Minimized(x, bounded_loss(residuals(x) / least[:, None, None]), converged), common


def loss_of(residual: Float[np.ndarray, "... n"]) -> Float[np.ndarray, "..."]:
    """The soft-l1 loss of residuals in units of their scale."""
    return np.sum(2 * (np.sqrt(1 + residual**2) - 1), axis=-1)


def bounded_loss(residual: Float[np.ndarray, "... n"]) -> Float[np.ndarray, "..."]:
    """The bisquare loss, r² for small residuals and the same for all that are far.

    It compares minima: one wrong point may pull all others by so much that their soft-l1 loss is
    lower than at the truth.
    """
    t = np.minimum((residual / BOUND) ** 2, 1)
    return np.sum(BOUND**2 / 3 * t * (3 - 3 * t + t * t), axis=-1)


def robust_curvature(
    jacobian: Float[np.ndarray, "m n p"], residual: Float[np.ndarray, "m n"]
) -> tuple[Curvature, Float[np.ndarray, "m p p"]]:
    """The curvature of the loss, and the covariance of its minimum, in units of the scale.

    H⁻¹ G H⁻¹ with H = Jᵀ E ψ′ J and G = Jᵀ E ψ² J: means of normal noise for all points but those
    that are far, which count with their own ψ′ and ψ². So few points need no estimate of either.
    """
    far = np.abs(residual) > FAR
    bent = 1 / (1 + residual**2)
    slope = np.where(far, bent**1.5, SLOPE)
    square = np.where(far, residual**2 * bent, SQUARE)
    curvature = curvature_of(np.sqrt(slope)[..., None] * jacobian)
    # apart from far points G is a multiple of H: no difference of large numbers where H is singular
    extra = np.sqrt(np.maximum(square - SQUARE / SLOPE * slope, 0) * far)[..., None] * jacobian
    pull = extra @ curvature.inverse
    return curvature, SQUARE / SLOPE * curvature.inverse + np.swapaxes(pull, 1, 2) @ pull


def beside_sigma(residual: Float[np.ndarray, " n"], freedom: int) -> tuple[float, float]:
    """How much larger residuals are than σ, and by how many standard deviations that is unlikely.

    `residual` over σ, without far points. Compares the mean of ψ² with that of normal noise.
    """
    near = residual[np.abs(residual) <= FAR]
    left = freedom - (len(residual) - len(near))
    if left < 1:
        return 1.0, 0.0
    grown = near**2 * len(near) / left
    excess = np.mean(grown / (1 + grown)) - SQUARE
    ratio = m_scale(residual[None], np.ones((1, len(residual)), bool), np.array([float(freedom)]))
    return float(ratio[0]), float(excess / np.sqrt((FOURTH - SQUARE**2) / left))
