"""Whether chains of draws agree, and how many independent draws they are worth."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class ChainQuality(NamedTuple):
    """Quality of the draws of one parameter (Vehtari et al. 2021), without unit.

    Args:
        r_hat: Rank-normalized split R-hat: the larger one of location and spread.
        ess_bulk: Effective sample size of the middle.
        ess_tail: Effective sample size of the 5 and 95 % quantiles: the smaller one.
    """

    r_hat: float
    ess_bulk: float
    ess_tail: float


def quality_of(draws: Float[np.ndarray, "chains draws"]) -> ChainQuality:
    """The quality of these draws; NaN and no effective samples if one of them is not finite."""
    from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

    if not np.all(np.isfinite(draws)):
        return ChainQuality(np.nan, 0.0, 0.0)
    half = draws.shape[1] // 2
    split = np.concatenate([draws[:, :half], draws[:, -half:]])
    folded = np.abs(draws - np.median(draws))
    r_hat = max(float(split_gelman_rubin(_normal_scores(x))) for x in (draws, folded))
    tails = [split <= np.quantile(split, level) for level in (0.05, 0.95)]
    tail = min(float(effective_sample_size(side.astype(float))) for side in tails)
    return ChainQuality(r_hat, float(effective_sample_size(_normal_scores(split))), tail)


def _normal_scores(draws: np.ndarray) -> np.ndarray:
    """Quantiles of the normal law at the ranks of the draws."""
    from scipy.stats import norm, rankdata

    return norm.ppf((rankdata(draws).reshape(draws.shape) - 0.375) / (draws.size + 0.25))
