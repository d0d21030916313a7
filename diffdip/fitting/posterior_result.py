"""What draws from a posterior say, and what is doubtful about them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit
from scipy.stats import norm, rankdata

from ..foundation.flags import Flag
from .diagnosis import shown
from .least_squares import LEVELS
from .series_fit import FitResult


CONVERGED = 1.01
"""R-hat from which chains are said not to agree (Vehtari et al. 2021)."""

ENOUGH = 400.0
"""Effective samples that quantiles need at least."""

UNLIKE = 1.15
"""Ratio of interval widths, or its inverse, from which a posterior is called not Gaussian."""

OPEN = 0.9
"""Mean length of exp(2i phase) below which the phase is called open: about two standard errors."""


@dataclass(frozen=True)
class Posterior:
    """Draws from a posterior and what they say. Tesla and radians; arrays are numpy, in float64.

    `samples` has shape (chains, draws, parameters), the parameters in the order of `names`, with
    "sigma" (tesla) last where it was unknown. `intervals` are equal-tailed, "68" and "95" %, as
    those of `FitResult`. `r_hat` is rank-normalized and split (the larger of location and
    spread); `ess_bulk` and `ess_tail` are effective sample sizes of the middle and of the tails.
    `minima` (k, p) are the minima of χ² that were found, the best first, and `shares` the part of
    the draws nearest to each. `width_ratio` is the 68 % interval over that of the fit's standard
    error (Student's law where sigma is unknown), `shift` median − fitted value in standard errors:
    1 and 0 where the posterior is Gaussian. `flags` are the doubts about it,
    empty if there are none; `settings` say how to draw the same again.
    """

    names: tuple[str, ...]
    samples: np.ndarray
    mean: dict[str, float]
    median: dict[str, float]
    standard_deviations: dict[str, float]
    covariance: np.ndarray
    intervals: dict[str, dict[str, tuple[float, float]]]
    r_hat: dict[str, float]
    ess_bulk: dict[str, float]
    ess_tail: dict[str, float]
    divergences: int
    minima: np.ndarray
    shares: np.ndarray
    accepted_jumps: float
    width_ratio: dict[str, float]
    shift: dict[str, float]
    fit: FitResult
    flags: tuple[Flag, ...]
    convention: str
    settings: dict[str, Any]

    def draws(self, name: str) -> np.ndarray:
        """All draws of one parameter, chains one after the other. Raises `KeyError`."""
        if name not in self.names:
            raise KeyError(f"{name} was not sampled: one of {', '.join(self.names)}")
        return self.samples[..., self.names.index(name)].reshape(-1)

    def amplitude(self) -> np.ndarray:
        """Draws of √(B² + (2C)²) in tesla, never negative: flat priors on B and C shift it up
        where it is not larger than its error. Raises `KeyError` unless both were sampled."""
        return np.hypot(self.draws("B"), 2 * self.draws("C"))

    def phase(self) -> np.ndarray:
        """Draws of ½ atan2(2C, B), the angle of the axis in the plane, −π/2 to π/2 (radians).

        Raises `KeyError` unless B and C were both sampled."""
        return 0.5 * np.arctan2(2 * self.draws("C"), self.draws("B"))


@dataclass(frozen=True)
class Draws:
    """Parameters x, weighted χ², the nearest minimum, divergences and accepted jumps."""

    x: np.ndarray
    chi2: np.ndarray
    nearest: np.ndarray
    diverged: np.ndarray
    jumped: np.ndarray

    @staticmethod
    def nothing(shape: tuple[int, int], size: int) -> "Draws":
        """NaN for (chains, draws) of so many parameters, where no point has finite density."""
        nan, no = np.full(shape, np.nan), np.zeros(shape, bool)
        return Draws(np.full((*shape, size), np.nan), nan, no.astype(int), no, no)


def posterior_of(
    names: tuple[str, ...],
    samples: np.ndarray,
    drawn: Draws,
    minima: np.ndarray,
    fit: FitResult,
    bounds: tuple[np.ndarray, np.ndarray],
    settings: dict[str, Any],
) -> Posterior:
    """What draws say: moments, intervals, how well the chains mix, and doubts in words.

    `samples` (chains, draws, parameters) in the order of `names`, "sigma" last where it was
    sampled; `drawn` the same draws without it, with what the sampler saw; `minima` (k, p) of χ²,
    the best first; `bounds` (lower, upper) of the priors without sigma. Tesla and radians.
    """
    flat = samples.reshape(-1, samples.shape[-1])
    levels = [0.5, *(0.5 + side * level / 2 for level, _ in LEVELS.values() for side in (-1, 1))]
    median, *ends = np.quantile(flat, levels, axis=0)
    quality = np.array([_quality(samples[..., i]) for i in range(len(names))])
    student = 1.0
    if "sigma" in names:
        student = float(stdtrit(max(fit.dof, 1), (1 + LEVELS["68"][0]) / 2))
    width_ratio, shift = {}, {}
    for i, name in enumerate(fit.names):
        error = fit.standard_errors[name]
        width_ratio[name] = float((ends[1][i] - ends[0][i]) / (2 * student * error))
        shift[name] = float((median[i] - fit.values[name]) / error)

    def named(values: Any) -> dict[str, float]:
        return dict(zip(names, np.asarray(values).tolist(), strict=True))

    result = Posterior(
        names=names,
        samples=samples,
        mean=named(flat.mean(axis=0)),
        median=named(median),
        standard_deviations=named(flat.std(axis=0, ddof=1)),
        covariance=np.atleast_2d(np.cov(flat.T)),
        intervals={
            name: {
                label: (float(ends[2 * level][i]), float(ends[2 * level + 1][i]))
                for level, label in enumerate(LEVELS)
            }
            for i, name in enumerate(names)
        },
        r_hat=named(quality[:, 0]),
        ess_bulk=named(quality[:, 1]),
        ess_tail=named(quality[:, 2]),
        divergences=int(drawn.diverged.sum()),
        minima=minima,
        shares=np.bincount(drawn.nearest.reshape(-1), minlength=len(minima)) / len(flat),
        accepted_jumps=float(drawn.jumped.mean()),
        width_ratio=width_ratio,
        shift=shift,
        fit=fit,
        flags=(),
        convention=fit.convention,
        settings=settings,
    )
    return replace(result, flags=tuple(_doubts(result, *bounds)))


def _quality(draws: Float[np.ndarray, "chains draws"]) -> tuple[float, float, float]:
    """R-hat, and effective sample sizes of the middle and of the tails (Vehtari et al. 2021)."""
    from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

    if not np.all(np.isfinite(draws)):
        return np.nan, 0.0, 0.0
    half = draws.shape[1] // 2
    split = np.concatenate([draws[:, :half], draws[:, -half:]])
    folded = np.abs(draws - np.median(draws))
    r_hat = max(float(split_gelman_rubin(_normal_scores(x))) for x in (draws, folded))
    tails = [split <= np.quantile(split, level) for level in (0.05, 0.95)]
    tail = min(float(effective_sample_size(side.astype(float))) for side in tails)
    return r_hat, float(effective_sample_size(_normal_scores(split))), tail


def _normal_scores(draws: np.ndarray) -> np.ndarray:
    return norm.ppf((rankdata(draws).reshape(draws.shape) - 0.375) / (draws.size + 0.25))


def _doubts(found: Posterior, lower: np.ndarray, upper: np.ndarray) -> list[Flag]:
    """Flags of draws that cannot be trusted, or that say something unusual."""
    if not np.all(np.isfinite(found.samples)):
        return [
            Flag(
                "no-resonance",
                "There are no draws: from every start the model has no resonance at some measured "
                "angle.",
            )
        ]
    flags: list[Flag] = []
    apart = [f"{n} ({r:.3f})" for n, r in found.r_hat.items() if not r < CONVERGED]
    if apart:
        message = f"The chains do not agree: R-hat of {', '.join(apart)}. Draw more samples."
        flags.append(Flag("chains-disagree", message))
    least = min([*found.ess_bulk.values(), *found.ess_tail.values()])
    if least < ENOUGH:
        message = f"There are only {least:.0f} effective samples. Draw more."
        flags.append(Flag("few-effective-samples", message))
    if found.divergences:
        flags.append(
            Flag(
                "divergences",
                f"The sampler diverged {found.divergences} times: the posterior ends or bends "
                "sharply where a measured angle loses its resonance.",
            )
        )
    shared = [
        f"{', '.join(shown(n, v) for n, v in zip(found.fit.names, x, strict=True))} ({share:.0%})"
        for x, share in zip(found.minima, found.shares, strict=True)
        if share > 0.01
    ]
    if len(shared) > 1:
        message = f"Several minima share the posterior: {'; '.join(shared)}."
        flags.append(Flag("several-minima", message))
    for i, name in enumerate(found.fit.names):
        margin = 0.01 * (upper[i] - lower[i])
        for bound in (lower[i], upper[i]):
            if np.mean(np.abs(found.draws(name) - bound) < margin) > 0.01:
                message = f"{name} reaches its bound ({shown(name, bound)}): the prior matters."
                flags.append(Flag("at-bound", message))
    flags += [
        Flag(
            "not-gaussian",
            f"{name} is not Gaussian: its interval is {ratio:.2f} times as wide as the fit's.",
        )
        for name, ratio in found.width_ratio.items()
        if not 1 / UNLIKE < ratio < UNLIKE
    ]
    # the mean direction is short where all phases occur
    both = {"B", "C"} <= set(found.names)
    if both and abs(np.mean(np.exp(2j * found.phase()))) < OPEN:
        most = 1e3 * np.quantile(found.amplitude(), 0.95)
        flags.append(
            Flag(
                "open-phase",
                f"The phase is not determined: the amplitude is below {most:.1f} mT (95 %) and may "
                "be 0.",
            )
        )
    return flags + [flag for flag in found.fit.flags if flag.code == "misfit"]
