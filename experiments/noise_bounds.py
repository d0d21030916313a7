"""How well does the note on correlated noise hold, by the noise and by the number of points?

Straight lines stand for the fit: the derivatives of a resonance field with A, B and C, at angles
over half a turn. Noise is white, correlated between neighbours, or half of each. An estimate is
*wrong* if A, B or C is more than three of its errors from the truth (where the errors come from the
scatter of the points, more than the quantile of Student's t that is as rare), as stated, or times
the factors of the note, whether or not a flag tells that residuals of neighbours are alike.

    python experiments/noise_bounds.py --out out
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.signal
import scipy.stats
from script import csv_bytes, finish, parse_series, parser_of

from diffdip.fitting.correlated_noise import correlated_noise
from diffdip.fitting.neighbours import basis_of, likeness, next_to
from diffdip.fitting.residual_structure import CORRELATED


SERIES, QUICK_SERIES = 1000, 20
POINTS = (18, 36, 72, 180, 458)
THREE = float(scipy.stats.norm.sf(3))
"""Probability beyond three standard deviations on one side."""

DESCRIPTION = __doc__.split("\n\n")[0]
EPILOG = """\
Writes noise_bounds.csv. Example:
  python experiments/noise_bounds.py --quick     20 series of each kind
"""


class Noise(NamedTuple):
    """The noise of a series, whose variance is 1 where sigma is all of it.

    Args:
        rho: Correlation of neighbours in the part that is correlated.
        part: Variance of that part.
        white: Variance of the white part.
        shuffled: Whether the angles are measured in random order.
    """

    rho: float
    part: float = 1.0
    white: float = 0.0
    shuffled: bool = False

    def drawn(self, rng: np.random.Generator, series: int, points: int) -> np.ndarray:
        """Noise of shape (series, points)."""
        drift = rng.normal(size=(series, points))
        drift[:, 1:] *= np.sqrt(1 - self.rho**2)
        drift = scipy.signal.lfilter([1.0], [1.0, -self.rho], drift, axis=1)
        return np.sqrt(self.part) * drift + np.sqrt(self.white) * rng.normal(size=drift.shape)


KINDS = {
    "white": Noise(0.0),
    "0.5": Noise(0.5),
    "0.7": Noise(0.7),
    "0.9": Noise(0.9),
    "half 0.7, half white": Noise(0.7, 0.5, 0.5),
    "half 0.9, half white": Noise(0.9, 0.5, 0.5),
    "0.7 beside sigma": Noise(0.7, 1.0, 1.0),
    "0.9 beside sigma": Noise(0.9, 1.0, 1.0),
    "0.7, random order": Noise(0.7, shuffled=True),
}


class Row(NamedTuple):
    """What the fits of one kind say; shares are in per cent, factors and ratios those of A, B, C.

    `below` counts bounds that are not below the correlation, `bound` and the factors are medians,
    `ninth_decile` is that of the largest factor. The ratios are those of true errors to errors by
    sigma.
    """

    noise: str
    points: int
    sigma_known: bool
    below: float
    bound: float
    factor_A: float
    factor_B: float
    factor_C: float
    ninth_decile: float
    noted: float
    flagged: float
    wrong: float
    wrong_as_told: float
    ratio_A: float
    ratio_B: float
    ratio_C: float


def row(name: str, points: int, series: int, seed: Sequence[int], *, known: bool) -> Row:
    """Estimate from many series of one kind."""
    noise, rng = KINDS[name], np.random.default_rng(seed)
    angle = np.pi * np.arange(points) / points
    if noise.shuffled:
        angle = rng.permutation(angle)
    jacobian = np.stack([np.ones(points), np.cos(2 * angle), np.sin(2 * angle)], axis=1)
    drawn = noise.drawn(rng, series, points)
    off = drawn @ np.linalg.pinv(jacobian).T
    left = drawn - off @ jacobian.T
    found = [correlated_noise("ABC", r, jacobian, [points], known_sigma=known) for r in left]
    order, pairs = np.argsort(angle), next_to(points)
    basis = basis_of(jacobian[order])
    flagged = [likeness(r[order], basis, pairs).is_above(CORRELATED) for r in left]
    freedom = points - 3
    size = np.ones(series) if known else np.sqrt(np.sum(left**2, axis=1) / freedom)
    by_sigma = np.abs(off) / np.sqrt(np.diagonal(np.linalg.inv(jacobian.T @ jacobian)))
    limit = 3.0 if known else scipy.stats.t.isf(THREE, freedom)
    distance = by_sigma / size[:, None] / limit
    factors = np.array([list(one.factors.values()) for one in found if one is not None])
    noted = np.array([bool(one.note) for one in found if one is not None])
    bounds = np.array([one.correlation for one in found if one is not None])
    told = np.where(noted[:, None], factors, 1.0)
    return Row(
        name,
        points,
        known,
        100 * float(np.mean(bounds >= noise.rho)),
        float(np.median(bounds)),
        *np.median(factors, axis=0).tolist(),
        float(np.quantile(factors.max(axis=1), 0.9)),
        100 * float(np.mean(noted)),
        100 * float(np.mean(flagged)),
        100 * float(np.mean(np.any(distance > 1, axis=1))),
        100 * float(np.mean(np.any(distance > told, axis=1))),
        *np.sqrt(np.mean(by_sigma**2, axis=0)).tolist(),
    )


def run(series: int = SERIES, seed: int = 0, points: Sequence[int] = POINTS) -> list[Row]:
    """All kinds of noise and all numbers of points, with sigma known and unknown."""
    return [
        row(name, count, series, [seed, i, count], known=known)
        for count in points
        for i, name in enumerate(KINDS)
        for known in (True, False)
    ]


def table(rows: Sequence[Row]) -> str:
    """The rows as lines of text."""
    lines = [
        f"{'noise':22s}points sigma   below bound   A    B    C   9/10  noted flagged wrong as told"
        "  true errors"
    ]
    for one in rows:
        lines.append(
            f"{one.noise:22s}{one.points:5d} {'known  ' if one.sigma_known else 'unknown'}"
            f"{one.below:6.1f}{one.bound:6.2f}{one.factor_A:5.1f}{one.factor_B:5.1f}"
            f"{one.factor_C:5.1f}{one.ninth_decile:6.1f}{one.noted:7.1f}{one.flagged:7.1f}{one.wrong:7.1f}"
            f"{one.wrong_as_told:8.1f}  {one.ratio_A:.2f} {one.ratio_B:.2f} {one.ratio_C:.2f}"
        )
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> None:
    parser = parser_of("noise_bounds", DESCRIPTION, EPILOG)
    options, series = parse_series(parser, argv, SERIES, QUICK_SERIES)
    rows = run(series, options.seed)
    finish(parser, options, {"noise_bounds.csv": csv_bytes([Row._fields, *rows])}, table(rows))


if __name__ == "__main__":
    main()
