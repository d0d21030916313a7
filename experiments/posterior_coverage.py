"""How often do the intervals of `sample_posterior` contain the truth?

Series are made from uniformly drawn A, B, C and Gaussian noise. The noise σ is given or unknown.
The 68 and 95 % intervals should contain the truth in 68 and 95 % of the series, within the
statistical uncertainty of the count.

    python experiments/posterior_coverage.py --out out
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from script import finish, parse_series, parser_of

import diffdip
from diffdip import AnisotropyFields, resonance_field, sample_posterior
from diffdip.io.writing import json_bytes


SERIES, QUICK_SERIES = 50, 8
FREQUENCY = 9.45e9  # Hz
NOISE = 2e-3  # tesla
WIDTH = (0.15, 0.15, 0.06)  # largest |A|, |B|, |C| in tesla
LEVELS = {"68": 0.6827, "95": 0.9545}
DOUBTS = {"chains-disagree", "few-effective-samples"}
"""Codes of flags that are counted."""

DESCRIPTION = __doc__.split("\n\n")[0]
EPILOG = """\
Writes posterior_coverage.json. Example:
  python experiments/posterior_coverage.py --quick     8 series of each kind
"""


class Row(NamedTuple):
    """One kind of series. `inside`: for each level, how often the intervals of A, B, C hold."""

    angles: int
    sigma_known: bool
    series: int
    inside: dict[str, list[int]]
    r_hat: float
    ess: float
    divergences: int
    flagged: int
    seconds: float


def run(series: int = SERIES, seed: int = 0) -> list[Row]:
    """All kinds: 19 and 6 angles, with σ known and unknown."""
    return [row(n, known, series, seed) for n in (19, 6) for known in (True, False)]


def row(angles: int, known: bool, series: int, seed: int) -> Row:
    """Sample the posterior of each series, and count."""
    rng = np.random.default_rng([seed, angles, known])
    angle = np.linspace(0, np.pi, angles, endpoint=False)
    inside = {label: np.zeros(3, int) for label in LEVELS}
    worst, least, divergences, flagged, times = 0.0, np.inf, 0, 0, []
    for i in range(series):
        truth = rng.uniform(-1, 1, 3) * WIDTH
        with jax.enable_x64(True):
            energy = AnisotropyFields(*truth)
            clean = np.asarray(resonance_field(energy, jnp.asarray(angle), FREQUENCY))
        field = clean + NOISE * rng.normal(size=angles)
        start = time.perf_counter()
        sigma = NOISE if known else None
        found = sample_posterior(
            angle, field, sigma, frequency=FREQUENCY, seed=seed + i, progress=False
        )
        times.append(time.perf_counter() - start)
        for label, count in inside.items():
            low, high = np.array([found.intervals[name][label] for name in "ABC"]).T
            count += (low < truth) & (truth < high)
        worst = max(worst, *found.r_hat.values())
        least = min(least, *found.ess_bulk.values(), *found.ess_tail.values())
        divergences += found.divergences
        flagged += any(flag.code in DOUBTS for flag in found.flags)
    counts = {label: count.tolist() for label, count in inside.items()}
    median = float(np.median(times))
    return Row(angles, known, series, counts, worst, least, divergences, flagged, median)


def allowed(level: float, series: int) -> tuple[float, float]:
    """Counts within three standard deviations of the binomial law."""
    spread = 3 * np.sqrt(level * (1 - level) * series)
    return level * series - spread, level * series + spread


def table(rows: Sequence[Row]) -> str:
    """How often the intervals contain A, B, C, and the state of the chains."""
    lines = []
    for one in rows:
        sigma = "known" if one.sigma_known else "unknown"
        lines.append(f"{one.angles} angles, sigma {sigma}, {one.series} series")
        for label, count in one.inside.items():
            low, high = allowed(LEVELS[label], one.series)
            verdict = "as stated" if low <= min(count) and max(count) <= high else "DIFFERS"
            shown = ", ".join(map(str, count))
            lines.append(
                f"  {label} %: A, B, C inside {shown} times, expected {low:.0f} to {high:.0f}: "
                f"{verdict}"
            )
        lines.append(
            f"  R-hat up to {one.r_hat:.4f}, effective samples from {one.ess:.0f}, "
            f"{one.divergences} divergences, {one.flagged} series with a flag; "
            f"{one.seconds:.2f} s each"
        )
    return "\n".join(lines) + "\n"


def files(rows: Sequence[Row], seed: int) -> dict[str, bytes]:
    """All files of the script, by name."""
    document: dict[str, Any] = {
        "diffdip": diffdip.__version__,
        "convention": "paper",
        "seed": seed,
        "frequency_Hz": FREQUENCY,
        "noise_T": NOISE,
        "truth_within_T": list(WIDTH),
        "rows": [one._asdict() for one in rows],
    }
    return {"posterior_coverage.json": json_bytes(document)}


def main(argv: list[str] | None = None) -> None:
    parser = parser_of("posterior_coverage", DESCRIPTION, EPILOG)
    options, series = parse_series(parser, argv, SERIES, QUICK_SERIES)
    rows = run(series, options.seed)
    finish(parser, options, files(rows, options.seed), table(rows))


if __name__ == "__main__":
    main()
