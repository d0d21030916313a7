"""How many pairs of dipoles make the anisotropy? This counts them, to check the paper's claims.

For ensembles of packed nanocrystals and of uniform dipoles: how many of the strongest pairs carry
most of the tensor D, how close their dipoles are, and on which crystals they sit.

    python experiments/dominant_pairs.py --samples 200 --out out
"""

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from script import crystals, csv_bytes, finish, made_by, parser_of, picture_files, positive

from diffdip import DipoleSystem, NanocrystalPacking, UniformCylinder
from diffdip.dipoles.pair_ranking import dominant_pairs
from diffdip.ensembles.models import AbstractModel
from diffdip.foundation.progress import progress_bar
from diffdip.report.figures.style import BLUE, GRAY, GREEN, STYLE, TWO_COLUMNS, VERMILLION


FRACTIONS = (50, 80, 90)
"""Shares of |D| in %; the pairs that carry each share are counted."""

LINES = {50: "-", 80: "--"}
"""Shares in the figure, with their line styles."""

KEPT = 256
"""Number of the strongest pairs that are kept of each sample."""

BLOCK = 64
"""Samples computed at once."""

CRYSTALS, SAMPLES, SEED = 100, 2000, 0
SPACING = 0.26
"""Least distance of an extra dipole from the others of its crystal by the physical rule, in nm."""

LABELS = {
    "0_nm": "extra dipoles anywhere",
    "between_crystals": "anywhere, only pairs between crystals",
    "0.26_nm": f"extra dipoles {SPACING} nm from others",
    "uniform": "1000 uniform dipoles",
}
"""The cases, with their names in the table and the figure."""

COLORS = dict(zip(LABELS, (VERMILLION, GREEN, BLUE, GRAY), strict=True))

DESCRIPTION = """\
Count the pairs of dipoles that dominate the dipolar energy of random ensembles.

The share of a pair in D is the projection of its own term on D; the shares of all pairs add up to
1. Pairs are sorted by their strength 1/r³. The script counts how many are needed for 50, 80 and
90 % of D. There are four cases: crystals with extra dipoles anywhere, as printed; the same
crystals, but with D summed over pairs between different crystals only; crystals whose extra dipoles
keep 0.26 nm from the others of their crystal, which is the physical rule; and 1000 uniform dipoles
at 2 per nm³.
"""

EPILOG = """\
The paper claims that F_dip is dominated by only 2-4 pairs, that their dipoles sit on different
crystals, a few angstrom apart, and that in most ensembles they involve a dipole added under a thin
ligand shell. "Pairs up to 80 %" are the strongest pairs that together carry 80 % of D.

Writes dominant_pairs.csv (the numbers), .png and .pdf. Example:
  python experiments/dominant_pairs.py --samples 200 --crystals 20 --out out
"""

Counted = dict[str, np.ndarray]


def run(crystals: int = CRYSTALS, samples: int = SAMPLES, seed: int = SEED) -> dict[str, Counted]:
    """The counts of `run_model` for each case in LABELS, in float64."""
    with jax.enable_x64(True):
        ruled = NanocrystalPacking(crystals, extra_spacing=SPACING)
        free = NanocrystalPacking(crystals, extra_spacing=0.0)
        return {
            "0_nm": run_model(free, samples, seed),
            "between_crystals": run_model(free, samples, seed, between_crystals=True),
            "0.26_nm": run_model(ruled, samples, seed),
            "uniform": run_model(UniformCylinder(1000, 2.0), samples, seed),
        }


def run_model(
    model: AbstractModel, samples: int, seed: int = SEED, between_crystals: bool = False
) -> Counted:
    """Count the dominant pairs of the samples that `simulate` draws.

    Returns arrays with one entry per sample:

    - `pairs_50`, `pairs_80`, `pairs_90`: how many of the strongest pairs carry this share of D
      (KEPT + 1 means more than KEPT);
    - `distance` (nm) and `share` of the strongest pair;
    - `different_first`, `extra_first`, for crystals: whether the strongest pair is between
      different crystals, and whether it involves an extra dipole;
    - `different_80`, `extra_80`, for crystals: the number of such pairs among the pairs up to 80 %;
    - `extra_dipoles`: the share of extra dipoles among all dipoles;
    - `complete`: False for samples that could not be placed.

    With `between_crystals`, D is the sum over pairs between different crystals only. Then
    `different_first` and `different_80` are left out, because they would always be true.
    """
    key = jax.random.key(seed)
    parts = []
    with progress_bar("dominant pairs", samples) as advance:
        for start in range(0, samples, BLOCK):
            # the last block repeats a sample, so that all blocks have one shape
            block = np.minimum(np.arange(start, start + BLOCK), samples - 1).astype(np.uint32)
            system, complete = _draw(model, key, block)
            counted = jax.device_get(_count(system, between_crystals))
            parts.append(counted | {"complete": np.asarray(complete)})
            advance(min(BLOCK, samples - start))
    return {name: np.concatenate([part[name] for part in parts])[:samples] for name in parts[0]}


@eqx.filter_jit
def _draw(model: AbstractModel, key: jax.Array, samples: jax.Array) -> tuple[Any, jax.Array]:
    """Draw samples. Compiled apart from the counting, because two cases share it."""

    def one(sample: jax.Array) -> tuple[DipoleSystem, jax.Array]:
        drawn = model.draw(jax.random.fold_in(key, sample))
        return drawn.system, drawn.complete

    return jax.vmap(one)(samples)


@eqx.filter_jit
def _count(systems: DipoleSystem, between_crystals: bool) -> dict[str, jax.Array]:
    def one(system: DipoleSystem) -> dict[str, jax.Array]:
        pairs = dominant_pairs(system, KEPT, between_crystals=between_crystals)
        counted = {f"pairs_{part}": pairs.number_carrying(part / 100) for part in FRACTIONS}
        counted |= {"distance": pairs.distance[0], "share": pairs.share[0]}
        needed = jnp.arange(KEPT, dtype=jnp.int32) < counted["pairs_80"]
        if pairs.same_crystal is not None and not between_crystals:
            different = ~pairs.same_crystal & (pairs.first >= 0)
            counted |= {
                "different_first": different[0],
                "different_80": jnp.sum(different & needed),
            }
        if pairs.with_extra is not None:
            counted |= {
                "extra_first": pairs.with_extra[0],
                "extra_80": jnp.sum(pairs.with_extra & needed),
                "extra_dipoles": jnp.sum(system.extra & system.mask) / jnp.sum(system.mask),
            }
        return counted

    return jax.vmap(one)(systems)


def summary(result: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Numbers of one case, each with the claim of the paper: {name: {value, claim}}.

    `value` is None if the model has no crystals, or if the choice of the pairs decides it. `claim`
    is "" if the paper claims nothing. Samples that could not be placed are left out.
    """
    kept = {name: values[result["complete"]] for name, values in result.items()}
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

    def of(key: str, name: str, value: Callable[[np.ndarray], Any], claim: str = "") -> None:
        add(name, value(kept[key]) if key in kept else None, claim)

    different, most = "different crystals", "most of the ensembles"
    of(
        "different_first",
        "ensembles whose strongest pair is between different crystals",
        np.mean,
        different,
    )
    of(
        "different_80",
        "ensembles whose pairs up to 80 % are all between different crystals",
        lambda number: np.mean(number == within),
        different,
    )
    of(
        "different_80",
        "pairs up to 80 % between different crystals, mean of ensembles",
        lambda number: np.mean(number / within),
        different,
    )
    of(
        "extra_first",
        "ensembles whose strongest pair involves an extra dipole",
        np.mean,
        most,
    )
    of(
        "extra_80",
        "ensembles whose pairs up to 80 % involve an extra dipole, at least one of them",
        lambda number: np.mean(number > 0),
        most,
    )
    of(
        "extra_80",
        "ensembles whose pairs up to 80 % involve an extra dipole, all of them",
        lambda number: np.mean(number == within),
        most,
    )
    of("extra_dipoles", "dipoles that are extra", np.mean)
    return rows


def figure(results: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Numbers, distances and places of the dominant pairs in each case; two columns wide."""
    kept = {
        name: {key: values[result["complete"]] for key, values in result.items()}
        for name, result in results.items()
    }
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(TWO_COLUMNS / 25.4, 75 / 25.4), layout="constrained")
        counts, distances, places = drawn.subplots(1, 3, width_ratios=(1.1, 1, 1.1))
        _draw_counts(counts, kept)
        _draw_distances(distances, kept)
        _draw_places(places, kept)
        line = lambda **look: mpl.lines.Line2D([], [], **look)
        models = [(line(color=COLORS[name]), LABELS[name]) for name in results]
        styles = [
            (line(color="k", linestyle=style, linewidth=1.0), f"{part} % of $D$")
            for part, style in LINES.items()
        ]
        drawn.legend(*zip(*models, *styles, strict=True), loc="outside upper center", ncols=3)
    return drawn


def _draw_counts(axes: Any, kept: Mapping[str, Any]) -> None:
    number = np.arange(1, KEPT + 1)
    axes.axvspan(2, 4, color="0.9", linewidth=0)
    for name, result in kept.items():
        for part, dashes in LINES.items():
            reached = np.mean(result[f"pairs_{part}"][:, None] <= number, axis=0)
            axes.step(number, reached, where="post", linestyle=dashes, color=COLORS[name], lw=1.0)
    axes.set_xscale("log", base=2)
    ticks = [1, 2, 4, 8, 16, 32, 64, 256]
    axes.set_xticks(ticks, [f"{k}" for k in ticks])
    axes.minorticks_off()
    axes.set_xlim(1, KEPT)
    axes.set_ylim(0, 1)
    axes.set_xlabel("number of strongest pairs")
    axes.set_ylabel("share of ensembles")
    axes.set_title("(a)  how many (gray: claim)", loc="left")


def _draw_distances(axes: Any, kept: Mapping[str, Any]) -> None:
    longest = max(np.quantile(result["distance"], 0.995) for result in kept.values())
    for name, result in kept.items():
        distance = np.sort(result["distance"])
        share = np.arange(1, len(distance) + 1) / len(distance)
        axes.step(np.append(0, distance), np.append(0, share), where="post", color=COLORS[name])
    axes.set_xlim(0, 1.05 * longest)
    axes.set_ylim(0, 1)
    axes.set_xlabel("its distance (nm)")
    axes.set_title("(b)  the strongest pair", loc="left")


def _draw_places(axes: Any, kept: Mapping[str, Any]) -> None:
    bars = {
        "strongest pair\nbetween crystals": ("different_first", lambda r, x: x),
        "all up to 80 %\nbetween crystals": (
            "different_80",
            lambda r, x: x == np.minimum(r["pairs_80"], KEPT),
        ),
        "strongest pair with\nan extra dipole": ("extra_first", lambda r, x: x),
        "any up to 80 % with\nan extra dipole": ("extra_80", lambda r, x: x > 0),
    }
    packed = [name for name, result in kept.items() if "extra_80" in result]
    height = 0.8 / max(1, len(packed))
    for index, name in enumerate(packed):
        result = kept[name]
        shown = [i for i, (key, _) in enumerate(bars.values()) if key in result]
        values = [np.mean(of(result, result[key])) for key, of in bars.values() if key in result]
        offset = (index - (len(packed) - 1) / 2) * height
        place = np.array(shown) + offset
        drawn = axes.barh(place, values, 0.9 * height, color=COLORS[name])
        axes.bar_label(drawn, [f"{100 * v:.0f} %" for v in values], padding=2, fontsize=6)
        for at in set(range(len(bars))) - set(shown):
            look = {"fontsize": 6, "va": "center", "color": COLORS[name]}
            axes.text(0.02, at + offset, "by choice", **look)
    axes.set_yticks(range(len(bars)), list(bars))
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.3)
    axes.set_xticks([0, 0.5, 1])
    axes.set_xlabel("share of ensembles")
    axes.set_title("(c)  where", loc="left")


def table(results: Mapping[str, Mapping[str, np.ndarray]]) -> list[list[str]]:
    """Rows of a quantity, its value in each case, and the claim of the paper, with a header."""
    summaries = [summary(result) for result in results.values()]
    rows = [["quantity", *(LABELS[name] for name in results), "claim of the paper"]]
    for name, first in summaries[0].items():
        values = [one[name]["value"] for one in summaries]
        rows.append([name, *("" if v is None else f"{v:.4g}" for v in values), first["claim"]])
    return rows


def text(results: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """The table for a terminal, with numbered columns."""
    rows = table(results)
    width = max(len(row[0]) for row in rows)
    lines = [f"({index}) {LABELS[name]}" for index, name in enumerate(results, 1)]
    numbered = "".join(f"{f'({index})':>9s}" for index in range(1, 1 + len(results)))
    lines.append(f"{'':{width}s} {numbered}   the paper")
    for name, *values, claim in rows[1:]:
        cells = "".join(f"{value or '-':>9s}" for value in values)
        lines.append(f"{name:{width}s} {cells}   {claim}".rstrip())
    return "\n".join(lines)


def files(
    results: Mapping[str, Mapping[str, np.ndarray]], crystals: int, samples: int, seed: int
) -> dict[str, bytes]:
    """All files of the script, by name."""
    made = made_by(f"dominant_pairs.py --crystals {crystals} --samples {samples} --seed {seed}")
    return {
        **picture_files("dominant_pairs", figure(results), made),
        "dominant_pairs.csv": csv_bytes(table(results)),
    }


def main(argv: list[str] | None = None) -> None:
    parser = parser_of("dominant_pairs", DESCRIPTION, EPILOG, SEED)
    parser.add_argument(
        "--samples",
        type=positive,
        default=SAMPLES,
        metavar="N",
        help="for each case: %(default)s",
    )
    parser.add_argument(
        "--crystals",
        type=crystals,
        default=CRYSTALS,
        metavar="N",
        help="in each packing: %(default)s",
    )
    options = parser.parse_args(argv)
    size = (options.crystals, options.samples, options.seed)
    results = run(*size)
    finish(parser, options, files(results, *size), text(results))


if __name__ == "__main__":
    main()
