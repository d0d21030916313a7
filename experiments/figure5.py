"""Fig. 5 of the paper: distributions of A and B among packings of nanocrystals.

Ensembles with n_NC = 2, 10, 20 and 100 crystals. The paper states a bond length between the ten
dipoles of a crystal, but none between an extra dipole and the others. As printed, an extra dipole
can thus be at any distance r from a neighbour on its own surface: P(r < x) ~ x², |B| has a tail of
index 2/3, and the distributions are those of the published figure.

Such pairs are not physical: at 100 crystals the strongest one is 0.08 nm apart on one crystal, less
than a third of a bond. If extra dipoles keep the bond length as well, only dipoles of different
crystals come closer. This is rarer, the tail is shorter, and the widths fall with n_NC. Both cases
are drawn, the print first.

    python experiments/figure5.py --out out
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import figure1
import jax
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
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
    NanocrystalPacking,
    cauchy_law,
    compare_measured,
    log_histogram,
    quantiles,
    same_distribution,
    simulate,
    tail_index,
)
from diffdip.foundation.units import MU_0
from diffdip.io.writing import json_bytes
from diffdip.report.figures.style import BLUE, GRAY, GREEN, ORANGE, STYLE, TWO_COLUMNS, VERMILLION


SIZES, QUICK_SIZES = (2, 10, 20, 100), (2, 20, 100)  # each size takes long to compile
SPACINGS = (0.0, 0.26)
"""`extra_spacing` in nm: the print, and the physical rule."""

SAMPLES, QUICK_SAMPLES, SEED = 2000, 300, 0
PER_DECADE = 4
TAIL = 0.05
CSV_HEADER = (
    "convention field extra_spacing_nm n_crystals from_mT to_mT count share_per_decade low high "
    "cauchy_law"
)
COLORS = (ORANGE, GREEN, BLUE, VERMILLION)

Ensembles = Mapping[tuple[float, int], Ensemble]
"""By `extra_spacing` (nm) and number of crystals."""

DESCRIPTION = """\
Reproduce Fig. 5: distributions of |A| and |B| of random packings with 2, 10, 20, 100 crystals.

There are two cases: extra dipoles lie anywhere, as printed, or they keep the bond length from the
others on their crystal, which is the physical rule. The figure also shows the Cauchy law of
uncorrelated dipoles of the same density. Prints medians with 68 % intervals, 1 % and 99 % points,
the decades between them, the index of the tail (Hill, from the largest 5 %), and the percentiles of
the published samples I and II. All fields are in mT, in the convention `paper`.
"""

EPILOG = """\
Writes figure5.png, figure5.pdf, figure5.csv (the histograms) and figure5.json (the table and its
settings). Examples:
  python experiments/figure5.py --quick               300 samples each, without 10 crystals
  python experiments/figure5.py --samples 20000       smoother histograms
"""


def run(
    sizes: Sequence[int] = SIZES,
    samples: int = SAMPLES,
    seed: int = SEED,
    spacings: Sequence[float] = SPACINGS,
) -> dict[tuple[float, int], Ensemble]:
    """Simulate all ensembles in float64, by (extra_spacing, number of crystals).

    The rule does not change the shape of arrays, so each size is compiled once.
    """
    ensembles = {}
    with jax.enable_x64(True):
        for size, spacing in itertools.product(sizes, spacings):
            model = NanocrystalPacking(n_crystals=size, extra_spacing=spacing)
            ensembles[spacing, size] = simulate(model, samples, seed)
    return {key: ensembles[key] for key in itertools.product(spacings, sizes)}


def field(ensemble: Ensemble, name: str) -> np.ndarray:
    """|A| or |B| of each sample in mT."""
    return 1e3 * np.abs(getattr(ensemble, name))


def mean_field(ensemble: Ensemble) -> float:
    """µ0M in tesla, the mean of all samples."""
    return MU_0 * float(np.nanmean(ensemble.M))


def published(name: str) -> list[float]:
    """A or B of samples I and II in mT."""
    return [getattr(sample, name) for sample in figure1.SAMPLES]


def statistics(ensembles: Ensembles, name: str) -> list[dict[str, Any]]:
    """One row of numbers for each ensemble; |A| or |B| in mT."""
    rows = []
    for (spacing, size), ensemble in ensembles.items():
        values = field(ensemble, name)
        points = quantiles(values, [0.01, 0.5, 0.99])
        try:
            tail = tail_index(values, TAIL)
            index, error = tail.index, tail.standard_error
        except ValueError:  # too few samples
            index = error = math.nan
        rows.append(
            {
                "field": name,
                "extra_spacing_nm": spacing,
                "n_crystals": size,
                "n_samples": points.count,
                "unplaced": ensemble.unplaced,
                "mean_dipoles": float(np.mean(ensemble.n_dipoles[np.isfinite(ensemble.M)])),
                "mu0_M_mT": 1e3 * mean_field(ensemble),
                "median_mT": float(points.value[1]),
                "median_low_mT": float(points.low[1]),
                "median_high_mT": float(points.high[1]),
                "percent_1_mT": float(points.value[0]),
                "percent_99_mT": float(points.value[2]),
                "decades": float(np.log10(points.value[2] / points.value[0])),
                "tail_index": index,
                "tail_index_error": error,
                "percentiles_I_II": compare_measured(published(name), values).percentiles.tolist(),
            }
        )
    return rows


def comparisons(ensembles: Ensembles, name: str) -> list[dict[str, Any]]:
    """Kolmogorov–Smirnov tests of each size against the next and of the first against the last."""
    rows = []
    for spacing in dict.fromkeys(key[0] for key in ensembles):
        sizes = [key[1] for key in ensembles if key[0] == spacing]
        pairs = list(itertools.pairwise(sizes))
        if len(sizes) > 2:
            pairs.append((sizes[0], sizes[-1]))
        for one, other in pairs:
            first, second = (field(ensembles[spacing, size], name) for size in (one, other))
            test = same_distribution(first, second)
            rows.append(
                {
                    "field": name,
                    "extra_spacing_nm": spacing,
                    "n_crystals": [one, other],
                    "statistic": test.statistic,
                    "p_value": test.p_value,
                }
            )
    return rows


def table(ensembles: Ensembles) -> str:
    """All numbers as text, in mT."""
    lines = []
    for name in ("A", "B"):
        lines += [
            f"|{name}| in mT (paper convention)",
            "spacing  n_NC  samples  dipoles  median (68 %)            1 %      99 %  decades  "
            "tail index    I, II at %",
        ]
        for row in statistics(ensembles, name):
            median = "{median_mT:6.2f} ({median_low_mT:.2f} to {median_high_mT:.2f})".format(**row)
            lines.append(
                "{extra_spacing_nm:4.2f} nm  {n_crystals:4d}  {n_samples:7d}  "
                "{mean_dipoles:7.2f}  ".format(**row)
                + f"{median:22s}"
                + "{percent_1_mT:7.3f}  {percent_99_mT:8.1f}  {decades:7.2f}  "
                "{tail_index:.2f} ± {tail_index_error:.2f}   ".format(**row)
                + ", ".join(f"{x:.1f}" for x in row["percentiles_I_II"])
            )
        for row in comparisons(ensembles, name):
            lines.append(
                f"test for the same distribution, spacing {row['extra_spacing_nm']:g} nm, n_NC = "
                f"{row['n_crystals'][0]} and {row['n_crystals'][1]}: "
                f"largest difference {row['statistic']:.3f}, p = {row['p_value']:.2g}"
            )
        lines.append("")
    return "\n".join(lines)


def limits(ensembles: Ensembles) -> tuple[float, float]:
    """Limits in mT, in whole decades, that contain all but a thousandth of |A| and |B|."""
    values = np.concatenate([field(e, name) for e in ensembles.values() for name in "AB"])
    low, high = np.nanquantile(values, [0.0005, 0.9995])
    return 10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high))


def figure(ensembles: Ensembles) -> Figure:
    """One row for each rule, and one with the published samples; two columns wide."""
    spacings = list(dict.fromkeys(key[0] for key in ensembles))
    sizes = list(dict.fromkeys(key[1] for key in ensembles))
    rows = len(spacings) + 1
    edges = limits(ensembles)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(TWO_COLUMNS / 25.4, 52 * rows / 25.4), layout="constrained")
        panels = figure.subplots(rows, 2, sharex=True, sharey=True)
        letters = iter("abcdefgh")
        for row, spacing in zip(panels, spacings, strict=False):
            for axes, name in zip(row, "AB", strict=True):
                sets = {size: ensembles[spacing, size] for size in sizes}
                _draw_sizes(axes, name, sets, edges)
                _titled(axes, next(letters), f"|{name}|, extra dipoles {rule(spacing)}")
        for axes, name in zip(panels[-1], "AB", strict=True):
            _draw_published(axes, name, {s: ensembles[s, sizes[-1]] for s in spacings}, edges)
            size = rf"$n_\mathrm{{NC}}$ = {sizes[-1]}"
            _titled(axes, next(letters), f"|{name}|, {size}, samples I and II")
            axes.set_xlabel(f"|{name}| (mT)")
        for axes in panels[:, 0]:
            axes.set_ylabel("share per decade")
        top = max(axes.dataLim.y1 for axes in panels.flat)
        panels[0, 0].set_xlim(*edges)
        panels[0, 0].set_ylim(0, 1.38 * top)  # room for the legends
        panels[0, 0].legend(loc="upper left", handlelength=1.6)
        panels[-1, 0].legend(
            loc="upper left",
            handlelength=1.6,
            title="extra dipoles",
            title_fontsize=7,
            alignment="left",
        )
    return figure


def rule(spacing: float) -> str:
    """The rule for extra dipoles, in words."""
    if spacing:
        return f"{spacing:g} nm from others"
    return "anywhere"


def _titled(axes: Any, letter: str, text: str) -> None:
    axes.set_title(f"({letter}) {text}", loc="left")


def _draw_sizes(
    axes: Any, name: str, sets: Mapping[int, Ensemble], edges: tuple[float, float]
) -> None:
    """Draw a histogram with errors for each size, and the Cauchy law at the mean µ0M."""
    count = len(sets)
    for index, (size, ensemble) in enumerate(sets.items()):
        color = COLORS[index % len(COLORS)]
        histogram = log_histogram(field(ensemble, name), PER_DECADE, edges)
        label = rf"$n_\mathrm{{NC}}$ = {size}"
        axes.stairs(histogram.density, histogram.edges, color=color, linewidth=1.0, label=label)
        place = (index + 1) / (count + 1)
        at = histogram.edges[:-1] ** (1 - place) * histogram.edges[1:] ** place
        _errors(axes, at, histogram, color)
    largest = list(sets.values())[-1]
    grid = np.geomspace(*edges, 300)
    axes.plot(grid, cauchy_share(grid, name, largest), "--", color=GRAY, label="Cauchy law")
    axes.set_xscale("log")


def _errors(axes: Any, at: np.ndarray, histogram: Any, color: str) -> None:
    """Draw the intervals of the bins that are not empty."""
    seen = histogram.counts > 0
    low, high = histogram.low[seen], histogram.high[seen]
    axes.vlines(at[seen], low, high, color=color, linewidth=0.7)


def cauchy_share(size: np.ndarray, name: str, ensemble: Ensemble) -> np.ndarray:
    """Share per decade at `size` (mT), for uncorrelated dipoles at the same µ0M."""
    with jax.enable_x64(True):
        law = cauchy_law(name, 1e3 * mean_field(ensemble), ensemble.convention)
        return math.log(10) * size * np.asarray(law.density(size) + law.density(-size))


def _draw_published(
    axes: Any, name: str, sets: Mapping[float, Ensemble], edges: tuple[float, float]
) -> None:
    """Draw both rules at one size, and samples I and II as vertical lines."""
    for index, (spacing, ensemble) in enumerate(sets.items()):
        histogram = log_histogram(field(ensemble, name), PER_DECADE, edges)
        look: dict[str, Any] = {"color": GRAY, "fill": True, "alpha": 0.35}
        if index:
            look = {"color": "black", "linewidth": 1.0}
        axes.stairs(histogram.density, histogram.edges, label=rule(spacing), **look)
        center = np.sqrt(histogram.edges[:-1] * histogram.edges[1:]) * (1.04 if index else 0.96)
        _errors(axes, center, histogram, look["color"])
    transform = axes.get_xaxis_transform()
    values = sorted(zip(published(name), ("I", "II"), strict=True))
    for (value, label), side in zip(values, ("right", "left"), strict=True):
        axes.axvline(value, color=VERMILLION, linewidth=1.0)
        axes.text(
            (0.9 if side == "right" else 1.1) * value,
            0.96,
            label,
            ha=side,
            va="top",
            family="serif",
            color=VERMILLION,
            transform=transform,
        )
    axes.set_xscale("log")


def histogram_csv(ensembles: Ensembles) -> bytes:
    """The histograms as CSV: share per decade with its 68 % interval, one row per bin."""
    rows: list[Sequence[Any]] = [CSV_HEADER.split()]
    edges = limits(ensembles)
    for name in "AB":
        for (spacing, size), ensemble in ensembles.items():
            h = log_histogram(field(ensemble, name), PER_DECADE, edges)
            law = cauchy_share(np.sqrt(h.edges[:-1] * h.edges[1:]), name, ensemble)
            columns = (h.edges[:-1], h.edges[1:], h.counts, h.density, h.low, h.high, law)
            for row in zip(*columns, strict=True):
                numbers = [f"{x:.6g}" for x in row]
                rows.append([ensemble.convention, name, f"{spacing:g}", size, *numbers])
    return csv_bytes(rows)


def files(ensembles: Ensembles) -> dict[str, bytes]:
    """All files of the script, by name."""
    some = next(iter(ensembles.values())).settings
    sizes = ", ".join(dict.fromkeys(str(key[1]) for key in ensembles))
    spacings = ", ".join(dict.fromkeys(f"{key[0]:g}" for key in ensembles))
    made = made_by(
        f"figure5.py --samples {some['n_samples']} --seed {some['seed']}; n_NC = {sizes}; "
        f"extra_spacing {spacings} nm",
        some["model"]["convention"],
    )
    document = {
        "diffdip": diffdip.__version__,
        "convention": some["model"]["convention"],
        "ensembles": [ensemble.settings for ensemble in ensembles.values()],
        "statistics": [row for name in "AB" for row in statistics(ensembles, name)],
        "comparisons": [row for name in "AB" for row in comparisons(ensembles, name)],
    }
    return {
        **picture_files("figure5", figure(ensembles), made),
        "figure5.csv": histogram_csv(ensembles),
        "figure5.json": json_bytes(document),
    }


def main(argv: list[str] | None = None) -> None:
    parser = parser_of("figure5", DESCRIPTION, EPILOG, SEED)
    options, amount = parse_amount(
        parser, argv, Amount(SIZES, SAMPLES), Amount(QUICK_SIZES, QUICK_SAMPLES)
    )
    ensembles = run(*amount, options.seed)
    finish(parser, options, files(ensembles), table(ensembles))


if __name__ == "__main__":
    main()
