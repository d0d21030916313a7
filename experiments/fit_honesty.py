"""How often is a fit wrong by more than three of its errors, and says nothing?

Series are made from random parameters and fitted. Their noise is white, correlated between
neighbours, or white with two wrong points; or there are few points, or a six-fold term that the
model lacks. A fit is *wrong* if a parameter is more than three standard errors from the truth, or
more than the quantile of Student's t that is as rare where the errors come from the scatter of the
points. It is *silent* if no flag doubts it. Those are also counted that are wrong by errors times
the factors that the note on correlated noise tells. The table also has the coverage of the 68 and
95 % intervals, and the median of the largest of these factors of a fit.

    python experiments/fit_honesty.py --out out
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
from script import csv_bytes, finish, parse_series, parser_of

import diffdip as dd
from diffdip.io.writing import json_bytes


SERIES, QUICK_SERIES = 500, 2
NOISE = 1e-4  # tesla
LOW, HIGH = 9.45e9, 34e9  # Hz
CORRELATION = 0.7
"""Between neighbours, in the kind "correlated"."""

WRONG_POINT = 30 * NOISE
LACKING = 20 * NOISE
"""The six-fold field that the model lacks, in the kind "lacks a term"."""

NOTES = {"angle-read-as-negative", "reading-note"}
"""Codes that do not doubt the numbers."""

THREE = float(scipy.stats.norm.sf(3))
"""Probability beyond three standard deviations on one side."""

DISTURBANCES = ("white", "correlated", "two wrong points", "few points", "lacks a term")

DESCRIPTION = __doc__.split("\n\n")[0]
EPILOG = """\
Writes fit_honesty.csv and fit_honesty.json. Example:
  python experiments/fit_honesty.py --quick     2 series of each kind
"""


class Kind(NamedTuple):
    """What is measured, and what is fitted.

    Args:
        settings: Plane and frequency of each rotation.
        truth: Draws the parameters.
        model: What is fitted.
        g: As for `fit_joint`.
        loss: As for `fit_joint`.
        sigma: Whether the fit knows the noise.
    """

    settings: Sequence[tuple[str, float]]
    truth: Callable[[np.random.Generator], dict[str, float]]
    model: Any
    g: Any = 2.0
    loss: str = "linear"
    sigma: bool = True


def _in_plane(rng: np.random.Generator) -> dict[str, float]:
    return dict(zip("ABC", rng.uniform(-1, 1, 3) * (0.06, 0.06, 0.03), strict=True))


def _tensor(rng: np.random.Generator) -> dict[str, float]:
    return _in_plane(rng) | {"Cxz": rng.uniform(-0.03, 0.03), "Cyz": rng.uniform(-0.03, 0.03)}


def _film(rng: np.random.Generator) -> dict[str, float]:
    return {
        "Meff": rng.uniform(0.8, 1.2),
        "B4": rng.uniform(0.01, 0.04),
        "phi_4": rng.uniform(0.1, 0.6),
    }


ONE, TWO = [("xy", LOW)], [("xy", LOW), ("xz", LOW)]
ABC = dd.InPlaneModel()
KINDS: Mapping[str, Kind] = {
    "A, B, C": Kind(ONE, _in_plane, ABC),
    "A, B, C, noise unknown": Kind(ONE, _in_plane, ABC, sigma=False),
    "A, B, C, soft_l1": Kind(ONE, _in_plane, ABC, loss="soft_l1"),
    "two frequencies, g free": Kind([("xy", LOW), ("xy", HIGH)], _in_plane, ABC, dd.Free()),
    "full tensor, two planes": Kind(TWO, _tensor, dd.FullTensorModel()),
    "film, four-fold, two planes, g free": Kind(
        TWO, _film, dd.TermsModel(["thin-film", "four-fold"]), dd.Free()
    ),
}


class Row(NamedTuple):
    """Counts of one kind of fit and one disturbance.

    `noted` fits have a note on correlated noise. `wrong_as_told_and_silent` are without a flag, and
    wrong by errors times the factors of the note. `largest_factor` is the median over fits.
    """

    kind: str
    disturbance: str
    fits: int
    inside_68: float
    inside_95: float
    flagged: int
    wrong: int
    wrong_and_silent: int
    noted: int
    wrong_as_told_and_silent: int
    largest_factor: float
    seconds: float


def run(series: int = SERIES, seed: int = 0, kinds: Sequence[str] = tuple(KINDS)) -> list[Row]:
    """All kinds with all disturbances."""
    return [
        count(name, KINDS[name], disturbance, series, [seed, i, j])
        for i, name in enumerate(kinds)
        for j, disturbance in enumerate(DISTURBANCES)
    ]


def count(name: str, kind: Kind, disturbance: str, series: int, seed: Sequence[int]) -> Row:
    """Fit series, and compare the results with the truth."""
    rng = np.random.default_rng(seed)
    inside, parameters = np.zeros(2), 0
    flagged = wrong = silent = noted = silent_as_told = 0
    largest = []
    start = time.perf_counter()
    for _ in range(series):
        truth = kind.truth(rng) | {"g": 2.0}
        measured = [made(kind, truth, plane, nu, disturbance, rng) for plane, nu in kind.settings]
        fit = dd.fit_joint(measured, g=kind.g, model=kind.model, loss=kind.loss)
        errors = np.array([fit.standard_errors[n] for n in fit.names])
        off = np.array([fit.values[n] - truth[n] for n in fit.names])
        doubted = bool({flag.code for flag in fit.flags} - NOTES)
        limit = 3.0 if kind.sigma else scipy.stats.t.isf(THREE, max(fit.dof, 1))
        is_wrong = bool(np.any(~(np.abs(off) <= limit * errors)))  # an unknown error is wrong
        flagged += doubted
        wrong += is_wrong
        silent += is_wrong and not doubted
        noise = fit.correlated_noise
        told = noise is not None and bool(noise.note)
        factors = np.array([noise.factors[n] for n in fit.names] if noise else [np.nan])
        noted += told
        enlarged = errors * factors if told else errors
        silent_as_told += bool(np.any(~(np.abs(off) <= limit * enlarged))) and not doubted
        largest.append(np.max(factors))
        for n in fit.names:
            parameters += 1
            for k, (low, high) in enumerate(fit.intervals[n].values()):
                inside[k] += low <= truth[n] <= high
    shares = 100 * inside / max(parameters, 1)
    seconds = time.perf_counter() - start
    known = np.array(largest)[np.isfinite(largest)]
    return Row(
        name,
        disturbance,
        series,
        *shares.tolist(),
        flagged,
        wrong,
        silent,
        noted,
        silent_as_told,
        float(np.median(known)) if len(known) else np.nan,
        seconds,
    )


def made(
    kind: Kind,
    truth: Mapping[str, float],
    plane: str,
    frequency: float,
    disturbance: str,
    rng: np.random.Generator,
) -> dd.Series:
    """One measured rotation, every 10 degrees."""
    step = 30 if disturbance == "few points" else 10
    angle = np.radians(np.arange(0, 180, step))
    with jax.enable_x64(True):
        values = {name: jnp.asarray(value) for name, value in truth.items()}
        energy = kind.model(values)
        if disturbance == "lacks a term":
            energy = energy + dd.InPlaneAnisotropy(LACKING, 6, 0.2)
        field = np.array(dd.resonance_field(energy, jnp.asarray(angle), frequency, plane=plane))
    noise = rng.normal(size=len(angle))
    if disturbance == "correlated":
        for i in range(1, len(noise)):
            noise[i] = CORRELATION * noise[i - 1] + np.sqrt(1 - CORRELATION**2) * noise[i]
    field += NOISE * noise
    if disturbance == "two wrong points":
        field[rng.choice(len(field), 2, replace=False)] += WRONG_POINT * rng.choice([-1, 1], 2)
    sigma = NOISE if kind.sigma else None
    return dd.Series(angle, field, sigma, frequency=frequency, plane=plane)


def table(rows: Sequence[Row]) -> str:
    """The counts as lines of text."""
    heads = "  68 %   95 %  flagged  wrong  silent  noted  as told  factor"
    lines = [f"{'kind':36s}{'disturbance':18s}{heads}"]
    for row in rows:
        lines.append(
            f"{row.kind:36s}{row.disturbance:18s}{row.inside_68:6.1f}{row.inside_95:7.1f}"
            f"{row.flagged:9d}{row.wrong:7d}{row.wrong_and_silent:8d}{row.noted:7d}"
            f"{row.wrong_as_told_and_silent:9d}{row.largest_factor:8.1f} of {row.fits}"
        )
    return "\n".join(lines) + "\n"


def files(rows: Sequence[Row], seed: int) -> dict[str, bytes]:
    """All files of the script, by name."""
    document = {
        "diffdip": dd.__version__,
        "seed": seed,
        "noise_T": NOISE,
        "rows": [row._asdict() for row in rows],
    }
    return {
        "fit_honesty.csv": csv_bytes([Row._fields, *rows]),
        "fit_honesty.json": json_bytes(document),
    }


def main(argv: list[str] | None = None) -> None:
    parser = parser_of("fit_honesty", DESCRIPTION, EPILOG)
    options, series = parse_series(parser, argv, SERIES, QUICK_SERIES)
    rows = run(series, options.seed)
    finish(parser, options, files(rows, options.seed), table(rows))


if __name__ == "__main__":
    main()
