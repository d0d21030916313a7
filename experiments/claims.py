"""The claims of the paper, one by one, with the number found here and a verdict.

Every number is computed when this runs. Most verdicts follow from it by a rule in the code;
those on the shape of Hres(angle) are judgements, whose reason stands beside them.
`reproduce.py` calls it with what the other experiments found; alone it computes what it needs.

    python experiments/claims.py --quick --out out
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import dominant_pairs
import figure1
import figure3
import figure5
import jax
import jax.numpy as jnp
import numpy as np
from script import finish, parser_of, positive

import diffdip
from diffdip import AnisotropyFields, TensorAnisotropy, larmor_field, resonance_field
from diffdip.dipoles.magnetometry import (
    crystal_mass,
    dipoles_per_crystal,
    impurity_saturation,
    saturation_of,
)
from diffdip.foundation.convention import PAPER
from diffdip.foundation.units import MU_0
from diffdip.io.writing import json_bytes


VERDICTS = ("agrees", "differs", "depends", "not checkable")
SEED = 0

AVOGADRO = 6.02214076e23
CORE_NM = 2.7
LATTICE_A, LATTICE_C = 0.4299, 0.7010  # nm, wurtzite CdSe
UNPASSIVATED = 0.30
IRON_G_PER_MOL = 55.845
LITTLE = 3
"""Medians of |B| that differ less are called little dependent: the widths are decades."""

SAMPLE_I = figure1.SAMPLES[0]

DESCRIPTION = """\
List the claims of the paper that can be checked, each with our number and a verdict.

Verdicts: agrees; differs; depends (on something that the paper does not say, or only within
bounds); not checkable (needs data that are not published).
"""

EPILOG = """\
Writes claims.json and claims.md. Example:
  python experiments/claims.py --quick --out out
"""


class Claim(NamedTuple):
    """A row: what the paper says and where, what is found (as text, and as numbers with
    units in their names), the verdict and its reason."""

    claim: str
    source: str
    number: str
    verdict: str
    why: str
    numbers: dict[str, float]


def claims(
    ensembles: figure5.Ensembles,
    dominant: Mapping[str, dominant_pairs.Counted] | None = None,
) -> list[Claim]:
    """All rows, of what `figure5.run` and `dominant_pairs.run` return."""
    with jax.enable_x64(True):
        return [
            *_tensor(),
            *_curve(),
            _negligible(ensembles),
            *_samples(),
            *_distributions(ensembles),
            *_pairs(dominant or {}),
            _surface_atoms(),
            *_magnetization(),
        ]


def _judged(condition: bool) -> str:
    return "agrees" if condition else "differs"


def _over_rules(conditions: Sequence[bool]) -> str:
    """One verdict over both rules for extra dipoles."""
    return "depends" if len(set(conditions)) > 1 else _judged(conditions[0])


def _tensor() -> list[Claim]:
    made = figure3.run(count=figure3.QUICK_DIPOLES)
    trace = max(float(abs(np.trace(x.fitted)) / np.abs(x.fitted).max()) for x in made)
    misfit = max(x.misfit for x in made)
    difference = max(x.difference for x in made)
    return [
        Claim(
            "tr D = 0",
            "eq. 3",
            f"|tr D| / max |D| = {trace:.0e}",
            _judged(trace < 1e-10),
            "each pair's term I − 3 r̂r̂ᵀ has no trace",
            {"trace_over_largest": trace},
        ),
        Claim(
            "eq. 3 parametrizes F_dip well",
            "Fig. 3",
            f"largest residual {misfit:.0e} of the amplitude; fit and closed form differ by "
            f"{difference:.0e}",
            _judged(misfit < 1e-10),
            "exactly, not only well: eq. 2 is a quadratic form in the direction of M",
            {"residual_over_amplitude": misfit, "fit_against_closed_form": difference},
        ),
    ]


_DEGREES = jnp.arange(0.0, 180.0, 1.0)


@jax.jit
def _solve(energy: Any) -> jax.Array:
    return resonance_field(energy, jnp.deg2rad(_DEGREES.astype(float)), figure1.FREQUENCY)


def _shape(A: float, B: float, C: float = 0.0) -> tuple[float, float, float]:
    """Median, range and angle (°) of the lowest value of Hres(angle), all fields in mT."""
    curve = 1e3 * np.asarray(_solve(AnisotropyFields(A / 1e3, B / 1e3, C / 1e3, PAPER)))
    return float(np.median(curve)), float(np.ptp(curve)), float(_DEGREES[int(np.argmin(curve))])


def _curve() -> list[Claim]:
    A, B = SAMPLE_I.A, SAMPLE_I.B
    w0 = 1e3 * float(larmor_field(figure1.FREQUENCY))
    slope = (_shape(0.1, 0.0)[0] - w0) / 0.1
    both, only_a, only_b = _shape(A, B), _shape(A, 0.0), _shape(0.0, B)
    small, small_a = _shape(0.0, 1.0)[1], _shape(100.0, 1.0)[1]
    turned = _shape(A, 0.0, B / 2)
    tilted = _shape(0.0, 1.0, 0.5)
    return [
        Claim(
            "A shifts the median of Hres(angle)",
            "eq. 4",
            f"by {slope:.2f} A for small A; sample I: A alone {only_a[0] - w0:+.0f} mT, "
            f"B alone {only_b[0] - w0:+.0f} mT, both {both[0] - w0:+.0f} mT",
            "depends",
            "to first order; beyond it B shifts the median too",
            {
                "shift_per_A": slope,
                "shift_A_alone_mT": only_a[0] - w0,
                "shift_B_alone_mT": only_b[0] - w0,
                "shift_both_mT": both[0] - w0,
            },
        ),
        Claim(
            "the amplitude depends only on B",
            "eq. 4",
            f"range of Hres {small:.2f} B for small B, {small_a:.2f} B with A = 100 mT; sample I's "
            f"B: {only_b[1]:.0f} mT without A, {both[1]:.0f} mT with it",
            "depends",
            "to first order in A and B, and for C = 0: the amplitude goes with sqrt(B² + 4C²)",
            {
                "range_per_B": small,
                "range_per_B_at_A_100_mT": small_a,
                "range_without_A_mT": only_b[1],
                "range_with_A_mT": both[1],
            },
        ),
        Claim(
            "C sets the phase",
            "eq. 4",
            f"(B, C) → (0, B/2) moves the lowest Hres from {both[2]:.0f}° to {turned[2]:.0f}° and "
            f"keeps the range to {abs(turned[1] - both[1]):.1g} mT; adding C = B/2 to B multiplies "
            f"the range by {tilted[1] / small:.2f}",
            "depends",
            "the phase is ½ atan2(2C, B): B and C turn as a pair, so C alone changes amplitude too",
            {
                "angle_B_deg": both[2],
                "angle_C_deg": turned[2],
                "range_ratio_C_half_B": tilted[1] / small,
            },
        ),
    ]


def _tilted(off_plane: float) -> float:
    """Hres in mT of sample I at 60° with µ0M Dxz in mT."""
    A, B = SAMPLE_I.A, SAMPLE_I.B
    half = np.diag([(A + B) / 2, (A - B) / 2, -A])
    half[0, 2] = half[2, 0] = off_plane
    return 1e3 * float(_solve(TensorAnisotropy(PAPER.sign * half / 1e3))[60])


def _negligible(ensembles: figure5.Ensembles) -> Claim:
    fields = {size: _tilted(float(size)) for size in (0, 20, 50, 100)}
    largest = max(abs(fields[size] - fields[0]) for size in fields)
    listed = ", ".join(f"{fields[size]:.1f}" for size in fields)
    ensemble = list(ensembles.values())[-1]
    off_plane = np.abs(ensemble.D[:, 0, 2]) * MU_0 * ensemble.M
    ratio = float(np.nanmedian(off_plane) / np.nanmedian(np.abs(ensemble.B)))
    return Claim(
        "Hres in the plane has a negligible dependence on Dxz and Dyz",
        "before eq. 4",
        f"sample I at 60° with µ0M Dxz = 0, 20, 50, 100 mT: {listed} mT; in packings median "
        f"|µ0M Dxz| is {ratio:.2f} of median |B|",
        "depends" if largest > 5 else "agrees",
        "second order in Dxz and Dyz: negligible where these are small against the field; no axis "
        "is special in a packing, so that they are as large as Dxy",
        {
            **{f"Hres_at_Dxz_{size}_mT": field for size, field in fields.items()},
            "median_Dxz_over_median_B": ratio,
        },
    )


def _samples() -> list[Claim]:
    one, two = figure1.SAMPLES
    stated = dict(one.stated)
    rows = []
    low, high = figure1.extrema(one)
    wrong = figure1.extrema(one, "physical")
    near = abs(low - stated[0.0]) < 15 and abs(high - stated[90.0]) < 15
    rows.append(
        Claim(
            "sample I: A = 191.5, B = 204.6 mT give its curve, 62 to about 400 mT",
            "Fig. 1",
            f"{low:.1f} and {high:.1f} mT (with the physical sign {wrong[0]:.0f} and "
            f"{wrong[1]:.0f} mT)",
            _judged(near),
            f"with the sign of eq. 1 as printed; {stated[0.0] - low:.0f} mT below the measured "
            "lowest field",
            {"Hres_0_mT": low, "Hres_90_mT": high, "physical_0_mT": wrong[0]},
        )
    )
    other = one._replace(B=206.6)
    shifted = figure1.extrema(other)
    rows.append(
        Claim(
            "sample I has one B",
            "text at Figs. 1 and 5",
            f"the text gives 204.6 and 206.6 mT: Hres(0°) = {low:.1f} and {shifted[0]:.1f} mT",
            "differs",
            "one of the two is a misprint; 204.6 mT is nearer to the 62 mT measured",
            {"Hres_0_at_204.6_mT": low, "Hres_0_at_206.6_mT": shifted[0]},
        )
    )
    low, high = figure1.extrema(two)
    rows.append(
        Claim(
            "sample II: A = 122.6, B = 24.1 mT give its curve",
            "Fig. 1",
            f"{low:.1f} and {high:.1f} mT",
            "not checkable",
            "its lowest and highest field are not stated; a much smaller amplitude than sample "
            f"I's is, and {high - low:.0f} mT is",
            {"Hres_0_mT": low, "Hres_90_mT": high},
        )
    )
    return rows


def _distributions(ensembles: figure5.Ensembles) -> list[Claim]:
    rows = {
        (name, row["extra_spacing_nm"], row["n_crystals"]): row
        for name in "AB"
        for row in figure5.statistics(ensembles, name)
    }
    spacings = list(dict.fromkeys(key[0] for key in ensembles))
    sizes = list(dict.fromkeys(key[1] for key in ensembles))

    def told(spacing: float) -> str:
        return f"extra dipoles {figure5.rule(spacing)}"

    decades, wide = {}, []
    ratios, stable = {}, []
    inside_numbers, inside = {}, []
    for spacing in spacings:
        spans = [rows[name, spacing, n]["decades"] for name in "AB" for n in sizes]
        decades[spacing] = (min(spans), max(spans))
        wide.append(abs(np.mean(spans) - 4) < 0.75)
        medians = [rows["B", spacing, n]["median_mT"] for n in sizes]
        ratios[spacing] = max(medians) / min(medians)
        stable.append(ratios[spacing] < LITTLE)
        places = [rows[k, spacing, n]["percentiles_I_II"] for k in "AB" for n in sizes]
        inside_numbers[spacing] = (min(map(min, places)), max(map(max, places)))
        inside.append(inside_numbers[spacing][0] > 0.5 and inside_numbers[spacing][1] < 99.5)
    pvalues = {
        spacing: min(
            row["p_value"]
            for row in figure5.comparisons(ensembles, "B")
            if row["extra_spacing_nm"] == spacing
        )
        if len(sizes) > 1
        else math.nan
        for spacing in spacings
    }
    silent = "the paper is silent on that rule"
    return [
        Claim(
            "A and B span about 4 decades",
            "Fig. 5",
            "; ".join(
                f"{told(s)}: {low:.1f} to {high:.1f} decades" for s, (low, high) in decades.items()
            ),
            _over_rules(wide),
            f"from the 1 % to the 99 % point of |A| and |B|; {silent}: without it a pair on "
            "one crystal can be at any distance",
            {f"decades_{x}_{s:g}_nm": v[i] for s, v in decades.items() for i, x in _ENDS},
        ),
        Claim(
            "the distributions depend little on n_NC",
            "Fig. 5",
            "; ".join(
                f"{told(s)}: medians of |B| differ {r:.1f}-fold, smallest p {pvalues[s]:.0e}"
                for s, r in ratios.items()
            ),
            _over_rules(stable),
            f"judged by medians that differ less than {LITTLE}-fold, though not equal; {silent}: "
            "with it widths shrink with n_NC, without it they change little up to 100 crystals and "
            "grow beyond, see finite_size",
            {f"ratio_of_medians_{s:g}_nm": r for s, r in ratios.items()},
        ),
        Claim(
            "samples I and II lie within the calculated ranges for all n_NC",
            "Fig. 5",
            "; ".join(
                f"{told(s)}: at {low:.1f} to {high:.1f} %"
                for s, (low, high) in inside_numbers.items()
            ),
            _over_rules(inside),
            f"percentiles of both samples' A and B; {silent}: with it A = 191.5 mT is out of reach",
            {f"percentile_{x}_{s:g}_nm": v[i] for s, v in inside_numbers.items() for i, x in _ENDS},
        ),
        Claim(
            "the A, B of 30 samples are distributed as calculated for n_NC = 100",
            "Fig. 5, insets",
            "2 of 30 samples published as numbers",
            "not checkable",
            "the 30 values are not given; diffdip.compare_measured would compare them",
            {},
        ),
    ]


_ENDS = ((0, "least"), (1, "most"))


def _pairs(dominant: Mapping[str, dominant_pairs.Counted]) -> list[Claim]:
    heads = (
        "F_dip is dominated by only 2–4 pairs",
        "the dominant pairs are of different crystals",
        "their dipoles are a few Å apart",
        "for most ensembles they involve an extra dipole",
    )
    source = "text after Fig. 5"
    if not dominant:
        why = "dominant pairs were not computed in this run"
        return [Claim(head, source, "-", "not checkable", why, {}) for head in heads]
    found = {
        key: dominant_pairs.summary(result)
        for key, result in dominant.items()
        if "extra_80" in result  # has crystals
    }

    def row(
        head: str, key: str, judge: Callable[[float], bool], forms: Mapping[str, str], why: str
    ) -> Claim:
        """`forms` by the names of `summary`; the first of them decides."""
        told, values = [], {}
        for case, summary in found.items():
            shown = {name: summary[name]["value"] for name in forms}
            if None not in shown.values():
                parts = (form.format(shown[name]) for name, form in forms.items())
                told.append(f"{dominant_pairs.LABELS[case]}: {', '.join(parts)}")
                values[f"{key}_{case}"] = next(iter(shown.values()))
        verdict = _over_rules([judge(value) for value in values.values()])
        return Claim(head, source, "; ".join(told), verdict, why, values)

    return [
        row(
            heads[0],
            "pairs_80",
            lambda value: value <= 4,
            {
                "pairs that carry 80 % of D, median": "{:.0f} for 80 % of D",
                "pairs that carry 50 % of D, median": "{:.0f} for half of it",
            },
            "medians over ensembles of the number of strongest pairs, judged by 80 % of D",
        ),
        row(
            heads[1],
            "share_between_crystals",
            lambda value: value > 0.5,
            {
                "ensembles whose strongest pair is between different crystals": "in {:.0%} the "
                "strongest is"
            },
            "without the rule the closest pairs are an extra dipole and a neighbour on its own "
            "crystal" + _only_between(found.get("between_crystals")),
        ),
        row(
            heads[2],
            "distance_nm",
            lambda value: 0.1 < value < 0.6,
            {"distance of the strongest pair (nm), median": "{:.2f} nm"},
            "median of the strongest pair's distance",
        ),
        row(
            heads[3],
            "share_with_extra",
            lambda value: value > 0.5,
            {"ensembles whose strongest pair involves an extra dipole": "in {:.0%}"},
            "ensembles whose strongest pair does",
        ),
    ]


def _only_between(summary: Mapping[str, Mapping[str, Any]] | None) -> str:
    """What the other claims come to if pairs on one crystal are left out of the sum."""
    if summary is None:
        return ""
    value = lambda name: summary[name]["value"]
    return (
        "; where such pairs are left out of the sum, "
        f"{value('pairs that carry 50 % of D, median'):.0f} pairs carry half of D, "
        f"the strongest at {value('distance of the strongest pair (nm), median'):.2f} nm, and "
        f"{value('pairs that carry 80 % of D, median'):.0f} are needed for 80 %; "
        f"{value('ensembles whose strongest pair involves an extra dipole'):.0%} of the strongest "
        "have an extra dipole"
    )


def surface_atoms(diameter: float = CORE_NM, trials: int = 60) -> tuple[float, float]:
    """Atoms of a wurtzite CdSe sphere (nm), and those of them with a missing neighbour.

    Means over random centres. Atoms with fewer than two neighbours are taken off first.
    """
    a, c, u = LATTICE_A, LATTICE_C, 0.375
    cell = np.array([[a, 0, 0], [-a / 2, a * 3**0.5 / 2, 0], [0, 0, c]])
    basis = np.array([[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5]])
    basis = np.concatenate([basis, basis + np.array([0, 0, u])])
    reach = math.ceil(diameter / a) + 1
    steps = np.array(list(itertools.product(range(-reach, reach + 1), repeat=3)))
    atoms = ((steps[:, None] + basis).reshape(-1, 3)) @ cell
    bond = 1.2 * 0.26
    random = np.random.default_rng(0)
    counts = []
    for _ in range(trials):
        center = random.random(3) @ cell
        inside = atoms[np.sum((atoms - center) ** 2, axis=1) < diameter**2 / 4]
        near = np.sum((inside[:, None] - inside) ** 2, axis=-1) < bond**2
        kept = near.sum(axis=1) - 1 >= 2
        neighbours = (near[kept][:, kept]).sum(axis=1) - 1
        counts.append((kept.sum(), np.sum(neighbours < 4)))
    total, surface = np.mean(counts, axis=0)
    return float(total), float(surface)


def _surface_atoms() -> Claim:
    total, surface = surface_atoms()
    unpassivated = UNPASSIVATED * surface
    per_area = 2 / (3**0.5 * LATTICE_A**2)  # one atom per cell of a (0001) plane
    by_area = UNPASSIVATED * math.pi * CORE_NM**2 * per_area
    return Claim(
        "about 30 surface atoms of a crystal are unpassivated",
        "before Fig. 4",
        f"{unpassivated:.0f} of {surface:.0f} atoms with a missing neighbour ({total:.0f} atoms in "
        f"all); {by_area:.0f} by the area of an atom on (0001)",
        _judged(max(unpassivated, by_area) / 30 < 2 and min(unpassivated, by_area) / 30 > 0.5),
        "within a factor of 2, as well as a surface atom is defined; 30 % of them unpassivated",
        {"unpassivated": unpassivated, "surface_atoms": surface, "by_area": by_area},
    )


def _magnetization() -> list[Claim]:
    mass = crystal_mass(CORE_NM)
    low, high = (dipoles_per_crystal(text, mass) for text in ("2 memu/g", "6 memu/g"))
    needed = [1e3 * saturation_of(n, mass) for n in (10.0, 30.0)]
    iron = 1e3 * impurity_saturation("1 ppb")
    ppb = 1e9 * IRON_G_PER_MOL / AVOGADRO / (2500 * 1e3 * mass)
    measured = (2.0, 6.0)
    at_that = 1e3 * impurity_saturation(f"{ppb} ppb")
    return [
        Claim(
            "10–30 dipoles a crystal, from 2–6 memu/g",
            "Fig. 2",
            f"{low:.3f} to {high:.3f} dipoles a crystal",
            _judged(low > 5 and high < 60),
            f"10–30 dipoles need {needed[0]:.0f} to {needed[1]:.0f} memu/g, {10 / low:.0f} times "
            f"what was measured: as if it were 2–6 emu/g ({1e3 * low:.0f} to {1e3 * high:.0f})",
            {"dipoles_at_2_memu_per_g": low, "dipoles_at_6_memu_per_g": high},
        ),
        Claim(
            "1 ppb of Fe would give about 0.02 memu/g, at least 2 orders below the measured",
            "Fig. 2",
            f"{iron:.5f} memu/g, {measured[0] / iron:.0f} times below 2 memu/g",
            _judged(0.5 < iron / 0.02 < 2),
            "iron saturates at 218 emu/g, not at 14 000 emu/g: the bound is stronger than printed",
            {"memu_per_g_of_1_ppb": iron, "printed_over_found": 0.02 / iron},
        ),
        Claim(
            "1–2 ppb of Fe are roughly one Fe atom in 2500 crystals",
            "experimental section",
            f"one atom in 2500 crystals is {ppb:.0f} ppb by mass",
            _judged(0.3 < ppb < 6),
            f"it is {ppb / 2:.0f} to {ppb:.0f} times more, which would give {at_that:.2f} memu/g: "
            "one of the two numbers is misprinted",
            {"ppb_by_mass": ppb, "memu_per_g": at_that},
        ),
    ]


def table(rows: Sequence[Claim]) -> str:
    """A Markdown table."""
    lines = ["| claim | source | found here | verdict | why |", "|---|---|---|---|---|"]
    for row in rows:
        cells = (row.claim, row.source, row.number, f"**{row.verdict}**", row.why)
        # a bar would end a cell
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def files(rows: Sequence[Claim], ensembles: figure5.Ensembles) -> dict[str, bytes]:
    """claims.json and claims.md."""
    some = next(iter(ensembles.values())).settings
    settings = {
        "convention": some["model"]["convention"],
        "seed": some["seed"],
        "n_samples": some["n_samples"],
        "n_crystals": list(dict.fromkeys(key[1] for key in ensembles)),
        "extra_spacing_nm": list(dict.fromkeys(key[0] for key in ensembles)),
    }
    text = (
        "# Claims of the paper\n\n"
        f"diffdip {diffdip.__version__}, convention `{settings['convention']}`, seed "
        f"{settings['seed']}, {settings['n_samples']} ensembles of each kind with n_NC = "
        f"{', '.join(map(str, settings['n_crystals']))}.\n\n{table(rows)}\n"
    )
    document = {
        "diffdip": diffdip.__version__,
        "settings": settings,
        "verdicts": list(VERDICTS),
        "claims": [row._asdict() for row in rows],
    }
    return {"claims.json": json_bytes(document), "claims.md": text.encode()}


def main(argv: list[str] | None = None) -> None:
    parser = parser_of("claims", DESCRIPTION, EPILOG, SEED)
    parser.add_argument("--samples", type=positive, metavar="N", help="ensembles of each kind")
    parser.add_argument(
        "--quick", action="store_true", help=f"{figure5.QUICK_SAMPLES} ensembles of each kind"
    )
    options = parser.parse_args(argv)
    quick = figure5.QUICK_SAMPLES if options.quick else figure5.SAMPLES
    samples = options.samples or quick
    sizes = figure5.QUICK_SIZES if options.quick else figure5.SIZES
    ensembles = figure5.run(sizes, samples, options.seed)
    dominant = dominant_pairs.run(sizes[-1], samples, options.seed)
    rows = claims(ensembles, dominant)
    finish(parser, options.out, files(rows, ensembles), table(rows))


if __name__ == "__main__":
    main()
