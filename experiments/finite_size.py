"""How the widths of A and B depend on the number of crystals.

Medians of |A| and |B| in units of µ0M for both cases of Fig. 5, and for the same number of dipoles
placed uniformly at the same M; from 2 crystals to 10⁶ dipoles. For many dipoles, theory predicts
the widths from the probability P that a pair is closer than x. If P is proportional to x^(3a), a
field has a tail of index a. The sum over pairs is divided by the number of dipoles n, so widths are
proportional to n^(1/a − 1):

    uniform in the volume                P ~ x³    a = 1      independent of n (Cauchy)
    extra dipoles anywhere, as printed   P ~ x²    a = 2/3    growing as n^(+1/2)
    extra dipoles at a bond length       P ~ x⁴    a = 4/3    shrinking as n^(−1/4) in the end

The last line is for dipoles on different crystals. The gap between two crystals that are not
neighbours in the packing can have any size (a factor x), one dipole must be near the narrowest
place (x), and the other near the first dipole (x²). Such pairs are rare. Up to 1000 crystals, pairs
with a smallest distance dominate, and widths are roughly proportional to n^(−1/2).

    python experiments/finite_size.py --out out
"""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from script import (
    Amount,
    csv_bytes,
    finish,
    made_by,
    parse_amount,
    parser_of,
    picture_files,
)

import diffdip
from diffdip import Ensemble, NanocrystalPacking, UniformCylinder, cauchy_law, quantiles, simulate
from diffdip.ensembles.simulation import BatchPlan
from diffdip.foundation.units import MU_0
from diffdip.io.writing import json_bytes
from diffdip.report.figures.style import BLUE, GREEN, STYLE, TWO_COLUMNS, VERMILLION


SIZES = (2, 5, 10, 20, 50, 100, 200, 500, 1000)
LARGE = (3000, 10_000, 30_000, 100_000)
"""Larger packings, up to 10⁶ dipoles; only this script by itself computes them."""
QUICK_SIZES = (2, 20, 100)  # as in Fig. 5, so that its samples can be used
SAMPLES, QUICK_SAMPLES, SEED = 2000, 300, 0
SECONDS, QUICK_SECONDS = 8.0, 0.5
FEWEST, FEWEST_LARGE = 48, 16

CSV_HEADER = (
    "convention arrangement field n_crystals dipoles samples mu0_M_mT median_mT "
    "low_mT high_mT median_over_mu0_M low_over_mu0_M high_over_mu0_M"
)
KINDS = {
    "anywhere": ("extra dipoles anywhere", VERMILLION, "s"),
    "bond length": ("extra dipoles 0.26 nm from others", BLUE, "o"),
    "uniform": ("uniform in the cylinder", GREEN, "^"),
}
"""Label, color and marker of each arrangement."""

DESCRIPTION = """\
Medians of |A| and |B| against the number of crystals.

For packings with extra dipoles anywhere, as printed, for packings whose extra dipoles keep the bond
length from the others on their crystal, and for the same number of dipoles placed uniformly at the
same magnetization M. For large packings, the number of samples is limited by time.
"""

EPILOG = """\
Writes finite_size.png, finite_size.pdf, finite_size.csv and finite_size.json. The number of samples
of large packings depends on the speed of the machine. The files state it. Examples:
  python experiments/finite_size.py                  up to 100 000 crystals, a quarter of an hour
  python experiments/finite_size.py --quick          up to 100 crystals
  python experiments/finite_size.py --seconds 60     smaller errors
"""


class Row(NamedTuple):
    """One arrangement at one size: |A|/µ0M and |B|/µ0M as (median, low, high), and µ0M in tesla."""

    kind: str
    n_crystals: int
    dipoles: float
    mu0_M: float
    samples: int
    A: tuple[float, float, float]
    B: tuple[float, float, float]
    settings: dict[str, Any]


def run(
    sizes: Sequence[int] = SIZES,
    samples: int = SAMPLES,
    seconds: float = SECONDS,
    seed: int = SEED,
    known: Mapping[tuple[float, int], Ensemble] | None = None,
) -> list[Row]:
    """Simulate each arrangement at each size, in float64.

    Args:
        sizes: Numbers of crystals.
        samples: Largest number of samples of each.
        seconds: Time for each; large packings get fewer samples.
        seed: Seed of all samples.
        known: Ensembles of `figure5.run` with the same `samples` and `seed`; they are used again.
    """
    known = known or {}
    rows = []
    with jax.enable_x64(True):
        for size in sizes:
            dipoles = volume = 0.0
            fewest = FEWEST_LARGE if size in LARGE else FEWEST
            for kind, spacing in (("anywhere", 0.0), ("bond length", 0.26)):
                model = NanocrystalPacking(n_crystals=size, extra_spacing=spacing)
                ensemble = known.get((spacing, size))
                if ensemble is None:
                    ensemble = _sample(model, samples, fewest, seconds, seed)
                rows.append(row(kind, size, ensemble))
                dipoles, volume = rows[-1].dipoles, float(model.volume)
            count = round(dipoles)
            model = UniformCylinder(n=count, density=dipoles / volume)
            rows.append(row("uniform", size, _sample(model, samples, fewest, seconds, seed)))
    return rows


def _sample(model: Any, samples: int, fewest: int, seconds: float, seed: int) -> Ensemble:
    """Simulate at most `samples` samples in about `seconds`; the first ones are always the same."""
    step = BatchPlan.make(model, samples, seed, None, None).size
    simulate(model, 1, seed, progress=False)  # compiles
    start = time.perf_counter()
    simulate(model, step, seed, progress=False)
    steps = int(seconds / (time.perf_counter() - start))
    return simulate(model, min(samples, max(fewest, steps * step)), seed)


def row(kind: str, size: int, ensemble: Ensemble) -> Row:
    """The row of an ensemble."""
    kept = np.isfinite(ensemble.M)
    middle = {}
    for name in "AB":
        ratio = getattr(ensemble, name)[kept] / (MU_0 * ensemble.M[kept])
        found = quantiles(np.abs(ratio), 0.5)
        middle[name] = (float(found.value), float(found.low), float(found.high))
    dipoles, field = float(np.mean(ensemble.n_dipoles[kept])), MU_0 * float(ensemble.M[kept].mean())
    return Row(kind, size, dipoles, field, int(kept.sum()), **middle, settings=ensemble.settings)


def exponent(rows: Sequence[Row], kind: str, name: str, from_size: int = 0) -> float:
    """Exponent of n in the medians, by least squares of logarithms; NaN for one size."""
    kept = [row for row in rows if row.kind == kind and row.n_crystals >= from_size]
    if len(kept) < 2:
        return math.nan
    sizes = [row.n_crystals for row in kept]
    return float(np.polyfit(np.log(sizes), np.log([getattr(row, name)[0] for row in kept]), 1)[0])


def table(rows: Sequence[Row]) -> str:
    """Medians in units of µ0M with 68 % intervals, and the exponents of n."""
    lines = []
    for kind in KINDS:
        own = [row for row in rows if row.kind == kind]
        lines += [
            KINDS[kind][0],
            "   n_NC    dipoles  samples  µ0M (mT)  median |A|/µ0M (68 %)      "
            "median |B|/µ0M (68 %)      |B| (mT)",
        ]
        for one in own:
            a, b = (f"{x[0]:7.3f} ({x[1]:.3f} to {x[2]:.3f})" for x in (one.A, one.B))
            lines.append(
                f"  {one.n_crystals:5d}  {one.dipoles:9.1f}  {one.samples:7d}  "
                f"{1e3 * one.mu0_M:8.3f}  {a:25s}  {b:25s}  {1e3 * one.mu0_M * one.B[0]:7.2f}"
            )
        middle = sorted(row.n_crystals for row in own)[len(own) // 2]
        powers = [exponent(rows, kind, "B"), exponent(rows, kind, "B", middle)]
        if math.isnan(powers[0]):
            continue
        lines.append(
            f"  |B| is proportional to n^{powers[0]:+.2f}, and to n^{powers[1]:+.2f} "
            f"from n_NC = {middle} on"
        )
    return "\n".join(lines) + "\n"


def figure(rows: Sequence[Row]) -> Figure:
    """Medians of |A| and |B| against the number of crystals; two columns wide."""
    sizes = np.array(sorted({row.n_crystals for row in rows if row.kind != "uniform"}), float)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(TWO_COLUMNS / 25.4, 80 / 25.4), layout="constrained")
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        for letter, axes, name in zip("ab", panels, "AB", strict=True):
            start = {}
            for kind, (label, color, marker) in KINDS.items():
                own = [row for row in rows if row.kind == kind]
                value, low, high = np.array([getattr(row, name) for row in own]).T
                bounds = [value - np.where(np.isfinite(low), low, value), high - value]
                bounds[1] = np.where(np.isfinite(bounds[1]), bounds[1], 0)
                axes.errorbar(
                    [row.n_crystals for row in own],
                    value,
                    bounds,
                    fmt=marker,
                    color=color,
                    markersize=4,
                    elinewidth=0.8,
                    label=label,
                )
                start[kind] = value
            with jax.enable_x64(True):
                weight = float(cauchy_law(name, 1.0).half_width)
            axes.axhline(weight, color=GREEN, linestyle="--", linewidth=0.8)
            fall = start["bond length"][0] * (sizes / sizes[0]) ** -0.5
            axes.plot(sizes, fall, "--", color=BLUE, linewidth=0.8)
            rise = start["anywhere"][-1] * (sizes / sizes[-1]) ** 0.5
            shown = rise > 0.7 * min(start["anywhere"])
            axes.plot(sizes[shown], rise[shown], "--", color=VERMILLION, linewidth=0.8)
            axes.set_xscale("log")
            axes.set_yscale("log")
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter("{x:g}")
                axis.set_minor_formatter(NullFormatter())
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.set_xlabel(r"number of crystals $n_\mathrm{NC}$")
            axes.set_ylabel(rf"median |{name}| / $\mu_0M$")
            axes.set_title(f"({letter}) |{name}|", loc="left")
        for slope, color in ((r"$n^{+1/2}$", VERMILLION), (r"$n^{-1/2}$", BLUE)):
            panels[1].plot([], [], "--", color=color, linewidth=0.8, label=slope)
        panels[1].plot([], [], "--", color=GREEN, linewidth=0.8, label="Cauchy law")
        entries = list(zip(*panels[1].get_legend_handles_labels(), strict=True))
        lines, points = entries[: len(KINDS)], entries[len(KINDS) :]
        paired = [entry for pair in zip(points, lines, strict=True) for entry in pair]
        handles, labels = zip(*paired, strict=True)
        figure.legend(handles, labels, loc="outside upper center", ncols=len(KINDS))
    return figure


def rows_csv(rows: Sequence[Row]) -> bytes:
    """The medians as CSV: one row for each arrangement, field and size."""
    lines: list[Sequence[Any]] = [CSV_HEADER.split()]
    for one in rows:
        for name in "AB":
            ratio = np.array(getattr(one, name))
            numbers = [1e3 * one.mu0_M, *(1e3 * one.mu0_M * ratio), *ratio]
            lines.append(
                [one.settings["model"]["convention"], one.kind, name, one.n_crystals]
                + [f"{one.dipoles:.6g}", one.samples]
                + [f"{x:.6g}" if math.isfinite(x) else "" for x in numbers]
            )
    return csv_bytes(lines)


def files(rows: Sequence[Row]) -> dict[str, bytes]:
    """All files of the script, by name."""
    seed, convention = rows[0].settings["seed"], rows[0].settings["model"]["convention"]
    made = made_by(
        f"finite_size.py --seed {seed}; at most {max(row.samples for row in rows)} samples",
        convention,
    )
    document = {
        "diffdip": diffdip.__version__,
        "convention": convention,
        "seed": seed,
        "rows": [row._asdict() for row in rows],
        "exponents_of_n": {
            kind: {name: exponent(rows, kind, name) for name in "AB"} for kind in KINDS
        },
    }
    return {
        **picture_files("finite_size", figure(rows), made),
        "finite_size.csv": rows_csv(rows),
        "finite_size.json": json_bytes(document),
    }


def main(argv: list[str] | None = None) -> None:
    parser = parser_of("finite_size", DESCRIPTION, EPILOG, SEED)
    parser.add_argument(
        "--seconds",
        type=float,
        help=f"approximate time for each row: {SECONDS:g}, with --quick {QUICK_SECONDS:g}",
    )
    options, amount = parse_amount(
        parser, argv, Amount((*SIZES, *LARGE), SAMPLES), Amount(QUICK_SIZES, QUICK_SAMPLES)
    )
    seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)
    rows = run(*amount, seconds, options.seed)
    finish(parser, options, files(rows), table(rows))


if __name__ == "__main__":
    main()
