"""How few pairs of dipoles make the anisotropy: the claims of the paper, counted.

For ensembles of packed nanocrystals and of uniform dipoles: how many of the strongest pairs carry
most of the tensor D, how close their dipoles are, and on which crystals they sit.

    python experiments/dominant_pairs.py --samples 200 --out out
"""

import argparse
import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from diffdip import NanocrystalPacking, UniformCylinder
from diffdip.crystals import AbstractModel
from diffdip.dominant import dominant_pairs
from diffdip.io import OutputError, write_files
from diffdip.plot import BLUE, GRAY, GREEN, STYLE, VERMILLION, figure_bytes
from diffdip.progress import progress_bar


FRACTIONS = (50, 80, 90)
"""Parts of |D| in % whose pairs are counted."""

LINES = ("-", "--", ":")
"""How the figure draws each of them."""

KEPT = 256
"""Pairs that are kept of each ensemble."""

BLOCK = 64
"""Ensembles computed at once."""

SPACING = 0.26
"""Least distance of an extra dipole from the others of its crystal, in nm."""

DESCRIPTION = """\
Count the pairs of dipoles that dominate the dipolar energy of random ensembles.

The share of a pair in D is the projection of its own term on D: all pairs together have 1. Pairs
are taken by strength 1/r³, and those are counted that carry 50, 80 and 90 % of D. Three models:
crystals whose extra dipoles keep 0.26 nm from the others of their crystal, crystals without that
rule (of which the paper says nothing), and 1000 uniform dipoles at 2 per nm³.
"""

EPILOG = """\
The paper: F_dip is dominated by only 2-4 pairs; their dipoles sit on different crystals, a few
angstrom apart; in most ensembles they involve a dipole added under a thin ligand shell. "Pairs up
to 80 %" are the strongest ones that together carry 80 % of D.

Writes dominant_pairs.csv (the numbers), .png and .pdf. Example:
  python experiments/dominant_pairs.py --samples 200 --crystals 20 --out out
"""


def run(
    crystals: int = 100, samples: int = 2000, seed: int = 0, extra_spacing: float = SPACING
) -> dict[str, np.ndarray]:
    """What `run_model` counts in packings of so many nanocrystals; `extra_spacing` in nm."""
    return run_model(NanocrystalPacking(crystals, extra_spacing=extra_spacing), samples, seed)


def run_model(model: AbstractModel, samples: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Dominant pairs of the samples that `simulate` draws, as arrays with one entry a sample.

    `pairs_50`, `pairs_80`, `pairs_90` count the strongest pairs that carry so much of D
    (KEPT + 1 for more than KEPT); `distance` (nm) and `share` are those of the strongest pair.
    For crystals `different_first` and `extra_first` say whether it is between different
    crystals and involves an extra dipole, and `different_80` and `extra_80` count the pairs up to
    80 % of which this holds, among at most KEPT. `extra_dipoles` is the part of all dipoles.
    `complete` is False for samples that could not be placed.
    """
    key = jax.random.key(seed)
    parts = []
    with progress_bar("dominant pairs", samples) as advance:
        for start in range(0, samples, BLOCK):
            # the last block repeats a sample, so that all have one shape
            block = np.minimum(np.arange(start, start + BLOCK), samples - 1).astype(np.uint32)
            parts.append(jax.device_get(_run(model, key, block)))
            advance(min(BLOCK, samples - start))
    return {name: np.concatenate([part[name] for part in parts])[:samples] for name in parts[0]}


@eqx.filter_jit
def _run(model: AbstractModel, key: jax.Array, samples: jax.Array) -> dict[str, jax.Array]:
    def one(sample: jax.Array) -> dict[str, jax.Array]:
        drawn = model.draw(jax.random.fold_in(key, sample))
        system = drawn.system
        pairs = dominant_pairs(system, KEPT)
        counted = {f"pairs_{part}": pairs.number_carrying(part / 100) for part in FRACTIONS}
        counted |= {"distance": pairs.distance[0], "share": pairs.share[0]}
        if pairs.same_crystal is not None and pairs.with_extra is not None:
            needed = jnp.arange(KEPT) < counted["pairs_80"]
            different = ~pairs.same_crystal & (pairs.first >= 0)
            counted |= {
                "different_first": different[0],
                "different_80": jnp.sum(different & needed),
                "extra_first": pairs.with_extra[0],
                "extra_80": jnp.sum(pairs.with_extra & needed),
                "extra_dipoles": jnp.sum(system.extra & system.mask) / jnp.sum(system.mask),
            }
        return counted | {"complete": drawn.complete}

    return jax.vmap(one)(samples)


def summary(result: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Numbers of one model, each with the claim of the paper: {name: {value, claim}}.

    `value` is a number, or None where the model has no crystals; `claim` is "" where the paper
    has none. Ensembles that could not be placed are left out.
    """
    kept = {name: values[result["complete"]] for name, values in result.items()}
    crystals = "different_80" in kept
    within = np.minimum(kept["pairs_80"], KEPT)
    rows: dict[str, dict[str, Any]] = {}

    def add(name: str, value: Any, claim: str = "") -> None:
        rows[name] = {"value": None if value is None else float(value), "claim": claim}

    add("ensembles", len(within))
    add("ensembles that could not be placed", np.sum(~result["complete"]))
    for part in FRACTIONS:
        number = kept[f"pairs_{part}"]
        low, middle, high = np.quantile(number, [0.16, 0.5, 0.84], method="inverted_cdf")
        add(f"pairs that carry {part} % of D, median", middle, "2-4")
        add(f"pairs that carry {part} % of D, 16 % quantile", low)
        add(f"pairs that carry {part} % of D, 84 % quantile", high)
        add(f"ensembles where 1 pair carries {part} %", np.mean(number <= 1))
        add(f"ensembles where 4 pairs or fewer carry {part} %", np.mean(number <= 4), "always")
        add(f"ensembles where {KEPT} pairs do not carry {part} %", np.mean(number > KEPT))
    add("share of the strongest pair in D, median", np.median(kept["share"]))
    low, middle, high = np.quantile(kept["distance"], [0.16, 0.5, 0.84])
    add("distance of the strongest pair (nm), median", middle, "a few angstrom")
    add("distance of the strongest pair (nm), 16 % quantile", low)
    add("distance of the strongest pair (nm), 84 % quantile", high)

    def of_crystals(name: str, value: Any, claim: str = "") -> None:
        add(name, value() if crystals else None, claim)

    different, most = "different crystals", "most of the ensembles"
    of_crystals(
        "ensembles whose strongest pair is between different crystals",
        lambda: np.mean(kept["different_first"]),
        different,
    )
    of_crystals(
        "ensembles whose pairs up to 80 % are all between different crystals",
        lambda: np.mean(kept["different_80"] == within),
        different,
    )
    of_crystals(
        "pairs up to 80 % between different crystals, mean of ensembles",
        lambda: np.mean(kept["different_80"] / within),
        different,
    )
    of_crystals(
        "ensembles whose strongest pair involves an extra dipole",
        lambda: np.mean(kept["extra_first"]),
        most,
    )
    of_crystals(
        "ensembles whose pairs up to 80 % involve an extra dipole, at least one of them",
        lambda: np.mean(kept["extra_80"] > 0),
        most,
    )
    of_crystals(
        "ensembles whose pairs up to 80 % involve an extra dipole, all of them",
        lambda: np.mean(kept["extra_80"] == within),
        most,
    )
    of_crystals("dipoles that are extra", lambda: np.mean(kept["extra_dipoles"]))
    return rows


def figure(results: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Counts, distances and places of the dominant pairs of each model, two columns wide."""
    colors = dict(zip(results, (BLUE, VERMILLION, GREEN, GRAY), strict=False))
    kept = {
        name: {key: values[result["complete"]] for key, values in result.items()}
        for name, result in results.items()
    }
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(170 / 25.4, 70 / 25.4), layout="constrained")
        counts, distances, places = drawn.subplots(1, 3, width_ratios=(1.1, 1, 1.1))
        _draw_counts(counts, kept, colors)
        _draw_distances(distances, kept, colors)
        _draw_places(places, kept, colors)
        line = lambda **look: mpl.lines.Line2D([], [], **look)
        entries = [(line(color=color), name) for name, color in colors.items()]
        for place, (part, style) in enumerate(zip(FRACTIONS, LINES, strict=True)):
            # one under each model
            entry = line(color="k", linestyle=style, linewidth=1.0), f"{part} % of $D$"
            entries.insert(2 * place + 1, entry)
        drawn.legend(*zip(*entries, strict=True), loc="outside upper center", ncols=3)
    return drawn


def _draw_counts(axes: Any, kept: Mapping[str, Any], colors: Mapping[str, str]) -> None:
    number = np.arange(1, KEPT + 1)
    axes.axvspan(2, 4, color="0.9", linewidth=0)
    for name, result in kept.items():
        for part, dashes in zip(FRACTIONS, LINES, strict=True):
            reached = np.mean(result[f"pairs_{part}"][:, None] <= number, axis=0)
            axes.step(number, reached, where="post", linestyle=dashes, color=colors[name], lw=1.0)
    axes.set_xscale("log", base=2)
    ticks = [1, 2, 4, 8, 16, 32, 64, 256]
    axes.set_xticks(ticks, [f"{k}" for k in ticks])
    axes.minorticks_off()
    axes.set_xlim(1, KEPT)
    axes.set_ylim(0, 1)
    axes.set_xlabel("number of strongest pairs")
    axes.set_ylabel("share of ensembles")
    axes.set_title("(a)  how many (gray: claim)", loc="left")


def _draw_distances(axes: Any, kept: Mapping[str, Any], colors: Mapping[str, str]) -> None:
    longest = max(np.quantile(result["distance"], 0.995) for result in kept.values())
    for name, result in kept.items():
        distance = np.sort(result["distance"])
        share = np.arange(1, len(distance) + 1) / len(distance)
        axes.step(np.append(0, distance), np.append(0, share), where="post", color=colors[name])
    axes.set_xlim(0, 1.05 * longest)
    axes.set_ylim(0, 1)
    axes.set_xlabel("distance of the strongest pair (nm)")
    axes.set_title("(b)  how close", loc="left")


def _draw_places(axes: Any, kept: Mapping[str, Any], colors: Mapping[str, str]) -> None:
    bars = {
        "strongest pair\nbetween crystals": lambda r: np.mean(r["different_first"]),
        "all up to 80 %\nbetween crystals": lambda r: np.mean(
            r["different_80"] == np.minimum(r["pairs_80"], KEPT)
        ),
        "strongest pair with\nan extra dipole": lambda r: np.mean(r["extra_first"]),
        "any up to 80 % with\nan extra dipole": lambda r: np.mean(r["extra_80"] > 0),
    }
    packed = [name for name, result in kept.items() if "different_80" in result]
    height = 0.8 / max(1, len(packed))
    for index, name in enumerate(packed):
        values = [value(kept[name]) for value in bars.values()]
        place = np.arange(len(bars)) + (index - (len(packed) - 1) / 2) * height
        drawn = axes.barh(place, values, 0.9 * height, color=colors[name])
        axes.bar_label(drawn, [f"{100 * v:.0f} %" for v in values], padding=2, fontsize=6)
    axes.set_yticks(range(len(bars)), list(bars))
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.3)
    axes.set_xticks([0, 0.5, 1])
    axes.set_xlabel("share of ensembles")
    axes.set_title("(c)  where", loc="left")


def table(results: Mapping[str, Mapping[str, np.ndarray]]) -> list[list[str]]:
    """Rows of quantity, one value a model, claim of the paper; the first row names them."""
    summaries = [summary(result) for result in results.values()]
    rows = [["quantity", *results, "claim of the paper"]]
    for name, first in summaries[0].items():
        values = [one[name]["value"] for one in summaries]
        rows.append([name, *("" if v is None else f"{v:.4g}" for v in values), first["claim"]])
    return rows


def above_zero(text: str) -> int:
    """Argument type: a whole number above zero."""
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{count} is none at all: give 1 or more")
    return count


def several(text: str) -> int:
    """Argument type: a whole number of crystals that has pairs of different ones."""
    count = int(text)
    if count < 2:
        raise argparse.ArgumentTypeError(f"{count}: pairs between crystals need 2 or more")
    return count


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR", help="folder, made if missing: out"
    )
    parser.add_argument(
        "--samples", type=above_zero, default=2000, metavar="N", help="of each model: 2000"
    )
    parser.add_argument(
        "--crystals", type=several, default=100, metavar="N", help="in a packing: 100"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the samples: 0")
    options = parser.parse_args(argv)

    size = (options.crystals, options.samples, options.seed)
    results = {
        f"crystals, extra dipoles {SPACING} nm from others": run(*size),
        "crystals, no such rule": run(*size, extra_spacing=0.0),
        "uniform": run_model(UniformCylinder(1000, 2.0), options.samples, options.seed),
    }
    rows = table(results)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    drawn = figure(results)
    files = {"dominant_pairs.csv": text.getvalue().encode()}
    files |= {f"dominant_pairs.{kind}": figure_bytes(drawn, kind) for kind in ("png", "pdf")}
    try:
        written = write_files(options.out, files)
    except OutputError as error:
        parser.exit(2, f"dominant_pairs: {error}\n")
    width = max(len(row[0]) for row in rows)
    for index, name in enumerate(results, 1):
        print(f"({index}) {name}")
    print(" " * width, "".join(f"{f'({index})':>9s}" for index in range(1, 1 + len(results))))
    for name, *values, claim in rows[1:]:
        cells = "".join(f"{value or '-':>9s}" for value in values)
        print(f"{name:{width}s} {cells}   {claim}".rstrip())
    print("wrote", *written)


if __name__ == "__main__":
    main()
