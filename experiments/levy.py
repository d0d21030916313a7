"""Distributions of A and B predicted from the density of close pairs, compared with samples.

If close pairs are independent of each other, their mean number at each distance gives the laws of
A and B by Fourier inversion (see `diffdip.levy_law`). The laws are smooth, and no D is computed.
Pairs are counted in other samples than those of the comparison. KS is the Kolmogorov–Smirnov
distance, the largest difference of cumulative shares. For n values drawn from the law itself, it
exceeds 1.36/√n (0.030 for 2000 values) in one of twenty cases.

Limits: the pairs of one crystal share dipoles that lie nearly in a plane. So their contributions
add up more often than independent ones, and a law that treats all pairs as independent is a few per
cent too narrow. With extra dipoles anywhere, as printed, few pairs count, and the density itself is
noisy, like the samples.

    python experiments/levy.py --out out
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.stats import kstest
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
from diffdip import (
    Ensemble,
    LevyLaw,
    NanocrystalPacking,
    PairDensity,
    UniformCylinder,
    levy_law,
    log_histogram,
    pair_density,
    quantiles,
    simulate,
)
from diffdip.io.writing import json_bytes
from diffdip.report.figures.style import BLUE, GREEN, STYLE, TWO_COLUMNS, VERMILLION


SIZES, QUICK_SIZES = (2, 10, 20, 100), (2, 10)
DRAWN = (10, 100)
SAMPLES, QUICK_SAMPLES, SEED = 2000, 300, 0
MOST_CRYSTALS = 100_000  # limit for the crystals whose pairs are counted for one density
UNIFORM, UNIFORM_DENSITY = 250, 2.0
PER_DECADE = 6
RULES = {
    "uniform": "uniform in a cylinder",
    "anywhere": "extra dipoles anywhere",
    "bond length": "extra dipoles 0.26 nm from others",
}
CSV_HEADER = "convention arrangement n_crystals field from_mT to_mT share_per_decade low high law"

DESCRIPTION = """\
Predict the distributions of A and B from the density of close pairs, and compare with samples.

For uniform dipoles, and for packings in both cases of Fig. 5. Prints medians of |A| and |B| of
the samples and of the law, and the Kolmogorov-Smirnov distance between them. The distance is
printed for three laws: the law, the law with all pairs independent, and the law of the largest
packing, resized.
"""

EPILOG = """\
Writes levy.png, levy.pdf, levy.csv (the histograms) and levy.json. Examples:
  python experiments/levy.py --quick             smaller packings, fewer samples
  python experiments/levy.py --sizes 10 50       other numbers of crystals
"""


class Case(NamedTuple):
    """One arrangement at one size (0 crystals if uniform): samples, and pairs of other samples.

    `resized` is the density of the largest packing with the same rule, scaled to this size.
    """

    rule: str
    n_crystals: int
    ensemble: Ensemble
    pairs: PairDensity
    resized: PairDensity

    @property
    def label(self) -> str:
        return (
            f"$n_\\mathrm{{NC}}$ = {self.n_crystals}" if self.n_crystals else f"{UNIFORM} dipoles"
        )

    def law(self, name: str, kind: str = "law") -> LevyLaw:
        """The law of A or B: `law`, `independent` or `resized`."""
        pairs = self.resized if kind == "resized" else self.pairs
        # when resized, all pairs count as independent: a small packing keeps few close ones
        return levy_law(name, pairs, independent=kind != "law")

    def values(self, name: str) -> np.ndarray:
        """Samples of A or B in tesla."""
        x = getattr(self.ensemble, name)
        return x[np.isfinite(x)]


def run(sizes: Sequence[int] = SIZES, samples: int = SAMPLES, seed: int = SEED) -> list[Case]:
    """Simulate each arrangement, and count the pairs in samples of the next seed, in float64."""
    with jax.enable_x64(True):
        cases = [_case("uniform", 0, UniformCylinder(UNIFORM, UNIFORM_DENSITY), samples, seed)]
        for rule, spacing in (("anywhere", 0.0), ("bond length", 0.26)):
            own = []
            for size in sizes:
                model = NanocrystalPacking(n_crystals=size, extra_spacing=spacing)
                own.append(_case(rule, size, model, samples, seed))
            largest = max(own, key=lambda case: case.n_crystals).pairs
            for case in own:
                resized = largest.resized(case.pairs.dipoles / largest.dipoles)
                cases.append(case._replace(resized=resized))
    return cases


def _case(rule: str, size: int, model: Any, samples: int, seed: int) -> Case:
    count = min(samples, MOST_CRYSTALS // max(1, size))
    pairs = pair_density(model, count, seed + 1)
    return Case(rule, size, simulate(model, samples, seed), pairs, pairs)


def statistics(case: Case, name: str) -> dict[str, Any]:
    """Medians in mT and distances of one case and field."""
    x = case.values(name)
    median = quantiles(np.abs(x), 0.5)
    row: dict[str, Any] = {
        "arrangement": case.rule,
        "n_crystals": case.n_crystals,
        "field": name,
        "samples": len(x),
        "median_mT": 1e3 * float(median.value),
        "low_mT": 1e3 * float(median.low),
        "high_mT": 1e3 * float(median.high),
    }
    with jax.enable_x64(True):
        for kind in ("law", "independent", "resized"):
            law = case.law(name, kind)
            cumulative = lambda x, law=law: np.asarray(law.cumulative(x))
            row[f"{kind}_median_mT"] = 1e3 * float(law.magnitude_quantile(0.5))
            row[f"{kind}_distance"] = float(kstest(x, cumulative).statistic)
    return row


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Medians and distances, from all rows of `statistics`."""
    lines = []
    for name in "AB":
        lines += [
            f"median |{name}| in mT (68 %), of samples and of laws; KS distance of {name}",
            "  arrangement  n_NC       samples              law    KS    "
            "independent    KS    resized    KS",
        ]
        for row in rows:
            if row["field"] != name:
                continue
            sampled = "{median_mT:7.2f} ({low_mT:.2f} to {high_mT:.2f})".format(**row)
            laws = "".join(
                f"{row[f'{kind}_median_mT']:{width}.2f} {row[f'{kind}_distance']:.3f}"
                for kind, width in (("law", 7), ("independent", 13), ("resized", 9))
            )
            size = row["n_crystals"] or ""
            lines.append(f"  {row['arrangement']:11s}  {size:4}  {sampled:25s}{laws}")
    return "\n".join(lines) + "\n"


def drawn(cases: Sequence[Case]) -> list[Case]:
    """The cases in the figure: uniform dipoles, and two sizes of packings."""
    sizes = list(dict.fromkeys(case.n_crystals for case in cases if case.n_crystals))
    shown = DRAWN if set(DRAWN) <= set(sizes) else sizes
    return [case for case in cases if case.n_crystals in (0, *shown[-2:])]


def limits(cases: Sequence[Case]) -> tuple[float, float]:
    """Limits in mT, in whole decades, that contain all but half a per cent at each end."""
    sizes = [1e3 * np.quantile(np.abs(c.values(n)), (0.005, 0.995)) for c in cases for n in "AB"]
    low, high = np.min(sizes), np.max(sizes)
    return 10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high))


def share(law: LevyLaw, size: np.ndarray) -> np.ndarray:
    """Share per decade at `size` (mT)."""
    x = size / 1e3
    with jax.enable_x64(True):
        return math.log(10) * x * np.asarray(law.density(x) + law.density(-x))


def figure(cases: Sequence[Case]) -> Figure:
    """Histograms of |A| and |B| and the laws as lines; one row for each rule, two columns wide."""
    cases = drawn(cases)
    edges = limits(cases)
    grid = np.geomspace(*edges, 200)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(TWO_COLUMNS / 25.4, 130 / 25.4), layout="constrained")
        panels = figure.subplots(len(RULES), 2, sharex=True, sharey=True)
        letters = iter("abcdef")
        for row, (rule, title) in zip(panels, RULES.items(), strict=True):
            own = [case for case in cases if case.rule == rule]
            colors = (GREEN,) if rule == "uniform" else (BLUE, VERMILLION)
            for axes, name in zip(row, "AB", strict=True):
                for index, (case, color) in enumerate(zip(own, colors, strict=False)):
                    _draw(axes, case, name, color, edges, grid, (index + 1) / (len(own) + 1))
                axes.set_xscale("log")
                axes.set_title(f"({next(letters)}) |{name}|, {title}", loc="left")
            row[0].legend(loc="upper left", handlelength=1.2)
            row[0].set_ylabel("share per decade")
        panels[0, 0].set_ylim(bottom=0)
        for axes, name in zip(panels[-1], "AB", strict=True):
            axes.set_xlabel(f"|{name}| (mT)")
        look: dict[str, Any] = {"color": "black", "alpha": 0.3, "linewidth": 0}
        handles = [Line2D([], [], color="black"), Patch(**look)]
        labels = ["law from close pairs", "samples"]
        panels[0, 1].legend(handles, labels, loc="upper left", handlelength=1.2)
    return figure


def _draw(
    axes: Any,
    case: Case,
    name: str,
    color: str,
    edges: tuple[float, float],
    grid: np.ndarray,
    place: float,
) -> None:
    """Draw one histogram with its intervals, and the law."""
    histogram = log_histogram(1e3 * case.values(name), PER_DECADE, edges)
    axes.stairs(histogram.density, histogram.edges, fill=True, color=color, alpha=0.3)
    seen = histogram.counts > 0
    at = histogram.edges[:-1] ** (1 - place) * histogram.edges[1:] ** place
    axes.vlines(at[seen], histogram.low[seen], histogram.high[seen], color=color, linewidth=0.7)
    axes.plot(grid, share(case.law(name), grid), color=color, label=case.label)


def histogram_csv(cases: Sequence[Case]) -> bytes:
    """The histograms as CSV: share per decade with its 68 % interval, and of the law in mid-bin."""
    rows: list[Sequence[Any]] = [CSV_HEADER.split()]
    edges = limits(cases)
    for case in cases:
        for name in "AB":
            h = log_histogram(1e3 * case.values(name), PER_DECADE, edges)
            law = share(case.law(name), np.sqrt(h.edges[:-1] * h.edges[1:]))
            columns = (h.edges[:-1], h.edges[1:], h.density, h.low, h.high, law)
            first = [case.ensemble.convention, case.rule, case.n_crystals or "", name]
            for numbers in zip(*columns, strict=True):
                rows.append([*first, *(f"{x:.6g}" for x in numbers)])
    return csv_bytes(rows)


def files(cases: Sequence[Case], rows: Sequence[dict[str, Any]]) -> dict[str, bytes]:
    """All files of the script, by name; `rows` are those of `statistics`."""
    some = cases[0].ensemble.settings
    sizes = ", ".join(dict.fromkeys(str(case.n_crystals) for case in cases if case.n_crystals))
    convention = cases[0].ensemble.convention
    made = made_by(
        f"levy.py --samples {some['n_samples']} --seed {some['seed']}; n_NC = {sizes}", convention
    )
    document = {
        "diffdip": diffdip.__version__,
        "convention": convention,
        "ensembles": [case.ensemble.settings for case in cases],
        "statistics": rows,
        "densities": [
            {
                "arrangement": case.rule,
                "n_crystals": case.n_crystals,
                "dipoles": float(case.pairs.dipoles),
                "first_edge_nm": float(case.pairs.smallest),
                "bins_per_decade": case.pairs.per_decade,
                "close_bins": int(case.pairs.split),
                "pairs": np.asarray(case.pairs.pairs),
            }
            for case in cases
        ],
    }
    return {
        **picture_files("levy", figure(cases), made),
        "levy.csv": histogram_csv(cases),
        "levy.json": json_bytes(document),
    }


def main(argv: list[str] | None = None) -> None:
    parser = parser_of("levy", DESCRIPTION, EPILOG, SEED)
    options, amount = parse_amount(
        parser, argv, Amount(SIZES, SAMPLES), Amount(QUICK_SIZES, QUICK_SAMPLES)
    )
    cases = run(*amount, options.seed)
    rows = [statistics(case, name) for name in "AB" for case in cases]
    finish(parser, options, files(cases, rows), table(rows))


if __name__ == "__main__":
    main()
