"""The result of sampling a posterior, and the doubts about it."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Array

from ..foundation.errors import InputError
from ..foundation.flags import Flag
from .chain_quality import quality_of
from .fit_result import FitResult
from .intervals import LEVELS
from .parameter_table import shown


CONVERGED = 1.01
"""R-hat from which the chains do not agree (Vehtari et al. 2021)."""

ENOUGH = 400.0
"""Effective samples that quantiles need at least."""

UNLIKE = 1.15
"""Ratio of interval widths, or its inverse, from which a posterior is not Gaussian."""

OPEN = 0.9
"""Mean length of exp(2i phase) below which the phase is open: about two standard errors."""


LEAST_SHARE = 0.01
"""Parts of the draws larger than this get a flag."""


@dataclass(frozen=True)
class Posterior:
    """What `sample_posterior` found. Arrays are numpy, in float64.

    Parameters are in tesla (anisotropy fields, sigma), radians (offset) or without unit (g); p of
    them were sampled.

    Args:
        names: Names of the sampled parameters, p of them; "sigma" is the last one if it was
            unknown.
        samples: The draws in the order of `names`, shape (chains, draws, p).
        mean: Mean of each parameter.
        median: Median of each parameter.
        standard_deviations: Standard deviation of each parameter.
        covariance: Covariance of the sampled parameters, shape (p, p).
        intervals: For each parameter its equal-tailed "68" and "95" % interval as (lower, upper).
        r_hat: Rank-normalized split R-hat of each parameter, without unit (1 if chains agree).
        ess_bulk: Effective number of samples of the middle, for each parameter.
        ess_tail: Effective number of samples of the tails, for each parameter.
        divergences: Number of divergent transitions.
        minima: The minima of χ² that were found, the best first, shape (k, p), without sigma.
        shares: Part of the draws nearest to each minimum, shape (k,).
        accepted_jumps: Part of the proposed jumps between minima that were accepted.
        width_ratio: 68 % interval over that of the fit's standard error (Student's law if sigma is
            unknown), for each parameter but sigma; 1 where the posterior is Gaussian.
        shift: (Median − fitted value)/standard error, for each parameter but sigma; 0 where the
            posterior is Gaussian.
        fit: The fit by least squares, without the bounds of the priors.
        flags: Doubts about the posterior; empty if it raises no doubt.
        convention: "paper" or "physical"; "none" for a model of your own.
        settings: Version, seed, numbers of draws and priors, to draw the same again.
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
        """All draws of one parameter, chains one after the other.

        Args:
            name: One of `names`.

        Returns:
            Draws of shape (chains · draws,), in tesla or radians.

        Raises:
            InputError: If the parameter was not sampled.
        """
        if name not in self.names:
            raise InputError("name", given=name, expected="a sampled parameter", hint="See names")
        return self.samples[..., self.names.index(name)].reshape(-1)

    def amplitude(self) -> np.ndarray:
        """Draws of the amplitude √(B² + (2C)²) of the second harmonic.

        It is never negative. Flat priors on B and C shift it up if it is not larger than its error.

        Returns:
            Draws in tesla, shape (chains · draws,).

        Raises:
            InputError: Unless both B and C were sampled.
        """
        return np.hypot(self.draws("B"), 2 * self.draws("C"))

    def phase(self) -> np.ndarray:
        """Draws of ½ atan2(2C, B), the angle of the anisotropy axis in the plane.

        Returns:
            Draws from −π/2 to π/2 in radians, shape (chains · draws,).

        Raises:
            InputError: Unless both B and C were sampled.
        """
        return 0.5 * np.arctan2(2 * self.draws("C"), self.draws("B"))


Column: TypeAlias = np.ndarray | Array


class Draws(NamedTuple):
    """What a sampler saw, each of shape (chains, draws).

    Args:
        x: Parameters in tesla or radians, with a last axis of length p.
        chi2: Weighted χ².
        nearest: Index of the nearest minimum.
        diverged: Whether the transition diverged.
        jumped: Whether a jump was accepted.
    """

    x: Column
    chi2: Column
    nearest: Column
    diverged: Column
    jumped: Column

    @staticmethod
    def nothing(shape: tuple[int, int], size: int) -> "Draws":
        """NaN draws of `size` parameters, for a posterior without any point of finite density."""
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
    """Moments, intervals, mixing of the chains, and doubts, from draws.

    `samples` (chains, draws, parameters) in the order of `names`, "sigma" last where it was
    sampled; `drawn` the same draws without it, with what the sampler saw; `minima` (k, p) of χ²,
    the best first; `bounds` (lower, upper) of the priors without sigma. Tesla and radians.
    """
    from scipy.special import stdtrit

    flat = samples.reshape(-1, samples.shape[-1])
    levels = [0.5, *(0.5 + side * level / 2 for level, _ in LEVELS.values() for side in (-1, 1))]
    median, *ends = np.quantile(flat, levels, axis=0)
    quality = np.array([quality_of(samples[..., i]) for i in range(len(names))])
    student = 1.0
    if "sigma" in names:
        student = float(stdtrit(max(fit.dof, 1), (1 + LEVELS["68"][0]) / 2))
    width_ratio, shift = {}, {}
    for i, name in enumerate(fit.names):
        # of sigma as it was given, which the posterior takes as known
        error = fit.standard_errors[name] / fit.error_factor
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
        divergences=int(np.sum(drawn.diverged)),
        minima=minima,
        shares=np.bincount(np.ravel(drawn.nearest), minlength=len(minima)) / len(flat),
        accepted_jumps=float(np.mean(drawn.jumped)),
        width_ratio=width_ratio,
        shift=shift,
        fit=fit,
        flags=(),
        convention=fit.convention,
        settings=settings,
    )
    return replace(result, flags=tuple(_doubts(result, *bounds)))


def _doubts(found: Posterior, lower: np.ndarray, upper: np.ndarray) -> list[Flag]:
    """Flags of draws that cannot be trusted, or that say something unusual."""
    if not np.all(np.isfinite(found.samples)):
        message = (
            "There are no draws: from every start, the model has no resonance at one or more "
            "measured angles."
        )
        return [Flag("no-resonance", message)]
    return [
        *_doubts_about_sampling(found),
        *_several_minima(found),
        *_at_bounds(found, lower, upper),
        *_unlike_the_fit(found),
        *_open_phase(found),
        *_misfit(found.fit),
    ]


def _misfit(fit: FitResult) -> list[Flag]:
    """A flag if the residuals contradict sigma, which a posterior does not scale."""
    if fit.error_factor == 1:
        return []
    message = (
        f"The residuals are {fit.error_factor:.3g} times larger than sigma, which the posterior "
        "takes as known: its intervals are too narrow by about this factor. Leave out sigma, or "
        "use another model."
    )
    return [Flag("misfit", message)]


def _doubts_about_sampling(found: Posterior) -> list[Flag]:
    """Flags of chains that disagree, are too short, or diverged."""
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
        message = (
            f"The sampler diverged {found.divergences} times. Do not trust the tails of the "
            "posterior: it may end or bend sharply where a measured angle loses its resonance."
        )
        flags.append(Flag("divergences", message))
    return flags


def _several_minima(found: Posterior) -> list[Flag]:
    """A flag if more than one minimum has a part of the draws."""
    shared = [
        f"{', '.join(_shown(found.fit, n, v) for n, v in zip(found.fit.names, x, strict=True))} "
        f"({share:.0%})"
        for x, share in zip(found.minima, found.shares, strict=True)
        if share > LEAST_SHARE
    ]
    if len(shared) < 2:
        return []
    return [Flag("several-minima", f"The posterior has several minima: {'; '.join(shared)}.")]


def _at_bounds(found: Posterior, lower: np.ndarray, upper: np.ndarray) -> list[Flag]:
    """Flags of parameters with draws in the outer hundredth of their prior."""
    flags = []
    for i, name in enumerate(found.fit.names):
        margin = 0.01 * (upper[i] - lower[i])
        for bound in (lower[i], upper[i]):
            if np.mean(np.abs(found.draws(name) - bound) < margin) > LEAST_SHARE:
                message = (
                    f"{name} reaches its bound ({_shown(found.fit, name, bound)}). Widen the bound."
                )
                flags.append(Flag("at-bound", message))
    return flags


def _shown(fit: FitResult, name: str, value: float) -> str:
    return shown(name, value, fit.kind(name))


def _unlike_the_fit(found: Posterior) -> list[Flag]:
    """Flags of parameters whose interval differs from that of a normal law."""
    return [
        Flag(
            "not-gaussian",
            f"The interval of {name} is {ratio:.2f} times as wide as that of the fit.",
        )
        for name, ratio in found.width_ratio.items()
        if not 1 / UNLIKE < ratio < UNLIKE
    ]


def _open_phase(found: Posterior) -> list[Flag]:
    """A flag if all phases occur: the mean direction is then short."""
    if not {"B", "C"} <= set(found.names) or not abs(np.mean(np.exp(2j * found.phase()))) < OPEN:
        return []
    most = 1e3 * np.quantile(found.amplitude(), 0.95)
    message = (
        f"The phase is not determined: the amplitude is below {most:.1f} mT (95 %) and may be 0."
    )
    return [Flag("open-phase", message)]
